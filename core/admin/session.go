package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// Person is somebody who proved who he is. What is empty leaves what is known of him.
type Person struct {
	UserID   string // required
	Email    string
	Verified bool // the address is his: a user known by it alone may be he
	Alias    string
	Role     llm.Role
	TeamID   string // a team that exists, which he joins
	Models   []string
	Metadata map[string]any // added to what there is

	MaxBudget      *float64
	BudgetDuration string
}

// SignIn finds the user that a person is, by id or else by e-mail address, brings what is known of him up to date, and
// makes a user of somebody who is new. r is the request, for the audit log.
func (a *API) SignIn(r *http.Request, p Person) (*store.User, error) {
	if p.UserID == "" {
		return nil, forbidden("You have no user id.")
	}
	if _, ok := userRoles()[p.Role]; !ok && p.Role != "" {
		return nil, forbidden("There is no role " + string(p.Role) + " for people.")
	}
	p.Email = strings.ToLower(p.Email)
	c := &call{a: a, r: r, who: &llm.Principal{UserID: p.UserID}}
	var u *store.User
	err := a.Store.Tx(c.ctx(), func(tx store.Store) error {
		known, err := a.known(c, tx, &p)
		if err != nil {
			return err
		}
		if known == "" {
			u = &store.User{UserID: p.UserID, SSOUserID: store.Text(p.UserID)}
			if err = a.refresh(&p, u); err == nil {
				if err = a.defaultUser(u); err == nil {
					err = a.createUser(c, tx, &userParams{}, u, a.openTeams(c, tx))
				}
			}
		} else {
			u, err = tx.Users().Update(c.ctx(), known, func(u *store.User) error { return a.refresh(&p, u) })
		}
		if err != nil || p.TeamID == "" || slices.Contains(u.Teams, p.TeamID) {
			return err
		}
		if err := a.joinAs(c, tx, u, teamWish{TeamID: p.TeamID}); err != nil {
			return err
		}
		u, err = tx.Users().Get(c.ctx(), u.UserID)
		return err
	})
	return u, err
}

// openTeams are the teams that everybody joins and that exist: nobody is kept out by one that was deleted.
func (a *API) openTeams(c *call, tx store.Store) []teamWish {
	teams, err := a.defaultTeams()
	if err != nil {
		a.Logger.Warn("default_internal_user_params.teams cannot be read", "error", err.Error())
		return nil
	}
	return slices.DeleteFunc(teams, func(w teamWish) bool {
		_, err := tx.Teams().Get(c.ctx(), w.TeamID)
		return errors.Is(err, store.ErrNotFound)
	})
}

// known returns the id of the user that a person is, or "" for somebody new.
func (a *API) known(c *call, tx store.Store, p *Person) (string, error) {
	for _, where := range []store.Cond{store.Eq("user_id", p.UserID), store.Eq("sso_user_id", p.UserID)} {
		found, err := tx.Users().Find(c.ctx(), store.Query{Where: []store.Cond{where}, Limit: 1})
		if err != nil {
			return "", err
		}
		if len(found) == 1 {
			return found[0].UserID, nil
		}
	}
	if p.Email == "" {
		return "", nil
	}
	found, err := tx.Users().Find(c.ctx(), store.Query{Where: []store.Cond{store.Where("user_email", store.EqualFold, p.Email)}, Limit: 2})
	switch {
	case err != nil || len(found) == 0:
		return "", err
	case len(found) > 1, !p.Verified, found[0].SSOUserID != "" && string(found[0].SSOUserID) != p.UserID:
		// Whoever can name an address at the provider must not become the user who has it here.
		return "", forbidden("The e-mail address " + p.Email + " belongs to another user. Ask an administrator to set sso_user_id.")
	}
	return found[0].UserID, nil
}

// refresh writes what a login says into a user.
func (a *API) refresh(p *Person, u *store.User) error {
	if u.SSOUserID == "" {
		u.SSOUserID = store.Text(p.UserID)
	}
	if p.Email != "" {
		u.UserEmail = store.Text(p.Email)
	}
	if p.Alias != "" {
		u.UserAlias = store.Text(p.Alias)
	}
	if p.Role != "" {
		u.UserRole = store.Text(p.Role)
	}
	if p.Models != nil {
		u.Models = p.Models
	}
	if p.MaxBudget != nil {
		u.MaxBudget = p.MaxBudget
	}
	if d := p.BudgetDuration; d != "" && d != string(u.BudgetDuration) {
		at, err := store.NextReset(d, a.Now(), a.zone())
		if err != nil {
			return fmt.Errorf("admin: budget_duration of a login: %w", err)
		}
		u.BudgetDuration, u.BudgetResetAt = store.Text(d), &at
	}
	if len(p.Metadata) == 0 {
		return nil
	}
	have := map[string]any{}
	if len(u.Metadata) > 0 {
		if err := json.Unmarshal(u.Metadata, &have); err != nil {
			return fmt.Errorf("admin: metadata of a user: %w", err)
		}
	}
	overlay(have, p.Metadata)
	raw, err := json.Marshal(have)
	u.Metadata = raw
	return err
}

