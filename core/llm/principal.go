package llm

// Role is what a principal may do in the gateway's management API. The values are those of the reference system.
type Role string

// The roles.
const (
	RoleProxyAdmin       Role = "proxy_admin"
	RoleProxyAdminViewer Role = "proxy_admin_viewer"
	RoleInternalUser     Role = "internal_user"
	RoleInternalViewer   Role = "internal_user_viewer"
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
	EndUser  string
	Role     Role
	Models   []string // model groups the principal may use; empty is all
	Metadata map[string]any

	TeamMetadata map[string]any // metadata of the team; what the key's own says counts more
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
