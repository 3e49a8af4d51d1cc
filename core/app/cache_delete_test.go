package app_test

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// An entry is removed by the key that answers name, with the namespace or without.
func TestCacheDeleteNamespace(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	s := apptest.Start(t, cached(v, "type: local", "namespace: ns"))
	miss(t, s, chat, ask(""))
	key := hit(t, s, chat, ask("")).Header.Get("x-litellm-cache-key")
	bare, ok := strings.CutPrefix(key, "ns:")
	if !ok {
		t.Fatalf("the key is %s", key)
	}
	wantStatus(t, s.Post("/cache/delete", `{"keys":["`+key+`","nothing"]}`), 200, `"deleted":1`)
	miss(t, s, chat, ask(""))
	hit(t, s, chat, ask(""))
	wantStatus(t, s.Post("/cache/delete", `{"keys":["`+bare+`"]}`), 200, `"deleted":1`)
	miss(t, s, chat, ask(""))
	other := ask(`,"cache":{"namespace":"other"}`)
	miss(t, s, chat, other)
	theirs := hit(t, s, chat, other).Header.Get("x-litellm-cache-key")
	wantStatus(t, s.Post("/cache/delete", `{"keys":["`+theirs+`"]}`), 200, `"deleted":1`)
	miss(t, s, chat, other)
	hit(t, s, chat, ask(""))
}

// An answer that was found by its meaning names its own entry, and is found no more when that is removed.
func TestCacheDeleteSimilar(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	s := apptest.Start(t, cached(v, "type: local-semantic", "similarity_threshold: 0.9"))
	miss(t, s, chat, says("What is the capital of France?", ""))
	entry := hit(t, s, chat, says("What is the capital of France?", "")).Header.Get("x-litellm-cache-key")
	const prompt = "please: what is the capital of france"
	learned(t, s, prompt, "x")
	like := says(prompt, `,"cache":{"no-store":true}`)
	if key := hit(t, s, chat, like).Header.Get("x-litellm-cache-key"); key != entry {
		t.Errorf("the answer names entry %s, want %s", key, entry)
	}
	wantStatus(t, s.Post("/cache/delete", `{"keys":["`+entry+`"]}`), 200, `"deleted":1`)
	calls := len(v.Requests())
	miss(t, s, chat, says("What is the capital of France?", `,"cache":{"no-store":true}`))
	miss(t, s, chat, like)
	vendorCalls(t, v, calls+2)
}
