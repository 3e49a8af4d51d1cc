package router

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// three is a fleet of a, b and c in g, with a strategy.
func three(strategy string, options ...func(*Settings)) func(*Settings) {
	return func(s *Settings) {
		s.Deployments = []*llm.Deployment{dep("a", "g", "m"), dep("b", "g", "m"), dep("c", "g", "m")}
		s.Strategy = strategy
		for _, o := range options {
			o(s)
		}
	}
}

// answer lets a deployment answer once, by its id.
func (l *fleet) answer(id string, streamed bool, took time.Duration, tokens int64) {
	l.t.Helper()
	x := ask(id)
	x.Streamed = streamed
	var p Plan
	if err := l.r.Plan(x, &p); err != nil {
		l.t.Fatal(err)
	}
	if _, err := p.Next(l.t.Context(), nil); err != nil {
		l.t.Fatal(err)
	}
	time.Sleep(took)
	p.Began(time.Now())
	p.Answered(llm.Usage{Prompt: tokens / 2, Completion: tokens - tokens/2})
	p.Done(nil)
}

// chosen are the deployments that one of many choices falls on, without any of them being called.
func (l *fleet) chosen(streamed bool) string {
	l.t.Helper()
	var ids []string
	for range 200 {
		x := ask("g")
		x.Streamed = streamed
		var p Plan
		l.r.Plan(x, &p)
		d, err := p.Next(l.t.Context(), nil)
		if err != nil {
			l.t.Fatal(err)
		}
		p.Done(&llm.Error{Kind: llm.KindCanceled})
		if !slices.Contains(ids, d.ID) {
			ids = append(ids, d.ID)
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

func (l *fleet) want(streamed bool, want string) {
	l.t.Helper()
	if got := l.chosen(streamed); got != want {
		l.t.Errorf("%s: chosen %q, want %q", l.s.Strategy, got, want)
	}
}

func TestStrategyNames(t *testing.T) {
	t.Parallel()
	for _, name := range append(Strategies(), "") {
		s := settings(dep("a", "g", "m"))
		s.Strategy = name
		if _, err := New(s); err != nil {
			t.Error(err)
		}
	}
	bad := func(text string, change func(*Settings)) {
		t.Helper()
		s := settings(dep("a", "g", "m"))
		change(&s)
		if _, err := New(s); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want an error with %q", err, text)
		}
	}
	bad(`"fastest" is not known: use one of simple-shuffle, least-busy`, func(s *Settings) { s.Strategy = "fastest" })
	bad("routing_strategy_args", func(s *Settings) { s.StrategyArgs.TTL = 0 })
	bad("routing_strategy_args", func(s *Settings) { s.StrategyArgs.ListSize = 0 })
	bad("routing_strategy_args", func(s *Settings) { s.StrategyArgs.Buffer = -1 })
	bad("cooldown_time", func(s *Settings) { s.CooldownTime = -1 })
}

func TestLeastBusy(t *testing.T) {
	t.Parallel()
	in(t, three(LeastBusy), func(l *fleet) {
		l.want(false, "a b c")
		var busy [2]Plan
		for i, id := range []string{"a", "b"} {
			l.r.Plan(ask(id), &busy[i])
			busy[i].Next(t.Context(), nil)
		}
		l.want(false, "c")
		busy[0].Done(nil)
		l.want(false, "a c")
	})
}

func TestLatencyBased(t *testing.T) {
	t.Parallel()
	in(t, three(LatencyBased), func(l *fleet) {
		l.want(false, "a b c")
		l.answer("a", false, 2*time.Second, 20) // 0.2 s a completion token
		l.want(false, "b c")                    // those without a sample come first
		l.answer("b", false, 3*time.Second, 60) // 0.1 s
		l.answer("c", false, time.Second, 2)    // 1 s
		l.want(false, "b")
		if got := l.s.States.Learned("b").Latency; got != 100*time.Millisecond {
			t.Errorf("learned %v", got)
		}
		l.want(true, "a b c") // nothing is known of streams
		l.answer("a", true, time.Second, 1000)
		l.answer("b", true, 2*time.Second, 1000)
		l.answer("c", true, 3*time.Second, 1)
		l.want(true, "a")
		if got := l.s.States.Learned("c").FirstToken; got != 3*time.Second {
			t.Errorf("learned %v", got)
		}
		for range 10 { // the list forgets
			l.answer("b", false, 3*time.Second, 2)
		}
		l.want(false, "a")
		l.fail["a"] = fails(llm.KindTimeout)
		l.ask("a")
		l.want(false, "c")
		time.Sleep(time.Hour + time.Second)
		l.want(false, "a b c")
	})
	in(t, three(LatencyBased, func(s *Settings) { s.StrategyArgs.Buffer = 0.5 }), func(l *fleet) {
		for i, id := range []string{"a", "b", "c"} {
			l.answer(id, false, time.Duration(4+i*2)*time.Second, 0)
		}
		l.want(false, "a b")
	})
	in(t, three(LatencyBased, func(s *Settings) { s.StrategyArgs.ListSize, s.StrategyArgs.TTL = 1, time.Minute }), func(l *fleet) {
		for _, id := range []string{"a", "b", "c"} {
			l.answer(id, false, time.Second, 0)
		}
		l.answer("b", false, 2*time.Second, 0)
		l.want(false, "a c")
		time.Sleep(30 * time.Second)
		l.answer("b", false, 3*time.Second, 0)
		time.Sleep(40 * time.Second)
		l.want(false, "a c")
	})
}

func TestUsageBased(t *testing.T) {
	t.Parallel()
	for _, strategy := range []string{UsageBased, UsageBasedV2} {
		in(t, three(strategy), func(l *fleet) {
			l.answer("a", false, 0, 100)
			l.answer("b", true, 0, 50)
			l.answer("c", false, 0, 60)
			l.want(false, "b")
			if got := l.s.States.Learned("a"); got.Tokens != 100 || got.Requests == 0 {
				t.Errorf("learned %+v", got)
			}
			time.Sleep(time.Minute)
			l.want(false, "a b c")
		})
		in(t, three(strategy, func(s *Settings) {
			s.Deployments[0].TPM, s.Deployments[1].RPM = 100, 2
		}), func(l *fleet) {
			l.answer("c", false, 0, 1000)
			l.answer("a", false, 0, 99)
			if got := l.called(2); got != "b" {
				t.Errorf("called %q", got)
			}
			l.answer("a", false, 0, 1)
			l.want(false, "c")
		})
		in(t, three(strategy, func(s *Settings) {
			for _, d := range s.Deployments {
				d.RPM = 2
			}
		}), func(l *fleet) {
			time.Sleep(20 * time.Second) // the bubble's clock begins with a minute
			for range 6 {
				if ids, err := l.ask("g"); err != nil {
					t.Fatal(ids, err)
				}
			}
			_, err := l.ask("g")
			e := llm.AsError(err)
			const text = "No deployments available for selected model, Try again in 40 seconds. Passed model=g."
			if !strings.HasPrefix(e.Message, text) || e.RetryAfter != 40*time.Second || e.HTTPStatus() != 429 {
				t.Errorf("got %v %v", e, e.RetryAfter)
			}
			time.Sleep(40 * time.Second)
			if ids, err := l.ask("g"); err != nil {
				t.Error(ids, err)
			}
		})
	}
}

// The limit of requests holds also when many choose at the same moment.
func TestUsageBasedV2Races(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := settings(dep("a", "g", "m", "rpm=40"), dep("b", "g", "m", "rpm=60"))
		s.Strategy, s.States, s.Rand = UsageBasedV2, NewStates(), nil
		r := build(t, s)
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				var p Plan
				r.Plan(ask("g"), &p)
				_, err := p.Next(t.Context(), nil)
				p.Done(err)
			})
		}
		wg.Wait()
		got := []int64{s.States.Learned("a").Requests, s.States.Learned("b").Requests}
		if d := cmp.Diff([]int64{40, 60}, got); d != "" {
			t.Errorf("requests (-want +got):\n%s", d)
		}
	})
}

