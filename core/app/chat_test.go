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

// one is a configuration with one deployment m at the vendor. more is added below its litellm_params.
func one(v *ut.Vendor, more ...string) string {
	return fmt.Sprintf(`
model_list:
  - model_name: m
    litellm_params:
      model: openai/gpt-4o-mini
      api_base: %s/v1
      api_key: sk-upstream
%sgeneral_settings: {master_key: sk-1234}
`, v.URL, indent(more))
}

func indent(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString("      " + l + "\n")
	}
	return b.String()
}

const chat = "/v1/chat/completions"

func ask(more string) string {
	return `{"model":"m","messages":[{"role":"user","content":"hi"}]` + more + `}`
}

func TestChat(t *testing.T) {
	t.Parallel()
	body := `{"id":"c1", "x_unknown" : [1,  2], "model":"gpt-4o-mini-2024","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`
	v := ut.New(t, ut.JSON(200, body, "X-Request-Id: req_1", "Set-Cookie: a=b", "Openai-Processing-Ms: 5"))
	s := apptest.Start(t, one(v))
	r := s.Post(chat, `{"x_new": {"deep" : true},"model":"m", "messages":[{"role":"user","content":"hi"}],"metadata":{"tags":["a"]}}`)
	if r.Status != 200 {
		t.Fatalf("status %d: %s", r.Status, r.Body)
	}
	if want := strings.Replace(body, "gpt-4o-mini-2024", "m", 1); r.Body != want {
		t.Fatalf("got  %s\nwant %s", r.Body, want)
	}
	got := v.Requests()[0]
	if want := `{"x_new": {"deep" : true},"model":"gpt-4o-mini", "messages":[{"role":"user","content":"hi"}]}`; string(got.Body) != want {
		t.Fatalf("sent %s\nwant %s", got.Body, want)
	}
	if got.Path != "/v1/chat/completions" || got.Header.Get("Authorization") != "Bearer sk-upstream" {
		t.Fatalf("sent to %s with %v", got.Path, got.Header)
	}
	if strings.Contains(fmt.Sprint(got.Header), "sk-1234") {
		t.Fatal("the caller's key went to the vendor")
	}
	h := func(name, want string) {
		t.Helper()
		if got := r.Header.Get(name); got != want && (want != "*" || got == "") {
			t.Fatalf("%s: %q, want %q", name, got, want)
		}
	}
	h("Content-Type", "application/json")
	h("x-litellm-call-id", "*")
	h("x-litellm-model-id", "*")
	h("x-litellm-model-api-base", v.URL+"/v1")
	h("x-litellm-model-group", "m")
	h("x-litellm-version", "*")
	h("x-litellm-response-duration-ms", "*")
	h("x-litellm-overhead-duration-ms", "*")
	h("x-litellm-attempted-retries", "0")
	h("x-litellm-attempted-fallbacks", "0")
	h("llm_provider-x-request-id", "req_1")
	h("llm_provider-openai-processing-ms", "5")
	h("llm_provider-set-cookie", "")
	h("Set-Cookie", "")
	h("X-Request-Id", "")
}

