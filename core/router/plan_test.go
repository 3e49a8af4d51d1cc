package router

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
)

func TestRetry(t *testing.T) {
	t.Parallel()
	one := settings(dep("a", "g", "m"))
	two := settings(dep("a", "g", "m"), dep("b", "g", "m"))
	check := func(s Settings, k llm.Kind, calls int) {
		t.Helper()
		s.DisableCooldowns = true
		synctest.Test(t, func(t *testing.T) {
			script := map[string]error{"a": fails(k), "b": fails(k)}
			if ids, _ := walk(t, build(t, s), ask("g"), script); len(ids) != calls {
				t.Errorf("%d deployments, status %d: called %v, want %d calls", len(s.Deployments), k.Status(), ids, calls)
			}
		})
	}
	for _, k := range []llm.Kind{llm.KindTimeout, llm.KindRateLimit, llm.KindInternal, llm.KindConnection, llm.KindBadGateway, llm.KindUnavailable} {
		check(one, k, 3)
		check(two, k, 3)
	}
	check(one, llm.KindAuthentication, 1)
	check(two, llm.KindAuthentication, 3)
	check(one, llm.KindPermission, 1)
	check(two, llm.KindPermission, 3)
	for _, k := range []llm.Kind{
		llm.KindBadRequest, llm.KindContextWindow, llm.KindContentPolicy, llm.KindNotFound, llm.KindUnprocessable,
		llm.KindRejected, llm.KindCanceled, llm.KindAuth, llm.KindInvalid, llm.KindTooLarge, llm.KindNoDeployment,
	} {
		check(two, k, 1)
	}

	status := func(status int, want bool) {
		t.Helper()
		if got := retryable(&llm.Error{Kind: llm.KindBadRequest, Status: status}, 1); got != want {
			t.Errorf("status %d: retryable %v, want %v", status, got, want)
		}
	}
	status(400, false)
	status(408, true)
	status(409, true)
	status(422, false)
	status(429, true)
	status(529, true)
}

func TestRetryCounts(t *testing.T) {
	t.Parallel()
	check := func(control, deployment, router, want int) {
		t.Helper()
		s := settings(dep("a", "g", "m", fmt.Sprintf("retries=%d", deployment)), dep("b", "g", "m", fmt.Sprintf("retries=%d", deployment)))
		s.Retries = router
		x := ask("g")
		x.Controls.Retries = control
		script := map[string]error{"a": fails(llm.KindInternal), "b": fails(llm.KindInternal)}
		ids, err := walk(t, build(t, s), x, script)
		if len(ids) != want+1 || x.Retries != want || x.MaxRetries != want {
			t.Errorf("called %v, x says %d of %d, want %d retries", ids, x.Retries, x.MaxRetries, want)
		}
		text := fmt.Sprintf(" LiteLLM Retried: %d times, LiteLLM Max Retries: %d", want, want)
		if got := strings.Contains(err.Error(), text); got != (want > 0) {
			t.Errorf("%d retries: %v", want, err)
		}
	}
	check(-1, -1, 2, 2)
	check(-1, 1, 2, 1)
	check(3, 1, 2, 3)
	check(0, 1, 2, 0)
	check(-1, 0, 2, 0)
	check(-1, -1, 0, 0)
}

