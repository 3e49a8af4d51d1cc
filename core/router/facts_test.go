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

// with is a chat for a model with further members in its body.
func with(t testing.TB, model, members string) *llm.Exchange {
	t.Helper()
	x := ask(model)
	raw := `{"model":"` + model + `","messages":[{"role":"user","content":"hi"}]` + members + `}`
	if err := x.Body.Parse([]byte(raw)); err != nil {
		t.Fatal(err)
	}
	return x
}

// facts gives deployments their facts by id.
func facts(s Settings, by map[string]Facts) Settings {
	s.Facts = func(d *llm.Deployment) Facts { return by[d.ID] }
	return s
}

// reach asks until it has seen everybody who is ever chosen first, in order of their ids; "" with an error.
func reach(t *testing.T, r *Router, x *llm.Exchange) (string, *llm.Error) {
	t.Helper()
	seen := map[string]bool{}
	var p Plan
	for range 64 {
		if err := r.Plan(x, &p); err != nil {
			return "", llm.AsError(err)
		}
		d, err := p.Next(t.Context(), nil)
		if err != nil {
			p.Done(err)
			return "", llm.AsError(err)
		}
		seen[d.ID] = true
		p.Done(&llm.Error{Kind: llm.KindCanceled})
	}
	ids := make([]string, 0, len(seen))
	for id := range seen {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return strings.Join(ids, ""), nil
}

func abc(options ...string) Settings {
	return settings(dep("a", "g", "m", options...), dep("b", "g", "m", options...), dep("c", "g", "m", options...))
}

func TestTeams(t *testing.T) {
	t.Parallel()
	s := facts(settings(dep("a", "g", "m"), dep("b", "g", "m"), dep("t", "model_name_t1", "m"), dep("u", "model_name_t2", "m")), map[string]Facts{
		"b": {Team: "t1"}, "t": {Team: "t1", TeamName: "public"}, "u": {Team: "t2", TeamName: "g"},
	})
	r := build(t, s)
	f := func(team, model, want string) {
		t.Helper()
		x := ask(model)
		x.Principal = &llm.Principal{TeamID: team}
		if got, err := reach(t, r, x); got != want {
			t.Errorf("team %q asks for %s: %q %v, want %q", team, model, got, err, want)
		}
	}
	f("", "g", "a")
	f("t1", "g", "ab")
	f("t2", "g", "u") // its own model of that name
	f("t1", "public", "t")
	f("", "public", "")
	f("t2", "public", "")
	f("t2", "model_name_t1", "") // another team's
	f("t1", "model_name_t1", "t")
	f("t2", "t", "")

	list := func(team string, want ...string) {
		t.Helper()
		if got := r.Models(&llm.Principal{TeamID: team}); !slices.Equal(got, want) {
			t.Errorf("team %q sees %v, want %v", team, got, want)
		}
	}
	list("", "g")
	list("t1", "g", "public")
	list("t2", "g")
}

func TestAbilities(t *testing.T) {
	t.Parallel()
	r := build(t, facts(abc(), map[string]Facts{"a": {NoSearch: true}, "b": {NoFetch: true}}))
	f := func(members, want string) {
		t.Helper()
		if got, err := reach(t, r, with(t, "g", members)); got != want {
			t.Errorf("%s: %q %v, want %q", members, got, err, want)
		}
	}
	f("", "abc")
	f(`,"tools":[]`, "abc")
	f(`,"tools":null`, "abc")
	f(`,"tools":"web_search"`, "abc")
	f(`,"tools":[{"type":"function","function":{"name":"web_search"}}]`, "abc")
	f(`,"tools":[{"type":"web_search"}]`, "bc")
	f(`,"tools":[{"type":"web_search_preview"}]`, "bc")
	f(`,"tools":[{"type":"web_search_20250305","name":"web_search"}]`, "bc")
	f(`,"tools":[{"type":"web_searching"}]`, "abc")
	f(`,"tools":[{"google_search":{}}]`, "bc")
	f(`,"tools":[{"type":"web_fetch_20250910","name":"web_fetch"}]`, "ac")
	f(`,"tools":[{"url_context":{}}]`, "ac")
	f(`,"tools":[{"type":"web_search"},{"type":"web_fetch"}]`, "c")

	none := build(t, facts(settings(dep("a", "g", "m")), map[string]Facts{"a": {NoSearch: true}}))
	if _, err := reach(t, none, with(t, "g", `,"tools":[{"type":"web_search"}]`)); err == nil || err.HTTPStatus() != 429 {
		t.Errorf("got %v, want that nobody is left", err)
	}
}

// checked turns on the pre-call checks, with a tokenizer that takes each byte for a token.
func checked(s Settings) Settings {
	s.PreCallChecks = true
	s.Count = func(x *llm.Exchange, _ string) int64 { return int64(len(body(x).Raw())) }
	return s
}

func TestContextWindow(t *testing.T) {
	t.Parallel()
	by := map[string]Facts{"a": {MaxPrompt: 100}, "b": {MaxPrompt: 1000}}
	s := checked(facts(abc(), by))
	r := build(t, s)
	f := func(r *Router, size int, want string) {
		t.Helper()
		if got, err := reach(t, r, with(t, "g", `,"x":"`+strings.Repeat("x", size)+`"`)); got != want {
			t.Errorf("%d bytes: %q %v, want %q", size, got, err, want)
		}
	}
	f(r, 0, "abc")
	f(r, 200, "bc")
	f(r, 2000, "c")
	s.PreCallChecks = false
	f(build(t, s), 2000, "abc")
	s = checked(facts(abc(), by))
	s.Count = func(*llm.Exchange, string) int64 { return 0 } // no chat that can be counted
	f(build(t, s), 2000, "abc")

	// An image may be more tokens than bytes, so it is counted however short the request is.
	s.Count = func(*llm.Exchange, string) int64 { return 5000 }
	if got, _ := reach(t, build(t, s), with(t, "g", `,"x":{"type":"image_url"}`)); got != "c" {
		t.Errorf("an image was sent to %q", got)
	}

	// Nobody takes it: the failure of its kind, with the fallbacks for that.
	s = checked(facts(settings(dep("a", "g", "m"), dep("l", "long", "m")), by))
	long := with(t, "g", `,"x":"`+strings.Repeat("x", 200)+`"`)
	_, err := reach(t, build(t, s), long)
	if err == nil || err.Kind != llm.KindContextWindow || !strings.Contains(err.Message, "Model=m, Max Input Tokens=100, Got=") {
		t.Errorf("got %v", err)
	}
	s.ContextWindowFallbacks = []Fallback{{Group: "g", Targets: []Target{{Group: "long"}}}}
	if got, err := reach(t, build(t, s), long); got != "l" {
		t.Errorf("got %q %v, want the fallback", got, err)
	}
}

func TestRegions(t *testing.T) {
	t.Parallel()
	r := build(t, checked(facts(abc(), map[string]Facts{"a": {Region: "eu-west-1", Area: "eu"}, "b": {Region: "us-east-1", Area: "us"}})))
	f := func(of, member, want string) {
		t.Helper()
		x := with(t, "g", member)
		x.Region = of
		if got, err := reach(t, r, x); got != want {
			t.Errorf("%q %s: %q %v, want %q", of, member, got, err, want)
		}
	}
	f("", "", "abc")
	f("eu", "", "a")
	f("EU", "", "a")
	f("us-east-1", "", "b")
	f("ap", "", "")
	f("", `,"allowed_model_region":"us"`, "b")
	f("eu", `,"allowed_model_region":"us"`, "a") // the operator's word counts
	f("", `,"allowed_model_region":7`, "abc")
}

func TestFormatAndLimits(t *testing.T) {
	t.Parallel()
	s := checked(facts(abc("rpm=2"), map[string]Facts{"a": {NoFormat: true}}))
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Minute - time.Duration(time.Now().UnixNano())%time.Minute) // to the beginning of a minute
		r := build(t, s)
		var p Plan
		ids := map[string]int{}
		next := func(x *llm.Exchange) *llm.Error {
			if err := r.Plan(x, &p); err != nil {
				t.Fatal(err)
			}
			d, err := p.Next(t.Context(), nil)
			if err == nil {
				ids[d.ID]++
			}
			p.Done(err)
			return llm.AsError(err)
		}
		for range 4 {
			if err := next(with(t, "g", `,"response_format":{"type":"json_object"}`)); err != nil {
				t.Fatal(err)
			}
		}
		if ids["a"] != 0 || ids["b"] != 2 || ids["c"] != 2 {
			t.Errorf("calls %v", ids)
		}
		if err := next(with(t, "g", `,"response_format":{"type":"json_object"}`)); err == nil || err.HTTPStatus() != 429 || err.RetryAfter < 59*time.Second {
			t.Errorf("got %v", err)
		}
		if err := next(with(t, "g", `,"response_format":null`)); err != nil || ids["a"] != 1 {
			t.Errorf("got %v, calls %v", err, ids)
		}
		time.Sleep(time.Minute)
		if err := next(with(t, "g", `,"response_format":{"type":"json_object"}`)); err != nil {
			t.Errorf("a new minute: %v", err)
		}
	})

	// rpm and tpm are limits for every strategy if the operator says so, and only then.
	limits := func(enforce bool, want int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			s := abc("rpm=2")
			s.EnforceLimits, s.Retries = enforce, 0
			r, calls := build(t, s), 0
			for range 20 {
				if ids, _ := walk(t, r, ask("g"), nil); len(ids) > 0 {
					calls++
				}
			}
			if calls != want {
				t.Errorf("enforce %v: %d calls, want %d", enforce, calls, want)
			}
		})
	}
	limits(true, 6)
	limits(false, 20)
}

