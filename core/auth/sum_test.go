package auth_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/auth"
)

func TestSum(t *testing.T) {
	for _, key := range []string{"", "sk-1", strings.Repeat("k", 55), strings.Repeat("k", 64), strings.Repeat("k", 1000)} {
		if got, want := auth.Sum([]byte(key)), sha256.Sum256([]byte(key)); got != want {
			t.Errorf("the sum of %d bytes is %x, not %x", len(key), got, want)
		}
	}
	key := []byte("sk-0123456789abcdef")
	if n := testing.AllocsPerRun(100, func() { auth.Sum(key) }); n > 0.5 { // a collection may empty the pool
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSum(b *testing.B) {
	key := []byte("sk-0123456789abcdef")
	b.Run("pooled", func(b *testing.B) {
		for b.Loop() {
			auth.Sum(key)
		}
	})
	b.Run("Sum256", func(b *testing.B) {
		for b.Loop() {
			sha256.Sum256(key)
		}
	})
}
