package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// dayKey is what makes a row of a daily table one of its kind.
type dayKey struct{ entity, date, key, model, provider, tool, endpoint string }

type dayValue struct {
	group string
	store.Metrics
}

type totalKey struct{ dim, date, value string }

type cacheKey struct{ date, key, callType, model string }

type cacheValue struct{ requests, hits, cached, generated int64 }

// memberKey names a member.
type memberKey struct{ group, user string }

// sums is what a batch adds to everything but the log.
type sums struct {
	now        time.Time
	days       map[store.Entity]map[dayKey]*dayValue
	totals     map[totalKey]*store.Metrics
	cache      map[cacheKey]*cacheValue
	keys       map[string]float64
	users      map[string]float64
	teams      map[string]float64
	orgs       map[string]float64
	endUsers   map[string]float64
	tags       map[string]float64
	members    map[memberKey]float64
	orgMembers map[memberKey]float64
	counters   map[string]store.CounterAdd
}

func newSums(now time.Time) *sums {
	return &sums{
		now: now, days: map[store.Entity]map[dayKey]*dayValue{}, totals: map[totalKey]*store.Metrics{},
		cache: map[cacheKey]*cacheValue{}, keys: map[string]float64{}, users: map[string]float64{}, teams: map[string]float64{},
		orgs: map[string]float64{}, endUsers: map[string]float64{}, tags: map[string]float64{},
		members: map[memberKey]float64{}, orgMembers: map[memberKey]float64{}, counters: map[string]store.CounterAdd{},
	}
}

func (t *sums) add(e *store.SpendEntry) {
	for _, c := range e.Counters {
		t.addCounter(c)
	}
	if e.NoTotals {
		return
	}
	m := metricsOf(e)
	log := &e.Log
	tags := distinct(e.Tags)
	date := log.StartTime.UTC().Format(time.DateOnly)
	t.addDays(e, date, m, tags)
	t.addCache(e, date)
	if m.Spend == 0 {
		return
	}
	addTo(t.keys, log.APIKey, m.Spend)
	addTo(t.users, string(log.User), m.Spend)
	addTo(t.users, store.ProxyBudgetUser, m.Spend)
	addTo(t.teams, string(log.TeamID), m.Spend)
	addTo(t.orgs, string(log.OrganizationID), m.Spend)
	addTo(t.endUsers, clip(string(log.EndUser), maxIndexed), m.Spend)
	for _, tag := range tags {
		addTo(t.tags, tag, m.Spend)
	}
	if log.User != "" && log.TeamID != "" {
		t.members[memberKey{cleanText(string(log.TeamID)), cleanText(string(log.User))}] += m.Spend
	}
	if log.User != "" && log.OrganizationID != "" {
		t.orgMembers[memberKey{cleanText(string(log.OrganizationID)), cleanText(string(log.User))}] += m.Spend
	}
}

func addTo(sums map[string]float64, id string, amount float64) {
	if id != "" {
		sums[cleanText(id)] += amount
	}
}

func distinct(tags []string) []string {
	var all []string
	for _, tag := range tags {
		if tag = label(tag); tag != "" && !slices.Contains(all, tag) {
			all = append(all, tag)
		}
	}
	return all
}

func metricsOf(e *store.SpendEntry) store.Metrics {
	m := store.Metrics{
		Spend: finite(e.Log.Spend), PromptTokens: e.Log.PromptTokens, CompletionTokens: e.Log.CompletionTokens,
		CacheReadInputTokens: e.CacheReadTokens, CacheCreationInputTokens: e.CacheWriteTokens, APIRequests: 1,
	}
	if e.Log.Status == "failure" {
		m.FailedRequests = 1
	} else {
		m.SuccessfulRequests = 1
	}
	return m
}

func (t *sums) addCounter(c store.CounterAdd) {
	c.Name, c.Amount, c.Window = clip(cleanText(c.Name), maxIndexed), finite(c.Amount), store.Clean(c.Window)
	have, ok := t.counters[c.Name]
	switch {
	case !ok || c.Window.After(have.Window):
		t.counters[c.Name] = c
	case c.Window.Equal(have.Window):
		have.Amount += c.Amount
		t.counters[c.Name] = have
	}
}

