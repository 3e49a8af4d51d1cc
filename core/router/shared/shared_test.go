package shared_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/router"
	"github.com/sallyport-ai/sallyport/core/router/shared"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// testTimeout is that of a round trip: long, as a machine may be busy with other tests.
const testTimeout = 20 * time.Second

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func TestMain(m *testing.M) {
	redis.SetLogger(quiet{})
	os.Exit(storetest.Main(m))
}

// replica is a router of its own, with two deployments of m, that meets others.
type replica struct {
	*router.Router
	meeting *shared.Meeting
	states  *router.States
	log     *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) lines() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), "\n")
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func join(t testing.TB, client redis.UniversalClient, change func(*router.Settings)) *replica {
	t.Helper()
	t.Cleanup(func() { _ = client.Close() })
	r := &replica{states: router.NewStates(), log: &logBuffer{}}
	r.meeting = shared.New(shared.Settings{
		Client: client, States: r.states, Every: 20 * time.Millisecond, Timeout: testTimeout,
		Logger: slog.New(slog.NewTextHandler(r.log, nil)),
	})
	t.Cleanup(func() { _ = r.meeting.Close() })
	s := router.Defaults()
	s.States, s.Shared, s.Retries = r.states, r.meeting, 0
	for _, id := range []string{"a", "b"} {
		s.Deployments = append(s.Deployments, &llm.Deployment{ID: id, Group: "m", Provider: "p", Model: "x", Retries: -1})
	}
	if change != nil {
		change(&s)
	}
	var err error
	if r.Router, err = router.New(s); err != nil {
		t.Fatal(err)
	}
	return r
}

// call makes a request that fails with err or is answered, and returns who was called.
func (r *replica) call(t testing.TB, x *llm.Exchange, failure error) (string, error) {
	t.Helper()
	var p router.Plan
	if err := r.Plan(x, &p); err != nil {
		t.Fatal(err)
	}
	d, err := p.Next(t.Context(), nil)
	if err != nil {
		p.Done(err)
		return "", err
	}
	if failure == nil {
		p.Began(time.Now().Add(time.Second))
		p.Answered(llm.Usage{Prompt: 60, Completion: 40})
	}
	p.Done(failure)
	return d.ID, nil
}

func ask() *llm.Exchange {
	x := &llm.Exchange{}
	x.Reset()
	x.Op, x.Model = llm.OpChat, "m"
	return x
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if holds() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("not in 20 seconds: %s", what)
}

func options(url string) *redis.Options {
	o, err := redis.ParseURL(url)
	if err != nil {
		panic(err)
	}
	o.MaxRetries, o.ContextTimeoutEnabled, o.DialTimeout = -1, true, testTimeout
	return o
}

func two(t testing.TB, change func(*router.Settings)) (*storetest.RedisServer, *replica, *replica) {
	t.Helper()
	server := storetest.Redis(t)
	open := func() redis.UniversalClient { return redis.NewClient(options(server.URL())) }
	return server, join(t, open(), change), join(t, open(), change)
}

// cooldowns checks that what one replica leaves alone the other does too, until one of them finds it back.
func cooldowns(t *testing.T, a, b *replica) {
	t.Helper()
	limited := &llm.Error{Kind: llm.KindRateLimit, RetryAfter: 300 * time.Millisecond}
	id, err := a.call(t, ask(), limited)
	if err != nil {
		t.Fatal(err)
	}
	until := a.states.Learned(id).Until
	if until.IsZero() {
		t.Fatal("it is not left alone")
	}
	eventually(t, "the other replica leaves it alone", func() bool {
		return b.states.Learned(id).Until.UnixMilli() == until.UnixMilli()
	})
	if got, err := b.call(t, ask(), nil); got == id && time.Now().Before(until) {
		t.Errorf("the other replica calls it: %v", err)
	}
	eventually(t, "it is back at both", func() bool {
		_, _ = a.call(t, ask(), nil)
		return a.states.Learned(id).Until.IsZero() && b.states.Learned(id).Until.IsZero()
	})
}

