package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

func testLogs(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	for i, log := range []store.SpendLog{
		{APIKey: "k1", User: "u1", TeamID: "t1", Model: "m1", Spend: 1, Metadata: store.JSON(`{"user_api_key_alias":"a1"}`)},
		{APIKey: "k1", User: "u2", TeamID: "t2", Model: "m2", Spend: 2, Status: "success", SessionID: "s"},
		{APIKey: "k2", User: "u1", TeamID: "t1", Model: "m1", Spend: 3, EndUser: "c", ModelID: "id", TotalTokens: 9},
		{
			APIKey: "k2", Status: "failure", Spend: 0, Messages: store.JSON(`["m"]`),
			Metadata: store.JSON(`{"error_information":{"error_code":"429","error_message":"Too Many"}}`),
		},
	} {
		log.RequestID, log.StartTime = fmt.Sprint(i), now().Add(time.Duration(i)*time.Hour)
		record(t, s, store.SpendEntry{Seq: int64(i + 1), Log: log})
	}
	check := func(want string, q store.LogQuery) {
		t.Helper()
		page := got[store.LogPage](t)(s.Reports().Logs(ctx, q))
		var ids strings.Builder
		for _, row := range page.Rows {
			ids.WriteString(row.RequestID)
		}
		if ids.String() != want || page.Total != int64(len(want)) {
			t.Errorf("%+v: %s of %d, want %s", q, &ids, page.Total, want)
		}
	}
	filter := func(want string, f store.LogFilter) { t.Helper(); check(want, store.LogQuery{LogFilter: f}) }
	check("3210", store.LogQuery{})
	check("0123", store.LogQuery{Ascending: true})
	check("2103", store.LogQuery{Sort: "spend"})
	check("3012", store.LogQuery{Sort: "spend", Ascending: true})
	check("2310", store.LogQuery{Sort: "total_tokens"})
	filter("10", store.LogFilter{APIKey: "k1"})
	filter("20", store.LogFilter{User: "u1"})
	filter("20", store.LogFilter{TeamID: "t1"})
	filter("2", store.LogFilter{EndUser: "c"})
	filter("2", store.LogFilter{ModelID: "id"})
	filter("20", store.LogFilter{Model: "m1"})
	filter("1", store.LogFilter{SessionID: "s"})
	filter("1", store.LogFilter{RequestID: "1"})
	filter("3", store.LogFilter{Status: "failure"})
	filter("210", store.LogFilter{Status: "success"})
	filter("21", store.LogFilter{MinSpend: store.Ptr(2.0)})
	filter("30", store.LogFilter{MaxSpend: store.Ptr(1.0)})
	filter("21", store.LogFilter{From: now().Add(time.Hour), To: now().Add(3 * time.Hour)})
	must(t, s.Keys().Create(ctx, &store.Key{Token: "k1", KeyAlias: "a1"}))
	filter("10", store.LogFilter{KeyAlias: "a1"})
	filter("", store.LogFilter{KeyAlias: "a2"})
	filter("3210", store.LogFilter{APIKeys: []string{"k1", "k2"}})
	filter("", store.LogFilter{APIKeys: []string{}})
	check("21", store.LogQuery{Sort: "spend", LogFilter: store.LogFilter{MinSpend: store.Ptr(2.0)}})
	check("3210", store.LogQuery{Sort: "endTime"})
	check("1203", store.LogQuery{Sort: "model"})
	filter("3", store.LogFilter{ErrorCode: "429"})
	filter("", store.LogFilter{ErrorCode: "42"})
	filter("", store.LogFilter{ErrorCode: "429", User: "u1"})
	check("3", store.LogQuery{LogFilter: store.LogFilter{ErrorCode: "429"}, Sort: "spend"})
	filter("3", store.LogFilter{ErrorCode: "429", MinSpend: new(float64)})
	filter("3", store.LogFilter{ErrorCode: "429", ErrorText: "too m"})
	filter("", store.LogFilter{ErrorCode: "500", ErrorText: "too m"})
	filter("3", store.LogFilter{ErrorText: "too m"})
	filter("", store.LogFilter{ErrorText: "%"})
	filter("10", store.LogFilter{Teams: []string{"t2"}, User: "u1", APIKey: "k1"})
	filter("20", store.LogFilter{Teams: []string{"t1"}})
	filter("", store.LogFilter{Teams: []string{}})

	// A call that is a session by itself, and one that goes on with it.
	for i, session := range []store.Text{"4", "4"} {
		log := store.SpendLog{RequestID: fmt.Sprint(4 + i), SessionID: session, StartTime: now().Add(time.Duration(i-9) * time.Hour)}
		record(t, s, store.SpendEntry{Seq: int64(5 + i), Log: log})
	}
	filter("54", store.LogFilter{SessionID: "4"})
	check("45", store.LogQuery{LogFilter: store.LogFilter{SessionID: "4"}, Ascending: true})
	alone := got[*store.SpendLog](t)(s.Reports().Log(ctx, "4"))
	same(t, "session", alone.SessionID, store.Text("4"))

	brief := got[store.LogPage](t)(s.Reports().Logs(ctx, store.LogQuery{Limit: 1}))
	full := got[store.LogPage](t)(s.Reports().Logs(ctx, store.LogQuery{Limit: 1, Full: true, NoCount: true}))
	same(t, "messages", []string{string(brief.Rows[0].Messages), string(full.Rows[0].Messages)}, []string{"", `["m"]`})
	same(t, "not counted", full.Total, int64(0))
	_, err := s.Reports().Log(ctx, "none")
	fails(t, "unknown request", err, store.ErrNotFound)
	for _, q := range []store.LogQuery{{Sort: "api_key; --"}, {After: "nonsense"}, {Sort: "spend", After: brief.Next}} {
		if _, err := s.Reports().Logs(ctx, q); err == nil {
			t.Errorf("%+v was taken", q)
		}
	}
}

