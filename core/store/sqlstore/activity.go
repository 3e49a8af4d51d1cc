package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// Daily is of store.Reports.
func (r reports) Daily(ctx context.Context, f store.DailyFilter, limit, offset int) ([]store.DailySpend, int64, error) {
	table, err := dailyTable(f.Entity)
	if err != nil {
		return nil, 0, err
	}
	if limit <= 0 {
		limit = defaultPage
	}
	stmt := &statement{}
	r.selectDaily(stmt, &f, table)
	if len(f.IDs) == 1 { // the order of the index that finds the rows
		stmt.add(` ORDER BY "date" DESC, "api_key" DESC, "model" DESC, "custom_llm_provider" DESC, "mcp_namespaced_tool_name" DESC, "endpoint" DESC`)
	} else {
		stmt.add(` ORDER BY "date" DESC, "id" DESC`)
	}
	stmt.add(fmt.Sprintf(" LIMIT %d OFFSET %d", limit, max(offset, 0)))
	rows, err := collect(ctx, r.s, stmt, r.s.scanDaily)
	if err != nil {
		return nil, 0, err
	}
	total, err := r.countDaily(ctx, &f, table, store.MaxCount)
	return rows, total, err
}

// countDaily counts daily rows, no further than most.
func (r reports) countDaily(ctx context.Context, f *store.DailyFilter, table [2]string, most int) (int64, error) {
	stmt := &statement{}
	stmt.add("SELECT COUNT(*) FROM (SELECT 1 FROM ", r.s.d.Table(table[0]))
	r.dailyWhere(stmt, f, table[1])
	stmt.add(fmt.Sprintf(" LIMIT %d) AS counted", most))
	return r.s.number(ctx, stmt)
}

// selectDaily writes a SELECT of the rows that a filter selects.
func (r reports) selectDaily(stmt *statement, f *store.DailyFilter, table [2]string) {
	stmt.add(`SELECT "id", `, dailyText(table[1]), `, "date", "api_key"`)
	for _, column := range []string{"model", "model_group", "custom_llm_provider", "mcp_namespaced_tool_name", "endpoint"} {
		stmt.add(", ", dailyText(column))
	}
	stmt.add(`, "created_at", "updated_at", `, quotedNames(metricNames()), " FROM ", r.s.d.Table(table[0]))
	r.dailyWhere(stmt, f, table[1])
}

// fewestADay is how many rows of a day Heaviest reads at least.
const fewestADay = 20

// Heaviest is of store.Reports.
func (r reports) Heaviest(ctx context.Context, f store.DailyFilter, most int) (rows []store.DailySpend, cut bool, err error) {
	table, err := dailyTable(f.Entity)
	if err != nil {
		return nil, false, err
	}
	n, err := r.countDaily(ctx, &f, table, most+1)
	if err != nil {
		return nil, false, err
	}
	if n <= int64(most) {
		rows, _, err = r.Daily(ctx, f, most, 0)
		return rows, false, err
	}
	days, err := r.days(ctx, &f, table)
	if err != nil {
		return nil, false, err
	}
	each := max(most/max(len(days), 1), fewestADay)
	for _, day := range days {
		one := f
		one.From, one.To = day, day
		stmt := &statement{}
		r.selectDaily(stmt, &one, table)
		stmt.add(` ORDER BY "date" DESC, "spend" DESC`, fmt.Sprintf(" LIMIT %d", each))
		of, err := collect(ctx, r.s, stmt, r.s.scanDaily)
		if err != nil {
			return nil, false, err
		}
		rows = append(rows, of...)
	}
	return rows, true, nil
}

// days are the days that have rows, the last first. Each is found from the one before by a step in the index.
func (r reports) days(ctx context.Context, f *store.DailyFilter, table [2]string) (days []string, err error) {
	const mostDays = 1000
	to, beyond := f.To, " <= "
	for len(days) < mostDays {
		stmt := &statement{}
		stmt.add(`SELECT COALESCE(MAX("date"), '') FROM `, r.s.d.Table(table[0]), " WHERE 1 = 1")
		if f.From != "" {
			stmt.add(` AND "date" >= `, stmt.param(cleanText(f.From)))
		}
		if to != "" {
			stmt.add(` AND "date"`, beyond, stmt.param(cleanText(to)))
		}
		found, err := collect(ctx, r.s, stmt, func(scan func(...any) error) (day string, err error) { return day, scan(&day) })
		if err != nil {
			return nil, err
		}
		if len(found) == 0 || found[0] == "" {
			break
		}
		days = append(days, found[0])
		to, beyond = found[0], " < "
	}
	return days, nil
}

