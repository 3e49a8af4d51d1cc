package admin

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/store"
)

// tagParams are the members of a request for a new or changed tag (TagNewRequest in litellm/types/tag_management.py). A
// model_info in it is not kept, there as here: it is looked up.
type tagParams struct {
	limits
	Name        string    `json:"name"`
	Description *string   `json:"description"`
	Models      *[]string `json:"models"`
	BudgetID    *string   `json:"budget_id"`
}

func (a *API) tagBody(c *call) (*tagParams, error) {
	p := &tagParams{}
	if err := c.body(p); err != nil {
		return nil, err
	}
	if p.Name == "" {
		return nil, missing("name")
	}
	return p, p.check()
}

func (p *tagParams) fill(c *call, tx store.Store, t *store.Tag) (err error) {
	if c.given("description") {
		t.Description = text(p.Description)
	}
	if c.given("models") {
		t.Models = list(p.Models)
		if t.ModelInfo, err = modelNames(c, tx, t.Models); err != nil {
			return err
		}
	}
	if c.given("budget_id") {
		t.BudgetID = text(p.BudgetID)
		return nil
	}
	t.BudgetID, err = p.budget(c, tx, t.BudgetID)
	return err
}

// modelNames are the names of models by their ids, of those in the database.
func modelNames(c *call, s store.Store, ids []string) (store.JSON, error) {
	names := map[string]string{}
	if len(ids) > 0 {
		found, err := s.Models().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf("model_id", ids)}})
		if err != nil {
			return nil, err
		}
		for i := range found {
			names[found[i].ModelID] = found[i].ModelName
		}
	}
	return json.Marshal(names)
}

// tagModels makes the deployments in the database that a new tag names, by id or by name, serve requests with the tag.
// Those of the configuration file have their tags there. It returns whether there were any.
func (a *API) tagModels(c *call, tx store.Store, tag string, models []string) (changed bool, err error) {
	for _, m := range models {
		found, err := tx.Models().Find(c.ctx(), store.Query{Where: []store.Cond{
			store.Or([]store.Cond{store.Eq("model_id", m)}, []store.Cond{store.Eq("model_name", m)})}})
		if err != nil {
			return false, err
		}
		if len(found) == 0 && a.Policy.Exists != nil && a.Policy.Exists(m) {
			return false, badRequest("models", "Model "+m+" is in the configuration file: add the tag to its litellm_params.tags there.")
		}
		for i := range found {
			if err := a.tagModel(c, tx, found[i].ModelID, tag); err != nil {
				return false, err
			}
			changed = true
		}
	}
	return changed, nil
}

func (a *API) tagModel(c *call, tx store.Store, id, tag string) error {
	var before store.Model
	next, err := tx.Models().Update(c.ctx(), id, func(row *store.Model) error {
		before = *row
		var p modelParams
		if err := p.read(row); err != nil {
			return err
		}
		tags, _ := p.Params["tags"].([]any)
		if !slices.Contains(tags, any(tag)) {
			p.Params["tags"] = append(tags, tag)
		}
		row.UpdatedBy = string(c.actor())
		return p.write(row)
	})
	if err != nil {
		return err
	}
	return c.audit(tx, "updated", "LiteLLM_ProxyModelTable", id, before, next)
}

func (a *API) newTag(c *call) (any, error) {
	p, err := a.tagBody(c)
	if err != nil {
		return nil, err
	}
	var t store.Tag
	routed := false
	err = a.Store.Tx(c.ctx(), func(tx store.Store) error {
		t = store.Tag{TagName: p.Name, CreatedBy: c.actor()}
		if err := p.fill(c, tx, &t); err != nil {
			return err
		}
		if err := tx.Tags().Create(c.ctx(), &t); err != nil {
			if errors.Is(err, store.ErrConflict) {
				return badRequest("name", "Tag "+p.Name+" already exists")
			}
			return reference400(err)
		}
		var err error
		if routed, err = a.tagModels(c, tx, t.TagName, t.Models); err != nil {
			return err
		}
		return c.audit(tx, "created", "LiteLLM_TagTable", t.TagName, nil, t)
	})
	if err == nil && routed {
		err = a.apply(c)
	}
	if err != nil {
		return nil, err
	}
	view, err := a.tagView(c, &t)
	return map[string]any{"message": "Tag " + p.Name + " created successfully", "tag": view}, err
}

