package sqlstore

import (
	"context"
	"encoding/base64"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

type reports struct {
	s *Store
	// first says that the session that is looked for has the id of a call: its first, which has no session of its own.
	first bool
	// last says that the last failures alone are looked at, of which no index has what the filter or the order asks for.
	last bool
}

// Reports is of store.Store.
func (s *Store) Reports() store.Reports { return reports{s: s} }

// defaultPage is how many rows a page has if nobody says.
const defaultPage = 50

// Log is of store.Reports.
func (r reports) Log(ctx context.Context, requestID string) (*store.SpendLog, error) {
	row, err := tableOf[store.SpendLog, string](r.s, r.s.logs).Get(ctx, clip(requestID, maxIndexed))
	if err == nil {
		wholeSession(row)
	}
	return row, err
}

// wholeSession undoes that a call which is a session by itself is written without one: that saves an entry in an index.
func wholeSession(row *store.SpendLog) {
	if row.SessionID == "" {
		row.SessionID = store.Text(row.RequestID)
	}
}

// Logs is of store.Reports.
func (r reports) Logs(ctx context.Context, q store.LogQuery) (store.LogPage, error) {
	var page store.LogPage
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	if q.KeyAlias != "" {
		keys, err := r.keysCalled(ctx, q.KeyAlias)
		if err != nil || len(keys) == 0 {
			return page, err
		}
		q.APIKeys = keys
	}
	if q.SessionID != "" {
		var err error
		if r.first, err = r.isCall(ctx, q.SessionID); err != nil {
			return page, err
		}
	}
	r.last = q.ErrorText != "" || q.ErrorCode != "" && (!byStart(q.Sort) || q.MinSpend != nil || q.MaxSpend != nil)
	walk, err := r.plan(ctx, &q)
	if err != nil {
		return page, err
	}
	stmt := &statement{}
	columns := r.logColumns(q.Full)
	stmt.add("SELECT ", quoted(columns), " FROM ", r.s.d.Table(r.s.logs.name), " WHERE ")
	r.filter(stmt, &q.LogFilter)
	r.ranges(stmt, &q.LogFilter, walk.byStart, walk.few || q.Sort == "spend")
	if err := r.after(stmt, &q); err != nil {
		return page, err
	}
	orderLogs(r.s.d, stmt, &q, walk.few)
	stmt.add(fmt.Sprintf(" LIMIT %d", limit+1)) // one more shows whether there is a next page
	if q.Offset > 0 {
		stmt.add(fmt.Sprintf(" OFFSET %d", q.Offset))
	}
	rows, err := collect(ctx, r.s, stmt, func(scan func(...any) error) (row store.SpendLog, err error) {
		err = r.s.read(columns, reflect.ValueOf(&row).Elem(), scan)
		wholeSession(&row)
		return row, err
	})
	if err != nil {
		return page, err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		if byStart(q.Sort) {
			page.Next = cursor(&rows[limit-1])
		}
	}
	page.Rows, page.Total = rows, walk.total
	if !q.NoCount && !walk.counted {
		page.Total, err = r.countLogs(ctx, &q.LogFilter, true)
	}
	return page, err
}

// walk is how a page of logs is found.
type walk struct {
	byStart bool // by the index of startTime; otherwise by that of the sort, or of spend
	few     bool // rows are few enough to be sorted: no index of the sort is walked
	counted bool
	total   int64
}

// plan chooses how a page is found. An index that has the order of the page may be walked for long if few of its rows
// match; so these are counted first, no further than MaxCount, and sorted if they are fewer.
func (r reports) plan(ctx context.Context, q *store.LogQuery) (w walk, err error) {
	if !sortable(q.Sort) {
		return w, fmt.Errorf("spend logs cannot be sorted by %q: use startTime, endTime, spend, total_tokens or model", q.Sort)
	}
	if r.last || r.first {
		return walk{few: true}, nil // of few
	}
	if q.MinSpend != nil && *q.MinSpend > 0 {
		w = walk{few: true, counted: true}
		if w.total, err = r.countLogs(ctx, &q.LogFilter, false); err != nil || w.total < store.MaxCount {
			return w, err
		}
		if !byStart(q.Sort) {
			w.few = false
			return w, nil
		}
	}
	if byStart(q.Sort) {
		w.byStart, w.few = true, false
		return w, nil
	}
	w = walk{byStart: true, few: true, counted: true}
	if w.total, err = r.countLogs(ctx, &q.LogFilter, true); w.total >= store.MaxCount {
		w.byStart, w.few = false, false
	}
	return w, err
}

// isCall says whether a call without a session has this id.
func (r reports) isCall(ctx context.Context, id string) (bool, error) {
	stmt := &statement{}
	stmt.add("SELECT COUNT(*) FROM ", r.s.d.Table(r.s.logs.name), ` WHERE "request_id" = `, stmt.param(clip(cleanText(id), maxIndexed)),
		` AND "session_id" IS NULL`)
	n, err := r.s.number(ctx, stmt)
	return n > 0, err
}

// keysCalled are the hashes of keys that have an alias, or had it when they were deleted.
func (r reports) keysCalled(ctx context.Context, alias string) ([]string, error) {
	stmt := &statement{}
	alias = cleanText(alias)
	stmt.add(`SELECT "token" FROM `, r.s.d.Table(r.s.keys.name), ` WHERE "key_alias" = `, stmt.param(alias), ` UNION SELECT "token" FROM `,
		r.s.d.Table(r.s.deletedKeys.name), ` WHERE "key_alias" = `, stmt.param(alias))
	return collect(ctx, r.s, stmt, func(scan func(...any) error) (token string, err error) { return token, scan(&token) })
}

// logColumns leaves out the columns that may hold whole conversations.
func (r reports) logColumns(full bool) []*Column {
	var columns []*Column
	for _, c := range r.s.logs.all() {
		if !full && (c.Name == "messages" || c.Name == "response" || c.Name == "proxy_server_request") {
			continue
		}
		columns = append(columns, c)
	}
	return columns
}

// countLogs counts no further than MaxCount: counting millions of rows would cost more than all else on the page.
func (r reports) countLogs(ctx context.Context, f *store.LogFilter, byStart bool) (int64, error) {
	stmt := &statement{}
	stmt.add("SELECT COUNT(*) FROM (SELECT 1 FROM ", r.s.d.Table(r.s.logs.name), " WHERE ")
	r.filter(stmt, f)
	r.ranges(stmt, f, byStart, !byStart)
	stmt.add(fmt.Sprintf(" LIMIT %d) AS counted", store.MaxCount))
	return r.s.number(ctx, stmt)
}

// filter writes the conditions of a filter.
func (r reports) filter(stmt *statement, f *store.LogFilter) {
	stmt.add("1 = 1")
	texts := []struct{ column, value string }{
		{"request_id", f.RequestID}, {"api_key", f.APIKey}, {"user", f.User}, {"team_id", f.TeamID}, {"end_user", f.EndUser},
		{"model", f.Model}, {"model_id", f.ModelID},
	}
	for _, t := range texts {
		// Teams widens what User selects.
		if t.value != "" && (t.column != "user" || f.Teams == nil) {
			stmt.add(" AND ", quote(t.column), " = ", stmt.param(clip(cleanText(t.value), maxIndexed)))
		}
	}
	if f.SessionID != "" {
		r.session(stmt, clip(cleanText(f.SessionID), maxIndexed))
	}
	if f.Teams != nil {
		r.visible(stmt, f)
	}
	if f.APIKeys != nil {
		keys := make([]any, len(f.APIKeys))
		for i, key := range f.APIKeys {
			keys[i] = key
		}
		stmt.add(" AND ")
		stmt.in(`"api_key"`, keys)
	}
	status := f.Status
	if f.ErrorCode != "" || f.ErrorText != "" {
		status = "failure"
	}
	switch status {
	case "":
	case "failure": // written out, so that the indexes of failures are found
		stmt.add(` AND "status" = 'failure'`)
	default:
		stmt.add(` AND ("status" IS NULL OR "status" <> 'failure')`)
	}
	if r.last {
		r.lastFailures(stmt, f)
		return
	}
	if f.ErrorCode != "" {
		code := cleanText(f.ErrorCode)
		stmt.add(" AND ", errorCodeStart(r.s.d), " = ", stmt.param(firstRunes(code, maxErrorCode)), " AND ", errorCode(r.s.d), " = ", stmt.param(code))
	}
}

// lastFailures writes that a row is one of the last failures that match the filter but for the text, and has the text. No
// index has texts.
func (r reports) lastFailures(stmt *statement, f *store.LogFilter) {
	rest, inner := *f, r
	rest.ErrorText, rest.Status, inner.last = "", "failure", false
	stmt.add(` AND "request_id" IN (SELECT "request_id" FROM `, r.s.d.Table(r.s.logs.name), " WHERE ")
	inner.filter(stmt, &rest)
	inner.ranges(stmt, &rest, true, false)
	stmt.add(fmt.Sprintf(` ORDER BY "startTime" DESC, "request_id" DESC LIMIT %d)`, store.MaxCount))
	if f.ErrorText != "" {
		stmt.add(" AND ", contains(r.s.d, r.s.d.Member(`"metadata"`, "error_information", "error_message"), stmt.param(cleanText(f.ErrorText))))
	}
}

// errorCode is the code of a failure.
func errorCode(d Dialect) string { return d.Member(`"metadata"`, "error_information", "error_code") }

// maxErrorCode is how many characters of a code are in its index: PostgreSQL refuses a row whose entry is too long.
const maxErrorCode = 64

// errorCodeStart is what the index has of a code.
func errorCodeStart(d Dialect) string {
	return fmt.Sprintf("substr(%s, 1, %d)", errorCode(d), maxErrorCode)
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

// session writes that a row is of a session.
func (r reports) session(stmt *statement, id string) {
	if !r.first {
		stmt.add(` AND "session_id" = `, stmt.param(id))
		return
	}
	stmt.add(` AND ("session_id" = `, stmt.param(id), ` OR ("request_id" = `, stmt.param(id), ` AND "session_id" IS NULL))`)
}

// visible writes that a row is of one of the teams or of the user.
func (r reports) visible(stmt *statement, f *store.LogFilter) {
	stmt.add(" AND (")
	if f.User != "" {
		stmt.add(`"user" = `, stmt.param(clip(cleanText(f.User), maxIndexed)), " OR ")
	}
	teams := make([]any, len(f.Teams))
	for i, team := range f.Teams {
		teams[i] = clip(cleanText(team), maxIndexed)
	}
	stmt.in(`"team_id"`, teams)
	stmt.add(")")
}

// ranges writes the ranges of a filter. Unless rows are found by their start, or by their spend, the index of it is not to
// be chosen: what it selects may be most of the table, to be sorted.
func (r reports) ranges(stmt *statement, f *store.LogFilter, byStart, bySpend bool) {
	start, spend := `"startTime"`, `"spend"`
	if !byStart {
		start = r.s.d.Unindexed(start)
	}
	if !bySpend {
		spend = r.s.d.Unindexed(spend)
	}
	if !f.From.IsZero() {
		stmt.add(" AND ", start, " >= ", stmt.param(r.s.codec.time(f.From)))
	}
	if !f.To.IsZero() {
		stmt.add(" AND ", start, " < ", stmt.param(r.s.codec.time(f.To)))
	}
	if f.MinSpend != nil {
		stmt.add(" AND ", spend, " >= ", stmt.param(*f.MinSpend))
	}
	if f.MaxSpend != nil {
		stmt.add(" AND ", spend, " <= ", stmt.param(*f.MaxSpend))
	}
}

func byStart(sort string) bool { return sort == "" || sort == "startTime" }

func sortable(sort string) bool {
	switch sort {
	case "", "startTime", "spend", "total_tokens", "model", "endTime":
		return true
	}
	return false
}

func orderLogs(d Dialect, stmt *statement, q *store.LogQuery, few bool) {
	direction := " DESC"
	if q.Ascending {
		direction = ""
	}
	column := quote(q.Sort)
	if q.Sort == "" {
		column = `"startTime"`
	}
	more, tie := "", d.Tie("request_id")
	if byStart(q.Sort) {
		tie = quote("request_id") // as cursors have it; few rows begin in one millisecond
	}
	switch {
	case few:
		column = "COALESCE(" + column + ", " + column + ")" // no index has this
	case q.Sort == "model", q.Sort == "spend" && tie != quote("request_id"):
		more = `, "startTime"` + direction // as the index has it
	}
	stmt.add(" ORDER BY ", column, direction, more, ", ", tie, direction)
}

// cursor names the row after which the next page begins.
func cursor(row *store.SpendLog) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(row.StartTime.UnixMilli(), 36) + "." + row.RequestID))
}

func parseCursor(text string) (at time.Time, id string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		millis, rest, ok := strings.Cut(string(raw), ".")
		n, parseErr := strconv.ParseInt(millis, 36, 64)
		if ok && parseErr == nil {
			return time.UnixMilli(n).UTC(), rest, nil
		}
	}
	return time.Time{}, "", fmt.Errorf("%.40q is no cursor of a page: take it from the page before, or leave it out", text)
}

func (r reports) after(stmt *statement, q *store.LogQuery) error {
	if q.After == "" {
		return nil
	}
	if !byStart(q.Sort) {
		return fmt.Errorf("a cursor goes with the sort by startTime, not by %q", q.Sort)
	}
	at, id, err := parseCursor(q.After)
	if err != nil {
		return err
	}
	beyond := " <"
	if q.Ascending {
		beyond = " >"
	}
	start := stmt.param(r.s.codec.time(at))
	again := stmt.param(r.s.codec.time(at))
	stmt.add(` AND "startTime"`, beyond, "= ", start, ` AND ("startTime"`, beyond, " ", again, ` OR "request_id"`, beyond, " ",
		stmt.param(cleanText(id)), ")")
	return nil
}
