package plugintool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
)

// Bench measures a plugin's hook with the input of a trial.
type Bench struct {
	Trial
	Calls int // runs of the input; 0 is 10,000
}

// Measured is what Bench found. Times of calls are those of one call of a hook; where an input calls hooks several times,
// such as a stream, they are those of the whole divided by the number of calls.
type Measured struct {
	Hook          string  `json:"hook"`
	Calls         int     `json:"calls"`
	HooksPerCall  int     `json:"hooks_per_call"` // calls of hooks that the input takes: chunks of a stream, say
	Verdict       string  `json:"verdict"`
	LoadMS        float64 `json:"load_ms"`         // reading, compiling or fetching from the cache, first instance
	StartMS       float64 `json:"start_ms"`        // another instance, configured
	FirstUS       float64 `json:"first_us"`        // the first run
	MinUS         float64 `json:"min_us"`          // through the gateway's contract, host's work included
	MedianUS      float64 `json:"median_us"`       //
	MeanUS        float64 `json:"mean_us"`         //
	P99US         float64 `json:"p99_us"`          //
	GuestUS       float64 `json:"guest_us"`        // median of the bare hook on the same views
	GuestMinUS    float64 `json:"guest_min_us"`    // least of the bare hook
	AllocsPerCall float64 `json:"allocs_per_call"` // on the gateway's side
	BytesPerCall  float64 `json:"bytes_per_call"`  // on the gateway's side
	UnitsPerCall  float64 `json:"units_per_call"`  // of metering
	ViewBytes     int     `json:"view_bytes"`      // what crosses the border in a call, in
	ResultBytes   int     `json:"result_bytes"`    // and out
	MemoryBytes   int     `json:"memory_bytes"`    // of the instance, after the calls
}

// Run measures.
func (b Bench) Run(ctx context.Context) (*Measured, error) {
	m := &Measured{Calls: b.Calls}
	if m.Calls <= 0 {
		m.Calls = 10_000
	}
	var w watch
	tracing := true
	b.Settings.Trace = func(t wasm.Traced) {
		if tracing {
			w.see(t)
		}
	}
	began := time.Now()
	p, h, err := b.load(ctx)
	if err != nil {
		return nil, err
	}
	defer closePlugin(p)
	m.LoadMS = float64(time.Since(began).Microseconds()) / 1000
	hook, err := b.hook(p)
	if err != nil {
		return nil, err
	}
	// The first attempt shows what the hook is given, and whether it works.
	a, err := b.attempt(p, h, hook, &w)
	if err == nil {
		err = a.reset()
	}
	if err != nil {
		return nil, err
	}
	began = time.Now()
	a.run(ctx)
	m.FirstUS, m.Hook = micro(time.Since(began)), hook.String()
	outcome, err := a.outcome()
	if err != nil {
		return nil, err
	}
	switch m.Verdict = outcome.Verdict; {
	case outcome.Verdict == Failed:
		return nil, fmt.Errorf("the hook fails: %s", outcome.Message)
	case len(w.calls) == 0:
		return nil, errors.New("the hook was not called")
	}
	m.HooksPerCall = len(w.calls)
	for _, c := range w.calls {
		m.ViewBytes += len(c.view) / len(w.calls)
		m.ResultBytes += len(c.result) / len(w.calls)
	}
	tracing, h.quiet = false, true
	if a, err = b.attempt(p, h, hook, nil); err != nil {
		return nil, err
	}
	if err := m.contract(ctx, a); err != nil {
		return nil, err
	}
	return m, b.bare(ctx, p, w.calls, m)
}

// contract measures the hook as the gateway calls it.
func (m *Measured) contract(ctx context.Context, a attempt) error {
	for range min(m.Calls, 1000) { // warm up
		if err := a.reset(); err != nil {
			return err
		}
		a.run(ctx)
	}
	times := make([]time.Duration, 0, m.Calls)
	var before, between, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range m.Calls {
		if err := a.reset(); err != nil {
			return err
		}
		began := time.Now()
		a.run(ctx)
		times = append(times, time.Since(began))
	}
	runtime.ReadMemStats(&between)
	for range m.Calls { // what the tool itself allocates
		if err := a.reset(); err != nil {
			return err
		}
	}
	runtime.ReadMemStats(&after)
	sum := time.Duration(0)
	for _, t := range times {
		sum += t
	}
	slices.Sort(times)
	n, calls := float64(m.HooksPerCall), float64(m.Calls*m.HooksPerCall)
	m.MeanUS, m.MinUS = micro(sum)/calls, micro(times[0])/n
	m.MedianUS, m.P99US = micro(times[len(times)/2])/n, micro(times[len(times)*99/100])/n
	own := func(before, between, after uint64) float64 {
		return max(0, (float64(between-before)-float64(after-between))/calls)
	}
	m.AllocsPerCall = own(before.Mallocs, between.Mallocs, after.Mallocs)
	m.BytesPerCall = own(before.TotalAlloc, between.TotalAlloc, after.TotalAlloc)
	return nil
}

// bare measures the hook alone, and what an instance takes. The pool's only instance is busy meanwhile, so the second
// probe starts another.
func (b Bench) bare(ctx context.Context, p *wasm.Plugin, calls []seen, m *Measured) error {
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

	var x llm.Exchange
	used := probe.Usage()
	times := make([]time.Duration, 0, m.Calls*len(calls))
	for range m.Calls {
		for i := range calls {
			began := time.Now()
			if _, err := probe.Call(ctx, calls[i].hook, calls[i].view, &x); err != nil {
				return err
			}
			times = append(times, time.Since(began))
		}
	}
	slices.Sort(times)
	m.GuestMinUS, m.GuestUS = micro(times[0]), micro(times[len(times)/2])
	now := probe.Usage()
	m.UnitsPerCall = float64(now.Units-used.Units) / float64(len(times))
	m.MemoryBytes = now.Memory
	return nil
}

func micro(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// Write writes the figures for people.
func (m *Measured) Write(w io.Writer) error {
	calls := fmt.Sprintf("%d calls", m.Calls)
	if m.HooksPerCall > 1 {
		calls = fmt.Sprintf("%d runs of %d calls", m.Calls, m.HooksPerCall)
	}
	_, err := fmt.Fprintf(w, `%s hook, %s, verdict %s
call         median %.2f µs, least %.2f µs, mean %.2f µs, 99%% below %.2f µs; the first run %.0f µs
of that      %.2f µs in the guest and on the way there, least %.2f µs; about %.0f units of metering
allocations  %.2f objects, %.0f bytes a call on the gateway's side
view         %d bytes in, %d bytes out
memory       %.2f MB an instance
start        %.2f ms an instance; loading took %.1f ms
`, m.Hook, calls, m.Verdict, m.MedianUS, m.MinUS, m.MeanUS, m.P99US, m.FirstUS, m.GuestUS, m.GuestMinUS, m.UnitsPerCall,
		m.AllocsPerCall, m.BytesPerCall, m.ViewBytes, m.ResultBytes, float64(m.MemoryBytes)/(1<<20), m.StartMS, m.LoadMS)
	return err
}
