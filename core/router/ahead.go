package router

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Steady is a Filter that changes nothing by being asked, so that it may be asked once more, ahead of the attempt.
type Steady interface {
	Filter
	Steady()
}

// ahead are plans that look ahead.
type ahead struct{ pool sync.Pool }

// Ahead is the deployment that the exchange will probably be sent to first, so that what limits it can be asked for along
// with what limits the caller; nil if nothing limits it (see llm.Deployment.Scopes), or if that is not known before the
// call. Nothing is taken or counted. If the deployment is put into x.Ahead, Plan.Next chooses it, unless it may not be called
// any more by then.
func (r *Router) Ahead(ctx context.Context, x *llm.Exchange) *llm.Deployment {
	if !r.scoped || !r.steady || x.Pinned != nil || x.Controls.Testing != 0 {
		return nil
	}
	p, _ := r.ahead.pool.Get().(*Plan)
	if p == nil {
		p = &Plan{}
	}
	defer func() {
		p.reset()
		r.ahead.pool.Put(p)
	}()
	if r.Plan(x, p) != nil || !p.group.scoped {
		return nil
	}
	p.begun = time.Now()
	at := p.likely(ctx)
	if at < 0 || len(p.group.members[at].d.Scopes) == 0 {
		return nil
	}
	return p.group.members[at].d
}

// likely is once, but takes nothing. It returns -1 if nobody is to be called at once.
func (p *Plan) likely(ctx context.Context) int {
	if p.x.Home != "" {
		if i := p.home(); i >= 0 {
			return i
		}
	}
	if p.gather(p.begun.UnixNano()); len(p.list) == 0 {
		return -1
	}
	ordered, err := p.narrow(ctx)
	if err != nil {
		return -1
	}
	if !ordered && p.r.s.Affinity.Encrypted {
		at, err := p.origin(p.begun)
		if err != nil {
			return -1
		}
		if at >= 0 {
			return at
		}
	}
	if !ordered && p.r.s.Affinity.on() {
		if at := p.bound(p.begun); at >= 0 {
			return at
		}
	}
	if p.group.has&hasParallel != 0 && !p.withRoom() {
		return -1
	}
	if ordered {
		return p.list[0]
	}
	p.lowestOrder()
	return p.pickOf(p.begun)
}

// foreseen is the place in the group of the deployment that was chosen ahead, if it is still in p.list, or -1.
func (p *Plan) foreseen() int {
	if p.x.Ahead == nil {
		return -1
	}
	if n := slices.IndexFunc(p.list, func(i int) bool { return p.group.members[i].d.ID == p.x.Ahead.ID }); n >= 0 {
		return p.list[n]
	}
	return -1
}

// steady reports whether all filters may be asked ahead.
func steady(filters []Filter) bool {
	return !slices.ContainsFunc(filters, func(f Filter) bool {
		_, ok := f.(Steady)
		return !ok
	})
}
