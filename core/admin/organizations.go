package admin

import (
	"errors"

	"github.com/sallyport-ai/sallyport/core/store"
)

// organizationRoutes are the routes of litellm/proxy/management_endpoints/organization_endpoints.py.
func (a *API) organizationRoutes() []route {
	return []route{
		{"POST", "/organization/new", adminOnly, a.newOrganization},
		{"PATCH", "/organization/update", orgAdmin, a.updateOrganization},
		{"DELETE", "/organization/delete", adminOnly, a.deleteOrganizations},
		{"GET", "/organization/info", viewer | orgAdmin | internal, a.organizationInfo},
		{"POST", "/organization/info", viewer | orgAdmin, a.organizationInfos},
		{"GET", "/organization/list", everybody, a.listOrganizations},
		{"POST", "/organization/member_add", orgAdmin, a.addOrgMember},
		{"PATCH", "/organization/member_update", orgAdmin, a.updateOrgMember},
		{"DELETE", "/organization/member_delete", orgAdmin, a.deleteOrgMember},
	}
}

type organizationParams struct {
	limits
	ID       *string        `json:"organization_id"`
	Alias    *string        `json:"organization_alias"`
	Models   *[]string      `json:"models"`
	BudgetID *string        `json:"budget_id"`
	Metadata map[string]any `json:"metadata"`

	ObjectPermission *store.ObjectPermission `json:"object_permission"`
}

func (p *organizationParams) fill(c *call, tx store.Store, o *store.Organization) (err error) {
	if c.given("organization_alias") {
		o.OrganizationAlias = value(p.Alias)
	}
	if c.given("models") {
		o.Models = list(p.Models)
	}
	if o.Metadata, err = c.metadata(o.Metadata, p.Metadata); err != nil {
		return err
	}
	if err := putPermission(c, tx, p.ObjectPermission, &o.ObjectPermissionID); err != nil {
		return err
	}
	if c.given("budget_id") && value(p.BudgetID) != "" {
		o.BudgetID = *p.BudgetID
	}
	id, err := p.budget(c, tx, store.Text(o.BudgetID))
	o.BudgetID = string(id)
	o.UpdatedBy = string(c.actor())
	return err
}

func (a *API) newOrganization(c *call) (any, error) {
	var p organizationParams
	if err := c.body(&p); err != nil {
		return nil, err
	}
	if value(p.Alias) == "" {
		return nil, missing("organization_alias")
	}
	if err := p.limits.check(); err != nil {
		return nil, err
	}
	o := store.Organization{OrganizationID: value(p.ID), CreatedBy: string(c.actor())}
	var out map[string]any
	err := a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		o.BudgetID, o.ObjectPermissionID = "", ""
		if err := p.fill(c, tx, &o); err != nil {
			return err
		}
		if o.BudgetID == "" { // every organization has one
			b := store.Budget{CreatedBy: string(c.actor()), UpdatedBy: string(c.actor())}
			if err := tx.Budgets().Create(c.ctx(), &b); err != nil {
				return err
			}
			o.BudgetID = b.BudgetID
		}
		if err := tx.Organizations().Create(c.ctx(), &o); err != nil {
			if errors.Is(err, store.ErrConflict) {
				return badRequest("organization_id", "Organization already exists, passed organization_id="+o.OrganizationID)
			}
			return reference400(err)
		}
		if out, err = a.orgRow(c, tx, &o); err != nil {
			return err
		}
		return c.audit(tx, "created", "LiteLLM_OrganizationTable", o.OrganizationID, nil, o)
	})
	return out, err
}

// orgRow is an organization with its budget and object permission (NewOrganizationResponse in litellm/proxy/_types.py).
func (a *API) orgRow(c *call, s store.Store, o *store.Organization) (map[string]any, error) {
	m, err := members(o)
	if err != nil {
		return nil, err
	}
	r, err := a.relate(c, s, []string{o.BudgetID}, []string{string(o.ObjectPermissionID)})
	if err != nil {
		return nil, err
	}
	r.put(m, o.BudgetID, string(o.ObjectPermissionID))
	m["users"] = nil // the reference has it, and nothing in it
	return m, nil
}

