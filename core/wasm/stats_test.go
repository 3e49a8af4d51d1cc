package wasm

import "testing"

// BenchmarkEmptyHook is a request hook that does nothing, so that what is measured is the host.
func BenchmarkEmptyHook(b *testing.B) {
	p := hand{}.load(b)
	g, x := p.Guard("g", nil), exchange(b, hello)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Before(&x.Life, x); err != nil {
			b.Fatal(err)
		}
		x.Applied, x.GuardRuns = x.Applied[:0], x.GuardRuns[:0]
	}
}
