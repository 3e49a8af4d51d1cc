package admin

import (
	"errors"
	"maps"
	"slices"

	"github.com/sallyport-ai/sallyport/core/store"
)

// accessGroupRoutes are the routes of two things that share a name: groups that models say they belong to
// (model_access_group_management_endpoints.py), and groups kept on their own (access_group_endpoints.py).
func (a *API) accessGroupRoutes() []route {
	return []route{
		{"POST", "/access_group/new", adminOnly, a.newModelGroup},
		{"GET", "/access_group/list", viewer, a.listModelGroups},
		{"GET", "/access_group/{access_group}/info", viewer, a.modelGroupInfo},
		{"PUT", "/access_group/{access_group}/update", adminOnly, a.updateModelGroup},
		{"DELETE", "/access_group/{access_group}/delete", adminOnly, a.deleteModelGroup},
		{"POST", "/v1/access_group", adminOnly, a.newAccessGroup},
		{"GET", "/v1/access_group", viewer, a.listAccessGroups},
		{"GET", "/v1/access_group/{id}", viewer, a.accessGroupInfo},
		{"PUT", "/v1/access_group/{id}", adminOnly, a.updateAccessGroup},
		{"DELETE", "/v1/access_group/{id}", adminOnly, a.deleteAccessGroup},
	}
}

