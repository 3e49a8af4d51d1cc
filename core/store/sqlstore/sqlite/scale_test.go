package sqlite_test

import (
	"context"
	"database/sql"
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

var scale = flag.Int("scale", 0, "measure the questions of reports with this many recorded calls") //repocheck:constant a flag of the tests

// TestScale measures; see the README of core/store. It takes a while, so it runs only when asked.
func TestScale(t *testing.T) {
	if *scale == 0 {
		t.Skip("measures only with -scale=1000000")
	}
	storetest.Measure(t, open(t, filepath.Join(t.TempDir(), "store.db"), sqlstore.Options{}), *scale, max(*scale/100, 1))
}

// TestPlans checks that no question reads a whole table that grows with the calls.
func TestPlans(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	var traced []string
	s := open(t, path, sqlstore.Options{Trace: func(_ context.Context, sql string) { traced = append(traced, sql) }})
	if err := storetest.FillKeys(t.Context(), s, 10); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range storetest.Questions(10) {
		traced = nil
		if err := q.Ask(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", q.Name, err)
		}
		for _, text := range traced {
			for _, step := range plan(t, db, text) {
				if strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "USING") && !strings.Contains(step, "subquery") && step != "SCAN counted" {
					t.Errorf("%s: %s\n%s", q.Name, step, text)
				}
			}
		}
		if len(traced) == 0 {
			t.Errorf("%s asked nothing", q.Name)
		}
	}
}

func plan(t *testing.T, db *sql.DB, text string) []string {
	t.Helper()
	args := make([]any, strings.Count(text, "$"))
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}