func testLogPages(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	for i := range 23 {
		// Several calls begin in the same millisecond.
		log := store.SpendLog{RequestID: fmt.Sprintf("%02d", i), StartTime: now().Add(time.Duration(i/5) * time.Millisecond), APIKey: "k"}
		record(t, s, store.SpendEntry{Seq: int64(i + 1), Log: log})
	}
	for _, ascending := range []bool{false, true} {
		var all []string
		q := store.LogQuery{LogFilter: store.LogFilter{APIKey: "k"}, Limit: 4, Ascending: ascending}
		for pages := 1; ; pages++ {
			page := got[store.LogPage](t)(s.Reports().Logs(ctx, q))
			for _, row := range page.Rows {
				all = append(all, row.RequestID)
			}
			if page.Next == "" {
				same(t, "pages", pages, 6)
				break
			}
			q.After = page.Next
		}
		same(t, "rows", len(all), 23)
		for i := range all {
			want := fmt.Sprintf("%02d", i)
			if !ascending {
				want = fmt.Sprintf("%02d", 22-i)
			}
			same(t, "row", all[i], want)
		}
	}
	page := got[store.LogPage](t)(s.Reports().Logs(ctx, store.LogQuery{Limit: 10, Offset: 20}))
	same(t, "last by offset", len(page.Rows), 3)
}

// week records calls of a week by several.
func week(t testing.TB, s store.Store) {
	t.Helper()
	var entries []store.SpendEntry
	for day := range 7 {
		for call := range 4 {
			e := store.SpendEntry{Seq: int64(day*4 + call + 1), Endpoint: "/chat/completions", Tags: []string{fmt.Sprint("tag", call%2)}}
			e.Log = store.SpendLog{
				StartTime: now().AddDate(0, 0, day), APIKey: fmt.Sprint("k", call%2), Model: fmt.Sprint("m", call%3), ModelGroup: "group",
				CustomLLMProvider: store.Text([]string{"openai", "anthropic"}[call/2]), Spend: float64(call + 1), TotalTokens: 10,
				User: store.Text([]string{"", "u1", "u2", "u1"}[call]), TeamID: store.Text([]string{"t1", "t2", "", "t1"}[call]),
				CallType: "acompletion", CompletionTokens: 5, CacheHit: store.Text([]string{"True", "False"}[call%2]),
			}
			entries = append(entries, e)
		}
	}
	record(t, s, entries...)
}

