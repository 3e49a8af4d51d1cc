package openai_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	dialect "github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/openai"
)

func deployment(change ...func(*llm.Deployment)) *llm.Deployment {
	d := &llm.Deployment{Group: "gpt", Provider: "openai", Model: "gpt-4o", APIKey: "sk-secret0123"}
	for _, f := range change {
		f(d)
	}
	return d
}

func bind(t testing.TB, s openai.Settings, d *llm.Deployment) provider.Endpoint {
	t.Helper()
	e, err := openai.New(s).Bind(d)
	if err != nil {
		t.Fatalf("Bind: %v", err)
	}
	return e
}

func request(t testing.TB, body string) *llm.Exchange {
	t.Helper()
	x := new(llm.Exchange)
	x.Reset()
	x.Op = llm.OpChat
	if err := x.Body.Parse([]byte(body)); err != nil {
		t.Fatalf("parse %s: %v", body, err)
	}
	if err := dialect.Decode(x); err != nil {
		t.Fatalf("decode %s: %v", body, err)
	}
	return x
}

func sent(c *llm.Call) string { return string(bytes.Join(c.Body, nil)) }

func TestEncodeBody(t *testing.T) {
	t.Parallel()
	type change = func(*llm.Deployment)
	f := func(s openai.Settings, d change, in, want string) {
		t.Helper()
		if d == nil {
			d = func(*llm.Deployment) {}
		}
		var c llm.Call
		if err := bind(t, s, deployment(d)).Encode(request(t, in), &c); err != nil {
			t.Errorf("%s: %v", in, err)
			return
		}
		if got := sent(&c); got != want {
			t.Errorf("in   %s\ngot  %s\nwant %s", in, got, want)
		}
		if !json.Valid([]byte(sent(&c))) {
			t.Errorf("%s: not JSON: %s", in, sent(&c))
		}
	}
	var plain openai.Settings

	// The model is replaced, and nothing else is touched.
	f(plain, nil, ` { "model" : "gpt-4o" ,"x":1 } `, ` { "model" : "gpt-4o" ,"x":1 } `)
	f(plain, nil, `{"x": [1, 2],"model": "mine" , "messages":[]}`, `{"x": [1, 2],"model": "gpt-4o" , "messages":[]}`)
	f(plain, nil, `{"messages":[]}`, `{"messages":[],"model":"gpt-4o"}`)
	f(plain, nil, `{}`, `{"model":"gpt-4o"}`)
	f(plain, nil, `{"model":"m","unknown":{"a":"\u00e9"}}`, `{"model":"gpt-4o","unknown":{"a":"\u00e9"}}`)

	// What is for the gateway stays there.
	f(plain, nil, `{"model":"m","num_retries":1,"messages":[]}`, `{"model":"gpt-4o","messages":[]}`)
	f(plain, nil, `{"num_retries":1,"metadata":{},"model":"m"}`, `{"model":"gpt-4o"}`)
	f(plain, nil, `{"num_retries":1}`, `{"model":"gpt-4o"}`)
	f(plain, nil, `{"a":1,"num_retries":1,"b":2,"timeout":3}`, `{"a":1,"b":2,"model":"gpt-4o"}`)
	f(plain, nil, `{"metadata":{"a":1},"allowed_openai_params":["metadata"]}`, `{"metadata":{"a":1},"model":"gpt-4o"}`)
	f(plain, func(d *llm.Deployment) { d.AllowedParams = []string{"metadata"} },
		`{"metadata":{"a":1}}`, `{"metadata":{"a":1},"model":"gpt-4o"}`)

	// Streams report their usage.
	f(plain, nil, `{"model":"gpt-4o","stream":true}`, `{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}`)
	f(plain, nil, `{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true,"x":1}}`,
		`{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true,"x":1}}`)
	f(plain, nil, `{"model":"gpt-4o","stream":true,"stream_options":{ "x":1,"include_usage":false}}`,
		`{"model":"gpt-4o","stream":true,"stream_options":{ "x":1,"include_usage":true}}`)
	f(plain, nil, `{"stream_options":{"x":1},"stream":true,"model":"gpt-4o"}`,
		`{"stream_options":{"include_usage":true,"x":1},"stream":true,"model":"gpt-4o"}`)
	f(plain, nil, `{"stream_options":{},"stream":true,"model":"gpt-4o"}`,
		`{"stream_options":{"include_usage":true},"stream":true,"model":"gpt-4o"}`)
	f(plain, nil, `{"stream_options":null,"stream":true,"model":"gpt-4o"}`,
		`{"stream_options":{"include_usage":true},"stream":true,"model":"gpt-4o"}`)
	f(plain, nil, `{"stream":false,"model":"gpt-4o"}`, `{"stream":false,"model":"gpt-4o"}`)
	f(openai.Settings{Name: "v", Base: "http://h", NoStreamOptions: true}, nil,
		`{"stream":true,"stream_options":{"include_usage":true},"model":"gpt-4o"}`, `{"stream":true,"model":"gpt-4o"}`)

	// The deployment's own parameters.
	defaults := func(d *llm.Deployment) {
		d.Defaults = []llm.Pair{{Name: "temperature", Value: "0.5"}, {Name: "stop", Value: `["x"]`}}
	}
	f(plain, defaults, `{"model":"gpt-4o"}`, `{"model":"gpt-4o","temperature":0.5,"stop":["x"]}`)
	f(plain, defaults, `{"temperature":1,"model":"gpt-4o"}`, `{"temperature":1,"model":"gpt-4o","stop":["x"]}`)
	forced := func(d *llm.Deployment) { d.ExtraBody = []llm.Pair{{Name: "top_k", Value: "5"}} }
	f(plain, forced, `{"model":"gpt-4o"}`, `{"model":"gpt-4o","top_k":5}`)
	f(plain, forced, `{"top_k":1,"model":"gpt-4o"}`, `{"top_k":5,"model":"gpt-4o"}`)
	f(plain, forced, `{"model":"gpt-4o","extra_body":{"top_k":9, "min_p" : 1}}`, `{"model":"gpt-4o","top_k":5,"min_p" : 1}`)
	f(plain, nil, `{"model":"gpt-4o","seed":1,"extra_body":{"seed":2,"metadata":{"a":1}}}`,
		`{"model":"gpt-4o","seed":2,"metadata":{"a":1}}`)
	f(plain, func(d *llm.Deployment) { d.AdditionalDrop = []string{"seed"} },
		`{"seed":1,"model":"gpt-4o"}`, `{"model":"gpt-4o"}`)
	f(plain, nil, `{"seed":1,"model":"gpt-4o","additional_drop_params":["seed","x"]}`, `{"model":"gpt-4o"}`)
	f(plain, func(d *llm.Deployment) { d.AdditionalDrop = []string{"tools[*].x", "seed"} },
		`{"model":"gpt-4o","seed":1,"tools":[{"x":1,"y":2}]}`, `{"model":"gpt-4o","tools":[{"y":2}]}`)

	// The vendor's peculiarities.
	vendor := openai.Settings{
		Name: "v", Base: "http://h", Unsupported: []string{"logprobs", "n"},
		Rename: []llm.Pair{{Name: "max_completion_tokens", Value: "max_tokens"}},
	}
	f(vendor, nil, `{"max_completion_tokens": 9,"model":"gpt-4o"}`, `{"max_tokens": 9,"model":"gpt-4o"}`)
	f(vendor, nil, `{"max_completion_tokens":9,"max_tokens":8,"model":"gpt-4o"}`, `{"max_tokens":8,"model":"gpt-4o"}`)
	f(vendor, nil, `{"n":1,"logprobs":null,"model":"gpt-4o"}`, `{"model":"gpt-4o"}`)
	f(vendor, nil, `{"n":2,"model":"gpt-4o","drop_params":true}`, `{"model":"gpt-4o"}`)
	f(vendor, nil, `{"n":2,"model":"gpt-4o","allowed_openai_params":["n"]}`, `{"n":2,"model":"gpt-4o"}`)
	f(vendor, func(d *llm.Deployment) { d.DropParams = true }, `{"n":2,"model":"gpt-4o"}`, `{"model":"gpt-4o"}`)
	f(vendor, func(d *llm.Deployment) { d.AllowedParams = []string{"n"} }, `{"n":2,"model":"gpt-4o"}`, `{"n":2,"model":"gpt-4o"}`)
	f(vendor, func(d *llm.Deployment) {
		d.Defaults = []llm.Pair{{Name: "max_completion_tokens", Value: "7"}}
	}, `{"model":"gpt-4o"}`, `{"model":"gpt-4o","max_tokens":7}`)
}

