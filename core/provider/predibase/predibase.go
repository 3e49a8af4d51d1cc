// Package predibase is the provider for chats with Predibase. A conversation of texts is one prompt for the model, as with
// the reference (https://docs.predibase.com/user-guide/inference/rest_api). What the prompt cannot hold, such as tools,
// takes the way of the OpenAI-compatible API, whose address names the tenant and the deployment, and whose model is the
// adapter (https://docs.predibase.com/user-guide/inference/migrate-openai).
package predibase

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "predibase"

const base = "https://serving.app.predibase.com"

// Settings are what can be set about the provider. The zero value is Predibase itself.
type Settings struct {
	MaxResponse int64            // bytes of an answer, a stream's in sum; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: base, KeyVars: []string{"PREDIBASE_API_KEY"}, BaseVars: []string{"PREDIBASE_API_BASE"}, Bind: bind,
		Chat: &provider.Chat{
			Route: route, Request: request, Whole: whole, Events: events,
			Params: []string{
				"frequency_penalty", "functions", "function_call", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "n",
				"presence_penalty", "response_format", "seed", "stop", "temperature", "tool_choice", "tools", "top_logprobs", "top_p",
			},
		},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

// maxTokens is for requests that set no limit: the vendor's own would be a few words
// (litellm/constants.py, DEFAULT_MAX_TOKENS).
const maxTokens = 4096

// deployed is what a model's name says: the deployment, and behind a colon the adapter.
type deployed struct{ path, adapter string }

func bind(s *provider.Site) error {
	name, adapter, _ := strings.Cut(s.Deployment.Model, ":")
	if a := s.Deployment.Setting("adapter_id"); a != "" {
		adapter = a
	}
	tenant := s.Deployment.Setting("tenant_id")
	if tenant == "" && !strings.Contains(s.Root, "/deployments/") {
		return s.Problem("tenant_id", "is missing; it can also be set as PREDIBASE_TENANT_ID")
	}
	d := &deployed{adapter: adapter}
	if !strings.Contains(s.Root, "/deployments/") {
		d.path = "/" + provider.EscapeModel(tenant) + "/deployments/v2/llms/" + provider.EscapeModel(name)
	}
	s.Own = d
	return nil
}

// plain reports whether a prompt holds everything that a request asks for.
func plain(t *provider.Turn) bool {
	r := t.Params
	if strings.HasSuffix(t.Site.Root, "/v1") || len(r.Tools) > 0 || r.Format.Kind == openai.FormatObject || r.Format.Kind == openai.FormatSchema {
		return false
	}
	for i := range r.Messages {
		m := &r.Messages[i]
		if len(m.Calls) > 0 || m.Role == openai.RoleTool || slices.ContainsFunc(m.Parts, func(p openai.Part) bool { return p.Kind != openai.PartText }) {
			return false
		}
	}
	for _, p := range r.Params {
		switch p.Name {
		case "frequency_penalty", "logit_bias", "logprobs", "n", "presence_penalty", "top_logprobs":
			if !openai.Neutral(p.Name, p.Value) {
				return false
			}
		}
	}
	return true
}

func route(t *provider.Turn, dst []byte) []byte {
	dst = append(dst, t.Site.Own.(*deployed).path...)
	switch {
	case plain(t) && t.Exchange.Streamed:
		return append(dst, "/generate_stream"...)
	case plain(t):
		return append(dst, "/generate"...)
	case strings.HasSuffix(t.Site.Root, "/v1"):
		return append(dst, "/chat/completions"...)
	}
	return append(dst, "/v1/chat/completions"...)
}

func request(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	if plain(t) {
		return generate(t, r, dst)
	}
	return chat(t, r, dst)
}

func generate(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	prompt, err := provider.Prompt(r, false, nil)
	if err != nil {
		return nil, err
	}
	stop, err := r.Stop()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("inputs").Raw(prompt).Key("parameters").Open('{').Key("details").Bool(true).Key("return_full_text").Bool(false)
	b.Key("max_new_tokens")
	if most := r.MaxTokens(); most != nil {
		b.Raw(most)
	} else {
		b.Int(maxTokens)
	}
	if v := r.Get("temperature"); v != nil && !positive(v) {
		b.Key("temperature").Lit("0.01") // 0 is refused
	} else {
		b.Member("temperature", v)
	}
	b.Member("stop", stop)
	if a := t.Site.Own.(*deployed).adapter; a != "" {
		b.Text("adapter_id", a)
	}
	for name, v := range r.Rest {
		if !openai.Parameter(llm.OpChat, name) || name == "seed" || name == "top_p" {
			b.Member(name, v)
		}
	}
	b.Close('}').Close('}')
	return b.Bytes(), nil
}

func positive(number []byte) bool {
	f, err := strconv.ParseFloat(string(number), 64)
	return err != nil || f > 0
}

// generated reads an answer, or an event, of generate. ok is false if it is none.
func generated(t *provider.Turn, body []byte, s *openai.Said) (ok bool) {
	text, token, details := dialect.Get(body, "generated_text"), dialect.Get(body, "token"), dialect.Get(body, "details")
	if text == nil && token == nil {
		return false
	}
	if token == nil {
		s.Text = t.Text(text)
	} else if string(dialect.Get(token, "special")) != "true" {
		s.Text = t.Text(dialect.Get(token, "text"))
	}
	if dialect.Null(details) {
		return true
	}
	s.Usage.Prompt = dialect.Int(dialect.Get(details, "prompt_tokens"))
	s.Usage.Completion = dialect.Int(dialect.Get(details, "generated_tokens"))
	switch string(dialect.Get(details, "finish_reason")) {
	case `"length"`:
		s.Finish = "length"
	default:
		s.Finish = "stop"
	}
	return true
}

func whole(t *provider.Turn, body []byte, s *openai.Said) error {
	if generated(t, body, s) {
		return nil
	}
	return provider.ReadSimilar(t, body, s)
}

func events(t *provider.Turn) func(*provider.Event, *openai.Said) error {
	similar := provider.SimilarEvents(t)
	return func(e *provider.Event, s *openai.Said) error {
		if !generated(t, e.Data, s) {
			return similar(e, s)
		}
		// The last event has the whole text.
		t.Ended = !dialect.Null(dialect.Get(e.Data, "generated_text"))
		return nil
	}
}

func chat(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	w := provider.Similar{Images: true}
	b := dialect.Build(dst)
	b.Open('{').Key("model").Quote(t.Site.Own.(*deployed).adapter)
	if err := w.Messages(&b, r); err != nil {
		return nil, err
	}
	if err := w.Tools(&b, r); err != nil {
		return nil, err
	}
	format(&b, r)
	b.Member("max_tokens", r.MaxTokens())
	for name, v := range r.Rest {
		b.Member(name, v)
	}
	if t.Exchange.Streamed {
		b.Key("stream").Bool(true).Key("stream_options").Lit(`{"include_usage":true}`)
	}
	b.Close('}')
	return b.Bytes(), nil
}

// format writes the form of the answer: a schema stands beside the type
// (https://docs.predibase.com/user-guide/inference/structured_output).
func format(b *dialect.Builder, r *openai.ChatRequest) {
	switch r.Format.Kind {
	case openai.FormatObject:
		b.Key("response_format").Lit(`{"type":"json_object"}`)
	case openai.FormatSchema:
		b.Key("response_format").Open('{').Key("type").Lit(`"json_object"`).Key("schema").Raw(r.Format.Schema).Close('}')
	}
}
