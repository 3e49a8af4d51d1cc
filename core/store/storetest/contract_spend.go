package storetest

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// everybody makes one row of everything that spend is added to, and an entry that names all of them.
func everybody(t testing.TB, s store.Store) store.SpendEntry {
	t.Helper()
	ctx := t.Context()
	must(t, s.Budgets().Create(ctx, &store.Budget{BudgetID: "b"}))
	must(t, s.Organizations().Create(ctx, &store.Organization{OrganizationID: "o", BudgetID: "b"}))
	must(t, s.Users().Create(ctx, &store.User{UserID: "u"}))
	must(t, s.Users().Create(ctx, &store.User{UserID: store.ProxyBudgetUser}))
	must(t, s.Teams().Create(ctx, &store.Team{TeamID: "t"}))
	must(t, s.TeamMemberships().Create(ctx, &store.TeamMembership{UserID: "u", TeamID: "t"}))
	must(t, s.OrganizationMemberships().Create(ctx, &store.OrganizationMembership{UserID: "u", OrganizationID: "o"}))
	must(t, s.Tags().Create(ctx, &store.Tag{TagName: "known"}))
	must(t, s.Keys().Create(ctx, &store.Key{Token: token(1), UserID: "u", TeamID: "t"}))
	return store.SpendEntry{
		Seq: 1,
		Log: store.SpendLog{
			RequestID: "r1", CallType: "acompletion", APIKey: token(1), Spend: 0.5, TotalTokens: 30, PromptTokens: 20, CompletionTokens: 10,
			StartTime: now(), EndTime: now().Add(time.Second), CompletionStartTime: store.Ptr(now().Add(time.Millisecond)),
			Model: "gpt-4o-2024", ModelID: "m1", ModelGroup: "gpt-4o", CustomLLMProvider: "openai", APIBase: "https://api.openai.com",
			User: "u", Metadata: store.JSON(`{"user_api_key_alias":"alias"}`), CacheHit: "False", RequestTags: store.JSON(`["known","new"]`),
			TeamID: "t", OrganizationID: "o", EndUser: "customer", RequesterIPAddress: "127.0.0.1",
			Messages: store.JSON(`[{"role":"user"}]`), Response: store.JSON(`{"id":"x"}`), SessionID: "s", Status: "success", AgentID: "agent",
			ProxyServerRequest: store.JSON(`{}`),
		},
		Tags: []string{"known", "new", "known"}, Endpoint: "/chat/completions", CacheReadTokens: 4, CacheWriteTokens: 3,
	}
}

// spenders are what an entry of everybody adds to.
func spenders() []store.Ref {
	return []store.Ref{
		{Entity: store.EntityKey, ID: token(1)}, {Entity: store.EntityUser, ID: "u"}, {Entity: store.EntityUser, ID: store.ProxyBudgetUser},
		{Entity: store.EntityTeam, ID: "t"}, {Entity: store.EntityTeamMember, ID: "t", User: "u"},
		{Entity: store.EntityOrganization, ID: "o"}, {Entity: store.EntityOrgMember, ID: "o", User: "u"},
		{Entity: store.EntityEndUser, ID: "customer"}, {Entity: store.EntityTag, ID: "known"},
	}
}

func spent(t testing.TB, s store.Store, want float64, refs ...store.Ref) {
	t.Helper()
	have := got[map[store.Ref]float64](t)(s.Spend().Spent(t.Context(), refs...))
	for _, ref := range refs {
		if amount, ok := have[ref]; !ok || math.Abs(amount-want) > 1e-9 {
			t.Errorf("spend of %v: %g (known: %v), want %g", ref, amount, ok, want)
		}
	}
}

func record(t testing.TB, s store.Store, entries ...store.SpendEntry) store.SpendResult {
	t.Helper()
	return got[store.SpendResult](t)(s.Spend().Record(t.Context(), store.SpendBatch{Source: "journal", Entries: entries}))
}

