package shared_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/limit"
	"github.com/sallyport-ai/sallyport/core/pipeline/limit/shared"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

func TestMain(m *testing.M) {
	redis.SetLogger(shared.Quiet{})
	os.Exit(storetest.Main(m))
}

const price = 0.01

// replica is a gateway's limiter with scopes of its own, as each process has them.
type replica struct {
	*limit.Limiter
	counts *shared.Counts
	client redis.UniversalClient
	scopes []*llm.Scope
	tokens int64           // that a request uses
	next   *llm.Deployment // that the router would choose
}

// replicas starts some. timeout is that of a round trip, and then that of a roll call.
func replicas(t testing.TB, n int, client func() redis.UniversalClient, scopes func() []*llm.Scope, timeout ...time.Duration) []*replica {
	t.Helper()
	timeout = append(timeout, 20*time.Second, 20*time.Second)
	var out []*replica
	for range n {
		r := &replica{scopes: scopes(), tokens: 10, client: client()}
		r.counts = shared.New(shared.Settings{Client: r.client, Replica: llm.NewID(time.Now()).String(), Timeout: timeout[0], Roll: timeout[1]})
		r.Limiter = limit.New(limit.Settings{
			Estimate: func(*llm.Exchange) (int64, float64, bool) { return 25, 2 * price, false },
			Cost:     func(*llm.Exchange, *llm.Reply) float64 { return price },
			OverBudget: func(*llm.Scope, llm.Refusal, *llm.Ask) *llm.Error {
				return &llm.Error{Kind: llm.KindInvalid, Message: "budget"}
			},
			Crossed: func(*llm.Scope, float64, *llm.Ask) *llm.Error {
				return &llm.Error{Kind: llm.KindNoDeployment, Message: "crossed"}
			},
			Shared: r.counts, NoWait: true, Ahead: func(context.Context, *llm.Exchange) *llm.Deployment { return r.next },
		})
		t.Cleanup(func() { _ = r.counts.Close() })
		out = append(out, r)
	}
	return out
}

func single(t testing.TB) (*storetest.RedisServer, func() redis.UniversalClient) {
	t.Helper()
	s := storetest.Redis(t)
	return s, func() redis.UniversalClient { return connect(t, shared.Address{URL: s.URL()}) }
}

