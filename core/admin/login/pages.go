package login

import (
	"io"
	"net/http"
	"strings"
)

// Paths that need no login: what a user interface asks before anybody signs in
// (litellm/proxy/discovery_endpoints/ui_discovery_endpoints.py), and one that the reference has no more.
const (
	pathDiscovery      = "/.well-known/litellm-ui-config"
	pathDiscoveryAlias = "/litellm/.well-known/litellm-ui-config"
	pathUserAuth       = "/user/auth"
)

// ofUI reports whether a path is of the user interface.
func ofUI(path string) bool { return path == "/ui" || strings.HasPrefix(path, "/ui/") }

// offPage stands in the place of the user interface and of the pages that let people sign in to it.
const offPage = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Admin UI Disabled</title><style>body{font:16px system-ui;max-width:34em;margin:4em auto}</style>
<h1>Admin UI is Disabled</h1><p>It is switched off by <code>DISABLE_ADMIN_UI</code>. To have it, set <code>DISABLE_ADMIN_UI="False"</code>
and start the gateway anew.</p></html>
`

func (d *Desk) off(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	_, err := io.WriteString(w, offPage)
	return err
}

// discovery says where the gateway is and how people sign in.
func (d *Desk) discovery(w http.ResponseWriter) error {
	var base any
	if d.BaseURL != "" {
		base = d.BaseURL
	}
	sso := d.Provider != nil || d.Begin != nil
	return writeJSON(w, http.StatusOK, map[string]any{
		"server_root_path": d.RootPath, "proxy_base_url": base, "auto_redirect_to_sso": false, "admin_ui_disabled": d.Disabled, "sso_configured": sso,
	})
}

// userAuth answers a route that mailed a link to log in. The reference kept only its check.
func (d *Desk) userAuth() error {
	if !d.UserAuth {
		return problem(http.StatusForbidden, "'allow_user_auth' not set or set to False")
	}
	return problem(http.StatusNotFound, "Nobody signs in by e-mail any more: use single sign-on ("+pathBegin+"), or an invitation (POST /invitation/new).")
}

// unlimited serves what may be asked for as often as somebody likes. It reports whether the path was of this kind.
func (d *Desk) unlimited(w http.ResponseWriter, r *http.Request) (bool, error) {
	switch path := r.URL.Path; {
	case path == pathDiscovery || path == pathDiscoveryAlias:
		return true, d.discovery(w)
	case path == pathUserAuth:
		return true, d.userAuth()
	case d.Disabled && (path == pathBegin || path == pathForm || ofUI(path)):
		return true, d.off(w)
	}
	return false, nil
}