func testRecord(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	entry := everybody(t, s)
	same(t, "result", record(t, s, entry), store.SpendResult{Recorded: 1, Position: 1})
	spent(t, s, 0.5, spenders()...)

	log := got[*store.SpendLog](t)(s.Reports().Log(ctx, "r1"))
	for _, raw := range []*store.JSON{&log.Metadata, &log.RequestTags, &log.Messages, &log.Response, &log.ProxyServerRequest} {
		*raw = canonical(*raw)
	}
	same(t, "row", *log, entry.Log)
	have := got[map[store.Ref]float64](t)(s.Spend().Spent(ctx, store.Ref{Entity: store.EntityTag, ID: "new"}))
	same(t, "a tag that nobody made", len(have), 0)

	metrics := store.Metrics{
		Spend: 0.5, PromptTokens: 20, CompletionTokens: 10, CacheReadInputTokens: 4, CacheCreationInputTokens: 3, APIRequests: 1, SuccessfulRequests: 1,
	}
	for entity, id := range map[store.Entity]string{
		store.EntityUser: "u", store.EntityTeam: "t", store.EntityOrganization: "o", store.EntityEndUser: "customer", store.EntityTag: "known",
		store.EntityAgent: "agent",
	} {
		rows, total, err := s.Reports().Daily(ctx, store.DailyFilter{Entity: entity, IDs: []string{id}}, 0, 0)
		must(t, err)
		if len(rows) != 1 || total != 1 {
			t.Fatalf("%s: %d daily rows, %d counted", entity, len(rows), total)
		}
		want := store.DailySpend{
			ID: rows[0].ID, EntityID: id, Date: "2026-02-16", APIKey: token(1), Model: "gpt-4o-2024", ModelGroup: "gpt-4o", CustomLLMProvider: "openai",
			Endpoint: "/chat/completions", CreatedAt: rows[0].CreatedAt, UpdatedAt: rows[0].UpdatedAt, Metrics: metrics,
		}
		same(t, string(entity), rows[0], want)
	}
	same(t, "counted twice", record(t, s, entry), store.SpendResult{Repeated: 1, Position: 1})
	spent(t, s, 0.5, spenders()...)

	failed := store.SpendEntry{Seq: 2, Log: store.SpendLog{Status: "failure", StartTime: now(), EndTime: now()}}
	record(t, s, failed)
	sum := got[[]store.Activity](t)(s.Reports().Activity(ctx, store.ActivityQuery{}))
	same(t, "both calls", []int64{sum[0].APIRequests, sum[0].SuccessfulRequests, sum[0].FailedRequests}, []int64{2, 1, 1})
	if _, err := s.Spend().Record(ctx, store.SpendBatch{}); err == nil {
		t.Error("a batch without a source was recorded")
	}
}

func testExactlyOnce(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	entry := everybody(t, s)
	entries := make([]store.SpendEntry, 10)
	for i := range entries {
		entries[i] = entry
		entries[i].Seq, entries[i].Log.RequestID = int64(10+i*7), fmt.Sprint("r", i)
	}
	same(t, "first", record(t, s, entries[:4]...), store.SpendResult{Recorded: 4, Position: 31})
	same(t, "cut differently", record(t, s, entries[2:7]...), store.SpendResult{Recorded: 3, Repeated: 2, Position: 52})
	same(t, "from the start", record(t, s, entries...), store.SpendResult{Recorded: 3, Repeated: 7, Position: 73})
	same(t, "nothing", record(t, s), store.SpendResult{Position: 73})
	spent(t, s, 5, spenders()...)
	same(t, "position", got[int64](t)(s.Spend().Position(ctx, "journal")), int64(73))
	same(t, "position of another", got[int64](t)(s.Spend().Position(ctx, "other")), int64(0))

	// Another journal that numbers in the same way, and a request whose id was used before.
	got[store.SpendResult](t)(s.Spend().Record(ctx, store.SpendBatch{Source: "other", Entries: entries[:1]}))
	spent(t, s, 5.5, spenders()...)
	page := got[store.LogPage](t)(s.Reports().Logs(ctx, store.LogQuery{}))
	same(t, "rows", page.Total, int64(10))

	// A batch that fails leaves nothing behind: neither spend nor position.
	err := s.Tx(ctx, func(tx store.Store) error {
		more := entry
		more.Seq = 100
		if _, err := tx.Spend().Record(ctx, store.SpendBatch{Source: "journal", Entries: []store.SpendEntry{more}}); err != nil {
			return err
		}
		return fmt.Errorf("power cut")
	})
	if err == nil || err.Error() != "power cut" {
		t.Errorf("transaction: %v", err)
	}
	spent(t, s, 5.5, spenders()...)
	same(t, "position", got[int64](t)(s.Spend().Position(ctx, "journal")), int64(73))
}