// A retry goes to a deployment that was not tried, as long as there is one, and never to the last one while another is
// there; a lower order is used up first.
func TestRetryElsewhere(t *testing.T) {
	t.Parallel()
	s := settings(dep("a", "g", "m", "weight=100"), dep("b", "g", "m", "weight=1"), dep("c", "g", "m", "weight=1"))
	s.Retries, s.DisableCooldowns = 5, true
	script := map[string]error{"a": fails(llm.KindInternal), "b": fails(llm.KindInternal), "c": fails(llm.KindInternal)}
	r := build(t, s)
	for range 50 {
		ids, _ := walk(t, r, ask("g"), script)
		first := slices.Clone(ids[:3])
		slices.Sort(first)
		if !slices.Equal(first, []string{"a", "b", "c"}) || ids[3] == ids[2] {
			t.Fatalf("called %v", ids)
		}
	}
	s = settings(dep("a", "g", "m", "order=2"), dep("b", "g", "m", "order=1"), dep("c", "g", "m"))
	ids, _ := walk(t, build(t, s), ask("g"), script)
	if !slices.Equal(ids, []string{"b", "a", "c"}) {
		t.Errorf("called %v, want them by order", ids)
	}
	if n := s.States; n != nil {
		t.Error("New changed its settings")
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	check := func(change func(*Settings), failure *llm.Error, want ...time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			s := settings(dep("a", "g", "m"))
			s.Retries, s.Rand = len(want), func() float64 { return 0 }
			change(&s)
			var p Plan
			if err := build(t, s).Plan(ask("g"), &p); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Next(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			for i, d := range want {
				start := time.Now()
				if _, err := p.Next(t.Context(), failure); err != nil {
					t.Fatal(err)
				}
				if got := time.Since(start); got != d {
					t.Errorf("waited %v before retry %d, want %v", got, i+1, d)
				}
			}
		})
	}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	late := func(d time.Duration) *llm.Error { return &llm.Error{Kind: llm.KindRateLimit, RetryAfter: d} }
	same := func(*Settings) {}
	check(same, late(0), ms(500), ms(1000), ms(2000), ms(4000), ms(8000), ms(8000), ms(8000))
	check(func(s *Settings) { s.Rand = func() float64 { return 1 } }, late(0), ms(375), ms(750))
	check(same, late(3*time.Second), ms(3000), ms(3000))
	check(same, late(time.Minute), ms(60000))
	check(same, late(61*time.Second), ms(500))
	check(func(s *Settings) { s.RetryAfter = time.Second }, late(0), ms(1000), ms(1000), ms(2000))
	check(func(s *Settings) { s.RetryAfter = 5 * time.Second }, late(time.Second), ms(5000))
	check(func(s *Settings) {
		s.Deployments, s.DisableCooldowns = append(s.Deployments, dep("b", "g", "m")), true
	}, late(time.Minute), 0, 0)
}

