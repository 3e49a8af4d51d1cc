package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/admin"
	"github.com/sallyport-ai/sallyport/core/llm"
)

func TestCustomers(t *testing.T) {
	t.Parallel()
	m := newDesk(t, admin.Policy{}).master()
	m.post("/customer/new", `{"user_id":"c1","max_budget":2,"alias":"first","allowed_model_region":"eu"}`).ok().
		want("user_id", "c1", "blocked", false, "alias", "first", "litellm_budget_table.max_budget", 2)
	m.post("/customer/new", `{"user_id":"c1"}`).refused(400, "bad_request_error", "already exists")
	m.post("/customer/new", `{"user_id":"c2","budget_id":"b","max_budget":1}`).refused(400, "bad_request_error", "not both")
	m.post("/end_user/update", `{"user_id":"c1","max_budget":3}`).ok().want("litellm_budget_table.max_budget", 3, "alias", "first")
	m.get("/customer/info?end_user_id=c1").ok().want("litellm_budget_table.max_budget", 3)
	m.get("/customer/info?end_user_id=c9").refused(404, "not_found_error", "does not exist")
	m.post("/customer/block", `{"user_ids":["c1","new"]}`).ok().want("blocked_users.1.user_id", "new")
	m.post("/customer/unblock", `{"user_ids":["c1"]}`).ok().want("blocked_users.0.blocked", false)
	m.get("/customer/list").ok().want("0.user_id", "c1")
	m.post("/customer/delete", `{"user_ids":["c1"]}`).ok().
		want("deleted_customers", 1, "message", "Successfully deleted customers with ids: ['c1']")
	m.post("/customer/delete", `{"user_ids":["c1"]}`).refused(404, "not_found_error", "does not exist")
}

func TestBudgetsAndTags(t *testing.T) {
	t.Parallel()
	m := newDesk(t, admin.Policy{}).master()
	m.post("/budget/new", `{"budget_id":"b","max_budget":5,"budget_duration":"30d"}`).ok().want("budget_id", "b", "max_budget", 5)
	m.post("/budget/new", `{"budget_id":"b"}`).refused(400, "bad_request_error", "already exists")
	m.post("/budget/new", `{"budget_duration":"3 weeks"}`).refused(400, "bad_request_error", "no duration")
	m.post("/budget/update", `{"budget_id":"b","max_budget":6}`).ok().want("max_budget", 6, "budget_duration", "30d")
	m.post("/budget/info", `{"budgets":["b"]}`).ok().want("0.max_budget", 6)
	m.get("/budget/settings?budget_id=b").ok().want("4.field_name", "max_budget", "4.field_value", 6)
	m.post("/key/generate", `{"budget_id":"b"}`).ok().want("litellm_budget_table.max_budget", 6)
	m.post("/key/generate", `{"budget_id":"none"}`).refused(400, "bad_request_error", "Budget not found")
	m.post("/tag/new", `{"name":"a","description":"d","max_budget":1}`).ok().want("tag.name", "a", "tag.litellm_budget_table.max_budget", 1)
	m.post("/tag/new", `{"name":"a"}`).refused(400, "bad_request_error", "already exists")
	m.post("/tag/update", `{"name":"a","max_budget":2}`).ok().want("tag.litellm_budget_table.max_budget", 2, "tag.description", "d")
	m.post("/tag/info", `{"names":["a"]}`).ok().want("a.name", "a")
	m.get("/tag/list").ok().want("0.name", "a")
	m.post("/tag/delete", `{"name":"a"}`).ok()
	m.post("/tag/info", `{"names":["a"]}`).refused(404, "not_found_error", "Tags not found")
	m.post("/budget/delete", `{"id":"none"}`).refused(404, "not_found_error", "not found")
}

