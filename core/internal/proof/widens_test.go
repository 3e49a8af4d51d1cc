package proof

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// TestHolderWidens shows that whom a key belongs to gets no model by its access groups or the fallbacks of its router settings
// that user or team may not call.
func TestHolderWidens(t *testing.T) {
	t.Parallel()
	failing, good := ut.New(t, ut.ServerError()), ut.New(t, ut.JSON(200, ut.Completion("m", "hello", 10, 20)))
	yaml := strings.Replace(settings(good, "", "", "num_retries: 0"), "general_settings:", `
  - model_name: fails
    litellm_params: {model: openai/gpt-4o-mini, api_base: `+failing.URL+`/v1, api_key: sk-up}
general_settings:`, 1)
	s := apptest.Start(t, yaml)
	post(t, s, "/user/new", object{"user_id": "u", "user_role": "internal_user", "auto_create_key": false, "models": []string{"fails", "m"}})
	post(t, s, "/team/new", object{"team_id": "t", "models": []string{"fails", "m"}, "members_with_roles": []object{{"role": "admin", "user_id": "u"}}})
	group, _ := post(t, s, "/v1/access_group", object{"access_group_name": "g", "access_model_names": []string{"other", "m"}})["access_group_id"].(string)
	login := key(t, s, object{"user_id": "u", "models": []string{"m"}})
	ask := func(k, model string) int {
		return s.Post(chatPath, body(model, ""), "Authorization: Bearer "+k).Status
	}
	for name, params := range map[string]string{"own": `"user_id":"u"`, "team's": `"team_id":"t","user_id":"u"`} {
		r := s.Post("/key/generate", `{`+params+`,"models":["fails"]}`, "Authorization: Bearer "+login)
		ok(t, r)
		k, _, _ := strings.Cut(r.Body[strings.Index(r.Body, `"sk-`)+1:], `"`)
		if !strings.HasPrefix(k, "sk-") {
			t.Fatalf("%s: no key in %s", name, r.Body)
		}
		change := func(set string) {
			t.Helper()
			ok(t, s.Post("/key/update", `{"key":"`+k+`",`+set+`}`, "Authorization: Bearer "+login))
		}
		if got := ask(k, "m"); got == 200 {
			t.Errorf("%s: m is not in the key's list: %d", name, got)
		}
		change(`"access_group_ids":["` + group + `"]`)
		if m, other := ask(k, "m"), ask(k, "other"); m != 200 || other == 200 {
			t.Errorf("%s, with the group: m %d, other %d", name, m, other)
		}
		change(`"router_settings":{"fallbacks":[{"fails":["other"]}]}`)
		asked := len(good.Requests())
		if got := ask(k, "fails"); got == 200 || len(good.Requests()) != asked {
			t.Errorf("%s: a fallback to a model that is not allowed: %d", name, got)
		}
		change(`"router_settings":{"fallbacks":[{"fails":["m"]}]}`)
		if got := ask(k, "fails"); got != 200 || len(good.Requests()) != asked+1 {
			t.Errorf("%s: a fallback to a model that is allowed: %d", name, got)
		}
	}
}

// TestAliasesOfTeam shows that a team's alias lets its keys call what it stands for, under either name, and that an alias which
// the holder of a key makes lets it call nothing that the team's list does not have.
func TestAliasesOfTeam(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, settings(vendor(t), "", "", ""))
	post(t, s, "/team/new", object{"team_id": "aliased", "models": []string{"m"}, "model_aliases": object{"fast": "other"}})
	post(t, s, "/team/new", object{"team_id": "plain", "models": []string{"m"}})
	f := func(params object, want map[string]bool) {
		t.Helper()
		k := key(t, s, params)
		for model, may := range want {
			if r := s.Post(chatPath, body(model, ""), "Authorization: Bearer "+k); (r.Status == 200) != may {
				t.Errorf("%v calls %s: %d %s", params, model, r.Status, r.Body)
			}
		}
	}
	f(object{"team_id": "aliased"}, map[string]bool{"m": true, "fast": true, "other": true, "f": false})
	f(object{"team_id": "aliased", "models": []string{"m"}}, map[string]bool{"m": true, "fast": true, "other": true, "f": false})
	f(object{"team_id": "plain"}, map[string]bool{"m": true, "fast": false, "other": false})
	f(object{"team_id": "plain", "models": []string{"m"}, "aliases": object{"m": "other"}}, map[string]bool{"m": false, "other": false})
	f(object{"team_id": "plain", "models": []string{"mine"}, "aliases": object{"mine": "other"}}, map[string]bool{"mine": false, "other": false})
	f(object{"team_id": "plain", "models": []string{"mine"}, "aliases": object{"mine": "m"}}, map[string]bool{"mine": true, "f": false})
}
