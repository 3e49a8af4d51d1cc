package postgres_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/postgres"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

var scale = flag.Int("scale", 0, "measure the questions of reports with this many recorded calls") //repocheck:constant a flag of the tests

// TestScale measures; see the README of core/store. It takes a while, so it runs only when asked.
func TestScale(t *testing.T) {
	if *scale == 0 {
		t.Skip("measures only with -scale=1000000")
	}
	storetest.Measure(t, open(t, postgres.Settings{URL: storetest.Postgres(t)}), *scale, max(*scale/100, 1))
}

// TestPlans checks that every question can be answered by indexes, were the tables large.
func TestPlans(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	var traced []string
	s := open(t, postgres.Settings{URL: url, Options: sqlstore.Options{Trace: func(_ context.Context, sql string) { traced = append(traced, sql) }}})
	if err := storetest.FillKeys(t.Context(), s, 10); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, url)
	run(t, conn, "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
	for n, q := range storetest.Questions(10) {
		traced = nil
		if err := q.Ask(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", q.Name, err)
		}
		if len(traced) == 0 {
			t.Errorf("%s asked nothing", q.Name)
		}
		for i, text := range traced {
			for _, step := range plan(t, conn, fmt.Sprintf("p%d_%d", n, i), text) {
				for _, grows := range []string{"LiteLLM_SpendLogs", "LiteLLM_Daily", "LiteLLM_VerificationToken"} {
					if strings.Contains(step, "Seq Scan on \""+grows) {
						t.Errorf("%s: %s\n%s", q.Name, strings.TrimSpace(step), text)
					}
				}
			}
		}
	}
}

func plan(t *testing.T, conn *pgx.Conn, name, text string) []string {
	t.Helper()
	run(t, conn, "PREPARE "+name+" AS "+text)
	count := 0
	for strings.Contains(text, fmt.Sprint("$", count+1)) {
		count++
	}
	nulls := strings.TrimSuffix(strings.Repeat("NULL, ", count), ", ")
	if nulls != "" {
		nulls = "(" + nulls + ")"
	}
	return texts(t, conn, "EXPLAIN EXECUTE "+name+nulls)
}

// BenchmarkRecord is the cost of one call in a batch of a thousand, all by one key.
func BenchmarkRecord(b *testing.B) {
	s := open(b, postgres.Settings{URL: storetest.Postgres(b)})
	if err := s.Keys().Create(b.Context(), &store.Key{Token: storetest.BenchKey, UserID: "u", TeamID: "t"}); err != nil {
		b.Fatal(err)
	}
	storetest.BenchmarkRecord(b, s)
}
