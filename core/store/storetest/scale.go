package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// Question is one thing that the management API asks about spend, or that a request asks about a key.
type Question struct {
	Name string
	Ask  func(ctx context.Context, s store.Store) error
}

// The size of what Fill makes. Calls are spread over so many days.
const (
	fillDays   = 30
	fillUsers  = 2_000
	fillTeams  = 200
	fillModels = 20
	fillBatch  = 2_000
	fillPage   = 50
)

func fillKey(n int) string { return fmt.Sprintf("%064x", n) }

// FillKeys makes keys, a thousand in a transaction.
func FillKeys(ctx context.Context, s store.Store, keys int) error {
	const chunk = 1000
	for from := 0; from < keys; from += chunk {
		err := s.Tx(ctx, func(tx store.Store) error {
			for n := from; n < min(from+chunk, keys); n++ {
				key := &store.Key{
					Token: fillKey(n), KeyAlias: store.Text(fmt.Sprint("alias", n)), UserID: store.Text(fmt.Sprint("u", n%fillUsers)),
					TeamID: store.Text(fmt.Sprint("t", n%fillTeams)), Models: store.List{"m1", "m2"},
				}
				if err := tx.Keys().Create(ctx, key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// FillLogs records calls from..to in the order of time, of keys at random but the same each time. A key uses one model.
func FillLogs(ctx context.Context, s store.Store, from, to, keys int) error {
	begin, span := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), fillDays*24*time.Hour.Milliseconds()
	random := rand.New(rand.NewPCG(1, uint64(from)))
	for first := from; first < to; first += fillBatch {
		batch := store.SpendBatch{Source: "fill"}
		for n := first; n < min(first+fillBatch, to); n++ {
			batch.Entries = append(batch.Entries, fillEntry(n, begin.Add(time.Duration(span*int64(n-from)/int64(to-from))*time.Millisecond), random.IntN(keys)))
		}
		if _, err := s.Spend().Record(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

func fillEntry(n int, at time.Time, key int) store.SpendEntry {
	status, metadata := store.Text("success"), `{"user_api_key_alias":"alias","usage_object":{"total_tokens":300}}`
	if n%100 == 0 {
		status, metadata = "failure", `{"user_api_key_alias":"alias","error_information":{"error_code":"429","error_message":"Too Many"}}`
	}
	return store.SpendEntry{
		Seq: int64(n + 1), Endpoint: "/chat/completions", Tags: []string{fmt.Sprint("tag", n%50)},
		Log: store.SpendLog{
			RequestID: fmt.Sprintf("chatcmpl-%012d", n), CallType: "acompletion", APIKey: fillKey(key), Spend: float64(n%97) / 1000, TotalTokens: 300,
			PromptTokens: 200, CompletionTokens: 100, StartTime: at, EndTime: at.Add(time.Second), Model: fmt.Sprint("model", key%fillModels),
			ModelID: store.Text(fmt.Sprint("id", key%fillModels)), ModelGroup: store.Text(fmt.Sprint("model", key%fillModels)), CustomLLMProvider: "openai",
			APIBase: "https://api.openai.com/v1", User: store.Text(fmt.Sprint("u", key%fillUsers)), TeamID: store.Text(fmt.Sprint("t", key%fillTeams)),
			EndUser: store.Text(fmt.Sprint("c", n%5000)), SessionID: store.Text(fmt.Sprint("s", n/4)), Status: status, CacheHit: "False",
			RequestTags: store.JSON(`["tag"]`), Metadata: store.JSON(metadata),
			RequesterIPAddress: "10.0.0.1",
		},
	}
}

// Questions are those that must take the same time however many calls were recorded. Keys is the number of keys.
func Questions(keys int) []Question {
	logs := func(f store.LogFilter) func(context.Context, store.Store) error {
		return func(ctx context.Context, s store.Store) error {
			_, err := s.Reports().Logs(ctx, store.LogQuery{LogFilter: f, Limit: fillPage})
			return err
		}
	}
	activity := func(f store.DailyFilter, by ...store.Dimension) func(context.Context, store.Store) error {
		return func(ctx context.Context, s store.Store) error {
			_, err := s.Reports().Activity(ctx, store.ActivityQuery{DailyFilter: f, By: by, BySpend: true, Limit: 100})
			return err
		}
	}
	from, to := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 25, 0, 0, 0, 0, time.UTC)
	month := store.DailyFilter{From: "2026-01-01", To: "2026-01-31"}
	with := func(change func(f *store.DailyFilter)) store.DailyFilter {
		f := month
		change(&f)
		return f
	}
	return []Question{
		{"key by its hash", func(ctx context.Context, s store.Store) error {
			_, err := s.Keys().Lookup(ctx, fillKey(keys/2), time.Now())
			return err
		}},
		{"logs, newest", logs(store.LogFilter{From: from, To: to})},
		{"logs, a page far on", func(ctx context.Context, s store.Store) error {
			q := store.LogQuery{Limit: fillPage, NoCount: true}
			q.From, q.To = from, to.AddDate(0, 0, -10)
			_, err := s.Reports().Logs(ctx, q)
			return err
		}},
		{"logs of a key", logs(store.LogFilter{From: from, To: to, APIKey: fillKey(keys / 3)})},
		{"logs of a user", logs(store.LogFilter{From: from, To: to, User: "u7"})},
		{"logs of a team", logs(store.LogFilter{From: from, To: to, TeamID: "t7"})},
		{"logs of an end user", logs(store.LogFilter{From: from, To: to, EndUser: "c7"})},
		{"logs of a model", logs(store.LogFilter{From: from, To: to, Model: "model7"})},
		{"logs of a session", logs(store.LogFilter{SessionID: "s7"})},
		{"logs of failures", logs(store.LogFilter{From: from, To: to, Status: "failure"})},
		{"logs of an error code", logs(store.LogFilter{From: from, To: to, ErrorCode: "429"})},
		{"logs of no error code", logs(store.LogFilter{From: from, To: to, ErrorCode: "418"})},
		{"logs by spend", func(ctx context.Context, s store.Store) error {
			q := store.LogQuery{Limit: fillPage, Sort: "spend"}
			q.From, q.To = from, to
			_, err := s.Reports().Logs(ctx, q)
			return err
		}},
		{"spend by day", activity(month, store.ByDate)},
		{"spend by model", activity(month, store.ByModel)},
		{"spend by provider", activity(month, store.ByProvider)},
		{"spend by team", activity(with(func(f *store.DailyFilter) { f.Entity = store.EntityTeam }), store.ByEntity)},
		{"spend by tag", activity(with(func(f *store.DailyFilter) { f.Entity = store.EntityTag }), store.ByEntity)},
		{"spend by key, highest", activity(month, store.ByKey)},
		{"spend by day of a key", activity(with(func(f *store.DailyFilter) { f.APIKeys = []string{fillKey(keys / 3)} }), store.ByDate)},
		{"spend by model of a user", activity(with(func(f *store.DailyFilter) { f.IDs = []string{"u7"} }), store.ByModel)},
		{"daily rows of a user", func(ctx context.Context, s store.Store) error {
			f := month
			f.IDs = []string{"u7"}
			_, _, err := s.Reports().Daily(ctx, f, fillPage, 0)
			return err
		}},
	}
}

// Measure fills a store with a tenth of the calls and then with all, and logs how long each question takes at both sizes:
// the median of several, after one that is not counted.
func Measure(t *testing.T, s store.Store, calls, keys int) {
	t.Helper()
	ctx := t.Context()
	begin := time.Now()
	must(t, FillKeys(ctx, s, keys))
	t.Logf("%d keys in %s", keys, time.Since(begin).Round(time.Millisecond))
	questions := Questions(keys)
	took := make([][2]time.Duration, len(questions))
	for round, sizes := range [][2]int{{0, calls / 10}, {calls / 10, calls}} {
		begin := time.Now()
		must(t, FillLogs(ctx, s, sizes[0], sizes[1], keys))
		t.Logf("%d calls in %s: %s a call", sizes[1]-sizes[0], time.Since(begin).Round(time.Millisecond),
			time.Since(begin)/time.Duration(max(sizes[1]-sizes[0], 1)))
		for i, q := range questions {
			took[i][round] = median(t, s, q)
		}
	}
	for i, q := range questions {
		t.Logf("%-26s %10s at %d calls %10s at %d", q.Name, took[i][0].Round(time.Microsecond), calls/10, took[i][1].Round(time.Microsecond), calls)
	}
}

func median(t *testing.T, s store.Store, q Question) time.Duration {
	t.Helper()
	const times = 9
	var all []time.Duration
	for range times + 1 {
		begin := time.Now()
		if err := q.Ask(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", q.Name, err)
		}
		all = append(all, time.Since(begin))
	}
	all = all[1:]
	slices.Sort(all)
	return all[len(all)/2]
}

// BenchKey is the hash of the key whose calls BenchmarkRecord records, for a user "u" of a team "t".
const BenchKey = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"

// BenchmarkRecord measures a call in batches of a thousand.
func BenchmarkRecord(b *testing.B, s store.Store) {
	const size = 1000
	batch := store.SpendBatch{Source: "bench", Entries: make([]store.SpendEntry, size)}
	at := time.Now()
	var seq int64
	for b.Loop() {
		e := &batch.Entries[seq%size]
		seq++
		if e.Seq == 0 {
			*e = benchEntry(at)
		}
		e.Seq, e.Log.RequestID = seq, fmt.Sprintf("chatcmpl-%016x", seq)
		e.Log.StartTime = at.Add(time.Duration(seq) * time.Millisecond)
		if seq%size == 0 {
			if _, err := s.Spend().Record(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func benchEntry(at time.Time) store.SpendEntry {
	return store.SpendEntry{
		Endpoint: "/chat/completions",
		Log: store.SpendLog{
			CallType: "acompletion", APIKey: BenchKey, Spend: 0.001, TotalTokens: 300, PromptTokens: 200, CompletionTokens: 100, EndTime: at,
			Model: "gpt-4o", ModelID: "4a5b6c", ModelGroup: "gpt-4o", CustomLLMProvider: "openai", APIBase: "https://api.openai.com/v1",
			User: "u", TeamID: "t", Status: "success", CacheHit: "False", RequestTags: store.JSON(`[]`), RequesterIPAddress: "10.0.0.1",
			Metadata: store.JSON(`{"user_api_key":"` + BenchKey + `","user_api_key_alias":"alias","usage_object":{"total_tokens":300}}`),
		},
	}
}
