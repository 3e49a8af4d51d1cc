package app_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// A reload changes what new requests see, and leaves the streams under way alone.
func TestReloadDropsNoStream(t *testing.T) {
	t.Parallel()
	stream := ut.NewStream()
	v := ut.New(t, stream.Answer, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	s := apptest.Start(t, one(v))
	go func() {
		<-stream.Started()
		stream.Begin()
		stream.Send(ut.ContentChunk("x", "before"))
	}()
	resp, err := s.Open(t.Context(), "POST", chat, ask(`,"stream":true`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	if !lines.Scan() || !strings.Contains(lines.Text(), "before") {
		t.Fatalf("got %s", lines.Text())
	}

	s.Write(strings.Replace(one(v), "model_name: m", "model_name: n", 1))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if r := s.Post(chat, ask("")); r.Status != 400 {
		t.Fatalf("the old model is still served: %d", r.Status)
	}
	if r := s.Post(chat, strings.Replace(ask(""), `"m"`, `"n"`, 1)); r.Status != 200 {
		t.Fatalf("the new model is not served: %d %s", r.Status, r.Body)
	}
	stream.Send(ut.ContentChunk("x", "after"))
	stream.Done()
	var rest []string
	for lines.Scan() {
		rest = append(rest, lines.Text())
	}
	if all := strings.Join(rest, "\n"); !strings.Contains(all, "after") || !strings.Contains(all, "[DONE]") {
		t.Fatalf("the stream was dropped: %s", all)
	}
}

func TestBadReloadKeepsTheOld(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	s := apptest.Start(t, one(v))
	f := func(yaml, want string) {
		t.Helper()
		s.Write(yaml)
		err := s.Reload()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "config.yaml:") {
			t.Fatalf("got %v, want %q and the place", err, want)
		}
		if r := s.Post(chat, ask("")); r.Status != 200 {
			t.Fatalf("the old configuration is gone: %d %s", r.Status, r.Body)
		}
	}
	f("model_list: [", "config.yaml")
	f("general_settings: {master_kee: sk-1}", "master_key")
	f("model_list: [{model_name: m, litellm_params: {model: opnai/gpt-4o}}]", "opnai")
	f("model_list: [{model_name: m, litellm_params: {model: openai/x, api_base: 'ftp://x'}}]", "api_base")
	f("guardrails: [{guardrail_name: g, litellm_params: {guardrail: nowhere.wasm, mode: pre_call}}]", "nowhere.wasm")
	f("general_settings: {custom_auth: my_auth.user_api_key_auth}", "wasm")
}

func TestStopEndsStreams(t *testing.T) {
	t.Parallel()
	stream := ut.NewStream()
	v := ut.New(t, stream.Answer)
	s := apptest.Start(t, one(v), apptest.Grace(1))
	go func() {
		<-stream.Started()
		stream.Begin()
		stream.Send(ut.ContentChunk("x", "one"))
	}()
	resp, err := s.Open(t.Context(), "POST", chat, ask(`,"stream":true`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := s.App.Stop(); err != nil {
		t.Fatal(err)
	}
	var last string
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if lines.Text() != "" {
			last = lines.Text()
		}
	}
	if !strings.HasPrefix(last, `data: {"error":`) {
		t.Fatalf("the stream ended with %q, want an error event", last)
	}
	within(t, stream.Left())
}

func TestPassThrough(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.Whole(418, "text/plain", "short and stout", "X-Kind: teapot", "Set-Cookie: a=b"))
	s := apptest.Start(t, fmt.Sprintf(`
general_settings:
  master_key: sk-1234
  pass_through_endpoints:
    - {path: /x, target: "%[1]s/y?fixed=1", auth: true, headers: {A: b, Authorization: "Bearer their-key"}}
    - {path: /open, target: "%[1]s/z", include_subpath: true, forward_headers: true}
`, v.URL))
	if r := s.Post("/x", "hello", "Authorization:"); r.Status != 401 {
		t.Fatalf("without a key: %d %s", r.Status, r.Body)
	}
	r := s.Post("/x", "hello", "X-Custom: c")
	if r.Status != 418 || r.Body != "short and stout" || r.Header.Get("X-Kind") != "teapot" || r.Header.Get("Set-Cookie") != "" {
		t.Fatalf("%d %s %v", r.Status, r.Body, r.Header)
	}
	got := v.Last()
	if got.Path != "/y?fixed=1" || string(got.Body) != "hello" || got.Header.Get("A") != "b" ||
		got.Header.Get("Authorization") != "Bearer their-key" || got.Header.Get("X-Custom") != "" {
		t.Fatalf("sent %s %s %v", got.Path, got.Body, got.Header)
	}
	if r := s.Post("/x/sub", "hello"); r.Status != 404 {
		t.Fatalf("a subpath of an endpoint without them: %d", r.Status)
	}
	r = s.Do("PUT", "/open/a/b?q=1", "hello", "X-Custom: c")
	got = v.Last()
	if r.Status != 418 || got.Method != "PUT" || got.Path != "/z/a/b?q=1" || got.Header.Get("X-Custom") != "c" || got.Header.Get("Authorization") != "" {
		t.Fatalf("%d: sent %s %s %v", r.Status, got.Method, got.Path, got.Header)
	}
	if !strings.Contains(s.Log.String(), "open to everybody") {
		t.Fatal("no warning about the open endpoint")
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 3, 2)))
	s := apptest.Start(t, "litellm_settings: {json_logs: true}\n"+one(v))
	s.Post(chat, `{"model":"m","messages":[{"role":"user","content":"a very private prompt"}]}`)
	s.Post(chat, `{"model":"nope"}`)
	s.Post(chat, ask(""), "Authorization: Bearer sk-some-secret-key-1234")
	var requests int
	for _, line := range strings.Split(strings.TrimSpace(s.Log.String()), "\n") {
		var l struct{ Message, Level, Timestamp string }
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Message == "" || l.Level == "" || l.Timestamp == "" {
			t.Fatalf("%s (%v)", line, err)
		}
		if l.Message == "request" {
			requests++
		}
	}
	if requests != 3 {
		t.Fatalf("%d request lines, want one a request:\n%s", requests, s.Log)
	}
	for _, secret := range []string{"private prompt", "sk-1234", "sk-upstream", "sk-some-secret"} {
		if strings.Contains(s.Log.String(), secret) {
			t.Fatalf("%q is in the log:\n%s", secret, s.Log)
		}
	}
}

func TestPrintStandardLoggingPayload(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 10, 2)))
	s := apptest.Start(t, one(v, "input_cost_per_token: 0.001", "output_cost_per_token: 0.01"),
		apptest.Env("LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD=true"))
	s.Post(chat, `{"model":"m","messages":[{"role":"user","content":"private"}],"metadata":{"tags":["t"]}}`)
	if err := s.App.Stop(); err != nil {
		t.Fatal(err)
	}
	var p struct {
		ID, Model string
		Cost      float64 `json:"response_cost"`
		Total     int     `json:"total_tokens"`
		Metadata  map[string]any
	}
	if err := json.Unmarshal([]byte(s.Out.String()), &p); err != nil {
		t.Fatalf("%q: %v", s.Out, err)
	}
	if p.ID == "" || p.Model == "" || p.Total != 12 || p.Cost < 0.0299 || p.Cost > 0.0301 || p.Metadata == nil || strings.Contains(s.Out.String(), "private") {
		t.Fatalf("got %s", s.Out)
	}
}
