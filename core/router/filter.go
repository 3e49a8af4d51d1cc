package router

import (
	"context"

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

// Check leaves out single deployments. It must not allocate for those that it allows, nor block.
type Check interface {
	// Allows reports whether a deployment may be called for the exchange.
	Allows(x *llm.Exchange, d *llm.Deployment) bool
	// Refusal is the error, an *llm.Error, when none of these may be. Of kind llm.KindNoDeployment it lets a fallback
	// answer, any other ends the exchange; nil takes the usual one.
	Refusal(x *llm.Exchange, list []*llm.Deployment) error
}

// check takes out of p.list whom a check does not allow.
func (p *Plan) check(c Check) error {
	n := 0
	for at, i := range p.list {
		if c.Allows(p.x, p.group.members[i].d) {
			p.list[n], p.list[at] = i, p.list[n]
			n++
		}
	}
	if n > 0 {
		p.list = p.list[:n]
		return nil
	}
	list := make([]*llm.Deployment, 0, len(p.list))
	for _, i := range p.list {
		list = append(list, p.group.members[i].d)
	}
	p.list = p.list[:0]
	if err := c.Refusal(p.x, list); err != nil {
		return err
	}
	return p.nobody(0, p.begun.UnixNano())
}

// Candidate is a deployment that may be called.
type Candidate struct {
	*llm.Deployment
	Counts Counts
}

// filter narrows down p.list with the filters' say. ordered is whether the first one left is to be called.
func (p *Plan) filter(ctx context.Context) (ordered bool, err error) {
	for _, f := range p.r.s.Filters {
		list := make([]Candidate, len(p.list))
		for i, at := range p.list {
			list[i] = Candidate{p.group.members[at].d, p.group.members[at].state.counts()}
		}
		keep, first, err := f.Filter(ctx, p.x, list)
		if err != nil {
			return false, err
		}
		if keep == nil {
			continue
		}
		kept := make([]int, 0, len(keep))
		for _, i := range keep {
			kept = append(kept, p.list[i])
		}
		p.list, ordered = append(p.list[:0], kept...), ordered || first
		if len(p.list) == 0 {
			return false, p.nobody(0, p.begun.UnixNano())
		}
	}
	return ordered, nil
}
