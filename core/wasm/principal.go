package wasm

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// readPrincipal reads who is let in. What the plugin says of limits is in Allowances; bind finds what those of the key
// count under.
func readPrincipal(in abi.Reader) (*llm.Principal, error) {
	r := principalReader{Reader: in, p: &llm.Principal{}}
	for r.err == nil && r.Next() {
		if !r.identity() && !r.access() {
			r.rest()
		}
	}
	if r.err == nil && r.Err != nil {
		r.err = broken("principal: %v", r.Err)
	}
	if r.err != nil {
		return nil, r.err
	}
	p := r.p
	if len(r.guardrails) > 0 {
		p.Metadata = with(p.Metadata, "guardrails", r.guardrails)
	}
	if err := checkRole(p.Role); err != nil {
		return nil, err
	}
	return p, r.named()
}

// principalReader reads the records of a principal. After an error its methods do nothing that matters.
type principalReader struct {
	abi.Reader
	p          *llm.Principal
	guardrails []any
	err        error
}

func (r *principalReader) fail(format string, a ...any) {
	if r.err == nil {
		r.err = broken("principal: "+format, a...)
	}
}

func (r *principalReader) text(name string, to *string) {
	if len(r.Value) > abi.MaxName {
		r.fail("%s is longer than %d bytes", name, abi.MaxName)
		return
	}
	if !isText(r.Value) {
		r.fail("%s is no UTF-8 text without zero bytes", name)
		return
	}
	*to = string(r.Value)
}

func (r *principalReader) item(name string, to *[]string) {
	var s string
	r.text(name, &s)
	if len(*to) == abi.MaxNames {
		r.fail("more than %d of %s", abi.MaxNames, name)
		return
	}
	*to = append(*to, s)
}

func (r *principalReader) object(name string, to *map[string]any) {
	m, err := abi.Map(r.Value)
	if err != nil {
		r.fail("%s: %v", name, err)
	}
	*to = m
}

func (r *principalReader) flag(name string, to *bool) {
	n := r.Number()
	if n > 1 {
		r.fail("%s is %d, it must be 0 or 1", name, n)
	}
	*to = n == 1
}

func (r *principalReader) count(name string, to *int64) {
	n := r.Number()
	switch {
	case n > abi.MaxCount:
		r.fail("%s is %d, it must be 0 to %d", name, int64(n), int64(abi.MaxCount))
	case n == 0:
		*to = llm.Nothing
	default:
		*to = int64(n)
	}
}

func (r *principalReader) money(name string, to *float64) {
	*to = math.Float64frombits(r.Number())
	if !(*to >= 0 && *to <= math.MaxFloat64) {
		r.fail("%s is %v, it must be a number that is not negative", name, *to)
	}
}

func (r *principalReader) time(name string, to *time.Time) {
	const latest = 253_402_300_800_000_000 // the year 10000
	n := r.Number()
	if n >= latest {
		r.fail("%s is %d, it must be in microseconds since 1970", name, int64(n))
	}
	*to = time.UnixMicro(int64(min(n, latest))).UTC()
}

// identity reads who it is.
func (r *principalReader) identity() bool {
	p, role := r.p, ""
	switch r.Tag {
	case abi.TagKeyAlias:
		r.text("key_alias", &p.KeyAlias)
	case abi.TagUserID:
		r.text("user_id", &p.UserID)
	case abi.TagUserEmail:
		r.text("user_email", &p.Email)
	case abi.TagTeamID:
		r.text("team_id", &p.TeamID)
	case abi.TagTeamAlias:
		r.text("team_alias", &p.TeamName)
	case abi.TagOrgID:
		r.text("org_id", &p.OrgID)
	case abi.TagOrgAlias:
		r.text("org_alias", &p.OrgName)
	case abi.TagEndUser:
		r.text("end_user", &p.EndUser)
	case abi.TagRole:
		r.text("role", &role)
		p.Role = llm.Role(role)
	case abi.TagMetadata:
		r.object("metadata", &p.Metadata)
	case abi.TagTeamMetadata:
		r.object("team_metadata", &p.TeamMetadata)
	default:
		return false
	}
	return true
}