func (a *API) updateTag(c *call) (any, error) {
	p, err := a.tagBody(c)
	if err != nil {
		return nil, err
	}
	var next *store.Tag
	err = a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		var before store.Tag
		next, err = tx.Tags().Update(c.ctx(), p.Name, func(t *store.Tag) error {
			before = *t
			return p.fill(c, tx, t)
		})
		if errors.Is(err, store.ErrNotFound) {
			return notFound("name", "Tag "+p.Name+" not found")
		}
		if err != nil {
			return reference400(err)
		}
		return c.audit(tx, "updated", "LiteLLM_TagTable", p.Name, before, next)
	})
	if err != nil {
		return nil, err
	}
	view, err := a.tagView(c, next)
	return map[string]any{"message": "Tag " + p.Name + " updated successfully", "tag": view}, err
}

func (a *API) tagView(c *call, t *store.Tag) (map[string]any, error) {
	views, err := a.tagViews(c, []store.Tag{*t})
	if err != nil {
		return nil, err
	}
	return views[0], nil
}

// tagViews are tags as answers show them (TagConfig): tag_name is name there.
func (a *API) tagViews(c *call, tags []store.Tag) ([]map[string]any, error) {
	ids := make([]string, len(tags))
	for i := range tags {
		ids[i] = string(tags[i].BudgetID)
	}
	r, err := a.relate(c, a.Store, ids, nil)
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for i := range tags {
		m, err := members(tags[i])
		if err != nil {
			return nil, err
		}
		r.put(m, ids[i], "")
		m["name"] = tags[i].TagName
		if m["model_info"] == nil {
			m["model_info"] = map[string]any{}
		}
		delete(m, "tag_name")
		delete(m, "object_permission")
		out = append(out, m)
	}
	return out, nil
}

func (a *API) tagInfo(c *call) (any, error) {
	var q struct {
		Names []string `json:"names"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if len(q.Names) == 0 {
		return nil, missing("names")
	}
	found, err := a.Store.Tags().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf("tag_name", q.Names)}})
	if err != nil {
		return nil, err
	}
	lacks := slices.DeleteFunc(slices.Clone(q.Names), func(name string) bool {
		return slices.ContainsFunc(found, func(t store.Tag) bool { return t.TagName == name })
	})
	if len(lacks) > 0 {
		return nil, notFound("names", "Tags not found: ['"+strings.Join(lacks, "', '")+"']")
	}
	views, err := a.tagViews(c, found)
	out := map[string]any{}
	for i, v := range views {
		out[found[i].TagName] = v
	}
	return out, err
}

// unkeptTag is what the list says of a tag that requests had and nobody made.
const unkeptTag = "This is just a spend tag that was passed dynamically in a request. It does not control any LLM models."

// listTags serves GET /tag/list: the tags that were made, and those that requests had.
func (a *API) listTags(c *call) (any, error) {
	found, err := a.Store.Tags().Find(c.ctx(), store.Query{})
	if err != nil {
		return nil, err
	}
	out, err := a.tagViews(c, found)
	if err != nil {
		return nil, err
	}
	spent, err := a.Store.Reports().Activity(c.ctx(), store.ActivityQuery{
		DailyFilter: store.DailyFilter{Entity: store.EntityTag}, By: []store.Dimension{store.ByEntity}, BySpend: true, Limit: mostRows,
	})
	if err != nil {
		return nil, err
	}
	now := store.Clean(a.Now())
	for _, s := range spent {
		if s.EntityID == "" || slices.ContainsFunc(found, func(t store.Tag) bool { return t.TagName == s.EntityID }) {
			continue
		}
		out = append(out, map[string]any{
			"name": s.EntityID, "description": unkeptTag, "models": nil, "model_info": nil, "spend": s.Spend, "budget_id": nil,
			"litellm_budget_table": nil, "created_at": now, "updated_at": now, "created_by": nil,
		})
	}
	return out, nil
}

func (a *API) deleteTag(c *call) (any, error) {
	var q struct {
		Name string `json:"name"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.Name == "" {
		return nil, missing("name")
	}
	err := a.Store.Tx(c.ctx(), func(tx store.Store) error {
		t, err := tx.Tags().Get(c.ctx(), q.Name)
		if errors.Is(err, store.ErrNotFound) {
			return notFound("name", "Tag "+q.Name+" not found")
		}
		if err != nil {
			return err
		}
		if _, err := tx.Tags().Delete(c.ctx(), q.Name); err != nil {
			return err
		}
		return c.audit(tx, "deleted", "LiteLLM_TagTable", q.Name, t, nil)
	})
	return map[string]any{"message": "Tag " + q.Name + " deleted successfully"}, err
}