func TestTags(t *testing.T) {
	t.Parallel()
	tagged := func(all bool, tags ...string) *Router {
		t.Helper()
		s := Settings{}
		var list []*llm.Deployment
		for i, text := range tags {
			d := dep(string(rune('a'+i)), "g", "m")
			d.Tags = strings.Fields(text)
			list = append(list, d)
		}
		s = settings(list...)
		s.TagFiltering, s.MatchAllTags = true, all
		return build(t, s)
	}
	f := func(r *Router, asked, want string) {
		t.Helper()
		x := ask("g")
		x.Tags = strings.Fields(asked)
		got, err := reach(t, r, x)
		if got != want {
			t.Errorf("%q: %q %v, want %q", asked, got, err, want)
		}
		if want == "" && (err.HTTPStatus() != 401 || !strings.HasPrefix(err.Message, "Not allowed to access model due to tags configuration. Passed model=g and tags=[")) {
			t.Errorf("%q: %d %v", asked, err.HTTPStatus(), err)
		}
	}
	r := tagged(false, "free", "paid eu", "paid us", "default")
	f(r, "free", "a")
	f(r, "paid", "bc")
	f(r, "paid eu", "bc")
	f(r, "eu us", "bc")
	f(r, "nobody", "d")
	f(r, "nobody paid", "bc")
	f(r, "", "d")
	r = tagged(true, "free", "paid eu", "paid us", "default")
	f(r, "paid eu", "b")
	f(r, "paid", "bc")
	f(r, "eu us", "d")
	f(r, "paid nobody", "d")
	r = tagged(false, "free", "paid", "")
	f(r, "free", "a")
	f(r, "nobody", "")
	f(r, "", "abc")
	f(tagged(false, "", ""), "x", "")

	// More tags than a word has bits.
	var many []string
	for i := range 130 {
		many = append(many, fmt.Sprint("t", i))
	}
	r = tagged(true, strings.Join(many, " "), "t129")
	f(r, "t0 t64 t129", "a")
	f(r, "t129", "ab")
}

