package admin

import (
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/store"
)

// globalReport serves GET /global/spend/report: what teams, customers or keys spent, by day, model and key. Of the details
// it has the heaviest, if there are very many; the sums are those of all.
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
	all, cut, err := a.heaviest(c, f, mostSums)
	if err != nil {
		return nil, err
	}
	var whole []store.Activity // the sums of all, if all is not all
	if group == "team" {
		if cut {
			if whole, err = a.sumsBy(c, f, store.ByDate, store.ByEntity); err != nil {
				return nil, err
			}
		}
		return a.reportByTeam(c, all, whole)
	}
	if cut {
		by := store.ByEntity
		if group == "api_key" {
			by = store.ByKey
		}
		q := store.ActivityQuery{DailyFilter: f, By: []store.Dimension{by}, BySpend: true, Limit: mostSums}
		if whole, err = a.Store.Reports().Activity(c.ctx(), q); err != nil {
			return nil, err
		}
	}
	return reportBy(group, all, whole), nil
}

func detailOf(r *store.Activity) map[string]any {
	return map[string]any{
		"model": r.Model, "spend": r.Spend, "total_tokens": r.PromptTokens + r.CompletionTokens,
		"total_input_tokens": r.PromptTokens, "total_output_tokens": r.CompletionTokens, "api_key": r.APIKey,
	}
}

func (a *API) reportByTeam(c *call, all, whole []store.Activity) (any, error) {
	names, err := a.teamNames(c, slices.Concat(all, whole))
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
	days := map[string]*date{}
	of := func(r *store.Activity) *team {
		d := days[r.Date]
		if d == nil {
			d = &date{Date: r.Date}
			days[r.Date] = d
			out = append(out, d)
		}
		name := names[r.EntityID]
		at := slices.IndexFunc(d.Teams, func(t *team) bool { return t.Name == name })
		if at < 0 {
			d.Teams = append(d.Teams, &team{Name: name, Meta: []any{}})
			at = len(d.Teams) - 1
		}
		return d.Teams[at]
	}
	for i := range all {
		t := of(&all[i])
		t.Meta = append(t.Meta, detailOf(&all[i]))
		if whole == nil {
			t.Spend += all[i].Spend
		}
	}
	for i := range whole {
		of(&whole[i]).Spend += whole[i].Spend
	}
	slices.SortFunc(out, func(x, y *date) int { return strings.Compare(x.Date, y.Date) })
	return out, nil
}

func reportBy(group string, all, whole []store.Activity) any {
	name := func(r *store.Activity) string {
		if group == "api_key" {
			return r.APIKey
		}
		return r.EntityID
	}
	type sum struct {
		cost          float64
		input, output int64
		details       []any
	}
	sums := map[string]*sum{}
	of := func(r *store.Activity) *sum {
		s := sums[name(r)]
		if s == nil {
			s = &sum{details: []any{}}
			sums[name(r)] = s
		}
		return s
	}
	counted := whole
	if counted == nil {
		counted = all
	}
	for i := range counted {
		r := &counted[i]
		s := of(r)
		s.cost, s.input, s.output = s.cost+r.Spend, s.input+r.PromptTokens, s.output+r.CompletionTokens
	}
	for i := range all {
		if s := sums[name(&all[i])]; s != nil {
			s.details = append(s.details, detailOf(&all[i]))
		}
	}
	out := []any{}
	for _, id := range slices.Sorted(maps.Keys(sums)) {
		s := sums[id]
		out = append(out, map[string]any{
			group: id, "total_cost": s.cost, "total_input_tokens": s.input, "total_output_tokens": s.output, "model_details": s.details,
		})
	}
	return out
}
