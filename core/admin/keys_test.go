package admin_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/admin"
)

func TestGenerateKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{})
	r := d.master().post("/key/generate", `{"models":["gpt-4o"],"max_budget":10,"duration":"30d","metadata":{"team":"core"},"model_rpm_limit":{"gpt-4o":5}}`).ok()
	r.want("models", []string{"gpt-4o"}, "max_budget", 10, "duration", "30d", "spend", 0, "user_id", "default_user_id", "team_id", nil,
		"metadata.team", "core", "model_rpm_limit.gpt-4o", 5, "aliases", map[string]any{}, "litellm_budget_table", nil)
	key := r.text("key")
	sum := sha256.Sum256([]byte(key))
	r.want("token", hex.EncodeToString(sum[:]), "token_id", hex.EncodeToString(sum[:]), "key_name", "sk-..."+key[len(key)-4:])
	info := d.master().get("/key/info?key=" + key).ok()
	info.want("key", key, "info.models", []string{"gpt-4o"}, "info.metadata.model_rpm_limit.gpt-4o", 5)
	if strings.Contains(info.raw, `"token"`) {
		t.Errorf("the hash is shown: %s", info.raw)
	}
	d.master().get("/key/info?key=sk-nobody").refused(404, "not_found_error", "Key not found in database")
	d.master().post("/key/generate", `{"key":"abc"}`).refused(400, "bad_request_error", "must start with 'sk-'")
	d.master().post("/key/generate", `{"key_alias":"a"}`).ok()
	d.master().post("/key/generate", `{"key_alias":"a"}`).refused(400, "bad_request_error", "Key with alias 'a' already exists")
	if r := d.master().post("/key/generate", `{"max_budget":"x"}`); r.status != 422 || !strings.Contains(r.raw, `"max_budget"`) {
		t.Errorf("got %d %s", r.status, r.raw)
	}
}

func TestKeyLife(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{})
	m := d.master()
	key := m.post("/key/generate", `{"key_alias":"life","budget_duration":"30d","soft_budget":3}`).ok().text("key")
	m.post("/key/update", map[string]any{"key": key, "max_budget": 7, "metadata": map[string]any{"a": 1}}).ok().want("max_budget", 7, "metadata.a", 1)
	m.post("/key/block", map[string]any{"key": key}).ok().want("blocked", true)
	m.post("/key/unblock", map[string]any{"key": key}).ok().want("blocked", false)
	next := m.post("/key/regenerate", map[string]any{"key": key}).ok().text("key")
	m.get("/key/info?key="+key).refused(404, "not_found_error", "not found")
	m.get("/key/info?key="+next).ok().want("info.max_budget", 7, "info.rotation_count", 1, "info.litellm_budget_table.soft_budget", 3)
	m.get("/key/aliases").ok().want("aliases", []string{"life"})
	m.get("/key/list").ok().want("total_count", 1)
	m.post("/key/delete", map[string]any{"key_aliases": []string{"life"}}).ok().want("deleted_keys", []string{"life"})
	m.get("/key/list").ok().want("total_count", 0)
}

func TestOwnKeys(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{})
	d.master().post("/user/new", `{"user_id":"ann","auto_create_key":false}`).ok()
	d.master().post("/user/new", `{"user_id":"bob","auto_create_key":false}`).ok()
	ann, bob := d.user("ann"), d.user("bob")
	key := ann.post("/key/generate", `{}`).ok().want("user_id", "ann").text("key")
	bob.get("/key/info?key="+key).refused(403, "auth_error", "not allowed")
	bob.post("/key/delete", map[string]any{"keys": []string{key}}).refused(403, "auth_error", "not authorized")
	ann.post("/key/generate", `{"user_id":"bob"}`).refused(403, "auth_error", "only create keys for themselves")
	bob.get("/key/list").ok().want("total_count", 0)
	ann.get("/key/list").ok().want("total_count", 1)
	ann.post("/user/new", `{}`).refused(401, "auth_error", "Only proxy admin can be used")
}

func TestTeams(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{})
	m := d.master()
	m.post("/user/new", `{"user_id":"ann","auto_create_key":false}`).ok()
	team := m.post("/team/new", `{"team_alias":"core","max_budget":5,"model_aliases":{"a":"b"},"members_with_roles":[{"role":"admin","user_id":"ann"}]}`).ok()
	team.want("team_alias", "core", "members_with_roles.0.user_id", "ann", "litellm_model_table.model_aliases.a", "b")
	id := team.text("team_id")
	ann := d.user("ann")
	ann.post("/team/member_add", map[string]any{"team_id": id, "member": map[string]any{"role": "user", "user_email": "bob@x.org"}, "max_budget_in_team": 2}).ok().
		want("updated_users.0.user_email", "bob@x.org")
	info := ann.get("/team/info?team_id=" + id).ok()
	info.want("team_id", id, "team_info.team_alias", "core")
	if n := len(info.at("team_memberships").([]any)); n != 3 { // the administrator, ann and bob
		t.Errorf("%d memberships: %s", n, info.raw)
	}
	ann.post("/team/member_add", map[string]any{"team_id": id, "member": map[string]any{"role": "user", "user_id": "ann"}}).
		refused(400, "team_member_already_in_team", "already in team")
	key := ann.post("/key/generate", map[string]any{"team_id": id}).ok().want("team_id", id).text("key")
	d.user("eve").post("/key/generate", map[string]any{"team_id": id}).refused(400, "bad_request_error", "not assigned to team")
	m.post("/team/delete", map[string]any{"team_ids": []string{id}}).ok()
	m.get("/key/info?key="+key).refused(404, "not_found_error", "not found")
	m.get("/team/info?team_id="+id).refused(404, "not_found_error", "Team not found")
}
