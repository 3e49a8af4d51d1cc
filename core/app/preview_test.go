package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// enable_preview_features sends the client's own metadata to OpenAI.
func TestPreviewFeatures(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t, upstreamtest.JSON(200, completion))
	f := func(set string, want bool) {
		t.Helper()
		s := apptest.Start(t, fmt.Sprintf("model_list: [{model_name: m, litellm_params: {model: openai/x, api_base: %q, api_key: k}}]\n%s", v.URL, set)+admin)
		r := s.Post("/v1/chat/completions", `{"model":"m","metadata":{"a":"b"},"messages":[{"role":"user","content":"x"}]}`)
		if got := strings.Contains(string(v.Last().Body), `"metadata":{"a":"b"}`); r.Status != 200 || got != want {
			t.Errorf("%q: %d, sent %s", set, r.Status, v.Last().Body)
		}
	}
	f("litellm_settings: {enable_preview_features: true}\n", true)
	f("litellm_settings: {enable_preview_features: false}\n", false)
	f("", false)
}

// litellm_settings.api_base is where deployments of OpenAI are that name no address; their own counts more, and what the
// environment says less.
func TestDefaultAPIBase(t *testing.T) {
	t.Parallel()
	global, own := upstreamtest.New(t, upstreamtest.JSON(200, completion)), upstreamtest.New(t, upstreamtest.JSON(200, completion))
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: global, litellm_params: {model: openai/x, api_key: k}}
  - {model_name: own, litellm_params: {model: openai/x, api_key: k, api_base: "%s/v1"}}
litellm_settings: {api_base: "%s/v1"}
`, own.URL, global.URL)+admin, apptest.Env("OPENAI_BASE_URL=http://127.0.0.1:1/v1"))
	f := func(model string, called *upstreamtest.Vendor, others *upstreamtest.Vendor) {
		t.Helper()
		before, quiet := len(called.Requests()), len(others.Requests())
		r := s.Post("/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"x"}]}`)
		if r.Status != 200 || len(called.Requests()) != before+1 || len(others.Requests()) != quiet {
			t.Errorf("%s: %d %s", model, r.Status, r.Body)
		}
	}
	f("global", global, own)
	f("own", own, global)
}
