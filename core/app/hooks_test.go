package app_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// hooksPlugin builds the plugin that has every hook besides those of guardrails.
func hooksPlugin(t *testing.T) string { return plugintest.Build(t, "../wasm/testdata/hooks") }

// records returns the lines that the plugin printed for records, once all of them are written.
func records(t *testing.T, s *apptest.Server) (lines []string) {
	t.Helper()
	if err := s.Reload(); err != nil { // the old queues are emptied before it returns
		t.Fatal(err)
	}
	for line := range strings.Lines(s.Log.String()) {
		if _, rest, ok := strings.Cut(line, "record 01"); ok {
			lines = append(lines, strings.ReplaceAll(rest, `\"`, `"`))
		}
	}
	return lines
}

func TestCallbackPlugins(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("gpt", "Hello", 3, 2)))
	file := hooksPlugin(t)
	f := func(key, grants string, want ...string) {
		t.Helper()
		s := apptest.Start(t, one(v)+fmt.Sprintf(`
litellm_settings: {%s: ['%s']}
callback_settings: {hooks: {config: {say: true}, grants: {%s}}}
`, key, file, grants))
		s.Post(chat, ask(`,"user":"eve","metadata":{"tags":["red"]}`))
		s.Post(chat, `{"model":"nobody","messages":[]}`)
		lines := records(t, s)
		if len(lines) != len(want) {
			t.Fatalf("%s: got %q", key, lines)
		}
		for i, w := range want {
			for part := range strings.SplitSeq(w, "|") {
				if !strings.Contains(lines[i], part) {
					t.Errorf("%s: got %s\nwant %s", key, lines[i], part)
				}
			}
		}
	}
	const good, bad = "acompletion|openai|gpt-4o-mini|3 2 5|200 stop|[red]|eve", "nobody|400  |BadRequestError"
	f("callbacks", "prompts: false", good, bad)
	f("success_callback", "prompts: false", good)
	f("failure_callback", "prompts: false", bad)
	f("callbacks", "prompts: true", good+`|[{"role":"user","content":"hi"}]|"content":"Hello"`, bad)
}

// A plugin that does not take a record touches no request; the log and a counter say what was lost.
func TestCallbackLosesRecords(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("gpt", "Hello", 3, 2)))
	s := apptest.Start(t, strings.Replace(one(v), "model_name: m", "model_name: panic", 1)+fmt.Sprintf(`
litellm_settings: {callbacks: ['%s', prometheus]}
`, hooksPlugin(t)))
	if r := s.Post(chat, strings.Replace(ask(""), `"m"`, `"panic"`, 1)); r.Status != 200 {
		t.Fatalf("got %d %s", r.Status, r.Body)
	}
	records(t, s)
	if !strings.Contains(s.Log.String(), "the callback failed, its records are lost") {
		t.Errorf("logged %s", s.Log.String())
	}
	await(t, s, `sallyport_plugin_log_records_lost_total{plugin="hooks"} 1`)
}

// A streamed answer is one document in its record.
func TestCallbackStreams(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.SSE(ut.ChatStream("gpt", 3, "Hel", "lo")...))
	s := apptest.Start(t, one(v)+fmt.Sprintf(`
litellm_settings: {callbacks: ['%s']}
callback_settings: {hooks: {config: {say: true}, grants: {prompts: true}}}
`, hooksPlugin(t)))
	if r := s.Post(chat, ask(`,"stream":true`)); r.Status != 200 {
		t.Fatalf("got %d %s", r.Status, r.Body)
	}
	lines := records(t, s)
	if len(lines) != 1 || !strings.Contains(lines[0], `"message":{"content":"Hello",`) || !strings.Contains(lines[0], `"object":"chat.completion"`) {
		t.Errorf("got %q", lines)
	}
}

// A plugin among the callbacks that has the hooks of a guardrail looks at every exchange.
func TestCallbackGuards(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	wasm := plugintest.Build(t, "../../plugins/keyword-guard")
	s := apptest.Start(t, one(v)+fmt.Sprintf("\nlitellm_settings: {callbacks: '%s'}\ncallback_settings: {keyword-guard: {config: {words: [hi]}}}\n", wasm))
	if r := s.Post(chat, ask("")); r.Status != 400 {
		t.Errorf("got %d %s", r.Status, r.Body)
	}
}