func TestCooldowns(t *testing.T) {
	t.Parallel()
	_, a, b := two(t, nil)
	cooldowns(t, a, b)
}

func TestUseAndSpeeds(t *testing.T) {
	t.Parallel()
	_, a, b := two(t, func(s *router.Settings) { s.Strategy = router.UsageBased })
	begun := router.Minute(time.Now())
	counts := map[string]int64{}
	for range 10 {
		id, err := a.call(t, ask(), nil)
		if err != nil {
			t.Fatal(err)
		}
		counts[id]++
	}
	eventually(t, "the other knows what was used", func() bool {
		for id, n := range counts {
			if l := b.states.Learned(id); router.Minute(time.Now()) == begun && (l.Requests != n || l.Tokens != 100*n) {
				return false
			}
		}
		return true
	})
	for id, n := range counts {
		if l := a.states.Learned(id); router.Minute(time.Now()) == begun && l.Requests != n {
			t.Errorf("%s counts %d of its own %d requests", id, l.Requests, n)
		}
	}
	// A replica without a measurement takes over those of others.
	eventually(t, "the other knows how fast they are", func() bool {
		return b.states.Learned("a").Latency > 0 && b.states.Learned("b").Latency > 0
	})
}

// takes checks that replicas together never exceed a limit that is counted before a request is sent.
func takes(t *testing.T, list []*replica) {
	t.Helper()
	for time.Now().Second() > 50 { // a new minute would let more pass
		time.Sleep(100 * time.Millisecond)
	}
	var passed atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 25 {
				if _, err := list[i%len(list)].call(t, ask(), nil); err == nil {
					passed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := passed.Load(); n != 60 {
		t.Errorf("%d requests passed, want 60", n)
	}
}

func perMinute(s *router.Settings) {
	s.Strategy = router.UsageBasedV2
	for _, d := range s.Deployments {
		d.RPM = 30
	}
}

func TestTakeTogether(t *testing.T) {
	t.Parallel()
	_, a, b := two(t, perMinute)
	takes(t, []*replica{a, b})
}

func sessions(s *router.Settings) { s.Affinity.Sessions = true }

func session(name string) *llm.Exchange {
	x := ask()
	x.Controls.Metadata = []byte(`{"session_id":"` + name + `"}`)
	return x
}

// pins checks that a session goes to the same place at each replica.
func pins(t *testing.T, a, b *replica) {
	t.Helper()
	for i := range 20 {
		name := fmt.Sprint("s", i)
		at, err := a.call(t, session(name), nil)
		if err != nil {
			t.Fatal(err)
		}
		// The first one to ask the other replica must not be bound elsewhere, so it looks without answering.
		eventually(t, "the other replica knows the session", func() bool {
			for range 8 {
				if got, _ := b.call(t, session(name), &llm.Error{Kind: llm.KindCanceled}); got != at {
					return false
				}
			}
			return true
		})
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	server, a, b := two(t, sessions)
	pins(t, a, b)
	// One that comes later learns when it first needs to know.
	late := join(t, redis.NewClient(options(server.URL())), sessions)
	pins(t, a, late)
}

// Without Redis each replica goes on alone and says so once; when it is back they share again.
func TestAway(t *testing.T) {
	t.Parallel()
	server, a, b := two(t, func(s *router.Settings) {
		perMinute(s)
		for _, d := range s.Deployments {
			d.RPM = 1_000_000 // asked of Redis at each request, never reached
		}
		sessions(s)
	})
	_, _ = a.call(t, session("s"), nil)
	server.Stop()
	eventually(t, "it is noticed", func() bool {
		_, err := a.call(t, session("s"), nil)
		return a.meeting.Broken() && b.meeting.Broken() && err == nil
	})
	for range 20 {
		_, _ = a.call(t, session("s"), &llm.Error{Kind: llm.KindCanceled})
	}
	if n := a.log.lines(); n != 1 {
		t.Errorf("%d lines:\n%s", n, a.log)
	}
	server.Start()
	eventually(t, "it is used again", func() bool { return !a.meeting.Broken() && !b.meeting.Broken() })
	if n := a.log.lines(); n != 2 {
		t.Errorf("%d lines:\n%s", n, a.log)
	}
	cooldowns(t, a, b)
}

// A Redis that takes connections and does not answer stalls nobody for long.
func TestFrozen(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	o := options(server.URL())
	o.ReadTimeout = 2 * time.Second
	client := redis.NewClient(o)
	t.Cleanup(func() { _ = client.Close() })
	m := shared.New(shared.Settings{Client: client, States: router.NewStates(), Timeout: 50 * time.Millisecond})
	t.Cleanup(func() { _ = m.Close() })
	if ok, err := m.Take(t.Context(), "a", router.Minute(time.Now()), 10); !ok || err != nil {
		t.Fatal(ok, err)
	}
	server.Freeze()
	failed := 0
	begun := time.Now()
	for range 200 {
		if _, err := m.Take(t.Context(), "a", router.Minute(time.Now()), 10); err != nil {
			failed++
		}
		m.Pin(router.Key{1}, "a", time.Hour)
		m.Ask(router.Key{2})
	}
	if took := time.Since(begun); failed != 200 || took > 10*time.Second || !m.Broken() {
		t.Errorf("200 requests took %v, %d without an answer, broken %v", took, failed, m.Broken())
	}
	server.Thaw()
	eventually(t, "it is used again", func() bool { return !m.Broken() })
}

func TestCluster(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a cluster")
	}
	c := storetest.RedisCluster(t)
	open := func() redis.UniversalClient {
		return redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs(), ReadTimeout: testTimeout})
	}
	all := func(s *router.Settings) {
		perMinute(s)
		sessions(s)
	}
	a, b := join(t, open(), all), join(t, open(), all)
	takes(t, []*replica{a, b})
	a, b = join(t, open(), sessions), join(t, open(), sessions)
	pins(t, a, b)
	cooldowns(t, a, b)
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a Sentinel")
	}
	s := storetest.RedisSentinel(t)
	open := func() redis.UniversalClient {
		return redis.NewFailoverClient(&redis.FailoverOptions{SentinelAddrs: s.Addrs(), MasterName: s.Name})
	}
	a, b := join(t, open(), sessions), join(t, open(), sessions)
	pins(t, a, b)
	cooldowns(t, a, b)
}

// What is no news of ours says nothing and breaks nothing.
func TestForeignValues(t *testing.T) {
	t.Parallel()
	server, a, b := two(t, sessions)
	client := redis.NewClient(options(server.URL()))
	t.Cleanup(func() { _ = client.Close() })
	ctx := t.Context()
	minute := fmt.Sprint(router.Minute(time.Now()))
	for _, err := range []error{
		client.HSet(ctx, "sallyport:router:cooldowns", "a", "soon", "b", "-7", "", "9e99").Err(),
		client.HSet(ctx, "sallyport:router:speeds", "a", "fast", "b", "NaN 1 Inf 2", "c", "1 2 3").Err(),
		client.HSet(ctx, "sallyport:router:use:"+minute, "r:a", "many", "t:b", "-5").Err(),
		client.Publish(ctx, "sallyport:router:pins", "\x00\nzz 1 a\n00 5 a\n"+strings.Repeat("0", 32)+" 99999999999 a\n").Err(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	pins(t, a, b)
	cooldowns(t, a, b)
	for _, id := range []string{"a", "b"} {
		if l := b.states.Learned(id); l.Requests < 0 || l.Tokens < 0 {
			t.Errorf("%s: %+v", id, l)
		}
	}
}
