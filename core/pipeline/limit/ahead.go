package limit

import (
	"context"
	"slices"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// ahead finds the deployment that is to be asked for along with the request's own scopes. If none of these is counted
// together, the deployment's are asked for when it is called: that is one round trip as well.
func (l *Limiter) ahead(ctx context.Context, x *llm.Exchange) {
	x.Ahead = nil
	if l.s.Ahead == nil || l.s.Shared == nil || x.Asked.Share > 0 || x.Crowded != nil || !slices.ContainsFunc(x.Scopes, together) {
		return
	}
	if x.Ahead = l.s.Ahead(ctx, x); x.Ahead != nil {
		x.LetGo = l.letGo
	}
}

// letGo gives back what was taken ahead.
func (l *Limiter) letGo(x *llm.Exchange) { l.entered(x, nil) }

// together reports whether Shared is asked for a scope.
func together(s *llm.Scope) bool {
	return s.Limits != llm.Limits{} || s.Budget.Limited
}

// entered reports whether what a deployment needs was taken ahead. What was taken for another one is given back.
func (l *Limiter) entered(x *llm.Exchange, d *llm.Deployment) bool {
	ahead := x.Ahead
	if ahead == nil {
		return false
	}
	x.Ahead = nil
	if d != nil && len(x.Holds) > len(x.Scopes) && slices.Equal(ahead.Scopes, d.Scopes) {
		return true
	}
	l.Leave(x, ahead)
	return false
}
