package llm_test

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// A budget that an authenticator gives is of a kind of its own, which a counter keeps.
func TestGranted(t *testing.T) {
	t.Parallel()
	words := map[string]bool{}
	n := 0
	for k := llm.ScopeProxy; k <= llm.ScopeGrantedModelPerUser; k++ {
		if words[k.String()] {
			t.Errorf("two kinds are called %s", k)
		}
		words[k.String()] = true
		g, ok := k.Granted()
		if !ok {
			continue
		}
		n++
		if g.Base() != k || g == k || !g.Counted() || g.String() != "granted_"+k.String() {
			t.Errorf("%s: got %s, base %s", k, g, g.Base())
		}
		if _, again := g.Granted(); again {
			t.Errorf("%s is granted twice", g)
		}
	}
	if n != 10 {
		t.Errorf("%d kinds", n)
	}
	if llm.ScopeTag.Base() != llm.ScopeTag {
		t.Error("a tag has another base")
	}
}

func TestHolder(t *testing.T) {
	t.Parallel()
	f := func(kind llm.ScopeKind, id, want string) {
		t.Helper()
		s := llm.Scope{Kind: kind, ID: id}
		if got := s.Holder(); got != want {
			t.Errorf("%q: got %q", id, got)
		}
	}
	f(llm.ScopeGrantedTeam, llm.GrantedID("blue", 0), "blue")
	f(llm.ScopeGrantedTeam, llm.GrantedID("blue", 1_900_000_000), "blue")
	f(llm.ScopeGrantedTeam, llm.GrantedID("open until late", 0), "open until late")
	f(llm.ScopeGrantedTeam, llm.GrantedID("open until 5", 6), "open until 5")
	f(llm.ScopeTeam, "blue until 5", "blue until 5")
	if llm.GrantedID("blue", 1) == llm.GrantedID("blue", 2) || !strings.Contains(llm.GrantedID("blue", 1), "blue") {
		t.Error("periods are not told apart")
	}
}

func TestTighten(t *testing.T) {
	t.Parallel()
	f := func(a, b, want int64) {
		t.Helper()
		l := llm.Limits{RPM: a, TPM: b, Parallel: a}.Tighten(llm.Limits{RPM: b, TPM: a, Parallel: b})
		if l != (llm.Limits{RPM: want, TPM: want, Parallel: want}) {
			t.Errorf("%d and %d: got %+v", a, b, l)
		}
	}
	f(0, 0, 0)
	f(0, 5, 5)
	f(5, 7, 5)
	f(llm.Nothing, 0, llm.Nothing)
	f(llm.Nothing, 5, llm.Nothing)
}

// What was spent before takes room from budget and soft budget.
func TestSpentBefore(t *testing.T) {
	t.Parallel()
	f := func(before, spent float64, want llm.Refusal, warned bool) {
		t.Helper()
		s := scope(llm.ScopeGrantedKey, llm.Limits{}, llm.Budget{Limited: true, Max: 10, Soft: 8, Before: before})
		s.Charge(s, start, spent)
		var h llm.Hold
		if r, _ := s.Reserve(s, &llm.Ask{Now: start}, &h); r != want || s.Warn(s) != warned {
			t.Errorf("%v before and %v since: got %v, want %v and %v", before, spent, r, want, warned)
		}
	}
	f(0, 5, llm.Passed, false)
	f(4, 5, llm.Passed, true)
	f(5, 5, llm.OverBudget, true)
	f(10, 0, llm.OverBudget, true)
	f(12, 0, llm.OverBudget, true)
}

// Without a database what idle scopes counted is forgotten, but for the money of budgets.
func TestSweepRates(t *testing.T) {
	t.Parallel()
	var r llm.Registry
	spend := func(kind llm.ScopeKind) {
		l, _ := r.Get(kind, "x")
		s := &llm.Scope{Kind: kind, ID: "x", Limits: llm.Limits{RPM: 1}, Live: l}
		var h llm.Hold
		s.Reserve(s, &llm.Ask{Now: start}, &h)
		s.Settle(&h, start, 1, 1)
	}
	for _, k := range []llm.ScopeKind{llm.ScopeKey, llm.ScopeEndUser, llm.ScopeGrantedKey, llm.ScopeProxy} {
		spend(k)
	}
	open, _ := r.Get(llm.ScopeTeam, "x")
	s := &llm.Scope{Kind: llm.ScopeTeam, Limits: llm.Limits{Parallel: 2}, Live: open}
	var h llm.Hold
	s.Reserve(s, &llm.Ask{Now: start}, &h)
	if n := r.SweepRates(start/second - 1); n != 0 {
		t.Errorf("%d forgotten that were asked since", n)
	}
	if n := r.SweepRates(start/second + 1); n != 2 || r.Find(llm.ScopeGrantedKey, "x") == nil || r.Find(llm.ScopeProxy, "x") == nil || r.Find(llm.ScopeTeam, "x") == nil {
		t.Errorf("%d forgotten", n)
	}
}
