package pipeline

import (
	"context"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Chain is an ordered list of hooks. It is immutable and safe for concurrent use. The zero value lets everything pass,
// and a kind of hook that nobody has costs nothing.
type Chain struct {
	before  []beforeHook
	during  []duringHook
	after   []After
	stream  []Stream
	failure []Failure
	attempt []Attempt
	settle  []Settle
	repeat  []Repeat
	aside   []Aside
	again   bool

	afterGuards []After

	readsRequests, readsAnswers bool
}

type beforeHook struct {
	Before
	guard bool
}

type duringHook struct {
	During
	name string
}

// NewChain makes a chain that calls the hooks in the given order, and in reverse order on the way back.
func NewChain(hooks ...Hook) *Chain {
	c := &Chain{}
	for _, h := range hooks {
		c.readsRequests = c.readsRequests || !h.Blind && readsRequests(h.Do)
		c.readsAnswers = c.readsAnswers || !h.Blind && readsAnswers(h.Do)
		if b, ok := h.Do.(Before); ok {
			c.before = append(c.before, beforeHook{b, h.Guard})
		}
		if d, ok := h.Do.(During); ok {
			c.during = append(c.during, duringHook{d, h.Name})
		}
		if a, ok := h.Do.(After); ok {
			c.after = append(c.after, a)
			if h.Guard {
				c.afterGuards = append(c.afterGuards, a)
			}
		}
		if s, ok := h.Do.(Stream); ok {
			c.stream = append(c.stream, s)
		}
		if f, ok := h.Do.(Failure); ok {
			c.failure = append(c.failure, f)
		}
		if a, ok := h.Do.(Attempt); ok {
			c.attempt = append(c.attempt, a)
		}
		if r, ok := h.Do.(Repeat); ok {
			c.repeat = append(c.repeat, r)
		}
		c.again = c.again || h.Again
		if a, ok := h.Do.(Aside); ok {
			c.aside = append(c.aside, a)
		}
		if s, ok := h.Do.(Settle); ok {
			c.settle = append(c.settle, s)
		}
	}
	slices.Reverse(c.after)
	slices.Reverse(c.afterGuards)
	slices.Reverse(c.stream)
	slices.Reverse(c.failure)
	return c
}

func readsRequests(hook any) bool {
	switch hook.(type) {
	case Before, During:
		return true
	}
	return false
}

func readsAnswers(hook any) bool {
	switch hook.(type) {
	case After, Stream:
		return true
	}
	return false
}

// ReadsRequests reports whether a hook looks at what requests say, and needs a chat in the form of the OpenAI API.
func (c *Chain) ReadsRequests() bool { return c.readsRequests }

// ReadsAnswers reports the same of answers.
func (c *Chain) ReadsAnswers() bool { return c.readsAnswers }

// Guarded reports whether a guardrail looks at requests.
func (c *Chain) Guarded() bool {
	for _, h := range c.before {
		if h.guard {
			return true
		}
	}
	return len(c.during) > 0
}

// Before runs the hooks on a request. A reply does not end the walk: guardrails that follow still see the request and
// may refuse it, so a cached answer never gets around them.
func (c *Chain) Before(ctx context.Context, x *llm.Exchange) (*llm.Reply, error) {
	var reply *llm.Reply
	for _, h := range c.before {
		if reply != nil && !h.guard {
			continue
		}
		r, err := h.Before.Before(ctx, x)
		if err != nil {
			closeReply(reply)
			return nil, err
		}
		if reply == nil {
			reply = r
			continue
		}
		closeReply(r)
	}
	return reply, nil
}

func closeReply(r *llm.Reply) {
	if r != nil && r.Rest != nil {
		_ = r.Rest.Close()
	}
}

// Back runs the hooks on a reply: those for whole replies or those for streams.
func (c *Chain) Back(ctx context.Context, x *llm.Exchange, r *llm.Reply) error {
	if r.Streamed {
		for _, h := range c.stream {
			if err := h.Stream(ctx, x, r); err != nil {
				return err
			}
		}
		return nil
	}
	for _, h := range c.after {
		if err := h.After(ctx, x, r); err != nil {
			return err
		}
	}
	return nil
}

// Failure runs the hooks on an error.
func (c *Chain) Failure(ctx context.Context, x *llm.Exchange, e *llm.Error) *llm.Error {
	for _, h := range c.failure {
		e = h.Failure(ctx, x, e)
	}
	return e
}

// Enter asks the hooks whether a deployment may be called now.
func (c *Chain) Enter(ctx context.Context, x *llm.Exchange, d *llm.Deployment) error {
	for i, a := range c.attempt {
		if err := a.Enter(ctx, x, d); err != nil {
			for _, a := range c.attempt[:i] {
				a.Leave(x, d)
			}
			return err
		}
	}
	return nil
}

// Leave tells the hooks that a call which Enter let pass has failed.
func (c *Chain) Leave(x *llm.Exchange, d *llm.Deployment) {
	for _, a := range c.attempt {
		a.Leave(x, d)
	}
}

// Aside notes in x what an attempt used that the gateway gave up, and tells the hooks.
func (c *Chain) Aside(x *llm.Exchange, by string, d *llm.Deployment, u llm.Usage) {
	x.Earlier = append(x.Earlier, llm.Earlier{By: by, Aside: true, Deployment: d, Usage: u})
	for _, h := range c.aside {
		h.Aside(x, &x.Earlier[len(x.Earlier)-1])
	}
}

// Settle tells the hooks how an exchange ended.
func (c *Chain) Settle(x *llm.Exchange, r *llm.Reply, err error) {
	for _, s := range c.settle {
		s.Settle(x, r, err)
	}
}

// Watch is the hooks that run beside one call.
type Watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	parts  []watched
	waited bool
}

