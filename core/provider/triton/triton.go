// Package triton is the provider for servers that run NVIDIA Triton: text by the generate extension
// (https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_generate.html) and
// embeddings by inference (https://github.com/kserve/kserve/blob/master/docs/predict-api/v2/required_api.md). The names
// of inputs are those that the reference has (litellm/llms/triton).
package triton

import (
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "triton"

// Settings are what can be set about the provider. The zero value is usable.
type Settings struct {
	MaxResponse int64            // bytes of an answer, a stream's in sum; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	params := []string{"frequency_penalty", "max_completion_tokens", "max_tokens", "presence_penalty", "seed", "stop", "temperature", "top_p"}
	return provider.Translate(provider.Translation{
		Name: Name, KeyOptional: true, KeyVars: []string{"TRITON_API_KEY"}, BaseVars: []string{"TRITON_API_BASE"}, Locate: locate,
		Chat:       &provider.Chat{Route: route("generate"), Request: chat, Whole: whole, Events: events, Open: true, Params: params},
		Completion: &provider.Chat{Route: route("generate"), Request: complete, Whole: whole, Events: events, Open: true, Params: params},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpEmbedding: {Route: route("infer"), Params: []string{"encoding_format"}, Request: embed, Answer: embedded},
		},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

// locate takes the base of a server, and the whole address of a model's operation, as the reference does.
func locate(s *provider.Site) (string, error) {
	b := strings.TrimRight(s.Deployment.Base, "/")
	for _, end := range []string{"/generate_stream", "/generate", "/infer", "/embeddings"} {
		if root, ok := strings.CutSuffix(b, end); ok {
			s.Own = end
			return root, nil
		}
	}
	s.Own = ""
	return b, nil
}

func route(operation string) func(*provider.Turn, []byte) []byte {
	return func(t *provider.Turn, dst []byte) []byte {
		end := t.Site.Own.(string)
		if end == "" && !strings.Contains(t.Site.Root, "/v2/models/") {
			dst = append(append(dst, "/v2/models/"...), provider.EscapeModel(t.Site.Deployment.Model)...)
		}
		if operation == "infer" && end == "/embeddings" {
			return append(dst, end...)
		}
		dst = append(append(dst, '/'), operation...)
		if t.Exchange.Streamed && operation == "generate" {
			dst = append(dst, "_stream"...)
		}
		return dst
	}
}

func chat(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	prompt, err := provider.Prompt(r, false, nil)
	if err != nil {
		return nil, err
	}
	return generate(t, r, prompt, dst)
}

func complete(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	prompt, err := provider.OnePrompt(r)
	if err != nil {
		return nil, err
	}
	return generate(t, r, prompt, dst)
}

func generate(t *provider.Turn, r *openai.ChatRequest, prompt, dst []byte) ([]byte, error) {
	stop, err := r.Stop()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("text_input").Raw(prompt).Key("parameters").Open('{')
	b.Member("max_tokens", r.MaxTokens()).Member("stop_words", stop).Member("random_seed", r.Get("seed"))
	for name, v := range r.Rest {
		b.Member(name, v)
	}
	b.Close('}').Key("stream").Bool(t.Exchange.Streamed).Close('}')
	return b.Bytes(), nil
}

// whole reads an answer, or an event.
func whole(t *provider.Turn, body []byte, s *openai.Said) error {
	if v := dialect.Get(body, "error"); !dialect.Null(v) {
		return t.Fail(500, body)
	}
	v := dialect.Get(body, "text_output")
	if v == nil {
		return t.Garbled("is not one of the generate extension: it has no text_output")
	}
	if c := dialect.Array(v); c.Next() {
		v = c.Value()
	}
	s.Text = t.Text(v)
	return nil
}

func events(t *provider.Turn) func(*provider.Event, *openai.Said) error {
	return func(e *provider.Event, s *openai.Said) error {
		if string(e.Data) == "[DONE]" {
			t.Ended = true
			return nil
		}
		return whole(t, e.Data, s)
	}
}

func embed(t *provider.Turn, dst []byte) ([]byte, error) {
	texts, err := t.Inputs()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("inputs").Open('[').Open('{').Key("name").Lit(`"input_text"`)
	b.Key("shape").Open('[').Int(int64(len(texts))).Close(']').Key("datatype").Lit(`"BYTES"`).Key("data").Open('[')
	for _, text := range texts {
		b.Raw(text)
	}
	b.Close(']').Close('}').Close(']')
	t.Params.Get("encoding_format")
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

// embedded reads outputs: a tensor of one row a text, written as one list.
func embedded(t *provider.Turn, body, dst []byte) ([]byte, error) {
	if v := dialect.Get(body, "error"); !dialect.Null(v) {
		return nil, t.Fail(500, body)
	}
	c := dialect.Array(dialect.Get(body, "outputs"))
	if !c.Next() {
		return nil, t.Garbled("has no outputs")
	}
	var shape []int64
	for s := dialect.Array(dialect.Get(c.Value(), "shape")); s.Next(); {
		shape = append(shape, dialect.Int(s.Value()))
	}
	if len(shape) != 2 || shape[0] < 1 || shape[1] < 1 {
		return nil, t.Garbled("has an output that is not a list of vectors")
	}
	e := openai.NewEmbeddings(dst, t.Exchange.Body.Get("encoding_format"))
	row, n := []byte{'['}, int64(0)
	for v := dialect.Array(dialect.Get(c.Value(), "data")); v.Next(); {
		if n > 0 {
			row = append(row, ',')
		}
		row = append(row, v.Value()...)
		if n++; n == shape[1] {
			e.Add(append(row, ']'))
			row, n = row[:1], 0
		}
	}
	if e.Len() != shape[0] || n != 0 {
		return nil, t.Garbled("has an output that does not have the shape it says")
	}
	return e.End(t.Model(), t.Usage), nil
}