// findOrg reads an organization for a caller who may change it, or only see it.
func (a *API) findOrg(c *call, id string, change bool) (*store.Organization, error) {
	if id == "" {
		return nil, missing("organization_id")
	}
	o, err := a.Store.Organizations().Get(c.ctx(), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("organization_id", "Organization not found, passed organization_id="+id)
	}
	if err != nil || c.admin() || !change && c.sees() {
		return o, err
	}
	lead, err := c.leadsOrg(id)
	if err == nil && !lead && !change && c.who.UserID != "" {
		var n int64
		n, err = a.Store.OrganizationMemberships().Count(c.ctx(), store.Eq("user_id", c.who.UserID), store.Eq("organization_id", id))
		lead = n > 0
	}
	if err == nil && !lead {
		err = forbidden("You are not an admin of organization " + id + ". Your user_id=" + c.who.UserID)
	}
	return o, err
}

func (a *API) updateOrganization(c *call) (any, error) {
	var p organizationParams
	if err := c.bodyVia(&p, flatBudget); err != nil {
		return nil, err
	}
	if err := p.limits.check(); err != nil {
		return nil, err
	}
	if _, err := a.findOrg(c, value(p.ID), true); err != nil {
		return nil, err
	}
	if !c.admin() {
		for _, name := range []string{"max_budget", "budget_id", "budget_duration", "tpm_limit", "rpm_limit", "model_max_budget", "max_parallel_requests"} {
			if c.given(name) {
				return nil, forbidden("Only proxy admins may change `" + name + "` of an organization.")
			}
		}
	}
	var next *store.Organization
	err := a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		var before store.Organization
		next, err = tx.Organizations().Update(c.ctx(), *p.ID, func(o *store.Organization) error {
			before = *o
			return p.fill(c, tx, o)
		})
		if err != nil {
			return reference400(err)
		}
		return c.audit(tx, "updated", "LiteLLM_OrganizationTable", next.OrganizationID, before, next)
	})
	if err != nil {
		return nil, err
	}
	return a.orgView(c, a.Store, next)
}

