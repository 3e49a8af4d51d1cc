package app_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// vendorWith is a vendor whose answers have the usage.
func vendorWith(t *testing.T, usage string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"c","object":"chat.completion","created":1,"model":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":%s}`, usage)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const plainUsage = `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}`

// pricedConfig has a model m with further settings.
func pricedConfig(base, model, params, info, rest string) string {
	return "general_settings: {master_key: sk-1234}\n" +
		"model_list: [{model_name: m, litellm_params: {model: " + model + ", api_key: k, api_base: '" + base + "'" + params + "}, model_info: {" + info + "}}]\n" + rest
}

// costOf asks once and returns the header with the cost.
func costOf(t *testing.T, s *apptest.Server, model string) (float64, bool, http.Header) {
	t.Helper()
	r := s.Post("/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"hi"}]}`)
	if r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	text := r.Header.Get("x-litellm-response-cost")
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil, r.Header
}

func closeTo(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) }

// The header names the cost: from the table, by the base model, or as the operator says.
func TestResponseCost(t *testing.T) {
	t.Parallel()
	plain := vendorWith(t, plainUsage)
	f := func(base, model, params, info, rest string, want float64, known bool) {
		t.Helper()
		s := apptest.Start(t, pricedConfig(base, model, params, info, rest))
		got, ok, _ := costOf(t, s, "m")
		if ok != known || !closeTo(got, want) {
			t.Errorf("%s%s {%s}: cost %v (known %v), want %v", model, params, info, got, ok, want)
		}
	}
	f(plain, "openai/gpt-4o", "", "", "", 10*2.5e-6+5*1e-5, true)
	f(plain, "openai/my_dep", "", "base_model: azure/gpt-4-1106-preview", "", 10*1e-5+5*3e-5, true)
	f(plain, "azure/my_dep", ", api_version: '2024-10-21'", "base_model: gpt-4-1106-preview", "", 10*1e-5+5*3e-5, true)
	f(plain, "openai/nobody-knows-it", "", "", "", 0, false)
	f(plain, "openai/gpt-4o", "", "input_cost_per_token: 0.001, output_cost_per_token: 0", "", 0.01, true)
	f(plain, "openai/gpt-4o", "", "input_cost_per_token: 0, output_cost_per_token: 0.002", "", 0.01, true)
	f(plain, "openai/gpt-4o", ", input_cost_per_token: 0.002", "input_cost_per_token: 0.001, output_cost_per_token: 0", "", 0.02, true)
	f(plain, "openai/gpt-4o", "", "input_cost_per_token: 0, output_cost_per_token: 0", "", 0, true)
	cached := vendorWith(t, `{"prompt_tokens":1000,"completion_tokens":5,"total_tokens":1005,"prompt_tokens_details":{"cached_tokens":400}}`)
	f(cached, "openai/gpt-4o", "", "", "", 600*2.5e-6+400*1.25e-6+5*1e-5, true)
	f(cached, "openai/gpt-4o", ", cache_read_input_token_cost: 1.0e-6", "", "", 600*2.5e-6+400*1e-6+5*1e-5, true)
	f(plain, "openai/gpt-4o", "", "", "litellm_settings: {cost_discount_config: {openai: 0.1}}", 0.9*(10*2.5e-6+5*1e-5), true)
	long := vendorWith(t, `{"prompt_tokens":250000,"completion_tokens":5,"total_tokens":250005}`)
	f(long, "openai/x", "", "input_cost_per_token: 1.0e-6, output_cost_per_token: 0, input_cost_per_token_above_200k_tokens: 2.0e-6", "", 0.5, true)
}

func TestCostMargin(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, pricedConfig(vendorWith(t, plainUsage), "openai/x", ", input_cost_per_token: 0.1, output_cost_per_token: 0", "",
		"litellm_settings: {cost_margin_config: {global: {percentage: 0.5, fixed_amount: 0.25}}}"))
	got, _, h := costOf(t, s, "m")
	if !closeTo(got, 1.75) || h.Get("x-litellm-response-cost-original") != "1.0" || h.Get("x-litellm-response-cost-margin-amount") != "0.75" ||
		h.Get("x-litellm-response-cost-margin-percent") != "0.5" {
		t.Errorf("%v %v", got, h)
	}
}

