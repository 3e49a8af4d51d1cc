package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/local"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/qdrant"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/redissemantic"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/semantic"
	"github.com/sallyport-ai/sallyport/core/router"
)

const (
	defaultEmbedding = "text-embedding-ada-002" // the reference's
	// lexicalThreshold is for vectors that are made of words: see semantic.Lexical.
	lexicalThreshold = 0.95
	localSemantic    = "local-semantic"
)

// threshold is from which similarity on prompts mean the same.
func threshold(p config.CacheParams, fallback float64) (float64, error) {
	t := p.SimilarityThreshold
	switch {
	case t == nil && fallback > 0:
		return fallback, nil
	case t == nil:
		return 0, badParam("similarity_threshold", "say from which similarity on, from 0 to 1, a prompt is taken for another one: 0.8 is usual")
	case !(*t >= 0 && *t <= 1):
		return 0, badParam("similarity_threshold", "%v is no similarity: write a number from 0 to 1", *t)
	}
	return *t, nil
}

// embedder makes vectors with a model group, through the gateway itself.
type embedder struct {
	a     *App
	model string
}

// embedderOf is the embedder of a model group, which must exist.
func (b *builder) embedderOf(r *router.Router, setting, model string) (cache.Embedder, error) {
	if r != nil && !r.Has(model) {
		return nil, badParam(setting, "there is no model group %q: add it to model_list, or name one that is there", model)
	}
	return embedder{b.App, model}, nil
}

const maxDimensions = 16_384

// Embed implements cache.Embedder. The call is recorded for whoever the context is for.
func (e embedder) Embed(ctx context.Context, text string) (vector []float32, err error) {
	b := dialect.Build(nil)
	b.Open('{').Key("model").Quote(e.model).Key("input").Quote(text).Close('}')
	x := new(llm.Exchange)
	x.Reset()
	x.Start = time.Now()
	x.ID = llm.NewID(x.Start)
	x.Op, x.Method, x.Path, x.Principal = llm.OpEmbedding, "POST", "/v1/embeddings", llm.PrincipalFrom(ctx)
	x.NameModel([]byte(e.model))
	if err := x.Body.Parse(b.Bytes()); err != nil {
		return nil, err
	}
	err = e.a.gateway.Repeat(ctx, x, func(r *llm.Reply) error {
		vector, err = firstVector(r.First.Data)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the vector of a prompt: %w", err)
	}
	return vector, nil
}

// firstVector reads the vector of an answer with one.
func firstVector(answer []byte) ([]float32, error) {
	list := dialect.Array(dialect.Get(answer, "data"))
	if !list.Next() {
		return nil, errors.New("the answer has no vector")
	}
	var vector []float32
	c := dialect.Array(dialect.Get(list.Value(), "embedding"))
	for c.Next() {
		f, err := strconv.ParseFloat(string(c.Value()), 32)
		if err != nil || len(vector) == maxDimensions {
			return nil, errors.New("the answer has no vector of numbers")
		}
		vector = append(vector, float32(f))
	}
	if c.Broken() || len(vector) == 0 {
		return nil, errors.New("the answer has no vector of numbers")
	}
	return vector, nil
}

// beside completes a semantic cache: prompts that are the same to the letter are found in memory, without a vector.
func (b *builder) beside(index cache.Semantic, embed cache.Embedder, atLeast float64, place string) (*answerStores, error) {
	exact, err := local.New(fallbackSize)
	if err != nil {
		return nil, err
	}
	similar := &cache.Similar{Index: index, Embed: embed, AtLeast: atLeast, State: b.cacheState(), Logger: b.log}
	if t := b.cfg.LiteLLMSettings.CacheParams.LookupTimeout; t != nil {
		similar.Timeout = t.Duration()
	}
	return &answerStores{store: exact, similar: similar, place: place, close: func() error { return errors.Join(exact.Close(), index.Close()) }}, nil
}

// localSemanticAnswers are found by meaning in memory. Without a model for vectors, words are compared.
func (b *builder) localSemanticAnswers(p config.CacheParams, r *router.Router) (*answerStores, error) {
	embed, fallback := cache.Embedder(semantic.Lexical{}), lexicalThreshold
	if p.SemanticModel != "" {
		var err error
		if embed, err = b.embedderOf(r, "local_semantic_cache_embedding_model", p.SemanticModel); err != nil {
			return nil, err
		}
		fallback = 0
	}
	atLeast, err := threshold(p, fallback)
	if err != nil {
		return nil, err
	}
	return b.beside(semantic.New(bytesOf(p.MaxSizeMB)), embed, atLeast, "memory")
}

// qdrantAnswers are found by meaning in a collection of Qdrant.
func (b *builder) qdrantAnswers(p config.CacheParams, r *router.Router) (*answerStores, error) {
	v := b.cfg.Variables
	s := qdrant.Settings{
		Base: cmp.Or(p.QdrantAPIBase, v.QdrantURL, v.QdrantAPIBase), Key: cmp.Or(p.QdrantAPIKey.Reveal(), v.QdrantAPIKey.Reveal()),
		Collection: p.QdrantCollection, Quantization: p.QdrantQuantization, Client: b.clouds.wire.client(),
	}
	switch {
	case s.Base == "":
		return nil, badParam("qdrant_api_base", "no Qdrant is named: set it here, or the variable QDRANT_URL")
	case s.Collection == "":
		return nil, badParam("qdrant_collection_name", "no collection is named")
	}
	index, err := qdrant.New(s)
	if err != nil {
		return nil, badParam("qdrant_api_base", "%w", err)
	}
	atLeast, err := threshold(p, 0)
	if err != nil {
		return nil, err
	}
	embed, err := b.embedderOf(r, "qdrant_semantic_cache_embedding_model", cmp.Or(p.QdrantModel, defaultEmbedding))
	if err != nil {
		return nil, err
	}
	out, err := b.beside(index, embed, atLeast, s.Base)
	if err == nil {
		b.probeIndex("qdrant", index.Ping)
	}
	return out, err
}

// redisSemanticAnswers are found by meaning in Redis with its search module.
func (b *builder) redisSemanticAnswers(p config.CacheParams, r *router.Router) (*answerStores, error) {
	atLeast, err := threshold(p, 0)
	if err != nil {
		return nil, err
	}
	embed, err := b.embedderOf(r, "redis_semantic_cache_embedding_model", cmp.Or(p.RedisSemanticModel, defaultEmbedding))
	if err != nil {
		return nil, err
	}
	client, addr, err := b.cacheClient()
	if err != nil {
		return nil, err
	}
	index := redissemantic.New(client, p.RedisSemanticIndex)
	out, err := b.beside(index, embed, atLeast, redisPlace(addr))
	if err == nil {
		b.probeIndex("redis", index.Ping)
	}
	return out, err
}

// probeIndex asks once whether an index is there, so that a wrong address shows in the log and not with the first request.
func (b *builder) probeIndex(name string, ping func(context.Context) error) {
	if b.upstream == nil { // nothing is served
		return
	}
	log := b.log
	b.closing.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), probePatience)
		defer cancel()
		if err := ping(ctx); err != nil {
			log.Warn("the semantic cache does not answer", "cache", name, "error", err)
		}
	})
}

const probePatience = 3 * time.Second