// orgView is an organization with budget, members and teams (LiteLLM_OrganizationTableWithMembers).
func (a *API) orgView(c *call, s store.Store, o *store.Organization) (map[string]any, error) {
	m, err := a.orgRow(c, s, o)
	if err != nil {
		return nil, err
	}
	people, err := s.OrganizationMemberships().Find(c.ctx(), store.Query{Where: []store.Cond{store.Eq("organization_id", o.OrganizationID)}})
	if err != nil {
		return nil, err
	}
	teams, err := s.Teams().Find(c.ctx(), store.Query{Where: []store.Cond{store.Eq("organization_id", o.OrganizationID)}})
	if err != nil {
		return nil, err
	}
	views := []any{}
	for i := range teams {
		v, err := a.teamView(c, s, &teams[i])
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	m["teams"] = views
	m["members"], err = a.orgShipViews(c, s, people)
	return m, err
}

// flatBudget puts the limits that a request has in litellm_budget_table, as answers do, where they are looked for
// (handle_nested_budget_structure_in_organization_update_request in organization_endpoints.py).
func flatBudget(m map[string]any) (map[string]any, error) {
	nested, _ := m["litellm_budget_table"].(map[string]any)
	delete(m, "litellm_budget_table")
	for _, name := range []string{
		"budget_id", "soft_budget", "max_budget", "max_parallel_requests", "tpm_limit", "rpm_limit", "model_max_budget", "budget_duration",
	} {
		if v := nested[name]; v != nil {
			m[name] = v
		}
	}
	return m, nil
}

func (a *API) deleteOrganizations(c *call) (any, error) {
	var q struct {
		IDs []string `json:"organization_ids"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if len(q.IDs) == 0 {
		return nil, missing("organization_ids")
	}
	gone := []any{}
	var hashes []string
	err := a.Store.Tx(c.ctx(), func(tx store.Store) error {
		gone, hashes = gone[:0], nil
		for _, id := range q.IDs {
			o, err := tx.Organizations().Get(c.ctx(), id)
			if errors.Is(err, store.ErrNotFound) {
				return notFound("organization_ids", "Organization not found, passed organization_id="+id)
			}
			if err != nil {
				return err
			}
			view, err := a.orgView(c, tx, o)
			if err != nil {
				return err
			}
			keys, err := a.emptyOrg(c, tx, id)
			if err != nil {
				return err
			}
			hashes = append(hashes, keys...)
			if _, err := tx.Organizations().Delete(c.ctx(), id); err != nil {
				return reference400(err)
			}
			if err := c.audit(tx, "deleted", "LiteLLM_OrganizationTable", id, o, nil); err != nil {
				return err
			}
			gone = append(gone, view)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.forget(hashes...)
	return gone, nil
}

// emptyOrg deletes what belongs to an organization, and returns the hashes of the keys that are gone.
func (a *API) emptyOrg(c *call, tx store.Store, id string) ([]string, error) {
	in := []store.Cond{store.Eq("organization_id", id)}
	people, err := tx.OrganizationMemberships().Find(c.ctx(), store.Query{Where: in})
	if err != nil {
		return nil, err
	}
	for _, p := range people {
		if _, err := tx.OrganizationMemberships().Delete(c.ctx(), store.Membership{UserID: p.UserID, Group: id}); err != nil {
			return nil, err
		}
	}
	teams, err := tx.Teams().Find(c.ctx(), store.Query{Where: in})
	if err != nil {
		return nil, err
	}
	var teamIDs []string
	for i := range teams {
		teamIDs = append(teamIDs, teams[i].TeamID)
	}
	var hashes []string
	if len(teamIDs) > 0 {
		if _, hashes, err = tx.Teams().Archive(c.ctx(), teamIDs, c.deletion()); err != nil {
			return nil, err
		}
	}
	keys, err := tx.Keys().Find(c.ctx(), store.Query{Where: in})
	if err != nil {
		return nil, err
	}
	var own []string
	for i := range keys {
		own = append(own, keys[i].Token)
	}
	if len(own) > 0 {
		if _, err := tx.Keys().Archive(c.ctx(), own, c.deletion()); err != nil {
			return nil, err
		}
	}
	users, err := tx.Users().Find(c.ctx(), store.Query{Where: in})
	if err != nil {
		return nil, err
	}
	for i := range users {
		if _, err := tx.Users().Update(c.ctx(), users[i].UserID, func(u *store.User) error {
			u.OrganizationID = ""
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return append(hashes, own...), nil
}

func (a *API) organizationInfo(c *call) (any, error) {
	o, err := a.findOrg(c, c.query("organization_id"), false)
	if err != nil {
		return nil, err
	}
	return a.orgView(c, a.Store, o)
}

func (a *API) organizationInfos(c *call) (any, error) {
	var q struct {
		IDs []string `json:"organizations"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if len(q.IDs) == 0 {
		return nil, badRequest("organizations", "Specify list of organization id's to query. Passed in=[]")
	}
	out := []any{}
	for _, id := range q.IDs {
		o, err := a.findOrg(c, id, false)
		if err != nil {
			return nil, err
		}
		v, err := a.orgView(c, a.Store, o)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (a *API) listOrganizations(c *call) (any, error) {
	var where []store.Cond
	if v := c.query("org_alias"); v != "" {
		where = append(where, store.Where("organization_alias", store.Contains, v))
	}
	if v := c.query("org_id"); v != "" {
		where = append(where, store.Eq("organization_id", v))
	}
	if !c.sees() {
		mine, err := a.Store.OrganizationMemberships().Find(c.ctx(), store.Query{Where: []store.Cond{store.Eq("user_id", c.who.UserID)}})
		if err != nil {
			return nil, err
		}
		var in []string
		for _, m := range mine {
			in = append(in, m.OrganizationID)
		}
		where = append(where, store.OneOf("organization_id", in))
	}
	found, err := a.Store.Organizations().Find(c.ctx(), store.Query{Where: where})
	if err != nil {
		return nil, err
	}
	out := []any{}
	for i := range found {
		v, err := a.orgView(c, a.Store, &found[i])
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
