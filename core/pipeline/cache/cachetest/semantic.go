package cachetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
)

// SemanticOptions say what a semantic store is like, beyond what all have in common.
type SemanticOptions struct {
	// Open makes a store for vectors of Dimensions over the same place each time. Required.
	Open func(t testing.TB) cache.Semantic
	// Keeps says that what was written is there for a store that is opened afterwards.
	Keeps bool
	// Loose says that similarities are approximate, because vectors are kept in a shorter form.
	Loose float64
	// Break makes the place unreachable for good. Nil if it cannot be.
	Break func(t testing.TB)
}

// Dimensions is the length of the vectors in the tests.
const Dimensions = 64

// Toward is a unit vector whose cosine similarity to Axis(axis) is cos.
func Toward(axis int, cos float64) []float32 {
	v := make([]float32, Dimensions)
	v[axis%Dimensions] = float32(cos)
	v[(axis+1)%Dimensions] = float32(math.Sqrt(1 - cos*cos))
	return v
}

// Axis is the unit vector along an axis.
func Axis(axis int) []float32 { return Toward(axis, 1) }

// Semantic runs the contract of cache.Semantic.
func Semantic(t *testing.T, o SemanticOptions) {
	run := func(name string, f func(t *testing.T, s cache.Semantic)) {
		t.Run(name, func(t *testing.T) {
			s := o.Open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			if err := s.Flush(t.Context()); err != nil {
				t.Fatalf("flush: %v", err)
			}
			f(t, s)
		})
	}
	n := nearest{o.Loose}
	run("Nearest", n.testNearest)
	run("Scopes", n.testScopes)
	run("Replace", n.testReplace)
	run("Lifetime", n.testLifetime)
	run("Values", n.testValues)
	run("Delete", n.testDelete)
	run("Flush", n.testFlush)
	run("Together", testSemanticTogether)
	run("Ping", func(t *testing.T, s cache.Semantic) {
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("ping: %v", err)
		}
	})
	if o.Keeps {
		t.Run("Keeps", func(t *testing.T) { n.testKeeps(t, o.Open) })
	}
	if o.Break != nil {
		run("Broken", func(t *testing.T, s cache.Semantic) { testSemanticBroken(t, s, o.Break) })
	}
}

type nearest struct{ loose float64 }

func add(t testing.TB, s cache.Semantic, scope, id string, v []float32, value string, ttl time.Duration) {
	t.Helper()
	if err := s.Add(t.Context(), scope, id, v, []byte(value), ttl); err != nil {
		t.Fatalf("add %s: %v", id, err)
	}
}

func (n nearest) want(t testing.TB, s cache.Semantic, scope string, v []float32, atLeast float64, value string, cos float64) {
	t.Helper()
	got, sim, err := s.Nearest(t.Context(), scope, v, atLeast, []byte("> "))
	if err != nil || string(got) != "> "+value || math.Abs(sim-cos) > 0.001+n.loose {
		t.Errorf("nearest of %s: %.60q, %v, %v; want %.60q at %v", scope, got, sim, err, value, cos)
	}
}

func (n nearest) miss(t testing.TB, s cache.Semantic, scope string, v []float32, atLeast float64) {
	t.Helper()
	if got, sim, err := s.Nearest(t.Context(), scope, v, atLeast, nil); !errors.Is(err, cache.ErrMiss) {
		t.Errorf("nearest of %s: %.60q, %v, %v; want a miss", scope, got, sim, err)
	}
}

func (n nearest) testNearest(t *testing.T, s cache.Semantic) {
	n.miss(t, s, "s", Axis(0), 0.1)
	add(t, s, "s", "near", Toward(0, 0.95), "near", 0)
	add(t, s, "s", "far", Toward(0, 0.5), "far", 0)
	add(t, s, "s", "other", Axis(10), "other", 0)
	n.want(t, s, "s", Axis(0), 0.8, "near", 0.95)
	n.miss(t, s, "s", Axis(0), 0.99)
	n.want(t, s, "s", Axis(10), 0.99-n.loose, "other", 1)
	n.miss(t, s, "s", Axis(30), 0.3)
	long := make([]float32, Dimensions)
	for i, f := range Axis(0) {
		long[i] = f * 7
	}
	n.want(t, s, "s", long, 0.8, "near", 0.95) // length does not count
	n.miss(t, s, "s", make([]float32, Dimensions), 0.1)
}

func (n nearest) testScopes(t *testing.T, s cache.Semantic) {
	scopes := []string{"a", "b", "team:x", "team:y", "with space", "a|b", "é", strings.Repeat("f", 64)}
	for _, scope := range scopes {
		add(t, s, scope, "id", Axis(0), "of "+scope, 0)
	}
	for _, scope := range scopes {
		n.want(t, s, scope, Axis(0), 0.9, "of "+scope, 1)
	}
	n.miss(t, s, "c", Axis(0), 0.1)
	n.miss(t, s, "*", Axis(0), 0.1)
	n.miss(t, s, "", Axis(0), 0.1)
	// However many entries of others are closer, one's own is found.
	for i := range 100 {
		add(t, s, "crowd", fmt.Sprint(i), Toward(20, 0.999), "crowd", 0)
	}
	add(t, s, "alone", "id", Toward(20, 0.9), "alone", 0)
	n.want(t, s, "alone", Axis(20), 0.8, "alone", 0.9)
}

