// Package limit lets a request pass if every scope it belongs to has room for it: requests and tokens a minute, requests
// open at a time, and money. It takes of all scopes or of none, holds an estimate while the model works, and settles what
// was used when the exchange ended, however it ended.
package limit

import (
	"context"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Settings of a Limiter. Zero values take the defaults.
type Settings struct {
	// Estimate says what a request may use at most: tokens, and US dollars. free means that its model is known to cost
	// nothing. Required.
	Estimate func(x *llm.Exchange) (tokens int64, cost float64, free bool)
	// Cost is what a reply cost in US dollars. Required.
	Cost func(x *llm.Exchange, r *llm.Reply) float64
	// OverBudget makes the error for a scope whose budget does not let a request pass. Required.
	OverBudget func(s *llm.Scope, why llm.Refusal, ask *llm.Ask) *llm.Error
	// Crossed makes the error for a deployment whose budget, or its vendor's, all replicas together have spent. Required
	// with Shared.
	Crossed func(s *llm.Scope, spent float64, ask *llm.Ask) *llm.Error
	// SoftBudget is told when a soft budget is reached, once in each period. It must not block. It may be nil.
	SoftBudget func(s *llm.Scope)
	// Failing reports whether a model group fails at present; see llm.Scope.Relaxed. Nil is never.
	Failing func(model string) bool
	// Groups returns the scopes of the model group that a request asks for: what it can take in a minute, behind the part of
	// that which is for callers like this one. Nil has none.
	Groups func(x *llm.Exchange) []*llm.Scope
	// Elsewhere reports whether a request whose model group has no room may be answered by another group. Nil is never.
	Elsewhere func(x *llm.Exchange) bool
	// Shared counts for all replicas together; nil counts here alone.
	Shared Shared
	// Ahead returns the deployment that a request will probably be sent to, if something limits it: Shared is asked for it
	// along with what limits the caller. Nil asks when a deployment is called. It is used with Shared only.
	Ahead func(ctx context.Context, x *llm.Exchange) *llm.Deployment

	Charge bool      // every call is priced, also of callers without limits, because somebody records it
	Tokens TokenType // which tokens count
	Tries  int       // how often a request that finds too many open is tried; default 3
	Wait   time.Duration
	NoWait bool // a request that finds too many open is refused at once
}

// TokenType is which tokens of a reply count for limits (token_rate_limit_type of the reference).
type TokenType uint8

// The types.
const (
	TotalTokens TokenType = iota
	InputTokens
	OutputTokens
)

// Shared keeps the counts of several replicas together.
type Shared interface {
	// Reserve asks for all scopes of x at once and notes what it took in x.Holds, one for each scope. refused is the
	// index of the scope that refuses. On an error nobody was asked, or nobody answered in time. It asks for the scopes of
	// x.Ahead, too, and appends what it took of them; if one of these refuses, it takes of none of them, and x.Ahead is nil.
	Reserve(ctx context.Context, x *llm.Exchange) (refused int, why llm.Refusal, wait time.Duration, err error)
	// Enter is Reserve for the scopes of the deployment that x is about to call. It appends to x.Holds. spent is what was
	// spent of a budget that refuses.
	Enter(ctx context.Context, x *llm.Exchange, scopes []*llm.Scope) (refused int, why llm.Refusal, spent float64, err error)
	// Undo gives back what a hold of x took, here and together, as if it had never asked. It must not block.
	Undo(x *llm.Exchange, h *llm.Hold)
	// Settle gives back what a hold of x holds and counts what it used, here and together. It must not block.
	Settle(x *llm.Exchange, h *llm.Hold, now, tokens int64, cost float64)
	// Charge counts money that a scope spent without a hold, here and together. It must not block.
	Charge(s *llm.Scope, now int64, cost float64)
	// Alone is of how many replicas this is one while they cannot count together, and 0 while they can.
	Alone() int64
}

const (
	defaultTries = 3
	defaultWait  = time.Minute
	firstWait    = 2 * time.Second // after the first try; doubled after each further one
	holdWait     = 2 * time.Second // how long a request waits for what others hold and may not need
	sharedPoll   = 100 * time.Millisecond

	// BarTime is how long nobody asks again whether a deployment's budget is spent.
	BarTime = time.Second
)

// Limiter is the hook. It is safe for concurrent use.
type Limiter struct{ s Settings }

// New makes a Limiter.
func New(s Settings) *Limiter {
	if s.Tries <= 0 {
		s.Tries = defaultTries
	}
	if s.Wait <= 0 {
		s.Wait = defaultWait
	}
	return &Limiter{s}
}

// Before implements pipeline.Before. It allocates nothing for a request that passes. A request that only finds what others
// hold for a while waits for it: for a place among those open at a time as long as Settings say, for tokens and money no
// longer than two seconds.
func (l *Limiter) Before(ctx context.Context, x *llm.Exchange) (*llm.Reply, error) {
	if l.s.Shared != nil {
		x.Asked.Share = l.s.Shared.Alone()
	}
	if l.s.Groups != nil {
		x.Scopes = append(x.Scopes, l.s.Groups(x)...)
	}
	if len(x.Scopes) == 0 {
		return nil, nil
	}
	return nil, l.take(ctx, x, x.Start)
}

// Repeat implements pipeline.Repeat: asking a model again is like another request.
func (l *Limiter) Repeat(ctx context.Context, x *llm.Exchange, r *llm.Reply) error {
	var tokens int64
	var cost float64
	if r.Deployment != nil {
		tokens, cost = l.tokens(r.Usage), l.s.Cost(x, r)
	}
	l.release(x, tokens, cost)
	if len(x.Scopes) == 0 {
		return nil
	}
	return l.take(ctx, x, time.Now())
}

// take estimates what a call may use and takes it, begun being when it was asked for.
func (l *Limiter) take(ctx context.Context, x *llm.Exchange, begun time.Time) error {
	l.estimate(x, begun)
	l.relax(x)
	l.ahead(ctx, x)
	at, why, wait := l.reserve(ctx, x)
	if why == llm.Passed {
		return nil
	}
	if why.Passing() {
		var err error
		if at, why, wait, err = l.await(ctx, x, at, why, wait); err != nil || why == llm.Passed {
			return err
		}
	}
	s := x.Scopes[at]
	if s.Kind != llm.ScopeModel && s.Kind != llm.ScopePriority {
		return l.refuse(x, s, why, wait)
	}
	e := crowded(x, s, why, wait, l.s.Shared == nil)
	if l.s.Elsewhere == nil || !l.s.Elsewhere(x) {
		return e
	}
	x.Crowded = e
	x.Scopes = slices.DeleteFunc(x.Scopes, func(s *llm.Scope) bool { return s.Kind == llm.ScopeModel || s.Kind == llm.ScopePriority })
	return l.take(ctx, x, begun)
}

// estimate says what a call may use.
func (l *Limiter) estimate(x *llm.Exchange, begun time.Time) {
	tokens, cost, free := l.s.Estimate(x)
	x.Asked = llm.Ask{Now: begun.UnixNano(), Tokens: tokens, Cost: cost, Free: free, Share: x.Asked.Share}
}

// relax puts other scopes in the place of those that are only enforced while a model fails.
func (l *Limiter) relax(x *llm.Exchange) {
	for i, s := range x.Scopes {
		if s.Relaxed != nil && (l.s.Failing == nil || !l.s.Failing(x.Model)) {
			x.Scopes[i] = s.Relaxed
		}
	}
}

// reserve takes of all scopes or of none.
func (l *Limiter) reserve(ctx context.Context, x *llm.Exchange) (at int, why llm.Refusal, wait time.Duration) {
	if l.s.Shared != nil {
		at, why, wait, err := l.s.Shared.Reserve(ctx, x)
		if err == nil {
			return at, why, wait
		}
		x.Ahead = nil
	}
	return Local(x)
}

// Local takes of all scopes, or of none, as they are known here.
func Local(x *llm.Exchange) (at int, why llm.Refusal, wait time.Duration) {
	for i, s := range x.Scopes {
		x.Holds = append(x.Holds, llm.Hold{})
		h := &x.Holds[i]
		if s.Idle() {
			*h = llm.Hold{Scope: s, RequestsLeft: -1, TokensLeft: -1}
			continue
		}
		if why, wait = s.Reserve(s, &x.Asked, h); why != llm.Passed {
			x.Holds = x.Holds[:i]
			Undo(x)
			return i, why, wait
		}
	}
	return 0, llm.Passed, 0
}

// Undo gives back all that x holds, as if it had never asked.
func Undo(x *llm.Exchange) {
	for i := range x.Holds {
		h := &x.Holds[i]
		h.Scope.Undo(h, x.Asked.Now)
	}
	x.Holds = x.Holds[:0]
}

// await tries again when something was given back.
func (l *Limiter) await(ctx context.Context, x *llm.Exchange, at int, why llm.Refusal, wait time.Duration) (int, llm.Refusal, time.Duration, error) {
	patience := l.patience(why)
	if patience <= 0 {
		return at, why, wait, nil
	}
	begun := time.Now()
	over := time.NewTimer(patience)
	defer over.Stop()
	var poll <-chan time.Time
	if l.s.Shared != nil {
		// Other replicas do not tell when they give back.
		t := time.NewTicker(sharedPoll)
		defer t.Stop()
		poll = t.C
	}
	for {
		// Whoever gives back after this tells; so what was given back before is seen by reserve.
		scope := at
		freed := x.Scopes[scope].Freed()
		x.Asked.Now = x.Start.UnixNano() + int64(time.Since(begun))
		if at, why, wait = l.reserve(ctx, x); !why.Passing() {
			return at, why, wait, nil
		}
		if at != scope {
			freed = x.Scopes[at].Freed()
		}
		select {
		case <-freed:
		case <-poll:
		case <-over.C:
			return at, why, wait, nil
		case <-ctx.Done():
			return at, why, wait, context.Cause(ctx)
		}
	}
}

// patience is how long a request waits for what it was refused for.
func (l *Limiter) patience(why llm.Refusal) time.Duration {
	if why != llm.OverParallel {
		return holdWait
	}
	if l.s.NoWait {
		return 0
	}
	total, next := time.Duration(0), firstWait
	for range l.s.Tries - 1 {
		total += next
		next *= 2
		if total >= l.s.Wait {
			return l.s.Wait
		}
	}
	return total
}

// Enter implements pipeline.Attempt: it takes a place at the deployment, waiting for one if need be, and holds the money
// of its vendor. Alone, money that is spent keeps a deployment from being chosen, not from being called. With Shared all
// replicas are asked, in one more round trip unless they were asked ahead; the error of one that is spent, of kind
// llm.KindNoDeployment, has the router look elsewhere.
func (l *Limiter) Enter(ctx context.Context, x *llm.Exchange, d *llm.Deployment) error {
	if x.Asked.Now == 0 {
		l.estimate(x, x.Start) // nothing else limits the request
	}
	if l.entered(x, d) {
		return nil
	}
	if l.s.Shared != nil {
		if done, err := l.enterShared(ctx, x, d); done {
			return err
		}
	}
	for _, s := range d.Scopes {
		x.Holds = append(x.Holds, llm.Hold{})
		h := &x.Holds[len(x.Holds)-1]
		if s.Parallel == 0 {
			s.Take(s, &x.Asked, h)
			s.Granted(h, false)
			continue
		}
		for {
			freed := s.Freed()
			if why, _ := s.Reserve(s, &x.Asked, h); why == llm.Passed {
				break
			}
			select {
			case <-freed:
			case <-ctx.Done():
				l.Leave(x, d)
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// enterShared asks all replicas, and waits for a place if there is none. done is false if they cannot be asked.
func (l *Limiter) enterShared(ctx context.Context, x *llm.Exchange, d *llm.Deployment) (done bool, err error) {
	full, done, err := l.tryShared(ctx, x, d)
	if full == nil {
		return done, err
	}
	poll := time.NewTicker(sharedPoll) // other replicas do not tell when they give back
	defer poll.Stop()
	for full != nil {
		select {
		case <-full.Freed():
		case <-poll.C:
		case <-ctx.Done():
			return true, context.Cause(ctx)
		}
		full, done, err = l.tryShared(ctx, x, d)
	}
	return done, err
}

// tryShared asks all replicas once. full is the scope that has no place.
func (l *Limiter) tryShared(ctx context.Context, x *llm.Exchange, d *llm.Deployment) (full *llm.Scope, done bool, err error) {
	at, why, spent, err := l.s.Shared.Enter(ctx, x, d.Scopes)
	switch {
	case ctx.Err() != nil:
		l.Leave(x, d)
		return nil, true, context.Cause(ctx)
	case err != nil:
		return nil, false, nil //nolint:nilerr // decided here alone
	case why == llm.Passed:
		return nil, true, nil
	case why == llm.OverParallel:
		return d.Scopes[at], false, nil
	}
	s := d.Scopes[at]
	if why == llm.OverBudget {
		s.Bar(time.Now().Add(BarTime).UnixNano(), spent)
	}
	return nil, true, l.s.Crossed(s, spent, &x.Asked)
}

// Leave implements pipeline.Attempt.
func (l *Limiter) Leave(x *llm.Exchange, d *llm.Deployment) {
	for len(x.Holds) > len(x.Scopes) {
		h := &x.Holds[len(x.Holds)-1]
		if h.Scope != nil {
			l.undo(x, h)
		}
		x.Holds = x.Holds[:len(x.Holds)-1]
	}
}

// Aside implements pipeline.Aside: it charges the scopes of the deployment. Those of the request are charged by Settle.
func (l *Limiter) Aside(x *llm.Exchange, a *llm.Earlier) {
	a.Cost = l.s.Cost(x, &llm.Reply{Deployment: a.Deployment, Usage: a.Usage})
	now := time.Now().UnixNano()
	for _, s := range a.Deployment.Scopes {
		// Its place was given back, and deployments have no other limits than places and money.
		if l.s.Shared != nil {
			l.s.Shared.Charge(s, now, a.Cost)
			continue
		}
		s.Charge(s, now, a.Cost)
	}
}

func (l *Limiter) undo(x *llm.Exchange, h *llm.Hold) {
	if l.s.Shared != nil {
		l.s.Shared.Undo(x, h)
		return
	}
	h.Scope.Undo(h, x.Asked.Now)
}

func (l *Limiter) settle(x *llm.Exchange, h *llm.Hold, now, tokens int64, cost float64) {
	if l.s.Shared != nil {
		l.s.Shared.Settle(x, h, now, tokens, cost)
		return
	}
	h.Scope.Settle(h, now, tokens, cost)
}

// Settle implements pipeline.Settle: it gives back what was held and counts what was used.
func (l *Limiter) Settle(x *llm.Exchange, r *llm.Reply, _ error) {
	var tokens int64
	own := x.Charged
	if r != nil && r.Deployment != nil && (l.s.Charge || len(x.Holds) > 0) {
		tokens, own = l.tokens(r.Usage), l.s.Cost(x, r)
	}
	l.release(x, tokens, own)
	x.Charged = own + x.SpentBefore()
}

// release gives back what is held and counts what a call used.
func (l *Limiter) release(x *llm.Exchange, tokens int64, cost float64) {
	l.entered(x, nil)
	if len(x.Holds) == 0 {
		return
	}
	now := time.Now().UnixNano()
	aside, asideCost := x.Asides()
	all, allCost := tokens+l.tokens(aside), cost+asideCost
	for i := range x.Holds {
		h := &x.Holds[i]
		if i < len(x.Scopes) {
			l.settle(x, h, now, all, allCost)
		} else { // the deployment's, which did not do the rest
			l.settle(x, h, now, tokens, cost)
		}
		if s := h.Scope; l.s.SoftBudget != nil && s.Warn(s) {
			l.s.SoftBudget(s)
		}
	}
	for i := range x.Earlier {
		x.Earlier[i].Settled = true
	}
	clear(x.Holds)
	x.Holds = x.Holds[:0]
}

// tokens are those that count. What the vendor had in its cache does not.
func (l *Limiter) tokens(u llm.Usage) int64 {
	switch l.s.Tokens {
	case InputTokens:
		return u.Prompt - min(u.Cached, u.Prompt)
	case OutputTokens:
		return u.Completion
	}
	total := u.Total
	if total == 0 {
		total = u.Prompt + u.Completion
	}
	return max(0, total-min(u.Cached, u.Prompt))
}
