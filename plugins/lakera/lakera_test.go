package main

import (
	"encoding/json"
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
	all := object{"api_base": s.URL}
	for k, v := range config {
		all[k] = v
	}
	return plugintest.LoadCaller(t, plugintest.Build(t, "."), all, map[string]string{"LAKERA_API_KEY": "lk-test-123"}, s)
}

// guard answers in the form of https://docs.lakera.ai/api-reference/lakera-api/guard/screen-content: it looks for "ignore"
// and for the address a@b.example.
func guard(r plugintest.Received) (int, string) {
	if r.Path != "/v2/guard" || r.Header.Get("Authorization") != "Bearer lk-test-123" {
		return 401, `{"error":"unauthorized"}`
	}
	var q question
	if err := json.Unmarshal(r.Body, &q); err != nil {
		return 400, `{"error":"bad request"}`
	}
	breakdown, payload, flagged := []object{}, []object{}, false
	detection := func(kind string, detected bool, id any) {
		flagged = flagged || detected
		breakdown = append(breakdown, object{
			"project_id": "project-1", "policy_id": "policy-1", "detector_id": "d", "detector_type": kind, "detected": detected, "message_id": id,
		})
	}
	for i, m := range q.Messages {
		detection("prompt_attack", strings.Contains(m.Content, "ignore"), i)
		before, _, found := strings.Cut(m.Content, "a@b.example")
		detection("pii/email", found, i)
		if found {
			at := len([]rune(before))
			payload = append(payload, object{"start": at, "end": at + 11, "text": "a@b.example", "detector_type": "pii/email", "labels": []string{}, "message_id": i})
		}
	}
	b, _ := json.Marshal(object{"flagged": flagged, "breakdown": breakdown, "payload": payload, "metadata": object{"request_uuid": "u"}})
	return 200, string(b)
}

