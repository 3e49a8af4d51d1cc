package virtualkey

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// building makes a principal of the rows behind a key.
type building struct {
	k       *Keys
	view    *store.KeyView
	steady  bool // the spend that was read is neither being written nor was it while it was read
	budgets []string
	p       *llm.Principal
	counted []*llm.Scope // whose spend is in counters
	fresh   []bool       // of counted
}

func (b *building) principal(ctx context.Context) (*llm.Principal, error) {
	v := b.view
	meta := object(v.Metadata)
	b.p = &llm.Principal{
		KeyHash: v.Token, KeyAlias: string(v.KeyAlias), KeyName: string(v.KeyName), UserID: string(v.UserID), TeamID: string(v.TeamID),
		OrgID: string(v.OrganizationID), Metadata: meta, Aliases: aliases(v), Models: b.expand(v.Models),
		AllowedRoutes: v.AllowedRoutes, PassRoutes: texts(meta["allowed_passthrough_routes"]),
		DeniedRoutes: texts(meta["denied_passthrough_routes"]), CacheControls: v.AllowedCacheControls,
		EnforcedParams: texts(meta["enforced_params"]), Guardrails: texts(meta["guardrails"]), Tags: texts(meta["tags"]),
		Permissions: object(v.Permissions), Routing: llm.ReadRouting(object(v.RouterSettings)), Loaded: b.k.s.Now(),
		Blocked: v.Blocked != nil && *v.Blocked, ServiceAccount: meta["service_account_id"] != nil,
	}
	if v.Expires != nil {
		b.p.Expires = *v.Expires
	}
	b.access(ctx)
	b.relatives()
	b.aliased()
	b.scopes(meta)
	return b.p, b.counters(ctx)
}

// roleOf is what a key's user lets it do in the management API. A key without a user, or with one that the database does
// not know, has no role: it calls models and looks at itself. Nor has a key of the administrator's id, which is that of
// every key made with the master key and no user: it goes to a program, and must not make it an administrator. The key
// of a login is another matter: it is known by its team, which does not exist, so that nobody can ask for such a key.
func roleOf(v *store.KeyView) llm.Role {
	u := v.User
	login := v.TeamID == llm.SessionTeam && v.Team == nil
	switch {
	case u.UserID == llm.AdminUserID && !login:
		return ""
	case u.UserRole == "":
		return llm.RoleInternalUser
	}
	return llm.Role(u.UserRole)
}

// relatives adds what user, team and organization say.
func (b *building) relatives() {
	v, p := b.view, b.p
	if u := v.User; u != nil {
		p.Email, p.UserMetadata, p.UserModels = string(u.UserEmail), object(u.Metadata), b.expand(u.Models)
		p.Role = roleOf(v)
	}
	if t := v.Team; t != nil {
		p.TeamName, p.TeamMetadata, p.TeamBlocked, p.TeamModels = string(t.TeamAlias), object(t.Metadata), t.Blocked, b.expand(t.Models)
		if len(p.PassRoutes) == 0 {
			p.PassRoutes = texts(p.TeamMetadata["allowed_passthrough_routes"])
		}
		p.DeniedRoutes = append(p.DeniedRoutes, texts(p.TeamMetadata["denied_passthrough_routes"])...)
		p.Tags = append(p.Tags, texts(p.TeamMetadata["tags"])...)
		p.Guardrails = append(p.Guardrails, texts(p.TeamMetadata["guardrails"])...)
		if p.Routing == nil {
			p.Routing = llm.ReadRouting(object(t.RouterSettings))
		}
	}
	if o := v.Organization; o != nil {
		p.OrgID, p.OrgName, p.OrgModels = o.OrganizationID, o.OrganizationAlias, b.expand(o.Models)
	}
}

// expand writes the models for the names of groups of models.
func (b *building) expand(models []string) []string {
	if len(models) == 0 || b.k.s.Expand == nil {
		return models
	}
	return b.k.s.Expand(models)
}

// access adds the models of the access groups that key and team belong to. They widen a list that there is.
func (b *building) access(ctx context.Context) {
	add := func(list []string, ids []string) []string {
		if len(list) == 0 || len(ids) == 0 {
			return list
		}
		models, err := groupModels(ctx, b.k.s.Store, ids)
		if err != nil {
			return list
		}
		return append(slices.Clip(list), models...)
	}
	b.p.Models = add(b.p.Models, b.view.AccessGroupIDs)
	if t := b.view.Team; t != nil {
		// The team's list is read by relatives; it is copied, as the row is not ours to change.
		t.Models = add(t.Models, t.AccessGroupIDs)
	}
}

// groupModels are the models of stored access groups. What is no id of one has none.
func groupModels(ctx context.Context, s store.Store, ids []string) ([]string, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !isUUID(id) })
	if len(ids) == 0 {
		return nil, nil
	}
	groups, err := s.AccessGroups().Find(ctx, store.Query{Where: []store.Cond{store.OneOf("access_group_id", ids)}})
	var models []string
	for _, g := range groups {
		models = append(models, g.AccessModelNames...)
	}
	return models, err
}

