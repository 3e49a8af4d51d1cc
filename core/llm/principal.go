package llm

import "time"

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
	CacheControls  []string          // cache controls that requests may set; empty is all
	EnforcedParams []string          // body fields that requests must have
	Guardrails     []string          // that look at every request
	Tags           []string          // of every request
	Permissions    map[string]any
	Config         map[string]any
	RouterSettings map[string]any
	TeamRoles      map[string]string // role of the user in each team that was looked up
	ObjectAccess   *ObjectAccess     // nil allows everything
	Region         string            // where models must run for the end user; empty is anywhere

	// Scopes are what limits and budgets of every request apply to; ModelScopes those that are for one model.
	Scopes      []*Scope
	ModelScopes []*Scope

	Loaded time.Time // when the row behind it was read
}

// ObjectAccess lists what of the gateway's objects a principal may use. An empty list allows all of its kind.
type ObjectAccess struct {
	VectorStores    []string
	MCPServers      []string
	MCPAccessGroups []string
	Agents          []string
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

// May reports whether the principal may use the model group. An empty list, "*" and "all-proxy-models" allow all;
// an entry that ends in "/*" allows every model under that prefix.
func (p *Principal) May(model string) bool {
	if p == nil || len(p.Models) == 0 {
		return true
	}
	for _, m := range p.Models {
		if m == model || m == "*" || m == "all-proxy-models" {
			return true
		}
		if n := len(m); n > 2 && m[n-2:] == "/*" && len(model) >= n-1 && model[:n-1] == m[:n-1] {
			return true
		}
	}
	return false
}
