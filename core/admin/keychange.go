package admin

import (
	"cmp"
	"errors"
	"fmt"
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
		if err := errors.Join(holdTeam(c, tx, k), p.memberTerm(c, tx, k, false)); err != nil {
			return err
		}
		if err := a.keyParts(c, tx, p, k); err != nil {
			return err
		}
		return uniqueAlias(c, tx, k, k.Token)
	})
	if err != nil {
		return nil, err
	}
	out, err := a.keyView(c, a.Store, row)
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
		return nil, badRequest("keys", "No keys provided for update")
	}
	const most = 500
	if len(q.Keys) > most {
		return nil, badRequest("keys", fmt.Sprintf("Maximum %d keys can be updated at once. Found %d keys.", most, len(q.Keys)))
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
		MasterKey   *string `json:"new_master_key"`
		GracePeriod *string `json:"grace_period"`
	}
	if err := c.body(&p); err != nil {
		return nil, err
	}
	if value(p.MasterKey) != "" {
		return nil, badRequest("new_master_key", "The master key is in the configuration, not in the database: change it there and start the gateway anew.")
	}
	key := cmp.Or(c.r.PathValue("key"), value(p.Key), c.query("key"))
	if key == "" {
		key = c.who.KeyHash
	}
	if err := p.check(c); err != nil {
		return nil, err
	}
	row, err := a.findRotated(c, key)
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
	revoke, err := a.graceEnd(cmp.Or(value(p.GracePeriod), a.Policy.GracePeriod))
	if err != nil {
		return nil, err
	}
	return a.rotateKey(c, row, next, revoke, &p.keyParams)
}

// findRotated is findKey, also for a secret that a key had before, as long as that is good: after a rotation by the clock it
// is the only one that the holder knows.
func (a *API) findRotated(c *call, key string) (*store.Key, error) {
	switch old, err := a.Store.DeprecatedKeys().Get(c.ctx(), hashOf(key)); {
	case errors.Is(err, store.ErrNotFound), err == nil && !old.RevokeAt.After(a.Now()):
		return a.findKey(c, key)
	case err != nil:
		return nil, err
	default:
		return a.findKey(c, old.ActiveTokenID)
	}
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
	commands, err := a.commands(c, row)
	if err != nil {
		return nil, err
	}
	var made *store.Key
	var out map[string]any
	err = a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		made, err = tx.Keys().Rotate(c.ctx(), row.Token, hashOf(next), revoke, func(k *store.Key) error {
			rotated(k, next, string(c.actor()), now)
			before := *k
			if err := p.apply(c, k); err != nil {
				return err
			}
			if err := c.mayAlter(commands, &before, k); err != nil {
				return err
			}
			if err := errors.Join(holdTeam(c, tx, k), p.memberTerm(c, tx, k, false), a.keyParts(c, tx, p, k)); err != nil {
				return err
			}
			return uniqueAlias(c, tx, k, row.Token)
		})
		if err != nil {
			return keyConflict(err)
		}
		if out, err = a.generated(c, tx, next, made, p); err != nil {
			return err
		}
		return c.audit(tx, "rotated", "LiteLLM_VerificationToken", row.Token, row, made)
	})
	if err != nil {
		return nil, err
	}
	a.forget(row.Token, made.Token)
	return out, nil
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
	if err := a.mayReset(c, row, *q.ResetTo); err != nil {
		return nil, err
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

// mayReset refuses a spend that a key cannot be reset to (_validate_reset_spend_value in key_management_endpoints.py).
func (a *API) mayReset(c *call, row *store.Key, to float64) error {
	most := row.MaxBudget
	if row.BudgetID != "" {
		b, err := a.Store.Budgets().Get(c.ctx(), string(row.BudgetID))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil && b.MaxBudget != nil && (most == nil || *b.MaxBudget < *most) {
			most = b.MaxBudget
		}
	}
	switch {
	case to < 0:
		return badRequest("reset_to", "reset_to must be >= 0")
	case to > row.Spend:
		return badRequest("reset_to", fmt.Sprintf("reset_to (%v) must be <= current spend (%v)", to, row.Spend))
	case most != nil && to > *most:
		return badRequest("reset_to", fmt.Sprintf("reset_to (%v) must be <= budget (%v)", to, *most))
	}
	return nil
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
