package admin

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// spendRoutes are the routes of litellm/proxy/spend_tracking/spend_management_endpoints.py that read calls and totals.
func (a *API) spendRoutes() []route {
	own := viewer | orgAdmin | internal | internalViewer
	return []route{
		{"GET", "/spend/logs", own, a.spendLogs},
		{"GET", "/spend/logs/v2", own, a.spendPage},
		{"GET", "/spend/logs/ui", own, a.spendPage},
		{"GET", "/spend/logs/ui/{request_id}", own, a.spendLog},
		{"GET", "/spend/logs/session/ui", own, a.spendSession},
		{"GET", "/spend/keys", own, a.spendKeys},
		{"GET", "/spend/users", own, a.spendUsers},
		{"GET", "/spend/tags", own, a.spendTags},
		{"POST", "/spend/calculate", own | keyOnly, a.calculateSpend},
		{"POST", "/cost/estimate", own | keyOnly, a.estimateCost},
		{"GET", "/audit", viewer, a.auditLogs},
		{"GET", "/audit/{id}", viewer, a.auditLog},
	}
}

// day is how dates are written.
const day = time.DateOnly

// mine restricts a filter to what the caller may see: his own calls, and those of teams he administers.
func (a *API) mine(c *call, f *store.LogFilter) error {
	if c.sees() {
		return nil
	}
	if c.who.UserID == "" {
		f.APIKey = c.who.KeyHash
		return nil
	}
	led, err := a.ledTeams(c)
	if err != nil {
		return err
	}
	f.Teams = []string{}
	for id := range led {
		f.Teams = append(f.Teams, id)
	}
	if f.User != "" && f.User != c.who.UserID && len(led) == 0 {
		return forbidden("You may see your own calls only. Got user_id=" + f.User + ", your user_id=" + c.who.UserID)
	}
	if len(led) == 0 {
		f.User, f.Teams = c.who.UserID, nil
		return nil
	}
	if f.User == "" {
		f.User = c.who.UserID // with Teams: calls of these or of the caller
		return nil
	}
	return nil
}

func (c *call) logFilter() (f store.LogFilter, err error) {
	f = store.LogFilter{
		RequestID: c.query("request_id"), KeyAlias: c.query("key_alias"), User: c.query("user_id"), TeamID: c.query("team_id"),
		EndUser: c.query("end_user"), Model: c.query("model"), ModelID: c.query("model_id"), SessionID: c.query("session_id"),
		Status: c.query("status_filter"), ErrorCode: c.query("error_code"), ErrorText: c.query("error_message"),
	}
	if k := c.query("api_key"); k != "" {
		f.APIKey = hashOf(k)
	}
	if f.Status != "" && f.Status != "success" && f.Status != "failure" {
		return f, badRequest("status_filter", "status_filter must be success or failure.")
	}
	if f.From, err = c.date("start_date"); err != nil {
		return f, err
	}
	if f.To, err = c.date("end_date"); err != nil {
		return f, err
	}
	if !f.To.IsZero() && len(c.query("end_date")) == len(day) {
		f.To = f.To.AddDate(0, 0, 1) // a date alone is the whole day
	}
	for name, dst := range map[string]**float64{"min_spend": &f.MinSpend, "max_spend": &f.MaxSpend} {
		if s := c.query(name); s != "" {
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				return f, badQuery(name, "Input should be a valid number, unable to parse string as a number", "float_parsing")
			}
			*dst = &v
		}
	}
	return f, nil
}

// mostLogs is how many rows /spend/logs answers at once, where the reference has no limit.
const mostLogs = 1000

// spendLogs serves GET /spend/logs: rows, or with dates sums by day.
func (a *API) spendLogs(c *call) (any, error) {
	f, err := c.logFilter()
	if err != nil {
		return nil, err
	}
	sums, err := c.flag("summarize", true)
	if err != nil {
		return nil, err
	}
	if err := a.mine(c, &f); err != nil {
		return nil, err
	}
	if sums && !f.From.IsZero() && !f.To.IsZero() && f.RequestID == "" {
		return a.spendByDay(c, f)
	}
	page, err := a.Store.Reports().Logs(c.ctx(), store.LogQuery{LogFilter: f, Limit: mostLogs, NoCount: true})
	return rows(page.Rows), err
}

// spendByDay has for each day the spend in all, by key, by user and by model: of keys and users those that spent most, if
// there are very many. The reference puts keys beside the other members of a day.
func (a *API) spendByDay(c *call, f store.LogFilter) (any, error) {
	q := store.DailyFilter{From: f.From.Format(day), To: f.To.Add(-time.Nanosecond).Format(day), Model: f.Model}
	if f.APIKey != "" {
		q.APIKeys = []string{f.APIKey}
	}
	if f.User != "" {
		q.IDs = []string{f.User}
	}
	all, cut, err := a.heaviest(c, q, mostSums)
	if err != nil {
		return nil, err
	}
	days := map[string]*spendDay{}
	var order []string
	for _, r := range all {
		d := days[r.Date]
		if d == nil {
			d = &spendDay{keys: map[string]float64{}, users: map[string]float64{}, models: map[string]float64{}}
			days[r.Date] = d
			order = append(order, r.Date)
		}
		d.spend += r.Spend
		d.users[r.EntityID] += r.Spend
		d.models[r.Model] += r.Spend
		d.keys[r.APIKey] += r.Spend
	}
	if cut {
		if err := a.completeDays(c, q, days); err != nil {
			return nil, err
		}
	}
	out := []any{}
	for i := len(order) - 1; i >= 0; i-- { // oldest first
		out = append(out, days[order[i]].answer(order[i]))
	}
	return out, nil
}

