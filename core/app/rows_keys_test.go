package app_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

// desk is a gateway with a database of its own and somebody at it.
type desk struct {
	*testing.T
	*apptest.Server
}

// withDatabase starts a gateway whose models answer by themselves. more holds further lines of the configuration.
func withDatabase(t *testing.T, more string, env ...string) desk {
	t.Helper()
	yaml := "model_list:\n" +
		"- {model_name: m, litellm_params: {model: openai/x, api_key: k, mock_response: hello, input_cost_per_token: 0.001, output_cost_per_token: 0.002}}\n" +
		"- {model_name: other, litellm_params: {model: openai/y, api_key: k, mock_response: hello}}\n" +
		"- {model_name: e, litellm_params: {model: openai/e, api_key: k, mock_response: '[0.1]'}, model_info: {mode: embedding}}\n" + more
	env = append([]string{"DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "s.db")}, env...)
	return desk{t, apptest.Start(t, yaml, apptest.Env(env...))}
}

// as is the header line of a caller.
func as(key string) string { return "Authorization: Bearer " + key }

// key makes a key with the master key.
func (d desk) key(params string) string {
	d.Helper()
	r := d.Post("/key/generate", params)
	wantStatus(d.T, r, 200, `"key"`)
	return member(d.T, r, "key")
}

// userKey makes a user and a key for him.
func (d desk) userKey(params string) string {
	d.Helper()
	r := d.Post("/user/new", params)
	wantStatus(d.T, r, 200, `"key"`)
	return member(d.T, r, "key")
}

func (d desk) chat(key string, more ...string) *apptest.Response {
	d.Helper()
	return d.Post("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"hi"}]`+strings.Join(more, "")+`}`, as(key))
}

func (d desk) want(r *apptest.Response, status int, text string) {
	d.Helper()
	wantStatus(d.T, r, status, text)
}

func TestRowKeyGenerationSettings(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, `
general_settings: {master_key: sk-1234}
litellm_settings: {key_generation_settings: {personal_key_generation: {allowed_user_roles: [proxy_admin]}}}
`)
	user := d.userKey(`{"user_id":"ann","user_role":"internal_user"}`)
	d.want(d.Post("/key/generate", `{}`, as(user)), 400, "proxy_admin")
	d.want(d.Post("/key/generate", `{}`), 200, `"key"`)
}

func TestRowDefaultTeamDisabled(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, "general_settings: {master_key: sk-1234, default_team_disabled: true}\n")
	user := d.userKey(`{"user_id":"ann","user_role":"internal_user"}`)
	d.want(d.Post("/team/new", `{"team_id":"t","members_with_roles":[{"role":"user","user_id":"ann"}]}`), 200, "t")
	d.want(d.Post("/key/generate", `{}`, as(user)), 400, "team_id")
	d.want(d.Post("/key/generate", `{"team_id":"t"}`, as(user)), 200, `"key"`)
	d.want(d.Get("/sso/get/ui_settings"), 200, `"DEFAULT_TEAM_DISABLED":true`)
}

func TestRowServiceAccountSettings(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, "general_settings: {master_key: sk-1234, service_account_settings: {enforced_params: [user]}}\n")
	d.want(d.Post("/team/new", `{"team_id":"t"}`), 200, "t")
	r := d.Post("/key/service-account/generate", `{"team_id":"t"}`)
	d.want(r, 200, `"user_id":null`)
	service := member(t, r, "key")
	d.want(d.chat(service), 400, "user")
	d.want(d.chat(service, `,"user":"u1"`), 200, "hello")
	d.want(d.chat(d.key(`{}`)), 200, "hello")
}

func TestRowUserInfo(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, "general_settings: {master_key: sk-1234}\n")
	d.userKey(`{"user_id":"ann","user_email":"ann@x.org"}`)
	d.want(d.Post("/team/new", `{"team_id":"t","members_with_roles":[{"role":"user","user_id":"ann"}]}`), 200, "t")
	r := d.Get("/user/info?user_id=ann")
	d.want(r, 200, `"user_email":"ann@x.org"`)
	var info struct {
		Keys  []map[string]any `json:"keys"`
		Teams []map[string]any `json:"teams"`
	}
	if err := json.Unmarshal([]byte(r.Body), &info); err != nil || len(info.Keys) != 1 || len(info.Teams) != 1 {
		t.Errorf("%v: %s", err, r.Body)
	}
}

func TestRowModelNew(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, "general_settings: {master_key: sk-1234}\n")
	d.want(d.Post("/model/new", `{"model_name":"n","litellm_params":{"model":"openai/n","api_key":"k"}}`), 400, "store_model_in_db")
}

func TestRowRoutes(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, `general_settings: {master_key: sk-1234, allowed_routes: ["/chat/completions", "/v1/chat/completions", "/key/generate"]}`)
	key := d.key(`{}`)
	d.want(d.Post("/chat/completions", `{"model":"m","messages":[]}`, as(key)), 200, "hello")
	d.want(d.Post("/embeddings", `{"model":"e","input":"x"}`, as(key)), 403, "not allowed")

	open := withDatabase(t, `general_settings: {master_key: sk-1234, public_routes: ["/spend/calculate"], admin_only_routes: ["/key/generate"]}`)
	open.want(open.Post("/spend/calculate", `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, "Authorization:"), 200, "cost")
	open.want(open.Get("/key/info", "Authorization:"), 401, "auth_error")
	user := open.userKey(`{"user_id":"ann","user_role":"internal_user"}`)
	open.want(open.Post("/key/generate", `{}`, as(user)), 403, "")
	open.want(open.Post("/key/generate", `{}`), 200, `"key"`)
}

func TestRowEnforcedParams(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, `general_settings: {master_key: sk-1234, enforced_params: [user, metadata.generation_name]}`)
	key := d.key(`{}`)
	d.want(d.chat(key), 400, "user")
	d.want(d.chat(key, `,"user":"u","metadata":{"generation_name":"g"}`), 200, "hello")
	u := withDatabase(t, `general_settings: {master_key: sk-1234, enforce_user_param: true}`)
	key = u.key(`{}`)
	u.want(u.chat(key), 401, "auth_error")
	u.want(u.chat(key, `,"user":"u1"`), 200, "hello")
}

// Costs are kept by key, user, team, customer, tag and model.
func TestRowCostTracking(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, `general_settings: {master_key: sk-1234, proxy_batch_write_at: 1}`)
	for _, team := range []string{"t1", "t2"} {
		d.want(d.Post("/team/new", `{"team_id":"`+team+`","team_alias":"`+team+`"}`), 200, team)
		key := d.key(`{"team_id":"` + team + `"}`)
		d.want(d.chat(key, `,"user":"cust"`), 200, "hello")
		d.want(d.chat(key), 200, "hello")
	}
	eventually(t, func() bool {
		r := d.Get("/global/spend/report?group_by=team")
		return strings.Contains(r.Body, `"t1"`) && strings.Contains(r.Body, `"t2"`)
	})
	var team struct {
		Info struct{ Spend float64 } `json:"team_info"`
	}
	for _, id := range []string{"t1", "t2"} {
		if err := json.Unmarshal([]byte(d.Get("/team/info?team_id="+id).Body), &team); err != nil || team.Info.Spend <= 0 {
			t.Errorf("%v %+v", err, team)
		}
	}
	d.want(d.Get("/customer/info?end_user_id=cust"), 200, `"spend":0.`)
}
