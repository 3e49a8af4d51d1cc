package admin

import (
	"errors"

	"github.com/sallyport-ai/sallyport/core/store"
)

// budgetRoutes are the routes of litellm/proxy/management_endpoints/budget_management_endpoints.py and
// tag_management_endpoints.py.
func (a *API) budgetRoutes() []route {
	return []route{
		{"POST", "/budget/new", adminOnly, a.newBudget},
		{"POST", "/budget/update", adminOnly, a.updateBudget},
		{"POST", "/budget/info", viewer, a.budgetInfo},
		{"GET", "/budget/settings", viewer, a.budgetSettings},
		{"GET", "/budget/list", viewer, a.listBudgets},
		{"POST", "/budget/delete", adminOnly, a.deleteBudget},
		{"POST", "/tag/new", adminOnly, a.newTag},
		{"POST", "/tag/update", adminOnly, a.updateTag},
		{"POST", "/tag/info", viewer, a.tagInfo},
		{"GET", "/tag/list", viewer, a.listTags},
		{"POST", "/tag/delete", adminOnly, a.deleteTag},
	}
}

type budgetParams struct {
	limits
	BudgetID *string `json:"budget_id"`
}

func (a *API) newBudget(c *call) (any, error) {
	var p budgetParams
	if err := c.body(&p); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	b := store.Budget{BudgetID: value(p.BudgetID), CreatedBy: string(c.actor())}
	p.apply(c, &b)
	err := a.Store.Tx(c.ctx(), func(tx store.Store) error {
		if err := tx.Budgets().Create(c.ctx(), &b); err != nil {
			if errors.Is(err, store.ErrConflict) {
				return badRequest("budget_id", "Budget already exists, passed budget_id="+b.BudgetID+". Use /budget/update to change it.")
			}
			return err
		}
		return c.audit(tx, "created", "LiteLLM_BudgetTable", b.BudgetID, nil, b)
	})
	return b, err
}

func (a *API) updateBudget(c *call) (any, error) {
	var p budgetParams
	if err := c.body(&p); err != nil {
		return nil, err
	}
	if value(p.BudgetID) == "" {
		return nil, missing("budget_id")
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	var next *store.Budget
	err := a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		var before store.Budget
		next, err = tx.Budgets().Update(c.ctx(), *p.BudgetID, func(b *store.Budget) error {
			before = *b
			p.apply(c, b)
			return nil
		})
		if errors.Is(err, store.ErrNotFound) {
			return notFound("budget_id", "Budget not found, passed budget_id="+*p.BudgetID)
		}
		if err != nil {
			return err
		}
		return c.audit(tx, "updated", "LiteLLM_BudgetTable", next.BudgetID, before, next)
	})
	return next, err
}

func (a *API) budgetInfo(c *call) (any, error) {
	var q struct {
		Budgets []string `json:"budgets"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if len(q.Budgets) == 0 {
		return nil, badRequest("budgets", "Specify list of budget id's to query. Passed in=[]")
	}
	found, err := a.Store.Budgets().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf("budget_id", q.Budgets)}})
	return rows(found), err
}

func (a *API) listBudgets(c *call) (any, error) {
	found, err := a.Store.Budgets().Find(c.ctx(), store.Query{})
	return rows(found), err
}

// budgetSettings describes the fields of a budget, for forms.
func (a *API) budgetSettings(c *call) (any, error) {
	id := c.query("budget_id")
	if id == "" {
		return nil, missingQuery("budget_id")
	}
	b, err := a.Store.Budgets().Get(c.ctx(), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("budget_id", "Budget not found, passed budget_id="+id)
	}
	if err != nil {
		return nil, err
	}
	m, err := members(b)
	if err != nil {
		return nil, err
	}
	var out []any
	for _, f := range [][3]string{
		{"max_parallel_requests", "Integer", "Most requests of the holder that may be open at the same time"},
		{"tpm_limit", "Integer", "Tokens a minute"},
		{"rpm_limit", "Integer", "Requests a minute"},
		{"budget_duration", "String", "Period after which spend starts again at zero, such as 30d or 1mo"},
		{"max_budget", "Float", "US dollars that may be spent in a period"},
		{"soft_budget", "Float", "US dollars at which an alert goes out"},
		{"model_max_budget", "Object", "Budgets of single models: {\"gpt-4o\": {\"max_budget\": 1, \"budget_duration\": \"1d\"}}"},
	} {
		out = append(out, map[string]any{
			"field_name": f[0], "field_type": f[1], "field_description": f[2], "field_value": m[f[0]],
			"stored_in_db": m[f[0]] != nil, "field_default_value": nil, "premium_field": false, "nested_fields": nil,
		})
	}
	return out, nil
}

func (a *API) deleteBudget(c *call) (any, error) {
	var q struct {
		ID string `json:"id"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.ID == "" {
		return nil, missing("id")
	}
	var gone *store.Budget
	err := a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		if gone, err = tx.Budgets().Get(c.ctx(), q.ID); errors.Is(err, store.ErrNotFound) {
			return notFound("id", "Budget not found, passed budget_id="+q.ID)
		}
		if err == nil {
			_, err = tx.Budgets().Delete(c.ctx(), q.ID)
		}
		if errors.Is(err, store.ErrReference) {
			return badRequest("id", "Budget "+q.ID+" is still used by a key, team member, customer, organization or tag. Give these another budget first.")
		}
		if err != nil {
			return err
		}
		return c.audit(tx, "deleted", "LiteLLM_BudgetTable", q.ID, gone, nil)
	})
	return gone, err
}
