package router

import (
	"context"
	"math"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// choose picks a member of the plan's group: of those not tried yet, without those left alone, those that the request
// fits and the filters leave, of these the one it is bound to, or with a free place the ones with the lowest order, and
// of these one by the strategy. When all were tried, all but the last one are candidates again. Without a free place
// anywhere it waits for one.
func (p *Plan) choose(ctx context.Context) (int, error) {
	for {
		at, err := p.once(ctx)
		if at >= 0 || err != nil {
			return at, err
		}
	}
}

// once is choose, but returns -1 if it has to be done again: what it found was gone when it wanted to take it.
func (p *Plan) once(ctx context.Context) (int, error) {
	g, now := p.group, p.begun
	if p.x.Home != "" {
		if i := p.home(); i >= 0 {
			p.list = append(p.list[:0], i)
			return p.seat(ctx)
		}
	}
	if len(g.members) == 1 && p.r.plain && g.has&(hasTeam|hasAbility|hasParallel) == 0 && !p.r.s.EnforceLimits && !p.cooling() {
		return 0, nil
	}
	if wait := p.gather(now.UnixNano()); len(p.list) == 0 {
		return 0, p.nobody(wait, now.UnixNano())
	}
	ordered, err := p.narrow(ctx)
	if err != nil {
		return 0, err
	}
	if ordered {
		return p.seat(ctx)
	}
	if p.r.s.Affinity.Encrypted {
		if at, err := p.origin(now); err != nil {
			return 0, err
		} else if at >= 0 {
			p.list = append(p.list[:0], at)
			return p.seat(ctx)
		}
	}
	if p.r.s.Affinity.on() {
		if at := p.bound(now); at >= 0 && p.claim(at) {
			return at, nil
		}
	}
	if g.has&hasParallel != 0 && !p.withRoom() {
		return p.line(ctx)
	}
	p.lowestOrder()
	for {
		at := p.pickOf(now)
		if at < 0 {
			return 0, p.nobody(untilNextMinute(now), now.UnixNano())
		}
		if !p.claim(at) {
			return -1, nil
		}
		if p.r.strategy != usageBasedV2 || p.reserve(ctx, at, now) {
			return at, nil
		}
		p.unclaim(at)
	}
}

// narrow takes out of p.list whom the request may not be sent to. ordered is whether the first one left is to be called.
func (p *Plan) narrow(ctx context.Context) (ordered bool, err error) {
	s := &p.r.s
	if p.group.has != 0 || s.PreCallChecks {
		if err = p.fit(p.begun); err != nil {
			return false, err
		}
	}
	for _, c := range s.Checks {
		if err = p.check(c); err != nil {
			return false, err
		}
	}
	if len(s.Filters) > 0 {
		if ordered, err = p.filter(ctx); err != nil {
			return false, err
		}
	}
	if s.TagFiltering {
		err = p.tagged()
	}
	return ordered, err
}

// seat takes a place at the first one in p.list that has one, or waits for one.
func (p *Plan) seat(ctx context.Context) (int, error) {
	for _, i := range p.list {
		if p.group.members[i].room() && p.claim(i) {
			return i, nil
		}
	}
	return p.line(ctx)
}

// line waits for a place at one of p.list. A deployment that was left alone meanwhile is not called.
func (p *Plan) line(ctx context.Context) (int, error) {
	at, err := p.await(ctx)
	if err != nil {
		return 0, err
	}
	p.begun, p.placed = time.Now(), true
	if p.x.Home == "" && p.cooling() && p.group.members[at].state.available(p.begun.UnixNano()) == leftAlone {
		p.unclaim(at)
		return -1, nil
	}
	return at, nil
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

// reserve counts the request before it is sent, for all replicas if there are others. It fails if others have used up
// the limit since it was looked at.
func (p *Plan) reserve(ctx context.Context, at int, now time.Time) bool {
	m, minute := &p.group.members[at], minuteOf(now)
	if m.rpm > 0 && p.r.s.Shared != nil {
		m.state.taken.add(minute, 1) // before it is, or what is heard meanwhile would count it as another replica's
		ok, err := p.r.s.Shared.Take(ctx, m.d.ID, minute, m.rpm)
		if err == nil && ok {
			m.state.requests.add(minute, 1)
			p.counted = true
			return true
		}
		m.state.taken.drop(minute)
		if err == nil { // others used it up, and told nobody yet
			m.state.others(minute, m.rpm, 0)
			return false
		}
	}
	limit := int64(math.MaxInt64)
	if m.rpm > 0 {
		limit = m.rpm - m.state.otherRequests.at(minute)
	}
	p.counted = m.state.requests.take(minute, limit)
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
	if !p.group.ordered {
		return
	}
	lowest := p.group.members[p.list[0]].order
	for _, i := range p.list[1:] {
		lowest = min(lowest, p.group.members[i].order)
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
	members := p.group.members
	share := members[p.list[0]].share()
	if share == byNothing {
		return p.list[p.r.below(len(p.list))]
	}
	total := p.group.totals[share]
	if len(p.list) < len(members) {
		total = 0
		for _, i := range p.list {
			total += members[i].shares[share]
		}
	}
	point, chosen := p.r.s.Rand()*total, p.list[0]
	for _, i := range p.list {
		s := members[i].shares[share]
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
	byWeight attribute = iota
	byRPM
	byTPM
	shares
	byNothing = shares
)

// share is the first attribute that the deployment has.
func (m *member) share() attribute {
	for a := range shares {
		if m.shares[a] > 0 {
			return a
		}
	}
	return byNothing
}
