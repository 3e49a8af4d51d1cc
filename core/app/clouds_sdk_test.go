package app_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// chunks is a stream of InvokeModel with the events of a model in it.
func chunks(list ...string) upstreamtest.Answer {
	var out [][2]string
	for _, e := range list {
		out = append(out, [2]string{"chunk", `{"bytes":"` + base64.StdEncoding.EncodeToString([]byte(e)) + `"}`})
	}
	return apptest.BedrockEvents(out...)
}

func bedrockModels(t *testing.T, b bedrock) *apptest.Server {
	return apptest.Start(t, `
model_list:
  - {model_name: nova, litellm_params: {model: bedrock/us.amazon.nova-2-lite-v1:0}}
  - {model_name: claude, litellm_params: {model: bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0}}
router_settings: {num_retries: 0}
`+admin, apptest.Env("AWS_ACCESS_KEY_ID=AK1", "AWS_SECRET_ACCESS_KEY=SK1", "AWS_BEDROCK_RUNTIME_ENDPOINT="+b.URL))
}

// OpenAI's SDK in front of Bedrock: a tool is called and its result sent back, whole and streamed.
func TestBedrockOpenAISDK(t *testing.T) {
	t.Parallel()
	b := newBedrock(t)
	s := bedrockModels(t, b)
	client := openai.NewClient(openaioption.WithBaseURL(s.URL+"/v1"), openaioption.WithAPIKey(apptest.MasterKey), openaioption.WithMaxRetries(0))
	params := openai.ChatCompletionNewParams{
		Model: "nova", Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("Be brief."), openai.UserMessage("How warm is it in Paris?")},
		Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
			Name: "weather", Description: openai.String("Tells the weather"),
			Parameters: openai.FunctionParameters{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}},
		})},
	}
	b.Script(upstreamtest.JSON(200, `{"output":{"message":{"role":"assistant","content":[{"text":"Let me look."},{"toolUse":{"toolUseId":"tooluse_1","name":"weather","input":{"city":"Paris"}}}]}},"stopReason":"tool_use","usage":{"inputTokens":20,"outputTokens":9,"totalTokens":29}}`))
	got, err := client.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	m := got.Choices[0].Message
	if m.Content != "Let me look." || len(m.ToolCalls) != 1 || m.ToolCalls[0].Function.Arguments != `{"city":"Paris"}` || got.Choices[0].FinishReason != "tool_calls" || got.Usage.TotalTokens != 29 {
		t.Errorf("got %+v", got)
	}
	b.signer(t)

	params.Messages = append(params.Messages, m.ToParam(), openai.ToolMessage("21", m.ToolCalls[0].ID))
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	b.Script(apptest.BedrockEvents(
		[2]string{"messageStart", `{"role":"assistant"}`}, [2]string{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"It is "}}`},
		[2]string{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"21 degrees."}}`}, [2]string{"contentBlockStop", `{"contentBlockIndex":0}`},
		[2]string{"messageStop", `{"stopReason":"end_turn"}`}, [2]string{"metadata", `{"usage":{"inputTokens":30,"outputTokens":7,"totalTokens":37}}`}))
	stream := client.Chat.Completions.NewStreaming(t.Context(), params)
	var all openai.ChatCompletionAccumulator
	for stream.Next() {
		all.AddChunk(stream.Current())
	}
	if stream.Err() != nil || all.Choices[0].Message.Content != "It is 21 degrees." || all.Choices[0].FinishReason != "stop" || all.Usage.TotalTokens != 37 {
		t.Errorf("got %+v, %v", all.ChatCompletion, stream.Err())
	}
	if body := string(b.Last().Body); !strings.Contains(body, `{"toolResult":{"toolUseId":"tooluse_1","content":[{"text":"21"}]}}`) {
		t.Errorf("the result went out as %s", body)
	}

	b.Script(upstreamtest.JSON(429, `{"message":"Too many requests, please wait before trying again."}`, "Retry-After: 9"))
	var apiErr *openai.Error
	if _, err = client.Chat.Completions.New(t.Context(), params); !errors.As(err, &apiErr) || apiErr.StatusCode != 429 {
		t.Errorf("throttled: %v", err)
	}
}