// access reads what it may do.
func (r *principalReader) access() bool {
	p := r.p
	switch r.Tag {
	case abi.TagAllowedModel:
		r.item("allowed_model", &p.Models)
	case abi.TagTeamModel:
		r.item("team_model", &p.TeamModels)
	case abi.TagAllowedRoute:
		r.item("allowed_route", &p.AllowedRoutes)
	case abi.TagCacheControl:
		r.item("cache_control", &p.CacheControls)
	case abi.TagTag:
		r.item("tag", &p.Tags)
	case abi.TagGuardrail:
		r.item("guardrail", &p.Guardrails)
		if n := len(p.Guardrails); n > len(r.guardrails) {
			r.guardrails = append(r.guardrails, p.Guardrails[n-1])
		}
	case abi.TagExpires:
		r.time("expires", &p.Expires)
	case abi.TagBlocked:
		r.flag("blocked", &p.Blocked)
	case abi.TagTeamBlocked:
		r.flag("team_blocked", &p.TeamBlocked)
	case abi.TagRegion:
		r.text("region", &p.Region)
	case abi.TagAccessGroup:
		r.item("access_group", &p.AccessGroups)
	case abi.TagPermissions:
		r.object("permissions", &p.Permissions)
	default:
		return false
	}
	return true
}

func (r *principalReader) rest() {
	switch r.Tag {
	case abi.TagAlias:
		r.alias()
	case abi.TagCounter:
		r.text("counter", &r.p.CountAs)
	case abi.TagRouterSettings:
		r.routing()
	case abi.TagLimit:
		if len(r.p.Allowances) == abi.MaxLimits {
			r.fail("more than %d limits", abi.MaxLimits)
			return
		}
		r.limit()
	default:
		r.Unknown()
	}
}

// routing reads router settings. What has no effect would be a mistake that nobody sees, so it is one.
func (r *principalReader) routing() {
	var m map[string]any
	r.object("router_settings", &m)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if err := llm.CheckRouting(name, m[name]); err != nil {
			r.fail("router_settings: %v", err)
			return
		}
	}
	r.p.Routing = llm.ReadRouting(m)
}

func (r *principalReader) alias() {
	in := principalReader{Reader: r.Inside()}
	var from, to string
	for in.Next() {
		switch in.Tag {
		case abi.TagKey:
			in.text("alias", &from)
		case abi.TagText:
			in.text("alias", &to)
		default:
			in.Unknown()
		}
	}
	switch {
	case in.err != nil:
		r.err = in.err
	case in.Err != nil || from == "" || to == "":
		r.fail("an alias needs a name and a model that it stands for")
	case len(r.p.Aliases) == abi.MaxNames:
		r.fail("more than %d of alias", abi.MaxNames)
	default:
		if r.p.Aliases == nil {
			r.p.Aliases = map[string]string{}
		}
		r.p.Aliases[from] = to
	}
}

// limit reads one limit.
func (r *principalReader) limit() {
	in := principalReader{Reader: r.Inside()}
	var a llm.Allowance
	of := ""
	for in.err == nil && in.Next() {
		switch in.Tag {
		case abi.TagLimitOf:
			in.text("limit_of", &of)
		case abi.TagModel:
			in.text("model", &a.Model)
		case abi.TagTPMLimit:
			in.count("tpm_limit", &a.TPM)
		case abi.TagRPMLimit:
			in.count("rpm_limit", &a.RPM)
		case abi.TagMaxParallel:
			in.count("max_parallel", &a.Parallel)
		default:
			in.budget(&a.Budget)
		}
	}
	if in.Err != nil {
		in.fail("limit: %v", in.Err)
	}
	if a.Kind = limitKind(of, a.Model != ""); a.Kind == llm.ScopeProxy {
		in.fail("limit_of %q%s is not known", clean([]byte(of)), forModel(a.Model))
	}
	same := func(o llm.Allowance) bool { return o.Kind == a.Kind && o.Model == a.Model }
	if in.err == nil && slices.ContainsFunc(r.p.Allowances, same) {
		in.fail("two limits of the %s%s", of, forModel(a.Model))
	}
	r.p.Allowances = append(r.p.Allowances, a)
	if in.err != nil {
		r.err = in.err
	}
}

func forModel(model string) string {
	if model == "" {
		return ""
	}
	return " for the model " + clean([]byte(model))
}