func (t *sums) addDays(e *store.SpendEntry, date string, m store.Metrics, tags []string) {
	log := &e.Log
	key := dayKey{
		date: date, key: label(log.APIKey), model: label(log.Model), provider: label(string(log.CustomLLMProvider)),
		tool: label(string(log.MCPNamespacedToolName)), endpoint: label(e.Endpoint),
	}
	add := func(entity store.Entity, id string) {
		key := key
		key.entity = label(id)
		days := t.days[entity]
		if days == nil {
			days = map[dayKey]*dayValue{}
			t.days[entity] = days
		}
		value := days[key]
		if value == nil {
			value = &dayValue{group: label(string(log.ModelGroup))}
			days[key] = value
		}
		plus(&value.Metrics, &m)
		if totalled(entity) {
			t.total(string(entity), date, key.entity, &m)
		}
	}
	add(store.EntityUser, string(log.User)) // calls of nobody too: this table has every call
	for entity, id := range map[store.Entity]store.Text{
		store.EntityTeam: log.TeamID, store.EntityOrganization: log.OrganizationID, store.EntityEndUser: log.EndUser,
		store.EntityAgent: log.AgentID,
	} {
		if id != "" {
			add(entity, string(id))
		}
	}
	for _, tag := range tags {
		add(store.EntityTag, tag)
	}
	t.total(dimAll, date, "", &m)
	t.total(string(store.ByModel), date, key.model, &m)
	t.total(string(store.ByModelGroup), date, label(string(log.ModelGroup)), &m)
	t.total(string(store.ByProvider), date, key.provider, &m)
	t.total(string(store.ByEndpoint), date, key.endpoint, &m)
	t.total(string(store.ByTool), date, key.tool, &m)
}

// dimAll is the dimension of the totals of all calls.
const dimAll = "all"

// totalled says whether the days of an entity are summed in Sallyport_DailyTotal. Those of keys, users and end users are
// not: there would be about as many sums as there are daily rows.
func totalled(entity store.Entity) bool {
	return entity != store.EntityUser && entity != store.EntityEndUser
}

func (t *sums) total(dim, date, value string, m *store.Metrics) {
	key := totalKey{dim, date, value}
	total := t.totals[key]
	if total == nil {
		total = &store.Metrics{}
		t.totals[key] = total
	}
	plus(total, m)
}

func (t *sums) addCache(e *store.SpendEntry, date string) {
	key := cacheKey{date, label(e.Log.APIKey), label(e.Log.CallType), label(e.Log.Model)}
	value := t.cache[key]
	if value == nil {
		value = &cacheValue{}
		t.cache[key] = value
	}
	value.requests++
	if strings.EqualFold(string(e.Log.CacheHit), "true") {
		value.hits++
		value.cached += e.Log.CompletionTokens
	} else {
		value.generated += e.Log.CompletionTokens
	}
}

func plus(sum, m *store.Metrics) {
	sum.Spend += m.Spend
	sum.PromptTokens += m.PromptTokens
	sum.CompletionTokens += m.CompletionTokens
	sum.CacheReadInputTokens += m.CacheReadInputTokens
	sum.CacheCreationInputTokens += m.CacheCreationInputTokens
	sum.APIRequests += m.APIRequests
	sum.SuccessfulRequests += m.SuccessfulRequests
	sum.FailedRequests += m.FailedRequests
}

