package admin

import (
	"slices"

	"github.com/sallyport-ai/sallyport/core/store"
)

func (a *API) blockTeam(c *call, blocked bool) (any, error) {
	var q struct {
		ID string `json:"team_id"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if _, err := a.findTeam(c, q.ID, true); err != nil {
		return nil, err
	}
	action := map[bool]string{true: "blocked", false: "updated"}[blocked]
	return a.changeTeam(c, q.ID, action, func(_ store.Store, t *store.Team) error {
		t.Blocked = blocked
		return nil
	})
}

func (a *API) teamModels(c *call, add bool) (any, error) {
	var q struct {
		ID     string   `json:"team_id"`
		Models []string `json:"models"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if _, err := a.findTeam(c, q.ID, true); err != nil {
		return nil, err
	}
	if len(q.Models) == 0 {
		return nil, missing("models")
	}
	return a.changeTeam(c, q.ID, "updated", func(_ store.Store, t *store.Team) error {
		kept := slices.DeleteFunc(slices.Clone(t.Models), func(m string) bool { return slices.Contains(q.Models, m) })
		if add {
			kept = append(kept, q.Models...)
		}
		t.Models = kept
		return nil
	})
}

// memberRoutes are the routes that a team may open to its members (KeyManagementRoutes in litellm/proxy/_types.py).
func memberRoutes() []string {
	return []string{
		"/key/generate", "/key/update", "/key/delete", "/key/info", "/key/regenerate", "/key/{key_id}/regenerate",
		"/key/service-account/generate", "/key/list", "/key/block", "/key/unblock", "/team/daily/activity",
	}
}

func (a *API) teamPermissions(c *call) (any, error) {
	id := c.query("team_id")
	if id == "" {
		return nil, missingQuery("team_id")
	}
	t, err := a.findTeam(c, id, false)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"team_id": t.TeamID, "team_member_permissions": t.TeamMemberPermissions, "all_available_permissions": memberRoutes(),
	}, nil
}

func (a *API) setTeamPermissions(c *call) (any, error) {
	var q struct {
		ID     string   `json:"team_id"`
		Routes []string `json:"team_member_permissions"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if !c.given("team_member_permissions") {
		return nil, missing("team_member_permissions")
	}
	for _, r := range q.Routes {
		if !slices.Contains(memberRoutes(), r) {
			return nil, badRequest("team_member_permissions", "Invalid permission "+r+". The permissions are listed by GET /team/permissions_list.")
		}
	}
	if _, err := a.findTeam(c, q.ID, true); err != nil {
		return nil, err
	}
	return a.changeTeam(c, q.ID, "updated", func(_ store.Store, t *store.Team) error {
		t.TeamMemberPermissions = q.Routes
		return nil
	})
}
