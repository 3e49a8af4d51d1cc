package proof

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run removes the program that tests built when they have ended.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "proof")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv(programDir, dir); err != nil {
		panic(err)
	}
	return storetest.Main(m)
}

// fleet starts replicas with one PostgreSQL and, if redis is an address, one Redis.
func fleet(t testing.TB, n int, database, redis string) []*apptest.Server {
	t.Helper()
	return fleetOf(t, n, database, redis, settings(vendor(t), "proxy_batch_write_at: 1", "", ""))
}

func fleetOf(t testing.TB, n int, database, redis, yaml string) []*apptest.Server {
	t.Helper()
	var out []*apptest.Server
	for range n {
		env := []string{"DATABASE_URL=" + database, "SALLYPORT_STATE_DIR=" + t.TempDir()}
		if redis != "" {
			// A machine that is busy with tests must not pass for a Redis that is away.
			env = append(env, "REDIS_URL="+redis, "REDIS_SOCKET_TIMEOUT=5")
		}
		out = append(out, apptest.Start(t, yaml, apptest.Env(env...)))
	}
	return out
}

// crowd makes calls at all replicas at once and counts those that passed; any answer but 200 and status fails the test.
func crowd(t testing.TB, list []*apptest.Server, k string, callers, each, status int) int {
	t.Helper()
	var passed atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for range each {
				switch r := chat(list[i%len(list)], k, ""); r.Status {
				case 200:
					passed.Add(1)
				case status:
				default:
					t.Errorf("%d %s", r.Status, r.Body)
				}
			}
		})
	}
	wg.Wait()
	return int(passed.Load())
}

// exactly uses a budget for some calls up, at all replicas at once, and checks that no more than these pass. A call waits no more
// than two seconds for what others hold, so on a busy machine some of the budget may be left by the crowd: it is used after it.
func exactly(t testing.TB, list []*apptest.Server, k string, callers, each, calls, status int) {
	t.Helper()
	passed := crowd(t, list, k, callers, each, status)
	eventually(t, "all of the budget is used", func() bool {
		if passed < calls {
			passed += crowd(t, list, k, 1, 1, status)
		}
		return passed >= calls
	})
	if passed += crowd(t, list, k, 6, 1, status); passed != calls {
		t.Errorf("%d calls passed, the budget is for %d", passed, calls)
	}
}

// TestReplicas shows three replicas on PostgreSQL and Redis: a budget is exact, limits are within one percent, and what
// one replica changes holds at the others within a second or so.
func TestReplicas(t *testing.T) {
	t.Parallel()
	list := fleet(t, 3, storetest.Postgres(t), storetest.Redis(t).URL())
	first := list[0]
	const calls = 40
	k := key(t, first, object{"max_budget": calls * callCost})
	exactly(t, list, k, 200, 1, calls, 400)
	eventually(t, "the spend of all replicas is written", func() bool { return near(spent(t, first, k), calls*callCost) })
	k = key(t, first, object{"rpm_limit": 200})
	if got := crowd(t, list, k, 30, 12, 429); got < 198 || got > 202 {
		t.Errorf("%d requests passed, the limit is 200", got)
	}
	k = key(t, first, object{"tpm_limit": 3000})
	if got := crowd(t, list, k, 12, 15, 429); got < 99 || got > 101 {
		t.Errorf("%d requests of 30 tokens passed, the limit is 3000", got)
	}
	k = key(t, first, object{"max_budget": callCost})
	ok(t, chat(list[1], k, ""))
	refused(t, chat(list[2], k, ""), 400, "budget_exceeded", "")
	eventually(t, "the spend is written", func() bool { return near(spent(t, first, k), callCost) })
	post(t, first, "/key/"+k+"/reset_spend", object{"reset_to": 0})
	eventually(t, "the key may spend again", func() bool { return chat(list[0], k, "").Status == 200 })
	refused(t, chat(list[2], k, ""), 400, "budget_exceeded", "")
	k = key(t, first, object{})
	ok(t, chat(list[1], k, ""))
	begun := time.Now()
	post(t, first, "/key/block", object{"key": k})
	eventually(t, "the other replica knows", func() bool { return chat(list[1], k, "").Status == 401 })
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestReplicasLoss shows that limits of three replicas are within one percent, and budgets exact, although Redis loses its data
// in between, more than once, also by being started anew.
func TestReplicasLoss(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	list := fleet(t, 3, storetest.Postgres(t), server.URL())
	lose := func() {
		if err := server.Client().FlushAll(t.Context()).Err(); err != nil {
			t.Error(err)
		}
	}
	k := key(t, list[0], object{"rpm_limit": 600})
	begun := time.Now()
	passed := crowd(t, list, k, 12, 10, 429)
	lose()
	passed += crowd(t, list, k, 12, 20, 429)
	lose()
	passed += crowd(t, list, k, 12, 40, 429)
	if took := time.Since(begun); took < 55*time.Second && (passed < 594 || passed > 606) {
		t.Errorf("%d requests passed in %v, the limit is 600", passed, took)
	}
	const calls = 200
	k = key(t, list[0], object{"max_budget": calls * callCost})
	spend := 0
	for n := range 3 {
		spend += crowd(t, list, k, 10, 5, 400)
		if n == 1 {
			// What the database has, nobody tells anew.
			eventually(t, "the spend is written", func() bool { return near(spent(t, list[0], k), float64(spend)*callCost) })
			server.Stop()
			server.Start()
			continue
		}
		lose()
	}
	under := make(chan struct{})
	go func() {
		defer close(under)
		for range 3 {
			lose()
		}
	}()
	eventually(t, "all of the budget is used", func() bool {
		spend += crowd(t, list, k, 10, 1, 400)
		return spend >= calls
	})
	<-under
	if spend += crowd(t, list, k, 10, 1, 400); spend != calls {
		t.Errorf("%d calls passed, the budget is for %d", spend, calls)
	}
}

// TestReplicasWithoutRedis shows that replicas without Redis learn of each other's spend through the database.
func TestReplicasWithoutRedis(t *testing.T) {
	t.Parallel()
	list := fleet(t, 2, storetest.Postgres(t), "")
	k := key(t, list[0], object{"max_budget": 3 * callCost})
	for range 3 {
		ok(t, chat(list[0], k, ""))
	}
	eventually(t, "the other replica refuses", func() bool { return chat(list[1], k, "").Status == 400 })
}

// TestRedisOutage shows that calls go on without Redis, and that none is lost in the books.
func TestRedisOutage(t *testing.T) {
	t.Parallel()
	redis := storetest.Redis(t)
	list := fleet(t, 2, storetest.Postgres(t), redis.URL())
	k := key(t, list[0], object{"max_budget": 1000, "rpm_limit": 100000})
	passed := crowd(t, list, k, 4, 10, 0)
	redis.Stop()
	begun := time.Now()
	passed += crowd(t, list, k, 4, 25, 0)
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("100 calls without Redis took %v", took)
	}
	redis.Start()
	passed += crowd(t, list, k, 4, 10, 0)
	if passed != 180 {
		t.Errorf("%d of 180 calls passed", passed)
	}
	eventually(t, "all is written", func() bool { return near(spent(t, list[0], k), float64(passed)*callCost) })
}

