package proof

import (
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// TestEachLimit shows requests, tokens and open requests of every kind of scope that may limit them, as far as TestLimits
// does not.
func TestEachLimit(t *testing.T) {
	t.Parallel()
	v, release := hanging(t)
	open := apptest.Start(t, settings(v, "disable_retry_on_max_parallel_request_limit_error: true", "", ""))
	s := apptest.Start(t, settings(vendor(t), "", "", ""))
	made := 0
	// Limits that a budget row carries have other names on the way to it.
	callers := map[string]func(s *apptest.Server, limit object) (k, more string){
		"user": func(s *apptest.Server, limit object) (string, string) {
			made++
			limit["user_id"], limit["auto_create_key"] = "user"+string(rune('a'+made)), false
			post(t, s, "/user/new", limit)
			return key(t, s, object{"user_id": limit["user_id"]}), ""
		},
		"team": func(s *apptest.Server, limit object) (string, string) {
			team, _ := post(t, s, "/team/new", limit)["team_id"].(string)
			return key(t, s, object{"team_id": team}), ""
		},
		"organization": func(s *apptest.Server, limit object) (string, string) {
			limit["organization_alias"] = "O"
			org, _ := post(t, s, "/organization/new", limit)["organization_id"].(string)
			team, _ := post(t, s, "/team/new", object{"organization_id": org})["team_id"].(string)
			return key(t, s, object{"team_id": team}), ""
		},
		"end_user": func(s *apptest.Server, limit object) (string, string) {
			made++
			budget, _ := post(t, s, "/budget/new", limit)["budget_id"].(string)
			id := "customer" + string(rune('a'+made))
			post(t, s, "/customer/new", object{"user_id": id, "budget_id": budget})
			return key(t, s, object{}), `,"user":"` + id + `"`
		},
		"team_member": func(s *apptest.Server, limit object) (string, string) {
			made++
			id := "member" + string(rune('a'+made))
			create := object{}
			for name, n := range limit {
				create["team_member_"+name] = n
			}
			team, _ := post(t, s, "/team/new", create)["team_id"].(string)
			post(t, s, "/user/new", object{"user_id": id, "auto_create_key": false})
			post(t, s, "/team/member_add", object{"team_id": team, "member": object{"role": "user", "user_id": id}})
			return key(t, s, object{"team_id": team, "user_id": id}), ""
		},
	}
	for kind, caller := range callers {
		for name, want := range map[string]string{"rpm_limit": "requests", "tpm_limit": "tokens"} {
			k, more := caller(s, object{name: map[string]int{"rpm_limit": 2, "tpm_limit": 60}[name]})
			for range 2 {
				ok(t, chat(s, k, more))
			}
			r := chat(s, k, more)
			refused(t, r, 429, "None", "Rate limit exceeded for "+kind+": ")
			refused(t, r, 429, "None", "Limit type: "+want)
		}
		if kind == "team_member" {
			continue // its budget row has no max_parallel_requests on the way in
		}
		k, more := caller(open, object{"max_parallel_requests": 1})
		before := len(v.Requests())
		done := make(chan *apptest.Response, 1)
		go func() { done <- chat(open, k, more) }()
		eventually(t, "the first call is open", func() bool { return len(v.Requests()) == before+1 })
		defer func() { ok(t, <-done) }()
		refused(t, chat(open, k, more), 429, "None", "Rate limit exceeded for "+kind+": ")
	}
	release()
}

// TestResetTogether shows that a budget which replicas share in Redis ends with its period at all of them, whoever it is of:
// also one that hangs on a budget row, and that of the whole gateway.
func TestResetTogether(t *testing.T) {
	t.Parallel()
	const often = "proxy_budget_rescheduler_min_time: 1, proxy_budget_rescheduler_max_time: 1, proxy_batch_write_at: 1"
	v := vendor(t)
	f := func(name, lite string, caller func(s *apptest.Server) (k, more string)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := fleetOf(t, 2, storetest.Postgres(t), storetest.Redis(t).URL(), settings(v, often, lite, ""))
			k, more := caller(list[0])
			for round := range 2 {
				eventually(t, "the budget is spent", func() bool { return chat(list[round], k, more).Status == 400 })
				for _, s := range list {
					eventually(t, "the period ends", func() bool { return chat(s, k, more).Status == 200 })
				}
			}
		})
	}
	budget := func(t testing.TB, s *apptest.Server) string {
		id, _ := post(t, s, "/budget/new", object{"max_budget": callCost, "budget_duration": "3s"})["budget_id"].(string)
		return id
	}
	f("key", "", func(s *apptest.Server) (string, string) {
		return key(t, s, object{"max_budget": callCost, "budget_duration": "3s"}), ""
	})
	f("customer", "", func(s *apptest.Server) (string, string) {
		post(t, s, "/customer/new", object{"user_id": "dave", "budget_id": budget(t, s)})
		return key(t, s, object{}), `,"user":"dave"`
	})
	f("member", "", func(s *apptest.Server) (string, string) {
		team, _ := post(t, s, "/team/new", object{"team_member_budget": callCost, "team_member_budget_duration": "3s"})["team_id"].(string)
		post(t, s, "/user/new", object{"user_id": "bob", "auto_create_key": false})
		post(t, s, "/team/member_add", object{"team_id": team, "member": object{"role": "user", "user_id": "bob"}})
		return key(t, s, object{"team_id": team, "user_id": "bob"}), ""
	})
	f("the whole gateway", "max_budget: 0.01, budget_duration: 3s", func(s *apptest.Server) (string, string) {
		return key(t, s, object{}), ""
	})
}