func TestOrganizations(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{})
	m := d.master()
	m.post("/organization/new", `{"organization_id":"o","organization_alias":"org","max_budget":9,"models":["a"]}`).ok().
		want("organization_alias", "org", "litellm_budget_table.max_budget", 9)
	m.post("/organization/member_add", `{"organization_id":"o","member":{"role":"org_admin","user_email":"lead@x.org"}}`).ok().
		want("updated_organization_memberships.0.user_role", "org_admin")
	lead := d.user(m.get("/user/list?user_email=lead").ok().text("users.0.user_id"))
	lead.post("/organization/member_add", `{"organization_id":"o","member":[{"role":"internal_user","user_id":"bob"}],"max_budget_in_organization":1}`).ok()
	lead.call("PATCH", "/organization/member_update", `{"organization_id":"o","user_id":"bob","max_budget_in_organization":2,"role":"internal_user_viewer"}`).ok().
		want("litellm_budget_table.max_budget", 2, "user_role", "internal_user_viewer")
	lead.call("PATCH", "/organization/update", `{"organization_id":"o","max_budget":100}`).refused(403, "auth_error", "max_budget")
	lead.post("/team/new", `{"team_id":"t","organization_id":"o"}`).ok().want("organization_id", "o")
	lead.post("/team/new", `{"team_id":"t2"}`).refused(403, "auth_error", "organization")
	info := lead.get("/organization/info?organization_id=o").ok().want("teams.0.team_id", "t")
	if !strings.Contains(info.raw, `"user_id":"bob"`) {
		t.Errorf("bob is no member: %s", info.raw)
	}
	lead.get("/user/list").ok().want("total", 2)
	d.user("eve").get("/organization/info?organization_id=o").refused(403, "auth_error", "not an admin")
	lead.call("DELETE", "/organization/member_delete", `{"organization_id":"o","user_id":"bob"}`).ok()
	key := m.post("/key/generate", `{"team_id":"t"}`).ok().want("organization_id", "o").text("key")
	m.call("DELETE", "/organization/delete", `{"organization_ids":["o"]}`).ok().want("0.organization_id", "o")
	m.get("/key/info?key="+key).refused(404, "not_found_error", "not found")
}