// A guardrail in mode logging_only masks what sinks see, and changes nothing else.
func TestLoggingOnly(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("gpt", "the falcon flies", 3, 2)))
	guard := plugintest.Build(t, "../../plugins/keyword-guard")
	file := hooksPlugin(t)
	f := func(more, request, want, not string) {
		t.Helper()
		s := apptest.Start(t, one(v)+fmt.Sprintf(`
litellm_settings: {callbacks: ['%s']}
callback_settings: {hooks: {config: {say: true}, grants: {prompts: true}}}
guardrails:
  - guardrail_name: words
    litellm_params: {guardrail: '%s', mode: logging_only, %s}
`, file, guard, more))
		r := s.Post(chat, `{"model":"m","messages":[{"role":"user","content":"my falcon"}]`+request+`}`)
		if r.Status != 200 || !strings.Contains(r.Body, "the falcon flies") || !strings.Contains(string(v.Last().Body), "my falcon") {
			t.Fatalf("got %d %s, sent %s", r.Status, r.Body, v.Last().Body)
		}
		lines := records(t, s)
		if len(lines) != 1 || !strings.Contains(lines[0], want) || not != "" && strings.Contains(lines[0], not) {
			t.Errorf("%s: got %q, want %s", more, lines, want)
		}
	}
	f("default_on: true, config: {words: [falcon], action: mask}", "", `"content":"my ***"`, "falcon")
	f("default_on: true, config: {words: [falcon], action: mask}", "", `"content":"the *** flies"`, "falcon")
	f("default_on: true, config: {words: [falcon]}", "", "gpt-4o-mini", "falcon")
	f("config: {words: [falcon], action: mask}", "", "my falcon", "")
	f("config: {words: [falcon], action: mask}", `,"guardrails":["words"]`, `"content":"my ***"`, "falcon")
}

func TestCustomRoute(t *testing.T) {
	t.Parallel()
	a := ut.New(t, ut.JSON(200, ut.Completion("x", "from a", 1, 1)))
	b := ut.New(t, ut.JSON(200, ut.Completion("x", "from b", 1, 1)))
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: m, model_info: {id: a}, litellm_params: {model: openai/gpt, api_base: '%s/v1', api_key: k}}
  - {model_name: m, model_info: {id: b}, litellm_params: {model: openai/gpt, api_base: '%s/v1', api_key: k}}
router_settings: {custom_route: '%s', custom_route_settings: {grants: {prompts: true}}}
general_settings: {master_key: sk-1234}
`, a.URL, b.URL, hooksPlugin(t)))
	f := func(text string, status int, want string) {
		t.Helper()
		for range 5 {
			r := s.Post(chat, `{"model":"m","messages":[{"role":"user","content":"`+text+`"}]}`)
			if r.Status != status || !strings.Contains(r.Body, want) {
				t.Fatalf("%s: got %d %s, want %s", text, r.Status, r.Body, want)
			}
		}
	}
	f("only a", 200, "from a")
	f("order b a", 200, "from b")
	f("free", 200, "from ")
	f("only", 429, "No deployments available for selected model, Try again in 5 seconds. Passed model=m.")
	f("panic", 500, "Plugin custom_route failed, so no deployment was chosen.")
}

func TestPrompts(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	file := hooksPlugin(t)
	guard := plugintest.Build(t, "../../plugins/keyword-guard")
	s := apptest.Start(t, one(v)+fmt.Sprintf(`
prompts:
  - {prompt_id: hello, litellm_params: {prompt_integration: '%s', prompt_id: greet}}
  - {prompt_id: describe, litellm_params: {prompt_integration: '%s'}}
  - {prompt_id: later, litellm_params: {prompt_integration: dotprompt}}
guardrails: [{guardrail_name: g, litellm_params: {guardrail: '%s', mode: pre_call, default_on: true, config: {words: [falcon]}}}]
`, file, file, guard))
	f := func(more string, status int, want string) {
		t.Helper()
		r := s.Post(chat, ask(more))
		got := r.Body
		if status == 200 {
			got = string(v.Last().Body)
		}
		if r.Status != status || !strings.Contains(got, want) {
			t.Errorf("%s: got %d %s, want %s", more, r.Status, got, want)
		}
	}
	f("", 200, `"messages":[{"role":"user","content":"hi"}]`)
	f(`,"prompt_id":"hello","prompt_variables":{"name":"Ada"}`, 200,
		`{"model":"gpt-4o-mini","messages":[{"role":"system","content":"Greet Ada (/)."},{"role":"user","content":"hi"}],"stop":["\n"],"temperature":0.5}`)
	f(`,"prompt_id":"hello"`, 422, "The prompt greet needs the variable name.")
	f(`,"prompt_id":"hello","prompt_variables":{"name":"falcon"}`, 400, "")
	f(`,"prompt_id":"nobody"`, 400, `names no prompt of this gateway: \"nobody\" is not in the section prompts.`)
	f(`,"prompt_id":"later"`, 400, `\"later\" is not in the section prompts.`)
}

