package admin

import (
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
	limit, err := c.number("limit", 10, 1, 10_000)
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
	for _, name := range slices.Sorted(maps.Keys(total)) {
		per = append(per, map[string]any{"name": name, "value": total[name]})
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
	found, err := a.Store.EndUsers().Find(c.ctx(), store.Query{})
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

// globalReport serves GET /global/spend/report: what teams, customers or keys spent, by day, model and key.
func (a *API) globalReport(c *call) (any, error) {
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	group := c.query("group_by")
	if group == "" {
		group = "team"
	}
	f := store.DailyFilter{From: from, To: to}
	switch group {
	case "team":
		f.Entity, f.IDs = store.EntityTeam, csv(c.query("team_id"))
	case "customer":
		f.Entity, f.IDs = store.EntityEndUser, csv(c.query("customer_id"))
	case "api_key", "internal_user":
		f.IDs = csv(c.query("internal_user_id"))
	default:
		return nil, badRequest("group_by", "group_by must be team, customer, internal_user or api_key.")
	}
	if k := c.query("api_key"); k != "" {
		f.APIKeys = []string{hashOf(k)}
	}
	if f.Entity == store.EntityEndUser && !c.sees() {
		return nil, forbidden("Only admins may see the spend of customers.")
	}
	if empty, err := a.restrict(c, &f); err != nil || empty {
		return []any{}, err
	}
	all, err := a.Store.Reports().Activity(c.ctx(), store.ActivityQuery{DailyFilter: f, By: []store.Dimension{
		store.ByDate, store.ByEntity, store.ByKey, store.ByModel}})
	if err != nil {
		return nil, err
	}
	if group == "team" {
		return a.reportByTeam(c, all)
	}
	return reportBy(group, all), nil
}

func detailOf(r *store.Activity) map[string]any {
	return map[string]any{
		"model": r.Model, "spend": r.Spend, "total_tokens": r.PromptTokens + r.CompletionTokens,
		"total_input_tokens": r.PromptTokens, "total_output_tokens": r.CompletionTokens, "api_key": r.APIKey,
	}
}

func (a *API) reportByTeam(c *call, all []store.Activity) (any, error) {
	names, err := a.teamNames(c, all)
	if err != nil {
		return nil, err
	}
	type team struct {
		Name  string  `json:"team_name"`
		Spend float64 `json:"total_spend"`
		Meta  []any   `json:"metadata"`
	}
	type date struct {
		Date  string  `json:"group_by_day"`
		Teams []*team `json:"teams"`
	}
	out := []*date{}
	for i := len(all) - 1; i >= 0; i-- {
		r := &all[i]
		if len(out) == 0 || out[len(out)-1].Date != r.Date {
			out = append(out, &date{Date: r.Date})
		}
		d := out[len(out)-1]
		name := names[r.EntityID]
		at := slices.IndexFunc(d.Teams, func(t *team) bool { return t.Name == name })
		if at < 0 {
			d.Teams = append(d.Teams, &team{Name: name})
			at = len(d.Teams) - 1
		}
		d.Teams[at].Spend += r.Spend
		d.Teams[at].Meta = append(d.Teams[at].Meta, detailOf(r))
	}
	return out, nil
}

func reportBy(group string, all []store.Activity) any {
	name := func(r *store.Activity) string {
		if group == "api_key" {
			return r.APIKey
		}
		return r.EntityID
	}
	sums := map[string]map[string]any{}
	for i := range all {
		r := &all[i]
		s := sums[name(r)]
		if s == nil {
			s = map[string]any{group: name(r), "total_cost": 0.0, "total_input_tokens": int64(0), "total_output_tokens": int64(0), "model_details": []any{}}
			sums[name(r)] = s
		}
		s["total_cost"] = s["total_cost"].(float64) + r.Spend
		s["total_input_tokens"] = s["total_input_tokens"].(int64) + r.PromptTokens
		s["total_output_tokens"] = s["total_output_tokens"].(int64) + r.CompletionTokens
		s["model_details"] = append(s["model_details"].([]any), detailOf(r))
	}
	out := []any{}
	for _, id := range slices.Sorted(maps.Keys(sums)) {
		out = append(out, sums[id])
	}
	return out
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

func (a *API) globalActivity(c *call) (any, error) {
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	all, err := a.sums(c, from, to, 0, store.ByDate)
	if err != nil {
		return nil, err
	}
	return dailyCounts(all), nil
}

func dailyCounts(all []store.Activity) map[string]any {
	days := []any{}
	var requests, tokens int64
	for i := len(all) - 1; i >= 0; i-- {
		r := &all[i]
		n := r.PromptTokens + r.CompletionTokens
		requests += r.APIRequests
		tokens += n
		days = append(days, map[string]any{"date": r.Date, "api_requests": r.APIRequests, "total_tokens": n})
	}
	return map[string]any{"daily_data": days, "sum_api_requests": requests, "sum_total_tokens": tokens}
}

func (a *API) globalActivityModel(c *call) (any, error) {
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	all, err := a.sums(c, from, to, 0, store.ByDate, store.ByModelGroup)
	if err != nil {
		return nil, err
	}
	return grouped(all, "model", func(r store.Activity) string { return r.ModelGroup }, dailyCounts), nil
}

// grouped sums up each group of rows and writes its name beside the sums, in the order of the names.
func grouped[T any](all []T, label string, name func(T) string, sum func([]T) map[string]any) []any {
	by := map[string][]T{}
	for _, r := range all {
		by[name(r)] = append(by[name(r)], r)
	}
	out := []any{}
	for _, n := range slices.Sorted(maps.Keys(by)) {
		d := sum(by[n])
		d[label] = n
		out = append(out, d)
	}
	return out
}

func (a *API) cacheHits(c *call) (any, error) {
	if !c.sees() {
		return nil, forbidden("Only admins may see what the cache saved.")
	}
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	all, err := a.Store.Reports().CacheHits(c.ctx(), from, to)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, r := range all {
		out = append(out, map[string]any{
			"api_key": r.APIKey, "call_type": r.CallType, "model": r.Model, "total_rows": r.Requests, "cache_hit_true_rows": r.Hits,
			"cached_completion_tokens": r.CachedTokens, "generated_completion_tokens": r.GeneratedTokens, "date": r.Date,
		})
	}
	return out, nil
}

func (a *API) exceptionCounts(c *call) ([]store.ExceptionCount, error) {
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	start, _ := time.Parse(day, from)
	end, _ := time.Parse(day, to)
	return a.Store.Reports().Exceptions(c.ctx(), c.query("model_group"), start, end.AddDate(0, 0, 1))
}

func (a *API) exceptions(c *call) (any, error) {
	all, err := a.exceptionCounts(c)
	if err != nil {
		return nil, err
	}
	return exceptionDays(all), nil
}

func exceptionDays(all []store.ExceptionCount) map[string]any {
	byDay, sum := map[string]int64{}, int64(0)
	for _, e := range all {
		byDay[e.Date] += e.Count
		sum += e.Count
	}
	days := []any{}
	for _, d := range slices.Sorted(maps.Keys(byDay)) {
		days = append(days, map[string]any{"date": d, "num_rate_limit_exceptions": byDay[d]})
	}
	return map[string]any{"daily_data": days, "sum_num_rate_limit_exceptions": sum}
}

func (a *API) exceptionsByDeployment(c *call) (any, error) {
	all, err := a.exceptionCounts(c)
	if err != nil {
		return nil, err
	}
	return grouped(all, "api_base", func(e store.ExceptionCount) string { return e.APIBase }, exceptionDays), nil
}

// providerBudgets serves what providers may cost and have cost in their period.
func (a *API) providerBudgets(c *call) (any, error) {
	if a.Policy.ProviderBudgets == nil {
		return map[string]any{"providers": map[string]any{}}, nil
	}
	all, err := a.Policy.ProviderBudgets(c.ctx())
	return map[string]any{"providers": all}, err
}
