package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

type object = map[string]any

func load(t testing.TB, s *plugintest.Service, config object) *plugintest.Plugin {
	t.Helper()
	all := object{"api_base": s.URL + path, "headers": object{"x-tenant": "blue"}}
	for k, v := range config {
		all[k] = v
	}
	return plugintest.LoadCaller(t, plugintest.Build(t, "."), all, map[string]string{"GENERIC_GUARDRAIL_API_KEY": "gk-test-123"}, s)
}

// answers starts a service that always says the same.
func answers(t testing.TB, status int, body string) *plugintest.Service {
	return plugintest.Serve(t, func(r plugintest.Received) (int, string) {
		if r.Method != "POST" || r.Path != path || r.Header.Get("X-Api-Key") != "gk-test-123" || r.Header.Get("X-Tenant") != "blue" {
			return 404, `{}`
		}
		return status, body
	})
}

const body = `{"model":"m","tools":[{"type":"function","function":{"name":"f"}}],"messages":[{"role":"system","content":"be <kind>"},` +
	`{"role":"user","content":[{"type":"text","text":"what is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}]}`

func prepared(x *llm.Exchange) {
	copy(x.ID[:], "00000000-0000-7000-8000-000000000001")
	x.Header = llm.Header{{Name: []byte("X-Litellm-Trace-Id"), Value: []byte("trace-1")}, {Name: []byte("X-App"), Value: []byte("shop")}, {Name: []byte("X-Other"), Value: []byte("no")}}
	x.Principal = &llm.Principal{KeyAlias: "alias", UserID: "u", Email: "u@b.example", TeamID: "t", TeamName: "team", OrgID: "o", EndUser: "e"}
}

