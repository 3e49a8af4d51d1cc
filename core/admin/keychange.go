package admin

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

func (a *API) updateKey(c *call) (any, error) {
	c.update = true
	var p keyParams
	if err := c.body(&p); err != nil {
		return nil, err
	}
	return a.updateOne(c, &p)
}

func (a *API) updateOne(c *call, p *keyParams) (map[string]any, error) {
	if value(p.Key) == "" {
		return nil, missing("key")
	}
	if err := p.check(c); err != nil {
		return nil, err
	}
	if err := a.mayMove(c, p); err != nil {
		return nil, err
	}
	if err := a.bounded(c, p); err != nil {
		return nil, err
	}
	row, err := a.changeKey(c, *p.Key, "/key/update", "updated", func(tx store.Store, k *store.Key) error {
		if err := p.apply(c, k); err != nil {
			return err
		}
		if _, err := a.keyBudget(c, tx, p, k); err != nil {
			return err
		}
		if p.ObjectPermission != nil {
			p.ObjectPermission.ObjectPermissionID = string(k.ObjectPermissionID)
			if err := tx.ObjectPermissions().Put(c.ctx(), p.ObjectPermission); err != nil {
				return err
			}
			k.ObjectPermissionID = store.Text(p.ObjectPermission.ObjectPermissionID)
		}
		return uniqueAlias(c, tx, k, k.Token)
	})
	if err != nil {
		return nil, err
	}
	out, err := a.keyView(c, row)
	if err != nil {
		return nil, err
	}
	out["key"] = *p.Key
	return out, nil
}

// mayMove lets only those into a team who may make keys there, and lets only administrators give keys away or set what
// was spent.
func (a *API) mayMove(c *call, p *keyParams) error {
	if c.admin() {
		if c.given("team_id") {
			_, err := a.keyTeam(c, p)
			return err
		}
		return nil
	}
	for _, name := range []string{"spend", "organization_id", "budget_id"} {
		if c.given(name) {
			return forbidden("Only proxy admins may change `" + name + "` of a key.")
		}
	}
	if c.given("user_id") && value(p.UserID) != c.who.UserID {
		return forbidden("User can only own keys themselves. Got user_id=" + value(p.UserID) + ", Your ID=" + c.who.UserID)
	}
	if c.given("team_id") {
		_, err := a.mayGenerate(c, p, false)
		return err
	}
	return nil
}

func (a *API) updateKeys(c *call) (any, error) {
	var q struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if len(q.Keys) == 0 {
		return nil, badRequest("keys", "No keys provided for bulk update.")
	}
	const most = 500
	if len(q.Keys) > most {
		return nil, badRequest("keys", fmt.Sprintf("At most %d keys can be updated at once.", most))
	}
	done, failed := []any{}, []any{}
	for _, one := range q.Keys {
		key, _ := one["key"].(string)
		var p keyParams
		sub := &call{a: a, r: c.r, route: c.route, who: c.who, update: true}
		err := sub.bodyFrom(one, &p)
		var out map[string]any
		if err == nil {
			out, err = a.updateOne(sub, &p)
		}
		if err != nil {
			failed = append(failed, map[string]any{"key": key, "key_info": nil, "failed_reason": asError(err).Message})
			continue
		}
		done = append(done, map[string]any{"key": key, "key_info": out})
	}
	return map[string]any{"total_requested": len(q.Keys), "successful_updates": done, "failed_updates": failed}, nil
}

// regenerateKey gives a key a new secret. The old one stays good for the grace period.
func (a *API) regenerateKey(c *call) (any, error) {
	c.update = true
	var p struct {
		keyParams
		NewKey      *string `json:"new_key"`
		GracePeriod *string `json:"grace_period"`
	}
	if err := c.body(&p); err != nil {
		return nil, err
	}
	key := c.r.PathValue("key")
	if key == "" {
		key = value(p.Key)
	}
	if key == "" {
		key = c.who.KeyHash
	}
	if err := p.check(c); err != nil {
		return nil, err
	}
	row, err := a.findKey(c, key)
	if err != nil {
		return nil, err
	}
	if err := a.mayChangeKey(c, row, "/key/regenerate"); err != nil {
		return nil, err
	}
	if err := a.mayMove(c, &p.keyParams); err != nil {
		return nil, err
	}
	next := value(p.NewKey)
	if next == "" {
		next = newKey()
	}
	if err := checkKey(next); err != nil {
		return nil, err
	}
	revoke, err := a.graceEnd(value(p.GracePeriod))
	if err != nil {
		return nil, err
	}
	return a.rotateKey(c, row, next, revoke, &p.keyParams)
}

