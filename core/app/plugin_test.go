package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// guarded is one with a guardrail. more is added below the guardrail's litellm_params.
func guarded(t *testing.T, v *ut.Vendor, more ...string) string {
	t.Helper()
	wasm := plugintest.Build(t, "../../plugins/keyword-guard")
	return one(v) + fmt.Sprintf(`
guardrails:
  - guardrail_name: words
    litellm_params:
      guardrail: %s
      mode: pre_call
%s`, wasm, indent(more))
}

func TestGuardrail(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	secret := `{"model":"m","messages":[{"role":"user","content":"about Falcon, please"}]%s}`
	f := func(s *apptest.Server, body string, status int, applied string) {
		t.Helper()
		r := s.Post(chat, body)
		if r.Status != status || r.Header.Get("x-litellm-applied-guardrails") != applied {
			t.Fatalf("%s: %d %s %v, want %d %q", body, r.Status, r.Body, r.Header, status, applied)
		}
	}
	s := apptest.Start(t, guarded(t, v, "default_on: true", "config: {words: [falcon], message: no falcons}"))
	f(s, ask(""), 200, "words")
	f(s, fmt.Sprintf(secret, ""), 400, "words")
	f(s, fmt.Sprintf(secret, `,"stream":true`), 400, "words")
	if e := readError(t, s.Post(chat, fmt.Sprintf(secret, "")).Body); e.Error.Message != "no falcons" || e.Error.Code != "400" {
		t.Fatalf("%+v", e)
	}

	s = apptest.Start(t, guarded(t, v, "config: {words: [falcon], action: mask}"))
	f(s, fmt.Sprintf(secret, ""), 200, "")
	if b := string(v.Last().Body); !strings.Contains(b, "about Falcon") {
		t.Fatalf("a guardrail that is off changed %s", b)
	}
	f(s, fmt.Sprintf(secret, `,"guardrails":["words"]`), 200, "words")
	if b := string(v.Last().Body); !strings.Contains(b, "about ***, please") || strings.Contains(b, "guardrails") {
		t.Fatalf("sent %s", b)
	}
}

func TestCustomAuth(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	wasm := plugintest.Build(t, "../../plugins/header-auth")
	f := func(mode, key string, status int) {
		t.Helper()
		cfg := strings.Replace(one(v), "{master_key: sk-1234}", fmt.Sprintf(
			"{master_key: sk-1234, custom_auth: %s, custom_auth_settings: {mode: '%s', config: {keys: [{key: sk-blue, team_id: blue, models: [m]}]}}}", wasm, mode), 1)
		s := apptest.Start(t, cfg)
		if r := s.Post(chat, ask(""), "Authorization: Bearer "+key); r.Status != status {
			t.Fatalf("mode %s, key %s: %d %s, want %d", mode, key, r.Status, r.Body, status)
		}
	}
	f("off", "sk-1234", 200)
	f("auto", "sk-1234", 200)
	f("on", "sk-1234", 401)
	f("off", "sk-blue", 400)
	f("auto", "sk-blue", 200)
	f("on", "sk-blue", 200)

	s := apptest.Start(t, strings.Replace(one(v), "{master_key: sk-1234}", fmt.Sprintf(
		"{master_key: sk-1234, custom_auth: %s, custom_auth_settings: {mode: auto}}", plugintest.Build(t, "../wasm/testdata/probe")), 1))
	for range 3 { // each breaks its instance, and none the gateway
		wantStatus(t, s.Post(chat, ask(""), "Authorization: Bearer panic"), 401, "auth_error")
		wantStatus(t, s.Post(chat, ask(""), "Authorization: Bearer sk-1234"), 200, "ok")
	}
}

// Every mistake with a plugin stops the start, with the place in the file and what to do.
func TestBadPlugins(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, "{}"))
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	f := func(path, want string) {
		t.Helper()
		for _, cfg := range []string{
			one(v) + fmt.Sprintf("\nguardrails: [{guardrail_name: g, litellm_params: {guardrail: '%s', mode: pre_call}}]", path),
			strings.Replace(one(v), "sk-1234}", fmt.Sprintf("sk-1234, custom_auth: '%s'}", path), 1),
		} {
			_, err := apptest.Try(t, cfg)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "config.yaml:") {
				t.Fatalf("%s: %v, want %q and the place", path, err, want)
			}
		}
	}
	f("nowhere.wasm", "nowhere.wasm")
	f(file("text.wasm", "hello"), "not a WebAssembly module")
	f(file("empty.wasm", "\x00asm\x01\x00\x00\x00"), "does not export sp_call")
	f(file("component.wasm", "\x00asm\x0d\x00\x01\x00"), "component")
	f("my_guard.py", "WebAssembly")
	f("my_module.my_function", "WebAssembly")
}
