package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// teamRoutes are the routes of litellm/proxy/management_endpoints/team_endpoints.py.
func (a *API) teamRoutes() []route {
	return []route{
		{"POST", "/team/new", orgAdmin, a.newTeam},
		{"POST", "/team/update", users, a.updateTeam},
		{"POST", "/team/delete", orgAdmin, a.deleteTeams},
		{"GET", "/team/info", everybody, a.teamInfo},
		{"GET", "/team/list", everybody, a.listTeams},
		{"GET", "/v2/team/list", everybody, a.pageTeams},
		{"GET", "/team/filter/ui", everybody, a.filterTeams},
		{"GET", "/team/available", everybody, a.availableTeams},
		{"POST", "/team/block", adminOnly, func(c *call) (any, error) { return a.blockTeam(c, true) }},
		{"POST", "/team/unblock", adminOnly, func(c *call) (any, error) { return a.blockTeam(c, false) }},
		{"POST", "/team/model/add", users, func(c *call) (any, error) { return a.teamModels(c, true) }},
		{"POST", "/team/model/delete", users, func(c *call) (any, error) { return a.teamModels(c, false) }},
		{"POST", "/team/member_add", users, a.addMember},
		{"POST", "/team/bulk_member_add", users, a.addMembers},
		{"POST", "/team/member_delete", users, a.deleteMember},
		{"POST", "/team/member_update", users, a.updateMember},
		{"GET", "/team/permissions_list", users | keyOnly, a.teamPermissions},
		{"POST", "/team/permissions_update", users, a.setTeamPermissions},
		{"POST", "/team/{team_id}/callback", users, a.addTeamCallback},
		{"GET", "/team/{team_id}/callback", users, a.teamCallbacks},
		{"POST", "/team/{team_id}/disable_logging", users, a.disableTeamLogging},
	}
}

// teamParams are the members of a request for a new or changed team (NewTeamRequest and UpdateTeamRequest in
// litellm/proxy/_types.py).
type teamParams struct {
	limits
	TeamID                *string         `json:"team_id"`
	TeamAlias             *string         `json:"team_alias"`
	OrganizationID        *string         `json:"organization_id"`
	Admins                *[]string       `json:"admins"`
	Members               *[]string       `json:"members"`
	MembersWithRoles      []member        `json:"members_with_roles"`
	TeamMemberPermissions *[]string       `json:"team_member_permissions"`
	Metadata              map[string]any  `json:"metadata"`
	Models                *[]string       `json:"models"`
	Blocked               *bool           `json:"blocked"`
	RouterSettings        json.RawMessage `json:"router_settings"`
	AccessGroupIDs        *[]string       `json:"access_group_ids"`
	Policies              *[]string       `json:"policies"`
	ModelAliases          json.RawMessage `json:"model_aliases"`

	ObjectPermission         *store.ObjectPermission `json:"object_permission"`
	AllowTeamGuardrailConfig *bool                   `json:"allow_team_guardrail_config"`

	// What every member of the team may spend and send, unless something else is said of him.
	MemberBudget         *float64 `json:"team_member_budget"`
	MemberBudgetDuration *string  `json:"team_member_budget_duration"`
	MemberRPM            *int64   `json:"team_member_rpm_limit"`
	MemberTPM            *int64   `json:"team_member_tpm_limit"`
}

func (p *teamParams) check(c *call) error {
	if err := p.limits.check(); err != nil {
		return err
	}
	if p.MemberBudget != nil && *p.MemberBudget < 0 {
		return badRequest("team_member_budget", "team_member_budget cannot be negative. Received: "+fmt.Sprint(*p.MemberBudget))
	}
	member := limits{MaxBudget: p.MemberBudget, BudgetDuration: p.MemberBudgetDuration, RPMLimit: p.MemberRPM, TPMLimit: p.MemberTPM}
	if err := member.check(); err != nil {
		return err
	}
	if !isNull(p.ModelAliases) {
		var m map[string]string
		if json.Unmarshal(p.ModelAliases, &m) != nil {
			return unprocessable{[]detail{{Loc: []any{"body", "model_aliases"}, Msg: "Input should be an object of model names", Type: "dict_type"}}}
		}
	}
	for i := range p.MembersWithRoles {
		if err := p.MembersWithRoles[i].check(); err != nil {
			return err
		}
	}
	return c.checkMetadata()
}

