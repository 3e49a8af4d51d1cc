package admin

import (
	"cmp"
	"maps"
	"slices"

	"github.com/sallyport-ai/sallyport/core/store"
)

// globalReport serves GET /global/spend/report: what teams or customers spent by day, model and key, or keys by model. Of the
// details it has the heaviest, if there are very many; the sums are those of all.
func (a *API) globalReport(c *call) (any, error) {
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	f := store.DailyFilter{From: from, To: to}
	group, err := c.reportGroup(&f)
	if err != nil {
		return nil, err
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
	switch {
	case cut && (group == "team" || group == "customer"):
		whole, err = a.sumsBy(c, f, store.ByDate, store.ByEntity)
	case cut:
		by := store.ByEntity
		if group == "api_key" {
			by = store.ByKey
		}
		whole, err = a.Store.Reports().Activity(c.ctx(), store.ActivityQuery{DailyFilter: f, By: []store.Dimension{by}, BySpend: true, Limit: mostSums})
	}
	if err != nil {
		return nil, err
	}
	switch group {
	case "team":
		names, err := a.teamNames(c, slices.Concat(all, whole))
		return reportByDay("teams", "team_name", names, all, whole), err
	case "customer":
		return reportByDay("customers", "customer", nil, all, whole), nil
	}
	return reportBy(group, all, whole), nil
}

// reportGroup reads what a report is about. A key, or a user, makes it one about keys, as in the reference.
func (c *call) reportGroup(f *store.DailyFilter) (string, error) {
	if k := c.query("api_key"); k != "" {
		f.APIKeys = []string{hashOf(k)}
		return "api_key", nil
	}
	if users := csv(c.query("internal_user_id")); len(users) > 0 && c.query("group_by") != "internal_user" {
		f.IDs = users
		return "api_key", nil
	}
	switch group := cmp.Or(c.query("group_by"), "team"); group {
	case "team":
		f.Entity, f.IDs = store.EntityTeam, csv(c.query("team_id"))
		return group, nil
	case "customer":
		f.Entity, f.IDs = store.EntityEndUser, csv(c.query("customer_id"))
		return group, nil
	case "api_key":
		return group, nil
	case "internal_user":
		f.IDs = csv(c.query("internal_user_id"))
		return group, nil
	}
	return "", badRequest("group_by", "group_by must be team, customer, internal_user or api_key.")
}

func detailOf(r *store.Activity) map[string]any {
	return map[string]any{
		"model": r.Model, "spend": r.Spend, "total_tokens": r.PromptTokens + r.CompletionTokens,
		"total_input_tokens": r.PromptTokens, "total_output_tokens": r.CompletionTokens, "api_key": r.APIKey,
	}
}

// reportByDay has for each day what each entity spent, and on what. names are what entities are called; nil calls them by
// their ids.
func reportByDay(list, label string, names map[string]string, all, whole []store.Activity) any {
	type sum struct {
		name  string
		spend float64
		meta  []any
	}
	days, known := map[string][]*sum{}, map[[2]string]*sum{}
	of := func(r *store.Activity) *sum {
		name := r.EntityID
		if names != nil {
			name = names[r.EntityID]
		}
		s := known[[2]string{r.Date, name}]
		if s == nil {
			s = &sum{name: name, meta: []any{}}
			known[[2]string{r.Date, name}] = s
			days[r.Date] = append(days[r.Date], s)
		}
		return s
	}
	for i := range all {
		s := of(&all[i])
		s.meta = append(s.meta, detailOf(&all[i]))
		if whole == nil {
			s.spend += all[i].Spend
		}
	}
	for i := range whole {
		of(&whole[i]).spend += whole[i].Spend
	}
	out := []any{}
	for _, date := range slices.Sorted(maps.Keys(days)) {
		entries := []any{}
		for _, s := range days[date] {
			entries = append(entries, map[string]any{label: s.name, "total_spend": s.spend, "metadata": s.meta})
		}
		out = append(out, map[string]any{"group_by_day": date, list: entries})
	}
	return out
}

// byModel adds the details of a key or user up by model.
func byModel(all []*store.Activity) []any {
	sums := map[string]*store.Metrics{}
	for _, r := range all {
		m := sums[r.Model]
		if m == nil {
			m = &store.Metrics{}
			sums[r.Model] = m
		}
		m.Spend, m.PromptTokens, m.CompletionTokens = m.Spend+r.Spend, m.PromptTokens+r.PromptTokens, m.CompletionTokens+r.CompletionTokens
	}
	out := []any{}
	for _, model := range slices.Sorted(maps.Keys(sums)) {
		m := sums[model]
		out = append(out, map[string]any{
			"model": model, "total_cost": m.Spend, "total_input_tokens": m.PromptTokens, "total_output_tokens": m.CompletionTokens,
		})
	}
	return out
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
		details       []*store.Activity
	}
	sums := map[string]*sum{}
	of := func(r *store.Activity) *sum {
		s := sums[name(r)]
		if s == nil {
			s = &sum{}
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
			s.details = append(s.details, &all[i])
		}
	}
	out := []any{}
	for _, id := range slices.Sorted(maps.Keys(sums)) {
		s := sums[id]
		out = append(out, map[string]any{
			group: id, "total_cost": s.cost, "total_input_tokens": s.input, "total_output_tokens": s.output, "model_details": byModel(s.details),
		})
	}
	return out
}
