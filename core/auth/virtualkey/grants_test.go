package virtualkey_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/auth/virtualkey"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// show writes the scopes of a request in one line each.
func show(x *llm.Exchange) (lines []string) {
	for _, s := range x.Scopes {
		line := fmt.Sprintf("%s %s rpm=%d tpm=%d open=%d", s.Kind, s.ID, s.RPM, s.TPM, s.Parallel)
		if s.Budget.Limited {
			line += fmt.Sprintf(" max=%g", s.Budget.Max)
		}
		if s.Counter != "" {
			line += " counter=" + s.Counter
		}
		lines = append(lines, line)
	}
	return lines
}

func TestGrants(t *testing.T) {
	t.Parallel()
	var registry llm.Registry
	gate := func(p *llm.Principal) *virtualkey.Gate {
		policy := virtualkey.Policy{Grants: virtualkey.NewGrants(virtualkey.GrantSettings{Registry: &registry})}
		return virtualkey.NewGate(known{p}, policy, nil, nil)
	}
	f := func(p llm.Principal, body string, want ...string) {
		t.Helper()
		x := chat(t, body)
		if err := pass(t, gate(&p), x); err != nil {
			t.Fatal(err)
		}
		if got := show(x); !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	rpm := func(k llm.ScopeKind, model string, n int64) llm.Allowance {
		return llm.Allowance{Kind: k, Model: model, Limits: llm.Limits{RPM: n}}
	}
	money := func(k llm.ScopeKind, model string, f float64) llm.Allowance {
		return llm.Allowance{Kind: k, Model: model, Budget: llm.Budget{Limited: true, Max: f}}
	}
	who := llm.Principal{UserID: "u", TeamID: "t", OrgID: "o", CountAs: "k"}
	with := func(list ...llm.Allowance) llm.Principal {
		p := who
		p.Allowances = list
		return p
	}
	f(with(rpm(llm.ScopeKey, "", 1), rpm(llm.ScopeUser, "", 2), rpm(llm.ScopeTeam, "", 3), rpm(llm.ScopeTeamMember, "", 4), rpm(llm.ScopeOrganization, "", 5)),
		`{"model":"m"}`, "api_key k rpm=1 tpm=0 open=0", "user u rpm=2 tpm=0 open=0", "team t rpm=3 tpm=0 open=0",
		"team_member t:u rpm=4 tpm=0 open=0", "organization o rpm=5 tpm=0 open=0")
	f(with(rpm(llm.ScopeModelPerKey, "m", 1), rpm(llm.ScopeModelPerTeam, "n", 2), rpm(llm.ScopeModelPerOrg, "m", 3)),
		`{"model":"openai/m"}`, "model_per_key k:m rpm=1 tpm=0 open=0", "model_per_organization o:m rpm=3 tpm=0 open=0")
	f(with(money(llm.ScopeKey, "", 1), money(llm.ScopeModelPerTeam, "m", 2)), `{"model":"m"}`,
		"granted_api_key k rpm=0 tpm=0 open=0 max=1 counter=granted_api_key:k",
		"granted_model_per_team t:m rpm=0 tpm=0 open=0 max=2 counter=granted_model_per_team:t:m")
	f(with(rpm(llm.ScopeEndUser, "", 1)), `{"model":"m"}`)
	f(with(rpm(llm.ScopeEndUser, "", 1)), `{"model":"m","user":"ann"}`, "end_user ann rpm=1 tpm=0 open=0")
	named := with(rpm(llm.ScopeEndUser, "", 1), money(llm.ScopeModelPerUser, "m", 3))
	named.EndUser = "eve"
	f(named, `{"model":"m","user":"ann"}`, "end_user eve rpm=1 tpm=0 open=0",
		"granted_model_per_end_user eve:m rpm=0 tpm=0 open=0 max=3 counter=granted_model_per_end_user:eve:m")

	// What a database has for the same team is tightened, not counted twice, and keeps its own budget.
	live, _ := registry.Get(llm.ScopeTeam, "t")
	both := with(llm.Allowance{Kind: llm.ScopeTeam, Limits: llm.Limits{RPM: 9, TPM: 5}, Budget: llm.Budget{Limited: true, Max: 1}})
	both.Scopes = []*llm.Scope{{Kind: llm.ScopeTeam, ID: "t", Limits: llm.Limits{RPM: 3, TPM: 7}, Budget: llm.Budget{Limited: true, Max: 8}, Live: live}}
	f(both, `{"model":"m"}`, "team t rpm=3 tpm=5 open=0 max=8", "granted_team t rpm=0 tpm=0 open=0 max=1 counter=granted_team:t")
	if both.Scopes[0].TPM != 7 {
		t.Error("a scope that others use was changed")
	}
	// Nothing is made for paths that call no model.
	x := chat(t, `{}`)
	x.Op = llm.OpNone
	p := with(rpm(llm.ScopeKey, "", 1))
	if err := pass(t, gate(&p), x); err != nil || len(x.Scopes) != 0 {
		t.Errorf("%v, %v", err, show(x))
	}
}

// A budget's period begins with its first spending, or ends when the authenticator says so and every duration later.
func TestGrantPeriods(t *testing.T) {
	t.Parallel()
	g := virtualkey.NewGrants(virtualkey.GrantSettings{Registry: &llm.Registry{}})
	at := func(s string) time.Time {
		t.Helper()
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	f := func(now, reset, duration, wantReset string, wantPeriod time.Duration) string {
		t.Helper()
		b := llm.Budget{Limited: true, Max: 1, Duration: duration}
		if reset != "" {
			b.ResetAt = at(reset)
		}
		p := &llm.Principal{CountAs: "k", Allowances: []llm.Allowance{{Kind: llm.ScopeKey, Budget: b}}}
		x := chat(t, `{"model":"m"}`)
		x.Start = at(now)
		if err := pass(t, virtualkey.NewGate(known{p}, virtualkey.Policy{Grants: g}, nil, nil), x); err != nil || len(x.Scopes) != 1 {
			t.Fatal(err)
		}
		s := x.Scopes[0]
		got := ""
		if !s.Budget.ResetAt.IsZero() {
			got = s.Budget.ResetAt.UTC().Format(time.RFC3339)
		}
		if got != wantReset || s.Budget.Period != wantPeriod || s.Holder() != "k" {
			t.Errorf("%s %s at %s: resets %q after %v, holder %s", reset, duration, now, got, s.Budget.Period, s.Holder())
		}
		return s.ID
	}
	const now = "2030-05-15T12:00:00Z"
	f(now, "", "", "", 0)
	f(now, "", "1d", "", 24*time.Hour)
	first := f(now, "2030-06-01T00:00:00Z", "", "2030-06-01T00:00:00Z", 0)
	if again := f("2030-05-31T23:59:59Z", "2030-06-01T00:00:00Z", "30d", "2030-06-01T00:00:00Z", 0); again != first {
		t.Errorf("one period has two counters: %q and %q", first, again)
	}
	if next := f("2030-06-01T00:00:00Z", "2030-06-01T00:00:00Z", "", "", 0); next == first {
		t.Error("the period after the last is counted with it")
	}
	f(now, "2030-05-15T12:00:00Z", "1d", "2030-05-16T12:00:00Z", 0)
	f(now, "1970-01-01T00:00:00Z", "1s", "2030-05-15T12:00:01Z", 0)
	f(now, "2030-01-31T00:00:00Z", "1mo", "2030-05-28T00:00:00Z", 0)
	f(now, "2029-05-15T12:00:00Z", "1w", "2030-05-21T12:00:00Z", 0)
}

// ledger is a store of counters and of nobody else.
type ledger struct {
	store.Store
	mu    sync.Mutex
	spent map[string]float64
	err   error
	asked int
}

func (l *ledger) Spend() store.Spend { return ledgerSpend{l: l} }

type ledgerSpend struct {
	store.Spend
	l *ledger
}

func (s ledgerSpend) Counters(_ context.Context, names ...string) (out []store.Counter, err error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	s.l.asked++
	for _, n := range names {
		if f, ok := s.l.spent[n]; ok {
			out = append(out, store.Counter{Name: n, Spend: f})
		}
	}
	return out, s.l.err
}

// What was spent is read once, before the first request passes; while it cannot be read nobody passes.
func TestGrantsRemember(t *testing.T) {
	t.Parallel()
	l := &ledger{spent: map[string]float64{"granted_api_key:k": 5}, err: store.ErrUnavailable}
	p := &llm.Principal{CountAs: "k", Allowances: []llm.Allowance{{Kind: llm.ScopeKey, Budget: llm.Budget{Limited: true, Max: 9}}}}
	registry := &llm.Registry{}
	gate := func(unavailable bool) *virtualkey.Gate {
		s := virtualkey.GrantSettings{Registry: registry, Store: l, AllowUnavailable: unavailable}
		return virtualkey.NewGate(known{p}, virtualkey.Policy{Grants: virtualkey.NewGrants(s)}, nil, nil)
	}
	strict := gate(false)
	e := llm.AsError(pass(t, strict, chat(t, `{"model":"m"}`)))
	if e == nil || e.HTTPStatus() != 503 || !errors.Is(e, store.ErrUnavailable) || e.Type != "no_db_connection" {
		t.Errorf("got %v", e)
	}
	if err := pass(t, gate(true), chat(t, `{"model":"m"}`)); err != nil {
		t.Errorf("with allow_requests_on_db_unavailable: %v", err)
	}
	l.mu.Lock()
	l.err, l.asked = nil, 0
	l.mu.Unlock()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			x := chat(t, `{"model":"m"}`)
			if err := pass(t, strict, x); err != nil {
				t.Error(err)
				return
			}
			if spent, _ := x.Scopes[0].Spent(); spent != 5 {
				t.Errorf("a request found %v spent", spent)
			}
		})
	}
	wg.Wait()
	before := l.asked
	if err := pass(t, strict, chat(t, `{"model":"m"}`)); err != nil || l.asked != before {
		t.Errorf("%v, asked %d times more", err, l.asked-before)
	}
}

