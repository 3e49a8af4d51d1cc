package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// Models that OpenAI and Azure have in the Responses API only are reached by every endpoint for chats.
func TestResponsesOnlyModels(t *testing.T) {
	t.Parallel()
	const answer = `{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","service_tier":"flex","output":[` +
		`{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm."}],"encrypted_content":"gA=="},` +
		`{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hi.","annotations":[]}]}],` +
		`"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}`
	v := upstreamtest.New(t, upstreamtest.JSON(200, answer))
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: pro, litellm_params: {model: openai/gpt-5-pro, api_base: "%[1]s/v1", api_key: k}}
  - {model_name: forced, litellm_params: {model: openai/responses/gpt-4o, api_base: "%[1]s/v1", api_key: k}}
  - {model_name: said, litellm_params: {model: openai/mine, api_base: "%[1]s/v1", api_key: k}, model_info: {mode: responses}}
  - {model_name: chat, litellm_params: {model: openai/o1-pro, api_base: "%[1]s/v1", api_key: k}, model_info: {mode: chat}}
  - {model_name: codex, litellm_params: {model: azure/dep, api_base: %[1]q, api_key: k, api_version: "2025-04-01-preview"}, model_info: {base_model: azure/gpt-5-codex}}
  - {model_name: old, litellm_params: {model: azure/gpt-5-codex, api_base: %[1]q, api_key: k, api_version: "2024-10-21"}}
  - {model_name: "openai/*", litellm_params: {model: "openai/*", api_base: "%[1]s/v1", api_key: k}}
`, v.URL)+admin)
	const messages = `"messages":[{"role":"user","content":"x"}]`
	f := func(model, path, want string) {
		t.Helper()
		v.Script(upstreamtest.JSON(200, answer))
		r := s.Post("/v1/chat/completions", `{"model":"`+model+`",`+messages+`}`)
		if got := v.Last(); r.Status != 200 || got.Path != path || !strings.Contains(string(got.Body), `"model":"`+want+`"`) ||
			!strings.Contains(r.Body, `"content":"Hi."`) || !strings.Contains(r.Body, `"service_tier":"flex"`) {
			t.Errorf("%s: called %s with %s: %d %s", model, got.Path, got.Body, r.Status, r.Body)
		}
	}
	f("pro", "/v1/responses", "gpt-5-pro")
	f("forced", "/v1/responses", "gpt-4o")
	f("said", "/v1/responses", "mine")
	f("codex", "/openai/responses?api-version=2025-04-01-preview", "dep")
	f("old", "/openai/v1/responses?api-version=preview", "gpt-5-codex")
	f("openai/o3-pro", "/v1/responses", "o3-pro")

	v.Script(upstreamtest.JSON(200, completion))
	if r := s.Post("/v1/chat/completions", `{"model":"chat",`+messages+`}`); r.Status != 200 || v.Last().Path != "/v1/chat/completions" {
		t.Errorf("a mode that the operator set: %s: %d %s", v.Last().Path, r.Status, r.Body)
	}
	v.Script(upstreamtest.JSON(200, answer))
	if r := s.Post("/v1/responses", `{"model":"pro","input":"x","max_tool_calls":3}`); r.Status != 200 ||
		string(v.Last().Body) != `{"model":"gpt-5-pro","input":"x","max_tool_calls":3}` {
		t.Errorf("a response as it came: %s: %d %s", v.Last().Body, r.Status, r.Body)
	}
	v.Script(upstreamtest.JSON(200, answer))
	r := s.Post("/v1/messages", `{"model":"pro","max_tokens":9,`+messages+`}`)
	if r.Status != 200 || v.Last().Path != "/v1/responses" || !strings.Contains(r.Body, `"type":"thinking","thinking":"Hm.","signature":"openai:rs_1:gA=="`) ||
		!strings.Contains(r.Body, `"text":"Hi."`) {
		t.Errorf("messages: %s: %d %s", v.Last().Path, r.Status, r.Body)
	}
}

// A stream of the Responses API becomes one of chats, or of messages; a setting sends all chats there.
func TestResponsesOnlyStreams(t *testing.T) {
	t.Parallel()
	events := []string{
		`{"type":"response.created","response":{"id":"resp_1","status":"in_progress"}}`,
		`{"type":"response.reasoning_summary_text.delta","item_id":"rs_1","output_index":0,"summary_index":0,"delta":"Hm."}`,
		`{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gA=="}}`,
		`{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":""}}`,
		`{"type":"response.function_call_arguments.delta","item_id":"fc_1","output_index":1,"delta":"{\"a\":1}"}`,
		`{"type":"response.completed","response":{"id":"resp_1","status":"completed","usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}}`,
	}
	v := upstreamtest.New(t, upstreamtest.JSON(200, completion))
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: openai/gpt-4o, api_base: "%s/v1", api_key: k}}
litellm_settings: {route_all_chat_openai_to_responses: true, reasoning_auto_summary: true}
`, v.URL)+admin)
	v.Script(upstreamtest.SSE(events...))
	r := s.Post("/v1/chat/completions", `{"model":"m","stream":true,"reasoning_effort":"low","messages":[{"role":"user","content":"x"}]}`)
	if r.Status != 200 || !strings.Contains(r.Body, `"reasoning_content":"Hm."`) || !strings.Contains(r.Body, `"finish_reason":"tool_calls"`) ||
		!strings.HasSuffix(strings.TrimSpace(r.Body), "data: [DONE]") ||
		!strings.Contains(string(v.Last().Body), `"reasoning":{"effort":"low","summary":"detailed"}`) {
		t.Errorf("%s: %d %s", v.Last().Body, r.Status, r.Body)
	}
	v.Script(upstreamtest.SSE(events...))
	r = s.Post("/v1/messages", `{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"x"}]}`)
	for _, want := range []string{
		`"thinking_delta","thinking":"Hm."`, `"signature_delta","signature":"openai:rs_1:gA=="`,
		`"type":"tool_use","id":"call_1","name":"f"`, `"stop_reason":"tool_use"`,
	} {
		if !strings.Contains(r.Body, want) {
			t.Errorf("the messages lack %s: %s", want, r.Body)
		}
	}
}