func (s *Store) scanDaily(scan func(...any) error) (d store.DailySpend, err error) {
	var created, updated cell
	targets := []any{
		&d.ID, &d.EntityID, &d.Date, &d.APIKey, &d.Model, &d.ModelGroup, &d.CustomLLMProvider, &d.MCPNamespacedToolName, &d.Endpoint,
		s.codec.target(KindTime, &created), s.codec.target(KindTime, &updated),
	}
	err = scan(append(targets, metricTargets(&d.Metrics)...)...)
	d.CreatedAt, d.UpdatedAt = s.codec.timeFrom(&created), s.codec.timeFrom(&updated)
	return d, err
}

func metricTargets(m *store.Metrics) []any {
	return []any{
		&m.Spend, &m.PromptTokens, &m.CompletionTokens, &m.CacheReadInputTokens, &m.CacheCreationInputTokens, &m.APIRequests,
		&m.SuccessfulRequests, &m.FailedRequests,
	}
}

func dailyText(column string) string { return `COALESCE("` + column + `", '')` }

// dailyTable is the table of an entity and the column that names it.
func dailyTable(entity store.Entity) ([2]string, error) {
	if entity == "" {
		entity = store.EntityUser
	}
	table, ok := dailyTables()[entity]
	if !ok {
		return table, fmt.Errorf("nothing keeps the daily activity of a %q", entity)
	}
	return table, nil
}

// dailyWhere writes the conditions of a filter on a daily table.
func (r reports) dailyWhere(stmt *statement, f *store.DailyFilter, entity string) {
	stmt.add(" WHERE 1 = 1")
	dateRange(stmt, f)
	oneOf(stmt, quote(entity), f.IDs, false)
	oneOf(stmt, quote(entity), f.Exclude, true)
	oneOf(stmt, `"api_key"`, f.APIKeys, false)
	if f.Model != "" {
		stmt.add(` AND ("model" = `, stmt.param(label(f.Model)), ` OR "model_group" = `, stmt.param(label(f.Model)), ")")
	}
	if f.Provider != "" {
		stmt.add(` AND "custom_llm_provider" = `, stmt.param(label(f.Provider)))
	}
}

func dateRange(stmt *statement, f *store.DailyFilter) {
	if f.From != "" {
		stmt.add(` AND "date" >= `, stmt.param(cleanText(f.From)))
	}
	if f.To != "" {
		stmt.add(` AND "date" <= `, stmt.param(cleanText(f.To)))
	}
}

func oneOf(stmt *statement, column string, values []string, not bool) {
	if values == nil {
		return
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = label(v)
	}
	stmt.add(" AND ")
	if not {
		stmt.add("(", column, " IS NULL OR NOT ")
		defer stmt.add(")")
	}
	stmt.in(column, args)
}

// Activity is of store.Reports.
func (r reports) Activity(ctx context.Context, q store.ActivityQuery) ([]store.Activity, error) {
	table, err := dailyTable(q.Entity)
	if err != nil {
		return nil, err
	}
	for i, d := range q.By {
		if _, err := dimensionColumn(d, table[1]); err != nil {
			return nil, err
		}
		if slices.Contains(q.By[:i], d) {
			return nil, fmt.Errorf("activity is grouped by %s twice", d)
		}
	}
	if dim, ok := totalsFor(&q); ok {
		return r.fromTotals(ctx, &q, dim)
	}
	if r.s.tx != nil {
		return r.fromDaily(ctx, &q, table)
	}
	return r.s.memo.get(ctx, &q, func(ctx context.Context) ([]store.Activity, error) { return r.fromDaily(ctx, &q, table) })
}

func (r reports) fromDaily(ctx context.Context, q *store.ActivityQuery, table [2]string) ([]store.Activity, error) {
	stmt := &statement{}
	columns := make([]string, len(q.By))
	for i, d := range q.By {
		columns[i], _ = dimensionColumn(d, table[1])
	}
	r.sum(stmt, table[0], columns)
	r.dailyWhere(stmt, &q.DailyFilter, table[1])
	return r.activity(ctx, stmt, q, columns)
}

