package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/sallyport-ai/sallyport/core/store"
)

// newMember is somebody to be put into a team, and what he may spend there.
type newMember struct {
	member
	budget *float64
}

func (m *member) check() error {
	switch {
	case m.UserID == "" && m.UserEmail == "":
		return badRequest("member", "Either user_id or user_email must be provided for a member.")
	case m.Role == "":
		m.Role = "user"
	case m.Role != "admin" && m.Role != "user":
		return unprocessable{[]detail{{Loc: []any{"body", "member", "role"}, Msg: "Input should be 'admin' or 'user'", Type: "literal_error"}}}
	}
	return nil
}

// oneOrMany reads a member or a list of them, as the reference takes both.
func oneOrMany(raw json.RawMessage) ([]member, error) {
	var out []member
	if isNull(raw) {
		return nil, missing("member")
	}
	if raw[0] == '[' {
		if err := store.DecodeExact(raw, &out); err != nil {
			return nil, undecodable(err)
		}
	} else {
		var one member
		if err := store.DecodeExact(raw, &one); err != nil {
			return nil, undecodable(err)
		}
		out = append(out, one)
	}
	for i := range out {
		if err := out[i].check(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// person finds the user a member is, by id or e-mail address, and makes one who is not known yet.
func (a *API) person(c *call, tx store.Store, id, email store.Text, team, org string) (*store.User, error) {
	where := store.Eq("user_id", string(id))
	if id == "" {
		where = store.Where("user_email", store.EqualFold, string(email))
	}
	found, err := tx.Users().Find(c.ctx(), store.Query{Where: []store.Cond{where}, Limit: 2})
	if err != nil {
		return nil, err
	}
	if len(found) > 1 {
		return nil, badRequest("user_email", "Multiple users found with email "+string(email)+". Please use 'user_id' instead.")
	}
	if len(found) == 1 {
		if team == "" || slices.Contains(found[0].Teams, team) {
			return &found[0], nil
		}
		return tx.Users().Update(c.ctx(), found[0].UserID, func(u *store.User) error {
			u.Teams = append(slices.Clone(u.Teams), team)
			return nil
		})
	}
	u := store.User{UserID: string(id), UserEmail: email, UserRole: "internal_user", OrganizationID: store.Text(org)}
	if team != "" {
		u.Teams = store.List{team}
	}
	if err := a.defaultUser(&u); err != nil {
		return nil, err
	}
	return &u, tx.Users().Create(c.ctx(), &u)
}

// enrol puts people into a team: into its list of members, its teams into theirs, and a membership for their spend.
func (a *API) enrol(c *call, tx store.Store, t *store.Team, people []newMember) error {
	_, _, err := a.enrolled(c, tx, t, people)
	return err
}

func (a *API) enrolled(c *call, tx store.Store, t *store.Team, people []newMember) (users []*store.User, joined []store.TeamMembership, err error) {
	all, err := membersOf(t)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range people {
		u, err := a.person(c, tx, m.UserID, m.UserEmail, t.TeamID, "")
		if err != nil {
			return nil, nil, err
		}
		m.UserID, m.UserEmail = store.Text(u.UserID), u.UserEmail
		all = append(all, m.member)
		users = append(users, u)
		ship := store.TeamMembership{UserID: u.UserID, TeamID: t.TeamID}
		if err := a.memberLimit(c, tx, t, &ship, limits{MaxBudget: m.budget}); err != nil {
			return nil, nil, err
		}
		if err := tx.TeamMemberships().Put(c.ctx(), &ship); err != nil {
			return nil, nil, err
		}
		joined = append(joined, ship)
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return nil, nil, err
	}
	t.MembersWithRoles = raw
	next, err := tx.Teams().Update(c.ctx(), t.TeamID, func(row *store.Team) error {
		row.MembersWithRoles = raw
		return nil
	})
	if err == nil {
		*t = *next
	}
	return users, joined, err
}

// memberLimit gives a membership a budget of its own, if it is to have one, or else the team's for members.
func (a *API) memberLimit(c *call, tx store.Store, t *store.Team, ship *store.TeamMembership, l limits) error {
	var meta struct {
		Budget string `json:"team_member_budget_id"`
	}
	if !isNull(t.Metadata) {
		_ = json.Unmarshal(t.Metadata, &meta) // anything may be in there; what is no text is no id
	}
	if l.MaxBudget == nil && l.TPMLimit == nil && l.RPMLimit == nil {
		if ship.BudgetID == "" {
			ship.BudgetID = store.Text(meta.Budget)
		}
		return nil
	}
	change := func(b *store.Budget) error {
		if l.MaxBudget != nil {
			b.MaxBudget = l.MaxBudget
		}
		if l.TPMLimit != nil {
			b.TPMLimit = l.TPMLimit
		}
		if l.RPMLimit != nil {
			b.RPMLimit = l.RPMLimit
		}
		b.UpdatedBy = string(c.actor())
		return nil
	}
	if ship.BudgetID != "" && string(ship.BudgetID) != meta.Budget {
		_, err := tx.Budgets().Update(c.ctx(), string(ship.BudgetID), change)
		return err
	}
	b := store.Budget{CreatedBy: string(c.actor())}
	if meta.Budget != "" {
		shared, err := tx.Budgets().Get(c.ctx(), meta.Budget)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil {
			b = *shared
			b.BudgetID, b.CreatedBy = "", string(c.actor())
		}
	}
	_ = change(&b)
	if err := tx.Budgets().Create(c.ctx(), &b); err != nil {
		return err
	}
	ship.BudgetID = store.Text(b.BudgetID)
	return nil
}

func (a *API) addMember(c *call) (any, error) {
	var q struct {
		TeamID string          `json:"team_id"`
		Member json.RawMessage `json:"member"`
		Budget *float64        `json:"max_budget_in_team"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if err := (&limits{MaxBudget: q.Budget}).check(); err != nil {
		return nil, err
	}
	if _, err := a.mayEnrol(c, q.TeamID); err != nil {
		return nil, err
	}
	people, err := oneOrMany(q.Member)
	if err != nil {
		return nil, err
	}
	return a.join(c, q.TeamID, people, q.Budget, false)
}

// mayEnrol lets those who administer a team add to it, and anybody join a team that is open.
func (a *API) mayEnrol(c *call, id string) (*store.Team, error) { return a.findTeam(c, id, true) }

// join puts people into a team. skip leaves out those who are in it already; otherwise they are an error.
func (a *API) join(c *call, id string, people []member, budget *float64, skip bool) (map[string]any, error) {
	var view map[string]any
	err := a.Store.Tx(c.ctx(), func(tx store.Store) error {
		t, err := tx.Teams().Update(c.ctx(), id, func(*store.Team) error { return nil }) // locks the row
		if errors.Is(err, store.ErrNotFound) {
			return notFound("team_id", "Team not found for team_id="+id)
		}
		if err != nil {
			return err
		}
		before := *t
		have, err := membersOf(t)
		if err != nil {
			return err
		}
		var fresh []newMember
		for _, m := range people {
			if slices.ContainsFunc(have, func(h member) bool { return same(h, m) }) {
				if skip {
					continue
				}
				return problem(http.StatusBadRequest, "team_member_already_in_team", "user_id",
					"User already in team. Member: user_id="+string(m.UserID)+", user_email="+string(m.UserEmail))
			}
			have = append(have, m)
			fresh = append(fresh, newMember{m, budget})
		}
		users, joined, err := a.enrolled(c, tx, t, fresh)
		if err != nil {
			return err
		}
		if view, err = a.teamView(c, tx, t); err != nil {
			return err
		}
		if view["updated_users"], err = a.userViews(c, tx, users); err != nil {
			return err
		}
		if view["updated_team_memberships"], err = a.shipViews(c, tx, joined); err != nil {
			return err
		}
		return c.audit(tx, "updated", "LiteLLM_TeamTable", id, before, t)
	})
	return view, err
}

// same reports whether two entries are one person.
func same(a, b member) bool {
	return a.UserID != "" && a.UserID == b.UserID || a.UserEmail != "" && a.UserEmail == b.UserEmail
}

func (a *API) addMembers(c *call) (any, error) {
	var q struct {
		TeamID  string   `json:"team_id"`
		Members []member `json:"members"`
		All     bool     `json:"all_users"`
		Budget  *float64 `json:"max_budget_in_team"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if _, err := a.mayEnrol(c, q.TeamID); err != nil {
		return nil, err
	}
	if q.All {
		if !c.admin() {
			return nil, forbidden("Only proxy admins may add all users to a team.")
		}
		everyone, err := a.Store.Users().Find(c.ctx(), store.Query{})
		if err != nil {
			return nil, err
		}
		q.Members = nil
		for _, u := range everyone {
			q.Members = append(q.Members, member{Role: "user", UserID: store.Text(u.UserID), UserEmail: u.UserEmail})
		}
	}
	const most = 500
	switch {
	case len(q.Members) == 0:
		return nil, badRequest("members", "At least one member is required.")
	case len(q.Members) > most && !q.All:
		return nil, badRequest("members", fmt.Sprintf("Maximum %d members can be added at once.", most))
	}
	results, good := []any{}, 0
	var view map[string]any
	for i := range q.Members {
		m := &q.Members[i]
		err := m.check()
		var next map[string]any
		if err == nil {
			next, err = a.join(c, q.TeamID, []member{*m}, q.Budget, q.All)
		}
		result := map[string]any{
			"user_id": m.UserID, "user_email": m.UserEmail, "success": err == nil, "error": nil, "updated_user": nil, "updated_team_membership": nil,
		}
		if err != nil {
			result["error"] = asError(err).Message
		} else {
			result["updated_user"], result["updated_team_membership"] = first(next["updated_users"]), first(next["updated_team_memberships"])
			view = next
			good++
		}
		results = append(results, result)
	}
	return map[string]any{
		"team_id": q.TeamID, "results": results, "total_requested": len(q.Members), "successful_additions": good,
		"failed_additions": len(q.Members) - good, "updated_team": view,
	}, nil
}

// first is the first of some views, or nil.
func first(views any) any {
	if l, ok := views.([]map[string]any); ok && len(l) > 0 {
		return l[0]
	}
	return nil
}

func (a *API) deleteMember(c *call) (any, error) {
	var q struct {
		TeamID string     `json:"team_id"`
		UserID store.Text `json:"user_id"`
		Email  store.Text `json:"user_email"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.UserID == "" && q.Email == "" {
		return nil, badRequest("user_id", "Either user_id or user_email needs to be passed in")
	}
	if _, err := a.findTeam(c, q.TeamID, true); err != nil {
		return nil, err
	}
	var view map[string]any
	var keys []string
	err := a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		view, keys, err = a.expel(c, tx, q.TeamID, member{UserID: q.UserID, UserEmail: q.Email})
		return err
	})
	a.forget(keys...)
	return view, err
}

// expel takes a person out of a team: the list, his own list, the membership, and the keys he has there.
func (a *API) expel(c *call, tx store.Store, team string, who member) (view map[string]any, keys []string, err error) {
	var before store.Team
	var gone *member
	t, err := tx.Teams().Update(c.ctx(), team, func(t *store.Team) error {
		before = *t
		all, err := membersOf(t)
		if err != nil {
			return err
		}
		kept := []member{}
		for _, m := range all {
			if same(m, who) {
				gone = &m
				continue
			}
			kept = append(kept, m)
		}
		if gone == nil {
			return badRequest("user_id", "User not found in team. user_id="+string(who.UserID)+", user_email="+string(who.UserEmail))
		}
		t.MembersWithRoles, err = json.Marshal(kept)
		other := func(id string) bool { return id == string(gone.UserID) }
		t.Members, t.Admins = slices.DeleteFunc(slices.Clone(t.Members), other), slices.DeleteFunc(slices.Clone(t.Admins), other)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	user := string(gone.UserID)
	_, err = tx.Users().Update(c.ctx(), user, func(u *store.User) error {
		u.Teams = slices.DeleteFunc(slices.Clone(u.Teams), func(id string) bool { return id == team })
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, nil, err
	}
	if _, err := tx.TeamMemberships().Delete(c.ctx(), store.Membership{UserID: user, Group: team}); err != nil {
		return nil, nil, err
	}
	theirs, err := tx.Keys().Find(c.ctx(), store.Query{Where: []store.Cond{store.Eq("team_id", team), store.Eq("user_id", user)}})
	if err != nil {
		return nil, nil, err
	}
	for i := range theirs {
		keys = append(keys, theirs[i].Token)
	}
	if len(keys) > 0 && user != "" {
		if _, err := tx.Keys().Archive(c.ctx(), keys, c.deletion()); err != nil {
			return nil, nil, err
		}
	}
	if view, err = a.teamView(c, tx, t); err != nil {
		return nil, nil, err
	}
	return view, keys, c.audit(tx, "updated", "LiteLLM_TeamTable", team, before, t)
}

func (a *API) updateMember(c *call) (any, error) {
	var q struct {
		TeamID string     `json:"team_id"`
		UserID store.Text `json:"user_id"`
		Email  store.Text `json:"user_email"`
		Role   string     `json:"role"`
		Budget *float64   `json:"max_budget_in_team"`
		TPM    *int64     `json:"tpm_limit"`
		RPM    *int64     `json:"rpm_limit"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	l := limits{MaxBudget: q.Budget, TPMLimit: q.TPM, RPMLimit: q.RPM}
	who := member{UserID: q.UserID, UserEmail: q.Email, Role: q.Role}
	if err := errors.Join(l.check(), who.check()); err != nil {
		return nil, err
	}
	if _, err := a.findTeam(c, q.TeamID, true); err != nil {
		return nil, err
	}
	var found *member
	err := a.Store.Tx(c.ctx(), func(tx store.Store) error {
		var before store.Team
		t, err := tx.Teams().Update(c.ctx(), q.TeamID, func(t *store.Team) error {
			before = *t
			all, err := membersOf(t)
			if err != nil {
				return err
			}
			for i := range all {
				if same(all[i], who) {
					if q.Role != "" {
						all[i].Role = q.Role
					}
					found = &all[i]
				}
			}
			if found == nil {
				return badRequest("user_id", "User not found in team. user_id="+string(who.UserID)+", user_email="+string(who.UserEmail))
			}
			t.MembersWithRoles, err = json.Marshal(all)
			return err
		})
		if err != nil {
			return err
		}
		id := store.Membership{UserID: string(found.UserID), Group: q.TeamID}
		ship, err := tx.TeamMemberships().Get(c.ctx(), id)
		if errors.Is(err, store.ErrNotFound) {
			ship, err = &store.TeamMembership{UserID: id.UserID, TeamID: id.Group}, nil
		}
		if err != nil {
			return err
		}
		if err := a.memberLimit(c, tx, t, ship, l); err != nil {
			return err
		}
		if err := tx.TeamMemberships().Put(c.ctx(), ship); err != nil {
			return err
		}
		return c.audit(tx, "updated", "LiteLLM_TeamTable", q.TeamID, before, t)
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"team_id": q.TeamID, "user_id": found.UserID, "user_email": found.UserEmail,
		"max_budget_in_team": q.Budget, "tpm_limit": q.TPM, "rpm_limit": q.RPM,
	}, nil
}
