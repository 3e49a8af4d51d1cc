package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// TestNativeResponses says where requests for responses go with vendors that have the Responses API for some models, for
// requests that keep nothing, or because the operator says so.
func TestNativeResponses(t *testing.T) {
	t.Parallel()
	const answer = `{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hi.","annotations":[]}]}],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}`
	v := upstreamtest.New(t, upstreamtest.JSON(200, completion))
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: groq, litellm_params: {model: groq/m, api_base: "%[1]s/v1", api_key: k1}}
  - {model_name: gpt, litellm_params: {model: databricks/databricks-gpt-5, api_base: "%[1]s/serving-endpoints", api_key: k1}}
  - {model_name: llama, litellm_params: {model: databricks/databricks-llama, api_base: "%[1]s/serving-endpoints", api_key: k1}}
  - {model_name: agent, litellm_params: {model: perplexity/openai/gpt-5.2, api_base: %[1]q, api_key: k1}}
  - {model_name: sonar, litellm_params: {model: perplexity/sonar, api_base: %[1]q, api_key: k1}}
  - {model_name: qwen, litellm_params: {model: dashscope/qwen3-max, api_base: "%[1]s/v1", api_key: k1}}
  - {model_name: told, litellm_params: {model: baseten/m, api_base: "%[1]s/v1", api_key: k1}, model_info: {supported_endpoints: [/v1/responses]}}
  - {model_name: untold, litellm_params: {model: baseten/m, api_base: "%[1]s/v1", api_key: k1}}
`, v.URL)+admin)
	f := func(model, members, path string) {
		t.Helper()
		text := completion
		if strings.HasSuffix(path, "/responses") {
			text = answer
		}
		v.Script(upstreamtest.JSON(200, text))
		r := s.Post("/v1/responses", `{"model":"`+model+`","input":"x"`+members+`}`)
		if got := v.Last(); r.Status != 200 || !strings.Contains(r.Body, "Hi.") || got.Path != path {
			t.Errorf("%s %s: called %s: %d %s", model, members, got.Path, r.Status, r.Body)
		}
	}
	const unkept = `,"store":false`
	f("groq", "", "/v1/chat/completions")
	f("groq", unkept, "/v1/responses")
	f("gpt", unkept, "/serving-endpoints/responses")
	f("gpt", "", "/serving-endpoints/chat/completions")
	f("llama", unkept, "/serving-endpoints/chat/completions")
	f("agent", "", "/v1/responses")
	f("sonar", "", "/chat/completions")
	f("qwen", "", "/v1/responses")
	f("told", "", "/v1/responses")
	f("untold", "", "/v1/chat/completions")
}