func connect(t testing.TB, a shared.Address) redis.UniversalClient {
	t.Helper()
	a.Timeout = 20 * time.Second
	c, err := shared.Connect(a)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func scope(kind llm.ScopeKind, id string, l llm.Limits, b llm.Budget) *llm.Scope {
	return &llm.Scope{Kind: kind, ID: id, Limits: l, Budget: b, Live: llm.NewLive(kind, id)}
}

// open begins one request; nil is one that was refused.
func (r *replica) open(ctx context.Context) *llm.Exchange {
	x := &llm.Exchange{}
	x.Reset()
	x.Start = time.Now()
	x.ID = llm.NewID(x.Start)
	x.Scopes = append(x.Scopes, r.scopes...)
	if _, err := r.Before(ctx, x); err != nil {
		return nil
	}
	return x
}

// call makes one request and reports whether it passed.
func (r *replica) call(ctx context.Context) bool {
	x := r.open(ctx)
	if x == nil {
		return false
	}
	r.Settle(x, &llm.Reply{Deployment: &llm.Deployment{}, Usage: llm.Usage{Prompt: r.tokens}}, nil)
	return true
}

// crowd makes requests at all replicas at once and counts those that passed.
func crowd(t testing.TB, list []*replica, callers, each int) int64 {
	t.Helper()
	var passed atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for range each {
				if list[i%len(list)].call(t.Context()) {
					passed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return passed.Load()
}

// TestTogether shows that three replicas let through what one would: requests, tokens and money.
func TestTogether(t *testing.T) {
	t.Parallel()
	f := func(l llm.Limits, b llm.Budget, callers, each int, want, off int64) {
		t.Helper()
		_, client := single(t)
		list := replicas(t, 3, client, func() []*llm.Scope {
			return []*llm.Scope{scope(llm.ScopeTeam, "t", llm.Limits{RPM: 1 << 40}, llm.Budget{}), scope(llm.ScopeKey, "k", l, b)}
		})
		got := crowd(t, list, callers, each)
		// A caller waits no more than two seconds for what others hold: on a busy machine some of the money may be left.
		for b.Limited && got < want && list[got%3].call(t.Context()) {
			got++
		}
		if b.Limited {
			got += crowd(t, list, 6, 1)
		}
		if got > want+off || got < want-off {
			t.Errorf("%+v %+v: %d passed, want %d", l, b, got, want)
		}
	}
	f(llm.Limits{RPM: 500}, llm.Budget{}, 30, 40, 500, 5)
	f(llm.Limits{TPM: 3000}, llm.Budget{}, 12, 100, 300, 3)
	f(llm.Limits{}, llm.Budget{Limited: true, Max: 50 * price}, 200, 1, 50, 0)
}

// TestParallelTogether shows that requests open at one replica count at the others.
func TestParallelTogether(t *testing.T) {
	t.Parallel()
	_, client := single(t)
	list := replicas(t, 3, client, func() []*llm.Scope {
		return []*llm.Scope{scope(llm.ScopeKey, "k", llm.Limits{Parallel: 2}, llm.Budget{})}
	})
	open := func(r *replica) *llm.Exchange { return r.open(t.Context()) }
	first, second := open(list[0]), open(list[1])
	if first == nil || second == nil || open(list[2]) != nil {
		t.Fatal("two requests may be open, and no third one")
	}
	list[0].Settle(first, nil, nil)
	eventually(t, "the place is free", func() bool { return open(list[2]) != nil })
}

// TestRefusalUndoes shows that a request which one scope refuses takes nothing of the others.
func TestRefusalUndoes(t *testing.T) {
	t.Parallel()
	_, client := single(t)
	team := llm.Limits{RPM: 10}
	list := replicas(t, 1, client, func() []*llm.Scope {
		return []*llm.Scope{scope(llm.ScopeTeam, "t", team, llm.Budget{}), scope(llm.ScopeKey, "k", llm.Limits{RPM: 2}, llm.Budget{})}
	})
	if got := crowd(t, list, 1, 30); got != 2 {
		t.Fatalf("%d passed", got)
	}
	list[0].scopes[1] = scope(llm.ScopeKey, "other", llm.Limits{RPM: 100}, llm.Budget{})
	eventually(t, "refused requests are given back", func() bool {
		x := &llm.Exchange{}
		x.Reset()
		x.Start = time.Now()
		x.Scopes = append(x.Scopes, list[0].scopes...)
		if _, err := list[0].Before(t.Context(), x); err != nil {
			return false
		}
		left := x.Holds[0].RequestsLeft
		list[0].Settle(x, nil, nil)
		return left >= 3
	})
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("it did not happen in time: %s", what)
}

// TestAway shows that nothing stalls while Redis is gone, that each replica then has its share, and that they count
// together again when it is back.
func TestAway(t *testing.T) {
	t.Parallel()
	server, client := single(t)
	list := replicas(t, 3, client, func() []*llm.Scope { return []*llm.Scope{scope(llm.ScopeKey, "k", llm.Limits{RPM: 90}, llm.Budget{})} })
	eventually(t, "the replicas know each other", func() bool {
		return list[0].counts.Share() == 3 && list[1].counts.Share() == 3 && list[2].counts.Share() == 3
	})
	if !list[0].call(t.Context()) {
		t.Fatal("the first request was refused")
	}
	server.Stop()
	begun := time.Now()
	passed := crowd(t, list, 9, 100)
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("900 requests took %v without Redis", took)
	}
	if passed < 80 || passed > 95 {
		t.Errorf("%d passed alone, the limit is 90", passed)
	}
	server.Start()
	eventually(t, "Redis is used again", func() bool { return !list[0].counts.Broken() && !list[1].counts.Broken() && !list[2].counts.Broken() })
	for _, r := range list {
		r.scopes = []*llm.Scope{scope(llm.ScopeKey, "new", llm.Limits{RPM: 60}, llm.Budget{})}
	}
	if got := crowd(t, list, 9, 20); got != 60 {
		t.Errorf("%d passed together afterwards, want 60", got)
	}
}

// TestMoneyAfterLoss shows that what replicas spent counts although Redis lost it.
func TestMoneyAfterLoss(t *testing.T) {
	t.Parallel()
	_, client := single(t)
	list := replicas(t, 2, client, func() []*llm.Scope {
		return []*llm.Scope{scope(llm.ScopeKey, "k", llm.Limits{}, llm.Budget{Limited: true, Max: 10 * price})}
	})
	for _, r := range list {
		for range 3 {
			if !r.call(t.Context()) {
				t.Fatal("refused")
			}
		}
	}
	if err := client().FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if !list[0].call(t.Context()) || !list[1].call(t.Context()) {
		t.Fatal("refused with budget left")
	}
	var passed int
	for range 10 {
		for _, r := range list {
			if r.call(t.Context()) {
				passed++
			}
		}
	}
	if passed != 2 {
		t.Errorf("%d more passed, the budget was for 2", passed)
	}
}

// TestMoneyAway shows what becomes of a budget while Redis is gone, with its data or without: each replica spends no more
// than its share, and what it spent counts afterwards.
func TestMoneyAway(t *testing.T) {
	t.Parallel()
	f := func(name string, leave, come func(*storetest.RedisServer)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := single(t)
			list := replicas(t, 3, client, func() []*llm.Scope {
				return []*llm.Scope{scope(llm.ScopeKey, "k", llm.Limits{}, llm.Budget{Limited: true, Max: 30 * price})}
			}, 2*time.Second)
			eventually(t, "the replicas know each other", func() bool {
				return !slices.ContainsFunc(list, func(r *replica) bool { return r.counts.Share() != 3 })
			})
			passed := crowd(t, list, 3, 4)
			if passed != 12 {
				t.Fatalf("%d passed, the budget is for 30", passed)
			}
			leave(server)
			// Which of them Redis has heard of is not known.
			eventually(t, "the replicas notice", func() bool {
				for _, r := range list {
					if r.call(t.Context()) {
						passed++
					}
				}
				return !slices.ContainsFunc(list, func(r *replica) bool { return !r.counts.Broken() })
			})
			if passed += crowd(t, list, 3, 20); passed != 30 {
				t.Errorf("%d passed, the budget is for 30", passed)
			}
			come(server)
			eventually(t, "Redis is used again", func() bool {
				return !slices.ContainsFunc(list, func(r *replica) bool { return r.counts.Broken() })
			})
			if more := crowd(t, list, 3, 5); more != 0 {
				t.Errorf("%d passed afterwards", more)
			}
			late := replicas(t, 1, client, func() []*llm.Scope {
				return []*llm.Scope{scope(llm.ScopeKey, "k", llm.Limits{}, llm.Budget{Limited: true, Max: 30 * price})}
			})
			if more := crowd(t, late, 1, 5); more != 0 {
				t.Errorf("%d passed at a replica that had used nothing", more)
			}
		})
	}
	f("with its data", (*storetest.RedisServer).Freeze, (*storetest.RedisServer).Thaw)
	f("without", (*storetest.RedisServer).Stop, (*storetest.RedisServer).Start)
}

