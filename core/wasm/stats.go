package wasm

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// stats counts what a plugin does. They belong to a name in the configuration and outlive the generations of the plugin
// that had it.
//
// The usual call, which ends within its first quantum, costs one atomic addition: it falls into the first bucket by
// what it is, without a look at the time. One in sampleEvery of them is timed and stands for the others in the sums.
type stats struct {
	hooks     [maxHooks]hookStats
	instances atomic.Int64
	memory    atomic.Int64 // bytes of linear memory
	waits     atomic.Uint64
	waited    atomic.Int64 // ns
	busy      atomic.Uint64
	barred    atomic.Uint64 // refused by the open circuit
	open      atomic.Bool   // the circuit
	requests  [4]atomic.Uint64
	lost      atomic.Uint64 // records that the log hook did not take

	mu   sync.Mutex
	kept map[string]guestMetric // the plugin's own metrics
}

const (
	maxHooks    = 32
	sampleEvery = 256
)

// hookStats counts the calls of one hook.
type hookStats struct {
	buckets  [buckets]atomic.Uint64
	verdicts [6]atomic.Uint64 // by abi.Verdict; those that were not "continue"
	failures [causes]atomic.Uint64
	elapsed  atomic.Int64 // ns
	cpu      atomic.Int64 // ns
	fuel     atomic.Uint64
}

// Why a call failed.
const (
	causeCPU = iota
	causeWall
	causeDepth
	causeCrash
	causeResult
	causeVerdict
	causeGone
	causes
)

func causeName(i int) string {
	return [causes]string{"cpu", "wall", "depth", "crash", "result", "verdict", "caller_left"}[i]
}

// buckets is the number of bounds, and one for what is beyond.
const buckets = 15

// bounds are the upper bounds of the buckets in microseconds. The first is longer than a quantum.
func bounds() [buckets - 1]int64 {
	return [buckets - 1]int64{50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000}
}

// begin is called before a call; it has one in a few timed.
func (in *instance) begin() {
	if in.calls%sampleEvery == sampleEvery/2 {
		in.clock.start()
	}
}

// count is called after a call.
func (in *instance) count(hook abi.Hook, out []byte, err error) {
	s := in.p.stats
	if s == nil || hook >= maxHooks {
		return
	}
	h := &s.hooks[hook]
	bucket := 0
	if c := &in.clock; c.running {
		now := c.now()
		elapsed, used := now-c.began, c.used+now-c.resumed
		weight := int64(1)
		if !c.touched {
			weight = sampleEvery
		}
		h.elapsed.Add(weight * int64(elapsed))
		h.cpu.Add(weight * int64(used))
		us, limits := elapsed.Microseconds(), bounds()
		for bucket < len(limits) && us > limits[bucket] {
			bucket++
		}
	}
	h.buckets[bucket].Add(1)
	if n := in.clock.ticks - in.counted; n > 0 { // what is left of a quantum is charged to a later call
		h.fuel.Add(n * quantum)
		in.counted = in.clock.ticks
	}
	if err != nil {
		h.failures[cause(err)].Add(1)
		in.failed = true
		return
	}
	if out == nil {
		return
	}
	switch v := decided(out); {
	case v == abi.VerdictFail:
		h.failures[causeVerdict].Add(1)
	case v > 0 && int(v) < len(h.verdicts):
		h.verdicts[v].Add(1)
	}
}

func cause(err error) int {
	var gone *goneError
	switch {
	case errors.As(err, &gone):
		return causeGone
	case errors.Is(err, ErrCPU):
		return causeCPU
	case errors.Is(err, ErrWall):
		return causeWall
	case errors.Is(err, ErrDepth):
		return causeDepth
	case errors.Is(err, ErrTrap):
		return causeCrash
	}
	return causeResult
}

// measure notes what memory the instance has.
func (in *instance) measure(size uint32) {
	if size != in.size {
		if s := in.p.stats; s != nil {
			s.memory.Add(int64(size) - int64(in.size))
		}
		in.size = size
	}
}

// descriptions of the metrics of plugins.
type descriptions struct {
	duration, failures, verdicts, cpu, fuel, instances, memory, waits, waited, refused, open, requests, lost *prometheus.Desc
}

