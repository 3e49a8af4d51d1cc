// Package nvidia is the provider for reranking with NVIDIA NIM, whose API is otherwise that of OpenAI: the hosted models
// (https://docs.api.nvidia.com/nim/reference/nvidia-llama-3_2-nv-rerankqa-1b-v2-infer), and servers of one's own
// (https://docs.nvidia.com/nim/nemo-retriever/text-reranking/latest/using-reranking.html).
package nvidia

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/rerank"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "nvidia_nim"

// The hosted models are ranked with at another host than they chat at.
const (
	chats = "https://integrate.api.nvidia.com"
	ranks = "https://ai.api.nvidia.com"
)

// own is what stands before the name of a model on a server of one's own, as in the reference
// (litellm/llms/nvidia_nim/rerank/common_utils.py).
const own = "ranking/"

// Settings are what can be set about the provider.
type Settings struct {
	MaxResponse int64 // bytes of an answer; 0 is 64 MB
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: ranks, Locate: locate, KeyVars: []string{"NVIDIA_NIM_API_KEY"}, BaseVars: []string{"NVIDIA_NIM_API_BASE"},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpRerank: {Route: route, Params: []string{"top_n", "return_documents"}, Request: rank, Answer: ranked},
		},
		MaxResponse: s.MaxResponse,
	})
}

func locate(s *provider.Site) (string, error) {
	base := strings.TrimSuffix(strings.TrimRight(s.Deployment.Base, "/"), "/v1")
	if base == "" || base == chats {
		return ranks, nil
	}
	return base, nil
}

func route(t *provider.Turn, dst []byte) []byte {
	model := t.Site.Deployment.Model
	switch {
	case strings.HasPrefix(model, own):
		return append(dst, "/v1/ranking"...)
	case strings.Contains(t.Site.Root, "/retrieval/"): // the whole address
		return dst
	}
	return append(append(append(dst, "/v1/retrieval/"...), provider.EscapeModel(model)...), "/reranking"...)
}

// rank writes the name of a hosted model with the points that its path has underscores for.
func rank(t *provider.Turn, dst []byte) ([]byte, error) {
	r, err := t.Rerank()
	if err != nil {
		return nil, err
	}
	model, mine := strings.CutPrefix(t.Site.Deployment.Model, own)
	if !mine {
		model = strings.ReplaceAll(model, "_", ".")
	}
	b := dialect.Build(dst)
	b.Open('{').Key("model").Quote(model).Key("query").Open('{').Key("text").Raw(r.Query).Close('}').Key("passages").Open('[')
	for _, d := range r.Documents {
		b.Open('{').Key("text").Raw(rerank.Text(d))
		if d[0] == '{' {
			b.Member("image", dialect.Get(d, "image"))
		}
		b.Close('}')
	}
	b.Close(']').Member("top_k", r.TopN)
	t.Params.Get("return_documents")
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

func ranked(t *provider.Turn, body, dst []byte) ([]byte, error) {
	results, ok := rerank.ReadResults(dialect.Get(body, "rankings"))
	if !ok {
		if dialect.Get(body, "detail") != nil || dialect.Get(body, "error") != nil {
			return nil, t.Fail(400, body)
		}
		return nil, t.Garbled("has no rankings")
	}
	provider.ReadUsage(dialect.Get(body, "usage"), &t.Usage)
	return t.Ranked(dst, "", results), nil
}
