package admin

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/sallyport-ai/sallyport/core/store"
)

// maskLogging hides the credentials of sinks in the metadata of a team or key: they are written, and never read back.
func maskLogging(row map[string]any) {
	meta, _ := row["metadata"].(map[string]any)
	list, _ := meta["logging"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		vars, _ := m["callback_vars"].(map[string]any)
		for k := range vars {
			vars[k] = masked
		}
	}
}

// masked stands in the place of a secret.
const masked = "****"

// teamMeta reads and writes the metadata of a team.
func (a *API) teamMeta(c *call, id string, change func(meta map[string]any)) (map[string]any, error) {
	if _, err := a.findTeam(c, id, true); err != nil {
		return nil, err
	}
	return a.changeTeam(c, id, "updated", func(_ store.Store, t *store.Team) error {
		meta := map[string]any{}
		if !isNull(t.Metadata) {
			if err := json.Unmarshal(t.Metadata, &meta); err != nil {
				return err
			}
		}
		meta = maps.Clone(meta)
		change(meta)
		raw, err := json.Marshal(meta)
		t.Metadata = raw
		return err
	})
}

// The callbacks of a team are kept as the reference does: metadata.logging is a list of callback_name, callback_type and
// callback_vars (litellm/proxy/management_endpoints/team_callback_endpoints.py).
func (a *API) addTeamCallback(c *call) (any, error) {
	var q struct {
		Name string            `json:"callback_name"`
		Type string            `json:"callback_type"`
		Vars map[string]string `json:"callback_vars"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.Name == "" {
		return nil, missing("callback_name")
	}
	if q.Type == "" {
		q.Type = "success_and_failure"
	}
	if !slices.Contains([]string{"success", "failure", "success_and_failure"}, q.Type) {
		return nil, badRequest("callback_type", "callback_type must be success, failure or success_and_failure.")
	}
	view, err := a.teamMeta(c, c.r.PathValue("team_id"), func(meta map[string]any) {
		list, _ := meta["logging"].([]any)
		list = slices.DeleteFunc(slices.Clone(list), func(e any) bool {
			m, _ := e.(map[string]any)
			return m["callback_name"] == q.Name && m["callback_type"] == q.Type
		})
		meta["logging"] = append(list, map[string]any{"callback_name": q.Name, "callback_type": q.Type, "callback_vars": q.Vars})
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"status": "success", "message": "Callback added to team.", "data": map[string]any{
		"team_id": view["team_id"], "team_alias": view["team_alias"],
	}}, nil
}

func (a *API) teamCallbacks(c *call) (any, error) {
	t, err := a.findTeam(c, c.r.PathValue("team_id"), true)
	if err != nil {
		return nil, err
	}
	meta := map[string]any{}
	if !isNull(t.Metadata) {
		if err := json.Unmarshal(t.Metadata, &meta); err != nil {
			return nil, err
		}
	}
	success, failure, vars := []string{}, []string{}, map[string]any{}
	list, _ := meta["logging"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		name, _ := m["callback_name"].(string)
		kind, _ := m["callback_type"].(string)
		if kind != "failure" {
			success = append(success, name)
		}
		if kind != "success" {
			failure = append(failure, name)
		}
		if v, ok := m["callback_vars"].(map[string]any); ok {
			for k := range v {
				vars[k] = masked
			}
		}
	}
	return map[string]any{"status": "success", "data": map[string]any{
		"team_id": t.TeamID, "success_callbacks": success, "failure_callbacks": failure, "callback_vars": vars,
	}}, nil
}

func (a *API) disableTeamLogging(c *call) (any, error) {
	view, err := a.teamMeta(c, c.r.PathValue("team_id"), func(meta map[string]any) { delete(meta, "logging") })
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"status": "success", "message": "Logging disabled for team " + c.r.PathValue("team_id"),
		"data": map[string]any{"team_id": view["team_id"], "success_callbacks": []string{}, "failure_callbacks": []string{}},
	}, nil
}