func TestCostBased(t *testing.T) {
	t.Parallel()
	price := func(i int, in, out float64) func(*Settings) {
		return func(s *Settings) {
			d := s.Deployments[i]
			d.Price = &llm.Price{Levels: []llm.Level{{Rates: [llm.ServiceTiers]llm.Rates{{Input: in, Output: out}}}}}
		}
	}
	in(t, three(CostBased), func(l *fleet) { l.want(false, "a b c") })
	in(t, three(CostBased, price(0, 1e-6, 5e-6), price(1, 3e-6, 3e-6)), func(l *fleet) { l.want(false, "a b") })
	in(t, three(CostBased, price(0, 1e-6, 5e-6), price(1, 3e-6, 3.1e-6)), func(l *fleet) { l.want(false, "a") })
	in(t, three(CostBased, price(2, 0, 0), price(1, 3e-6, 3e-6)), func(l *fleet) { l.want(false, "c") })
	in(t, three(CostBased, price(2, 0, 0), func(s *Settings) { s.Deployments[2].RPM = 1 }), func(l *fleet) {
		l.ask("c")
		l.want(false, "a b")
	})
}

func TestAdaptive(t *testing.T) {
	t.Parallel()
	in(t, three(Adaptive), func(l *fleet) {
		l.want(false, "a b c")
		l.answer("a", false, time.Second, 100)
		l.answer("b", false, time.Second, 100)
		l.answer("c", false, 5*time.Second, 100)
		l.want(false, "a b") // of any two, c is the slower one
		l.want(true, "a b c")
		l.answer("c", true, time.Second, 100)
		l.answer("a", true, 2*time.Second, 100)
		l.answer("b", true, 2*time.Second, 100)
		l.want(true, "a c") // of a and b, a's sample has faded a little more
	})
}