// softBelow refuses an alert that comes when nothing can be spent any more.
func (p *teamParams) softBelow(t *store.Team) error {
	if t.SoftBudget == nil || t.MaxBudget == nil || *t.SoftBudget < *t.MaxBudget {
		return nil
	}
	if p.SoftBudget == nil {
		return badRequest("max_budget", fmt.Sprintf("max_budget (%v) must be strictly greater than soft_budget (%v)", *t.MaxBudget, *t.SoftBudget))
	}
	return badRequest("soft_budget", fmt.Sprintf("soft_budget (%v) must be strictly lower than max_budget (%v)", *t.SoftBudget, *t.MaxBudget))
}

// apply writes what the request gave into a team, besides its members.
func (p *teamParams) apply(c *call, t *store.Team) (err error) {
	set := func(name string, do func()) {
		if c.given(name) {
			do()
		}
	}
	set("team_alias", func() { t.TeamAlias = text(p.TeamAlias) })
	set("organization_id", func() { t.OrganizationID = text(p.OrganizationID) })
	set("models", func() { t.Models = list(p.Models) })
	set("blocked", func() { t.Blocked = value(p.Blocked) })
	set("max_budget", func() { t.MaxBudget = p.MaxBudget })
	set("soft_budget", func() { t.SoftBudget = p.SoftBudget })
	set("tpm_limit", func() { t.TPMLimit = p.TPMLimit })
	set("rpm_limit", func() { t.RPMLimit = p.RPMLimit })
	set("max_parallel_requests", func() { t.MaxParallelRequests = p.MaxParallelRequests })
	set("model_max_budget", func() { t.ModelMaxBudget = object(p.ModelMaxBudget) })
	set("router_settings", func() { t.RouterSettings = object(p.RouterSettings) })
	set("access_group_ids", func() { t.AccessGroupIDs = list(p.AccessGroupIDs) })
	set("policies", func() { t.Policies = list(p.Policies) })
	set("team_member_permissions", func() { t.TeamMemberPermissions = list(p.TeamMemberPermissions) })
	set("allow_team_guardrail_config", func() { t.AllowTeamGuardrailConfig = value(p.AllowTeamGuardrailConfig) })
	if c.given("budget_duration") {
		t.BudgetDuration, t.BudgetResetAt = text(p.BudgetDuration), nil
		if at, err := store.NextReset(string(t.BudgetDuration), c.a.Now(), c.a.zone()); err == nil {
			t.BudgetResetAt = store.Ptr(at)
		}
	}
	if p.SoftBudget != nil || p.MaxBudget != nil {
		if err := p.softBelow(t); err != nil {
			return err
		}
	}
	t.Metadata, err = c.metadata(t.Metadata, p.Metadata)
	return err
}

func (a *API) newTeam(c *call) (any, error) {
	var p teamParams
	err := c.bodyVia(&p, func(m map[string]any) (map[string]any, error) {
		fillDefaults(m, a.Policy.TeamDefaults)
		return m, nil
	})
	if err != nil {
		return nil, err
	}
	if err := p.check(c); err != nil {
		return nil, err
	}
	if err := a.mayJoinOrg(c, value(p.OrganizationID)); err != nil {
		return nil, err
	}
	wish := store.Team{TeamID: value(p.TeamID)}
	if wish.TeamID == llm.SessionTeam {
		return nil, badRequest("team_id", "The team id "+wish.TeamID+" is that of logins.")
	}
	if err := p.apply(c, &wish); err != nil {
		return nil, err
	}
	var out map[string]any
	err = a.Store.Tx(c.ctx(), func(tx store.Store) error {
		t := wish // the transaction may run again
		if err := a.teamParts(c, tx, &p, &t); err != nil {
			return err
		}
		if err := tx.Teams().Create(c.ctx(), &t); err != nil {
			if errors.Is(err, store.ErrConflict) {
				return badRequest("team_id", "Team id = "+t.TeamID+" already exists. Please use a different team id.")
			}
			return reference400(err)
		}
		if err := a.enrol(c, tx, &t, p.founders(c)); err != nil {
			return err
		}
		if out, err = a.teamView(c, tx, &t); err != nil {
			return err
		}
		return c.audit(tx, "created", "LiteLLM_TeamTable", t.TeamID, nil, t)
	})
	return out, err
}

