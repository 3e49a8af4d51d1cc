package pipeline

import (
	"context"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Again is what After and Stream return to have a model asked again, before anything of its answer has left. Whoever knows
// nothing of it sees the refusal, which it wraps.
type Again struct {
	By      string   // the guardrail
	Choice  int      // the choice that is found fault with
	Ask     []string // messages of the user that go behind that choice's text; none repeats the request as it was
	Refusal error    // what the caller is told if no model is asked again
}

// Error describes the refusal.
func (a *Again) Error() string { return a.Refusal.Error() }

// Unwrap returns the refusal.
func (a *Again) Unwrap() error { return a.Refusal }

// Repeat is for hooks that take and settle something for each call.
type Repeat interface {
	// Repeat is called before a model is asked again. r is the answer that did not do: what it used is settled, and what
	// another may use is taken. An error keeps the model from being asked.
	Repeat(ctx context.Context, x *llm.Exchange, r *llm.Reply) error
}

// AsksAgain reports whether a hook may have a model asked again.
func (c *Chain) AsksAgain() bool { return c.again }

// Repeat tells the hooks that a model is asked again.
func (c *Chain) Repeat(ctx context.Context, x *llm.Exchange, r *llm.Reply) error {
	for _, h := range c.repeat {
		if err := h.Repeat(ctx, x, r); err != nil {
			return err
		}
	}
	return nil
}
