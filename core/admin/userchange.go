package admin

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sallyport-ai/sallyport/core/store"
)

func (a *API) updateUser(c *call) (any, error) {
	var p userParams
	if err := c.body(&p); err != nil {
		return nil, err
	}
	u, err := a.updateOneUser(c, &p)
	if err != nil {
		return nil, err
	}
	view, err := a.userView(c, a.Store, u)
	return map[string]any{"user_id": u.UserID, "data": view}, err
}

func (a *API) updateOneUser(c *call, p *userParams) (*store.User, error) {
	if err := errors.Join(c.notOfUsers(), p.check(c)); err != nil {
		return nil, err
	}
	id := value(p.UserID)
	if id == "" {
		mail := value(p.UserEmail)
		if mail == "" {
			return nil, badRequest("user_id", "Either user_id or user_email must be provided")
		}
		found, err := a.Store.Users().Find(c.ctx(), store.Query{Where: []store.Cond{store.Where("user_email", store.EqualFold, mail)}, Limit: 2})
		if err != nil {
			return nil, err
		}
		if len(found) != 1 {
			return nil, notFound("user_email", "There is no single user with the e-mail address "+mail)
		}
		id = found[0].UserID
	}
	if err := a.mayUpdateUser(c, id); err != nil {
		return nil, err
	}
	if _, err := a.findUser(c, id); err != nil {
		return nil, err
	}
	var next *store.User
	err := a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		var before store.User
		next, err = tx.Users().Update(c.ctx(), id, func(u *store.User) error {
			before = *u
			if err := putPermission(c, tx, p.ObjectPermission, &u.ObjectPermissionID); err != nil {
				return err
			}
			return p.apply(c, u)
		})
		if errors.Is(err, store.ErrConflict) {
			return badRequest("sso_user_id", "Another user has this sso_user_id.")
		}
		if err != nil {
			return reference400(err)
		}
		return c.audit(tx, "updated", "LiteLLM_UserTable", id, before, next)
	})
	return next, err
}

// mayUpdateUser lets people change what is their own affair about themselves.
func (a *API) mayUpdateUser(c *call, id string) error {
	if c.admin() {
		return nil
	}
	if id != c.who.UserID {
		return forbidden("Only proxy admins may change other users. Got user_id=" + id + ", your user_id=" + c.who.UserID)
	}
	for name := range c.sent {
		if !slices.Contains([]string{"user_id", "user_email", "user_alias", "password", "metadata"}, name) {
			return forbidden("Only proxy admins may change `" + name + "` of a user.")
		}
	}
	return nil
}

func (a *API) updateUsers(c *call) (any, error) {
	var q struct {
		Users   []map[string]any `json:"users"`
		All     bool             `json:"all_users"`
		Updates map[string]any   `json:"user_updates"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.All {
		everyone, err := a.Store.Users().Find(c.ctx(), store.Query{})
		if err != nil {
			return nil, err
		}
		q.Users = nil
		for _, u := range everyone {
			one := map[string]any{"user_id": u.UserID}
			for k, v := range q.Updates {
				if k != "user_id" {
					one[k] = v
				}
			}
			q.Users = append(q.Users, one)
		}
	}
	const most = 500
	switch {
	case len(q.Users) == 0:
		return nil, badRequest("users", "No users found to update")
	case len(q.Users) > most && !q.All:
		return nil, badRequest("users", fmt.Sprintf("Maximum %d users can be updated at once. Found %d users.", most, len(q.Users)))
	}
	results, good := []any{}, 0
	for _, one := range q.Users {
		var p userParams
		sub := &call{a: a, r: c.r, route: c.route, who: c.who}
		err := sub.bodyFrom(one, &p)
		var u *store.User
		if err == nil {
			u, err = a.updateOneUser(sub, &p)
		}
		result := map[string]any{"user_id": one["user_id"], "user_email": one["user_email"], "success": err == nil, "error": nil, "updated_user": u}
		if err != nil {
			result["error"], result["updated_user"] = asError(err).Message, nil
		} else {
			good++
		}
		results = append(results, result)
	}
	return map[string]any{
		"results": results, "total_requested": len(q.Users), "successful_updates": good, "failed_updates": len(q.Users) - good,
	}, nil
}

func (a *API) deleteUsers(c *call) (any, error) {
	var q struct {
		IDs []string `json:"user_ids"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if len(q.IDs) == 0 {
		return nil, missing("user_ids")
	}
	for _, id := range q.IDs {
		if !c.admin() {
			if shared, err := a.sharesOrg(c, id); err != nil || !shared {
				if err == nil {
					err = forbidden("You are not an admin of an organization of user " + id + ".")
				}
				return nil, err
			}
		}
		if _, err := a.findUser(c, id); err != nil {
			return nil, err
		}
	}
	var keys []string
	var n int64
	err := a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		keys, n = nil, 0
		for _, id := range q.IDs {
			theirs, err := a.deleteUser(c, tx, id)
			if err != nil {
				return err
			}
			keys = append(keys, theirs...)
		}
		n, err = tx.Users().Delete(c.ctx(), q.IDs...)
		return reference400(err)
	})
	a.forget(keys...)
	return n, err
}

// deleteUser takes a user out of everything that names him, and returns the hashes of his keys.
func (a *API) deleteUser(c *call, tx store.Store, id string) ([]string, error) {
	u, err := tx.Users().Get(c.ctx(), id)
	if err != nil {
		return nil, err
	}
	var keys []string
	theirs, err := tx.Keys().Find(c.ctx(), store.Query{Where: []store.Cond{store.Eq("user_id", id)}})
	if err != nil {
		return nil, err
	}
	for i := range theirs {
		keys = append(keys, theirs[i].Token)
	}
	if len(keys) > 0 {
		if _, err := tx.Keys().Archive(c.ctx(), keys, c.deletion()); err != nil {
			return nil, err
		}
	}
	for _, team := range u.Teams {
		_, _, err := a.expel(c, tx, team, member{UserID: store.Text(id), UserEmail: u.UserEmail})
		if err != nil && !errors.Is(err, store.ErrNotFound) && asError(err).Param != "user_id" {
			return nil, err
		}
	}
	ships, err := tx.OrganizationMemberships().Find(c.ctx(), store.Query{Where: []store.Cond{store.Eq("user_id", id)}})
	if err != nil {
		return nil, err
	}
	for _, m := range ships {
		if _, err := tx.OrganizationMemberships().Delete(c.ctx(), store.Membership{UserID: id, Group: m.OrganizationID}); err != nil {
			return nil, err
		}
	}
	links, err := tx.InvitationLinks().Find(c.ctx(), store.Query{Where: []store.Cond{store.Or(
		[]store.Cond{store.Eq("user_id", id)}, []store.Cond{store.Eq("created_by", id)}, []store.Cond{store.Eq("updated_by", id)})}})
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		if _, err := tx.InvitationLinks().Delete(c.ctx(), l.ID); err != nil {
			return nil, err
		}
	}
	return keys, c.audit(tx, "deleted", "LiteLLM_UserTable", id, u, nil)
}
