package app_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/genai"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// makers is a configuration with models behind the APIs of Google, OpenAI and Anthropic, a mocked one, and a plugin. With
// a guardrail that looks at answers, Gemini is reached through chat completions too.
func makers(t *testing.T, gem, gpt, claude *ut.Vendor, guarded bool) string {
	t.Helper()
	cfg := fmt.Sprintf(`
model_list:
  - {model_name: gem, litellm_params: {model: gemini/gemini-3-flash, api_base: "%s", api_key: k}}
  - {model_name: gpt, litellm_params: {model: openai/gpt-4o, api_base: "%s/v1", api_key: k}}
  - {model_name: claude, litellm_params: {model: anthropic/claude-sonnet-4-5, api_base: "%s", api_key: k}}
  - {model_name: mocked, litellm_params: {model: openai/gpt-4o, api_key: k, mock_response: "It is 21 degrees."}}
  - {model_name: echo, litellm_params: {model: echo/any}}
litellm_settings:
  custom_provider_map: [{provider: echo, custom_handler: %s}]
router_settings: {num_retries: 0}
general_settings: {master_key: sk-1234}
`, gem.URL, gpt.URL, claude.URL, plugintest.Build(t, "../../plugins/echo-provider"))
	if guarded {
		cfg += fmt.Sprintf(`
guardrails:
  - guardrail_name: words
    litellm_params: {guardrail: %s, mode: pre_call, default_on: true, config: {words: [forbidden]}}
  - guardrail_name: answers
    litellm_params: {guardrail: %s, mode: post_call, default_on: true}
`, plugintest.Build(t, "../../plugins/keyword-guard"), plugintest.Build(t, "../../plugins/json-schema"))
	}
	return cfg
}

// genaiClient is the official SDK, led to the gateway.
func genaiClient(t *testing.T, s *apptest.Server) *genai.Client {
	t.Helper()
	c, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: apptest.MasterKey, Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: s.URL},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// weather asks with a tool, and answers its call: what comes of it, and the last request, must be the same everywhere.
func weather(t *testing.T, c *genai.Client, model string) {
	t.Helper()
	config := &genai.GenerateContentConfig{
		SystemInstruction: genai.NewContentFromText("Be brief.", genai.RoleUser),
		Tools: []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{
			Name: "weather", Description: "The temperature in a city.",
			Parameters: &genai.Schema{Type: genai.TypeObject, Properties: map[string]*genai.Schema{"city": {Type: genai.TypeString}}, Required: []string{"city"}},
		}}}},
		ThinkingConfig: &genai.ThinkingConfig{IncludeThoughts: true, ThinkingLevel: genai.ThinkingLevelLow},
	}
	if model == "claude" {
		config.MaxOutputTokens = 4000
	}
	history := genai.Text("How warm is it in Paris?")
	first, err := c.Models.GenerateContent(t.Context(), model, history, config)
	if err != nil {
		t.Fatalf("%s: %v", model, err)
	}
	calls := first.FunctionCalls()
	if len(calls) != 1 || calls[0].Name != "weather" || calls[0].Args["city"] != "Paris" || first.UsageMetadata.TotalTokenCount != 29 {
		t.Fatalf("%s: got %+v %+v", model, calls, first.UsageMetadata)
	}
	if thought := first.Candidates[0].Content.Parts[0]; !thought.Thought || thought.Text != "hm" {
		t.Errorf("%s: the thought is %+v", model, thought)
	}
	history = append(history, first.Candidates[0].Content, &genai.Content{Role: genai.RoleUser, Parts: []*genai.Part{{
		FunctionResponse: &genai.FunctionResponse{ID: calls[0].ID, Name: "weather", Response: map[string]any{"output": "21"}},
	}}})
	second, err := c.Models.GenerateContent(t.Context(), model, history, config)
	if err != nil || second.Text() != "It is 21 degrees." || second.Candidates[0].FinishReason != genai.FinishReasonStop {
		t.Fatalf("%s: %+v %v", model, second, err)
	}
}

// streamed is the text of a streamed answer, how many chunks it came in, and what was used.
func streamed(t *testing.T, c *genai.Client, model string) (text string, chunks int, used int32) {
	t.Helper()
	for r, err := range c.Models.GenerateContentStream(t.Context(), model, genai.Text("How warm is it?"), nil) {
		if err != nil {
			t.Fatalf("%s: %v", model, err)
		}
		text += r.Text()
		chunks++
		if r.UsageMetadata != nil {
			used = r.UsageMetadata.TotalTokenCount
		}
	}
	return text, chunks, used
}

