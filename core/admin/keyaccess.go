package admin

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// member is an entry of a team's members_with_roles.
type member struct {
	Role      string     `json:"role"`
	UserID    store.Text `json:"user_id"`
	UserEmail store.Text `json:"user_email"`
}

// membersOf reads the members of a team.
func membersOf(t *store.Team) ([]member, error) {
	if isNull(t.MembersWithRoles) || string(t.MembersWithRoles) == "{}" {
		return nil, nil
	}
	var out []member
	if err := store.DecodeExact(t.MembersWithRoles, &out); err != nil {
		return nil, fmt.Errorf("admin: members_with_roles of team %s: %w", t.TeamID, err)
	}
	return out, nil
}

// roleIn is the role of a user in a team, or "".
func roleIn(t *store.Team, user string) (string, error) {
	all, err := membersOf(t)
	if user == "" || err != nil {
		return "", err
	}
	for _, m := range all {
		if string(m.UserID) == user {
			return m.Role, nil
		}
	}
	return "", nil
}

// leads reports whether the caller administers the team, as its admin or through its organization.
func (c *call) leads(t *store.Team) (bool, error) {
	if c.admin() {
		return true, nil
	}
	role, err := roleIn(t, c.who.UserID)
	if role == "admin" || err != nil {
		return role == "admin", err
	}
	return c.leadsOrg(string(t.OrganizationID))
}

// leadsOrg reports whether the caller administers the organization.
func (c *call) leadsOrg(org string) (bool, error) {
	if org == "" || c.who.UserID == "" {
		return false, nil
	}
	m, err := c.a.Store.OrganizationMemberships().Get(c.ctx(), store.Membership{UserID: c.who.UserID, Group: org})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && m.UserRole == "org_admin", err
}

// leadsOrganization reports whether the caller administers any organization.
func (c *call) leadsOrganization() (bool, error) {
	if c.who == nil || c.who.UserID == "" {
		return false, nil
	}
	n, err := c.a.Store.OrganizationMemberships().Count(c.ctx(), store.Eq("user_id", c.who.UserID), store.Eq("user_role", "org_admin"))
	return n > 0, err
}

// mayInTeam reports whether the caller may call a route for the keys of a team: as its admin, or as a member if the team
// lets members do so (team_member_permissions).
func (c *call) mayInTeam(t *store.Team, path string) (bool, error) {
	if lead, err := c.leads(t); lead || err != nil {
		return lead, err
	}
	role, err := roleIn(t, c.who.UserID)
	return role != "" && slices.Contains(t.TeamMemberPermissions, path), err
}

// mayGenerate decides whether the caller may make the key that p describes, and returns the key's team.
func (a *API) mayGenerate(c *call, p *keyParams, service bool) (*store.Team, error) {
	team, err := a.keyTeam(c, p)
	if err != nil || c.admin() {
		return team, err
	}
	path := "/key/generate"
	if service {
		path = "/key/service-account/generate"
	}
	if team == nil {
		return nil, a.mayMakePersonal(c, p)
	}
	role, err := roleIn(team, c.who.UserID)
	if err != nil {
		return nil, err
	}
	lead, err := c.leads(team)
	if err != nil {
		return nil, err
	}
	if role == "" && !lead {
		return nil, badRequest("team_id", "User="+c.who.UserID+" not assigned to team="+team.TeamID)
	}
	if rule := a.Policy.TeamKeys; rule != nil {
		if len(rule.Roles) > 0 && !slices.Contains(rule.Roles, role) {
			return nil, badRequest("", fmt.Sprintf("Team member role %s not in allowed_team_member_roles=%v", role, rule.Roles))
		}
		if err := required(c, rule.Required); err != nil {
			return nil, err
		}
		return team, a.onlyForMember(p, team, lead, c)
	}
	may, err := c.mayInTeam(team, path)
	if err == nil && !may && !slices.Contains(team.TeamMemberPermissions, path) {
		// The reference lets members make keys for themselves unless the team says otherwise.
		may = len(team.TeamMemberPermissions) == 0 && !service
	}
	if err == nil && !may {
		err = &llm.Error{
			Op: "admin.mayGenerate", Kind: llm.KindAuth, Status: http.StatusUnauthorized, Type: "team_member_permission_error", Param: path,
			Message: "Team member does not have permissions for endpoint: " + path + ". You only have access to the following endpoints: " +
				strings.Join(team.TeamMemberPermissions, ", ") + " for team " + team.TeamID + ".",
		}
	}
	if err != nil {
		return nil, err
	}
	return team, a.onlyForMember(p, team, lead, c)
}

// onlyForMember lets members make keys for themselves and admins of the team for any member.
func (a *API) onlyForMember(p *keyParams, team *store.Team, lead bool, c *call) error {
	user := value(p.UserID)
	if user == "" || user == c.who.UserID {
		return nil
	}
	if !lead {
		return forbidden("User can only create keys for themselves. Got user_id=" + user + ", Your ID=" + c.who.UserID)
	}
	if role, err := roleIn(team, user); err != nil || role == "" {
		if err == nil {
			err = badRequest("user_id", "User="+user+" not assigned to team="+team.TeamID)
		}
		return err
	}
	return nil
}

