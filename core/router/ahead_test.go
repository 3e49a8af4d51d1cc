package router

import (
	"context"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// steadyFilter keeps the deployment of an ID and counts how often it was asked.
type steadyFilter struct {
	id      string
	ordered bool
	asked   int
}

func (f *steadyFilter) Steady() {}
func (f *steadyFilter) Filter(_ context.Context, _ *llm.Exchange, list []Candidate) (keep []int, ordered bool, err error) {
	f.asked++
	for i, c := range list {
		if c.ID == f.id {
			keep = append(keep, i)
		}
	}
	return keep, f.ordered, nil
}

// restless is a filter that is not steady.
type restless struct{}

func (restless) Filter(context.Context, *llm.Exchange, []Candidate) (keep []int, ordered bool, err error) {
	return nil, false, nil
}

// scoped is settings with deployments of one group that something limits.
func scoped(ids ...string) Settings {
	var list []*llm.Deployment
	for _, id := range ids {
		d := dep(id, "g", "m")
		d.Scopes = []*llm.Scope{{Kind: llm.ScopeDeployment, ID: id}}
		list = append(list, d)
	}
	return settings(list...)
}

// TestAhead shows that the deployment that is foreseen is the one that is chosen, by every strategy, and that looking ahead
// counts nothing.
func TestAhead(t *testing.T) {
	t.Parallel()
	for _, strategy := range Strategies() {
		s := scoped("a", "b", "c")
		s.Strategy = strategy
		r := build(t, s)
		seen := map[string]bool{}
		for range 200 {
			x := ask("g")
			x.Ahead = r.Ahead(t.Context(), x)
			if x.Ahead == nil {
				t.Fatalf("%s: nobody is foreseen", strategy)
			}
			if n := r.s.States.Counts(x.Ahead.ID); n.InFlight != 0 {
				t.Fatalf("%s: %+v after looking ahead", strategy, n)
			}
			if got := once(t, r, x); got != x.Ahead.ID {
				t.Fatalf("%s: %s was foreseen, %s was chosen", strategy, x.Ahead.ID, got)
			}
			seen[x.Ahead.ID] = true
		}
		if len(seen) < 2 && strategy == SimpleShuffle {
			t.Errorf("%s: always %v", strategy, seen)
		}
	}
}

// TestAheadChanges shows that a deployment which was foreseen is not chosen if it may not be called any more.
func TestAheadChanges(t *testing.T) {
	t.Parallel()
	r := build(t, scoped("a", "b"))
	for range 20 {
		x := ask("g")
		d := r.Ahead(t.Context(), x)
		x.Ahead = d
		r.s.Checks = []Check{checkFunc(func(o *llm.Deployment) bool { return o != d })}
		if got := once(t, r, x); got == d.ID {
			t.Fatalf("%s was called, which may not be", got)
		}
		r.s.Checks = nil
	}
}

// TestAheadUnknown shows when nobody can be foreseen.
func TestAheadUnknown(t *testing.T) {
	t.Parallel()
	f := func(what string, s Settings, change func(x *llm.Exchange), want bool) {
		t.Helper()
		x := ask("g")
		if change != nil {
			change(x)
		}
		if got := build(t, s).Ahead(t.Context(), x); (got != nil) != want {
			t.Errorf("%s: %v", what, got)
		}
	}
	filtered := func(filter Filter) Settings {
		s := scoped("a", "b")
		s.Filters = []Filter{filter}
		return s
	}
	f("limited", scoped("a"), nil, true)
	f("nothing limits", settings(dep("a", "g", "m")), nil, false)
	f("a filter that may be asked", filtered(&steadyFilter{id: "b"}), nil, true)
	f("a filter that decides", filtered(&steadyFilter{id: "b", ordered: true}), nil, true)
	f("a filter that may not be asked", filtered(restless{}), nil, false)
	f("an unknown model", scoped("a"), func(x *llm.Exchange) { x.Model = "no" }, false)
	f("a route's own deployment", scoped("a"), func(x *llm.Exchange) { x.Pinned = &llm.Deployment{} }, false)
	f("a test of fallbacks", scoped("a"), func(x *llm.Exchange) { x.Controls.Testing = llm.TestFallbacks }, false)
	f("no place", func() Settings {
		s := facts(scoped("a"), map[string]Facts{"a": {Parallel: 1}})
		s.States = NewStates()
		s.States.of(s.Deployments[0]).inFlight.Add(1)
		return s
	}(), nil, false)
	f("whoever holds what it goes on with", scoped("a", "b"), func(x *llm.Exchange) { x.Home = "b" }, true)
}
