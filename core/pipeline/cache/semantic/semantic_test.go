package semantic_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/cachetest"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/semantic"
)

func TestContract(t *testing.T) {
	t.Parallel()
	cachetest.Semantic(t, cachetest.SemanticOptions{Loose: 0.01, Open: func(testing.TB) cache.Semantic { return semantic.New(0) }})
}

func random(rnd *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rnd.NormFloat64())
	}
	return v
}

// near is a vector whose cosine similarity to v is cos, or very nearly.
func near(rnd *rand.Rand, v []float32, cos float64) []float32 {
	u := random(rnd, len(v))
	var vv, uv, uu float64
	for i := range v {
		vv += float64(v[i]) * float64(v[i])
		uv += float64(u[i]) * float64(v[i])
	}
	for i := range u {
		u[i] -= float32(uv / vv * float64(v[i]))
		uu += float64(u[i]) * float64(u[i])
	}
	f := math.Sqrt(vv/uu) * math.Sqrt(1-cos*cos)
	for i := range u {
		u[i] = float32(cos*float64(v[i]) + f*float64(u[i]))
	}
	return u
}

// Signatures leave nothing out that is close enough.
func TestFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	x := semantic.New(0)
	const count = 3000
	vectors := make([][]float32, count)
	for i := range vectors {
		vectors[i] = random(rnd, 384)
		if err := x.Add(t.Context(), "s", fmt.Sprint(i), vectors[i], fmt.Append(nil, i), 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, cos := range []float64{0.82, 0.9, 0.97, 0.999} {
		for range 300 {
			i := rnd.IntN(count)
			got, sim, err := x.Nearest(t.Context(), "s", near(rnd, vectors[i], cos), 0.8, nil)
			if err != nil || string(got) != fmt.Sprint(i) || math.Abs(sim-cos) > 0.01 {
				t.Errorf("at %v: entry %s with %v, %v; want %d", cos, got, sim, err, i)
			}
		}
	}
	for range 300 {
		if got, sim, err := x.Nearest(t.Context(), "s", random(rnd, 384), 0.8, nil); !errors.Is(err, cache.ErrMiss) {
			t.Errorf("something else is like %s: %v", got, sim)
		}
	}
	if _, _, err := x.Nearest(t.Context(), "s", random(rnd, 100), 0.1, nil); !errors.Is(err, cache.ErrMiss) {
		t.Errorf("a vector of another length: %v", err)
	}
}

// The index holds what fits. What was found stays longer.
func TestBounded(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	x := semantic.New(1 << 20)
	loved := random(rnd, 64)
	if err := x.Add(t.Context(), "s", "loved", loved, []byte("loved"), 0); err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		if err := x.Add(t.Context(), fmt.Sprint("s", i%7), fmt.Sprint(i), random(rnd, 64), make([]byte, 2000), 0); err != nil {
			t.Fatal(err)
		}
		if _, _, err := x.Nearest(t.Context(), "s", loved, 0.99, nil); err != nil {
			t.Fatalf("what everybody asks for is gone after %d others: %v", i, err)
		}
	}
	if n := x.Len(); n < 300 || n > 1<<20/2000 {
		t.Errorf("%d entries of 2 KB in 1 MB", n)
	}
	if x.Add(t.Context(), "s", "huge", loved, make([]byte, 1<<20), 0) == nil {
		t.Error("an entry as large as the cache was taken")
	}
	nan := random(rnd, 64)
	nan[3] = float32(math.NaN())
	for _, v := range [][]float32{nil, make([]float32, 64), nan, make([]float32, 20_000)} {
		if x.Add(t.Context(), "s", "bad", v, nil, 0) == nil {
			t.Errorf("a vector of %d without a direction was taken", len(v))
		}
	}
}

func similarity(t testing.TB, a, b string) float64 {
	t.Helper()
	x, err := semantic.Lexical{}.Embed(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	y, _ := semantic.Lexical{}.Embed(t.Context(), b)
	var sum float64
	for i := range x {
		sum += float64(x[i]) * float64(y[i])
	}
	return sum
}

func TestLexical(t *testing.T) {
	t.Parallel()
	const threshold = 0.95
	same := func(a, b string) {
		t.Helper()
		if s := similarity(t, a, b); s < threshold {
			t.Errorf("%q and %q: %.3f", a, b, s)
		}
	}
	differ := func(a, b string) {
		t.Helper()
		if s := similarity(t, a, b); s >= threshold {
			t.Errorf("%q and %q: %.3f", a, b, s)
		}
	}
	same("What is the capital of France?", "what is the capital of france")
	same("What is the capital of France?", "Please tell me what the capital of France is!")
	same("Summarize the plot of Hamlet.", "summarize  the plot of hamlet, please")
	same("法国的首都是什么？", "法国的首都是什么")
	differ("What is the capital of France?", "What is the capital of Spain?")
	differ("Is 17 a prime number?", "Is 19 a prime number?")
	differ("Is it safe to eat raw eggs?", "Is it not safe to eat raw eggs?")
	differ("2 + 2", "2 - 2")
	differ("Write a poem about the sea", "Write a poem about the moon")
	differ("a", "b")
	differ("", "anything")
}

func BenchmarkLexical(b *testing.B) {
	for b.Loop() {
		_, _ = semantic.Lexical{}.Embed(context.Background(), "Could you please tell me what the capital of France is, and how many people live there?")
	}
}