type watched struct {
	run    llm.GuardRun
	looked bool
	own    bool // the hook failed by itself, not because another one ended the call
	err    error
	done   chan struct{}
}

// Watch starts the hooks that run beside a call. It returns nil if there are none; the methods of a nil Watch do
// nothing, at no cost.
func (c *Chain) Watch(ctx context.Context, x *llm.Exchange) *Watch {
	if len(c.during) == 0 {
		return nil
	}
	w := &Watch{parts: make([]watched, len(c.during))}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	for i, h := range c.during {
		p := &w.parts[i]
		p.run = llm.GuardRun{Name: h.name, Mode: "during_call", Start: time.Now()}
		p.done = make(chan struct{})
		go func() {
			defer close(p.done)
			defer func() { p.run.Took = time.Since(p.run.Start) }()
			if p.looked, p.err = h.During.During(w.ctx, x); p.err != nil {
				p.own = w.ctx.Err() == nil
				w.cancel(p.err)
			}
		}()
	}
	return w
}

// Context is the context for the call: it ends when a hook refuses.
func (w *Watch) Context(ctx context.Context) context.Context {
	if w == nil {
		return ctx
	}
	return w.ctx
}

// Wait waits for the hooks and returns the first refusal, which also ended the others. It is called on every path, before
// anything reaches the caller and before x changes hands. Those that looked at the exchange are noted in it. A second
// call does nothing.
func (w *Watch) Wait(x *llm.Exchange) error {
	if w == nil || w.waited {
		return nil
	}
	w.waited = true
	refused := false
	for i := range w.parts {
		p := &w.parts[i]
		<-p.done
		refused = refused || p.err != nil
		if p.looked {
			p.run.Status = llm.GuardPassed
			if p.err != nil {
				p.run.Status = llm.GuardIntervened
			}
			x.Guarded(p.run)
		} else if p.own {
			p.run.Status = llm.GuardFailed
			x.Guarded(p.run)
		}
	}
	if refused {
		return context.Cause(w.ctx)
	}
	return nil
}

// Close frees the context, when the reply was sent or given up. It implies nothing about the hooks.
func (w *Watch) Close() {
	if w != nil {
		w.cancel(nil)
	}
}
