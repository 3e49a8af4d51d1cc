package budget

import (
	"context"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/router"
)

// Deployments leaves out deployments whose own budget, or that of their vendor or tags, is spent. It follows
// litellm/router_strategy/budget_limiter.py.
type Deployments struct{}

// Filter implements router.Filter. That nobody is left is an error that says which budgets are spent.
func (Deployments) Filter(_ context.Context, x *llm.Exchange, list []router.Candidate) (keep []int, ordered bool, err error) {
	var over []string
	keep = make([]int, 0, len(list))
	for i, c := range list {
		if s := spentScope(x, c.Deployment); s != nil {
			spent, _ := s.Spent()
			over = append(over, "Exceeded budget for "+whose(s)+": "+Dollars(spent)+" >= "+Dollars(s.Budget.Cap(x.Asked.Now)))
			continue
		}
		keep = append(keep, i)
	}
	if len(over) == 0 {
		return nil, false, nil
	}
	if len(keep) == 0 && len(list) > 0 {
		return nil, false, &llm.Error{
			Op: "budget.Deployments", Kind: llm.KindNoDeployment, Status: 429, Type: "budget_exceeded",
			Message: "No deployments available - crossed budget: " + strings.Join(over, "; "),
		}
	}
	return keep, false, nil
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
