package proof

import (
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

// TestOutOfTheBox shows that keys can be made with nothing configured but a master key, and that they are still there
// after a restart.
func TestOutOfTheBox(t *testing.T) {
	t.Parallel()
	v := vendor(t)
	state := apptest.Env("SALLYPORT_STATE_DIR=" + t.TempDir())
	yaml := settings(v, "", "", "")
	var k string
	t.Run("first", func(t *testing.T) {
		s := apptest.Start(t, yaml, state)
		refused(t, chat(s, "sk-unknown", ""), 400, "no_db_connection", "No connected db.")
		k = key(t, s, object{})
		ok(t, chat(s, k, ""))
		refused(t, chat(s, "sk-unknown", ""), 401, "token_not_found_in_db", "Unable to find token in cache")
	})
	t.Run("second", func(t *testing.T) {
		s := apptest.Start(t, yaml, state)
		ok(t, chat(s, k, ""))
		if got := spent(t, s, k); !near(got, callCost) {
			t.Errorf("spend after the restart is %v, want %v", got, callCost)
		}
	})
}

// TestKeyChecks shows what a key may not do, in the words of the reference.
func TestKeyChecks(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, settings(vendor(t), "", "", "model_group_alias: {alias-of-m: m}"))
	f := func(params object, request string, status int, kind, message string) {
		t.Helper()
		r := s.Post(chatPath, request, "Authorization: Bearer "+key(t, s, params))
		if status == 200 {
			ok(t, r)
			return
		}
		refused(t, r, status, kind, message)
	}
	f(object{}, body("m", ""), 200, "", "")
	f(object{"models": []string{"m"}}, body("m", ""), 200, "", "")
	f(object{"models": []string{"other"}}, body("m", ""), 401, "key_model_access_denied", "key not allowed to access model. This key can only access models=['other']. Tried to access m")
	f(object{"models": []string{"beta"}}, body("m", ""), 200, "", "")
	f(object{"models": []string{"beta"}}, body("other", ""), 401, "key_model_access_denied", "Tried to access other")
	f(object{"models": []string{"openai/*"}}, body("m", ""), 200, "", "")
	f(object{"models": []string{"anthropic/*"}}, body("m", ""), 401, "key_model_access_denied", "")
	f(object{"models": []string{"all-proxy-models"}}, body("m", ""), 200, "", "")
	f(object{"models": []string{"m"}}, body("alias-of-m", ""), 200, "", "")
	f(object{"models": []string{"mine"}, "aliases": object{"mine": "other"}}, body("mine", ""), 200, "", "")
	f(object{"models": []string{"m"}, "aliases": object{"mine": "other"}}, body("mine", ""), 401, "key_model_access_denied", "Tried to access other")
	f(object{"models": []string{"m"}}, body("m", `,"fallbacks":["other"]`), 401, "key_model_access_denied", "Tried to access other")
	f(object{"blocked": true}, body("m", ""), 401, "auth_error", "Authentication Error, Key is blocked. Update via `/key/unblock` if you're admin.")
	f(object{"allowed_routes": []string{"llm_api_routes"}}, body("m", ""), 200, "", "")
	f(object{"allowed_routes": []string{"/v1/embeddings"}}, body("m", ""), 403, "auth_error", "Virtual key is not allowed to call this route. Only allowed to call routes: ['/v1/embeddings']. Tried to call route: /v1/chat/completions")
	f(object{"allowed_routes": []string{"/v1/*"}}, body("m", ""), 200, "", "")
	f(object{"metadata": object{"enforced_params": []string{"user"}}}, body("m", ""), 400, "None", "BadRequest please pass param=user in request body. This is a required param")
	f(object{"metadata": object{"enforced_params": []string{"user", "metadata.run"}}}, body("m", `,"user":"u","metadata":{"x":1}`), 400, "None", "param=[metadata][run]")
	f(object{"metadata": object{"enforced_params": []string{"metadata.run"}}}, body("m", `,"metadata":{"run":1}`), 200, "", "")
	f(object{"allowed_cache_controls": []string{"no-cache"}}, body("m", `,"cache":{"ttl":1}`), 403, "None", "Not allowed to set ttl as a cache control")
}

// TestExpiry shows that a key ends when it says.
func TestExpiry(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, settings(vendor(t), "", "", ""))
	ok(t, chat(s, key(t, s, object{"duration": "1h"}), ""))
	k := key(t, s, object{"duration": "1s"})
	eventually(t, "the key expires", func() bool { return chat(s, k, "").Status == 400 })
	refused(t, chat(s, k, ""), 400, "expired_key", "Authentication Error - Expired Key. Key Expiry time ")
}

// TestChangesAtOnce shows that what is changed on a replica holds there with the next request.
func TestChangesAtOnce(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, settings(vendor(t), "", "", ""))
	team, _ := post(t, s, "/team/new", object{"team_alias": "T"})["team_id"].(string)
	k := key(t, s, object{"team_id": team})
	ok(t, chat(s, k, ""))
	post(t, s, "/key/block", object{"key": k})
	refused(t, chat(s, k, ""), 401, "auth_error", "Key is blocked")
	post(t, s, "/key/unblock", object{"key": k})
	ok(t, chat(s, k, ""))
	post(t, s, "/team/block", object{"team_id": team})
	refused(t, chat(s, k, ""), 401, "auth_error", "Authentication Error, Team="+team+" is blocked. Update via `/team/unblock` if your admin.")
	post(t, s, "/team/unblock", object{"team_id": team})
	post(t, s, "/team/update", object{"team_id": team, "models": []string{"other"}})
	refused(t, chat(s, k, ""), 401, "team_model_access_denied", "Team not allowed to access model. Team="+team+", Model=m. Allowed team models = ['other']")
	post(t, s, "/team/update", object{"team_id": team, "models": []string{}})
	ok(t, chat(s, k, ""))
	post(t, s, "/key/delete", object{"keys": []string{k}})
	refused(t, chat(s, k, ""), 401, "token_not_found_in_db", "")
}