// TestGoogleSDK uses the official SDK, whole and streamed, with a tool: the same through every kind of vendor.
func TestGoogleSDK(t *testing.T) {
	t.Parallel()
	const gemCall = `{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"functionCall":{"name":"weather","args":{"city":"Paris"}},"thoughtSignature":"c2ln"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":4,"thoughtsTokenCount":5,"totalTokenCount":29}}`
	const gemEnd = `{"candidates":[{"content":{"parts":[{"text":"It is 21 degrees."}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":35,"candidatesTokenCount":7,"totalTokenCount":42}}`
	gemEvents := ut.SSE(`{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}],"role":"model"},"index":0}]}`,
		`{"candidates":[{"content":{"parts":[{"text":"It is "}],"role":"model"},"index":0}]}`,
		`{"candidates":[{"content":{"parts":[{"text":"21 degrees."}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":35,"candidatesTokenCount":7,"totalTokenCount":42}}`)
	const gptCall = `{"id":"c1","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29}}`
	gptEvents := ut.SSE(ut.RoleChunk("gpt"), ut.ContentChunk("gpt", "It is "), ut.ContentChunk("gpt", "21 degrees."), ut.FinishChunk("gpt", "stop"), ut.UsageChunk("gpt", 35, 7), ut.Done)
	const claudeCall = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"thinking","thinking":"hm","signature":"not base64"},{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Paris"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":20,"output_tokens":9}}`
	const claudeEnd = `{"id":"msg_2","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"It is 21 degrees."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":35,"output_tokens":7}}`
	claudeEvents := ut.SSERaw(named(t, `{"type":"message_start","message":{"id":"msg_2","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":35,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"It is "}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"21 degrees."}}`, `{"type":"content_block_stop","index":0}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}`, `{"type":"message_stop"}`)...)

	run := func(t *testing.T, guarded bool) {
		t.Parallel()
		gem := ut.New(t, ut.JSON(200, gemCall), ut.JSON(200, gemEnd), gemEvents, ut.JSON(429, `{"error":{"code":429,"message":"Slow down.","status":"RESOURCE_EXHAUSTED"}}`))
		gpt := ut.New(t, ut.JSON(200, gptCall), ut.JSON(200, ut.Completion("gpt-4o", "It is 21 degrees.", 35, 7)), gptEvents, ut.RateLimited("1"))
		claude := ut.New(t, ut.JSON(200, claudeCall), ut.JSON(200, claudeEnd), claudeEvents, ut.JSON(429, `{"type":"error","error":{"type":"rate_limit_error","message":"Slow down."}}`))
		c := genaiClient(t, apptest.Start(t, makers(t, gem, gpt, claude, guarded)))
		for _, model := range []string{"gem", "gpt", "claude"} {
			weather(t, c, model)
			text, chunks, used := streamed(t, c, model)
			if text != "It is 21 degrees." || chunks < 2 || used != 42 {
				t.Errorf("%s: streamed %q in %d chunks, %d tokens", model, text, chunks, used)
			}
			_, err := c.Models.GenerateContent(t.Context(), model, genai.Text("x"), nil)
			var refused genai.APIError
			if !errors.As(err, &refused) || refused.Code != 429 || refused.Status != "RESOURCE_EXHAUSTED" {
				t.Errorf("%s: the limit came as %v", model, err)
			}
			count, err := c.Models.CountTokens(t.Context(), model, genai.Text("one two three"), nil)
			if err != nil || count.TotalTokens < 3 {
				t.Errorf("%s: counted %+v, %v", model, count, err)
			}
			_, err = c.Models.GenerateContent(t.Context(), model, genai.Text("this is forbidden"), nil)
			if guarded && (err == nil || !strings.Contains(err.Error(), "INVALID_ARGUMENT")) {
				t.Errorf("%s: the guardrail let it pass: %v", model, err)
			}
		}
		// The signatures of thoughts came back to who made them.
		if q := string(gem.Requests()[1].Body); !strings.Contains(q, `"thoughtSignature":"c2ln"`) {
			t.Errorf("Gemini was sent %s", q)
		}
		if q := string(claude.Requests()[1].Body); !strings.Contains(q, `{"type":"thinking","thinking":"hm","signature":"not base64"}`) || !strings.Contains(q, `"tool_use_id":"toolu_1"`) {
			t.Errorf("Claude was sent %s", q)
		}
		if q := string(gpt.Requests()[1].Body); !strings.Contains(q, `"tool_call_id":"call_1"`) {
			t.Errorf("GPT was sent %s", q)
		}
		if text, _, _ := streamed(t, c, "mocked"); text != "It is 21 degrees." {
			t.Errorf("mocked: %q", text)
		}
		if text, _, _ := streamed(t, c, "echo"); !strings.Contains(text, "How warm is it?") {
			t.Errorf("echo: %q", text)
		}
	}
	t.Run("straight", func(t *testing.T) { run(t, false) })
	t.Run("guarded", func(t *testing.T) { run(t, true) })
}

// TestGoogleSDKFurther uses what else the SDK sends: chats with a history, schemas, images, settings of safety.
func TestGoogleSDKFurther(t *testing.T) {
	t.Parallel()
	gem := ut.New(t, ut.JSON(200, geminiAnswer), ut.JSON(200, geminiAnswer))
	gpt := ut.New(t, ut.JSON(200, ut.Completion("gpt-4o", `{"a":1}`, 9, 3)), ut.JSON(200, ut.Completion("gpt-4o", "A cat.", 9, 3)),
		ut.JSON(200, ut.Completion("gpt-4o", "Two.", 9, 3)), ut.JSON(200, ut.Completion("gpt-4o", "Four.", 9, 3)))
	claude := ut.New(t)
	c := genaiClient(t, apptest.Start(t, makers(t, gem, gpt, claude, false)))
	ctx := t.Context()

	r, err := c.Models.GenerateContent(ctx, "gpt", genai.Text("JSON"), &genai.GenerateContentConfig{
		ResponseMIMEType: "application/json", Temperature: genai.Ptr[float32](0.5), StopSequences: []string{"END"},
		ResponseSchema: &genai.Schema{Type: genai.TypeObject, Properties: map[string]*genai.Schema{"a": {Type: genai.TypeInteger, Nullable: genai.Ptr(true)}}},
	})
	if err != nil || r.Text() != `{"a":1}` {
		t.Fatalf("%+v %v", r, err)
	}
	sameJSON(t, string(gpt.Last().Body), `{"model":"gpt-4o","messages":[{"role":"user","content":"JSON"}],"temperature":0.5,"stop":["END"],
		"response_format":{"type":"json_schema","json_schema":{"name":"response","schema":{"type":"object","properties":{"a":{"type":["integer","null"]}}}}}}`)

	image := &genai.Content{Role: genai.RoleUser, Parts: []*genai.Part{genai.NewPartFromText("What is this?"), genai.NewPartFromBytes([]byte{1, 2, 0xff}, "image/png")}}
	if r, err = c.Models.GenerateContent(ctx, "gpt", []*genai.Content{image}, nil); err != nil || r.Text() != "A cat." {
		t.Fatalf("%+v %v", r, err)
	}
	sameJSON(t, string(gpt.Last().Body), `{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},
		{"type":"image_url","image_url":{"url":"data:image/png;base64,AQL/"}}]}]}`)

	chat, err := c.Chats.Create(ctx, "gpt", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"1+1?", "2+2?"} {
		if _, err := chat.SendMessage(ctx, genai.Part{Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	sameJSON(t, string(gpt.Last().Body), `{"model":"gpt-4o","messages":[{"role":"user","content":"1+1?"},{"role":"assistant","content":"Two."},{"role":"user","content":"2+2?"}]}`)

	safety := &genai.GenerateContentConfig{SafetySettings: []*genai.SafetySetting{{Category: genai.HarmCategoryHarassment, Threshold: genai.HarmBlockThresholdBlockNone}}}
	if _, err := c.Models.GenerateContent(ctx, "gem", genai.Text("hi"), safety); err != nil {
		t.Fatal(err)
	}
	if q := string(gem.Last().Body); !strings.Contains(q, `"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]`) {
		t.Errorf("Gemini was sent %s", q)
	}
	if _, err := c.Models.GenerateContent(ctx, "gpt", genai.Text("hi"), safety); err == nil || !strings.Contains(err.Error(), "safety_settings") {
		t.Errorf("got %v", err)
	}
}
