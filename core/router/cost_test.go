package router

import (
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// costs are settings with 100 deployments each, with one more thing to look at, and a request that is looked at.
func costs(tb testing.TB) map[string]struct {
	s Settings
	x *llm.Exchange
} {
	type one = struct {
		s Settings
		x *llm.Exchange
	}
	out := map[string]one{}
	add := func(name, members string, by func(i int) Facts, change func(s *Settings, x *llm.Exchange)) {
		s := hundred(SimpleShuffle)
		at := map[string]int{}
		for i, d := range s.Deployments {
			at[d.ID] = i
			d.RPM, d.TPM, d.Tags = 1e9, 1e12, []string{fmt.Sprint("t", i%10), fmt.Sprint("u", i%3)}
		}
		if by != nil {
			s.Facts = func(d *llm.Deployment) Facts { return by(at[d.ID]) }
		}
		x := with(tb, "g", members)
		change(&s, x)
		out[name] = one{s, x}
	}
	every := func(s *Settings, x *llm.Exchange) {}
	add("nothing", "", nil, every)
	add("teams", "", func(i int) Facts { return Facts{Team: []string{"", "t", "o"}[i%3]} }, func(_ *Settings, x *llm.Exchange) {
		x.Principal = &llm.Principal{TeamID: "t"}
	})
	add("web search", `,"tools":[{"type":"web_search"}]`, func(i int) Facts { return Facts{NoSearch: i%2 == 0} }, every)
	checks := func(s *Settings, _ *llm.Exchange) {
		s.PreCallChecks = true
		s.Count = func(*llm.Exchange, string) int64 { return 500 }
	}
	add("pre-call checks", `,"response_format":{"type":"json_object"},"x":"image"`, func(i int) Facts {
		return Facts{MaxPrompt: []int64{0, 100, 1000}[i%3], NoFormat: i%5 == 0}
	}, checks)
	add("region", "", func(i int) Facts { return Facts{Region: "eu-west-1", Area: []string{"eu", "us"}[i%2]} }, func(s *Settings, x *llm.Exchange) {
		checks(s, x)
		x.Region = "eu"
	})
	add("limits", "", nil, func(s *Settings, _ *llm.Exchange) { s.EnforceLimits = true })
	add("tags", "", nil, func(s *Settings, x *llm.Exchange) { s.TagFiltering, x.Tags = true, []string{"t1", "t2"} })
	add("all tags", "", nil, func(s *Settings, x *llm.Exchange) {
		s.TagFiltering, s.MatchAllTags, x.Tags = true, true, []string{"t1", "u1"}
	})
	add("a check", "", nil, func(s *Settings, _ *llm.Exchange) {
		s.Checks = []Check{checkFunc(func(d *llm.Deployment) bool { return d.Order == 0 })}
	})
	add("places", "", func(int) Facts { return Facts{Parallel: 1 << 40} }, every)
	add("session", "", nil, func(s *Settings, x *llm.Exchange) {
		s.Affinity.Sessions = true
		x.Controls.Metadata = []byte(`{"session_id":"s"}`)
	})
	add("key", "", nil, func(s *Settings, x *llm.Exchange) {
		s.Affinity.Keys = true
		x.Principal = &llm.Principal{KeyHash: "k"}
	})
	return out
}

// plan makes a whole plan whose first deployment answers.
func plan(tb testing.TB, r *Router, x *llm.Exchange, p *Plan) {
	if err := r.Plan(x, p); err != nil {
		tb.Fatal(err)
	}
	if _, err := p.Next(tb.Context(), nil); err != nil {
		tb.Fatal(err)
	}
	p.Began(p.begun.Add(time.Second))
	p.Answered(llm.Usage{Prompt: 10, Completion: 10})
	p.Done(nil)
}

// A choice allocates nothing, whatever there is to look at.
func TestChoiceAllocates(t *testing.T) {
	for name, c := range costs(t) {
		r := build(t, c.s)
		var p Plan
		plan(t, r, c.x, &p)
		if n := testing.AllocsPerRun(200, func() { plan(t, r, c.x, &p) }); n > 0 {
			t.Errorf("%s: %v allocations a request", name, n)
		}
	}
}

// BenchmarkFilters measures a choice among 100 deployments with everything that can leave some out, one by one.
func BenchmarkFilters(b *testing.B) {
	for name, c := range costs(b) {
		r, err := New(c.s)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			var p Plan
			if err := r.Plan(c.x, &p); err != nil {
				b.Fatal(err)
			}
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				p.begun, p.needs = time.Now(), needs{}
				p.bonds.forget()
				at, err := p.choose(ctx)
				if err != nil {
					b.Fatal(err)
				}
				p.unclaim(at)
			}
		})
	}
}
