package login

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/sallyport-ai/sallyport/core/admin"
	"github.com/sallyport-ai/sallyport/core/llm"
)

const maxForm = 16 << 10

// password signs somebody in by name and password: POST /login with a form, POST /v2/login with JSON.
func (d *Desk) password(w http.ResponseWriter, r *http.Request) error {
	home, err := d.home(r)
	if err != nil {
		return err
	}
	if err := d.sameOrigin(r); err != nil {
		return err
	}
	name, pass, err := credentials(r)
	if err != nil {
		return err
	}
	token, err := d.byPassword(r, name, pass)
	if err != nil {
		return err
	}
	http.SetCookie(w, d.cookie(home, sessionCookie, token, false, d.Life))
	if r.URL.Path == pathLogin {
		http.Redirect(w, r, home+uiPath, http.StatusSeeOther)
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]any{"redirect_url": home + uiPath, "token": token})
}

// sameOrigin refuses forms of other sites: they could sign somebody in as somebody else.
func (d *Desk) sameOrigin(r *http.Request) error {
	c := http.NewCrossOriginProtection()
	if u, err := url.Parse(d.BaseURL); err == nil && u.Host != "" {
		if err := c.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return err
		}
	}
	if c.Check(r) != nil {
		return problem(http.StatusForbidden, "The form is of another site. If it is not, set PROXY_BASE_URL to the gateway's address.")
	}
	return nil
}

func credentials(r *http.Request) (name, pass string, err error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil || len(raw) > maxForm {
		return "", "", problem(http.StatusBadRequest, "The body cannot be read, or is longer than 16 KB.")
	}
	if r.URL.Path == pathLoginV2 {
		var q struct{ Username, Password string }
		if json.Unmarshal(raw, &q) != nil || q.Username == "" || q.Password == "" {
			return "", "", problem(http.StatusBadRequest, `Send {"username": ..., "password": ...}.`)
		}
		return q.Username, q.Password, nil
	}
	q, err := url.ParseQuery(string(raw))
	if err != nil || q.Get("username") == "" || q.Get("password") == "" {
		return "", "", problem(http.StatusBadRequest, "Send a form with username and password.")
	}
	return q.Get("username"), q.Get("password"), nil
}

func (d *Desk) byPassword(r *http.Request, name, pass string) (string, error) {
	const method = "username_password"
	wrong := problem(http.StatusUnauthorized, "Invalid credentials used to access UI. Check UI_USERNAME and UI_PASSWORD, or the user's password.")
	// Both are compared in any case, so that the time tells nothing.
	named, right := same(name, d.Username), same(pass, d.Password)
	if named && right {
		return d.session(r, &admin.Person{UserID: d.AdminID, Role: llm.RoleProxyAdmin}, method)
	}
	if !strings.Contains(name, "@") {
		return "", wrong
	}
	u, err := d.People.PasswordUser(r, name)
	if err != nil {
		return "", err
	}
	kept := ""
	if u != nil {
		kept = string(u.Password)
	}
	// Passwords are kept as the reference does (hash_token in litellm/proxy/_types.py).
	sum := sha256.Sum256([]byte(pass))
	if kept == "" || !equal(strings.ToLower(kept), hex.EncodeToString(sum[:])) {
		return "", wrong
	}
	return d.sessionOf(r, u, method)
}

// same compares texts in a time that does not depend on what they have in common.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return equal(string(x[:]), string(y[:]))
}

const page = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in</title><style>body{font:16px system-ui;max-width:20em;margin:4em auto}label,button{display:block;margin:1em 0}input{width:100%;padding:.4em}</style>
<h1>Sign in</h1><form method="post" action="{login}">
<label>User name or e-mail address<input name="username" autocomplete="username" required></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required></label>
<button>Sign in</button></form></html>
`

// form asks for name and password.
func (d *Desk) form(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	_, err := io.WriteString(w, strings.Replace(page, "{login}", html.EscapeString(d.RootPath+pathLogin), 1))
	return err
}

// readiness says whether somebody could sign in at a provider, and what is missing.
func (d *Desk) readiness(w http.ResponseWriter) error {
	status, body := http.StatusOK, map[string]any{"status": "healthy", "sso_configured": d.Provider != nil}
	if p := d.Provider; p == nil {
		body["message"] = "No SSO provider configured"
	} else {
		body["provider"] = p.Name
		body["message"] = "The provider " + p.Name + " is configured"
		if len(p.Missing) > 0 {
			status, body["status"], body["missing_environment_variables"] = http.StatusServiceUnavailable, "unhealthy", p.Missing
			body["message"] = "The provider " + p.Name + " is not fully configured: " + strings.Join(p.Missing, ", ") + " not set"
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(body)
}