// spendDay is what was spent on a day.
type spendDay struct {
	spend               float64
	keys, users, models map[string]float64
}

func (d *spendDay) answer(date string) map[string]any {
	out := map[string]any{}
	for key, spend := range d.keys {
		out[key] = spend
	}
	out["startTime"], out["spend"], out["users"], out["models"] = date, d.spend, d.users, d.models
	return out
}

// completeDays puts the sums of all calls in the place of those of the heaviest keys.
func (a *API) completeDays(c *call, f store.DailyFilter, days map[string]*spendDay) error {
	all, err := a.sumsBy(c, f, store.ByDate)
	if err != nil {
		return err
	}
	for _, r := range all {
		if d := days[r.Date]; d != nil {
			d.spend = r.Spend
			clear(d.models)
		}
	}
	if all, err = a.sumsBy(c, f, store.ByDate, store.ByModel); err != nil {
		return err
	}
	for _, r := range all {
		if d := days[r.Date]; d != nil {
			d.models[r.Model] += r.Spend
		}
	}
	return nil
}

// spendPage serves GET /spend/logs/v2 and /spend/logs/ui.
func (a *API) spendPage(c *call) (any, error) {
	f, err := c.logFilter()
	if err != nil {
		return nil, err
	}
	if f.From.IsZero() || f.To.IsZero() {
		return nil, badRequest("start_date", "Start date and end date are required, such as 2026-01-31 or 2026-01-31 12:00:00.")
	}
	if err := a.mine(c, &f); err != nil {
		return nil, err
	}
	page, err := c.page("page_size", 50, 100)
	if err != nil {
		return nil, err
	}
	q := store.LogQuery{LogFilter: f, Limit: page.size, Offset: page.offset(), Sort: c.query("sort_by"), Ascending: c.query("sort_order") == "asc"}
	switch q.Sort {
	case "", "startTime", "endTime", "spend", "total_tokens", "model":
	default:
		return nil, badRequest("sort_by", "sort_by must be startTime, endTime, spend, total_tokens or model.")
	}
	found, err := a.Store.Reports().Logs(c.ctx(), q)
	if err != nil {
		return nil, err
	}
	return page.answer("data", rows(found.Rows), found.Total), nil
}

// spendLog serves what was said in one call.
func (a *API) spendLog(c *call) (any, error) {
	row, err := a.Store.Reports().Log(c.ctx(), c.r.PathValue("request_id"))
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("request_id", "There is no call with the id "+c.r.PathValue("request_id"))
	}
	if err != nil {
		return nil, err
	}
	if !c.sees() {
		led, err := a.ledTeams(c)
		if err != nil {
			return nil, err
		}
		if (c.who.UserID == "" || string(row.User) != c.who.UserID) && row.APIKey != c.who.KeyHash && !led[string(row.TeamID)] {
			return nil, forbidden("You may see your own calls only.")
		}
	}
	return map[string]any{
		"messages": orEmpty(row.Messages), "response": orEmpty(row.Response), "proxy_server_request": orEmpty(row.ProxyServerRequest),
	}, nil
}

func orEmpty(raw store.JSON) store.JSON {
	if isNull(raw) {
		return store.JSON("{}")
	}
	return raw
}

func (a *API) spendSession(c *call) (any, error) {
	f := store.LogFilter{SessionID: c.query("session_id")}
	if f.SessionID == "" {
		return nil, missingQuery("session_id")
	}
	if err := a.mine(c, &f); err != nil {
		return nil, err
	}
	page, err := c.page("page_size", 50, 100)
	if err != nil {
		return nil, err
	}
	found, err := a.Store.Reports().Logs(c.ctx(), store.LogQuery{LogFilter: f, Limit: page.size, Offset: page.offset(), Ascending: true})
	if err != nil {
		return nil, err
	}
	return page.answer("data", rows(found.Rows), found.Total), nil
}

func (a *API) spendKeys(c *call) (any, error) {
	limit, err := c.number("limit", mostRows, 0, mostRows)
	if err != nil {
		return nil, err
	}
	where, err := a.keyFilter(c)
	if err != nil {
		return nil, err
	}
	found, err := a.Store.Keys().Find(c.ctx(), store.Query{Where: where, Sort: "spend", Desc: true, Limit: cmp.Or(limit, mostRows)})
	if err != nil {
		return nil, err
	}
	return a.keyViews(c, a.Store, found)
}

