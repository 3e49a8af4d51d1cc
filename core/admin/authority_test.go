package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/admin"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// What a key is held to is lifted by those who command it, and not by whom it belongs to.
func TestAuthorityOverKeys(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{})
	m := d.master()
	m.post("/user/new", `{"user_id":"u","auto_create_key":false}`).ok()
	m.post("/organization/new", `{"organization_id":"o","organization_alias":"org"}`).ok()
	m.post("/organization/member_add", `{"organization_id":"o","member":{"role":"internal_user","user_id":"inside"}}`).ok()
	m.post("/team/new", `{"team_id":"t","members_with_roles":[{"role":"admin","user_id":"lead"},{"role":"user","user_id":"u"}],"team_member_permissions":["/key/generate","/key/update"]}`).ok()
	m.post("/key/generate", `{"key":"sk-own-123456","user_id":"u","max_budget":5,"allowed_routes":["/v1/models"],"allowed_passthrough_routes":["/a"]}`).ok()
	m.post("/key/generate", `{"key":"sk-team-12345","team_id":"t","user_id":"u","max_budget":5}`).ok()
	m.post("/key/generate", `{"key":"sk-plain-1234","user_id":"u"}`).ok()
	u, lead := d.user("u"), d.user("lead")
	no := func(p person, path, body, why string) {
		t.Helper()
		if r := p.post(path, body); r.status != http.StatusForbidden || !strings.Contains(r.raw, why) {
			t.Errorf("%s %s: %d %s", path, body, r.status, r.raw)
		}
	}
	no(u, "/key/generate", `{"allowed_routes":["/key/list"]}`, "allowed_routes")
	no(u, "/key/generate", `{"key_type":"management"}`, "allowed_routes")
	no(u, "/key/generate", `{"allowed_passthrough_routes":["/a"]}`, "allowed_passthrough_routes")
	no(u, "/key/generate", `{"metadata":{"allowed_passthrough_routes":["/a"]}}`, "allowed_passthrough_routes")
	no(u, "/key/generate", `{"permissions":{"get_spend_routes":true}}`, "permissions")
	no(u, "/key/generate", `{"spend":-1}`, "spend")
	no(u, "/key/generate", `{"organization_id":"o"}`, "organization")
	no(u, "/key/generate", `{"user_id":"lead"}`, "themselves")
	u.post("/key/generate", `{"key_type":"llm_api","allowed_routes":[],"allowed_passthrough_routes":[]}`).ok().want("allowed_routes.0", "llm_api_routes")
	d.user("inside").post("/key/generate", `{"organization_id":"o"}`).ok().want("organization_id", "o")

	for _, path := range []string{"/key/update", "/key/regenerate"} {
		for _, lift := range []string{`"max_budget":6`, `"max_budget":null`, `"allowed_routes":[]`, `"key_type":"llm_api"`,
			`"allowed_passthrough_routes":[]`, `"metadata":{"allowed_passthrough_routes":null}`, `"permissions":{}`, `"spend":0`, `"user_id":"lead"`} {
			no(u, path, `{"key":"sk-own-123456",`+lift+`}`, "")
		}
	}
	u.post("/key/update", `{"key":"sk-own-123456","max_budget":5,"allowed_routes":["/v1/models"],"allowed_passthrough_routes":["/a"],"key_alias":"mine"}`).ok().
		want("key_alias", "mine", "max_budget", 5)
	u.post("/key/update", `{"key":"sk-plain-1234","key_type":"read_only"}`).ok().want("allowed_routes.0", "info_routes")
	no(u, "/key/update", `{"key":"sk-team-12345","max_budget":6}`, "max_budget")
	lead.post("/key/update", `{"key":"sk-team-12345","max_budget":6}`).ok().want("max_budget", 6)
	no(lead, "/key/update", `{"key":"sk-team-12345","allowed_routes":["/v1/models"]}`, "allowed_routes")
	no(lead, "/team/update", `{"team_id":"t","allowed_passthrough_routes":["/a"]}`, "allowed_passthrough_routes")

	m.post("/key/block", `{"key":"sk-own-123456"}`).ok()
	no(u, "/key/unblock", `{"key":"sk-own-123456"}`, "unblock")
	no(u, "/key/update", `{"key":"sk-own-123456","blocked":false}`, "unblock")
	m.post("/key/block", `{"key":"sk-team-12345"}`).ok()
	lead.post("/key/unblock", `{"key":"sk-team-12345"}`).ok()

	lead.Scopes = []*llm.Scope{{Kind: llm.ScopeKey, Budget: llm.Budget{Limited: true, Max: 7}}}
	lead.post("/key/generate", `{"max_budget":7}`).ok()
	lead.post("/key/generate", `{"max_budget":8}`).refused(400, "bad_request_error", "cannot exceed the caller's own max_budget (7)")
	lead.post("/key/update", `{"key":"sk-team-12345","max_budget":8}`).refused(400, "bad_request_error", "cannot exceed")
}

