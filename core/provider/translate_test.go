package provider_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// parrot is a vendor with a small API of its own: {"ask":[[role,text]...],"opt":{...}} is answered with {"say":text},
// and a stream with lines {"say":piece} and {"end":reason,"in":n,"out":n}.
func parrot() provider.Translation {
	event := func(t *provider.Turn, data []byte, s *openai.Said) error {
		for c := dialect.Object(data); c.Next(); {
			switch string(c.Key()) {
			case "say":
				s.Text = t.Text(c.Value())
			case "call":
				s.Calls = append(s.Calls, openai.SaidCall{ID: "c1", Name: t.Text(c.Value()), Arguments: "{}"})
			case "end":
				s.Finish = t.Text(c.Value())
			case "in":
				s.Usage.Prompt = dialect.Int(c.Value())
			case "out":
				s.Usage.Completion = dialect.Int(c.Value())
			case "error":
				return t.Fail(429, data)
			}
		}
		return nil
	}
	return provider.Translation{
		Name: "parrot", Base: "https://parrot.example/api", KeyVars: []string{"PARROT_API_KEY"},
		Now: func() time.Time { return time.Unix(7, 0) },
		Chat: &provider.Chat{
			Path: "/talk/{model}", StreamPath: "/sing/{model}", Params: []string{"temperature", "tools"}, Frames: provider.Lines(),
			Request: func(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
				b := dialect.Build(dst)
				b.Open('{').Key("ask").Open('[')
				for i := range r.Messages {
					text, ok := r.Messages[i].Text()
					if !ok {
						return nil, r.BadPart(&r.Messages[i], &r.Messages[i].Parts[0])
					}
					b.Raw(text)
				}
				b.Close(']').Member("heat", r.Get("temperature"))
				for name, v := range r.Rest {
					b.Member(name, v)
				}
				b.Close('}')
				return b.Bytes(), nil
			},
			Whole: func(t *provider.Turn, body []byte, s *openai.Said) error { return event(t, body, s) },
			Events: func(t *provider.Turn) func(*provider.Event, *openai.Said) error {
				return func(e *provider.Event, s *openai.Said) error { return event(t, e.Data, s) }
			},
		},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpSpeech: {
				Path: "/squawk", Params: []string{"voice"}, Verbatim: true,
				Request: func(t *provider.Turn, dst []byte) ([]byte, error) {
					b := dialect.Build(dst)
					b.Open('{').Member("words", t.Params.Get("input")).Member("bird", t.Params.Get("voice")).Close('}')
					return b.Bytes(), nil
				},
			},
		},
	}
}

