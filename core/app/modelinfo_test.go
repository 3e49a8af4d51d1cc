package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

const infoConfig = `
general_settings: {master_key: sk-1234}
model_list:
  - model_name: gpt
    litellm_params: {model: openai/gpt-4o, api_key: sk-verysecretkey, api_base: "http://127.0.0.1:1/v1", rpm: 10, temperature: 0.5,
      extra_headers: {X-Key: topsecret}, cache_read_input_token_cost: 1.0e-6, aws_secret_access_key: alsosecret, aws_region_name: eu-west-1}
    model_info: {id: d1, colour: red, max_tokens: 77, itpm: 100, supports_reasoning: true, supports_xhigh_reasoning_effort: true}
  - model_name: gpt
    litellm_params: {model: anthropic/claude-opus-4-8, api_key: k, rpm: 5}
    model_info: {id: d2, itpm: 20, otpm: 7, db_model: true}
  - model_name: own
    litellm_params: {model: hosted_vllm/our-model, api_base: "http://127.0.0.1:1", mock_response: hi}
    model_info: {id: d3, input_cost_per_token: 0.5, mode: embedding, created_at: "2026-03-01T00:00:00Z"}
  - model_name: llama
    litellm_params: {model: groq/llama-3, api_key: k}
    model_info: {created_at: "2026-02-01T00:00:00+00:00", updated_at: "2026-02-02T00:00:00"}
  - model_name: "mistral/*"
    litellm_params: {model: "mistral/*", api_key: k}
    model_info: {id: w}
`

// object reads an answer that is a JSON object.
func object(t *testing.T, r *apptest.Response) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.Body), &m); err != nil {
		t.Fatalf("%d %s: %v", r.Status, r.Body, err)
	}
	return m
}

// entries are the members of data.
func entries(t *testing.T, r *apptest.Response) []map[string]any {
	t.Helper()
	if r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	var out []map[string]any
	for _, e := range object(t, r)["data"].([]any) {
		out = append(out, e.(map[string]any))
	}
	return out
}

func TestModelInfo(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, infoConfig)
	r := s.Get("/model/info")
	for _, secret := range []string{"verysecretkey", "topsecret", "alsosecret", "api_key"} {
		if strings.Contains(r.Body, secret) {
			t.Errorf("%s is shown: %s", secret, r.Body)
		}
	}
	all := entries(t, r)
	if len(all) != 5 {
		t.Fatalf("%d entries", len(all))
	}
	f := func(i int, where, name string, want any) {
		t.Helper()
		if got := all[i][where].(map[string]any)[name]; got != want {
			t.Errorf("entry %d: %s.%s is %v, want %v", i, where, name, got, want)
		}
	}
	f(0, "litellm_params", "model", "openai/gpt-4o")
	f(0, "litellm_params", "rpm", 10.0)
	f(0, "litellm_params", "temperature", 0.5)
	f(0, "litellm_params", "aws_region_name", "eu-west-1")
	f(0, "model_info", "id", "d1")
	f(0, "model_info", "colour", "red")
	f(0, "model_info", "max_tokens", 77.0)
	f(0, "model_info", "db_model", false)
	f(0, "model_info", "input_cost_per_token", 2.5e-6)
	f(0, "model_info", "cache_read_input_token_cost", 1e-6) // the operator's
	f(0, "model_info", "max_input_tokens", 128000.0)
	f(0, "model_info", "supports_vision", true)
	f(0, "model_info", "litellm_provider", "openai")
	f(0, "model_info", "mode", "chat")
	f(0, "model_info", "supports_url_context", nil)
	f(1, "model_info", "output_cost_per_token", 2.5e-5)
	f(2, "model_info", "input_cost_per_token", 0.5)
	f(2, "model_info", "mode", "embedding")
	f(2, "model_info", "litellm_provider", "hosted_vllm")
	f(4, "model_info", "id", "w")
	if one := entries(t, s.Get("/v1/model/info?litellm_model_id=d2")); len(one) != 1 || one[0]["model_name"] != "gpt" {
		t.Errorf("%v", one)
	}
	if r := s.Get("/model/info?litellm_model_id=nope"); r.Status != 400 || object(t, r)["detail"].(map[string]any)["error"] != "Model id = nope not found on litellm proxy" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if r := s.Get("/model/info", "Authorization:"); r.Status != 401 {
		t.Errorf("without a key: %d", r.Status)
	}
	if r := s.Post("/model/info", "{}"); r.Status != 405 {
		t.Errorf("POST: %d", r.Status)
	}
}

