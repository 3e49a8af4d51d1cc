package virtualkey_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/auth/virtualkey"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// people is a store of customers, tags and budgets.
type people struct {
	store.Store
	mu      sync.Mutex
	users   map[string]store.EndUser
	tags    []store.Tag
	budgets map[string]store.Budget
	err     error
	lookups atomic.Int64
}

type (
	endUsers struct {
		store.Table[store.EndUser, string]
		p *people
	}
	tagRows struct {
		store.Table[store.Tag, string]
		p *people
	}
	budgetRows struct {
		store.Table[store.Budget, string]
		p *people
	}
)

func (p *people) EndUsers() store.Table[store.EndUser, string] { return endUsers{p: p} }
func (p *people) Tags() store.Table[store.Tag, string]         { return tagRows{p: p} }
func (p *people) Budgets() store.Table[store.Budget, string]   { return budgetRows{p: p} }

func (t endUsers) Get(_ context.Context, id string) (*store.EndUser, error) {
	t.p.lookups.Add(1)
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	if t.p.err != nil {
		return nil, t.p.err
	}
	if u, ok := t.p.users[id]; ok {
		return &u, nil
	}
	return nil, store.ErrNotFound
}

// Count tells how many customers have something that limits them, which is all that is asked.
func (t endUsers) Count(context.Context, ...store.Cond) (n int64, err error) {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	for _, u := range t.p.users {
		if u.BudgetID != "" || u.Blocked || u.AllowedModelRegion != "" {
			n++
		}
	}
	return n, t.p.err
}

func (t tagRows) Find(context.Context, store.Query) ([]store.Tag, error) { return t.p.tags, t.p.err }

func (t budgetRows) Get(_ context.Context, id string) (*store.Budget, error) {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	if b, ok := t.p.budgets[id]; ok {
		return &b, nil
	}
	return nil, store.ErrNotFound
}

func (p *people) set(u store.EndUser) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users[u.UserID] = u
}

func newPeople(users ...store.EndUser) *people {
	p := &people{users: map[string]store.EndUser{}, budgets: map[string]store.Budget{
		"small": {BudgetID: "small", MaxBudget: store.Ptr(2.0), RPMLimit: store.Ptr(int64(7))},
		"fixed": {BudgetID: "fixed", MaxBudget: store.Ptr(3.0)},
	}}
	for _, u := range users {
		p.users[u.UserID] = u
	}
	return p
}

// known is an authenticator that knows one principal.
type known struct{ p *llm.Principal }

func (k known) Authenticate(context.Context, *llm.Exchange, auth.Credential) (*llm.Principal, error) {
	return k.p, nil
}

// chat is a request to a model with a body.
func chat(t testing.TB, body string) *llm.Exchange {
	t.Helper()
	x := &llm.Exchange{}
	x.Reset()
	x.Start, x.Op, x.Path, x.Method = time.Now(), llm.OpChat, "/v1/chat/completions", "POST"
	if err := x.Body.Parse([]byte(body)); err != nil {
		t.Fatal(err)
	}
	x.Controls.User, x.Controls.Metadata, x.Controls.Guardrails = x.Body.Get("user"), x.Body.Get("metadata"), x.Body.Get("guardrails")
	if m, ok := llm.Text(x.Body.Get("model")); ok {
		x.Model = string(m)
	}
	return x
}

// pass sends a request through a gate.
func pass(t testing.TB, g *virtualkey.Gate, x *llm.Exchange) error {
	t.Helper()
	_, err := g.Authenticate(t.Context(), x, auth.Credential{})
	return err
}

