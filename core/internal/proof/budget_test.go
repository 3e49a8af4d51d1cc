package proof

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// exhaust calls until the budget of that many dollars is spent and returns the refusal.
func exhaust(t testing.TB, s *apptest.Server, k, more string, most float64) *apptest.Response {
	t.Helper()
	calls := 0
	for range 100 {
		r := chat(s, k, more)
		if r.Status != 200 {
			if want := int(most/callCost + 0.5); calls != want {
				t.Errorf("%d calls passed, the budget is for %d", calls, want)
			}
			if !strings.Contains(r.Body, `"param":null`) {
				t.Error(r.Body)
			}
			return r
		}
		calls++
	}
	t.Fatal("the budget has no end")
	return nil
}

// TestBudgets shows each kind of budget being spent: as many calls as it pays for, and whose it is in the error.
func TestBudgets(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, settings(vendor(t), "", "", ""))
	const most = 3 * callCost
	t.Run("key", func(t *testing.T) {
		k := key(t, s, object{"max_budget": most, "key_alias": "alice", "budget_duration": "30d"})
		r := exhaust(t, s, k, "", most)
		refused(t, r, 400, "budget_exceeded", "Budget has been exceeded! Current cost: 0.03, Max budget: 0.03")
		refused(t, r, 400, "budget_exceeded", "(alice)")
		refused(t, r, 400, "budget_exceeded", "it resets at ")
		// A model that costs nothing is never refused.
		ok(t, s.Post(chatPath, body("f", ""), "Authorization: Bearer "+k))
	})
	t.Run("nothing", func(t *testing.T) {
		exhaust(t, s, key(t, s, object{"max_budget": 0}), "", 0)
	})
	t.Run("temporary", func(t *testing.T) {
		k := key(t, s, object{"max_budget": callCost})
		exhaust(t, s, k, "", callCost)
		until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		post(t, s, "/key/update", object{"key": k, "temp_budget_increase": 2 * callCost, "temp_budget_expiry": until})
		exhaust(t, s, k, "", 2*callCost)
	})
	t.Run("raised", func(t *testing.T) {
		k := key(t, s, object{"max_budget": callCost})
		exhaust(t, s, k, "", callCost)
		post(t, s, "/key/update", object{"key": k, "max_budget": 3 * callCost})
		exhaust(t, s, k, "", 2*callCost)
	})
	t.Run("reset_spend", func(t *testing.T) {
		k := key(t, s, object{"max_budget": callCost})
		exhaust(t, s, k, "", callCost)
		post(t, s, "/key/"+k+"/reset_spend", object{"reset_to": 0})
		ok(t, chat(s, k, ""))
	})
	t.Run("team", func(t *testing.T) {
		team, _ := post(t, s, "/team/new", object{"max_budget": most})["team_id"].(string)
		k := key(t, s, object{"team_id": team})
		refused(t, exhaust(t, s, k, "", most), 400, "budget_exceeded", "Budget has been exceeded! Team="+team+" Current cost: 0.03, Max budget: 0.03")
	})
	t.Run("team member", func(t *testing.T) {
		team, _ := post(t, s, "/team/new", object{})["team_id"].(string)
		post(t, s, "/user/new", object{"user_id": "bob", "auto_create_key": false})
		post(t, s, "/team/member_add", object{"team_id": team, "member": object{"role": "user", "user_id": "bob"}, "max_budget_in_team": most})
		k := key(t, s, object{"team_id": team, "user_id": "bob"})
		refused(t, exhaust(t, s, k, "", most), 400, "budget_exceeded", "Budget has been exceeded! User=bob in Team="+team+" Current cost: 0.03")
	})
	t.Run("user", func(t *testing.T) {
		post(t, s, "/user/new", object{"user_id": "carol", "max_budget": most, "auto_create_key": false})
		k := key(t, s, object{"user_id": "carol"})
		refused(t, exhaust(t, s, k, "", most), 400, "budget_exceeded", "ExceededBudget: User=carol over budget. Spend=0.03, Budget=0.03")
	})
	t.Run("organization", func(t *testing.T) {
		org, _ := post(t, s, "/organization/new", object{"organization_alias": "O", "max_budget": most})["organization_id"].(string)
		team, _ := post(t, s, "/team/new", object{"organization_id": org})["team_id"].(string)
		k := key(t, s, object{"team_id": team})
		refused(t, exhaust(t, s, k, "", most), 400, "budget_exceeded", "Budget has been exceeded! Organization="+org+" Current cost: 0.03")
	})
	t.Run("customer", func(t *testing.T) {
		post(t, s, "/customer/new", object{"user_id": "dave", "max_budget": most})
		k := key(t, s, object{})
		refused(t, exhaust(t, s, k, `,"user":"dave"`, most), 400, "budget_exceeded", "ExceededBudget: End User=dave over budget. Spend=0.03, Budget=0.03")
		ok(t, chat(s, k, `,"user":"erin"`))
		post(t, s, "/customer/block", object{"user_ids": []string{"erin"}})
		if r := chat(s, k, `,"user":"erin"`); r.Status != 401 {
			t.Errorf("a blocked customer: %d %s", r.Status, r.Body)
		}
	})
	t.Run("tag", func(t *testing.T) {
		post(t, s, "/tag/new", object{"name": "batch", "max_budget": most})
		k := key(t, s, object{})
		refused(t, exhaust(t, s, k, `,"metadata":{"tags":["batch"]}`, most), 400, "budget_exceeded", "Budget has been exceeded! Tag=batch Current cost: 0.03")
		ok(t, chat(s, k, ""))
	})
	t.Run("model per key", func(t *testing.T) {
		k := key(t, s, object{"key_alias": "frank", "model_max_budget": object{"m": object{"budget_limit": most, "time_period": "1d"}}})
		refused(t, exhaust(t, s, k, "", most), 400, "budget_exceeded", "key_alias: frank, exceeded budget for model=m")
		ok(t, s.Post(chatPath, body("other", ""), "Authorization: Bearer "+k))
	})
}

