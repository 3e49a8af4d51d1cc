package watsonx

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/dialect/rerank"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// generate writes a text completion: https://cloud.ibm.com/apidocs/watsonx-ai#text-generation.
func generate(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	prompt, err := provider.OnePrompt(r)
	if err != nil {
		return nil, err
	}
	stop, err := r.Stop()
	if err != nil {
		return nil, err
	}
	b := begin(t, dst)
	b.Key("input").Raw(prompt).Key("parameters").Open('{')
	b.Member("max_new_tokens", r.MaxTokens()).Member("stop_sequences", stop).Member("random_seed", r.Get("seed"))
	b.Member("repetition_penalty", r.Get("frequency_penalty"))
	for name, v := range r.Rest {
		if !outside(name) {
			b.Member(name, v)
		}
	}
	b.Close('}')
	for name, v := range r.Rest {
		if outside(name) {
			b.Member(name, v)
		}
	}
	b.Close('}')
	return b.Bytes(), nil
}

// outside reports whether a member of a generation stands beside its parameters.
func outside(name string) bool { return name == "moderations" }

// generated reads a completion, or a piece of a streamed one.
func generated(t *provider.Turn, body []byte, s *openai.Said) error {
	c := dialect.Array(dialect.Get(body, "results"))
	if !c.Next() {
		if dialect.Get(body, "errors") != nil {
			return t.Fail(int(dialect.Int(dialect.Get(body, "status_code"))), body)
		}
		return errForm
	}
	for in := dialect.Object(c.Value()); in.Next(); {
		switch v := in.Value(); string(in.Key()) {
		case "generated_text":
			s.Text = t.Text(v)
		case "generated_token_count":
			s.Usage.Completion = dialect.Int(v)
		case "input_token_count":
			s.Usage.Prompt = dialect.Int(v)
		case "stop_reason":
			s.Finish = finish(strings.ToLower(t.Text(v)))
		}
	}
	return nil
}

// finish is a stop reason in the words of the API of OpenAI. A piece that is not the last has not_finished.
func finish(reason string) string {
	switch reason {
	case "not_finished", "":
		return ""
	case "max_tokens", "token_limit", "time_limit":
		return "length"
	case "error":
		return "error"
	}
	return "stop"
}

func generations(t *provider.Turn) func(*provider.Event, *openai.Said) error {
	return func(e *provider.Event, s *openai.Said) error {
		if len(e.Data) == 0 || e.Data[0] != '{' {
			return errForm
		}
		return generated(t, e.Data, s)
	}
}

// embed writes a request for embeddings: https://cloud.ibm.com/apidocs/watsonx-ai#text-embeddings.
func embed(t *provider.Turn, dst []byte) ([]byte, error) {
	texts, err := t.Inputs()
	if err != nil {
		return nil, err
	}
	b := begin(t, dst)
	b.Key("inputs").Open('[')
	for _, text := range texts {
		b.Raw(text)
	}
	b.Close(']')
	t.Params.Get("encoding_format")
	b.Key("parameters").Open('{')
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}').Close('}')
	return b.Bytes(), nil
}

func embedded(t *provider.Turn, body, dst []byte) ([]byte, error) {
	e := openai.NewEmbeddings(dst, t.Exchange.Body.Get("encoding_format"))
	for c := dialect.Array(dialect.Get(body, "results")); c.Next(); {
		if !e.Add(dialect.Get(c.Value(), "embedding")) {
			return nil, errForm
		}
	}
	if e.Len() == 0 {
		return nil, errForm
	}
	n := dialect.Int(dialect.Get(body, "input_token_count"))
	t.Usage = llm.Usage{Prompt: n, Total: n}
	return e.End(t.Model(), t.Usage), nil
}

// rank writes a request for reranking: https://cloud.ibm.com/apidocs/watsonx-ai#text-rerank.
func rank(t *provider.Turn, dst []byte) ([]byte, error) {
	r, err := t.Rerank()
	if err != nil {
		return nil, err
	}
	b := begin(t, dst)
	b.Key("query").Raw(r.Query).Key("inputs").Open('[')
	for _, d := range r.Documents {
		b.Open('{').Key("text").Raw(rerank.Text(d)).Close('}')
	}
	b.Close(']').Key("parameters").Open('{')
	b.Member("truncate_input_tokens", t.Params.Get("max_tokens_per_doc"))
	t.Params.Get("return_documents") // the answer is completed from the request
	if r.TopN != nil {
		b.Key("return_options").Open('{').Member("top_n", r.TopN).Close('}')
	}
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}').Close('}')
	return b.Bytes(), nil
}

func ranked(t *provider.Turn, body, dst []byte) ([]byte, error) {
	results, ok := rerank.ReadResults(dialect.Get(body, "results"))
	if !ok {
		return nil, errForm
	}
	n := dialect.Int(dialect.Get(body, "input_token_count"))
	t.Usage = llm.Usage{Prompt: n, Total: n}
	return t.Ranked(dst, "", results), nil
}