// TestDeniedPaths shows that administrators alone say which endpoints a key may not pass requests through to, or may again.
func TestDeniedPaths(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{})
	m := d.master()
	m.post("/user/new", `{"user_id":"u","auto_create_key":false}`).ok()
	m.post("/key/generate", `{"key":"sk-own-123456","user_id":"u","denied_passthrough_routes":["/a"]}`).ok().want("denied_passthrough_routes", []string{"/a"})
	if r := m.post("/key/generate", `{"denied_passthrough_routes":"/a"}`); r.status != 422 {
		t.Errorf("a text for a list: %d %s", r.status, r.raw)
	}
	u := d.user("u")
	const only = "Only proxy admins can set `denied_passthrough_routes`."
	u.post("/key/generate", `{"denied_passthrough_routes":["/a"]}`).refused(403, "auth_error", only)
	u.post("/key/generate", `{"metadata":{"denied_passthrough_routes":["/a"]}}`).refused(403, "auth_error", only)
	for _, path := range []string{"/key/update", "/key/regenerate"} {
		u.post(path, `{"key":"sk-own-123456","denied_passthrough_routes":[]}`).refused(403, "auth_error", only)
		u.post(path, `{"key":"sk-own-123456","metadata":{"denied_passthrough_routes":null}}`).refused(403, "auth_error", only)
	}
	u.post("/key/update", `{"key":"sk-own-123456","metadata":{"a":1},"denied_passthrough_routes":["/a"]}`).ok()
	u.post("/key/update", `{"key":"sk-own-123456","metadata":{}}`).ok()
	m.get("/key/info?key=sk-own-123456").ok().want("info.metadata.denied_passthrough_routes", []string{"/a"})
}

// TestPluginOpensPaths shows that the operator's plugin may say which endpoints a new key may pass requests through to,
// whoever asks for the key, and that who asks may not say it beside the plugin.
func TestPluginOpensPaths(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{KeyGenerate: func(_ *http.Request, _ *llm.Principal, params map[string]any) (map[string]any, error) {
		switch params["key_alias"] {
		case "top":
			params["allowed_passthrough_routes"] = []string{"/a"}
			params["denied_passthrough_routes"] = []any{"/a/b"}
		case "inside":
			params["metadata"] = map[string]any{"allowed_passthrough_routes": []any{"/a"}}
		}
		return params, nil
	}})
	d.master().post("/user/new", `{"user_id":"u","auto_create_key":false}`).ok()
	u := d.user("u")
	u.post("/key/generate", `{"key_alias":"top"}`).ok().want("allowed_passthrough_routes", []string{"/a"}, "denied_passthrough_routes", []string{"/a/b"})
	u.post("/key/generate", `{"key_alias":"inside"}`).ok().want("allowed_passthrough_routes", []string{"/a"})
	for _, alias := range []string{"none", "inside"} {
		u.post("/key/generate", `{"key_alias":"`+alias+`","allowed_passthrough_routes":["/b"]}`).refused(403, "auth_error", "Only proxy admins")
	}
}

// TestDroppedGuardrail shows that whom a key belongs to may add guardrails to it, and not take one away.
func TestDroppedGuardrail(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{})
	m := d.master()
	for _, id := range []string{"u", "lead"} {
		m.post("/user/new", map[string]any{"user_id": id, "auto_create_key": false}).ok()
	}
	m.post("/team/new", `{"team_id":"t","members_with_roles":[{"role":"admin","user_id":"lead"},{"role":"user","user_id":"u"}],
		"team_member_permissions":["/key/update","/key/regenerate","/key/info"]}`).ok()
	const own, teams = "sk-own-123456", "sk-team-123456"
	m.post("/key/generate", `{"key":"`+own+`","user_id":"u","guardrails":["pii","words"]}`).ok()
	m.post("/key/generate", `{"key":"`+teams+`","user_id":"u","team_id":"t","guardrails":["pii"]}`).ok()
	u := d.user("u")
	for _, path := range []string{"/key/update", "/key/regenerate"} {
		for _, set := range []string{`"guardrails":[]`, `"guardrails":null`, `"guardrails":["words"]`, `"guardrails":["PII","words"]`,
			`"metadata":{"guardrails":["words"]}`, `"metadata":{"guardrails":"words"}`, `"metadata":{"guardrails":null}`} {
			u.post(path, `{"key":"`+own+`",`+set+`}`).refused(403, "auth_error", "can take the guardrail `pii` from a key")
		}
		u.post(path, `{"key":"`+teams+`","guardrails":[]}`).refused(403, "auth_error", "can take the guardrail `pii` from a key")
	}
	u.post("/key/update", `{"key":"`+own+`","guardrails":["new","words","pii"],"metadata":{}}`).ok()
	u.post("/key/update", `{"key":"`+own+`","metadata":{"a":1}}`).ok()
	m.get("/key/info?key="+own).ok().want("info.metadata.guardrails", []string{"new", "words", "pii"})
	d.user("lead").post("/key/update", `{"key":"`+teams+`","guardrails":[]}`).ok()
	m.post("/key/update", `{"key":"`+own+`","guardrails":["words"]}`).ok()
	u.post("/key/update", `{"key":"`+own+`","guardrails":["words","more"]}`).ok()
}
