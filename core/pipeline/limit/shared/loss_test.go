package shared_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// lossy makes three replicas that count a scope, and what has Redis lose its data.
func lossy(t *testing.T, kind llm.ScopeKind, l llm.Limits, b llm.Budget) (list []*replica, lose func()) {
	t.Helper()
	_, client := single(t)
	list = replicas(t, 3, client, func() []*llm.Scope { return []*llm.Scope{scope(kind, "k", l, b)} })
	admin := client()
	t.Cleanup(func() { _ = admin.Close() })
	return list, func() {
		t.Helper()
		if err := admin.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLossUnderLoad shows that what three replicas let through stays within one percent of the limits of requests and tokens
// although Redis loses its data in the middle, and that of a budget only what was on its way then may be missed.
func TestLossUnderLoad(t *testing.T) {
	t.Parallel()
	f := func(name string, kind llm.ScopeKind, l llm.Limits, b llm.Budget, want, off int64) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list, lose := lossy(t, kind, l, b)
			var passed atomic.Int64
			var over atomic.Bool
			var wg sync.WaitGroup
			begun := time.Now()
			for i := range 12 {
				wg.Go(func() {
					for !over.Load() {
						if list[i%3].call(t.Context()) {
							passed.Add(1)
						} else if !b.Limited {
							return
						}
					}
				})
			}
			for _, part := range []int64{4, 2} {
				eventually(t, "some have passed", func() bool { return passed.Load() >= want/part })
				lose()
			}
			if b.Limited {
				eventually(t, "the budget is used", func() bool { return passed.Load() >= want-off })
				over.Store(true)
			}
			wg.Wait()
			got := passed.Load() + crowd(t, list, 6, 5)
			// Replicas know of more tokens than were used, while requests are under way: for a moment that is what counts.
			for !b.Limited && got < want-off && time.Since(begun) < 40*time.Second {
				got += crowd(t, list, 3, 1)
			}
			if time.Since(begun) > 55*time.Second {
				t.Skip("the first requests have left the minute already")
			}
			if got > want+off || got < want-off {
				t.Errorf("%d passed, want %d", got, want)
			}
		})
	}
	f("requests", llm.ScopeKey, llm.Limits{RPM: 1500}, llm.Budget{}, 1500, 15)
	f("tokens", llm.ScopeKey, llm.Limits{TPM: 12_000}, llm.Budget{}, 1200, 12)
	f("money", llm.ScopeKey, llm.Limits{}, llm.Budget{Limited: true, Max: 400 * price}, 400, 4)
	f("money of a window", llm.ScopeProvider, llm.Limits{}, llm.Budget{Limited: true, Max: 400 * price, Period: 24 * time.Hour}, 400, 4)
}

// TestLossIdle shows that what replicas used that nobody asks any more counts after a loss, too: at once, as far as the one
// that asks has seen it, and as soon as the others notice, all of it.
func TestLossIdle(t *testing.T) {
	t.Parallel()
	list, lose := lossy(t, llm.ScopeKey, llm.Limits{RPM: 100}, llm.Budget{})
	if n := crowd(t, list[1:], 2, 30); n != 60 {
		t.Fatalf("%d passed", n)
	}
	if n := crowd(t, list[:1], 1, 10); n != 10 {
		t.Fatalf("%d passed", n)
	}
	lose()
	// What was seen is taken to leave the minute evenly, so it may be one or two less on a busy machine.
	if n := crowd(t, list[:1], 1, 60); n < 30 || n > 32 {
		t.Errorf("%d passed, of 100 there were 30 left", n)
	}
	fresh, loseAgain := lossy(t, llm.ScopeKey, llm.Limits{RPM: 100}, llm.Budget{})
	if n := crowd(t, fresh[1:], 2, 40); n != 80 {
		t.Fatalf("%d passed", n)
	}
	loseAgain()
	client := fresh[0].client
	eventually(t, "the others have told", func() bool {
		fields, err := client.HGetAll(t.Context(), "sallyport:{api_key:k}:minute").Result()
		processes := 0
		for name := range fields {
			if strings.HasPrefix(name, "x:") {
				processes++
			}
		}
		return err == nil && processes == 2
	})
	if n := crowd(t, fresh[:1], 1, 60); n != 20 {
		t.Errorf("%d passed, of 100 there were 20 left", n)
	}
}
