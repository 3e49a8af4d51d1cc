package app_test

import (
	"fmt"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// Answers are found by meaning in a Redis with its search module, and by another gateway as well.
func TestCacheRedisSearch(t *testing.T) {
	t.Parallel()
	server := storetest.RedisSearch(t)
	v := meaning(t)
	config := semanticConfig(v, "type: redis-semantic", "host: 127.0.0.1", fmt.Sprintf("port: %d", server.Port()),
		"redis_semantic_cache_embedding_model: e", "similarity_threshold: 0.8", "redis_semantic_cache_index_name: i1", "lookup_timeout: 20")
	s := apptest.Start(t, config)
	wantStatus(t, s.Get("/cache/ping"), 200, "healthy")
	miss(t, s, chat, says("first", ""))
	learned(t, s, "near", "about first")
	learned(t, apptest.Start(t, config), "near", "about first")
	miss(t, s, chat, says("far", `,"cache":{"no-store":true}`))
	miss(t, s, chat, says("near", `,"temperature":0.1,"cache":{"no-store":true}`))
	wantStatus(t, s.Post("/cache/flushall", ""), 200, "success")
	miss(t, s, chat, says("near", `,"cache":{"no-store":true}`))
}
