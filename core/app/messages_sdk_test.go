package app_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// sides is a configuration with models of all kinds: behind OpenAI's API, behind Anthropic's, mocked, and a plugin. With
// a guardrail that looks at answers, Anthropic is reached through chat completions too.
func sides(t *testing.T, gpt, claude *ut.Vendor, guarded bool) string {
	t.Helper()
	cfg := fmt.Sprintf(`
model_list:
  - {model_name: gpt, litellm_params: {model: openai/gpt-4o, api_base: "%s/v1", api_key: k}}
  - {model_name: claude, litellm_params: {model: anthropic/claude-sonnet-4-5, api_base: "%s", api_key: k}}
  - {model_name: mocked, litellm_params: {model: openai/gpt-4o, api_key: k, mock_response: "It is 21 degrees."}}
  - {model_name: echo, litellm_params: {model: echo/any}}
litellm_settings:
  custom_provider_map: [{provider: echo, custom_handler: %s}]
router_settings: {num_retries: 0}
general_settings: {master_key: sk-1234}
`, gpt.URL, claude.URL, plugintest.Build(t, "../../plugins/echo-provider"))
	if guarded {
		cfg += fmt.Sprintf(`
guardrails:
  - guardrail_name: pii
    litellm_params: {guardrail: %s, mode: [pre_call, post_call], default_on: true}
`, plugintest.Build(t, "../../plugins/pii"))
	}
	return cfg
}

// The official SDK, whole and streamed, with a tool: the same through every kind of vendor.
func TestAnthropicSDK(t *testing.T) {
	t.Parallel()
	const call = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"text","text":"Let me look."},{"type":"tool_use","id":"call_1","name":"weather","input":{"city":"Paris"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":20,"output_tokens":9}}`
	const end = `{"id":"msg_2","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"It is 21 degrees."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":30,"cache_read_input_tokens":5,"output_tokens":7}}`
	claudeEvents := named(t, `{"type":"message_start","message":{"id":"msg_2","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":30,"cache_read_input_tokens":5,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`, `{"type":"ping"}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}`, `{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"It is "}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"21 degrees."}}`, `{"type":"content_block_stop","index":1}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}`, `{"type":"message_stop"}`)
	const gptCall = `{"id":"c1","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"Let me look.","reasoning_content":"hm","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":20,"completion_tokens":9}}`
	gptEnd := ut.Completion("gpt-4o", "It is 21 degrees.", 35, 7)
	gptEvents := ut.SSE(ut.DeltaChunk("gpt", `{"role":"assistant","content":""}`, ""), ut.DeltaChunk("gpt", `{"reasoning_content":"hm"}`, ""),
		ut.ContentChunk("gpt", "It is "), ut.ContentChunk("gpt", "21 degrees."), ut.FinishChunk("gpt", "stop"), ut.UsageChunk("gpt", 35, 7), "[DONE]")

	run := func(t *testing.T, guarded bool) {
		gpt := ut.New(t, ut.JSON(200, gptCall), ut.JSON(200, gptEnd), gptEvents, ut.RateLimited("1"))
		claude := ut.New(t, ut.JSON(200, call), ut.JSON(200, end), ut.SSERaw(claudeEvents...),
			ut.JSON(529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`))
		s := apptest.Start(t, sides(t, gpt, claude, guarded))
		client := anthropic.NewClient(option.WithBaseURL(s.URL), option.WithAPIKey(apptest.MasterKey), option.WithMaxRetries(0))
		ask := func(model string) anthropic.MessageNewParams {
			return anthropic.MessageNewParams{
				Model: model, MaxTokens: 2000,
				System:   []anthropic.TextBlockParam{{Text: "You know the weather.", CacheControl: anthropic.NewCacheControlEphemeralParam()}},
				Thinking: anthropic.ThinkingConfigParamOfEnabled(1024),
				Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("How warm is it?"))},
				Tools: []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
					Name: "weather", Description: anthropic.String("Tells the weather"),
					InputSchema: anthropic.ToolInputSchemaParam{Properties: map[string]any{"city": map[string]any{"type": "string"}}},
				}}},
			}
		}
		streamed := func(model string) (m anthropic.Message) {
			t.Helper()
			stream := client.Messages.NewStreaming(t.Context(), ask(model))
			for stream.Next() {
				if err := m.Accumulate(stream.Current()); err != nil {
					t.Fatalf("%s: %v", model, err)
				}
			}
			if stream.Err() != nil {
				t.Fatalf("%s: %v", model, stream.Err())
			}
			return m
		}
		for _, model := range []string{"gpt", "claude"} {
			params := ask(model)
			first, err := client.Messages.New(t.Context(), params)
			if err != nil {
				t.Fatalf("%s: %v", model, err)
			}
			if len(first.Content) != 3 || first.StopReason != anthropic.StopReasonToolUse || first.Content[0].Thinking != "hm" ||
				first.Content[1].Text != "Let me look." || string(first.Content[2].Input) != `{"city":"Paris"}` || first.Usage.OutputTokens != 9 {
				t.Fatalf("%s: %s", model, first.RawJSON())
			}
			params.Messages = append(params.Messages, first.ToParam(), anthropic.NewUserMessage(anthropic.NewToolResultBlock("call_1", "21", false)))
			second, err := client.Messages.New(t.Context(), params)
			if err != nil || second.StopReason != anthropic.StopReasonEndTurn || second.Content[0].Text != "It is 21 degrees." {
				t.Fatalf("%s: %v %+v", model, err, second)
			}
			m := streamed(model)
			if len(m.Content) != 2 || m.Content[0].Thinking != "hm" || m.Content[1].Text != "It is 21 degrees." || m.StopReason != anthropic.StopReasonEndTurn ||
				m.Usage.OutputTokens != 7 || m.Usage.InputTokens+m.Usage.CacheReadInputTokens != 35 {
				t.Fatalf("%s: %+v", model, m)
			}
			if model == "claude" && m.Content[0].Signature != "sig" {
				t.Fatalf("the signature is %q", m.Content[0].Signature)
			}
			_, err = client.Messages.New(t.Context(), ask(model))
			var failure *anthropic.Error
			if !errors.As(err, &failure) || failure.StatusCode < 400 || !strings.Contains(failure.RawJSON(), `"type":"error"`) {
				t.Fatalf("%s: %v", model, err)
			}
		}
		// What came back from Anthropic with a signature goes to it with that signature.
		sent := string(claude.Requests()[1].Body)
		if !strings.Contains(sent, `"signature":"sig"`) || !strings.Contains(sent, `"tool_use_id":"call_1"`) || !strings.Contains(sent, `"cache_control":{"type":"ephemeral"}`) {
			t.Fatalf("%s", sent)
		}
		for _, model := range []string{"mocked", "echo"} {
			m, err := client.Messages.New(t.Context(), ask(model))
			if err != nil || m.Content[0].Text == "" || m.StopReason != anthropic.StopReasonEndTurn {
				t.Fatalf("%s: %v %+v", model, err, m)
			}
			if s := streamed(model); s.Content[0].Text != m.Content[0].Text || s.StopReason != anthropic.StopReasonEndTurn {
				t.Fatalf("%s: %+v, want %s", model, s, m.Content[0].Text)
			}
		}
	}
	t.Run("open", func(t *testing.T) { t.Parallel(); run(t, false) })
	t.Run("guarded", func(t *testing.T) { t.Parallel(); run(t, true) })
}
