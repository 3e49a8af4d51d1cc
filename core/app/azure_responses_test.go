package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// Azure's Responses API is newer than its versions by date, and what is stored is below paths of its own.
func TestAzureResponses(t *testing.T) {
	t.Parallel()
	const answer = `{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"gpt-4o","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hi.","annotations":[]}]}],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}`
	v := upstreamtest.New(t, upstreamtest.JSON(200, completion))
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: old, litellm_params: {model: azure/dep, api_base: %[1]q, api_key: k1, api_version: "2024-10-21"}}
  - {model_name: new, litellm_params: {model: azure/dep, api_base: %[1]q, api_key: k1, api_version: "2025-04-01-preview"}}
  - {model_name: v1, litellm_params: {model: azure/dep, api_base: "%[1]s/openai/v1", api_key: k1}}
`, v.URL)+admin, apptest.Env("AZURE_API_BASE="+v.URL, "AZURE_API_KEY=k2", "AZURE_API_VERSION=2024-10-21"))
	f := func(model, answer, path string) string {
		t.Helper()
		v.Script(upstreamtest.JSON(200, answer))
		r := s.Post("/v1/responses", `{"model":"`+model+`","input":"x"}`)
		if got := v.Last(); r.Status != 200 || !strings.Contains(r.Body, "Hi.") || got.Path != path || got.Header.Get("Api-Key") != "k1" {
			t.Errorf("%s: called %s with %v: %d %s", model, got.Path, got.Header, r.Status, r.Body)
		}
		return string(v.Last().Body)
	}
	f("old", completion, "/openai/deployments/dep/chat/completions?api-version=2024-10-21")
	for model, path := range map[string]string{"new": "/openai/responses?api-version=2025-04-01-preview", "v1": "/openai/v1/responses"} {
		if got := f(model, answer, path); !strings.Contains(got, `"model":"dep"`) {
			t.Errorf("%s: sent %s", model, got)
		}
	}

	v.Script(upstreamtest.JSON(200, `{"object":"list","data":[]}`))
	r := s.Get("/v1/files?custom_llm_provider=azure")
	if got := v.Last(); r.Status != 200 || got.Path != "/openai/files?api-version=2024-10-21" || got.Header.Get("Api-Key") != "k2" {
		t.Errorf("files: called %s with %v: %d %s", got.Path, got.Header, r.Status, r.Body)
	}
	v.Script(upstreamtest.JSON(200, `{"id":"batch_1","object":"batch","status":"validating"}`))
	r = s.Get("/azure/v1/batches/batch_1")
	if got := v.Last(); r.Status != 200 || got.Path != "/openai/batches/batch_1?api-version=2024-10-21" {
		t.Errorf("batches: called %s: %d %s", got.Path, r.Status, r.Body)
	}
}
