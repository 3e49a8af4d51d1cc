// Package jina is the provider for Jina AI: embeddings and reranking (https://api.jina.ai/docs, https://docs.jina.ai).
package jina

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/rerank"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "jina_ai"

// Settings are what can be set about the provider. The zero value is Jina itself.
type Settings struct {
	MaxResponse int64 // bytes of an answer; 0 is 64 MB
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: "https://api.jina.ai/v1", KeyVars: []string{"JINA_AI_API_KEY", "JINA_AI_TOKEN"},
		BaseVars: []string{"JINA_AI_API_BASE"},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpEmbedding: {
				Path: "/embeddings", Params: []string{"dimensions", "encoding_format"}, Request: embed, Answer: provider.ReadEmbeddings,
			},
			llm.OpRerank: {Path: "/rerank", Params: []string{"top_n", "return_documents"}, Request: rank, Answer: ranked},
		},
		MaxResponse: s.MaxResponse,
	})
}

// embed writes a request. Its input may hold texts, and objects with images, which go out as they are.
func embed(t *provider.Turn, dst []byte) ([]byte, error) {
	input := t.Params.Get("input")
	if len(input) == 0 || input[0] != '"' && input[0] != '[' && input[0] != '{' {
		return nil, t.Refuse("input", "must be a text, or a list of texts or images")
	}
	b := dialect.Build(dst)
	b.Open('{').Key("model").Raw(t.Site.Model).Key("input")
	if input[0] == '[' {
		b.Raw(input)
	} else {
		b.Open('[').Raw(input).Close(']')
	}
	if format := t.Params.Get("encoding_format"); format != nil {
		b.Member("embedding_type", format)
	}
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

func rank(t *provider.Turn, dst []byte) ([]byte, error) {
	r, err := t.Rerank()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("model").Raw(t.Site.Model).Key("query").Raw(r.Query).Key("documents").Open('[')
	for _, d := range r.Documents {
		b.Raw(d)
	}
	b.Close(']').Member("top_n", r.TopN)
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

func ranked(t *provider.Turn, body, dst []byte) ([]byte, error) {
	results, ok := rerank.ReadResults(dialect.Get(body, "results"))
	if !ok {
		return nil, t.Garbled("has no results")
	}
	provider.ReadUsage(dialect.Get(body, "usage"), &t.Usage)
	return t.Ranked(dst, "", results), nil
}