func testParallelBatches(t *testing.T, open Open) {
	a, b := open(t, nil), open(t, nil)
	entry := everybody(t, a)
	const writers, batches, size = 4, 5, 8
	var group sync.WaitGroup
	errs := make(chan error, 2*writers*batches)
	for w := range writers {
		for twice := range 2 { // two replicas send the same journal
			group.Go(func() {
				s := []store.Store{a, b}[(w+twice)%2]
				for n := range batches {
					batch := store.SpendBatch{Source: fmt.Sprint("journal", w)}
					for i := range size {
						e := entry
						e.Seq = int64(n*size + i + 1)
						e.Log.RequestID = fmt.Sprint(w, ".", e.Seq)
						e.Log.EndUser = store.Text(fmt.Sprint("customer", i%3))
						e.Log.Model = fmt.Sprint("model", (w+i)%5)
						batch.Entries = append(batch.Entries, e)
					}
					_, err := s.Spend().Record(t.Context(), batch)
					errs <- err
				}
			})
		}
	}
	group.Wait()
	close(errs)
	for err := range errs {
		must(t, err)
	}
	const calls = writers * batches * size
	spent(t, a, 0.5*calls, spenders()[:7]...)
	sum := got[[]store.Activity](t)(a.Reports().Activity(t.Context(), store.ActivityQuery{}))
	same(t, "calls", sum[0].APIRequests, int64(calls))
	byModel := got[[]store.Activity](t)(a.Reports().Activity(t.Context(), store.ActivityQuery{
		DailyFilter: store.DailyFilter{Entity: store.EntityTeam}, By: []store.Dimension{store.ByModel},
	}))
	var total int64
	for _, m := range byModel {
		total += m.APIRequests
	}
	same(t, "calls by model", total, int64(calls))
	same(t, "rows", got[store.LogPage](t)(a.Reports().Logs(t.Context(), store.LogQuery{})).Total, int64(calls))
}

func testCounters(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	seq := int64(0)
	add := func(window time.Time, amount float64) {
		t.Helper()
		seq++
		record(t, s, store.SpendEntry{Seq: seq, NoLog: true, NoTotals: true, Counters: []store.CounterAdd{{Name: "c", Window: window, Amount: amount}}})
	}
	check := func(window time.Time, spend float64) {
		t.Helper()
		same(t, "counter", got[[]store.Counter](t)(s.Spend().Counters(ctx, "c", "none")), []store.Counter{{Name: "c", Window: window, Spend: spend}})
	}
	first, second := now(), now().Add(time.Hour)
	add(first, 1)
	add(first, 2)
	check(first, 3)
	add(second, 5)
	check(second, 5)
	add(first, 7) // late, of the window that is over
	check(second, 5)
	must(t, s.Spend().SetCounter(ctx, store.Counter{Name: "c", Window: first, Spend: 1}))
	check(first, 1)
	record(t, s, store.SpendEntry{Seq: 99, NoLog: true, NoTotals: true, Counters: []store.CounterAdd{
		{Name: "c", Window: first, Amount: 1}, {Name: "c", Window: second, Amount: 2}, {Name: "c", Window: second, Amount: 3}, {Name: "c", Window: first, Amount: 4},
	}})
	check(second, 5)
}

func testPoison(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	entry := everybody(t, s)
	entry.Log.Response = store.JSON(`{"n": 1e999999, "text": "\u0000\ud800"}`)
	entry.Log.Messages = store.JSON(`no json`)
	entry.Log.Metadata = store.JSON(`{"a":"\u0000"}`)
	entry.Log.TotalTokens = 1 << 40
	entry.Log.Model = strings.Repeat("é\x00", 20_000)
	entry.Log.EndUser = store.Text(strings.Repeat("\xff", 20_000))
	entry.Log.SessionID = store.Text(strings.Repeat("s", 20_000))
	entry.Tags = []string{strings.Repeat("t", 20_000), "known"}
	entry.Endpoint = strings.Repeat("/", 20_000)
	worse := entry
	worse.Seq, worse.Log.RequestID, worse.Log.Spend = 2, "r2", math.NaN()
	worse.Log.StartTime = time.Time{}
	same(t, "result", record(t, s, entry, worse), store.SpendResult{Recorded: 2, Position: 2})
	spent(t, s, 0.5, spenders()[:7]...)
	log := got[*store.SpendLog](t)(s.Reports().Log(ctx, "r1"))
	if !strings.Contains(string(log.Response), "1e999999") && !strings.Contains(string(log.Response), "999999") {
		t.Errorf("response %.100s", log.Response)
	}
	same(t, "messages", string(canonical(log.Messages)), `"no json"`)
}

