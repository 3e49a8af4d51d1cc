package shared_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/limit/shared"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// TestPrioritiesTogether shows that parts of a group's limit, and what is idle of it, are those of all replicas.
func TestPrioritiesTogether(t *testing.T) {
	t.Parallel()
	_, client := single(t)
	begun := time.Now()
	list := replicas(t, 2, client, func() []*llm.Scope { return nil })
	parts := make([]map[string][]*llm.Scope, len(list))
	for i := range list {
		whole := scope(llm.ScopeModel, "m", llm.Limits{RPM: 10}, llm.Budget{})
		parts[i] = map[string][]*llm.Scope{}
		for name, n := range map[string]int64{"prod": 6, "dev": 2, "none": llm.Nothing} {
			s := scope(llm.ScopePriority, "m:"+name, llm.Limits{RPM: n}, llm.Budget{})
			s.Within, s.From = whole, 0.5
			parts[i][name] = []*llm.Scope{s, whole}
		}
	}
	n := 0
	f := func(priority string, after time.Duration, want llm.Refusal, place int) {
		t.Helper()
		n++
		x := &llm.Exchange{}
		x.Reset()
		x.Start = begun.Add(after)
		x.ID = llm.NewID(time.Now())
		x.Asked = llm.Ask{Now: x.Start.UnixNano()}
		x.Scopes = append(x.Scopes, parts[n%2][priority]...)
		at, why, _, err := list[n%2].counts.Reserve(t.Context(), x)
		if err != nil || why != want || at != place {
			t.Errorf("%s: refusal %d of scope %d, want %d of %d; %v", priority, why, at, want, place, err)
		}
		eventually(t, "what a refused one took is given back", list[n%2].counts.Told)
	}
	for range 4 {
		f("dev", 0, llm.Passed, 0)
	}
	f("none", 0, llm.Passed, 0)
	f("dev", 0, llm.OverRequests, 0)
	f("none", 0, llm.OverRequests, 0)
	for range 5 {
		f("prod", 0, llm.Passed, 0)
	}
	f("prod", 0, llm.OverRequests, 1)
	for range 6 {
		f("prod", 70*time.Second, llm.Passed, 0)
	}
	f("prod", 70*time.Second, llm.OverRequests, 0)
	f("dev", 70*time.Second, llm.Passed, 0)
	f("dev", 70*time.Second, llm.Passed, 0)
	f("dev", 70*time.Second, llm.OverRequests, 0)
}

// BenchmarkRoundTrips is what a request costs that asks Redis once, and one to a deployment with a limit of its own, asked
// ahead or not.
func BenchmarkRoundTrips(b *testing.B) {
	url := storetest.Redis(b).URL()
	f := func(name string, own, ahead bool) {
		b.Run(name, func(b *testing.B) {
			limits, budget := llm.Limits{RPM: 1 << 40, TPM: 1 << 40}, llm.Budget{Limited: true, Max: 1e9}
			d := &llm.Deployment{Scopes: []*llm.Scope{scope(llm.ScopeDeployment, "d", llm.Limits{Parallel: 100}, budget)}}
			r := replicas(b, 1, func() redis.UniversalClient { return connect(b, shared.Address{URL: url}) }, func() []*llm.Scope {
				return []*llm.Scope{scope(llm.ScopeKey, "k", limits, budget), scope(llm.ScopeTeam, "t", limits, budget)}
			})[0]
			if ahead {
				r.next = d
			}
			for b.Loop() {
				x := &llm.Exchange{}
				x.Reset()
				x.Start = time.Now()
				x.ID = llm.NewID(x.Start)
				x.Scopes = append(x.Scopes, r.scopes...)
				if _, err := r.Before(b.Context(), x); err != nil {
					b.Fatal(err)
				}
				if own {
					if err := r.Enter(b.Context(), x, d); err != nil {
						b.Fatal(err)
					}
				}
				r.Settle(x, &llm.Reply{Deployment: d}, nil)
			}
		})
	}
	f("one", false, false)
	f("two", true, false)
	f("ahead", true, true)
}
