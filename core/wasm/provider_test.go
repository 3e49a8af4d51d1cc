package wasm_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// speak binds a deployment of a vendor that the plugin speaks for.
func speak(t testing.TB, p *plugintest.Plugin, hosts ...string) provider.Endpoint {
	t.Helper()
	return p.Endpoint(t, &llm.Deployment{
		ID: "d", Group: "m", Model: "big", Provider: "my-llm", Base: "https://api.my-llm.test/v1/", APIKey: "sk-0123456789",
		ExtraHeaders: []llm.Pair{{Name: "X-Extra", Value: "1"}, {Name: "x-key", Value: "no"}},
		Defaults:     []llm.Pair{{Name: "temperature", Value: "0.5"}},
	}, hosts...)
}

func request(t testing.TB, op llm.Operation, body string) *llm.Exchange {
	t.Helper()
	x := plugintest.Exchange(t, op, []byte(body))
	if err := openai.Decode(x); err != nil {
		t.Fatal(err)
	}
	return x
}

func chat(text, more string) string {
	return `{"model":"m","messages":[{"role":"user","content":"` + text + `"}]` + more + `}`
}

func TestProviderEncodes(t *testing.T) {
	t.Parallel()
	p, _ := hooks(t, named("my-llm"))
	f := func(e provider.Endpoint, body, want string) {
		t.Helper()
		var c llm.Call
		err := e.Encode(request(t, llm.OpChat, body), &c)
		got := ""
		if f := llm.AsError(err); f != nil {
			got = fmt.Sprint(f.HTTPStatus(), " ", f.Message)
		} else if c.Local == nil {
			got = fmt.Sprintf("%s %s %s %s", c.Method, c.Target.Key(), c.Path, bytes.Join(c.Body, nil))
			for _, h := range c.Header {
				got += fmt.Sprintf(" %s: %s", h.Name, h.Value)
			}
		}
		if got != want {
			t.Errorf("%s: got %s\nwant %s", body, got, want)
		}
	}
	e := speak(t, p)
	const head, tail = "POST https://api.my-llm.test:443/api.my-llm.test# /v1/generate?model=big ", " X-Key: sk-0123456789 Content-Type: application/json X-Extra: 1"
	f(e, chat(`say \"hi\"\n`, ""), head+`{"prompt":"say \"hi\"\n","heat":0.5}`+tail)
	f(e, chat("hi", `,"stream":true,"temperature":1,"num_retries":3`), head+`{"prompt":"hi","heat":1,"stream":true}`+tail)
	f(e, `{"messages":[]}`, "400 This vendor needs a text.")
	f(e, chat("elsewhere", ""), "500 Plugin my-llm failed.")
	f(e, chat("file", ""), "500 Plugin my-llm failed.")
	f(e, chat("smuggle", ""), "500 Plugin my-llm failed.")
	f(e, chat("fail", ""), "500 Plugin my-llm failed.")
	f(e, chat("panic", ""), "500 Plugin my-llm failed.")
	f(speak(t, p, "https://elsewhere.example.com"), chat("elsewhere", ""),
		"GET https://elsewhere.example.com:443/elsewhere.example.com# /  X-Extra: 1 x-key: no")
	if _, err := p.Provider(wasm.ProviderSettings{Hosts: []string{"nonsense"}}); err == nil {
		t.Error("a host that is none was taken")
	}
	g, err := p.Provider(wasm.ProviderSettings{Name: "n"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Bind(&llm.Deployment{Group: "m", Model: "x", Base: "api.example.com"}); err == nil || !strings.Contains(err.Error(), "api_base") {
		t.Errorf("got %v", err)
	}
}

// play sends a request, and answers it as the vendor.
func play(t testing.TB, e provider.Endpoint, op llm.Operation, body string, status int, kind, answer string) string {
	t.Helper()
	x := request(t, op, body)
	var c llm.Call
	if err := e.Encode(x, &c); err != nil {
		t.Fatal(err)
	}
	b := providertest.NewBody([]byte(answer), nil)
	a := &llm.Answer{Status: status, Body: b, Size: -1, Streamed: kind == "text/event-stream"}
	a.Header = llm.Header{{Name: []byte("Content-Type"), Value: []byte(kind)}}
	if c.Local != nil {
		if err := c.Local(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		b.Closed = 1
	}
	var r llm.Reply
	var out strings.Builder
	err := e.Decode(x, a, &r)
	if err == nil {
		part := r.First
		for err == nil {
			fmt.Fprintf(&out, "%s\n", part.Data)
			err = r.Rest.Next(&part)
		}
		if r.Rest.Close() != nil {
			t.Error("close failed")
		}
	}
	if b.Closed != 1 {
		t.Errorf("the body was closed %d times", b.Closed)
	}
	if !errors.Is(err, io.EOF) {
		f := llm.AsError(err)
		fmt.Fprintf(&out, "%d %s %s", f.HTTPStatus(), f.Provider, f.Message)
		return out.String()
	}
	text := out.String()
	for _, part := range strings.Split(strings.TrimSpace(text), "\n") {
		i, j := strings.Index(part, `"id":`), strings.Index(part, `"model"`)
		if i >= 0 && j > i {
			text = strings.Replace(text, part[i:j], "", 1)
		}
	}
	u := r.Usage
	return text + fmt.Sprint(r.Streamed, " {", u.Prompt, " ", u.Completion, " ", u.Total, " ", u.Cached, " ", u.Reasoning, "} ", r.Finish)
}

func TestProviderDecodes(t *testing.T) {
	t.Parallel()
	p, _ := hooks(t, named("my-llm"))
	e := speak(t, p)
	const plain, sse, ndjson = "application/json", "text/event-stream", "application/x-ndjson; charset=utf-8"
	f := func(op llm.Operation, body string, status int, kind, answer, want string) {
		t.Helper()
		if got := play(t, e, op, body, status, kind, answer); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(llm.OpChat, chat("hi", ""), 200, plain, `{"text":"Hello \"you\"","stop":"length"}`,
		`{"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello \"you\""},"finish_reason":"length"}],`+
			`"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":1}}}`+"\nfalse {5 7 12 1 0} length")
	f(llm.OpChat, chat("hi", ""), 200, plain, `{"tool":"add","args":{"a":1}}`,
		`{"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}],`+
			`"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":1}}}`+"\nfalse {5 7 12 1 0} tool_calls")
	f(llm.OpCompletion, `{"model":"m","prompt":"hi"}`, 200, plain, `{"text":"Hello"}`,
		`{"model":"m","choices":[{"text":"Hello","index":0,"logprobs":null,"finish_reason":"stop"}],`+
			`"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":1}}}`+"\nfalse {5 7 12 1 0} stop")
	f(llm.OpEmbedding, `{"model":"m","input":"hi"}`, 200, plain, ``,
		`{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[1,0]}],"usage":{"prompt_tokens":1,"total_tokens":1}}`+"\nfalse {1 0 1 0 0} ")
	f(llm.OpChat, chat("local hello there", ""), 0, "", "",
		`{"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello there"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`+"\nfalse {1 2 3 0 0} stop")
	delta := func(d, finish string) string {
		return `{"model":"m","choices":[{"index":0,"delta":` + d + `,"finish_reason":` + finish + "}]}\n"
	}
	want := delta(`{"role":"assistant","content":""}`, "null") + delta(`{"reasoning_content":"hm"}`, "null") + delta(`{"content":"Hel"}`, "null") +
		delta(`{"content":"lo","tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"add","arguments":"[1]"}}]}`, "null") + delta("{}", `"stop"`)
	usage := `{"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}` + "\n"
	events := []string{`{"thought":"hm"}`, `{"text":"Hel"}`, `{"text":"lo","tool":"add","args":[1]}`, `{"stop":"stop"}`}
	stream := "data: " + strings.Join(events, "\n\ndata: ") + "\n\n"
	f(llm.OpChat, chat("hi", `,"stream":true`), 200, sse, stream, want+"true {3 4 7 0 0} stop")
	f(llm.OpChat, chat("hi", `,"stream":true,"stream_options":{"include_usage":true}`), 200, sse, stream+"data: [DONE]\n\n", want+usage+"true {3 4 7 0 0} stop")
	f(llm.OpChat, chat("hi", `,"stream":true`), 200, ndjson, strings.Join(events, "\n\n"), want+"true {3 4 7 0 0} stop")
}

// A vendor's refusal, a stream that breaks, and a plugin that cannot read it.
func TestProviderFails(t *testing.T) {
	t.Parallel()
	p, _ := hooks(t, named("my-llm"))
	e := speak(t, p)
	const plain, sse = "application/json", "text/event-stream"
	f := func(more string, status int, kind, answer, want string) {
		t.Helper()
		if got := play(t, e, llm.OpChat, chat("hi", more), status, kind, answer); !strings.HasSuffix(got, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	const stream = `,"stream":true`
	f("", 429, plain, `{"why":"slow down, sk-0123456789"}`, "429 my-llm slow down, sk-***")
	f("", 503, plain, `{"error":{"message":"later"}}`, "503 my-llm later")
	f("", 200, plain, `{"odd":1}`, "500 my-llm Plugin my-llm failed.")
	f("", 200, plain, `{}`, "500 my-llm Plugin my-llm failed.")
	f(stream, 200, sse, "", "502 my-llm The stream of my-llm ended before it began.")
	f(stream, 200, sse, "data: {\"text\":\"a\"}\n\n", "500 my-llm The connection broke during the answer.")
	f(stream, 200, sse, "data: {\"text\":\"a\"}\n\ndata: {\"why\":\"no more\"}\n\n", "529 my-llm no more")
	f(stream, 200, "application/jsonl", "{\"text\":\"a\"}\n", "500 my-llm The connection broke during the answer.")
}

// TestProviderSuite runs the suite of all providers against a plugin that relays the API.
func TestProviderSuite(t *testing.T) {
	t.Parallel()
	p := plugintest.Load(t, wasm.Settings{Name: "openai", Path: plugintest.Build(t, "testdata/relay")})
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: "openai", Model: "vendor-model", Base: "https://api.openai.com/v1", APIKey: "sk-0123456789abc"}
	providertest.Run(t, bound{p.Endpoint(t, d)}, d, os.DirFS("../provider/openai/testdata"), providertest.Options{})
}

// bound is a provider of one endpoint.
type bound struct{ provider.Endpoint }

// Bind implements provider.Provider.
func (b bound) Bind(*llm.Deployment) (provider.Endpoint, error) { return b.Endpoint, nil }
