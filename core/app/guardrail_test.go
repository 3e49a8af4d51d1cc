package app_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// with is a configuration with guardrails that run core/wasm/testdata/guard, each given as its litellm_params.
func with(t *testing.T, v *ut.Vendor, params ...string) string {
	t.Helper()
	wasm := plugintest.Build(t, "../wasm/testdata/guard")
	cfg := one(v) + "\nguardrails:\n"
	for i, p := range params {
		cfg += fmt.Sprintf("  - {guardrail_name: g%d, litellm_params: {guardrail: %s, %s}}\n", i, wasm, p)
	}
	return cfg
}

func says(text, more string) string {
	return fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":%q}]%s}`, text, more)
}

// content joins the contents of a stream's chunks and returns the last event besides.
func content(t *testing.T, body string) (text, last string) {
	t.Helper()
	for _, e := range apptest.Events(body) {
		last = e
		var c struct {
			Choices []struct {
				Delta struct{ Content string }
			}
		}
		if e == "[DONE]" {
			continue
		}
		if err := json.Unmarshal([]byte(e), &c); err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		for _, choice := range c.Choices {
			text += choice.Delta.Content
		}
	}
	return text, last
}

// A guardrail beside the call refuses while the vendor still thinks, and the vendor's connection is closed.
func TestDuringCallRefuses(t *testing.T) {
	t.Parallel()
	gate := ut.NewGate()
	v := ut.New(t, gate.Before(ut.JSON(200, ut.Completion("x", "ok", 1, 1))))
	s := apptest.Start(t, with(t, v, "mode: during_call, default_on: true"))
	r := s.Post(chat, says("illegal", ""))
	if e := readError(t, r.Body); r.Status != 451 || e.Error.Message != "not " || *e.Error.Type != "None" || *e.Error.Param != "None" || e.Error.Code != "451" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if got := r.Header.Get("x-litellm-applied-guardrails"); got != "g0" {
		t.Fatalf("applied %q", got)
	}
	reached := false
	for range 50 { // until the call was on its way when the hook refused
		if r := s.Post(chat, says("slow illegal", "")); r.Status != 451 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		select {
		case <-gate.Reached():
			reached = true
		default:
		}
		if reached {
			break
		}
	}
	if !reached {
		t.Fatal("the call never reached the vendor, so it did not run beside the hook")
	}
	within(t, gate.Left())
	v.Script(ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	if r := s.Post(chat, says("legal", "")); r.Status != 200 || r.Header.Get("x-litellm-applied-guardrails") != "g0" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

func TestPostCallWhole(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "my secret", 1, 1)))
	s := apptest.Start(t, with(t, v, "mode: post_call, default_on: true"))
	r := s.Post(chat, says("hi", ""))
	if r.Status != 200 || !strings.Contains(r.Body, `"my ***"`) || r.Header.Get("x-litellm-applied-guardrails") != "g0" {
		t.Fatalf("%d %s %v", r.Status, r.Body, r.Header)
	}
	r = s.Post(chat, says("hi", `,"mock_response":"a secret mock"`))
	if r.Status != 200 || !strings.Contains(r.Body, `"a *** mock"`) {
		t.Fatalf("mocked: %d %s", r.Status, r.Body)
	}
	v.Script(ut.JSON(200, ut.Completion("x", "reject", 1, 1)))
	if r := s.Post(chat, says("hi", "")); r.Status != 503 || !strings.Contains(r.Body, "rejected 422 unfit") {
		t.Fatalf("refused, and rewritten by the failure hook: %d %s", r.Status, r.Body)
	}
}

