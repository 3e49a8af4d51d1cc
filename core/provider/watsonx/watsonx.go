// Package watsonx is the provider for IBM watsonx.ai: chats, text generation, embeddings, reranking and transcriptions. The API is
// described at https://cloud.ibm.com/apidocs/watsonx-ai. Calls need a project or a space, and a token that is got for an
// API key.
package watsonx

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "watsonx"

// defaultVersion is the reference's (litellm/constants.py, WATSONX_DEFAULT_API_VERSION): the date by which the API is to
// behave.
const defaultVersion = "2024-03-13"

// Settings are what can be set about the provider.
type Settings struct {
	// Sign returns what adds a token for an API key to calls. Nil sends the key itself as the token.
	Sign func(key string) (llm.Signer, error)

	MaxResponse int64            // bytes of an answer, a stream's in sum; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	v := vendor{s}
	return provider.Translate(provider.Translation{
		Name: Name, KeyVars: []string{"WATSONX_API_KEY", "WATSONX_APIKEY", "WX_API_KEY"}, Bind: v.bind, Classify: classify,
		BaseVars: []string{"WATSONX_API_BASE", "WATSONX_URL", "WX_URL", "WML_URL"},
		Chat: &provider.Chat{
			Route: route("text/chat"), Request: chat, Whole: provider.ReadSimilar, Events: provider.SimilarEvents,
			Params: append(common(), "functions", "function_call", "logprobs", "max_completion_tokens", "n", "presence_penalty",
				"reasoning_effort", "response_format", "tool_choice", "tools", "top_logprobs"),
		},
		Completion: &provider.Chat{
			Route: route("text/generation"), Request: generate, Whole: generated, Events: generations, Params: common(),
		},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpEmbedding: {
				Route: route("text/embeddings"), Params: []string{"encoding_format"}, Request: embed, Answer: embedded,
			},
			llm.OpRerank: {
				Route: route("text/rerank"), Params: []string{"top_n", "return_documents", "max_tokens_per_doc"},
				Request: rank, Answer: ranked,
			},
			llm.OpTranscription: {
				Route: route("audio/transcriptions"), Params: []string{
					"language", "prompt", "response_format", "temperature", "timestamp_granularities", "timestamp_granularities[]",
				},
				Request: listen, Answer: heard, Typed: true,
			},
		},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

func common() []string {
	return []string{"frequency_penalty", "max_tokens", "seed", "stop", "temperature", "top_p"}
}

type vendor struct{ s Settings }

// site is what a deployment's calls have in common.
type site struct {
	scope    string // the members that say whose the call is, in JSON
	deployed string // the id of a deployment of the customer's own; "" for a model by its name
	version  string
}

// bind reads the settings, under the names that the reference has for them (litellm/llms/watsonx/common_utils.py).
func (v vendor) bind(s *provider.Site) error {
	d, own := s.Deployment, &site{version: defaultVersion}
	if d.APIVersion != "" {
		own.version = d.APIVersion
	}
	s.Own = own
	if id, ok := strings.CutPrefix(d.Model, "deployment/"); ok {
		own.deployed = id
	}
	b := dialect.Resumed(nil)
	project, space := first(d, "project_id", "watsonx_project"), first(d, "space_id")
	switch {
	case own.deployed != "":
	case project != "":
		b.Key("model_id").Raw(s.Model).Key("project_id").Quote(project)
	case space != "":
		b.Key("model_id").Raw(s.Model).Key("space_id").Quote(space)
	default:
		return s.Problem("project_id", "is missing, and so is space_id; they can also be set as WATSONX_PROJECT_ID or WATSONX_SPACE_ID")
	}
	own.scope = string(b.Bytes())
	return v.credential(s)
}

func first(d *llm.Deployment, names ...string) string {
	for _, name := range names {
		if v := d.Setting(name); v != "" {
			return v
		}
	}
	return ""
}

// credential chooses what proves who calls: a token that the operator has, a key of IBM Cloud Pak, or a token for a key of
// IBM Cloud.
func (v vendor) credential(s *provider.Site) error {
	d := s.Deployment
	token, zen := first(d, "token", "watsonx_token"), first(d, "zen_api_key")
	switch {
	case token != "":
		s.Keyless = true
		s.Header("Authorization", "Bearer "+token)
	case zen != "":
		s.Keyless = true
		s.Header("Authorization", "ZenApiKey "+zen)
	case d.APIKey != "" && v.s.Sign != nil:
		signer, err := v.s.Sign(d.APIKey)
		if err != nil {
			return s.Problem("api_key", "cannot be used: "+err.Error())
		}
		s.Keyless, s.Signer = true, signer
	}
	return nil
}

// route is the path of an operation. Streams have one of their own, and so have deployments of the customer's own.
func route(operation string) func(*provider.Turn, []byte) []byte {
	return func(t *provider.Turn, dst []byte) []byte {
		own := t.Site.Own.(*site)
		dst = append(dst, "/ml/v1/"...)
		if own.deployed != "" {
			dst = append(append(append(dst, "deployments/"...), url.PathEscape(own.deployed)...), '/')
		}
		dst = append(dst, operation...)
		if t.Exchange.Streamed && t.Exchange.Op.Streams() {
			dst = append(dst, "_stream"...)
		}
		return append(append(dst, "?version="...), url.QueryEscape(own.version)...)
	}
}

// begin opens a body with the members that say whose the call is.
func begin(t *provider.Turn, dst []byte) dialect.Builder {
	b := dialect.Build(dst)
	b.Open('{')
	if scope := t.Site.Own.(*site).scope; scope != "" {
		b.Lit(scope)
	}
	return b
}

// classify reads {"errors":[{"code","message"}],"trace","status_code"}.
func classify(_ *provider.Site, e *llm.Error, body []byte) {
	c := dialect.Array(dialect.Get(body, "errors"))
	if !c.Next() {
		return
	}
	e.Message, e.Code = provider.Excerpt(dialect.Get(c.Value(), "message")), provider.Excerpt(dialect.Get(c.Value(), "code"))
	switch e.Code {
	case "authentication_token_expired", "authentication_token_not_valid", "invalid_api_key":
		e.Kind, e.Status = llm.KindAuthentication, 0
	case "model_not_supported", "model_no_longer_supported", "deployment_does_not_exist":
		e.Kind, e.Status = llm.KindNotFound, 0
	case "token_quota_reached", "rate_limit_reached_requests", "consumption_limit_reached":
		e.Kind, e.Status = llm.KindRateLimit, 0
	case "invalid_input_argument", "invalid_request_entity":
		if strings.Contains(e.Message, "the number of input tokens") || strings.Contains(e.Message, "context length") {
			e.Kind, e.Status = llm.KindContextWindow, 0
		}
	case "downstream_request_failed":
		e.Kind, e.Status = llm.KindInternal, 0
	}
}

// chat writes a chat: https://cloud.ibm.com/apidocs/watsonx-ai#text-chat.
func chat(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	w := provider.Similar{Images: true, Files: true, Schema: schema}
	b := begin(t, dst)
	if err := w.Messages(&b, r); err != nil {
		return nil, err
	}
	choice := r.Choice
	r.Choice = openai.ToolChoice{}
	if err := w.Tools(&b, r); err != nil {
		return nil, err
	}
	if len(r.Tools) > 0 {
		toolChoice(&b, choice)
	}
	w.Format(&b, r)
	stop, err := r.Stop()
	if err != nil {
		return nil, err
	}
	b.Member("stop", stop).Member("max_tokens", r.MaxTokens())
	for name, v := range r.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

// toolChoice has one member for a way to choose, and one for a function.
func toolChoice(b *dialect.Builder, c openai.ToolChoice) {
	switch c.Mode {
	case openai.ChoiceAuto:
		b.Key("tool_choice_option").Lit(`"auto"`)
	case openai.ChoiceNone:
		b.Key("tool_choice_option").Lit(`"none"`)
	case openai.ChoiceRequired:
		b.Key("tool_choice_option").Lit(`"required"`)
	case openai.ChoiceNamed:
		b.Key("tool_choice").Open('{').Key("type").Lit(`"function"`).Key("function").Open('{').Key("name").Raw(c.Name).Close('}').Close('}')
	}
}

// schema writes parameters without strict, which the API does not know.
func schema(b *dialect.Builder, schema []byte, _ bool) { b.Key("parameters").Raw(schema) }

var errForm = errors.New("it is not of the form that watsonx.ai documents")
