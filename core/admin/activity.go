package admin

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// activityRoutes are the routes that sum up what was spent. All answers come from daily rows, so no page slows down as
// calls add up.
func (a *API) activityRoutes() []route {
	own := viewer | orgAdmin | internal | internalViewer
	daily := func(e store.Entity, param string, size int) handler {
		return func(c *call) (any, error) { return a.dailyActivity(c, e, param, size) }
	}
	return []route{
		{"GET", "/user/daily/activity", own, daily(store.EntityUser, "user_id", 50)},
		{"GET", "/user/daily/activity/aggregated", own, a.aggregatedActivity},
		{"GET", "/team/daily/activity", own, daily(store.EntityTeam, "team_ids", 10)},
		{"GET", "/tag/daily/activity", viewer, daily(store.EntityTag, "tags", 10)},
		{"GET", "/organization/daily/activity", viewer | orgAdmin, daily(store.EntityOrganization, "organization_ids", 10)},
		{"GET", "/customer/daily/activity", viewer, daily(store.EntityEndUser, "end_user_ids", 10)},
		{"GET", "/end_user/daily/activity", viewer, daily(store.EntityEndUser, "end_user_ids", 10)},
		{"GET", "/agent/daily/activity", viewer, daily(store.EntityAgent, "agent_ids", 10)},
		{"GET", "/global/spend", own, a.globalSpend},
		{"GET", "/global/spend/logs", own, a.globalByDay},
		{"GET", "/global/spend/keys", own, a.globalKeys},
		{"GET", "/global/spend/models", own, a.globalModels},
		{"GET", "/global/spend/provider", own, a.globalProviders},
		{"GET", "/global/spend/teams", own, a.globalTeams},
		{"POST", "/global/spend/end_users", own, a.globalEndUsers},
		{"GET", "/global/all_end_users", viewer, a.allEndUsers},
		{"GET", "/global/spend/tags", own, a.globalTags},
		{"GET", "/global/spend/all_tag_names", own, a.allTags},
		{"GET", "/global/spend/report", own, a.globalReport},
		{"POST", "/global/spend/reset", adminOnly, a.resetAll},
		{"POST", "/global/spend/refresh", adminOnly, a.refreshSums},
		{"GET", "/global/activity", own, a.globalActivity},
		{"GET", "/global/activity/model", own, a.globalActivityModel},
		{"GET", "/global/activity/cache_hits", own, a.cacheHits},
		{"GET", "/global/activity/exceptions", viewer, a.exceptions},
		{"GET", "/global/activity/exceptions/deployment", viewer, a.exceptionsByDeployment},
		{"GET", "/provider/budgets", viewer, a.providerBudgets},
	}
}

// metrics are the sums of a breakdown as the reference writes them (SpendMetrics in litellm/types/activity_tracking.py).
type metrics struct {
	store.Metrics
	TotalTokens int64 `json:"total_tokens"`
}

func (m *metrics) add(n store.Metrics) {
	m.Spend += n.Spend
	m.PromptTokens += n.PromptTokens
	m.CompletionTokens += n.CompletionTokens
	m.CacheReadInputTokens += n.CacheReadInputTokens
	m.CacheCreationInputTokens += n.CacheCreationInputTokens
	m.APIRequests += n.APIRequests
	m.SuccessfulRequests += n.SuccessfulRequests
	m.FailedRequests += n.FailedRequests
	m.TotalTokens += n.PromptTokens + n.CompletionTokens
}

// slice is one part of a day: its sums, what there is to say of it, and for all but keys the sums by key.
type slice struct {
	Metrics  metrics          `json:"metrics"`
	Metadata map[string]any   `json:"metadata"`
	Keys     map[string]slice `json:"api_key_breakdown,omitempty"`
}

type breakdown map[string]map[string]*slice

func newBreakdown() breakdown {
	return breakdown{
		"models": {}, "model_groups": {}, "mcp_servers": {}, "providers": {}, "api_keys": {}, "entities": {}, "endpoints": {},
	}
}

func (b breakdown) add(part, name string, row *store.Activity, meta map[string]any) {
	if name == "" {
		return
	}
	s := b[part][name]
	if s == nil {
		s = &slice{Metadata: map[string]any{}}
		b[part][name] = s
	}
	s.Metrics.add(row.Metrics)
	if part == "api_keys" {
		s.Metadata = meta
		return
	}
	if row.APIKey == "" {
		return
	}
	if s.Keys == nil {
		s.Keys = map[string]slice{}
	}
	k := s.Keys[row.APIKey]
	k.Metadata = meta
	k.Metrics.add(row.Metrics)
	s.Keys[row.APIKey] = k
}

// set replaces the sums of a part, and keeps what it has by key.
func (b breakdown) set(part, name string, m store.Metrics) {
	s := b[part][name]
	if s == nil {
		s = &slice{Metadata: map[string]any{}}
		b[part][name] = s
	}
	s.Metrics = metrics{}
	s.Metrics.add(m)
}

