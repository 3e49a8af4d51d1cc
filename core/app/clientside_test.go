package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

func TestClientSideCredentials(t *testing.T) {
	t.Parallel()
	ours, theirs := ut.New(t, ut.JSON(200, ut.Completion("x", "ours", 1, 1))), ut.New(t, ut.JSON(200, ut.Completion("x", "theirs", 1, 1)))
	const allow = "master_key: sk-1234, allow_client_side_credentials: true"
	start := func(general string, params ...string) *apptest.Server {
		t.Helper()
		return apptest.Start(t, strings.Replace(one(ours, params...), "master_key: sk-1234", general, 1))
	}
	f := func(s *apptest.Server, more string, status int, want string) {
		t.Helper()
		if r := s.Post(chat, ask(more)); r.Status != status || !strings.Contains(r.Body, want) {
			t.Errorf("%s: %d %s, want %d %s", more, r.Status, r.Body, status, want)
		}
	}
	base, key := fmt.Sprintf(`,"api_base":"%s/v1"`, theirs.URL), `,"api_key":"sk-own"`

	s := start("master_key: sk-1234")
	f(s, base, 401, "api_base is not allowed in request body")
	f(s, base+key, 401, "not allowed in request body")
	f(s, strings.Replace(base, "api_base", "base_url", 1), 401, "not allowed in request body")
	f(s, key, 401, "api_key is not allowed in request body")
	f(s, `,"api_base":null`, 200, "ours")
	f(s, `,"api_base":1`, 400, "must be a string")
	if r := s.Get("/v1/models"); r.Status != 200 {
		t.Errorf("models: %d", r.Status)
	}

	s = start(allow)
	f(s, base, 401, "not public")
	f(s, `,"api_base":"http://169.254.169.254/v1"`, 401, "not public")
	f(s, `,"api_base":"http://localhost:1/v1"`, 401, "not public")
	f(s, `,"api_base":"ftp://x"`, 401, "must begin with https://")
	f(s, key, 200, "ours")
	if h := ours.Last().Header.Get("Authorization"); h != "Bearer sk-own" {
		t.Errorf("sent %s", h)
	}

	s = start(allow+", client_side_networks: [127.0.0.0/8]", "extra_headers: {X-Secret: s3cret}", "organization: org-1")
	f(s, base+key, 200, "theirs")
	got := theirs.Last()
	if got.Header.Get("Authorization") != "Bearer sk-own" || string(got.Body) != strings.Replace(ask(""), `"m"`, `"gpt-4o-mini"`, 1) {
		t.Errorf("sent %v %s", got.Header, got.Body)
	}
	f(s, base, 200, "theirs")
	if h := fmt.Sprint(theirs.Last().Header); strings.Contains(h, "sk-upstream") || strings.Contains(h, "s3cret") || strings.Contains(h, "org-1") {
		t.Errorf("what is the operator's went to the caller's address: %s", h)
	}

	// The operator spelled the address out, so the deployment's own key may go there.
	s = start("master_key: sk-1234", fmt.Sprintf(`configurable_clientside_auth_params: [{api_base: "http://127\\.0\\.0\\.1:%s/v1"}]`, theirs.Addr()[strings.LastIndexByte(theirs.Addr(), ':')+1:]))
	f(s, base, 200, "theirs")
	if h := theirs.Last().Header.Get("Authorization"); h != "Bearer sk-upstream" {
		t.Errorf("sent %s", h)
	}
	f(s, `,"api_base":"http://127.0.0.1:1/v1"`, 401, "not allowed in request body")
	f(s, key, 401, "api_key is not allowed")
}

func TestForwardedHeaders(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	f := func(general, settings, want string, params ...string) {
		t.Helper()
		s := apptest.Start(t, strings.Replace(one(v, params...), "master_key: sk-1234", "master_key: sk-1234"+general, 1)+settings)
		r := s.Post(chat, ask(""), "X-Trace: 1", "anthropic-beta: b", "X-Stainless-Lang: go", "x-api-key: sk-x", "X-Litellm-Tags: t", "X-Goog-Api-Key: g",
			"x-mcp-auth: m", "X-Amz-Date: d", "OpenAI-Organization: org-caller", "Other: o")
		if r.Status != 200 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		var got []string
		for _, name := range []string{"X-Trace", "Anthropic-Beta", "X-Stainless-Lang", "X-Api-Key", "X-Litellm-Tags", "X-Goog-Api-Key", "X-Mcp-Auth", "X-Amz-Date", "Openai-Organization", "Other"} {
			if values := v.Last().Header.Values(name); len(values) > 0 {
				got = append(got, name+"="+strings.Join(values, ","))
			}
		}
		if all := strings.Join(got, " "); all != want {
			t.Errorf("%s%s: %s, want %s", general, settings, all, want)
		}
	}
	f("", "", "")
	f(", forward_client_headers_to_llm_api: true", "", "X-Trace=1 Anthropic-Beta=b")
	f(", forward_openai_org_id: true", "", "Openai-Organization=org-caller", "organization: org-own")
	f("", "", "Openai-Organization=org-own", "organization: org-own")
	f("", "\nlitellm_settings: {model_group_settings: {forward_client_headers_to_llm_api: [m]}}\n", "X-Trace=1 Anthropic-Beta=b")
	f("", "\nlitellm_settings: {model_group_settings: {forward_client_headers_to_llm_api: [other]}}\n", "")
	f(", forward_client_headers_to_llm_api: true", "", "X-Trace=ours Anthropic-Beta=b", "extra_headers: {x-trace: ours}")
}

// The bearer value is the vendor's key with AUTH_STRATEGY=DYNAMIC, and the gateway's otherwise.
func TestAuthStrategy(t *testing.T) {
	vendor := ut.New(t, ut.JSON(200, ut.Completion("x", "ours", 1, 1)))
	f := func(strategy, general, bearer, own string, status int, want string) {
		t.Helper()
		s := apptest.Start(t, strings.Replace(one(vendor), "master_key: sk-1234", general, 1), apptest.Env("AUTH_STRATEGY="+strategy))
		r := s.Post(chat, ask(""), "Authorization: "+bearer, "x-litellm-api-key: "+own)
		if r.Status != status {
			t.Errorf("%s, %s: %d %s, want %d", strategy, bearer, r.Status, r.Body, status)
		}
		if got := vendor.Last().Header.Get("Authorization"); got != want {
			t.Errorf("%s, %s: the vendor saw %s, want %s", strategy, bearer, got, want)
		}
	}
	const open, closed = "store_model_in_db: false", "master_key: sk-1234"
	f("DYNAMIC", open, "Bearer user-1", "", 200, "Bearer user-1")
	f("", open, "Bearer user-1", "", 200, "Bearer sk-upstream")
	f("ENV", closed, "Bearer sk-1234", "", 200, "Bearer sk-upstream")
	f("DYNAMIC", closed, "Bearer user-2", "sk-1234", 200, "Bearer user-2")
	f("DYNAMIC", closed, "Bearer sk-1234", "", 200, "Bearer sk-upstream") // a key of the gateway's never goes to a vendor
}