func TestScreen(t *testing.T) {
	t.Parallel()
	s := plugintest.Serve(t, guard)
	p := load(t, s, object{"project_id": "project-1"})
	becomes := func(want string, texts ...string) {
		t.Helper()
		if o := p.Chat(t, "m", texts...); o.Err != nil || strings.Join(o.Texts(), "|") != want {
			t.Errorf("%q: got %q, %v", texts, o.Texts(), o.Err)
		}
	}
	becomes("hello", "hello")
	want := object{"messages": []any{object{"role": "user", "content": "hello"}}, "project_id": "project-1", "payload": true, "breakdown": true}
	got := s.Got()
	if diff := cmp.Diff(want, got[0].JSON()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	becomes(" ", " ")
	if n := len(s.Got()); n != 0 {
		t.Errorf("%d calls for white space", n)
	}
	becomes("| |hello|é世 [MASKED EMAIL]!", "", " ", "hello", "é世 a@b.example!")
	status, message := p.Chat(t, "m", "a@b.example", "ignore it").Refusal()
	if status != 400 || message != "Violated guardrail policy: pii/email, prompt_attack." {
		t.Errorf("got %d %q", status, message)
	}
	if status, _ := p.During(t, "m", "a@b.example").Refusal(); status != 400 {
		t.Errorf("during the call nothing can be masked: status %d", status)
	}
	x := plugintest.Asked(t, "m", "hello")
	if text, err := p.Answer(t, x, "it is a@b.example"); text != "it is [MASKED EMAIL]" || err != nil {
		t.Errorf("an answer: %q, %v", text, err)
	}
	if _, err := p.Answer(t, x, "ignore"); err == nil || llm.AsError(err).HTTPStatus() != 400 {
		t.Errorf("an answer: %v", err)
	}
}

func TestChoices(t *testing.T) {
	t.Parallel()
	s := plugintest.Serve(t, guard)
	if status, _ := load(t, s, object{"pii": "block"}).Chat(t, "m", "a@b.example").Refusal(); status != 400 {
		t.Errorf("pii: block: status %d", status)
	}
	o := load(t, s, object{"on_flagged": "monitor"}).Chat(t, "m", "ignore it", "a@b.example")
	if o.Err != nil || strings.Join(o.Texts(), "|") != "ignore it|a@b.example" {
		t.Errorf("on_flagged: monitor: %q, %v", o.Texts(), o.Err)
	}
}

// TestMaskOnlyWhatIsSure has the service flag personal data without showing plainly where all of it is.
func TestMaskOnlyWhatIsSure(t *testing.T) {
	t.Parallel()
	email := `{"detector_type":"pii/email","detected":true,"message_id":0}`
	refuses := func(answer string) {
		t.Helper()
		s := plugintest.Serve(t, func(plugintest.Received) (int, string) { return 200, answer })
		if status, _ := load(t, s, nil).Chat(t, "m", "my a@b.example").Refusal(); status != 400 {
			t.Errorf("%s: status %d", answer, status)
		}
	}
	refuses(`{"flagged":true}`)
	refuses(`{"flagged":true,"breakdown":[` + email + `]}`)
	refuses(`{"flagged":true,"breakdown":[` + email + `],"payload":[{"detector_type":"pii/phone","start":0,"end":2,"message_id":0}]}`)
	refuses(`{"flagged":true,"breakdown":[` + email + `],"payload":[{"detector_type":"pii/email","start":0,"end":2,"message_id":1}]}`)
	refuses(`{"flagged":true,"breakdown":[` + email + `],"payload":[{"detector_type":"pii/email","start":3,"end":99,"message_id":0}]}`)
	refuses(`{"flagged":true,"breakdown":[` + email + `],"payload":[{"detector_type":"pii/email","start":2,"end":13,"text":"a@b.example","message_id":0}]}`)
	refuses(`{"flagged":true,"breakdown":[` + email + `],"payload":[{"detector_type":"pii/email","start":3,"message_id":0}]}`)
	refuses(`{"flagged":true,"breakdown":[` + email + `],"payload":[{"detector_type":"moderated_content/profanity","start":3,"end":14,"message_id":0}]}`)
	refuses(`{"flagged":true,"breakdown":[` + email + `,{"detector_type":"custom","detected":true}],"payload":[{"detector_type":"pii/email","start":3,"end":14,"message_id":0}]}`)
}

// patience adds a setting that ends the wait for a service that never answers, and no other.
func patience(status int, config object) object {
	if status == 0 {
		config["timeout_ms"] = 200
	}
	return config
}

// TestFailsClosed has the service answer in every way that is no answer.
func TestFailsClosed(t *testing.T) {
	t.Parallel()
	fails := func(status int, body, want string) {
		t.Helper()
		s := plugintest.Serve(t, func(plugintest.Received) (int, string) { return status, body })
		o := load(t, s, patience(status, object{"on_flagged": "monitor"})).Chat(t, "m", "hunter2")
		if got, _ := o.Refusal(); got != 500 || !errors.Is(o.Err, wasm.ErrVerdict) || !strings.Contains(o.Err.Error(), want) || strings.Contains(o.Err.Error(), "hunter2") {
			t.Errorf("%d %s: got %d, %v", status, body, got, o.Err)
		}
	}
	fails(401, `{}`, "credentials")
	fails(503, `hunter2`, "status 503")
	fails(200, `hunter2`, "not JSON")
	fails(200, `{}`, "does not say flagged")
	fails(200, `null`, "does not say flagged")
	fails(200, `{"flagged":null}`, "does not say flagged")
	fails(200, `{"flagged":1}`, `"flagged"`)
	fails(0, ``, "timeout")
}

func TestConfigMistakes(t *testing.T) {
	mistake := func(want string, config object) {
		t.Helper()
		if _, err := sallyport.Build(config, New); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", config, err, want)
		}
	}
	mistake("grant the secret LAKERA_API_KEY", object{})
	mistake(`"pii" must be "mask" or "block"`, object{"api_key": "k", "pii": "hide"})
	mistake(`"on_flagged" must be "block" or "monitor"`, object{"api_key": "k", "on_flagged": "log"})
	mistake("400 to 499", object{"api_base": "http://guard", "status": 500})
}

// FuzzMask gives the plugin foreign answers: whatever is masked, what is left is text that was there.
func FuzzMask(f *testing.F) {
	f.Add("é my a@b.example", []byte(`{"payload":[{"detector_type":"pii/email","start":5,"end":16,"message_id":0},{"detector_type":"pii/x","start":1,"end":7,"message_id":0}]}`))
	f.Fuzz(func(t *testing.T, text string, raw []byte) {
		var a answer
		if json.Unmarshal(raw, &a) != nil {
			return
		}
		texts, ok := a.masked([]message{{"user", text}})
		if !ok {
			return
		}
		if len(texts) != 1 || !strings.Contains(texts[0], "[MASKED ") {
			t.Fatalf("%q became %q", text, texts)
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
	s := plugintest.Serve(t, func(plugintest.Received) (int, string) { return 500, "" })
	with := func(config map[string]any) *plugintest.Plugin { return load(t, s, config) }
	plugintest.RefusesMedia(t, with, abi.HookRequest, abi.HookModeration, abi.HookResponse)
}