// dailyActivity serves the daily activity of one kind of entity. A page is a number of daily rows, and its sums are those
// of the page, as in the reference (get_daily_activity of litellm/proxy/management_endpoints/common_daily_activity.py).
func (a *API) dailyActivity(c *call, e store.Entity, param string, size int) (any, error) {
	p, err := c.page("page_size", size, 1000)
	if err != nil {
		return nil, err
	}
	f, empty, err := a.dailyFilter(c, e, param)
	if err != nil || empty {
		return emptyActivity(p.number), err
	}
	found, total, err := a.Store.Reports().Daily(c.ctx(), f, p.size+1, p.offset())
	if err != nil {
		return nil, err
	}
	more := len(found) > p.size
	all := activities(found[:min(len(found), p.size)])
	days, sum, err := a.activityDays(c, all, e)
	if err != nil {
		return nil, err
	}
	return map[string]any{"results": days, "metadata": totals(sum, p.number, int(p.pages(total)), more)}, nil
}

// aggregatedActivity serves the daily activity of users on one page: of keys those that spent most, if there are very many.
func (a *API) aggregatedActivity(c *call) (any, error) {
	f, empty, err := a.dailyFilter(c, store.EntityUser, "user_id")
	if err != nil || empty {
		return emptyActivity(1), err
	}
	all, cut, err := a.heaviest(c, f, mostShown)
	if err != nil {
		return nil, err
	}
	days, sum, err := a.activityDays(c, all, store.EntityUser)
	if err == nil && cut {
		sum, err = a.completeActivity(c, f, days)
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"results": days, "metadata": totals(sum, 1, 1, false)}, nil
}

// completeActivity puts the sums of all calls in the place of those of the heaviest keys.
func (a *API) completeActivity(c *call, f store.DailyFilter, days []*activityDay) (sum metrics, err error) {
	by := map[string]*activityDay{}
	for _, d := range days {
		by[d.Date] = d
	}
	all, err := a.sumsBy(c, f, store.ByDate)
	for _, r := range all {
		if d := by[r.Date]; d != nil {
			d.Metrics = metrics{}
			d.Metrics.add(r.Metrics)
			sum.add(r.Metrics)
		}
	}
	for part, dimension := range map[string]store.Dimension{
		"models": store.ByModel, "model_groups": store.ByModelGroup, "providers": store.ByProvider, "endpoints": store.ByEndpoint,
		"mcp_servers": store.ByTool,
	} {
		if err != nil {
			break
		}
		all, err = a.sumsBy(c, f, store.ByDate, dimension)
		for i := range all {
			if d, name := by[all[i].Date], *all[i].Field(dimension); d != nil && name != "" {
				d.Breakdown.set(part, name, all[i].Metrics)
			}
		}
	}
	return sum, err
}

// dailyFilter reads which daily rows are asked for, as far as the caller may see them.
func (a *API) dailyFilter(c *call, e store.Entity, param string) (f store.DailyFilter, empty bool, err error) {
	if c.query("start_date") == "" || c.query("end_date") == "" {
		return f, false, badRequest("start_date", "Please provide start_date and end_date")
	}
	from, to, err := c.dates(0)
	if err != nil {
		return f, false, err
	}
	if from, to, err = c.localDays(from, to); err != nil {
		return f, false, err
	}
	f = store.DailyFilter{Entity: e, From: from, To: to, Model: c.query("model"), IDs: csv(c.query(param)), Exclude: csv(c.query("exclude_" + param))}
	for _, one := range csv(c.query("api_key")) {
		f.APIKeys = append(f.APIKeys, hashOf(one))
	}
	empty, err = a.restrict(c, &f)
	return f, empty, err
}

// localDays widens a span of UTC days to hold all of the caller's days: timezone is how many minutes these are behind UTC, as
// browsers say it (_adjust_dates_for_timezone in common_daily_activity.py).
func (c *call) localDays(from, to string) (string, string, error) {
	behind, err := c.number("timezone", 0, -24*60, 24*60)
	if err != nil || behind == 0 {
		return from, to, err
	}
	if behind > 0 {
		return from, nextDay(to, 1), nil
	}
	return nextDay(from, -1), to, nil
}

func nextDay(date string, days int) string {
	t, err := time.Parse(day, date)
	if err != nil {
		return date // it was made by Format
	}
	return t.AddDate(0, 0, days).Format(day)
}