func newDescriptions() *descriptions {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("sallyport_plugin_"+name, help, append([]string{"plugin"}, labels...), nil)
	}
	return &descriptions{
		duration:  d("call_duration_seconds", "Time of a hook's calls. Those below 50 µs are timed by sampling.", "hook"),
		failures:  d("failures_total", "Calls of a hook that failed, by reason.", "hook", "reason"),
		verdicts:  d("verdicts_total", "Calls of a hook that changed, refused or answered something.", "hook", "verdict"),
		cpu:       d("cpu_seconds_total", "CPU time of a hook's calls. Those below 50 µs are timed by sampling.", "hook"),
		fuel:      d("fuel_total", "Loop iterations and calls of functions that a hook's calls made, in quanta of 10,000.", "hook"),
		instances: d("instances", "Instances of the plugin's module."),
		memory:    d("memory_bytes", "Linear memory of all instances."),
		waits:     d("waits_total", "Calls that waited for a free instance."),
		waited:    d("wait_seconds_total", "Time that calls waited for a free instance."),
		refused:   d("refused_total", "Calls that got no instance, by reason.", "reason"),
		open:      d("circuit_open", "1 while calls are refused because the plugin kept failing."),
		lost:      d("log_records_lost_total", "Records that the plugin did not take, after every attempt."),
		requests:  d("http_requests_total", "HTTP requests of the plugin, by outcome.", "outcome"),
	}
}

// Describe implements prometheus.Collector.
func (h *Host) Describe(ch chan<- *prometheus.Desc) {
	d := h.desc
	for _, one := range []*prometheus.Desc{
		d.duration, d.failures, d.verdicts, d.cpu, d.fuel, d.instances, d.memory, d.waits, d.waited, d.refused, d.open, d.requests, d.lost,
	} {
		ch <- one
	}
}

// Collect implements prometheus.Collector.
func (h *Host) Collect(ch chan<- prometheus.Metric) {
	h.mu.Lock()
	all := make(map[string]*stats, len(h.stats))
	for name, s := range h.stats {
		all[name] = s
	}
	h.mu.Unlock()
	for name, s := range all {
		h.collect(ch, name, s)
	}
}

func (h *Host) collect(ch chan<- prometheus.Metric, name string, s *stats) {
	put := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, append([]string{name}, labels...)...)
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	d := h.desc
	put(d.instances, gauge, float64(s.instances.Load()))
	put(d.memory, gauge, float64(s.memory.Load()))
	put(d.waits, counter, float64(s.waits.Load()))
	put(d.waited, counter, time.Duration(s.waited.Load()).Seconds())
	put(d.refused, counter, float64(s.busy.Load()), "busy")
	put(d.refused, counter, float64(s.barred.Load()), "circuit")
	open := 0.0
	if s.open.Load() {
		open = 1
	}
	put(d.open, gauge, open)
	if n := s.lost.Load(); n > 0 {
		put(d.lost, counter, float64(n))
	}
	for i := range s.requests {
		if n := s.requests[i].Load(); n > 0 {
			put(d.requests, counter, float64(n), outcomeName(i))
		}
	}
	for i := range s.hooks {
		if hook := abi.Hook(i).String(); hook != "" {
			h.collectHook(ch, name, hook, &s.hooks[i])
		}
	}
}

func (h *Host) collectHook(ch chan<- prometheus.Metric, name, hook string, s *hookStats) {
	limits, total := bounds(), uint64(0)
	cumulative := make(map[float64]uint64, len(limits))
	for i := range s.buckets {
		total += s.buckets[i].Load()
		if i < len(limits) {
			cumulative[float64(limits[i])/1e6] = total
		}
	}
	if total == 0 {
		return
	}
	sum := time.Duration(s.elapsed.Load()).Seconds()
	ch <- prometheus.MustNewConstHistogram(h.desc.duration, total, sum, cumulative, name, hook)
	put := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, append([]string{name, hook}, labels...)...)
	}
	put(h.desc.cpu, time.Duration(s.cpu.Load()).Seconds())
	put(h.desc.fuel, float64(s.fuel.Load()))
	for i := range s.failures {
		if n := s.failures[i].Load(); n > 0 {
			put(h.desc.failures, float64(n), causeName(i))
		}
	}
	for i, verdict := range [...]string{"continue", "edit", "reject", "respond", "allow", "fail"} {
		if n := s.verdicts[i].Load(); n > 0 {
			put(h.desc.verdicts, float64(n), verdict)
		}
	}
}

// outcomes of HTTP requests.
const (
	outcomeAnswered = iota
	outcomeForbidden
	outcomeTimeout
	outcomeFailed
)

func outcomeName(i int) string {
	return [...]string{"answered", "forbidden", "timeout", "failed"}[i]
}
