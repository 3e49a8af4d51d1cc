package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

// A vendor that tells no usage is charged by a count of tokens: 9 of the prompt, and those of the answer.
func TestUsageIsCounted(t *testing.T) {
	t.Parallel()
	v := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") == "text/event-stream" || r.URL.Query().Has("stream") || r.Header.Get("X-Stream") != "" {
			w.Header().Set("Content-Type", "text/event-stream")
			for _, word := range []string{"hello", " world"} {
				fmt.Fprintf(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":{"content":%q}}]}`+"\n\n", word)
			}
			fmt.Fprint(w, "data: [DONE]\n\n")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"c","object":"chat.completion","created":1,"model":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hello world"},"finish_reason":"stop"}]}`)
	}))
	t.Cleanup(v.Close)
	f := func(stream bool, prompt, completion float64) {
		t.Helper()
		extra := ""
		if stream {
			extra = ", extra_headers: {X-Stream: yes}"
		}
		s := apptest.Start(t, pricedConfig(v.URL, "openai/gpt-4o", extra, "", ""), apptest.Env("LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD=true"))
		r := s.Post("/v1/chat/completions", fmt.Sprintf(`{"model":"m","stream":%v,"messages":[{"role":"user","content":"hello world"}]}`, stream))
		if r.Status != 200 || !stream && r.Header.Get("x-litellm-response-cost") == "" {
			t.Fatalf("%d %v %s", r.Status, r.Header, r.Body)
		}
		if err := s.App.Stop(); err != nil {
			t.Fatal(err)
		}
		var p map[string]any
		if err := json.Unmarshal([]byte(s.Out.String()), &p); err != nil {
			t.Fatalf("%v: %s", err, s.Out)
		}
		if p["prompt_tokens"] != prompt || p["completion_tokens"] != completion || !closeTo(p["response_cost"].(float64), prompt*2.5e-6+completion*1e-5) {
			t.Errorf("stream %v: %v and %v tokens, cost %v", stream, p["prompt_tokens"], p["completion_tokens"], p["response_cost"])
		}
	}
	f(false, 9, 2)
	f(true, 9, 2)
}