// write adds the sums. Every writer takes tables and rows in the same order, so that two never wait for each other.
func (t *sums) write(ctx context.Context, s *Store) error {
	if err := s.raiseKeys(ctx, t.keys); err != nil {
		return err
	}
	single := []struct {
		of   *shape
		sums map[string]float64
	}{{s.users, t.users}, {s.teams, t.teams}, {s.orgs, t.orgs}, {s.tags, t.tags}}
	for _, table := range single {
		if _, err := s.raise(ctx, table.of, table.sums); err != nil {
			return err
		}
	}
	if err := s.raiseMembers(ctx, s.teamMembers, t.members); err != nil {
		return err
	}
	if err := s.raiseMembers(ctx, s.orgMembers, t.orgMembers); err != nil {
		return err
	}
	if err := s.raiseEndUsers(ctx, t.endUsers); err != nil {
		return err
	}
	if err := t.writeCounters(ctx, s); err != nil {
		return err
	}
	for _, entity := range dailyEntities() {
		if err := t.writeDays(ctx, s, entity); err != nil {
			return err
		}
	}
	if err := t.writeTotals(ctx, s); err != nil {
		return err
	}
	return t.writeCache(ctx, s)
}

// insert inserts rows: values are those of the first row, then of the next. The target is called t in the conflict
// clause; an empty one does nothing.
func (s *Store) insert(ctx context.Context, of *shape, columns []string, values []any, key, update string) error {
	if len(values) == 0 {
		return nil
	}
	in := Insert{Table: s.d.Table(of.name), Values: values, Conflict: "(" + key + ") DO UPDATE SET " + update}
	if update == "" {
		in.Conflict, in.Keep = "("+key+") DO NOTHING", true
	}
	for _, name := range columns {
		i := slices.IndexFunc(of.columns, func(c Column) bool { return c.Name == name })
		in.Columns = append(in.Columns, &of.columns[i])
	}
	s.trace(ctx, "INSERT INTO "+in.Table+" AS t ("+quotedNames(columns)+") VALUES ("+params(1, len(columns))+") ON CONFLICT "+in.Conflict)
	if err := s.conn.Insert(ctx, in); err != nil {
		return s.fail(err)
	}
	return nil
}

// many runs a statement for each row.
func (s *Store) many(ctx context.Context, sql string, rows [][]any) error {
	_, err := s.touch(ctx, sql, rows)
	return err
}

// touch is many and says how many rows were touched.
func (s *Store) touch(ctx context.Context, sql string, rows [][]any) (int64, error) {
	if len(rows) == 0 {
		return 0, nil
	}
	s.trace(ctx, sql)
	n, err := s.conn.Many(ctx, sql, rows)
	if err != nil {
		return 0, s.fail(err)
	}
	return n, nil
}

// raise adds to the spend of rows, and says how many there are.
func (s *Store) raise(ctx context.Context, of *shape, sums map[string]float64) (int64, error) {
	rows := make([][]any, 0, len(sums))
	for _, id := range slices.Sorted(maps.Keys(sums)) {
		rows = append(rows, []any{sums[id], id})
	}
	return s.touch(ctx, "UPDATE "+s.d.Table(of.name)+` SET "spend" = "spend" + $1 WHERE `+quote(of.keys[0].Name)+" = $2", rows)
}

func (s *Store) raiseMembers(ctx context.Context, of *shape, sums map[memberKey]float64) error {
	rows := make([][]any, 0, len(sums))
	for _, m := range sortedKeys(sums, func(a, b memberKey) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.user, b.user))
	}) {
		rows = append(rows, []any{sums[m], m.user, m.group})
	}
	return s.many(ctx, "UPDATE "+s.d.Table(of.name)+` SET "spend" = COALESCE("spend", 0) + $1 WHERE `+quote(of.keys[0].Name)+" = $2 AND "+
		quote(of.keys[1].Name)+" = $3", rows)
}

func (s *Store) raiseEndUsers(ctx context.Context, sums map[string]float64) error {
	values := make([]any, 0, 3*len(sums))
	for _, id := range slices.Sorted(maps.Keys(sums)) {
		values = append(values, id, sums[id], false)
	}
	return s.insert(ctx, s.endUsers, []string{"user_id", "spend", "blocked"}, values, `"user_id"`, `"spend" = t."spend" + excluded."spend"`)
}

