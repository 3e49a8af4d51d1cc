package virtualkey_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/auth/virtualkey"
	"github.com/sallyport-ai/sallyport/core/llm"
)

func TestGate(t *testing.T) {
	t.Parallel()
	const plain = `{"model":"m"}`
	f := func(p llm.Principal, policy virtualkey.Policy, body string, status int, message string) {
		t.Helper()
		err := pass(t, virtualkey.NewGate(known{&p}, policy, nil, nil), chat(t, body))
		e := llm.AsError(err)
		switch {
		case status == 0 && err != nil:
			t.Errorf("%v", err)
		case status != 0 && (e == nil || e.Status != status || !strings.Contains(e.Message, message)):
			t.Errorf("%v, want %d %q", err, status, message)
		}
	}
	none := virtualkey.Policy{}
	f(llm.Principal{}, none, plain, 0, "")
	f(llm.Principal{Blocked: true}, none, plain, 401, "Key is blocked")
	f(llm.Principal{TeamBlocked: true, TeamID: "t"}, none, plain, 401, "Team=t is blocked")
	f(llm.Principal{Expires: time.Now().Add(-time.Second)}, none, plain, 400, "Expired Key")
	f(llm.Principal{Expires: time.Now().Add(time.Minute)}, none, plain, 0, "")
	f(llm.Principal{Models: []string{"n"}}, none, plain, 401, "key not allowed to access model")
	f(llm.Principal{TeamModels: []string{"n"}, TeamID: "t"}, none, plain, 401, "Team not allowed to access model. Team=t, Model=m")
	f(llm.Principal{Models: []string{"n"}, Aliases: map[string]string{"m": "n"}}, none, plain, 0, "")
	f(llm.Principal{Models: []string{"real"}}, virtualkey.Policy{Alias: func(string) string { return "real" }}, plain, 0, "")
	f(llm.Principal{AllowedRoutes: []string{"/v1/embeddings"}}, none, plain, 403, "not allowed to call this route")
	f(llm.Principal{AllowedRoutes: []string{"llm_api_routes"}}, none, plain, 0, "")
	f(llm.Principal{}, virtualkey.Policy{AllowedRoutes: []string{"/v1/models"}}, plain, 403, "Route /v1/chat/completions not allowed")
	f(llm.Principal{}, virtualkey.Policy{AdminOnlyRoutes: []string{"/v1/chat/completions"}}, plain, 403, "admin only route")
	f(llm.Principal{Role: llm.RoleProxyAdmin}, virtualkey.Policy{AdminOnlyRoutes: []string{"/v1/chat/completions"}}, plain, 0, "")
	f(llm.Principal{}, virtualkey.Policy{EnforceUser: true}, plain, 401, "'user' param not passed in")
	f(llm.Principal{}, virtualkey.Policy{EnforceUser: true}, `{"model":"m","user":"u"}`, 0, "")
	f(llm.Principal{}, virtualkey.Policy{EnforcedParams: []string{"metadata.run"}}, `{"model":"m","metadata":{}}`, 400, "[metadata][run]")
	f(llm.Principal{}, virtualkey.Policy{ServiceParams: []string{"user"}}, plain, 0, "")
	f(llm.Principal{ServiceAccount: true}, virtualkey.Policy{ServiceParams: []string{"user"}}, plain, 400, "param=user")
	f(llm.Principal{}, virtualkey.Policy{RejectTags: true}, `{"model":"m","tags":["a"]}`, 400, "not allowed in request")
	f(llm.Principal{CacheControls: []string{"ttl"}}, none, `{"model":"m","cache":{"no-store":true}}`, 403, "Not allowed to set no-store")
	f(llm.Principal{CacheControls: []string{"ttl"}}, none, `{"model":"m","cache":{"ttl":1}}`, 0, "")
	team := func(may any) llm.Principal {
		return llm.Principal{TeamMetadata: map[string]any{"guardrails": map[string]any{"modify_guardrails": may}}}
	}
	const top, inner, escaped = `{"guardrails":["g"]}`, `{"metadata":{"guardrails":{"g":false}}}`, `{"metadata":{"guardr\u0061ils":["g"]}}`
	for _, body := range []string{top, inner, escaped} {
		f(team(false), none, body, 403, "does not have permission to modify guardrails")
		f(team(true), none, body, 0, "")
		f(llm.Principal{TeamMetadata: map[string]any{"guardrails": []any{"g"}}}, none, body, 0, "")
	}
	f(team(false), none, `{"guardrails":[],"metadata":{"guardrails":null}}`, 0, "")
	f(team(false), none, plain, 0, "")
}

