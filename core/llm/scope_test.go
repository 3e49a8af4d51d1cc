package llm_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

const second = int64(time.Second)

// start is a moment well inside a second.
const start = 1_700_000_000*second + 250_000_000

func scope(kind llm.ScopeKind, l llm.Limits, b llm.Budget) *llm.Scope {
	return &llm.Scope{Kind: kind, ID: "x", Limits: l, Budget: b, Live: llm.NewLive(kind, "x")}
}

func TestReserveRefuses(t *testing.T) {
	t.Parallel()
	f := func(s *llm.Scope, times int, ask llm.Ask, want llm.Refusal) {
		t.Helper()
		ask.Now = start
		for i := range times {
			var h llm.Hold
			if r, _ := s.Reserve(s, &ask, &h); r != llm.Passed {
				t.Fatalf("request %d: %v", i+1, r)
			}
		}
		var h llm.Hold
		if r, _ := s.Reserve(s, &ask, &h); r != want {
			t.Errorf("request %d: %v, want %v", times+1, r, want)
		}
	}
	f(scope(llm.ScopeKey, llm.Limits{RPM: 2}, llm.Budget{}), 2, llm.Ask{Tokens: 5}, llm.OverRequests)
	f(scope(llm.ScopeKey, llm.Limits{RPM: llm.Nothing}, llm.Budget{}), 0, llm.Ask{}, llm.OverRequests)
	f(scope(llm.ScopeKey, llm.Limits{TPM: 10}, llm.Budget{}), 2, llm.Ask{Tokens: 5}, llm.ReservedToken)
	f(scope(llm.ScopeKey, llm.Limits{TPM: llm.Nothing}, llm.Budget{}), 0, llm.Ask{}, llm.OverTokens)
	f(scope(llm.ScopeKey, llm.Limits{TPM: 10}, llm.Budget{}), 1, llm.Ask{Tokens: 5000}, llm.ReservedToken)
	f(scope(llm.ScopeKey, llm.Limits{Parallel: 3}, llm.Budget{}), 3, llm.Ask{}, llm.OverParallel)
	f(scope(llm.ScopeKey, llm.Limits{}, llm.Budget{Limited: true, Max: 0}), 0, llm.Ask{}, llm.OverBudget)
	f(scope(llm.ScopeKey, llm.Limits{}, llm.Budget{Limited: true, Max: 0.3}), 3, llm.Ask{Cost: 0.1}, llm.ReservedMoney)
	f(scope(llm.ScopeKey, llm.Limits{}, llm.Budget{Limited: true, Max: 0}), 5, llm.Ask{Free: true}, llm.Passed)
	f(scope(llm.ScopeKey, llm.Limits{}, llm.Budget{Limited: true, Max: 1, Increase: 1, Until: start + 1}), 4, llm.Ask{Cost: 0.5}, llm.ReservedMoney)
	f(scope(llm.ScopeKey, llm.Limits{}, llm.Budget{Limited: true, Max: 1, Increase: 1, Until: start}), 2, llm.Ask{Cost: 0.5}, llm.ReservedMoney)
	f(scope(llm.ScopeKey, llm.Limits{}, llm.Budget{}), 100, llm.Ask{Cost: 100, Tokens: 1 << 40}, llm.Passed)
}

