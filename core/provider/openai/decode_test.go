package openai_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	dialect "github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/openai"
)

// body is an answer's body in memory.
type body struct {
	bytes.Reader
	err    error // what reading ends with; nil is io.EOF
	closed int
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.err != nil {
		err = b.err
	}
	return n, err
}

func (b *body) Close() error {
	b.closed++
	return nil
}

func answer(status int, text string) (*llm.Answer, *body) {
	b := &body{}
	b.Reset([]byte(text))
	return &llm.Answer{
		Status: status, Body: b, Size: len(text),
		Streamed: strings.HasPrefix(text, "data:") || strings.HasPrefix(text, "event:"),
	}, b
}

// drain reads a reply to its end and closes it.
func drain(t testing.TB, r *llm.Reply) (parts []string, err error) {
	t.Helper()
	p := r.First
	for err == nil {
		parts = append(parts, string(p.Data))
		err = r.Rest.Next(&p)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if cerr := r.Rest.Close(); cerr != nil {
		t.Errorf("Close: %v", cerr)
	}
	return parts, err
}

func TestDecodeModel(t *testing.T) {
	t.Parallel()
	f := func(in, model, want string, fallbacks int) {
		t.Helper()
		x := request(t, `{"model":"`+model+`"}`)
		x.Fallbacks = fallbacks
		a, _ := answer(200, in)
		var r llm.Reply
		if err := bind(t, openai.Settings{}, deployment()).Decode(x, a, &r); err != nil {
			t.Errorf("%s: %v", in, err)
			return
		}
		got, err := drain(t, &r)
		if diff := cmp.Diff([]string{want}, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", in, err, diff)
		}
	}
	f(`{"id":1,"model":"gpt-4o","x":[]}`, "gpt-4o", `{"id":1,"model":"gpt-4o","x":[]}`, 0)
	f(`{"id":1,"model":"gpt-4o-2024","x":[]}`, "a", `{"id":1,"model":"a","x":[]}`, 0)
	f(`{"id":1,"model":"a","x":[]}`, "gpt-4o-2024", `{"id":1,"model":"gpt-4o-2024","x":[]}`, 0)
	f(`{"id":1,"x":[],"long":"`+strings.Repeat("x", 100)+`","model":"abc","y":1}`, "a",
		`{"id":1,"x":[],"long":"`+strings.Repeat("x", 100)+`","model":"a","y":1}`, 0)
	f(`{"id":1}`, "a", `{"model":"a","id":1}`, 0)
	f(`{"model":null}`, "a", `{"model":"a"}`, 0)
	f(`{"model":"b"}`, strings.Repeat("m", 400), `{"model":"`+strings.Repeat("m", 400)+`"}`, 0)
	f(`{"model":"b"}`, "a", `{"model":"b"}`, 1)
	f(`{"model":"b"}`, "", `{"model":"b"}`, 0)
}

func TestDecodeLimits(t *testing.T) {
	t.Parallel()
	f := func(limit int64, text string, stream bool, size int, want llm.Kind) {
		t.Helper()
		x := request(t, `{"model":"m"}`)
		x.Streamed = stream
		a, b := answer(200, text)
		a.Size = size
		var r llm.Reply
		err := bind(t, openai.Settings{MaxResponse: limit}, deployment()).Decode(x, a, &r)
		if err == nil {
			_, err = drain(t, &r)
		}
		if want == 0 && err != nil || want != 0 && !errors.Is(err, &llm.Error{Kind: want, Message: ""}) && kind(err) != want {
			t.Errorf("%.40s: got %v, want kind %d", text, err, want)
		}
		if b.closed != 1 {
			t.Errorf("%.40s: the body was closed %d times", text, b.closed)
		}
	}
	whole := `{"model":"m","choices":[]}`
	f(int64(len(whole)), whole, false, -1, 0)
	f(int64(len(whole))-1, whole, false, -1, llm.KindTooLarge)
	f(int64(len(whole))-1, whole, false, len(whole), llm.KindTooLarge)
	events := strings.Repeat(`data: {"choices":[{"delta":{}}]}`+"\n\n", 10) + "data: [DONE]\n\n"
	f(int64(len(events)), events, true, -1, 0)
	f(int64(len(events))-20, events, true, -1, llm.KindTooLarge)
	f(20, events, true, -1, llm.KindTooLarge)
}

func kind(err error) llm.Kind {
	var e *llm.Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 255
}

func TestDecodeHidesTheKey(t *testing.T) {
	t.Parallel()
	a, _ := answer(401, `{"error":{"message":"no such key: secret-of-ours"}}`)
	d := deployment(func(d *llm.Deployment) { d.APIKey = "secret-of-ours" })
	var r llm.Reply
	err := bind(t, openai.Settings{}, d).Decode(request(t, `{}`), a, &r)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// TestDecodeForeignRefusals reads refusals in forms that are none of OpenAI's, as two vendors behind its API send them
// (https://ragflow.io/docs/dev/http_api_reference#error-codes, https://www.recraft.ai/docs/api-reference/error-handling).
func TestDecodeForeignRefusals(t *testing.T) {
	t.Parallel()
	f := func(status int, text string, want llm.Kind, message string) {
		t.Helper()
		for _, body := range []string{`{}`, `{"stream":true}`} {
			a, _ := answer(status, text)
			var r llm.Reply
			err := bind(t, openai.Settings{}, deployment()).Decode(request(t, body), a, &r)
			if kind(err) != want || llm.AsError(err).Message != message {
				t.Errorf("%d %s gave %v, kind %d; want kind %d", status, text, err, kind(err), want)
			}
		}
	}
	f(200, `{"code":109,"data":false,"message":"Authentication error: API key is invalid!"}`, llm.KindAuthentication, "Authentication error: API key is invalid!")
	f(200, `{"code":108,"data":null,"message":"No authorization."}`, llm.KindPermission, "No authorization.")
	f(200, `{"code":102,"message":"You don't own the chat c1"}`, llm.KindBadRequest, "You don't own the chat c1")
	f(200, `{"code":100,"data":null,"message":"oops"}`, llm.KindInternal, "oops")
	f(401, "request unauthorized", llm.KindAuthentication, "request unauthorized")
	f(404, "404 page not found", llm.KindNotFound, "404 page not found")
}

const wholeAnswer = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,` +
	`"message":{"role":"assistant","content":"Hello there, how are you?"},"finish_reason":"stop"}],` +
	`"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}`

