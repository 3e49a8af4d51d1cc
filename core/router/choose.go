package router

import (
	"context"
	"math"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// choose picks a member of the plan's group: of those not tried yet, without those left alone, what the filters leave, of
// these the ones with the lowest order, and of these one by the strategy. When all were tried, all but the last one are
// candidates again.
func (p *Plan) choose(ctx context.Context) (int, error) {
	now := p.begun
	if p.x.Home != "" {
		if i := p.home(); i >= 0 {
			return i, nil
		}
	}
	if len(p.group.members) == 1 && len(p.r.s.Filters) == 0 && p.r.strategy == shuffle && !p.cooling() {
		return 0, nil
	}
	if wait := p.gather(now.UnixNano()); len(p.list) == 0 {
		return 0, p.nobody(wait, now.UnixNano())
	}
	if len(p.r.s.Filters) > 0 {
		ordered, err := p.filter(ctx)
		if err != nil {
			return 0, err
		}
		if ordered {
			return p.list[0], nil
		}
	}
	p.lowestOrder()
	for {
		at := p.pickOf(now)
		if at < 0 {
			return 0, p.nobody(time.Duration(60-now.Unix()%60)*time.Second, now.UnixNano())
		}
		if p.r.strategy != usageBasedV2 || p.reserve(at, now) {
			return at, nil
		}
	}
}

// home is the member that holds what the request goes on with, or -1. It is called whatever its state: nobody else can
// answer.
func (p *Plan) home() int {
	for i := range p.group.members {
		if p.group.members[i].d.ID == p.x.Home {
			return i
		}
	}
	return -1
}

// reserve counts the request before it is sent. It fails if others have used up the limit since it was looked at.
func (p *Plan) reserve(at int, now time.Time) bool {
	m := &p.group.members[at]
	limit := m.rpm
	if limit == 0 {
		limit = math.MaxInt64
	}
	p.counted = m.state.requests.take(minuteOf(now), limit)
	return p.counted
}

// cooling reports whether any deployment might be left alone. Somebody who names a deployment by its id gets it anyway.
func (p *Plan) cooling() bool {
	return p.r.s.States.out.Load() > 0 && !p.r.s.DisableCooldowns && !p.group.single
}

// gather fills p.list with the members that may be called: those not tried yet, else all but the last one, else the last
// one. If there are none, it returns how long until there is one.
func (p *Plan) gather(now int64) (wait time.Duration) {
	for round := range 3 {
		if wait = p.fill(round, now); len(p.list) == 0 {
			continue
		}
		if round > 0 {
			clear(p.tried)
			p.tried[p.at] = round == 1
		}
		return 0
	}
	return wait
}

// fill is one round of gather. Deployments that another request is testing count only if there is no other.
func (p *Plan) fill(round int, now int64) (wait time.Duration) {
	p.list = p.list[:0]
	cooling, testing := p.cooling(), false
	for i := range p.group.members {
		if round == 0 && p.tried[i] || round == 1 && i == p.at {
			continue
		}
		if !cooling {
			p.list = append(p.list, i)
			continue
		}
		switch st := p.group.members[i].state; st.available(now) {
		case inUse:
			p.list = append(p.list, i)
		case tested:
			testing = true
		case leftAlone:
			if d := time.Duration(st.until.Load() - now); wait == 0 || d < wait {
				wait = d
			}
		}
	}
	if len(p.list) > 0 || !testing {
		return wait
	}
	for i := range p.group.members {
		if (round > 0 || !p.tried[i]) && p.group.members[i].state.available(now) == tested {
			p.list = append(p.list, i)
		}
	}
	return wait
}

// lowestOrder takes out of p.list all but those of the lowest order.
func (p *Plan) lowestOrder() {
	lowest, same := p.group.members[p.list[0]].order, true
	for _, i := range p.list[1:] {
		o := p.group.members[i].order
		same = same && o == lowest
		lowest = min(lowest, o)
	}
	if same {
		return
	}
	kept := p.list[:0]
	for _, i := range p.list {
		if p.group.members[i].order == lowest {
			kept = append(kept, i)
		}
	}
	p.list = kept
}

// shuffled picks one of p.list by simple-shuffle.
func (p *Plan) shuffled() int {
	share := shareOf(p.group.members[p.list[0]].d)
	if share == byNothing {
		return p.list[p.r.below(len(p.list))]
	}
	var total float64
	for _, i := range p.list {
		total += share.of(p.group.members[i].d)
	}
	point, chosen := p.r.s.Rand()*total, p.list[0]
	for _, i := range p.list {
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
