package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/sqlite"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

func open(t testing.TB, path string, o sqlstore.Options) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Settings{Path: path, Options: o})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storetest.Open {
		path := filepath.Join(t.TempDir(), "store.db")
		return func(t testing.TB, vault *store.Vault) store.Store {
			return open(t, path, sqlstore.Options{Vault: vault})
		}
	})
}

// TestFiveReplicas has five open one new file at once.
func TestFiveReplicas(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	var group sync.WaitGroup
	for i := range 5 {
		group.Go(func() {
			s, err := sqlite.Open(t.Context(), sqlite.Settings{Path: path})
			if err != nil {
				t.Errorf("replica %d: %v", i, err)
				return
			}
			defer s.Close()
			if err := s.Tags().Create(t.Context(), &store.Tag{TagName: fmt.Sprint(i)}); err != nil {
				t.Errorf("replica %d: %v", i, err)
			}
		})
	}
	group.Wait()
	n, err := open(t, path, sqlstore.Options{KeepSchema: true}).Tags().Count(t.Context())
	if err != nil || n != 5 {
		t.Errorf("%d tags, %v", n, err)
	}
}

func TestKeepSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	_, err := sqlite.Open(t.Context(), sqlite.Settings{Path: path, Options: sqlstore.Options{KeepSchema: true}})
	if !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), "table LiteLLM_BudgetTable") {
		t.Errorf("an empty file: %v", err)
	}
	open(t, path, sqlstore.Options{})
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`ALTER TABLE "LiteLLM_TeamTable" DROP COLUMN "soft_budget"`); err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(t.Context(), sqlite.Settings{Path: path, Options: sqlstore.Options{KeepSchema: true}})
	if !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), "column LiteLLM_TeamTable.soft_budget") {
		t.Errorf("a column is missing: %v", err)
	}
	s := open(t, path, sqlstore.Options{})
	if err := s.Teams().Create(t.Context(), &store.Team{TeamID: "t", SoftBudget: store.Ptr(1.0)}); err != nil {
		t.Error(err)
	}
}

// TestFile checks what lies on the disk: readable by the owner only, whatever the name, and whole after the process that
// wrote it is gone.
func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "odd ?#%41 name'.db")
	s := open(t, path, sqlstore.Options{})
	if err := s.Tags().Create(t.Context(), &store.Tag{TagName: "x"}); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %s: %v", suffix, info.Mode())
		}
	}
	// What a process leaves that is killed: the file and the log beside it.
	copied := filepath.Join(t.TempDir(), "copy.db")
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied+suffix, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := open(t, copied, sqlstore.Options{}).Tags().Count(t.Context()); err != nil || n != 1 {
		t.Errorf("%d tags, %v", n, err)
	}
	if stats := s.Stats(); stats.Kind != "sqlite" || stats.Max < 2 {
		t.Errorf("stats %+v", stats)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("this is no database. ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(path, part string) {
		t.Helper()
		if _, err := sqlite.Open(t.Context(), sqlite.Settings{Path: path}); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, want %s", path, err, part)
		}
	}
	check("", "no file is named")
	check(filepath.Join(dir, "none", "store.db"), "its folder must exist")
	check(dir, "directory")
	check(garbage, "not a database")
}

// TestBusy has another process hold the file.
func TestBusy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	open(t, path, sqlstore.Options{})
	s, err := sqlite.Open(t.Context(), sqlite.Settings{Path: path, Wait: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Tags().Create(t.Context(), &store.Tag{TagName: "x"}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("while another writes: %v", err)
	}
	if _, err := s.Tags().Count(t.Context()); err != nil {
		t.Errorf("reading while another writes: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.Tags().Create(t.Context(), &store.Tag{TagName: "x"}); err != nil {
		t.Errorf("when the other is done: %v", err)
	}
}

// TestMissingIndex builds an index that a file lacks.
func TestMissingIndex(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	open(t, path, sqlstore.Options{})
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`DROP INDEX "LiteLLM_SpendLogs_api_key_startTime_idx"`); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Settings{Path: path, Options: sqlstore.Options{Warn: func(m string) { t.Error(m) }}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Built(t.Context()); err != nil {
		t.Fatal(err)
	}
	open(t, path, sqlstore.Options{KeepSchema: true, Warn: func(m string) { t.Error(m) }})
}

// TestFormerIndexes opens a file of an earlier version: indexes that do what narrower ones do now go.
func TestFormerIndexes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	open(t, path, sqlstore.Options{})
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`DROP INDEX "LiteLLM_SpendLogs_spend_startTime_idx"; CREATE INDEX "LiteLLM_SpendLogs_spend_request_id_idx"
		ON "LiteLLM_SpendLogs" ("spend", "request_id")`); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Settings{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Built(t.Context()); err != nil {
		t.Fatal(err)
	}
	var names string
	if err := db.QueryRow(`SELECT group_concat(name) FROM sqlite_master WHERE type = 'index' AND sql LIKE '%("spend"%'
		AND tbl_name = 'LiteLLM_SpendLogs'`).Scan(&names); err != nil || names != "LiteLLM_SpendLogs_spend_startTime_idx" {
		t.Errorf("indexes of spend: %s, %v", names, err)
	}
}

// TestBatch records more rows than one statement inserts, with and without what is in few of them, twice over, and a
// batch whose context is over.
func TestBatch(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "store.db"), sqlstore.Options{})
	batch := store.SpendBatch{Source: "j"}
	for i := range 77 {
		log := store.SpendLog{RequestID: fmt.Sprint(i % 70), APIKey: fmt.Sprint("k", i), Spend: 1, StartTime: time.UnixMilli(int64(i))}
		if i == 40 {
			log.Messages, log.AgentID = store.JSON(`["m"]`), "agent"
		}
		batch.Entries = append(batch.Entries, store.SpendEntry{Seq: int64(i + 1), Log: log})
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Spend().Record(over, batch); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: %v", err)
	}
	for range 2 {
		if _, err := s.Spend().Record(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	page, err := s.Reports().Logs(t.Context(), store.LogQuery{Limit: 100, Full: true, Ascending: true})
	if err != nil || page.Total != 70 || len(page.Rows) != 70 {
		t.Fatalf("%d rows of %d, %v", len(page.Rows), page.Total, err)
	}
	for i, row := range page.Rows {
		if row.RequestID != fmt.Sprint(i) || row.APIKey != fmt.Sprint("k", i) || (i == 40) != (string(row.Messages) == `["m"]` && row.AgentID == "agent") {
			t.Errorf("row %d: %+v", i, row)
		}
	}
	sum, err := s.Reports().Activity(t.Context(), store.ActivityQuery{})
	if err != nil || sum[0].Spend != 77 {
		t.Errorf("sum %+v, %v", sum, err)
	}
}