// groupsOf are the access groups that a model belongs to.
func (p *modelParams) groupsOf() []string {
	var out []string
	list, _ := p.Info["access_groups"].([]any)
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

type modelGroup struct {
	Group  string   `json:"access_group"`
	Models []string `json:"model_names"`
}

// modelGroups are the models of each access group: those of the database, and those of the file.
func (a *API) modelGroups(c *call) (map[string][]string, error) {
	out := map[string][]string{}
	if a.Policy.ModelGroups != nil {
		for g, models := range a.Policy.ModelGroups() {
			out[g] = append(out[g], models...)
		}
	}
	found, err := a.Store.Models().Find(c.ctx(), store.Query{})
	if err != nil {
		return nil, err
	}
	for i := range found {
		var p modelParams
		if err := p.read(&found[i]); err != nil {
			return nil, err
		}
		for _, g := range p.groupsOf() {
			if !slices.Contains(out[g], p.Name) {
				out[g] = append(out[g], p.Name)
			}
		}
	}
	return out, nil
}

func (a *API) newModelGroup(c *call) (any, error) {
	var q modelGroup
	if err := c.body(&q); err != nil {
		return nil, err
	}
	switch {
	case q.Group == "":
		return nil, missing("access_group")
	case len(q.Models) == 0:
		return nil, badRequest("model_names", "model_names list is required and cannot be empty")
	}
	have, err := a.modelGroups(c)
	if err != nil {
		return nil, err
	}
	if _, ok := have[q.Group]; ok {
		return nil, problem(409, "bad_request_error", "access_group", "Access group '"+q.Group+"' already exists. Use PUT /access_group/"+q.Group+"/update to change it.")
	}
	return a.setModelGroup(c, q.Group, q.Models)
}

// setModelGroup makes the models of the database say that they belong to the group, and the others that they do not.
func (a *API) setModelGroup(c *call, group string, models []string) (any, error) {
	if err := a.stored(); err != nil {
		return nil, err
	}
	changed, seen := 0, map[string]bool{}
	err := a.Store.Tx(c.ctx(), func(tx store.Store) error {
		changed = 0
		found, err := tx.Models().Find(c.ctx(), store.Query{})
		if err != nil {
			return err
		}
		for i := range found {
			want := slices.Contains(models, found[i].ModelName)
			seen[found[i].ModelName] = true
			did, err := a.regroup(c, tx, &found[i], group, want)
			if err != nil {
				return err
			}
			if did || want {
				changed++
			}
		}
		for _, m := range models {
			if !seen[m] {
				return badRequest("model_names", "Model '"+m+"' is not in the database. Models of the configuration file get model_info.access_groups there.")
			}
		}
		return nil
	})
	if err == nil {
		err = a.apply(c)
	}
	return map[string]any{"access_group": group, "model_names": models, "models_updated": changed}, err
}

// regroup puts one model into a group or takes it out.
func (a *API) regroup(c *call, tx store.Store, row *store.Model, group string, want bool) (bool, error) {
	var p modelParams
	if err := p.read(row); err != nil {
		return false, err
	}
	groups := p.groupsOf()
	if slices.Contains(groups, group) == want {
		return false, nil
	}
	if want {
		groups = append(groups, group)
	} else {
		groups = slices.DeleteFunc(groups, func(g string) bool { return g == group })
	}
	var before store.Model
	next, err := tx.Models().Update(c.ctx(), row.ModelID, func(m *store.Model) error {
		before = *m
		if err := p.read(m); err != nil { // it may have changed since it was listed
			return err
		}
		p.Info["access_groups"] = groups
		m.UpdatedBy = string(c.actor())
		return p.write(m)
	})
	if err != nil {
		return false, err
	}
	return true, c.audit(tx, "updated", "LiteLLM_ProxyModelTable", row.ModelID, before, next)
}

func (a *API) groupView(c *call, group string) (map[string]any, error) {
	all, err := a.modelGroups(c)
	if err != nil {
		return nil, err
	}
	models, ok := all[group]
	if !ok {
		return nil, notFound("access_group", "Access group '"+group+"' not found")
	}
	return map[string]any{"access_group": group, "model_names": models, "deployment_count": len(models)}, nil
}

func (a *API) listModelGroups(c *call) (any, error) {
	all, err := a.modelGroups(c)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, g := range slices.Sorted(maps.Keys(all)) {
		out = append(out, map[string]any{"access_group": g, "model_names": all[g], "deployment_count": len(all[g])})
	}
	return map[string]any{"access_groups": out}, nil
}

func (a *API) modelGroupInfo(c *call) (any, error) {
	return a.groupView(c, c.r.PathValue("access_group"))
}

func (a *API) updateModelGroup(c *call) (any, error) {
	var q modelGroup
	if err := c.body(&q); err != nil {
		return nil, err
	}
	group := c.r.PathValue("access_group")
	if _, err := a.groupView(c, group); err != nil {
		return nil, err
	}
	if len(q.Models) == 0 {
		return nil, badRequest("model_names", "model_names list is required and cannot be empty")
	}
	return a.setModelGroup(c, group, q.Models)
}

func (a *API) deleteModelGroup(c *call) (any, error) {
	group := c.r.PathValue("access_group")
	if _, err := a.groupView(c, group); err != nil {
		return nil, err
	}
	v, err := a.setModelGroup(c, group, nil)
	if err != nil {
		return nil, err
	}
	n := v.(map[string]any)["models_updated"]
	return map[string]any{"access_group": group, "models_updated": n, "message": "Access group '" + group + "' deleted successfully"}, nil
}

type accessGroupParams struct {
	Name        *string   `json:"access_group_name"`
	Description *string   `json:"description"`
	Models      *[]string `json:"access_model_names"`
	MCPServers  *[]string `json:"access_mcp_server_ids"`
	Agents      *[]string `json:"access_agent_ids"`
	Teams       *[]string `json:"assigned_team_ids"`
	Keys        *[]string `json:"assigned_key_ids"`
}

func (p *accessGroupParams) apply(c *call, g *store.AccessGroup) {
	set := func(name string, do func()) {
		if c.given(name) {
			do()
		}
	}
	set("access_group_name", func() { g.AccessGroupName = value(p.Name) })
	set("description", func() { g.Description = text(p.Description) })
	set("access_model_names", func() { g.AccessModelNames = list(p.Models) })
	set("access_mcp_server_ids", func() { g.AccessMCPServerIDs = list(p.MCPServers) })
	set("access_agent_ids", func() { g.AccessAgentIDs = list(p.Agents) })
	set("assigned_team_ids", func() { g.AssignedTeamIDs = list(p.Teams) })
	set("assigned_key_ids", func() { g.AssignedKeyIDs = list(p.Keys) })
	g.UpdatedBy = c.actor()
}

// assign writes the group into its teams and keys, and takes it out of those it is no longer assigned to.
func (a *API) assign(c *call, tx store.Store, id string, before, after *store.AccessGroup) ([]string, error) {
	put := func(have store.List, in bool) store.List {
		have = slices.DeleteFunc(slices.Clone(have), func(g string) bool { return g == id })
		if in {
			have = append(have, id)
		}
		return have
	}
	for _, team := range slices.Concat(before.AssignedTeamIDs, after.AssignedTeamIDs) {
		_, err := tx.Teams().Update(c.ctx(), team, func(t *store.Team) error {
			t.AccessGroupIDs = put(t.AccessGroupIDs, slices.Contains(after.AssignedTeamIDs, team))
			return nil
		})
		if errors.Is(err, store.ErrNotFound) && slices.Contains(after.AssignedTeamIDs, team) {
			return nil, badRequest("assigned_team_ids", "Team not found, passed team id: "+team)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	keys := slices.Concat(before.AssignedKeyIDs, after.AssignedKeyIDs)
	for _, key := range keys {
		_, err := tx.Keys().Update(c.ctx(), key, func(k *store.Key) error {
			k.AccessGroupIDs = put(k.AccessGroupIDs, slices.Contains(after.AssignedKeyIDs, key))
			return nil
		})
		if errors.Is(err, store.ErrNotFound) && slices.Contains(after.AssignedKeyIDs, key) {
			return nil, badRequest("assigned_key_ids", "Key not found, passed key id: "+key)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return keys, nil
}

func (a *API) newAccessGroup(c *call) (any, error) {
	var p accessGroupParams
	if err := c.body(&p); err != nil {
		return nil, err
	}
	if value(p.Name) == "" {
		return nil, missing("access_group_name")
	}
	g := store.AccessGroup{CreatedBy: c.actor()}
	p.apply(c, &g)
	var keys []string
	err := a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		if err := tx.AccessGroups().Create(c.ctx(), &g); err != nil {
			if errors.Is(err, store.ErrConflict) {
				return problem(409, "bad_request_error", "access_group_name", "Access group '"+g.AccessGroupName+"' already exists")
			}
			return err
		}
		if keys, err = a.assign(c, tx, g.AccessGroupID, &store.AccessGroup{}, &g); err != nil {
			return err
		}
		return c.audit(tx, "created", "LiteLLM_AccessGroupTable", g.AccessGroupID, nil, g)
	})
	a.forget(keys...)
	return g, err
}

func (a *API) findAccessGroup(c *call) (*store.AccessGroup, error) {
	g, err := a.Store.AccessGroups().Get(c.ctx(), c.r.PathValue("id"))
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("access_group_id", "Access group '"+c.r.PathValue("id")+"' not found")
	}
	return g, err
}

func (a *API) accessGroupInfo(c *call) (any, error) { return a.findAccessGroup(c) }

func (a *API) listAccessGroups(c *call) (any, error) {
	found, err := a.Store.AccessGroups().Find(c.ctx(), store.Query{Sort: "access_group_name"})
	return rows(found), err
}

func (a *API) updateAccessGroup(c *call) (any, error) {
	var p accessGroupParams
	if err := c.body(&p); err != nil {
		return nil, err
	}
	g, err := a.findAccessGroup(c)
	if err != nil {
		return nil, err
	}
	var next *store.AccessGroup
	var keys []string
	err = a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		var before store.AccessGroup
		next, err = tx.AccessGroups().Update(c.ctx(), g.AccessGroupID, func(g *store.AccessGroup) error {
			before = *g
			p.apply(c, g)
			return nil
		})
		if errors.Is(err, store.ErrConflict) {
			return problem(409, "bad_request_error", "access_group_name", "Access group '"+value(p.Name)+"' already exists")
		}
		if err != nil {
			return err
		}
		if keys, err = a.assign(c, tx, g.AccessGroupID, &before, next); err != nil {
			return err
		}
		return c.audit(tx, "updated", "LiteLLM_AccessGroupTable", g.AccessGroupID, before, next)
	})
	a.forget(keys...)
	return next, err
}

func (a *API) deleteAccessGroup(c *call) (any, error) {
	g, err := a.findAccessGroup(c)
	if err != nil {
		return nil, err
	}
	var keys []string
	err = a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		if keys, err = a.assign(c, tx, g.AccessGroupID, g, &store.AccessGroup{}); err != nil {
			return err
		}
		if _, err := tx.AccessGroups().Delete(c.ctx(), g.AccessGroupID); err != nil {
			return err
		}
		return c.audit(tx, "deleted", "LiteLLM_AccessGroupTable", g.AccessGroupID, g, nil)
	})
	a.forget(keys...)
	return map[string]any{"message": "Access group deleted successfully", "access_group_id": g.AccessGroupID}, err
}