// TestSettle shows that what was held and not used comes back, and that what was used stays.
func TestSettle(t *testing.T) {
	t.Parallel()
	s := scope(llm.ScopeKey, llm.Limits{RPM: 100, TPM: 100, Parallel: 1}, llm.Budget{Limited: true, Max: 1})
	ask := llm.Ask{Now: start, Tokens: 90, Cost: 0.9}
	var h, other llm.Hold
	if r, _ := s.Reserve(s, &ask, &h); r != llm.Passed {
		t.Fatal(r)
	}
	if h.RequestsLeft != 99 || h.TokensLeft != 10 {
		t.Errorf("left %d requests and %d tokens", h.RequestsLeft, h.TokensLeft)
	}
	freed := s.Freed()
	if r, _ := s.Reserve(s, &ask, &other); r != llm.OverParallel {
		t.Errorf("a second request while one is open: %v", r)
	}
	s.Settle(&h, start+second, 10, 0.25)
	select {
	case <-freed:
	default:
		t.Error("nobody was told that the first request ended")
	}
	if spent, held := s.Spent(); spent != 0.25 || held != 0 {
		t.Errorf("spent %v, held %v", spent, held)
	}
	if r, _ := s.Reserve(s, &ask, &other); r != llm.Passed || other.TokensLeft != 69 || other.RequestsLeft != 98 {
		t.Errorf("%v, %d tokens and %d requests left", r, other.TokensLeft, other.RequestsLeft)
	}
	s.Undo(&other, start+2*second)
	if r, _ := s.Reserve(s, &ask, &other); r != llm.Passed || other.RequestsLeft != 98 {
		t.Errorf("after undo: %v, %d requests left", r, other.RequestsLeft)
	}
	s.Settle(&other, start+3*second, 0, 0.75)
	if r, _ := s.Reserve(s, &ask, &h); r != llm.OverBudget {
		t.Errorf("with the budget spent: %v", r)
	}
}

// TestSettleTwice shows that a hold gives back once.
func TestSettleTwice(t *testing.T) {
	t.Parallel()
	s := scope(llm.ScopeKey, llm.Limits{Parallel: 2, TPM: 100}, llm.Budget{Limited: true, Max: 1})
	ask := llm.Ask{Now: start, Tokens: 10, Cost: 0.4}
	var a, b llm.Hold
	s.Reserve(s, &ask, &a)
	s.Reserve(s, &ask, &b)
	s.Undo(&a, start)
	s.Undo(&a, start)
	if _, held := s.Spent(); held != 0.4 || s.Open() != 1 {
		t.Errorf("held %v, open %d", held, s.Open())
	}
}

// TestMinute compares a minute with one that remembers the time of every request.
func TestMinute(t *testing.T) {
	t.Parallel()
	const limit = 600
	s := scope(llm.ScopeKey, llm.Limits{RPM: limit}, llm.Budget{})
	r := rand.New(rand.NewPCG(1, 2))
	var passed []int64
	now := start
	for range 200_000 {
		now += int64(r.ExpFloat64() * 40e6)
		if r.IntN(5000) == 0 {
			now += int64(r.IntN(90)) * second
		}
		inside := 0
		for i := len(passed) - 1; i >= 0 && passed[i] > now-60*second; i-- {
			inside++
		}
		var h llm.Hold
		refusal, wait := s.Reserve(s, &llm.Ask{Now: now}, &h)
		if refusal == llm.Passed {
			passed = append(passed, now)
			// Requests of one second count as if they came evenly, so at most that many are off.
			if inside > limit+limit/60*3 {
				t.Fatalf("%d requests in a minute, limit %d", inside, limit)
			}
			continue
		}
		if inside < limit-limit/60*3 {
			t.Fatalf("refused with %d requests in the minute", inside)
		}
		if wait <= 0 || wait > time.Minute {
			t.Fatalf("wait %v", wait)
		}
		if again, _ := s.Reserve(s, &llm.Ask{Now: now + int64(wait) + 1000}, &h); again != llm.Passed {
			t.Fatalf("refused after the wait of %v that was asked for", wait)
		}
		now += int64(wait) + 1000
		passed = append(passed, now)
	}
}

// TestBurst shows the limit's edge: a burst leaves the minute a minute later, all of it.
func TestBurst(t *testing.T) {
	t.Parallel()
	s := scope(llm.ScopeKey, llm.Limits{RPM: 10}, llm.Budget{})
	f := func(at int64, want int) {
		t.Helper()
		passed := 0
		for range 50 {
			var h llm.Hold
			if r, _ := s.Reserve(s, &llm.Ask{Now: at}, &h); r == llm.Passed {
				passed++
			}
		}
		if passed != want {
			t.Errorf("after %v: %d passed, want %d", time.Duration(at-start), passed, want)
		}
	}
	f(start, 10)
	f(start+59*second, 0)
	f(start+61*second, 10)
	f(start+3600*second, 10)
}

