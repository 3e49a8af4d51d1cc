package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// claudes is an answer of Anthropic's.
const claudes = `{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"Hi."}],` +
	`"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`

func TestModifyParams(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, claudes))
	yaml := fmt.Sprintf("model_list: [{model_name: m, litellm_params: {model: anthropic/claude-x, api_key: k, api_base: %q}}]\n", v.URL) + admin
	const body = `{"model":"m","max_tokens":5,"messages":[{"role":"assistant","content":"a","tool_calls":[` +
		`{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"r"}]}`
	s := apptest.Start(t, yaml)
	s.Post(chat, body)
	if sent := string(v.Last().Body); strings.Contains(sent, `"."`) || strings.Contains(sent, "dummy_tool") {
		t.Errorf("the request was changed unasked: %s", sent)
	}
	s = apptest.Start(t, yaml+"litellm_settings: {modify_params: true}\n")
	if r := s.Post(chat, body); r.Status != 200 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	sent := string(v.Last().Body)
	first, _, _ := strings.Cut(sent, `"role":"assistant"`)
	if !strings.Contains(first, `"."`) || !strings.Contains(sent, `"name":"dummy_tool"`) {
		t.Errorf("the request was not mended: %s", sent)
	}
}

func TestInferModelFromKeys(t *testing.T) {
	t.Parallel()
	v := ut.New(t, good())
	yaml := "model_list: [{model_name: gpt-4o, litellm_params: {model: openai/mine, api_key: k, api_base: " + v.URL + "/v1}}]\n" +
		"general_settings: {master_key: sk-1234, infer_model_from_keys: true}\n"
	s := apptest.Start(t, yaml, apptest.Env("DEEPSEEK_API_KEY=k", "DEEPSEEK_API_BASE="+v.URL+"/v1", "OPENAI_API_KEY=sk", "OPENAI_API_BASE="+v.URL+"/v1"))
	var list struct{ Data []struct{ ID string } }
	if err := json.Unmarshal([]byte(s.Get("/v1/models").Body), &list); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range list.Data {
		names = append(names, m.ID)
	}
	for _, name := range []string{"gpt-4o", "gpt-4o-mini", "deepseek/deepseek-v3", "text-embedding-3-small"} {
		if i := slices.Index(names, name); i < 0 || slices.Contains(names[i+1:], name) {
			t.Errorf("%s is not listed once: %v", name, names)
		}
	}
	if slices.ContainsFunc(names, func(s string) bool { return strings.Contains(s, "claude") }) {
		t.Errorf("models of a vendor without a key are listed: %v", names)
	}
	for model, want := range map[string]string{"gpt-4o": "mine", "gpt-4o-mini": "gpt-4o-mini", "deepseek/deepseek-v3": "deepseek-v3"} {
		post(t, s, model, "")
		if got := string(v.Last().Body); !strings.Contains(got, `"model":"`+want+`"`) {
			t.Errorf("%s: %s", model, got)
		}
	}
	if r := s.Get("/model/info"); r.Status != 200 || !strings.Contains(r.Body, `"deepseek/deepseek-v3"`) {
		t.Errorf("/model/info: %d", r.Status)
	}
}

// TestFireworks reads a document with a model that cannot see.
func TestFireworks(t *testing.T) {
	t.Parallel()
	v := ut.New(t, good())
	yaml := func(model, params, more string) string {
		return fmt.Sprintf("model_list: [{model_name: m, litellm_params: {model: fireworks_ai/%s, api_key: k, api_base: %q%s}}]\n", model, v.URL+"/v1", params) + more + admin
	}
	const body = `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":"https://x.test/a.pdf"}]}]}`
	cases := []struct {
		name, yaml string
		marked     bool
	}{
		{"a model of texts", yaml("x", "", ""), true},
		{"a model that sees", yaml("x-vision", "", ""), false},
		{"turned off for all", yaml("x", "", "litellm_settings: {disable_add_transform_inline_image_block: true}"), false},
		{"turned off for one", yaml("x", ", disable_add_transform_inline_image_block: true", ""), false},
		{"turned on for one", yaml("x", ", disable_add_transform_inline_image_block: false", "litellm_settings: {disable_add_transform_inline_image_block: true}"), true},
	}
	for _, c := range cases {
		s := apptest.Start(t, c.yaml)
		if r := s.Post(chat, body); r.Status != 200 {
			t.Errorf("%s: %d %s", c.name, r.Status, r.Body)
		}
		if got := strings.Contains(string(v.Last().Body), "#transform=inline"); got != c.marked {
			t.Errorf("%s: %s", c.name, v.Last().Body)
		}
	}
}