func (a *API) graceEnd(period string) (time.Time, error) {
	if period == "" || period == "0" {
		return time.Time{}, nil
	}
	p, err := store.ParsePeriod(period)
	if err != nil {
		return time.Time{}, badRequest("grace_period", "grace_period: "+err.Error())
	}
	return store.Clean(p.After(a.Now())), nil
}

func (a *API) rotateKey(c *call, row *store.Key, next string, revoke time.Time, p *keyParams) (any, error) {
	now := store.Clean(a.Now())
	var made *store.Key
	err := a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		made, err = tx.Keys().Rotate(c.ctx(), row.Token, hashOf(next), revoke, func(k *store.Key) error {
			k.KeyName, k.UpdatedBy, k.LastRotationAt = keyName(next), c.actor(), &now
			k.RotationCount = store.Ptr(value(k.RotationCount) + 1)
			k.KeyRotationAt = rotation(k, now)
			if err := p.apply(c, k); err != nil {
				return err
			}
			return uniqueAlias(c, tx, k, row.Token)
		})
		if err != nil {
			return keyConflict(err)
		}
		return c.audit(tx, "rotated", "LiteLLM_VerificationToken", row.Token, row, made)
	})
	if err != nil {
		return nil, err
	}
	a.forget(row.Token, made.Token)
	var budget *store.Budget
	if made.BudgetID != "" {
		if budget, err = a.Store.Budgets().Get(c.ctx(), string(made.BudgetID)); errors.Is(err, store.ErrNotFound) {
			err = nil
		}
	}
	if err != nil {
		return nil, err
	}
	return generated(next, made, p, budget)
}

