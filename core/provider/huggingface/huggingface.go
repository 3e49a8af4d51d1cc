// Package huggingface is the provider for embeddings and reranking with Hugging Face: its own inference
// (https://huggingface.co/docs/inference-providers/tasks/feature-extraction), and endpoints of the customer's own that
// run Text Embeddings Inference (https://huggingface.github.io/text-embeddings-inference). Chats are OpenAI's API on
// both.
package huggingface

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/dialect/rerank"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "huggingface"

const router = "https://router.huggingface.co"

// Settings are what can be set about the provider. The zero value is usable.
type Settings struct {
	MaxResponse int64 // bytes of an answer; 0 is 64 MB
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: router, KeyOptional: true, Locate: locate,
		KeyVars: []string{"HF_TOKEN", "HUGGINGFACE_API_KEY"}, BaseVars: []string{"HF_API_BASE", "HUGGINGFACE_API_BASE"},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpEmbedding: {Route: embedPath, Params: []string{"encoding_format"}, Request: embed, Answer: embedded},
			llm.OpRerank:    {Route: rankPath, Params: []string{"top_n", "return_documents"}, Request: rank, Answer: ranked},
		},
		MaxResponse: s.MaxResponse,
	})
}

// locate takes the base without the path of the OpenAI-compatible API.
func locate(s *provider.Site) (string, error) {
	b := strings.TrimSuffix(strings.TrimRight(s.Deployment.Base, "/"), "/v1")
	if b == "" {
		b = router
	}
	s.Own = strings.HasPrefix(b, router)
	return b, nil
}

func shared(t *provider.Turn) bool { return t.Site.Own.(bool) }

func embedPath(t *provider.Turn, dst []byte) []byte {
	if !shared(t) {
		return append(dst, '/')
	}
	dst = append(dst, "/hf-inference/models/"...)
	// The part behind a colon chooses a provider for chats.
	model, _, _ := strings.Cut(t.Site.Deployment.Model, ":")
	return append(append(dst, provider.EscapeModel(model)...), "/pipeline/feature-extraction"...)
}

func rankPath(_ *provider.Turn, dst []byte) []byte { return append(dst, "/rerank"...) }

func embed(t *provider.Turn, dst []byte) ([]byte, error) {
	texts, err := t.Inputs()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("inputs").Open('[')
	for _, text := range texts {
		b.Raw(text)
	}
	b.Close(']')
	t.Params.Get("encoding_format")
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

// embedded reads a list of vectors, or of lists of one vector, as models without pooling give them for the first token.
func embedded(t *provider.Turn, body, dst []byte) ([]byte, error) {
	if dialect.Get(body, "error") != nil {
		return nil, t.Fail(200, body)
	}
	e := openai.NewEmbeddings(dst, t.Exchange.Body.Get("encoding_format"))
	for c := dialect.Array(body); c.Next(); {
		vector := c.Value()
		for in := dialect.Array(vector); in.Next() && in.First() == '['; in = dialect.Array(vector) {
			vector = in.Value()
		}
		if !e.Add(vector) {
			return nil, t.Garbled("holds an embedding that is not a list of numbers")
		}
	}
	if e.Len() == 0 {
		return nil, t.Garbled("has no embeddings")
	}
	return e.End(t.Model(), t.Usage), nil
}

func rank(t *provider.Turn, dst []byte) ([]byte, error) {
	if shared(t) {
		return nil, t.Refuse("model", "cannot rank documents without an endpoint of its own: set litellm_params.api_base to a server that runs Text Embeddings Inference")
	}
	r, err := t.Rerank()
	if err != nil {
		return nil, err
	}
	t.Params.Get("return_documents")
	b := dialect.Build(dst)
	b.Open('{').Key("query").Raw(r.Query).Key("texts")
	r.Texts(&b)
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

// ranked reads the places of all documents, and keeps as many as were asked for.
func ranked(t *provider.Turn, body, dst []byte) ([]byte, error) {
	if dialect.Get(body, "error") != nil {
		return nil, t.Fail(200, body)
	}
	results, ok := rerank.ReadResults(body)
	if !ok {
		return nil, t.Garbled("is not a list of results")
	}
	if n := dialect.Int(t.Exchange.Body.Get("top_n")); n > 0 && n < int64(len(results)) {
		results = results[:n]
	}
	return t.Ranked(dst, "", results), nil
}
