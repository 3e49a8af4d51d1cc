package virtualkey

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// Named stands behind an authenticator that keeps no keys, such as a plugin. It refuses principals whose time is over,
// takes limits out of their metadata, writes models for the names of groups of models, and adds what the store has for the
// team, user and organization that they name: limits, budgets, blocks, models, tags and guardrails hold besides what the
// authenticator says. It is safe for concurrent use.
type Named struct {
	next   auth.Authenticator
	keys   *Keys                          // nil without a store
	expand func(models []string) []string // may be nil
	group  flight[names3, *named]
	lists  flight[string, *groupList]

	mu     sync.RWMutex
	known  map[names3]*named
	groups map[string]*groupList // by the ids of access groups, joined
	epoch  uint64                // rises with each change: what was read before is not kept
}

// groupList are the models of access groups.
type groupList struct {
	models []string
	loaded int64
}

// names3 are those whom a principal names.
type names3 struct{ team, user, org string }

// named is what the store has for them.
type named struct {
	p       *llm.Principal // nil if it has none of them
	budgets []string
	loaded  int64
}

const maxNamed = 100_000

// NewNamed puts next in front of what the store of keys knows, and of expand, which writes the models for the names of
// groups of models. Both may be nil.
func NewNamed(next auth.Authenticator, keys *Keys, expand func(models []string) []string) *Named {
	return &Named{next: next, keys: keys, expand: expand, known: map[names3]*named{}, groups: map[string]*groupList{}}
}

// Authenticate implements auth.Authenticator.
func (n *Named) Authenticate(ctx context.Context, x *llm.Exchange, c auth.Credential) (*llm.Principal, error) {
	p, err := n.next.Authenticate(ctx, x, c)
	if p == nil || err != nil {
		return nil, err
	}
	if !p.Expires.IsZero() && !x.Start.Before(p.Expires) {
		// _run_post_custom_auth_checks in litellm/proxy/auth/user_api_key_auth.py
		e := expired(&llm.Principal{Expires: p.Expires, KeyName: name(c.Key)}, x.Start)
		e.Status, e.Code = 401, "401"
		return nil, e
	}
	out := *p
	fromMetadata(&out)
	out.Models, out.TeamModels = n.models(ctx, &out, x.Start), n.expanded(out.TeamModels)
	if n.keys == nil {
		return &out, nil
	}
	if e := n.find(ctx, names3{p.TeamID, p.UserID, p.OrgID}, x.Start); e != nil && e.p != nil {
		join(&out, e.p)
	}
	return &out, nil
}

func (n *Named) expanded(models []string) []string {
	if len(models) == 0 || n.expand == nil {
		return models
	}
	return n.expand(models)
}

// models are those that the principal may use: its list, with the models of the access groups that it belongs to. Those
// widen a list that there is. While the store cannot be reached they are what they were, or none.
func (n *Named) models(ctx context.Context, p *llm.Principal, now time.Time) []string {
	if len(p.Models) == 0 {
		return nil
	}
	if len(p.AccessGroups) == 0 || n.keys == nil {
		return n.expanded(p.Models)
	}
	ids := strings.Join(p.AccessGroups, ",")
	n.mu.RLock()
	g := n.groups[ids]
	n.mu.RUnlock()
	if g == nil || now.UnixNano()-g.loaded >= int64(n.keys.s.TTL) {
		fresh, err := n.lists.do(ctx, ids, func(ctx context.Context) (*groupList, error) { return n.readGroups(ctx, ids, p.AccessGroups) })
		if err == nil {
			g = fresh
		}
	}
	if g == nil {
		return n.expanded(p.Models)
	}
	return n.expanded(append(slices.Clip(p.Models), g.models...))
}

