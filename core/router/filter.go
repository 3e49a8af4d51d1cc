package router

import (
	"context"
	"math"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Filter narrows down the deployments of a group before one of them is called, and may put them in order.
type Filter interface {
	// Filter is asked for each attempt. list holds the deployments of the group that were not tried yet, in the order of
	// the configuration; it is valid during the call. keep are the places in list of those that may be called, each
	// once. A nil keep has no opinion; one that is empty leaves nobody, which is an error of kind llm.KindNoDeployment
	// to the caller, unless a fallback answers. With ordered the first of keep is called, otherwise the usual strategy
	// chooses among them. An error ends the exchange.
	Filter(ctx context.Context, x *llm.Exchange, list []Candidate) (keep []int, ordered bool, err error)
}

// Candidate is a deployment that may be called.
type Candidate struct {
	*llm.Deployment
	Counts Counts
}

// counts are those of one state.
func (st *state) counts() Counts {
	return Counts{st.inFlight.Load(), st.calls.Load(), st.failures.Load()}
}

// filtered picks a member of the plan's group with the filters' say.
func (p *Plan) filtered(ctx context.Context) (int, error) {
	at := p.untried()
	ordered := false
	for _, f := range p.r.s.Filters {
		list := make([]Candidate, len(at))
		for i, m := range at {
			list[i] = Candidate{p.group.members[m].d, p.group.members[m].state.counts()}
		}
		keep, first, err := f.Filter(ctx, p.x, list)
		if err != nil {
			return 0, err
		}
		if keep == nil {
			continue
		}
		kept := make([]int, 0, len(keep))
		for _, i := range keep {
			kept = append(kept, at[i])
		}
		at, ordered = kept, ordered || first
		if len(at) == 0 {
			return 0, nobody(p.name)
		}
	}
	if ordered {
		return at[0], nil
	}
	return p.r.among(p, at), nil
}

// untried are the members that were not tried yet. When all were tried, all but the last one are candidates again.
func (p *Plan) untried() (at []int) {
	for range 2 {
		for i := range p.group.members {
			if !p.tried[i] {
				at = append(at, i)
			}
		}
		if len(at) > 0 {
			return at
		}
		clear(p.tried)
		p.tried[p.at] = len(p.tried) > 1
	}
	return at
}

// among is choose for some of the members only.
func (r *Router) among(p *Plan, at []int) int {
	lowest := math.MaxInt
	for _, i := range at {
		lowest = min(lowest, orderOf(p.group.members[i].d))
	}
	var list []int
	for _, i := range at {
		if orderOf(p.group.members[i].d) == lowest {
			list = append(list, i)
		}
	}
	share := shareOf(p.group.members[list[0]].d)
	var total float64
	for _, i := range list {
		total += share.of(p.group.members[i].d)
	}
	if total <= 0 {
		share, total = byNothing, float64(len(list))
	}
	point, chosen := r.s.Rand()*total, list[0]
	for _, i := range list {
		s := share.of(p.group.members[i].d)
		if s <= 0 {
			continue
		}
		chosen = i
		if point -= s; point < 0 {
			break
		}
	}
	return chosen
}

// nobody is RouterRateLimitError of litellm/types/router.py. The number is its cooldown time when nothing cools down.
func nobody(model string) error {
	return &llm.Error{
		Op: "router.Next", Kind: llm.KindNoDeployment, Type: "None", Param: "None", Code: "429",
		Message: "No deployments available for selected model, Try again in 5 seconds. Passed model=" + clip(model) +
			". pre-call-checks=False, cooldown_list=[]",
	}
}
