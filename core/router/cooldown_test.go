package router

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// fleet is a router whose deployments fail as the test says.
type fleet struct {
	t      *testing.T
	r      *Router
	s      Settings
	fail   map[string]error
	events []string
}

// in runs f in a bubble with a router over two deployments of g; change adapts its settings.
func in(t *testing.T, change func(*Settings), f func(l *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &fleet{t: t, s: settings(dep("a", "g", "m"), dep("b", "g", "m")), fail: map[string]error{}}
		l.s.Retries, l.s.States = 0, NewStates()
		l.s.Cooled = func(c Cooldown) {
			l.events = append(l.events, fmt.Sprintf("%s %v %d %s", c.Deployment.ID, c.Time, c.Status, c.Reason))
		}
		if change != nil {
			change(&l.s)
		}
		l.r = build(t, l.s)
		f(l)
	})
}

// ask sends a request, answers as the script says, and returns who was called.
func (l *fleet) ask(model string) (ids string, err error) {
	var p Plan
	if err := l.r.Plan(ask(model), &p); err != nil {
		l.t.Fatal(err)
	}
	var list []string
	var last error
	for range 100 {
		d, err := p.Next(l.t.Context(), last)
		if err != nil {
			p.Done(err)
			return strings.Join(list, " "), err
		}
		list = append(list, d.ID)
		if last = l.fail[d.ID]; last == nil {
			p.Began(time.Now())
			p.Answered(llm.Usage{Completion: 1})
			p.Done(nil)
			return strings.Join(list, " "), nil
		}
	}
	l.t.Fatal("the plan does not end")
	return "", nil
}