// TestGracePeriod shows that the old form of a regenerated key works until its grace period ends.
func TestGracePeriod(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, settings(vendor(t), "", "", ""))
	k := key(t, s, object{"max_budget": 10})
	next, _ := post(t, s, "/key/regenerate", object{"key": k, "grace_period": "1h"})["key"].(string)
	ok(t, chat(s, next, ""))
	ok(t, chat(s, k, ""))
	k = key(t, s, object{"max_budget": 10})
	next, _ = post(t, s, "/key/regenerate", object{"key": k, "grace_period": "2s"})["key"].(string)
	eventually(t, "the old key ends", func() bool { return chat(s, k, "").Status == 401 })
	ok(t, chat(s, next, ""))
}

// TestPolicies shows the settings about who may call what.
func TestPolicies(t *testing.T) {
	t.Parallel()
	v := vendor(t)
	f := func(general string, do func(s *apptest.Server, k string) *apptest.Response, status int, kind, message string) {
		t.Helper()
		s := apptest.Start(t, settings(v, general, "", ""))
		r := do(s, key(t, s, object{}))
		if status == 200 {
			ok(t, r)
			return
		}
		refused(t, r, status, kind, message)
	}
	plain := func(s *apptest.Server, k string) *apptest.Response { return chat(s, k, "") }
	user := func(s *apptest.Server, k string) *apptest.Response { return chat(s, k, `,"user":"u"`) }
	f("enforce_user_param: true", plain, 401, "auth_error", "Authentication Error, 'user' param not passed in. 'enforce_user_param'=True")
	f("enforce_user_param: true", user, 200, "", "")
	f("enforced_params: [user]", plain, 400, "None", "param=user")
	f("enforced_params: [user]", user, 200, "", "")
	f("admin_only_routes: [/key/generate]", func(s *apptest.Server, k string) *apptest.Response {
		return s.Post("/key/generate", "{}", "Authorization: Bearer "+k)
	}, 403, "auth_error", "user not allowed to access this route. Route=/key/generate is an admin only route")
	f("reject_clientside_metadata_tags: true", func(s *apptest.Server, k string) *apptest.Response {
		return chat(s, k, `,"metadata":{"tags":["a"]}`)
	}, 400, "bad_request_error", "Client-side 'metadata.tags' not allowed in request.")
	f("public_routes: [/spend/calculate]", func(s *apptest.Server, _ string) *apptest.Response {
		r := s.Post("/spend/calculate", `{"model":"m","messages":[]}`, "Authorization:")
		if r.Status == 401 {
			return r
		}
		return &apptest.Response{Status: 200}
	}, 200, "", "")
	f(`allowed_routes: [/chat/completions, /key/generate]`, func(s *apptest.Server, k string) *apptest.Response {
		return s.Post("/chat/completions", body("m", ""), "Authorization: Bearer "+k)
	}, 200, "", "")
	f(`allowed_routes: [/chat/completions, /key/generate]`, func(s *apptest.Server, k string) *apptest.Response {
		return s.Post("/embeddings", `{"model":"m","input":"a"}`, "Authorization: Bearer "+k)
	}, 403, "auth_error", "Access forbidden: Route /embeddings not allowed")
}

// TestServiceAccount shows the rules that only service accounts have.
func TestServiceAccount(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, settings(vendor(t), "service_account_settings: {enforced_params: [user]}", "", ""))
	team, _ := post(t, s, "/team/new", object{"team_alias": "T"})["team_id"].(string)
	k, _ := post(t, s, "/key/service-account/generate", object{"team_id": team, "metadata": object{"service_account_id": "sa"}})["key"].(string)
	refused(t, chat(s, k, ""), 400, "None", "param=user")
	ok(t, chat(s, k, `,"user":"u"`))
	ok(t, chat(s, key(t, s, object{}), ""))
}

// TestCacheTTL shows that a key is trusted for its time only, whoever deleted it.
func TestCacheTTL(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, settings(vendor(t), "user_api_key_cache_ttl: 1", "", ""))
	k := key(t, s, object{})
	ok(t, chat(s, k, ""))
	time.Sleep(1100 * time.Millisecond)
	ok(t, chat(s, k, "")) // read anew
	post(t, s, "/key/delete", object{"keys": []string{k}})
	refused(t, chat(s, k, ""), 401, "token_not_found_in_db", "")
}

// TestFlood shows that keys which do not exist are refused without end, and do not keep others out.
func TestFlood(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, settings(vendor(t), "", "", ""))
	k := key(t, s, object{})
	for i := range 300 {
		if r := chat(s, "sk-flood-"+time.Now().String()+string(rune('a'+i%26)), ""); r.Status != 401 {
			t.Fatalf("status %d: %s", r.Status, r.Body)
		}
	}
	ok(t, chat(s, k, ""))
}
