package admin

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/sallyport-ai/sallyport/core/store"
)

// membershipViews are memberships with their budgets.
func (a *API) membershipViews(c *call, s store.Store, where ...store.Cond) ([]map[string]any, error) {
	all, err := s.TeamMemberships().Find(c.ctx(), store.Query{Where: where})
	if err != nil {
		return nil, err
	}
	return a.shipViews(c, s, all)
}

func (a *API) shipViews(c *call, s store.Store, all []store.TeamMembership) ([]map[string]any, error) {
	return budgeted(a, c, s, all, func(m *store.TeamMembership) string { return string(m.BudgetID) })
}

// budgeted are memberships with their budgets.
func budgeted[T any](a *API, c *call, s store.Store, all []T, budget func(*T) string) ([]map[string]any, error) {
	ids := make([]string, len(all))
	for i := range all {
		ids[i] = budget(&all[i])
	}
	r, err := a.relate(c, s, ids, nil)
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for i := range all {
		m, err := members(all[i])
		if err != nil {
			return nil, err
		}
		m["litellm_budget_table"] = nil
		if b, ok := r.budgets[ids[i]]; ok {
			m["litellm_budget_table"] = b
		}
		out = append(out, m)
	}
	return out, nil
}

// noOrganization stands for none in a list of teams (SpecialManagementEndpointEnums in litellm/proxy/_types.py).
const noOrganization = "default_organization"

// teamFilter is what the caller asks for among the teams that he may see.
func (a *API) teamFilter(c *call) ([]store.Cond, error) {
	var where []store.Cond
	for _, name := range []string{"organization_id", "team_id"} {
		switch v := c.query(name); {
		case name == "organization_id" && v == noOrganization:
			where = append(where, store.Where(name, store.IsNull))
		case v != "":
			where = append(where, store.Eq(name, v))
		}
	}
	if v := c.query("team_alias"); v != "" {
		where = append(where, store.Where("team_alias", store.Contains, v))
	}
	user := c.query("user_id")
	if !c.sees() {
		if org := c.query("organization_id"); org != "" && user == "" {
			if lead, err := c.leadsOrg(org); lead || err != nil {
				return where, err
			}
		}
		if user != "" && user != c.who.UserID {
			return nil, forbidden("Only proxy admins may list the teams of others. Got user_id=" + user + ", your user_id=" + c.who.UserID)
		}
		user = c.who.UserID
	}
	if user == "" {
		if !c.sees() {
			where = append(where, store.Eq("team_id", c.who.TeamID), store.Where("team_id", store.NotNull))
		}
		return where, nil
	}
	u, err := a.Store.Users().Get(c.ctx(), user)
	if errors.Is(err, store.ErrNotFound) {
		return append(where, store.OneOf[string]("team_id", nil)), nil
	}
	if err != nil {
		return nil, err
	}
	return append(where, store.OneOf("team_id", u.Teams)), nil
}

func (a *API) listTeams(c *call) (any, error) {
	where, err := a.teamFilter(c)
	if err != nil {
		return nil, err
	}
	teams, err := a.Store.Teams().Find(c.ctx(), store.Query{Where: where})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(teams, func(x, y store.Team) int { return cmp.Compare(x.TeamAlias, y.TeamAlias) })
	return a.wholeTeams(c, teams, c.query("user_id"))
}

// wholeTeams are teams with the keys and memberships that the caller may see: of one user, if one is named.
func (a *API) wholeTeams(c *call, teams []store.Team, user string) ([]map[string]any, error) {
	out := []map[string]any{}
	for i := range teams {
		t := &teams[i]
		view, err := a.teamView(c, a.Store, t)
		if err != nil {
			return nil, err
		}
		keys, err := a.Store.Keys().Find(c.ctx(), store.Query{Where: []store.Cond{store.Eq("team_id", t.TeamID)}})
		if err != nil {
			return nil, err
		}
		if lead, err := c.leads(t); err != nil {
			return nil, err
		} else if !lead && !c.sees() {
			keys = slices.DeleteFunc(keys, func(k store.Key) bool { return string(k.UserID) != c.who.UserID })
		}
		where := []store.Cond{store.Eq("team_id", t.TeamID)}
		if user != "" {
			where = append(where, store.Eq("user_id", user))
		}
		if view["team_memberships"], err = a.membershipViews(c, a.Store, where...); err != nil {
			return nil, err
		}
		if view["keys"], err = a.keyViews(c, a.Store, keys); err != nil {
			return nil, err
		}
		out = append(out, view)
	}
	return out, nil
}