// The budget has somebody told once that there is no database.
func TestGrantsWantStore(t *testing.T) {
	t.Parallel()
	wanted := 0
	g := virtualkey.NewGrants(virtualkey.GrantSettings{Registry: &llm.Registry{}, Wanted: func() { wanted++ }})
	f := func(a llm.Allowance, want int) {
		t.Helper()
		p := &llm.Principal{CountAs: "k", Allowances: []llm.Allowance{a}}
		if err := pass(t, virtualkey.NewGate(known{p}, virtualkey.Policy{Grants: g}, nil, nil), chat(t, `{"model":"m"}`)); err != nil || wanted != want {
			t.Errorf("%v, wanted %d times", err, wanted)
		}
	}
	f(llm.Allowance{Kind: llm.ScopeKey, Limits: llm.Limits{RPM: 1}}, 0)
	f(llm.Allowance{Kind: llm.ScopeKey, Budget: llm.Budget{Limited: true, Max: 1}}, 1)
	f(llm.Allowance{Kind: llm.ScopeKey, Budget: llm.Budget{Soft: 1}}, 1)
}

// authenticate asks an authenticator at a time.
func authenticate(t *testing.T, a auth.Authenticator, now time.Time) (*llm.Principal, error) {
	t.Helper()
	x := chat(t, `{"model":"m"}`)
	x.Start = now
	return a.Authenticate(t.Context(), x, auth.Credential{Key: []byte("sk-0123456789"), Present: true})
}

