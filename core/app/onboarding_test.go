package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// Somebody who was invited follows the link, chooses a password, and signs in with it. The link is good no more then.
func TestOnboarding(t *testing.T) {
	t.Parallel()
	b := startLogin(t, "", nil)
	admin := []string{"Authorization: Bearer sk-master"}
	wantStatus(t, b.Post("/user/new", `{"user_id":"ann","user_email":"ann@x.org","user_role":"internal_user","auto_create_key":false}`, admin...), 200, "ann")
	link := member(t, b.Post("/invitation/new", `{"user_id":"ann"}`, admin...), "id")
	follow := "/onboarding/get_token?invite_link=" + url.QueryEscape(link)
	claim := func(link, user, password string) string {
		return fmt.Sprintf(`{"invitation_link":%q,"user_id":%q,"password":%q}`, link, user, password)
	}
	wantStatus(t, b.Get("/onboarding/get_token"), 422, "invite_link")
	wantStatus(t, b.Get("/onboarding/get_token?invite_link=none"), 401, "does not exist")
	wantStatus(t, b.Post("/onboarding/claim_token", claim(link, "ann", "secret")), 401, "never validated")

	answer := b.Get(follow)
	wantStatus(t, answer, 200, `"user_email":"ann@x.org"`)
	if at := member(t, answer, "login_url"); !strings.HasPrefix(at, b.URL+"/ui/onboarding?") || !strings.Contains(at, "user_email=ann%40x.org") {
		t.Errorf("login_url is %s", at)
	}
	claims := jwt.MapClaims{}
	if _, err := jwt.ParseWithClaims(member(t, answer, "token"), claims, func(*jwt.Token) (any, error) { return []byte("sk-master"), nil }); err != nil {
		t.Fatal(err)
	}
	wantMembers(t, claims, "user_id", "ann", "user_role", "internal_user", "login_method", "username_password")
	wantStatus(t, b.Get("/user/info", "Authorization: Bearer "+claims["key"].(string)), 200, `"user_id":"ann"`)
	wantStatus(t, b.Get("/invitation/info?invitation_id="+link, admin...), 200, `"is_accepted":true`)
	wantStatus(t, b.Get(follow), 200, "login_url") // the page may be loaded again

	wantStatus(t, b.Post("/onboarding/claim_token", `{}`), 422, "password")
	wantStatus(t, b.Post("/onboarding/claim_token", claim(link, "default_user_id", "secret")), 401, "does not match")
	wantStatus(t, b.Post("/onboarding/claim_token", claim(link, "ann", "secret"), "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"), 403, "another site")
	done := b.Post("/onboarding/claim_token", claim(link, "ann", "secret"))
	wantStatus(t, done, 200, `"user_id":"ann"`)
	if strings.Contains(done.Body, "password") {
		t.Errorf("the answer has the password: %s", done.Body)
	}
	wantStatus(t, b.Post("/v2/login", `{"username":"ann@x.org","password":"secret"}`), 200, "redirect_url")
	wantStatus(t, b.Post("/onboarding/claim_token", claim(link, "ann", "another")), 401, "expired")
	wantStatus(t, b.Get(follow), 401, "expired")
	if logs := b.Get("/audit?object_id=ann", admin...); strings.Contains(logs.Body, "secret") {
		t.Errorf("the audit log has a password: %s", logs.Body)
	}
	wantStatus(t, b.Post("/invitation/delete", `{"invitation_id":"`+link+`"}`, admin...), 200, link)
}

// Links end after a time, and when their user goes.
func TestInvitationEnds(t *testing.T) {
	t.Parallel()
	b := startLogin(t, "", nil)
	admin := []string{"Authorization: Bearer sk-master"}
	wantStatus(t, b.Post("/invitation/new", `{"user_id":"nobody"}`, admin...), 404, "nobody")
	wantStatus(t, b.Post("/user/new", `{"user_id":"bob","auto_create_key":false}`, admin...), 200, "bob")
	link := member(t, b.Post("/invitation/new", `{"user_id":"bob"}`, admin...), "id")
	wantStatus(t, b.Post("/invitation/update", `{"invitation_id":"`+link+`","is_accepted":true}`, admin...), 200, `"is_accepted":true`)
	wantStatus(t, b.Post("/user/delete", `{"user_ids":["bob"]}`, admin...), 200, "1")
	wantStatus(t, b.Get("/onboarding/get_token?invite_link="+link), 401, "does not exist")
}

