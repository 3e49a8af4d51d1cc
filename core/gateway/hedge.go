package gateway

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Hedging sends a request to a second deployment of its group when the first one takes longer than usual, and takes the
// answer that comes first. It costs a second call for those requests, and takes the tail off the waiting time (Dean and
// Barroso, The Tail at Scale, 2013).
type Hedging struct {
	Percentile float64       // of the time to the first part, after which the second call is made: 95
	MinSamples int           // how many times are to be known before
	MaxShare   float64       // the largest share of a group's requests that gets a second call
	MinDelay   time.Duration // the shortest wait
	Groups     []string      // empty is all
}

// hedging is the name of the setting, and what records call the slower call.
const hedging = "hedging"

// callFirst calls a deployment, and another one besides if the first keeps the caller waiting. adopted says that the other one
// answered.
func (t *turn) callFirst(ctx context.Context, d *llm.Deployment) (adopted bool, err error) {
	h := t.Hedging
	if h == nil || t.branch || !hedgeable(t.x.Op) || t.plan.Group() != t.x.Model || len(h.Groups) > 0 && !slices.Contains(h.Groups, t.plan.Group()) {
		return false, t.attempt(ctx, &t.leg, d)
	}
	pace := t.g.paceOf(paceKey{t.plan.Group(), t.x.Streamed})
	begun := time.Now()
	wait, known := pace.wait(h)
	if !known {
		if err = t.attempt(ctx, &t.leg, d); err == nil {
			pace.add(time.Since(begun), h)
		}
		return false, err
	}
	adopted, err = t.hedged(ctx, d, wait, pace)
	if err == nil {
		pace.add(time.Since(begun), h)
	}
	return adopted, err
}

// hedgeable reports whether two answers to a request do no more than cost.
func hedgeable(op llm.Operation) bool {
	switch op {
	case llm.OpChat, llm.OpCompletion, llm.OpEmbedding, llm.OpModeration, llm.OpRerank:
		return true
	}
	return false
}

// hedge is a call with another one that may come beside it.
type hedge struct {
	mu    sync.Mutex
	over  bool // the first call is over: the second is not to begin, or has lost
	began bool
	first *llm.Lifetime // of the first call
	taken bool          // the second call has the answer
	done  chan struct{} // closed when the second call is over
}

// hedged makes the call, and another one when the wait is over.
func (t *turn) hedged(ctx context.Context, d *llm.Deployment, wait time.Duration, p *pace) (adopted bool, err error) {
	if t.race == nil {
		t.race = &race{by: hedging}
	}
	r := t.race
	// Made now: what the first call does with the exchange must not be seen by the second while it happens.
	one, err := r.enter(ctx, t)
	if err != nil {
		return false, err
	}
	h := &hedge{first: new(llm.Lifetime), done: make(chan struct{})}
	r.link(ctx, h.first)
	avoid := d.ID // the turn is not to be touched when the timer was late
	timer := time.AfterFunc(wait, func() { h.second(r, one, avoid, p) })
	err = t.attempt(h.first, &t.leg, d)
	timer.Stop()
	h.mu.Lock()
	h.over = true
	began, taken := h.began, h.taken
	h.mu.Unlock()
	switch {
	case !began:
		r.withdraw(one)
		return false, err
	case err == nil && !taken:
		one.x.Life.Cancel(errSlower)
		return false, nil
	case err != nil && !taken && !errors.Is(err, errSlower):
		<-h.done // the first one failed by itself; the second may still answer
		if one.err != nil {
			return false, err
		}
	}
	t.giveUp(err)
	t.adopt(one)
	return true, nil
}

// second is the second call. It runs on the timer's goroutine.
func (h *hedge) second(r *race, one *racer, avoid string, p *pace) {
	h.mu.Lock()
	if h.over || !p.spend() {
		h.mu.Unlock()
		return
	}
	h.began = true
	r.running.Add(1)
	h.mu.Unlock()
	defer r.running.Done()
	defer close(h.done)
	one.run(avoid)
	h.mu.Lock()
	defer h.mu.Unlock()
	if one.err == nil && !h.over {
		h.taken = true
		h.first.Cancel(errSlower)
	}
}

// giveUp ends the turn's own call, that another was faster than or that failed with err.
func (t *turn) giveUp(err error) {
	l := &t.leg
	if err == nil { // it answered, too late
		if l.reply.Rest != nil {
			_ = l.reply.Rest.Close()
		}
		if d := l.reply.Deployment; len(d.Scopes) > 0 {
			t.Pipeline.Leave(t.x, d)
		}
	}
	t.charge(hedging, l)
	l.sent = false
	if err == nil || errors.Is(err, errSlower) {
		// That it is slow is to be known, or it would be called first again and again.
		t.plan.Slow()
		err = errSlower
	}
	t.plan.Done(err)
	t.routed = false
}

// withdraw takes out a racer that did not begin.
func (r *race) withdraw(one *racer) {
	r.racers = slices.DeleteFunc(r.racers, func(o *racer) bool { return o == one })
	one.t.finish(nil, nil)
}

// paceKey is what answers of a kind are told apart by.
type paceKey struct {
	group    string
	streamed bool
}

// paces are kept for model groups that callers really use. Names of wildcards are without bounds, so there is one.
const maxPaces = 4096

func (g *Gateway) paceOf(k paceKey) *pace {
	if p, ok := g.paces.Load(k); ok {
		return p.(*pace)
	}
	if g.paceCount.Load() >= maxPaces {
		k = paceKey{streamed: k.streamed}
	}
	p, had := g.paces.LoadOrStore(k, &pace{})
	if !had {
		g.paceCount.Add(1)
	}
	return p.(*pace)
}

// pace is how long a group's answers take to begin, lately, and how many second calls it may still have.
type pace struct {
	mu      sync.Mutex
	times   [256]time.Duration
	count   int // ever
	limit   time.Duration
	since   int // times since limit was worked out
	allowed float64
}

// Of how many times the limit is worked out anew, and how many second calls may come at once.
const (
	paceEvery = 16
	paceBurst = 4
)

// add notes how long an answer took. Each request earns a share of a second call.
func (p *pace) add(took time.Duration, h *Hedging) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.times[p.count%len(p.times)] = took
	p.count++
	p.allowed = min(p.allowed+h.MaxShare, paceBurst)
	if p.since++; p.count < h.MinSamples || p.since < paceEvery && p.limit != 0 {
		return
	}
	known := slices.Clone(p.times[:min(p.count, len(p.times))])
	slices.Sort(known)
	at := int(float64(len(known))*h.Percentile/100 + 0.5)
	p.limit, p.since = max(known[min(at, len(known)-1)], 1), 0
}

// wait is how long an answer may take before a second call is made; known is false while too little is known.
func (p *pace) wait(h *Hedging) (limit time.Duration, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.limit, h.MinDelay), p.limit != 0
}

// spend takes a second call, if there is one left.
func (p *pace) spend() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.allowed < 1 {
		return false
	}
	p.allowed--
	return true
}
