package app_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
)

// valued are parameters of a chat with values that ask for something, so that no vendor may leave them out unasked.
func valued() map[string]string {
	return map[string]string{
		"audio": `{"voice":"alloy","format":"wav"}`, "frequency_penalty": "0.5", "functions": `[{"name":"f","parameters":{"type":"object"}}]`,
		"logit_bias": `{"1":1}`, "logprobs": "true", "max_completion_tokens": "9", "max_tokens": "9", "modalities": `["text","audio"]`,
		"n": "2", "parallel_tool_calls": "false", "prediction": `{"type":"content","content":"x"}`, "presence_penalty": "0.5",
		"prompt_cache_key": `"k"`, "prompt_cache_retention": `"24h"`, "reasoning_effort": `"low"`, "response_format": `{"type":"json_object"}`,
		"safety_identifier": `"s"`, "seed": "7", "service_tier": `"flex"`, "stop": `["x"]`, "store": "true", "temperature": "0.5",
		"thinking": `{"type":"enabled","budget_tokens":1024}`, "tool_choice": `"required"`,
		"tools":        `[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]`,
		"top_logprobs": "2", "top_p": "0.5", "verbosity": `"low"`, "web_search_options": `{"search_context_size":"low"}`,
	}
}

// TestSupportedParamsAreTaken asks every vendor that speaks OpenAI's API, and some that do not, for each parameter by
// itself: it is refused by its name if and only if /utils/supported_openai_params does not list it, nothing goes out then,
// drop_params leaves just that member out, and allowed_openai_params sends it all the same.
func TestSupportedParamsAreTaken(t *testing.T) {
	t.Parallel()
	var sent atomic.Value
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		sent.Store(string(b))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"c","object":"chat.completion","created":1,"model":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":`+plainUsage+`}`)
	}))
	t.Cleanup(upstream.Close)
	var vendors []string
	speaks := map[string]bool{}
	for _, v := range compat.Vendors() {
		if slices.Contains(v.Lacks, llm.OpChat) {
			continue
		}
		vendors = append(vendors, v.Name)
		speaks[v.Name] = true
	}
	vendors = append(vendors, "anthropic", "gemini", "cohere", "mistral", "ollama", "databricks")
	var config strings.Builder
	config.WriteString("general_settings: {master_key: sk-1234}\nrouter_settings: {disable_cooldowns: true, num_retries: 0}\nmodel_list:\n")
	for _, v := range vendors {
		fmt.Fprintf(&config, "- {model_name: %q, litellm_params: {model: %q, api_key: k, api_base: %q}}\n", v, v+"/m", upstream.URL)
	}
	s := apptest.Start(t, config.String())
	for _, v := range vendors {
		list, _ := object(t, s.Get("/utils/supported_openai_params?model="+v))["supported_openai_params"].([]any)
		for name, value := range valued() {
			member := fmt.Sprintf(",%q:%s", name, value)
			ask := func(more string) (refused bool, went, answer string) {
				sent.Store("")
				r := s.Post("/v1/chat/completions", fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"hi"}]%s%s}`, v, member, more))
				went, _ = sent.Load().(string)
				return strings.Contains(r.Body, "does not support parameters: ['"+name+"']") && r.Status == 400 && strings.Contains(r.Body, v), went, r.Body
			}
			refused, went, answer := ask("")
			if want := !slices.Contains(list, any(name)); refused != want {
				t.Errorf("%s, %s: listed %v, but %s", v, name, !want, answer)
			}
			if !refused {
				continue
			}
			if went != "" {
				t.Errorf("%s, %s is refused, and %s was sent", v, name, went)
			}
			if refused, went, answer = ask(`,"drop_params":true`); refused || went == "" || strings.Contains(went, `"`+name+`"`) {
				t.Errorf("%s without %s: sent %s, answered %s", v, name, went, answer)
			}
			if refused, went, answer = ask(fmt.Sprintf(`,"allowed_openai_params":[%q]`, name)); refused || speaks[v] && !strings.Contains(went, member) {
				t.Errorf("%s with %s: sent %s, answered %s", v, name, went, answer)
			}
		}
	}
}
