package callback_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/callback"
	"github.com/sallyport-ai/sallyport/core/llm"
)

const key = "sk-1234567890abcdef"

func exchange(t *testing.T) *llm.Exchange {
	t.Helper()
	x := &llm.Exchange{}
	x.Reset()
	x.ID = llm.ID([]byte("018cc251-f400-7000-8000-000000000000"))
	x.Start = time.Unix(1700000000, 500e6)
	x.Op, x.Path, x.Remote, x.Model, x.Streamed = llm.OpChat, "/v1/chat/completions", "10.0.0.1", "gpt-4o", true
	x.Header = llm.Header{
		{Name: []byte("Authorization"), Value: []byte("Bearer " + key)},
		{Name: []byte("User-Agent"), Value: []byte("curl/8")},
		{Name: []byte("X-LiteLLM-Tags"), Value: []byte("a, b,a")},
	}
	if err := x.Body.Parse([]byte(`{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}`)); err != nil {
		t.Fatal(err)
	}
	x.Controls.Metadata = []byte(`{"tags":["b","c",1],"session":7,"api_key":"hunter2","note":"` + key + `"}`)
	x.Controls.User = []byte(`"end-user"`)
	x.Principal = &llm.Principal{
		KeyHash: "88dc28", UserID: "default_user_id", TeamID: "t1", TeamName: "Team", Role: llm.RoleProxyAdmin,
		Metadata: map[string]any{"plan": "gold", "secret": "hunter2", "list": []any{key}},
	}
	x.Retries, x.Fallbacks, x.Upstream, x.Applied = 1, 2, 1400*time.Millisecond, nil
	x.Guarded(llm.GuardRun{Name: "pii", Mode: "pre_call", Status: llm.GuardPassed, Start: x.Start, Took: 250 * time.Millisecond})
	x.Guarded(llm.GuardRun{Name: "pii", Mode: "post_call", Status: llm.GuardIntervened, Start: x.Start.Add(time.Second)})
	return x
}

var deployment = &llm.Deployment{
	ID: "d1", Group: "gpt-4o", Provider: "openai", Model: "gpt-4o-2024", Base: "https://api.openai.com/v1",
	APIKey: key, Price: &llm.Price{Levels: []llm.Level{{Rates: [llm.ServiceTiers]llm.Rates{{Input: 0.25, CacheRead: 0.25, Output: 0.5, Reasoning: 0.5}}}}},
}

