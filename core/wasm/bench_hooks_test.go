package wasm_test

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/callback"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// BenchmarkLog is the cost of a record in a batch of 512, off the path of requests.
func BenchmarkLog(b *testing.B) {
	p, _ := hooks(b, func(s *wasm.Settings) { s.Config = nil })
	sink := p.Sink(wasm.SinkOptions{})
	rec := records("m")[0]
	rec.ID, rec.CallType, rec.Route, rec.UserAgent = "01a207dd-b5eb-76be-a00e-604bc6026125", "acompletion", "/v1/chat/completions", "curl"
	rec.Deployment = &llm.Deployment{ID: "d", Provider: "openai", Model: "gpt", Base: "https://h/v1"}
	rec.Usage = llm.Usage{Prompt: 1, Completion: 2, Total: 3}
	batch := make([]callback.Record, 512)
	for i := range batch {
		batch[i] = rec
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := sink.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(batch)), "ns/record")
}

// BenchmarkRoute is the cost of an attempt among two deployments.
func BenchmarkRoute(b *testing.B) {
	p, _ := hooks(b)
	f, list := p.RouteFilter(), candidates()
	list[0].Info = nil
	x := plugintest.Exchange(b, llm.OpChat, []byte(`{"model":"m","messages":[]}`))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := f.Filter(&x.Life, x, list); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkProviderStream is the cost of an event of a streamed answer.
func BenchmarkProviderStream(b *testing.B) {
	const events = 1000
	p, _ := hooks(b, named("my-llm"))
	e := speak(b, p)
	x := request(b, llm.OpChat, chat("hi", `,"stream":true`))
	text := []byte(strings.Repeat("data: {\"text\":\"word \"}\n\n", events) + "data: {\"stop\":\"stop\"}\n\n")
	b.ReportAllocs()
	for b.Loop() {
		var r llm.Reply
		a := &llm.Answer{Status: 200, Streamed: true, Body: providertest.NewBody(text, nil)}
		if err := e.Decode(x, a, &r); err != nil {
			b.Fatal(err)
		}
		var part llm.Part
		for r.Rest.Next(&part) == nil {
		}
		_ = r.Rest.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
}