func (a *API) mayMakePersonal(c *call, p *keyParams) error {
	if a.Policy.NeedTeam {
		return badRequest("team_id", "Keys without a team are disabled (default_team_disabled). Please specify `team_id` in the request body.")
	}
	if rule := a.Policy.PersonalKeys; rule != nil {
		if len(rule.Roles) > 0 && !slices.Contains(rule.Roles, string(c.who.Role)) {
			return badRequest("", fmt.Sprintf(
				"Personal key creation has been restricted by admin. Allowed roles=%v. Your role=%s", rule.Roles, c.who.Role))
		}
		if err := required(c, rule.Required); err != nil {
			return err
		}
	}
	if user := value(p.UserID); user != "" && user != c.who.UserID {
		return forbidden("User can only create keys for themselves. Got user_id=" + user + ", Your ID=" + c.who.UserID)
	}
	return nil
}

// required names what a rule wants and the request lacks.
func required(c *call, names []string) error {
	for _, n := range names {
		if raw, ok := c.sent[n]; !ok || isNull(raw) {
			return badRequest(n, "Required param "+n+" not in data")
		}
	}
	return nil
}

// keyTeam reads the team that a request names.
func (a *API) keyTeam(c *call, p *keyParams) (*store.Team, error) {
	id := value(p.TeamID)
	if id == "" {
		return nil, nil
	}
	team, err := a.Store.Teams().Get(c.ctx(), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noTeam(id)
	}
	return team, err
}

func noTeam(id string) error {
	return notFound("team_id", "Team doesn't exist in db. Team="+id+". Create team via `/team/new` call.")
}

// bounded compares a key with upperbound_key_generate_params. What a new key leaves out becomes the bound.
func (a *API) bounded(c *call, p *keyParams) error {
	for name, bound := range a.Policy.UpperBound {
		if c.update && !c.given(name) {
			continue // what is not given stays as it is
		}
		var err error
		switch name {
		case "max_budget":
			err = under(name, &p.MaxBudget, bound)
		case "tpm_limit":
			err = under(name, &p.TPMLimit, bound)
		case "rpm_limit":
			err = under(name, &p.RPMLimit, bound)
		case "max_parallel_requests":
			err = under(name, &p.MaxParallelRequests, bound)
		case "duration":
			err = underPeriod(name, &p.Duration, bound)
		case "budget_duration":
			err = underPeriod(name, &p.BudgetDuration, bound)
		}
		if err != nil {
			return err
		}
		if !c.given(name) {
			c.sent[name] = nil // from now on it counts as given
		}
	}
	return nil
}

func under[T int64 | float64](name string, have **T, bound any) error {
	v := reflect.ValueOf(bound)
	var most T
	switch {
	case v.CanInt():
		most = T(v.Int())
	case v.CanFloat():
		most = T(v.Float())
	default:
		return nil
	}
	if *have == nil {
		*have = &most
		return nil
	}
	if **have > most {
		return badRequest(name, fmt.Sprintf("%s is over max limit set in config - user_value=%v; max_value=%v", name, **have, most))
	}
	return nil
}

func underPeriod(name string, have **string, bound any) error {
	most, ok := bound.(string)
	if !ok {
		return nil
	}
	if *have == nil || **have == "" {
		*have = &most
		return nil
	}
	a, errA := store.ParsePeriod(**have)
	b, errB := store.ParsePeriod(most)
	if errA == nil && errB == nil && a.After(reference()).After(b.After(reference())) {
		return badRequest(name, fmt.Sprintf("%s is over max limit set in config - user_value=%s; max_value=%s", name, **have, most))
	}
	return nil
}

// reference is a time to compare periods from: months differ.
func reference() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }

// maySeeKey reports whether the caller may see a key: his own, the one he calls with, or one of a team he administers.
func (a *API) maySeeKey(c *call, row *store.Key) (bool, error) {
	if c.sees() || row.Token == c.who.KeyHash || c.who.UserID != "" && string(row.UserID) == c.who.UserID {
		return true, nil
	}
	if row.TeamID == "" {
		return c.leadsOrg(string(row.OrganizationID))
	}
	team, err := a.Store.Teams().Get(c.ctx(), string(row.TeamID))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return c.mayInTeam(team, "/key/info")
}

// mayChangeKey refuses callers who may see a key and not change it. A key of a team is changed by those whom the team
// lets, a personal key by its owner.
func (a *API) mayChangeKey(c *call, row *store.Key, path string) error {
	if c.admin() {
		return nil
	}
	no := forbidden("You are not authorized to call " + path + " for this key. Your role=" + string(c.who.Role) + ", your user_id=" + c.who.UserID)
	if row.TeamID == "" {
		if c.who.UserID != "" && string(row.UserID) == c.who.UserID {
			return nil
		}
		lead, err := c.leadsOrg(string(row.OrganizationID))
		if err == nil && !lead {
			err = no
		}
		return err
	}
	team, err := a.Store.Teams().Get(c.ctx(), string(row.TeamID))
	if errors.Is(err, store.ErrNotFound) {
		return no
	}
	if err != nil {
		return err
	}
	may, err := c.mayInTeam(team, path)
	if err == nil && !may {
		err = no
	}
	return err
}