func eventsAnswer() string {
	head := `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[`
	return head + `{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}` + "\n\n" +
		strings.Repeat(head+`{"index":0,"delta":{"content":" word"},"finish_reason":null}],"usage":null}`+"\n\n", 16) +
		head + `{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}` + "\n\n" +
		head + `],"usage":{"prompt_tokens":10,"completion_tokens":17,"total_tokens":27}}` + "\n\ndata: [DONE]\n\n"
}

// once decodes an answer and reads the reply to its end.
type once struct {
	b    body
	a    llm.Answer
	r    llm.Reply
	text []byte
}

func (o *once) run(t testing.TB, e interface {
	Decode(*llm.Exchange, *llm.Answer, *llm.Reply) error
}, x *llm.Exchange,
) {
	o.b.Reset(o.text)
	o.a = llm.Answer{Status: 200, Body: &o.b, Size: -1, Streamed: x.Streamed}
	o.r = llm.Reply{}
	if err := e.Decode(x, &o.a, &o.r); err != nil {
		t.Fatal(err)
	}
	for {
		if err := o.r.Rest.Next(&o.r.First); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	o.r.Rest.Close()
}

func TestDecodeAllocatesNothing(t *testing.T) {
	f := func(text string, stream bool) {
		t.Helper()
		e := bind(t, openai.Settings{}, deployment())
		x := request(t, `{"model":"a-rather-long-name-for-a-model"}`)
		x.Streamed = stream
		o := &once{text: []byte(text)}
		if n := testing.AllocsPerRun(200, func() { o.run(t, e, x) }); n != 0 {
			t.Errorf("stream %v: %v allocations", stream, n)
		}
		if !o.r.Usage.Known() || o.r.Finish != "stop" {
			t.Errorf("stream %v: usage %+v, finish %q", stream, o.r.Usage, o.r.Finish)
		}
	}
	f(wholeAnswer, false)
	f(eventsAnswer(), true)
}

func BenchmarkDecodeWhole(b *testing.B)  { benchmark(b, wholeAnswer, false) }
func BenchmarkDecodeStream(b *testing.B) { benchmark(b, eventsAnswer(), true) }

func benchmark(b *testing.B, text string, stream bool) {
	e := bind(b, openai.Settings{}, deployment())
	x := request(b, `{"model":"mine"}`)
	x.Streamed = stream
	o := &once{text: []byte(text)}
	b.ReportAllocs()
	for b.Loop() {
		o.run(b, e, x)
	}
}

func TestStreamEnds(t *testing.T) {
	t.Parallel()
	f := func(text string, streamed bool, parts int, want llm.Kind) {
		t.Helper()
		x := request(t, `{"model":"m"}`)
		x.Streamed = streamed
		a, _ := answer(200, text)
		var r llm.Reply
		var got []string
		err := bind(t, openai.Settings{}, deployment()).Decode(x, a, &r)
		if err == nil {
			got, err = drain(t, &r)
		}
		if len(got) != parts || (want == 0) != (err == nil) || want != 0 && kind(err) != want {
			t.Errorf("%q: %d parts, %v; want %d parts, kind %d", text, len(got), err, parts, want)
		}
	}
	begun := `data: {"choices":[{"delta":{"content":"a"}}]}` + "\n\n"
	last := `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}`
	for _, streamed := range []bool{true, false} {
		parts := 2
		if !streamed {
			parts = 1
		}
		f(begun+last+"\n\ndata: [DONE]\n\n", streamed, parts, 0)
		f(begun+last+"\n\ndata: [DONE]\n", streamed, parts, 0)
		f(begun+last+"\n\ndata: [DONE]", streamed, parts, 0)
		f(begun+last+"\n\n", streamed, parts, 0)
		f(begun+last+"\n", streamed, parts, 0)
		f(begun+last, streamed, parts, 0)
	}
	f(begun+last[:30], true, 1, llm.KindConnection)
	f(begun+last[:30], false, 0, llm.KindBadGateway)
	f(begun, true, 1, llm.KindConnection)
	f(begun, false, 0, llm.KindConnection)
	f("data: [DONE]\n\n", false, 0, llm.KindBadGateway)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(wholeAnswer), 200, false)
	f.Add([]byte(eventsAnswer()), 200, true)
	f.Add([]byte(eventsAnswer()), 200, false)
	f.Add([]byte(wholeAnswer), 200, true)
	f.Add([]byte(`{"error":{"message":"m"}}`), 429, true)
	f.Add([]byte("data: {\"error\":\"x\"}\n\n"), 200, true)
	e := bind(f, openai.Settings{MaxResponse: 1 << 16}, deployment())
	f.Fuzz(func(t *testing.T, text []byte, status int, streamed bool) {
		x := request(t, `{"model":"m\"é"}`)
		x.Streamed = streamed
		a, b := answer(status, string(text))
		var r llm.Reply
		err := e.Decode(x, a, &r)
		if err == nil {
			p := r.First
			for ; err == nil; err = r.Rest.Next(&p) {
				if len(p.Data) == 0 {
					t.Error("an empty part")
				}
			}
			r.Rest.Close()
		}
		var typed *llm.Error
		if err != io.EOF && !errors.As(err, &typed) {
			t.Errorf("%q: %v is a %T", text, err, err)
		}
		if b.closed != 1 {
			t.Errorf("%q: closed %d times", text, b.closed)
		}
	})
}

