package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// endpoint binds a deployment to the finished module in the gateway's host.
func endpoint(t testing.TB, base string) provider.Endpoint {
	t.Helper()
	p := plugintest.Load(t, wasm.Settings{Path: plugintest.Build(t, "."), Config: map[string]any{"prefix": "echo: "}})
	return p.Endpoint(t, &llm.Deployment{ID: "d", Group: "m", Provider: "echo", Model: "loud", Base: base, APIKey: "sk-1"})
}

// text joins what the parts of an answer say.
func text(t testing.TB, parts []string) (said, finish string) {
	t.Helper()
	for _, part := range parts {
		var chunk struct {
			Choices []struct {
				Message, Delta struct{ Content string }
				Text           string
				FinishReason   string `json:"finish_reason"`
			}
		}
		if err := json.Unmarshal([]byte(part), &chunk); err != nil {
			t.Fatalf("%s: %v", part, err)
		}
		for _, c := range chunk.Choices {
			said += c.Message.Content + c.Delta.Content + c.Text
			finish += c.FinishReason
		}
	}
	return said, finish
}

const chat = `{"model":"m","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"say \"hi\"\n"},{"role":"assistant","content":"ok"}]`

func TestAnswersItself(t *testing.T) {
	t.Parallel()
	e := endpoint(t, "")
	says := func(op llm.Operation, body, want string) {
		t.Helper()
		parts, reply, err := plugintest.Call(t, e, op, body, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, finish := text(t, parts); got != want || finish != "stop" || reply.Usage.Total == 0 {
			t.Errorf("got %q, finish %q, usage %v", got, finish, reply.Usage)
		}
	}
	says(llm.OpChat, chat+`}`, "echo: say \"hi\"\n")
	says(llm.OpChat, chat+`,"stream":true}`, "echo: say \"hi\"\n")
	says(llm.OpCompletion, `{"model":"m","prompt":"hello"}`, "echo: hello")
	refuses := func(op llm.Operation, body, want string) {
		t.Helper()
		if _, _, err := plugintest.Call(t, e, op, body, nil); err == nil || llm.AsError(err).HTTPStatus() != 400 || llm.AsError(err).Message != want {
			t.Errorf("%s: got %v", body, err)
		}
	}
	refuses(llm.OpEmbedding, `{"model":"m","input":"hello"}`, "An echo has no embeddings.")
	refuses(llm.OpChat, `{"model":"m","messages":[{"role":"assistant","content":"ok"}]}`, "There is no text to say again.")
}

// service answers as the API in decode's comment.
func service(t testing.TB) plugintest.Vendor {
	return func(method, url string, header http.Header, body string) (int, string, string) {
		var q struct {
			Voice, Text string
			Stream      bool
		}
		if err := json.Unmarshal([]byte(body), &q); err != nil || method != "POST" || url != "https://echo.example.com/v1/say" {
			t.Errorf("the service got %s %s %s", method, url, body)
		}
		if header.Get("Authorization") != "Bearer sk-1" || q.Voice != "loud" {
			return 401, "application/json", `{"problem":"who are you?"}`
		}
		if !q.Stream {
			b, _ := json.Marshal(map[string]any{"said": q.Text, "words_in": 5, "words_out": len(strings.Fields(q.Text))})
			return 200, "application/json", string(b)
		}
		var events strings.Builder
		for word := range strings.SplitAfterSeq(q.Text, " ") {
			b, _ := json.Marshal(map[string]any{"word": word})
			fmt.Fprintf(&events, "data: %s\n\n", b)
		}
		return 200, "text/event-stream", events.String() + "data: {\"done\":true,\"words_in\":5}\n\n"
	}
}

func TestService(t *testing.T) {
	t.Parallel()
	e := endpoint(t, "https://echo.example.com/v1/")
	for _, stream := range []string{`}`, `,"stream":true}`} {
		parts, reply, err := plugintest.Call(t, e, llm.OpChat, chat+stream, service(t))
		if err != nil {
			t.Fatal(err)
		}
		said, finish := text(t, parts)
		if said != "echo: say \"hi\"\n" || finish != "stop" || reply.Usage != (llm.Usage{Prompt: 5, Completion: 3, Total: 8}) {
			t.Errorf("got %q, finish %q, usage %v", said, finish, reply.Usage)
		}
		if stream != "}" && len(parts) < 4 {
			t.Errorf("a stream of %d parts: %q", len(parts), parts)
		}
	}
}

func TestServiceFails(t *testing.T) {
	t.Parallel()
	e := endpoint(t, "https://echo.example.com/v1")
	fails := func(stream bool, status int, answer, want string) {
		t.Helper()
		kind, body := "application/json", chat+"}"
		if stream {
			body = chat + `,"stream":true}`
			if status == 200 {
				kind = "text/event-stream"
			}
		}
		_, _, err := plugintest.Call(t, e, llm.OpChat, body, func(string, string, http.Header, string) (int, string, string) { return status, kind, answer })
		if err == nil || !strings.Contains(fmt.Sprint(llm.AsError(err).HTTPStatus(), " ", llm.AsError(err).Message), want) {
			t.Errorf("%s: got %v, want %q", answer, err, want)
		}
	}
	fails(false, 429, `{"problem":"not so loud"}`, "429 not so loud")
	fails(true, 503, `{}`, "503 ")
	fails(false, 200, `{"text":"x"}`, "500 Plugin echo-provider failed.")
	fails(false, 200, `not JSON`, "500 Plugin echo-provider failed.")
	fails(true, 200, "data: {\"word\":\"a\"}\n\ndata: {\"problem\":\"hoarse\"}\n\n", "502 hoarse")
	fails(true, 200, "data: {\"odd\":1}\n\n", "500 Plugin echo-provider failed.")
}

// FuzzQuoted compares the writer of strings with encoding/json.
func FuzzQuoted(f *testing.F) {
	f.Add("a\"\\\n\x00\u2028é")
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal([]byte(quoted(s)), &got); err != nil || got != strings.ToValidUTF8(s, "\ufffd") && strings.ToValidUTF8(s, "") == s {
			t.Fatalf("%q became %s: %v", s, quoted(s), err)
		}
	})
}

func TestExample(t *testing.T) {
	t.Parallel()
	plugintest.LoadExample(t, plugintest.Build(t, "."), "README.md")
}