// DISABLE_ADMIN_UI puts a page in the place of those that let people sign in; the API goes on. PROXY_LOGOUT_URL is told.
func TestAdminUIOff(t *testing.T) {
	t.Parallel()
	b := startLogin(t, "", []string{"DISABLE_ADMIN_UI=true", "PROXY_LOGOUT_URL=https://acme.com/bye"})
	admin := []string{"Authorization: Bearer sk-master"}
	for _, path := range []string{"/sso/key/generate", "/fallback/login", "/ui", "/ui/index.html"} {
		wantStatus(t, b.Get(path), 200, "Admin UI is Disabled")
	}
	for _, path := range []string{"/.well-known/litellm-ui-config", "/litellm/.well-known/litellm-ui-config"} {
		wantStatus(t, b.Get(path), 200, `"admin_ui_disabled":true`)
	}
	wantStatus(t, b.Post("/key/generate", `{}`, admin...), 200, "sk-")
	wantStatus(t, b.Get("/sso/get/ui_settings", admin...), 200, `"PROXY_LOGOUT_URL":"https://acme.com/bye"`)
	on := startLogin(t, "", nil)
	wantStatus(t, on.Get("/sso/key/generate"), 200, "Sign in")
	wantStatus(t, on.Get("/.well-known/litellm-ui-config"), 200, `"admin_ui_disabled":false`)
	wantStatus(t, on.Get("/sso/get/ui_settings", admin...), 200, `"PROXY_LOGOUT_URL":null`)
}

// Nobody is mailed a link; what the reference says of that is said.
func TestUserAuth(t *testing.T) {
	t.Parallel()
	b := startLogin(t, "", nil)
	wantStatus(t, b.Post("/user/auth", `{"user_email":"a@x.org"}`), 403, "'allow_user_auth' not set or set to False")
	on := startLogin(t, strings.Replace(mockConfig, "sk-master,", "sk-master, allow_user_auth: true,", 1), nil)
	wantStatus(t, on.Post("/user/auth", `{"user_email":"a@x.org"}`), 404, "/invitation/new")
}

// The master key's own row is in the list of keys, unless disable_master_key_return leaves it out.
func TestMasterKeyReturn(t *testing.T) {
	t.Parallel()
	admin := []string{"Authorization: Bearer sk-master"}
	tokens := func(b *browser, path string) (out []string) {
		t.Helper()
		var v struct {
			Keys []struct{ Token string }
		}
		r := b.Get(path, admin...)
		if err := json.Unmarshal([]byte(r.Body), &v); err != nil || r.Status != http.StatusOK {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		for _, k := range v.Keys {
			out = append(out, k.Token)
		}
		return out
	}
	for setting, want := range map[string]int{"": 2, "disable_master_key_return: true,": 1} {
		b := startLogin(t, strings.Replace(mockConfig, "sk-master,", "sk-master, "+setting, 1), nil)
		wantStatus(t, b.Post("/user/new", `{"user_id":"ann","auto_create_key":false}`, admin...), 200, "ann")
		wantStatus(t, b.Post("/key/generate", `{"key":"sk-master","user_id":"ann"}`, admin...), 200, "sk-master")
		wantStatus(t, b.Post("/key/generate", `{"user_id":"ann"}`, admin...), 200, "sk-")
		for _, path := range []string{"/user/info", "/user/info?user_id=ann"} {
			if got := tokens(b, path); len(got) != want {
				t.Errorf("%s with %q has %v", path, setting, got)
			}
		}
	}
}

// The plugin that decides about keys is told where the request comes from.
func TestKeyGenerateClientIP(t *testing.T) {
	t.Parallel()
	yaml := strings.Replace(mockConfig, "sk-master,", fmt.Sprintf("sk-master, use_x_forwarded_for: true, custom_key_generate: %q,", hooksPlugin(t)), 1)
	b := startLogin(t, yaml, nil)
	wantStatus(t, b.Post("/key/generate", `{"team_id":"who"}`, "Authorization: Bearer sk-master"), 403, "default_user_id 127.0.0.1")
	wantStatus(t, b.Post("/key/generate", `{"team_id":"who"}`, "Authorization: Bearer sk-master", "X-Forwarded-For: 203.0.113.7"), 403, "default_user_id 203.0.113.7")
}
