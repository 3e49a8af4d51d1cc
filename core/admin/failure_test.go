package admin_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sallyport-ai/sallyport/core/admin"
	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// leaving is a database that goes away in the middle of a call: when the change is about to be written down, and at the
// commit after it.
type leaving struct {
	store.Store
	late, gone *atomic.Bool
}

func away() error { return fmt.Errorf("connection refused: %w", store.ErrUnavailable) }

func (l leaving) Tx(ctx context.Context, fn func(tx store.Store) error) error {
	return l.Store.Tx(ctx, func(tx store.Store) error {
		err := fn(leaving{tx, l.late, l.gone})
		if err == nil && l.late.Load() {
			err = away()
		}
		return err
	})
}

func (l leaving) AuditLogs() store.Table[store.AuditLog, string] {
	return leavingLogs{l.Store.AuditLogs(), l.gone}
}

type leavingLogs struct {
	store.Table[store.AuditLog, string]
	gone *atomic.Bool
}

func (l leavingLogs) Create(ctx context.Context, row *store.AuditLog) error {
	if l.gone.Load() {
		return away()
	}
	return l.Table.Create(ctx, row)
}

// A database that goes away during a call leaves nothing half done, nothing takes effect, and the caller is told to come
// again.
func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{StoreModels: true})
	var late, gone atomic.Bool
	applied := 0
	d.api = admin.New(admin.Settings{Store: leaving{d.store, &late, &gone}, Policy: admin.Policy{
		StoreModels: true, Apply: func(context.Context) error { applied++; return nil },
	}})
	m := d.master()
	m.post("/user/new", `{"user_id":"ann","auto_create_key":false}`).ok()
	m.post("/team/new", `{"team_id":"t","members_with_roles":[{"role":"user","user_id":"ann"}]}`).ok()
	m.post("/organization/new", `{"organization_id":"o","organization_alias":"o"}`).ok()
	m.post("/customer/new", `{"user_id":"c","max_budget":1}`).ok()
	m.post("/budget/new", `{"budget_id":"b"}`).ok()
	m.post("/tag/new", `{"name":"tag"}`).ok()
	key := m.post("/key/generate", `{"user_id":"ann","team_id":"t"}`).ok().text("key")
	model := m.post("/model/new", `{"model_name":"m","litellm_params":{"model":"openai/x"}}`).ok().text("model_id")
	m.post("/credentials", `{"credential_name":"c","credential_values":{"api_key":"k"}}`).ok()
	group := m.post("/v1/access_group", `{"access_group_name":"g"}`).ok().text("access_group_id")
	requests := []request{
		{"POST", "/key/generate", `{"soft_budget":1,"object_permission":{"mcp_servers":["s"]}}`},
		{"POST", "/key/service-account/generate", `{"team_id":"t"}`},
		{"POST", "/key/update", `{"key":"` + key + `","max_budget":9}`},
		{"POST", "/key/block", `{"key":"` + key + `"}`},
		{"POST", "/key/regenerate", `{"key":"` + key + `","grace_period":"1h"}`},
		{"POST", "/key/delete", `{"keys":["` + key + `"]}`},
		{"POST", "/user/new", `{"user_id":"new","teams":["t"],"organizations":["o"]}`},
		{"POST", "/user/update", `{"user_id":"ann","max_budget":9}`},
		{"POST", "/user/delete", `{"user_ids":["ann"]}`},
		{"POST", "/team/new", `{"team_id":"new","team_member_budget":1,"model_aliases":{"a":"b"}}`},
		{"POST", "/team/update", `{"team_id":"t","max_budget":9,"team_member_budget":1}`},
		{"POST", "/team/member_add", `{"team_id":"t","member":{"role":"user","user_id":"new"},"max_budget_in_team":1}`},
		{"POST", "/team/member_update", `{"team_id":"t","user_id":"ann","role":"admin","max_budget_in_team":1}`},
		{"POST", "/team/member_delete", `{"team_id":"t","user_id":"ann"}`},
		{"POST", "/team/delete", `{"team_ids":["t"]}`},
		{"POST", "/organization/new", `{"organization_alias":"new"}`},
		{"PATCH", "/organization/update", `{"organization_id":"o","max_budget":9}`},
		{"POST", "/organization/member_add", `{"organization_id":"o","member":{"role":"internal_user","user_id":"ann"}}`},
		{"DELETE", "/organization/delete", `{"organization_ids":["o"]}`},
		{"POST", "/customer/new", `{"user_id":"new","max_budget":1}`},
		{"POST", "/customer/update", `{"user_id":"c","max_budget":9}`},
		{"POST", "/customer/block", `{"user_ids":["c","d"]}`},
		{"POST", "/customer/delete", `{"user_ids":["c"]}`},
		{"POST", "/budget/update", `{"budget_id":"b","max_budget":9}`},
		{"POST", "/budget/delete", `{"id":"b"}`},
		{"POST", "/tag/new", `{"name":"new","models":["m"],"max_budget":1}`},
		{"POST", "/tag/delete", `{"name":"tag"}`},
		{"POST", "/model/new", `{"model_name":"n","litellm_params":{"model":"openai/x"},"model_info":{"team_id":"t"}}`},
		{"PATCH", "/model/" + model + "/update", `{"litellm_params":{"rpm":9}}`},
		{"POST", "/model/delete", `{"id":"` + model + `"}`},
		{"PATCH", "/credentials/c", `{"credential_values":{"api_base":"x"}}`},
		{"DELETE", "/credentials/c", ``},
		{"POST", "/access_group/new", `{"access_group":"x","model_names":["m"]}`},
		{"PUT", "/v1/access_group/" + group, `{"assigned_team_ids":["t"]}`},
		{"POST", "/config/update", `{"router_settings":{"num_retries":4}}`},
		{"POST", "/fallback", `{"model":"m","fallback_models":["n"]}`},
		{"POST", "/global/spend/reset", `{}`},
	}
	before, effects := d.everything(), applied
	for _, r := range requests {
		for name, how := range map[string]*atomic.Bool{"before the end": &gone, "at the end": &late} {
			how.Store(true)
			got := m.call(r.method, r.path, r.body)
			how.Store(false)
			if got.status != http.StatusServiceUnavailable || got.at("error.type") != "no_db_connection" || got.at("error.code") != "503" {
				t.Errorf("%s %s, %s: %d %s", r.method, r.path, name, got.status, got.raw)
			}
			if after := d.everything(); after != before {
				t.Fatalf("%s %s, %s, left something behind:\n%s\n%s", r.method, r.path, name, before, after)
			}
		}
	}
	if applied != effects {
		t.Error("a change that was not made took effect")
	}
}

