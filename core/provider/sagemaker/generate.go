package sagemaker

import (
	"bytes"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/upstream/eventstream"
)

// New makes the provider of sagemaker: endpoints with Hugging Face's text generation server
// (https://huggingface.co/docs/text-generation-inference), or Amazon's large model container, which takes the same
// (https://docs.djl.ai/master/docs/serving/serving/docs/lmi/user_guides/lmi_input_output_schema.html). They have no
// messages: what is said becomes one text, as with the reference.
func New(s Settings) *provider.Translated {
	c := &provider.Chat{
		Params: []string{
			"frequency_penalty", "max_completion_tokens", "max_tokens", "seed", "stop", "temperature", "top_p",
		},
		Route:  route(),
		Events: events, Frames: provider.Frames{Types: []string{eventstream.ContentType, "text/event-stream"}, New: newFrames},
		Request: generate, Whole: generated,
	}
	return provider.Translate(provider.Translation{
		Name: Name, KeyOptional: true, Names: true,
		Locate: func(t *provider.Site) (string, error) {
			base, sign, err := s.base(t.Deployment)
			t.Signer, t.Keyless = sign, true
			return base, err
		},
		Bind: func(t *provider.Site) error {
			if name, value := component(t.Deployment); value != "" {
				if problem := provider.BadHeader(name, value); problem != "" {
					return t.Problem("model_id", problem)
				}
				t.Header(name, value)
			}
			return nil
		},
		Chat: c,
		Forms: map[llm.Operation]*provider.Form{
			llm.OpEmbedding: {Route: route(), Params: []string{"encoding_format"}, Request: embed, Answer: embedded},
		},
		Classify: classify, MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

func route() func(*provider.Turn, []byte) []byte {
	return func(t *provider.Turn, dst []byte) []byte {
		if t.Exchange.Streamed && t.Exchange.Op.Streams() {
			return append(dst, path(t.Site.Deployment, streamed)...)
		}
		return append(dst, path(t.Site.Deployment, whole)...)
	}
}

// classify has what the model's server said decide, and not what SageMaker says about it.
func classify(_ *provider.Site, e *llm.Error, body []byte) {
	status, said := origin(e.HTTPStatus(), body)
	m := openai.Classify(status, Name, said, nil)
	e.Kind, e.Status, e.Message, e.Type, e.Param, e.Code = m.Kind, m.Status, m.Message, m.Type, m.Param, m.Code
	if words := strings.ToLower(e.Message); strings.Contains(words, "maximum input length") {
		e.Kind, e.Status = llm.KindContextWindow, 0
	}
}

// generate writes {"inputs":...,"parameters":{...}}
// (https://huggingface.github.io/text-generation-inference/#/Text%20Generation%20Inference/compat_generate).
func generate(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	if len(r.Tools) > 0 && !r.Drop {
		return nil, r.Unknown("tools")
	}
	prompt, err := prompt(r)
	if err != nil {
		return nil, err
	}
	stop, err := r.Stop()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("inputs").QuoteBytes(prompt).Key("parameters").Open('{')
	b.Key("return_full_text").Lit("false").Key("details").Lit("true")
	b.Member("max_new_tokens", r.MaxTokens()).Member("temperature", r.Get("temperature")).Member("top_p", r.Get("top_p"))
	b.Member("stop", stop).Member("seed", r.Get("seed")).Member("frequency_penalty", r.Get("frequency_penalty"))
	for name, v := range r.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	if t.Exchange.Streamed {
		b.Key("stream").Lit("true")
	}
	b.Close('}')
	return b.Bytes(), nil
}

// prompt joins what the messages say, as the reference does for models whose template it does not know
// (litellm/litellm_core_utils/prompt_templates/factory.py, default_pt).
func prompt(r *openai.ChatRequest) ([]byte, error) {
	var texts [][]byte
	for i := range r.Messages {
		m := &r.Messages[i]
		if len(m.Calls) > 0 && !r.Drop {
			return nil, r.Unknown(m.At(".tool_calls"))
		}
		for j := range m.Parts {
			p := &m.Parts[j]
			if p.Kind != openai.PartText {
				return nil, r.BadPart(m, p)
			}
			text, _ := llm.Text(p.Text)
			texts = append(texts, text)
		}
	}
	return bytes.Join(texts, []byte(" ")), nil
}

// generated reads [{"generated_text":...,"details":{...}}], or that without the list.
func generated(t *provider.Turn, body []byte, s *openai.Said) error {
	if c := dialect.Array(body); c.Next() {
		body = c.Value()
	}
	text := dialect.Get(body, "generated_text")
	if len(text) == 0 || text[0] != '"' {
		if v := dialect.Get(body, "error"); v != nil {
			return t.Fail(200, body)
		}
		return t.Garbled("holds no generated_text")
	}
	s.Text = t.Text(text)
	detail(s, dialect.Get(body, "details"))
	return nil
}

func detail(s *openai.Said, details []byte) {
	switch string(dialect.Get(details, "finish_reason")) {
	case `"length"`:
		s.Finish = "length"
	case `"eos_token"`, `"stop_sequence"`:
		s.Finish = "stop"
	}
	prompt, completion := dialect.Int(dialect.Get(details, "input_length")), dialect.Int(dialect.Get(details, "generated_tokens"))
	if prompt == 0 {
		for c := dialect.Array(dialect.Get(details, "prefill")); c.Next(); {
			prompt++
		}
	}
	if prompt > 0 { // else the gateway counts, as half of the tokens would be half of the cost
		s.Usage = llm.Usage{Prompt: prompt, Completion: completion, Total: prompt + completion}
	}
}

// events reads the events of a stream, one a token
// (https://huggingface.co/docs/text-generation-inference/conceptual/streaming). The last has the whole text and details.
func events(t *provider.Turn) func(*provider.Event, *openai.Said) error {
	return func(e *provider.Event, s *openai.Said) error {
		if string(e.Data) == "[DONE]" {
			t.Ended = true
			return nil
		}
		if v := dialect.Get(e.Data, "error"); v != nil {
			return t.Fail(200, e.Data)
		}
		token := dialect.Get(e.Data, "token")
		if token == nil && !dialect.Null(dialect.Get(e.Data, "outputs")) {
			token = []byte(`{"text":""}`) // older containers: the texts of all beams
			if c := dialect.Array(dialect.Get(e.Data, "outputs")); c.Next() {
				s.Text = t.Text(c.Value())
			}
		}
		if token == nil {
			return t.Garbled("holds an event without a token")
		}
		if string(dialect.Get(token, "special")) != "true" && s.Text == "" {
			s.Text = t.Text(dialect.Get(token, "text"))
		}
		if details := dialect.Get(e.Data, "details"); !dialect.Null(details) {
			detail(s, details)
		}
		if !dialect.Null(dialect.Get(e.Data, "generated_text")) {
			if s.Finish == "" {
				s.Finish = "stop"
			}
			t.Ended = true
		}
		return nil
	}
}

// embed writes {"inputs":[...]}, as servers of Hugging Face's embedding models take it
// (https://huggingface.github.io/text-embeddings-inference/).
func embed(t *provider.Turn, dst []byte) ([]byte, error) {
	texts, err := t.Inputs()
	if err != nil {
		return nil, err
	}
	t.Params.Get("encoding_format") // the answer is written in it
	b := dialect.Build(dst)
	b.Open('{').Key("inputs").Open('[')
	for _, text := range texts {
		b.Raw(text)
	}
	b.Close(']')
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

// embedded reads a list of vectors, or {"embedding":[...]} with one.
func embedded(t *provider.Turn, body, dst []byte) ([]byte, error) {
	if v := dialect.Get(body, "embedding"); v != nil {
		body = v
	}
	e := openai.NewEmbeddings(dst, t.Exchange.Body.Get("encoding_format"))
	for c := dialect.Array(body); c.Next(); {
		if c.First() != '[' || !e.Add(c.Value()) {
			return nil, t.Garbled("holds no list of embeddings")
		}
	}
	if e.Len() == 0 {
		return nil, t.Garbled("holds no embeddings")
	}
	return e.End(t.Model(), t.Usage), nil
}
