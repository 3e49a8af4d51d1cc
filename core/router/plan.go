package router

import (
	"context"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Plan is the way of one exchange through the deployments: Router.Plan begins it, Next gives one deployment after
// another, Done ends it. The zero value is ready; a plan can be used again, and then allocates nothing on the way to
// its first deployment. One goroutine uses it at a time. It may be copied between Done and the next Router.Plan.
type Plan struct {
	r *Router
	x *llm.Exchange

	// The group that is tried.
	name    string // as it was asked for
	group   *group
	params  []llm.Pair
	depth   int       // fallbacks of fallbacks
	tried   []bool    // by index of the group's members
	passed  int       // deployments that were handed out and could not be called
	list    []int     // the members to choose from
	scores  []float64 // of list
	at      int       // the member handed out last
	open    bool      // it counts as in flight
	probe   bool      // the call tests whether the member is back
	counted bool      // the call is among the member's requests of the minute
	begun   time.Time // when the call began
	took    time.Duration
	retries int
	base    int        // retries, unless a policy says otherwise; -1 until a deployment is chosen
	limit   int        // of retries, after the latest failure
	cause   *llm.Error // the first failure in the group

	placed   bool     // a place at the member is taken, and counted as in flight
	needs    needs    // of the request
	bonds    bonds    // of the request in the group
	tagWords []uint64 // scratch

	asked   outcome    // how the group that the caller asked for failed
	later   *llm.Error // how the latest fallback failed
	given   []Target   // the caller's own fallbacks
	own     bool       // the caller sent a list, be it empty
	tooLong []Target   // after a prompt that was too long, in place of the router's
	unfit   []Target   // after a refusal for what a prompt says; likewise
	frames  []frame    // fallbacks still to try, innermost last
	been    []string   // groups that were tried
}

// outcome is how a group failed.
type outcome struct {
	err            *llm.Error
	retries, limit int
	fallbacks      []Target
}

// frame is a list of fallbacks that is being worked through.
type frame struct {
	targets []Target
	next    int
	depth   int
}

// Plan begins p for the exchange. The error, an *llm.Error, says that the principal may not use the model, that there
// is none of the name, or that the caller's list of fallbacks cannot be used.
func (r *Router) Plan(x *llm.Exchange, p *Plan) error {
	p.settle(nil)
	p.reset()
	if !r.allowed(x.Principal, x.Model) {
		return accessDenied(x.Principal, x.Model)
	}
	g, err := r.resolveFor(x.Principal, x.Model)
	if err != nil {
		return err
	}
	if g == nil {
		return unknownModel(x.Op, x.Model)
	}
	if err := p.readGiven(r, x); err != nil {
		return err
	}
	x.Retries, x.MaxRetries, x.Fallbacks = 0, 0, 0
	p.r, p.x = r, x
	p.start(Target{Group: x.Model}, g)
	return nil
}

// Group is the name of the model group that is tried: the one asked for, or a fallback.
func (p *Plan) Group() string { return p.name }

// Params are the members that the current fallback replaces in the request body; nil for most. Value is JSON.
func (p *Plan) Params() []llm.Pair { return p.params }

func (p *Plan) start(t Target, g *group) {
	p.name, p.group, p.params = t.Group, g, t.Params
	p.retries, p.base, p.limit, p.cause, p.passed = 0, -1, -1, nil, 0
	if cap(p.tried) < len(g.members) {
		p.tried = make([]bool, len(g.members))
	}
	p.tried = p.tried[:len(g.members)]
	clear(p.tried)
	p.been = append(p.been, g.name)
	p.x.Retries = 0
	p.bonds.forget()
}

// budgetExceeded is the type of the error that says that a deployment's budget, or its vendor's, is spent.
const budgetExceeded = "budget_exceeded"

// Next returns the deployment to call. last is nil at first, and afterwards how the call to the former deployment
// failed. Next may wait before it returns, and stops waiting when ctx ends. It keeps x.Retries, x.MaxRetries and
// x.Fallbacks up to date.
//
// The error, an *llm.Error, ends the plan: it is the failure of the group that the caller asked for, told the way the
// reference does, or last itself if nothing else may be tried after it.
func (p *Plan) Next(ctx context.Context, last error) (*llm.Deployment, error) {
	if p.group == nil {
		return nil, &llm.Error{Op: "router.Next", Kind: llm.KindInternal, Message: "Internal server error."}
	}
	if last == nil {
		if e := p.x.Crowded; e != nil {
			p.x.Crowded = nil
			p.cause = e
			return p.fallBack(ctx, e)
		}
		if p.x.Controls.Testing != 0 {
			return p.pretend(ctx)
		}
		return p.next(ctx)
	}
	e := llm.AsError(last)
	called := p.open
	p.settle(e)
	if called && e.Kind == llm.KindNoDeployment && e.Type == budgetExceeded && p.passed < len(p.group.members) {
		p.passed++ // nobody was called: other replicas have spent its budget meanwhile
		return p.next(ctx)
	}
	return p.after(ctx, e)
}

// next picks a deployment of the group, or goes on to a fallback if nobody there may be called.
func (p *Plan) next(ctx context.Context) (*llm.Deployment, error) {
	d, err := p.pick(ctx)
	if err == nil {
		return d, nil
	}
	switch e := llm.AsError(err); e.Kind {
	case llm.KindNoDeployment, llm.KindContextWindow:
		return p.after(ctx, e)
	default:
		return nil, e // a filter that could not do its work, here and anywhere else
	}
}

// after goes on after a failure.
func (p *Plan) after(ctx context.Context, e *llm.Error) (*llm.Deployment, error) {
	if err := ctx.Err(); err != nil {
		return nil, llm.AsError(err)
	}
	if !recoverable(e.Kind) {
		return nil, e
	}
	if p.cause == nil {
		p.cause = e
	}
	if p.x.Late(0) {
		return nil, e
	}
	if wait := p.backoff(e); p.again(e) && !p.x.Late(wait) {
		if err := sleep(ctx, wait); err != nil {
			return nil, llm.AsError(err)
		}
		p.retries++
		p.x.Retries = p.retries
		return p.next(ctx)
	}
	return p.fallBack(ctx, e)
}

func (p *Plan) pick(ctx context.Context) (*llm.Deployment, error) {
	p.settle(nil)
	p.begun, p.took, p.counted = time.Now(), 0, false
	at, err := p.choose(ctx)
	if err != nil {
		return nil, err
	}
	p.at, p.tried[at] = at, true
	m := &p.group.members[at]
	if !p.placed {
		m.state.inFlight.Add(1)
	}
	p.placed = false
	m.state.calls.Add(1)
	if !p.counted {
		m.state.requests.add(minuteOf(p.begun), 1)
	}
	p.probe = m.state.until.Load() != 0 && m.state.probing.CompareAndSwap(false, true)
	p.open = true
	if p.base < 0 {
		p.base = p.r.retries(p.x, m.d)
		p.limit, p.x.MaxRetries = p.base, p.base
	}
	return m.d, nil
}

// Began tells that the deployment handed out last answers: at that time a whole answer was there, or the first part of
// a stream. It ends the deployment's probation.
func (p *Plan) Began(at time.Time) {
	if !p.open {
		return
	}
	p.took = max(at.Sub(p.begun), 1)
	m := &p.group.members[p.at]
	p.r.back(m, at)
	if p.r.s.Affinity.on() {
		p.bind(m.d.ID, at)
	}
}

// Answered tells what the answer cost, once it was read to its end. It comes before Done, and teaches the router how
// fast the deployment is and what of its limits is used.
func (p *Plan) Answered(u llm.Usage) {
	if !p.open || p.took == 0 {
		return
	}
	now, st := time.Now(), p.group.members[p.at].state
	st.sample(p.x.Streamed, p.took, u, now.UnixNano(), &p.r.s.StrategyArgs)
	if total := max(u.Total, u.Prompt+u.Completion); total > 0 {
		st.tokens.add(minuteOf(now), total)
	}
}

// settle ends the call to the current deployment, if one is open.
func (p *Plan) settle(e *llm.Error) {
	if !p.open {
		return
	}
	p.open = false
	m := &p.group.members[p.at]
	st := m.state
	st.end(e != nil && e.Kind.Vendor())
	if e == nil || e.Kind != llm.KindCanceled {
		p.learn(m, e)
	}
	if p.probe {
		p.probe = false
		st.probing.Store(false)
	}
}

// learn counts how a call ended.
func (p *Plan) learn(m *member, e *llm.Error) {
	now := time.Now()
	nano, st := now.UnixNano(), m.state
	st.done.add(minuteOf(now), 1)
	if e == nil || !e.Kind.Vendor() {
		st.fault(false, nano)
		return
	}
	st.fault(faulty(e), nano)
	if e.Kind == llm.KindTimeout {
		st.timeout(p.x.Streamed, now.Sub(p.begun), nano, &p.r.s.StrategyArgs)
	}
	p.judge(m, e, now)
	if !faulty(e) {
		p.r.back(m, now) // it answers, be it that it refuses the request
	}
}

// fallBack goes to the next group after the current one failed with e.
func (p *Plan) fallBack(ctx context.Context, e *llm.Error) (*llm.Deployment, error) {
	targets := p.targets(e)
	if p.asked.err == nil {
		p.asked = outcome{p.cause, p.retries, p.limit, targets}
	} else {
		p.later = p.cause
	}
	if len(targets) > 0 && p.depth < p.r.s.MaxFallbacks {
		p.frames = append(p.frames, frame{targets: targets, depth: p.depth})
	}
	for len(p.frames) > 0 {
		f := &p.frames[len(p.frames)-1]
		if f.next == len(f.targets) {
			*f = frame{}
			p.frames = p.frames[:len(p.frames)-1]
			continue
		}
		t := f.targets[f.next]
		f.next++
		g, err := p.r.resolveFor(p.x.Principal, t.Group)
		if g == nil || err != nil || p.hasBeen(g) {
			continue
		}
		f.depth++
		p.depth = f.depth
		p.x.Fallbacks++
		p.start(t, g)
		return p.next(ctx)
	}
	return nil, p.giveUp()
}

// hasBeen reports whether the group has failed this exchange already. Trying it again would only cost time.
func (p *Plan) hasBeen(g *group) bool {
	for _, name := range p.been {
		if name == g.name {
			return true
		}
	}
	return false
}

// Done ends the plan, once its exchange is over. err is how it ended, nil for success. A failure counts against the
// deployment handed out last only if it came from the vendor, and only if Next was not told of it.
func (p *Plan) Done(err error) {
	p.settle(llm.AsError(err))
	p.reset()
}

func (p *Plan) reset() {
	clear(p.frames)
	clear(p.been)
	p.bonds.forget()
	*p = Plan{
		tried: p.tried[:0], list: p.list[:0], scores: p.scores[:0], frames: p.frames[:0], been: p.been[:0],
		bonds: p.bonds, tagWords: p.tagWords[:0],
	}
}

// sleep waits, or returns why ctx ended before.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