// TestProxyBudget shows the budget of the whole gateway, which holds for callers and not for the administrator.
func TestProxyBudget(t *testing.T) {
	t.Parallel()
	state := apptest.Env("SALLYPORT_STATE_DIR=" + t.TempDir())
	yaml := settings(vendor(t), "", fmt.Sprintf("max_budget: %v, budget_duration: 30d", 2*callCost), "")
	s := apptest.Start(t, yaml, state)
	k := key(t, s, object{})
	r := exhaust(t, s, k, "", 2*callCost)
	refused(t, r, 400, "budget_exceeded", "Budget has been exceeded! Current cost: 0.02, Max budget: 0.02")
	refused(t, r, 400, "budget_exceeded", "the whole proxy")
	ok(t, s.Post(chatPath, body("m", "")))
	ok(t, s.Get("/v1/models", "Authorization: Bearer "+k))
}

// TestDefaultCustomerBudget shows the budget of customers that have none.
func TestDefaultCustomerBudget(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, settings(vendor(t), "", fmt.Sprintf("max_end_user_budget: %v", 2*callCost), ""))
	k := key(t, s, object{})
	exhaust(t, s, k, `,"user":"gina"`, 2*callCost)
	ok(t, chat(s, k, `,"user":"hal"`))
	ok(t, chat(s, k, ""))
}

// TestProviderBudgets shows budgets of vendors and deployments: they are left out, and refused if nobody is left.
func TestProviderBudgets(t *testing.T) {
	t.Parallel()
	v := vendor(t)
	f := func(yaml string) {
		t.Helper()
		s := apptest.Start(t, yaml)
		for range 2 {
			ok(t, chat(s, master, ""))
		}
		r := chat(s, master, "")
		if r.Status != 429 || !strings.Contains(r.Body, "No deployments available - crossed budget: Exceeded budget for ") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	}
	f(settings(v, "", "", fmt.Sprintf("provider_budget_config: {openai: {budget_limit: %v, time_period: 1d}}", 2*callCost)))
	f(strings.Replace(settings(v, "", "", ""), "input_cost_per_token: 0.0001", fmt.Sprintf("max_budget: %v, budget_duration: 1d, input_cost_per_token: 0.0001", 2*callCost), 1))
	two := strings.Replace(settings(v, "", "", ""), "- model_name: other", "- model_name: m", 1)
	two = strings.Replace(two, "input_cost_per_token: 0.0001", fmt.Sprintf("max_budget: %v, budget_duration: 1d, input_cost_per_token: 0.0001", callCost), 1)
	s := apptest.Start(t, two)
	for range 8 {
		ok(t, chat(s, master, "")) // the other deployment takes over
	}
}

