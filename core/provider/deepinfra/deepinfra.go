// Package deepinfra is the provider for reranking with DeepInfra, whose API is otherwise that of OpenAI
// (https://deepinfra.com/Qwen/Qwen3-Reranker-8B/api).
package deepinfra

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/dialect/rerank"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "deepinfra"

const base = "https://api.deepinfra.com/v1"

// Settings are what can be set about the provider.
type Settings struct {
	MaxResponse int64 // bytes of an answer; 0 is 64 MB
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: base, Locate: locate, Classify: classify,
		KeyVars: []string{"DEEPINFRA_API_KEY"}, BaseVars: []string{"DEEPINFRA_API_BASE"},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpRerank: {Path: "/inference/{model}", Params: []string{"top_n", "return_documents"}, Request: rank, Answer: ranked},
		},
		MaxResponse: s.MaxResponse,
	})
}

// locate finds the API beside the one that is OpenAI's.
func locate(s *provider.Site) (string, error) {
	if own := strings.TrimSuffix(strings.TrimRight(s.Deployment.Base, "/"), "/openai"); own != "" {
		return own, nil
	}
	return base, nil
}

// rank writes the query once for each document, as the vendor wants pairs.
func rank(t *provider.Turn, dst []byte) ([]byte, error) {
	r, err := t.Rerank()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("queries").Open('[')
	for range r.Documents {
		b.Raw(r.Query)
	}
	b.Close(']').Key("documents")
	r.Texts(&b)
	t.Params.Get("return_documents")
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

// ranked puts the documents in the order of their scores, which come in that of the request.
func ranked(t *provider.Turn, body, dst []byte) ([]byte, error) {
	var results []rerank.Result
	c := dialect.Array(dialect.Get(body, "scores"))
	for c.Next() {
		if b := c.First(); b != '-' && (b < '0' || b > '9') {
			return nil, t.Garbled("holds a score that is no number")
		}
		results = append(results, rerank.Result{Index: int64(len(results)), Score: c.Value()})
	}
	if len(results) == 0 || c.Broken() {
		if dialect.Get(body, "detail") != nil || dialect.Get(body, "error") != nil {
			return nil, t.Fail(400, body)
		}
		return nil, t.Garbled("has no scores")
	}
	slices.SortStableFunc(results, func(a, b rerank.Result) int { return cmp.Compare(openai.Float(b.Score), openai.Float(a.Score)) })
	if n := dialect.Int(t.Exchange.Body.Get("top_n")); n > 0 && n < int64(len(results)) {
		results = results[:n]
	}
	t.Usage.Prompt = dialect.Int(dialect.Get(body, "input_tokens"))
	t.Usage.Total = t.Usage.Prompt
	return t.Ranked(dst, t.Text(dialect.Get(body, "request_id")), results), nil
}

// classify reads {"detail":{"error":"..."}}, as the reference does (litellm/llms/deepinfra/rerank/transformation.py).
func classify(_ *provider.Site, e *llm.Error, body []byte) {
	if s := provider.Excerpt(dialect.Get(dialect.Get(body, "detail"), "error")); s != "" {
		e.Message = s
	}
}