func csv(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// restrict narrows a filter to what the caller may see. empty says that this is nothing.
func (a *API) restrict(c *call, f *store.DailyFilter) (empty bool, err error) {
	if c.sees() {
		return false, nil
	}
	allowed := map[string]bool{}
	switch f.Entity {
	case store.EntityUser, "":
		allowed[c.who.UserID] = c.who.UserID != ""
	case store.EntityTeam:
		return a.restrictTeams(c, f)
	case store.EntityOrganization:
		led, err := a.Store.OrganizationMemberships().Find(c.ctx(), store.Query{Where: []store.Cond{
			store.Eq("user_id", c.who.UserID), store.Eq("user_role", "org_admin")}})
		if err != nil {
			return false, err
		}
		for _, m := range led {
			allowed[m.OrganizationID] = true
		}
	}
	delete(allowed, "")
	return narrow(f, allowed)
}

// narrow keeps of the ids asked for those that are allowed; one that is not is refused.
func narrow(f *store.DailyFilter, allowed map[string]bool) (empty bool, err error) {
	for _, id := range f.IDs {
		if !allowed[id] {
			return false, forbidden("You are not allowed to see the activity of " + id + ".")
		}
	}
	if len(f.IDs) == 0 {
		f.IDs = slices.Sorted(maps.Keys(allowed))
	}
	return len(f.IDs) == 0, nil
}

// restrictTeams lets admins of a team, and members whom it lets, see all of it, and other members their own keys.
func (a *API) restrictTeams(c *call, f *store.DailyFilter) (empty bool, err error) {
	if c.who.UserID == "" {
		return narrow(f, map[string]bool{c.who.TeamID: c.who.TeamID != ""})
	}
	u, err := a.findUser(c, c.who.UserID)
	if err != nil {
		return false, err
	}
	mine := map[string]bool{}
	for _, t := range u.Teams {
		mine[t] = true
	}
	if empty, err := narrow(f, mine); empty || err != nil {
		return empty, err
	}
	teams, err := a.Store.Teams().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf("team_id", f.IDs)}})
	if err != nil {
		return false, err
	}
	for i := range teams {
		if all, err := c.mayInTeam(&teams[i], "/team/daily/activity"); err != nil {
			return false, err
		} else if !all {
			own, err := a.Store.Keys().Find(c.ctx(), store.Query{Where: []store.Cond{store.Eq("user_id", c.who.UserID)}})
			if err != nil {
				return false, err
			}
			var hashes []string
			for i := range own {
				if len(f.APIKeys) == 0 || slices.Contains(f.APIKeys, own[i].Token) {
					hashes = append(hashes, own[i].Token)
				}
			}
			f.APIKeys = hashes
			return len(hashes) == 0, nil
		}
	}
	return false, nil
}

func emptyActivity(page int) map[string]any {
	return map[string]any{"results": []any{}, "metadata": totals(metrics{}, page, 0, false)}
}

func totals(m metrics, page, pages int, more bool) map[string]any {
	return map[string]any{
		"total_spend": m.Spend, "total_prompt_tokens": m.PromptTokens, "total_completion_tokens": m.CompletionTokens,
		"total_tokens": m.TotalTokens, "total_api_requests": m.APIRequests, "total_successful_requests": m.SuccessfulRequests,
		"total_failed_requests": m.FailedRequests, "total_cache_read_input_tokens": m.CacheReadInputTokens,
		"total_cache_creation_input_tokens": m.CacheCreationInputTokens, "page": page, "total_pages": pages, "has_more": more,
	}
}

// activityDay is a day of a page of activity.
type activityDay struct {
	Date      string    `json:"date"`
	Metrics   metrics   `json:"metrics"`
	Breakdown breakdown `json:"breakdown"`
}

// activityDays adds rows up by day and by what they are of.
func (a *API) activityDays(c *call, all []store.Activity, e store.Entity) (days []*activityDay, sum metrics, err error) {
	names, err := a.keyNames(c, all)
	if err != nil {
		return nil, sum, err
	}
	days = []*activityDay{}
	for i := range all {
		r := &all[i]
		if len(days) == 0 || days[len(days)-1].Date != r.Date {
			days = append(days, &activityDay{Date: r.Date, Breakdown: newBreakdown()})
		}
		d, meta := days[len(days)-1], names[r.APIKey]
		d.Metrics.add(r.Metrics)
		sum.add(r.Metrics)
		for part, name := range map[string]string{
			"models": r.Model, "model_groups": r.ModelGroup, "mcp_servers": r.Tool, "providers": r.Provider, "api_keys": r.APIKey,
			"entities": r.EntityID, "endpoints": r.Endpoint,
		} {
			if part == "entities" && (e == store.EntityUser || e == "") {
				continue // the reference has no entities for users
			}
			d.Breakdown.add(part, name, r, meta)
		}
	}
	return days, sum, nil
}

// keyNames are alias and team of the keys in some rows.
func (a *API) keyNames(c *call, all []store.Activity) (map[string]map[string]any, error) {
	out := map[string]map[string]any{}
	for i := range all {
		if all[i].APIKey != "" {
			out[all[i].APIKey] = map[string]any{"key_alias": nil, "team_id": nil}
		}
	}
	if len(out) == 0 {
		return out, nil
	}
	hashes := slices.Sorted(maps.Keys(out))
	for len(hashes) > 0 {
		n := min(len(hashes), 500)
		found, err := a.Store.Keys().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf("token", hashes[:n])}})
		if err != nil {
			return nil, err
		}
		for i := range found {
			out[found[i].Token] = map[string]any{"key_alias": found[i].KeyAlias, "team_id": found[i].TeamID}
		}
		hashes = hashes[n:]
	}
	return out, nil
}
