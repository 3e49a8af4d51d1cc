// Package gateway is the spine: Serve takes an exchange from the listener to a model and back, through contracts only.
// Which authenticators, hooks, deployments and sinks stand behind the contracts is a Snapshot, swapped as a whole when
// the configuration changes; exchanges under way keep the one they began with.
package gateway

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Transport carries a call to a vendor and brings back the header of its answer; the body is read through a.Body.
type Transport interface {
	Do(ctx context.Context, c *llm.Call, a *llm.Answer) error
}

// Gateway serves exchanges. It is safe for concurrent use.
type Gateway struct {
	current   current
	transport Transport
	paces     sync.Map // of *pace by paceKey
	paceCount atomic.Int64
}

// New makes a gateway that calls vendors through t and starts with the snapshot s.
func New(t Transport, s *Snapshot) *Gateway {
	g := &Gateway{transport: t}
	g.current.swap(s)
	return g
}

// Swap makes s the snapshot of all exchanges that begin from now on. The former one is closed when the last exchange
// that uses it has ended.
func (g *Gateway) Swap(s *Snapshot) { g.current.swap(s) }

// Serve answers one exchange. On success the reply has begun: its first part is there, and whoever sends it pulls the
// others from reply.Rest and closes it, exactly once. After an error there is nothing to close. An error is an
// *llm.Error; retries and fallbacks have been tried when it comes.
//
// The reply borrows from x. x must stay as it is until reply.Rest is closed.
func (g *Gateway) Serve(ctx context.Context, x *llm.Exchange) (reply *llm.Reply, err error) {
	t := begin(ctx, g, x)
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
		if err != nil {
			err = t.fail(err)
		}
	}()

	// Who asks?
	if err = t.authenticate(ctx); err != nil {
		return nil, err
	}
	if t.Pipeline.ReadsRequests() {
		if err = x.Chat(); err != nil {
			return nil, err
		}
	}
	// May the request pass, and as what? A hook may also have the answer.
	answered, err := t.Pipeline.Before(ctx, x)
	if err != nil {
		return nil, err
	}
	// Which deployment answers it? The router decides again after each failure. Hooks that run beside the call may
	// refuse it until the first byte is sent.
	t.watch = t.Pipeline.Watch(ctx, x)
	if answered != nil {
		t.take(answered)
	} else {
		err = t.route(t.watch.Context(ctx))
	}
	if refused := t.watch.Wait(x); refused != nil {
		return nil, refused
	}
	if err != nil {
		return nil, err
	}
	// What may the caller see of it? A hook may also have a model asked again.
	if err = t.back(ctx, answered == nil); err != nil {
		return nil, err
	}
	t.reply.Sent, t.reply.Parts = len(t.reply.First.Data), 1
	t.keep(&t.reply.First)
	if !t.reply.Streamed {
		t.measure(t.reply.First.Data)
	}
	t.rest, t.reply.Rest = t.reply.Rest, t
	return &t.reply, nil
}

// authenticate sets the principal, unless the route is open to anybody, and asks whether it may use what the request
// names.
func (t *turn) authenticate(ctx context.Context) (err error) {
	if p := t.x.Pinned; p != nil && p.Open {
		return nil
	}
	t.x.Principal, err = t.Auth.Authenticate(ctx, t.x, auth.Find(t.x.Header, t.KeyHeader))
	if err == nil && t.x.Admit != nil {
		err = t.x.Admit(t.x)
	}
	return err
}

// route asks the router for deployments, best first, until one answers or the router gives up.
func (t *turn) route(ctx context.Context) error {
	if d := t.x.Pinned; d != nil {
		if t.x.Wanted != "" {
			if err := t.Router.Allow(t.x.Principal, t.x.Wanted); err != nil {
				return err
			}
		}
		return t.attempt(ctx, &t.leg, d)
	}
	if t.TotalTimeout > 0 {
		t.x.Deadline = time.Now().Add(t.TotalTimeout)
	}
	if t.x.Controls.Fastest && strings.Contains(t.x.Model, ",") {
		return t.fastest(ctx)
	}
	return t.planned(ctx, "")
}

// planned asks the router for deployments. The one to avoid is not called first; if there is no other, nobody is.
func (t *turn) planned(ctx context.Context, avoid string) error {
	if err := t.Router.Plan(t.x, &t.plan); err != nil {
		return err
	}
	t.routed = true
	if avoid != "" && !t.plan.Avoid(avoid) {
		return errNobodyElse
	}
	var failure error
	for {
		d, err := t.plan.Next(ctx, failure)
		if err != nil {
			return err
		}
		if d.ID == avoid && failure == nil {
			return errNobodyElse
		}
		t.x.Overrides = t.plan.Params()
		if err := t.unseen(); err != nil {
			return err
		}
		adopted, err := t.callFirst(ctx, d)
		if adopted {
			return nil
		}
		if failure = err; err == nil {
			t.plan.Began(t.x.Answered)
			t.watchStream()
			return nil
		}
	}
}

// unseen refuses a fallback that brings another prompt than the one that guardrails have looked at.
func (t *turn) unseen() error {
	for _, o := range t.x.Overrides {
		switch o.Name {
		case "messages", "prompt", "input":
			if t.Pipeline.Guarded() {
				return &llm.Error{
					Op: "gateway.route", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "fallbacks",
					Message: "A fallback cannot bring its own " + o.Name + " while guardrails look at requests.",
				}
			}
		}
	}
	return nil
}

func panicked(v any) error {
	return &llm.Error{
		Op: "gateway.Serve", Kind: llm.KindInternal, Message: "Internal server error.",
		Err: fmt.Errorf("panic: %v\n%s", v, debug.Stack()),
	}
}
