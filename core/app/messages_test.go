package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

const messages = "/v1/messages"

// sameJSON compares JSON documents without regard to spaces and the order of members.
func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatalf("%v in %s", err, want)
	}
	if diff := cmp.Diff(b, a); diff != "" {
		t.Fatalf("(-want +got):\n%s\ngot %s", diff, got)
	}
}

// A request of a coding agent reaches a vendor of the OpenAI API as one of its own, and the answer comes back as a
// message.
func TestMessagesToOpenAI(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"id":"c1","object":"chat.completion","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Let me look.","reasoning_content":"hm","tool_calls":[{"id":"call_1","type":"function","function":{"name":"read","arguments":"{\"path\":\"a\\\"b\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"prompt_tokens_details":{"cached_tokens":60},"completion_tokens_details":{"reasoning_tokens":5}}}`))
	s := apptest.Start(t, one(v))
	r := s.Post(messages, `{
		"model":"m","max_tokens":1000,"temperature":1,"stop_sequences":["END"],
		"system":[{"type":"text","text":"You are an agent.","cache_control":{"type":"ephemeral"}}],
		"metadata":{"user_id":"u1"},
		"thinking":{"type":"enabled","budget_tokens":2048},
		"context_management":{"edits":[]},
		"tools":[{"name":"read","description":"Reads","input_schema":{"type":"object","properties":{"path":{"type":"string"}}},"cache_control":{"type":"ephemeral"}}],
		"tool_choice":{"type":"auto","disable_parallel_tool_use":true},
		"messages":[
			{"role":"user","content":"hi"},
			{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"text","text":"ok"},{"type":"tool_use","id":"toolu_1","name":"read","input":{"path":"x"}}]},
			{"role":"user","content":[{"type":"text","text":"see","cache_control":{"type":"ephemeral"}},{"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":[{"type":"text","text":"no"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]}
		]}`, "anthropic-version: 2023-06-01", "x-api-key: sk-1234")
	if r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	sameJSON(t, r.Body, `{"id":"c1","type":"message","role":"assistant","model":"m","content":[
		{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"Let me look."},
		{"type":"tool_use","id":"call_1","name":"read","input":{"path":"a\"b"}}],
		"stop_reason":"tool_use","stop_sequence":null,
		"usage":{"input_tokens":40,"cache_creation_input_tokens":0,"cache_read_input_tokens":60,"output_tokens":20,"output_tokens_details":{"thinking_tokens":5}}}`)
	sameJSON(t, string(v.Requests()[0].Body), `{"model":"gpt-4o-mini","max_completion_tokens":1000,"temperature":1,"stop":["END"],
		"user":"u1","reasoning_effort":"medium",
		"tools":[{"type":"function","function":{"name":"read","description":"Reads","parameters":{"type":"object","properties":{"path":{"type":"string"}}}}}],
		"tool_choice":"auto","parallel_tool_calls":false,
		"messages":[
			{"role":"system","content":[{"type":"text","text":"You are an agent."}]},
			{"role":"user","content":"hi"},
			{"role":"assistant","content":"ok","tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"read","arguments":"{\"path\":\"x\"}"}}]},
			{"role":"tool","tool_call_id":"toolu_1","content":[{"type":"text","text":"Error: "},{"type":"text","text":"no"},{"type":"text","text":"(The images follow in the next message.)"}]},
			{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},
			{"role":"user","content":[{"type":"text","text":"see"}]}
		]}`)
	if r.Header.Get("request-id") == "" || r.Header.Get("x-litellm-model-group") != "m" {
		t.Fatalf("%v", r.Header)
	}
}

func TestMessagesStream(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.SSE(
		ut.DeltaChunk("gpt", `{"role":"assistant","content":""}`, ""), ut.DeltaChunk("gpt", `{"reasoning_content":"hm"}`, ""),
		ut.ContentChunk("gpt", "Hel"), ut.ContentChunk("gpt", "lo"),
		ut.ToolChunk("gpt", 0, "call_1", "read"), ut.ArgumentsChunk("gpt", 0, `{"a"`), ut.ArgumentsChunk("gpt", 0, `:1}`),
		ut.ToolChunk("gpt", 1, "call_2", "list"), ut.FinishChunk("gpt", "tool_calls"), ut.UsageChunk("gpt", 7, 9), "[DONE]"))
	s := apptest.Start(t, one(v))
	r := s.Post(messages, `{"model":"m","max_tokens":10,"stream":true,"messages":[{"role":"user","content":"hi"}]}`)
	if r.Status != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	want := []string{
		`{"type":"message_start","message":{"id":"chatcmpl-test","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`,
		`{"type":"ping"}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hel"}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"lo"}}`,
		`{"type":"content_block_stop","index":1}`,
		`{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"call_1","name":"read","input":{}}}`,
		`{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}`,
		`{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":":1}"}}`,
		`{"type":"content_block_stop","index":2}`,
		`{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"call_2","name":"list","input":{}}}`,
		`{"type":"content_block_stop","index":3}`,
		`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":9}}`,
		`{"type":"message_stop"}`,
	}
	if diff := cmp.Diff(want, apptest.Events(r.Body)); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(r.Body, "event: message_stop\ndata: {") || strings.Contains(r.Body, "[DONE]") {
		t.Fatal(r.Body)
	}
}

// To Anthropic, requests and answers go byte for byte, but for the model.
func TestMessagesNative(t *testing.T) {
	t.Parallel()
	answer := `{"id":"msg_1", "new":[1,  2],"type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"cache_read_input_tokens":4,"output_tokens":2}}`
	v := ut.New(t, ut.JSON(200, answer, "request-id: req_9"))
	s := apptest.Start(t, claude(v))
	r := s.Post(messages, `{"x": [1,  2],"model":"m", "num_retries":1, "max_tokens":5,"messages":[{"role":"user","content":"hi"}],"litellm_metadata":{"a":1}}`,
		"anthropic-beta: a-1,b-2", "anthropic-version: 2024-01-01")
	if r.Status != 200 || r.Body != answer || r.Header.Get("request-id") != "req_9" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	got := v.Requests()[0]
	if want := `{"x": [1,  2],"model":"claude-sonnet-4-5", "max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`; string(got.Body) != want {
		t.Fatalf("sent %s\nwant %s", got.Body, want)
	}
	if got.Header.Get("anthropic-beta") != "a-1,b-2" || fmt.Sprint(got.Header["Anthropic-Version"]) != "[2024-01-01]" || got.Header.Get("x-api-key") != "sk-ant-upstream" {
		t.Fatalf("%v", got.Header)
	}
}

func TestMessagesErrors(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.RateLimited("7"))
	s := apptest.Start(t, one(v)+"router_settings: {num_retries: 0}\n")
	f := func(body string, status int, kind, part string, header ...string) {
		t.Helper()
		r := s.Post(messages, body, header...)
		var e struct {
			Type  string
			Error struct{ Type, Message string }
		}
		if err := json.Unmarshal([]byte(r.Body), &e); err != nil || r.Status != status || e.Type != "error" || e.Error.Type != kind ||
			!strings.Contains(e.Error.Message, part) {
			t.Errorf("%s: %d %s", body, r.Status, r.Body)
		}
	}
	f(`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}`, 429, "rate_limit_error", "Rate limit")
	f(`{"model":"m"`, 400, "invalid_request_error", "JSON")
	f(`{"model":"nope","messages":[]}`, 400, "invalid_request_error", "nope")
	f(`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":1}]}]}`, 400, "invalid_request_error", "messages[0].content[0].text")
	f(`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}]}`, 400, "invalid_request_error", "twice")
	f(`{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"bash_20250124","name":"bash"}]}`, 400, "invalid_request_error", "bash_20250124")
	f(`{"model":"m","messages":[]}`, 401, "authentication_error", "key", "Authorization:")
}

// Anthropic counts itself; for other vendors the gateway does.
func TestMessagesCountTokens(t *testing.T) {
	t.Parallel()
	body := func(model string) string {
		return `{"model":"` + model + `","system":"You count.","messages":[{"role":"user","content":"hello world"}],"tools":[{"name":"a","input_schema":{"type":"object"}}]}`
	}
	v := ut.New(t, ut.JSON(200, `{"input_tokens":1234}`))
	s := apptest.Start(t, claude(v))
	if r := s.Post(messages+"/count_tokens", body("m"), "anthropic-beta: token-counting-2024-11-01"); r.Status != 200 || r.Body != `{"input_tokens":1234}` {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	got := v.Requests()[0]
	if got.Path != "/v1/messages/count_tokens" || string(got.Body) != strings.Replace(body("m"), `"m"`, `"claude-sonnet-4-5"`, 1) || got.Header.Get("anthropic-beta") == "" {
		t.Fatalf("%s %s", got.Path, got.Body)
	}
	other := apptest.Start(t, one(v))
	r := other.Post(messages+"/count_tokens", body("m"))
	var n struct {
		Input int `json:"input_tokens"`
	}
	if err := json.Unmarshal([]byte(r.Body), &n); err != nil || r.Status != 200 || n.Input < 10 || n.Input > 60 || len(v.Requests()) != 1 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if r := other.Post(messages+"/count_tokens", `{"model":"m"}`); r.Status != 400 || !strings.Contains(r.Body, `"type":"error"`) {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

// Events of Anthropic's go out as they came; what breaks a stream off is an event of the API.
func TestMessagesNativeStream(t *testing.T) {
	t.Parallel()
	events := named(t, `{"type":"message_start","message":{"id":"msg_1","type":"message","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"new_block","x":[1,  2]}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"new_delta","y":1}}`, `{"type":"content_block_stop","index":0}`, `{"type":"ping"}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}}`, `{"type":"message_stop"}`)
	failed := named(t, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)
	v := ut.New(t, ut.SSERaw(events...), ut.SSERaw(append(events[:2:2], failed...)...), ut.CutStream(`{"type":"message_start","message":{"id":"msg_1"}}`), ut.SSERaw(failed...))
	s := apptest.Start(t, claude(v))
	ask := func() *apptest.Response {
		return s.Post(messages, `{"model":"m","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"hi"}]}`)
	}
	if r := ask(); r.Status != 200 || r.Body != strings.Join(events, "") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	for range 2 {
		r := ask()
		got := apptest.Events(r.Body)
		if r.Status != 200 || !strings.Contains(got[len(got)-1], `{"type":"error","error":{"type":"`) || strings.Contains(r.Body, "message_stop") {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	if r := ask(); r.Status != 500 || !strings.Contains(r.Body, `"type":"overloaded_error"`) {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

// When Anthropic fails, a vendor of OpenAI's API answers, whole and streamed, and the other way round.
func TestMessagesFallBack(t *testing.T) {
	t.Parallel()
	down := ut.JSON(529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)
	anthropic := ut.New(t, down, down, ut.JSON(200, claudeMessage))
	gpt := ut.New(t, ut.JSON(200, ut.Completion("gpt-4o", "Hello", 3, 2)), ut.SSE(append(ut.ChatStream("gpt-4o", 3, "Hel", "lo"), "[DONE]")...), ut.ServerError())
	s := apptest.Start(t, strings.Replace(sides(t, gpt, anthropic, false), "num_retries: 0", "num_retries: 0, fallbacks: [{claude: [gpt]}, {gpt: [claude]}]", 1))
	ask := func(model, more string) *apptest.Response {
		return s.Post(messages, `{"model":"`+model+`","max_tokens":5,`+more+`"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]}`)
	}
	if r := ask("claude", ""); r.Status != 200 || !strings.Contains(r.Body, `"content":[{"type":"text","text":"Hello"}]`) || r.Header.Get("x-litellm-attempted-fallbacks") != "1" {
		t.Fatalf("%d %s %v", r.Status, r.Body, r.Header)
	}
	if r := ask("claude", `"stream":true,`); r.Status != 200 || !strings.Contains(r.Body, `"text":"Hel"`) || !strings.Contains(r.Body, "event: message_stop") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if r := ask("gpt", ""); r.Status != 200 || r.Body != claudeMessage {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if got := string(anthropic.Requests()[2].Body); !strings.Contains(got, `"cache_control":{"type":"ephemeral"}`) || strings.Contains(string(gpt.Requests()[0].Body), "cache_control") {
		t.Fatalf("%s", got)
	}
}
