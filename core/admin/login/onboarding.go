package login

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
)

// Paths of invitations (litellm/proxy/proxy_server.py). Who has a link is taken for the user it was made for, until he has
// chosen a password.
const (
	pathInvited = "/onboarding/get_token"
	pathClaim   = "/onboarding/claim_token"
)

// invited answers a link with a session for the page that asks for a password.
func (d *Desk) invited(w http.ResponseWriter, r *http.Request) error {
	home, err := d.home(r)
	if err != nil {
		return err
	}
	link := r.URL.Query().Get("invite_link")
	if link == "" {
		return problem(http.StatusUnprocessableEntity, "The query has no invite_link.")
	}
	u, err := d.People.Invited(r, link)
	if err != nil {
		return err
	}
	token, err := d.sessionOf(r, u, "username_password")
	if err != nil {
		return err
	}
	q := url.Values{"token": {token}, "user_email": {string(u.UserEmail)}}
	return writeJSON(w, http.StatusOK, map[string]any{
		"login_url": home + "/ui/onboarding?" + q.Encode(), "token": token, "user_email": nullable(string(u.UserEmail)),
	})
}

// claim sets the password of somebody who was invited. The link is good no more then.
func (d *Desk) claim(w http.ResponseWriter, r *http.Request) error {
	if err := d.sameOrigin(r); err != nil {
		return err
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil || len(raw) > maxForm {
		return problem(http.StatusBadRequest, "The body cannot be read, or is longer than 16 KB.")
	}
	var q struct {
		Link     string `json:"invitation_link"`
		UserID   string `json:"user_id"`
		Password string `json:"password"`
	}
	if json.Unmarshal(raw, &q) != nil || q.Link == "" || q.UserID == "" || q.Password == "" {
		return problem(http.StatusUnprocessableEntity, `Send {"invitation_link": ..., "user_id": ..., "password": ...}.`)
	}
	u, err := d.People.Claim(r, q.Link, q.UserID, q.Password)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, u)
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}