// TestDeploymentsPay shows that a deployment pays for what it did, and the caller for all: here and for all replicas.
func TestDeploymentsPay(t *testing.T) {
	t.Parallel()
	_, client := single(t)
	budget := llm.Budget{Limited: true, Max: 100}
	r := replicas(t, 1, client, func() []*llm.Scope { return []*llm.Scope{scope(llm.ScopeKey, "k", llm.Limits{}, budget)} })[0]
	first := &llm.Deployment{Scopes: []*llm.Scope{scope(llm.ScopeProvider, "first", llm.Limits{}, budget)}}
	second := &llm.Deployment{Scopes: []*llm.Scope{scope(llm.ScopeDeployment, "second", llm.Limits{Parallel: 3}, budget)}}
	x := &llm.Exchange{}
	x.Reset()
	x.Start = time.Now()
	x.ID = llm.NewID(x.Start)
	x.Scopes = append(x.Scopes, r.scopes...)
	if _, err := r.Before(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if err := r.Enter(t.Context(), x, second); err != nil {
		t.Fatal(err)
	}
	r.Leave(x, second)
	x.Earlier = append(x.Earlier, llm.Earlier{Deployment: second, Aside: true})
	r.Aside(x, &x.Earlier[0])
	if err := r.Enter(t.Context(), x, first); err != nil {
		t.Fatal(err)
	}
	r.Settle(x, &llm.Reply{Deployment: first}, nil)
	f := func(s *llm.Scope, want float64) {
		t.Helper()
		if spent, held := s.Spent(); spent != want || held != 0 || s.Open() != 0 {
			t.Errorf("%s: spent %v, want %v; held %v, open %d", s.ID, spent, want, held, s.Open())
		}
		key := shared.Keys(s)[2]
		redis := client()
		defer redis.Close()
		var got float64
		eventually(t, s.ID+" is told", func() bool {
			got, _ = redis.HGet(t.Context(), key, "s").Float64()
			return got > want*0.999
		})
		if got > want*1.001 {
			t.Errorf("%s: Redis has %v, want %v", s.ID, got, want)
		}
	}
	f(r.scopes[0], 2*price)
	f(first.Scopes[0], price)
	f(second.Scopes[0], price)
}

// TestSpentOnce shows that a period's end is told once, whoever tells it.
func TestSpentOnce(t *testing.T) {
	t.Parallel()
	_, client := single(t)
	list := replicas(t, 2, client, func() []*llm.Scope {
		return []*llm.Scope{scope(llm.ScopeKey, "k", llm.Limits{}, llm.Budget{Limited: true, Max: 2 * price})}
	})
	if got := crowd(t, list, 1, 5); got != 2 {
		t.Fatalf("%d passed", got)
	}
	for _, r := range list {
		for _, s := range r.scopes {
			s.Saved(5 * price)
			s.Changed(7)
			s.Read(0)
			if !s.Learned(7) && r == list[0] {
				t.Error("it was not noticed that the spend fell")
			}
			r.counts.Learned(7)
			r.counts.Tell(s.Live)
		}
		if !r.call(t.Context()) {
			t.Error("refused in the new period")
		}
	}
	if list[0].call(t.Context()) || list[1].call(t.Context()) {
		t.Error("the new period's budget is spent")
	}
}

// TestCluster and TestSentinel show the other ways of running Redis.
func TestCluster(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a cluster")
	}
	c := storetest.RedisCluster(t)
	client := func() redis.UniversalClient { return connect(t, shared.Address{Cluster: c.Addrs()}) }
	list := replicas(t, 2, client, func() []*llm.Scope {
		return []*llm.Scope{
			scope(llm.ScopeKey, "k", llm.Limits{RPM: 40}, llm.Budget{}), scope(llm.ScopeTeam, "t", llm.Limits{TPM: 1 << 40}, llm.Budget{Limited: true, Max: 100}),
			scope(llm.ScopeUser, "u", llm.Limits{Parallel: 1000}, llm.Budget{}),
		}
	})
	if got := crowd(t, list, 10, 10); got != 40 {
		t.Errorf("%d passed, want 40", got)
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a Sentinel")
	}
	s := storetest.RedisSentinel(t)
	client := func() redis.UniversalClient {
		return connect(t, shared.Address{Sentinels: s.Addrs(), Primary: s.Name})
	}
	list := replicas(t, 2, client, func() []*llm.Scope { return []*llm.Scope{scope(llm.ScopeKey, "k", llm.Limits{RPM: 40}, llm.Budget{})} })
	if got := crowd(t, list, 10, 10); got != 40 {
		t.Errorf("%d passed, want 40", got)
	}
}

