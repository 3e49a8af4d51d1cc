package router

import (
	"math"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// choose picks a member of the plan's group: of those not tried yet, of these the ones with the lowest order, and of
// these one by simple-shuffle. When all were tried, all but the last one are candidates again.
func (r *Router) choose(p *Plan) int {
	members := p.group.members
	if len(members) == 1 {
		return 0
	}
	order, first, count := p.candidates()
	if count == 0 {
		clear(p.tried)
		p.tried[p.at] = true
		order, first, count = p.candidates()
	}
	share := shareOf(members[first].d)
	var total float64
	for i := first; i < len(members) && share != byNothing; i++ {
		if p.candidate(i, order) {
			total += share.of(members[i].d)
		}
	}
	if total <= 0 {
		share, total = byNothing, float64(count)
	}
	point := r.s.Rand() * total
	chosen := first
	for i := first; i < len(members); i++ {
		if !p.candidate(i, order) {
			continue
		}
		s := share.of(members[i].d)
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

// candidates finds the lowest order among the members not tried yet, the first member that has it, and how many do.
func (p *Plan) candidates() (order, first, count int) {
	order = math.MaxInt
	for i, m := range p.group.members {
		o := orderOf(m.d)
		switch {
		case p.tried[i] || o > order:
		case o < order || count == 0:
			order, first, count = o, i, 1
		default:
			count++
		}
	}
	return order, first, count
}

func (p *Plan) candidate(i, order int) bool {
	return !p.tried[i] && orderOf(p.group.members[i].d) == order
}

// orderOf puts deployments without an order behind those with one.
func orderOf(d *llm.Deployment) int {
	if d.Order == 0 {
		return math.MaxInt
	}
	return d.Order
}

// attribute is what shares are taken from.
type attribute uint8

const (
	byNothing attribute = iota
	byWeight
	byRPM
	byTPM
)

func shareOf(d *llm.Deployment) attribute {
	switch {
	case d.Weight > 0:
		return byWeight
	case d.RPM > 0:
		return byRPM
	case d.TPM > 0:
		return byTPM
	}
	return byNothing
}

func (a attribute) of(d *llm.Deployment) float64 {
	switch a {
	case byWeight:
		return d.Weight
	case byRPM:
		return d.RPM
	case byTPM:
		return d.TPM
	}
	return 1
}