func exchange(t testing.TB, op llm.Operation, body string) *llm.Exchange {
	t.Helper()
	x := new(llm.Exchange)
	x.Reset()
	x.Op = op
	copy(x.ID[:], "id")
	if err := x.Body.Parse([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := openai.Decode(x); err != nil {
		t.Fatal(err)
	}
	return x
}

func parrotOf(t testing.TB, change func(*llm.Deployment)) provider.Endpoint {
	t.Helper()
	d := &llm.Deployment{Group: "g", Model: "grey/1 a", APIKey: "secret-key"}
	if change != nil {
		change(d)
	}
	e, err := provider.Translate(parrot()).Bind(d)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTranslatedEncode(t *testing.T) {
	t.Parallel()
	f := func(op llm.Operation, body, path, want string, change func(*llm.Deployment)) {
		t.Helper()
		var c llm.Call
		err := parrotOf(t, change).Encode(exchange(t, op, body), &c)
		got := string(bytes.Join(c.Body, nil))
		if err != nil {
			got = llm.AsError(err).Message
		}
		if !strings.HasPrefix(got, want) || want == "" || string(c.Path) != path {
			t.Errorf("%s: %s %s, want %s %s", body, c.Path, got, path, want)
		}
	}
	hi := `"messages":[{"role":"user","content":"hi \u00e9"}]`
	f(llm.OpChat, `{`+hi+`}`, "/api/talk/grey/1%20a", `{"ask":["hi \u00e9"]}`, nil)
	f(llm.OpChat, `{"stream":true,`+hi+`,"temperature":0.5,"wings":2,"user":"u","n":1}`, "/api/sing/grey/1%20a",
		`{"ask":["hi \u00e9"],"heat":0.5,"wings":2}`, nil)
	f(llm.OpChat, `{`+hi+`,"seed":1,"n":2}`, "",
		"litellm.UnsupportedParamsError: parrot does not support parameters: ['seed', 'n'], for model=grey/1 a.", nil)
	f(llm.OpChat, `{`+hi+`,"seed":1,"n":2,"drop_params":true}`, "/api/talk/grey/1%20a", `{"ask":["hi \u00e9"]}`, nil)
	f(llm.OpChat, `{`+hi+`,"seed":1,"allowed_openai_params":["seed"]}`, "/api/talk/grey/1%20a", `{"ask":["hi \u00e9"],"seed":1}`, nil)
	f(llm.OpChat, `{`+hi+`,"wings":1,"additional_drop_params":["wings"]}`, "/api/talk/grey/1%20a", `{"ask":["hi \u00e9"]}`, nil)
	f(llm.OpChat, `{`+hi+`,"wings":1,"beak":1,"extra_body":{"wings":2}}`, "/api/talk/grey/1%20a?v=1",
		`{"ask":["hi \u00e9"],"beak":3,"wings":2,"claws":4}`, func(d *llm.Deployment) {
			d.Base = "https://x.example/api?v=1"
			d.ExtraBody, d.Defaults = []llm.Pair{{Name: "beak", Value: "3"}}, []llm.Pair{{Name: "claws", Value: "4"}, {Name: "wings", Value: "9"}}
		})
	f(llm.OpCompletion, `{"prompt":["once"]}`, "/api/talk/grey/1%20a", `{"ask":["once"]}`, nil)
	f(llm.OpCompletion, `{"prompt":["once","twice"]}`, "", "`prompt` must be one text", nil)
	f(llm.OpSpeech, `{"input":"hi","voice":"low"}`, "/api/squawk", `{"words":"hi","bird":"low"}`, nil)
	f(llm.OpEmbedding, `{"input":"hi"}`, "", "litellm.BadRequestError: parrot does not offer embeddings", nil)
	f(llm.OpChat, `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":"https://a/b"}]}]}`, "/api/talk/grey/1%20a",
		"`messages[0].content[0]` is of the type image_url, which cannot be sent to parrot in this place.", nil)
	f(llm.OpChat, `{`+hi+`,"extra_headers":{"authorization":"x"}}`, "",
		"Invalid request: `extra_headers` holds \"authorization\", which the deployment sets itself.", nil)
}

func TestTranslatedHead(t *testing.T) {
	t.Parallel()
	var c llm.Call
	e := parrotOf(t, func(d *llm.Deployment) { d.ExtraHeaders = []llm.Pair{{Name: "User-Agent", Value: "u"}} })
	if err := e.Encode(exchange(t, llm.OpChat, `{"messages":[{"role":"user","content":"x"}],"extra_headers":{"x-a":"b"}}`), &c); err != nil {
		t.Fatal(err)
	}
	want := "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nUser-Agent: u\r\nAuthorization: Bearer secret-key\r\n"
	if d := cmp.Diff(want, string(c.Head)); d != "" || len(c.Header) != 1 || c.Target.Addr != "parrot.example:443" {
		t.Errorf("%s %v %v", d, c.Header, c.Target)
	}
}

func TestTranslatedBind(t *testing.T) {
	t.Parallel()
	f := func(want string, change func(*llm.Deployment)) {
		t.Helper()
		d := &llm.Deployment{Group: "g", Model: "m", APIKey: "k"}
		change(d)
		_, err := provider.Translate(parrot()).Bind(d)
		if err == nil || err.Error() != "model_name g: litellm_params."+want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	f("model is missing", func(d *llm.Deployment) { d.Model = "" })
	f("api_key is missing; it can also be set as PARROT_API_KEY", func(d *llm.Deployment) { d.APIKey = "" })
	f("api_key holds a line break or another control character", func(d *llm.Deployment) { d.APIKey = "a\nb" })
	f("api_base must begin with https:// or http://", func(d *llm.Deployment) { d.Base = "ftp://x" })
	f("extra_body must not set messages, which belongs to the caller and the gateway",
		func(d *llm.Deployment) { d.ExtraBody = []llm.Pair{{Name: "messages", Value: "[]"}} })
	f(`wings holds a value for wings that is not JSON`, func(d *llm.Deployment) { d.Defaults = []llm.Pair{{Name: "wings", Value: "{"}} })
}

// decode decodes an answer and returns its parts, and how it ended.
func decode(t testing.TB, x *llm.Exchange, kind, text string, end error) string {
	t.Helper()
	x.Model = "mine"
	a := &llm.Answer{Status: 200, Size: -1, Body: io.NopCloser(io.MultiReader(strings.NewReader(text), broken{end}))}
	a.Header = llm.Header{{Name: []byte("Content-Type"), Value: []byte(kind)}}
	var r llm.Reply
	if err := parrotOf(t, nil).Decode(x, a, &r); err != nil {
		return llm.AsError(err).Message
	}
	var out strings.Builder
	p, err := r.First, error(nil)
	for ; err == nil; err = r.Rest.Next(&p) {
		out.Write(p.Data)
		out.WriteByte('\n')
	}
	if !errors.Is(err, io.EOF) {
		out.WriteString(llm.AsError(err).Message + "\n")
	}
	if err := r.Rest.Close(); err != nil {
		t.Error(err)
	}
	return out.String() + r.Finish
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) {
	if b.err == nil {
		return 0, io.EOF
	}
	return 0, b.err
}

func TestTranslatedDecode(t *testing.T) {
	t.Parallel()
	f := func(op llm.Operation, body, kind, text, want string) {
		t.Helper()
		got := decode(t, exchange(t, op, body), kind, text, nil)
		got = strings.ReplaceAll(got, `"id":"chatcmpl-id`+strings.Repeat("\x00", len(llm.ID{})-2)+`","object":"chat.completion.chunk","created":7,"model":"mine",`, "")
		got = strings.ReplaceAll(got, `"id":"chatcmpl-id`+strings.Repeat("\x00", len(llm.ID{})-2)+`",`, "")
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
	const whole, lines, sse = "application/json", "application/x-ndjson; charset=utf-8", "text/event-stream"
	ask := `{"messages":[{"role":"user","content":"x"}]}`
	stream := `{"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]}`
	f(llm.OpChat, ask, whole, `{"say":"a\tb","end":"length","in":2,"out":3}`,
		`{"object":"chat.completion","created":7,"model":"mine","choices":[{"index":0,"message":{"role":"assistant","content":"a\tb"},"finish_reason":"length"}],`+
			`"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}`+"\nlength")
	f(llm.OpChat, ask, whole, `{"call":"fly","end":"stop"}`,
		`{"object":"chat.completion","created":7,"model":"mine","choices":[{"index":0,"message":{"role":"assistant","content":null,`+
			`"tool_calls":[{"id":"c1","type":"function","function":{"name":"fly","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}`+"\ntool_calls")
	f(llm.OpChat, ask, whole, ``, "The answer of parrot is empty.")
	f(llm.OpChat, ask, whole, `<p>`, "The answer of parrot is not JSON.")
	f(llm.OpChat, ask, whole, `{"error":{"message":"slow down, secret-key"}}`, "slow down, ***")
	f(llm.OpChat, stream, lines, "{\"say\":\"a\"}\n\n{\"say\":\"b\"}\n{\"end\":\"stop\",\"in\":1,\"out\":2}",
		`{"choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}
{"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":null}]}
{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}
stop`)
	f(llm.OpChat, stream, lines, "{\"say\":\"a\"}\n{\"say\":", `{"choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}
The connection broke during the answer.
`)
	f(llm.OpChat, stream, lines, "{\"error\":\"no\"}\n", "no")
	f(llm.OpChat, stream, lines, "", "The stream of parrot ended before it began.")
	// Asked for one, given the other.
	f(llm.OpChat, stream, whole, `{"say":"a","end":"stop"}`, `{"choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}
{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
stop`)
	f(llm.OpChat, ask, lines, "{\"say\":\"a\"}\n{\"say\":\"b\"}\n{\"end\":\"stop\"}\n",
		`{"object":"chat.completion","created":7,"model":"mine","choices":[{"index":0,"message":{"role":"assistant","content":"ab"},"finish_reason":"stop"}]}`+"\nstop")
	f(llm.OpSpeech, `{"input":"x"}`, "audio/mpeg", "\x00\x01", "\x00\x01\n")
}
