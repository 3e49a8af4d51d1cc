package router

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// dep makes a deployment of the group at "openai", with options such as "weight=3".
func dep(id, group, model string, options ...string) *llm.Deployment {
	d := &llm.Deployment{ID: id, Group: group, Provider: "openai", Model: model, Retries: -1}
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		var f float64
		fmt.Sscan(value, &f)
		switch name {
		case "weight":
			d.Weight = f
		case "rpm":
			d.RPM = f
		case "tpm":
			d.TPM = f
		case "order":
			d.Order = int(f)
		case "retries":
			d.Retries = int(f)
		case "provider":
			d.Provider = value
		default:
			panic(o)
		}
	}
	return d
}

func settings(list ...*llm.Deployment) Settings {
	s := Defaults()
	s.Deployments = list
	s.Rand = rand.New(rand.NewPCG(1, 2)).Float64
	s.Expand = func(d *llm.Deployment, model string) (*llm.Deployment, error) {
		if strings.HasSuffix(model, "unknown") {
			return nil, errors.New("no such vendor")
		}
		c := *d
		c.Model = model
		return &c, nil
	}
	return s
}

func build(t *testing.T, s Settings) *Router {
	t.Helper()
	r, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ask(model string) *llm.Exchange {
	x := &llm.Exchange{}
	x.Reset()
	x.Op, x.Model = llm.OpChat, model
	return x
}

func fails(k llm.Kind) *llm.Error {
	return &llm.Error{Kind: k, Message: "litellm: " + fmt.Sprint(k.Status())}
}

// walk runs a plan against scripted failures by deployment id; what is not in the script answers. It returns the ids
// called, and the plan's error.
func walk(t *testing.T, r *Router, x *llm.Exchange, script map[string]error) (ids []string, err error) {
	t.Helper()
	var p Plan
	if err := r.Plan(x, &p); err != nil {
		return nil, err
	}
	defer func() { p.Done(err) }()
	var last error
	for range 100 {
		d, err := p.Next(t.Context(), last)
		if err != nil {
			return ids, err
		}
		ids = append(ids, d.ID)
		if last = script[d.ID]; last == nil {
			return ids, nil
		}
	}
	t.Fatal("the plan does not end")
	return nil, nil
}

func TestResolve(t *testing.T) {
	t.Parallel()
	s := settings(
		dep("a1", "gpt-4o", "gpt-4o-2024"), dep("b1", "small", "mini"), dep("w1", "groq/*", "*", "provider=groq"),
		dep("w2", "groq/llama*", "vendor/llama*-x", "provider=groq"), dep("w3", "fixed/*", "one"),
		dep("w4", "two::*::*", "only-*"), dep("any", "*", "*", "provider="),
	)
	s.Aliases = map[string]Alias{"gpt-4": {Group: "gpt-4o"}, "small": {Group: "gpt-4o"}, "g": {Group: "groq/x"}}
	r := build(t, s)
	check := func(name, id, model string) {
		t.Helper()
		g, err := r.resolve(name)
		if err != nil || g == nil {
			t.Fatalf("%s: got %v, %v", name, g, err)
		}
		if d := g.members[0].d; d.ID != id || d.Model != model {
			t.Errorf("%s: got %s calling %q, want %s calling %q", name, d.ID, d.Model, id, model)
		}
	}
	check("gpt-4o", "a1", "gpt-4o-2024")
	check("gpt-4", "a1", "gpt-4o-2024")
	check("small", "a1", "gpt-4o-2024") // an alias stands in front of the group of the same name
	check("b1", "b1", "mini")           // by id
	check("groq/mixtral", "w1", "mixtral")
	check("g", "w1", "x")
	check("groq/llama3", "w2", "vendor/llama3-x") // the longer pattern wins
	check("fixed/x", "w3", "one")
	check("two::a::b", "w4", "two::a::b") // more stars than the vendor's name has
	check("groq/a/b", "w1", "a/b")
	check("openai/mini", "any", "openai/mini") // a wildcard comes before vendors' names
	check("anything", "any", "anything")

	r = build(t, settings(dep("b1", "small", "mini"), dep("w", "x*", "y*")))
	check("openai/mini", "b1", "mini")
	none := func(name string) {
		t.Helper()
		if r.Has(name) {
			t.Errorf("%q leads somewhere", name)
		}
	}
	none("")
	none("mini")
	none("openai/other")
	none("x*")
	none("w")
	none("x-unknown")
}

func TestWildcardIsKept(t *testing.T) {
	t.Parallel()
	s := settings(dep("w", "groq/*", "*"))
	expanded := 0
	s.Expand = func(d *llm.Deployment, model string) (*llm.Deployment, error) {
		expanded++
		c := *d
		c.Model = model
		return &c, nil
	}
	r := build(t, s)
	r.Has("groq/a")
	r.Has("groq/a")
	if expanded != 1 {
		t.Errorf("expanded %d times, want once", expanded)
	}
	for i := range 3 * maxCached {
		r.Has(fmt.Sprintf("groq/%d", i))
	}
	r.Has("groq/" + strings.Repeat("x", 2*maxCachedName))
	if n := len(r.wild.cache); n != maxCached {
		t.Errorf("%d names are cached, want %d", n, maxCached)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	a := dep("a", "a", "m")
	check := func(change func(*Settings), want string) {
		t.Helper()
		s := settings(a)
		change(&s)
		if _, err := New(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	check(func(s *Settings) { s.Strategy = "best" }, `routing_strategy "best"`)
	check(func(s *Settings) { s.Retries = -1 }, "num_retries")
	check(func(s *Settings) { s.Deployments = append(s.Deployments, dep("a", "b", "m")) }, `model_list[1]: the id "a"`)
	check(func(s *Settings) { s.Deployments = []*llm.Deployment{dep("a", "", "m")} }, "model_name is missing")
	check(func(s *Settings) { s.Deployments = []*llm.Deployment{dep("", "b", "m")} }, "no id")
	check(func(s *Settings) { s.Deployments, s.Expand = []*llm.Deployment{dep("w", "*", "*")}, nil }, "wildcard")
	check(func(s *Settings) { s.Aliases = map[string]Alias{"x": {Group: "y"}} }, `"x" stands for "y"`)
	check(func(s *Settings) { s.Fallbacks = chain("a", "y") }, `fallbacks: "a" falls back to "y"`)
	check(func(s *Settings) { s.ContextWindowFallbacks = chain("a", "y") }, "context_window_fallbacks")
	check(func(s *Settings) { s.ContentPolicyFallbacks = chain("a", "y") }, "content_policy_fallbacks")
	check(func(s *Settings) { s.DefaultFallbacks = []string{"y"} }, `"*" falls back to "y"`)
}

func chain(group string, targets ...string) []Fallback {
	f := Fallback{Group: group}
	for _, t := range targets {
		f.Targets = append(f.Targets, Target{Group: t})
	}
	return []Fallback{f}
}

func TestUnknownModel(t *testing.T) {
	t.Parallel()
	r := build(t, settings(dep("a", "a", "m")))
	check := func(op llm.Operation, model, want string) {
		t.Helper()
		x := ask(model)
		x.Op = op
		e := llm.AsError(r.Plan(x, &Plan{}))
		if e.Message != want || e.Type != "None" || e.Param != "None" || e.Code != "400" || e.HTTPStatus() != 400 {
			t.Errorf("got %d %+v\nwant %s", e.HTTPStatus(), e, want)
		}
	}
	const tail = ". Call `/v1/models` to view available models for your key."
	check(llm.OpChat, "gpt-x", "{'error': '/chat/completions: Invalid model name passed in model=gpt-x"+tail+"'}")
	check(llm.OpCompletion, "x", "{'error': '/completions: Invalid model name passed in model=x"+tail+"'}")
	check(llm.OpEmbedding, "x", "{'error': '/embeddings: Invalid model name passed in model=x"+tail+"'}")
	check(llm.OpChat, "", "{'error': '/chat/completions: Invalid model name passed in model=None"+tail+"'}")
	check(llm.OpChat, "it's", `{'error': "/chat/completions: Invalid model name passed in model=it's`+tail+`"}`)
	check(llm.OpChat, "a\n'\"\\\x01é", `{'error': '/chat/completions: Invalid model name passed in model=a\n\'"\\\x01é`+tail+`'}`)
}

func TestAccess(t *testing.T) {
	t.Parallel()
	s := settings(dep("a", "gpt-4o", "m"), dep("b", "claude", "m2"))
	s.Aliases = map[string]Alias{"alias": {Group: "gpt-4o"}}
	r := build(t, s)
	check := func(model, fallbacks string, want string, models ...string) {
		t.Helper()
		x := ask(model)
		x.Principal = &llm.Principal{Models: models}
		if fallbacks != "" {
			x.Controls.Fallbacks = []byte(fallbacks)
		}
		err := r.Plan(x, &Plan{})
		if want == "" {
			if err != nil {
				t.Errorf("%s: got %v", model, err)
			}
			return
		}
		e := llm.AsError(err)
		if err == nil || e.Message != want || e.HTTPStatus() != 401 || e.Kind != llm.KindAuth || e.Type != "key_model_access_denied" || e.Param != "model" {
			t.Errorf("%s: got %+v, want %s", model, e, want)
		}
	}
	const text = "key not allowed to access model. This key can only access models="
	check("gpt-4o", "", "")
	check("gpt-4o", "", "", "gpt-4o")
	check("alias", "", "", "gpt-4o")
	check("alias", "", "", "alias")
	check("claude", "", text+"['gpt-4o']. Tried to access claude", "gpt-4o")
	check("b", "", text+"['claude', 'x']. Tried to access b", "claude", "x")
	check("nowhere", "", text+"['gpt-4o']. Tried to access nowhere", "gpt-4o")
	check("gpt-4o", `["claude"]`, text+"['gpt-4o']. Tried to access claude", "gpt-4o")
	check("gpt-4o", `[{"model":"claude"}]`, text+"['gpt-4o']. Tried to access claude", "gpt-4o")
	check("gpt-4o", `["alias"]`, "", "gpt-4o")
}

func TestModels(t *testing.T) {
	t.Parallel()
	s := settings(
		dep("1", "z", "m"), dep("2", "a", "m"), dep("3", "z", "m"), dep("4", "openai/*", "*"), dep("5", "groq/*", "*", "provider=groq"))
	s.Aliases = map[string]Alias{"beta": {Group: "z"}, "alpha": {Group: "a"}, "secret": {Group: "a", Hidden: true}, "a": {Group: "z"}}
	r := build(t, s)
	check := func(p *llm.Principal, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, r.Models(p)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	check(nil, "z", "a", "alpha", "beta")
	check(&llm.Principal{Models: []string{"z"}}, "z", "beta")
	check(&llm.Principal{Models: []string{"openai/gpt-4o", "z", "openai/*", "other"}}, "z", "beta", "openai/gpt-4o")
	check(&llm.Principal{Models: []string{"groq/*"}}, "groq/*")
	check(&llm.Principal{Models: []string{"no-default-models"}}, []string{}...)
	r = build(t, settings(dep("4", "openai/*", "*"), dep("5", "*", "*")))
	check(nil, "openai/*", "*")
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	s := settings(dep("a", "a", "m"))
	s.Timeout, s.StreamTimeout = 10*time.Second, 5*time.Second
	d, x := *s.Deployments[0], ask("a")
	r := build(t, s)
	check := func(whole, wait time.Duration) {
		t.Helper()
		if w, s := r.Timeouts(x, &d); w != whole || s != wait {
			t.Errorf("got %v and %v, want %v and %v", w, s, whole, wait)
		}
	}
	check(10*time.Second, 5*time.Second)
	d.Timeout = 3 * time.Second
	check(3*time.Second, 5*time.Second)
	d.StreamTimeout = 2 * time.Second
	check(3*time.Second, 2*time.Second)
	x.Controls.Timeout, x.Controls.StreamTimeout = time.Second, 7*time.Second
	check(time.Second, 7*time.Second)
	s.StreamTimeout, d.StreamTimeout, x.Controls.StreamTimeout = 0, 0, 0
	r = build(t, s)
	check(time.Second, time.Second)
}

func TestShuffle(t *testing.T) {
	t.Parallel()
	const rounds = 20000
	check := func(want map[string]float64, list ...*llm.Deployment) {
		t.Helper()
		r := build(t, settings(list...))
		got := map[string]float64{}
		var p Plan
		for range rounds {
			x := ask("g")
			if err := r.Plan(x, &p); err != nil {
				t.Fatal(err)
			}
			d, _ := p.Next(t.Context(), nil)
			got[d.ID] += 1.0 / rounds
			p.Done(nil)
		}
		for _, d := range list {
			if share := got[d.ID]; share < want[d.ID]-0.02 || share > want[d.ID]+0.02 || want[d.ID] == 0 && share != 0 {
				t.Errorf("%s is called in %.3f of the cases, want %.3f", d.ID, share, want[d.ID])
			}
		}
	}
	g := func(id string, options ...string) *llm.Deployment { return dep(id, "g", id, options...) }
	check(map[string]float64{"a": 1}, g("a"))
	check(map[string]float64{"a": 1. / 3, "b": 1. / 3, "c": 1. / 3}, g("a"), g("b"), g("c"))
	check(map[string]float64{"a": .75, "b": .25}, g("a", "weight=3"), g("b", "weight=1"))
	check(map[string]float64{"a": 1}, g("a", "weight=3"), g("b", "rpm=1"))
	check(map[string]float64{"a": .9, "b": .1}, g("a", "rpm=900", "tpm=1"), g("b", "rpm=100", "tpm=99"))
	check(map[string]float64{"a": .2, "b": .8}, g("a", "tpm=20"), g("b", "tpm=80", "weight=5"))
	check(map[string]float64{"a": .5, "b": .5}, g("a"), g("b", "weight=5")) // the first decides
	check(map[string]float64{"b": .5, "c": .5}, g("a"), g("b", "order=1"), g("c", "order=1"), g("d", "order=2"))
}

func TestRetry(t *testing.T) {
	t.Parallel()
	one := settings(dep("a", "g", "m"))
	two := settings(dep("a", "g", "m"), dep("b", "g", "m"))
	check := func(s Settings, k llm.Kind, calls int) {
		t.Helper()
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
	s.Retries = 5
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
	check(func(s *Settings) { s.Deployments = append(s.Deployments, dep("b", "g", "m")) }, late(time.Minute), 0, 0)
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
	if down["a"].(*llm.Error).Message != "litellm.InternalServerError: a" {
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

func TestAllocations(t *testing.T) {
	s := settings(
		dep("a", "g", "m", "weight=2"), dep("b", "g", "m", "weight=1"), dep("w", "groq/*", "*"))
	s.Rand, s.Aliases = nil, map[string]Alias{"alias": {Group: "g"}}
	r := build(t, s)
	check := func(model string) {
		t.Helper()
		x, ctx := ask(model), t.Context()
		x.Principal = &llm.Principal{Models: []string{"g", "alias", "groq/*"}}
		var p Plan
		n := testing.AllocsPerRun(200, func() {
			if err := r.Plan(x, &p); err != nil {
				t.Fatal(err)
			}
			d, err := p.Next(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Timeouts(x, d)
			p.Done(nil)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", model, n)
		}
	}
	check("g")
	check("alias")
	check("groq/llama")
}

func BenchmarkPlan(b *testing.B) {
	r, err := New(settings(dep("a", "g", "m", "weight=2"), dep("b", "g", "m", "weight=1")))
	if err != nil {
		b.Fatal(err)
	}
	x, ctx := ask("g"), b.Context()
	var p Plan
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Plan(x, &p); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Next(ctx, nil); err != nil {
			b.Fatal(err)
		}
		p.Done(nil)
	}
}

func FuzzClientFallbacks(f *testing.F) {
	f.Add(`["b"]`, "a")
	f.Add(`[{"model":"b","x":[1]}]`, "a")
	f.Add(`[{"a":["b"]}]`, "groq/x")
	f.Add(`[{"model":"groq/\u0000\n'\""}]`, "groq/\xff")
	r, err := New(settings(dep("a", "a", "m"), dep("b", "b", "m"), dep("w", "groq/*", "*")))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, fallbacks, model string) {
		x := ask(model)
		x.Controls.Fallbacks = []byte(fallbacks)
		x.Controls.Retries = 0
		var p Plan
		if err := r.Plan(x, &p); err != nil {
			if e := llm.AsError(err); e.HTTPStatus() != 400 || e.Message == "" {
				t.Errorf("got %d %v", e.HTTPStatus(), e)
			}
			return
		}
		var last error
		for range 1000 {
			if _, err := p.Next(t.Context(), last); err != nil {
				p.Done(err)
				return
			}
			last = &llm.Error{Kind: llm.KindNotFound}
		}
		t.Error("the plan does not end")
	})
}
