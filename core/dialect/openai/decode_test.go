package openai_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

func exchange(t testing.TB, body string) *llm.Exchange {
	t.Helper()
	x := new(llm.Exchange)
	x.Reset()
	if err := x.Body.Parse([]byte(body)); err != nil {
		t.Fatalf("parse %s: %v", body, err)
	}
	return x
}

func TestDecode(t *testing.T) {
	t.Parallel()
	decode := func(body string) *llm.Exchange {
		t.Helper()
		x := exchange(t, body)
		if err := openai.Decode(x); err != nil {
			t.Fatalf("Decode(%s): %v", body, err)
		}
		return x
	}
	f := func(body string, got func(*llm.Exchange) any, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got(decode(body))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	f(`{"model":"gpt-4o"}`, func(x *llm.Exchange) any { return x.Model }, "gpt-4o")
	f(`{"model":"a\/bé"}`, func(x *llm.Exchange) any { return x.Model }, "a/bé")
	f(`{"model":null}`, func(x *llm.Exchange) any { return x.Model }, "")
	f(`{}`, func(x *llm.Exchange) any { return x.Model }, "")
	f(`{"stream":true}`, func(x *llm.Exchange) any { return x.Streamed }, true)
	f(`{"stream":null}`, func(x *llm.Exchange) any { return x.Streamed }, false)
	f(`{"stream_options":{"include_usage":true}}`, func(x *llm.Exchange) any { return x.WantUsage }, true)
	f(`{"stream_options":{"x":1,"include_usage":false}}`, func(x *llm.Exchange) any { return x.WantUsage }, false)
	f(`{"stream_options":null}`, func(x *llm.Exchange) any { return x.WantUsage }, false)

	control := func(body string, got func(llm.Controls) any, want any) {
		t.Helper()
		f(body, func(x *llm.Exchange) any { return got(x.Controls) }, want)
	}
	text := func(b []byte) any { return string(b) }
	control(`{}`, func(c llm.Controls) any { return c.Retries }, -1)
	control(`{"num_retries":0}`, func(c llm.Controls) any { return c.Retries }, 0)
	control(`{"num_retries":null}`, func(c llm.Controls) any { return c.Retries }, -1)
	control(`{"timeout":1.5}`, func(c llm.Controls) any { return c.Timeout }, 1500*time.Millisecond)
	control(`{"timeout":"20"}`, func(c llm.Controls) any { return c.Timeout }, 20*time.Second)
	control(`{"request_timeout":3}`, func(c llm.Controls) any { return c.Timeout }, 3*time.Second)
	control(`{"stream_timeout":2}`, func(c llm.Controls) any { return c.StreamTimeout }, 2*time.Second)
	control(`{"fallbacks":["b"]}`, func(c llm.Controls) any { return text(c.Fallbacks) }, `["b"]`)
	control(`{"fallbacks":null}`, func(c llm.Controls) any { return c.Fallbacks == nil }, true)
	control(`{"disable_fallbacks":true}`, func(c llm.Controls) any { return c.DisableFallbacks }, true)
	control(`{"mock_response":"hi"}`, func(c llm.Controls) any { return text(c.Mock) }, `"hi"`)
	control(`{"guardrails":["g"]}`, func(c llm.Controls) any { return text(c.Guardrails) }, `["g"]`)
	control(`{"metadata":{"a":1}}`, func(c llm.Controls) any { return text(c.Metadata) }, `{"a":1}`)
	control(`{"litellm_metadata":{"a":1}}`, func(c llm.Controls) any { return text(c.Metadata) }, `{"a":1}`)
	control(`{"litellm_metadata":{"a":1},"metadata":{"b":1}}`, func(c llm.Controls) any { return text(c.Metadata) }, `{"b":1}`)
	control(`{"metadata":{"b":1},"litellm_metadata":{"a":1}}`, func(c llm.Controls) any { return text(c.Metadata) }, `{"b":1}`)
	control(`{"drop_params":true}`, func(c llm.Controls) any { return c.DropParams }, int8(1))
	control(`{"drop_params":false}`, func(c llm.Controls) any { return c.DropParams }, int8(0))
	control(`{}`, func(c llm.Controls) any { return c.DropParams }, int8(-1))
	control(`{"additional_drop_params":["a"]}`, func(c llm.Controls) any { return text(c.AdditionalDrop) }, `["a"]`)
	control(`{"allowed_openai_params":["a"]}`, func(c llm.Controls) any { return text(c.AllowedParams) }, `["a"]`)
	control(`{"extra_headers":{"a":"b"}}`, func(c llm.Controls) any { return text(c.ExtraHeaders) }, `{"a":"b"}`)
	control(`{"extra_body":{"a":"b"}}`, func(c llm.Controls) any { return text(c.ExtraBody) }, `{"a":"b"}`)
	control(`{"user":"u"}`, func(c llm.Controls) any { return text(c.User) }, `"u"`)
	control(`{"user":"u","messages":[]}`, func(c llm.Controls) any { return c.Given }, false)
	control(`{"api_key":"x"}`, func(c llm.Controls) any { return c.Given }, true)

	guardrails := func(x *llm.Exchange) any { return text(openai.Guardrails(x)) }
	f(`{"guardrails":["a"],"metadata":{"guardrails":["b"]}}`, guardrails, `["a"]`)
	f(`{"metadata":{"x":{"guardrails":[]},"guardrails":["b"]}}`, guardrails, `["b"]`)
	f(`{"metadata":{"guardrails":null}}`, guardrails, ``)
	f(`{}`, guardrails, ``)
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	f := func(body, param string) {
		t.Helper()
		var e *llm.Error
		if err := openai.Decode(exchange(t, body)); !errors.As(err, &e) {
			t.Errorf("Decode(%s) = %v, want an *llm.Error", body, err)
			return
		}
		if e.Kind != llm.KindInvalid || e.Param != param || !strings.Contains(e.Message, "`"+param+"`") {
			t.Errorf("Decode(%s): kind %d, param %q, message %q; want one that names %q", body, e.Kind, e.Param, e.Message, param)
		}
	}
	f(`{"model":1}`, "model")
	f(`{"model":["a"]}`, "model")
	f(`{"stream":"true"}`, "stream")
	f(`{"stream":1}`, "stream")
	f(`{"stream_options":[]}`, "stream_options")
	f(`{"stream_options":{"include_usage":1}}`, "stream_options.include_usage")
	f(`{"num_retries":-1}`, "num_retries")
	f(`{"num_retries":1.5}`, "num_retries")
	f(`{"num_retries":100000000}`, "num_retries")
	f(`{"timeout":0}`, "timeout")
	f(`{"timeout":-1}`, "timeout")
	f(`{"timeout":"NaN"}`, "timeout")
	f(`{"timeout":1e300}`, "timeout")
	f(`{"timeout":{}}`, "timeout")
	f(`{"request_timeout":"soon"}`, "request_timeout")
	f(`{"stream_timeout":true}`, "stream_timeout")
	f(`{"fallbacks":"b"}`, "fallbacks")
	f(`{"disable_fallbacks":"yes"}`, "disable_fallbacks")
	f(`{"guardrails":"g"}`, "guardrails")
	f(`{"metadata":"m"}`, "metadata")
	f(`{"litellm_metadata":[]}`, "litellm_metadata")
	f(`{"drop_params":"x"}`, "drop_params")
	f(`{"additional_drop_params":{}}`, "additional_drop_params")
	f(`{"allowed_openai_params":"a"}`, "allowed_openai_params")
	f(`{"extra_headers":[]}`, "extra_headers")
	f(`{"extra_body":1}`, "extra_body")
}

func TestApplyHeaders(t *testing.T) {
	t.Parallel()
	header := func(name, value string) *llm.Exchange {
		x := exchange(t, `{"timeout":5,"num_retries":1}`)
		if err := openai.Decode(x); err != nil {
			t.Fatal(err)
		}
		x.Header = llm.Header{{Name: []byte(name), Value: []byte(value)}}
		return x
	}
	f := func(name, value string, got func(llm.Controls) any, want any) {
		t.Helper()
		x := header(name, value)
		if err := openai.ApplyHeaders(x); err != nil {
			t.Errorf("%s: %s: %v", name, value, err)
		}
		if g := got(x.Controls); g != want {
			t.Errorf("%s: %s: got %v, want %v", name, value, g, want)
		}
	}
	timeout := func(c llm.Controls) any { return c.Timeout }
	f("X-LiteLLM-Timeout", "0.5", timeout, 500*time.Millisecond)
	f("x-other", "0.5", timeout, 5*time.Second)
	f("x-litellm-stream-timeout", " 2 ", func(c llm.Controls) any { return c.StreamTimeout }, 2*time.Second)
	f("x-litellm-num-retries", "0", func(c llm.Controls) any { return c.Retries }, 0)

	bad := func(name, value string) {
		t.Helper()
		err := openai.ApplyHeaders(header(name, value))
		if !errors.Is(err, &llm.Error{Kind: llm.KindInvalid}) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %s: got %v, want an error that names the header", name, value, err)
		}
	}
	bad("x-litellm-timeout", "soon")
	bad("x-litellm-timeout", "")
	bad("x-litellm-stream-timeout", "-1")
	bad("x-litellm-num-retries", "-1")
	bad("x-litellm-num-retries", "two")
}

