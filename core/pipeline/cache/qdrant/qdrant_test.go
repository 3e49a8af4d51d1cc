package qdrant_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/cachetest"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/qdrant"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/qdrant/qdranttest"
)

func open(t testing.TB, base, quantization string) *qdrant.Store {
	t.Helper()
	s, err := qdrant.New(qdrant.Settings{Base: base, Key: "k1", Collection: "c1", Quantization: quantization})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	fake := qdranttest.New(t, "c1", "k1")
	s := fake.Server
	cachetest.Semantic(t, cachetest.SemanticOptions{
		Keeps: true, Break: func(testing.TB) { s.Close() },
		Open: func(t testing.TB) cache.Semantic { return open(t, s.URL, "") },
	})
}

// The collection is made once, as the first vector and the settings say.
func TestCollection(t *testing.T) {
	t.Parallel()
	made := func(quantization, want string) {
		t.Helper()
		fake := qdranttest.New(t, "c1", "k1")
		h := fake.Server
		s := open(t, h.URL, quantization)
		for i := range 3 {
			if err := s.Add(t.Context(), "s", fmt.Sprint(i), cachetest.Axis(i), []byte("v"), 0); err != nil {
				t.Fatal(err)
			}
		}
		got, _ := json.Marshal(fake.Created())
		if string(got) != want {
			t.Errorf("%s: %s, want %s", quantization, got, want)
		}
		order := "GET /collections/c1/exists PUT /collections/c1 PUT /collections/c1/index" + strings.Repeat(" PUT /collections/c1/points", 3)
		if calls := strings.Join(fake.Calls(), " "); calls != order {
			t.Errorf("calls: %s", calls)
		}
	}
	made("", `{"quantization_config":{"binary":{"always_ram":false}},"vectors":{"distance":"Cosine","size":64}}`)
	made("scalar", `{"quantization_config":{"scalar":{"always_ram":false,"quantile":0.99,"type":"int8"}},"vectors":{"distance":"Cosine","size":64}}`)
	made("product", `{"quantization_config":{"product":{"always_ram":false,"compression":"x16"}},"vectors":{"distance":"Cosine","size":64}}`)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	bad := func(s qdrant.Settings) {
		t.Helper()
		if _, err := qdrant.New(s); err == nil {
			t.Errorf("%+v was taken", s)
		}
	}
	bad(qdrant.Settings{Base: "localhost:6333", Collection: "c"})
	bad(qdrant.Settings{Base: "http://h"})
	bad(qdrant.Settings{Base: "http://h", Collection: "c", Quantization: "nosuch"})
}
