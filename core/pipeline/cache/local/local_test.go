package local_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/cachetest"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/local"
)

func open(t testing.TB, size int64) *local.Store {
	t.Helper()
	s, err := local.New(size)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	cachetest.Store(t, cachetest.Options{Counts: true, Open: func(t testing.TB) cache.Store { return open(t, 0) }})
}

// Whatever is put in, no more stays than the size allows.
func TestBounded(t *testing.T) {
	t.Parallel()
	const size, count = 1 << 20, 400
	s := open(t, size)
	defer s.Close()
	value := []byte(strings.Repeat("x", 10_000))
	for i := range count {
		if err := s.Set(t.Context(), fmt.Sprint(i), value, 0); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for i := range count {
		if _, err := s.Get(t.Context(), fmt.Sprint(i), nil); err == nil {
			kept++
		} else if !errors.Is(err, cache.ErrMiss) {
			t.Fatal(err)
		}
	}
	if kept == 0 || kept*len(value) > size {
		t.Errorf("%d of %d entries are there: %d bytes of %d", kept, count, kept*len(value), size)
	}
	if err := s.Set(t.Context(), "huge", make([]byte, size), 0); err == nil {
		t.Error("an entry as large as the cache was taken")
	}
}

func TestViewAllocatesNothing(t *testing.T) {
	s := open(t, 0)
	defer s.Close()
	if err := s.Set(t.Context(), "k", make([]byte, 100_000), 0); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if v, ok := s.View("k"); !ok || len(v) != 100_000 {
			t.Error("the entry is gone")
		}
	}); n > 0 {
		t.Errorf("%v allocations a view", n)
	}
}
