// Package quickstart_test runs the quickstart as its README tells it.
package quickstart_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

func TestQuickstart(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// The plugin is built here, so that the test needs no make.
	wasm := plugintest.Build(t, filepath.Join("..", "..", "plugins", "keyword-guard"))
	s := apptest.Start(t, strings.Replace(string(b), "../../bin/plugins/keyword-guard.wasm", wasm, 1))

	r := s.Post("/v1/chat/completions", `{"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}`)
	if r.Status != 200 || !strings.Contains(r.Body, "Hello from Sallyport") || r.Header.Get("x-litellm-applied-guardrails") != "keyword-guard" {
		t.Fatalf("an answer: %d %s %v", r.Status, r.Body, r.Header)
	}
	r = s.Post("/v1/chat/completions", `{"model": "demo", "stream": true, "messages": [{"role": "user", "content": "Hello"}]}`)
	if events := apptest.Events(r.Body); r.Status != 200 || len(events) < 3 || events[len(events)-1] != "[DONE]" {
		t.Fatalf("a streamed answer: %d %s", r.Status, r.Body)
	}
	r = s.Post("/v1/chat/completions", `{"model": "demo", "messages": [{"role": "user", "content": "Tell me about project falcon"}]}`)
	if r.Status != 400 || !strings.Contains(r.Body, "secret project") {
		t.Fatalf("a request that the guardrail stops: %d %s", r.Status, r.Body)
	}
	r = s.Post("/v1/chat/completions", `{"model": "demo", "messages": []}`, "Authorization: Bearer sk-wrong")
	if r.Status < 400 {
		t.Fatalf("a wrong key: %d %s", r.Status, r.Body)
	}
}
