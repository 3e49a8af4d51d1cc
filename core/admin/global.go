package admin

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// sums reads the activity of all calls that the caller may see.
func (a *API) sums(c *call, from, to string, limit int, by ...store.Dimension) ([]store.Activity, error) {
	f := store.DailyFilter{From: from, To: to}
	if k := c.query("api_key"); k != "" {
		f.APIKeys = []string{hashOf(k)}
	}
	if empty, err := a.restrict(c, &f); err != nil || empty {
		return nil, err
	}
	return a.Store.Reports().Activity(c.ctx(), store.ActivityQuery{DailyFilter: f, By: by, BySpend: limit > 0, Limit: limit})
}

func (a *API) globalSpend(c *call) (any, error) {
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	all, err := a.sums(c, from, to, 0)
	if err != nil {
		return nil, err
	}
	spend := 0.0
	for _, r := range all {
		spend += r.Spend
	}
	return map[string]any{"spend": spend, "max_budget": a.Policy.MaxBudget}, nil
}

func (a *API) globalByDay(c *call) (any, error) {
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	all, err := a.sums(c, from, to, 0, store.ByDate)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for i := len(all) - 1; i >= 0; i-- {
		out = append(out, map[string]any{"date": all[i].Date, "spend": all[i].Spend})
	}
	return out, nil
}

func (a *API) globalKeys(c *call) (any, error) {
	limit, err := c.number("limit", mostRows, 1, mostRows)
	if err != nil {
		return nil, err
	}
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	all, err := a.sums(c, from, to, limit, store.ByKey)
	if err != nil {
		return nil, err
	}
	hashes := make([]string, 0, len(all))
	for _, r := range all {
		hashes = append(hashes, r.APIKey)
	}
	known := map[string]store.Key{}
	if len(hashes) > 0 {
		found, err := a.Store.Keys().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf("token", hashes)}})
		if err != nil {
			return nil, err
		}
		for i := range found {
			known[found[i].Token] = found[i]
		}
	}
	out := []any{}
	for _, r := range all {
		k := known[r.APIKey]
		out = append(out, map[string]any{"api_key": r.APIKey, "key_alias": k.KeyAlias, "key_name": k.KeyName, "total_spend": r.Spend})
	}
	return out, nil
}

func (a *API) globalModels(c *call) (any, error) {
	limit, err := c.number("limit", 10, 1, 10_000)
	if err != nil {
		return nil, err
	}
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	all, err := a.sums(c, from, to, limit, store.ByModel)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, r := range all {
		out = append(out, map[string]any{"model": r.Model, "total_spend": r.Spend})
	}
	return out, nil
}

func (a *API) globalProviders(c *call) (any, error) {
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	all, err := a.sums(c, from, to, 1000, store.ByProvider)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, r := range all {
		name := r.Provider
		if name == "" {
			name = "Unknown"
		}
		out = append(out, map[string]any{"provider": name, "spend": r.Spend})
	}
	return out, nil
}

// entitySums sums one kind of entity, as far as the caller may see it.
func (a *API) entitySums(c *call, e store.Entity, from, to string, by ...store.Dimension) ([]store.Activity, error) {
	f := store.DailyFilter{Entity: e, From: from, To: to}
	if e == store.EntityEndUser || e == store.EntityTag {
		if !c.sees() {
			keys, err := a.ownKeys(c)
			if err != nil || len(keys) == 0 {
				return nil, err
			}
			f.APIKeys = keys
		}
	} else if empty, err := a.restrict(c, &f); err != nil || empty {
		return nil, err
	}
	return a.Store.Reports().Activity(c.ctx(), store.ActivityQuery{DailyFilter: f, By: by})
}

// globalTeams serves the spend of teams by day and in all. Teams are shown by their alias.
func (a *API) globalTeams(c *call) (any, error) {
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	all, err := a.entitySums(c, store.EntityTeam, from, to, store.ByDate, store.ByEntity)
	if err != nil {
		return nil, err
	}
	names, err := a.teamNames(c, all)
	if err != nil {
		return nil, err
	}
	byDay, total := map[string]map[string]any{}, map[string]float64{}
	for _, r := range all {
		name := names[r.EntityID]
		if byDay[r.Date] == nil {
			byDay[r.Date] = map[string]any{"date": r.Date}
		}
		sum, _ := byDay[r.Date][name].(float64)
		byDay[r.Date][name] = sum + r.Spend
		total[name] += r.Spend
	}
	days, per := []any{}, []any{}
	for _, d := range slices.Sorted(maps.Keys(byDay)) {
		days = append(days, byDay[d])
	}
	dearest := slices.SortedStableFunc(maps.Keys(total), func(x, y string) int {
		return cmp.Or(cmp.Compare(total[y], total[x]), cmp.Compare(x, y))
	})
	for _, name := range dearest[:min(len(dearest), 10)] {
		per = append(per, map[string]any{"team_id": name, "total_spend": total[name]}) // the alias, as in the reference
	}
	return map[string]any{"daily_spend": days, "teams": rows(slices.Sorted(maps.Keys(total))), "total_spend_per_team": per}, nil
}

