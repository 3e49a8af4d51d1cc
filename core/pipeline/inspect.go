package pipeline

import (
	"context"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Choosy is a guardrail that looks at the answers of some exchanges only.
type Choosy interface {
	// Wants reports whether it looks at the answer to x.
	Wants(x *llm.Exchange) bool
}

// Inspect has the guardrails look at a further message of a conversation that Before let begin: those before a call, which
// may change x.Raw, and then those beside one.
func (c *Chain) Inspect(ctx context.Context, x *llm.Exchange) error {
	for _, h := range c.before {
		if !h.guard {
			continue
		}
		reply, err := h.Before.Before(ctx, x)
		if err != nil {
			return err
		}
		closeReply(reply)
	}
	for _, h := range c.during {
		run := llm.GuardRun{Name: h.name, Mode: "during_call", Start: time.Now(), Status: llm.GuardPassed}
		looked, err := h.During.During(ctx, x)
		if run.Took = time.Since(run.Start); err != nil {
			run.Status = llm.GuardIntervened
		}
		if looked {
			x.Guarded(run)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// InspectAnswer has the guardrails look at an answer within a conversation.
func (c *Chain) InspectAnswer(ctx context.Context, x *llm.Exchange, r *llm.Reply) error {
	for _, h := range c.afterGuards {
		if err := h.After(ctx, x, r); err != nil {
			return err
		}
	}
	return nil
}

// WantsAnswers reports whether a guardrail looks at answers to x.
func (c *Chain) WantsAnswers(x *llm.Exchange) bool {
	for _, h := range c.afterGuards {
		if w, ok := h.(Choosy); !ok || w.Wants(x) {
			return true
		}
	}
	return false
}
