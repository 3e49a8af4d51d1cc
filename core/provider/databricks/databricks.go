// Package databricks is the provider for chats with models that Databricks serves. Its API is close to OpenAI's, and
// differs where models think and in what it takes of a message:
// https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference. Embeddings and completions are
// those of OpenAI's API.
package databricks

import (
	"net/url"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "databricks"

// Settings are what can be set about the provider. The zero value is usable.
type Settings struct {
	// Sign makes what signs the calls of a deployment that has no key. It is nil if the deployment names nobody.
	Sign func(d *llm.Deployment) (llm.Signer, error)

	MaxResponse int64            // bytes of an answer, a stream's in sum; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, KeyVars: []string{"DATABRICKS_API_KEY"}, BaseVars: []string{"DATABRICKS_API_BASE"},
		Locate: func(t *provider.Site) (string, error) { return Base(t.Deployment.Base), nil }, Bind: s.bind, Names: true, Classify: classify,
		Chat: &provider.Chat{
			Path: "/chat/completions", Request: request, Whole: provider.ReadSimilar, Events: provider.SimilarEvents,
			Params: []string{
				"frequency_penalty", "functions", "function_call", "logprobs", "max_completion_tokens", "max_tokens", "n",
				"parallel_tool_calls", "presence_penalty", "reasoning_effort", "response_format", "stop", "temperature", "thinking",
				"tool_choice", "tools", "top_logprobs", "top_p",
			},
		},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

// Base completes the address of a workspace. Other addresses are taken as they are, as by the reference
// (litellm/llms/databricks/common_utils.py).
func Base(configured string) string {
	b := strings.TrimSuffix(strings.TrimRight(configured, "/"), "/chat/completions")
	u, err := url.Parse(b)
	if err != nil || u.Path != "" || u.RawQuery != "" {
		return b
	}
	for _, domain := range []string{".databricks.com", ".azuredatabricks.net", ".databricks.us"} {
		if strings.HasSuffix(u.Hostname(), domain) {
			return b + "/serving-endpoints"
		}
	}
	return b
}

// bind has calls signed for a service principal if there is no key.
func (s *Settings) bind(site *provider.Site) error {
	if site.Deployment.APIKey != "" || s.Sign == nil {
		return nil
	}
	signer, err := s.Sign(site.Deployment)
	if err != nil {
		return site.Problem("api_base", err.Error())
	}
	site.Signer, site.Keyless = signer, signer != nil
	return nil
}

// classify knows the codes of https://docs.databricks.com/api/workspace/introduction.
func classify(_ *provider.Site, e *llm.Error, body []byte) {
	code, _ := llm.Text(dialect.Get(body, "error_code"))
	if e.Code == "" {
		e.Code = string(code)
	}
	switch string(code) {
	case "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED":
		e.Kind, e.Status = llm.KindRateLimit, 0
	case "TEMPORARILY_UNAVAILABLE":
		e.Kind, e.Status = llm.KindUnavailable, 0
	case "ENDPOINT_NOT_FOUND", "RESOURCE_DOES_NOT_EXIST":
		e.Kind, e.Status = llm.KindNotFound, 0
	case "PERMISSION_DENIED":
		e.Kind, e.Status = llm.KindPermission, 0
	}
}

func request(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	claude := strings.Contains(t.Site.Deployment.Model, "claude")
	w := provider.Similar{Images: true, Cache: claude}
	if claude {
		w.Thought = thought
	}
	b := dialect.Build(dst)
	b.Open('{').Key("model").Raw(t.Site.Model)
	if err := w.Messages(&b, r); err != nil {
		return nil, err
	}
	if err := w.Tools(&b, r); err != nil {
		return nil, err
	}
	w.Format(&b, r)
	b.Member("max_tokens", r.MaxTokens())
	if err := reasoning(&b, r, claude); err != nil {
		return nil, err
	}
	for name, v := range r.Rest {
		b.Member(name, v)
	}
	if t.Exchange.Streamed {
		b.Key("stream").Bool(true)
	}
	b.Close('}')
	return b.Bytes(), nil
}

// reasoning asks for thinking: https://docs.databricks.com/aws/en/machine-learning/model-serving/query-reason-models.
// Claude takes a budget of tokens, for which the reference has the numbers (litellm/constants.py); other models take the
// effort.
func reasoning(b *dialect.Builder, r *openai.ChatRequest, claude bool) error {
	effort, err := r.Effort()
	if err != nil || effort == "" {
		return err
	}
	if !claude {
		b.Key("reasoning_effort").Quote(effort)
		return nil
	}
	if r.Get("thinking") != nil {
		return r.Bad("reasoning_effort", "and `thinking` say the same: write one of them")
	}
	budget := int64(0)
	switch effort {
	case "none":
		return nil
	case "minimal", "low":
		budget = 1024
	case "medium":
		budget = 2048
	case "high":
		budget = 4096
	default:
		return r.Bad("reasoning_effort", "must be none, minimal, low, medium or high for this model")
	}
	b.Key("thinking").Open('{').Key("type").Lit(`"enabled"`).Key("budget_tokens").Int(budget).Close('}')
	return nil
}

// thought writes what the model thought before, with the signatures by which it is known again. A stream gives thinking in
// pieces of which the last has the signature, and a caller may send them back like that: they are put together again.
func thought(b *dialect.Builder, m *openai.ChatMessage) {
	if m.Thinking == nil {
		return // without a signature it is not taken back
	}
	b.Open('{').Key("type").Lit(`"reasoning"`).Key("summary").Open('[')
	text := []byte{'"'}
	for c := dialect.Array(m.Thinking); c.Next(); {
		if v := dialect.Get(c.Value(), "thinking"); len(v) > 2 && v[0] == '"' {
			text = append(text, v[1:len(v)-1]...)
		}
		signature := dialect.Get(c.Value(), "signature")
		if len(signature) < 3 {
			continue
		}
		b.Open('{').Key("type").Lit(`"summary_text"`).Key("text").Raw(append(text, '"')).Key("signature").Raw(signature).Close('}')
		text = text[:1]
	}
	b.Close(']').Close('}')
}