func TestModelsAndCredentials(t *testing.T) {
	t.Parallel()
	applied := 0
	d := newDesk(t, admin.Policy{
		StoreModels: true, Apply: func(context.Context) error { applied++; return nil },
		CheckModel: func(_ string, params, _ map[string]any) error {
			if strings.HasPrefix(params["model"].(string), "nope/") {
				return errors.New("the vendor nope is not known")
			}
			return nil
		},
	})
	m := d.master()
	made := m.post("/model/new", `{"model_name":"m","litellm_params":{"model":"openai/x","api_key":"sk-very-secret","rpm":3}}`).ok()
	made.want("model_name", "m", "litellm_params.api_key", "****", "litellm_params.rpm", 3, "model_info.db_model", true)
	id := made.text("model_id")
	m.post("/model/new", `{"model_name":"m","litellm_params":{"model":"nope/x"}}`).refused(400, "bad_request_error", "nope is not known")
	m.post("/model/new", `{"model_name":"m","litellm_params":{}}`).refused(400, "bad_request_error", "litellm_params.model is missing")
	m.call("PATCH", "/model/"+id+"/update", `{"litellm_params":{"rpm":null,"tpm":7}}`).ok().want("litellm_params.tpm", 7, "litellm_params.api_key", "****")
	row, err := d.store.Models().Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var params map[string]any
	if err := json.Unmarshal(row.LitellmParams, &params); err != nil || params["api_key"] != "sk-very-secret" || params["rpm"] != nil {
		t.Errorf("%v %s", err, row.LitellmParams)
	}
	m.post("/credentials", `{"credential_name":"c","credential_values":{"api_key":"sk-very-secret"},"credential_info":{"custom_llm_provider":"openai"}}`).ok().want("success", true)
	m.get("/credentials").ok().want("credentials.0.credential_values.api_key", "****")
	m.get("/credentials/by_name/c").ok().want("credential_info.custom_llm_provider", "openai")
	m.call("PATCH", "/credentials/c", `{"credential_values":{"api_base":"https://x"}}`).ok()
	m.call("DELETE", "/credentials/c", nil).ok()
	m.call("DELETE", "/credentials/c", nil).refused(404, "not_found_error", "Credential not found")
	m.post("/access_group/new", `{"access_group":"g","model_names":["m"]}`).ok().want("models_updated", 1)
	m.get("/access_group/list").ok().want("access_groups.0.access_group", "g", "access_groups.0.model_names", []string{"m"})
	m.call("DELETE", "/access_group/g/delete", nil).ok()
	m.post("/model/delete", `{"id":"`+id+`"}`).ok().want("message", "Model: "+id+" deleted successfully")
	m.post("/model/delete", `{"id":"`+id+`"}`).refused(400, "bad_request_error", "not found in db")
	if applied != 8 {
		t.Errorf("changes took effect %d times, want 8", applied)
	}
	// No secret is in the audit log.
	logs := m.get("/audit?page_size=100").ok()
	if strings.Contains(logs.raw, "very-secret") {
		t.Error("the audit log holds a secret")
	}
	off := newDesk(t, admin.Policy{}).master()
	off.post("/model/new", `{"model_name":"m","litellm_params":{"model":"openai/x"}}`).refused(400, "bad_request_error", "store_model_in_db")
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{
		Defaults: map[string]any{"max_budget": 3.0, "models": []any{"a"}}, UpperBound: map[string]any{"rpm_limit": 10, "duration": "1d"},
		PersonalKeys: &admin.KeyRule{Roles: []string{"proxy_admin"}},
		KeyGenerate: func(_ *http.Request, _ *llm.Principal, params map[string]any) (map[string]any, error) {
			if params["key_alias"] == "no" {
				return nil, &llm.Error{Kind: llm.KindAuth, Status: 403, Type: "auth_error", Message: "not that name"}
			}
			params["metadata"] = map[string]any{"checked": true}
			return params, nil
		},
	})
	m := d.master()
	m.post("/key/generate", `{}`).ok().want("max_budget", 3, "models", []string{"a"}, "rpm_limit", 10, "metadata.checked", true)
	m.post("/key/generate", `{"rpm_limit":11}`).refused(400, "bad_request_error", "rpm_limit is over max limit")
	m.post("/key/generate", `{"duration":"2d"}`).refused(400, "bad_request_error", "duration is over max limit")
	m.post("/key/generate", `{"key_alias":"no"}`).refused(403, "auth_error", "not that name")
	d.user("ann").post("/key/generate", `{}`).refused(400, "bad_request_error", "[proxy_admin]")
	team := newDesk(t, admin.Policy{NeedTeam: true})
	team.user("ann").post("/key/generate", `{}`).refused(400, "bad_request_error", "team_id")
	team.master().post("/key/generate", `{}`).ok()
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{
		StoreModels: true,
		Shown: func(section string) any {
			if section == "router_settings" {
				return map[string]any{"fallbacks": []any{map[string]any{"a": []any{"b"}}}}
			}
			return map[string]any{"proxy_batch_write_at": 10}
		},
		CheckStored: func(_ context.Context, doc []byte) error {
			if strings.Contains(string(doc), `"num_retries":-1`) {
				return errors.New("num_retries must not be negative")
			}
			return nil
		},
	})
	m := d.master()
	m.post("/config/update", `{"router_settings":{"num_retries":4},"environment_variables":{"SLACK":"xoxb-secret"}}`).ok()
	m.post("/config/update", `{"router_settings":{"num_retries":-1}}`).refused(400, "bad_request_error", "must not be negative")
	row, err := d.store.Config().Get(t.Context(), "router_settings")
	if err != nil || string(row.ParamValue) != `{"num_retries":4}` {
		t.Errorf("%v %s", err, row.ParamValue)
	}
	m.post("/config/update", `{"model_list":[]}`).refused(400, "bad_request_error", "model_list")
	m.get("/config/list?config_type=general_settings").ok()
	m.get("/config/field/info?field_name=proxy_batch_write_at").ok().want("field_value", 10)
	m.get("/config/field/info?field_name=nope").refused(400, "bad_request_error", "Invalid field")
	m.post("/config/field/update", `{"field_name":"proxy_batch_write_at","field_value":5,"config_type":"general_settings"}`).ok()
	m.post("/config/field/delete", `{"field_name":"proxy_batch_write_at","config_type":"general_settings"}`).ok()
	m.post("/fallback", `{"model":"c","fallback_models":["d"]}`).ok()
	row, err = d.store.Config().Get(t.Context(), "router_settings")
	if err != nil || !strings.Contains(string(row.ParamValue), `{"a":["b"]},{"c":["d"]}`) {
		t.Errorf("%v %s", err, row.ParamValue)
	}
	m.get("/fallback/a").ok().want("fallback_models", []string{"b"})
	m.get("/fallback/z").refused(404, "not_found_error", "No general fallbacks configured for model 'z'")
	if logs := m.get("/audit").ok(); strings.Contains(logs.raw, "xoxb") {
		t.Error("the audit log holds a secret")
	}
}
