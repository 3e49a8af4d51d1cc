package openai_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