// A wildcard's deployments have the price of the model that was asked for.
func TestWildcardCost(t *testing.T) {
	t.Parallel()
	base := vendorWith(t, plainUsage)
	s := apptest.Start(t, "general_settings: {master_key: sk-1234}\nmodel_list: [{model_name: 'openai/*', litellm_params: {model: 'openai/*', api_key: k, api_base: '"+base+"'}}]")
	if got, ok, _ := costOf(t, s, "openai/gpt-4o"); !ok || !closeTo(got, 10*2.5e-6+5*1e-5) {
		t.Errorf("%v %v", got, ok)
	}
}

// A stream's cost is recorded, with what it is made of and where the price comes from.
func TestStreamCostIsRecorded(t *testing.T) {
	t.Parallel()
	v := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}`+"\n\n"+
			`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"x","choices":[],"usage":`+plainUsage+"}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(v.Close)
	s := apptest.Start(t, pricedConfig(v.URL, "openai/gpt-4o", "", "", ""), apptest.Env("LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD=true"))
	r := s.Post("/v1/chat/completions", `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`)
	if r.Status != 200 || r.Header.Get("x-litellm-response-cost") != "" {
		t.Fatalf("%d %v", r.Status, r.Header)
	}
	if err := s.App.Stop(); err != nil {
		t.Fatal(err)
	}
	var p struct {
		Cost  float64 `json:"response_cost"`
		Parts struct {
			Input  float64 `json:"input_cost"`
			Output float64 `json:"output_cost"`
		} `json:"cost_breakdown"`
		Map struct {
			Key   string         `json:"model_map_key"`
			Value map[string]any `json:"model_map_value"`
		} `json:"model_map_information"`
	}
	if err := json.Unmarshal([]byte(s.Out.String()), &p); err != nil {
		t.Fatalf("%v: %s", err, s.Out)
	}
	if !closeTo(p.Cost, 10*2.5e-6+5*1e-5) || !closeTo(p.Parts.Input, 10*2.5e-6) || !closeTo(p.Parts.Output, 5*1e-5) ||
		p.Map.Key != "gpt-4o" || p.Map.Value["output_cost_per_token"] != 1e-5 {
		t.Errorf("%+v", p)
	}
}

// With include_cost_in_streaming_usage a stream ends with its cost, in whatever dialect.
func TestCostInStreams(t *testing.T) {
	t.Parallel()
	chat := ut.SSE(ut.ContentChunk("gpt-4o", "hi"), ut.FinishChunk("gpt-4o", "stop"), ut.UsageChunk("gpt-4o", 10, 5), "[DONE]")
	claude := ut.SSERaw(
		ut.NamedEvent("message_start", `{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"usage":{"input_tokens":10,"output_tokens":1}}}`),
		ut.NamedEvent("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`),
		ut.NamedEvent("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"the \"usage\""}}`),
		ut.NamedEvent("content_block_stop", `{"type":"content_block_stop","index":0}`),
		ut.NamedEvent("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}}`),
		ut.NamedEvent("message_stop", `{"type":"message_stop"}`))
	yaml := func(v *ut.Vendor, on string) string {
		return fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: openai/gpt-4o, api_base: "%[1]s/v1", api_key: k, input_cost_per_token: 0.5, output_cost_per_token: 0.1}}
  - {model_name: a, litellm_params: {model: anthropic/claude-sonnet-4-5, api_base: "%[1]s", api_key: k, input_cost_per_token: 0.5, output_cost_per_token: 0.1}}
  - {model_name: g, litellm_params: {model: gemini/gemini-2.5-flash, api_base: "%[1]s", api_key: k, input_cost_per_token: 0.5, output_cost_per_token: 0.1}}