func reference400(err error) error {
	if errors.Is(err, store.ErrReference) {
		return badRequest("", "The request names an organization, budget or other entry that does not exist.")
	}
	return err
}

// founders are the members that a new team begins with. Who makes it administers it, if he is a person.
func (p *teamParams) founders(c *call) []newMember {
	all := p.MembersWithRoles
	has := func(id string) bool {
		return slices.ContainsFunc(all, func(m member) bool { return string(m.UserID) == id })
	}
	for _, id := range value(p.Admins) {
		if !has(id) {
			all = append(all, member{Role: "admin", UserID: store.Text(id)})
		}
	}
	for _, id := range value(p.Members) {
		if !has(id) {
			all = append(all, member{Role: "user", UserID: store.Text(id)})
		}
	}
	if c.who.UserID != "" && !has(c.who.UserID) {
		all = append(all, member{Role: "admin", UserID: store.Text(c.who.UserID)})
	}
	out := make([]newMember, 0, len(all))
	for _, m := range all {
		out = append(out, newMember{member: m})
	}
	return out
}

// mayJoinOrg lets administrators, and those of the organization, put a team into it.
func (a *API) mayJoinOrg(c *call, org string) error {
	if org != "" {
		if _, err := a.Store.Organizations().Get(c.ctx(), org); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				return badRequest("organization_id", "Organization not found, passed organization_id="+org)
			}
			return err
		}
	}
	if c.admin() {
		return nil
	}
	lead, err := c.leadsOrg(org)
	if err == nil && !lead {
		err = forbidden("Only proxy admins and admins of the team's organization may create or move a team. Your role=" + string(c.who.Role))
	}
	return err
}

// teamParts makes the rows that a team refers to.
func (a *API) teamParts(c *call, tx store.Store, p *teamParams, t *store.Team) error {
	if c.given("model_aliases") {
		m := store.TeamModel{ModelAliases: object(p.ModelAliases), CreatedBy: string(c.actor()), UpdatedBy: string(c.actor())}
		if t.ModelID != nil {
			m.ID = *t.ModelID
			if _, err := tx.TeamModels().Update(c.ctx(), m.ID, func(row *store.TeamModel) error {
				row.ModelAliases, row.UpdatedBy = m.ModelAliases, m.UpdatedBy
				return nil
			}); err != nil {
				return err
			}
		} else {
			if err := tx.TeamModels().Create(c.ctx(), &m); err != nil {
				return err
			}
			t.ModelID = &m.ID
		}
	}
	if err := putPermission(c, tx, p.ObjectPermission, &t.ObjectPermissionID); err != nil {
		return err
	}
	return a.memberBudget(c, tx, p, t)
}

// memberBudget makes or changes the budget that members have unless they are given one of their own. The reference keeps
// its id in the team's metadata.
func (a *API) memberBudget(c *call, tx store.Store, p *teamParams, t *store.Team) error {
	if p.MemberBudget == nil && p.MemberRPM == nil && p.MemberTPM == nil && p.MemberBudgetDuration == nil {
		return nil
	}
	meta := map[string]any{}
	if !isNull(t.Metadata) {
		if err := json.Unmarshal(t.Metadata, &meta); err != nil {
			return err
		}
	}
	change := func(b *store.Budget) error {
		if p.MemberBudget != nil {
			b.MaxBudget = p.MemberBudget
		}
		if p.MemberRPM != nil {
			b.RPMLimit = p.MemberRPM
		}
		if p.MemberTPM != nil {
			b.TPMLimit = p.MemberTPM
		}
		if p.MemberBudgetDuration != nil {
			b.BudgetDuration = text(p.MemberBudgetDuration)
			if at, err := store.NextReset(string(b.BudgetDuration), a.Now(), a.zone()); err == nil {
				b.BudgetResetAt = store.Ptr(at)
			}
		}
		b.UpdatedBy = string(c.actor())
		return nil
	}
	if id, ok := meta["team_member_budget_id"].(string); ok && id != "" {
		_, err := tx.Budgets().Update(c.ctx(), id, change)
		return err
	}
	b := store.Budget{CreatedBy: string(c.actor())}
	_ = change(&b)
	if err := tx.Budgets().Create(c.ctx(), &b); err != nil {
		return err
	}
	meta["team_member_budget_id"] = b.BudgetID
	raw, err := json.Marshal(meta)
	t.Metadata = raw
	return err
}

