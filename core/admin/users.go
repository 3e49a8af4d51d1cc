package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// userRoutes are the routes of litellm/proxy/management_endpoints/internal_user_endpoints.py.
func (a *API) userRoutes() []route {
	return []route{
		{"POST", "/user/new", orgAdmin, a.newUser},
		{"GET", "/user/info", everybody, a.userInfo},
		{"POST", "/user/update", users | internalViewer, a.updateUser},
		{"POST", "/user/bulk_update", adminOnly, a.updateUsers},
		{"POST", "/user/delete", orgAdmin, a.deleteUsers},
		{"GET", "/user/list", viewer | orgAdmin, a.listUsers},
		{"GET", "/user/filter/ui", everybody, a.filterUsers},
		{"GET", "/user/available_roles", everybody, a.availableRoles},
		{"GET", "/user/available_users", viewer, a.availableUsers},
	}
}

// userParams are the members of a request for a new or changed user (NewUserRequest and UpdateUserRequest in
// litellm/proxy/_types.py). Those for a key are read when one is made along.
type userParams struct {
	limits
	UserID               *string         `json:"user_id"`
	UserEmail            *string         `json:"user_email"`
	UserAlias            *string         `json:"user_alias"`
	UserRole             *string         `json:"user_role"`
	Teams                json.RawMessage `json:"teams"`
	Organizations        *[]string       `json:"organizations"`
	AutoCreateKey        *bool           `json:"auto_create_key"`
	TeamID               *string         `json:"team_id"`
	SSOUserID            *string         `json:"sso_user_id"`
	Password             *string         `json:"password"`
	Spend                *float64        `json:"spend"`
	Models               *[]string       `json:"models"`
	Metadata             map[string]any  `json:"metadata"`
	AllowedCacheControls *[]string       `json:"allowed_cache_controls"`
	Policies             *[]string       `json:"policies"`

	ObjectPermission *store.ObjectPermission `json:"object_permission"`
}

// userRoles are the roles that a user may be given.
func userRoles() map[llm.Role]string {
	return map[llm.Role]string{
		llm.RoleProxyAdmin:       "Admin: may do everything",
		llm.RoleProxyAdminViewer: "Admin viewer: sees all keys, users and spend, changes nothing",
		llm.RoleInternalUser:     "Internal user: makes, sees and deletes keys of his own, sees his own spend",
		llm.RoleInternalViewer:   "Internal viewer: sees keys and spend of his own",
	}
}

func (p *userParams) check(c *call) error {
	if err := c.noInvitation(); err != nil {
		return err
	}
	if err := p.limits.check(); err != nil {
		return err
	}
	if role := value(p.UserRole); role != "" {
		if _, ok := userRoles()[llm.Role(role)]; !ok {
			return unprocessable{[]detail{{
				Loc: []any{"body", "user_role"}, Type: "literal_error",
				Msg: "Input should be 'proxy_admin', 'proxy_admin_viewer', 'internal_user' or 'internal_user_viewer'",
			}}}
		}
	}
	if mail := value(p.UserEmail); mail != "" && !strings.Contains(mail, "@") {
		return badRequest("user_email", "user_email is not an e-mail address.")
	}
	return c.checkMetadata()
}

// apply writes what the request gave into a user, besides teams.
func (p *userParams) apply(c *call, u *store.User) (err error) {
	set := func(name string, do func()) {
		if c.given(name) {
			do()
		}
	}
	set("user_email", func() { u.UserEmail = text(p.UserEmail) })
	set("user_alias", func() { u.UserAlias = text(p.UserAlias) })
	set("user_role", func() { u.UserRole = text(p.UserRole) })
	set("sso_user_id", func() { u.SSOUserID = text(p.SSOUserID) })
	set("spend", func() { u.Spend = value(p.Spend) })
	set("models", func() { u.Models = list(p.Models) })
	set("max_budget", func() { u.MaxBudget = p.MaxBudget })
	set("tpm_limit", func() { u.TPMLimit = p.TPMLimit })
	set("rpm_limit", func() { u.RPMLimit = p.RPMLimit })
	set("max_parallel_requests", func() { u.MaxParallelRequests = p.MaxParallelRequests })
	set("model_max_budget", func() { u.ModelMaxBudget = object(p.ModelMaxBudget) })
	set("allowed_cache_controls", func() { u.AllowedCacheControls = list(p.AllowedCacheControls) })
	set("policies", func() { u.Policies = list(p.Policies) })
	if pw := value(p.Password); pw != "" {
		u.Password = passwordOf(pw)
	}
	if c.given("budget_duration") {
		u.BudgetDuration, u.BudgetResetAt = text(p.BudgetDuration), nil
		if at, err := store.NextReset(string(u.BudgetDuration), c.a.Now(), c.a.zone()); err == nil {
			u.BudgetResetAt = store.Ptr(at)
		}
	}
	u.Metadata, err = c.metadata(u.Metadata, p.Metadata)
	return err
}

