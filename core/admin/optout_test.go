package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/admin"
)

// Guardrails that are on for everybody are switched off by administrators only, whichever way a key or team is written.
func TestOnlyAdminsOptOutOfGuardrails(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{Defaults: map[string]any{"metadata": map[string]any{"opted_out_global_guardrails": []any{"chosen"}}}})
	d.master().post("/user/new", `{"user_id":"u","auto_create_key":false}`).ok()
	d.master().post("/team/new", `{"team_id":"t","members_with_roles":[{"role":"admin","user_id":"u"}]}`).ok()
	d.master().post("/key/generate", `{"key":"sk-own-123456","user_id":"u","metadata":{}}`).ok()
	d.master().post("/key/generate", `{"key":"sk-exempt-1234","user_id":"u","disable_global_guardrails":true}`).ok()
	u := d.user("u")
	no := func(path, body string) {
		t.Helper()
		if r := u.post(path, body); r.status != http.StatusForbidden || !strings.Contains(r.raw, "_global_guardrails") {
			t.Errorf("%s %s: %d %s", path, body, r.status, r.raw)
		}
	}
	for _, set := range []string{
		`"disable_global_guardrails":true`, `"metadata":{"disable_global_guardrails":true}`,
		`"disable_global_guardrails":"true"`, `"disable_global_guardrails":1`,
		`"metadata":{"opted_out_global_guardrails":["strict"]}`,
	} {
		no("/key/generate", `{`+set+`}`)
		no("/key/generate", `{"team_id":"t",`+set+`}`)
		no("/key/service-account/generate", `{"team_id":"t",`+set+`}`)
		no("/key/update", `{"key":"sk-own-123456",`+set+`}`)
		no("/key/regenerate", `{"key":"sk-own-123456",`+set+`}`)
		no("/team/update", `{"team_id":"t",`+set+`}`)
	}
	u.post("/key/generate", `{}`).ok()
	u.post("/key/generate", `{"disable_global_guardrails":false,"metadata":{"opted_out_global_guardrails":[]}}`).ok()
	u.post("/key/update", `{"key":"sk-exempt-1234","key_alias":"a","metadata":{"disable_global_guardrails":true}}`).ok()
	u.post("/key/update", `{"key":"sk-exempt-1234","disable_global_guardrails":false}`).ok()
	no("/key/update", `{"key":"sk-exempt-1234","disable_global_guardrails":true}`)
	d.master().post("/team/update", `{"team_id":"t","disable_global_guardrails":true}`).ok()
}
