package budget

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Deployments leaves out deployments whose own budget, or that of their vendor or tags, is spent. It follows
// litellm/router_strategy/budget_limiter.py.
type Deployments struct{}

// Allows implements router.Check.
func (Deployments) Allows(x *llm.Exchange, d *llm.Deployment) bool {
	if x.Ahead != nil && d.ID == x.Ahead.ID {
		return true // its money is held already, maybe the last of it
	}
	s, _ := spentScope(x, d)
	return s == nil
}

// Refusal implements router.Check: the error says which budgets are spent.
func (Deployments) Refusal(x *llm.Exchange, list []*llm.Deployment) error {
	var over []string
	for _, d := range list {
		if s, spent := spentScope(x, d); s != nil {
			over = append(over, exceeded(s, spent, x.Start.UnixNano()))
		}
	}
	return crossed(strings.Join(over, "; "))
}

// Crossed is the error of a call to a deployment whose budget, or that of its vendor, is found spent when it is made.
func Crossed(s *llm.Scope, spent float64, ask *llm.Ask) *llm.Error {
	return crossed(exceeded(s, spent, ask.Now))
}

func crossed(which string) *llm.Error {
	return &llm.Error{
		Op: "budget.Deployments", Kind: llm.KindNoDeployment, Status: 429, Type: "budget_exceeded",
		Message: "No deployments available - crossed budget: " + which,
	}
}

func exceeded(s *llm.Scope, spent float64, now int64) string {
	return "Exceeded budget for " + whose(s) + ": " + Dollars(spent) + " >= " + Dollars(s.Budget.Cap(now))
}

// spentScope is the scope of a deployment whose budget is spent, and what is spent of it; or nil.
func spentScope(x *llm.Exchange, d *llm.Deployment) (*llm.Scope, float64) {
	ask := llm.Ask{Now: x.Start.UnixNano(), Share: x.Asked.Share}
	for _, s := range d.Scopes {
		if !s.Budget.Limited {
			continue
		}
		if why, spent := s.Over(s, &ask); why != llm.Passed {
			return s, spent
		}
	}
	return nil, 0
}