// defaultUser fills in what default_internal_user_params and max_internal_user_budget say of people for whom nothing
// else was said.
func (a *API) defaultUser(u *store.User) error {
	raw, err := json.Marshal(a.Policy.UserDefaults)
	if err != nil {
		return err
	}
	var d userParams
	if err := json.Unmarshal(raw, &d); err != nil {
		return fmt.Errorf("admin: default_internal_user_params: %w", err)
	}
	if u.UserRole == "" {
		u.UserRole = text(d.UserRole)
	}
	if u.Models == nil {
		u.Models = list(d.Models)
	}
	if u.MaxBudget == nil {
		u.MaxBudget = d.MaxBudget
		if u.BudgetDuration == "" {
			u.BudgetDuration = text(d.BudgetDuration)
		}
	}
	if u.MaxBudget == nil && a.Policy.UserBudget != nil && u.UserRole != store.Text(llm.RoleProxyAdmin) {
		u.MaxBudget = a.Policy.UserBudget
		if u.BudgetDuration == "" {
			u.BudgetDuration = store.Text(a.Policy.UserBudgetTerm)
		}
	}
	if u.TPMLimit == nil {
		u.TPMLimit = d.TPMLimit
	}
	if u.RPMLimit == nil {
		u.RPMLimit = d.RPMLimit
	}
	if u.BudgetResetAt == nil {
		if at, err := store.NextReset(string(u.BudgetDuration), a.Now(), a.zone()); err == nil {
			u.BudgetResetAt = store.Ptr(at)
		}
	}
	return nil
}

// teamWish is an entry of teams in a request: a team's id, or an object with more.
type teamWish struct {
	TeamID string   `json:"team_id"`
	Budget *float64 `json:"max_budget_in_team"`
	Role   string   `json:"user_role"`
}

func wishes(raw json.RawMessage) ([]teamWish, error) {
	if isNull(raw) {
		return nil, nil
	}
	var ids []string
	if json.Unmarshal(raw, &ids) == nil {
		out := make([]teamWish, 0, len(ids))
		for _, id := range ids {
			out = append(out, teamWish{TeamID: id})
		}
		return out, nil
	}
	var out []teamWish
	if err := store.DecodeExact(raw, &out); err != nil {
		return nil, unprocessable{[]detail{{Loc: []any{"body", "teams"}, Msg: "Input should be a list of team ids or of objects with team_id", Type: "list_type"}}}
	}
	return out, nil
}

func (a *API) newUser(c *call) (any, error) {
	var p userParams
	if err := c.body(&p); err != nil {
		return nil, err
	}
	if err := p.check(c); err != nil {
		return nil, err
	}
	teams, err := a.wishesFor(c, &p)
	if err != nil {
		return nil, err
	}
	if err := a.mayMakeUser(c, &p); err != nil {
		return nil, err
	}
	wish := store.User{UserID: value(p.UserID)}
	if err := p.apply(c, &wish); err != nil {
		return nil, err
	}
	if err := a.defaultUser(&wish); err != nil {
		return nil, err
	}
	var row *store.Key
	var out map[string]any
	err = a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		u := wish
		row = nil
		if err := a.createUser(c, tx, &p, &u, teams); err != nil {
			return err
		}
		var key string
		var k *keyParams
		if p.AutoCreateKey == nil || *p.AutoCreateKey {
			var sub *call
			if sub, k, err = c.firstKey(&u); err != nil {
				return err
			}
			if key, row, err = a.insertKey(sub, tx, k, nil, false); err != nil {
				return err
			}
		}
		out, err = a.newUserView(c, tx, &u, key, row, k)
		return err
	})
	if err != nil {
		return nil, err
	}
	if row != nil {
		a.forget(row.Token)
	}
	return out, nil
}

// wishesFor are the teams that a new user is to join: those that the request names, or those of
// default_internal_user_params. Who is no administrator may name teams that he administers.
func (a *API) wishesFor(c *call, p *userParams) ([]teamWish, error) {
	teams, err := wishes(p.Teams)
	if err != nil {
		return nil, err
	}
	if id := value(p.TeamID); id != "" {
		teams = append(teams, teamWish{TeamID: id})
	}
	if len(teams) == 0 && isNull(p.Teams) {
		return a.defaultTeams()
	}
	for _, w := range teams {
		if _, err := a.findTeam(c, w.TeamID, true); err != nil && !c.admin() {
			return nil, err
		}
	}
	return teams, nil
}

