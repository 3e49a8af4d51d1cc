package limit_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/limit"
)

const price = 0.01

func limiter(change ...func(*limit.Settings)) *limit.Limiter {
	s := limit.Settings{
		Estimate: func(*llm.Exchange) (int64, float64, bool) { return 100, 2 * price, false },
		Cost:     func(*llm.Exchange, *llm.Reply) float64 { return price },
		OverBudget: func(s *llm.Scope, _ llm.Refusal, _ *llm.Ask) *llm.Error {
			return &llm.Error{Kind: llm.KindInvalid, Message: "over budget: " + s.ID}
		},
	}
	for _, f := range change {
		f(&s)
	}
	return limit.New(s)
}

func scope(kind llm.ScopeKind, id string, l llm.Limits, b llm.Budget) *llm.Scope {
	return &llm.Scope{Kind: kind, ID: id, Limits: l, Budget: b, Live: llm.NewLive(kind, id)}
}

func exchange(scopes ...*llm.Scope) *llm.Exchange {
	x := &llm.Exchange{}
	x.Reset()
	x.Start = time.Now()
	x.Scopes = append(x.Scopes, scopes...)
	return x
}

func answered(tokens int64) *llm.Reply {
	return &llm.Reply{Deployment: &llm.Deployment{}, Usage: llm.Usage{Prompt: tokens / 2, Completion: tokens - tokens/2}}
}

// TestRefuses shows status, text and headers of a refusal, and that the scopes before the one that refuses keep nothing.
func TestRefuses(t *testing.T) {
	t.Parallel()
	l := limiter()
	key := scope(llm.ScopeKey, "hash", llm.Limits{RPM: 100, TPM: 1000, Parallel: 5}, llm.Budget{Limited: true, Max: 1})
	team := scope(llm.ScopeTeam, "t1", llm.Limits{RPM: 1}, llm.Budget{})
	first, second := exchange(key, team), exchange(key, team)
	if _, err := l.Before(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	l.Settle(first, answered(10), nil)
	_, err := l.Before(t.Context(), second)
	var e *llm.Error
	if !errors.As(err, &e) || e.HTTPStatus() != 429 || e.RetryAfter < 55*time.Second || e.RetryAfter > 61*time.Second {
		t.Fatalf("%v", err)
	}
	if !strings.HasPrefix(e.Message, "Rate limit exceeded for team: t1. Limit type: requests. Current limit: 1, Remaining: 0. Limit resets at: ") {
		t.Error(e.Message)
	}
	if e.Type != "None" || e.Param != "None" || e.Own[0] != (llm.Pair{Name: "rate_limit_type", Value: "requests"}) || e.Own[1].Name != "reset_at" {
		t.Errorf("%+v", e)
	}
	if spent, held := key.Spent(); spent != price || held != 0 || key.Open() != 0 || len(second.Holds) != 0 {
		t.Errorf("spent %v, held %v, open %d", spent, held, key.Open())
	}
}

// TestSettles shows what stays after an exchange ended well, badly, or because the caller left.
func TestSettles(t *testing.T) {
	t.Parallel()
	f := func(r *llm.Reply, wantSpent float64, wantLeft int64) {
		t.Helper()
		l := limiter()
		key := scope(llm.ScopeKey, "k", llm.Limits{RPM: 10, TPM: 1000, Parallel: 1}, llm.Budget{Limited: true, Max: 1})
		x := exchange(key)
		if _, err := l.Before(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		l.Settle(x, r, nil)
		l.Settle(x, r, nil) // an exchange ends once
		spent, held := key.Spent()
		if spent != wantSpent || held != 0 || key.Open() != 0 {
			t.Errorf("spent %v, held %v, open %d", spent, held, key.Open())
		}
		var h llm.Hold
		key.Reserve(key, &llm.Ask{Now: time.Now().UnixNano()}, &h)
		if h.TokensLeft != wantLeft || h.RequestsLeft != 8 {
			t.Errorf("%d tokens and %d requests left", h.TokensLeft, h.RequestsLeft)
		}
	}
	f(answered(40), price, 960)
	f(nil, 0, 1000)
	cached := answered(40)
	cached.Usage.Cached = 20
	f(cached, price, 980)
	f(&llm.Reply{Usage: llm.Usage{Prompt: 5}}, 0, 1000) // a hook had the answer
}

// TestWaits shows how long a request waits for one that is open.
func TestWaits(t *testing.T) {
	t.Parallel()
	f := func(held, want time.Duration, ok bool, change ...func(*limit.Settings)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			l := limiter(change...)
			key := scope(llm.ScopeKey, "k", llm.Limits{Parallel: 1}, llm.Budget{})
			first, second := exchange(key), exchange(key)
			if _, err := l.Before(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(held, func() { l.Settle(first, answered(1), nil) })
			begun := time.Now()
			_, err := l.Before(t.Context(), second)
			if took := time.Since(begun); took != want || (err == nil) != ok {
				t.Errorf("took %v, want %v; %v", took, want, err)
			}
		})
	}
	f(3*time.Second, 3*time.Second, true)
	f(time.Minute, 6*time.Second, false)
	f(time.Minute, 2*time.Second, false, func(s *limit.Settings) { s.Tries = 2 })
	f(time.Minute, time.Second, false, func(s *limit.Settings) { s.Wait = time.Second })
	f(time.Minute, 0, false, func(s *limit.Settings) { s.NoWait = true })
}

// TestLeaves shows that a caller who leaves while it waits takes nothing.
func TestLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter()
		key := scope(llm.ScopeKey, "k", llm.Limits{Parallel: 1}, llm.Budget{})
		if _, err := l.Before(t.Context(), exchange(key)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		x := exchange(key)
		if _, err := l.Before(ctx, x); !errors.Is(err, context.DeadlineExceeded) || len(x.Holds) != 0 {
			t.Errorf("%v, %d holds", err, len(x.Holds))
		}
	})
}

