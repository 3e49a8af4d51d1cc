package router

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
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
			p.Began(time.Now())
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
