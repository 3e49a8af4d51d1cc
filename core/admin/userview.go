package admin

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// userViews are users as answers show them (LiteLLM_UserTable in litellm/proxy/_types.py, and the columns that it leaves
// out). Memberships of organizations are left out, as in the reference, where nobody asks for one user.
func (a *API) userViews(c *call, s store.Store, users []*store.User) ([]map[string]any, error) {
	ids := make([]string, len(users))
	for i, u := range users {
		ids[i] = string(u.ObjectPermissionID)
	}
	r, err := a.relate(c, s, nil, ids)
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for i, u := range users {
		m, err := members(u)
		if err != nil {
			return nil, err
		}
		m["organization_memberships"], m["object_permission"] = nil, nil
		if p, ok := r.permissions[ids[i]]; ok {
			m["object_permission"] = p
		}
		out = append(out, m)
	}
	return out, nil
}

func (a *API) userView(c *call, s store.Store, u *store.User) (map[string]any, error) {
	views, err := a.userViews(c, s, []*store.User{u})
	if err != nil {
		return nil, err
	}
	return views[0], nil
}

// orgShipViews are memberships of organizations with their budgets (LiteLLM_OrganizationMembershipTable).
func (a *API) orgShipViews(c *call, s store.Store, all []store.OrganizationMembership) ([]map[string]any, error) {
	out, err := budgeted(a, c, s, all, func(m *store.OrganizationMembership) string { return string(m.BudgetID) })
	for _, m := range out {
		m["user"] = nil
	}
	return out, err
}

// newUserView is the answer to a new user, and the key made for him if there is one (NewUserResponse).
func (a *API) newUserView(c *call, s store.Store, u *store.User, key string, row *store.Key, p *keyParams) (map[string]any, error) {
	out, err := a.userView(c, s, u)
	if err != nil {
		return nil, err
	}
	k := map[string]any{
		"key": "", "aliases": map[string]any{}, "config": map[string]any{}, "permissions": map[string]any{}, "allowed_routes": []string{},
		"access_group_ids": []string{},
	}
	if row != nil {
		if k, err = a.generated(c, s, key, row, p); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{
		"key", "token", "token_id", "key_name", "key_alias", "expires", "duration", "aliases", "config", "permissions", "blocked", "budget_id",
		"enforced_params", "allowed_routes", "router_settings", "access_group_ids", "litellm_budget_table", "created_by", "updated_by",
	} {
		out[name] = k[name]
	}
	meta, _ := out["metadata"].(map[string]any)
	for _, name := range []string{
		"model_rpm_limit", "model_tpm_limit", "guardrails", "prompts", "tags", "allowed_passthrough_routes", "denied_passthrough_routes", "allowed_vector_store_indexes",
		"rpm_limit_type", "tpm_limit_type",
	} {
		out[name] = meta[name]
	}
	return out, nil
}

// firstKey reads from a request for a user what it says about his key. What limits the person is his: the key has no
// limits of its own, except those that only a key has. The call that is returned is for insertKey.
func (c *call) firstKey(u *store.User) (*call, *keyParams, error) {
	raw, err := json.Marshal(c.sent)
	if err != nil {
		return nil, nil, err
	}
	k := &keyParams{}
	if err := json.Unmarshal(raw, k); err != nil {
		return nil, nil, undecodable(err)
	}
	k.UserID, k.SoftBudget, k.ObjectPermission = &u.UserID, nil, nil
	sub := *c
	sub.sent = map[string]json.RawMessage{}
	for name, v := range c.sent {
		switch name {
		case "max_budget", "soft_budget", "budget_duration", "tpm_limit", "rpm_limit", "max_parallel_requests", "models", "spend", "model_max_budget",
			"object_permission":
		default:
			sub.sent[name] = v
		}
	}
	sub.sent["user_id"] = json.RawMessage("true")
	return &sub, k, k.check(&sub)
}

func (a *API) userInfo(c *call) (any, error) {
	id := c.query("user_id")
	if id == "" && c.admin() {
		return a.everythingInfo(c)
	}
	id = cmp.Or(id, c.who.UserID)
	if id == "" {
		return nil, missingQuery("user_id")
	}
	if err := a.mayReadUser(c, id); err != nil {
		return nil, err
	}
	u, err := a.Store.Users().Get(c.ctx(), id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	var info any
	var teams []store.Team
	switch {
	case err == nil:
		if info, err = a.wholeUser(c, u); err != nil {
			return nil, err
		}
		if teams, err = a.teamsOf(c, u); err != nil {
			return nil, err
		}
	case id != c.who.UserID:
		return nil, notFound("user_id", "User "+id+" not found")
	}
	keys, err := a.Store.Keys().Find(c.ctx(), store.Query{Where: []store.Cond{store.Eq("user_id", id)}})
	if err != nil {
		return nil, err
	}
	shown, err := a.userKeyViews(c, keys, teams)
	if err != nil {
		return nil, err
	}
	whole, err := a.wholeTeams(c, teams, id)
	return map[string]any{"user_id": id, "user_info": info, "keys": shown, "teams": whole}, err
}

func (a *API) mayReadUser(c *call, id string) error {
	if c.sees() || id == c.who.UserID {
		return nil
	}
	shared, err := a.sharesOrg(c, id)
	if err == nil && !shared {
		err = forbidden("You are not allowed to see this user. Got user_id=" + id + ", your user_id=" + c.who.UserID)
	}
	return err
}

// wholeUser is a user with his memberships of organizations.
func (a *API) wholeUser(c *call, u *store.User) (map[string]any, error) {
	m, err := a.userView(c, a.Store, u)
	if err != nil {
		return nil, err
	}
	ships, err := a.Store.OrganizationMemberships().Find(c.ctx(), store.Query{Where: []store.Cond{store.Eq("user_id", u.UserID)}})
	if err != nil {
		return nil, err
	}
	m["organization_memberships"], err = a.orgShipViews(c, a.Store, ships)
	return m, err
}

func (a *API) teamsOf(c *call, u *store.User) ([]store.Team, error) {
	if len(u.Teams) == 0 {
		return nil, nil
	}
	found, err := a.Store.Teams().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf("team_id", u.Teams)}})
	slices.SortStableFunc(found, func(x, y store.Team) int { return cmp.Compare(x.TeamAlias, y.TeamAlias) })
	return found, err
}