func TestConnect(t *testing.T) {
	t.Parallel()
	f := func(a shared.Address, ok bool) {
		t.Helper()
		c, err := shared.Connect(a)
		if (err == nil) != ok {
			t.Errorf("%v", err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error holds the password: %v", err)
		}
		if c != nil {
			_ = c.Close()
		}
	}
	f(shared.Address{Host: "h"}, true)
	f(shared.Address{Host: "h", Port: "1", TLS: true}, true)
	f(shared.Address{URL: "rediss://u:secret@h:1/2"}, true)
	f(shared.Address{URL: "http://u:secret@h"}, false)
	f(shared.Address{URL: "redis://u:secret@h:1/nought"}, false)
	f(shared.Address{}, false)
}

// TestFrozen shows that a Redis which takes connections and does not answer stalls nobody.
func TestFrozen(t *testing.T) {
	t.Parallel()
	server, client := single(t)
	s := scope(llm.ScopeKey, "k", llm.Limits{RPM: 1000}, llm.Budget{})
	counts := shared.New(shared.Settings{Client: client(), Replica: "one"})
	t.Cleanup(func() { _ = counts.Close() })
	r := &replica{counts: counts, scopes: []*llm.Scope{s}, Limiter: limit.New(limit.Settings{
		Estimate: func(*llm.Exchange) (int64, float64, bool) { return 1, 0, false },
		Cost:     func(*llm.Exchange, *llm.Reply) float64 { return 0 }, Shared: counts,
	})}
	server.Freeze()
	begun := time.Now()
	for range 200 {
		if !r.call(t.Context()) {
			t.Fatal("refused")
		}
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("200 requests took %v", took)
	}
	server.Thaw()
	eventually(t, "Redis is used again", func() bool { return !counts.Broken() })
}
