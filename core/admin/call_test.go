package admin_test

import (
	"testing"

	"github.com/sallyport-ai/sallyport/core/admin"
)

// TestExactNames shows that a member in other letters is unknown, as it is to the reference, and so passes no rule that
// looks at names.
func TestExactNames(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{})
	m := d.master()
	key := m.post("/key/generate", `{"Max_Budget":5,"metadata":{"a":1},"max_budget":2,"MAX_BUDGET":9}`).ok().want("max_budget", 2).text("key")
	m.post("/key/update", map[string]any{"key": key, "Metadata": map[string]any{"b": 1}, "\u212aey": "sk-another"}).ok().want("metadata.a", 1, "max_budget", 2)
	bulk := m.post("/key/bulk_update", map[string]any{"keys": []any{map[string]any{"key": key, "Soft_Budget": 1}}}).ok()
	if bulk.at("successful_updates.0.key_info.budget_id") != nil {
		t.Errorf("a soft budget was made: %s", bulk.raw)
	}
	m.post("/user/new", `{"user_id":"ann","auto_create_key":false}`).ok()
	m.post("/team/new", `{"team_id":"t","members_with_roles":[{"role":"admin","user_id":"ann"}]}`).ok()
	ann := d.user("ann")
	const off = `"metadata":{},"Metadata":{"disable_global_guardrails":true}`
	own := ann.post("/key/generate", `{`+off+`}`).ok().want("metadata", map[string]any{}).text("key")
	ann.post("/key/update", `{"key":"`+own+`",`+off+`}`).ok().want("metadata", map[string]any{})
	ann.post("/key/regenerate", `{"key":"`+own+`",`+off+`}`).ok().want("metadata", map[string]any{})
	ann.post("/team/update", `{"team_id":"t",`+off+`}`).ok().want("data.metadata", map[string]any{})
	ann.post("/key/generate", `{"Key_Type":"management","Allowed_Routes":["management_routes"]}`).ok().want("allowed_routes", []string{})
}

// TestExactNestedNames shows that it is so inside of members, too.
func TestExactNestedNames(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{})
	m := d.master()
	for _, id := range []string{"ann", "bob"} {
		m.post("/user/new", map[string]any{"user_id": id, "auto_create_key": false}).ok()
	}
	m.post("/team/new", `{"team_id":"t","members_with_roles":[{"role":"user","Role":"admin","user_id":"ann","User_ID":"bob","USER_ID":"carl"}]}`).ok()
	m.get("/team/info?team_id=t").ok().want("team_info.members_with_roles.0.role", "user", "team_info.members_with_roles.0.user_id", "ann")
	m.post("/team/member_add", `{"team_id":"t","member":{"role":"user","ROLE":"admin","user_id":"bob"}}`).ok()
	m.get("/team/info?team_id=t").ok().want("team_info.members_with_roles.2.role", "user", "team_info.members_with_roles.2.user_id", "bob")
	m.post("/team/member_add", `{"team_id":"t","member":{"role":"user","User_id":"carl"}}`).refused(400, "bad_request_error", "Either user_id or user_email")
	key := m.post("/key/generate", `{"object_permission":{"Mcp_Servers":["x"],"vector_stores":["v"],"Vector_Stores":["w"]},
		"model_max_budget":{"m":{"budget_limit":1,"time_period":"1d","Time_Period":"nonsense"}}}`).ok().text("key")
	info := m.get("/key/info?key="+key).ok().want("info.object_permission.vector_stores", []string{"v"}, "info.object_permission.mcp_servers", []string{})
	info.want("info.model_max_budget.m.budget_limit", 1)
}