// TestExactlyN shows that of 200 callers at once as many get through as the budget pays for.
func TestExactlyN(t *testing.T) {
	t.Parallel()
	const calls = 50
	l := limiter()
	key := scope(llm.ScopeKey, "k", llm.Limits{}, llm.Budget{Limited: true, Max: calls * price})
	team := scope(llm.ScopeTeam, "t", llm.Limits{RPM: 1000, TPM: 1 << 40}, llm.Budget{Limited: true, Max: 1000})
	var passed, refused int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			x := exchange(key, team)
			_, err := l.Before(t.Context(), x)
			if err == nil {
				l.Settle(x, answered(10), nil)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				passed++
			} else {
				refused++
			}
		})
	}
	wg.Wait()
	if passed != calls || refused != 200-calls {
		t.Errorf("%d passed, %d refused", passed, refused)
	}
	if spent, held := team.Spent(); spent < calls*price*0.999 || spent > calls*price*1.001 || held != 0 {
		t.Errorf("the team spent %v and holds %v", spent, held)
	}
}

// TestDeployment shows that calls to a deployment wait for their turn, and that a failed one gives its place back.
func TestDeployment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter()
		d := &llm.Deployment{Scopes: []*llm.Scope{
			scope(llm.ScopeProvider, "p", llm.Limits{}, llm.Budget{Limited: true, Max: 1}),
			scope(llm.ScopeDeployment, "d", llm.Limits{Parallel: 1}, llm.Budget{}),
		}}
		first, second := exchange(), exchange()
		if err := l.Enter(t.Context(), first, d); err != nil {
			t.Fatal(err)
		}
		left := make(chan struct{})
		time.AfterFunc(5*time.Second, func() {
			l.Leave(first, d)
			close(left)
		})
		begun := time.Now()
		if err := l.Enter(t.Context(), second, d); err != nil || time.Since(begun) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		<-left
		l.Settle(first, nil, errors.New("failed"))
		l.Settle(second, answered(10), nil)
		if spent, held := d.Scopes[0].Spent(); spent != price || held != 0 || d.Scopes[1].Open() != 0 {
			t.Errorf("spent %v, held %v, open %d", spent, held, d.Scopes[1].Open())
		}
	})
}

// TestRelaxed shows that limits of type dynamic hold only while the model fails.
func TestRelaxed(t *testing.T) {
	t.Parallel()
	failing := false
	l := limiter(func(s *limit.Settings) { s.Failing = func(string) bool { return failing } })
	key := scope(llm.ScopeKey, "k", llm.Limits{RPM: 1}, llm.Budget{})
	loose := *key
	loose.RPM, key.Relaxed = 1<<60, nil
	key.Relaxed = &loose
	for range 3 {
		if _, err := l.Before(t.Context(), exchange(key)); err != nil {
			t.Fatal(err)
		}
	}
	failing = true
	if _, err := l.Before(t.Context(), exchange(key)); err == nil {
		t.Error("the limit does not hold while the model fails")
	}
}

func TestAllocates(t *testing.T) {
	l := limiter()
	var scopes []*llm.Scope
	for _, kind := range []llm.ScopeKind{llm.ScopeKey, llm.ScopeTeam, llm.ScopeUser, llm.ScopeOrganization} {
		scopes = append(scopes, scope(kind, "x", llm.Limits{RPM: 1 << 40, TPM: 1 << 40, Parallel: 100}, llm.Budget{Limited: true, Max: 1e9}))
	}
	x, r := exchange(scopes...), answered(100)
	run := func() {
		if _, err := l.Before(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		l.Settle(x, r, nil)
	}
	run()
	if n := testing.AllocsPerRun(1000, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFourScopes(b *testing.B) {
	l := limiter()
	var scopes []*llm.Scope
	for _, kind := range []llm.ScopeKind{llm.ScopeKey, llm.ScopeTeam, llm.ScopeUser, llm.ScopeOrganization} {
		scopes = append(scopes, scope(kind, "x", llm.Limits{RPM: 1 << 40, TPM: 1 << 40, Parallel: 100}, llm.Budget{Limited: true, Max: 1e9}))
	}
	x, r := exchange(scopes...), answered(100)
	for b.Loop() {
		_, _ = l.Before(b.Context(), x)
		l.Settle(x, r, nil)
	}
}
