// Package pipeline is the contract for everything that looks at an exchange between authentication and the vendor, and
// at the reply on its way back: guardrails, budgets, limits, caches. A hook implements one or more of Before, Each and
// After; Chain runs them in order, and in reverse order on the way back.
package pipeline

import (
	"context"
	"slices"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Before sees a request before a deployment is chosen.
type Before interface {
	// Before may change the exchange. It returns a reply to answer in place of a model, or an error, normally an
	// *llm.Error of kind llm.KindRejected, to refuse. Both nil means: go on.
	Before(ctx context.Context, x *llm.Exchange) (*llm.Reply, error)
}

// Each sees every part of a streamed reply.
type Each interface {
	// Each may change p. An error ends the stream; the caller gets it as an error event.
	Each(ctx context.Context, x *llm.Exchange, p *llm.Part) error
}

// After sees a whole reply.
type After interface {
	// After may change r.First.Data. An error replaces the reply.
	After(ctx context.Context, x *llm.Exchange, r *llm.Reply) error
}

// Hook is one member of a chain.
type Hook struct {
	Name  string
	Guard bool // a guardrail: it still sees a request that an earlier hook already answered
	Do    any  // implements Before, Each or After
}

// Chain is an ordered list of hooks. It is immutable and safe for concurrent use. The zero value lets everything pass.
type Chain struct {
	before []beforeHook
	each   []Each
	after  []After
}

type beforeHook struct {
	Before
	guard bool
}

// NewChain makes a chain that calls the hooks in the given order, and in reverse order on the way back.
func NewChain(hooks ...Hook) *Chain {
	c := &Chain{}
	for _, h := range hooks {
		if b, ok := h.Do.(Before); ok {
			c.before = append(c.before, beforeHook{b, h.Guard})
		}
		if e, ok := h.Do.(Each); ok {
			c.each = append(c.each, e)
		}
		if a, ok := h.Do.(After); ok {
			c.after = append(c.after, a)
		}
	}
	slices.Reverse(c.each)
	slices.Reverse(c.after)
	return c
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
			if reply != nil {
				closeReply(reply)
			}
			return nil, err
		}
		if r != nil && reply == nil {
			reply = r
		} else if r != nil {
			closeReply(r)
		}
	}
	return reply, nil
}

func closeReply(r *llm.Reply) {
	if r.Rest != nil {
		_ = r.Rest.Close()
	}
}

// Each runs the hooks on one part of a stream.
func (c *Chain) Each(ctx context.Context, x *llm.Exchange, p *llm.Part) error {
	for _, h := range c.each {
		if err := h.Each(ctx, x, p); err != nil {
			return err
		}
	}
	return nil
}

// After runs the hooks on a whole reply.
func (c *Chain) After(ctx context.Context, x *llm.Exchange, r *llm.Reply) error {
	for _, h := range c.after {
		if err := h.After(ctx, x, r); err != nil {
			return err
		}
	}
	return nil
}