func TestCustomProvider(t *testing.T) {
	t.Parallel()
	whole := ut.JSON(200, `{"text":"Hello","stop":"stop"}`)
	stream := ut.SSE(`{"text":"Hel"}`, `{"text":"lo"}`, `{"stop":"stop"}`)
	v := ut.New(t, whole, stream, ut.JSON(429, `{"why":"slow down"}`), whole, whole)
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: mine, litellm_params: {model: my-llm/big, api_base: '%s', api_key: sk-vendor, num_retries: 0}}
  - {model_name: 'any/*', litellm_params: {model: 'my-llm/*', api_base: '%s', api_key: sk-vendor, num_retries: 0}}
  - {model_name: named, litellm_params: {model: small, custom_llm_provider: my-llm, api_base: '%s', num_retries: 0}}
litellm_settings: {custom_provider_map: [{provider: my-llm, custom_handler: '%s'}]}
general_settings: {master_key: sk-1234}
`, v.URL, v.URL, v.URL, hooksPlugin(t)))
	f := func(model, text, more string, status int, want string) *apptest.Response {
		t.Helper()
		r := s.Post(chat, `{"model":"`+model+`","messages":[{"role":"user","content":"`+text+`"}]`+more+`}`)
		if r.Status != status || !strings.Contains(r.Body, want) {
			t.Fatalf("%s: got %d %s, want %s", model, r.Status, r.Body, want)
		}
		return r
	}
	f("mine", "hi", "", 200, `"model":"mine","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]`)
	sent := v.Last()
	if sent.Path != "/generate?model=big" && sent.Path != "/generate" || string(sent.Body) != `{"prompt":"hi"}` || sent.Header.Get("X-Key") != "sk-vendor" {
		t.Errorf("sent %s %s %v", sent.Path, sent.Body, sent.Header)
	}
	r := f("mine", "hi", `,"stream":true`, 200, "data: [DONE]")
	if events := apptest.Events(r.Body); len(events) != 5 || !strings.Contains(events[1], `"delta":{"content":"Hel"}`) {
		t.Errorf("got %q", events)
	}
	f("mine", "hi", "", 429, "slow down")
	f("any/thing", "hi", "", 200, `"model":"any/thing"`)
	f("named", "hi", "", 200, `"model":"named"`)
	f("mine", "local hello", "", 200, `"content":"hello"`)
	if r := s.Post("/v1/embeddings", `{"model":"mine","input":"hi"}`); r.Status != http.StatusOK || !strings.Contains(r.Body, `"embedding":[1,0]`) {
		t.Errorf("got %d %s", r.Status, r.Body)
	}
}

// Every mistake with these plugins stops the start, with the place in the file and what to do.
func TestBadHooks(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, "{}"))
	guard, hooks := plugintest.Build(t, "../../plugins/keyword-guard"), hooksPlugin(t)
	text := filepath.Join(t.TempDir(), "text.wasm")
	if err := os.WriteFile(text, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(yaml, want string) {
		t.Helper()
		_, err := apptest.Try(t, one(v)+yaml)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "config.yaml:") {
			t.Errorf("%s: got %v, want %q and the place", yaml, err, want)
		}
	}
	yaml := func(format string, path string) string { return fmt.Sprintf("\n"+format+"\n", path) }
	lists := []string{
		"litellm_settings: {callbacks: ['%s']}", "litellm_settings: {failure_callback: '%s'}", "router_settings: {custom_route: '%s'}",
		"prompts: [{prompt_id: p, litellm_params: {prompt_integration: '%s'}}]",
		"litellm_settings: {custom_provider_map: [{provider: p, custom_handler: '%s'}]}",
	}
	for i, l := range lists {
		f(yaml(l, "nowhere.wasm"), "nowhere.wasm")
		f(yaml(l, text), "not a WebAssembly module")
		f(yaml(l, "my_module.my_instance"), "WebAssembly plugin with the ")
		if i > 0 { // callbacks may be guardrails
			f(yaml(l, guard), "hook")
		}
	}
	f(yaml("litellm_settings: {custom_provider_map: [{provider: 'a/b', custom_handler: '%s'}]}", hooks), "a provider has a name of its own")
	f(yaml("litellm_settings: {callbacks: ['%s']}\ncallback_settings: {hooks: {tick_seconds: 0.5}}", hooks), "at least 1")
	f(yaml("litellm_settings: {callbacks: ['%s']}\ncallback_settings: {keyword-guard: {tick_seconds: 5}}", guard), "no tick hook")
}
