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
)

// The official SDKs of OpenAI, Anthropic and Google call a tool, send its result back and read a stream, alike at every
// vendor of apptest.Vendors.
func TestSDKsAtVendors(t *testing.T) {
	t.Parallel()
	s := apptest.StartVendors(t)
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
		for _, model := range apptest.Vendors() {
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
