package gemini_test

import (
	"io"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/gemini"
)

const (
	benchPart  = `{"candidates":[{"content":{"parts":[{"text":"Hello, how are you?"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":500,"candidatesTokenCount":9,"totalTokenCount":509},"modelVersion":"gemini-2.5-flash","responseId":"r1"}`
	benchWhole = `{"candidates":[{"content":{"parts":[{"text":"Hello, how are you?"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":500,"candidatesTokenCount":9,"totalTokenCount":509},"modelVersion":"gemini-2.5-flash","responseId":"r1"}`
)

func BenchmarkWhole(b *testing.B)  { bench(b, llm.DialectOpenAI, benchWhole, false) }
func BenchmarkNative(b *testing.B) { bench(b, llm.DialectGoogle, benchWhole, false) }

// A stream has 200 events.
func BenchmarkStream(b *testing.B)       { bench(b, llm.DialectOpenAI, benchStream(), true) }
func BenchmarkStreamNative(b *testing.B) { bench(b, llm.DialectGoogle, benchStream(), true) }

func benchStream() string {
	return strings.Repeat("data: "+benchPart+"\r\n\r\n", 199) + "data: " + benchWhole + "\r\n\r\n"
}

// bench sends a request of 2 KB and reads the answer.
func bench(b *testing.B, dialect llm.Dialect, answer string, stream bool) {
	b.Helper()
	e, err := gemini.New(settings()).Bind(deployment(nil))
	if err != nil {
		b.Fatal(err)
	}
	text := strings.Repeat("All work and no play. ", 90)
	request := `{"messages":[{"role":"system","content":"You help."},{"role":"user","content":"` + text + `"}],"temperature":0.5}`
	header := llm.Header{{Name: []byte("Content-Type"), Value: []byte("application/json")}}
	if dialect == llm.DialectGoogle {
		request = `{"contents":[{"role":"user","parts":[{"text":"` + text + `"}]}],"generationConfig":{"temperature":0.5}}`
	}
	if stream {
		header[0].Value = []byte("text/event-stream")
	}
	x := new(llm.Exchange)
	var c llm.Call
	b.ReportAllocs()
	for b.Loop() {
		x.Reset()
		c = llm.Call{Body: c.Body[:0]}
		x.Op, x.Dialect, x.AsNative = llm.OpChat, dialect, dialect == llm.DialectGoogle
		o, decode := &x.Body, openai.Decode
		if x.AsNative {
			o, decode = &x.Native, openai.DecodeNative
		}
		if err := o.Parse([]byte(request)); err != nil {
			b.Fatal(err)
		}
		if err := decode(x); err != nil {
			b.Fatal(err)
		}
		x.Streamed = stream
		if err := e.Encode(x, &c); err != nil {
			b.Fatal(err)
		}
		a := llm.Answer{Status: 200, Size: -1, Streamed: stream, Header: header, Body: io.NopCloser(strings.NewReader(answer))}
		var r llm.Reply
		if err := e.Decode(x, &a, &r); err != nil {
			b.Fatal(err)
		}
		p := r.First
		for err == nil {
			err = r.Rest.Next(&p)
		}
		if err != io.EOF || r.Rest.Close() != nil {
			b.Fatal(err)
		}
		err = nil
	}
}
