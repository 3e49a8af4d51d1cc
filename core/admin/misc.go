package admin

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// otherRoutes are what belongs to no other group.
func (a *API) otherRoutes() []route {
	return []route{
		{"POST", "/invitation/new", users, a.newInvitation},
		{"GET", "/invitation/info", users, a.invitationInfo},
		{"POST", "/invitation/update", users, a.updateInvitation},
		{"POST", "/invitation/delete", users, a.deleteInvitation},
		{"GET", "/get/internal_user_settings", viewer, func(c *call) (any, error) { return a.litellmObject("default_internal_user_params") }},
		{"PATCH", "/update/internal_user_settings", adminOnly, func(c *call) (any, error) { return a.setLitellmObject(c, "default_internal_user_params") }},
		{"GET", "/get/default_team_settings", viewer, func(c *call) (any, error) { return a.litellmObject("default_team_params") }},
		{"PATCH", "/update/default_team_settings", adminOnly, func(c *call) (any, error) { return a.setLitellmObject(c, "default_team_params") }},
		{"GET", "/sso/get/ui_settings", everybody, a.uiSettings},
		{"GET", "/config/pass_through_endpoint", viewer, a.passThroughs},
		{"POST", "/config/pass_through_endpoint", adminOnly, a.newPassThrough},
		{"POST", "/config/pass_through_endpoint/{id}", adminOnly, a.updatePassThrough},
		{"DELETE", "/config/pass_through_endpoint", adminOnly, a.deletePassThrough},
		{"GET", "/routes", everybody, a.listRoutes},
		{"GET", "/v2/user/info", everybody, a.userInfoV2},
	}
}

// invitationLife is how long an invitation is good (INVITATION_LINK_EXPIRY in the reference: seven days).
const invitationLife = 7 * 24 * time.Hour