// everythingInfo is what GET /user/info answers to an administrator who names nobody: all keys and teams, and no user
// (_get_user_info_for_proxy_admin in internal_user_endpoints.py). Of keys it has the newest, if there are very many.
func (a *API) everythingInfo(c *call) (any, error) {
	keys, err := a.Store.Keys().Find(c.ctx(), store.Query{
		Where: []store.Cond{store.Where("team_id", store.NotEqual, llm.SessionTeam)}, Sort: "created_at", Desc: true, Limit: mostRows,
	})
	if err != nil {
		return nil, err
	}
	teams, err := a.Store.Teams().Find(c.ctx(), store.Query{Sort: "team_alias", Limit: mostRows})
	if err != nil {
		return nil, err
	}
	views := []map[string]any{}
	for i := range teams {
		v, err := a.teamView(c, a.Store, &teams[i])
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	shown, err := a.userKeyViews(c, keys, teams)
	return map[string]any{"user_id": nil, "user_info": nil, "keys": shown, "teams": views}, err
}

// notOfUsers are members of a request to change a user that only keys have. The reference takes them, and its database
// then refuses the change.
func (c *call) notOfUsers() error {
	names := []string{
		"key_alias", "duration", "team_id", "config", "permissions", "aliases", "blocked",
	}
	for _, name := range slices.Sorted(maps.Keys(c.sent)) {
		if raw := c.sent[name]; slices.Contains(names, name) && !isNull(raw) && string(raw) != "{}" && string(raw) != "[]" {
			return badRequest(name, "A user has no `"+name+"`. Change it where it belongs, for a key by /key/update, for a team by /team/member_add.")
		}
	}
	return nil
}
