package proof

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/callback/spend"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/postgres"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/sqlite"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// rowKeys is how many keys the calls of a benchmark belong to when they belong to many.
const rowKeys = 2000

// BenchmarkRows measures the way of a spend record from the journal into the database: this process's CPU time, rows a
// second, and how much the database grows. The records are written before.
func BenchmarkRows(b *testing.B) {
	f := func(name string, open func(b *testing.B) (s store.Store, size func() int64)) {
		for _, keys := range []int{1, rowKeys} {
			b.Run(fmt.Sprintf("%s/%d keys", name, keys), func(b *testing.B) {
				s, size := open(b)
				if err := storetest.FillKeys(b.Context(), s, keys); err != nil {
					b.Fatal(err)
				}
				carry(b, s, size, keys)
			})
		}
	}
	f("sqlite", func(b *testing.B) (store.Store, func() int64) {
		path := filepath.Join(b.TempDir(), "rows.db")
		s, err := sqlite.Open(b.Context(), sqlite.Settings{Path: path})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		return s, func() int64 { return grown(b, path) }
	})
	f("postgres", func(b *testing.B) (store.Store, func() int64) {
		url := storetest.Postgres(b)
		s, err := postgres.Open(b.Context(), postgres.Settings{URL: url})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		return s, func() int64 { return ask(b, "pgx", url, "SELECT pg_database_size(current_database())") }
	})
}

// grown is how many bytes a database of SQLite has, those in its log included.
func grown(b *testing.B, path string) int64 {
	return ask(b, "sqlite", path, "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
}

func ask(b *testing.B, driver, address, question string) (n int64) {
	b.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(b.Context(), question).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// carry writes b.N records into a journal, and measures how they come into the store.
func carry(b *testing.B, s store.Store, size func() int64, keys int) {
	b.Helper()
	j, err := spend.Open(filepath.Join(b.TempDir(), "journal"), spend.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	r := spend.NewRecorder(spend.RecorderSettings{Journal: j})
	for i := range b.N {
		recordCall(b, r, i, keys)
	}
	l := spend.NewLoader(spend.LoaderSettings{Store: s.Spend(), Journal: j, Timeout: time.Minute})
	before, used := size(), cpu(b)
	b.ReportAllocs()
	b.ResetTimer()
	if err := l.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	n := float64(b.N)
	b.ReportMetric(float64((cpu(b)-used).Microseconds())/n, "cpu-us/row")
	b.ReportMetric(n/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(size()-before)/n, "bytes/row")
	if n, _ := l.Written(); n != int64(b.N) {
		b.Errorf("%d records of %d were written", n, b.N)
	}
}

// recordCall writes the record of call i: keys take turns, one call a millisecond.
func recordCall(b *testing.B, r *spend.Recorder, i, keys int) {
	b.Helper()
	k := i * 7919 % keys
	x := &llm.Exchange{}
	x.Reset()
	x.Start = time.Now().Add(-time.Hour).Add(time.Duration(i) * time.Millisecond)
	x.ID, x.Op, x.Path, x.Method, x.Remote = llm.NewID(x.Start), llm.OpChat, "/v1/chat/completions", "POST", "10.0.0.1"
	x.Model, x.Charged = fmt.Sprint("model", k%20), float64(i%97)/1000
	x.Principal = &llm.Principal{
		KeyHash: fmt.Sprintf("%064x", k), KeyAlias: fmt.Sprint("alias", k), UserID: fmt.Sprint("u", k%2000), TeamID: fmt.Sprint("t", k%200),
	}
	if keys > 1 {
		x.EndUser = fmt.Sprint("c", i%5000)
		x.Tags = append(x.Tags, fmt.Sprint("tag", k%50))
	}
	d := &llm.Deployment{ID: fmt.Sprint("id", k%20), Group: x.Model, Provider: "openai", Model: x.Model, Base: "https://api.openai.com/v1"}
	r.Record(x, &llm.Reply{Deployment: d, Usage: llm.Usage{Prompt: 200, Completion: int64(i % 2900)}, Began: x.Start.Add(time.Second)}, d, nil)
}

// cpu is the CPU time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
