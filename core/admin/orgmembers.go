package admin

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/sallyport-ai/sallyport/core/store"
)

type orgMember struct {
	Role      string     `json:"role"`
	UserID    store.Text `json:"user_id"`
	UserEmail store.Text `json:"user_email"`
}

func (m *orgMember) check() error {
	if m.UserID == "" && m.UserEmail == "" {
		return badRequest("member", "Either user_id or user_email must be provided for a member.")
	}
	if !slices.Contains([]string{"org_admin", "internal_user", "internal_user_viewer"}, m.Role) {
		return unprocessable{[]detail{{Loc: []any{"body", "member", "role"}, Msg: "Input should be 'org_admin', 'internal_user' or 'internal_user_viewer'", Type: "literal_error"}}}
	}
	return nil
}

func (a *API) addOrgMember(c *call) (any, error) {
	var q struct {
		ID     string          `json:"organization_id"`
		Member json.RawMessage `json:"member"`
		Budget *float64        `json:"max_budget_in_organization"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if _, err := a.findOrg(c, q.ID, true); err != nil {
		return nil, err
	}
	if err := (&limits{MaxBudget: q.Budget}).check(); err != nil {
		return nil, err
	}
	var people []orgMember
	if isNull(q.Member) {
		return nil, missing("member")
	}
	if q.Member[0] != '[' {
		q.Member = slices.Concat(json.RawMessage("["), q.Member, json.RawMessage("]"))
	}
	if err := store.DecodeExact(q.Member, &people); err != nil {
		return nil, undecodable(err)
	}
	for i := range people {
		if err := people[i].check(); err != nil {
			return nil, err
		}
	}
	var shownUsers, shownShips []map[string]any
	err := a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		var users []*store.User
		var ships []store.OrganizationMembership
		for _, p := range people {
			u, err := a.person(c, tx, p.UserID, p.UserEmail, "", "")
			if err != nil {
				return err
			}
			ship := store.OrganizationMembership{UserID: u.UserID, OrganizationID: q.ID, UserRole: store.Text(p.Role)}
			if q.Budget != nil {
				b := store.Budget{MaxBudget: q.Budget, CreatedBy: string(c.actor()), UpdatedBy: string(c.actor())}
				if err := tx.Budgets().Create(c.ctx(), &b); err != nil {
					return err
				}
				ship.BudgetID = store.Text(b.BudgetID)
			}
			if err := tx.OrganizationMemberships().Create(c.ctx(), &ship); err != nil {
				if errors.Is(err, store.ErrConflict) {
					return badRequest("member", "User "+u.UserID+" is a member of organization "+q.ID+" already.")
				}
				return err
			}
			if err := c.audit(tx, "created", "LiteLLM_OrganizationMembership", store.MemberID(q.ID, u.UserID), nil, ship); err != nil {
				return err
			}
			users, ships = append(users, u), append(ships, ship)
		}
		if shownUsers, err = a.userViews(c, tx, users); err != nil {
			return err
		}
		shownShips, err = a.orgShipViews(c, tx, ships)
		return err
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"organization_id": q.ID, "updated_users": shownUsers, "updated_organization_memberships": shownShips}, nil
}

// orgMemberID finds the membership that a request names.
func (a *API) orgMemberID(c *call, org string, id, mail store.Text) (store.Membership, error) {
	m := store.Membership{UserID: string(id), Group: org}
	if id == "" && mail == "" {
		return m, badRequest("user_id", "Either user_id or user_email must be provided")
	}
	if id == "" {
		found, err := a.Store.Users().Find(c.ctx(), store.Query{Where: []store.Cond{store.Where("user_email", store.EqualFold, string(mail))}, Limit: 2})
		if err != nil {
			return m, err
		}
		if len(found) != 1 {
			return m, notFound("user_email", "There is no single user with the e-mail address "+string(mail))
		}
		m.UserID = found[0].UserID
	}
	return m, nil
}

func (a *API) updateOrgMember(c *call) (any, error) {
	var q struct {
		ID     string     `json:"organization_id"`
		UserID store.Text `json:"user_id"`
		Email  store.Text `json:"user_email"`
		Role   string     `json:"role"`
		Budget *float64   `json:"max_budget_in_organization"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if _, err := a.findOrg(c, q.ID, true); err != nil {
		return nil, err
	}
	if q.Role != "" {
		if err := (&orgMember{Role: q.Role, UserID: "x"}).check(); err != nil {
			return nil, err
		}
	}
	l := limits{MaxBudget: q.Budget}
	if err := l.check(); err != nil {
		return nil, err
	}
	id, err := a.orgMemberID(c, q.ID, q.UserID, q.Email)
	if err != nil {
		return nil, err
	}
	var next *store.OrganizationMembership
	err = a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		var before store.OrganizationMembership
		next, err = tx.OrganizationMemberships().Update(c.ctx(), id, func(m *store.OrganizationMembership) (err error) {
			before = *m
			if q.Role != "" {
				m.UserRole = store.Text(q.Role)
			}
			if q.Budget != nil {
				c.sent["max_budget"] = json.RawMessage("0") // it was given, under another name
				m.BudgetID, err = l.budget(c, tx, m.BudgetID)
			}
			return err
		})
		if errors.Is(err, store.ErrNotFound) {
			return notFound("user_id", "User "+id.UserID+" is no member of organization "+q.ID)
		}
		if err != nil {
			return err
		}
		return c.audit(tx, "updated", "LiteLLM_OrganizationMembership", store.MemberID(q.ID, id.UserID), before, next)
	})
	if err != nil {
		return nil, err
	}
	views, err := a.orgShipViews(c, a.Store, []store.OrganizationMembership{*next})
	if err != nil {
		return nil, err
	}
	return views[0], nil
}

func (a *API) deleteOrgMember(c *call) (any, error) {
	var q struct {
		ID     string     `json:"organization_id"`
		UserID store.Text `json:"user_id"`
		Email  store.Text `json:"user_email"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if _, err := a.findOrg(c, q.ID, true); err != nil {
		return nil, err
	}
	id, err := a.orgMemberID(c, q.ID, q.UserID, q.Email)
	if err != nil {
		return nil, err
	}
	var gone *store.OrganizationMembership
	err = a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		if gone, err = tx.OrganizationMemberships().Get(c.ctx(), id); errors.Is(err, store.ErrNotFound) {
			return notFound("user_id", "User "+id.UserID+" is no member of organization "+q.ID)
		}
		if err != nil {
			return err
		}
		if _, err := tx.OrganizationMemberships().Delete(c.ctx(), id); err != nil {
			return err
		}
		return c.audit(tx, "deleted", "LiteLLM_OrganizationMembership", store.MemberID(q.ID, id.UserID), gone, nil)
	})
	return gone, err
}
