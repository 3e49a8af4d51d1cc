package budget

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Deployments leaves out deployments whose own budget, or that of their vendor or tags, is spent. It follows
// litellm/router_strategy/budget_limiter.py.
type Deployments struct{}

// Allows implements router.Check.
func (Deployments) Allows(x *llm.Exchange, d *llm.Deployment) bool { return spentScope(x, d) == nil }

// Refusal implements router.Check: the error says which budgets are spent.
func (Deployments) Refusal(x *llm.Exchange, list []*llm.Deployment) error {
	var over []string
	for _, d := range list {
		if s := spentScope(x, d); s != nil {
			spent, _ := s.Spent()
			over = append(over, "Exceeded budget for "+whose(s)+": "+Dollars(spent)+" >= "+Dollars(s.Budget.Cap(x.Asked.Now)))
		}
	}
	return &llm.Error{
		Op: "budget.Deployments", Kind: llm.KindNoDeployment, Status: 429, Type: "budget_exceeded",
		Message: "No deployments available - crossed budget: " + strings.Join(over, "; "),
	}
}

// spentScope is the scope of a deployment whose budget is spent, or nil.
func spentScope(x *llm.Exchange, d *llm.Deployment) *llm.Scope {
	for _, s := range d.Scopes {
		if !s.Budget.Limited || s.Over(s, x.Start.UnixNano()) == llm.Passed {
			continue
		}
		return s
	}
	return nil
}
