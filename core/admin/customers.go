package admin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sallyport-ai/sallyport/core/store"
)

// customerRoutes are the routes of litellm/proxy/management_endpoints/customer_endpoints.py. A customer is an end user:
// somebody on whose behalf a key is used. Each route has two names.
func (a *API) customerRoutes() []route {
	var all []route
	for _, prefix := range []string{"/customer", "/end_user"} {
		all = append(all,
			route{"POST", prefix + "/new", adminOnly, a.newCustomer},
			route{"GET", prefix + "/info", viewer, a.customerInfo},
			route{"POST", prefix + "/update", adminOnly, a.updateCustomer},
			route{"POST", prefix + "/delete", adminOnly, a.deleteCustomers},
			route{"GET", prefix + "/list", viewer, a.listCustomers},
			route{"POST", prefix + "/block", adminOnly, func(c *call) (any, error) { return a.blockCustomers(c, true) }},
			route{"POST", prefix + "/unblock", adminOnly, func(c *call) (any, error) { return a.blockCustomers(c, false) }},
		)
	}
	return all
}

type customerParams struct {
	limits
	UserID       *string  `json:"user_id"`
	Alias        *string  `json:"alias"`
	Blocked      *bool    `json:"blocked"`
	BudgetID     *string  `json:"budget_id"`
	Spend        *float64 `json:"spend"`
	Region       *string  `json:"allowed_model_region"`
	DefaultModel *string  `json:"default_model"`
}

func (p *customerParams) check() error {
	if value(p.UserID) == "" {
		return missing("user_id")
	}
	if r := value(p.Region); r != "" && r != "eu" && r != "us" {
		return unprocessable{[]detail{{Loc: []any{"body", "allowed_model_region"}, Msg: "Input should be 'eu' or 'us'", Type: "literal_error"}}}
	}
	if p.BudgetID != nil && p.MaxBudget != nil {
		return badRequest("budget_id", "Set either 'max_budget' or 'budget_id', not both.")
	}
	return p.limits.check()
}

func (p *customerParams) apply(c *call, u *store.EndUser) {
	if c.given("alias") {
		u.Alias = text(p.Alias)
	}
	if c.given("blocked") {
		u.Blocked = value(p.Blocked)
	}
	if c.given("budget_id") {
		u.BudgetID = text(p.BudgetID)
	}
	if c.given("allowed_model_region") {
		u.AllowedModelRegion = text(p.Region)
	}
	if c.given("default_model") {
		u.DefaultModel = text(p.DefaultModel)
	}
}

// budget is the id of a budget with the limits of the request: a new one, or that of current changed if it is given.
func (l *limits) budget(c *call, tx store.Store, current store.Text) (store.Text, error) {
	if l.MaxBudget == nil && l.SoftBudget == nil && l.TPMLimit == nil && l.RPMLimit == nil && l.MaxParallelRequests == nil &&
		l.BudgetDuration == nil && l.BudgetResetAt == nil && isNull(l.ModelMaxBudget) {
		return current, nil
	}
	if current != "" {
		_, err := tx.Budgets().Update(c.ctx(), string(current), func(b *store.Budget) error {
			l.apply(c, b)
			return nil
		})
		return current, err
	}
	b := store.Budget{CreatedBy: string(c.actor())}
	l.apply(c, &b)
	err := tx.Budgets().Create(c.ctx(), &b)
	return store.Text(b.BudgetID), err
}

// apply writes what the request gave into a budget.
func (l *limits) apply(c *call, b *store.Budget) {
	set := func(name string, do func()) {
		if c.given(name) {
			do()
		}
	}
	set("max_budget", func() { b.MaxBudget = l.MaxBudget })
	set("soft_budget", func() { b.SoftBudget = l.SoftBudget })
	set("tpm_limit", func() { b.TPMLimit = l.TPMLimit })
	set("rpm_limit", func() { b.RPMLimit = l.RPMLimit })
	set("max_parallel_requests", func() { b.MaxParallelRequests = l.MaxParallelRequests })
	set("model_max_budget", func() { b.ModelMaxBudget = object(l.ModelMaxBudget) })
	set("budget_duration", func() {
		b.BudgetDuration, b.BudgetResetAt = text(l.BudgetDuration), nil
		if at, err := store.NextReset(string(b.BudgetDuration), c.a.Now(), c.a.zone()); err == nil {
			b.BudgetResetAt = store.Ptr(at)
		}
	})
	set("budget_reset_at", func() {
		b.BudgetResetAt = nil
		if at, ok := timeOf(value(l.BudgetResetAt)); ok {
			b.BudgetResetAt = &at
		}
	})
	b.UpdatedBy = string(c.actor())
}

// knownModel refuses a default model that there is not.
func (a *API) knownModel(p *customerParams) error {
	m := value(p.DefaultModel)
	if m == "" || a.Policy.Exists == nil || a.Policy.Exists(m) {
		return nil
	}
	return problem(http.StatusUnprocessableEntity, "bad_request_error", "default_model",
		"Default Model not on proxy. Configure via `/model/new` or config.yaml. Default_model="+m)
}