// called asks n times and returns who was called at least once.
func (l *fleet) called(n int) string {
	var ids []string
	for range n {
		id, _ := l.ask("g")
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// failOnce lets a deployment fail and asks until it was called.
func (l *fleet) failOnce(id string, e *llm.Error) {
	l.fail[id] = e
	for range 100 {
		if got, _ := l.ask("g"); got == id {
			return
		}
	}
	l.t.Fatalf("%s is not called", id)
}

func TestCooldownAtOnce(t *testing.T) {
	t.Parallel()
	check := func(e *llm.Error, change func(*Settings), want time.Duration) {
		t.Helper()
		in(t, change, func(l *fleet) {
			l.failOnce("a", e)
			got := l.s.States.Learned("a").Until
			if want == 0 {
				if !got.IsZero() {
					t.Errorf("%d: left alone until %v", e.HTTPStatus(), got)
				}
				return
			}
			if time.Until(got) != want {
				t.Fatalf("%d: left alone for %v, want %v", e.HTTPStatus(), time.Until(got), want)
			}
			time.Sleep(want - 1)
			if got := l.called(50); got != "b" {
				t.Errorf("%d: called %q in the cooldown", e.HTTPStatus(), got)
			}
			delete(l.fail, "a")
			time.Sleep(2 * time.Nanosecond)
			if got := l.called(50); got != "a b" {
				t.Errorf("%d: called %q after the cooldown", e.HTTPStatus(), got)
			}
			begin := fmt.Sprintf("a %v %d ", want, e.HTTPStatus())
			if len(l.events) != 2 || !strings.HasPrefix(l.events[0], begin) || l.events[1] != "a 0s 0 " {
				t.Errorf("told of %q", l.events)
			}
		})
	}
	limited := func(after time.Duration) *llm.Error { return &llm.Error{Kind: llm.KindRateLimit, RetryAfter: after} }
	check(limited(0), nil, 5*time.Second)
	check(limited(7*time.Second), nil, 7*time.Second)
	check(limited(24*time.Hour), nil, 10*time.Minute)
	check(limited(0), func(s *Settings) { s.CooldownTime = time.Minute }, time.Minute)
	check(limited(0), func(s *Settings) { s.CooldownTime = 0 }, 0)
	check(limited(9*time.Second), func(s *Settings) { s.Deployments[0].Cooldown = 2 * time.Second }, 2*time.Second)
	check(limited(0), func(s *Settings) { s.Deployments[0].Cooldown = -1 }, 0)
	check(limited(0), func(s *Settings) { s.DisableCooldowns = true }, 0)
	check(limited(0), func(s *Settings) { s.Deployments = s.Deployments[:1] }, 0)
	check(fails(llm.KindAuthentication), nil, 5*time.Second)
	check(fails(llm.KindNotFound), nil, 5*time.Second)
	check(fails(llm.KindAuthentication), func(s *Settings) { s.Deployments = s.Deployments[:1] }, 0)
	for _, k := range []llm.Kind{
		llm.KindInternal, llm.KindTimeout, llm.KindBadRequest, llm.KindContextWindow, llm.KindContentPolicy,
		llm.KindPermission, llm.KindConnection,
	} {
		check(fails(k), nil, 0)
	}
}

// More than half of at least five calls of a minute.
func TestCooldownByRate(t *testing.T) {
	t.Parallel()
	check := func(k llm.Kind, good, bad int, pause time.Duration, alone, want bool) {
		t.Helper()
		in(t, func(s *Settings) {
			s.Deployments[1].Order = 2
			s.Deployments[0].Order = 1
			if alone {
				s.Deployments = s.Deployments[:1]
			}
		}, func(l *fleet) {
			for range good {
				l.ask("g")
			}
			time.Sleep(pause)
			l.fail["a"] = fails(k)
			for range bad {
				l.ask("g")
			}
			if got := !l.s.States.Learned("a").Until.IsZero(); got != want {
				t.Errorf("%v: %d good, %d bad, alone %v: left alone %v", k, good, bad, alone, got)
			}
		})
	}
	check(llm.KindInternal, 0, 4, 0, false, false)
	check(llm.KindInternal, 0, 5, 0, false, true)
	check(llm.KindConnection, 0, 5, 0, false, true)
	check(llm.KindTimeout, 0, 5, 0, false, true)
	check(llm.KindInternal, 5, 5, 0, false, false)
	check(llm.KindInternal, 5, 6, 0, false, true)
	check(llm.KindInternal, 100, 5, time.Minute, false, true) // a new minute
	check(llm.KindBadRequest, 0, 50, 0, false, false)
	check(llm.KindInternal, 0, 999, 0, true, false)
	check(llm.KindInternal, 0, 1000, 0, true, true)
	check(llm.KindInternal, 1, 1100, 0, true, false)
}

func TestAllowedFails(t *testing.T) {
	t.Parallel()
	check := func(allowed int, policy Policy, k llm.Kind, calls int) {
		t.Helper()
		in(t, func(s *Settings) {
			s.AllowedFails, s.AllowedFailsPolicy, s.Deployments = allowed, policy, s.Deployments[:1]
		}, func(l *fleet) {
			l.fail["a"] = fails(k)
			n := 0
			for ; n < 50 && l.s.States.Learned("a").Until.IsZero(); n++ {
				l.ask("g")
			}
			if n != calls {
				t.Errorf("%d %v: left alone after %d failures of kind %v, want %d", allowed, policy, n, k, calls)
			}
		})
	}
	check(0, nil, llm.KindInternal, 1)
	check(3, nil, llm.KindInternal, 4)
	check(3, nil, llm.KindRateLimit, 4)
	check(3, nil, llm.KindBadRequest, 50)
	check(-1, Policy{ClassRateLimit: 1}, llm.KindRateLimit, 2)
	check(-1, Policy{ClassRateLimit: 1}, llm.KindInternal, 4)
	check(2, Policy{ClassRateLimit: 1}, llm.KindInternal, 3)
	check(0, Policy{ClassBadRequest: 2}, llm.KindBadRequest, 3)
	check(0, Policy{ClassContentPolicy: 2}, llm.KindContentPolicy, 3)
	check(0, Policy{ClassTimeout: 2}, llm.KindTimeout, 3)
	check(0, Policy{ClassAuthentication: 2}, llm.KindAuthentication, 3)
	check(0, Policy{ClassInternalServer: 2}, llm.KindUnavailable, 3)
}

// One request at a time tests a deployment whose time is over, and a failure begins the next cooldown.
func TestProbationOneAtATime(t *testing.T) {
	t.Parallel()
	in(t, nil, func(l *fleet) {
		l.failOnce("a", fails(llm.KindRateLimit))
		time.Sleep(5 * time.Second)
		begin := func(want string) *Plan {
			t.Helper()
			p := &Plan{}
			l.r.Plan(ask("g"), p)
			for {
				d, err := p.Next(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				if d.ID == want {
					return p
				}
				p.Done(nil)
				l.r.Plan(ask("g"), p)
			}
		}
		p := begin("a")
		if got := l.called(50); got != "b" {
			t.Fatalf("called %q while one tests a", got)
		}
		p.Next(t.Context(), fails(llm.KindInternal)) // one failure is enough
		p.Done(nil)
		if len(l.events) != 2 || l.events[1] != "a 5s 500 it failed again" {
			t.Fatalf("told of %q", l.events)
		}
		time.Sleep(5 * time.Second)
		p = begin("a")
		p.Done(&llm.Error{Kind: llm.KindCanceled}) // the caller left: nothing is known
		p = begin("a")
		p.Done(fails(llm.KindBadRequest)) // it answers
		if len(l.events) != 3 || l.events[2] != "a 0s 0 " {
			t.Fatalf("told of %q", l.events)
		}
		delete(l.fail, "a")
		if got := l.called(50); got != "a b" {
			t.Errorf("called %q", got)
		}
	})
}

// A test that takes long does not shut out the others where there is no other deployment.
func TestProbationAlone(t *testing.T) {
	t.Parallel()
	in(t, func(s *Settings) { s.Deployments, s.AllowedFails = s.Deployments[:1], 0 }, func(l *fleet) {
		l.failOnce("a", fails(llm.KindInternal))
		delete(l.fail, "a")
		if _, err := l.ask("g"); llm.AsError(err).Kind != llm.KindNoDeployment {
			t.Fatalf("got %v", err)
		}
		if got, err := l.ask("a"); got != "a" || err != nil {
			t.Errorf("by its id: called %q, %v", got, err)
		}
		time.Sleep(5 * time.Second)
		var p Plan
		l.r.Plan(ask("g"), &p)
		if _, err := p.Next(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if got, err := l.ask("g"); got != "a" || err != nil {
			t.Errorf("called %q, %v", got, err)
		}
		p.Done(nil)
	})
}

func TestNobodyLeft(t *testing.T) {
	t.Parallel()
	in(t, func(s *Settings) {
		s.Deployments = append(s.Deployments, dep("f", "f", "m"))
		s.Retries, s.RetryAfter = 3, time.Minute
	}, func(l *fleet) {
		l.fail["a"] = &llm.Error{Kind: llm.KindRateLimit, RetryAfter: 30 * time.Second, Message: "slow down"}
		l.fail["b"] = &llm.Error{Kind: llm.KindRateLimit, RetryAfter: 20500 * time.Millisecond, Message: "slow down"}
		start := time.Now()
		ids, err := l.ask("g")
		if len(ids) != 3 || !strings.HasPrefix(llm.AsError(err).Message, "slow down") || time.Since(start) != 0 {
			t.Fatalf("called %q, %v after %v", ids, err, time.Since(start))
		}
		ids, err = l.ask("g")
		e := llm.AsError(err)
		const text = "No deployments available for selected model, Try again in 21 seconds. Passed model=g. " +
			"pre-call-checks=False, cooldown_list=['a', 'b']"
		if ids != "" || !strings.HasPrefix(e.Message, text) || e.HTTPStatus() != 429 || e.RetryAfter != 21*time.Second {
			t.Fatalf("called %q, %d %v %v", ids, e.HTTPStatus(), e.RetryAfter, e.Message)
		}
		l.s.Fallbacks = chain("g", "f")
		l.r = build(t, l.s) // what was learned stays
		if ids, err := l.ask("g"); ids != "f" || err != nil {
			t.Errorf("called %q, %v", ids, err)
		}
	})
}

// A caller who makes up a model's name must not take a wildcard out of service.
func TestCooldownWildcard(t *testing.T) {
	t.Parallel()
	in(t, func(s *Settings) {
		s.Deployments = []*llm.Deployment{dep("a", "groq/*", "*"), dep("b", "groq/*", "*")}
	}, func(l *fleet) {
		l.fail["a"], l.fail["b"] = fails(llm.KindNotFound), fails(llm.KindNotFound)
		for range 50 {
			l.ask("groq/none")
		}
		if len(l.events) != 0 {
			t.Errorf("told of %q", l.events)
		}
		l.fail["a"] = fails(llm.KindRateLimit)
		for range 50 {
			l.ask("groq/none")
		}
		if len(l.events) != 1 {
			t.Errorf("told of %q", l.events)
		}
	})
}

// Another replica's cooldowns count here.
func TestCooldownShared(t *testing.T) {
	t.Parallel()
	in(t, nil, func(l *fleet) {
		l.s.States.Cool("a", time.Now().Add(time.Minute))
		l.s.States.Cool("nobody", time.Now().Add(time.Minute))
		l.s.States.Cool("b", time.Now().Add(-time.Minute))
		if got := l.called(50); got != "b" {
			t.Errorf("called %q", got)
		}
		l.s.States.Cool("a", time.Time{})
		if got := l.called(50); got != "a b" {
			t.Errorf("called %q", got)
		}
		if len(l.events) != 0 {
			t.Errorf("told of %q, which others have told already", l.events)
		}
	})
}

func TestRetryPolicy(t *testing.T) {
	t.Parallel()
	check := func(change func(*Settings), k llm.Kind, calls int) {
		t.Helper()
		in(t, func(s *Settings) {
			s.Retries, s.DisableCooldowns = 2, true
			s.Deployments = append(s.Deployments, dep("f", "f", "m"))
			change(s)
		}, func(l *fleet) {
			l.fail["a"], l.fail["b"] = fails(k), fails(k)
			ids, _ := l.ask("g")
			if got := len(strings.ReplaceAll(strings.TrimSuffix(ids, " f"), " ", "")); got != calls {
				t.Errorf("kind %v: called %q, want %d calls", k, ids, calls)
			}
		})
	}
	general := func(c Class, n int) func(*Settings) {
		return func(s *Settings) { s.RetryPolicy = Policy{c: n} }
	}
	check(general(ClassBadRequest, 1), llm.KindBadRequest, 2)
	check(general(ClassBadRequest, 0), llm.KindBadRequest, 1)
	check(general(ClassAuthentication, 1), llm.KindAuthentication, 2)
	check(general(ClassTimeout, 4), llm.KindTimeout, 5)
	check(general(ClassRateLimit, 0), llm.KindRateLimit, 1)
	check(general(ClassContentPolicy, 1), llm.KindContentPolicy, 2)
	check(general(ClassInternalServer, 5), llm.KindInternal, 6)
	check(general(ClassInternalServer, 5), llm.KindConnection, 6)
	check(general(ClassInternalServer, 5), llm.KindTimeout, 3)
	check(general(ClassBadRequest, 5), llm.KindContextWindow, 1)
	check(func(s *Settings) {
		s.RetryPolicy, s.ContentPolicyFallbacks = Policy{ClassContentPolicy: 3}, chain("g", "f")
	}, llm.KindContentPolicy, 1)
	check(func(s *Settings) {
		s.RetryPolicy = Policy{ClassTimeout: 5, ClassRateLimit: 5}
		s.GroupRetryPolicies = map[string]Policy{"g": {ClassTimeout: 1}}
	}, llm.KindTimeout, 2)
	check(func(s *Settings) {
		s.RetryPolicy = Policy{ClassRateLimit: 5}
		s.GroupRetryPolicies = map[string]Policy{"g": {ClassTimeout: 1}}
	}, llm.KindRateLimit, 3)
	check(func(s *Settings) {
		s.RetryPolicy = Policy{ClassTimeout: 5}
		s.Deployments[0].Retries, s.Deployments[1].Retries = 0, 0
	}, llm.KindTimeout, 1)
}
