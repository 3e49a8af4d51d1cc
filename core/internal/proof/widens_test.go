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
