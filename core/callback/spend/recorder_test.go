package spend

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

func exchange(t testing.TB) *llm.Exchange {
	t.Helper()
	x := &llm.Exchange{}
	x.Reset()
	x.Start = time.Unix(1_700_000_000, 0)
	x.ID, x.Op, x.Path, x.Method, x.Remote = llm.NewID(x.Start), llm.OpChat, "/v1/chat/completions", "POST", "10.0.0.1"
	x.Model, x.EndUser, x.Charged = "gpt", "customer", 0.5
	x.Tags = append(x.Tags, "a", "b")
	x.Principal = &llm.Principal{KeyHash: "hash", KeyAlias: `al"ias`, UserID: "u", TeamID: "t", TeamName: "Team", OrgID: "o"}
	if err := x.Body.Parse([]byte(`{"model":"gpt","messages":[{"role":"user","content":"PURPLE"}]}`)); err != nil {
		t.Fatal(err)
	}
	return x
}

func deployment() *llm.Deployment {
	return &llm.Deployment{ID: "d1", Group: "gpt", Provider: "openai", Model: "gpt-4o", Base: "http://vendor"}
}

// record writes an exchange and reads what the journal has of it.
func record(t testing.TB, s RecorderSettings, x *llm.Exchange, r *llm.Reply, tried *llm.Deployment, err error) store.SpendEntry {
	t.Helper()
	s.Journal = openJournal(t, t.TempDir(), Options{})
	NewRecorder(s).Record(x, r, tried, err)
	l := NewLoader(LoaderSettings{Store: newFakeStore(), Journal: s.Journal})
	entries, _, rerr := l.read()
	if rerr != nil || len(entries) != 1 {
		t.Fatalf("%d records, %v", len(entries), rerr)
	}
	return entries[0]
}

