package app_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// authRights is a gateway with an auth plugin whose principals have rights besides models and limits, the id of a stored
// access group, and the vendor of a model that always fails.
func authRights(t *testing.T) (d *doorman, s *apptest.Server, group string, broken *ut.Vendor) {
	t.Helper()
	raised := func(until time.Time) map[string]any {
		return map[string]any{
			"limits":   map[string]any{"max_budget": 0.005},
			"metadata": map[string]any{"temp_budget_increase": 100, "temp_budget_expiry": until.Format(time.RFC3339)},
		}
	}
	routed := func(name string, value any) map[string]any {
		return map[string]any{"router_settings": map[string]any{name: value}}
	}
	fallback := func(from, to string) []any { return []any{map[string]any{from: []any{to}}} }
	d = newDoorman(t, map[string]map[string]any{
		"group": {"models": []string{"beta"}}, "stored": {"models": []string{"m"}, "access_group_ids": []string{"GROUP", "no id"}},
		"none":   {"models": []string{"m"}, "access_group_ids": []string{"01234567-89ab-cdef-0123-456789abcdef"}},
		"team":   {"team_id": "t", "team_models": []string{"beta"}},
		"raised": raised(time.Now().Add(24 * time.Hour)), "over": raised(time.Now().Add(-24 * time.Hour)),
		"auditor": {"role": "customer", "permissions": map[string]any{"get_spend_routes": true}}, "customer": {"role": "customer"},
		"spared": {"permissions": map[string]any{"strict": false}}, "watched": {"permissions": map[string]any{"loose": true}}, "plain": {},
		"patient": routed("num_retries", 2), "careful": routed("fallbacks", fallback("broken", "m")),
		"long": routed("context_window_fallbacks", fallback("long", "m")), "mild": routed("content_policy_fallbacks", fallback("unfit", "m")),
		"wrong": routed("routing_strategy", "least-busy"),
	})
	failing := func(status int, code string) *ut.Vendor {
		return ut.New(t, ut.JSON(status, `{"error":{"message":"no `+code+`","type":"invalid_request_error","code":"`+code+`"}}`))
	}
	broken = failing(500, "down")
	more := "model_list:\n"
	for name, v := range map[string]*ut.Vendor{
		"broken": broken, "long": failing(400, "context_length_exceeded"), "unfit": failing(400, "content_policy_violation"), "grouped": d.vendor,
	} {
		more += fmt.Sprintf("  - {model_name: %s, litellm_params: {model: openai/x, api_base: %s/v1, api_key: k}, model_info: {access_groups: [in-%[1]s]}}\n", name, v.URL)
	}
	more = strings.Replace(more, "[in-grouped]", "[beta]", 1)
	yaml := strings.Replace(d.yaml(), "model_list:\n", more, 1) + fmt.Sprintf(`
router_settings: {num_retries: 0}
guardrails:
  - {guardrail_name: strict, litellm_params: {guardrail: %[1]s, mode: pre_call, default_on: true, config: {words: [xyzzy]}}}
  - {guardrail_name: loose, litellm_params: {guardrail: %[1]s, mode: pre_call, config: {words: [hi]}}}
`, plugintest.Build(t, "../../plugins/keyword-guard"))
	s = apptest.Start(t, yaml, apptest.Env("DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "x.db")))
	var g struct {
		ID string `json:"access_group_id"`
	}
	if r := s.Post("/v1/access_group", `{"access_group_name":"g","access_model_names":["other"]}`); json.Unmarshal([]byte(r.Body), &g) != nil || g.ID == "" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	s.Write(strings.Replace(yaml, `"GROUP"`, `"`+g.ID+`"`, 1))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	return d, s, g.ID, broken
}

// What a principal of an auth plugin may do besides its models and limits holds as it does for a virtual key: models by
// access group, a budget that is raised for a time, permissions and router settings.
func TestAuthPluginFurtherRights(t *testing.T) {
	t.Parallel()
	d, s, group, broken := authRights(t)
	const no = "key_model_access_denied"
	d.call(s, "group", "grouped", "", 200, "")
	d.call(s, "group", "m", "", 401, no)
	d.call(s, "stored", "m", "", 200, "")
	d.call(s, "stored", "other", "", 200, "")
	d.call(s, "stored", "grouped", "", 401, no)
	d.call(s, "none", "other", "", 401, no)
	d.call(s, "team", "grouped", "", 200, "")
	d.call(s, "team", "m", "", 401, "team_model_access_denied")
	if r := s.Do("PUT", "/v1/access_group/"+group, `{"access_model_names":["grouped"]}`); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	d.call(s, "stored", "grouped", "", 200, "")
	d.call(s, "stored", "other", "", 401, no)

	d.call(s, "raised", "m", "", 200, "")
	d.call(s, "raised", "m", "", 200, "")
	d.call(s, "over", "m", "", 200, "")
	d.call(s, "over", "m", "", 400, "budget_exceeded", `Max budget: 0\.005`)

	for name, status := range map[string]int{"auditor": 200, "customer": 401} {
		for _, path := range []string{"/global/spend/report?start_date=2026-01-01&end_date=2026-01-02", "/global/spend/keys", "/global/spend"} {
			if r := s.Get(path, "Authorization: Bearer sk-"+name); r.Status != status {
				t.Errorf("%s %s: %d %s", name, path, r.Status, r.Body)
			}
		}
	}
	if r := s.Get("/user/list", "Authorization: Bearer sk-auditor"); r.Status != 401 {
		t.Errorf("a permission for reports opens the list of users: %d %s", r.Status, r.Body)
	}

	d.call(s, "plain", "m", `,"user":"u","metadata":{"x":"y"}`, 200, "")
	say := func(name, text string, status int) {
		t.Helper()
		r := s.Post(chat, `{"model":"m","messages":[{"role":"user","content":"`+text+`"}]}`, "Authorization: Bearer sk-"+name)
		if r.Status != status {
			t.Errorf("%s says %s: %d %s", name, text, r.Status, r.Body)
		}
	}
	say("plain", "xyzzy", 400)
	say("plain", "hi", 200)
	say("spared", "xyzzy", 200)
	say("watched", "hi", 400)

	before := len(broken.Requests())
	d.call(s, "plain", "broken", "", 500, "")
	once := len(broken.Requests())
	d.call(s, "patient", "broken", "", 500, "")
	if n := len(broken.Requests()) - once; once-before != 1 || n != 3 {
		t.Errorf("%d calls without router settings, %d with num_retries: 2", once-before, n)
	}
	d.call(s, "patient", "broken", `,"num_retries":0`, 500, "")
	if n := len(broken.Requests()) - once; n != 4 {
		t.Errorf("what the request says does not count: %d calls", n-3)
	}
	d.call(s, "careful", "broken", "", 200, "")
	d.call(s, "careful", "broken", `,"fallbacks":[]`, 500, "")
	d.call(s, "plain", "long", "", 400, "invalid_request_error")
	d.call(s, "long", "long", "", 200, "")
	d.call(s, "plain", "unfit", "", 400, "invalid_request_error")
	d.call(s, "mild", "unfit", "", 200, "")
	d.call(s, "wrong", "m", "", 401, "auth_error", "plugin .* failed")
}

// The same of a virtual key.
func TestVirtualKeyFurtherRights(t *testing.T) {
	t.Parallel()
	d, s, _, broken := authRights(t)
	newKey := func(params string) string {
		t.Helper()
		var k struct{ Key string }
		if r := s.Post("/key/generate", params); json.Unmarshal([]byte(r.Body), &k) != nil || k.Key == "" {
			t.Fatalf("%s: %d %s", params, r.Status, r.Body)
		}
		return strings.TrimPrefix(k.Key, "sk-")
	}
	careful := newKey(`{"router_settings":{"num_retries":1,"fallbacks":[{"broken":["m"]}]}}`)
	before := len(broken.Requests())
	d.call(s, careful, "broken", "", 200, "")
	if n := len(broken.Requests()) - before; n != 2 {
		t.Errorf("%d calls with num_retries: 1", n)
	}
	if r := s.Post("/team/new", `{"team_id":"t","router_settings":{"fallbacks":[{"broken":["m"]}]}}`); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	d.call(s, newKey(`{"team_id":"t"}`), "broken", "", 200, "")
	d.call(s, newKey(`{"team_id":"t","router_settings":{"fallbacks":[{"broken":["broken"]}]}}`), "broken", "", 500, "")
	auditor, plain := newKey(`{"permissions":{"get_spend_routes":true}}`), newKey(`{}`)
	for key, status := range map[string]int{auditor: 200, plain: 401} {
		if r := s.Get("/global/spend/keys", "Authorization: Bearer sk-"+key); r.Status != status {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	}
	s.Post("/user/new", `{"user_id":"ann","user_role":"internal_user"}`)
	own := newKey(`{"user_id":"ann"}`)
	r := s.Post("/key/generate", `{"permissions":{"strict":false}}`, "Authorization: Bearer sk-"+own)
	if r.Status != 403 || !strings.Contains(r.Body, "Only proxy admins can write `permissions` on a key.") {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}
