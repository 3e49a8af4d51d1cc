package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

// TestErrorTable shows what callers are told whose key may not do what they ask: status, type, parameter, code and the
// whole message, as in the reference (litellm/proxy/auth, user_api_key_auth.py and auth_checks.py of 1.81.13). A budget's
// message goes on with whose it is and when it resets.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	v := vendor(t)
	s := apptest.Start(t, settings(v, "proxy_batch_write_at: 1", "", ""))
	told := func(t *testing.T, r *apptest.Response, status int, kind, param, message string) {
		t.Helper()
		var e struct {
			Error struct{ Message, Type, Param, Code any }
		}
		if err := json.Unmarshal([]byte(r.Body), &e); err != nil {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		text := func(v any) string {
			if s, ok := v.(string); ok {
				return s
			}
			return "null"
		}
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(message), "<any>", ".+") + "$"
		code := map[int]string{400: "400", 401: "401", 403: "403", 404: "404"}[status]
		if r.Status != status || text(e.Error.Type) != kind || param != "<any>" && text(e.Error.Param) != param || text(e.Error.Code) != code ||
			!regexp.MustCompile(pattern).MatchString(text(e.Error.Message)) {
			t.Errorf("got %d %s\nwant %d, type %s, param %s: %s", r.Status, r.Body, status, kind, param, message)
		}
	}
	f := func(name string, ask func(t *testing.T) *apptest.Response, status int, kind, param, message string) {
		t.Run(name, func(t *testing.T) { told(t, ask(t), status, kind, param, message) })
	}
	with := func(params object) func(t *testing.T) *apptest.Response {
		return func(t *testing.T) *apptest.Response { return chat(s, key(t, s, params), "") }
	}
	bearer := func(value string) func(t *testing.T) *apptest.Response {
		return func(*testing.T) *apptest.Response { return s.Post(chatPath, body("m", ""), "Authorization:"+value) }
	}
	team, _ := post(t, s, "/team/new", object{"models": []string{"other"}})["team_id"].(string)
	shut, _ := post(t, s, "/team/new", object{})["team_id"].(string)
	post(t, s, "/team/block", object{"team_id": shut})
	post(t, s, "/user/new", object{"user_id": "zoe", "models": []string{"other"}, "auto_create_key": false, "user_role": "internal_user"})

	f("no key", bearer(""), 401, "auth_error", "None", "Authentication Error, No api key passed in.")
	f("no virtual key", bearer("Bearer abcd1234wxyz"), 401, "auth_error", "None",
		"Authentication Error, LiteLLM Virtual Key expected. Received=abcd****wxyz, expected to start with 'sk-'.")
	hash := sha256.Sum256([]byte("sk-unknown-0000"))
	f("unknown", bearer("Bearer sk-unknown-0000"), 401, "token_not_found_in_db", "key",
		"Authentication Error, Invalid proxy server token passed. Received API Key = sk-...0000, Key Hash (Token) ="+hex.EncodeToString(hash[:])+
			". Unable to find token in cache or `LiteLLM_VerificationTokenTable`")
	f("blocked", with(object{"blocked": true}), 401, "auth_error", "None", "Authentication Error, Key is blocked. Update via `/key/unblock` if you're admin.")
	f("blocked team", with(object{"team_id": shut}), 401, "auth_error", "None",
		"Authentication Error, Team="+shut+" is blocked. Update via `/team/unblock` if your admin.")
	f("model of the key", with(object{"models": []string{"other"}}), 401, "key_model_access_denied", "model",
		"key not allowed to access model. This key can only access models=['other']. Tried to access m")
	f("model of the team", with(object{"team_id": team}), 401, "team_model_access_denied", "model",
		"Team not allowed to access model. Team="+team+", Model=m. Allowed team models = ['other']")
	f("model of the user", with(object{"user_id": "zoe"}), 401, "user_model_access_denied", "model",
		"user not allowed to access model. This user can only access models=['other']. Tried to access m")
	f("route", with(object{"allowed_routes": []string{"/v1/embeddings"}}), 403, "auth_error", "None",
		"Virtual key is not allowed to call this route. Only allowed to call routes: ['/v1/embeddings']. Tried to call route: /v1/chat/completions")
	f("budget", func(t *testing.T) *apptest.Response {
		return exhaust(t, s, key(t, s, object{"max_budget": callCost}), "", callCost)
	}, 400, "budget_exceeded", "null", "Budget has been exceeded! Current cost: 0.01, Max budget: 0.01<any>")
	f("expired", func(t *testing.T) *apptest.Response {
		k := key(t, s, object{"duration": "1s"})
		eventually(t, "the key expires", func() bool { return chat(s, k, "").Status == 400 })
		return chat(s, k, "")
	}, 400, "expired_key", "<any>", "Authentication Error - Expired Key. Key Expiry time <any> and current time <any>")
	f("address", func(t *testing.T) *apptest.Response {
		return apptest.Start(t, settings(v, "allowed_ips: [10.0.0.1]", "", "")).Post(chatPath, body("m", ""))
	}, 403, "auth_error", "None", "Access forbidden: IP address 127.0.0.1 not allowed.")
	f("no database", func(t *testing.T) *apptest.Response {
		none := apptest.Start(t, settings(v, "database_url: none", "", ""))
		return chat(none, "sk-whoever", "")
	}, 400, "no_db_connection", "null", "No connected db.")
}
