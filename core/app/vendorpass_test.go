package app_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

func TestVendorPass(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - model_name: az
    litellm_params: {model: azure/my-deployment, api_base: %[1]s, api_key: k-az2, api_version: "2025-01-01"}
  - model_name: fast
    litellm_params: {model: hosted_vllm/llama, api_base: %[1]s/v1, api_key: k-vllm2, input_cost_per_token: 0.5}
  - model_name: c
    litellm_params: {model: cohere/command-r, api_key: k-lent, api_base: %[1]s, use_in_pass_through: true}
general_settings: {master_key: sk-1234}
`, v.URL), apptest.Env(printRecords,
		"OPENAI_API_KEY=k-openai", "OPENAI_API_BASE="+v.URL+"/v1", "ANTHROPIC_API_KEY=k-anthropic", "ANTHROPIC_API_BASE="+v.URL,
		"GEMINI_API_KEY=k-gemini", "GEMINI_API_BASE="+v.URL, "MISTRAL_API_KEY=k-mistral", "MISTRAL_API_BASE="+v.URL+"/v1",
		"AZURE_API_KEY=k-azure", "AZURE_API_BASE="+v.URL, "COHERE_API_KEY=k-cohere",
		"LANGFUSE_HOST="+v.URL, "LANGFUSE_PUBLIC_KEY=pk", "LANGFUSE_SECRET_KEY=sk"))
	f := func(path, body, sent, header, key string, lines ...string) ut.Request {
		t.Helper()
		v.Script(ut.JSON(200, `{"ok":true}`, "Request-Id: r1"))
		r := s.Post(path, body, lines...)
		if r.Status != 200 || r.Body != `{"ok":true}` || r.Header.Get("Request-Id") != "r1" {
			t.Fatalf("%s: %d %s %v", path, r.Status, r.Body, r.Header)
		}
		all := v.Requests()
		last := all[len(all)-1]
		if last.Path != sent || last.Header.Get(header) != key {
			t.Errorf("%s: sent to %s with %v, want %s with %s", path, last.Path, last.Header, sent, key)
		}
		if strings.Contains(fmt.Sprint(last.Header, last.Path), "sk-1234") {
			t.Errorf("%s: the caller's key went to the vendor: %v", path, last.Header)
		}
		return last
	}
	f("/openai/v1/chat/completions?x=1", `{"model":"gpt-4o"}`, "/v1/chat/completions?x=1", "Authorization", "Bearer k-openai")
	f("/openai/chat/completions", `{"model":"gpt-4o"}`, "/v1/chat/completions", "Authorization", "Bearer k-openai")
	r := f("/anthropic/v1/messages", `{"model":"claude-x"}`, "/v1/messages", "X-Api-Key", "k-anthropic", "x-api-key: sk-1234", "Authorization:", "anthropic-version: 2023-06-01", "x-litellm-tags: a")
	if r.Header.Get("Anthropic-Version") != "2023-06-01" || r.Header.Get("X-Litellm-Tags") != "" || r.Header.Get("Authorization") != "" {
		t.Errorf("headers %v", r.Header)
	}
	f("/gemini/v1beta/models/gemini-2.5-flash:generateContent?key=sk-1234&alt=json", `{"contents":[]}`, "/v1beta/models/gemini-2.5-flash:generateContent?alt=json", "X-Goog-Api-Key", "k-gemini", "Authorization:")
	f("/mistral/v1/ocr", `{"model":"mistral-ocr"}`, "/v1/ocr", "Authorization", "Bearer k-mistral")
	f("/azure/openai/deployments/gpt/chat/completions?api-version=1", `{}`, "/openai/deployments/gpt/chat/completions?api-version=1", "Api-Key", "k-azure")
	f("/azure/openai/deployments/az/chat/completions?api-version=1", `{}`, "/openai/deployments/my-deployment/chat/completions?api-version=1", "Api-Key", "k-az2")
	r = f("/vllm/v1/chat/completions", `{"model":"fast","n":1}`, "/v1/chat/completions", "Authorization", "Bearer k-vllm2")
	if string(r.Body) != `{"model":"llama","n":1}` {
		t.Errorf("body %s", r.Body)
	}
	f("/cohere/v2/rerank", `{"model":"rerank"}`, "/v2/rerank", "Authorization", "Bearer k-lent")
	f("/langfuse/api/public/ingestion", `{}`, "/api/public/ingestion", "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("pk:sk")),
		"Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("x:sk-1234")))

	refused := func(path, body string, status int, want string, lines ...string) {
		t.Helper()
		if r := s.Post(path, body, lines...); r.Status != status || !strings.Contains(r.Body, want) {
			t.Errorf("%s: %d %s, want %d %s", path, r.Status, r.Body, status, want)
		}
	}
	refused("/anthropic/v1/messages", `{}`, 401, "", "Authorization:")
	refused("/gemini/v1beta/models/g:generateContent?key=wrong", `{}`, 401, "", "Authorization:")
	refused("/assemblyai/v2/transcript", `{}`, 401, "ASSEMBLYAI_API_KEY")
	refused("/vllm/v1/models", `{}`, 401, "VLLM_API_BASE")
	refused("/anthropic/v1/messages", `{"model":"a","model":"b"}`, 400, "appears twice")
	refused("/bedrock/model/x/converse", `{}`, 401, "AWS_REGION_NAME")
	refused("/vertex_ai/publishers/google/models/g:generateContent", `{}`, 400, "default_vertex_config")
}

// What a vendor's own API says about usage is counted, whatever its dialect, and priced.
func TestVendorPassUsage(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	s := apptest.Start(t, "general_settings: {master_key: sk-1234}", apptest.Env(printRecords, "ANTHROPIC_API_KEY=k", "ANTHROPIC_API_BASE="+v.URL))
	f := func(answer ut.Answer, stream bool) {
		t.Helper()
		v.Script(answer)
		r := s.Post("/anthropic/v1/messages", fmt.Sprintf(`{"model":"claude-sonnet-4-5-20250929","stream":%v}`, stream))
		if r.Status != 200 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		rec := lastRecord(t, s)
		cost, _ := rec["response_cost"].(float64)
		if rec["prompt_tokens"] != 100.0 || rec["completion_tokens"] != 20.0 || cost <= 0 || rec["model"] != "claude-sonnet-4-5-20250929" ||
			rec["custom_llm_provider"] != "anthropic" || rec["call_type"] != "pass_through_endpoint" {
			t.Errorf("record %v", rec)
		}
	}
	f(ut.JSON(200, `{"model":"claude-sonnet-4-5-20250929","usage":{"input_tokens":100,"output_tokens":20}}`), false)
	f(ut.SSERaw("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-sonnet-4-5-20250929\",\"usage\":{\"input_tokens\":100,\"output_tokens\":1}}}\n\n",
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":20}}\n\n"), true)
}

// A Bedrock call is signed by the gateway; one to Vertex AI carries a token of a service account.
func TestCloudPass(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"usage":{"inputTokens":7,"outputTokens":2,"totalTokens":9}}`))
	s := apptest.Start(t, "general_settings: {master_key: sk-1234}", apptest.Env(printRecords,
		"AWS_REGION_NAME=us-east-1", "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_BEDROCK_RUNTIME_ENDPOINT="+v.URL))
	r := s.Post("/bedrock/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse", `{"messages":[]}`)
	if r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	got := v.Requests()[0]
	if a := got.Header.Get("Authorization"); !strings.HasPrefix(a, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") || !strings.Contains(a, "/us-east-1/bedrock/aws4_request") ||
		got.Path != "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse" {
		t.Fatalf("sent %s %v", got.Path, got.Header)
	}
	if rec := lastRecord(t, s); rec["prompt_tokens"] != 7.0 || rec["model"] != "anthropic.claude-3-haiku-20240307-v1:0" {
		t.Fatalf("record %v", rec)
	}
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{}`))
	yaml := "general_settings: {master_key: sk-1234, use_client_credentials_pass_through_routes: %v}"
	env := apptest.Env("VERTEXAI_API_BASE="+v.URL, "ANTHROPIC_API_BASE="+v.URL, "ANTHROPIC_API_KEY=ours")
	s := apptest.Start(t, fmt.Sprintf(yaml, true), env)
	const path = "/vertex-ai/v1/projects/p/locations/us-central1/publishers/google/models/g:generateContent"
	if r := s.Post(path, `{}`, "Authorization: Bearer user-token"); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	got := v.Requests()[0]
	if got.Header.Get("Authorization") != "Bearer user-token" || got.Path != strings.TrimPrefix(path, "/vertex-ai") {
		t.Fatalf("sent %s %v", got.Path, got.Header)
	}
	if r := s.Post("/anthropic/v1/messages", `{}`, "Authorization:", "x-api-key: theirs"); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if h := v.Requests()[1].Header; h.Get("X-Api-Key") != "theirs" || len(h.Values("X-Api-Key")) != 1 {
		t.Fatalf("sent %v", h)
	}
	s = apptest.Start(t, fmt.Sprintf(yaml, false), env)
	if r := s.Post(path, `{}`, "Authorization: Bearer user-token"); r.Status != 401 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if len(v.Requests()) != 2 {
		t.Fatal("a refused request reached the vendor")
	}
}

func TestPassThroughGuardrails(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{}`))
	guard := plugintest.Build(t, "../../plugins/keyword-guard")
	yaml := fmt.Sprintf(`
guardrails:
  - {guardrail_name: words, litellm_params: {guardrail: %s, mode: pre_call, config: {words: [purple]}}}
general_settings:
  master_key: sk-1234
  pass_through_endpoints:
    - {path: /g, target: %s/x, auth: true, cost_per_request: 0.25, guardrails: {words: {request_fields: ["documents[*].text"]}}}
`, guard, v.URL)
	s := apptest.Start(t, yaml, apptest.Env(printRecords))
	f := func(body string, status int) {
		t.Helper()
		if r := s.Post("/g", body); r.Status != status {
			t.Errorf("%s: %d %s", body, r.Status, r.Body)
		}
	}
	f(`{"documents":[{"text":"green"}],"query":"purple"}`, 200)
	if rec := lastRecord(t, s); rec["response_cost"] != 0.25 {
		t.Errorf("cost %v", rec["response_cost"])
	}
	f(`{"documents":[{"text":"green"},{"text":"a PURPLE one"}]}`, 400)
	f(`no JSON`, 400)
	if got := v.Requests(); len(got) != 1 || !bytes.Equal(got[0].Body, []byte(`{"documents":[{"text":"green"}],"query":"purple"}`)) || !json.Valid(got[0].Body) {
		t.Errorf("%d requests reached the target", len(got))
	}
	_, err := apptest.Try(t, strings.Replace(yaml, "{words: {request_fields", "{nobody: {request_fields", 1))
	if err == nil || !strings.Contains(err.Error(), `"nobody" is not in guardrails`) {
		t.Errorf("an unknown guardrail: %v", err)
	}
}
