package plugintool_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/plugintool"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

func TestParseInput(t *testing.T) {
	t.Parallel()
	same := func(a, b string) {
		t.Helper()
		x, err := plugintool.ParseInput([]byte(a))
		if err != nil {
			t.Fatal(err)
		}
		y, err := plugintool.ParseInput([]byte(b))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(x, y); diff != "" {
			t.Errorf("%s is not %s: %s", a, b, diff)
		}
	}
	same(`{"path":"/v1/embeddings","params":{"n":1,"f":0.5}}`, "path: /v1/embeddings\nparams: {n: 1, f: 0.5}\n")
	same("http:\n  - {url: \"https://a.example/*\", status: 204}", `{"http":[{"url":"https://a.example/*","status":204}]}`)

	mistake := func(input, want string) {
		t.Helper()
		if _, err := plugintool.ParseInput([]byte(input)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", input, err, want)
		}
	}
	mistake(`{"messages":[]}`, `there is no member "messages": `)
	mistake(`{"path":1}`, "cannot unmarshal number")
	mistake("\tx", "neither JSON nor YAML")
	mistake(`{"leave":-1}`, "not below 0")
	mistake(`{"http":[{"url":"api.example.com"}]}`, "http.0: url: it is absolute")
	mistake(`{"http":[{"url":"https://a.example","error":"fire"}]}`, `http.0: error "fire": it is timeout or connection`)
}

// FuzzParseInput reads foreign files: nothing panics.
func FuzzParseInput(f *testing.F) {
	f.Add([]byte(`{"stream":["a",{"choices":[]}],"kv":{"a":"b"}}`))
	f.Add([]byte("records:\n  - {id: a, start: 2026-01-02T03:04:05Z}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := plugintool.ParseInput(b)
		if (in == nil) == (err == nil) {
			t.Fatalf("input %v, error %v", in, err)
		}
		var other plugintool.Input
		_ = other.SetResponse(b)
	})
}

// TestExamples shows an input for each hook, by each of its names.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, hook := range append(plugintool.Hooks(), "sso_begin", "sso_callback", "stream_chunk", "stream_end", "key-generate") {
		b, err := plugintool.Example(hook)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plugintool.ParseInput(b); err != nil || !json.Valid(b) {
			t.Errorf("%s: %v\n%s", hook, err, b)
		}
	}
	if _, err := plugintool.Example("paint"); err == nil {
		t.Error("there is an example for a hook that does not exist")
	}
}

// TestScript shows what a plugin meets that calls services: answers in turn, failures, and what nobody scripted.
func TestScript(t *testing.T) {
	t.Parallel()
	module := plugintest.Build(t, "../../plugins/lakera")
	says := func(script, want string) {
		t.Helper()
		in, err := plugintool.ParseInput([]byte(`{"request":{"model":"m","messages":[{"role":"user","content":"hello"}]},"http":` + script + `}`))
		if err != nil {
			t.Fatal(err)
		}
		in.Secrets = map[string]string{"LAKERA_API_KEY": "key"}
		o, err := plugintool.Trial{Settings: wasm.Settings{Path: module}, Hook: "request", Input: *in}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := o.Write(&text); err != nil || !strings.Contains(text.String(), want) {
			t.Errorf("%s: no %q in\n%s", script, want, &text)
		}
	}
	says(`[{"url":"https://api.lakera.ai/*","body":{"flagged":false}}]`, "request: continue")
	says(`[{"url":"https://api.lakera.ai/*","body":{"flagged":true}}]`, "request: reject, status 400")
	says(`[{"url":"https://api.lakera.ai/*","error":"timeout"}]`, ": timeout\n")
	says(`[{"url":"https://api.lakera.ai/*","error":"connection"}]`, "request: fail")
	says(`[{"url":"https://api.lakera.ai/*","status":500}]`, "request: fail")
	says(`[{"url":"https://api.lakera.ai/elsewhere"}]`, ": not scripted\n")
}

// TestStreams shows streams that end before their time, and what hooks for other answers make of one.
func TestStreams(t *testing.T) {
	t.Parallel()
	module := plugintest.Build(t, "../../plugins/pii")
	steps := func(input, hook string) string {
		t.Helper()
		in, err := plugintool.ParseInput([]byte(input))
		if err != nil {
			t.Fatal(err)
		}
		o, err := plugintool.Trial{Settings: wasm.Settings{Path: module}, Hook: hook, Input: *in}.Run(t.Context())
		if err != nil {
			return err.Error()
		}
		var b strings.Builder
		for _, s := range o.Steps {
			b.WriteString(s.Who + " " + s.Text + "\n")
		}
		return b.String()
	}
	has := func(got, want string) {
		t.Helper()
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	long := strings.Repeat("words and words ", 20)
	has(steps(`{"stream":["`+long+`","`+long+`"],"leave":1}`, "stream"), "caller leaves\n")
	has(steps(`{"response":"whole"}`, "stream_chunk"), "looks at a streamed answer, and this one is not")
	has(steps(`{}`, "stream"), "give the input the member stream")
	has(steps(`{"stream":[{"choices":[{"index":0,"delta":{"content":"one"}}]}]}`, "stream"), `model "one"`)
}