func TestPostCallStream(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.SSE(ut.ChatStream("x", 1, "this is a se", "cr", "et ind", "eed")...))
	s := apptest.Start(t, with(t, v, "mode: post_call, default_on: true"))
	r := s.Post(chat, says("hi", `,"stream":true`))
	text, last := content(t, r.Body)
	if text != "this is a *** indeed" || last != "[DONE]" || r.Header.Get("x-litellm-applied-guardrails") != "g0" {
		t.Fatalf("%q, %v\n%s", text, r.Header, r.Body)
	}
	v.Script(ut.SSE(ut.ChatStream("x", 1, "a beginning of some length", " abort", " more")...))
	r = s.Post(chat, says("hi", `,"stream":true`))
	text, last = content(t, r.Body)
	if r.Status != 200 || !strings.HasPrefix(text, "a beginning") || strings.Contains(text, "abort") || !strings.HasPrefix(last, `{"error":`) {
		t.Fatalf("%d %q, last %s", r.Status, text, last)
	}
	v.Script(ut.SSE(ut.ContentChunk("x", "abort"), ut.FinishChunk("x", "stop"), ut.Done))
	if r = s.Post(chat, says("hi", `,"stream":true`)); r.Status != 503 || !strings.Contains(r.Body, "rejected 400 stopped") {
		t.Fatalf("refused before the first byte: %d %s", r.Status, r.Body)
	}

	s = apptest.Start(t, one(v)+fmt.Sprintf(`
guardrails:
  - guardrail_name: colours
    litellm_params: {guardrail: %q, mode: [pre_call, post_call], default_on: true, config: {words: [PURPLE]}}
`, plugintest.Build(t, "../../plugins/keyword-guard")))
	sent := len(v.Requests())
	wantStatus(t, s.Post(chat, says("is it PURPLE", "")), 400, "not allowed")
	if len(v.Requests()) != sent {
		t.Error("a refused prompt reached the vendor")
	}
	long := strings.Repeat("all is well and so on, ", 20)
	v.Script(ut.SSE(append(ut.ChatStream("x", 1, long, "but PUR", "PLE", " it is"), "[DONE]")...))
	r = s.Post(chat, says("hi", `,"stream":true`))
	text, last = content(t, r.Body)
	if r.Status != 200 || !strings.HasPrefix(text, "all is well") || strings.Contains(text, "PUR") || !strings.HasPrefix(last, `{"error":`) {
		t.Errorf("%d %q, last %s", r.Status, text, last)
	}
}

func TestPostCallBuffer(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.SSE(ut.ChatStream("x", 1, "a se", "cret")...))
	s := apptest.Start(t, with(t, v, "mode: post_call, default_on: true, stream: buffer"))
	r := s.Post(chat, says("hi", `,"stream":true,"stream_options":{"include_usage":true}`))
	if text, last := content(t, r.Body); text != "a ***" || last != "[DONE]" || !strings.Contains(r.Body, `"total_tokens"`) {
		t.Fatalf("%s", r.Body)
	}
	v.Script(ut.SSE(ut.ChatStream("x", 1, "rej", "ect")...))
	if r = s.Post(chat, says("hi", `,"stream":true`)); r.Status != 503 || !strings.Contains(r.Body, "rejected 422 unfit") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

