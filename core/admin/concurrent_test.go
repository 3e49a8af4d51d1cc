package admin_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-ai/sallyport/core/admin"
	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/postgres"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// desks runs a test over SQLite and over PostgreSQL.
func desks(t *testing.T, p admin.Policy, test func(t *testing.T, d *desk)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newDesk(t, p))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		s, err := postgres.Open(t.Context(), postgres.Settings{URL: storetest.Postgres(t), Options: sqlstore.Options{Vault: store.NewVault("salt")}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		test(t, &desk{t, admin.New(admin.Settings{Store: s, Policy: p}), s})
	})
}

// request is one of several at the same time.
type request struct{ method, path, body string }

// atOnce sends requests at the same time and returns their answers in order.
func (p person) atOnce(all ...request) []reply {
	out := make([]reply, len(all))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, r := range all {
		wg.Go(func() {
			<-start
			out[i] = p.call(r.method, r.path, r.body)
		})
	}
	close(start)
	wg.Wait()
	return out
}

// Administrators who change different things of one team, organization, model or section of the settings at the same time
// all have their way.
func TestDisjointChanges(t *testing.T) {
	t.Parallel()
	desks(t, admin.Policy{StoreModels: true}, func(t *testing.T, d *desk) {
		m := d.master()
		m.post("/team/new", `{"team_id":"t"}`).ok()
		m.post("/organization/new", `{"organization_id":"o","organization_alias":"org"}`).ok()
		model := m.post("/model/new", `{"model_name":"m","litellm_params":{"model":"openai/x"}}`).ok().text("model_id")
		var all []request
		for _, field := range []string{
			`"team_alias":"a"`, `"max_budget":3`, `"tpm_limit":4`, `"rpm_limit":5`, `"models":["x"]`, `"tags":["g"]`, `"guardrails":["p"]`,
			`"model_rpm_limit":{"x":1}`, `"model_aliases":{"y":"x"}`, `"team_member_budget":6`,
		} {
			all = append(all, request{"POST", "/team/update", `{"team_id":"t",` + field + `}`})
		}
		for i := range 8 {
			all = append(all, request{"POST", "/team/member_add", fmt.Sprintf(`{"team_id":"t","member":{"role":"user","user_id":"u%d"}}`, i)})
		}
		for _, field := range []string{`"models":["x"]`, `"max_budget":7`, `"rpm_limit":8`, `"model_tpm_limit":{"x":2}`} {
			all = append(all, request{"PATCH", "/organization/update", `{"organization_id":"o",` + field + `}`})
		}
		for _, field := range []string{`"rpm":1`, `"tpm":2`, `"timeout":3`, `"max_retries":4`} {
			all = append(all, request{"PATCH", "/model/" + model + "/update", `{"litellm_params":{` + field + `}}`})
		}
		for _, field := range []string{
			`"general_settings":{"max_parallel_requests":1}`, `"general_settings":{"global_max_parallel_requests":2}`,
			`"router_settings":{"num_retries":3}`, `"router_settings":{"timeout":4}`, `"environment_variables":{"A":"5"}`, `"environment_variables":{"B":"6"}`,
		} {
			all = append(all, request{"POST", "/config/update", `{` + field + `}`})
		}
		for i := range 4 {
			all = append(all, request{"POST", "/add/allowed_ip", fmt.Sprintf(`{"ip":"10.0.0.%d"}`, i)})
		}
		for _, r := range m.atOnce(all...) {
			r.ok()
		}
		team := m.get("/team/info?team_id=t").ok().want("team_info.team_alias", "a", "team_info.max_budget", 3, "team_info.tpm_limit", 4,
			"team_info.rpm_limit", 5, "team_info.models", []string{"x"}, "team_info.metadata.tags", []string{"g"}, "team_info.metadata.guardrails", []string{"p"},
			"team_info.metadata.model_rpm_limit", map[string]int{"x": 1}, "team_info.litellm_model_table.model_aliases", map[string]string{"y": "x"},
			"team_info.team_member_budget_table.max_budget", 6)
		if l, _ := team.at("team_info.members_with_roles").([]any); len(l) != 9 {
			t.Errorf("the team has %v", l)
		}
		m.get("/organization/info?organization_id=o").ok().want("models", []string{"x"}, "litellm_budget_table.max_budget", 7,
			"litellm_budget_table.rpm_limit", 8, "metadata.model_tpm_limit", map[string]int{"x": 2})
		row, err := d.store.Models().Get(t.Context(), model)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"rpm":1`, `"tpm":2`, `"timeout":3`, `"max_retries":4`} {
			if !strings.Contains(strings.ReplaceAll(string(row.LitellmParams), " ", ""), want) {
				t.Errorf("the model has %s, and not %s", row.LitellmParams, want)
			}
		}
		for section, wants := range map[string][]string{
			"general_settings": {`"max_parallel_requests":1`, `"global_max_parallel_requests":2`, `"10.0.0.0"`, `"10.0.0.1"`, `"10.0.0.2"`, `"10.0.0.3"`},
			"router_settings":  {`"num_retries":3`, `"timeout":4`}, "environment_variables": {`"A":"5"`, `"B":"6"`},
		} {
			row, err := d.store.Config().Get(t.Context(), section)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range wants {
				if !strings.Contains(strings.ReplaceAll(string(row.ParamValue), " ", ""), want) {
					t.Errorf("%s has %s, and not %s", section, row.ParamValue, want)
				}
			}
		}
	})
}

// What belongs to a team is gone when the team is, whoever adds to it meanwhile: an answer that all is well is one that
// came before.
func TestDeletedDuringUse(t *testing.T) {
	t.Parallel()
	desks(t, admin.Policy{}, func(t *testing.T, d *desk) {
		m := d.master()
		for round := range 5 {
			id := fmt.Sprintf("team-%d", round)
			m.post("/team/new", `{"team_id":"`+id+`"}`).ok()
			key := m.post("/key/generate", `{}`).ok().text("key")
			all := []request{{"POST", "/team/delete", `{"team_ids":["` + id + `"]}`}}
			for i := range 4 {
				all = append(all,
					request{"POST", "/key/generate", `{"team_id":"` + id + `"}`},
					request{"POST", "/team/update", `{"team_id":"` + id + `","max_budget":1}`},
					request{"POST", "/team/member_add", fmt.Sprintf(`{"team_id":%q,"member":{"role":"user","user_id":"u%d"}}`, id, i)})
			}
			all = append(all, request{"POST", "/key/update", `{"key":"` + key + `","team_id":"` + id + `"}`})
			for i, r := range m.atOnce(slices.Concat(all, all[:1])...) {
				if r.status != 200 && r.status != 404 {
					t.Errorf("%v: %d %s", all[i%len(all)], r.status, r.raw)
				}
			}
			m.get("/team/info?team_id="+id).refused(404, "not_found_error", "Team not found")
			if n, err := d.store.Keys().Count(t.Context(), store.Eq("team_id", id)); err != nil || n != 0 {
				t.Errorf("%d keys have a team that is gone: %v", n, err)
			}
			if n, err := d.store.TeamMemberships().Count(t.Context(), store.Eq("team_id", id)); err != nil || n != 0 {
				t.Errorf("%d people are members of a team that is gone: %v", n, err)
			}
			if n, err := d.store.Users().Count(t.Context(), store.Where("teams", store.Has, id)); err != nil || n != 0 {
				t.Errorf("%d users list a team that is gone: %v", n, err)
			}
		}
	})
}

// Of many changes in one request each is made or not, and the answer says which and why.
func TestPartialFailure(t *testing.T) {
	t.Parallel()
	m := newDesk(t, admin.Policy{}).master()
	one, two := m.post("/key/generate", `{"key_alias":"one"}`).ok().text("key"), m.post("/key/generate", `{}`).ok().text("key")
	m.post("/key/bulk_update", map[string]any{"keys": []any{
		map[string]any{"key": one, "max_budget": 5}, map[string]any{"key": "sk-none-such"}, map[string]any{"key": two, "max_budget": "much"},
		map[string]any{"key": two, "max_budget": -1}, map[string]any{"max_budget": 1}, map[string]any{"key": two, "tags": []string{"a"}},
	}}).ok().want("total_requested", 6, "successful_updates.0.key", one, "successful_updates.0.key_info.max_budget", 5,
		"successful_updates.1.key_info.metadata.tags", []string{"a"}, "failed_updates.0.key", "sk-none-such", "failed_updates.0.key_info", nil,
		"failed_updates.0.failed_reason", "Key not found in database",
		"failed_updates.1.failed_reason", "body.max_budget: Input should be a valid number, got string",
		"failed_updates.2.failed_reason", "max_budget cannot be negative. Received: -1", "failed_updates.3.failed_reason", "body.key: Field required")
	m.get("/key/info?key="+two).ok().want("info.max_budget", nil)
	m.post("/user/new", `{"user_id":"a","auto_create_key":false}`).ok()
	m.post("/user/bulk_update", `{"users":[{"user_id":"a","max_budget":2},{"user_id":"b"},{"user_id":"a","user_role":"king"},{"user_id":"a","blocked":true}]}`).ok().
		want("successful_updates", 1, "failed_updates", 3, "results.0.success", true, "results.1.error", "User b not found", "results.2.success", false,
			"results.3.updated_user", nil)
	m.get("/user/info?user_id=a").ok().want("user_info.max_budget", 2, "user_info.user_role", nil)
	m.post("/team/new", `{"team_id":"t"}`).ok()
	m.post("/team/bulk_member_add", `{"team_id":"t","members":[{"role":"user","user_id":"a"},{"role":"user","user_id":"a"},{"role":"boss","user_id":"c"},{"role":"user"}]}`).ok().
		want("successful_additions", 1, "failed_additions", 3, "results.0.updated_user.user_id", "a", "results.1.success", false)
	if l, _ := m.get("/team/info?team_id=t").ok().at("team_info.members_with_roles").([]any); len(l) != 2 {
		t.Errorf("the team has %v", l)
	}
}
