package virtualkey_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/auth/virtualkey"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// office is a store of teams, users, organizations, their members and budgets.
type office struct {
	store.Store
	mu      sync.Mutex
	err     error
	asked   int
	teams   map[string]store.Team
	users   map[string]store.User
	orgs    map[string]store.Organization
	members map[store.Membership]store.TeamMembership
	orgMem  map[store.Membership]store.OrganizationMembership
	budgets map[string]store.Budget
	models  map[int64]store.TeamModel
}

type desk[T, K any] struct {
	store.Table[T, K]
	get func(K) (T, bool)
	o   *office
}

func (d desk[T, K]) Get(_ context.Context, id K) (*T, error) {
	d.o.mu.Lock()
	defer d.o.mu.Unlock()
	d.o.asked++
	if d.o.err != nil {
		return nil, d.o.err
	}
	if v, ok := d.get(id); ok {
		return &v, nil
	}
	return nil, store.ErrNotFound
}

func of[T any, K comparable](o *office, m map[K]T) store.Table[T, K] {
	return desk[T, K]{o: o, get: func(id K) (T, bool) { v, ok := m[id]; return v, ok }}
}

type teamsOnly struct {
	store.Teams
	t store.Table[store.Team, string]
}

func (d teamsOnly) Get(ctx context.Context, id string) (*store.Team, error) { return d.t.Get(ctx, id) }

func (o *office) Teams() store.Teams                                     { return teamsOnly{t: of(o, o.teams)} }
func (o *office) Users() store.Table[store.User, string]                 { return of(o, o.users) }
func (o *office) Budgets() store.Table[store.Budget, string]             { return of(o, o.budgets) }
func (o *office) Organizations() store.Table[store.Organization, string] { return of(o, o.orgs) }
func (o *office) TeamModels() store.Table[store.TeamModel, int64]        { return of(o, o.models) }
func (o *office) TeamMemberships() store.Table[store.TeamMembership, store.Membership] {
	return of(o, o.members)
}
func (o *office) OrganizationMemberships() store.Table[store.OrganizationMembership, store.Membership] {
	return of(o, o.orgMem)
}

func number[T any](v T) *T { return &v }

func newOffice() *office {
	at := func(group string) store.Membership { return store.Membership{UserID: "u", Group: group} }
	return &office{
		teams: map[string]store.Team{
			"t": {
				TeamID: "t", TeamAlias: "Team", OrganizationID: "o", RPMLimit: number(int64(3)), MaxBudget: number(5.0), Spend: 2, Models: []string{"m", "x"},
				ModelID: number(int64(1)), Metadata: store.JSON(`{"tags":["team"],"guardrails":["g1"],"tier":1,"model_rpm_limit":{"m":4}}`),
			},
			"bad": {TeamID: "bad", Blocked: true},
		},
		users:   map[string]store.User{"u": {UserID: "u", UserEmail: "u@example.com", TPMLimit: number(int64(9)), UserRole: "proxy_admin"}},
		orgs:    map[string]store.Organization{"o": {OrganizationID: "o", OrganizationAlias: "Org", BudgetID: "bo", Models: []string{"m"}}},
		members: map[store.Membership]store.TeamMembership{at("t"): {UserID: "u", TeamID: "t", BudgetID: "bm"}},
		orgMem:  map[store.Membership]store.OrganizationMembership{at("o"): {UserID: "u", OrganizationID: "o", BudgetID: "bx"}},
		budgets: map[string]store.Budget{
			"bo": {BudgetID: "bo", RPMLimit: number(int64(30))}, "bm": {BudgetID: "bm", RPMLimit: number(int64(2))}, "bx": {BudgetID: "bx", MaxBudget: number(7.0)},
		},
		models: map[int64]store.TeamModel{1: {ID: 1, ModelAliases: store.JSON(`{"best":"m","mine":"other"}`)}},
	}
}

