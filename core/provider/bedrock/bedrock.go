// Package bedrock is the provider for Amazon Bedrock: chats through Converse and ConverseStream, whatever the model
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html), chats in Anthropic's own dialect
// with Claude through InvokeModel, and embeddings, images and reranking.
package bedrock

import (
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/anthropic"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "bedrock"

// Settings are what the provider needs from outside.
type Settings struct {
	// Account says in which region a deployment is, and who signs its calls to a service, by the service's signing name.
	// named is the region that the model's name holds, or "". An error names the setting that is wrong.
	Account func(d *llm.Deployment, service, named string) (region string, sign llm.Signer, err error)

	MaxResponse int64            // bytes of an answer, a stream's in sum; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// site is a deployment.
type site struct {
	id     string // the model in paths, escaped
	bare   string // the same without the prefix of an inference profile, for counting tokens
	name   string // what says which family the model is of
	region string
	family family

	version   func(major, minor int) bool // of a Claude model: at least this one
	reranking llm.Target
	guard     []llm.Field // header lines of InvokeModel for what Converse has in its body
	plain     bool        // the deployment sets nothing that InvokeModel would miss
}

// family tells models apart whose parameters have other names.
type family uint8

const (
	familyOther family = iota
	familyClaude
	familyNova
	familyGPT
)

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name:    Name,
		KeyVars: []string{"AWS_BEARER_TOKEN_BEDROCK"}, BaseVars: []string{"AWS_BEDROCK_RUNTIME_ENDPOINT"}, KeyOptional: true,
		Locate: func(t *provider.Site) (string, error) { return locate(&s, t) },
		Bind:   func(t *provider.Site) error { return bind(&s, t) },
		Chat: &provider.Chat{
			Params: []string{
				"max_completion_tokens", "max_tokens", "parallel_tool_calls", "reasoning_effort", "response_format", "service_tier",
				"stop", "temperature", "thinking", "tool_choice", "tools", "functions", "function_call", "top_p",
			},
			Route: route("/converse", "/converse-stream"), Request: request, Whole: whole, Events: events, Frames: converseFrames(),
		},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpEmbedding: embeddings(), llm.OpImage: images(s.Now), llm.OpRerank: rerankForm(),
			llm.OpImageEdit: edits(s.Now, false), llm.OpImageVariation: edits(s.Now, true),
		},
		Natives:  []*provider.Native{messages()},
		Classify: classify, MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

// route is the path of a call, by whether a stream is wanted.
func route(whole, stream string) func(*provider.Turn, []byte) []byte {
	return func(t *provider.Turn, dst []byte) []byte {
		dst = append(append(dst, "/model/"...), own(t).id...)
		if t.Exchange.Streamed && t.Exchange.Op.Streams() {
			return append(dst, stream...)
		}
		return append(dst, whole...)
	}
}

func own(t *provider.Turn) *site { return t.Site.Own.(*site) }

// locate finds region and address. The addresses are those of https://docs.aws.amazon.com/general/latest/gr/bedrock.html.
func locate(s *Settings, t *provider.Site) (string, error) {
	d := t.Deployment
	m, problem := parse(d)
	if problem != "" {
		return "", t.Problem("model", problem)
	}
	region, sign, err := s.Account(d, "bedrock", m.region)
	if err != nil {
		return "", err
	}
	t.Signer = sign
	m.region = region
	t.Own = m
	base := d.Setting("aws_bedrock_runtime_endpoint")
	if base == "" {
		base = d.Base
	}
	if base == "" {
		return address("bedrock-runtime", region), nil
	}
	return base, nil
}

func address(service, region string) string {
	domain := ".amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		domain += ".cn"
	}
	return "https://" + service + "." + region + domain
}

func bind(_ *Settings, t *provider.Site) error {
	m, d := t.Own.(*site), t.Deployment
	// A key is a bearer token (https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html).
	own := slices.ContainsFunc(d.ExtraHeaders, func(h llm.Pair) bool { return strings.EqualFold(h.Name, "authorization") })
	if d.APIKey != "" || own {
		t.Signer = nil
	}
	t.Keyless = d.APIKey == ""
	t.Header("Accept", "application/json")
	if err := m.bindReranking(t); err != nil {
		return err
	}
	m.bindInvoke(d)
	return nil
}

// parse takes the name of a model apart. Before the name may stand how it is called, a region and a commitment, and for a
// model that the customer imported the architecture, as with the reference (litellm/llms/bedrock/common_utils.py). The
// setting model_id is what is called in place of the name, which then only says what kind of model it is.
func parse(d *llm.Deployment) (m *site, problem string) {
	m = &site{}
	name := d.Model
	for {
		word, rest, ok := strings.Cut(name, "/")
		if !ok || strings.HasPrefix(name, "arn:") {
			break
		}
		switch {
		case word == "converse", word == "invoke", word == "converse_like", word == "bedrock":
		case region(word):
			m.region = word
		case strings.HasSuffix(word, "-month-commitment"):
		case imported(word) && strings.HasPrefix(rest, "arn:"):
			m.name = word + " "
		case word == "agent", word == "agentcore", word == "async_invoke":
			return nil, "is called through " + word + ", which the gateway does not offer"
		default:
			return nil, "begins with " + word + "/, which says nothing to Bedrock: write it like bedrock/<model id> or bedrock/<ARN>"
		}
		name = rest
	}
	if name == "" {
		return nil, "names no model"
	}
	id := d.Setting("model_id")
	if id == "" {
		id = name
	}
	if part := strings.Split(id, ":"); m.region == "" && len(part) > 5 && part[0] == "arn" {
		m.region = part[3]
	}
	m.id, m.bare, m.name = escape(id), escape(bare(id)), m.name+name
	if base, ok := d.Info["base_model"].(string); ok {
		m.name += " " + base
	}
	m.name = strings.ToLower(m.name)
	switch {
	case strings.Contains(m.name, "claude"), strings.Contains(m.name, "anthropic"):
		m.family = familyClaude
	case strings.Contains(m.name, "nova"):
		m.family = familyNova
	case strings.Contains(m.name, "gpt-oss"), strings.HasPrefix(m.name, "openai"):
		m.family = familyGPT
	}
	m.version = func(major, minor int) bool { return anthropic.AtLeast(m.name, major, minor) }
	return m, ""
}

// bare is a model without the prefix that says among which regions calls are shared
// (https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html).
func bare(id string) string {
	switch prefix, rest, _ := strings.Cut(id, "."); prefix {
	case "us", "eu", "apac", "global", "jp", "au", "ca", "us-gov":
		return rest
	}
	return id
}

// imported reports whether the word is an architecture of imported models.
func imported(word string) bool {
	switch word {
	case "llama", "deepseek_r1", "qwen2", "qwen3", "openai", "moonshot", "mistral", "anthropic", "nova", "nova-2", "stability":
		return true
	}
	return false
}

// region reports whether the word has the form of a region: eu-west-1, us-gov-east-1.
func region(word string) bool {
	parts := strings.Split(word, "-")
	if len(parts) < 3 || len(parts) > 4 || len(parts[0]) != 2 {
		return false
	}
	last := parts[len(parts)-1]
	if len(last) != 1 || last[0] < '1' || last[0] > '9' {
		return false
	}
	for _, c := range []byte(strings.Join(parts[:len(parts)-1], "")) {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// escape writes a model's name for a path the way that Amazon's clients do: all but the unreserved characters.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
