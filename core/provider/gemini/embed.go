package gemini

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// embeddings are batchEmbedContents on the Gemini API (https://ai.google.dev/api/embeddings), and predict on Vertex AI
// (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api).
func embeddings(vertex bool) *provider.Form {
	f := &provider.Form{Params: []string{"dimensions", "encoding_format"}, Request: embedRequest, Answer: embedAnswer}
	f.Route = func(t *provider.Turn, dst []byte) []byte { return ownOf(t).route(dst, "batchEmbedContents", false) }
	if vertex {
		f.Request, f.Answer = predictRequest, predictAnswer
		f.Route = func(t *provider.Turn, dst []byte) []byte { return ownOf(t).route(dst, "predict", false) }
	}
	return f
}

// inputs are the texts that are wanted embedded.
func inputs(t *provider.Turn) ([][]byte, error) {
	texts, ok := openai.Inputs(t.Params.Get("input"))
	if !ok || len(texts) == 0 {
		return nil, t.Refuse("input", "must be a text or a list of texts: "+t.Params.Vendor+" takes no tokens")
	}
	t.Params.Get("encoding_format")
	return texts, nil
}

// option takes a parameter that only Google has, in either spelling.
func option(t *provider.Turn, snake, camel string) []byte {
	v := t.Params.Get(snake)
	if w := t.Params.Get(camel); v == nil {
		v = w
	}
	return v
}

func embedRequest(t *provider.Turn, dst []byte) ([]byte, error) {
	texts, err := inputs(t)
	if err != nil {
		return nil, err
	}
	size, task, title := t.Params.Get("dimensions"), option(t, "task_type", "taskType"), t.Params.Get("title")
	b := dialect.Build(dst)
	b.Open('{').Key("requests").Open('[')
	for _, text := range texts {
		b.Open('{').Key("model").Quote("models/" + ownOf(t).model).Key("content").Open('{').Key("parts").Open('[')
		b.Open('{').Key("text").Raw(text).Close('}').Close(']').Close('}')
		b.Member("taskType", task).Member("title", title).Member("outputDimensionality", size).Close('}')
	}
	b.Close(']')
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

func embedAnswer(t *provider.Turn, body, dst []byte) ([]byte, error) {
	e := openai.NewEmbeddings(dst, format(t))
	for c := dialect.Array(dialect.Get(body, "embeddings")); c.Next(); {
		if !e.Add(dialect.Get(c.Value(), "values")) {
			return dst, t.Garbled("holds a vector that is none")
		}
	}
	if e.Len() == 0 {
		return dst, t.Garbled("has no embeddings")
	}
	if n := dialect.Int(dialect.Get(dialect.Get(body, "usageMetadata"), "promptTokenCount")); n > 0 {
		t.Usage = llm.Usage{Prompt: n, Total: n}
	}
	return e.End(model(t), t.Usage), nil
}

// format is the encoding_format of the request.
func format(t *provider.Turn) []byte { return t.Exchange.Body.Get("encoding_format") }

// model is the name that the caller sees.
func model(t *provider.Turn) string {
	if t.Exchange.Fallbacks == 0 && t.Exchange.Model != "" {
		return t.Exchange.Model
	}
	return t.Site.Deployment.Model
}

func predictRequest(t *provider.Turn, dst []byte) ([]byte, error) {
	if sees(ownOf(t).model) {
		return seeRequest(t, dst)
	}
	texts, err := inputs(t)
	if err != nil {
		return nil, err
	}
	if len(texts) > 1 && strings.HasPrefix(ownOf(t).model, "gemini-embedding") {
		return nil, t.Refuse("input", "must be one text: this model on Vertex AI embeds one at a time")
	}
	size, task, title := t.Params.Get("dimensions"), option(t, "task_type", "taskType"), t.Params.Get("title")
	cut := option(t, "auto_truncate", "autoTruncate")
	b := dialect.Build(dst)
	b.Open('{').Key("instances").Open('[')
	for _, text := range texts {
		b.Open('{').Key("content").Raw(text).Member("task_type", task).Member("title", title).Close('}')
	}
	b.Close(']').Key("parameters").Open('{').Member("outputDimensionality", size).Member("autoTruncate", cut).Close('}')
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

func predictAnswer(t *provider.Turn, body, dst []byte) ([]byte, error) {
	if sees(ownOf(t).model) {
		return seeAnswer(t, body, dst)
	}
	e := openai.NewEmbeddings(dst, format(t))
	var tokens int64
	for c := dialect.Array(dialect.Get(body, "predictions")); c.Next(); {
		one := dialect.Get(c.Value(), "embeddings")
		if !e.Add(dialect.Get(one, "values")) {
			return dst, t.Garbled("holds a vector that is none")
		}
		tokens += dialect.Int(dialect.Get(dialect.Get(one, "statistics"), "token_count"))
	}
	if e.Len() == 0 {
		return dst, t.Garbled("has no predictions")
	}
	t.Usage = llm.Usage{Prompt: tokens, Total: tokens}
	return e.End(model(t), t.Usage), nil
}
