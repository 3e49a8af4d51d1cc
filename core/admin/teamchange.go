package admin

import (
	"errors"

	"github.com/sallyport-ai/sallyport/core/store"
)

func (a *API) updateTeam(c *call) (any, error) {
	var p teamParams
	if err := c.body(&p); err != nil {
		return nil, err
	}
	if err := p.check(c); err != nil {
		return nil, err
	}
	t, err := a.findTeam(c, value(p.TeamID), true)
	if err != nil {
		return nil, err
	}
	if c.given("organization_id") && value(p.OrganizationID) != string(t.OrganizationID) {
		if err := a.mayJoinOrg(c, value(p.OrganizationID)); err != nil {
			return nil, err
		}
	}
	if !c.admin() {
		for _, name := range []string{"max_budget", "budget_duration", "tpm_limit", "rpm_limit", "blocked"} {
			if org, err := c.leadsOrg(string(t.OrganizationID)); err != nil || c.given(name) && !org {
				if err == nil {
					err = forbidden("Only proxy admins and admins of the team's organization may change `" + name + "` of a team.")
				}
				return nil, err
			}
		}
	}
	view, err := a.changeTeam(c, t.TeamID, "updated", func(tx store.Store, t *store.Team) error {
		if err := p.apply(c, t); err != nil {
			return err
		}
		return a.teamParts(c, tx, &p, t)
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"team_id": t.TeamID, "data": view}, nil
}

// changeTeam changes one team and writes down who did.
func (a *API) changeTeam(c *call, id, action string, change func(tx store.Store, t *store.Team) error) (map[string]any, error) {
	var view map[string]any
	err := a.Store.Tx(c.ctx(), func(tx store.Store) error {
		var before store.Team
		t, err := tx.Teams().Update(c.ctx(), id, func(t *store.Team) error {
			before = *t
			return change(tx, t)
		})
		if errors.Is(err, store.ErrNotFound) {
			return notFound("team_id", "Team not found, passed team_id="+id)
		}
		if err != nil {
			return reference400(err)
		}
		if view, err = a.teamView(c, tx, t); err != nil {
			return err
		}
		return c.audit(tx, action, "LiteLLM_TeamTable", id, before, t)
	})
	return view, err
}