// TestBudgetReset shows that a period ends when the job runs, and that it can be kept from running.
func TestBudgetReset(t *testing.T) {
	t.Parallel()
	const often = "proxy_budget_rescheduler_min_time: 1, proxy_budget_rescheduler_max_time: 1, proxy_batch_write_at: 1"
	v := vendor(t)
	t.Run("resets", func(t *testing.T) {
		t.Parallel()
		s := apptest.Start(t, settings(v, often, "", ""))
		k := key(t, s, object{"max_budget": callCost, "budget_duration": "3s"})
		ok(t, chat(s, k, ""))
		eventually(t, "the budget is spent", func() bool { return chat(s, k, "").Status == 400 })
		eventually(t, "the period ends", func() bool { return chat(s, k, "").Status == 200 })
	})
	t.Run("does not", func(t *testing.T) {
		t.Parallel()
		s := apptest.Start(t, settings(v, often+", disable_reset_budget: true", "", ""))
		k := key(t, s, object{"max_budget": callCost, "budget_duration": "1s"})
		ok(t, chat(s, k, ""))
		for range 30 {
			if r := chat(s, k, ""); r.Status != 400 {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// TestExactlyN shows that 200 callers at once get as many calls as the key's budget pays for, through the whole gateway.
func TestExactlyN(t *testing.T) {
	t.Parallel()
	const calls = 40
	s := apptest.Start(t, settings(vendor(t), "", "", ""))
	k := key(t, s, object{"max_budget": calls * callCost})
	exactly(t, []*apptest.Server{s}, k, 200, 1, calls, 400)
	eventually(t, "the spend is written", func() bool { return near(spent(t, s, k), calls*callCost) })
}

// TestHeldBack shows that nothing stays held of calls that failed or whose caller left.
func TestHeldBack(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(500, `{"error":{"message":"no"}}`), ut.JSON(200, ut.Completion("m", "hello", 10, 20)))
	s := apptest.Start(t, settings(v, "", "", "num_retries: 0, disable_cooldowns: true"))
	k := key(t, s, object{"max_budget": callCost, "max_parallel_requests": 1})
	if r := chat(s, k, ""); r.Status != 500 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	ok(t, chat(s, k, ""))
	refused(t, chat(s, k, ""), 400, "budget_exceeded", "")
}

// TestSoftBudgets shows that reaching a soft budget, a key's own or that of all keys, is told once in the log and counted,
// and refuses nobody.
func TestSoftBudgets(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, settings(vendor(t), "", fmt.Sprintf("default_soft_budget: %v, callbacks: [prometheus]", 2*callCost), ""))
	own, plain := key(t, s, object{"soft_budget": 3 * callCost, "key_alias": "own"}), key(t, s, object{"key_alias": "plain"})
	calls := func(k string, n, want int) {
		t.Helper()
		for range n {
			ok(t, chat(s, k, ""))
		}
		if got := strings.Count(s.Log.String(), "a soft budget is reached"); got != want {
			t.Errorf("told %d times, want %d", got, want)
		}
	}
	calls(plain, 1, 0)
	calls(plain, 3, 1)
	calls(own, 2, 1)
	calls(own, 3, 2)
	if r := s.Get("/metrics"); !strings.Contains(r.Body, `sallyport_soft_budgets_reached_total{of="api_key"} 2`) {
		t.Errorf("the metric is missing: %.300s", r.Body)
	}
}

// TestRetention shows that rows of the spend log are deleted when they are old enough, and what was spent is kept.
func TestRetention(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, settings(vendor(t), "proxy_batch_write_at: 1, maximum_spend_logs_retention_period: 8s, maximum_spend_logs_retention_interval: 1s", "", ""))
	k := key(t, s, object{})
	ok(t, chat(s, k, ""))
	eventually(t, "the row is there", func() bool { return strings.Contains(s.Get("/spend/logs").Body, "request_id") })
	eventually(t, "the row is deleted", func() bool { return s.Get("/spend/logs").Body == "[]" })
	if got := spent(t, s, k); !near(got, callCost) {
		t.Errorf("the key has spent %v", got)
	}
	if _, err := apptest.Try(t, settings(vendor(t), "maximum_spend_logs_cleanup_cron: 0 25 * * *", "", "")); err == nil || !strings.Contains(err.Error(), "maximum_spend_logs_cleanup_cron") {
		t.Errorf("a schedule that is none: %v", err)
	}
}