// TestWindow shows that the period of a counted scope begins with the first spending and ends by itself.
func TestWindow(t *testing.T) {
	t.Parallel()
	s := scope(llm.ScopeModelPerKey, llm.Limits{}, llm.Budget{Limited: true, Max: 1, Period: time.Hour})
	spend := func(at int64) llm.Refusal {
		var h llm.Hold
		r, _ := s.Reserve(s, &llm.Ask{Now: at, Cost: 1}, &h)
		if r == llm.Passed {
			s.Settle(&h, at, 1, 1)
		}
		return r
	}
	f := func(at int64, want llm.Refusal) {
		t.Helper()
		if got := spend(at); got != want {
			t.Errorf("after %v: %v, want %v", time.Duration(at-start), got, want)
		}
	}
	f(start, llm.Passed)
	f(start+second, llm.OverBudget)
	f(start+3599*second, llm.OverBudget)
	f(start+3600*second, llm.Passed)
	f(start+7000*second, llm.OverBudget)
	f(start+7200*second, llm.Passed)
}

// TestLoad shows how what a database says and what was spent here add up.
func TestLoad(t *testing.T) {
	t.Parallel()
	s := scope(llm.ScopeTeam, llm.Limits{}, llm.Budget{Limited: true, Max: 10, Soft: 5})
	f := func(want float64) {
		t.Helper()
		if got, _ := s.Spent(); got != want {
			t.Errorf("spent %v, want %v", got, want)
		}
	}
	s.Load(4)
	f(4)
	s.Charge(s, start, 2)
	f(6)
	s.Load(4.5) // another replica wrote
	f(6.5)
	if !s.Warn(s) || s.Warn(s) {
		t.Error("a soft budget is to be told once")
	}
	s.Saved(2)
	s.Load(6.5)
	f(6.5)
	s.Load(0) // the period began anew
	f(0)
	s.Charge(s, start, 5)
	if !s.Warn(s) {
		t.Error("a soft budget is to be told once in each period")
	}
}

// TestExactly shows that callers at once get as many requests as the budget has, and no more.
func TestExactly(t *testing.T) {
	t.Parallel()
	const calls, cost = 40, 0.01
	s := scope(llm.ScopeKey, llm.Limits{}, llm.Budget{Limited: true, Max: calls * cost})
	var passed int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			for {
				var h llm.Hold
				freed := s.Freed()
				r, _ := s.Reserve(s, &llm.Ask{Now: start, Cost: 3 * cost}, &h)
				if r == llm.ReservedMoney {
					<-freed
					continue
				}
				if r == llm.Passed {
					mu.Lock()
					passed++
					mu.Unlock()
					s.Settle(&h, start, 0, cost)
				}
				return
			}
		})
	}
	wg.Wait()
	if passed != calls {
		t.Errorf("%d calls passed, the budget is for %d", passed, calls)
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	var r llm.Registry
	a, fresh := r.Get(llm.ScopeKey, "a")
	if !fresh {
		t.Error("a new state is fresh")
	}
	b, fresh := r.Get(llm.ScopeKey, "a")
	if a != b || fresh || r.Find(llm.ScopeKey, "a") != a || r.Find(llm.ScopeTeam, "a") != nil {
		t.Error("one kind and ID has one state")
	}
	s := &llm.Scope{Kind: llm.ScopeKey, Live: a, Budget: llm.Budget{Limited: true, Max: 1}}
	var h llm.Hold
	a.Reserve(s, &llm.Ask{Now: start}, &h)
	if n := r.Sweep(start / second); n != 0 {
		t.Error("what was asked just now must not be forgotten")
	}
	a, _ = r.Get(llm.ScopeKey, "a")
	a.Charge(s, start, 1)
	if n := r.Sweep(start/second + 100); n != 0 {
		t.Error("what is spent and not saved must not be forgotten")
	}
	a.Saved(1)
	if n := r.Sweep(start/second + 100); n != 1 || r.Len() != 0 {
		t.Errorf("%d forgotten, %d left", n, r.Len())
	}
}