// TestDatabaseOutage shows that keys in use stay good while the database is away, that others are refused or let in as
// the settings say, and that nothing that was spent meanwhile is lost.
func TestDatabaseOutage(t *testing.T) {
	t.Parallel()
	server := storetest.StartPostgres(t)
	dsn := server.Database(t)
	v := vendor(t)
	start := func(general string) *apptest.Server {
		return apptest.Start(t, settings(v, "proxy_batch_write_at: 1, database_connection_timeout: 20"+general, "", ""),
			apptest.Env("DATABASE_URL="+dsn, "SALLYPORT_STATE_DIR="+t.TempDir()))
	}
	strict, open := start(""), start(", allow_requests_on_db_unavailable: true")
	k := key(t, strict, object{"max_budget": 100})
	ok(t, chat(strict, k, ""))
	ok(t, chat(open, k, ""))
	server.Stop()
	for range 20 {
		ok(t, chat(strict, k, ""))
	}
	refused(t, chat(strict, "sk-unknown", ""), 503, "no_db_connection", "cannot be reached")
	ok(t, chat(open, "sk-unknown", ""))
	server.Start()
	eventually(t, "what was spent is written", func() bool {
		var info struct{ Info struct{ Spend float64 } }
		r := strict.Get("/key/info?key=" + k)
		return r.Status == 200 && json.Unmarshal([]byte(r.Body), &info) == nil && near(info.Info.Spend, 22*callCost)
	})
	eventually(t, "unknown keys are known to be unknown", func() bool { return chat(open, "sk-unknown", "").Status == 401 })
}

// TestChangesTold shows that PostgreSQL tells replicas of changes, and that they learn of them all the same when the
// connection which listens is lost, or when there is none.
func TestChangesTold(t *testing.T) {
	t.Parallel()
	dsn := storetest.StartPostgres(t).Database(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	listeners := func() (n int) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'sallyport-changes'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	list := fleet(t, 2, dsn, "")
	poller := fleetOf(t, 1, dsn, "", settings(vendor(t), "database_connection_pool_limit: 2", "", ""))[0]
	eventually(t, "two replicas listen", func() bool { return listeners() == 2 })
	// A change is known within a second. A machine that is busy may take longer now and then, not each time.
	holds := func(s *apptest.Server) {
		t.Helper()
		const tries = 20
		var took time.Duration
		for range tries {
			k := key(t, list[0], object{})
			ok(t, chat(s, k, ""))
			begun := time.Now()
			post(t, list[0], "/key/block", object{"key": k})
			eventually(t, "the other replica knows", func() bool { return chat(s, k, "").Status == 401 })
			if took = time.Since(begun); took <= time.Second {
				return
			}
		}
		t.Errorf("in each of %d tries it took more than a second, in the last one %v", tries, took)
	}
	holds(list[1])
	holds(poller)
	if _, err := conn.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sallyport-changes'"); err != nil {
		t.Fatal(err)
	}
	holds(list[1])
	eventually(t, "they listen again", func() bool { return listeners() == 2 })
	holds(list[1])
}
