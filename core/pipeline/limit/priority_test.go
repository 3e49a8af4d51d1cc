package limit_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/limit"
)

// group makes the scopes of a model group that takes as much, and of two priorities: prod has 6 tenths of it, dev 2.
func group(l llm.Limits) map[string][]*llm.Scope {
	whole := scope(llm.ScopeModel, "m", l, llm.Budget{})
	out := map[string][]*llm.Scope{}
	for name, tenths := range map[string]int64{"prod": 6, "dev": 2} {
		s := scope(llm.ScopePriority, "m:"+name, llm.Limits{RPM: l.RPM * tenths / 10, TPM: l.TPM * tenths / 10}, llm.Budget{})
		s.Alias, s.Within, s.From = name, whole, 0.5
		out[name] = []*llm.Scope{s, whole}
	}
	none := scope(llm.ScopePriority, "m:default_pool", llm.Limits{RPM: llm.Nothing, TPM: llm.Nothing}, llm.Budget{})
	none.Alias, none.Within, none.From = "default", whole, 0.5
	out[""] = []*llm.Scope{none, whole}
	return out
}

// TestPriorities shows that whoever asks may use what is idle, and that each priority has its part once the group is half
// used; and that the group's own limit holds for all.
func TestPriorities(t *testing.T) {
	t.Parallel()
	f := func(name string, limits llm.Limits, tokens int64) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				parts := group(limits)
				l := limiter(func(s *limit.Settings) {
					s.Groups = func(x *llm.Exchange) []*llm.Scope { return parts[x.EndUser] }
					s.Estimate = func(*llm.Exchange) (int64, float64, bool) { return tokens, 0, false }
				})
				call := func(priority, refused string) {
					t.Helper()
					x := exchange()
					x.Model, x.EndUser = "m", priority
					_, err := l.Before(t.Context(), x)
					var e *llm.Error
					switch {
					case refused == "" && err != nil:
						t.Fatalf("%s: %v", priority, err)
					case refused == "":
						l.Settle(x, answered(tokens), nil)
					case !errors.As(err, &e) || !strings.Contains(e.Message, refused) || e.HTTPStatus() != 429 || e.Type != "throttling_error":
						t.Fatalf("%s: %v", priority, err)
					case len(x.Holds) != 0:
						t.Errorf("%d holds are left", len(x.Holds))
					}
				}
				for range 5 {
					call("dev", "") // more than its part: the rest is idle
				}
				call("dev", "Priority-based rate limit exceeded. Priority: dev, Rate limit type: ")
				call("", "Priority-based rate limit exceeded. Priority: None, Rate limit type: ")
				for range 5 {
					call("prod", "")
				}
				call("prod", "Model capacity reached for m. Priority: prod, Rate limit type: ")
				time.Sleep(62 * time.Second)
				call("", "")
				for range 6 {
					call("prod", "")
				}
				call("prod", "Model saturation: 70.0%")
				call("dev", "")
				call("dev", "")
				call("dev", "Priority: dev")
			})
		})
	}
	f("requests", llm.Limits{RPM: 10}, 1)
	f("tokens", llm.Limits{TPM: 1000}, 100)
	f("the larger of both", llm.Limits{RPM: 10, TPM: 1 << 40}, 1)
}

// TestCrowdedElsewhere shows that a request whose group has no room goes on to another group, and keeps to the limits of who
// asks.
func TestCrowdedElsewhere(t *testing.T) {
	t.Parallel()
	whole := scope(llm.ScopeModel, "m", llm.Limits{RPM: 1}, llm.Budget{})
	l := limiter(func(s *limit.Settings) {
		s.Groups = func(*llm.Exchange) []*llm.Scope { return []*llm.Scope{whole} }
		s.Elsewhere = func(*llm.Exchange) bool { return true }
	})
	key := scope(llm.ScopeKey, "k", llm.Limits{RPM: 2}, llm.Budget{})
	f := func(crowded, refused bool) {
		t.Helper()
		x := exchange(key)
		_, err := l.Before(t.Context(), x)
		if (x.Crowded != nil) != crowded || (err != nil) != refused {
			t.Errorf("%v, crowded %v", err, x.Crowded)
		}
		l.Settle(x, answered(1), nil)
	}
	f(false, false)
	f(true, false)
	f(false, true)
}
