package gateway

import (
	"context"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Inspect has the guardrails look at a further message of a conversation, which is in x.Raw and may be changed there. x is
// an exchange of the message's own, with what identifies the conversation.
func (g *Gateway) Inspect(ctx context.Context, x *llm.Exchange) error {
	s := g.current.acquire()
	defer s.release()
	return s.Pipeline.Inspect(ctx, x)
}

// InspectAnswer has them look at an answer of the conversation.
func (g *Gateway) InspectAnswer(ctx context.Context, x *llm.Exchange, r *llm.Reply) error {
	s := g.current.acquire()
	defer s.release()
	return s.Pipeline.InspectAnswer(ctx, x, r)
}

// Inspects reports whether guardrails look at messages of callers, and at the answers to x.
func (g *Gateway) Inspects(x *llm.Exchange) (requests, answers bool) {
	s := g.current.acquire()
	defer s.release()
	return s.Pipeline.Guarded(), s.Pipeline.WantsAnswers(x)
}
