package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// The texts of every kind of request are shown to guardrails, and what these change is what the vendor gets.
func TestTextsOfEveryPath(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"id":"x","object":"list","model":"m","data":[],"results":[],"created":1}`))
	yaml := "model_list:\n"
	for _, m := range []string{"openai/gpt-image-1", "openai/tts-1", "openai/whisper-1", "openai/text-embedding-3-small", "openai/omni-moderation-latest", "openai/sora-2", "jina_ai/reranker"} {
		_, name, _ := strings.Cut(m, "/")
		yaml += fmt.Sprintf("  - {model_name: %s, litellm_params: {model: %s, api_base: %s/v1, api_key: k}}\n", name, m, v.URL)
	}
	yaml += fmt.Sprintf("guardrails:\n  - {guardrail_name: w, litellm_params: {guardrail: %s, mode: pre_call, default_on: true, limits: {cpu_ms: 5000, wall_ms: 30000}}}\n",
		plugintest.Build(t, "../wasm/testdata/witness"))
	s := apptest.Start(t, yaml+admin, apptest.Env("LITELLM_LOG=INFO"))
	seen := 0
	f := func(path, body string, want ...string) {
		t.Helper()
		kind := "Content-Type: application/json"
		if strings.HasPrefix(body, "--B") {
			kind = "Content-Type: multipart/form-data; boundary=B"
		}
		before := len(v.Requests())
		r := s.Post(path, body, kind)
		all := sightings(s.Log.String())
		got := slices.DeleteFunc(slices.Clone(all[seen:]), func(line string) bool { return strings.HasPrefix(line, "media ") })
		seen = len(all)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d %s: seen %q", path, r.Status, r.Body, got)
		}
		if sent := v.Requests()[before:]; len(sent) == 0 || strings.Contains(string(sent[0].Body), "plum") || !strings.Contains(string(sent[0].Body), "pear") {
			t.Errorf("%s: %d %s: the vendor got %v", path, r.Status, r.Body, sent)
		}
	}
	form := func(fields ...string) string {
		b := ""
		for _, field := range fields {
			name, value, _ := strings.Cut(field, "=")
			b += "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
		}
		return b + "--B\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"f\"\r\nContent-Type: application/octet-stream\r\n\r\nxyz\r\n--B--\r\n"
	}
	f("/v1/embeddings", `{"model":"text-embedding-3-small","input":["a plum","b plum"]}`, "text ||a plum", "text ||b plum")
	f("/v1/moderations", `{"model":"omni-moderation-latest","input":"a plum"}`, "text ||a plum")
	f("/v1/moderations", `{"model":"omni-moderation-latest","input":[{"type":"text","text":"a plum"}]}`, "text ||a plum")
	f("/v1/rerank", `{"model":"reranker","query":"q plum","documents":["a plum",{"text":"b plum"}]}`, "text ||q plum", "text ||a plum", "text ||b plum")
	f("/v1/images/generations", `{"model":"gpt-image-1","prompt":"a plum"}`, "text ||a plum")
	f("/v1/images/edits", fmt.Sprintf(form("model=gpt-image-1", "prompt=a plum"), "image"), "text ||a plum")
	f("/v1/audio/speech", `{"model":"tts-1","input":"a plum","voice":"alloy","instructions":"as a plum"}`, "text ||a plum", "text ||as a plum")
	f("/v1/audio/transcriptions", fmt.Sprintf(form("model=whisper-1", "prompt=a plum"), "file"), "text ||a plum")
	f("/v1/videos", `{"model":"sora-2","prompt":"a plum"}`, "text ||sora-2", "text ||a plum") // forwarded as it is: every string
}