func (a *API) teamNames(c *call, all []store.Activity) (map[string]string, error) {
	names := map[string]string{}
	for _, r := range all {
		names[r.EntityID] = r.EntityID
	}
	if len(names) == 0 {
		return names, nil
	}
	found, err := a.Store.Teams().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf("team_id", slices.Sorted(maps.Keys(names)))}})
	if err != nil {
		return nil, err
	}
	for i := range found {
		if found[i].TeamAlias != "" {
			names[found[i].TeamID] = string(found[i].TeamAlias)
		}
	}
	return names, nil
}

func (a *API) globalEndUsers(c *call) (any, error) {
	var q struct {
		APIKey    string `json:"api_key"`
		StartTime string `json:"startTime"`
		EndTime   string `json:"endTime"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	f := store.DailyFilter{Entity: store.EntityEndUser}
	for s, dst := range map[string]*string{q.StartTime: &f.From, q.EndTime: &f.To} {
		if len(s) >= len(day) {
			if _, err := time.Parse(day, s[:len(day)]); err != nil {
				return nil, badRequest("startTime", "startTime and endTime must be dates such as 2026-01-31.")
			}
			*dst = s[:len(day)]
		}
	}
	if f.From == "" {
		f.From = a.Now().UTC().AddDate(0, 0, -30).Format(day)
	}
	if q.APIKey != "" {
		f.APIKeys = []string{hashOf(q.APIKey)}
	}
	if !c.sees() {
		own, err := a.ownKeys(c)
		if err != nil {
			return nil, err
		}
		if len(f.APIKeys) == 0 {
			f.APIKeys = own
		} else if !slices.Contains(own, f.APIKeys[0]) {
			return nil, forbidden("You may see your own keys only.")
		}
		if len(f.APIKeys) == 0 {
			return []any{}, nil
		}
	}
	all, err := a.Store.Reports().Activity(c.ctx(), store.ActivityQuery{DailyFilter: f, By: []store.Dimension{store.ByEntity}, BySpend: true, Limit: 100})
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, r := range all {
		out = append(out, map[string]any{"end_user": r.EntityID, "total_count": r.APIRequests, "total_spend": r.Spend})
	}
	return out, nil
}

func (a *API) allEndUsers(c *call) (any, error) {
	found, err := a.Store.EndUsers().Find(c.ctx(), store.Query{Sort: "user_id", Limit: mostRows})
	names := []string{}
	for i := range found {
		names = append(names, found[i].UserID)
	}
	return map[string]any{"end_users": names}, err
}

func (a *API) globalTags(c *call) (any, error) {
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	all, err := a.tagSums(c, from, to, slices.DeleteFunc(csv(c.query("tags")), func(s string) bool { return s == "all-tags" }))
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, r := range all {
		out = append(out, map[string]any{"name": r.EntityID, "spend": r.Spend, "log_count": r.APIRequests})
	}
	return map[string]any{"spend_per_tag": out}, nil
}

func (a *API) allTags(c *call) (any, error) {
	all, err := a.tagSums(c, "", "", nil)
	names := []string{}
	for _, r := range all {
		names = append(names, r.EntityID)
	}
	slices.Sort(names)
	return map[string]any{"tag_names": names}, err
}

func (a *API) resetAll(c *call) (any, error) {
	if a.Policy.MasterHash != "" && c.who.KeyHash != a.Policy.MasterHash {
		return nil, problem(http.StatusUnauthorized, "auth_error", "None", "Only the master key may reset all spend.")
	}
	err := a.Store.Tx(c.ctx(), func(tx store.Store) error {
		if err := tx.Spend().ResetAll(c.ctx()); err != nil {
			return err
		}
		return c.audit(tx, "updated", "LiteLLM_VerificationToken", "all", nil, map[string]any{"spend": 0})
	})
	return map[string]any{"message": "Spend for all API Keys and Teams reset successfully", "status": "success"}, err
}

func (a *API) refreshSums(c *call) (any, error) {
	from, to, err := c.dates(366)
	if err != nil {
		return nil, err
	}
	err = a.Store.Reports().Refresh(c.ctx(), from, to)
	return map[string]any{"message": "MonthlyGlobalSpend view refreshed", "status": "success"}, err
}

// providerBudgets serves what providers may cost and have cost in their period.
func (a *API) providerBudgets(c *call) (any, error) {
	if a.Policy.ProviderBudgets == nil {
		return map[string]any{"providers": map[string]any{}}, nil
	}
	all, err := a.Policy.ProviderBudgets(c.ctx())
	return map[string]any{"providers": all}, err
}