func testActivity(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	week(t, s)
	check := func(want string, q store.ActivityQuery) {
		t.Helper()
		rows := got[[]store.Activity](t)(s.Reports().Activity(ctx, q))
		var text []string
		for _, a := range rows {
			var values []string
			for _, d := range q.By {
				values = append(values, *a.Field(d))
			}
			text = append(text, fmt.Sprintf("%s=%g/%d", strings.Join(values, "+"), a.Spend, a.APIRequests))
		}
		if have := strings.Join(text, " "); have != want {
			t.Errorf("%+v:\n got %s\nwant %s", q, have, want)
		}
	}
	by := func(d ...store.Dimension) store.ActivityQuery { return store.ActivityQuery{By: d} }
	day := store.DailyFilter{From: "2026-02-17", To: "2026-02-17"}
	check("=70/28", by())
	check("k0=28/14 k1=42/14", by(store.ByKey))
	check("m0=35/14 m1=14/7 m2=21/7", by(store.ByModel))
	check("group=70/28", by(store.ByModelGroup))
	check("anthropic=49/14 openai=21/14", by(store.ByProvider))
	check("/chat/completions=70/28", by(store.ByEndpoint))
	check("=7/7 u1=42/14 u2=21/7", by(store.ByEntity))
	check("2026-02-18=10/4 2026-02-17=10/4 2026-02-16=10/4", store.ActivityQuery{By: []store.Dimension{store.ByDate}, DailyFilter: store.DailyFilter{To: "2026-02-18"}})
	check("m0=35/14 m2=21/7", store.ActivityQuery{By: []store.Dimension{store.ByModel}, BySpend: true, Limit: 2})
	check("2026-02-17+k0=4/2 2026-02-17+k1=6/2", store.ActivityQuery{By: []store.Dimension{store.ByDate, store.ByKey}, DailyFilter: day})

	// These need more than one dimension, so they are read from the daily tables.
	check("k0+m0=1/1 k0+m2=3/1 k1+m0=4/1 k1+m1=2/1", store.ActivityQuery{By: []store.Dimension{store.ByKey, store.ByModel}, DailyFilter: day})
	teams := store.DailyFilter{Entity: store.EntityTeam, From: "2026-02-17", To: "2026-02-17"}
	check("t1=5/2 t2=2/1", store.ActivityQuery{By: []store.Dimension{store.ByEntity}, DailyFilter: teams})
	check("m0=5/2 m1=2/1", store.ActivityQuery{By: []store.Dimension{store.ByModel}, DailyFilter: teams})
	only := teams
	only.IDs = []string{"t1"}
	check("=5/2", store.ActivityQuery{DailyFilter: only})
	check("m0=5/2", store.ActivityQuery{By: []store.Dimension{store.ByModel}, DailyFilter: only})
	but := teams
	but.Exclude = []string{"t1"}
	check("=2/1", store.ActivityQuery{DailyFilter: but})
	check("m1=2/1", store.ActivityQuery{By: []store.Dimension{store.ByModel}, DailyFilter: but})
	day.APIKeys = []string{"k1"}
	check("=6/2", store.ActivityQuery{DailyFilter: day})
	check("m0=4/1 m1=2/1", store.ActivityQuery{By: []store.Dimension{store.ByModel}, DailyFilter: day})
	day.APIKeys, day.Provider = nil, "openai"
	check("=3/2", store.ActivityQuery{DailyFilter: day})
	day.Provider, day.Model = "", "group"
	check("=10/4", store.ActivityQuery{DailyFilter: day})
	check("tag0=28/14 tag1=42/14", store.ActivityQuery{By: []store.Dimension{store.ByEntity}, DailyFilter: store.DailyFilter{Entity: store.EntityTag}})
	check("=0/0", store.ActivityQuery{DailyFilter: store.DailyFilter{From: "2027-01-01"}})

	for _, q := range []store.ActivityQuery{
		by("nonsense"), by(store.ByDate, store.ByDate), {DailyFilter: store.DailyFilter{Entity: "nonsense"}},
	} {
		if _, err := s.Reports().Activity(ctx, q); err == nil {
			t.Errorf("%+v was taken", q)
		}
	}
}

func testDaily(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	week(t, s)
	seen := map[string]bool{}
	last := "9999"
	for offset := 0; ; offset += 5 {
		rows, total, err := s.Reports().Daily(ctx, store.DailyFilter{}, 5, offset)
		must(t, err)
		same(t, "total", total, int64(28))
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			if seen[row.ID] || row.Date > last {
				t.Errorf("%s of %s after %s", row.ID, row.Date, last)
			}
			seen[row.ID], last = true, row.Date
		}
	}
	same(t, "rows", len(seen), 28)
	count := func(want int64, f store.DailyFilter) {
		t.Helper()
		rows, total, err := s.Reports().Daily(ctx, f, 100, 0)
		must(t, err)
		if total != want || int64(len(rows)) != want {
			t.Errorf("%+v: %d rows, %d counted, want %d", f, len(rows), total, want)
		}
	}
	count(14, store.DailyFilter{IDs: []string{"u1"}})
	count(14, store.DailyFilter{Exclude: []string{"u1"}})
	count(14, store.DailyFilter{APIKeys: []string{"k0"}})
	count(28, store.DailyFilter{Model: "group"})
	count(7, store.DailyFilter{Model: "m1"})
	count(14, store.DailyFilter{Provider: "openai"})
	count(8, store.DailyFilter{From: "2026-02-17", To: "2026-02-18"})
	count(21, store.DailyFilter{Entity: store.EntityTeam})
	count(0, store.DailyFilter{IDs: []string{}})
}

