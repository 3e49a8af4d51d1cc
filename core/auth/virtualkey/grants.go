package virtualkey

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// GrantSettings configure Grants. Registry is required.
type GrantSettings struct {
	Registry *llm.Registry
	Store    store.Store   // has what was spent of budgets; nil keeps it in memory alone
	Saving   func() uint64 // see Settings.Saving
	// AllowUnavailable lets callers in whose budget cannot be looked up because the database cannot be reached.
	AllowUnavailable bool
	// Wanted is called once when the first budget is asked for and there is no Store. It must not block. It may be nil.
	Wanted func()
}

// Grants makes scopes of what authenticators say that principals may use (llm.Principal.Allowances). Limits are counted
// where those of the database for the same thing are, and the tighter one holds. Budgets are counted for themselves: see
// llm.ScopeKind.Granted. It is safe for concurrent use.
type Grants struct {
	s     GrantSettings
	group flight[string, *llm.Live]
	want  sync.Once

	mu    sync.RWMutex
	known map[string]*llm.Live // states that were told what the store has, by the name of the counter
}

const maxGrants = 200_000

// NewGrants makes Grants.
func NewGrants(s GrantSettings) *Grants { return &Grants{s: s, known: map[string]*llm.Live{}} }

// add adds to x.Scopes what applies to the request of a principal.
func (g *Grants) add(ctx context.Context, x *llm.Exchange, p *llm.Principal) error {
	for i := range p.Allowances {
		a := &p.Allowances[i]
		if a.Model != "" && a.Model != x.Model && unprefixed(x.Model) != a.Model {
			continue
		}
		id, alias := holder(a.Kind, x, p)
		if id == "" {
			continue
		}
		if a.Model != "" {
			id += ":" + a.Model
		}
		if a.Limits != (llm.Limits{}) {
			g.limit(x, p, &llm.Scope{Kind: a.Kind, ID: id, Alias: alias, Model: a.Model, Limits: a.Limits})
		}
		if a.Budget.Limited || a.Budget.Soft > 0 {
			if err := g.budget(ctx, x, a, id, alias); err != nil {
				return err
			}
		}
	}
	return nil
}

// holder is whom limits are for; the id is empty if that is nobody.
func holder(kind llm.ScopeKind, x *llm.Exchange, p *llm.Principal) (id, alias string) {
	switch kind {
	case llm.ScopeUser:
		return p.UserID, ""
	case llm.ScopeTeam, llm.ScopeModelPerTeam:
		return p.TeamID, p.TeamName
	case llm.ScopeTeamMember:
		return store.MemberID(p.TeamID, p.UserID), ""
	case llm.ScopeOrganization, llm.ScopeModelPerOrg:
		return p.OrgID, p.OrgName
	case llm.ScopeEndUser, llm.ScopeModelPerUser:
		if p.EndUser != "" {
			return p.EndUser, ""
		}
		return x.EndUser[:min(len(x.EndUser), maxCustomerID)], ""
	default:
		return p.CountAs, p.KeyAlias
	}
}

// limit adds a scope for requests and tokens, or tightens the one that is there.
func (g *Grants) limit(x *llm.Exchange, p *llm.Principal, s *llm.Scope) {
	for i, there := range x.Scopes {
		if there.Kind == s.Kind && there.ID == s.ID {
			x.Scopes[i] = tightened(there, s.Limits)
			return
		}
	}
	s.Live, _ = g.s.Registry.Get(s.Kind, s.ID)
	if s.Kind == llm.ScopeKey {
		s.Relaxed = relaxed(s, p.Metadata)
	}
	x.Scopes = append(x.Scopes, s)
}

func tightened(s *llm.Scope, l llm.Limits) *llm.Scope {
	c := *s
	c.Limits = s.Limits.Tighten(l)
	if s.Relaxed != nil {
		r := *s.Relaxed
		r.Limits = r.Limits.Tighten(l)
		c.Relaxed = &r
	}
	return &c
}

