package admin

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/store"
)

// modelRoutes are the routes of litellm/proxy/management_endpoints/model_management_endpoints.py.
func (a *API) modelRoutes() []route {
	return []route{
		{"POST", "/model/new", users, a.newModel},
		{"POST", "/model/update", users, a.updateModel},
		{"PATCH", "/model/{id}/update", users, a.updateModel},
		{"POST", "/model/delete", users, a.deleteModel},
	}
}

// modelParams are the members of a request for a new or changed model.
type modelParams struct {
	Name   string         `json:"model_name"`
	Params map[string]any `json:"litellm_params"`
	Info   map[string]any `json:"model_info"`
}

func (p *modelParams) text(name string) string {
	s, _ := p.Info[name].(string)
	return s
}

// stored refuses calls that need models in the database.
func (a *API) stored() error {
	if a.Policy.StoreModels {
		return nil
	}
	return badRequest("", "Models are not kept in the database. Set `store_model_in_db: true` in general_settings, or STORE_MODEL_IN_DB=True in the environment, to use this route.")
}

func (a *API) newModel(c *call) (any, error) {
	var p modelParams
	if err := c.body(&p); err != nil {
		return nil, err
	}
	if err := a.stored(); err != nil {
		return nil, err
	}
	var lacks []string
	if p.Name == "" {
		lacks = append(lacks, "model_name")
	}
	if p.Params == nil {
		lacks = append(lacks, "litellm_params")
	}
	if lacks != nil {
		return nil, missing(lacks...)
	}
	team, err := a.modelTeam(c, p.text("team_id"))
	if err != nil {
		return nil, err
	}
	if p.Info == nil {
		p.Info = map[string]any{}
	}
	row := store.Model{ModelID: p.text("id"), CreatedBy: string(c.actor()), UpdatedBy: string(c.actor())}
	if row.ModelID == "" {
		row.ModelID = newID()
	}
	p.Info["id"], p.Info["db_model"] = row.ModelID, true
	if team != nil {
		// A team's model has a name of its own, so that no other group takes its requests; the team calls it by the public one.
		p.Info["team_public_model_name"] = p.Name
		p.Name = "model_name_" + team.TeamID + "_" + newID()
	}
	if err := p.write(&row); err != nil {
		return nil, err
	}
	if err := a.checkModel(&p); err != nil {
		return nil, err
	}
	err = a.Store.Tx(c.ctx(), func(tx store.Store) error {
		if err := tx.Models().Create(c.ctx(), &row); err != nil {
			if errors.Is(err, store.ErrConflict) {
				return badRequest("model_info.id", "There is a model with this id already: "+row.ModelID)
			}
			return err
		}
		if team != nil {
			if _, err := tx.Teams().Update(c.ctx(), team.TeamID, func(t *store.Team) error {
				if public := p.text("team_public_model_name"); len(t.Models) > 0 && !slices.Contains(t.Models, public) {
					t.Models = append(slices.Clone(t.Models), public)
				}
				return nil
			}); err != nil {
				return err
			}
		}
		return c.audit(tx, "created", "LiteLLM_ProxyModelTable", row.ModelID, nil, row)
	})
	if err != nil {
		return nil, err
	}
	if err := a.apply(c); err != nil {
		return nil, err
	}
	return modelView(&row)
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	const hex = "0123456789abcdef"
	out := make([]byte, 0, 36)
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out = append(out, '-')
		}
		out = append(out, hex[c>>4], hex[c&15])
	}
	return string(out)
}

// modelTeam is the team that a model is for. Who is no administrator may make models for teams he administers only.
func (a *API) modelTeam(c *call, id string) (*store.Team, error) {
	if id != "" {
		return a.findTeam(c, id, true)
	}
	if !c.admin() {
		return nil, forbidden("Only proxy admins may change models that belong to no team. Team admins give model_info.team_id.")
	}
	return nil, nil
}

// checkModel asks whether a deployment can be made of it, before it is kept.
func (a *API) checkModel(p *modelParams) error {
	if model, _ := p.Params["model"].(string); model == "" {
		return badRequest("litellm_params.model", "litellm_params.model is missing: write it like openai/gpt-4o.")
	}
	if a.Policy.CheckModel == nil {
		return nil
	}
	if err := a.Policy.CheckModel(p.Name, p.Params, p.Info); err != nil {
		if errors.Is(err, store.ErrUnavailable) {
			return err
		}
		return badRequest("litellm_params", "The model cannot be used: "+err.Error())
	}
	return nil
}

// apply makes what changed take effect on this replica now; the others notice by themselves.
func (a *API) apply(c *call) error {
	if a.Policy.Apply == nil {
		return nil
	}
	return a.Policy.Apply(c.ctx())
}

func (p *modelParams) write(row *store.Model) (err error) {
	row.ModelName = p.Name
	if row.LitellmParams, err = json.Marshal(p.Params); err != nil {
		return err
	}
	row.ModelInfo, err = json.Marshal(p.Info)
	return err
}

