package admin

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

func (a *API) listUsers(c *call) (any, error) {
	page, err := c.page("page_size", 25, 100)
	if err != nil {
		return nil, err
	}
	where, err := a.userFilter(c)
	if err != nil {
		return nil, err
	}
	q := page.query(where, "created_at")
	if err := c.sorting(&q, []string{"user_id", "user_email", "user_alias", "user_role", "created_at", "spend"}, "asc"); err != nil {
		return nil, err
	}
	found, err := a.Store.Users().Find(c.ctx(), q)
	if err != nil {
		return nil, err
	}
	total, err := a.Store.Users().Count(c.ctx(), where...)
	if err != nil {
		return nil, err
	}
	pointers := make([]*store.User, len(found))
	for i := range found {
		pointers[i] = &found[i]
	}
	out, err := a.userViews(c, a.Store, pointers)
	if err != nil {
		return nil, err
	}
	for i, m := range out {
		if m["key_count"], err = a.Store.Keys().Count(c.ctx(), store.Eq("user_id", found[i].UserID), store.Where("team_id", store.NotEqual, llm.SessionTeam)); err != nil {
			return nil, err
		}
	}
	return page.answer("users", out, total), nil
}

// userFilter is what the caller asks for. Administrators of organizations see the people of these.
func (a *API) userFilter(c *call) ([]store.Cond, error) {
	var where []store.Cond
	if v := c.query("role"); v != "" {
		if _, ok := userRoles()[llm.Role(v)]; !ok {
			return nil, badRequest("role", "role must be one of those listed by GET /user/available_roles.")
		}
		where = append(where, store.Eq("user_role", v))
	}
	if v := c.query("user_ids"); v != "" {
		if ids := csv(v); len(ids) == 1 {
			where = append(where, store.Where("user_id", store.Contains, ids[0])) // one is searched for
		} else {
			where = append(where, store.OneOf("user_id", ids))
		}
	}
	if v := c.query("sso_user_ids"); v != "" {
		where = append(where, store.OneOf("sso_user_id", csv(v)))
	}
	if v := c.query("user_email"); v != "" {
		where = append(where, store.Where("user_email", store.Contains, v))
	}
	if v := c.query("team"); v != "" {
		where = append(where, store.Where("teams", store.Has, v))
	}
	if c.sees() {
		return where, nil
	}
	led, err := a.Store.OrganizationMemberships().Find(c.ctx(), store.Query{Where: []store.Cond{
		store.Eq("user_id", c.who.UserID), store.Eq("user_role", "org_admin")}})
	if err != nil {
		return nil, err
	}
	var orgs []string
	for _, m := range led {
		orgs = append(orgs, m.OrganizationID)
	}
	theirs, err := a.Store.OrganizationMemberships().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf("organization_id", orgs)}})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, m := range theirs {
		ids = append(ids, m.UserID)
	}
	return append(where, store.OneOf("user_id", ids)), nil
}

// filterUsers helps to pick a user: a few that match.
func (a *API) filterUsers(c *call) (any, error) {
	if !c.sees() {
		if led, err := a.ledTeams(c); err != nil || len(led) == 0 {
			if err == nil {
				err = forbidden("Only admins and admins of a team may search for users.")
			}
			return nil, err
		}
	}
	var where []store.Cond
	for _, name := range []string{"user_id", "user_email"} {
		if v := c.query(name); v != "" {
			where = append(where, store.Where(name, store.Contains, v))
		}
	}
	page, err := c.page("page_size", 50, 100)
	if err != nil {
		return nil, err
	}
	found, err := a.Store.Users().Find(c.ctx(), page.query(where, "created_at"))
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, u := range found {
		out = append(out, map[string]any{"user_id": u.UserID, "user_email": u.UserEmail, "user_alias": u.UserAlias})
	}
	return out, nil
}

func (a *API) availableRoles(*call) (any, error) {
	out := map[string]any{}
	for role, what := range userRoles() {
		label, about, _ := strings.Cut(what, ": ")
		out[string(role)] = map[string]string{"ui_label": label, "description": about}
	}
	return out, nil
}

func (a *API) availableUsers(c *call) (any, error) {
	n, err := a.Store.Users().Count(c.ctx())
	if err != nil {
		return nil, err
	}
	teams, err := a.Store.Teams().Count(c.ctx())
	return map[string]any{
		"total_users": nil, "total_users_used": n, "total_users_remaining": nil,
		"total_teams": nil, "total_teams_used": teams, "total_teams_remaining": nil,
	}, err
}
