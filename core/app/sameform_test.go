package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// What a guardrail sets in a request and takes out of it reaches vendors that are sent the request in the form it came in.
func TestHookChangesReachVendor(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: o, litellm_params: {model: openai/gpt-4o, api_base: "%[1]s/v1", api_key: k1}}
  - {model_name: a, litellm_params: {model: anthropic/claude-sonnet-4-5, api_base: %[1]q, api_key: k1}}
  - {model_name: g, litellm_params: {model: gemini/gemini-2.5-flash, api_base: %[1]q, api_key: k1}}
guardrails:
  - {guardrail_name: guard, litellm_params: {guardrail: '%[2]s', mode: pre_call, default_on: true, limits: {cpu_ms: 5000, wall_ms: 30000}}}
`, v.URL, plugintest.Build(t, "../wasm/testdata/guard"))+admin)
	f := func(path, body, want, wantNot string) {
		t.Helper()
		s.Post(path, body)
		if got := string(v.Last().Body); !strings.Contains(got, want) || wantNot != "" && strings.Contains(got, wantNot) {
			t.Errorf("%s %s: the vendor got %s", path, body, got)
		}
	}
	f(chat, `{"model":"o","messages":[{"role":"user","content":"set temperature 0.25"}]}`, `"temperature":0.25`, "")
	f(chat, `{"model":"o","messages":[{"role":"user","content":"remove user"}],"user":"eve"}`, "remove user", "eve")
	f("/v1/responses", `{"model":"o","input":"set temperature 0.25"}`, `"temperature":0.25`, "")
	f("/v1/responses", `{"model":"o","input":"remove user","user":"eve"}`, "remove user", "eve")
	f("/v1/messages", `{"model":"a","max_tokens":9,"messages":[{"role":"user","content":"set temperature 0.25"}]}`, `"temperature":0.25`, "")
	f("/v1/messages", `{"model":"a","max_tokens":9,"temperature":0.75,"messages":[{"role":"user","content":"remove temperature"}]}`, "remove temperature", "0.75")
	f("/v1beta/models/g:generateContent", `{"contents":[{"role":"user","parts":[{"text":"set temperature 0.25"}]}]}`, `"temperature":0.25`, "")
	f("/v1beta/models/g:generateContent", `{"contents":[{"role":"user","parts":[{"text":"remove temperature"}]}],"generationConfig":{"temperature":0.75}}`, "remove temperature", "0.75")
}