func FuzzEncode(f *testing.F) {
	f.Add([]byte(`{"model":"a","stream":true,"stream_options":{"x":1},"metadata":{},"n":2}`))
	f.Add([]byte(`{"extra_body":{"a":1},"extra_headers":{"X":"y"},"additional_drop_params":["seed"],"seed":1}`))
	f.Add([]byte(` {"max_completion_tokens" : 1 , "timeout":2}`))
	s := openai.Settings{Name: "v", Base: "http://h", Unsupported: []string{"n"}, Rename: []llm.Pair{{Name: "max_completion_tokens", Value: "max_tokens"}}}
	e := bind(f, s, deployment(func(d *llm.Deployment) {
		d.Defaults = []llm.Pair{{Name: "temperature", Value: "1"}}
		d.ExtraBody = []llm.Pair{{Name: "top_k", Value: "5"}}
	}))
	f.Fuzz(func(t *testing.T, text []byte) {
		x := new(llm.Exchange)
		x.Reset()
		x.Op = llm.OpChat
		if !json.Valid(text) || x.Body.Parse(text) != nil || dialect.Decode(x) != nil {
			return
		}
		var c llm.Call
		if e.Encode(x, &c) != nil {
			return
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal([]byte(sent(&c)), &got); err != nil {
			t.Fatalf("%q becomes %q: %v", text, sent(&c), err)
		}
		var again llm.Object
		if err := again.Parse([]byte(sent(&c))); err != nil {
			t.Fatalf("%q becomes %q: %v", text, sent(&c), err)
		}
		if string(got["model"]) != `"gpt-4o"` || string(got["top_k"]) != "5" {
			t.Errorf("%q becomes %q", text, sent(&c))
		}
		for key := range got {
			if dialect.Control([]byte(key)) && key != "metadata" && x.Controls.ExtraBody == nil {
				t.Errorf("%q becomes %q, which holds %q", text, sent(&c), key)
			}
		}
	})
}