func TestModelPages(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, infoConfig)
	f := func(query string, total, pages float64, names ...string) {
		t.Helper()
		r := s.Get("/v2/model/info" + query)
		m := object(t, r)
		var got []string
		for _, e := range entries(t, r) {
			got = append(got, e["model_name"].(string))
		}
		if m["total_count"] != total || m["total_pages"] != pages || !slices.Equal(got, names) {
			t.Errorf("%s: %v %v %v", query, m["total_count"], m["total_pages"], got)
		}
	}
	f("", 5, 1, "gpt", "gpt", "own", "llama", "mistral/*")
	f("?size=2&page=2", 5, 3, "own", "llama")
	f("?size=2&page=9", 5, 3)
	f("?model=gpt", 2, 1, "gpt", "gpt")
	f("?search=LLA", 1, 1, "llama")
	f("?modelId=d3", 1, 1, "own")
	f("?sortBy=model_name&sortOrder=desc&size=1", 5, 5, "own")
	f("?sortBy=costs", 5, 1, "gpt", "gpt", "own", "llama", "mistral/*")
	f("?sortBy=costs&sortOrder=desc", 5, 1, "own", "gpt", "gpt", "llama", "mistral/*")
	f("?sortBy=created_at&sortOrder=desc", 5, 1, "own", "llama", "gpt", "gpt", "mistral/*")
	f("?sortBy=updated_at", 5, 1, "llama", "gpt", "gpt", "own", "mistral/*")
	f("?sortBy=status", 5, 1, "gpt", "own", "llama", "mistral/*", "gpt")
	f("?sortBy=status&sortOrder=DESC&size=2", 5, 3, "gpt", "gpt")
	f("?sortBy=colour", 5, 1, "gpt", "gpt", "own", "llama", "mistral/*")
	if r := s.Get("/v2/model/info?page=0"); r.Status != 422 {
		t.Errorf("page 0: %d %s", r.Status, r.Body)
	}
}

func TestModelGroupInfo(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, infoConfig)
	all := entries(t, s.Get("/model_group/info?model_group=gpt"))
	if len(all) != 1 {
		t.Fatalf("%v", all)
	}
	g := all[0]
	providers, _ := json.Marshal(g["providers"])
	if string(providers) != `["openai","anthropic"]` || g["max_input_tokens"] != 1000000.0 || g["output_cost_per_token"] != 2.5e-5 || g["rpm"] != 15.0 ||
		g["tpm"] != nil || g["supports_vision"] != true || g["mode"] != "chat" {
		t.Errorf("%v", g)
	}
	efforts, _ := json.Marshal(g["supported_reasoning_efforts"])
	if string(efforts) != `["none","minimal","low","medium","high","xhigh"]` || g["itpm"] != 120.0 || g["otpm"] != 7.0 || g["supports_fast_mode"] != false {
		t.Errorf("efforts %s: %v", efforts, g)
	}
	if own := entries(t, s.Get("/model_group/info?model_group=own"))[0]; own["supported_reasoning_efforts"] != nil || own["itpm"] != nil {
		t.Errorf("%v", own)
	}
	if n := len(entries(t, s.Get("/model_group/info"))); n != 3 {
		t.Errorf("%d groups", n)
	}
}

