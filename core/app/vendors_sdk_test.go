package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
	"google.golang.org/genai"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// converses is a vendor that calls a tool, says what it told, and streams that when it is asked for a stream.
func converses(t *testing.T, streams func(r *ut.Request) bool, call, said, stream ut.Answer) *ut.Vendor {
	return ut.New(t, func(c *ut.Conn) {
		switch body := string(c.Request.Body); {
		case c.Request.Path == "/token":
			ut.JSON(200, `{"access_token":"ya29.token","token_type":"Bearer","expires_in":3600}`)(c)
		case streams(&c.Request):
			stream(c)
		case strings.Contains(body, "21"):
			said(c)
		default:
			call(c)
		}
	})
}

// furtherVendors is a configuration with a model of each of the vendors that the other tests of SDKs have not.
func furtherVendors(t *testing.T) *apptest.Server {
	path := func(part string) func(*ut.Request) bool {
		return func(r *ut.Request) bool { return strings.Contains(r.Path, part) }
	}
	flag := func(r *ut.Request) bool { return strings.Contains(string(r.Body), `"stream":true`) }
	nova := converses(t, path("converse-stream"),
		ut.JSON(200, `{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"tooluse_1","name":"weather","input":{"city":"Paris"}}}]}},"stopReason":"tool_use","usage":{"inputTokens":20,"outputTokens":9,"totalTokens":29}}`),
		ut.JSON(200, `{"output":{"message":{"role":"assistant","content":[{"text":"It is warm."}]}},"stopReason":"end_turn","usage":{"inputTokens":35,"outputTokens":7,"totalTokens":42}}`),
		events([2]string{"messageStart", `{"role":"assistant"}`}, [2]string{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"It is "}}`},
			[2]string{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"warm."}}`}, [2]string{"contentBlockStop", `{"contentBlockIndex":0}`},
			[2]string{"messageStop", `{"stopReason":"end_turn"}`}, [2]string{"metadata", `{"usage":{"inputTokens":35,"outputTokens":7,"totalTokens":42}}`}))
	claude := converses(t, path(":streamRawPredict"),
		ut.JSON(200, `{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Paris"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":20,"output_tokens":9}}`),
		ut.JSON(200, `{"id":"msg_2","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"It is warm."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":35,"output_tokens":7}}`),
		ut.SSERaw(named(t, `{"type":"message_start","message":{"id":"msg_2","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":35,"output_tokens":1}}}`,
			`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"It is "}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"warm."}}`, `{"type":"content_block_stop","index":0}`,
			`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}`, `{"type":"message_stop"}`)...))
	mistral := converses(t, flag,
		ut.JSON(200, `{"id":"c1","object":"chat.completion","model":"mistral-small-latest","choices":[{"index":0,"message":{"role":"assistant","content":"","tool_calls":[{"id":"D681PevKs","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"},"index":0}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29}}`),
		ut.JSON(200, ut.Completion("mistral-small-latest", "It is warm.", 35, 7)),
		ut.SSE(ut.RoleChunk("m"), ut.ContentChunk("m", "It is "), `{"id":"c2","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"warm."},"finish_reason":"stop"}],"usage":{"prompt_tokens":35,"completion_tokens":7,"total_tokens":42}}`, ut.Done))
	ollama := converses(t, flag,
		ut.JSON(200, `{"model":"llama3.2","created_at":"2025-07-01T10:00:00Z","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"weather","arguments":{"city":"Paris"}}}]},"done":true,"done_reason":"stop","prompt_eval_count":20,"eval_count":9}`),
		ut.JSON(200, `{"model":"llama3.2","created_at":"2025-07-01T10:00:00Z","message":{"role":"assistant","content":"It is warm."},"done":true,"done_reason":"stop","prompt_eval_count":35,"eval_count":7}`),
		ut.Whole(200, "application/x-ndjson", `{"model":"llama3.2","created_at":"2025-07-01T10:00:00Z","message":{"role":"assistant","content":"It is "},"done":false}`+"\n"+
			`{"model":"llama3.2","created_at":"2025-07-01T10:00:00Z","message":{"role":"assistant","content":"warm."},"done":false}`+"\n"+
			`{"model":"llama3.2","created_at":"2025-07-01T10:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":35,"eval_count":7}`+"\n"))
	return apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: bedrock, litellm_params: {model: bedrock/us.amazon.nova-2-lite-v1:0, aws_bedrock_runtime_endpoint: "%s"}}
  - {model_name: vertex, litellm_params: {model: vertex_ai/claude-sonnet-4-5@20250929, api_base: "%s", vertex_location: global}}
  - {model_name: mistral, litellm_params: {model: mistral/mistral-small-latest, api_base: "%s/v1", api_key: k}}
  - {model_name: ollama, litellm_params: {model: ollama_chat/llama3.2, api_base: "%s"}}
