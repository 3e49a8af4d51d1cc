package cache

import (
	"github.com/sallyport-ai/sallyport/core/llm"
)

// renew fetches a new answer in place of one whose time is over, beside the caller's way and once at a time.
func (u *use) renew(x *llm.Exchange) {
	h := u.h
	if h.s.Refresh == nil || u.ctl.noStore {
		return
	}
	f, leads := h.flights.board(u.key)
	if !leads {
		return
	}
	again, err := x.Again()
	if err != nil {
		h.flights.land(u.key, f, nil)
		return
	}
	next := h.uses.Get().(*use)
	next.ctl, next.namespace, next.sum, next.key, next.flight = u.ctl, u.namespace, u.sum, u.key, f
	again.Cached = llm.CacheUse{Key: u.key, State: next}
	h.jobs.Go(func() {
		h.s.Refresh(h.ctx, again, func(r *llm.Reply) error {
			if r.Streamed {
				return h.Stream(h.ctx, again, r)
			}
			return h.After(h.ctx, again, r)
		})
		h.Settle(again, nil, nil) // nothing, if the gateway has
	})
}
