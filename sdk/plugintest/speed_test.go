package plugintest_test

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// BenchmarkHooks measures guests in both languages with metering: hooks that do nothing, and guardrails that read a request
// of ten messages with 2 KB of English text and look for a phrase. "min-ns/op" is the least time of a whole call, with what
// the gateway does for it; "guest-ns/op" that of the hook alone, with the way there and back. A busy machine disturbs the
// least times little.
func BenchmarkHooks(b *testing.B) {
	text, err := os.ReadFile("../../plugins/pii/testdata/prose.txt")
	if err != nil {
		b.Fatal(err)
	}
	body := chat(strings.Repeat(string(text), 4)[:2<<10])
	phrase := map[string]any{"words": []any{"project falcon"}}
	bench := func(name, dir string, config map[string]any) {
		b.Run(name, func(b *testing.B) {
			s := wasm.Settings{Path: plugintest.Build(b, dir), Config: config}
			p := plugintest.Load(b, s)
			var view []byte
			s.Trace = func(t wasm.Traced) { view = append([]byte{}, t.View...) }
			if o := plugintest.Load(b, s).Request(b, llm.OpChat, body); o.Err != nil {
				b.Fatal(o.Err)
			}
			x := plugintest.Exchange(b, llm.OpChat, body)
			plugintest.Bench(b, p.Guard("g", nil), x)
			b.ReportMetric(guest(b, p, view), "guest-ns/op")
		})
	}
	bench("empty/go", "testdata/empty", nil)
	bench("empty/rust", "../rust/examples/empty", nil)
	bench("phrase/go", "../../plugins/keyword-guard", phrase)
	bench("phrase/rust", "../rust/examples/keyword", phrase)
}

// chat is a request of ten messages with the text.
func chat(text string) []byte {
	b := []byte(`{"model":"gpt-4o","messages":[`)
	for i := range 10 {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"role":"user","content":`...)
		b = append(llm.AppendQuoted(b, text[i*len(text)/10:(i+1)*len(text)/10]), '}')
	}
	return append(b, `]}`...)
}

// guest returns the least time of the bare request hook, in nanoseconds.
func guest(b *testing.B, p *plugintest.Plugin, view []byte) float64 {
	b.Helper()
	const batch = 20
	probe, err := p.Probe(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer probe.Close()
	var x llm.Exchange
	least := time.Duration(math.MaxInt64)
	for range max(b.N/batch, 1) {
		began := time.Now()
		for range batch {
			if _, err := probe.Call(b.Context(), abi.HookRequest, view, &x); err != nil {
				b.Fatal(err)
			}
		}
		least = min(least, time.Since(began))
	}
	return float64(least) / batch
}

// BenchmarkStream measures a chunk of a stream through a hook that does nothing: the gateway takes the chunk apart, calls
// the hook, and makes a chunk of what may leave.
func BenchmarkStream(b *testing.B) {
	bench := func(name, dir string) {
		b.Run(name, func(b *testing.B) {
			p := plugintest.Load(b, wasm.Settings{Path: plugintest.Build(b, dir)})
			holdback := 0
			g := p.Guardrail(wasm.GuardSettings{Windows: wasm.WindowSettings{Holdback: &holdback}})
			x := plugintest.Exchange(b, llm.OpChat, []byte(`{"model":"m","messages":[],"stream":true}`))
			chunk := []byte(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" Hello"},"finish_reason":null}]}`)
			r := &llm.Reply{Status: 200, Streamed: true, First: llm.Part{Data: chunk}, Rest: endless{chunk}}
			if err := g.Stream(&x.Life, x, r); err != nil {
				b.Fatal(err)
			}
			const batch = 20
			least, began, n := time.Duration(math.MaxInt64), time.Now(), 0
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Rest.Next(&r.First); err != nil {
					b.Fatal(err)
				}
				if n++; n%batch == 0 {
					now := time.Now()
					least, began = min(least, now.Sub(began)), now
				}
			}
			b.ReportMetric(float64(least)/batch, "min-ns/op")
			_ = r.Rest.Close() // it ends here
		})
	}
	bench("go", "testdata/empty")
	bench("rust", "../rust/examples/empty")
}

// endless says the same for ever.
type endless struct{ chunk []byte }

// Next implements llm.Stream.
func (e endless) Next(p *llm.Part) error {
	*p = llm.Part{Data: e.chunk}
	return nil
}

// Close implements llm.Stream.
func (endless) Close() error { return nil }
