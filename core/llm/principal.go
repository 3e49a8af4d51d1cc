package llm

import (
	"strings"
	"time"
)

// Role is what a principal may do in the gateway's management API. The values are those of the reference system.
type Role string

// The roles.
const (
	RoleProxyAdmin       Role = "proxy_admin"
	RoleProxyAdminViewer Role = "proxy_admin_viewer"
	RoleOrgAdmin         Role = "org_admin"
	RoleInternalUser     Role = "internal_user"
	RoleInternalViewer   Role = "internal_user_viewer"
	RoleTeam             Role = "team"
	RoleCustomer         Role = "customer"
)

// AdminUserID is the user that the master key acts for (litellm_proxy_admin_name in litellm/proxy/proxy_server.py).
const AdminUserID = "default_user_id"

// SessionTeam is the team of the keys that logins make (UI_TEAM_ID in litellm/constants.py). There is no such team in
// the database.
const SessionTeam = "litellm-dashboard"

// Principal is who a request acts for, as an authenticator found out. It is immutable once returned and shared between
// requests.
type Principal struct {
	KeyHash  string // SHA-256 of the key in hex, or empty
	KeyAlias string
	UserID   string
	Email    string
	TeamID   string
	TeamName string
	OrgID    string
	OrgName  string
	EndUser  string
	Role     Role
	Models   []string // model groups the principal may use; empty is all
	Metadata map[string]any

	TeamMetadata map[string]any // metadata of the team; what the key's own says counts more
	UserMetadata map[string]any

	KeyName        string    // the key as people may see it: "sk-..." and its last four characters
	Expires        time.Time // zero is never
	Blocked        bool
	TeamBlocked    bool
	ServiceAccount bool              // the key belongs to a program, not to a person
	Aliases        map[string]string // model names that the key, or else its team, writes for others
	TeamModels     []string          // model groups the team may use; empty is all
	UserModels     []string          // model groups the user may use with keys of its own; empty is all
	OrgModels      []string          // model groups the organization may use; empty is all
	MemberModels   []string          // model groups the member of a team may use; empty is the team's
	AllowedRoutes  []string          // paths, or names of groups of paths; empty is all that the role may call
	PassRoutes     []string          // pass-through paths the key may call; empty is all
	DeniedRoutes   []string          // pass-through paths the key may not call, nor what is below them
	CacheControls  []string          // cache controls that requests may set; empty is all
	EnforcedParams []string          // body fields that requests must have
	Guardrails     []string          // that look at every request
	Tags           []string          // of every request
	AccessGroups   []string          // ids of stored groups whose models an authenticator adds to Models; not yet added
	Permissions    map[string]any    // what else the key may do, and guardrails that are on or off for it; see Permits
	Routing        *Routing          // how requests are routed that do not say so themselves; nil is as the gateway does
	TeamRoles      map[string]string // role of the user in each team that was looked up
	Region         string            // where models must run for the end user; empty is anywhere

	// Scopes are what limits and budgets of every request apply to; ModelScopes those that are for one model.
	Scopes      []*Scope
	ModelScopes []*Scope

	// Allowances are further limits and budgets, which have no scopes yet. CountAs is what those of the key itself are
	// counted under; never empty if there are such.
	Allowances []Allowance
	CountAs    string

	Loaded time.Time // when the row behind it was read
}

// SpendPermission lets a caller see what everybody spent, whatever its role ("get_spend_routes" in
// litellm/proxy/auth/route_checks.py).
const SpendPermission = "get_spend_routes"

// Permits says what the principal's permissions say of something: yes, no, or nothing at all.
func (p *Principal) Permits(what string) (yes, said bool) {
	if p == nil {
		return false, false
	}
	v, said := p.Permissions[what]
	yes, is := v.(bool)
	return yes, said && is
}

// Scope returns the principal's scope of a kind, or nil.
func (p *Principal) Scope(kind ScopeKind) *Scope {
	if p == nil {
		return nil
	}
	for _, s := range p.Scopes {
		if s.Kind == kind {
			return s
		}
	}
	return nil
}

// May reports whether the principal may use the model group: its own list and those of team, user and organization all
// have to allow it.
func (p *Principal) May(model string) bool {
	_, _, denied := p.Denies(model)
	return !denied
}

// Denies says whose list does not allow a model, if one does not: "key", "team", "user" or "org". The user's counts for
// keys without a team.
func (p *Principal) Denies(model string) (whose string, list []string, denied bool) {
	switch {
	case p == nil:
		return "", nil, false
	case !Allows(p.Models, model):
		return "key", p.Models, true
	case !Allows(p.TeamModels, model):
		return "team", p.TeamModels, true
	case !Allows(p.MemberModels, model):
		return "team", p.MemberModels, true
	case p.TeamID == "" && !Allows(p.UserModels, model):
		return "user", p.UserModels, true
	case !Allows(p.OrgModels, model):
		return "org", p.OrgModels, true
	}
	return "", nil, false
}

// Allows reports whether a list of models has the model. An empty list, "*", "all-proxy-models" and "all-team-models"
// have all; a star in an entry stands for any text.
func Allows(list []string, model string) bool {
	if len(list) == 0 {
		return true
	}
	for _, m := range list {
		if m == model {
			return true
		}
	}
	for _, m := range list {
		switch m {
		case "*", "all-proxy-models", "all-team-models":
			return true
		}
		if strings.IndexByte(m, '*') >= 0 && Match(m, model) {
			return true
		}
	}
	return false
}

// Match reports whether s has the form of a pattern in which a star stands for any text.
func Match(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(s, rest)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], next
	}
}