func (n *Named) readGroups(ctx context.Context, name string, ids []string) (*groupList, error) {
	epoch := n.age()
	g := &groupList{loaded: n.keys.s.Now().UnixNano()}
	err := n.keys.roomFor(ctx, func(ctx context.Context) (err error) {
		g.models, err = groupModels(ctx, n.keys.s.Store, ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.epoch == epoch {
		remember(n.groups, name, g)
	}
	return g, nil
}

func (n *Named) age() uint64 {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.epoch
}

// find returns what the store has. While it cannot be reached that is what it had, or nil: the principal's own limits
// still hold.
func (n *Named) find(ctx context.Context, who names3, now time.Time) *named {
	if who == (names3{}) {
		return nil
	}
	n.mu.RLock()
	e := n.known[who]
	n.mu.RUnlock()
	if e != nil && now.UnixNano()-e.loaded < int64(n.keys.s.TTL) {
		return e
	}
	fresh, err := n.group.do(ctx, who, func(ctx context.Context) (*named, error) { return n.read(ctx, who) })
	if err != nil {
		return e
	}
	return fresh
}

func (n *Named) read(ctx context.Context, who names3) (*named, error) {
	epoch := n.age()
	e := &named{loaded: n.keys.s.Now().UnixNano()}
	if err := n.keys.roomFor(ctx, func(ctx context.Context) error { return n.fill(ctx, who, e) }); err != nil {
		return nil, err
	}
	n.keep(who, e, epoch)
	return e, nil
}

// fill reads into e what the store has.
func (n *Named) fill(ctx context.Context, who names3, e *named) error {
	k := n.keys
	var saving uint64
	if k.s.Saving != nil {
		saving = k.s.Saving()
	}
	view, err := viewOf(ctx, k.s.Store, who)
	if err != nil {
		return err
	}
	if view.Team != nil || view.User != nil || view.Organization != nil {
		b := &building{k: k, view: view, steady: k.s.Saving == nil || saving&1 == 0 && saving == k.s.Saving()}
		if e.p, err = b.principal(ctx); err != nil {
			return err
		}
		e.budgets = b.budgets
	}
	return nil
}

func (n *Named) keep(who names3, e *named, epoch uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.epoch != epoch {
		return
	}
	remember(n.known, who, e)
}

// remember keeps a value, in the place of any other if there are many.
func remember[K comparable, V any](m map[K]V, key K, v V) {
	if _, there := m[key]; !there && len(m) >= maxNamed {
		for k := range m {
			delete(m, k)
			break
		}
	}
	m[key] = v
}

// viewOf reads the rows that a key of them would hang on.
func viewOf(ctx context.Context, s store.Store, who names3) (*store.KeyView, error) {
	v := &store.KeyView{}
	v.TeamID, v.UserID, v.OrganizationID = store.Text(who.team), store.Text(who.user), store.Text(who.org)
	r := rows{ctx: ctx, s: s}
	v.Team = row(&r, s.Teams(), who.team)
	v.User = row(&r, s.Users(), who.user)
	if v.OrganizationID == "" && v.Team != nil {
		v.OrganizationID = v.Team.OrganizationID
	}
	v.Organization = row(&r, s.Organizations(), string(v.OrganizationID))
	if v.Team != nil && v.Team.ModelID != nil {
		v.TeamModel = get(&r, s.TeamModels(), *v.Team.ModelID)
	}
	if v.Team != nil && v.User != nil {
		if v.Member = get(&r, s.TeamMemberships(), store.Membership{UserID: who.user, Group: who.team}); v.Member != nil {
			v.MemberBudget = row(&r, s.Budgets(), string(v.Member.BudgetID))
		}
	}
	if v.Organization != nil {
		v.OrganizationBudget = row(&r, s.Budgets(), v.Organization.BudgetID)
	}
	if v.Organization != nil && v.User != nil {
		at := store.Membership{UserID: who.user, Group: v.Organization.OrganizationID}
		if v.OrgMember = get(&r, s.OrganizationMemberships(), at); v.OrgMember != nil {
			v.OrgMemberBudget = row(&r, s.Budgets(), string(v.OrgMember.BudgetID))
		}
	}
	return v, r.err
}

// rows reads rows until one cannot be read.
type rows struct {
	ctx context.Context
	s   store.Store
	err error
}

func row[T any](r *rows, t store.Table[T, string], id string) *T {
	if id == "" {
		return nil
	}
	return get(r, t, id)
}

func get[T any, K any](r *rows, t store.Table[T, K], id K) *T {
	if r.err != nil {
		return nil
	}
	v, err := t.Get(r.ctx, id)
	switch {
	case err == nil:
		return v
	case !errors.Is(err, store.ErrNotFound):
		r.err = err
	}
	return nil
}

// join adds what the store has for those whom a principal names.
func join(p, known *llm.Principal) {
	p.Scopes = append(slices.Clip(p.Scopes), known.Scopes...)
	p.ModelScopes = append(slices.Clip(p.ModelScopes), known.ModelScopes...)
	p.TeamBlocked = p.TeamBlocked || known.TeamBlocked
	p.UserModels, p.OrgModels, p.UserMetadata = known.UserModels, known.OrgModels, known.UserMetadata
	if len(known.TeamModels) > 0 {
		p.TeamModels, p.MemberModels = known.TeamModels, p.TeamModels // both lists count
	}
	for _, f := range []struct{ to, from *string }{
		{&p.Email, &known.Email}, {&p.TeamName, &known.TeamName}, {&p.OrgID, &known.OrgID}, {&p.OrgName, &known.OrgName},
	} {
		if *f.to == "" {
			*f.to = *f.from
		}
	}
	p.Tags = append(slices.Clip(p.Tags), known.Tags...)
	if p.Routing == nil {
		p.Routing = known.Routing
	}
	p.TeamMetadata = joinMetadata(p.TeamMetadata, known.TeamMetadata)
	if len(known.Aliases) > 0 {
		all := maps.Clone(known.Aliases)
		maps.Copy(all, p.Aliases)
		p.Aliases = all
	}
}

// joinMetadata joins the metadata of a team: what the authenticator says counts more, but guardrails add up.
func joinMetadata(said, known map[string]any) map[string]any {
	if len(said) == 0 || len(known) == 0 {
		if len(said) == 0 {
			return known
		}
		return said
	}
	all := maps.Clone(known)
	maps.Copy(all, said)
	if list := append(texts(known["guardrails"]), texts(said["guardrails"])...); len(list) > 0 {
		all["guardrails"] = list
	}
	return all
}

// fromMetadata takes what metadata says, as that of a key and its team does.
func fromMetadata(p *llm.Principal) {
	p.Allowances = slices.Clip(p.Allowances)
	for _, m := range []struct {
		kind llm.ScopeKind
		meta map[string]any
	}{{llm.ScopeModelPerKey, p.Metadata}, {llm.ScopeModelPerTeam, p.TeamMetadata}} {
		if len(m.meta) == 0 || m.kind == llm.ScopeModelPerTeam && p.TeamID == "" {
			continue
		}
		p.Tags = append(slices.Clip(p.Tags), texts(m.meta["tags"])...)
		for model, n := range numbers(m.meta["model_rpm_limit"]) {
			p.Allowances = allow(p.Allowances, m.kind, model, llm.Limits{RPM: count(&n)})
		}
		for model, n := range numbers(m.meta["model_tpm_limit"]) {
			p.Allowances = allow(p.Allowances, m.kind, model, llm.Limits{TPM: count(&n)})
		}
	}
	p.EnforcedParams = append(slices.Clip(p.EnforcedParams), texts(p.Metadata["enforced_params"])...)
	p.ServiceAccount = p.ServiceAccount || p.Metadata["service_account_id"] != nil
	for i := range p.Allowances {
		if a := &p.Allowances[i]; a.Kind == llm.ScopeKey && a.Budget.Limited {
			c := caps{budget: a.Budget}
			c.temporary(p.Metadata)
			p.Allowances = slices.Clone(p.Allowances)
			p.Allowances[i].Budget = c.budget
			break
		}
	}
}

// allow adds an allowance, or tightens the one that is there. The list is the caller's to change.
func allow(list []llm.Allowance, kind llm.ScopeKind, model string, l llm.Limits) []llm.Allowance {
	for i := range list {
		if a := list[i]; a.Kind == kind && a.Model == model {
			list = slices.Clone(list)
			list[i].Limits = a.Limits.Tighten(l)
			return list
		}
	}
	return append(list, llm.Allowance{Kind: kind, Model: model, Limits: l})
}

// Changed drops what is remembered of rows that changed.
func (n *Named) Changed(changes []store.Change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.epoch++
	for _, c := range changes {
		maps.DeleteFunc(n.known, func(who names3, e *named) bool { return touches(c, who, e) })
		if c.Kind == store.KindAccessGroup || c.Kind == store.KindEverything {
			clear(n.groups)
		}
	}
}

func touches(c store.Change, who names3, e *named) bool {
	switch c.Kind {
	case store.KindTeam:
		return who.team == c.ID
	case store.KindUser:
		return who.user == c.ID
	case store.KindTeamMember:
		return store.MemberID(who.team, who.user) == c.ID
	case store.KindOrganization:
		return who.org == c.ID || e.p != nil && e.p.OrgID == c.ID
	case store.KindOrgMember:
		return store.MemberID(who.org, who.user) == c.ID || e.p != nil && store.MemberID(e.p.OrgID, who.user) == c.ID
	case store.KindBudget:
		return slices.Contains(e.budgets, c.ID)
	case store.KindTeamModel, store.KindAccessGroup, store.KindObjectPermission, store.KindEverything:
		return true
	}
	return false
}