// Chunks leave as they arrive: each is read by the caller before the vendor sends the next.
func TestStream(t *testing.T) {
	t.Parallel()
	stream := ut.NewStream()
	v := ut.New(t, stream.Answer)
	s := apptest.Start(t, one(v))
	go func() {
		<-stream.Started()
		stream.Begin()
		stream.Send(ut.ContentChunk("gpt-4o-mini", "one"))
	}()
	resp, err := s.Open(t.Context(), "POST", chat, ask(`,"stream":true`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func(want string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == "" {
				continue
			}
			if !strings.Contains(lines.Text(), want) {
				t.Fatalf("got %s, want %s", lines.Text(), want)
			}
			return
		}
		t.Fatalf("the stream ended before %s: %v", want, lines.Err())
	}
	next(`"one"`)
	stream.Send(ut.ContentChunk("gpt-4o-mini", "two"))
	next(`"two"`)
	stream.Send(ut.FinishChunk("gpt-4o-mini", "stop"))
	next(`"stop"`)
	stream.Done()
	next("data: [DONE]")
}

func TestStreamUsage(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.SSE(ut.ChatStream("gpt-4o-mini", 7, "Hel", "lo")...))
	s := apptest.Start(t, one(v))
	f := func(more string, usage bool) {
		t.Helper()
		r := s.Post(chat, ask(`,"stream":true`+more))
		events := apptest.Events(r.Body)
		if r.Status != 200 || r.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
			t.Fatalf("%d %v %s", r.Status, r.Header, r.Body)
		}
		if events[len(events)-1] != "[DONE]" || strings.Count(r.Body, "[DONE]") != 1 {
			t.Fatalf("events: %v", events)
		}
		var text string
		var sawUsage bool
		for _, e := range events[:len(events)-1] {
			var c struct {
				Model   string
				Choices []struct{ Delta struct{ Content string } }
				Usage   *struct {
					Prompt int `json:"prompt_tokens"`
				}
			}
			if err := json.Unmarshal([]byte(e), &c); err != nil {
				t.Fatalf("%s: %v", e, err)
			}
			if c.Model != "m" {
				t.Fatalf("the model of %s is not the caller's", e)
			}
			if len(c.Choices) > 0 {
				text += c.Choices[0].Delta.Content
			}
			sawUsage = sawUsage || c.Usage != nil && c.Usage.Prompt == 7
		}
		if text != "Hello" || sawUsage != usage {
			t.Fatalf("text %q, usage %v, want %v: %v", text, sawUsage, usage, events)
		}
	}
	f("", false)
	f(`,"stream_options":{"include_usage":true}`, true)
	f(`,"stream_options":{"include_usage":false,"x":1}`, false)
	for i, want := range []string{
		`"stream_options":{"include_usage":true}`, `"stream_options":{"include_usage":true}`, `"include_usage":true`,
	} {
		if b := string(v.Requests()[i].Body); !strings.Contains(b, want) {
			t.Fatalf("request %d was %s, want %s in it", i, b, want)
		}
	}
	if b := string(v.Requests()[2].Body); !strings.Contains(b, `"x":1`) {
		t.Fatalf("another stream option was lost: %s", b)
	}
}

// routes are served with and without /v1, and with the model in the path.
func TestRoutes(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	s := apptest.Start(t, one(v), apptest.Env("SERVER_ROOT_PATH=/gw"))
	n := 0
	f := func(path, body, sentTo string) {
		t.Helper()
		r := s.Post(path, body)
		if r.Status != 200 {
			t.Fatalf("%s: %d %s", path, r.Status, r.Body)
		}
		if got := v.Requests()[n].Path; got != sentTo {
			t.Fatalf("%s was sent to %s, want %s", path, got, sentTo)
		}
		n++
	}
	noModel := `{"messages":[]}`
	f("/chat/completions", ask(""), "/v1/chat/completions")
	f("/v1/chat/completions/", ask(""), "/v1/chat/completions")
	f("/gw/v1/chat/completions", ask(""), "/v1/chat/completions")
	f("/engines/m/chat/completions", noModel, "/v1/chat/completions")
	f("/openai/deployments/m/chat/completions?api-version=2024-10-21", noModel, "/v1/chat/completions")
	f("/v1/completions", `{"model":"m","prompt":"a"}`, "/v1/completions")
	f("/completions", `{"model":"m","prompt":"a"}`, "/v1/completions")
	f("/engines/m/completions", `{"prompt":"a"}`, "/v1/completions")
	f("/v1/embeddings", `{"model":"m","input":"a"}`, "/v1/embeddings")
	f("/embeddings", `{"model":"m","input":"a"}`, "/v1/embeddings")
	f("/openai/deployments/m/embeddings", `{"input":"a"}`, "/v1/embeddings")
}

