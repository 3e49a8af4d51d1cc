package cache

import (
	"context"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// flights are the requests that are under way to a model, by key.
type flights struct {
	mu   sync.Mutex
	open map[string]*flight
}

// flight is one request under way.
type flight struct {
	done  chan struct{}
	entry []byte // the answer; nil if there is none. It is set before done is closed, and not changed afterwards.
}

// board returns the flight with the key, and whether it is the caller's own, who then lands it.
func (f *flights) board(key string) (_ *flight, leads bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if there := f.open[key]; there != nil {
		return there, false
	}
	if f.open == nil {
		f.open = map[string]*flight{}
	}
	own := &flight{done: make(chan struct{})}
	f.open[key] = own
	return own, true
}

// land ends a flight, with an entry or without.
func (f *flights) land(key string, own *flight, entry []byte) {
	f.mu.Lock()
	if f.open[key] == own {
		delete(f.open, key)
	}
	f.mu.Unlock()
	own.entry = entry
	close(own.done)
}

// inVain is after how many flights without an answer a request waits for no other: where a vendor fails, requests would fail
// one after the other.
const inVain = 2

// join waits for a request like this one that is under way. It returns nil if the request is to be made: as the one that
// others wait for, or alone, after the longest wait or when others got no answer.
func (u *use) join(ctx context.Context, x *llm.Exchange) *llm.Reply {
	if u.h.s.Wait < 0 || u.ctl.noStore {
		return nil
	}
	var over *time.Timer
	defer func() {
		if over != nil {
			over.Stop()
		}
	}()
	for failed := 0; failed < inVain; failed++ {
		f, leads := u.h.flights.board(u.key)
		if leads {
			u.flight = f
			// The last one may have landed since the store was asked.
			if r := u.recent(x); r != nil {
				u.flight = nil
				u.h.flights.land(u.key, f, u.raw)
				return r
			}
			return nil
		}
		if over == nil {
			over = time.NewTimer(u.h.s.Wait)
		}
		select {
		case <-f.done:
			if f.entry != nil {
				if r := u.answer(x, f.entry, time.Now()); r != nil {
					u.h.s.Count(EventJoined)
					return r
				}
				return nil
			}
		case <-over.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// recent is the answer that a store has at hand in memory.
func (u *use) recent(x *llm.Exchange) *llm.Reply {
	if u.h.viewer == nil {
		return nil
	}
	raw, ok := u.h.viewer.View(u.key)
	if !ok {
		return nil
	}
	r := u.answer(x, raw, time.Now())
	if r != nil {
		u.h.s.Count(EventHit)
	}
	return r
}