// TestGatePublic shows that a public path needs no key, and nothing else of it is looked at.
func TestGatePublic(t *testing.T) {
	t.Parallel()
	x := chat(t, `{"model":"m"}`)
	x.Path = "/spend/calculate"
	g := virtualkey.NewGate(known{&llm.Principal{Blocked: true}}, virtualkey.Policy{PublicRoutes: []string{"/spend/*"}}, nil, nil)
	if err := pass(t, g, x); err != nil {
		t.Error(err)
	}
}

// TestGateCollects shows whose limits apply to a request, and which tags it has: each once.
func TestGateCollects(t *testing.T) {
	t.Parallel()
	scope := func(kind llm.ScopeKind, model string) *llm.Scope {
		return &llm.Scope{Kind: kind, ID: "x", Model: model, Live: llm.NewLive(kind, "x")}
	}
	all, free := scope(llm.ScopeProxy, ""), scope(llm.ScopeProxy, "")
	key, m, n := scope(llm.ScopeKey, ""), scope(llm.ScopeModelPerKey, "m"), scope(llm.ScopeModelPerKey, "n")
	tag := scope(llm.ScopeTagDeployment, "")
	tags := virtualkey.NewTags(nil, &llm.Registry{}, map[string]*llm.Scope{"b": tag})
	policy := virtualkey.Policy{Proxy: all, ProxyFree: free}
	f := func(p llm.Principal, body string, wantTags []string, want ...*llm.Scope) {
		t.Helper()
		x := chat(t, body)
		if err := pass(t, virtualkey.NewGate(known{&p}, policy, nil, tags), x); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(x.Scopes, want) || !slices.Equal(x.Tags, wantTags) {
			t.Errorf("%s: %d scopes, tags %v, want %d and %v", body, len(x.Scopes), x.Tags, len(want), wantTags)
		}
	}
	caller := llm.Principal{Scopes: []*llm.Scope{key}, ModelScopes: []*llm.Scope{m, n}, Tags: []string{"a", "c"}}
	f(caller, `{"model":"m"}`, []string{"a", "c"}, all, key, m)
	f(caller, `{"model":"openai/n"}`, []string{"a", "c"}, all, key, n)
	f(caller, `{"model":"other","tags":["b","a"]}`, []string{"b", "a", "c"}, all, key, tag)
	f(llm.Principal{Role: llm.RoleProxyAdmin}, `{"model":"m"}`, nil, free)
}

// TestGatePassThrough shows that a list of pass-through endpoints is for those of the configuration alone.
func TestGatePassThrough(t *testing.T) {
	t.Parallel()
	policy := virtualkey.Policy{LLMRoute: func(path string) bool { return strings.HasPrefix(path, "/mine") || strings.HasPrefix(path, "/other") }}
	f := func(p llm.Principal, path string, allowed bool) {
		t.Helper()
		x := chat(t, `{"model":"m"}`)
		x.Path, x.Op = path, llm.OpPassThrough
		err := pass(t, virtualkey.NewGate(known{&p}, policy, nil, nil), x)
		if e := llm.AsError(err); (err == nil) != allowed || err != nil && (e.Status != 403 || !strings.Contains(e.Message, "pass-through routes: ['/mine")) {
			t.Errorf("%s: %v", path, err)
		}
	}
	mine := llm.Principal{PassRoutes: []string{"/mine"}}
	f(mine, "/mine", true)
	f(mine, "/mine/below", true)
	f(mine, "/mineral", false)
	f(mine, "/other", false)
	f(mine, "/openai/v1/models", true) // of a vendor
	f(llm.Principal{PassRoutes: []string{"/mine/{id}"}}, "/mine/1", true)
	f(llm.Principal{PassRoutes: []string{"/mine/*"}}, "/other/1", false)
	f(llm.Principal{}, "/other", true)
	f(llm.Principal{PassRoutes: []string{"/mine"}, AllowedRoutes: []string{"/other"}}, "/other", true)
}
