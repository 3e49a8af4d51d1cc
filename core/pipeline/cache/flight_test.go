package cache

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// Whoever waits for a request that gets no answer goes on: one in its place, and when that gets none either, all at once.
func TestJoinInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := New(Settings{Store: newFar()})
		var alone atomic.Int32
		var leads atomic.Pointer[use]
		join := func() {
			u := &use{h: h, key: "k"}
			if r := u.join(t.Context(), nil); r != nil {
				t.Error("there is an answer")
			}
			if u.flight == nil {
				alone.Add(1)
				return
			}
			leads.Store(u)
		}
		join()
		first := leads.Load()
		for range 5 {
			go join()
		}
		synctest.Wait()
		if leads.Load() != first || alone.Load() != 0 {
			t.Error("somebody did not wait")
		}
		h.flights.land("k", first.flight, nil)
		synctest.Wait()
		second := leads.Load()
		if second == first || alone.Load() != 0 {
			t.Fatalf("nobody took over, and %d went alone", alone.Load())
		}
		h.flights.land("k", second.flight, nil)
		synctest.Wait()
		if alone.Load() != 4 {
			t.Errorf("%d of 4 went on", alone.Load())
		}
	})
}