func TestQuestion(t *testing.T) {
	t.Parallel()
	s := answers(t, 200, `{"action":"NONE"}`)
	p := load(t, s, object{
		"additional_provider_specific_params": object{"threshold": 0.8}, "extra_headers": []any{"x-app", "x-gone"}, "litellm_version": "1.80",
	})
	o := p.Request(t, llm.OpChat, []byte(body), prepared)
	if o.Err != nil || string(o.Exchange.Body.Raw()) != body {
		t.Fatalf("got %s, %v", o.Exchange.Body.Raw(), o.Err)
	}
	tools := []any{object{"type": "function", "function": object{"name": "f"}}}
	want := object{
		"input_type": "request", "texts": []any{"be <kind>", "what is this?"}, "images": []any{"data:image/png;base64,AA=="},
		"tools": tools, "tool_calls": nil, "model": "m", "litellm_call_id": "00000000-0000-7000-8000-000000000001", "litellm_trace_id": "trace-1", "litellm_version": "1.80",
		"structured_messages": []any{
			object{"role": "system", "content": "be <kind>"},
			object{"role": "user", "content": []any{
				object{"type": "text", "text": "what is this?"}, object{"type": "image_url", "image_url": object{"url": "data:image/png;base64,AA=="}},
			}},
		},
		"request_data": object{
			"user_api_key_alias": "alias", "user_api_key_user_id": "u", "user_api_key_user_email": "u@b.example", "user_api_key_team_id": "t",
			"user_api_key_team_alias": "team", "user_api_key_end_user_id": "e", "user_api_key_org_id": "o",
		},
		"request_headers": object{"x-app": "shop"}, "additional_provider_specific_params": object{"threshold": 0.8},
	}
	got := s.Got()
	if diff := cmp.Diff(want, got[0].JSON()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	x := plugintest.Asked(t, "m", "hi")
	if text, err := p.Answer(t, x, "hello"); text != "hello" || err != nil {
		t.Errorf("an answer: %q, %v", text, err)
	}
	q := s.Got()[0].JSON()
	if q["input_type"] != "response" || !cmp.Equal(q["texts"], []any{"hello"}) {
		t.Errorf("about an answer the service got %v", q)
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	does := func(answer, want string, status int) {
		t.Helper()
		p := load(t, answers(t, 200, answer), nil)
		o := p.Chat(t, "m", "one", "two")
		got, message := o.Refusal()
		if o.Err == nil {
			message = strings.Join(o.Texts(), "|")
		}
		if got != status || message != want {
			t.Errorf("%s: got %d %q", answer, got, message)
		}
	}
	does(`{"action":"NONE"}`, "one|two", 0)
	does(`{"action":"NONE","texts":null,"images":null,"tools":null}`, "one|two", 0)
	does(`{"action":"NONE","texts":[]}`, "one|two", 0)
	does(`{"action":"GUARDRAIL_INTERVENED","texts":["one","[x] \"\\"]}`, `one|[x] "\`, 0)
	does(`{"action":"BLOCKED","blocked_reason":"not about that"}`, "not about that", 400)
	does(`{"action":"BLOCKED"}`, "Content violates policy", 400)

	p := load(t, answers(t, 200, `{"action":"GUARDRAIL_INTERVENED","texts":["x"]}`), object{"status": 422, "message": "no"})
	if status, message := p.During(t, "m", "one").Refusal(); status != 422 || message != "no" {
		t.Errorf("during the call: %d %q", status, message)
	}
	if text, err := p.Answer(t, plugintest.Asked(t, "m", "one"), "hi"); text != "x" || err != nil {
		t.Errorf("an answer: %q, %v", text, err)
	}
}

func TestTools(t *testing.T) {
	t.Parallel()
	p := load(t, answers(t, 200, `{"action":"GUARDRAIL_INTERVENED","texts":["be kind","?"],"tools":[]}`), nil)
	o := p.Request(t, llm.OpChat, []byte(body))
	want := strings.NewReplacer(`[{"type":"function","function":{"name":"f"}}]`, `[]`, "be <kind>", "be kind", "what is this?", "?").Replace(body)
	if got := string(o.Exchange.Body.Raw()); o.Err != nil || got != want {
		t.Errorf("got %s, %v", got, o.Err)
	}
	p = load(t, answers(t, 200, `{"action":"NONE","images":["data:image/png;base64,AA=="],"tools":[ {"type":"function","function":{"name":"f"}} ]}`), nil)
	if o := p.Request(t, llm.OpChat, []byte(body)); o.Err != nil || string(o.Exchange.Body.Raw()) != body {
		t.Errorf("got %s, %v", o.Exchange.Body.Raw(), o.Err)
	}
	p = load(t, answers(t, 200, `{"action":"GUARDRAIL_INTERVENED","images":["data:image/png;base64,BB=="]}`), nil)
	if o := p.Request(t, llm.OpChat, []byte(body)); !errors.Is(o.Err, wasm.ErrVerdict) || !strings.Contains(o.Err.Error(), "changes images") {
		t.Errorf("other images: %v", o.Err)
	}
}

// patience is a setting that ends the wait for a service that never answers, and no other.
func patience(status int) object {
	if status == 0 {
		return object{"timeout_ms": 200}
	}
	return nil
}

// TestFailsClosed has the service answer in every way that is no answer.
func TestFailsClosed(t *testing.T) {
	t.Parallel()
	fails := func(status int, body, want string) {
		t.Helper()
		o := load(t, answers(t, status, body), patience(status)).Chat(t, "m", "hunter2")
		if got, _ := o.Refusal(); got != 500 || !errors.Is(o.Err, wasm.ErrVerdict) || !strings.Contains(o.Err.Error(), want) || strings.Contains(o.Err.Error(), "hunter2") {
			t.Errorf("%d %s: got %d, %v", status, body, got, o.Err)
		}
	}
	fails(401, `{}`, "credentials")
	fails(500, `hunter2`, "status 500")
	fails(200, `hunter2`, "not JSON")
	fails(200, `{}`, "none of NONE")
	fails(200, `null`, "none of NONE")
	fails(200, `{"action":"none"}`, "none of NONE")
	fails(200, `{"action":"ALLOW"}`, "none of NONE")
	fails(200, `{"action":"NONE","texts":"hunter2"}`, `"texts"`)
	fails(200, `{"action":"GUARDRAIL_INTERVENED"}`, "says nothing about")
	fails(200, `{"action":"GUARDRAIL_INTERVENED","texts":["a","b"]}`, "2 texts for 1")
	fails(0, ``, "timeout")
}

func TestConfigMistakes(t *testing.T) {
	mistake := func(want string, config object) {
		t.Helper()
		if _, err := sallyport.Build(config, New); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", config, err, want)
		}
	}
	mistake("grant the secret GENERIC_GUARDRAIL_API_BASE", object{})
	mistake(`"headers.x-a" must be text`, object{"api_base": "h", "headers": object{"x-a": 1}})
	mistake(`"headers.x-a" must be text`, object{"api_base": "h", "headers": object{"x-a": "b\nc"}})
	mistake("line break", object{"api_base": "h", "api_key": "b\nc"})
	mistake("400 to 499", object{"api_base": "h", "status": 500})
}

// FuzzImages gives the reader of messages foreign bytes.
func FuzzImages(f *testing.F) {
	f.Add([]byte(`[{"content":[{"image_url":{"url":"u"}},{"image_url":"v"},{"text":"w"}]},{"content":"x"}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, url := range images(b) {
			if url == "" {
				t.Fatal("an empty URL")
			}
		}
	})
}

func TestExample(t *testing.T) {
	t.Parallel()
	plugintest.LoadExample(t, plugintest.Build(t, "."), "README.md")
}

// What is no text cannot be looked at, and is refused if the operator says so.
func TestRefusesMedia(t *testing.T) {
	t.Parallel()
	s := plugintest.Serve(t, func(plugintest.Received) (int, string) { return 200, `{"action":"NONE"}` })
	with := func(config map[string]any) *plugintest.Plugin { return load(t, s, config) }
	plugintest.RefusesMedia(t, with, abi.HookRequest, abi.HookModeration, abi.HookResponse)
}
