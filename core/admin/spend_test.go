package admin_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/admin"
	"github.com/sallyport-ai/sallyport/core/store"
)

// record writes calls as the journal does.
func (d *desk) record(logs ...store.SpendLog) {
	d.Helper()
	b := store.SpendBatch{Source: "test"}
	for i, l := range logs {
		l.Status, l.CallType, l.TotalTokens = "success", "acompletion", l.PromptTokens+l.CompletionTokens
		if l.EndTime.IsZero() {
			l.EndTime = l.StartTime.Add(time.Second)
		}
		b.Entries = append(b.Entries, store.SpendEntry{Seq: int64(i) + 1, Log: l, Endpoint: "/chat/completions", Tags: []string{"job"}})
	}
	if _, err := d.store.Spend().Record(d.Context(), b); err != nil {
		d.Fatal(err)
	}
}

func TestSpendReports(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{})
	m := d.master()
	m.post("/user/new", `{"user_id":"ann","auto_create_key":false}`).ok()
	m.post("/team/new", `{"team_id":"t1","team_alias":"core"}`).ok()
	key := m.post("/key/generate", `{"user_id":"ann","team_id":"t1","key_alias":"one"}`).ok().text("token")
	m.post("/tag/new", `{"name":"job"}`).ok()
	now := time.Now().UTC().Truncate(time.Millisecond)
	call := store.SpendLog{
		APIKey: key, User: "ann", TeamID: "t1", EndUser: "cust", Model: "gpt-4o", ModelGroup: "four", CustomLLMProvider: "openai",
		Spend: 0.25, PromptTokens: 10, CompletionTokens: 5, StartTime: now, RequestID: "r1",
		Messages: store.JSON(`[{"role":"user","content":"PURPLE"}]`),
	}
	other := call
	other.RequestID, other.Model, other.Spend, other.Messages = "r2", "gpt-4o-mini", 0.5, nil
	d.record(call, other)
	today := now.Format(time.DateOnly)
	span := "start_date=" + today + "&end_date=" + today

	m.get("/key/info?key="+key).ok().want("info.spend", 0.75)
	m.get("/user/info?user_id=ann").ok().want("user_info.spend", 0.75)
	m.get("/team/info?team_id=t1").ok().want("team_info.spend", 0.75)
	m.get("/customer/info?end_user_id=cust").ok().want("spend", 0.75)
	m.get("/global/spend").ok().want("spend", 0.75)
	m.get("/global/spend/logs").ok().want("0.date", today, "0.spend", 0.75)
	m.get("/global/spend/keys").ok().want("0.api_key", key, "0.key_alias", "one", "0.total_spend", 0.75)
	m.get("/global/spend/models").ok().want("0.model", "gpt-4o-mini", "0.total_spend", 0.5)
	m.get("/global/spend/provider").ok().want("0.provider", "openai", "0.spend", 0.75)
	m.get("/global/spend/teams").ok().want("total_spend_per_team.0.team_id", "core", "total_spend_per_team.0.total_spend", 0.75, "daily_spend.0.core", 0.75)
	m.get("/global/spend/tags").ok().want("spend_per_tag.0.name", "job", "spend_per_tag.0.log_count", 2)
	m.get("/global/spend/all_tag_names").ok().want("tag_names", []string{"job"})
	m.get("/spend/tags").ok().want("0.individual_request_tag", "job", "0.log_count", 2, "0.total_spend", 0.75)
	m.post("/global/spend/end_users", `{}`).ok().want("0.end_user", "cust", "0.total_count", 2)
	m.get("/global/spend/report?"+span).ok().want("0.teams.0.team_name", "core", "0.teams.0.total_spend", 0.75)
	m.get("/global/spend/report?group_by=api_key&"+span).ok().want("0.api_key", key, "0.total_cost", 0.75)
	m.get("/global/activity?"+span).ok().want("sum_api_requests", 2, "sum_total_tokens", 30)
	m.get("/global/activity/model?"+span).ok().want("0.model", "four", "0.sum_api_requests", 2)
	m.get("/team/daily/activity?"+span).ok().want("metadata.total_spend", 0.75, "results.0.breakdown.models.gpt-4o.metrics.spend", 0.25,
		"results.0.breakdown.entities.t1.metrics.api_requests", 2, "results.0.metrics.total_tokens", 30)
	m.get("/user/daily/activity?"+span).ok().want("metadata.total_api_requests", 2, "metadata.has_more", false)
	m.get("/spend/logs?summarize=false&"+span).ok().want("0.spend", 0.5)
	m.get("/spend/logs?"+span).ok().want("0.startTime", today, "0.spend", 0.75, "0.models.gpt-4o", 0.25, "0.users.ann", 0.75, "0."+key, 0.75)
	m.get("/spend/logs?request_id=r1").ok().want("0.request_id", "r1")
	m.get("/spend/logs/v2?"+span+"&page_size=1").ok().want("total", 2, "total_pages", 2, "page", 1)
	m.get("/spend/logs/ui/r1").ok().want("messages.0.content", "PURPLE", "response", map[string]any{})

	// Others see nothing of it.
	eve := d.user("eve")
	eve.get("/global/spend").ok().want("spend", 0)
	eve.get("/spend/logs/ui/r1").refused(403, "auth_error", "own calls")
	eve.get("/user/daily/activity?user_id=ann&"+span).refused(403, "auth_error", "not allowed")
	if r := eve.get("/spend/logs?summarize=false&" + span).ok(); r.raw != "[]" {
		t.Errorf("eve sees %s", r.raw)
	}
	ann := d.user("ann")
	ann.get("/global/spend").ok().want("spend", 0.75)
	ann.get("/spend/logs?summarize=false&"+span).ok().want("0.user", "ann")

	m.post("/key/"+key+"/reset_spend", `{"reset_to":0.1}`).ok().want("previous_spend", 0.75, "spend", 0.1)
	m.post("/global/spend/reset", nil).ok()
	m.get("/key/info?key="+key).ok().want("info.spend", 0)
}