// The end hook runs when the caller leaves in the middle.
func TestStreamEndHookAfterCallerLeft(t *testing.T) {
	t.Parallel()
	stream := ut.NewStream()
	v := ut.New(t, stream.Answer)
	s := apptest.Start(t, with(t, v, "mode: post_call, default_on: true, holdback: 0"), apptest.Env("LITELLM_LOG=INFO"))
	go func() {
		<-stream.Started()
		stream.Begin()
		stream.Send(ut.ContentChunk("x", "one"))
	}()
	resp, err := s.Open(t.Context(), "POST", chat, says("hi", `,"stream":true`))
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || !strings.Contains(line, "one") {
		t.Fatalf("%q %v", line, err)
	}
	_ = resp.Body.Close()
	within(t, stream.Left())
	if err := s.App.Stop(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(s.Log.String(), "end left=true"); n != 1 {
		t.Fatalf("the end hook ran %d times:\n%s", n, s.Log)
	}
}

func TestFailureHook(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.ServerError())
	s := apptest.Start(t, with(t, v, "mode: pre_call")+"\nlitellm_settings: {num_retries: 0}")
	if r := s.Post(chat, says("hi", "")); r.Status != 500 {
		t.Fatalf("a guardrail that is off: %d %s", r.Status, r.Body)
	}
	r := s.Post(chat, says("hi", `,"guardrails":["g0"]`))
	e := readError(t, r.Body)
	if r.Status != 503 || !strings.HasPrefix(e.Error.Message, "internal 500 ") || !strings.HasSuffix(e.Error.Message, " openai") || *e.Error.Type != "odd" || e.Error.Code != "503" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

// Guardrails run in the order they are written, and after the call in reverse order; modes can depend on tags.
func TestGuardrailOrderAndRecord(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "my secret", 1, 1)))
	cfg := with(t, v,
		"mode: [pre_call, post_call], default_on: true", "mode: {tags: {audit: [pre_call, during_call, post_call]}, default: during_call}, default_on: true")
	f := func(more string, want ...string) {
		t.Helper()
		s := apptest.Start(t, cfg, apptest.Env("LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD=true"))
		if r := s.Post(chat, says("hi", more)); r.Status != 200 || !strings.Contains(r.Body, "***") || r.Header.Get("x-litellm-applied-guardrails") != "g0,g1" {
			t.Fatalf("%d %s %v", r.Status, r.Body, r.Header)
		}
		if err := s.App.Stop(); err != nil {
			t.Fatal(err)
		}
		var p struct {
			Runs []struct {
				Name   string `json:"guardrail_name"`
				Mode   string `json:"guardrail_mode"`
				Status string `json:"guardrail_status"`
			} `json:"guardrail_information"`
		}
		if err := json.Unmarshal([]byte(s.Out.String()), &p); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range p.Runs {
			got = append(got, r.Name+" "+r.Mode+" "+r.Status)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%s: -want +got\n%s", more, d)
		}
	}
	f("", "g0 pre_call success", "g1 during_call success", "g0 post_call success")
	f(`,"tags":["audit"]`, "g0 pre_call success", "g1 pre_call success", "g1 during_call success", "g1 post_call success", "g0 post_call success")
}

func TestGuardrailModesAreChecked(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, "{}"))
	f := func(cfg, want string) {
		t.Helper()
		if _, err := apptest.Try(t, cfg); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "config.yaml:") {
			t.Fatalf("%v, want %q", err, want)
		}
	}
	keyword := func(mode string) string {
		return strings.Replace(guarded(t, v), "mode: pre_call", "mode: "+mode, 1)
	}
	f(keyword("during_call"), "hook moderation")
	requests := plugintest.Build(t, "../../plugins/prompt-injection")
	f(one(v)+fmt.Sprintf("\nguardrails: [{guardrail_name: g, litellm_params: {guardrail: %s, mode: [pre_call, post_call]}}]", requests),
		"hook response or stream_chunk")
	f(keyword("{tags: {}}"), "no mode is named")
	f(with(t, v, "mode: post_call, holdback: 100000"), "holdback")
}

// A header that a hook sets reaches the vendor; one that carries a credential, or is the gateway's own, cannot be set.
func TestHookHeaderReachesVendor(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	s := apptest.Start(t, with(t, v, "mode: pre_call, default_on: true"))
	if r := s.Post(chat, says("header X-Tenant blue", ""), "x-other: kept back"); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if h := v.Last().Header; h.Get("X-Tenant") != "blue" || h.Get("X-Other") != "" {
		t.Errorf("the vendor got %v", h)
	}
	for _, name := range []string{"x-api-key", "authorization", "x-litellm-tags"} {
		if r := s.Post(chat, says("header "+name+" k", "")); r.Status != 503 {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
	if r := s.Post(chat, says("nothing", "")); r.Status != 200 || v.Last().Header.Get("X-Tenant") != "" {
		t.Errorf("%d: the header of another request is sent", r.Status)
	}
}