func TestTags(t *testing.T) {
	t.Parallel()
	f := func(header, body string, want ...string) {
		t.Helper()
		x := exchange(t, body)
		if header != "" {
			x.Header = llm.Header{{Name: []byte("X-Litellm-Tags"), Value: []byte(header)}}
		}
		if err := openai.Decode(x); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, openai.Tags(x)); diff != "" {
			t.Errorf("%q, %s (-want +got):\n%s", header, body, diff)
		}
	}
	f("", `{}`)
	f("a, b,", `{"tags":["c"]}`, "a", "b")
	f("", `{"tags":["c",1,""],"metadata":{"tags":["d"]}}`, "c")
	f("", `{"metadata":{"tags":["d","e"]}}`, "d", "e")
	f("", `{"metadata":{"tags":"d"}}`)
}

func TestDecodeAllocatesNothing(t *testing.T) {
	body := []byte(`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"stream":true,"user":"u",` +
		`"stream_options":{"include_usage":true},"metadata":{"tags":["a"]},"num_retries":2,"timeout":30.5}`)
	x := new(llm.Exchange)
	if n := testing.AllocsPerRun(200, func() {
		x.Reset()
		if err := x.Body.Parse(body); err != nil {
			t.Fatal(err)
		}
		if err := openai.Decode(x); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Decode allocates %v times", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	x := exchange(b, `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"`+strings.Repeat("word ", 400)+
		`"}],"temperature":0.2,"max_tokens":100,"stream":true,"user":"u"}`)
	b.ReportAllocs()
	for b.Loop() {
		x.Model = ""
		if err := openai.Decode(x); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"model":"m","stream":true,"stream_options":{"include_usage":true},"timeout":"5"}`), "5")
	f.Add([]byte(`{"metadata":{"tags":["a"],"guardrails":["b"]},"num_retries":3}`), "x")
	f.Fuzz(func(t *testing.T, body []byte, value string) {
		x := new(llm.Exchange)
		x.Reset()
		if x.Body.Parse(body) != nil {
			return
		}
		x.Header = llm.Header{{Name: []byte("x-litellm-timeout"), Value: []byte(value)}}
		var e *llm.Error
		if err := openai.Decode(x); err != nil && !errors.As(err, &e) {
			t.Errorf("Decode(%q): %v is not an *llm.Error", body, err)
		}
		if err := openai.ApplyHeaders(x); err != nil && !errors.As(err, &e) {
			t.Errorf("ApplyHeaders(%q): %v is not an *llm.Error", value, err)
		}
		openai.Tags(x)
		openai.Guardrails(x)
		if x.Controls.Timeout < 0 || x.Controls.StreamTimeout < 0 || x.Controls.Retries < -1 {
			t.Errorf("Decode(%q): %+v", body, x.Controls)
		}
	})
}
