package postgres_test

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/postgres"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

//go:embed testdata/prisma.sql
var prisma string

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func run(t testing.TB, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%.80s: %v", sql, err)
	}
}

// texts reads rows of one text column.
func texts(t testing.TB, conn *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%.80s: %v", sql, err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%.80s: %v", sql, err)
	}
	return all
}

// columns describes all columns of a schema by table.
func columns(t testing.TB, conn *pgx.Conn) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, line := range texts(t, conn, `SELECT concat_ws(' ', table_name, '"' || column_name || '"', data_type, udt_name, is_nullable, column_default)
		FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position`) {
		table, rest, _ := strings.Cut(line, " ")
		all[table] = append(all[table], rest)
	}
	return all
}

// contents are the rows of all tables, in the columns given.
func contents(t testing.TB, conn *pgx.Conn, tables map[string][]string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for table, described := range tables {
		var names []string
		for _, column := range described {
			names = append(names, column[:strings.Index(column[1:], `"`)+2])
		}
		all[table] = texts(t, conn, fmt.Sprintf(`SELECT concat_ws('|', %s) FROM "%s" ORDER BY 1`, strings.Join(names, ", "), table))
	}
	return all
}

const token = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"

// TestReferenceDatabase opens a database that the reference made: nothing of it is lost, and all of it works.
func TestReferenceDatabase(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	conn, ctx := connect(t, url), t.Context()
	run(t, conn, prisma)
	run(t, conn, `INSERT INTO "LiteLLM_ProxyModelTable" ("model_id", "model_name", "litellm_params", "created_by", "updated_by") VALUES ('m1', 'gpt',
		'{"api_key": "`+store.NewVault("salt").Encrypt("sk-provider")+`"}', 'admin', 'admin')`)
	tables := columns(t, conn)
	before := contents(t, conn, tables)
	keys := texts(t, conn, `SELECT conname::text || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1`)

	s := open(t, postgres.Settings{URL: url, Options: sqlstore.Options{Vault: store.NewVault("salt")}})
	after := columns(t, conn)
	for table, described := range tables {
		for _, column := range described {
			if !slices.Contains(after[table], column) {
				t.Errorf("%s had %s, and has %v", table, column, after[table])
			}
		}
	}
	if diff := cmp.Diff(before, contents(t, conn, tables)); diff != "" {
		t.Errorf("rows changed (-before +after):\n%s", diff)
	}
	still := texts(t, conn, `SELECT conname::text || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1`)
	for _, key := range keys {
		if !slices.Contains(still, key) {
			t.Errorf("constraint %s is gone", key)
		}
	}

	view, err := s.Keys().Lookup(ctx, token, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if view.Spend != 1.25 || view.Team.TeamAlias != "Team" || view.Member.Spend != 4 || view.OrganizationBudget.BudgetID != "b1" || *view.MaxBudget != 10 {
		t.Errorf("key: %+v", view)
	}
	model, err := s.Models().Get(ctx, "m1")
	if err != nil || string(model.LitellmParams) != `{"api_key":"sk-provider"}` {
		t.Errorf("model: %+v, %v", model, err)
	}
	group, err := s.AccessGroups().Get(ctx, "g1")
	if err != nil || !slices.Equal(group.AccessModelNames, []string{"m1", "m2"}) {
		t.Errorf("access group: %+v, %v", group, err)
	}
	spendOn(t, s)
	// A second start has nothing to do.
	open(t, postgres.Settings{URL: url, Options: sqlstore.Options{KeepSchema: true, Warn: func(m string) { t.Error(m) }}})
}

// spendOn records calls on top of what the reference recorded, and reads both.
func spendOn(t *testing.T, s store.Store) {
	t.Helper()
	ctx := t.Context()
	at := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
	entry := func(seq int64, endpoint string) store.SpendEntry {
		return store.SpendEntry{Seq: seq, Endpoint: endpoint, Log: store.SpendLog{
			CallType: "acompletion", APIKey: token, User: "u1", TeamID: "t1", OrganizationID: "o1", Spend: 1, StartTime: at, EndTime: at, Model: "gpt-4o",
			CustomLLMProvider: "openai",
		}}
	}
	// The same day, key and model, but other endpoints: one row each, which the index of earlier versions forbade.
	_, err := s.Spend().Record(ctx, store.SpendBatch{Source: "j", Entries: []store.SpendEntry{entry(1, "/a"), entry(2, "/b"), entry(3, "/b")}})
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := s.Reports().Daily(ctx, store.DailyFilter{Entity: store.EntityTeam}, 10, 0)
	if err != nil || len(rows) != 3 {
		t.Errorf("team days: %+v, %v", rows, err)
	}
	sum, err := s.Reports().Activity(ctx, store.ActivityQuery{By: []store.Dimension{store.ByModel}})
	if err != nil || len(sum) != 2 || sum[1].Model != "gpt-4o" || sum[1].Spend != 4.25 || sum[1].APIRequests != 6 || sum[0].Spend != 2 {
		t.Errorf("by model: %+v, %v", sum, err)
	}
	key, err := s.Keys().Get(ctx, token)
	if err != nil || key.Spend != 4.25 {
		t.Errorf("key: %+v, %v", key, err)
	}
	page, err := s.Reports().Logs(ctx, store.LogQuery{LogFilter: store.LogFilter{APIKey: token}})
	if err != nil || page.Total != 4 {
		t.Errorf("logs: %+v, %v", page, err)
	}
}

// TestFiveReplicas has five open one empty database, and one of the reference, at once.
func TestFiveReplicas(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]string{"empty": "", "reference": prisma} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := storetest.Postgres(t)
			conn := connect(t, url)
			run(t, conn, prepare)
			var group sync.WaitGroup
			for i := range 5 {
				group.Go(func() {
					s, err := postgres.Open(t.Context(), postgres.Settings{URL: url, MaxConns: 2})
					if err != nil {
						t.Errorf("replica %d: %v", i, err)
						return
					}
					defer s.Close()
					if err := s.Built(t.Context()); err != nil {
						t.Error(err)
					}
					if err := s.Tags().Create(t.Context(), &store.Tag{TagName: fmt.Sprint(i)}); err != nil {
						t.Errorf("replica %d: %v", i, err)
					}
				})
			}
			group.Wait()
			steps := texts(t, conn, `SELECT "name" FROM "Sallyport_Step" ORDER BY 1`)
			if len(steps) != 2 {
				t.Errorf("steps %v", steps)
			}
			if left := texts(t, conn, `SELECT relname::text FROM pg_class JOIN pg_index ON oid = indexrelid WHERE NOT indisvalid`); len(left) > 0 {
				t.Errorf("indexes that do not work: %v", left)
			}
		})
	}
}

