package plugintool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Bench measures a plugin's hook with the exchange of a trial.
type Bench struct {
	Trial
	Calls int // of the hook; 0 is 10,000
}

// Measured is what Bench found.
type Measured struct {
	Hook          string  `json:"hook"`
	Calls         int     `json:"calls"`
	Verdict       string  `json:"verdict"`
	LoadMS        float64 `json:"load_ms"`         // reading, compiling or fetching from the cache, first instance
	StartMS       float64 `json:"start_ms"`        // another instance, configured
	FirstUS       float64 `json:"first_us"`        // the first call
	MeanUS        float64 `json:"mean_us"`         // through the gateway's contract, host's work included
	MedianUS      float64 `json:"median_us"`       //
	P99US         float64 `json:"p99_us"`          //
	GuestUS       float64 `json:"guest_us"`        // median of the bare hook on the same view
	AllocsPerCall float64 `json:"allocs_per_call"` // on the gateway's side
	BytesPerCall  float64 `json:"bytes_per_call"`  // on the gateway's side
	UnitsPerCall  float64 `json:"units_per_call"`  // of metering
	ViewBytes     int     `json:"view_bytes"`      // what crosses the border, in
	ResultBytes   int     `json:"result_bytes"`    // and out
	MemoryBytes   int     `json:"memory_bytes"`    // of the instance, after the calls
}

// Run measures.
func (b Bench) Run(ctx context.Context) (*Measured, error) {
	m := &Measured{Calls: b.Calls}
	if m.Calls <= 0 {
		m.Calls = 10_000
	}
	var view, result []byte
	var hook abi.Hook
	b.Settings.Trace = func(t wasm.Traced) {
		if view == nil {
			hook, view, result = t.Hook, append([]byte{}, t.View...), t.Result
			m.ResultBytes = len(result)
		}
	}
	began := time.Now()
	p, err := wasm.Load(ctx, b.Settings)
	if err != nil {
		return nil, err
	}
	defer closePlugin(p)
	m.LoadMS = float64(time.Since(began).Microseconds()) / 1000

	began = time.Now()
	outcome, err := b.on(ctx, p)
	if err != nil {
		return nil, err
	}
	m.FirstUS, m.Hook, m.Verdict = micro(time.Since(began)), outcome.Hook, outcome.Verdict
	if outcome.Verdict == Failed {
		return nil, fmt.Errorf("the hook fails: %s", outcome.Message)
	}
	if view == nil {
		return nil, errors.New("the hook was not called")
	}
	m.ViewBytes = len(view)
	if err := b.contract(ctx, p, m); err != nil {
		return nil, err
	}
	return m, b.bare(ctx, p, hook, view, m)
}

// contract measures the hook as the gateway calls it.
func (b Bench) contract(ctx context.Context, p *wasm.Plugin, m *Measured) error {
	call, err := b.prepare(p)
	if err != nil {
		return err
	}
	times := make([]time.Duration, 0, m.Calls)
	var before, after runtime.MemStats
	for range min(m.Calls, 1000) { // warm up
		call(ctx)
	}
	runtime.ReadMemStats(&before)
	last := time.Now()
	for range m.Calls {
		call(ctx)
		now := time.Now()
		times, last = append(times, now.Sub(last)), now
	}
	runtime.ReadMemStats(&after)
	sum := time.Duration(0)
	for _, t := range times {
		sum += t
	}
	slices.Sort(times)
	m.MeanUS = micro(sum) / float64(m.Calls)
	m.MedianUS, m.P99US = micro(times[len(times)/2]), micro(times[len(times)*99/100])
	m.AllocsPerCall = float64(after.Mallocs-before.Mallocs) / float64(m.Calls)
	m.BytesPerCall = float64(after.TotalAlloc-before.TotalAlloc) / float64(m.Calls)
	return nil
}

// bare measures the hook alone, and what an instance takes. The pool's only instance is busy meanwhile, so the second
// probe starts another.
func (b Bench) bare(ctx context.Context, p *wasm.Plugin, hook abi.Hook, view []byte, m *Measured) error {
	probe, err := p.Probe(ctx)
	if err != nil {
		return err
	}
	defer probe.Close()
	began := time.Now()
	second, err := p.Probe(ctx)
	if err != nil {
		return err
	}
	m.StartMS = float64(time.Since(began).Microseconds()) / 1000
	defer second.Close()

	x, err := b.exchange()
	if err != nil {
		return err
	}
	used := probe.Usage()
	times := make([]time.Duration, 0, m.Calls)
	for range m.Calls {
		began := time.Now()
		if _, err := probe.Call(ctx, hook, view, x); err != nil {
			return err
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	m.GuestUS = micro(times[len(times)/2])
	now := probe.Usage()
	m.UnitsPerCall = float64(now.Units-used.Units) / float64(m.Calls)
	m.MemoryBytes = now.Memory
	return nil
}

func micro(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// Write writes the figures for people.
func (m *Measured) Write(w io.Writer) error {
	_, err := fmt.Fprintf(w, `%s hook, %d calls, verdict %s
call         median %.2f µs, mean %.2f µs, 99%% below %.2f µs; the first %.0f µs
of that      %.2f µs in the guest and on the way there, about %.0f units of metering
allocations  %.2f objects, %.0f bytes a call on the gateway's side
view         %d bytes in, %d bytes out
memory       %.2f MB an instance
start        %.2f ms an instance; loading took %.1f ms
`, m.Hook, m.Calls, m.Verdict, m.MedianUS, m.MeanUS, m.P99US, m.FirstUS, m.GuestUS, m.UnitsPerCall,
		m.AllocsPerCall, m.BytesPerCall, m.ViewBytes, m.ResultBytes, float64(m.MemoryBytes)/(1<<20), m.StartMS, m.LoadMS)
	return err
}
