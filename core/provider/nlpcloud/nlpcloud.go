// Package nlpcloud is the provider for text generation with NLP Cloud: https://docs.nlpcloud.com/#generation. The form of
// streams is the one that the reference reads (litellm_core_utils/streaming_handler.py, handle_nlp_cloud_chunk).
package nlpcloud

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "nlp_cloud"

// Settings are what can be set about the provider. The zero value is NLP Cloud itself.
type Settings struct {
	MaxResponse int64            // bytes of an answer; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: "https://api.nlpcloud.io/v1/gpu", KeyVars: []string{"NLP_CLOUD_API_KEY"},
		BaseVars: []string{"NLP_CLOUD_API_BASE"}, KeyScheme: "Token ", Locate: locate,
		Chat: &provider.Chat{
			Path: "/{model}/generation", Request: request, Whole: whole, Events: events, Open: true,
			Params: []string{"max_completion_tokens", "max_tokens", "n", "stop", "temperature", "top_p"},
		},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

// locate takes the base with and without the kind of machine.
func locate(s *provider.Site) (string, error) {
	b := strings.TrimRight(s.Deployment.Base, "/")
	if strings.HasSuffix(b, "/v1") {
		b += "/gpu"
	}
	if b == "" {
		b = "https://api.nlpcloud.io/v1/gpu"
	}
	return b, nil
}

func request(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	prompt, err := provider.Prompt(r, false, nil)
	if err != nil {
		return nil, err
	}
	stop, err := r.Stop()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("text").Raw(prompt).Member("max_length", r.MaxTokens()).Member("num_return_sequences", r.Get("n"))
	if c := dialect.Array(stop); c.Next() {
		b.Member("end_sequence", c.Value())
		if c.Next() {
			return nil, r.Bad("stop", "must be one text: "+Name+" takes no more")
		}
	}
	b.Key("remove_input").Bool(true)
	if t.Exchange.Streamed {
		b.Key("stream").Bool(true)
	}
	for name, v := range r.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

func whole(t *provider.Turn, body []byte, s *openai.Said) error {
	found := false
	for c := dialect.Object(body); c.Next(); {
		switch v := c.Value(); string(c.Key()) {
		case "generated_text":
			s.Text, found = t.Text(v), true
		case "nb_input_tokens":
			s.Usage.Prompt = dialect.Int(v)
		case "nb_generated_tokens":
			s.Usage.Completion = dialect.Int(v)
		case "error", "detail":
			if !dialect.Null(v) {
				return t.Fail(200, body)
			}
		}
	}
	if !found {
		return t.Garbled("is not a generation: it has no generated_text")
	}
	s.Finish = "stop"
	return nil
}

// events reads a stream of pieces of text, bare or as generated_text, up to [DONE] or its end.
func events(t *provider.Turn) func(*provider.Event, *openai.Said) error {
	return func(e *provider.Event, s *openai.Said) error {
		text, done := bytes.CutSuffix(e.Data, []byte("[DONE]"))
		if len(text) > 0 && text[0] == '{' && json.Valid(text) {
			if v := dialect.Get(text, "error"); !dialect.Null(v) || !dialect.Null(dialect.Get(text, "detail")) {
				return t.Fail(200, text)
			}
			inner := dialect.Get(text, "generated_text")
			if inner == nil {
				return t.Garbled("holds an event without generated_text")
			}
			s.Text = t.Text(inner)
			s.Text, done = strings.TrimSuffix(s.Text, "[DONE]"), done || strings.HasSuffix(s.Text, "[DONE]")
		} else {
			s.Text = string(text)
		}
		if done {
			s.Finish, t.Ended = "stop", true
		}
		return nil
	}
}