litellm_settings: {include_cost_in_streaming_usage: %[2]s}
general_settings: {master_key: sk-1234}
`, v.URL, on)
	}
	v, plain := ut.New(t, chat), ut.New(t, chat)
	anthropic := ut.New(t, claude)
	s, off, a := apptest.Start(t, yaml(v, "true")), apptest.Start(t, yaml(plain, "false")), apptest.Start(t, yaml(anthropic, "true"))
	f := func(s *apptest.Server, path, body string, want int) {
		t.Helper()
		r := s.Post(path, body)
		if r.Status != 200 || strings.Count(r.Body, `"cost":5.5`) != want {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
	}
	const messages = `"stream":true,"max_tokens":9,"messages":[{"role":"user","content":"x"}]}`
	f(s, "/v1/chat/completions", `{"model":"m","stream_options":{"include_usage":true},`+messages, 1)
	f(s, "/v1/chat/completions", `{"model":"m",`+messages, 0)
	f(off, "/v1/chat/completions", `{"model":"m","stream_options":{"include_usage":true},`+messages, 0)
	f(s, "/v1/messages", `{"model":"m",`+messages, 1)
	f(a, "/v1/messages", `{"model":"a",`+messages, 1)
	f(a, "/v1/chat/completions", `{"model":"a","stream_options":{"include_usage":true},`+messages, 1)
	f(a, "/v1/responses", `{"model":"a","stream":true,"input":"x"}`, 1)
	// Google's own events tell the usage so far, and the last one of all.
	gem := ut.New(t, ut.SSE(`{"candidates":[{"content":{"role":"model","parts":[{"text":"the \"finishReason\""}]},"index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":2,"totalTokenCount":12}}`,
		`{"candidates":[{"content":{"role":"model","parts":[{"text":"."}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15}}`))
	g := apptest.Start(t, yaml(gem, "true"))
	const contents = `{"contents":[{"role":"user","parts":[{"text":"x"}]}]}`
	f(g, "/v1beta/models/g:streamGenerateContent?alt=sse", contents, 1)
	f(g, "/v1beta/models/g:streamGenerateContent", contents, 1)
	f(s, "/v1beta/models/m:streamGenerateContent?alt=sse", contents, 1)
	f(a, "/v1beta/models/a:streamGenerateContent?alt=sse", contents, 1)
	f(off, "/v1beta/models/m:streamGenerateContent?alt=sse", contents, 0)
}

func TestCostMap(t *testing.T) {
	t.Parallel()
	const own = `{"gpt-4o":{"litellm_provider":"openai","mode":"chat","input_cost_per_token":1,"output_cost_per_token":0,"odd":{"a":1}},"other":{"max_tokens":"x"}}`
	calls := 0
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		fmt.Fprint(w, own)
	}))
	t.Cleanup(web.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(gone.Close)
	path := filepath.Join(t.TempDir(), "map.json")
	if err := os.WriteFile(path, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	yaml := pricedConfig(vendorWith(t, plainUsage), "openai/gpt-4o", "", "", "")
	f := func(want float64, fetched int, words string, env ...string) {
		t.Helper()
		before := calls
		s := apptest.Start(t, yaml, apptest.Env(env...))
		if got, _, _ := costOf(t, s, "m"); !closeTo(got, want) || calls-before != fetched {
			t.Errorf("%v: cost %v, want %v; %d fetches, want %d", env, got, want, calls-before, fetched)
		}
		if !strings.Contains(s.Log.String(), words) {
			t.Errorf("%v: the log lacks %q:\n%s", env, words, s.Log)
		}
	}
	const builtin = 10*2.5e-6 + 5*1e-5
	f(builtin, 0, "")
	f(builtin, 0, "", "LITELLM_LOCAL_MODEL_COST_MAP=False")
	f(10, 1, `model \"other\": field \"max_tokens\"`, "LITELLM_MODEL_COST_MAP_URL="+web.URL)
	f(builtin, 0, "is not used", "LITELLM_MODEL_COST_MAP_URL="+web.URL, "LITELLM_LOCAL_MODEL_COST_MAP=True")
	f(builtin, 0, "the built-in prices are used", "LITELLM_MODEL_COST_MAP_URL="+gone.URL)
	f(10, 0, "", "LITELLM_MODEL_COST_MAP_URL="+path)
	f(10, 0, "", "LITELLM_MODEL_COST_MAP_URL=file://"+path)

	if _, err := apptest.Try(t, yaml, apptest.Env("LITELLM_MODEL_COST_MAP_URL="+path+".no")); err == nil || !strings.Contains(err.Error(), "LITELLM_MODEL_COST_MAP_URL") {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := apptest.Try(t, pricedConfig("http://x", "openai/x", ", cache_read_input_token_cost: -1", "", "")); err == nil || !strings.Contains(err.Error(), "cache_read_input_token_cost") {
		t.Errorf("a price below nothing: %v", err)
	}
	if _, err := apptest.Try(t, pricedConfig("http://x", "openai/gpt-4o", "", "", "litellm_settings: {cost_discount_config: {openai: 5}}")); err == nil || !strings.Contains(err.Error(), "cost_discount_config") {
		t.Errorf("a discount of 500 %%: %v", err)
	}
}
