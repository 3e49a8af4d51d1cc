package router

import (
	"fmt"
	"strings"
	"time"
)

// The strategies: how one of several deployments is picked. Where the reference has the strategy, it works as there.
const (
	// SimpleShuffle picks at random, in proportion to weight, else rpm, else tpm: the first of these that the first
	// candidate has (litellm/router_strategy/simple_shuffle.py).
	SimpleShuffle = "simple-shuffle"
	// LeastBusy picks the one with the fewest calls under way (least_busy.py).
	LeastBusy = "least-busy"
	// LatencyBased picks at random among those whose mean latency is near the lowest; those without a sample come first
	// (lowest_latency.py).
	LatencyBased = "latency-based-routing"
	// UsageBased picks the one with the fewest tokens in the current minute (lowest_tpm_rpm.py).
	UsageBased = "usage-based-routing"
	// UsageBasedV2 does the same and counts a request before it is sent, so that rpm is never exceeded
	// (lowest_tpm_rpm_v2.py).
	UsageBasedV2 = "usage-based-routing-v2"
	// CostBased picks the one with the lowest price of a prompt token and a completion token together
	// (lowest_cost.py).
	CostBased = "cost-based-routing"
	// Adaptive takes two at random and of these the one that is expected to answer sooner: by its latency, the calls it
	// has under way, and how many of its calls failed lately. The one to recommend.
	Adaptive = "adaptive"
)

// Strategies are all names that Settings.Strategy may have.
func Strategies() []string {
	return []string{SimpleShuffle, LeastBusy, LatencyBased, UsageBased, UsageBasedV2, CostBased, Adaptive}
}

// StrategyArgs tune LatencyBased.
type StrategyArgs struct {
	TTL      time.Duration // after which a deployment without a new sample counts as one without any
	ListSize int           // samples that the mean is taken of
	Buffer   float64       // how much slower than the fastest a deployment may be, 0.2 for a fifth
}

const maxListSize = 1000

// What adaptive remembers and how it weighs that. TestStudy shows how it does.
const (
	latencyMemory = 10 * time.Second // the time in which a sample loses two thirds of its weight
	idleMemory    = time.Minute      // the same for a deployment that is not called: so it is tried again
	errorMemory   = 10 * time.Second
	errorShare    = 0.2 // the latest call's part in the share of failures
	riseShare     = 0.3 // the least part of a sample that is worse than expected
	headTokens    = 16  // the time until an answer begins, in tokens
	unknownPrice  = 5.0 // of a deployment without a price, as in the reference
)

type strategy uint8

const (
	shuffle strategy = iota
	leastBusy
	latencyBased
	usageBased
	usageBasedV2
	costBased
	adaptive
)

func strategyOf(name string) (strategy, error) {
	if name == "" {
		return shuffle, nil
	}
	for i, s := range Strategies() {
		if s == name {
			return strategy(i), nil
		}
	}
	return 0, fmt.Errorf("routing_strategy %q is not known: use one of %s", name, strings.Join(Strategies(), ", "))
}

// limits reports whether rpm and tpm of a deployment are limits and not just shares.
func (s strategy) limits() bool { return s >= latencyBased && s <= costBased }

// pickOf picks one of the places in p.list, which is not empty. It returns -1 if all are over their limits.
func (p *Plan) pickOf(now time.Time) int {
	s := p.r.strategy
	if s.limits() && p.group.limited && !p.within(minuteOf(now)) {
		return -1
	}
	if at := p.foreseen(); at >= 0 {
		return at
	}
	switch {
	case len(p.list) == 1:
		return p.list[0]
	case s == shuffle:
		return p.shuffled()
	case s == adaptive:
		return p.better(now.UnixNano())
	}
	lowest := p.rate(s, now)
	if s == latencyBased {
		lowest *= 1 + p.r.s.StrategyArgs.Buffer
	}
	return p.upTo(lowest)
}

// within takes those over their limits out of p.list, and reports whether any is left.
func (p *Plan) within(minute uint64) bool {
	kept := p.list[:0]
	shared := p.r.s.Shared != nil
	for _, i := range p.list {
		if !p.group.members[i].full(minute, true, shared) {
			kept = append(kept, i)
		}
	}
	p.list = kept
	return len(kept) > 0
}

// rate fills p.scores for p.list, lower is better, and returns the lowest.
func (p *Plan) rate(s strategy, now time.Time) float64 {
	minute, nano, ttl := minuteOf(now), now.UnixNano(), p.r.s.StrategyArgs.TTL
	p.scores = p.scores[:0]
	lowest := 0.0
	for n, i := range p.list {
		m := &p.group.members[i]
		score := 0.0
		switch s {
		case leastBusy:
			score = float64(m.state.inFlight.Load())
		case usageBased, usageBasedV2:
			score = float64(m.state.usedTokens(minute))
		case costBased:
			score = m.cost
		case latencyBased:
			if v := m.state.speed(p.x.Streamed); v.sampled(nano, ttl) {
				score = v.mean.load()
			}
		}
		p.scores = append(p.scores, score)
		if n == 0 || score < lowest {
			lowest = score
		}
	}
	return lowest
}

// upTo picks at random among those in p.list that are not above the score.
func (p *Plan) upTo(score float64) int {
	count := 0
	for _, s := range p.scores {
		if s <= score {
			count++
		}
	}
	k := p.r.below(count)
	for n, s := range p.scores {
		if s > score {
			continue
		}
		if k == 0 {
			return p.list[n]
		}
		k--
	}
	return p.list[0]
}

// below is a random number in [0, n).
func (r *Router) below(n int) int { return min(int(r.s.Rand()*float64(n)), max(n-1, 0)) }

// better takes two of p.list at random and returns the better one.
func (p *Plan) better(now int64) int {
	i := p.r.below(len(p.list))
	j := p.r.below(len(p.list) - 1)
	if j >= i {
		j++
	}
	i, j = p.list[i], p.list[j]
	a, b := &p.group.members[i], &p.group.members[j]
	la, lb := a.expected(p.x.Streamed, now), b.expected(p.x.Streamed, now)
	// One that is not known counts as fast as the other, so that it is called, and not by everybody at once.
	switch {
	case la == 0 && lb == 0:
		la, lb = 1, 1
	case la == 0:
		la = lb
	case lb == 0:
		lb = la
	}
	if lb*b.burden(now) < la*a.burden(now) {
		return j
	}
	return i
}

// expected is the latency to expect of an idle deployment; 0 unknown.
func (m *member) expected(streamed bool, now int64) float64 {
	return m.state.speed(streamed).ewma.at(now, idleMemory)
}

// burden is how many times longer it takes because of the calls under way and of those that fail: a call that fails has
// to be made again, after its time is lost. Half failing counts as eight times slower. A weight divides it.
func (m *member) burden(now int64) float64 {
	good := max(1-m.state.errs.at(now, errorMemory), 0.01)
	load := float64(m.state.inFlight.Load()+1) / (good * good * good)
	if m.d.Weight > 0 {
		load /= m.d.Weight
	}
	return load
}

// speed is the one for streams or for whole answers.
func (st *state) speed(streamed bool) *speed {
	if streamed {
		return &st.first
	}
	return &st.whole
}