func (n nearest) testReplace(t *testing.T, s cache.Semantic) {
	add(t, s, "s", "id", Axis(0), "old", 0)
	add(t, s, "s", "id", Axis(5), "new", 0)
	n.want(t, s, "s", Axis(5), 0.9, "new", 1)
	n.miss(t, s, "s", Axis(0), 0.5)
}

func (n nearest) testLifetime(t *testing.T, s cache.Semantic) {
	add(t, s, "s", "short", Axis(0), "short", 50*time.Millisecond)
	add(t, s, "s", "long", Axis(9), "long", time.Hour)
	vanishes(t, func() error {
		_, _, err := s.Nearest(t.Context(), "s", Axis(0), 0.9, nil)
		return err
	})
	n.want(t, s, "s", Axis(9), 0.9, "long", 1)
}

func (n nearest) testValues(t *testing.T, s cache.Semantic) {
	binary := "\x00\xff\r\n\x1e\x80\"\\" + strings.Repeat("\x00", 100)
	add(t, s, "s", "binary", Axis(0), binary, 0)
	n.want(t, s, "s", Axis(0), 0.9, binary, 1)
	long := strings.Repeat("a long answer. ", 20_000)
	add(t, s, "s", "long", Axis(7), long, 0)
	n.want(t, s, "s", Axis(7), 0.9, long, 1)
	vector, value := Axis(40), []byte("kept")
	if err := s.Add(t.Context(), "s", "copy", vector, value, 0); err != nil {
		t.Fatal(err)
	}
	clear(vector)
	copy(value, "XXXX")
	n.want(t, s, "s", Axis(40), 0.9, "kept", 1)
}

func (n nearest) testDelete(t *testing.T, s cache.Semantic) {
	if got, err := s.Delete(t.Context(), "a"); err != nil || got > 0 {
		t.Errorf("delete of what is not there: %d, %v", got, err)
	}
	for i, id := range []string{"a", "ns:b", "c", "d*"} {
		add(t, s, "s", id, Axis(10*i), id, time.Hour)
	}
	add(t, s, "other", "a", Axis(0), "a", time.Hour)
	if got, err := s.Delete(t.Context(), "a", "ns:b", "nothing", "*"); err != nil || got != 3 && got != -1 {
		t.Errorf("delete: %d, %v", got, err)
	}
	n.miss(t, s, "s", Axis(0), 0.9)
	n.miss(t, s, "other", Axis(0), 0.9)
	n.miss(t, s, "s", Axis(10), 0.9)
	n.want(t, s, "s", Axis(20), 0.9, "c", 1)
	n.want(t, s, "s", Axis(30), 0.9, "d*", 1)
	if got, err := s.Delete(t.Context()); err != nil || got > 0 {
		t.Errorf("delete of nothing: %d, %v", got, err)
	}
}

func (n nearest) testFlush(t *testing.T, s cache.Semantic) {
	for i := range 20 {
		add(t, s, fmt.Sprint("s", i%2), fmt.Sprint(i), Axis(i), "v", 0)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.miss(t, s, "s0", Axis(2), 0.1)
	n.miss(t, s, "s1", Axis(3), 0.1)
	add(t, s, "s0", "after", Axis(0), "after", 0)
	n.want(t, s, "s0", Axis(0), 0.9, "after", 1)
}

func testSemanticTogether(t *testing.T, s cache.Semantic) {
	var jobs sync.WaitGroup
	for g := range 6 {
		jobs.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(g)))
			scope := fmt.Sprint("s", g%2)
			for i := range 20 {
				v := make([]float32, Dimensions)
				for d := range v {
					v[d] = float32(rnd.NormFloat64())
				}
				if err := s.Add(t.Context(), scope, fmt.Sprint(g, "-", i), v, []byte(scope), time.Hour); err != nil {
					t.Errorf("add: %v", err)
					return
				}
				got, _, err := s.Nearest(t.Context(), scope, v, 0.2, nil)
				if err != nil && !errors.Is(err, cache.ErrMiss) || err == nil && string(got) != scope {
					t.Errorf("nearest: %q, %v", got, err)
					return
				}
			}
		})
	}
	jobs.Wait()
}

func (n nearest) testKeeps(t *testing.T, open func(testing.TB) cache.Semantic) {
	s := open(t)
	add(t, s, "s", "kept", Axis(0), "v", time.Hour)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t)
	n.want(t, s, "s", Axis(0), 0.9, "v", 1)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func testSemanticBroken(t *testing.T, s cache.Semantic, breakIt func(testing.TB)) {
	add(t, s, "s", "id", Axis(0), "v", 0)
	breakIt(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, _, err := s.Nearest(ctx, "s", Axis(0), 0.5, nil); err == nil || errors.Is(err, cache.ErrMiss) {
		t.Errorf("nearest at a place that is gone: %v", err)
	}
	if err := s.Add(ctx, "s", "id", Axis(0), []byte("v"), 0); err == nil {
		t.Error("add to a place that is gone: no error")
	}
	if err := s.Ping(ctx); err == nil {
		t.Error("ping of a place that is gone: no error")
	}
}