func testNoLog(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	entry := everybody(t, s)
	entry.NoLog = true
	record(t, s, entry)
	spent(t, s, 0.5, spenders()...)
	same(t, "rows", got[store.LogPage](t)(s.Reports().Logs(ctx, store.LogQuery{})).Total, int64(0))
	entry.Seq, entry.NoLog, entry.NoTotals = 2, false, true
	record(t, s, entry)
	spent(t, s, 0.5, spenders()...)
	same(t, "rows", got[store.LogPage](t)(s.Reports().Logs(ctx, store.LogQuery{})).Total, int64(1))
}

func testReset(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	past, future := now().Add(-time.Minute), now().Add(time.Hour)
	must(t, s.Budgets().Create(ctx, &store.Budget{BudgetID: "due", BudgetDuration: "1d", BudgetResetAt: &past}))
	must(t, s.Budgets().Create(ctx, &store.Budget{BudgetID: "not due", BudgetDuration: "1d", BudgetResetAt: &future}))
	must(t, s.Organizations().Create(ctx, &store.Organization{OrganizationID: "o", BudgetID: "due", Spend: 2}))
	must(t, s.Users().Create(ctx, &store.User{UserID: "u", Spend: 3, BudgetDuration: "30d", BudgetResetAt: &past}))
	must(t, s.Users().Create(ctx, &store.User{UserID: "later", Spend: 3, BudgetDuration: "30d", BudgetResetAt: &future}))
	must(t, s.Users().Create(ctx, &store.User{UserID: "broken", Spend: 3, BudgetDuration: "soon", BudgetResetAt: &past}))
	must(t, s.Teams().Create(ctx, &store.Team{TeamID: "t", Spend: 4, BudgetDuration: "1h", BudgetResetAt: &past}))
	must(t, s.TeamMemberships().Create(ctx, &store.TeamMembership{UserID: "u", TeamID: "t", Spend: 5, BudgetID: "due"}))
	must(t, s.OrganizationMemberships().Create(ctx, &store.OrganizationMembership{UserID: "u", OrganizationID: "o", Spend: 6, BudgetID: "due"}))
	must(t, s.EndUsers().Create(ctx, &store.EndUser{UserID: "c", Spend: 7, BudgetID: "due"}))
	must(t, s.EndUsers().Create(ctx, &store.EndUser{UserID: "other", Spend: 7, BudgetID: "not due"}))
	must(t, s.Tags().Create(ctx, &store.Tag{TagName: "tag", Spend: 8, BudgetID: "due"}))
	must(t, s.Keys().Create(ctx, &store.Key{Token: token(1), Spend: 9, BudgetDuration: "7d", BudgetResetAt: &past}))
	must(t, s.Keys().Create(ctx, &store.Key{Token: token(2), Spend: 10, BudgetID: "due"}))
	must(t, s.Keys().Create(ctx, &store.Key{Token: token(3), Spend: 11, BudgetID: "due", BudgetDuration: "1d", BudgetResetAt: &future}))

	latest := got[int64](t)(s.Changes().Latest(ctx))
	resets, err := s.Spend().ResetBudgets(ctx, now(), time.UTC)
	if err == nil || !strings.Contains(err.Error(), "broken") || !strings.Contains(err.Error(), "soon") {
		t.Errorf("a duration that is none: %v", err)
	}
	have := map[store.Ref]string{}
	for _, r := range resets {
		next := ""
		if !r.Next.IsZero() {
			next = r.Next.Format(time.DateTime)
		}
		have[r.Ref] = fmt.Sprint(r.Spent, " ", next, " ", r.Budget)
	}
	same(t, "resets", have, map[store.Ref]string{
		{Entity: store.EntityKey, ID: token(1)}:              "9 2026-02-23 00:00:00 ",
		{Entity: store.EntityKey, ID: token(2)}:              "10  due",
		{Entity: store.EntityUser, ID: "u"}:                  "3 2026-03-01 00:00:00 ",
		{Entity: store.EntityTeam, ID: "t"}:                  "4 2026-02-16 13:00:00 ",
		{Entity: store.EntityBudget, ID: "due"}:              "0 2026-02-17 00:00:00 ",
		{Entity: store.EntityOrganization, ID: "o"}:          "2  due",
		{Entity: store.EntityTeamMember, ID: "t", User: "u"}: "5  due",
		{Entity: store.EntityOrgMember, ID: "o", User: "u"}:  "6  due",
		{Entity: store.EntityEndUser, ID: "c"}:               "7  due",
		{Entity: store.EntityTag, ID: "tag"}:                 "8  due",
	})
	for ref := range have {
		if ref.Entity != store.EntityBudget {
			spent(t, s, 0, ref)
		}
	}
	spent(t, s, 3, store.Ref{Entity: store.EntityUser, ID: "later"}, store.Ref{Entity: store.EntityUser, ID: "broken"})
	spent(t, s, 7, store.Ref{Entity: store.EntityEndUser, ID: "other"})
	spent(t, s, 11, store.Ref{Entity: store.EntityKey, ID: token(3)})
	changes, _, err := s.Changes().Since(ctx, latest, 100)
	must(t, err)
	same(t, "changes", len(changes), len(have))
	again, _ := s.Spend().ResetBudgets(ctx, now(), time.UTC)
	same(t, "a second time", len(again), 0)
}