func TestKeepSchema(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	conn := connect(t, url)
	kept := postgres.Settings{URL: url, Options: sqlstore.Options{KeepSchema: true}}
	refuses := func(parts ...string) {
		t.Helper()
		_, err := postgres.Open(t.Context(), kept)
		if !errors.Is(err, store.ErrSchema) {
			t.Fatalf("error %v", err)
		}
		for _, part := range append(parts, "disable_prisma_schema_update", "DISABLE_SCHEMA_UPDATE") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not name %s", err, part)
			}
		}
	}
	refuses("table LiteLLM_BudgetTable", " more")
	if made := columns(t, conn); len(made) != 0 {
		t.Errorf("tables were made: %v", slices.Collect(maps.Keys(made)))
	}
	open(t, postgres.Settings{URL: url})
	open(t, kept)
	run(t, conn, `ALTER TABLE "LiteLLM_TeamTable" DROP COLUMN "soft_budget"`)
	refuses("column LiteLLM_TeamTable.soft_budget")
	open(t, postgres.Settings{URL: url})
	run(t, conn, `DROP INDEX "LiteLLM_SpendLogs_api_key_startTime_idx"`)
	var warnings []string
	kept.Warn = func(m string) { warnings = append(warnings, m) }
	open(t, kept)
	if len(warnings) != 1 || !strings.Contains(warnings[0], "LiteLLM_SpendLogs_api_key_startTime_idx") {
		t.Errorf("warnings %q", warnings)
	}
	unique := texts(t, conn, `SELECT indexname::text FROM pg_indexes WHERE tablename = 'LiteLLM_DailyUserSpend' AND indexdef LIKE 'CREATE UNIQUE%endpoint%'`)
	run(t, conn, `DROP INDEX "`+unique[0]+`"`)
	refuses("index LiteLLM_DailyUserSpend")
}

// TestInterruptedIndex finds an index that was not built to its end.
func TestInterruptedIndex(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	conn := connect(t, url)
	open(t, postgres.Settings{URL: url})
	run(t, conn, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"LiteLLM_SpendLogs_api_key_startTime_idx"'::regclass`)
	open(t, postgres.Settings{URL: url})
	valid := texts(t, conn, `SELECT indisvalid::text FROM pg_index WHERE indexrelid = '"LiteLLM_SpendLogs_api_key_startTime_idx"'::regclass`)
	if !slices.Equal(valid, []string{"true"}) {
		t.Errorf("valid: %v", valid)
	}
}

// TestClosedBuild closes a gateway while indexes of a large table are built: the next start builds the rest.
func TestClosedBuild(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	conn := connect(t, url)
	run(t, conn, prisma)
	run(t, conn, `INSERT INTO "LiteLLM_SpendLogs" ("request_id", "call_type", "startTime", "endTime") SELECT n::text, '', now(), now() FROM generate_series(1, 20000) n`)
	s, err := postgres.Open(t.Context(), postgres.Settings{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Tags().Create(t.Context(), &store.Tag{TagName: "while indexes are built"}); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	open(t, postgres.Settings{URL: url})
	open(t, postgres.Settings{URL: url, Options: sqlstore.Options{KeepSchema: true, Warn: func(m string) { t.Error(m) }}})
	if left := texts(t, conn, `SELECT relname::text FROM pg_class JOIN pg_index ON oid = indexrelid WHERE NOT indisvalid`); len(left) > 0 {
		t.Errorf("indexes that do not work: %v", left)
	}
}
