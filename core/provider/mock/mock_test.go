package mock_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/mock"
)

// vendor is a provider that counts its calls.
type vendor struct{ encoded, decoded int }

func (v *vendor) Bind(*llm.Deployment) (provider.Endpoint, error) { return v, nil }

func (v *vendor) Encode(_ *llm.Exchange, c *llm.Call) error {
	v.encoded++
	c.Method = "POST"
	return nil
}

func (v *vendor) Decode(*llm.Exchange, *llm.Answer, *llm.Reply) error {
	v.decoded++
	return nil
}

func request(t *testing.T, op llm.Operation, body string) *llm.Exchange {
	t.Helper()
	x := new(llm.Exchange)
	x.Reset()
	x.Op = op
	if err := x.Body.Parse([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := openai.Decode(x); err != nil {
		t.Fatal(err)
	}
	return x
}

// ask makes the whole way of a call, and returns all parts of the reply.
func ask(t *testing.T, v *vendor, d *llm.Deployment, x *llm.Exchange) (parts []string, err error) {
	t.Helper()
	e, err := mock.New(v).Bind(d)
	if err != nil {
		t.Fatal(err)
	}
	var c llm.Call
	var a llm.Answer
	var r llm.Reply
	if err := e.Encode(x, &c); err != nil {
		return nil, err
	}
	if c.Local == nil {
		t.Fatal("the call is not local")
	}
	if err := c.Local(t.Context(), &a); err != nil {
		return nil, err
	}
	if err := e.Decode(x, &a, &r); err != nil {
		return nil, err
	}
	if r.Deployment != d || r.Streamed != (x.Streamed && x.Op.Streams()) {
		t.Errorf("deployment %v, streamed %v", r.Deployment, r.Streamed)
	}
	for p := r.First; err == nil; err = r.Rest.Next(&p) {
		if !r.Verbatim && !json.Valid(p.Data) {
			t.Errorf("not JSON: %s", p.Data)
		}
		parts = append(parts, string(p.Data))
	}
	if err := r.Rest.Close(); err != nil {
		t.Error(err)
	}
	if v.encoded+v.decoded > 0 {
		t.Error("the request reached the vendor")
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return parts, err
}

func TestText(t *testing.T) {
	t.Parallel()
	f := func(op llm.Operation, deployment, body string, parts int, want ...string) {
		t.Helper()
		got, err := ask(t, &vendor{}, &llm.Deployment{Provider: "openai", Mock: deployment}, request(t, op, body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			return
		}
		if len(got) != parts {
			t.Errorf("%s: %d parts, want %d: %s", body, len(got), parts, got)
		}
		for _, w := range want {
			if !strings.Contains(strings.Join(got, "\n"), w) {
				t.Errorf("%s: %s lacks %s", body, got, w)
			}
		}
	}
	f(llm.OpChat, "", `{"model":"m","mock_response":"Hi there"}`, 1, `"content":"Hi there"`, `"model":"m"`, `"finish_reason":"stop"`, `"usage":{`)
	f(llm.OpChat, "from the deployment", `{"model":"m"}`, 1, `"content":"from the deployment"`)
	f(llm.OpChat, "from the deployment", `{"model":"m","mock_response":"mine"}`, 1, `"content":"mine"`)
	f(llm.OpChat, "", `{"model":"m","mock_response":"Hi there","stream":true}`, 4, `"content":"Hi"`, `"content":" there"`, `chat.completion.chunk`)
	f(llm.OpChat, "", `{"model":"m","mock_response":"Hi","stream":true,"stream_options":{"include_usage":true}}`, 4, `"usage":{"prompt_tokens"`)
	f(llm.OpCompletion, "", `{"model":"m","prompt":"p","mock_response":"Hi"}`, 1, `"text":"Hi"`)
	f(llm.OpEmbedding, "", `{"model":"m","input":["a","b"],"mock_response":[0.5,1]}`, 1, `"index":1,"embedding":[0.5,1]`)
	f(llm.OpEmbedding, "[0.25]", `{"model":"m","input":"a"}`, 1, `"embedding":[0.25]`)
	f(llm.OpChat, "[0.25]", `{"model":"m","mock_response":"x"}`, 1, `"content":"x"`)
	f(llm.OpChat, "", `{"model":"m","mock_response":{"id":"1","object":"chat.completion","choices":[{"message":{"content":"whole"}}],"usage":{"total_tokens":9}}}`,
		1, `"model":"m"`, `"content":"whole"`)
	f(llm.OpChat, "", `{"model":"m","stream":true,"mock_response":{"object":"chat.completion","choices":[{"message":{"content":"whole"}}]}}`,
		1, `"delta":{"content":"whole"}`)
	f(llm.OpChat, "", `{"model":"m","mock_response":"","mock_tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]}`,
		1, `"tool_calls":[{`, `"id":"c1"`)
	f(llm.OpChat, "", `{"model":"m","stream":true,"mock_response":"a","mock_tool_calls":[{"id":"c1"}]}`, 1, `"tool_calls":[{"id":"c1","index":0}]`)
}

func TestErrors(t *testing.T) {
	t.Parallel()
	f := func(op llm.Operation, deployment, body string, kind llm.Kind, status int, envelope string) {
		t.Helper()
		d := &llm.Deployment{Provider: "openai", Mock: deployment}
		_, err := ask(t, &vendor{}, d, request(t, op, body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != kind || e.HTTPStatus() != status {
			t.Errorf("%s: %v", body, err)
			return
		}
		if got := string(openai.AppendError(nil, e)); !strings.Contains(got, envelope) {
			t.Errorf("%s: %s lacks %s", body, got, envelope)
		}
	}
	f(llm.OpChat, "", `{"mock_response":"litellm.RateLimitError"}`, llm.KindRateLimit, 429,
		`"litellm.RateLimitError: this is a mock rate limit error","type":"throttling_error"`)
	f(llm.OpChat, "litellm.RateLimitError", `{"stream":true}`, llm.KindRateLimit, 429, `mock rate limit`)
	f(llm.OpChat, "", `{"mock_response":"litellm.ContextWindowExceededError"}`, llm.KindContextWindow, 400,
		`"litellm.ContextWindowExceededError: litellm.BadRequestError: this is a mock context window exceeded error"`)
	f(llm.OpChat, "", `{"mock_response":"litellm.InternalServerError"}`, llm.KindInternal, 500,
		`"litellm.InternalServerError: this is a mock internal server error"`)
	f(llm.OpChat, "", `{"mock_response":"Exception: content_filter_policy"}`, llm.KindContentPolicy, 400, `ContentPolicyViolationError`)
	f(llm.OpChat, "", `{"mock_response":"Exception: mock_streaming_error"}`, llm.KindInternal, 529, `mid-stream`)
	f(llm.OpChat, "", `{"mock_response":5}`, llm.KindInvalid, 400, `mock_response`)
	f(llm.OpEmbedding, "", `{"mock_response":"text"}`, llm.KindInvalid, 400, `list of numbers`)
	f(llm.OpChat, "", `{"mock_response":"a","mock_delay":"x"}`, llm.KindInvalid, 400, `mock_delay`)
	f(llm.OpChat, "", `{"mock_response":"a","mock_delay":1e9}`, llm.KindInvalid, 400, `mock_delay`)
	f(llm.OpChat, "", `{"mock_response":"a","mock_tool_calls":{}}`, llm.KindInvalid, 400, `mock_tool_calls`)
}

func TestMidStreamError(t *testing.T) {
	t.Parallel()
	x := request(t, llm.OpChat, `{"stream":true,"mock_response":"Exception: mock_streaming_error"}`)
	parts, err := ask(t, &vendor{}, &llm.Deployment{}, x)
	var e *llm.Error
	if len(parts) != 1 || !errors.As(err, &e) || e.HTTPStatus() != 529 {
		t.Errorf("%d parts, then %v", len(parts), err)
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	f := func(body string, d time.Duration, want time.Duration, kind llm.Kind) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			_, err := ask(t, &vendor{}, &llm.Deployment{Timeout: d}, request(t, llm.OpChat, body))
			if got := time.Since(start); got != want {
				t.Errorf("%s: took %v, want %v", body, got, want)
			}
			var e *llm.Error
			if kind != 0 && (!errors.As(err, &e) || e.Kind != kind) || kind == 0 && err != nil {
				t.Errorf("%s: %v", body, err)
			}
		})
	}
	f(`{"mock_response":"a","mock_delay":2.5}`, 0, 2500*time.Millisecond, 0)
	f(`{"mock_response":"a"}`, 0, 0, 0)
	f(`{"mock_timeout":true,"timeout":3}`, time.Minute, 3*time.Second, llm.KindTimeout)
	f(`{"mock_timeout":true}`, time.Minute, time.Minute, llm.KindTimeout)
	f(`{"mock_response":"a","mock_timeout":false}`, time.Minute, 0, 0)
}

func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	e, err := mock.New(nil).Bind(&llm.Deployment{Mock: "x"})
	if err != nil {
		t.Fatal(err)
	}
	x := request(t, llm.OpChat, `{"mock_delay":3000}`)
	var c llm.Call
	if err := e.Encode(x, &c); err != nil {
		t.Fatal(err)
	}
	x.Life.Cancel(context.Canceled)
	if err := c.Local(&x.Life, &llm.Answer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestEverythingElsePasses(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	e, err := mock.New(v).Bind(&llm.Deployment{})
	if err != nil {
		t.Fatal(err)
	}
	x := request(t, llm.OpChat, `{"model":"m","num_retries":1}`)
	var c llm.Call
	if err := e.Encode(x, &c); err != nil {
		t.Fatal(err)
	}
	if err := e.Decode(x, &llm.Answer{}, &llm.Reply{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 1}, []int{v.encoded, v.decoded}); diff != "" || c.Local != nil {
		t.Errorf("local %v, %s", c.Local != nil, diff)
	}
	if _, err := mock.New(nil).Bind(&llm.Deployment{Group: "g"}); err == nil || !strings.Contains(err.Error(), "mock_response") {
		t.Errorf("got %v", err)
	}
}

func TestMockAddsNoAllocation(t *testing.T) {
	e, err := mock.New(&vendor{}).Bind(&llm.Deployment{})
	if err != nil {
		t.Fatal(err)
	}
	x := request(t, llm.OpChat, `{"model":"m","num_retries":1}`)
	var c llm.Call
	if n := testing.AllocsPerRun(100, func() {
		if err := e.Encode(x, &c); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Encode allocates %v times", n)
	}
}