// Anthropic's SDK in front of Bedrock: Claude in its own dialect, which loses nothing, and another model through Converse.
func TestBedrockAnthropicSDK(t *testing.T) {
	t.Parallel()
	b := newBedrock(t)
	s := bedrockModels(t, b)
	client := anthropic.NewClient(anthropicoption.WithBaseURL(s.URL), anthropicoption.WithAPIKey(apptest.MasterKey), anthropicoption.WithMaxRetries(0))
	ask := func(model string) anthropic.MessageNewParams {
		return anthropic.MessageNewParams{
			Model: model, MaxTokens: 2000,
			System:   []anthropic.TextBlockParam{{Text: "You know the weather.", CacheControl: anthropic.NewCacheControlEphemeralParam()}},
			Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("How warm is it?"))},
			Tools: []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
				Name: "weather", InputSchema: anthropic.ToolInputSchemaParam{Properties: map[string]any{"city": map[string]any{"type": "string"}}},
			}}},
		}
	}
	streamed := func(model string) (m anthropic.Message) {
		t.Helper()
		stream := client.Messages.NewStreaming(t.Context(), ask(model))
		for stream.Next() {
			if err := m.Accumulate(stream.Current()); err != nil {
				t.Fatal(err)
			}
		}
		if stream.Err() != nil {
			t.Errorf("%s: %v", model, stream.Err())
		}
		return m
	}
	b.Script(chunks(
		`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":20,"cache_read_input_tokens":5,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}`, `{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"city\":\"Paris\"}"}}`, `{"type":"content_block_stop","index":1}`,
		`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}`,
		`{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":20,"outputTokenCount":9}}`))
	m := streamed("claude")
	if len(m.Content) != 2 || m.Content[0].Thinking != "hm" || m.Content[0].Signature != "c2ln" || string(m.Content[1].Input) != `{"city":"Paris"}` ||
		m.StopReason != "tool_use" || m.Usage.OutputTokens != 9 || m.Model != "claude" {
		t.Errorf("claude: %+v", m)
	}
	if got := b.Last(); !strings.HasSuffix(got.Path, "/invoke-with-response-stream") || !strings.Contains(string(got.Body), `"cache_control":{"type":"ephemeral"}`) {
		t.Errorf("claude: %s %s", got.Path, got.Body)
	}
	b.signer(t)

	b.Script(apptest.BedrockEvents(
		[2]string{"messageStart", `{"role":"assistant"}`}, [2]string{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"Let me look."}}`},
		[2]string{"contentBlockStop", `{"contentBlockIndex":0}`},
		[2]string{"contentBlockStart", `{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"tooluse_1","name":"weather"}}}`},
		[2]string{"contentBlockDelta", `{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"city\":\"Paris\"}"}}}`}, [2]string{"contentBlockStop", `{"contentBlockIndex":1}`},
		[2]string{"messageStop", `{"stopReason":"tool_use"}`}, [2]string{"metadata", `{"usage":{"inputTokens":20,"outputTokens":9,"totalTokens":29,"cacheReadInputTokens":5}}`}))
	m = streamed("nova")
	if len(m.Content) != 2 || m.Content[0].Text != "Let me look." || string(m.Content[1].Input) != `{"city":"Paris"}` || m.StopReason != "tool_use" || m.Usage.OutputTokens != 9 {
		t.Errorf("nova: %+v", m)
	}
	if got := b.Last(); !strings.HasSuffix(got.Path, "/converse-stream") || !strings.Contains(string(got.Body), `"cachePoint":{"type":"default"}`) {
		t.Errorf("nova: %s %s", got.Path, got.Body)
	}

	b.Script(upstreamtest.JSON(200, `{"inputTokens":12}`))
	count := anthropic.MessageCountTokensParams{Messages: ask("").Messages}
	for _, model := range []string{"claude", "nova"} {
		count.Model = model
		before := len(b.Requests())
		n, err := client.Messages.CountTokens(t.Context(), count)
		asked := len(b.Requests()) > before
		if err != nil || asked != (model == "claude") || asked && n.InputTokens != 12 || n.InputTokens < 1 {
			t.Errorf("%s: counted %+v, %v, and Bedrock was asked: %v", model, n, err, asked)
		}
	}

	b.Script(upstreamtest.JSON(503, `{"message":"Bedrock is unable to process your request."}`))
	var apiErr *anthropic.Error
	if _, err := client.Messages.New(t.Context(), ask("claude")); !errors.As(err, &apiErr) || apiErr.StatusCode != 503 {
		t.Errorf("unavailable: %v", err)
	}
}
