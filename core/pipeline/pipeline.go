// Package pipeline is the contract for everything that looks at an exchange between authentication and the vendor, and
// at the reply on its way back: guardrails, budgets, limits, caches. A hook implements one or more of the interfaces
// below; Chain runs the hooks in order on the way in, and in reverse order on the way back.
package pipeline

import (
	"context"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Before sees a request before a deployment is chosen.
type Before interface {
	// Before may change the exchange. It returns a reply to answer in place of a model, or an error, normally an
	// *llm.Error of kind llm.KindRejected, to refuse. Both nil means: go on.
	Before(ctx context.Context, x *llm.Exchange) (*llm.Reply, error)
}

// During sees a request while a model already works on it. It costs the caller no time unless it is slower than the
// model.
type During interface {
	// During runs beside the call, on a goroutine of its own. It reads the request (body, header, model, principal,
	// controls) and changes nothing. After an error nothing of the answer reaches the caller, and the call is aborted.
	// looked is true if the hook had a say, so that it is noted in x, see llm.Exchange.Guarded.
	During(ctx context.Context, x *llm.Exchange) (looked bool, err error)
}

// After sees a whole reply.
type After interface {
	// After may change r.First.Data. An error replaces the reply.
	After(ctx context.Context, x *llm.Exchange, r *llm.Reply) error
}

// Stream sees a streamed reply.
type Stream interface {
	// Stream is called once, when the first part is there. It may change r.First and put a stream of its own in front
	// of r.Rest, which then closes the one behind it. A part without Data is not sent. An error replaces the reply.
	Stream(ctx context.Context, x *llm.Exchange, r *llm.Reply) error
}

// Failure sees what goes wrong.
type Failure interface {
	// Failure returns the error that the caller gets: e or another one.
	Failure(ctx context.Context, x *llm.Exchange, e *llm.Error) *llm.Error
}

// Attempt sees each call to a deployment.
type Attempt interface {
	// Enter is called before a deployment with Scopes is called. It may wait. An error takes the place of the call's.
	Enter(ctx context.Context, x *llm.Exchange, d *llm.Deployment) error
	// Leave is called when a call that Enter let pass has failed.
	Leave(x *llm.Exchange, d *llm.Deployment)
}

// Aside learns of attempts that the gateway gave up although a vendor worked on them.
type Aside interface {
	// Aside is called once for each, before Settle, when what Enter took for it was given back. It fills in a.Cost.
	Aside(x *llm.Exchange, a *llm.Earlier)
}

// Settle learns how exchanges ended.
type Settle interface {
	// Settle is called once for each exchange, whatever became of it, before it is recorded. r is nil if there was no
	// reply. It must not block. It may fill in r.Usage if the vendor reported none.
	Settle(x *llm.Exchange, r *llm.Reply, err error)
}

// Hook is one member of a chain.
type Hook struct {
	Name  string
	Guard bool // a guardrail: it still sees a request that an earlier hook already answered
	Again bool // its After or Stream may return an *Again
	Blind bool // it looks at who asks and how much, not at what is said; it works on any dialect
	Do    any  // implements at least one of the interfaces above
}