// A fallback is tried when no deployment has the tags.
func TestTagsFallBack(t *testing.T) {
	t.Parallel()
	a, b := dep("a", "g", "m"), dep("b", "h", "m")
	a.Tags, b.Tags = []string{"x"}, []string{"y"}
	s := settings(a, b)
	s.TagFiltering, s.Fallbacks = true, []Fallback{{Group: "g", Targets: []Target{{Group: "h"}}}}
	x := ask("g")
	x.Tags = []string{"y"}
	if got, err := reach(t, build(t, s), x); got != "b" {
		t.Errorf("got %q %v", got, err)
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	f := func(c checkFunc, want string, kind llm.Kind) {
		t.Helper()
		s := abc()
		s.Checks = []Check{c}
		got, err := reach(t, build(t, s), ask("g"))
		if got != want || err != nil && err.Kind != kind {
			t.Errorf("got %q %v, want %q", got, err, want)
		}
	}
	f(func(d *llm.Deployment) bool { return d.ID != "b" }, "ac", 0)
	f(func(*llm.Deployment) bool { return false }, "", llm.KindNoDeployment)
}

type checkFunc func(d *llm.Deployment) bool

func (f checkFunc) Allows(_ *llm.Exchange, d *llm.Deployment) bool       { return f(d) }
func (f checkFunc) Refusal(*llm.Exchange, []*llm.Deployment) (err error) { return nil }

// What a group's deployment is now does not inherit what another one did under its id.
func TestAnother(t *testing.T) {
	t.Parallel()
	d := dep("a", "g", "m")
	s := settings(d, dep("b", "g", "m"))
	s.States = NewStates()
	build(t, s)
	s.States.Cool("a", time.Now().Add(time.Hour))
	s.States.Learn("a", Sample{3, time.Now().UnixNano()}, Sample{})
	build(t, s)
	if l := s.States.Learned("a"); l.Until.IsZero() || l.Latency != 3*time.Second {
		t.Fatalf("a reload forgot %+v", l)
	}
	changed := *d
	changed.Base = "http://elsewhere"
	s.Deployments[0] = &changed
	build(t, s)
	if l := s.States.Learned("a"); !l.Until.IsZero() || l.Latency != 0 || s.States.out.Load() != 0 {
		t.Fatalf("another deployment has %+v", l)
	}
	s.States.Cool("b", time.Now().Add(time.Hour))
	s.States.Forget(func(id string) bool { return id == "a" })
	if s.States.find("b") != nil || s.States.out.Load() != 0 || s.States.find("a") == nil {
		t.Error("what is gone is not forgotten")
	}
}

func TestPretend(t *testing.T) {
	t.Parallel()
	s := settings(dep("a", "g", "m"), dep("b", "f", "m"), dep("c", "w", "m"), dep("d", "p", "m"), dep("e", "g", "m"))
	s.Fallbacks = []Fallback{{Group: "g", Targets: []Target{{Group: "f"}}}}
	s.ContextWindowFallbacks = []Fallback{{Group: "g", Targets: []Target{{Group: "w"}}}}
	s.ContentPolicyFallbacks = []Fallback{{Group: "g", Targets: []Target{{Group: "p"}}}}
	f := func(test llm.Testing, disable bool, want, message string) {
		t.Helper()
		x := ask("g")
		x.Controls.Testing, x.Controls.DisableFallbacks = test, disable
		ids, err := walk(t, build(t, s), x, nil)
		if got := strings.Join(ids, ""); want != "" && !strings.Contains(want, got) || want == "" && got != "" {
			t.Errorf("called %q, want %q", got, want)
		}
		if message != "" && (err == nil || !strings.Contains(err.Error(), message)) {
			t.Errorf("got %v, want %q", err, message)
		}
	}
	f(llm.TestFallbacks, false, "b", "")
	f(llm.TestContextFallbacks, false, "c", "")
	f(llm.TestPolicyFallbacks, false, "d", "")
	f(llm.TestRateLimit, false, "ae", "")
	f(llm.TestFallbacks, true, "", "litellm.InternalServerError: This is a mock exception for model=g, to trigger a fallback. Fallbacks=[{'g': ['f']}]")
	f(llm.TestContextFallbacks, true, "", "litellm.ContextWindowExceededError: This is a mock exception for model=g")
	f(llm.TestPolicyFallbacks, true, "", "Context_Policy_Fallbacks=[{'g': ['p']}]")

	// A limit is tried again, unless nothing may be.
	x := ask("g")
	x.Controls.Testing, x.Controls.Retries, x.Controls.DisableFallbacks = llm.TestRateLimit, 0, true
	if ids, err := walk(t, build(t, s), x, nil); len(ids) > 0 || llm.AsError(err).HTTPStatus() != 429 {
		t.Errorf("called %v, %v", ids, err)
	}
	x.Controls.Retries = 1
	if ids, err := walk(t, build(t, s), x, nil); len(ids) != 1 || err != nil || x.Retries != 1 {
		t.Errorf("called %v, %v, %d retries", ids, err, x.Retries)
	}
}
