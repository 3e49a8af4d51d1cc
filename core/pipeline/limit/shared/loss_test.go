package shared_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

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

// TestLossUnderLoad shows that what three replicas let through stays within one percent of the limits of requests and tokens,
// and exactly within a budget, although Redis loses its data again and again in the middle.
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
			for part := range int64(losses) {
				eventually(t, "some have passed", func() bool { return passed.Load() >= want*(part+1)/(losses+1) })
				lose()
			}
			if b.Limited {
				eventually(t, "the budget is used", func() bool { return passed.Load() >= want })
				over.Store(true)
			}
			wg.Wait()
			got := passed.Load() + crowd(t, list, 6, 5)
			if time.Since(begun) > 55*time.Second && !b.Limited {
				t.Skip("the first requests have left the minute already")
			}
			if got > want+off || got < want-off {
				t.Errorf("%d passed, want %d", got, want)
			}
		})
	}
	f("requests", llm.ScopeKey, llm.Limits{RPM: 1500}, llm.Budget{}, 1500, 15)
	f("tokens", llm.ScopeKey, llm.Limits{TPM: 12_000}, llm.Budget{}, 1200, 12)
	f("money", llm.ScopeKey, llm.Limits{}, llm.Budget{Limited: true, Max: 400 * price}, 400, 0)
	f("money of a window", llm.ScopeProvider, llm.Limits{}, llm.Budget{Limited: true, Max: 400 * price, Period: 24 * time.Hour}, 400, 0)
}

// losses is how often Redis loses its data in a test under load.
const losses = 5

// TestLossOfPlaces shows that no more requests are open at a time than may be, although Redis loses its data while they are,
// and that each place is free again when its request ends.
func TestLossOfPlaces(t *testing.T) {
	t.Parallel()
	const places = 6
	list, lose := lossy(t, llm.ScopeKey, llm.Limits{Parallel: places}, llm.Budget{})
	var now, most, passed atomic.Int64
	var over atomic.Bool
	var wg sync.WaitGroup
	for i := range 12 {
		r := list[i%3]
		wg.Go(func() {
			for !over.Load() {
				x := r.open(t.Context())
				if x == nil {
					continue
				}
				n := now.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				runtime.Gosched()
				passed.Add(1)
				now.Add(-1)
				r.Settle(x, &llm.Reply{Deployment: &llm.Deployment{}}, nil)
			}
		})
	}
	for n := range int64(losses) {
		eventually(t, "requests pass", func() bool { return passed.Load() >= 200*(n+1) })
		lose()
	}
	eventually(t, "requests pass", func() bool { return passed.Load() >= 200*(losses+1) })
	over.Store(true)
	wg.Wait()
	if n := most.Load(); n > places {
		t.Errorf("%d were open at a time, %d may be", n, places)
	}
	var open []*llm.Exchange
	eventually(t, "all places are free again", func() bool {
		if x := list[len(open)%3].open(t.Context()); x != nil {
			open = append(open, x)
		}
		return len(open) == places
	})
	lose()
	if list[0].open(t.Context()) != nil || list[1].open(t.Context()) != nil {
		t.Error("there is a place more than there are")
	}
	list[1].Settle(open[1], nil, nil)
	eventually(t, "the place is free", func() bool { return list[2].open(t.Context()) != nil })
}

// TestLossIdle shows that what replicas used that nobody asks any more counts after a loss, too.
func TestLossIdle(t *testing.T) {
	t.Parallel()
	list, lose := lossy(t, llm.ScopeKey, llm.Limits{RPM: 100}, llm.Budget{})
	if n := crowd(t, list[1:], 2, 40); n != 80 {
		t.Fatalf("%d passed", n)
	}
	lose()
	if n := crowd(t, list[:1], 1, 60); n != 20 {
		t.Errorf("%d passed, of 100 there were 20 left", n)
	}
}

// TestLossOfReplica shows that after a loss nobody is waited for without end: a replica that is gone is not.
func TestLossOfReplica(t *testing.T) {
	t.Parallel()
	_, client := single(t)
	alive := replicas(t, 1, client, func() []*llm.Scope {
		return []*llm.Scope{scope(llm.ScopeKey, "k", llm.Limits{}, llm.Budget{Limited: true, Max: 10 * price})}
	}, 20*time.Second, time.Second)[0]
	admin := client()
	t.Cleanup(func() { _ = admin.Close() })
	// One that Redis names, and that answers no call.
	if err := admin.ZAdd(t.Context(), "sallyport:replicas", redis.Z{Score: float64(time.Now().UnixMilli()), Member: "dead"}).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is known", func() bool { return alive.counts.Share() == 2 })
	if !alive.call(t.Context()) {
		t.Fatal("refused")
	}
	if err := admin.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if n := crowd(t, []*replica{alive}, 1, 20); n != 9 {
		t.Errorf("%d passed, of 10 there were 9 left", n)
	}
}
