// Package predibase is the provider for chats with Predibase, by its OpenAI-compatible API, whose address names the
// tenant and the deployment, and whose model is the adapter:
// https://docs.predibase.com/user-guide/inference/migrate-openai.
package predibase

import (
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
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
			Route: route, Request: request, Whole: provider.ReadSimilar, Events: provider.SimilarEvents,
			Params: []string{
				"frequency_penalty", "functions", "function_call", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "n",
				"presence_penalty", "response_format", "seed", "stop", "temperature", "tool_choice", "tools", "top_logprobs", "top_p",
			},
		},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

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
	if !strings.HasSuffix(s.Root, "/v1") {
		d.path += "/v1"
	}
	s.Own = d
	return nil
}

func route(t *provider.Turn, dst []byte) []byte {
	return append(append(dst, t.Site.Own.(*deployed).path...), "/chat/completions"...)
}

func request(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
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