// TestVendorsByVariables calls vendors at the address, and with the key, that the environment has for them.
func TestVendorsByVariables(t *testing.T) {
	t.Parallel()
	const (
		cohere  = `{"id":"i","message":{"role":"assistant","content":[{"type":"text","text":"Hi."}]},"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":1,"output_tokens":1}}}`
		ollama  = `{"model":"x","created_at":"2025-01-01T00:00:00Z","message":{"role":"assistant","content":"Hi."},"done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":1}`
		watsonx = `{"id":"i","model_id":"x","created":1,"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hi."}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`
	)
	openai := ut.Completion("x", "Hi.", 1, 1)
	cases := []struct {
		model, params, answer string
		env                   []string // with %s for the address
		path, auth            string
	}{
		{"databricks/x", "", openai, []string{"DATABRICKS_API_BASE=%s", "DATABRICKS_API_KEY=k"}, "/chat/completions", "Bearer k"},
		{"huggingface/x", "", openai, []string{"HF_API_BASE=%s", "HF_TOKEN=k"}, "/v1/chat/completions", "Bearer k"},
		{"huggingface/x", "", openai, []string{"HUGGINGFACE_API_BASE=%s", "HUGGINGFACE_API_KEY=k"}, "/v1/chat/completions", "Bearer k"},
		{"predibase/x", ", tenant_id: t", `{"generated_text":"Hi."}`, []string{"PREDIBASE_API_BASE=%s", "PREDIBASE_API_KEY=k"}, "/t/deployments/v2/llms/x/generate", "Bearer k"},
		{"cohere/x", "", cohere, []string{"COHERE_API_BASE=%s", "COHERE_API_KEY=k"}, "/v2/chat", "Bearer k"},
		{"cohere_chat/x", "", cohere, []string{"COHERE_API_BASE=%s", "CO_API_KEY=k"}, "/v2/chat", "Bearer k"},
		{"ollama/x", "", ollama, []string{"OLLAMA_API_BASE=%s"}, "/api/chat", ""},
		{"mistral/x", "", openai, []string{"MISTRAL_API_BASE=%s/v1", "MISTRAL_API_KEY=k"}, "/v1/chat/completions", "Bearer k"},
		{"watsonx/x", "", watsonx, []string{"WATSONX_URL=%s", "WATSONX_TOKEN=k", "WATSONX_PROJECT_ID=p"}, "/ml/v1/text/chat", "Bearer k"},
	}
	for _, c := range cases {
		t.Run(c.model, func(t *testing.T) {
			t.Parallel()
			v := ut.New(t, ut.JSON(200, c.answer))
			var env []string
			for _, e := range c.env {
				env = append(env, strings.Replace(e, "%s", v.URL, 1))
			}
			s := apptest.Start(t, "model_list: [{model_name: m, litellm_params: {model: "+c.model+c.params+"}}]\n"+admin, apptest.Env(env...))
			hello(t, s, "m")
			if got := v.Last(); strings.Split(got.Path, "?")[0] != c.path || got.Header.Get("Authorization") != c.auth {
				t.Errorf("%s with %q", got.Path, got.Header.Get("Authorization"))
			}
		})
	}
}

// TestDatabricksPrincipal calls models for a service principal: chats, and embeddings, which are called otherwise.
func TestDatabricksPrincipal(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"access_token":"abc","expires_in":3600}`), ut.JSON(200, ut.Completion("x", "Hi.", 1, 1)),
		ut.JSON(200, ut.Embeddings("x", 1, []float64{1})))
	s := apptest.Start(t, "model_list: [{model_name: m, litellm_params: {model: databricks/x}}]\n"+admin, apptest.Env(
		"DATABRICKS_API_BASE="+v.URL+"/serving-endpoints", "DATABRICKS_CLIENT_ID=id", "DATABRICKS_CLIENT_SECRET=secret"))
	hello(t, s, "m")
	if got := v.Last().Header.Get("Authorization"); got != "Bearer abc" {
		t.Errorf("the chat comes with %q", got)
	}
	if r := s.Post("/v1/embeddings", `{"model":"m","input":"x"}`); r.Status != 200 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if got := v.Last().Header.Get("Authorization"); got != "Bearer abc" {
		t.Errorf("the embedding comes with %q", got)
	}
	var paths []string
	for _, r := range v.Requests() {
		paths = append(paths, r.Path)
	}
	if got := strings.Join(paths, " "); got != "/oidc/v1/token /serving-endpoints/chat/completions /serving-endpoints/embeddings" {
		t.Errorf("called are %s", got)
	}
}