// The caller leaves while the router waits.
func TestBackoffInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := ask("g")
		var p Plan
		if err := build(t, settings(dep("a", "g", "m"))).Plan(x, &p); err != nil {
			t.Fatal(err)
		}
		p.Next(&x.Life, nil)
		time.AfterFunc(100*time.Millisecond, func() { x.Life.Cancel(context.Canceled) })
		start := time.Now()
		_, err := p.Next(&x.Life, fails(llm.KindInternal))
		if llm.AsError(err).Kind != llm.KindCanceled || time.Since(start) != 100*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestFallbacks(t *testing.T) {
	t.Parallel()
	list := []*llm.Deployment{
		dep("a", "a", "m"), dep("b", "b", "m"), dep("c", "c", "m"), dep("d", "d", "m"), dep("w", "openai/*", "*"),
	}
	down := map[string]error{}
	for _, id := range []string{"a", "b", "c", "w"} {
		down[id] = &llm.Error{Kind: llm.KindInternal, Message: "litellm.InternalServerError: " + id}
	}
	check := func(change func(*Settings, *llm.Exchange), model string, script map[string]error, want string, fallbacks int) error {
		t.Helper()
		s, x := settings(list...), ask(model)
		s.Retries = 0
		change(&s, x)
		ids, err := walk(t, build(t, s), x, script)
		if got := strings.Join(ids, " "); got != want || x.Fallbacks != fallbacks || x.Model != model {
			t.Errorf("called %q with %d fallbacks, model %s; want %q with %d", got, x.Fallbacks, x.Model, want, fallbacks)
		}
		return err
	}
	general := func(f ...[]Fallback) func(*Settings, *llm.Exchange) {
		return func(s *Settings, _ *llm.Exchange) { s.Fallbacks = slices.Concat(f...) }
	}
	check(general(), "a", down, "a", 0)
	check(general(chain("a", "b", "d")), "a", down, "a b d", 2)
	check(general(chain("a", "b"), chain("b", "c"), chain("c", "d")), "a", down, "a b c d", 3) // fallbacks of fallbacks
	check(general(chain("a", "b", "d"), chain("b", "a", "c")), "a", down, "a b c d", 3)        // depth first, none twice
	check(general(chain("a", "b"), chain("b", "a")), "a", down, "a b", 1)
	check(general(chain("*", "d")), "a", down, "a d", 1)
	check(general(chain("*", "d"), chain("a", "c")), "a", down, "a c d", 2)
	check(general(chain("*", "c"), chain("*", "d")), "a", down, "a d", 1)
	check(general(chain("a", "c"), chain("a", "d")), "a", down, "a c", 1)
	check(general(chain("a", "d")), "openai/a", down, "w d", 1) // without the vendor's prefix
	check(general(chain("a", "d")), "openai/b", down, "w", 0)
	check(func(s *Settings, _ *llm.Exchange) { s.DefaultFallbacks = []string{"d"} }, "a", down, "a d", 1)
	check(func(s *Settings, x *llm.Exchange) {
		s.Fallbacks, x.Controls.DisableFallbacks = chain("a", "d"), true
	}, "a", down, "a", 0)
	check(func(s *Settings, _ *llm.Exchange) {
		s.Fallbacks, s.MaxFallbacks = slices.Concat(chain("a", "b"), chain("b", "c"), chain("c", "d")), 2
	}, "a", down, "a b c", 2)
	check(func(s *Settings, _ *llm.Exchange) {
		s.Aliases, s.Fallbacks = map[string]Alias{"z": {Group: "a"}}, chain("a", "d")
	}, "z", down, "a d", 1)

	// Which list serves which failure.
	kinds := func(s *Settings, _ *llm.Exchange) {
		s.Fallbacks, s.ContextWindowFallbacks, s.ContentPolicyFallbacks = chain("a", "b"), chain("a", "c"), chain("x", "d")
	}
	check(kinds, "a", map[string]error{"a": fails(llm.KindInternal)}, "a b", 1)
	check(kinds, "a", map[string]error{"a": fails(llm.KindBadRequest)}, "a b", 1)
	check(kinds, "a", map[string]error{"a": fails(llm.KindNotFound)}, "a b", 1)
	check(kinds, "a", map[string]error{"a": fails(llm.KindContextWindow)}, "a c", 1)
	check(kinds, "a", map[string]error{"a": fails(llm.KindContentPolicy)}, "a", 0)
	check(general(chain("a", "b")), "a", map[string]error{"a": fails(llm.KindContextWindow)}, "a b", 1)
	check(kinds, "a", map[string]error{"a": fails(llm.KindRejected)}, "a", 0)
	check(kinds, "a", map[string]error{"a": fails(llm.KindCanceled)}, "a", 0)

	// What the caller reads in the end.
	message := func(err error, want string) {
		t.Helper()
		if e := llm.AsError(err); e == nil || e.Message != want || e.Kind != llm.KindInternal {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	script := map[string]error{"a": down["a"], "b": fails(llm.KindRateLimit), "c": down["c"]}
	message(check(general(), "a", script, "a", 0),
		"litellm.InternalServerError: a. Received Model Group=a\nAvailable Model Group Fallbacks=None")
	message(check(general(chain("a", "b", "c")), "a", script, "a b c", 2),
		"litellm.InternalServerError: a. Received Model Group=a\nAvailable Model Group Fallbacks=['b', 'c']"+
			"\nError doing the fallback: litellm.InternalServerError: c")
	if llm.AsError(down["a"]).Message != "litellm.InternalServerError: a" {
		t.Error("the vendor's error was changed")
	}
}

func TestClientFallbacks(t *testing.T) {
	t.Parallel()
	s := settings(dep("a", "a", "m"), dep("b", "b", "m"), dep("c", "c", "m"))
	s.Fallbacks, s.Retries = chain("a", "c"), 0
	r := build(t, s)
	script := map[string]error{"a": fails(llm.KindInternal), "b": fails(llm.KindInternal)}
	check := func(fallbacks, want string) {
		t.Helper()
		x := ask("a")
		x.Controls.Fallbacks = []byte(fallbacks)
		ids, err := walk(t, r, x, script)
		if ids == nil {
			if e := llm.AsError(err); !strings.Contains(e.Message, want) || e.HTTPStatus() != 400 {
				t.Errorf("%s: got %d %v, want an error with %q", fallbacks, e.HTTPStatus(), e, want)
			}
			return
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: called %q, want %q", fallbacks, got, want)
		}
	}
	check(`null`, "a c")
	check(`[]`, "a")
	check(`["b","c"]`, "a b c")
	check(`[{"model":"b","temperature":0},"c"]`, "a b c")
	check(`[{"a":["b"]},{"x":["c"]},{"*":["c"]}]`, "a b c")
	check(`"b"`, "not a list")
	check(`{"a":"b"}`, "not a list")
	check(`[1]`, "neither a name nor an object")
	check(`[""]`, "neither a name nor an object")
	check(`[{"temperature":1}]`, `has no "model"`)
	check(`[{"model":""}]`, "not a name")
	check(`["nowhere"]`, "Invalid model name passed in model=nowhere")

	x := ask("a")
	x.Controls.Fallbacks = []byte(`[{"model":"c","temperature":0.5,"messages":[]}]`)
	var p Plan
	if err := r.Plan(x, &p); err != nil {
		t.Fatal(err)
	}
	p.Next(t.Context(), nil)
	if p.Params() != nil || p.Group() != "a" {
		t.Errorf("the first group is %s with %v", p.Group(), p.Params())
	}
	if _, err := p.Next(t.Context(), fails(llm.KindInternal)); err != nil {
		t.Fatal(err)
	}
	want := []llm.Pair{{Name: "temperature", Value: "0.5"}, {Name: "messages", Value: "[]"}}
	if diff := cmp.Diff(want, p.Params()); diff != "" || p.Group() != "c" {
		t.Errorf("the fallback is %s with (-want +got):\n%s", p.Group(), diff)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	s := settings(dep("a", "a", "m"), dep("b", "b", "m"))
	s.States, s.Retries, s.Fallbacks = NewStates(), 0, chain("a", "b")
	r := build(t, s)
	check := func(id string, want Counts) {
		t.Helper()
		if got := s.States.Counts(id); got != want {
			t.Errorf("%s: got %+v, want %+v", id, got, want)
		}
	}
	var p Plan
	r.Plan(ask("a"), &p)
	p.Next(t.Context(), nil)
	check("a", Counts{InFlight: 1, Calls: 1})
	p.Next(t.Context(), fails(llm.KindInternal))
	check("a", Counts{Calls: 1, Failures: 1})
	check("b", Counts{InFlight: 1, Calls: 1})
	p.Done(nil)
	p.Done(nil)
	check("b", Counts{Calls: 1})
	r.Plan(ask("b"), &p)
	p.Next(t.Context(), nil)
	p.Done(fails(llm.KindRejected)) // a guardrail's verdict on the answer is no failure of the vendor
	check("b", Counts{Calls: 2})
	r.Plan(ask("b"), &p)
	p.Next(t.Context(), nil)
	p.Done(fails(llm.KindConnection))
	check("b", Counts{Calls: 3, Failures: 1})
	check("nobody", Counts{})
	if _, err := p.Next(t.Context(), nil); llm.AsError(err).Kind != llm.KindInternal {
		t.Errorf("a plan that was not begun gave %v", err)
	}
}

// TestSpentElsewhere shows that deployments whose budget is found spent when they are to be called cost no retry: each
// other one of the group is called, and then the group has failed.
func TestSpentElsewhere(t *testing.T) {
	t.Parallel()
	f := func(script map[string]error, calls, retries int, passes bool) {
		t.Helper()
		s := settings(dep("a", "g", "m"), dep("b", "g", "m"), dep("c", "g", "m"))
		s.Retries, s.DisableCooldowns = 0, true
		x := ask("g")
		ids, err := walk(t, build(t, s), x, script)
		if len(ids) > calls || x.Retries != retries || (err == nil) != passes {
			t.Errorf("called %v with %d retries: %v", ids, x.Retries, err)
		}
	}
	spent := &llm.Error{Kind: llm.KindNoDeployment, Type: budgetExceeded}
	f(map[string]error{"a": spent, "b": spent}, 3, 0, true)
	f(map[string]error{"a": spent, "b": spent, "c": spent}, 4, 0, false)
	f(map[string]error{"a": spent, "b": fails(llm.KindInternal), "c": fails(llm.KindInternal)}, 2, 0, false)
}