func (a *API) newCustomer(c *call) (any, error) {
	var p customerParams
	if err := c.body(&p); err != nil {
		return nil, err
	}
	if err := errors.Join(p.check(), a.knownModel(&p)); err != nil {
		return nil, err
	}
	wish := store.EndUser{UserID: *p.UserID, Spend: value(p.Spend)}
	p.apply(c, &wish)
	var out map[string]any
	err := a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		u := wish // the transaction may run again
		if u.BudgetID == "" {
			if u.BudgetID, err = p.budget(c, tx, ""); err != nil {
				return err
			}
		}
		if err := tx.EndUsers().Create(c.ctx(), &u); err != nil {
			if errors.Is(err, store.ErrConflict) {
				return badRequest("user_id", "Customer already exists, passed user_id="+u.UserID+". Please pass a new user_id.")
			}
			return reference400(err)
		}
		if out, err = a.withBudget(c, tx, u, u.BudgetID); err != nil {
			return err
		}
		return c.audit(tx, "created", "LiteLLM_EndUserTable", u.UserID, nil, u)
	})
	return out, err
}

// withBudget is a row and its budget.
func (a *API) withBudget(c *call, s store.Store, row any, budget store.Text) (map[string]any, error) {
	m, err := members(row)
	if err != nil {
		return nil, err
	}
	m["litellm_budget_table"] = nil
	if budget != "" {
		b, err := s.Budgets().Get(c.ctx(), string(budget))
		if err == nil {
			m["litellm_budget_table"] = b
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return m, nil
}

func (a *API) findCustomer(c *call, id string) (*store.EndUser, error) {
	u, err := a.Store.EndUsers().Get(c.ctx(), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("end_user_id", "End User Id="+id+" does not exist in db")
	}
	return u, err
}

func (a *API) customerInfo(c *call) (any, error) {
	id := c.query("end_user_id")
	if id == "" {
		return nil, missingQuery("end_user_id")
	}
	u, err := a.findCustomer(c, id)
	if err != nil {
		return nil, err
	}
	return a.withBudget(c, a.Store, u, u.BudgetID)
}

func (a *API) updateCustomer(c *call) (any, error) {
	var p customerParams
	if err := c.body(&p); err != nil {
		return nil, err
	}
	if err := errors.Join(p.check(), a.knownModel(&p)); err != nil {
		return nil, err
	}
	if _, err := a.findCustomer(c, *p.UserID); err != nil {
		return nil, err
	}
	var next *store.EndUser
	err := a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		var before store.EndUser
		next, err = tx.EndUsers().Update(c.ctx(), *p.UserID, func(u *store.EndUser) (err error) {
			before = *u
			p.apply(c, u)
			if !c.given("budget_id") {
				u.BudgetID, err = p.budget(c, tx, u.BudgetID)
			}
			return err
		})
		if err != nil {
			return reference400(err)
		}
		return c.audit(tx, "updated", "LiteLLM_EndUserTable", next.UserID, before, next)
	})
	if err != nil {
		return nil, err
	}
	return a.withBudget(c, a.Store, next, next.BudgetID)
}

type ids struct {
	UserIDs []string `json:"user_ids"`
}

func (a *API) deleteCustomers(c *call) (any, error) {
	var q ids
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if len(q.UserIDs) == 0 {
		return nil, missing("user_ids")
	}
	var n int64
	err := a.Store.Tx(c.ctx(), func(tx store.Store) error {
		for _, id := range q.UserIDs {
			u, err := tx.EndUsers().Get(c.ctx(), id)
			if errors.Is(err, store.ErrNotFound) {
				return notFound("user_ids", "End User Id="+id+" does not exist in db")
			}
			if err != nil {
				return err
			}
			if err := c.audit(tx, "deleted", "LiteLLM_EndUserTable", id, u, nil); err != nil {
				return err
			}
		}
		var err error
		n, err = tx.EndUsers().Delete(c.ctx(), q.UserIDs...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"deleted_customers": n,
		"message":           fmt.Sprintf("Successfully deleted customers with ids: ['%s']", strings.Join(q.UserIDs, "', '")),
	}, nil
}

func (a *API) listCustomers(c *call) (any, error) {
	all, err := a.Store.EndUsers().Find(c.ctx(), store.Query{})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(all))
	for i := range all {
		ids[i] = string(all[i].BudgetID)
	}
	r, err := a.relate(c, a.Store, ids, nil)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for i := range all {
		m, err := members(all[i])
		if err != nil {
			return nil, err
		}
		r.put(m, ids[i], "")
		delete(m, "object_permission")
		out = append(out, m)
	}
	return out, nil
}

// blockCustomers blocks customers, known or not, or takes the block away.
func (a *API) blockCustomers(c *call, blocked bool) (any, error) {
	var q ids
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if len(q.UserIDs) == 0 {
		return nil, missing("user_ids")
	}
	out := []store.EndUser{}
	err := a.Store.Tx(c.ctx(), func(tx store.Store) error {
		out = out[:0]
		for _, id := range q.UserIDs {
			u, err := tx.EndUsers().Update(c.ctx(), id, func(u *store.EndUser) error {
				u.Blocked = blocked
				return nil
			})
			if errors.Is(err, store.ErrNotFound) {
				if !blocked {
					continue
				}
				u = &store.EndUser{UserID: id, Blocked: true}
				err = tx.EndUsers().Create(c.ctx(), u)
			}
			if err != nil {
				return err
			}
			out = append(out, *u)
			if err := c.audit(tx, map[bool]string{true: "blocked", false: "updated"}[blocked], "LiteLLM_EndUserTable", id, nil, u); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"blocked_users": out}, nil
}