// TestHeaviest shows that a report has bounds where there is a sum for each of very many keys, and that its totals have not.
func TestHeaviest(t *testing.T) {
	t.Parallel()
	d := newDesk(t, admin.Policy{})
	m := d.master()
	now := time.Now().UTC()
	const mostSums = 10_000
	const keys = mostSums + 50
	batch := store.SpendBatch{Source: "many"}
	for i := range keys {
		batch.Entries = append(batch.Entries, store.SpendEntry{Seq: int64(i + 1), Endpoint: "/chat/completions", Log: store.SpendLog{
			RequestID: fmt.Sprint("r", i), APIKey: fmt.Sprintf("%064x", i), User: "u", TeamID: "t", Model: fmt.Sprint("m", i%2), ModelGroup: "g",
			CustomLLMProvider: "openai", Spend: 1 + float64(i)/keys, StartTime: now, EndTime: now, PromptTokens: 1, TotalTokens: 1,
		}})
	}
	if _, err := d.store.Spend().Record(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	const total = keys + float64(keys-1)/2
	today := now.Format(time.DateOnly)
	span := "start_date=" + today + "&end_date=" + today
	near := func(got any) bool { f, ok := got.(float64); return ok && math.Abs(f-total) < 1e-3 }
	logs := m.get("/spend/logs?" + span).ok()
	day, _ := logs.at("0").(map[string]any)
	models, _ := day["models"].(map[string]any)
	if !near(day["spend"]) || len(day) != mostSums+4 || models["m0"].(float64)+models["m1"].(float64) < total-1e-3 {
		t.Errorf("spend %v with %d keys, models %v", day["spend"], len(day), models)
	}
	if got := m.get("/global/spend/report?" + span).ok().at("0.teams.0.total_spend"); !near(got) {
		t.Errorf("spend of the team %v, want %v", got, total)
	}
	if got := m.get("/global/spend/report?group_by=internal_user&" + span).ok().at("0.total_cost"); !near(got) {
		t.Errorf("spend of the user %v, want %v", got, total)
	}
	all := m.get("/user/daily/activity/aggregated?" + span).ok()
	if !near(all.at("metadata.total_spend")) || !near(all.at("results.0.breakdown.providers.openai.metrics.spend")) {
		t.Errorf("spend of all %v, of the provider %v", all.at("metadata.total_spend"), all.at("results.0.breakdown.providers.openai.metrics.spend"))
	}
	m.get("/user/daily/activity?page_size=1000&"+span).ok().want("metadata.total_api_requests", 1000, "metadata.has_more", true)
	m.get("/user/daily/activity?page_size=1000&page=11&"+span).ok().want("metadata.total_api_requests", 50, "metadata.has_more", false)
}
