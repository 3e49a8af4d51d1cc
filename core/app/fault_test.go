package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// wireError is the envelope as clients of the reference read it.
type wireError struct {
	Error struct {
		Message string
		Type    *string
		Param   *string
		Code    string
	}
}

func readError(t *testing.T, body string) wireError {
	t.Helper()
	var e wireError
	if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error.Message == "" {
		t.Fatalf("%s is not the error envelope (%v)", body, err)
	}
	return e
}

// Every class of failure of a vendor, with one attempt.
func TestVendorErrors(t *testing.T) {
	t.Parallel()
	f := func(name string, a ut.Answer, status int, prefix string) {
		t.Helper()
		v := ut.New(t, a)
		s := apptest.Start(t, one(v, "num_retries: 0"))
		for _, more := range []string{"", `,"stream":true`} {
			r := s.Post(chat, ask(more))
			e := readError(t, r.Body)
			if r.Status != status || e.Error.Code != fmt.Sprint(status) || !strings.HasPrefix(e.Error.Message, prefix) {
				t.Fatalf("%s%s: %d %s, want %d %q", name, more, r.Status, r.Body, status, prefix)
			}
			if strings.Contains(r.Body, "sk-upstream") {
				t.Fatalf("%s: the vendor's key leaked: %s", name, r.Body)
			}
			if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("x-litellm-call-id") == "" {
				t.Fatalf("%s: headers %v", name, r.Header)
			}
		}
	}
	f("401", ut.InvalidAPIKey(), 401, "litellm.AuthenticationError: ")
	f("404", ut.ModelNotFound("x"), 404, "litellm.NotFoundError: ")
	f("429", ut.RateLimited("7"), 429, "litellm.RateLimitError: ")
	f("quota", ut.InsufficientQuota(), 429, "litellm.RateLimitError: ")
	f("context", ut.ContextLengthExceeded(), 400, "litellm.ContextWindowExceededError: ")
	f("content", ut.ContentPolicyViolation(), 400, "litellm.")
	f("500", ut.ServerError(), 500, "litellm.InternalServerError: ")
	f("503", ut.Overloaded(), 503, "litellm.ServiceUnavailableError: ")
	f("drop", ut.Drop(), 500, "litellm.")
	f("reset", ut.Reset(), 500, "litellm.")
	f("cut body", ut.CutBody(500, `{"id":`), 500, "litellm.")
	f("error in 200", ut.ErrorInOK(), 500, "litellm.")
	f("not json", ut.Whole(200, "text/html", "<html>hello</html>"), 502, "")
	f("garbage", ut.Garbage(), 502, "")
}