// isUUID reports whether a text has the form of a UUID; databases refuse to compare one with anything else.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return false
			}
		}
	}
	return true
}

// aliases are the models that the key writes for others, or else those of its team.
func aliases(v *store.KeyView) map[string]string {
	out := names(v.Aliases)
	if v.TeamModel != nil {
		for from, to := range names(v.TeamModel.ModelAliases) {
			if _, own := out[from]; !own {
				if out == nil {
					out = map[string]string{}
				}
				out[from] = to
			}
		}
	}
	return out
}

// aliased adds what aliases stand for to the lists that have the alias; a team's aliases are for all its keys.
func (b *building) aliased() {
	p := b.p
	for from, to := range names(b.view.Aliases) {
		if len(p.Models) > 0 && llm.Allows(p.Models, from) {
			p.Models = append(slices.Clip(p.Models), to)
		}
	}
	if b.view.TeamModel == nil {
		return
	}
	for _, to := range names(b.view.TeamModel.ModelAliases) {
		if len(p.Models) > 0 {
			p.Models = append(slices.Clip(p.Models), to)
		}
		if len(p.TeamModels) > 0 {
			p.TeamModels = append(slices.Clip(p.TeamModels), to)
		}
	}
}

// scopes lists what limits and budgets apply to, in the order in which they are asked: the key, its user, its team.
func (b *building) scopes(meta map[string]any) {
	if b.view.Token != "" {
		b.keyScope(meta)
	}
	b.relativeScopes(meta)
}

func (b *building) keyScope(meta map[string]any) {
	v := b.view
	key := merge(own{v.MaxBudget, nil, v.MaxParallelRequests, v.TPMLimit, v.RPMLimit, string(v.BudgetDuration), v.BudgetResetAt}, v.Budget)
	if soft := b.k.s.SoftBudget; soft != nil && key.budget.Soft == 0 {
		key.budget.Soft = *soft
	}
	key.temporary(meta)
	b.budget(string(v.BudgetID))
	b.add(llm.ScopeKey, v.Token, string(v.KeyAlias), key, v.Spend, meta)
}

func (b *building) relativeScopes(meta map[string]any) {
	v := b.view
	if t := v.Team; t != nil {
		o := own{t.MaxBudget, t.SoftBudget, t.MaxParallelRequests, t.TPMLimit, t.RPMLimit, string(t.BudgetDuration), t.BudgetResetAt}
		b.add(llm.ScopeTeam, t.TeamID, string(t.TeamAlias), merge(o, nil), t.Spend, b.p.TeamMetadata)
	}
	if m := v.Member; m != nil {
		b.budget(string(m.BudgetID))
		b.add(llm.ScopeTeamMember, store.MemberID(m.TeamID, m.UserID), "", merge(own{}, v.MemberBudget), m.Spend, nil)
	}
	if u := v.User; u != nil {
		o := own{u.MaxBudget, nil, u.MaxParallelRequests, u.TPMLimit, u.RPMLimit, string(u.BudgetDuration), u.BudgetResetAt}
		limits := merge(o, nil)
		if v.TeamID != "" {
			// A user's own budget is for keys of its own (common_checks in litellm/proxy/auth/auth_checks.py).
			limits.budget = llm.Budget{}
		}
		b.add(llm.ScopeUser, u.UserID, string(u.UserAlias), limits, u.Spend, nil)
	}
	if o := v.Organization; o != nil {
		b.budget(o.BudgetID)
		b.add(llm.ScopeOrganization, o.OrganizationID, o.OrganizationAlias, merge(own{}, v.OrganizationBudget), o.Spend, object(o.Metadata))
	}
	if m := v.OrgMember; m != nil {
		b.budget(string(m.BudgetID))
		b.add(llm.ScopeOrgMember, store.MemberID(m.OrganizationID, m.UserID), "", merge(own{}, v.OrgMemberBudget), m.Spend, nil)
	}
	b.modelScopes(meta)
}

func (b *building) budget(id string) {
	if id != "" {
		b.budgets = append(b.budgets, id)
	}
}

// add adds a scope. Its state is shared with every other principal that has it; what the database says was spent counts
// for one that is new, or if nobody writes spend at the moment.
func (b *building) add(kind llm.ScopeKind, id, alias string, c caps, spent float64, meta map[string]any) {
	state := id
	if kind == llm.ScopeKey {
		state = cmp.Or(b.view.Origin, id)
		b.k.s.Registry.Join(kind, id, state)
	}
	live, fresh := b.k.s.Registry.Get(kind, state)
	if fresh || b.steady {
		live.Load(spent)
	}
	s := &llm.Scope{Kind: kind, ID: id, Alias: alias, Limits: c.limits, Budget: c.budget, Live: live}
	s.Relaxed = relaxed(s, meta)
	b.p.Scopes = append(b.p.Scopes, s)
}

