package virtualkey_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/auth/virtualkey"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// groupsOnly is a store of one access group; office counts how often it is asked and says what is wrong.
type groupsOnly struct {
	store.Table[store.AccessGroup, string]
	o      *office
	groups []store.AccessGroup
}

func (g *groupsOnly) Find(context.Context, store.Query) ([]store.AccessGroup, error) {
	g.o.mu.Lock()
	defer g.o.mu.Unlock()
	g.o.asked++
	return g.groups, g.o.err
}

type groupStore struct {
	*office
	table *groupsOnly
}

func (s groupStore) AccessGroups() store.Table[store.AccessGroup, string] { return s.table }

const groupID = "01234567-89ab-cdef-0123-456789abcdef"

// Names of groups of models stand for their models, and stored groups widen a list that there is.
func TestNamedGroups(t *testing.T) {
	t.Parallel()
	o := newOffice()
	s := groupStore{o, &groupsOnly{o: o, groups: []store.AccessGroup{{AccessGroupID: groupID, AccessModelNames: store.List{"stored", "beta"}}}}}
	keys := virtualkey.NewKeys(virtualkey.Settings{Store: s, Registry: &llm.Registry{}, TTL: time.Minute})
	expand := func(list []string) (out []string) {
		for _, m := range list {
			if m == "beta" {
				out = append(out, "b1", "b2")
				continue
			}
			out = append(out, m)
		}
		return out
	}
	now := time.Now()
	var named *virtualkey.Named
	f := func(p *llm.Principal, at time.Time, asks int, want ...string) {
		t.Helper()
		before := o.asked
		if named == nil {
			named = virtualkey.NewNamed(known{p}, keys, expand)
		}
		got, err := authenticate(t, named, at)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.Models); diff != "" || o.asked-before != asks {
			t.Errorf("asked %d times, models -want +got\n%s", o.asked-before, diff)
		}
	}
	member := &llm.Principal{Models: []string{"m", "beta"}, AccessGroups: []string{groupID, "no id'--"}}
	f(member, now, 1, "m", "b1", "b2", "stored", "b1", "b2")
	f(member, now, 0, "m", "b1", "b2", "stored", "b1", "b2")
	s.table.groups[0].AccessModelNames = store.List{"other"}
	named.Changed([]store.Change{{Kind: store.KindKey, ID: "x"}})
	f(member, now, 0, "m", "b1", "b2", "stored", "b1", "b2")
	named.Changed([]store.Change{{Kind: store.KindAccessGroup, ID: groupID}})
	f(member, now, 1, "m", "b1", "b2", "other")
	o.err = store.ErrUnavailable
	f(member, now.Add(2*time.Minute), 1, "m", "b1", "b2", "other")
	if !slices.Equal(member.Models, []string{"m", "beta"}) {
		t.Errorf("the authenticator's principal was changed: %v", member.Models)
	}

	named = nil
	f(member, now, 1, "m", "b1", "b2")
	o.err, named = nil, nil
	f(&llm.Principal{AccessGroups: []string{groupID}}, now, 0)
	named = nil
	f(&llm.Principal{Models: []string{"m"}, AccessGroups: []string{"no id"}}, now, 0, "m")
	named = virtualkey.NewNamed(known{&llm.Principal{Models: []string{"beta"}, TeamModels: []string{"beta", "x"}, AccessGroups: []string{groupID}}}, nil, expand)
	p, err := authenticate(t, named, now)
	if err != nil || !slices.Equal(p.Models, []string{"b1", "b2"}) || !slices.Equal(p.TeamModels, []string{"b1", "b2", "x"}) {
		t.Errorf("without a store: %v, %v, %v", p.Models, p.TeamModels, err)
	}
}

// A budget of the key itself is raised for a time by its metadata, as that of a virtual key is.
func TestNamedRaisedBudget(t *testing.T) {
	t.Parallel()
	until := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	f := func(more, expiry any, budget llm.Budget, want float64) {
		t.Helper()
		said := &llm.Principal{
			Metadata:   map[string]any{"temp_budget_increase": more, "temp_budget_expiry": expiry, "service_account_id": "robot"},
			Allowances: []llm.Allowance{{Kind: llm.ScopeTeam, Budget: llm.Budget{Limited: true, Max: 1}}, {Kind: llm.ScopeKey, Budget: budget}},
		}
		p, err := authenticate(t, virtualkey.NewNamed(known{said}, nil, nil), until)
		if err != nil {
			t.Fatal(err)
		}
		b := p.Allowances[1].Budget
		if b.Increase != want || (b.Until == until.UnixNano()) != (want > 0) || p.Allowances[0].Budget.Increase != 0 || !p.ServiceAccount {
			t.Errorf("%v until %v: %+v", more, expiry, p.Allowances)
		}
		if said.Allowances[1].Budget.Increase != 0 {
			t.Error("the authenticator's principal was changed")
		}
	}
	ten := llm.Budget{Limited: true, Max: 10}
	f(5.5, "2030-01-02T03:04:05Z", ten, 5.5)
	f(int64(5), "2030-01-02T03:04:05", ten, 5)
	f(int64(5), "2030-01-02 03:04:05", ten, 5)
	f("5", "2030-01-02T03:04:05Z", ten, 0)
	f(5.5, "soon", ten, 0)
	f(5.5, nil, ten, 0)
	f(5.5, "2030-01-02T03:04:05Z", llm.Budget{Soft: 1}, 0)
}