// What the database has for whom a principal names holds besides what the authenticator says.
func TestNamedJoins(t *testing.T) {
	t.Parallel()
	o := newOffice()
	keys := virtualkey.NewKeys(virtualkey.Settings{Store: o, Registry: &llm.Registry{}, TTL: time.Hour})
	said := &llm.Principal{
		UserID: "u", TeamID: "t", Role: llm.RoleInternalUser, TeamModels: []string{"m", "y"}, Tags: []string{"own"}, Aliases: map[string]string{"mine": "m"},
		TeamMetadata: map[string]any{"guardrails": []any{"g2"}, "tier": 2},
	}
	p, err := authenticate(t, virtualkey.NewNamed(known{said}, keys, nil), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	x := &llm.Exchange{}
	x.Scopes = append(slices.Clone(p.Scopes), p.ModelScopes...)
	want := []string{
		"team t rpm=3 tpm=0 open=0 max=5", "team_member t:u rpm=2 tpm=0 open=0", "user u rpm=0 tpm=9 open=0", "organization o rpm=30 tpm=0 open=0",
		"organization_member o:u rpm=0 tpm=0 open=0 max=7", "model_per_team t:m rpm=4 tpm=0 open=0",
	}
	if diff := cmp.Diff(want, show(x)); diff != "" {
		t.Errorf("scopes: -want +got\n%s", diff)
	}
	if spent, _ := p.Scopes[0].Spent(); spent != 2 {
		t.Errorf("the team spent %v", spent)
	}
	if p.Role != llm.RoleInternalUser || p.KeyHash != "" || p.OrgID != "o" || p.OrgName != "Org" || p.TeamName != "Team" || p.Email != "u@example.com" {
		t.Errorf("got %+v", p)
	}
	for model, may := range map[string]bool{"m": true, "x": false, "y": false} {
		if p.May(model) != may {
			t.Errorf("%s: %v, and both lists have to allow it", model, !may)
		}
	}
	if !maps.Equal(p.Aliases, map[string]string{"best": "m", "mine": "m"}) || !slices.Equal(p.Tags, []string{"own", "team"}) {
		t.Errorf("aliases %v, tags %v", p.Aliases, p.Tags)
	}
	if diff := cmp.Diff([]string{"g1", "g2"}, p.TeamMetadata["guardrails"]); diff != "" || p.TeamMetadata["tier"] != 2 {
		t.Errorf("team metadata %v", p.TeamMetadata)
	}
	blocked, err := authenticate(t, virtualkey.NewNamed(known{&llm.Principal{TeamID: "bad"}}, keys, nil), time.Now())
	if err != nil || !blocked.TeamBlocked {
		t.Errorf("got %+v, %v", blocked, err)
	}
}

// Rows are remembered until they change or their time is over, also those that are not there, and while the database is
// away.
func TestNamedRemembers(t *testing.T) {
	t.Parallel()
	o := newOffice()
	keys := virtualkey.NewKeys(virtualkey.Settings{Store: o, Registry: &llm.Registry{}, TTL: time.Minute})
	now := time.Now()
	f := func(n *virtualkey.Named, at time.Time, wantScopes int, asks bool) {
		t.Helper()
		o.mu.Lock()
		before := o.asked
		o.mu.Unlock()
		p, err := authenticate(t, n, at)
		o.mu.Lock()
		defer o.mu.Unlock()
		if err != nil || len(p.Scopes) != wantScopes || (o.asked > before) != asks {
			t.Errorf("%d scopes, %v, asked %d times", len(p.Scopes), err, o.asked-before)
		}
	}
	team := virtualkey.NewNamed(known{&llm.Principal{TeamID: "t"}}, keys, nil)
	f(team, now, 2, true)
	f(team, now, 2, false)
	team.Changed([]store.Change{{Kind: store.KindTeam, ID: "other"}, {Kind: store.KindUser, ID: "t"}, {Kind: store.KindBudget, ID: "bm"}})
	f(team, now, 2, false)
	for _, c := range []store.Change{{Kind: store.KindTeam, ID: "t"}, {Kind: store.KindOrganization, ID: "o"}, {Kind: store.KindBudget, ID: "bo"}, {Kind: store.KindEverything}} {
		team.Changed([]store.Change{c})
		f(team, now, 2, true)
	}
	f(team, now.Add(2*time.Minute), 2, true)

	nobody := virtualkey.NewNamed(known{&llm.Principal{TeamID: "new"}}, keys, nil)
	f(nobody, now, 0, true)
	f(nobody, now, 0, false)
	f(virtualkey.NewNamed(known{&llm.Principal{}}, keys, nil), now, 0, false)

	o.mu.Lock()
	o.err = store.ErrUnavailable
	o.mu.Unlock()
	f(team, now.Add(4*time.Minute), 2, true)
	f(virtualkey.NewNamed(known{&llm.Principal{TeamID: "t"}}, keys, nil), now, 0, true)
}
