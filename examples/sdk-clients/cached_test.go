package sdkclients_test

import (
	"net/http"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
)

const wantCached = `messages claude: get_weather(Paris), and the same again from the cache
messages open-model: get_weather(Paris), and the same again from the cache
responses gpt: get_weather(Paris), and the same again from the cache
responses open-model: get_weather(Paris), and the same again from the cache
chat gpt: get_weather(Paris), and the same again from the cache
`

// TestCached makes every streamed call twice: clients find the second answer, which is the cache's, equal to the first.
func TestCached(t *testing.T) {
	t.Parallel()
	url := startGateway(t, "cached.yaml")
	env := []string{"GATEWAY_URL=" + url, "GATEWAY_KEY=" + key}
	program(t, wantCached, env, "node", "node_modules/@anthropic-ai/sdk", "node", "cached.mjs")
	program(t, wantCached, env, "python", ".venv/.installed", ".venv/bin/python", "cached.py")
	t.Run("go messages", func(t *testing.T) {
		t.Parallel()
		client := anthropic.NewClient(anthropicoption.WithBaseURL(url), anthropicoption.WithAPIKey(key), anthropicoption.WithMaxRetries(0))
		twice(t, func(into **http.Response) string {
			var final anthropic.Message
			events := client.Messages.NewStreaming(t.Context(), anthropic.MessageNewParams{
				Model: "claude", MaxTokens: 2000, Thinking: anthropic.ThinkingConfigParamOfEnabled(1024),
				Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("How warm is it in Paris? Ask in Go."))},
				Tools:    []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{Name: "get_weather"}}},
			}, anthropicoption.WithResponseInto(into))
			for events.Next() {
				if err := final.Accumulate(events.Current()); err != nil {
					t.Fatal(err)
				}
			}
			if err := events.Err(); err != nil || len(final.Content) != 3 || string(final.Content[2].Input) != `{"city":"Paris"}` {
				t.Fatalf("%v: %+v", err, final)
			}
			return final.RawJSON()
		})
	})
	t.Run("go responses", func(t *testing.T) {
		t.Parallel()
		client := openai.NewClient(option.WithBaseURL(url+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0))
		twice(t, func(into **http.Response) string {
			var final responses.Response
			events := client.Responses.NewStreaming(t.Context(), responses.ResponseNewParams{
				Model: "gpt", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("How warm is it in Paris? Ask in Go.")},
				Tools: []responses.ToolUnionParam{{OfFunction: &responses.FunctionToolParam{Name: "get_weather"}}},
			}, option.WithResponseInto(into))
			for events.Next() {
				if e := events.Current(); e.Type == "response.completed" {
					final = e.AsResponseCompleted().Response
				}
			}
			if err := events.Err(); err != nil || len(final.Output) != 2 || final.Output[1].Arguments.OfString != `{"city":"Paris"}` {
				t.Fatalf("%v: %+v", err, final)
			}
			return final.RawJSON()
		})
	})
}

// twice makes a call two times, of which the second is answered from the cache, and equally.
func twice(t *testing.T, call func(into **http.Response) string) {
	t.Helper()
	var first, second *http.Response
	a := call(&first)
	b := call(&second)
	if first.Header.Get("x-litellm-cache-key") != "" || second.Header.Get("x-litellm-cache-key") == "" {
		t.Error("not the second answer is the cache's")
	}
	if a != b || a == "" {
		t.Errorf("the answers differ:\n%s\n%s", a, b)
	}
}