func TestEncodeOverrides(t *testing.T) {
	t.Parallel()
	x := request(t, `{"model":"a","temperature":1,"stream":true,"messages":["old"]}`)
	x.Overrides = []llm.Pair{
		{Name: "messages", Value: `["new"]`},
		{Name: "seed", Value: `1`},
		{Name: "model", Value: `"evil"`},
		{Name: "stream", Value: `false`},
		{Name: "metadata", Value: `{}`},
	}
	var c llm.Call
	d := deployment(func(d *llm.Deployment) { d.Defaults = []llm.Pair{{Name: "seed", Value: "9"}} })
	if err := bind(t, openai.Settings{}, d).Encode(x, &c); err != nil {
		t.Fatal(err)
	}
	want := `{"model":"gpt-4o","temperature":1,"stream":true,"messages":["new"],"stream_options":{"include_usage":true},"seed":1}`
	if diff := cmp.Diff(want, sent(&c)); diff != "" {
		t.Error(diff)
	}
}

func TestEncodeUntouchedIsOnePiece(t *testing.T) {
	t.Parallel()
	body := `{"model":"gpt-4o","messages":[]}`
	x := request(t, body)
	var c llm.Call
	if err := bind(t, openai.Settings{}, deployment()).Encode(x, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Body) != 1 || &c.Body[0][0] != &x.Body.Raw()[0] {
		t.Errorf("the body went out in %d pieces", len(c.Body))
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	vendor := openai.Settings{Name: "v", Base: "http://h", Unsupported: []string{"logprobs", "n"}, Lacks: []llm.Operation{llm.OpEmbedding}}
	f := func(op llm.Operation, in string, kind llm.Kind, parts ...string) {
		t.Helper()
		x := request(t, in)
		x.Op = op
		var c llm.Call
		var e *llm.Error
		if err := bind(t, vendor, deployment()).Encode(x, &c); !errors.As(err, &e) {
			t.Errorf("%s: got %v, want an *llm.Error", in, err)
			return
		}
		if e.Kind != kind {
			t.Errorf("%s: kind %d, want %d", in, e.Kind, kind)
		}
		for _, p := range parts {
			if !strings.Contains(e.Message, p) {
				t.Errorf("%s: the message %q lacks %q", in, e.Message, p)
			}
		}
	}
	f(llm.OpEmbedding, `{}`, llm.KindBadRequest, "v does not offer embeddings")
	f(llm.OpPassThrough, `{}`, llm.KindBadRequest, "does not offer")
	f(llm.OpChat, `{"n":2,"x":1,"logprobs":true}`, llm.KindBadRequest,
		"litellm.UnsupportedParamsError: v does not support parameters: ['n', 'logprobs'], for model=gpt-4o. ", "drop_params",
		"allowed_openai_params=['n', 'logprobs']")
	f(llm.OpChat, `{"extra_body":{"model":"big"}}`, llm.KindInvalid, "extra_body", "model")
	f(llm.OpChat, `{"extra_body":{"messages":[]}}`, llm.KindInvalid, "extra_body", "messages")
	f(llm.OpChat, `{"extra_body":{"a":1,"a":2}}`, llm.KindInvalid, "extra_body", "twice")
	f(llm.OpChat, `{"extra_headers":{"Authorization":"x"}}`, llm.KindInvalid, "extra_headers", "Authorization")
	f(llm.OpChat, `{"extra_headers":{"user-agent":"x"}}`, llm.KindInvalid, "extra_headers", "user-agent")
	f(llm.OpChat, `{"extra_headers":{"Host":"x"}}`, llm.KindInvalid, "extra_headers", "Host")
	f(llm.OpChat, `{"extra_headers":{"X-A":"b\r\nEvil: 1"}}`, llm.KindInvalid, "extra_headers", "line break")
	f(llm.OpChat, `{"extra_headers":{"X A":"b"}}`, llm.KindInvalid, "extra_headers", "name")
	f(llm.OpChat, `{"extra_headers":{"X-A":1}}`, llm.KindInvalid, "extra_headers", "strings")
	f(llm.OpChat, `{"additional_drop_params":["`+strings.Repeat("a", 5000)+`"]}`, llm.KindInvalid, "additional_drop_params")
}

func TestEncodeCall(t *testing.T) {
	t.Parallel()
	d := deployment(func(d *llm.Deployment) {
		d.Base, d.Organization = "http://127.0.0.1:4000/v1/?api-version=2", "org-1"
		d.ExtraHeaders = []llm.Pair{{Name: "X-Team", Value: "blue"}, {Name: "user-agent", Value: "mine"}}
	})
	var c llm.Call
	if err := bind(t, openai.Settings{}, d).Encode(request(t, `{"extra_headers":{"X-One":"a\"b"}}`), &c); err != nil {
		t.Fatal(err)
	}
	got := c.Method + " " + string(c.Path) + " " + c.Target.Scheme + " " + c.Target.Host + " " + c.Target.Addr + "\n" + string(c.Head)
	for _, h := range c.Header {
		got += "+" + string(h.Name) + ": " + string(h.Value) + "\n"
	}
	want := "POST /v1/chat/completions?api-version=2 http 127.0.0.1:4000 127.0.0.1:4000\n" +
		"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n" +
		"OpenAI-Organization: org-1\r\nX-Team: blue\r\nuser-agent: mine\r\nAuthorization: Bearer sk-secret0123\r\n" +
		"+X-One: a\"b\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBind(t *testing.T) {
	t.Parallel()
	address := func(base, host, addr, path string) {
		t.Helper()
		var c llm.Call
		e := bind(t, openai.Settings{}, deployment(func(d *llm.Deployment) { d.Base = base }))
		x := request(t, `{}`)
		x.Op = llm.OpEmbedding
		if err := e.Encode(x, &c); err != nil {
			t.Fatal(err)
		}
		if c.Target.Host != host || c.Target.Addr != addr || string(c.Path) != path {
			t.Errorf("%q: %s, %s, %s", base, c.Target.Host, c.Target.Addr, c.Path)
		}
	}
	address("", "api.openai.com", "api.openai.com:443", "/v1/embeddings")
	address("https://h", "h", "h:443", "/embeddings")
	address("https://h:8443/a%20b/", "h:8443", "h:8443", "/a%20b/embeddings")
	address("http://[::1]/v1", "[::1]", "[::1]:80", "/v1/embeddings")

	refuse := func(s openai.Settings, d func(*llm.Deployment), parts ...string) {
		t.Helper()
		_, err := openai.New(s).Bind(deployment(d))
		if err == nil {
			t.Errorf("Bind took a deployment that should fail with %q", parts)
			return
		}
		for _, p := range parts {
			if !strings.Contains(err.Error(), p) {
				t.Errorf("the error %q lacks %q", err, p)
			}
		}
		if strings.Contains(err.Error(), "sk-secret") {
			t.Errorf("the error %q holds the key", err)
		}
	}
	base := func(b string) func(*llm.Deployment) { return func(d *llm.Deployment) { d.Base = b } }
	var plain openai.Settings
	refuse(plain, func(d *llm.Deployment) { d.Model = "" }, "model_name gpt", "litellm_params.model")
	refuse(plain, base("api.openai.com/v1"), "api_base", "https://")
	refuse(plain, base("ftp://h"), "api_base", "https://")
	refuse(plain, base("http://"), "api_base", "host")
	refuse(plain, base("http://u:sk-secret@h"), "api_base", "api_key")
	refuse(plain, base("http://h/#x"), "api_base", "fragment")
	refuse(plain, base("http://h:99999"), "api_base", "port")
	refuse(plain, base("http://h:\x7f"), "api_base", "URL")
	refuse(plain, base("http://h/v1/chat/completions"), "api_base", "/chat/completions")
	refuse(openai.Settings{Name: "v", BaseVars: []string{"V_API_BASE"}}, base(""), "api_base", "missing", "V_API_BASE")
	refuse(openai.Settings{KeyVars: []string{"A", "B"}}, func(d *llm.Deployment) { d.APIKey = "" }, "api_key", "missing", "A or B")
	refuse(plain, func(d *llm.Deployment) { d.APIKey = "sk-secret\nX: y" }, "api_key", "line break")
	refuse(plain, func(d *llm.Deployment) { d.Organization = "o\r\n" }, "organization", "line break")
	refuse(plain, func(d *llm.Deployment) { d.ExtraHeaders = []llm.Pair{{Name: "A", Value: "b\n"}} }, "extra_headers", `"A"`)
	refuse(plain, func(d *llm.Deployment) { d.ExtraHeaders = []llm.Pair{{Name: "A b", Value: "c"}} }, "extra_headers", "name")
	refuse(plain, func(d *llm.Deployment) { d.ExtraHeaders = []llm.Pair{{Name: "Host", Value: "c"}} }, "extra_headers", "Host")
	refuse(plain, func(d *llm.Deployment) { d.AdditionalDrop = []string{"tools[x].y"} }, "additional_drop_params", "tools")
	refuse(plain, func(d *llm.Deployment) { d.ExtraBody = []llm.Pair{{Name: "model", Value: `"x"`}} }, "extra_body", "model")
	refuse(plain, func(d *llm.Deployment) { d.ExtraBody = []llm.Pair{{Name: "a", Value: `x`}} }, "extra_body", "JSON")
	refuse(plain, func(d *llm.Deployment) { d.Defaults = []llm.Pair{{Name: "stream", Value: `true`}} }, "stream")
	refuse(plain, func(d *llm.Deployment) { d.Defaults = []llm.Pair{{Name: "cache", Value: `true`}} }, "cache", "control")
	refuse(openai.Settings{Name: "v", Base: "http://h", Unsupported: []string{"seed"}},
		func(d *llm.Deployment) { d.Defaults = []llm.Pair{{Name: "seed", Value: `1`}} }, "seed", "drop_params")

	bind(t, openai.Settings{KeyOptional: true}, deployment(func(d *llm.Deployment) { d.APIKey = "" }))
	bind(t, openai.Settings{DefaultKey: "fake"}, deployment(func(d *llm.Deployment) { d.APIKey = "" }))
	bind(t, plain, deployment(func(d *llm.Deployment) {
		d.APIKey, d.ExtraHeaders = "", []llm.Pair{{Name: "authorization", Value: "Custom x"}}
	}))
}

func TestEncodeAllocatesNothing(t *testing.T) {
	d := deployment(func(d *llm.Deployment) {
		d.Defaults = []llm.Pair{{Name: "temperature", Value: "0.5"}}
		d.ExtraBody = []llm.Pair{{Name: "top_k", Value: "5"}}
	})
	vendor := openai.Settings{
		Name: "v", Base: "http://h", Unsupported: []string{"logprobs"},
		Rename: []llm.Pair{{Name: "max_completion_tokens", Value: "max_tokens"}},
	}
	f := func(s openai.Settings, d *llm.Deployment, body string) {
		t.Helper()
		e, x := bind(t, s, d), request(t, body)
		var c llm.Call
		if n := testing.AllocsPerRun(200, func() {
			c.Reset()
			if err := e.Encode(x, &c); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("Encode(%s) allocates %v times", body, n)
		}
	}
	f(openai.Settings{}, deployment(), `{"model":"mine","messages":[],"stream":true,"user":"u"}`)
	f(openai.Settings{}, d, `{"model":"mine","messages":[],"metadata":{"tags":["a"]},"num_retries":1}`)
	f(vendor, d, `{"model":"mine","max_completion_tokens":5,"stream":true,"stream_options":{"x":1}}`)
}

func BenchmarkEncode(b *testing.B) {
	e := bind(b, openai.Settings{}, deployment())
	x := request(b, `{"model":"mine","messages":[{"role":"user","content":"`+strings.Repeat("word ", 400)+
		`"}],"temperature":0.2,"max_tokens":100,"stream":true,"user":"u"}`)
	var c llm.Call
	b.ReportAllocs()
	for b.Loop() {
		c.Reset()
		if err := e.Encode(x, &c); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTakesResponses says which requests for responses go to a vendor as they came.
func TestTakesResponses(t *testing.T) {
	t.Parallel()
	check := func(has bool, answers openai.Responses, d llm.Deployment, body string, want bool) {
		t.Helper()
		d.Group, d.Provider, d.Base = "mine", "v", "https://v.example"
		e, err := openai.New(openai.Settings{Name: "v", KeyOptional: true, Responses: has, Answers: answers}).Bind(&d)
		if err != nil {
			t.Fatal(err)
		}
		x := new(llm.Exchange)
		x.Reset()
		x.Op, x.Dialect = llm.OpChat, llm.DialectResponses
		if err := x.Native.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
		if got := provider.Natively(e, x); got != want {
			t.Errorf("%+v %s %s: got %v", answers, d.Model, body, got)
		}
		x.AsNative = true
		var c llm.Call
		if err := e.Encode(x, &c); err != nil {
			t.Fatal(err)
		}
		if string(c.Path) != answers.Root+"/responses" {
			t.Errorf("%+v: path %s", answers, c.Path)
		}
	}
	f := func(answers openai.Responses, d llm.Deployment, body string, want bool) {
		t.Helper()
		check(true, answers, d, body, want)
	}
	m := llm.Deployment{Model: "qwen3-max"}
	const plain, unkept = `{"input":"hi"}`, `{"input":"hi","store":false}`
	f(openai.Responses{}, m, plain, true)
	f(openai.Responses{Root: "/v1"}, m, plain, true)
	f(openai.Responses{Models: []string{"qwen3-"}}, m, plain, true)
	f(openai.Responses{Models: []string{"gpt-"}}, m, plain, false)
	check(false, openai.Responses{}, m, plain, false)
	declared := llm.Deployment{Model: "m", Info: map[string]any{"supported_endpoints": []any{"/v1/chat/completions", "/v1/responses"}}}
	check(false, openai.Responses{}, declared, plain, true)
	f(openai.Responses{Models: []string{"gpt-"}}, declared, plain, true)
	chats := llm.Deployment{Model: "m", Info: map[string]any{"supported_endpoints": []any{"/v1/chat/completions"}}}
	check(false, openai.Responses{}, chats, plain, false)

	kept := openai.Responses{Stateless: true}
	f(kept, m, plain, false)
	f(kept, m, unkept, true)
	f(kept, m, `{"input":"hi","store":false,"previous_response_id":null,"background":false,"include":[],"truncation":"disabled"}`, true)
	for _, member := range []string{
		`"previous_response_id":"r"`, `"background":true`, `"include":["reasoning.encrypted_content"]`, `"conversation":"c"`,
		`"prompt":{"id":"p"}`, `"prompt_cache_key":"k"`, `"safety_identifier":"s"`, `"truncation":"auto"`,
	} {
		f(kept, m, `{"input":"hi","store":false,`+member+`}`, false)
	}
	f(openai.Responses{Stateless: true, Models: []string{"gpt-"}}, m, unkept, false)
}