func (a *API) newInvitation(c *call) (any, error) {
	var q struct {
		UserID string `json:"user_id"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.UserID == "" {
		return nil, missing("user_id")
	}
	if err := a.mayInvite(c, q.UserID); err != nil {
		return nil, err
	}
	now := store.Clean(a.Now())
	link := store.InvitationLink{UserID: q.UserID, ExpiresAt: now.Add(invitationLife), CreatedBy: string(c.actor()), UpdatedBy: string(c.actor())}
	err := a.Store.Tx(c.ctx(), func(tx store.Store) error {
		if _, err := a.person(c, tx, c.actor(), "", "", ""); err != nil { // who invites must be somebody
			return err
		}
		return reference400(tx.InvitationLinks().Create(c.ctx(), &link))
	})
	return link, err
}

// mayInvite lets administrators, and those of the user's organization or team, invite him.
func (a *API) mayInvite(c *call, user string) error {
	if _, err := a.findUser(c, user); err != nil {
		return err
	}
	if c.admin() {
		return nil
	}
	if shared, err := a.sharesOrg(c, user); shared || err != nil {
		return err
	}
	led, err := a.ledTeams(c)
	if err != nil {
		return err
	}
	u, err := a.findUser(c, user)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(u.Teams, func(t string) bool { return led[t] }) {
		return nil
	}
	return forbidden("Only proxy admins, and admins of an organization or team of the user, may invite him.")
}

func (a *API) findInvitation(c *call, id string) (*store.InvitationLink, error) {
	if id == "" {
		return nil, missing("invitation_id")
	}
	l, err := a.Store.InvitationLinks().Get(c.ctx(), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, badRequest("invitation_id", "Invitation id does not exist in the database.")
	}
	if err == nil && l.UserID != c.who.UserID {
		err = a.mayInvite(c, l.UserID)
	}
	return l, err
}

func (a *API) invitationInfo(c *call) (any, error) {
	return a.findInvitation(c, c.query("invitation_id"))
}

func (a *API) updateInvitation(c *call) (any, error) {
	var q struct {
		ID       string `json:"invitation_id"`
		Accepted bool   `json:"is_accepted"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if _, err := a.findInvitation(c, q.ID); err != nil {
		return nil, err
	}
	now := store.Clean(a.Now())
	return a.Store.InvitationLinks().Update(c.ctx(), q.ID, func(l *store.InvitationLink) error {
		l.IsAccepted, l.UpdatedBy, l.AcceptedAt = q.Accepted, string(c.actor()), nil
		if q.Accepted {
			l.AcceptedAt = &now
		}
		return nil
	})
}

func (a *API) deleteInvitation(c *call) (any, error) {
	var q struct {
		ID string `json:"invitation_id"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	l, err := a.findInvitation(c, q.ID)
	if err != nil {
		return nil, err
	}
	_, err = a.Store.InvitationLinks().Delete(c.ctx(), q.ID)
	return l, err
}

// settingFields describe the members of a setting for forms: name, type, what it is.
func settingFields(name string) (about string, fields [][3]string) {
	common := [][3]string{
		{"models", "array", "Models that may be called; empty is all"},
		{"max_budget", "number", "US dollars that may be spent in a period"},
		{"budget_duration", "string", "Period after which spend starts again at zero, such as 30d"},
	}
	if name == "default_team_params" {
		return "What a new team has that says nothing else", append(common,
			[3]string{"tpm_limit", "integer", "Tokens a minute"}, [3]string{"rpm_limit", "integer", "Requests a minute"})
	}
	return "What a new user has for whom nothing else is said", append(common,
		[3]string{"user_role", "string", "Role of the user"}, [3]string{"teams", "array", "Teams that the user joins"})
}

// litellmObject answers a setting with all of its members, and what they are.
func (a *API) litellmObject(name string) (any, error) {
	have, _ := a.shown("litellm_settings")[name].(map[string]any)
	values, properties := maps.Clone(have), map[string]any{}
	if values == nil {
		values = map[string]any{}
	}
	about, fields := settingFields(name)
	for _, f := range fields {
		properties[f[0]] = map[string]any{"description": f[2], "type": f[1]}
		if _, ok := values[f[0]]; !ok {
			values[f[0]] = nil
		}
	}
	if _, ok := properties["user_role"]; ok && values["user_role"] == nil {
		values["user_role"] = string(llm.RoleInternalUser)
	}
	return map[string]any{"values": values, "field_schema": map[string]any{"description": about, "properties": properties}}, nil
}

func (a *API) setLitellmObject(c *call, setting string) (any, error) {
	var values map[string]any
	if err := c.body(&values); err != nil {
		return nil, err
	}
	err := a.changeSections(c, func(name string, section map[string]any) (bool, error) {
		if name != "litellm_settings" {
			return false, nil
		}
		have, _ := section[setting].(map[string]any)
		if have == nil {
			have, _ = a.shown(name)[setting].(map[string]any)
		}
		if have == nil {
			have = map[string]any{}
		}
		overlay(have, values)
		section[setting] = have
		return true, nil
	})
	what := map[string]string{"default_internal_user_params": "Internal user", "default_team_params": "Default team"}[setting]
	return map[string]any{"message": what + " settings updated successfully", "status": "success", "settings": values}, err
}

// uiSettings is what a user interface must know about the gateway.
func (a *API) uiSettings(*call) (any, error) {
	base := store.Text("")
	if a.Policy.BaseURL != nil {
		base = store.Text(a.Policy.BaseURL())
	}
	return map[string]any{
		"PROXY_BASE_URL": base, "PROXY_LOGOUT_URL": store.Text(a.Policy.Logout), "LITELLM_UI_API_DOC_BASE_URL": nil, "DEFAULT_TEAM_DISABLED": a.Policy.NeedTeam, "SSO_ENABLED": a.Policy.SSO,
		"NUM_SPEND_LOGS_ROWS": 0, "DISABLE_EXPENSIVE_DB_QUERIES": false,
	}, nil
}

// userInfoV2 is a user without keys and teams.
func (a *API) userInfoV2(c *call) (any, error) {
	id := cmp.Or(c.query("user_id"), c.who.UserID)
	if id == "" {
		return nil, missingQuery("user_id")
	}
	if err := a.mayReadUser(c, id); err != nil {
		return nil, err
	}
	u, err := a.findUser(c, id)
	if err != nil {
		return nil, err
	}
	return a.wholeUser(c, u)
}

const passSetting = "pass_through_endpoints"

// passThroughs lists the endpoints of the operator's own: those of the file, and those of the database, which have ids.
func (a *API) passThroughs(c *call) (any, error) {
	all := rowsOf(a.shown("general_settings")[passSetting])
	if id := c.query("endpoint_id"); id != "" {
		all = slices.DeleteFunc(slices.Clone(all), func(e any) bool { return idOf(e) != id })
		if len(all) == 0 {
			return nil, notFound("endpoint_id", "Endpoint with ID '"+id+"' was not found")
		}
	}
	return map[string]any{"endpoints": all}, nil
}

func idOf(e any) string {
	m, _ := e.(map[string]any)
	id, _ := m["id"].(string)
	return id
}

// changePassThroughs changes the list in the database. It takes the place of that of the file, so it begins with it; and
// since secrets cannot be read back, a file that has some there cannot be changed from here.
func (a *API) changePassThroughs(c *call, change func(list []any) ([]any, error)) error {
	return a.changeSections(c, func(name string, section map[string]any) (bool, error) {
		if name != "general_settings" {
			return false, nil
		}
		have, ok := section[passSetting].([]any)
		if !ok && len(rowsOf(a.shown(name)[passSetting])) > 0 {
			return false, badRequest("path", "The configuration file has pass_through_endpoints: add the endpoint there, or move all of them here.")
		}
		next, err := change(have)
		section[passSetting] = next
		return true, err
	})
}

func (a *API) newPassThrough(c *call) (any, error) {
	var e map[string]any
	if err := c.body(&e); err != nil {
		return nil, err
	}
	for _, name := range []string{"path", "target"} {
		if s, _ := e[name].(string); s == "" {
			return nil, missing(name)
		}
	}
	e["id"] = newID()
	err := a.changePassThroughs(c, func(list []any) ([]any, error) { return append(list, e), nil })
	return map[string]any{"endpoints": []any{shownEndpoint(e)}}, err
}

// shownEndpoint is an endpoint without the secrets in its headers.
func shownEndpoint(e map[string]any) map[string]any {
	raw, err := json.Marshal(e)
	if err != nil {
		return nil
	}
	var out map[string]any
	if json.Unmarshal(raw, &out) != nil {
		return nil
	}
	maskParams(out)
	return out
}

func (a *API) updatePassThrough(c *call) (any, error) {
	var more map[string]any
	if err := c.body(&more); err != nil {
		return nil, err
	}
	id := c.r.PathValue("id")
	var next map[string]any
	err := a.changePassThroughs(c, func(list []any) ([]any, error) {
		for _, e := range list {
			if idOf(e) == id {
				next = e.(map[string]any)
				delete(more, "id")
				overlay(next, more)
				return list, nil
			}
		}
		return nil, notFound("endpoint_id", "Endpoint with ID '"+id+"' was not found")
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"endpoints": []any{shownEndpoint(next)}}, nil
}

func (a *API) deletePassThrough(c *call) (any, error) {
	id := c.query("endpoint_id")
	if id == "" {
		return nil, missingQuery("endpoint_id")
	}
	var gone []any
	err := a.changePassThroughs(c, func(list []any) ([]any, error) {
		gone = nil
		kept := slices.DeleteFunc(slices.Clone(list), func(e any) bool {
			hit := idOf(e) == id
			if m, ok := e.(map[string]any); hit && ok {
				gone = append(gone, shownEndpoint(m))
			}
			return hit
		})
		if len(gone) == 0 {
			return nil, notFound("endpoint_id", "Endpoint with ID '"+id+"' was not found")
		}
		return kept, nil
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"endpoints": gone}, nil
}

func (a *API) listRoutes(c *call) (any, error) {
	out := []any{}
	for i := range a.routes {
		out = append(out, map[string]any{"path": a.routes[i].path, "methods": []string{a.routes[i].method}, "name": nil, "endpoint": nil})
	}
	return map[string]any{"routes": out}, nil
}
