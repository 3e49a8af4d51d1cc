package app_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// The Responses API with the official SDK in front of vendors that do not have it: a call of a tool and its result, with
// the conversation kept by the gateway or sent along, whole and streamed. Thinking goes back to Anthropic with its
// signature either way.
func TestResponsesSDK(t *testing.T) {
	t.Parallel()
	const call = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"tool_use","id":"call_1","name":"weather","input":{"city":"Paris"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":20,"output_tokens":9}}`
	end := ut.SSERaw(named(t, `{"type":"message_start","message":{"id":"msg_2","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":30,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"It is "}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"21 degrees."}}`, `{"type":"content_block_stop","index":0}`,
		`{"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":7}}`, `{"type":"message_stop"}`)...)
	cut := ut.CutStream(`{"type":"message_start","message":{"id":"msg_3","content":[],"usage":{}}}`)
	claude := ut.New(t, ut.JSON(200, call), end, end, ut.JSON(400, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8"}}`), cut)
	s := apptest.Start(t, sides(t, claude, claude, false))
	client := sdk(s)
	tool := responses.ToolUnionParam{OfFunction: &responses.FunctionToolParam{
		Name: "weather", Parameters: map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}},
	}}
	ask := func(model string) responses.ResponseNewParams {
		return responses.ResponseNewParams{
			Model: model, Instructions: openai.String("You know the weather."), Tools: []responses.ToolUnionParam{tool},
			Reasoning: responses.ReasoningParam{Effort: "low"},
			Input:     responses.ResponseNewParamsInputUnion{OfString: openai.String("How warm is it?")},
		}
	}
	stream := func(p responses.ResponseNewParams) (text string, last responses.Response, err error) {
		events := client.Responses.NewStreaming(t.Context(), p)
		for events.Next() {
			switch e := events.Current().AsAny().(type) {
			case responses.ResponseTextDeltaEvent:
				text += e.Delta
			case responses.ResponseCompletedEvent:
				last = e.Response
			case responses.ResponseIncompleteEvent:
				last = e.Response
			case responses.ResponseFailedEvent:
				last = e.Response
			}
		}
		return text, last, events.Err()
	}
	first, err := client.Responses.New(t.Context(), ask("claude"))
	if err != nil || len(first.Output) != 2 || first.Output[0].Type != "reasoning" || first.Output[1].Arguments.OfString != `{"city":"Paris"}` {
		t.Fatalf("%v %+v", err, first)
	}
	result := responses.ResponseInputItemParamOfFunctionCallOutput("21")
	result.OfFunctionCallOutput.CallID = openai.String(first.Output[1].CallID)

	again := ask("claude")
	again.PreviousResponseID = openai.String(first.ID)
	again.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{result}}
	text, last, err := stream(again)
	if err != nil || text != "It is 21 degrees." || last.Status != "incomplete" || last.IncompleteDetails.Reason != "max_output_tokens" || last.Usage.OutputTokens != 7 {
		t.Fatalf("%v %q %s", err, text, last.RawJSON())
	}

	list := responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage("How warm is it?", responses.EasyInputMessageRoleUser)}
	reasoning, fn := first.Output[0].AsReasoning().ToParam(), first.Output[1].AsFunctionCall().ToParam()
	list = append(list, responses.ResponseInputItemUnionParam{OfReasoning: &reasoning}, responses.ResponseInputItemUnionParam{OfFunctionCall: &fn}, result)
	sent := ask("claude")
	sent.Store, sent.Input = openai.Bool(false), responses.ResponseNewParamsInputUnion{OfInputItemList: list}
	if text, _, err = stream(sent); err != nil || text != "It is 21 degrees." {
		t.Fatalf("%v %q", err, text)
	}
	for i, r := range claude.Requests()[1:3] {
		for _, part := range []string{`{"type":"thinking","thinking":"hm","signature":"sig"}`, `"tool_use_id":"call_1"`, `"text":"How warm is it?"`, `"budget_tokens":1024`} {
			if !strings.Contains(string(r.Body), part) {
				t.Errorf("request %d lacks %s: %s", i, part, r.Body)
			}
		}
	}

	_, err = client.Responses.New(t.Context(), ask("claude"))
	var failure *openai.Error
	if !errors.As(err, &failure) || failure.StatusCode != 400 || !strings.Contains(failure.Message, "ContextWindowExceeded") {
		t.Fatalf("%v", err)
	}
	if _, last, _ = stream(ask("claude")); last.Status != "failed" || last.Error.Message == "" {
		t.Fatalf("%s", last.RawJSON())
	}
	for _, model := range []string{"mocked", "echo"} {
		whole, err := client.Responses.New(t.Context(), ask(model))
		if err != nil || whole.OutputText() == "" || whole.Status != "completed" {
			t.Fatalf("%s: %v %+v", model, err, whole)
		}
		if text, last, err := stream(ask(model)); err != nil || text != whole.OutputText() || last.OutputText() != text {
			t.Fatalf("%s: %v %q", model, err, text)
		}
	}
}
