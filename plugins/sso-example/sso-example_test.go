package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

type object = map[string]any

// load runs the finished module in the gateway's host.
func load(t testing.TB, config object) *plugintest.Plugin {
	t.Helper()
	s := wasm.Settings{Path: plugintest.Build(t, "."), Config: config}
	s.Grants.Secrets = []string{"SSO_PROXY_SECRET"}
	s.Secret = func(string) (string, bool) { return "0123456789abcdef", true }
	return plugintest.Load(t, s)
}

// show writes a decision in one line.
func show(a wasm.SSOAnswer, err error) string {
	if e := llm.AsError(err); e != nil {
		return fmt.Sprint(e.HTTPStatus(), " ", e.Message)
	}
	u := a.User
	if u == nil {
		return "default" + a.Redirect
	}
	s := fmt.Sprint(u.UserID, " ", u.Email, " ", u.Role, " team ", u.TeamID, " ", u.Models, " ", u.Metadata)
	if u.MaxBudget != nil {
		s += fmt.Sprint(" ", *u.MaxBudget, " ", u.BudgetDuration)
	}
	return s
}

func TestCallback(t *testing.T) {
	t.Parallel()
	p := load(t, object{
		"domains": []any{"example.com", "@Example.ORG"},
		"rules": []any{
			object{"group": "admins", "role": "proxy_admin"},
			object{"group": "research", "team_id": "t1", "models": []any{"gpt-4o"}, "max_budget": 20.5, "budget_duration": "30d"},
		},
	})
	says := func(claims object, want string) {
		t.Helper()
		x := plugintest.Exchange(t, llm.OpNone, nil)
		if got := show(p.SSOCallback(&x.Life, x, claims)); got != want {
			t.Errorf("%v: got %s, want %s", claims, got, want)
		}
	}
	says(object{"sub": "1", "email": "Ann@Example.com", "email_verified": true, "groups": []any{"research", "admins"}}, "1 ann@example.com proxy_admin team  [] map[group:admins]")
	says(object{"sub": "2", "email": "bob@example.org", "email_verified": true, "groups": []any{1, "research"}}, "2 bob@example.org internal_user team t1 [gpt-4o] map[group:research] 20.5 30d")
	says(object{"sub": "3", "email": "eve@example.com", "email_verified": true, "groups": "research"}, "3 eve@example.com internal_user team t1 [gpt-4o] map[group:research] 20.5 30d")
	says(object{"sub": "4", "email": "dan@example.com", "email_verified": true, "groups": object{"admins": true}}, "4 dan@example.com internal_user_viewer team  [] map[]")
	const begin = "403 Authentication Error, "
	says(object{"sub": "5", "email": "ann@example.com"}, begin+"The identity provider has not verified your e-mail address.")
	says(object{"sub": "5", "email": "ann@example.com", "email_verified": "true"}, begin+"The identity provider has not verified your e-mail address.")
	says(object{"sub": "5", "email": "ann@evil.test", "email_verified": true}, begin+"Your e-mail address is not of a domain that may sign in.")
	says(object{"sub": "5", "email": "ann@evil.test@example.com", "email_verified": true}, begin+"Your e-mail address is not of a domain that may sign in.")
	says(object{"sub": "5", "email_verified": true}, begin+"Your e-mail address is not of a domain that may sign in.")
	says(object{"sub": 5, "email": "ann@example.com", "email_verified": true}, begin+"You have no user id.")
	says(object{}, begin+"The identity provider has not verified your e-mail address.")
}

func TestStrictAndOtherClaims(t *testing.T) {
	t.Parallel()
	p := load(t, object{"default_role": "", "user_id_claim": "oid", "groups_claim": "roles", "require_verified_email": false, "rules": []any{object{"group": "g"}}})
	x := plugintest.Exchange(t, llm.OpNone, nil)
	if got := show(p.SSOCallback(&x.Life, x, object{"oid": "1", "roles": []any{"g"}})); got != "1  internal_user team  [] map[group:g]" {
		t.Errorf("got %s", got)
	}
	if got := show(p.SSOCallback(&x.Life, x, object{"oid": "1"})); got != "403 Authentication Error, You are in no group that may sign in." {
		t.Errorf("got %s", got)
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	trusting, plain := load(t, object{"trust_proxy": true}), load(t, nil)
	says := func(p *plugintest.Plugin, want string, headers ...string) {
		t.Helper()
		x := plugintest.Exchange(t, llm.OpNone, nil)
		for i := 0; i < len(headers); i += 2 {
			x.Header = append(x.Header, llm.Field{Name: []byte(headers[i]), Value: []byte(headers[i+1])})
		}
		if got := show(p.SSOBegin(&x.Life, x)); got != want {
			t.Errorf("%q: got %s, want %s", headers, got, want)
		}
	}
	ann := []string{"X-Forwarded-Email", "ann@example.com", "X-Forwarded-User", "ann"}
	says(trusting, "ann ann@example.com internal_user_viewer team  [] map[]", append(ann, "X-Forwarded-Secret", "0123456789abcdef")...)
	says(trusting, "default", ann...)
	says(trusting, "401 Authentication Error, The proxy's secret is wrong.", append(ann, "X-Forwarded-Secret", "0123456789abcdeF")...)
	says(trusting, "401 Authentication Error, The proxy's secret is wrong.", append(ann, "X-Forwarded-Secret", "")...)
	says(trusting, "403 Authentication Error, You have no user id.", "X-Forwarded-Secret", "0123456789abcdef")
	says(plain, "default", append(ann, "X-Forwarded-Secret", "0123456789abcdef")...)
}

func TestConfigMistakes(t *testing.T) {
	mistake := func(want string, config object) {
		t.Helper()
		if _, err := sallyport.Build(config, New); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", config, err, want)
		}
	}
	mistake(`"domains" must list domains`, object{"domains": "ann@example.com"})
	mistake(`"default_role" must be a role`, object{"default_role": "king"})
	mistake(`needs the secret SSO_PROXY_SECRET`, object{"trust_proxy": true})
	mistake(`"rules[0].group" is missing`, object{"rules": []any{object{"role": "internal_user"}}})
	mistake(`"rules[0].role" must be a role`, object{"rules": []any{object{"group": "g", "role": "king"}}})
	mistake(`"rules[0].max_budget"`, object{"rules": []any{object{"group": "g", "max_budget": -1}}})
	mistake(`unknown setting "rules[0].roll"`, object{"rules": []any{object{"group": "g", "roll": "x"}}})
}