func TestCustomers(t *testing.T) {
	t.Parallel()
	p := newPeople(
		store.EndUser{UserID: "plain"},
		store.EndUser{UserID: "poor", BudgetID: "small", Spend: 1.5, Alias: "Poor"},
		store.EndUser{UserID: "bad", Blocked: true},
		store.EndUser{UserID: "home", AllowedModelRegion: "eu", DefaultModel: "m2"},
	)
	c := virtualkey.NewCustomers(virtualkey.CustomerSettings{Store: p, Registry: &llm.Registry{}, TTL: time.Minute})
	if err := c.Learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	g := virtualkey.NewGate(known{&llm.Principal{}}, virtualkey.Policy{UserHeader: "x-who"}, c, nil)
	ask := func(user string) (*llm.Exchange, error) {
		x := chat(t, fmt.Sprintf(`{"model":"m","user":%q}`, user))
		return x, pass(t, g, x)
	}
	x, err := ask("plain")
	if err != nil || x.EndUser != "plain" || len(x.Scopes) != 0 {
		t.Errorf("plain: %v, %q, %d scopes", err, x.EndUser, len(x.Scopes))
	}
	x, err = ask("poor")
	if err != nil || len(x.Scopes) != 1 || x.Scopes[0].Kind != llm.ScopeEndUser || x.Scopes[0].Budget.Max != 2 || x.Scopes[0].RPM != 7 || x.Scopes[0].Alias != "Poor" {
		t.Fatalf("poor: %v, %+v", err, x.Scopes)
	}
	if spent, _ := x.Scopes[0].Spent(); spent != 1.5 {
		t.Errorf("poor has spent %v", spent)
	}
	_, err = ask("bad")
	if e := llm.AsError(err); e == nil || e.Status != 401 || e.Message != "Authentication Error, User blocked from making LLM API Calls. User=bad" {
		t.Errorf("blocked: %v", err)
	}
	x = chat(t, `{"user":"home"}`)
	if err := pass(t, g, x); err != nil || x.Model != "m2" || x.Region != "eu" {
		t.Errorf("home: %v, model %q, region %q", err, x.Model, x.Region)
	}
	before := p.lookups.Load()
	for range 10 {
		_, _ = ask("poor")
	}
	if n := p.lookups.Load() - before; n != 0 {
		t.Errorf("a customer that is remembered was looked up %d times", n)
	}
	p.set(store.EndUser{UserID: "poor", BudgetID: "small", Blocked: true})
	if err := c.Changed(t.Context(), []store.Change{{Kind: store.KindEndUser, ID: "poor"}}); err != nil {
		t.Fatal(err)
	}
	if _, err = ask("poor"); err == nil {
		t.Error("a customer that was blocked passed")
	}
	if _, err = ask(strings.Repeat("a", 1025)); err == nil {
		t.Error("a name without end was taken")
	}
}

// TestCustomersAway shows that requests are not held up by customers who cannot be looked up.
func TestCustomersAway(t *testing.T) {
	t.Parallel()
	p := newPeople()
	p.err = errors.New("away")
	c := virtualkey.NewCustomers(virtualkey.CustomerSettings{Store: p, Registry: &llm.Registry{}, Default: store.Ptr(1.0)})
	g := virtualkey.NewGate(known{&llm.Principal{}}, virtualkey.Policy{}, c, nil)
	x := chat(t, `{"model":"m","user":"u"}`)
	if err := pass(t, g, x); err != nil || x.EndUser != "u" {
		t.Errorf("%v, %q", err, x.EndUser)
	}
}

// TestDefaultCustomers shows the budget of customers that have none: an amount, or a row.
func TestDefaultCustomers(t *testing.T) {
	t.Parallel()
	f := func(s virtualkey.CustomerSettings, user string, want float64) {
		t.Helper()
		s.Store, s.Registry = newPeople(store.EndUser{UserID: "own", BudgetID: "small"}), &llm.Registry{}
		g := virtualkey.NewGate(known{&llm.Principal{}}, virtualkey.Policy{}, virtualkey.NewCustomers(s), nil)
		x := chat(t, fmt.Sprintf(`{"model":"m","user":%q}`, user))
		if err := pass(t, g, x); err != nil || len(x.Scopes) != 1 || x.Scopes[0].Budget.Max != want {
			t.Errorf("%s: %v, %+v, want a budget of %v", user, err, x.Scopes, want)
		}
	}
	f(virtualkey.CustomerSettings{Default: store.Ptr(5.0)}, "nobody", 5)
	f(virtualkey.CustomerSettings{Default: store.Ptr(5.0)}, "own", 2)
	f(virtualkey.CustomerSettings{DefaultID: "fixed"}, "nobody", 3)
	f(virtualkey.CustomerSettings{DefaultID: "fixed"}, "own", 2)
}

func TestTags(t *testing.T) {
	t.Parallel()
	p := newPeople()
	p.tags = []store.Tag{{TagName: "batch", BudgetID: "small", Spend: 1}, {TagName: "lost", BudgetID: "none"}}
	fixed := &llm.Scope{Kind: llm.ScopeTagDeployment, ID: "batch"}
	tags := virtualkey.NewTags(p, &llm.Registry{}, map[string]*llm.Scope{"batch": fixed})
	if got := tags.Scopes("batch"); len(got) != 1 || got[0] != fixed {
		t.Errorf("before anything is read: %v", got)
	}
	if err := tags.Learn(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	got := tags.Scopes("batch")
	if len(got) != 2 || got[0].Kind != llm.ScopeTag || got[0].Budget.Max != 2 || got[1] != fixed {
		t.Fatalf("%+v", got)
	}
	if spent, _ := got[0].Spent(); spent != 1 {
		t.Errorf("spent %v", spent)
	}
	if tags.Scopes("lost") != nil || tags.Scopes("other") != nil {
		t.Error("a tag without a budget has scopes")
	}
	p.tags = nil
	f := func(kind store.Kind, want int) {
		t.Helper()
		if err := tags.Changed(t.Context(), []store.Change{{Kind: kind}}); err != nil || len(tags.Scopes("batch")) != want {
			t.Errorf("after a change of a %s: %v, %d scopes", kind, err, len(tags.Scopes("batch")))
		}
	}
	f(store.KindKey, 2)
	f(store.KindTag, 1)
}