func testResetRace(t *testing.T, open Open) {
	a, b, ctx := open(t, nil), open(t, nil), t.Context()
	past := now().Add(-time.Minute)
	for i := range 20 {
		must(t, a.Keys().Create(ctx, &store.Key{Token: token(i), Spend: 1, BudgetDuration: "1d", BudgetResetAt: &past}))
	}
	var group sync.WaitGroup
	results := make(chan []store.Reset, 4)
	for i := range 4 {
		group.Go(func() {
			resets, err := []store.Store{a, b}[i%2].Spend().ResetBudgets(ctx, now(), nil)
			if err != nil {
				t.Error(err)
			}
			results <- resets
		})
	}
	group.Wait()
	close(results)
	seen := map[store.Ref]int{}
	for resets := range results {
		for _, r := range resets {
			seen[r.Ref]++
		}
	}
	for ref, n := range seen {
		if n != 1 {
			t.Errorf("%v was reset %d times", ref, n)
		}
	}
	same(t, "resets", len(seen), 20)
}

func testResetAll(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	must(t, s.Keys().Create(ctx, &store.Key{Token: token(1), Spend: 1}))
	must(t, s.Teams().Create(ctx, &store.Team{TeamID: "t", Spend: 1}))
	must(t, s.Users().Create(ctx, &store.User{UserID: "u", Spend: 1}))
	must(t, s.Spend().ResetAll(ctx))
	spent(t, s, 0, store.Ref{Entity: store.EntityKey, ID: token(1)}, store.Ref{Entity: store.EntityTeam, ID: "t"})
	spent(t, s, 1, store.Ref{Entity: store.EntityUser, ID: "u"})
}

func testRetention(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	for i := range 10 {
		record(t, s, store.SpendEntry{Seq: int64(i + 1), Log: store.SpendLog{RequestID: fmt.Sprint(i), StartTime: now().AddDate(0, 0, i), Spend: 1}})
	}
	before := now().AddDate(0, 0, 5)
	same(t, "first", got[int64](t)(s.Spend().DeleteLogs(ctx, before, 3)), int64(3))
	same(t, "second", got[int64](t)(s.Spend().DeleteLogs(ctx, before, 3)), int64(2))
	same(t, "third", got[int64](t)(s.Spend().DeleteLogs(ctx, before, 3)), int64(0))
	page := got[store.LogPage](t)(s.Reports().Logs(ctx, store.LogQuery{Ascending: true}))
	same(t, "left", []any{page.Total, page.Rows[0].RequestID}, []any{int64(5), "5"})
	sum := got[[]store.Activity](t)(s.Reports().Activity(ctx, store.ActivityQuery{}))
	same(t, "spend", sum[0].Spend, 10.0)
}