func testHeaviest(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	for day := range 3 {
		var entries []store.SpendEntry
		for key := range 40 {
			log := store.SpendLog{
				RequestID: fmt.Sprint(day, key), StartTime: now().AddDate(0, 0, day), APIKey: fmt.Sprintf("k%02d", key), User: "u", TeamID: "t",
				Spend: float64(key + 1), Model: "m",
			}
			entries = append(entries, store.SpendEntry{Seq: int64(day*40 + key + 1), Log: log})
		}
		record(t, s, entries...)
	}
	f := func(filter store.DailyFilter, most, rows int, cut bool) {
		t.Helper()
		have, isCut, err := s.Reports().Heaviest(ctx, filter, most)
		must(t, err)
		same(t, "rows and cut", []any{len(have), isCut}, []any{rows, cut})
		perDay := map[string]int{}
		for i, row := range have {
			if i > 0 && row.Date > have[i-1].Date {
				t.Errorf("%s comes after %s", row.Date, have[i-1].Date)
			}
			perDay[row.Date]++
		}
		for _, row := range have {
			if cut && row.Spend <= 40-float64(perDay[row.Date]) {
				t.Errorf("a row of %g is not among the heaviest", row.Spend)
			}
		}
	}
	f(store.DailyFilter{}, 120, 120, false)
	f(store.DailyFilter{}, 90, 90, true)
	f(store.DailyFilter{Entity: store.EntityTeam, IDs: []string{"t"}}, 75, 75, true)
	f(store.DailyFilter{Entity: store.EntityTeam, IDs: []string{"none"}}, 75, 0, false)
	f(store.DailyFilter{From: "2026-02-17", To: "2026-02-17"}, 30, 30, true)
	f(store.DailyFilter{APIKeys: []string{"k01"}}, 75, 3, false)
}

func testCacheHits(t *testing.T, open Open) {
	s := open(t, nil)
	week(t, s)
	rows := got[[]store.CacheActivity](t)(s.Reports().CacheHits(t.Context(), "2026-02-17", "2026-02-17", 100))
	same(t, "rows", rows, []store.CacheActivity{
		{Date: "2026-02-17", APIKey: "k1", CallType: "acompletion", Model: "m1", Requests: 1, GeneratedTokens: 5},
		{Date: "2026-02-17", APIKey: "k1", CallType: "acompletion", Model: "m0", Requests: 1, GeneratedTokens: 5},
		{Date: "2026-02-17", APIKey: "k0", CallType: "acompletion", Model: "m2", Requests: 1, Hits: 1, CachedTokens: 5},
		{Date: "2026-02-17", APIKey: "k0", CallType: "acompletion", Model: "m0", Requests: 1, Hits: 1, CachedTokens: 5},
	})
}

func testExceptions(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	for i := range 5 {
		must(t, s.ErrorLogs().Create(ctx, &store.ErrorLog{
			StartTime: now().Add(time.Duration(i) * 12 * time.Hour), ModelGroup: fmt.Sprint("g", i%2), APIBase: "b", ExceptionType: "RateLimitError",
		}))
	}
	have := got[[]store.ExceptionCount](t)(s.Reports().Exceptions(ctx, "g0", now(), now().AddDate(0, 0, 2)))
	same(t, "counts", have, []store.ExceptionCount{
		{Date: "2026-02-17", ModelGroup: "g0", APIBase: "b", ExceptionType: "RateLimitError", Count: 1},
		{Date: "2026-02-16", ModelGroup: "g0", APIBase: "b", ExceptionType: "RateLimitError", Count: 1},
	})
	same(t, "all", len(got[[]store.ExceptionCount](t)(s.Reports().Exceptions(ctx, "", now(), now().AddDate(0, 0, 9)))), 5)
}

func testRefresh(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	week(t, s)
	queries := []store.ActivityQuery{}
	for _, d := range []store.Dimension{store.ByDate, store.ByKey, store.ByModel, store.ByModelGroup, store.ByProvider, store.ByEndpoint, store.ByTool, store.ByEntity} {
		queries = append(queries, store.ActivityQuery{By: []store.Dimension{d}})
	}
	for _, e := range []store.Entity{store.EntityTeam, store.EntityTag} {
		queries = append(queries, store.ActivityQuery{By: []store.Dimension{store.ByEntity}, DailyFilter: store.DailyFilter{Entity: e}})
	}
	all := func(ctx context.Context) (all [][]store.Activity) {
		for _, q := range queries {
			all = append(all, got[[]store.Activity](t)(s.Reports().Activity(ctx, q)))
		}
		return all
	}
	before := all(ctx)
	must(t, s.Reports().Refresh(ctx, "", ""))
	must(t, s.Reports().Refresh(ctx, "2026-02-17", "2026-02-18"))
	same(t, "after a refresh", all(ctx), before)
}