// budget adds a scope for money.
func (g *Grants) budget(ctx context.Context, x *llm.Exchange, a *llm.Allowance, id, alias string) error {
	kind, ok := a.Kind.Granted()
	if !ok {
		return nil
	}
	s := &llm.Scope{Kind: kind, Alias: alias, Model: a.Model, Budget: a.Budget}
	end := int64(0)
	if s.Budget.ResetAt.IsZero() {
		s.Budget.Period = Period(a.Budget.Duration)
	} else {
		end, s.Budget.ResetAt = periodEnd(a.Budget.ResetAt, a.Budget.Duration, x.Start)
	}
	s.ID = llm.GrantedID(id, end)
	s.Counter = CounterName(kind, s.ID)
	var err error
	if s.Live, err = g.state(ctx, s); err != nil {
		return err
	}
	x.Scopes = append(x.Scopes, s)
	return nil
}

// periodEnd is when the period ends that now lies in, one of those that follow each other from a given end on. The
// number tells it from the others. Without a duration the period after the given one has no end.
func periodEnd(end time.Time, duration string, now time.Time) (number int64, _ time.Time) {
	if now.Before(end) {
		return seconds(end), end
	}
	p, err := store.ParsePeriod(duration)
	if err != nil || p.N == 0 {
		return seconds(end) + 1, time.Time{}
	}
	if p.Unit != "mo" {
		length := p.After(end).Sub(end)
		gone := now.Sub(end)
		end = end.Add(gone - gone%length)
	}
	for !now.Before(end) {
		end = p.After(end)
	}
	return seconds(end), end
}

func seconds(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

// state returns the state of a budget, which knows what the store says was spent.
func (g *Grants) state(ctx context.Context, s *llm.Scope) (*llm.Live, error) {
	live, _ := g.s.Registry.Get(s.Kind, s.ID)
	if g.s.Store == nil {
		if g.s.Wanted != nil {
			g.want.Do(g.s.Wanted)
		}
		return live, nil
	}
	g.mu.RLock()
	known := g.known[s.Counter] == live
	g.mu.RUnlock()
	if known {
		return live, nil
	}
	live, err := g.group.do(ctx, s.Counter, func(ctx context.Context) (*llm.Live, error) { return g.load(ctx, s.Kind, s.ID, s.Counter) })
	switch {
	case err == nil:
		return live, nil
	case errors.Is(err, context.Canceled):
		return nil, err
	case g.s.AllowUnavailable:
		live, _ = g.s.Registry.Get(s.Kind, s.ID)
		return live, nil
	}
	return nil, &llm.Error{
		Op: "virtualkey.Grants", Kind: llm.KindUnavailable, Status: 503, Err: err, RetryAfter: time.Second,
		Message: "Authentication Error, the database that holds what was spent cannot be reached. Try again.",
		Type:    "no_db_connection", Param: "None", Code: strconv.Itoa(503),
	}
}

// load tells a state what the store has. What is read while somebody writes may be counted twice or not at all, so it
// is read again then.
func (g *Grants) load(ctx context.Context, kind llm.ScopeKind, id, counter string) (*llm.Live, error) {
	const tries = 5
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	live, _ := g.s.Registry.Get(kind, id)
	for try := 1; ; try++ {
		before := g.saving()
		list, err := g.s.Store.Spend().Counters(ctx, counter)
		if err != nil {
			return nil, err
		}
		if try < tries && (before&1 != 0 || before != g.saving()) {
			continue
		}
		for _, c := range list {
			live.LoadWindow(c.Window, c.Spend)
		}
		break
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.known) >= maxGrants {
		for k := range g.known {
			delete(g.known, k)
			break
		}
	}
	g.known[counter] = live
	return live, nil
}

func (g *Grants) saving() uint64 {
	if g.s.Saving == nil {
		return 0
	}
	return g.s.Saving()
}