// PasswordUser finds the user with an e-mail address, or nil. Whether the password is his is for the caller to find out.
func (a *API) PasswordUser(r *http.Request, email string) (*store.User, error) {
	found, err := a.Store.Users().Find(r.Context(), store.Query{
		Where: []store.Cond{store.Where("user_email", store.EqualFold, email)}, Limit: 2,
	})
	if err != nil || len(found) != 1 {
		return nil, err
	}
	return &found[0], nil
}

// invitation reads a link that is still good.
func (a *API) invitation(r *http.Request, tx store.Store, link string) (*store.InvitationLink, error) {
	no := func(why string) error { return problem(http.StatusUnauthorized, "auth_error", "None", why) }
	l, err := tx.InvitationLinks().Get(r.Context(), link)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, no("Invitation link does not exist in db.")
	case err != nil:
		return nil, err
	case !a.Now().Before(l.ExpiresAt):
		return nil, no("Invitation link has expired.")
	}
	return l, nil
}

// Invited finds the user that a link was made for (/invitation/new), and notes that he followed it. The texts are those of
// the reference (onboarding in litellm/proxy/proxy_server.py).
func (a *API) Invited(r *http.Request, link string) (*store.User, error) {
	var u *store.User
	err := a.Store.Tx(r.Context(), func(tx store.Store) error {
		l, err := a.invitation(r, tx, link)
		if err != nil {
			return err
		}
		if u, err = tx.Users().Get(r.Context(), l.UserID); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				err = problem(http.StatusUnauthorized, "auth_error", "None", "User does not exist in db.")
			}
			return err
		}
		_, err = tx.InvitationLinks().Update(r.Context(), link, func(l *store.InvitationLink) error {
			now := store.Clean(a.Now())
			l.IsAccepted, l.AcceptedAt, l.UpdatedBy = true, &now, l.UserID
			return nil
		})
		return err
	})
	return u, err
}

// Claim gives somebody who followed a link a password. The link ends with that: the reference leaves it good for whoever
// finds it until its day is over.
func (a *API) Claim(r *http.Request, link, user, password string) (*store.User, error) {
	c := &call{a: a, r: r, who: &llm.Principal{UserID: user}}
	no := func(why string) error { return problem(http.StatusUnauthorized, "auth_error", "None", why) }
	var u *store.User
	err := a.Store.Tx(r.Context(), func(tx store.Store) error {
		_, err := tx.InvitationLinks().Update(r.Context(), link, func(l *store.InvitationLink) error {
			switch {
			case !a.Now().Before(l.ExpiresAt):
				return no("Invitation link has expired.")
			case !l.IsAccepted:
				return no("The invitation link was never validated. Follow it first (GET /onboarding/get_token).")
			case l.UserID != user:
				return no("Invalid invitation link. The user id submitted does not match the user id this link is attached to.")
			}
			l.ExpiresAt, l.UpdatedBy = store.Clean(a.Now()), user
			return nil
		})
		if errors.Is(err, store.ErrNotFound) {
			return no("Invitation link does not exist in db.")
		}
		if err != nil {
			return err
		}
		var before store.User
		u, err = tx.Users().Update(r.Context(), user, func(u *store.User) error {
			before = *u
			u.Password = passwordOf(password)
			return nil
		})
		if err != nil {
			return err
		}
		return c.audit(tx, "updated", "LiteLLM_UserTable", user, before, u)
	})
	return u, err
}

// passwordOf is what is kept of a password. The reference keeps them this way (hash_token in litellm/proxy/_types.py); its
// databases open here.
func passwordOf(password string) store.Text {
	sum := sha256.Sum256([]byte(password))
	return store.Text(hex.EncodeToString(sum[:]))
}

// SessionKey makes the key of a login, which ends after life and may spend budget US dollars. The user's former keys of
// this kind that have ended are deleted.
func (a *API) SessionKey(r *http.Request, u *store.User, budget float64, life time.Duration) (string, error) {
	key, now := newKey(), store.Clean(a.Now())
	end := now.Add(life)
	row := store.Key{
		Token: hashOf(key), KeyName: keyName(key), UserID: store.Text(u.UserID), TeamID: llm.SessionTeam, MaxBudget: &budget, Expires: &end,
		CreatedAt: &now, UpdatedAt: &now, CreatedBy: store.Text(u.UserID), UpdatedBy: store.Text(u.UserID),
	}
	ctx := r.Context()
	return key, a.Store.Tx(ctx, func(tx store.Store) error {
		old, err := tx.Keys().Find(ctx, store.Query{Where: []store.Cond{
			store.Eq("team_id", llm.SessionTeam), store.Eq("user_id", u.UserID), store.Where("expires", store.Less, now),
		}})
		if err != nil {
			return err
		}
		hashes := make([]string, 0, len(old))
		for i := range old {
			hashes = append(hashes, old[i].Token)
		}
		if len(hashes) > 0 {
			if _, err := tx.Keys().Delete(ctx, hashes...); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return tx.Keys().Create(ctx, &row)
	})
}