func TestRecord(t *testing.T) {
	t.Parallel()
	x := exchange(t)
	d := deployment()
	d.Scopes = []*llm.Scope{{Kind: llm.ScopeProvider, ID: "openai", Counter: "provider:openai", Live: llm.NewLive(llm.ScopeProvider, "openai")}}
	r := &llm.Reply{Deployment: d, Usage: llm.Usage{Prompt: 10, Completion: 5, Cached: 4}, Began: time.Unix(1_700_000_001, 0)}
	e := record(t, RecorderSettings{}, x, r, d, nil)
	l := e.Log
	f := func(name string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	f("request_id", l.RequestID, x.ID.String())
	f("call_type", l.CallType, "acompletion")
	f("api_key", l.APIKey, "hash")
	f("spend", l.Spend, 0.5)
	f("total_tokens", l.TotalTokens, int64(15))
	f("model", l.Model, "gpt-4o")
	f("model_group", l.ModelGroup, store.Text("gpt"))
	f("model_id", l.ModelID, store.Text("d1"))
	f("provider", l.CustomLLMProvider, store.Text("openai"))
	f("end_user", l.EndUser, store.Text("customer"))
	f("team", l.TeamID, store.Text("t"))
	f("status", l.Status, store.Text("success"))
	f("cache_hit", l.CacheHit, store.Text("None"))
	f("tags", string(l.RequestTags), `["a","b"]`)
	f("endpoint", e.Endpoint, "/v1/chat/completions")
	f("cached tokens", e.CacheReadTokens, int64(4))
	f("counters", len(e.Counters), 1)
	f("messages", len(l.Messages), 0)
	f("completion start", l.CompletionStartTime.Unix(), int64(1_700_000_001))
	var meta map[string]any
	if err := json.Unmarshal(l.Metadata, &meta); err != nil {
		t.Fatalf("%v: %s", err, l.Metadata)
	}
	f("alias", meta["user_api_key_alias"], `al"ias`)
}

// TestMetadata compares the metadata of rows, byte for byte.
func TestMetadata(t *testing.T) {
	t.Parallel()
	f := func(r *llm.Reply, err error, edit func(x *llm.Exchange), want string) {
		t.Helper()
		x := exchange(t)
		x.Principal = &llm.Principal{KeyHash: "hash"}
		edit(x)
		if got := record(t, RecorderSettings{}, x, r, deployment(), err).Log.Metadata; string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	const front = `"user_api_key":"hash","requester_ip_address":"10.0.0.1","attempted_retries":0,"attempted_fallbacks":0`
	same := func(*llm.Exchange) {}
	f(nil, nil, same, `{"status":"success",`+front+`}`)
	f(nil, &llm.Error{Kind: llm.KindTimeout, Message: `slow "one"`, Provider: "openai"}, same,
		`{"status":"failure",`+front+`,"error_information":{"error_code":"408","error_class":"timeout","error_message":"slow \"one\"","llm_provider":"openai"}}`)
	f(&llm.Reply{Usage: llm.Usage{Prompt: 1, Completion: 2, Total: 3, Cached: 4, CacheWrite: 5, Reasoning: 6}, Estimated: true}, nil, same,
		`{"status":"success",`+front+`,"usage_object":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,`+
			`"cache_read_input_tokens":4,"cache_creation_input_tokens":5,"reasoning_tokens":6,"estimated":true}}`)
	f(nil, nil, func(x *llm.Exchange) {
		x.Principal = &llm.Principal{KeyHash: "hash", KeyAlias: "k", UserID: "u", TeamID: "t", TeamName: "Team", OrgID: "o"}
		x.Remote, x.Retries, x.Fallbacks, x.Applied = "", 2, 1, []string{"pii", "words"}
		x.Controls.Metadata = []byte(`{"spend_logs_metadata":{"job":7}}`)
	}, `{"status":"success","user_api_key":"hash","user_api_key_alias":"k","user_api_key_user_id":"u","user_api_key_team_id":"t",`+
		`"user_api_key_team_alias":"Team","user_api_key_org_id":"o","attempted_retries":2,"attempted_fallbacks":1,`+
		`"applied_guardrails":["pii","words"],"spend_logs_metadata":{"job":7}}`)
}

// TestRecordKinds shows what is recorded of exchanges that did not go well, and by which settings.
func TestRecordKinds(t *testing.T) {
	t.Parallel()
	failed := record(t, RecorderSettings{}, exchange(t), nil, deployment(), &llm.Error{Kind: llm.KindTimeout, Message: "slow"}).Log
	var meta struct {
		Error struct {
			Code string `json:"error_code"`
		} `json:"error_information"`
	}
	if err := json.Unmarshal(failed.Metadata, &meta); err != nil || failed.Status != "failure" || meta.Error.Code != "408" {
		t.Errorf("failed: %v %s %s", err, failed.Status, failed.Metadata)
	}
	cached := record(t, RecorderSettings{}, exchange(t), &llm.Reply{}, nil, nil).Log
	if cached.CacheHit != "True" || cached.Status != "success" {
		t.Errorf("cached: %+v", cached)
	}
	off := record(t, RecorderSettings{NoLogs: true, NoTotals: true, HideKey: "hash"}, exchange(t), nil, nil, nil)
	if !off.NoLog || !off.NoTotals || off.Log.APIKey != MasterKeyName {
		t.Errorf("off: %+v", off)
	}
	r := &llm.Reply{Deployment: deployment(), Kept: []byte(`{"choices":[]}`)}
	texts := record(t, RecorderSettings{Texts: true}, exchange(t), r, nil, nil).Log
	if string(texts.Messages) != `[{"role":"user","content":"PURPLE"}]` || string(texts.Response) != `{"choices":[]}` {
		t.Errorf("texts: %s %s", texts.Messages, texts.Response)
	}
}

func TestRecordAllocates(t *testing.T) {
	if raceDetector {
		t.Skip("pools forget on purpose under the race detector")
	}
	x, d := exchange(t), deployment()
	r := &llm.Reply{Deployment: d, Usage: llm.Usage{Prompt: 10, Completion: 5}, Began: x.Start}
	rec := NewRecorder(RecorderSettings{Journal: openJournal(t, t.TempDir(), Options{Segment: 64 << 20})})
	rec.Record(x, r, d, nil)
	if n := testing.AllocsPerRun(1000, func() { rec.Record(x, r, d, nil) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	x, d := exchange(b), deployment()
	r := &llm.Reply{Deployment: d, Usage: llm.Usage{Prompt: 10, Completion: 5}, Began: x.Start}
	j := openJournal(b, b.TempDir(), Options{})
	rec := NewRecorder(RecorderSettings{Journal: j})
	last := j.first
	for b.Loop() {
		rec.Record(x, r, d, nil)
		if j.now.number > last+4 {
			last = j.now.number
			_ = j.Release(j.End())
		}
	}
}

// TestRecordWithoutRoom shows that texts give way before a record does, and that a record without a place waits for one.
func TestRecordWithoutRoom(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir(), Options{Segment: 4096})
	r := NewRecorder(RecorderSettings{Journal: j, Texts: true})
	x := exchange(t)
	if err := x.Body.Parse([]byte(`{"model":"gpt","messages":"` + strings.Repeat("p", 5000) + `"}`)); err != nil {
		t.Fatal(err)
	}
	r.Record(x, nil, deployment(), nil)
	spare := filepath.Join(j.Dir(), spareName)
	j.mu.Lock()
	_ = j.spare.Close()
	j.spare, j.now.at = nil, j.now.size()
	j.mu.Unlock()
	if err := errors.Join(os.Remove(spare), os.Mkdir(spare, 0o700)); err != nil {
		t.Fatal(err)
	}
	r.Record(x, nil, deployment(), nil)
	l := NewLoader(LoaderSettings{Store: newFakeStore(), Journal: j})
	f := func(want int) {
		t.Helper()
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, rejected := l.Written(); n != int64(want) || rejected != 0 {
			t.Errorf("%d written, %d rejected, want %d", n, rejected, want)
		}
	}
	f(1)
	if err := os.Remove(spare); err != nil {
		t.Fatal(err)
	}
	f(2)
	if j.Lost() != 0 {
		t.Errorf("%d lost", j.Lost())
	}
}