func (p *modelParams) read(row *store.Model) error {
	p.Name, p.Params, p.Info = row.ModelName, map[string]any{}, map[string]any{}
	if err := json.Unmarshal(row.LitellmParams, &p.Params); err != nil {
		return err
	}
	if isNull(row.ModelInfo) {
		return nil
	}
	return json.Unmarshal(row.ModelInfo, &p.Info)
}

// modelView is a model as answers show it: no secret can be read back.
func modelView(row *store.Model) (map[string]any, error) {
	m, err := members(row)
	if err != nil {
		return nil, err
	}
	if params, ok := m["litellm_params"].(map[string]any); ok {
		maskParams(params)
	}
	return m, nil
}

// maskParams hides the values of a deployment's settings that are secrets.
func maskParams(params map[string]any) {
	for name, v := range params {
		if secretName(name) && v != nil {
			params[name] = maskAll(v)
		}
	}
}

func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"api_key", "secret", "token", "password", "credential", "private", "access_key", "extra_headers", "headers"} {
		if strings.Contains(name, part) && name != "max_tokens" && !strings.Contains(name, "per_token") && !strings.HasSuffix(name, "_tokens") {
			return true
		}
	}
	return false
}

func (a *API) findModel(c *call, id string) (*store.Model, error) {
	if id == "" {
		return nil, missing("model_info.id")
	}
	row, err := a.Store.Models().Get(c.ctx(), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, badRequest("id", "Model with id="+id+" not found in db. Models of the configuration file are changed there.")
	}
	return row, err
}

// updateModel changes a model. What the request leaves out stays; a setting given as null goes.
func (a *API) updateModel(c *call) (any, error) {
	var p modelParams
	if err := c.body(&p); err != nil {
		return nil, err
	}
	if err := a.stored(); err != nil {
		return nil, err
	}
	id := c.r.PathValue("id")
	if id == "" {
		id = p.text("id")
	}
	row, err := a.findModel(c, id)
	if err != nil {
		return nil, err
	}
	var have modelParams
	if err := have.read(row); err != nil {
		return nil, err
	}
	if _, err := a.modelTeam(c, have.text("team_id")); err != nil {
		return nil, err
	}
	if next := p.text("team_id"); next != "" && next != have.text("team_id") {
		return nil, badRequest("model_info.team_id", "A model cannot be given to another team: make a new one there.")
	}
	if !c.admin() && p.Name != "" && p.Name != have.Name {
		return nil, forbidden("Only proxy admins may rename models.")
	}
	merge := func(have *modelParams) {
		if p.Name != "" {
			have.Name = p.Name
		}
		overlay(have.Params, p.Params)
		overlay(have.Info, p.Info)
		have.Info["id"], have.Info["db_model"] = row.ModelID, true
	}
	merge(&have)
	if err := a.checkModel(&have); err != nil {
		return nil, err
	}
	var next *store.Model
	err = a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		var before store.Model
		next, err = tx.Models().Update(c.ctx(), row.ModelID, func(m *store.Model) error {
			before = *m
			var now modelParams
			if err := now.read(m); err != nil {
				return err
			}
			merge(&now)
			m.UpdatedBy = string(c.actor())
			return now.write(m)
		})
		if err != nil {
			return err
		}
		return c.audit(tx, "updated", "LiteLLM_ProxyModelTable", row.ModelID, before, next)
	})
	if err != nil {
		return nil, err
	}
	if err := a.apply(c); err != nil {
		return nil, err
	}
	return modelView(next)
}

// overlay sets the members of more in m; null removes.
func overlay(m, more map[string]any) {
	maps.Copy(m, more)
	maps.DeleteFunc(m, func(name string, v any) bool { _, named := more[name]; return named && v == nil })
}

func (a *API) deleteModel(c *call) (any, error) {
	var q struct {
		ID string `json:"id"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if err := a.stored(); err != nil {
		return nil, err
	}
	if q.ID == "" {
		return nil, missing("id")
	}
	row, err := a.findModel(c, q.ID)
	if err != nil {
		return nil, err
	}
	var p modelParams
	if err := p.read(row); err != nil {
		return nil, err
	}
	team, err := a.modelTeam(c, p.text("team_id"))
	if err != nil {
		return nil, err
	}
	err = a.Store.Tx(c.ctx(), func(tx store.Store) error {
		if _, err := tx.Models().Delete(c.ctx(), q.ID); err != nil {
			return err
		}
		if team != nil {
			if _, err := tx.Teams().Update(c.ctx(), team.TeamID, func(t *store.Team) error {
				t.Models = slices.DeleteFunc(slices.Clone(t.Models), func(m string) bool { return m == p.text("team_public_model_name") })
				return nil
			}); err != nil {
				return err
			}
		}
		return c.audit(tx, "deleted", "LiteLLM_ProxyModelTable", q.ID, row, nil)
	})
	if err != nil {
		return nil, err
	}
	if err := a.apply(c); err != nil {
		return nil, err
	}
	return map[string]any{"message": "Model: " + q.ID + " deleted successfully"}, nil
}