func (a *API) spendUsers(c *call) (any, error) {
	var where []store.Cond
	if id := c.query("user_id"); id != "" {
		where = append(where, store.Eq("user_id", id))
	}
	if !c.sees() {
		where = append(where, store.Eq("user_id", c.who.UserID), store.Where("user_id", store.NotNull))
	}
	found, err := a.Store.Users().Find(c.ctx(), store.Query{Where: where, Sort: "spend", Desc: true, Limit: mostRows})
	return rows(found), err
}

// dates reads start_date and end_date, both included; without them it is the last so many days.
func (c *call) dates(days int) (from, to string, err error) {
	start, err := c.date("start_date")
	if err != nil {
		return "", "", err
	}
	end, err := c.date("end_date")
	if err != nil {
		return "", "", err
	}
	if end.IsZero() {
		end = c.a.Now().UTC()
	}
	if start.IsZero() {
		start = end.AddDate(0, 0, -days)
	}
	if start.After(end) {
		return "", "", badRequest("start_date", "start_date is after end_date.")
	}
	return start.Format(day), end.Format(day), nil
}

func (a *API) spendTags(c *call) (any, error) {
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	all, err := a.tagSums(c, from, to, nil)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, r := range all {
		out = append(out, map[string]any{"individual_request_tag": r.EntityID, "log_count": r.APIRequests, "total_spend": r.Spend})
	}
	return out, nil
}

func (a *API) tagSums(c *call, from, to string, tags []string) ([]store.Activity, error) {
	f := store.DailyFilter{Entity: store.EntityTag, From: from, To: to, IDs: tags}
	if !c.sees() {
		keys, err := a.ownKeys(c)
		if err != nil || len(keys) == 0 {
			return nil, err
		}
		f.APIKeys = keys
	}
	return a.Store.Reports().Activity(c.ctx(), store.ActivityQuery{DailyFilter: f, By: []store.Dimension{store.ByEntity}, BySpend: true})
}

// ownKeys are the hashes of the keys that the caller may see.
func (a *API) ownKeys(c *call) ([]string, error) {
	led, err := a.ledTeams(c)
	if err != nil {
		return nil, err
	}
	where := []store.Cond{a.visible(c, slices.Sorted(maps.Keys(led)), false, true)}
	found, err := a.Store.Keys().Find(c.ctx(), store.Query{Where: where})
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(found))
	for i := range found {
		out = append(out, found[i].Token)
	}
	return out, nil
}

// calculateSpend serves POST /spend/calculate: what a request, or an answer there already is, costs.
func (a *API) calculateSpend(c *call) (any, error) {
	var q struct {
		Model    string          `json:"model"`
		Messages json.RawMessage `json:"messages"`
		Answer   json.RawMessage `json:"completion_response"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if a.Policy.Cost == nil {
		return nil, badRequest("model", "There are no prices to calculate with.")
	}
	if isNull(q.Answer) && (q.Model == "" || isNull(q.Messages)) {
		return nil, badRequest("model", "Bad Request - Either 'model' and 'messages', or 'completion_response' must be passed")
	}
	cost, err := a.Policy.Cost(q.Model, q.Messages, q.Answer)
	if err != nil {
		return nil, badRequest("model", err.Error())
	}
	return map[string]any{"cost": cost}, nil
}

func (a *API) auditLogs(c *call) (any, error) {
	page, err := c.page("page_size", 10, 100)
	if err != nil {
		return nil, err
	}
	var where []store.Cond
	for _, name := range []string{"changed_by", "changed_by_api_key", "action", "table_name", "object_id"} {
		if v := c.query(name); v != "" {
			where = append(where, store.Eq(name, v))
		}
	}
	for name, op := range map[string]store.Op{"start_date": store.GreaterEqual, "end_date": store.LessEqual} {
		at, err := c.date(name)
		if err != nil {
			return nil, err
		}
		if !at.IsZero() {
			if name == "end_date" && len(c.query(name)) == len(day) {
				at = at.AddDate(0, 0, 1).Add(-time.Millisecond)
			}
			where = append(where, store.Where("updated_at", op, at))
		}
	}
	q := page.query(where, "updated_at")
	columns := []string{"id", "updated_at", "changed_by", "changed_by_api_key", "action", "table_name", "object_id"}
	if err := c.sorting(&q, columns, "desc"); err != nil {
		return nil, err
	}
	found, err := a.Store.AuditLogs().Find(c.ctx(), q)
	if err != nil {
		return nil, err
	}
	total, err := a.Store.AuditLogs().Count(c.ctx(), where...)
	if err != nil {
		return nil, err
	}
	return page.answer("audit_logs", rows(found), total), nil
}

func (a *API) auditLog(c *call) (any, error) {
	row, err := a.Store.AuditLogs().Get(c.ctx(), c.r.PathValue("id"))
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("id", "Audit log with ID "+c.r.PathValue("id")+" not found")
	}
	return row, err
}
