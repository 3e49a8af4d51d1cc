package proof

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/postgres"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/sqlite"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// The sizes that are compared, in keys; each has a hundred calls.
const (
	fewKeys  = 2_001
	manyKeys = 100_002
)

// reports are the pages that must take the same time whatever was recorded.
func reports() []string {
	const month = "start_date=2026-01-01&end_date=2026-01-30"
	logs := "/spend/logs/v2?page_size=50&" + month
	key := fmt.Sprintf("%064x", 3*333)
	return []string{
		"/key/info?key=" + key,
		"/key/list?size=50",
		"/spend/logs",
		"/spend/logs?summarize=false&" + month,
		"/spend/logs?" + month,
		"/spend/logs?api_key=" + key,
		"/spend/logs?user_id=u9",
		"/spend/logs?request_id=chatcmpl-000000000999",
		logs,
		logs + "&page=200",
		logs + "&api_key=" + key,
		logs + "&user_id=u9",
		logs + "&team_id=t9",
		logs + "&end_user=c9",
		logs + "&model=model9",
		logs + "&model_id=id9",
		logs + "&key_alias=alias999",
		logs + "&key_alias=nobody",
		logs + "&status_filter=failure",
		logs + "&status_filter=success",
		logs + "&min_spend=0.09",
		logs + "&min_spend=9",
		logs + "&error_code=429",
		logs + "&error_code=999",
		logs + "&sort_by=spend",
		logs + "&sort_by=total_tokens",
		logs + "&sort_by=endTime",
		logs + "&sort_by=model",
		"/spend/logs/v2?sort_by=spend&start_date=2027-01-01&end_date=2027-02-01",
		"/spend/logs/v2?sort_by=spend&start_date=2026-01-07%2012:00:00&end_date=2026-01-07%2012:01:00",
		"/spend/logs/session/ui?session_id=s99",
		"/spend/keys?limit=50",
		"/spend/users?user_id=u9",
		"/spend/tags?" + month,
		"/global/spend?" + month,
		"/global/spend/logs?" + month,
		"/global/spend/logs?api_key=" + key + "&" + month,
		"/global/spend/keys?limit=10&" + month,
		"/global/spend/models?limit=10&" + month,
		"/global/spend/provider?" + month,
		"/global/spend/teams?" + month,
		"/global/spend/tags?" + month,
		"/global/spend/all_tag_names",
		"/global/all_end_users",
		"/global/spend/report?group_by=team&" + month,
		"/global/spend/report?group_by=customer&" + month,
		"/global/spend/report?group_by=api_key&" + month,
		"/global/activity?" + month,
		"/global/activity/model?" + month,
		"/global/activity/cache_hits?" + month,
		"/user/daily/activity?" + month,
		"/user/daily/activity?page=100&" + month,
		"/user/daily/activity?user_id=u9&" + month,
		"/user/daily/activity/aggregated?" + month,
		"/team/daily/activity?" + month,
		"/team/daily/activity?team_ids=t9&" + month,
		"/tag/daily/activity?" + month,
		"/customer/daily/activity?" + month,
	}
}

// TestScale measures every report page of a gateway with 100,000 keys and 10 million calls against one with 2,000 keys and
// 200,000 calls. It takes minutes and some gigabytes, so it runs only when asked: make scale. SALLYPORT_SCALE=30000 takes
// 30,000 keys in place of 100,000.
func TestScale(t *testing.T) {
	scale := os.Getenv("SALLYPORT_SCALE")
	if scale == "" {
		t.Skip("measures only with SALLYPORT_SCALE=1: make scale")
	}
	keys := []int{fewKeys, manyKeys}
	if n, err := strconv.Atoi(scale); err == nil && n > fewKeys {
		keys[1] = n - n%everyNthDay
	}
	f := func(name string, open func(t *testing.T) (s store.Store, db *sql.DB, address string)) {
		t.Run(name, func(t *testing.T) {
			var took [2][]measured
			for i, n := range keys {
				t.Run(fmt.Sprint(n*100), func(t *testing.T) {
					s, db, address := open(t)
					fill := &filler{TB: t, db: db, postgres: name == "postgres", keys: n}
					begun := time.Now()
					fill.fill(s)
					t.Logf("%d keys and %d calls written in %s", n, fill.calls(), time.Since(begun).Round(time.Second))
					took[i] = append(took[i], lookups(t, s, n))
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					_ = db.Close()
					took[i] = append(took[i], pages(t, address)...)
				})
			}
			var table strings.Builder
			for i := range took[1] {
				few, many := took[0][i], took[1][i]
				fmt.Fprintf(&table, "| %s | %s | %s | %s | %d |\n", many.what, few, many, many.first, many.size>>10)
			}
			t.Logf("page, %d calls, %d calls, the first time, KiB\n%s", keys[0]*100, keys[1]*100, &table)
		})
	}
	f("sqlite", func(t *testing.T) (store.Store, *sql.DB, string) {
		path := filepath.Join(t.TempDir(), "scale.db")
		s, err := sqlite.Open(t.Context(), sqlite.Settings{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("sqlite", path+"?_pragma=synchronous(0)&_pragma=cache_size(-2000000)&_pragma=temp_store(2)")
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		return s, db, "sqlite://" + path
	})
	f("postgres", func(t *testing.T) (store.Store, *sql.DB, string) {
		url := storetest.StartPostgres(t).Database(t)
		s, err := postgres.Open(t.Context(), postgres.Settings{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("pgx", url)
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		for _, text := range []string{"SET maintenance_work_mem = '1GB'", "SET synchronous_commit = off"} {
			if _, err := db.Exec(text); err != nil {
				t.Fatal(err)
			}
		}
		return s, db, url
	})
}

// measured is how long something took: the median of several times, and the first one.
type measured struct {
	what          string
	median, first time.Duration
	size          int
}

func (m measured) String() string {
	return fmt.Sprintf("%.1f ms", float64(m.median)/float64(time.Millisecond))
}

func measure(what string, times int, do func() int) measured {
	m := measured{what: what}
	var all []time.Duration
	for range times {
		begun := time.Now()
		m.size = do()
		all = append(all, time.Since(begun))
	}
	m.first = all[0].Round(100 * time.Microsecond)
	slices.Sort(all)
	m.median = all[len(all)/2]
	return m
}

// lookups measures how a request finds a key that the gateway does not know yet, a different one each time.
func lookups(t *testing.T, s store.Store, keys int) measured {
	n := 0
	return measure("a key that is not in memory", 501, func() int {
		n += 7919
		if _, err := s.Keys().Lookup(t.Context(), fmt.Sprintf("%064x", n%keys), time.Now()); err != nil {
			t.Fatal(err)
		}
		return 0
	})
}

func pages(t *testing.T, address string) (out []measured) {
	s := apptest.Start(t, settings(vendor(t), "", "", ""), apptest.Env("DATABASE_URL="+address, "SALLYPORT_STATE_DIR="+t.TempDir()))
	for _, path := range reports() {
		out = append(out, measure(strings.Replace(path, "start_date=2026-01-01&end_date=2026-01-30", "*month*", 1), 5, func() int {
			r := s.Get(path)
			if r.Status != 200 {
				t.Fatalf("%s: %d %s", path, r.Status, r.Body)
			}
			return len(r.Body)
		}))
	}
	return out
}
