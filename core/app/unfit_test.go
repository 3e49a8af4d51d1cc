package app_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

// TestUnfitModels sends what a model refuses although its vendor's others take it: it is refused by its name, or dropped,
// by the model's name, by what the price table knows of it, and by what the operator says.
func TestUnfitModels(t *testing.T) {
	t.Parallel()
	var sent atomic.Value
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		sent.Store(string(b))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"c","object":"chat.completion","created":1,"model":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":`+plainUsage+`}`)
	}))
	t.Cleanup(upstream.Close)
	s := apptest.Start(t, strings.ReplaceAll(`
general_settings: {master_key: sk-1234}
router_settings: {disable_cooldowns: true, num_retries: 0}
model_list:
- {model_name: four, litellm_params: {model: xai/grok-4-0709, api_key: k, api_base: "URL"}}
- {model_name: dropping, litellm_params: {model: xai/grok-4-0709, api_key: k, api_base: "URL", drop_params: true}}
- {model_name: o3, litellm_params: {model: openai/o3, api_key: k, api_base: "URL"}}
- {model_name: azure-o3, litellm_params: {model: azure/mine, api_key: k, api_base: "URL"}, model_info: {base_model: azure/o3}}
- {model_name: llama, litellm_params: {model: groq/llama-guard-3-8b, api_key: k, api_base: "URL"}}
- {model_name: told, litellm_params: {model: groq/llama-guard-3-8b, api_key: k, api_base: "URL"}, model_info: {supports_reasoning: true}}
- {model_name: sonnet, litellm_params: {model: bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0, api_key: k, api_base: "URL"}}
- {model_name: flash, litellm_params: {model: vertex_ai/gemini-2.0-flash-001, vertex_project: p, api_key: k, api_base: "URL"}}
- {model_name: "any/*", litellm_params: {model: "xai/*", api_key: k, api_base: "URL"}}
`, "URL", upstream.URL))
	f := func(model, params, refused, want string) {
		t.Helper()
		sent.Store("")
		r := s.Post("/v1/chat/completions", fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"hi"}],%s}`, model, params))
		went, _ := sent.Load().(string)
		_, went, _ = strings.Cut(went, `"hi"}]`)
		if refused != "" {
			if want := "does not support parameters: ['" + refused + "']"; r.Status != 400 || !strings.Contains(r.Body, want) || went != "" {
				t.Errorf("%s, %s: %d %s, sent %s", model, params, r.Status, r.Body, went)
			}
			return
		}
		if r.Status != 200 || went != want {
			t.Errorf("%s, %s: %d %s,\nsent %s\nwant %s", model, params, r.Status, r.Body, went, want)
		}
	}
	f("four", `"stop":["x"]`, "stop", "")
	f("four", `"temperature":0.5`, "", `,"temperature":0.5}`)
	f("four", `"stop":["x"],"drop_params":true`, "", `}`)
	f("four", `"stop":["x"],"allowed_openai_params":["stop"]`, "", `,"stop":["x"]}`)
	f("dropping", `"presence_penalty":0.5,"reasoning_effort":"low","n":2`, "", `,"n":2}`)
	f("any/grok-4-0709", `"stop":["x"]`, "stop", "")
	f("any/grok-2", `"stop":["x"]`, "", `,"stop":["x"]}`)
	f("o3", `"temperature":0.5`, "temperature", "")
	f("o3", `"temperature":1,"max_tokens":9`, "", `,"temperature":1,"max_completion_tokens":9}`)
	f("azure-o3", `"top_p":0.5`, "top_p", "")
	f("azure-o3", `"max_tokens":9`, "", `,"max_completion_tokens":9}`)
	f("llama", `"reasoning_effort":"low"`, "reasoning_effort", "")
	f("sonnet", `"reasoning_effort":"low"`, "reasoning_effort", "")
	f("flash", `"reasoning_effort":"low"`, "reasoning_effort", "")
	f("told", `"reasoning_effort":"low"`, "", `,"reasoning_effort":"low"}`)
}