// findTeam reads a team, for a caller who administers it.
func (a *API) findTeam(c *call, id string, lead bool) (*store.Team, error) {
	if id == "" {
		return nil, missing("team_id")
	}
	t, err := a.Store.Teams().Get(c.ctx(), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("team_id", "Team not found, passed team id: "+id+".")
	}
	if err != nil || c.admin() || !lead && c.sees() {
		return t, err
	}
	ok, err := c.leads(t)
	if err != nil {
		return nil, err
	}
	if !ok && !lead {
		role, err := roleIn(t, c.who.UserID)
		if err != nil {
			return nil, err
		}
		ok = role != "" || c.who.TeamID == t.TeamID
	}
	if !ok {
		return nil, forbidden("You are not allowed to access team=" + id + " this way: only proxy admins, admins of the team and of its organization are. Your user_id=" + c.who.UserID)
	}
	return t, nil
}

// teamView is a team as answers show it.
func (a *API) teamView(c *call, s store.Store, t *store.Team) (map[string]any, error) {
	m, err := members(t)
	if err != nil {
		return nil, err
	}
	all, err := membersOf(t)
	if err != nil {
		return nil, err
	}
	if all == nil {
		all = []member{}
	}
	maskLogging(m)
	m["members_with_roles"], m["litellm_model_table"], m["object_permission"] = all, nil, nil
	if t.ModelID != nil {
		table, err := s.TeamModels().Get(c.ctx(), *t.ModelID)
		if err == nil {
			m["litellm_model_table"] = table
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	if t.ObjectPermissionID != "" {
		o, err := s.ObjectPermissions().Get(c.ctx(), string(t.ObjectPermissionID))
		if err == nil {
			m["object_permission"] = o
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return m, nil
}

func (a *API) deleteTeams(c *call) (any, error) {
	var q struct {
		IDs []string `json:"team_ids"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if len(q.IDs) == 0 {
		return nil, missing("team_ids")
	}
	for _, id := range q.IDs {
		if _, err := a.findTeam(c, id, true); err != nil {
			return nil, err
		}
	}
	var gone []store.Team
	var keys []string
	err := a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		if gone, keys, err = tx.Teams().Archive(c.ctx(), q.IDs, c.deletion()); err != nil {
			return err
		}
		for i := range gone {
			if err := c.audit(tx, "deleted", "LiteLLM_TeamTable", gone[i].TeamID, gone[i], nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.forget(keys...)
	return gone, nil
}

func (a *API) teamInfo(c *call) (any, error) {
	id := c.query("team_id")
	if id == "" {
		id = c.who.TeamID
	}
	if id == "" {
		return nil, missingQuery("team_id")
	}
	t, err := a.findTeam(c, id, false)
	if err != nil {
		return nil, err
	}
	view, err := a.teamView(c, a.Store, t)
	if err != nil {
		return nil, err
	}
	keys, err := a.Store.Keys().Find(c.ctx(), store.Query{Where: []store.Cond{store.Eq("team_id", id)}})
	if err != nil {
		return nil, err
	}
	if lead, err := c.leads(t); err != nil {
		return nil, err
	} else if !lead && !c.sees() {
		keys = slices.DeleteFunc(keys, func(k store.Key) bool { return c.who.UserID == "" || string(k.UserID) != c.who.UserID })
	}
	memberships, err := a.membershipViews(c, a.Store, store.Eq("team_id", id))
	if err != nil {
		return nil, err
	}
	if view["team_member_budget_table"], err = a.memberBudgetOf(c, t); err != nil {
		return nil, err
	}
	shown, err := a.keyViews(c, a.Store, keys)
	return map[string]any{"team_id": id, "team_info": view, "keys": shown, "team_memberships": memberships}, err
}

// memberBudgetOf is the budget of members that have none of their own, or nil.
func (a *API) memberBudgetOf(c *call, t *store.Team) (any, error) {
	var meta struct {
		Budget string `json:"team_member_budget_id"`
	}
	if !isNull(t.Metadata) {
		_ = json.Unmarshal(t.Metadata, &meta) // anything may be in there; what is no text is no id
	}
	if meta.Budget == "" {
		return nil, nil
	}
	b, err := a.Store.Budgets().Get(c.ctx(), meta.Budget)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

// rows makes a nil list an empty one.
func rows[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