func TestNamedExpires(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC)
	f := func(expires time.Time, refused bool) {
		t.Helper()
		_, err := authenticate(t, virtualkey.NewNamed(known{&llm.Principal{Expires: expires}}, nil, nil), now)
		e := llm.AsError(err)
		if (e != nil) != refused {
			t.Fatalf("%v: got %v", expires, err)
		}
		const want = "Authentication Error - Expired Key. Key Expiry time 2030-01-02 03:04:05.000006+00:00 and current time 2030-01-02 03:04:05.000006+00:00"
		if refused && (e.HTTPStatus() != 401 || e.Code != "401" || e.Type != "expired_key" || e.Param != "sk-...6789" || e.Kind != llm.KindAuth || e.Message != want) {
			t.Errorf("got %d %+v", e.HTTPStatus(), e)
		}
	}
	f(time.Time{}, false)
	f(now.Add(time.Microsecond), false)
	f(now, true)
}

// Metadata says of limits what that of a key and its team does.
func TestNamedMetadata(t *testing.T) {
	t.Parallel()
	said := &llm.Principal{
		TeamID: "t", Tags: []string{"a"}, Allowances: []llm.Allowance{{Kind: llm.ScopeModelPerKey, Model: "m", Limits: llm.Limits{RPM: 3}}},
		Metadata: map[string]any{
			"model_rpm_limit": map[string]any{"m": int64(5)}, "model_tpm_limit": map[string]any{"m": 7.0}, "tags": []any{"b"}, "enforced_params": []any{"user"},
		},
		TeamMetadata: map[string]any{"model_rpm_limit": map[string]any{"n": int64(0)}, "tags": []any{"c"}},
	}
	p, err := authenticate(t, virtualkey.NewNamed(known{said}, nil, nil), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	want := []llm.Allowance{
		{Kind: llm.ScopeModelPerKey, Model: "m", Limits: llm.Limits{RPM: 3, TPM: 7}},
		{Kind: llm.ScopeModelPerTeam, Model: "n", Limits: llm.Limits{RPM: llm.Nothing}},
	}
	if !slices.Equal(p.Allowances, want) || !slices.Equal(p.Tags, []string{"a", "b", "c"}) || !slices.Equal(p.EnforcedParams, []string{"user"}) {
		t.Errorf("got %+v, tags %v, params %v", p.Allowances, p.Tags, p.EnforcedParams)
	}
	if len(said.Allowances) != 1 || said.Allowances[0].TPM != 0 || len(said.Tags) != 1 {
		t.Errorf("the authenticator's principal was changed: %+v", said)
	}
}

// BenchmarkGrants measures what limits and a budget that an authenticator gives cost a request.
func BenchmarkGrants(b *testing.B) {
	p := &llm.Principal{UserID: "u", TeamID: "t", CountAs: "k", Allowances: []llm.Allowance{
		{Kind: llm.ScopeKey, Limits: llm.Limits{RPM: 60}, Budget: llm.Budget{Limited: true, Max: 10}}, {Kind: llm.ScopeTeam, Limits: llm.Limits{TPM: 1000}},
	}}
	g := virtualkey.NewGate(known{p}, virtualkey.Policy{Grants: virtualkey.NewGrants(virtualkey.GrantSettings{Registry: &llm.Registry{}, Store: &ledger{}})}, nil, nil)
	x := chat(b, `{"model":"m"}`)
	b.ReportAllocs()
	for b.Loop() {
		x.Scopes = x.Scopes[:0]
		if err := pass(b, g, x); err != nil || len(x.Scopes) != 3 {
			b.Fatal(err)
		}
	}
}
