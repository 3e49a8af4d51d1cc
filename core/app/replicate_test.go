package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// A stream of Replicate is at an address that the prediction names; a prediction that does not stream is looked at.
func TestReplicateStreams(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t, upstreamtest.JSON(200, `{}`))
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: replicate/owner/name, api_base: "%s/v1", api_key: k}}
`, v.URL)+admin)
	prediction := func(status, urls string) upstreamtest.Answer {
		return upstreamtest.JSON(201, `{"id":"p","status":"`+status+`","output":["Hi ","there"],"error":null,"urls":{"get":"`+v.URL+`/v1/predictions/p"`+urls+`}}`)
	}
	const body = `{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}`
	v.Script(prediction("starting", `,"stream":"`+v.URL+`/stream/p?x=1"`), upstreamtest.SSERaw("event: output\ndata: Hi\n\n", "event: output\ndata:  you\n\n", "event: done\ndata: {}\n\n"))
	r := s.Post("/v1/chat/completions", body)
	if got := v.Last(); got.Method != "GET" || got.Path != "/stream/p?x=1" || got.Header.Get("Authorization") != "Bearer k" || len(got.Body) > 0 ||
		!strings.Contains(r.Body, `"content":"Hi"`) || !strings.Contains(r.Body, `"content":" you"`) || !strings.Contains(r.Body, "[DONE]") {
		t.Errorf("%s %s %v: %d %s", got.Method, got.Path, got.Header, r.Status, r.Body)
	}

	v.Script(prediction("starting", ""), prediction("processing", ""), prediction("succeeded", ""))
	r = s.Post("/v1/chat/completions", body)
	if got := v.Last(); got.Path != "/v1/predictions/p" || !strings.Contains(r.Body, `"content":"Hi there"`) {
		t.Errorf("%s: %d %s", got.Path, r.Status, r.Body)
	}

	v.Script(prediction("starting", `,"stream":"http://evil.example/p"`))
	if r = s.Post("/v1/chat/completions", body); r.Status != 502 || !strings.Contains(r.Body, "not Replicate's") {
		t.Errorf("another's address: %d %s", r.Status, r.Body)
	}
}