router_settings: {num_retries: 0}
`, nova.URL, claude.URL, mistral.URL, ollama.URL)+admin, apptest.Env("AWS_ACCESS_KEY_ID=AK1", "AWS_SECRET_ACCESS_KEY=SK1", "GOOGLE_APPLICATION_CREDENTIALS="+account(t, claude.URL)))
}

// The official SDKs of OpenAI, Anthropic and Google call a tool, send its result back and read a stream, alike at Bedrock,
// Claude on Vertex AI, Mistral and Ollama.
func TestSDKsAtFurtherVendors(t *testing.T) {
	t.Parallel()
	s := furtherVendors(t)
	schema := map[string]any{"city": map[string]any{"type": "string"}}
	openAI := openai.NewClient(openaioption.WithBaseURL(s.URL+"/v1"), openaioption.WithAPIKey(apptest.MasterKey), openaioption.WithMaxRetries(0))
	claude := anthropic.NewClient(anthropicoption.WithBaseURL(s.URL), anthropicoption.WithAPIKey(apptest.MasterKey), anthropicoption.WithMaxRetries(0))
	google := genaiClient(t, s)
	chats := func(model string) string {
		params := openai.ChatCompletionNewParams{
			Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("Be brief."), openai.UserMessage("How warm is it?")},
			Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
				Name: "weather", Parameters: openai.FunctionParameters{"type": "object", "properties": schema},
			})},
		}
		first, err := openAI.Chat.Completions.New(t.Context(), params)
		if err != nil || len(first.Choices[0].Message.ToolCalls) != 1 || first.Choices[0].FinishReason != "tool_calls" {
			return fmt.Sprintf("call: %v %+v", err, first)
		}
		m := first.Choices[0].Message
		params.Messages = append(params.Messages, m.ToParam(), openai.ToolMessage("21", m.ToolCalls[0].ID))
		second, err := openAI.Chat.Completions.New(t.Context(), params)
		if err != nil {
			return "result: " + err.Error()
		}
		params.StreamOptions.IncludeUsage = openai.Bool(true)
		stream, pieces := openAI.Chat.Completions.NewStreaming(t.Context(), params), 0
		var all openai.ChatCompletionAccumulator
		for stream.Next() {
			pieces++
			all.AddChunk(stream.Current())
		}
		if stream.Err() != nil || pieces < 3 {
			return fmt.Sprintf("stream: %v, %d pieces", stream.Err(), pieces)
		}
		return fmt.Sprint(m.ToolCalls[0].Function.Arguments, first.Usage.TotalTokens, second.Choices[0].Message.Content, all.Choices[0].Message.Content, all.Usage.TotalTokens)
	}
	messages := func(model string) string {
		params := anthropic.MessageNewParams{
			Model: model, MaxTokens: 2000, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("How warm is it?"))},
			Tools: []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{Name: "weather", InputSchema: anthropic.ToolInputSchemaParam{Properties: schema}}}},
		}
		first, err := claude.Messages.New(t.Context(), params)
		if err != nil || len(first.Content) != 1 || first.StopReason != "tool_use" {
			return fmt.Sprintf("call: %v %+v", err, first)
		}
		params.Messages = append(params.Messages, first.ToParam(), anthropic.NewUserMessage(anthropic.NewToolResultBlock(first.Content[0].ID, "21", false)))
		second, err := claude.Messages.New(t.Context(), params)
		if err != nil {
			return "result: " + err.Error()
		}
		stream := claude.Messages.NewStreaming(t.Context(), params)
		var all anthropic.Message
		for stream.Next() {
			if err := all.Accumulate(stream.Current()); err != nil {
				return "stream: " + err.Error()
			}
		}
		if stream.Err() != nil {
			return "stream: " + stream.Err().Error()
		}
		return fmt.Sprint(string(first.Content[0].Input), first.Usage.InputTokens+first.Usage.OutputTokens, second.Content[0].Text, all.Content[0].Text, all.Usage.InputTokens+all.Usage.OutputTokens)
	}
	contents := func(model string) string {
		config := &genai.GenerateContentConfig{MaxOutputTokens: 2000, Tools: []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{
			Name: "weather", Parameters: &genai.Schema{Type: genai.TypeObject, Properties: map[string]*genai.Schema{"city": {Type: genai.TypeString}}},
		}}}}}
		history := genai.Text("How warm is it?")
		first, err := google.Models.GenerateContent(t.Context(), model, history, config)
		if err != nil || len(first.FunctionCalls()) != 1 {
			return fmt.Sprintf("call: %v %+v", err, first)
		}
		call := first.FunctionCalls()[0]
		history = append(history, first.Candidates[0].Content, &genai.Content{Role: genai.RoleUser, Parts: []*genai.Part{{
			FunctionResponse: &genai.FunctionResponse{ID: call.ID, Name: call.Name, Response: map[string]any{"output": "21"}},
		}}})
		second, err := google.Models.GenerateContent(t.Context(), model, history, config)
		if err != nil {
			return "result: " + err.Error()
		}
		text, _, used := streamed(t, google, model)
		return fmt.Sprintf(`{"city":%q}%d%s%s%d`, call.Args["city"], first.UsageMetadata.TotalTokenCount, second.Text(), text, used)
	}
	f := func(sdk string, ask func(model string) string) {
		for _, model := range []string{"bedrock", "vertex", "mistral", "ollama"} {
			got := strings.ReplaceAll(strings.ReplaceAll(ask(model), " ", ""), "\n", "")
			if got != `{"city":"Paris"}29Itiswarm.Itiswarm.42` {
				t.Errorf("%s at %s: %s", sdk, model, got)
			}
		}
	}
	f("OpenAI", chats)
	f("Anthropic", messages)
	f("Google", contents)
}