func (t *sums) writeCounters(ctx context.Context, s *Store) error {
	values := make([]any, 0, 3*len(t.counters))
	for _, name := range slices.Sorted(maps.Keys(t.counters)) {
		c := t.counters[name]
		values = append(values, name, s.codec.time(c.Window), c.Amount)
	}
	return s.insert(ctx, s.counters, []string{"name", "window_start", "spend"}, values, `"name"`, `
			"spend" = CASE WHEN t."window_start" = excluded."window_start" THEN t."spend" + excluded."spend" ELSE excluded."spend" END,
			"window_start" = excluded."window_start"
		WHERE t."window_start" <= excluded."window_start"`)
}

// metricNames are the columns of store.Metrics, in order.
func metricNames() []string {
	columns := columnsOf(reflect.TypeFor[store.Metrics]())
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

func appendMetrics(values []any, m *store.Metrics) []any {
	return append(values, m.Spend, m.PromptTokens, m.CompletionTokens, m.CacheReadInputTokens, m.CacheCreationInputTokens,
		m.APIRequests, m.SuccessfulRequests, m.FailedRequests)
}

// plusExcluded writes SET clauses that add what an upsert brings.
func plusExcluded(names []string) string {
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, `"%s" = t."%[1]s" + excluded."%[1]s"`, name)
	}
	return b.String()
}

func quotedNames(names []string) string { return `"` + strings.Join(names, `", "`) + `"` }

func (t *sums) writeDays(ctx context.Context, s *Store, entity store.Entity) error {
	days := t.days[entity]
	table := dailyTables()[entity]
	now := s.codec.time(t.now)
	names := append([]string{"id"}, dailyUnique(table[1])...)
	names = append(append(names, "model_group", "created_at", "updated_at"), metricNames()...)
	values := make([]any, 0, len(names)*len(days))
	for _, k := range sortedKeys(days, compareDays) {
		v := days[k]
		values = append(values, newOrderedUUID(t.now), k.entity, k.date, k.key, k.model, k.provider, k.tool, k.endpoint, v.group, now, now)
		values = appendMetrics(values, &v.Metrics)
	}
	return s.insert(ctx, s.daily[entity], names, values, quotedNames(dailyUnique(table[1])),
		`"updated_at" = excluded."updated_at", `+plusExcluded(metricNames()))
}

func compareDays(a, b dayKey) int {
	return cmp.Or(cmp.Compare(a.entity, b.entity), cmp.Compare(a.date, b.date), cmp.Compare(a.key, b.key),
		cmp.Compare(a.model, b.model), cmp.Compare(a.provider, b.provider), cmp.Compare(a.tool, b.tool),
		cmp.Compare(a.endpoint, b.endpoint))
}

func (t *sums) writeTotals(ctx context.Context, s *Store) error {
	names := append([]string{"dim", "date", "value"}, metricNames()...)
	values := make([]any, 0, len(names)*len(t.totals))
	for _, k := range sortedKeys(t.totals, func(a, b totalKey) int {
		return cmp.Or(cmp.Compare(a.dim, b.dim), cmp.Compare(a.date, b.date), cmp.Compare(a.value, b.value))
	}) {
		values = appendMetrics(append(values, k.dim, k.date, k.value), t.totals[k])
	}
	return s.insert(ctx, s.totals, names, values, `"dim", "date", "value"`, plusExcluded(metricNames()))
}

func (t *sums) writeCache(ctx context.Context, s *Store) error {
	values := make([]any, 0, 8*len(t.cache))
	for _, k := range sortedKeys(t.cache, func(a, b cacheKey) int {
		return cmp.Or(cmp.Compare(a.date, b.date), cmp.Compare(a.key, b.key), cmp.Compare(a.callType, b.callType),
			cmp.Compare(a.model, b.model))
	}) {
		v := t.cache[k]
		values = append(values, k.date, k.key, k.callType, k.model, v.requests, v.hits, v.cached, v.generated)
	}
	counts := []string{"requests", "hits", "cached_tokens", "generated_tokens"}
	return s.insert(ctx, s.cacheDays, append([]string{"date", "api_key", "call_type", "model"}, counts...), values,
		`"date", "api_key", "call_type", "model"`, plusExcluded(counts))
}

func sortedKeys[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	keys := slices.Collect(maps.Keys(m))
	slices.SortFunc(keys, compare)
	return keys
}