func (r *principalReader) budget(b *llm.Budget) {
	switch r.Tag {
	case abi.TagMaxBudget:
		r.money("max_budget", &b.Max)
		b.Limited = true
	case abi.TagSoftBudget:
		r.money("soft_budget", &b.Soft)
	case abi.TagSpend:
		r.money("spend", &b.Before)
	case abi.TagResetAt:
		r.time("reset_at", &b.ResetAt)
	case abi.TagBudgetDuration:
		r.text("budget_duration", &b.Duration)
		if p, err := store.ParsePeriod(b.Duration); err != nil || p.N == 0 {
			r.fail("budget_duration %q is no duration, such as 30d", clean([]byte(b.Duration)))
		}
	default:
		r.Unknown()
	}
}

// limitKind is what a limit applies to; llm.ScopeProxy if the word is not known.
func limitKind(of string, model bool) llm.ScopeKind {
	switch {
	case model && of == abi.LimitOfKey:
		return llm.ScopeModelPerKey
	case model && of == abi.LimitOfTeam:
		return llm.ScopeModelPerTeam
	case model && of == abi.LimitOfOrganization:
		return llm.ScopeModelPerOrg
	case model && of == abi.LimitOfEndUser:
		return llm.ScopeModelPerUser
	case model:
		return llm.ScopeProxy
	}
	switch of {
	case abi.LimitOfKey:
		return llm.ScopeKey
	case abi.LimitOfUser:
		return llm.ScopeUser
	case abi.LimitOfTeam:
		return llm.ScopeTeam
	case abi.LimitOfTeamMember:
		return llm.ScopeTeamMember
	case abi.LimitOfOrganization:
		return llm.ScopeOrganization
	case abi.LimitOfEndUser:
		return llm.ScopeEndUser
	}
	return llm.ScopeProxy
}

// named checks that whoever has limits has a name.
func (r *principalReader) named() error {
	p := r.p
	for i := range p.Allowances {
		missing := ""
		switch p.Allowances[i].Kind {
		case llm.ScopeUser:
			missing = absent(p.UserID, "user_id")
		case llm.ScopeTeam, llm.ScopeModelPerTeam:
			missing = absent(p.TeamID, "team_id")
		case llm.ScopeTeamMember:
			missing = absent(p.UserID, "user_id") + absent(p.TeamID, "team_id")
		case llm.ScopeOrganization, llm.ScopeModelPerOrg:
			missing = absent(p.OrgID, "org_id")
		default:
		}
		if missing != "" {
			return broken("principal: limits of the %s, and no %s", p.Allowances[i].Kind, missing)
		}
	}
	return nil
}

func absent(value, name string) string {
	if value == "" {
		return name
	}
	return ""
}

// bind says what the limits of the key itself are counted under: what the plugin said, or else the credential, the user
// or the alias. The result looks like the hash of a key, and is none that the plugin could know.
func bind(p *llm.Principal) error {
	own := func(a llm.Allowance) bool { return a.Kind == llm.ScopeKey || a.Kind == llm.ScopeModelPerKey }
	if p.CountAs == "" {
		p.CountAs = p.KeyHash
		if p.CountAs != "" {
			return nil
		}
		for _, f := range [][2]string{{"user_id", p.UserID}, {"key_alias", p.KeyAlias}} {
			if f[1] != "" {
				p.CountAs = counter(f[0], f[1])
				return nil
			}
		}
		if slices.ContainsFunc(p.Allowances, own) {
			return broken("principal: limits of the key, and nothing to count them under: there is no credential, counter, user_id or key_alias")
		}
		return nil
	}
	p.CountAs = counter("counter", p.CountAs)
	return nil
}

func counter(what, name string) string {
	sum := sha256.Sum256([]byte("sallyport auth plugin\x00" + what + "\x00" + name))
	return hex.EncodeToString(sum[:])
}

func with(m map[string]any, key string, list []any) map[string]any {
	if m == nil {
		m = map[string]any{}
	}
	if there, ok := m[key].([]any); ok {
		list = append(there, list...)
	}
	m[key] = list
	return m
}

func checkRole(r llm.Role) error {
	switch r {
	case "", llm.RoleProxyAdmin, llm.RoleProxyAdminViewer, llm.RoleInternalUser, llm.RoleInternalViewer, llm.RoleCustomer:
		return nil
	}
	return broken("unknown role %q of the principal", clean([]byte(r)))
}
