// Package mistral is the provider for chats with Mistral's API. It is close to OpenAI's, and differs where models think,
// in the ids of tool calls, and in some words: https://docs.mistral.ai/api/endpoint/chat. The other operations of
// Mistral are those of OpenAI's API.
package mistral

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "mistral"

const base = "https://api.mistral.ai/v1"

// Settings are what can be set about the provider. The zero value is Mistral itself.
type Settings struct {
	MaxResponse int64            // bytes of an answer, a stream's in sum; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: base, KeyVars: []string{"MISTRAL_API_KEY"}, BaseVars: []string{"MISTRAL_API_BASE"}, Locate: locate,
		Chat: &provider.Chat{
			Path: "/chat/completions", Request: request, Whole: provider.ReadSimilar, Events: provider.SimilarEvents,
			Params: []string{
				"frequency_penalty", "functions", "function_call", "max_completion_tokens", "max_tokens", "metadata", "n",
				"parallel_tool_calls", "prediction", "presence_penalty", "reasoning_effort", "response_format", "seed", "stop",
				"temperature", "thinking", "tool_choice", "tools", "top_p",
			},
		},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

// locate adds the version to a base that leaves it out, as the reference does.
func locate(s *provider.Site) (string, error) {
	b := strings.TrimSuffix(strings.TrimRight(s.Deployment.Base, "/"), "/chat/completions")
	switch {
	case b == "":
		return base, nil
	case !strings.HasSuffix(b, "/v1"):
		b += "/v1"
	}
	return b, nil
}

func request(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	w := provider.Similar{Images: true, ToolName: true, Required: "any", Part: part, Thought: thought, CallID: callID, Schema: schema}
	b := dialect.Build(dst)
	b.Open('{').Key("model").Raw(t.Site.Model)
	if err := w.Messages(&b, r); err != nil {
		return nil, err
	}
	if err := w.Tools(&b, r); err != nil {
		return nil, err
	}
	w.Format(&b, r)
	b.Member("max_tokens", r.MaxTokens()).Member("random_seed", r.Get("seed"))
	if err := reasoning(&b, t, r); err != nil {
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

// reasoning asks for thinking: https://docs.mistral.ai/capabilities/reasoning. Magistral's models think anyway, and have a
// prompt for it that can be switched on; others take an effort.
func reasoning(b *dialect.Builder, t *provider.Turn, r *openai.ChatRequest) error {
	effort, err := r.Effort()
	if err != nil {
		return err
	}
	thinking := r.Get("thinking")
	if effort == "" && thinking != nil {
		effort = "high"
		if string(dialect.Get(thinking, "type")) == `"disabled"` {
			effort = "none"
		}
	}
	switch {
	case effort == "":
	case !strings.HasPrefix(t.Site.Deployment.Model, "magistral"):
		b.Key("reasoning_effort").Quote(effort)
	case effort != "none" && r.Get("prompt_mode") == nil:
		b.Key("prompt_mode").Lit(`"reasoning"`)
	}
	return nil
}

// thought writes what the model thought before: https://docs.mistral.ai/capabilities/reasoning.
func thought(b *dialect.Builder, m *openai.ChatMessage) {
	text := m.Reasoning
	if text == nil {
		text = openai.Thoughts(m.Thinking)
	}
	if text == nil {
		return
	}
	b.Open('{').Key("type").Lit(`"thinking"`).Key("thinking").Open('[').Open('{')
	b.Key("type").Lit(`"text"`).Key("text").Raw(text).Close('}').Close(']').Close('}')
}

// part writes documents (https://docs.mistral.ai/capabilities/document_ai/document_qna) and sounds
// (https://docs.mistral.ai/capabilities/audio).
func part(b *dialect.Builder, p *openai.Part) bool {
	m := &p.Media
	switch {
	case p.Kind == openai.PartFile && m.ID != nil:
		b.Open('{').Key("type").Lit(`"file"`).Key("file_id").QuoteBytes(m.ID).Close('}')
	case p.Kind == openai.PartFile && m.Plain == nil:
		b.Open('{').Key("type").Lit(`"document_url"`).Key("document_url")
		if m.URL != nil {
			b.QuoteBytes(m.URL)
		} else {
			b.Quote("data:" + string(m.Type) + ";base64," + string(m.Data))
		}
		b.Member("document_name", m.Name).Close('}')
	case p.Kind == openai.PartAudio:
		b.Open('{').Key("type").Lit(`"input_audio"`).Key("input_audio")
		if m.URL != nil {
			b.QuoteBytes(m.URL)
		} else {
			b.QuoteBytes(m.Data)
		}
		b.Close('}')
	default:
		return false
	}
	return true
}

func schema(b *dialect.Builder, schema []byte, strict bool) {
	b.Key("parameters").Raw(schema)
	if strict {
		b.Key("strict").Bool(true)
	}
}

// callID makes an id of nine letters and digits, as the API wants them, from one of another vendor's that a conversation
// brings along. A call and its result get the same.
func callID(id []byte) []byte {
	const size = 9
	inner, ok := llm.Text(id)
	if ok && len(inner) == size && plain(inner) {
		return id
	}
	sum := sha256.Sum256(inner)
	n := binary.BigEndian.Uint64(sum[:])
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	out := []byte{'"'}
	for range size {
		out = append(out, letters[n%uint64(len(letters))])
		n /= uint64(len(letters))
	}
	return append(out, '"')
}

func plain(s []byte) bool {
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