// dimensionColumn is how a dimension is written for a daily table.
func dimensionColumn(d store.Dimension, entity string) (string, error) {
	switch d {
	case store.ByDate:
		return `"date"`, nil
	case store.ByKey:
		return `"api_key"`, nil
	case store.ByEntity:
		return dailyText(entity), nil
	case store.ByModel, store.ByModelGroup, store.ByProvider, store.ByEndpoint, store.ByTool:
		return dailyText(string(d)), nil
	}
	return "", fmt.Errorf("activity cannot be grouped by %q", d)
}

// totalsFor says which dimension of Sallyport_DailyTotal answers a query, if one does: a query that groups by no more
// than the date and one dimension, and selects by no other.
func totalsFor(q *store.ActivityQuery) (string, bool) {
	if q.Model != "" {
		return "", false
	}
	used := map[store.Dimension]bool{}
	for _, d := range q.By {
		if d != store.ByDate {
			used[d] = true
		}
	}
	if q.IDs != nil || q.Exclude != nil {
		used[store.ByEntity] = true
	}
	if q.APIKeys != nil {
		used[store.ByKey] = true
	}
	if q.Provider != "" {
		used[store.ByProvider] = true
	}
	everything := q.Entity == "" || q.Entity == store.EntityUser
	entity := q.Entity
	if entity == "" {
		entity = store.EntityUser
	}
	switch {
	case len(used) > 1:
		return "", false
	case used[store.ByKey]:
		return "", false
	case used[store.ByEntity], len(used) == 0 && !everything:
		return string(entity), totalled(entity)
	case len(used) == 0:
		return dimAll, true
	case !everything:
		return "", false
	}
	for d := range used {
		return string(d), true
	}
	return "", false
}

func (r reports) fromTotals(ctx context.Context, q *store.ActivityQuery, dim string) ([]store.Activity, error) {
	stmt := &statement{}
	columns := make([]string, len(q.By))
	for i, d := range q.By {
		columns[i] = `"value"`
		if d == store.ByDate {
			columns[i] = `"date"`
		}
	}
	r.sum(stmt, r.s.totals.name, columns)
	stmt.add(` WHERE "dim" = `, stmt.param(dim))
	dateRange(stmt, &q.DailyFilter)
	oneOf(stmt, `"value"`, q.IDs, false)
	oneOf(stmt, `"value"`, q.Exclude, true)
	if q.Provider != "" {
		stmt.add(` AND "value" = `, stmt.param(label(q.Provider)))
	}
	return r.activity(ctx, stmt, q, columns)
}

// sum writes a SELECT of columns and the sums of all metrics.
func (r reports) sum(stmt *statement, table string, columns []string) {
	stmt.add("SELECT ")
	for _, c := range columns {
		stmt.add(c, ", ")
	}
	for i, name := range metricNames() {
		if i > 0 {
			stmt.add(", ")
		}
		kind := "BIGINT"
		if name == "spend" {
			kind = "DOUBLE PRECISION"
		}
		stmt.add("CAST(COALESCE(SUM(", quote(name), "), 0) AS ", kind, ")")
	}
	stmt.add(" FROM ", r.s.d.Table(table))
}

func (r reports) activity(ctx context.Context, stmt *statement, q *store.ActivityQuery, columns []string) ([]store.Activity, error) {
	if len(columns) > 0 {
		stmt.add(" GROUP BY ", strings.Join(columns, ", "))
		stmt.add(" ORDER BY ")
		if q.BySpend {
			stmt.add(`SUM("spend") DESC, `)
		}
		for i, column := range columns {
			if i > 0 {
				stmt.add(", ")
			}
			stmt.add(column)
			if column == `"date"` {
				stmt.add(" DESC")
			}
		}
	}
	if q.Limit > 0 {
		stmt.add(fmt.Sprintf(" LIMIT %d", q.Limit))
	}
	return collect(ctx, r.s, stmt, func(scan func(...any) error) (a store.Activity, err error) {
		var targets []any
		for _, d := range q.By {
			targets = append(targets, a.Field(d))
		}
		return a, scan(append(targets, metricTargets(&a.Metrics)...)...)
	})
}