func TestTokenCounter(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, infoConfig+"litellm_settings: {disable_hf_tokenizer_download: true}\n")
	f := func(body string, want float64, used string) {
		t.Helper()
		r := s.Post("/utils/token_counter", body)
		m := object(t, r)
		if r.Status != 200 || m["total_tokens"] != want || m["model_used"] != used || m["tokenizer_type"] != "openai_tokenizer" {
			t.Errorf("%s: %d %s", body, r.Status, r.Body)
		}
	}
	f(`{"model":"gpt","prompt":"hello world"}`, 2, "gpt-4o")
	f(`{"model":"gpt","messages":[{"role":"user","content":"hello world"}]}`, 9, "gpt-4o")
	f(`{"model":"gpt-3.5-turbo","prompt":"antidisestablishmentarianism"}`, 6, "gpt-3.5-turbo")
	f(`{"model":"llama","prompt":"hello world"}`, 2, "llama-3")
	bad := func(body string, status int) {
		t.Helper()
		if r := s.Post("/utils/token_counter", body); r.Status != status {
			t.Errorf("%s: %d %s", body, r.Status, r.Body)
		}
	}
	bad(`{"model":"gpt"}`, 400)
	bad(`{"prompt":"x"}`, 422)
	bad(`[`, 400)
	bad(`{"model":"gpt","messages":"x"}`, 400)
}

func TestSupportedParams(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, infoConfig)
	f := func(model, has, lacks string) {
		t.Helper()
		r := s.Get("/utils/supported_openai_params?model=" + model)
		list, _ := object(t, r)["supported_openai_params"].([]any)
		if r.Status != 200 || !slices.Contains(list, any(has)) || slices.Contains(list, any(lacks)) {
			t.Errorf("%s: %d %s", model, r.Status, r.Body)
		}
	}
	f("gpt", "logit_bias", "no_such")
	f("anthropic/claude-opus-4-8", "tools", "logit_bias")
	f("groq/x", "temperature", "logit_bias")
	f("groq/llama-guard-3-8b", "temperature", "reasoning_effort")
	f("groq/openai/gpt-oss-120b", "reasoning_effort", "n")
	f("xai/grok-4-0709", "temperature", "stop")
	f("openai/o3", "temperature", "top_p")
	f("openai/gpt-5", "reasoning_effort", "logit_bias")
	f("openai/gpt-5.1", "top_p", "stop")
	f("openai/gpt-4o", "stop", "no_such")
	if r := s.Get("/utils/supported_openai_params?model=no-such-vendor/x"); r.Status != 400 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if r := s.Get("/utils/supported_openai_params"); r.Status != 422 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// A directory with vocabularies is looked at when the gateway starts.
func TestTiktokenDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := apptest.Start(t, infoConfig, apptest.Env("CUSTOM_TIKTOKEN_CACHE_DIR="+dir))
	if m := object(t, s.Post("/utils/token_counter", `{"model":"gpt-4o","prompt":"hello world"}`)); m["total_tokens"] != 2.0 {
		t.Errorf("an empty directory: %v", m)
	}
	path := filepath.Join(dir, "o200k_base.tiktoken")
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := apptest.Try(t, infoConfig, apptest.Env("CUSTOM_TIKTOKEN_CACHE_DIR="+dir)); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a broken vocabulary: %v", err)
	}
}

// The prices can be fetched again while the gateway runs, and are there for everybody to see.
func TestReloadPrices(t *testing.T) {
	t.Parallel()
	dollars := "1"
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"gpt-4o":{"litellm_provider":"openai","input_cost_per_token":`+dollars+`}}`)
	}))
	t.Cleanup(web.Close)
	s := apptest.Start(t, infoConfig, apptest.Env("LITELLM_MODEL_COST_MAP_URL="+web.URL))
	f := func(want float64) {
		t.Helper()
		m := object(t, s.Get("/public/litellm_model_cost_map", "Authorization:"))
		if g, _ := m["gpt-4o"].(map[string]any); g["input_cost_per_token"] != want || len(m) < 4000 {
			t.Errorf("%v of %d models", g, len(m))
		}
	}
	f(1)
	dollars = "2"
	r := s.Post("/reload/model_cost_map", "")
	if n, _ := object(t, r)["models_count"].(float64); r.Status != 200 || n < 4000 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	f(2)
	if r := s.Post("/reload/model_cost_map", "", "Authorization:"); r.Status != 401 {
		t.Errorf("without a key: %d", r.Status)
	}
}