func TestPathsAreCanonical(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	s := apptest.Start(t, one(v))
	f := func(path string, status int) {
		t.Helper()
		if r := s.Post(path, ask("")); r.Status != status {
			t.Fatalf("%s: %d %s, want %d", path, r.Status, r.Body, status)
		}
	}
	f("/v1//chat/completions", 400)
	f("//v1/chat/completions", 400)
	f("/v1/./chat/completions", 400)
	f("/v1/x/../chat/completions", 400)
	f("/v1/%2e%2e/chat/completions", 400)
	f("/v1/chat/completions;x", 400)
	f("/v1/chat%2fcompletions", 404)
	f("/v1/%63hat/completions", 400)
	f("/V1/chat/completions", 404)
	f("/v1/nothing", 404)
	f("/v1/models", 405)
	if n := len(v.Requests()); n != 0 {
		t.Fatalf("the vendor was called %d times", n)
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, `
model_list:
  - {model_name: m, litellm_params: {model: openai/a, api_key: sk-a}}
  - {model_name: m, litellm_params: {model: openai/b, api_key: sk-a}}
  - {model_name: org/n, litellm_params: {model: openai/c, api_key: sk-a}}
general_settings: {master_key: sk-1234}
`)
	var list struct{ Data []struct{ ID string } }
	r := s.Get("/v1/models")
	if err := json.Unmarshal([]byte(r.Body), &list); err != nil || len(list.Data) != 2 || list.Data[0].ID != "m" || list.Data[1].ID != "org/n" {
		t.Fatalf("%s (%v)", r.Body, err)
	}
	if r := s.Get("/models"); r.Status != 200 {
		t.Fatalf("/models: %d", r.Status)
	}
	for _, path := range []string{"/v1/models/m", "/models/m", "/v1/models/org/n", "/v1/models/org%2Fn"} {
		if r := s.Get(path); r.Status != 200 || !strings.Contains(r.Body, `"object":"model"`) {
			t.Fatalf("%s: %d %s", path, r.Status, r.Body)
		}
	}
	if r := s.Get("/v1/models/none"); r.Status != 404 {
		t.Fatalf("an unknown model: %d %s", r.Status, r.Body)
	}
	if r := s.Get("/v1/models", "Authorization:"); r.Status != 401 {
		t.Fatalf("no key: %d %s", r.Status, r.Body)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)), ut.InvalidAPIKey())
	s := apptest.Start(t, one(v))
	for _, path := range []string{"/health/liveliness", "/health/liveness"} {
		if r := s.Get(path, "Authorization:"); r.Status != 200 || r.Body != `"I'm alive!"` {
			t.Fatalf("%s: %d %s", path, r.Status, r.Body)
		}
	}
	if r := s.Get("/health/readiness", "Authorization:"); r.Status != 200 || !strings.Contains(r.Body, `"status":"healthy"`) {
		t.Fatalf("readiness: %d %s", r.Status, r.Body)
	}
	if r := s.Get("/health", "Authorization:"); r.Status != 401 {
		t.Fatalf("health without a key: %d", r.Status)
	}
	if r := s.Get("/health"); !strings.Contains(r.Body, `"healthy_count":1,"unhealthy_count":0`) {
		t.Fatalf("health: %s", r.Body)
	}
	if r := s.Get("/health?model=m"); !strings.Contains(r.Body, `"healthy_count":0,"unhealthy_count":1`) || strings.Contains(r.Body, "sk-upstream") {
		t.Fatalf("health of a refused key: %s", r.Body)
	}
}

func TestCallID(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	s := apptest.Start(t, one(v))
	id := "0191d7a0-1111-7222-8333-444455556666"
	if r := s.Post(chat, ask(""), "x-litellm-call-id: "+id); r.Header.Get("x-litellm-call-id") != id {
		t.Fatalf("got %q", r.Header.Get("x-litellm-call-id"))
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, "model_list: []\ngeneral_settings: {master_key: sk-1234}")
	r := s.Do("OPTIONS", chat, "", "Origin: https://app.test", "Access-Control-Request-Method: POST",
		"Access-Control-Request-Headers: authorization", "Authorization:")
	if r.Status != 200 || r.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Access-Control-Allow-Headers") != "authorization" {
		t.Fatalf("%d %v", r.Status, r.Header)
	}
	if r := s.Post(chat, ask(""), "Origin: https://app.test"); r.Status != 400 || r.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%d %v", r.Status, r.Header)
	}
}

// A request body may say more about a call than its header; here is where each wins.
func TestDefaultModels(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	s := apptest.Start(t, strings.Replace(one(v), "{master_key: sk-1234}", "{master_key: sk-1234, completion_model: m, embedding_model: m}", 1))
	for _, c := range [][2]string{{chat, `{"messages":[]}`}, {chat, ask("")}, {"/v1/embeddings", `{"model":"other","input":"a"}`}} {
		if r := s.Post(c[0], c[1]); r.Status != 200 {
			t.Fatalf("%s %s: %d %s", c[0], c[1], r.Status, r.Body)
		}
	}
	if r := s.Post(chat, `{"model":"other","messages":[]}`); r.Status != 400 {
		t.Fatalf("completion_model must not replace a model that was named: %d", r.Status)
	}
}