func TestReserveAllocates(t *testing.T) {
	s := scope(llm.ScopeKey, llm.Limits{RPM: 1 << 40, TPM: 1 << 40, Parallel: 10}, llm.Budget{Limited: true, Max: 1e12})
	ask := llm.Ask{Now: start, Tokens: 10, Cost: 0.1}
	var h llm.Hold
	s.Reserve(s, &ask, &h)
	s.Settle(&h, start, 10, 0.1)
	if n := testing.AllocsPerRun(1000, func() {
		s.Reserve(s, &ask, &h)
		s.Settle(&h, start, 10, 0.1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkReserveSettle(b *testing.B) {
	s := scope(llm.ScopeKey, llm.Limits{RPM: 1 << 40, TPM: 1 << 40, Parallel: 10}, llm.Budget{Limited: true, Max: 1e12})
	ask := llm.Ask{Now: start, Tokens: 10, Cost: 0.1}
	var h llm.Hold
	for b.Loop() {
		ask.Now += 1000
		s.Reserve(s, &ask, &h)
		s.Settle(&h, ask.Now, 10, 0.1)
	}
}

func TestAllows(t *testing.T) {
	t.Parallel()
	f := func(model string, want bool, list ...string) {
		t.Helper()
		if got := llm.Allows(list, model); got != want {
			t.Errorf("%q in %q: %v", model, list, got)
		}
	}
	f("gpt-4o", true)
	f("gpt-4o", true, "gpt-4o")
	f("gpt-4o", false, "gpt-4")
	f("gpt-4o", true, "*")
	f("gpt-4o", true, "all-proxy-models")
	f("gpt-4o", true, "all-team-models")
	f("gpt-4o", false, "no-default-models")
	f("openai/gpt-4o", true, "openai/*")
	f("openai/", true, "openai/*")
	f("openai", false, "openai/*")
	f("anthropic/claude", false, "openai/*")
	f("gpt-4o-mini", true, "gpt-*-mini")
	f("gpt-mini", false, "gpt-*-mini")
	f("a-b-c-d", true, "a*b*d")
	f("a-b-c", false, "a*b*d")
	f("aa", false, "a*aa")
}

func TestDenies(t *testing.T) {
	t.Parallel()
	f := func(p llm.Principal, want string) {
		t.Helper()
		if whose, _, denied := p.Denies("m"); whose != want || denied != (want != "") {
			t.Errorf("%+v: %q %v", p, whose, denied)
		}
	}
	f(llm.Principal{}, "")
	f(llm.Principal{Models: []string{"x"}, TeamModels: []string{"x"}}, "key")
	f(llm.Principal{Models: []string{"all-team-models"}, TeamModels: []string{"x"}}, "team")
	f(llm.Principal{TeamID: "t", TeamModels: []string{"m"}, UserModels: []string{"x"}}, "")
	f(llm.Principal{UserModels: []string{"x"}}, "user")
	f(llm.Principal{OrgModels: []string{"x"}}, "org")
	f(llm.Principal{TeamID: "t", MemberModels: []string{"x"}}, "team")
}

// TestRegistryJoin shows that two IDs of a scope lead to one state, and are forgotten with it.
func TestRegistryJoin(t *testing.T) {
	var r llm.Registry
	r.Join(llm.ScopeKey, "same", "same")
	r.Join(llm.ScopeKey, "new", "old")
	made, fresh := r.Get(llm.ScopeKey, "new")
	if again, f := r.Get(llm.ScopeKey, "old"); again != made || f || !fresh || made.ID != "old" || r.Find(llm.ScopeKey, "new") != made {
		t.Errorf("%p %p %q %t %t", made, again, made.ID, fresh, f)
	}
	if other, _ := r.Get(llm.ScopeUser, "new"); other == made || r.Len() != 2 || len(r.Used(0)) != 2 {
		t.Errorf("%d states", r.Len())
	}
	r.Sweep(1)
	if next, fresh := r.Get(llm.ScopeKey, "new"); !fresh || next.ID != "new" {
		t.Errorf("after all was forgotten: %q %t", next.ID, fresh)
	}
}
