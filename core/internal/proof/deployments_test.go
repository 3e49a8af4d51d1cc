package proof

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// TestReplicasDeployments shows three replicas on Redis that share the budgets of vendors and deployments, and how many
// calls a deployment has open.
func TestReplicasDeployments(t *testing.T) {
	t.Parallel()
	database, redis := storetest.Postgres(t), storetest.Redis(t)
	const calls = 40
	// A key with a limit of its own has the deployment asked for along with it, the master key when it is called.
	limited := func(s *apptest.Server) string { return key(t, s, object{"rpm_limit": 100_000}) }
	budgets := func(name, yaml string, own bool) {
		t.Run(name, func(t *testing.T) {
			list := fleetOf(t, 3, storetest.Postgres(t), storetest.Redis(t).URL(), yaml)
			k := master
			if own {
				k = limited(list[0])
			}
			exactly(t, list, k, 150, 2, calls, 429)
			for _, s := range list {
				if r := chat(s, master, ""); r.Status != 429 ||
					!strings.Contains(r.Body, "No deployments available - crossed budget: Exceeded budget for ") {
					t.Errorf("%d %s", r.Status, r.Body)
				}
			}
		})
	}
	v := vendor(t)
	spent := settings(v, "", "", fmt.Sprintf("num_retries: 0, provider_budget_config: {openai: {budget_limit: %v, time_period: 1d}}", calls*callCost))
	budgets("vendor", spent, false)
	budgets("vendor and key", spent, true)
	own := fmt.Sprintf("max_budget: %v, budget_duration: 1d, input_cost_per_token: 0.0001", calls*callCost)
	budgets("deployment", strings.Replace(settings(v, "", "", "num_retries: 0"), "input_cost_per_token: 0.0001", own, 1), true)

	t.Run("another takes over", func(t *testing.T) {
		two := strings.Replace(settings(v, "", "", "num_retries: 0"), "- model_name: other", "- model_name: m", 1)
		two = strings.Replace(two, "input_cost_per_token: 0.0001", own, 1)
		list := fleetOf(t, 3, storetest.Postgres(t), storetest.Redis(t).URL(), two)
		if passed := crowd(t, list, limited(list[0]), 60, 3, 0); passed != 180 {
			t.Errorf("%d of 180 calls passed", passed)
		}
	})
	t.Run("open calls", func(t *testing.T) {
		var open, most atomic.Int64
		answer := ut.JSON(200, ut.Completion("m", "hello", 10, 20))
		slow := ut.New(t, func(c *ut.Conn) {
			n := open.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(20 * time.Millisecond) // what the vendor takes
			open.Add(-1)
			answer(c)
		})
		list := fleetOf(t, 3, database, redis.URL(), settings(slow, "max_parallel_requests: 2", "", ""))
		k := limited(list[0])
		check := func(limit int64) {
			t.Helper()
			most.Store(0)
			if passed := crowd(t, list, k, 12, 2, 0); passed != 24 || most.Load() > limit || most.Load() == 0 {
				t.Errorf("%d of 24 calls passed, %d at once, the limit is %d", passed, most.Load(), limit)
			}
		}
		// Replicas learn every two seconds how many they are.
		for begun := time.Now(); time.Since(begun) < 3*time.Second; {
			check(2)
		}
		// Each replica has a third of two places, and at least one.
		redis.Stop()
		for _, s := range list {
			eventually(t, "the replica counts alone", func() bool {
				ok(t, chat(s, master, ""))
				return strings.Contains(s.Log.String(), "limits are counted by each replica alone")
			})
		}
		check(3)
		redis.Start()
		for _, s := range list {
			eventually(t, "replicas count together again", func() bool {
				return strings.Contains(s.Log.String(), "limits are counted by all replicas together")
			})
		}
		check(2)
	})
}