// CacheHits is of store.Reports.
func (r reports) CacheHits(ctx context.Context, from, to string, limit int) ([]store.CacheActivity, error) {
	stmt := &statement{}
	stmt.add(`SELECT "date", "api_key", "call_type", "model", "requests", "hits", "cached_tokens", "generated_tokens" FROM `,
		r.s.d.Table(r.s.cacheDays.name), " WHERE 1 = 1")
	dateRange(stmt, &store.DailyFilter{From: from, To: to})
	stmt.add(` ORDER BY "date" DESC, "api_key" DESC, "call_type" DESC, "model" DESC`, fmt.Sprintf(" LIMIT %d", limit))
	return collect(ctx, r.s, stmt, func(scan func(...any) error) (c store.CacheActivity, err error) {
		return c, scan(&c.Date, &c.APIKey, &c.CallType, &c.Model, &c.Requests, &c.Hits, &c.CachedTokens, &c.GeneratedTokens)
	})
}

// Exceptions is of store.Reports.
func (r reports) Exceptions(ctx context.Context, modelGroup string, from, to time.Time) ([]store.ExceptionCount, error) {
	day := r.s.d.Day(`"startTime"`)
	stmt := &statement{}
	stmt.add("SELECT ", day, `, "model_group", "api_base", "exception_type", COUNT(*) FROM `, r.s.d.Table(r.s.errorLogs.name),
		` WHERE "startTime" >= `, stmt.param(r.s.codec.time(from)), ` AND "startTime" < `, stmt.param(r.s.codec.time(to)))
	if modelGroup != "" {
		stmt.add(` AND "model_group" = `, stmt.param(cleanText(modelGroup)))
	}
	stmt.add(" GROUP BY ", day, `, "model_group", "api_base", "exception_type" ORDER BY `, day, ` DESC, "model_group", "api_base", "exception_type"`)
	return collect(ctx, r.s, stmt, func(scan func(...any) error) (c store.ExceptionCount, err error) {
		return c, scan(&c.Date, &c.ModelGroup, &c.APIBase, &c.ExceptionType, &c.Count)
	})
}

// Refresh is of store.Reports.
func (r reports) Refresh(ctx context.Context, from, to string) error {
	return r.s.plainWrite(ctx, func(s *Store) error { return s.refresh(ctx, from, to) })
}

// refresh makes the totals anew from the daily tables.
func (s *Store) refresh(ctx context.Context, from, to string) error {
	if err := s.d.LockTable(ctx, s.conn, s.totals.name); err != nil {
		return s.fail(err)
	}
	f := store.DailyFilter{From: from, To: to}
	old := &statement{}
	old.add("DELETE FROM ", s.d.Table(s.totals.name), " WHERE 1 = 1")
	dateRange(old, &f)
	if _, err := s.exec(ctx, old); err != nil {
		return err
	}
	for _, entity := range dailyEntities() {
		table := dailyTables()[entity]
		values := map[string]string{}
		if totalled(entity) {
			values[string(entity)] = dailyText(table[1])
		}
		if entity == store.EntityUser {
			values[dimAll] = "''"
			for _, d := range []store.Dimension{store.ByModel, store.ByModelGroup, store.ByProvider, store.ByEndpoint, store.ByTool} {
				values[string(d)] = dailyText(string(d))
			}
		}
		for dim, value := range values {
			if err := s.refreshDim(ctx, table[0], dim, value, &f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) refreshDim(ctx context.Context, table, dim, value string, f *store.DailyFilter) error {
	stmt := &statement{}
	names := metricNames()
	stmt.add("INSERT INTO ", s.d.Table(s.totals.name), ` ("dim", "date", "value", `, quotedNames(names), ") SELECT CAST(", stmt.param(dim),
		` AS TEXT), "date", `, value)
	for _, name := range names {
		stmt.add(", SUM(", quote(name), ")")
	}
	stmt.add(" FROM ", s.d.Table(table), " WHERE 1 = 1")
	dateRange(stmt, f)
	stmt.add(` GROUP BY "date"`)
	if value != "''" {
		stmt.add(", ", value)
	}
	_, err := s.exec(ctx, stmt)
	return err
}
