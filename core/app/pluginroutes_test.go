package app_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// An administrator sees what plugins do and loads them again; a version that does not load leaves the old one running.
func TestPluginRoutes(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	file := filepath.Join(t.TempDir(), "words.wasm")
	put := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(path string) []byte {
		t.Helper()
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	put(read(plugintest.Build(t, "../../plugins/keyword-guard")))
	s := apptest.Start(t, one(v)+fmt.Sprintf("\nguardrails: [{guardrail_name: words, litellm_params: {guardrail: '%s', mode: pre_call, default_on: true, config: {words: [falcon]}}}]\n", file))
	plugins := func(r *apptest.Response) map[string]any {
		t.Helper()
		var list struct{ Plugins []map[string]any }
		if err := json.Unmarshal([]byte(r.Body), &list); err != nil || r.Status != 200 || len(list.Plugins) != 1 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		return list.Plugins[0]
	}
	f := func(status int) {
		t.Helper()
		if r := s.Post(chat, says("a falcon", "")); r.Status != status {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	f(400)
	before := plugins(s.Get("/plugins"))
	wantMembers(t, before, "name", "words", "file", file, "state", "running", "hooks", []any{"request", "stream_chunk"}, "calls", 1, "failures", 0, "instances", 1, "use", "guardrail words, pre_call")
	put([]byte("not a module"))
	wantStatus(t, s.Post("/plugins/reload", ""), 400, "not a WebAssembly module")
	f(400)
	put(append(read(plugintest.Build(t, "../../plugins/keyword-guard")), 0, 2, 1, 'x')) // another custom section
	after := plugins(s.Post("/plugins/reload", ""))
	if after["sha256"] == before["sha256"] {
		t.Error("the new version does not run")
	}
	f(400)
	if n := plugins(s.Get("/plugins"))["calls"]; fmt.Sprint(n) != "3" {
		t.Errorf("%v calls", n)
	}
	wantStatus(t, s.Get("/plugins", "Authorization:"), 401, "")
	wantStatus(t, s.Get("/plugins/reload"), 405, "")
}
