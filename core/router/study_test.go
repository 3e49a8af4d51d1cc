package router

import (
	"cmp"
	"container/heap"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

var study = flag.Bool("study", false, "print how the strategies do on simulated fleets")

// node is a simulated deployment: a queue in front of a number of slots.
type node struct {
	slots int
	speed func(at time.Duration) float64 // how many times slower than normal; infinite: it fails at once
	until []time.Duration                // when each slot is free
}

// serve is when a call that begins at a time ends, and whether it fails.
func (n *node) serve(at time.Duration, work time.Duration) (end time.Duration, ok bool) {
	f := n.speed(at)
	if math.IsInf(f, 1) {
		return at + 50*time.Millisecond, false
	}
	if n.until == nil {
		n.until = make([]time.Duration, n.slots)
	}
	slot := 0
	for i, u := range n.until {
		if u < n.until[slot] {
			slot = i
		}
	}
	end = max(at, n.until[slot]) + time.Duration(float64(work)*f)
	n.until[slot] = end
	return end, true
}

// world is a fleet and what is asked of it.
type world struct {
	name  string
	nodes int
	rate  float64 // requests a second
	tail  float64 // spread of the lengths of answers, the sigma of a log-normal distribution
	speed func(node int, at time.Duration) float64
}

func worlds() []world {
	even := func(int, time.Duration) float64 { return 1 }
	return []world{
		{"even", 5, 30, 0.3, even},
		{"one slow node", 5, 25, 0.3, func(i int, _ time.Duration) float64 {
			if i == 0 {
				return 5
			}
			return 1
		}},
		{"one flapping node", 5, 25, 0.3, func(i int, at time.Duration) float64 {
			if i == 0 && at%(20*time.Second) < 10*time.Second { // fails for ten seconds, works for ten
				return math.Inf(1)
			}
			return 1
		}},
		{"cold start", 5, 30, 0.3, func(i int, at time.Duration) float64 {
			if i == 0 && at < 30*time.Second {
				return 8 - 7*at.Seconds()/30
			}
			return 1
		}},
		{"slow for a while", 5, 25, 0.3, func(i int, at time.Duration) float64 {
			if i == 0 && at > 60*time.Second && at < 90*time.Second {
				return 10
			}
			return 1
		}},
		{"heavy tail", 5, 25, 1.2, even},
		{"twenty, three slow", 20, 110, 0.8, func(i int, _ time.Duration) float64 {
			if i < 3 {
				return 4
			}
			return 1
		}},
	}
}

// event is the end of a call.
type event struct {
	at time.Duration
	do func()
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// simulation runs one world with one strategy, for three minutes of the bubble's clock.
type simulation struct {
	t      *testing.T
	r      *Router
	nodes  []*node
	queue  events
	start  time.Time
	took   []time.Duration
	calls  []sample // in the order they ended
	failed int
}

// sample is a request: when it began, and how long it took.
type sample struct{ begun, took time.Duration }

func (s *simulation) now() time.Duration { return time.Since(s.start) }

func (s *simulation) run(w world, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	s.start = time.Now()
	var arrive func()
	arrive = func() {
		tokens := int64(max(1, 200*math.Exp(random.NormFloat64()*w.tail-w.tail*w.tail/2)))
		s.call(tokens)
		if at := s.now() + time.Duration(random.ExpFloat64()/w.rate*float64(time.Second)); at < 3*time.Minute {
			heap.Push(&s.queue, event{at, arrive})
		}
	}
	heap.Push(&s.queue, event{0, arrive})
	for len(s.queue) > 0 {
		e := heap.Pop(&s.queue).(event)
		if d := e.at - s.now(); d > 0 {
			time.Sleep(d)
		}
		e.do()
	}
}

// call sends a request: 0.2 seconds and a token every 4 milliseconds, on an idle node of normal speed.
func (s *simulation) call(tokens int64) {
	p, begun := &Plan{}, s.now()
	if err := s.r.Plan(ask("g"), p); err != nil {
		s.t.Fatal(err)
	}
	var next func(last error)
	next = func(last error) {
		d, err := p.Next(s.t.Context(), last)
		if err != nil {
			s.failed++
			p.Done(err)
			return
		}
		var i int
		fmt.Sscan(d.ID, &i)
		end, ok := s.nodes[i].serve(s.now(), 200*time.Millisecond+time.Duration(tokens)*4*time.Millisecond)
		heap.Push(&s.queue, event{end, func() {
			if !ok {
				next(fails(llm.KindUnavailable))
				return
			}
			p.Began(time.Now())
			p.Answered(llm.Usage{Completion: tokens})
			p.Done(nil)
			s.took = append(s.took, s.now()-begun)
			s.calls = append(s.calls, sample{begun, s.now() - begun})
		}})
	}
	next(nil)
}

// result is a simulation's mean, 95th and 99th percentile in seconds, and how many requests failed.
func (s *simulation) result() (mean, p95, p99 float64, failed int) {
	slices.SortFunc(s.took, func(a, b time.Duration) int { return cmp.Compare(a, b) })
	var sum time.Duration
	for _, d := range s.took {
		sum += d
	}
	n := len(s.took)
	return (sum / time.Duration(n)).Seconds(), s.took[n*95/100].Seconds(), s.took[n*99/100].Seconds(), s.failed
}

func simulate(t *testing.T, w world, strategy string, cooldowns bool, seed uint64) (sim *simulation) {
	synctest.Test(t, func(t *testing.T) {
		s := Defaults()
		s.Strategy, s.States, s.DisableCooldowns = strategy, NewStates(), !cooldowns
		s.Rand = rand.New(rand.NewPCG(seed, 2)).Float64
		sim = &simulation{t: t}
		for i := range w.nodes {
			s.Deployments = append(s.Deployments, dep(fmt.Sprint(i), "g", "m"))
			sim.nodes = append(sim.nodes, &node{slots: 8, speed: func(at time.Duration) float64 { return w.speed(i, at) }})
		}
		sim.r = build(t, s)
		sim.run(w, seed)
	})
	return sim
}

// studySeed makes the study the same each time.
const studySeed = 7

// TestStudy compares the strategies: go test ./core/router -run TestStudy -study -v prints the table that is in
// core/RATIONALE.md and draws the plots in testdata. Without the flag it checks that adaptive routing does better than
// chance where there is something to learn, and that a study comes out the same twice.
func TestStudy(t *testing.T) {
	if *study {
		printStudy(t)
		drawStudy(t)
		return
	}
	for _, w := range worlds()[1:3] {
		_, chance, _, _ := simulate(t, w, SimpleShuffle, true, studySeed).result()
		_, learned, _, failed := simulate(t, w, Adaptive, true, studySeed).result()
		if learned > chance || failed > 0 {
			t.Errorf("%s: %.2f s for 95 %% of requests, %.2f s by chance, %d failed", w.name, learned, chance, failed)
		}
		if _, again, _, _ := simulate(t, w, Adaptive, true, studySeed).result(); again != learned {
			t.Errorf("%s: %v s for 95 %% of requests, then %v", w.name, learned, again)
		}
	}
}

func printStudy(t *testing.T) {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	for _, cooldowns := range []bool{true, false} {
		fmt.Fprintf(out, "cooldowns %v\n| fleet |", cooldowns)
		for _, strategy := range Strategies() {
			fmt.Fprintf(out, " %s |", strategy)
		}
		fmt.Fprintln(out)
		for _, w := range worlds() {
			fmt.Fprintf(out, "| %s |", w.name)
			for _, strategy := range Strategies() {
				mean, p95, p99, failed := simulate(t, w, strategy, cooldowns, studySeed).result()
				fmt.Fprintf(out, " %.2f / %.1f / %.1f", mean, p95, p99)
				if failed > 0 {
					fmt.Fprintf(out, " !%d", failed)
				}
				fmt.Fprint(out, " |")
			}
			fmt.Fprintln(out)
		}
	}
	out.Flush()
}
