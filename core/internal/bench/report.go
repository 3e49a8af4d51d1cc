package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is all that was measured.
type report struct {
	layout    layout
	opt       options
	scenarios []scenarioResult
	memory    []footprint
	lookups   []lookups
}

// megabyte is a million bytes.
const megabyte = 1e6

func (r report) print(w io.Writer) error {
	pinned := "one CPU for everything"
	if len(r.layout.server) > 0 {
		pinned = fmt.Sprintf("server under test on CPU %s; load generator and mock vendor on CPU %s",
			formatCPUs(r.layout.server), formatCPUs(r.layout.load))
	}
	fmt.Fprintf(w, "\n%s; %d connections; medians of %d rounds\n", pinned, r.opt.concurrency, r.opt.rounds)

	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, s := range r.scenarios {
		fmt.Fprintf(w, "\n%s\n", s.title)
		fmt.Fprintln(table, "  \tCPU us/req\tratio\tmiddle half\treq/s\tp50 ms\tp99 ms\tCPU busy\t")
		for _, name := range s.tested {
			fmt.Fprintln(table, s.row(name))
		}
		if err := table.Flush(); err != nil {
			return err
		}
		s.printAgainst(w)
		s.printTotal(w)
		if s.backend != "" && s.asked > 0 {
			fmt.Fprintf(w, "  %s got %.2f commands a request\n", s.backend, s.asked)
		}
	}
	if len(r.lookups) > 0 {
		printLookups(w, r.lookups)
	}
	if len(r.memory) > 0 {
		fmt.Fprintf(w, "\nresident memory\n")
		fmt.Fprintf(table, "  \tidle MB\t%d streams MB\t\n", openStreams)
		for _, m := range r.memory {
			fmt.Fprintf(table, "  %s\t%.1f\t%.1f\t\n", m.name, float64(m.idle)/megabyte, float64(m.streams)/megabyte)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	for _, b := range r.bars() {
		fmt.Fprintln(w, b)
	}
	return nil
}

// row is a server's line of the table. The ratios compare CPU time with that of the
// scenario's first server in the same round.
func (s scenarioResult) row(name string) string {
	samples := s.samples[name]
	ratios := s.ratios(name)
	return fmt.Sprintf("  %s\t%.1f\t%.2f\t%.2f-%.2f\t%.0f\t%.2f\t%.2f\t%.0f%%\t", name,
		median(samples, func(x sample) float64 { return micros(x.cpu) }),
		quantile(ratios, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75),
		median(samples, func(x sample) float64 { return x.rate }),
		median(samples, func(x sample) float64 { return x.p50.Seconds() * 1e3 }),
		median(samples, func(x sample) float64 { return x.p99.Seconds() * 1e3 }),
		median(samples, func(x sample) float64 { return x.busy * 100 }))
}

// printTotal says what requests cost when all that they cause later is counted.
func (s scenarioResult) printTotal(w io.Writer) {
	first := s.total[s.tested[0]]
	for _, name := range s.tested[1:] {
		if total := s.total[name]; first > 0 {
			fmt.Fprintf(w, "  with all that is done later, such as writing rows: %s %.1f us a request, %.2f times %s\n",
				name, micros(total), float64(total)/float64(first), s.tested[0])
		}
	}
}

// printAgainst compares the other build of each gateway with the first one, round by round.
func (s scenarioResult) printAgainst(w io.Writer) {
	for _, name := range s.tested {
		if base, ok := strings.CutSuffix(name, otherBuild); ok {
			r := s.ratiosTo(name, base)
			fmt.Fprintf(w, "  %s: %.3f times the first (middle half %.3f-%.3f)\n", name, quantile(r, 0.5), quantile(r, 0.25), quantile(r, 0.75))
		}
	}
}

func (s scenarioResult) ratios(name string) []float64 { return s.ratiosTo(name, s.tested[0]) }

func (s scenarioResult) ratiosTo(name, base string) []float64 {
	ratios := make([]float64, len(s.samples[name]))
	for round, x := range s.samples[name] {
		ratios[round] = float64(x.cpu) / float64(s.samples[base][round].cpu)
	}
	return ratios
}

// bar is a limit the gateway is to stay within.
type bar struct {
	what  string
	got   float64
	limit float64
	unit  string
}

func (b bar) String() string {
	verdict := "reached"
	if b.got > b.limit {
		verdict = "NOT reached"
	}
	return fmt.Sprintf("%-60s %7.2f%s, at most %.2f%s: %s", b.what, b.got, b.unit, b.limit, b.unit, verdict)
}

// bars are those for which there is a measurement.
func (r report) bars() []bar {
	var bars []bar
	ratio := func(scenario, what string, limit float64) {
		for _, s := range r.scenarios {
			server := sallyport
			if strings.HasPrefix(scenario, "anthropic") {
				server = sallyportClaude
			}
			if scenario == "full" {
				server = sallyportFull
			}
			if scenario == "cached" {
				server = sallyportCached
			}
			if s.name == scenario && slices.Contains(s.tested, server) {
				bars = append(bars, bar{what: what, got: quantile(s.ratios(server), 0.5), limit: limit})
			}
		}
	}
	ratio("anthropic", "whole reply of Anthropic's API, to the bare proxy", 1.8)
	ratio("anthropic-stream", "streamed reply of Anthropic's API, to one of OpenAI's", 1.5)
	ratio("whole", "whole reply, to the bare proxy", 1.3)
	ratio("full", "whole reply with key, limits, budgets and spend log", 1.4)
	ratio("cached", "whole reply from the cache, to the bare proxy", 0.7)
	ratio("stream", "streamed reply, to the bare streaming proxy", 1.2)
	ratio("large", "100 KB request, to the bare proxy", 1.15)
	for _, s := range r.scenarios {
		if s.name == "whole" && slices.Contains(s.tested, sallyportGuards) {
			bars = append(bars, bar{what: "guardrail adds to a request", got: s.added(), limit: 10, unit: " us"})
		}
	}
	for _, l := range r.lookups {
		bars = append(bars, bar{what: "semantic lookup, p99, vectors of " + l.Vectors, got: millis(l.P99), limit: 5, unit: " ms"})
	}
	for _, m := range r.memory {
		if m.name == sallyport {
			bars = append(bars,
				bar{what: "idle memory", got: float64(m.idle) / megabyte, limit: 20, unit: " MB"},
				bar{what: fmt.Sprintf("memory with %d open streams", openStreams), got: float64(m.streams) / megabyte, limit: 70, unit: " MB"})
		}
	}
	return bars
}

// added is the median over the rounds of what the guardrail costs, in microseconds.
func (s scenarioResult) added() float64 {
	var differences []float64
	for round, with := range s.samples[sallyportGuards] {
		differences = append(differences, micros(with.cpu-s.samples[sallyport][round].cpu))
	}
	return quantile(differences, 0.5)
}

func micros(d time.Duration) float64 { return d.Seconds() * 1e6 }

// median of one number of each sample.
func median(samples []sample, number func(sample) float64) float64 {
	numbers := make([]float64, len(samples))
	for i, s := range samples {
		numbers[i] = number(s)
	}
	return quantile(numbers, 0.5)
}

// quantile returns the value below which the part q of the values lies: of an even
// number of values the median is the mean of the two in the middle. It sorts the values.
func quantile[T time.Duration | float64](values []T, q float64) T {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	position := q * float64(len(values)-1)
	low := int(position)
	high := min(low+1, len(values)-1)
	return values[low] + T((position-float64(low))*float64(values[high]-values[low]))
}