// everything is all that the database holds of what the API changes.
func (d *desk) everything() string {
	d.Helper()
	var b strings.Builder
	add := func(rows any, err error) {
		d.Helper()
		if err != nil {
			d.Fatal(err)
		}
		fmt.Fprintf(&b, "%+v\n", rows)
	}
	ctx, s, all := d.Context(), d.store, store.Query{}
	keys, err := s.Keys().Find(ctx, all)
	for i := range keys {
		add(keys[i].Token+fmt.Sprint(value(keys[i].MaxBudget), value(keys[i].Blocked), keys[i].TeamID, keys[i].UserID), err)
	}
	add(s.DeletedKeys().Count(ctx))
	add(s.DeprecatedKeys().Count(ctx))
	teams, err := s.Teams().Find(ctx, all)
	for i := range teams {
		add(fmt.Sprint(teams[i].TeamID, value(teams[i].MaxBudget), string(teams[i].MembersWithRoles), string(teams[i].Metadata), teams[i].Models), err)
	}
	add(s.DeletedTeams().Count(ctx))
	add(s.TeamModels().Count(ctx))
	add(s.TeamMemberships().Find(ctx, all))
	users, err := s.Users().Find(ctx, all)
	for i := range users {
		add(fmt.Sprint(users[i].UserID, value(users[i].MaxBudget), users[i].Teams), err)
	}
	orgs, err := s.Organizations().Find(ctx, all)
	for i := range orgs {
		add(fmt.Sprint(orgs[i].OrganizationID, orgs[i].BudgetID, orgs[i].Spend), err)
	}
	add(s.OrganizationMemberships().Count(ctx))
	budgets, err := s.Budgets().Find(ctx, all)
	for i := range budgets {
		add(fmt.Sprint(budgets[i].BudgetID, value(budgets[i].MaxBudget)), err)
	}
	add(s.EndUsers().Find(ctx, all))
	add(s.Tags().Find(ctx, all))
	models, err := s.Models().Find(ctx, all)
	for i := range models {
		add(models[i].ModelID+string(models[i].LitellmParams)+string(models[i].ModelInfo), err)
	}
	add(s.Credentials().Find(ctx, all))
	add(s.Config().Find(ctx, all))
	add(s.AccessGroups().Find(ctx, all))
	add(s.ObjectPermissions().Count(ctx))
	add(s.AuditLogs().Count(ctx))
	return b.String()
}

func value[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// The same with PostgreSQL and a whole gateway: while the server is down every call says so, in the form of the reference,
// and nothing of it is there when the server is back.
func TestServerStopped(t *testing.T) {
	t.Parallel()
	pg := storetest.StartPostgres(t)
	s := apptest.Start(t, fieldsConfig, apptest.Env("DATABASE_URL="+pg.Database(t), "LITELLM_SALT_KEY=salt"))
	master := "Authorization: Bearer sk-master"
	must := func(method, path, body string) string {
		t.Helper()
		r := s.Do(method, path, body, master)
		if r.Status != 200 {
			t.Fatalf("%s %s: %d %s", method, path, r.Status, r.Body)
		}
		return r.Body
	}
	must("POST", "/team/new", `{"team_id":"t"}`)
	pg.Stop()
	for _, r := range []request{
		{"POST", "/key/generate", `{"key_alias":"lost"}`}, {"POST", "/team/update", `{"team_id":"t","max_budget":5}`},
		{"POST", "/user/new", `{"user_id":"lost"}`}, {"GET", "/team/info?team_id=t", ``}, {"GET", "/key/list", ``}, {"GET", "/global/spend", ``},
		{"POST", "/model/new", `{"model_name":"lost","litellm_params":{"model":"openai/x","mock_response":"x"}}`},
	} {
		got := s.Do(r.method, r.path, r.body, master)
		if got.Status != 503 || !strings.Contains(got.Body, `"type":"no_db_connection"`) || !strings.Contains(got.Body, `"code":"503"`) {
			t.Errorf("%s %s: %d %s", r.method, r.path, got.Status, got.Body)
		}
	}
	pg.Start()
	eventually(t, func() bool { return s.Get("/team/info?team_id=t", master).Status == 200 })
	for path, lost := range map[string]string{
		"/key/aliases": "lost", "/user/list": "lost", "/team/info?team_id=t": `"max_budget":5`, "/v1/models": "lost",
	} {
		if got := must("GET", path, ""); strings.Contains(got, lost) {
			t.Errorf("%s has what was refused: %s", path, got)
		}
	}
	if got := must("POST", "/key/generate", `{"key_alias":"lost"}`); !slices.ContainsFunc(strings.Split(got, ","), func(s string) bool { return strings.Contains(s, `"key":"sk-`) }) {
		t.Error(got)
	}
}