func (a *API) resetKeySpend(c *call) (any, error) {
	var q struct {
		ResetTo *float64 `json:"reset_to"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.ResetTo == nil {
		return nil, missing("reset_to")
	}
	row, err := a.findKey(c, c.r.PathValue("key"))
	if err != nil {
		return nil, err
	}
	if !c.admin() {
		lead, err := a.leadsKeyTeam(c, row)
		if err != nil {
			return nil, err
		}
		if !lead {
			return nil, forbidden("Only proxy admins and admins of the key's team may reset its spend.")
		}
	}
	if *q.ResetTo < 0 || *q.ResetTo > row.Spend {
		return nil, badRequest("reset_to", fmt.Sprintf("reset_to must be between 0 and the current spend of %v", row.Spend))
	}
	before := row.Spend
	next, err := a.changeKey(c, row.Token, "/key/update", "updated", func(_ store.Store, k *store.Key) error {
		before, k.Spend = k.Spend, *q.ResetTo
		return nil
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"key_hash": next.Token, "spend": next.Spend, "previous_spend": before,
		"max_budget": next.MaxBudget, "budget_reset_at": next.BudgetResetAt,
	}, nil
}

func (a *API) leadsKeyTeam(c *call, row *store.Key) (bool, error) {
	if row.TeamID == "" {
		return false, nil
	}
	team, err := a.Store.Teams().Get(c.ctx(), string(row.TeamID))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return c.leads(team)
}

// listKeys serves GET /key/list.
func (a *API) listKeys(c *call) (any, error) {
	page, err := c.page("size", 10, 100)
	if err != nil {
		return nil, err
	}
	full, err := c.flag("return_full_object", false)
	if err != nil {
		return nil, err
	}
	where, err := a.keyFilter(c)
	if err != nil {
		return nil, err
	}
	q := page.query(where, "created_at", true)
	if s := c.query("sort_by"); s != "" {
		if !slices.Contains([]string{"spend", "max_budget", "created_at", "updated_at", "token", "key_alias", "expires"}, s) {
			return nil, badRequest("sort_by", "sort_by must be spend, max_budget, created_at, updated_at, expires, key_alias or token.")
		}
		q.Sort = s
	}
	q.Desc = c.query("sort_order") != "asc"
	rows, err := a.Store.Keys().Find(c.ctx(), q)
	if err != nil {
		return nil, err
	}
	total, err := a.Store.Keys().Count(c.ctx(), where...)
	if err != nil {
		return nil, err
	}
	keys := make([]any, 0, len(rows))
	for i := range rows {
		if full {
			view, err := members(rows[i])
			if err != nil {
				return nil, err
			}
			maskLogging(view)
			keys = append(keys, view)
		} else {
			keys = append(keys, rows[i].Token)
		}
	}
	return map[string]any{
		"keys": keys, "total_count": total, "current_page": page.number, "total_pages": page.pages(total),
	}, nil
}

// keyFilter is what the caller asks for among the keys that he may see.
func (a *API) keyFilter(c *call) ([]store.Cond, error) {
	var where []store.Cond
	for param, column := range map[string]string{
		"user_id": "user_id", "team_id": "team_id", "organization_id": "organization_id", "key_hash": "token", "key_alias": "key_alias",
	} {
		if v := c.query(param); v != "" {
			where = append(where, store.Eq(column, v))
		}
	}
	if s := c.query("status"); s != "" && s != "deleted" {
		return nil, badRequest("status", "status must be deleted, or left out.")
	}
	if c.sees() {
		return where, nil
	}
	own := []store.Cond{store.Eq("user_id", c.who.UserID)}
	if c.who.UserID == "" {
		own = []store.Cond{store.Eq("token", c.who.KeyHash)}
	}
	groups := [][]store.Cond{own}
	teams, err := a.ledTeams(c)
	if err != nil {
		return nil, err
	}
	if len(teams) > 0 {
		groups = append(groups, []store.Cond{store.OneOf("team_id", slices.Sorted(maps.Keys(teams)))})
	}
	if created, err := c.flag("include_created_by_keys", false); err != nil {
		return nil, err
	} else if created && c.who.UserID != "" {
		groups = append(groups, []store.Cond{store.Eq("created_by", c.who.UserID)})
	}
	return append(where, store.Or(groups...)), nil
}

// ledTeams are the teams the caller administers.
func (a *API) ledTeams(c *call) (map[string]bool, error) {
	if c.who.UserID == "" {
		return nil, nil
	}
	user, err := a.Store.Users().Get(c.ctx(), c.who.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil || len(user.Teams) == 0 {
		return nil, err
	}
	teams, err := a.Store.Teams().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf("team_id", user.Teams)}})
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for i := range teams {
		role, err := roleIn(&teams[i], c.who.UserID)
		if err != nil {
			return nil, err
		}
		if role == "admin" {
			out[teams[i].TeamID] = true
		}
	}
	return out, nil
}

func (a *API) keyAliases(c *call) (any, error) {
	where, err := a.keyFilter(c)
	if err != nil {
		return nil, err
	}
	rows, err := a.Store.Keys().Find(c.ctx(), store.Query{Where: append(where, store.Where("key_alias", store.NotNull)), Sort: "key_alias"})
	if err != nil {
		return nil, err
	}
	out := []string{}
	for i := range rows {
		out = append(out, string(rows[i].KeyAlias))
	}
	return map[string]any{"aliases": slices.Compact(out)}, nil
}

// keyHealth says whether the key that is asked with can be used, and where its records go.
func (a *API) keyHealth(c *call) (any, error) {
	row, err := a.Store.Keys().Get(c.ctx(), c.who.KeyHash)
	if errors.Is(err, store.ErrNotFound) {
		return map[string]any{"key": "healthy", "logging_callbacks": nil}, nil
	}
	if err != nil {
		return nil, err
	}
	out := map[string]any{"key": "healthy", "logging_callbacks": nil}
	m, err := members(row)
	if err != nil {
		return nil, err
	}
	meta, _ := m["metadata"].(map[string]any)
	logging, _ := meta["logging"].([]any)
	names := []string{}
	for _, entry := range logging {
		if e, ok := entry.(map[string]any); ok {
			if name, ok := e["callback_name"].(string); ok {
				names = append(names, name)
			}
		}
	}
	if len(names) > 0 {
		out["logging_callbacks"] = map[string]any{"callbacks": names, "status": "healthy", "details": "No logger exceptions triggered."}
	}
	return out, nil
}