func decode(t *testing.T, rec *callback.Record, messages bool) map[string]any {
	t.Helper()
	raw, err := rec.Payload(messages)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(raw); strings.Contains(s, key[3:]) || strings.Contains(s, "hunter2") || strings.Contains(s, "\n") {
		t.Errorf("a secret or a line break is in %s", s)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSuccess(t *testing.T) {
	t.Parallel()
	x := exchange(t)
	reply := &llm.Reply{
		Status: 200, Deployment: deployment, Began: x.Start.Add(time.Second), Finish: "stop",
		Usage: llm.Usage{Prompt: 10, Completion: 5, Total: 15, Cached: 4, Reasoning: 1},
	}
	rec := callback.NewRecord(x, reply, nil, nil, x.Start.Add(1500*time.Millisecond), false)
	x.Reset() // the record borrows nothing
	got := decode(t, &rec, true)
	want := `{
	"id": "018cc251-f400-7000-8000-000000000000", "trace_id": "018cc251-f400-7000-8000-000000000000",
	"litellm_call_id": "018cc251-f400-7000-8000-000000000000", "call_type": "acompletion", "stream": true,
	"response_cost": 5, "cost_breakdown": {"input_cost": 2.5, "output_cost": 2.5, "tool_usage_cost": 0, "original_cost": 5, "discount_percent": 0,
		"discount_amount": 0, "margin_percent": 0, "margin_fixed_amount": 0, "margin_total_amount": 0, "total_cost": 5},
	"model_map_information": {"model_map_key": "gpt-4o-2024", "model_map_value": null}, "status": "success", "status_fields": {"llm_api_status": "success", "guardrail_status": "guardrail_intervened"},
	"guardrail_information": [
		{"guardrail_name": "pii", "guardrail_provider": "sallyport", "guardrail_mode": "pre_call", "guardrail_status": "success",
			"start_time": 1700000000.5, "end_time": 1700000000.75, "duration": 0.25},
		{"guardrail_name": "pii", "guardrail_provider": "sallyport", "guardrail_mode": "post_call", "guardrail_status": "guardrail_intervened",
			"start_time": 1700000001.5, "end_time": 1700000001.5, "duration": 0}
	],
	"custom_llm_provider": "openai", "total_tokens": 15, "prompt_tokens": 10, "completion_tokens": 5,
	"startTime": 1700000000.5, "endTime": 1700000002, "completionStartTime": 1700000001.5, "response_time": 1,
	"model": "gpt-4o-2024", "model_id": "d1", "model_group": "gpt-4o", "api_base": "https://api.openai.com/v1",
	"metadata": {
		"user_api_key_hash": "88dc28", "user_api_key_alias": null, "user_api_key_org_id": null, "user_api_key_team_id": "t1",
		"user_api_key_team_alias": "Team", "user_api_key_user_id": "default_user_id", "user_api_key_user_email": null,
		"user_api_key_end_user_id": "end-user", "user_api_key_request_route": "/v1/chat/completions",
		"user_api_key_auth_metadata": {"plan": "gold", "secret": "****", "list": ["sk-****"]},
		"requester_ip_address": "10.0.0.1", "user_agent": "curl/8",
		"requester_metadata": {"tags": ["b", "c", 1], "session": 7, "api_key": "****", "note": "sk-****"},
		"applied_guardrails": ["pii"],
		"usage_object": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cached_tokens": 4, "reasoning_tokens": 1},
		"attempted_retries": 1, "attempted_fallbacks": 2, "finish_reason": "stop"
	},
	"cache_hit": false, "cache_key": null, "saved_cache_cost": 0, "request_tags": ["a", "b", "c"], "end_user": "end-user",
	"requester_ip_address": "10.0.0.1", "user_agent": "curl/8", "messages": null, "response": null,
	"error_str": null, "error_information": null,
	"hidden_params": {
		"model_id": "d1", "api_base": "https://api.openai.com/v1", "response_cost": 5, "litellm_overhead_time_ms": 100,
		"litellm_model_name": "gpt-4o-2024"
	}}`
	var m map[string]any
	if err := json.Unmarshal([]byte(want), &m); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if rec.Principal.Metadata["secret"] != "hunter2" || rec.Principal.Metadata["list"].([]any)[0] != key {
		t.Error("masking changed the principal")
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	check := func(err error, tried *llm.Deployment, code, class, message string) {
		t.Helper()
		x := exchange(t)
		rec := callback.NewRecord(x, nil, tried, err, x.Start.Add(time.Second), false)
		got := decode(t, &rec, true)
		info := got["error_information"].(map[string]any)
		if got["status"] != "failure" || info["error_code"] != code || info["error_class"] != class || got["error_str"] != message {
			t.Errorf("got %v %v", got["error_str"], info)
		}
		if got["completionStartTime"] != got["endTime"] || got["response_cost"] != 0.0 {
			t.Errorf("got %v", got)
		}
		if (got["model_id"] == nil) != (tried == nil) {
			t.Errorf("got model_id %v", got["model_id"])
		}
	}
	e := &llm.Error{Kind: llm.KindRateLimit, Message: "litellm.RateLimitError: key " + key, Provider: "openai"}
	check(e, deployment, "429", "RateLimitError", "litellm.RateLimitError: key sk-****")
	timed := *deployment
	timed.Price = &llm.Price{SecondIn: 1, Timed: true}
	check(e, &timed, "429", "RateLimitError", "litellm.RateLimitError: key sk-****")
	check(&llm.Error{Kind: llm.KindAuth, Status: 400, Message: "No connected db."}, nil, "400", "ProxyException", "No connected db.")
	check(errors.New("boom "+key), nil, "500", "InternalServerError", "Internal server error.")
	for k, class := range map[llm.Kind]string{
		llm.KindTimeout: "Timeout", llm.KindContextWindow: "ContextWindowExceededError", llm.KindCanceled: "CancelledError",
		llm.KindConnection: "APIConnectionError", llm.KindNotFound: "NotFoundError",
	} {
		e := &llm.Error{Kind: k, Message: "m"}
		check(e, deployment, map[bool]string{true: "500"}[k == llm.KindConnection]+other(k), class, "m")
	}
}

func other(k llm.Kind) string {
	switch k {
	case llm.KindTimeout:
		return "408"
	case llm.KindContextWindow:
		return "400"
	case llm.KindCanceled:
		return "499"
	case llm.KindNotFound:
		return "404"
	}
	return ""
}

func TestMessages(t *testing.T) {
	t.Parallel()
	x := exchange(t)
	rec := callback.NewRecord(x, nil, nil, nil, x.Start, true)
	rec.Response = []byte(`{"id":"r"}`)
	if got := decode(t, &rec, true); got["messages"].([]any)[0].(map[string]any)["content"] != "hi" || got["response"] == nil {
		t.Errorf("got %v, %v", got["messages"], got["response"])
	}
	if got := decode(t, &rec, false); got["messages"] != nil || got["response"] != nil {
		t.Errorf("got %v, %v", got["messages"], got["response"])
	}
	if raw, err := json.Marshal(&rec); err != nil || strings.Contains(string(raw), `"hi"`) {
		t.Errorf("MarshalJSON gave %s, %v", raw, err)
	}
	rec.Messages = []byte("no JSON")
	if got := decode(t, &rec, true); got["messages"] != nil {
		t.Errorf("got %v", got["messages"])
	}
	x.Controls.Metadata = make([]byte, callback.MaxMetadata+1)
	if rec := callback.NewRecord(x, nil, nil, nil, x.Start, false); rec.Metadata != nil || rec.Messages != nil {
		t.Error("the record keeps more than it should")
	}
}

// A principal's metadata that JSON has no form for costs only itself.
func TestOddMetadata(t *testing.T) {
	t.Parallel()
	x := exchange(t)
	x.Principal = &llm.Principal{UserID: "u", Metadata: map[string]any{"f": func() {}}}
	rec := callback.NewRecord(x, nil, nil, nil, x.Start, false)
	m := decode(t, &rec, false)["metadata"].(map[string]any)
	if m["user_api_key_user_id"] != "u" || m["user_api_key_auth_metadata"] != nil {
		t.Errorf("got %v", m)
	}
}

// A request in another dialect is recorded as it came, or as somebody had it translated.
func TestRecordOfDialect(t *testing.T) {
	t.Parallel()
	f := func(d llm.Dialect, call, native, body, want string) {
		t.Helper()
		x := new(llm.Exchange)
		x.Reset()
		x.Op = llm.OpChat
		x.Speak(d, nil)
		if err := x.Native.Parse([]byte(native)); err != nil {
			t.Fatal(err)
		}
		if body != "" {
			if err := x.Body.Parse([]byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		rec := callback.NewRecord(x, nil, nil, nil, x.Start, true)
		if rec.CallType != call || string(rec.Messages) != want {
			t.Errorf("%s %s, want %s %s", rec.CallType, rec.Messages, call, want)
		}
	}
	f(llm.DialectMessages, "anthropic_messages", `{"system":"s","messages":[1]}`, "", `[1]`)
	f(llm.DialectMessages, "anthropic_messages", `{"system":"s","messages":[1]}`, `{"messages":[2]}`, `[2]`)
	f(llm.DialectResponses, "aresponses", `{"input":"hi"}`, "", `"hi"`)
	f(llm.DialectGoogle, "agenerate_content", `{"contents":[3]}`, "", `[3]`)
}

func TestRecorder(t *testing.T) {
	t.Parallel()
	var got collector
	q := callback.NewQueue(callback.Settings{Sink: &got})
	callback.NewRecorder(true, q).Record(exchange(t), nil, deployment, nil)
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].ModelGroup != "gpt-4o" || len(got[0].Messages) == 0 || got[0].End.IsZero() {
		t.Errorf("got %+v", got)
	}
}

// No request makes a record that is no JSON.
func FuzzRecord(f *testing.F) {
	f.Add("gpt-4o", "a,b", []byte(`{"tags":["x"]}`), []byte(`"u"`), []byte(`[{"role":"user"}]`))
	f.Add("\xff\n", ",,", []byte(`{"a":{"token":1e400}}`), []byte(`"\ud800"`), []byte(`{`))
	f.Fuzz(func(t *testing.T, model, tags string, metadata, user, messages []byte) {
		x := &llm.Exchange{}
		x.Reset()
		x.Model, x.Controls.Metadata, x.Controls.User = model, metadata, user
		x.Header = llm.Header{{Name: []byte("x-litellm-tags"), Value: []byte(tags)}}
		rec := callback.NewRecord(x, nil, nil, &llm.Error{Message: model}, x.Start, true)
		rec.Messages = messages
		raw, err := rec.Payload(true)
		if err != nil || !json.Valid(raw) || strings.Contains(string(raw), "\n") {
			t.Errorf("got %s, %v", raw, err)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	x := &llm.Exchange{}
	x.Reset()
	x.Op, x.Path, x.Remote, x.Model = llm.OpChat, "/v1/chat/completions", "10.0.0.1", "gpt-4o"
	x.Header = llm.Header{{Name: []byte("User-Agent"), Value: []byte("curl/8")}}
	reply := &llm.Reply{Deployment: deployment, Usage: llm.Usage{Prompt: 10, Completion: 5, Total: 15}}
	b.ReportAllocs()
	for b.Loop() {
		callback.NewRecord(x, reply, nil, nil, x.Start, false)
	}
}