func TestVendorRefusesConnections(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: openai/x, api_key: sk-upstream, num_retries: 0, api_base: "http://%s/v1"}}
general_settings: {master_key: sk-1234}
`, ut.ClosedPort(t)))
	r := s.Post(chat, ask(""))
	if e := readError(t, r.Body); r.Status != 500 || !strings.Contains(e.Error.Message, "onnection") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

func TestVendorTimesOut(t *testing.T) {
	t.Parallel()
	f := func(more string, setting ...string) {
		t.Helper()
		v := ut.New(t, ut.Hang())
		s := apptest.Start(t, one(v, append(setting, "num_retries: 0")...))
		r := s.Post(chat, ask(more))
		if e := readError(t, r.Body); r.Status != 408 || !strings.HasPrefix(e.Error.Message, "litellm.Timeout: ") {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	f("", "timeout: 0.05")
	f(`,"timeout":0.05`)
	f(`,"stream":true`, "stream_timeout: 0.05")
	f(`,"stream":true,"stream_timeout":0.05`)
}

// A stream that breaks off in the middle ends with an error event: no hang, no [DONE] that would say all is well.
func TestStreamBreaksOff(t *testing.T) {
	t.Parallel()
	f := func(name string, a ut.Answer) {
		t.Helper()
		s := apptest.Start(t, one(ut.New(t, a), "num_retries: 0"))
		r := s.Post(chat, ask(`,"stream":true`))
		events := apptest.Events(r.Body)
		if r.Status != 200 || len(events) != 2 || !strings.Contains(events[0], `"one"`) {
			t.Fatalf("%s: %d %s", name, r.Status, r.Body)
		}
		readError(t, events[1])
		if r.Err != nil {
			t.Fatalf("%s: the error event came in a broken response: %v", name, r.Err)
		}
	}
	one := ut.ContentChunk("x", "one")
	f("cut in a chunk", ut.CutStream(one))
	f("no last chunk", ut.EndlessStream(one))
	f("error event", ut.ErrorInStream(one))
	f("not json", ut.SSE(one, "{half"))
}

// A caller who leaves cancels the call to the vendor at once, whatever stage it is at.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	t.Run("while the vendor thinks", func(t *testing.T) {
		t.Parallel()
		gate := ut.NewGate()
		s := apptest.Start(t, one(ut.New(t, gate.Before(ut.JSON(200, "{}")))))
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			<-gate.Reached()
			leave()
		}()
		if _, err := s.Open(ctx, "POST", chat, ask("")); err == nil {
			t.Fatal("the call succeeded")
		}
		within(t, gate.Left())
	})
	t.Run("in a stream", func(t *testing.T) {
		t.Parallel()
		stream := ut.NewStream()
		s := apptest.Start(t, one(ut.New(t, stream.Answer)))
		go func() {
			<-stream.Started()
			stream.Begin()
			stream.Send(ut.ContentChunk("x", "one"))
		}()
		ctx, leave := context.WithCancel(t.Context())
		resp, err := s.Open(ctx, "POST", chat, ask(`,"stream":true`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		leave()
		resp.Body.Close()
		within(t, stream.Left())
	})
}

// within waits for something that must come on its own. The limit only keeps a failing test from hanging.
func within(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatal("the vendor still waits: the call was not cancelled")
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	s := apptest.Start(t, strings.Replace(one(v), "sk-1234}", "sk-1234, max_request_size_mb: 1}", 1))
	f := func(body string, status int, want string) {
		t.Helper()
		r := s.Post(chat, body)
		if e := readError(t, r.Body); r.Status != status || !strings.Contains(e.Error.Message, want) {
			t.Fatalf("%.80s: %d %s, want %d %q", body, r.Status, r.Body, status, want)
		}
	}
	f(`hello`, 400, "not a JSON object")
	f(`[1]`, 400, "not a JSON object")
	f(`{"model":"m"`, 400, "ends too early")
	f(`{"model":"m","model":"n"}`, 400, "appears twice")
	f(`{"messages":[]}`, 400, "model=None")
	f(``, 400, "model=None")
	f(`{"model":"nope"}`, 400, "{'error': '/chat/completions: Invalid model name passed in model=nope. Call `/v1/models` to view available models for your key.'}")
	f(`{"model":7}`, 400, "model")
	f(`{"model":"m","stream":"yes"}`, 400, "stream")
	f(`{"model":"m","messages":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+`}`, 400, "nested deeper")
	f(`{"model":"m","x":"`+strings.Repeat("a", 2<<20)+`"}`, 400, "Request size is too large")
	if n := len(v.Requests()); n != 0 {
		t.Fatalf("the vendor was called %d times", n)
	}
}

func TestResponseSizeLimit(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("a", 700<<10)
	v := ut.New(t, ut.JSON(200, ut.Completion("x", big+big, 1, 1)), ut.SSE(ut.ChatStream("x", 1, big, big)...))
	s := apptest.Start(t, strings.Replace(one(v, "num_retries: 0"), "sk-1234}", "sk-1234, max_response_size_mb: 1}", 1))
	r := s.Post(chat, ask(""))
	if e := readError(t, r.Body); r.Status != 400 || !strings.Contains(e.Error.Message, "Response size is too large") {
		t.Fatalf("%d %.200s", r.Status, r.Body)
	}
	r = s.Post(chat, ask(`,"stream":true`))
	events := apptest.Events(r.Body)
	if e := readError(t, events[len(events)-1]); r.Status != 200 || !strings.Contains(e.Error.Message, "Response size is too large") {
		t.Fatalf("%d %.200s", r.Status, events[len(events)-1])
	}
}

func TestAuth(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	s := apptest.Start(t, one(v))
	f := func(status int, want string, header ...string) {
		t.Helper()
		r := s.Post(chat, ask(""), append([]string{"Authorization:"}, header...)...)
		if r.Status != status || !strings.Contains(r.Body, want) {
			t.Fatalf("%v: %d %s, want %d %s", header, r.Status, r.Body, status, want)
		}
	}
	f(200, "ok", "Authorization: Bearer sk-1234")
	f(200, "ok", "x-litellm-api-key: sk-1234")
	f(200, "ok", "x-litellm-api-key: Bearer sk-1234")
	f(200, "ok", "api-key: sk-1234")
	f(200, "ok", "x-api-key: sk-1234")
	f(200, "ok", "x-goog-api-key: sk-1234")
	f(200, "ok", "Ocp-Apim-Subscription-Key: sk-1234")
	f(200, "ok", "x-litellm-api-key: sk-1234", "Authorization: Bearer wrong")
	f(401, `"message":"Authentication Error, No api key passed in.","type":"auth_error","param":"None","code":"401"`)
	f(401, "LiteLLM Virtual Key expected. Received=", "Authorization: Bearer hello-world-1")
	f(400, "No connected db.", "Authorization: Bearer sk-other-key")
	f(401, "Authentication Error", "x-litellm-api-key: wrong", "Authorization: Bearer sk-1234")
}