// defaultTeams are the teams that everybody joins (default_internal_user_params.teams).
func (a *API) defaultTeams() ([]teamWish, error) {
	list, ok := a.Policy.UserDefaults["teams"]
	if !ok || list == nil {
		return nil, nil
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	return wishes(raw)
}

// mayMakeUser lets administrators of organizations make people for these, and nobody but administrators others.
func (a *API) mayMakeUser(c *call, p *userParams) error {
	if c.admin() {
		return nil
	}
	if role := value(p.UserRole); role == string(llm.RoleProxyAdmin) || role == string(llm.RoleProxyAdminViewer) {
		return forbidden("Only proxy admins may make users with the role " + role + ".")
	}
	orgs := value(p.Organizations)
	if len(orgs) == 0 {
		return forbidden("Organization admins may make users of their organizations only. Please specify `organizations`.")
	}
	for _, org := range orgs {
		lead, err := c.leadsOrg(org)
		if err != nil {
			return err
		}
		if !lead {
			return forbidden("You are not an admin of organization " + org + ".")
		}
	}
	return nil
}

func (a *API) createUser(c *call, tx store.Store, p *userParams, u *store.User, teams []teamWish) error {
	if u.UserEmail != "" {
		n, err := tx.Users().Count(c.ctx(), store.Where("user_email", store.EqualFold, string(u.UserEmail)))
		if err != nil {
			return err
		}
		if n > 0 {
			return problem(http.StatusConflict, "bad_request_error", "user_email", "User with email "+string(u.UserEmail)+" already exists")
		}
	}
	u.ObjectPermissionID = ""
	if err := putPermission(c, tx, p.ObjectPermission, &u.ObjectPermissionID); err != nil {
		return err
	}
	if err := tx.Users().Create(c.ctx(), u); err != nil {
		if errors.Is(err, store.ErrConflict) {
			return problem(http.StatusConflict, "bad_request_error", "user_id", "User with id "+u.UserID+" or its sso_user_id already exists")
		}
		return reference400(err)
	}
	for _, org := range value(p.Organizations) {
		m := store.OrganizationMembership{UserID: u.UserID, OrganizationID: org, UserRole: "internal_user"}
		if err := tx.OrganizationMemberships().Create(c.ctx(), &m); err != nil {
			return reference400(err)
		}
	}
	for _, w := range teams {
		if err := a.joinAs(c, tx, u, w); err != nil {
			return err
		}
	}
	if len(teams) > 0 {
		fresh, err := tx.Users().Get(c.ctx(), u.UserID)
		if err != nil {
			return err
		}
		*u = *fresh
	}
	return c.audit(tx, "created", "LiteLLM_UserTable", u.UserID, nil, u)
}

// joinAs puts a user into a team that must exist.
func (a *API) joinAs(c *call, tx store.Store, u *store.User, w teamWish) error {
	t, err := tx.Teams().Update(c.ctx(), w.TeamID, func(*store.Team) error { return nil }) // locks the row
	if errors.Is(err, store.ErrNotFound) {
		return badRequest("teams", "Team not found, passed team id: "+w.TeamID+".")
	}
	if err != nil {
		return err
	}
	m := member{Role: w.Role, UserID: store.Text(u.UserID), UserEmail: u.UserEmail}
	if err := m.check(); err != nil {
		return err
	}
	role, err := roleIn(t, u.UserID)
	if err != nil || role != "" {
		return err
	}
	return a.enrol(c, tx, t, []newMember{{m, w.Budget}})
}

func (a *API) findUser(c *call, id string) (*store.User, error) {
	u, err := a.Store.Users().Get(c.ctx(), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("user_id", "User "+id+" not found")
	}
	return u, err
}

// sharesOrg reports whether the caller administers an organization of the user's.
func (a *API) sharesOrg(c *call, user string) (bool, error) {
	theirs, err := a.Store.OrganizationMemberships().Find(c.ctx(), store.Query{Where: []store.Cond{store.Eq("user_id", user)}})
	if err != nil {
		return false, err
	}
	for _, m := range theirs {
		if lead, err := c.leadsOrg(m.OrganizationID); lead || err != nil {
			return lead, err
		}
	}
	return false, nil
}
