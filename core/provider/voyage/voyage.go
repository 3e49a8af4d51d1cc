// Package voyage is the provider for Voyage AI: embeddings (https://docs.voyageai.com/reference/embeddings-api) and
// reranking (https://docs.voyageai.com/reference/reranker-api).
package voyage

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/rerank"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "voyage"

// Settings are what can be set about the provider. The zero value is Voyage itself.
type Settings struct {
	MaxResponse int64 // bytes of an answer; 0 is 64 MB
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: "https://api.voyageai.com/v1", KeyVars: []string{"VOYAGE_API_KEY"}, BaseVars: []string{"VOYAGE_API_BASE"},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpEmbedding: {
				Path: "/embeddings", Params: []string{"dimensions", "encoding_format"}, Request: embed, Answer: provider.ReadEmbeddings,
			},
			llm.OpRerank: {Path: "/rerank", Params: []string{"top_n", "return_documents"}, Request: provider.Rank("top_k"), Answer: ranked},
		},
		MaxResponse: s.MaxResponse,
	})
}

func embed(t *provider.Turn, dst []byte) ([]byte, error) {
	texts, err := t.Inputs()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("model").Raw(t.Site.Model).Key("input").Open('[')
	for _, text := range texts {
		b.Raw(text)
	}
	b.Close(']').Member("output_dimension", t.Params.Get("dimensions"))
	if format := t.Params.Get("encoding_format"); string(format) == `"base64"` {
		b.Member("encoding_format", format)
	}
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

func ranked(t *provider.Turn, body, dst []byte) ([]byte, error) {
	results, ok := rerank.ReadResults(dialect.Get(body, "data"))
	if !ok {
		return nil, t.Garbled("has no results")
	}
	provider.ReadUsage(dialect.Get(body, "usage"), &t.Usage)
	return t.Ranked(dst, "", results), nil
}