func TestOpenGatewayWarns(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	s := apptest.Start(t, strings.Replace(one(v), "{master_key: sk-1234}", "{}", 1))
	if r := s.Post(chat, ask(""), "Authorization:"); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if !strings.Contains(s.Log.String(), "NO MASTER KEY") {
		t.Fatalf("no warning in %s", s.Log)
	}
}

func TestAllowedIPs(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	f := func(settings string, status int, header ...string) {
		t.Helper()
		s := apptest.Start(t, strings.Replace(one(v), "sk-1234}", "sk-1234, "+settings+"}", 1))
		if r := s.Post(chat, ask(""), header...); r.Status != status {
			t.Fatalf("%s %v: %d %s, want %d", settings, header, r.Status, r.Body, status)
		}
	}
	f("allowed_ips: [1.2.3.4]", 403)
	f("allowed_ips: [127.0.0.1]", 200)
	f("allowed_ips: [1.2.3.4]", 403, "X-Forwarded-For: 1.2.3.4")
	f("allowed_ips: [1.2.3.4], use_x_forwarded_for: true", 200, "X-Forwarded-For: 1.2.3.4")
	f("allowed_ips: [1.2.3.4], use_x_forwarded_for: true", 200, "X-Forwarded-For: 9.9.9.9, 1.2.3.4")
	f("allowed_ips: [1.2.3.4], use_x_forwarded_for: true", 403, "X-Forwarded-For: 1.2.3.4, 9.9.9.9")
}

func TestRetriesAndFallbacks(t *testing.T) {
	t.Parallel()
	good := ut.JSON(200, ut.Completion("x", "ok", 1, 1))
	bad, other := ut.New(t, ut.ServerError()), ut.New(t, good)
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: openai/x, api_key: sk-a, api_base: "%s/v1", num_retries: 1}}
  - {model_name: n, litellm_params: {model: openai/y, api_key: sk-b, api_base: "%s/v1"}}
router_settings:
  fallbacks: [{m: [{model: n, temperature: 0.5}]}]
  model_group_alias: {alias: m}
general_settings: {master_key: sk-1234}
`, bad.URL, other.URL))
	for _, model := range []string{"m", "alias"} {
		r := s.Post(chat, strings.Replace(ask(""), `"m"`, `"`+model+`"`, 1))
		if r.Status != 200 || r.Header.Get("x-litellm-attempted-fallbacks") != "1" || r.Header.Get("x-litellm-model-group") != "n" {
			t.Fatalf("%s: %d %s %v", model, r.Status, r.Body, r.Header)
		}
	}
	if n := len(bad.Requests()); n != 4 {
		t.Fatalf("the failing vendor was called %d times, want twice a request", n)
	}
	if b := string(other.Last().Body); !strings.Contains(b, `"temperature":0.5`) {
		t.Fatalf("the fallback's own parameter was not sent: %s", b)
	}
	bad.Script(ut.ServerError(), good)
	r := s.Post(chat, ask(`,"disable_fallbacks":true`))
	if r.Status != 200 || r.Header.Get("x-litellm-attempted-retries") != "1" {
		t.Fatalf("%d %s %v", r.Status, r.Body, r.Header)
	}
}

func TestGroupIsShared(t *testing.T) {
	t.Parallel()
	good := ut.JSON(200, ut.Completion("x", "ok", 1, 1))
	a, b := ut.New(t, good), ut.New(t, good)
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: openai/x, api_key: sk-a, api_base: "%s/v1"}}
  - {model_name: m, litellm_params: {model: openai/x, api_key: sk-a, api_base: "%s/v1"}}
general_settings: {master_key: sk-1234}
`, a.URL, b.URL))
	for range 60 {
		if r := s.Post(chat, ask("")); r.Status != 200 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	if len(a.Requests()) == 0 || len(b.Requests()) == 0 {
		t.Fatalf("60 requests: %d and %d", len(a.Requests()), len(b.Requests()))
	}
}

// A failed call leaves a line that names the deployment, also when another one answered in the end.
func TestFailedCallsAreLogged(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.ServerError(), ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	s := apptest.Start(t, one(v))
	r := s.Post(chat, ask(""))
	if r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	for _, want := range []string{"a call to a model failed", "deployment=" + r.Header.Get("x-litellm-model-id"), v.URL, "status=500"} {
		if !strings.Contains(s.Log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, s.Log)
		}
	}
}