// relaxed is what takes the place of a scope whose limits are only enforced while the model fails.
func relaxed(s *llm.Scope, meta map[string]any) *llm.Scope {
	rpm, tpm := meta["rpm_limit_type"] == "dynamic" && s.RPM != 0, meta["tpm_limit_type"] == "dynamic" && s.TPM != 0
	if !rpm && !tpm {
		return nil
	}
	c := *s
	if rpm {
		c.RPM = 1 << 60
	}
	if tpm {
		c.TPM = 1 << 60
	}
	return &c
}

// modelScopes lists limits and budgets for single models.
func (b *building) modelScopes(meta map[string]any) {
	v := b.view
	// What a key used is counted under the first hash that it had, which origin is.
	limit := func(kind llm.ScopeKind, id, origin, alias string, meta map[string]any, budgets json.RawMessage) {
		list := map[string]*caps{}
		for model, n := range numbers(meta["model_rpm_limit"]) {
			at(list, model).limits.RPM = count(&n)
		}
		for model, n := range numbers(meta["model_tpm_limit"]) {
			at(list, model).limits.TPM = count(&n)
		}
		for model, m := range modelBudgets(budgets) {
			c := at(list, model)
			c.budget = m.budget
			if m.limits.RPM != 0 {
				c.limits.RPM = m.limits.RPM
			}
			if m.limits.TPM != 0 {
				c.limits.TPM = m.limits.TPM
			}
		}
		for model, c := range list {
			live, fresh := b.k.s.Registry.Get(kind, origin+":"+model)
			s := &llm.Scope{Kind: kind, ID: id + ":" + model, Alias: alias, Model: model, Limits: c.limits, Budget: c.budget, Live: live}
			b.p.ModelScopes = append(b.p.ModelScopes, s)
			if s.Budget.Limited {
				s.Counter = CounterName(kind, live.ID)
				b.counted, b.fresh = append(b.counted, s), append(b.fresh, fresh)
			}
		}
	}
	most := v.ModelMaxBudget
	if len(object(most)) == 0 && v.Budget != nil {
		most = v.Budget.ModelMaxBudget
	}
	limit(llm.ScopeModelPerKey, v.Token, cmp.Or(v.Origin, v.Token), string(v.KeyAlias), meta, most)
	if t := v.Team; t != nil {
		limit(llm.ScopeModelPerTeam, t.TeamID, t.TeamID, string(t.TeamAlias), b.p.TeamMetadata, t.ModelMaxBudget)
	}
	if o := v.Organization; o != nil {
		limit(llm.ScopeModelPerOrg, o.OrganizationID, o.OrganizationID, o.OrganizationAlias, object(o.Metadata), nil)
	}
}

func at(m map[string]*caps, key string) *caps {
	if m[key] == nil {
		m[key] = &caps{}
	}
	return m[key]
}

// counters reads what was spent of budgets that are kept in counters.
func (b *building) counters(ctx context.Context) error {
	return LoadCounters(ctx, b.k.s.Store, b.counted, b.fresh, b.steady)
}

// LoadCounters gives scopes that are llm.ScopeKind.Counted what the store says they spent: those that are fresh, or all
// if nobody writes spend at the moment.
func LoadCounters(ctx context.Context, s store.Store, scopes []*llm.Scope, fresh []bool, steady bool) error {
	byName := map[string]*llm.Live{}
	var list []string
	for i, sc := range scopes {
		if fresh[i] || steady {
			name := CounterName(sc.Kind, sc.Live.ID)
			byName[name] = sc.Live
			list = append(list, name)
		}
	}
	if len(list) == 0 {
		return nil
	}
	counters, err := s.Spend().Counters(ctx, list...)
	for _, c := range counters {
		byName[c.Name].LoadWindow(c.Window, c.Spend)
	}
	return err
}

// CounterName is the name of a counted scope's counter in the store.
func CounterName(kind llm.ScopeKind, id string) string { return kind.String() + ":" + id }

func object(raw json.RawMessage) map[string]any {
	var m map[string]any
	_ = json.Unmarshal(raw, &m)
	return m
}

func names(raw json.RawMessage) map[string]string {
	var out map[string]string
	for k, v := range object(raw) {
		if s, ok := v.(string); ok {
			if out == nil {
				out = map[string]string{}
			}
			out[k] = s
		}
	}
	return out
}

// texts reads a list of texts, or one that is written as a text with commas.
func texts(v any) []string {
	switch v := v.(type) {
	case []string:
		return v
	case []any:
		var out []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	case string:
		if v != "" {
			return strings.Split(v, ",")
		}
	}
	return nil
}

// numbers reads whole numbers by name.
func numbers(v any) map[string]int64 {
	m, _ := v.(map[string]any)
	out := make(map[string]int64, len(m))
	for k, n := range m {
		switch n := n.(type) {
		case float64:
			out[k] = int64(n)
		case int64: // from a plugin
			out[k] = n
		}
	}
	return out
}
