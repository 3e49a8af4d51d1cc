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

type reports struct{ s *Store }

// Reports is of store.Store.
func (s *Store) Reports() store.Reports { return reports{s} }

// defaultPage is how many rows a page has if nobody says.
const defaultPage = 50

// Log is of store.Reports.
func (r reports) Log(ctx context.Context, requestID string) (*store.SpendLog, error) {
	return tableOf[store.SpendLog, string](r.s, r.s.logs).Get(ctx, clip(requestID, maxIndexed))
}

// Logs is of store.Reports.
func (r reports) Logs(ctx context.Context, q store.LogQuery) (store.LogPage, error) {
	var page store.LogPage
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	stmt := &statement{}
	columns := r.logColumns(q.Full)
	stmt.add("SELECT ", quoted(columns), " FROM ", r.s.d.Table(r.s.logs.name), " WHERE ")
	r.filter(stmt, &q.LogFilter)
	r.ranges(stmt, &q.LogFilter, q.Sort != "spend")
	if err := r.after(stmt, &q); err != nil {
		return page, err
	}
	if err := orderLogs(stmt, &q); err != nil {
		return page, err
	}
	stmt.add(fmt.Sprintf(" LIMIT %d", limit+1)) // one more shows whether there is a next page
	if q.Offset > 0 {
		stmt.add(fmt.Sprintf(" OFFSET %d", q.Offset))
	}
	rows, err := collect(ctx, r.s, stmt, func(scan func(...any) error) (row store.SpendLog, err error) {
		return row, r.s.read(columns, reflect.ValueOf(&row).Elem(), scan)
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
	page.Rows = rows
	if !q.NoCount {
		page.Total, err = r.countLogs(ctx, &q.LogFilter)
	}
	return page, err
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
func (r reports) countLogs(ctx context.Context, f *store.LogFilter) (int64, error) {
	stmt := &statement{}
	stmt.add("SELECT COUNT(*) FROM (SELECT 1 FROM ", r.s.d.Table(r.s.logs.name), " WHERE ")
	r.filter(stmt, f)
	r.ranges(stmt, f, true)
	stmt.add(fmt.Sprintf(" LIMIT %d) AS counted", store.MaxCount))
	return r.s.number(ctx, stmt)
}

// filter writes the conditions of a filter.
func (r reports) filter(stmt *statement, f *store.LogFilter) {
	stmt.add("1 = 1")
	texts := []struct{ column, value string }{
		{"request_id", f.RequestID}, {"api_key", f.APIKey}, {"user", f.User}, {"team_id", f.TeamID}, {"end_user", f.EndUser},
		{"model", f.Model}, {"model_id", f.ModelID}, {"session_id", f.SessionID},
	}
	for _, t := range texts {
		// Teams widens what User selects.
		if t.value != "" && (t.column != "user" || f.Teams == nil) {
			stmt.add(" AND ", quote(t.column), " = ", stmt.param(clip(cleanText(t.value), maxIndexed)))
		}
	}
	if f.Teams != nil {
		r.visible(stmt, f)
	}
	switch f.Status {
	case "":
	case "failure": // written out, so that the index of failures is found
		stmt.add(` AND "status" = 'failure'`)
	default:
		stmt.add(` AND ("status" IS NULL OR "status" <> 'failure')`)
	}
	if f.KeyAlias != "" {
		stmt.add(" AND ", r.s.d.Member(`"metadata"`, "user_api_key_alias"), " = ", stmt.param(cleanText(f.KeyAlias)))
	}
	if f.ErrorCode != "" {
		stmt.add(" AND ", r.s.d.Member(`"metadata"`, "error_information", "error_code"), " = ", stmt.param(cleanText(f.ErrorCode)))
	}
	if f.ErrorText != "" {
		stmt.add(" AND ", contains(r.s.d, r.s.d.Member(`"metadata"`, "error_information", "error_message"), stmt.param(cleanText(f.ErrorText))))
	}
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

// ranges writes the ranges of a filter. A start that a page is not sorted by is kept from choosing the index.
func (r reports) ranges(stmt *statement, f *store.LogFilter, sorted bool) {
	start := `"startTime"`
	if !sorted {
		start = r.s.d.Unindexed(start)
	}
	if !f.From.IsZero() {
		stmt.add(" AND ", start, " >= ", stmt.param(r.s.codec.time(f.From)))
	}
	if !f.To.IsZero() {
		stmt.add(" AND ", start, " < ", stmt.param(r.s.codec.time(f.To)))
	}
	if f.MinSpend != nil {
		stmt.add(` AND "spend" >= `, stmt.param(*f.MinSpend))
	}
	if f.MaxSpend != nil {
		stmt.add(` AND "spend" <= `, stmt.param(*f.MaxSpend))
	}
}

func byStart(sort string) bool { return sort == "" || sort == "startTime" }

func orderLogs(stmt *statement, q *store.LogQuery) error {
	direction := " DESC"
	if q.Ascending {
		direction = ""
	}
	column := q.Sort
	switch column {
	case "":
		column = "startTime"
	case "startTime", "spend", "total_tokens", "model", "endTime":
	default:
		return fmt.Errorf("spend logs cannot be sorted by %q: use startTime, endTime, spend, total_tokens or model", q.Sort)
	}
	stmt.add(" ORDER BY ", quote(column), direction, `, "request_id"`, direction)
	return nil
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
