package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// claude is a configuration with deployments of Anthropic's at the vendor, named in each way that there is.
func claude(v *ut.Vendor) string {
	return fmt.Sprintf(`
model_list:
  - model_name: m
    litellm_params: {model: anthropic/claude-sonnet-4-5, api_base: "%[1]s", api_key: sk-ant-upstream}
  - model_name: bare
    litellm_params: {model: claude-opus-4-6, api_key: os.environ/ANTHROPIC_KEY}
  - model_name: none
    litellm_params: {model: claude-3-haiku}
  - model_name: anthropic/*
    litellm_params: {model: anthropic/*, api_base: "%[1]s/v1", api_key: sk-ant-upstream}
router_settings: {num_retries: 0}
general_settings: {master_key: sk-1234}
`, v.URL)
}

const claudeMessage = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"cache_read_input_tokens":4,"output_tokens":2}}`

// named makes events with names, as https://platform.claude.com/docs/en/build-with-claude/streaming shows them.
func named(t *testing.T, data ...string) []string {
	t.Helper()
	blocks := make([]string, len(data))
	for i, d := range data {
		var e struct{ Type string }
		if err := json.Unmarshal([]byte(d), &e); err != nil {
			t.Fatal(err)
		}
		blocks[i] = ut.NamedEvent(e.Type, d)
	}
	return blocks
}

func TestAnthropic(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, claudeMessage, "request-id: req_1"))
	s := apptest.Start(t, claude(v), apptest.Env("ANTHROPIC_API_BASE="+v.URL, "ANTHROPIC_KEY=sk-ant-other"))
	f := func(model, path, upstream, key string) {
		t.Helper()
		before := len(v.Requests())
		r := s.Post(chat, `{"model":"`+model+`","messages":[{"role":"user","content":"hi"}],"extra_headers":{"anthropic-beta":"files-api-2025-04-14"}}`)
		if r.Status != 200 || !strings.Contains(r.Body, `"content":"Hello"`) || !strings.Contains(r.Body, `"model":"`+model+`"`) ||
			!strings.Contains(r.Body, `"cached_tokens":4`) {
			t.Fatalf("%s: %d %s", model, r.Status, r.Body)
		}
		got := v.Requests()[before]
		if got.Path != path || got.Header.Get("x-api-key") != key || got.Header.Get("anthropic-version") != "2023-06-01" ||
			got.Header.Get("anthropic-beta") != "files-api-2025-04-14" || got.Header.Get("Authorization") != "" {
			t.Fatalf("%s: sent to %s with %v", model, got.Path, got.Header)
		}
		want := `{"model":"` + upstream + `","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`
		if string(got.Body) != want {
			t.Fatalf("%s: sent %s\nwant %s", model, got.Body, want)
		}
		if got := r.Header.Get("llm_provider-request-id"); got != "req_1" {
			t.Fatalf("llm_provider-request-id: %q", got)
		}
	}
	f("m", "/v1/messages", "claude-sonnet-4-5", "sk-ant-upstream")
	f("bare", "/v1/messages", "claude-opus-4-6", "sk-ant-other")
	f("anthropic/claude-haiku-4-5", "/v1/messages", "claude-haiku-4-5", "sk-ant-upstream")

	refused := func(path, body string, status int, parts ...string) {
		t.Helper()
		r := s.Post(path, body)
		for _, p := range parts {
			if r.Status != status || !strings.Contains(r.Body, p) {
				t.Fatalf("%d %s\nlacks %s", r.Status, r.Body, p)
			}
		}
	}
	refused(chat, `{"model":"none","messages":[{"role":"user","content":"hi"}]}`, 401, "ANTHROPIC_API_KEY")
	refused("/v1/embeddings", `{"model":"m","input":"hi"}`, 400, "anthropic does not offer embeddings")
	refused("/v1/completions", `{"model":"m","prompt":"hi"}`, 400, "anthropic does not offer completions")
	refused(chat, ask(`,"seed":1`), 400, "does not support parameters: ['seed']")
}

func TestAnthropicStream(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.SSERaw(named(t,
		`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"claude-sonnet-4-5-20250929","stop_reason":null,"usage":{"input_tokens":7,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"ping"}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I look."}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"city\":"}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"\"Oslo\"}"}}`,
		`{"type":"content_block_stop","index":1}`,
		`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}`,
		`{"type":"message_stop"}`,
	)...))
	s := apptest.Start(t, claude(v))
	r := s.Post(chat, ask(`,"stream":true,"stream_options":{"include_usage":true},"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]`))
	events := apptest.Events(r.Body)
	if r.Status != 200 || len(events) == 0 || events[len(events)-1] != "[DONE]" || strings.Contains(r.Body, "event:") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	var text, arguments, name, finish string
	var total int
	for _, e := range events[:len(events)-1] {
		var c struct {
			Model   string
			Choices []struct {
				Delta struct {
					Content   string
					ToolCalls []struct {
						Function struct{ Name, Arguments string }
					} `json:"tool_calls"`
				}
				Finish string `json:"finish_reason"`
			}
			Usage struct {
				Total int `json:"total_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(e), &c); err != nil || c.Model != "m" {
			t.Fatalf("%s: %v", e, err)
		}
		total += c.Usage.Total
		for _, choice := range c.Choices {
			text, finish = text+choice.Delta.Content, choice.Finish
			for _, call := range choice.Delta.ToolCalls {
				name, arguments = name+call.Function.Name, arguments+call.Function.Arguments
			}
		}
	}
	if text != "I look." || name != "weather" || arguments != `{"city":"Oslo"}` || finish != "tool_calls" || total != 16 {
		t.Fatalf("text %q, call %s(%s), finish %q, %d tokens", text, name, arguments, finish, total)
	}
}

func TestAnthropicErrors(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	s := apptest.Start(t, claude(v))
	f := func(status int, kind, msg string, want int, parts ...string) {
		t.Helper()
		v.Script(ut.JSON(status, `{"type":"error","error":{"type":"`+kind+`","message":"`+msg+`"},"request_id":"req_1"}`,
			"Retry-After: 7", "anthropic-ratelimit-requests-remaining: 0"))
		r := s.Post(chat, ask(""))
		for _, p := range parts {
			if r.Status != want || !strings.Contains(r.Body, p) {
				t.Fatalf("%d %s\nlacks %s", r.Status, r.Body, p)
			}
		}
		if got := r.Header.Get("llm_provider-anthropic-ratelimit-requests-remaining"); got != "0" {
			t.Fatalf("%s: the header with what is left is %q in %v", kind, got, r.Header)
		}
	}
	f(400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", 400, "ContextWindowExceededError", "prompt is too long")
	f(529, "overloaded_error", "Overloaded", 500, "litellm.InternalServerError", "AnthropicException - Overloaded")
	f(429, "rate_limit_error", "Slow down", 429, "litellm.RateLimitError", "throttling_error")
}
