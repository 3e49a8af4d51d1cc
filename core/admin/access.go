package admin

import (
	"net/http"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// roles is a set of roles that may call a route. An administrator may call every route.
type roles uint8

const (
	viewer         roles = 1 << iota // proxy_admin_viewer: sees everything, changes nothing
	orgAdmin                         // administrator of an organization
	internal                         // internal_user
	internalViewer                   // internal_user_viewer
	keyOnly                          // a key that belongs to no user, such as a team's

	adminOnly roles = 0
	readers         = viewer | orgAdmin | internal | internalViewer | keyOnly // what a caller sees is his own
	users           = orgAdmin | internal
	everybody       = readers
)

// role is the set that holds the caller's role only; it is empty for an administrator.
func (c *call) role() (r roles, admin bool) {
	if c.who == nil {
		return 0, false
	}
	switch c.who.Role {
	case llm.RoleProxyAdmin:
		return 0, true
	case llm.RoleProxyAdminViewer:
		return viewer, false
	case llm.RoleInternalUser:
		return internal, false
	case llm.RoleInternalViewer:
		return internalViewer, false
	}
	return keyOnly, false
}

// admin reports whether the caller may do everything.
func (c *call) admin() bool {
	_, ok := c.role()
	return ok
}

// sees reports whether the caller may see everything.
func (c *call) sees() bool {
	r, ok := c.role()
	return ok || r == viewer || c.seesSpend()
}

// seesSpend reports whether the route is one of the reports that a permission of the caller's key opens, whatever its
// role: global_spend_tracking_routes in litellm/proxy/_types.py.
func (c *call) seesSpend() bool {
	if yes, _ := c.who.Permits(llm.SpendPermission); !yes {
		return false
	}
	switch c.route.path {
	case "/global/spend", "/global/spend/logs", "/global/spend/keys", "/global/spend/teams", "/global/spend/end_users",
		"/global/spend/models", "/global/spend/report", "/global/spend/provider", "/global/spend/tags":
		return true
	}
	return false
}

// admitted refuses a caller whose role may not call the route. The texts are those of the reference
// (litellm/proxy/auth/route_checks.py, non_proxy_admin_allowed_routes_check).
func (c *call) admitted() error {
	r, ok := c.role()
	if ok || c.route.who&r != 0 || c.seesSpend() {
		return nil
	}
	if c.route.who&orgAdmin != 0 {
		leads, err := c.leadsOrganization()
		if leads || err != nil {
			return err
		}
	}
	if r == viewer {
		return forbidden("user not allowed to access this route, role= proxy_admin_viewer. Trying to access: " + c.r.URL.Path)
	}
	role, user := "None", "None"
	if c.who != nil {
		if c.who.Role != "" {
			role = string(c.who.Role)
		}
		if c.who.UserID != "" {
			user = c.who.UserID
		}
	}
	return &llm.Error{
		Op: "admin.admitted", Kind: llm.KindAuth, Status: http.StatusUnauthorized, Type: "auth_error", Param: "None", Code: "401",
		Message: "Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys/users/teams. " +
			"Route=" + c.r.URL.Path + ". Your role=" + role + ". Your user_id=" + user,
	}
}
