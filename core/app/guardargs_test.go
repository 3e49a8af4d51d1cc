package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// In every dialect the model sees placeholders in the arguments of earlier calls, and the caller gets the values in those
// of the call that the model makes: whole and streamed.
func TestGuardrailSeesArguments(t *testing.T) {
	t.Parallel()
	const address, arguments = "ann@example.com", `{"to":"<EMAIL_1>","n":1}`
	whole := ut.New(t, ut.JSON(200, ut.ToolCompletion("x", "call_2", "mail", arguments, 5, 5)))
	chunks := []string{ut.RoleChunk("x"), ut.ToolChunk("x", 0, "call_2", "mail")}
	for _, piece := range []string{`{"to":"<EM`, `AIL`, `_1>"`, `,"n":1}`} {
		chunks = append(chunks, ut.ArgumentsChunk("x", 0, piece))
	}
	streamed := ut.New(t, ut.SSE(append(chunks, ut.FinishChunk("x", "tool_calls"), "[DONE]")...))
	model := func(name string, v *ut.Vendor) string {
		return fmt.Sprintf("  - {model_name: %s, litellm_params: {model: openai/gpt-4o, api_base: %s/v1, api_key: k}}\n", name, v.URL)
	}
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
%s%sgeneral_settings: {master_key: sk-1234}
guardrails:
  - guardrail_name: pii
    litellm_params: {guardrail: %s, mode: [pre_call, post_call], default_on: true, config: {unmask: true}, limits: {cpu_ms: 5000, wall_ms: 30000}}
`, model("whole", whole), model("streamed", streamed), plugintest.Build(t, "../../plugins/pii")))
	f := func(v *ut.Vendor, path, body string) {
		t.Helper()
		r := s.Post(path, body)
		if got := r.Body; r.Status != 200 || !strings.Contains(got, address) || strings.Contains(got, "EMAIL_1") {
			t.Errorf("%s: %d %s", path, r.Status, got)
		}
		if got := string(v.Last().Body); strings.Contains(got, "ann@") || strings.Count(got, "EMAIL_1") < 2 {
			t.Errorf("%s: the vendor got %s", path, got)
		}
	}
	both := func(path, body string) {
		t.Helper()
		f(whole, path, fmt.Sprintf(body, "whole", ""))
		f(streamed, path, fmt.Sprintf(body, "streamed", `,"stream":true`))
	}
	both(chat, `{"model":"%s","messages":[{"role":"user","content":"Write to ann@example.com."},
		{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"mail","arguments":"{\"to\":\"ann@example.com\"}"}}]},
		{"role":"tool","tool_call_id":"call_1","content":"failed"}]%s}`)
	both("/v1/messages", `{"model":"%s","max_tokens":99,"messages":[{"role":"user","content":"Write to ann@example.com."},
		{"role":"assistant","content":[{"type":"tool_use","id":"call_1","name":"mail","input":{"to":"ann@example.com"}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"failed"}]}]%s}`)
	both("/v1/responses", `{"model":"%s","input":[{"role":"user","content":"Write to ann@example.com."},
		{"type":"function_call","call_id":"call_1","name":"mail","arguments":"{\"to\":\"ann@example.com\"}"},
		{"type":"function_call_output","call_id":"call_1","output":"failed"}]%s}`)
	google := `{"contents":[{"role":"user","parts":[{"text":"Write to ann@example.com."}]},
		{"role":"model","parts":[{"functionCall":{"id":"call_1","name":"mail","args":{"to":"ann@example.com"}}}]},
		{"role":"user","parts":[{"functionResponse":{"id":"call_1","name":"mail","response":{"output":"failed"}}}]}]}`
	f(whole, "/v1beta/models/whole:generateContent", google)
	f(streamed, "/v1beta/models/streamed:streamGenerateContent?alt=sse", google)
}