func (a *API) pageTeams(c *call) (any, error) {
	page, err := c.page("page_size", 10, 100)
	if err != nil {
		return nil, err
	}
	where, err := a.teamFilter(c)
	if err != nil {
		return nil, err
	}
	gone, err := c.deleted()
	if err != nil {
		return nil, err
	}
	q := page.query(where, "created_at")
	if err := c.sorting(&q, []string{"team_id", "team_alias", "created_at", "updated_at", "spend", "max_budget"}, "asc"); err != nil {
		return nil, err
	}
	read := a.teamPage
	if gone {
		read = a.deletedTeamPage
	}
	views, total, err := read(c, q)
	return page.answer("teams", views, total), err
}

func (a *API) teamPage(c *call, q store.Query) ([]map[string]any, int64, error) {
	found, err := a.Store.Teams().Find(c.ctx(), q)
	if err != nil {
		return nil, 0, err
	}
	views := []map[string]any{}
	for i := range found {
		v, err := a.teamView(c, a.Store, &found[i])
		if err != nil {
			return nil, 0, err
		}
		views = append(views, v)
	}
	total, err := a.Store.Teams().Count(c.ctx(), q.Where...)
	return views, total, err
}

// deletedTeamPage is teamPage of teams that were deleted (LiteLLM_DeletedTeamTable).
func (a *API) deletedTeamPage(c *call, q store.Query) ([]map[string]any, int64, error) {
	found, err := a.Store.DeletedTeams().Find(c.ctx(), q)
	if err != nil {
		return nil, 0, err
	}
	views := []map[string]any{}
	for i := range found {
		m, err := members(found[i])
		if err != nil {
			return nil, 0, err
		}
		v, err := a.teamView(c, a.Store, &found[i].Team)
		if err != nil {
			return nil, 0, err
		}
		maps.Copy(m, v)
		views = append(views, m)
	}
	total, err := a.Store.DeletedTeams().Count(c.ctx(), q.Where...)
	return views, total, err
}

// availableTeams are the teams that anybody may join (default_internal_user_params.available_teams).
func (a *API) availableTeams(c *call) (any, error) {
	var ids []string
	if list, ok := a.Policy.UserDefaults["available_teams"].([]any); ok {
		for _, v := range list {
			if s, ok := v.(string); ok {
				ids = append(ids, s)
			}
		}
	}
	if len(ids) == 0 {
		return []any{}, nil
	}
	teams, err := a.Store.Teams().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf("team_id", ids)}})
	if err != nil {
		return nil, err
	}
	out := []any{}
	for i := range teams {
		if role, err := roleIn(&teams[i], c.who.UserID); err != nil || role != "" {
			if err != nil {
				return nil, err
			}
			continue
		}
		v, err := a.teamView(c, a.Store, &teams[i])
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// filterTeams serves GET /team/filter/ui: teams whose id and alias hold what is asked for, of those that the caller sees.
func (a *API) filterTeams(c *call) (any, error) {
	var where []store.Cond
	for _, name := range []string{"team_id", "team_alias"} {
		if v := c.query(name); v != "" {
			where = append(where, store.Where(name, store.Contains, v))
		}
	}
	if !c.sees() {
		mine := []string{}
		switch {
		case c.who.UserID != "":
			u, err := a.findUser(c, c.who.UserID)
			if err != nil {
				return nil, err
			}
			mine = u.Teams
		case c.who.TeamID != "":
			mine = []string{c.who.TeamID}
		}
		where = append(where, store.OneOf("team_id", mine))
	}
	page, err := c.page("page_size", 50, 100)
	if err != nil {
		return nil, err
	}
	found, err := a.Store.Teams().Find(c.ctx(), page.query(where, "created_at"))
	return rows(found), err
}