func TestAdaptiveLoad(t *testing.T) {
	t.Parallel()
	in(t, three(Adaptive, func(s *Settings) { s.Deployments = s.Deployments[:2] }), func(l *fleet) {
		l.answer("b", false, 3*time.Second, 0)
		l.answer("a", false, time.Second, 0)
		l.want(false, "a")
		var busy [3]Plan
		for i := range busy { // a is three times as fast, so with three calls under way b is the better one
			l.r.Plan(ask("a"), &busy[i])
			busy[i].Next(t.Context(), nil)
		}
		l.want(false, "b")
		for i := range busy {
			busy[i].Done(nil)
		}
		for range 5 {
			l.fail["a"] = fails(llm.KindInternal)
			l.ask("a")
		}
		if got := l.s.States.Learned("a").Errors; got < 0.5 || got > 1 {
			t.Errorf("learned %v", got)
		}
		l.want(false, "b")
		time.Sleep(time.Minute)
		l.want(false, "a")
	})
}

func TestOrderBeforeStrategy(t *testing.T) {
	t.Parallel()
	for _, strategy := range Strategies() {
		in(t, three(strategy, func(s *Settings) {
			s.Deployments[1].Order, s.Deployments[2].Order = 1, 1
		}), func(l *fleet) { l.want(false, "b c") })
	}
}

func TestChoiceAllocations(t *testing.T) {
	for _, strategy := range Strategies() {
		s := hundred(strategy)
		r := build(t, s)
		s.States.Cool("50", time.Now().Add(time.Hour))
		x, ctx := ask("g"), t.Context()
		var p Plan
		n := testing.AllocsPerRun(2000, func() {
			if err := r.Plan(x, &p); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Next(ctx, nil); err != nil {
				t.Fatal(err)
			}
			p.Began(p.begun.Add(time.Second))
			p.Answered(llm.Usage{Prompt: 10, Completion: 10})
			p.Done(nil)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", strategy, n)
		}
	}
}

func hundred(strategy string) Settings {
	s := Defaults()
	s.Strategy, s.States = strategy, NewStates()
	for i := range 100 {
		s.Deployments = append(s.Deployments, dep(fmt.Sprint(i), "g", "m", "weight=1"))
	}
	return s
}

// BenchmarkChoice measures a choice among 100 deployments, and a whole plan with all that is learned from it.
func BenchmarkChoice(b *testing.B) {
	for _, strategy := range Strategies() {
		for _, cooling := range []bool{false, true} {
			s := hundred(strategy)
			r, err := New(s)
			if err != nil {
				b.Fatal(err)
			}
			if cooling {
				s.States.Cool("50", time.Now().Add(time.Hour))
			}
			x, ctx := ask("g"), b.Context()
			var p Plan
			b.Run(fmt.Sprintf("%s/cooling=%v", strategy, cooling), func(b *testing.B) {
				if err := r.Plan(x, &p); err != nil {
					b.Fatal(err)
				}
				p.begun = time.Now()
				b.ReportAllocs()
				for b.Loop() {
					if _, err := p.choose(ctx); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("%s/cooling=%v/plan", strategy, cooling), func(b *testing.B) {
				for b.Loop() {
					if err := r.Plan(x, &p); err != nil {
						b.Fatal(err)
					}
					if _, err := p.Next(ctx, nil); err != nil {
						b.Fatal(err)
					}
					p.Began(p.begun.Add(time.Second))
					p.Answered(llm.Usage{Prompt: 10, Completion: 10})
					p.Done(nil)
				}
			})
		}
	}
}
