package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// The guardrails of LiteLLM that ask a service, configured as its pages write them and through the whole gateway. The
// services answer in the formats that their vendors publish.
func TestGuardrailServices(t *testing.T) {
	t.Parallel()
	dir := pluginDir(t, "openai-moderation", "generic-guardrail-api", "bedrock-guardrails")
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "Hello a@b.example", 1, 1)))
	start := func(params string, env ...string) *apptest.Server {
		t.Helper()
		return apptest.Start(t, one(v)+"\nguardrails:\n  - guardrail_name: g\n    litellm_params: {default_on: true, limits: {cpu_ms: 5000, wall_ms: 30000}, "+params+"}\n",
			apptest.Env(append(env, "SALLYPORT_PLUGIN_DIR="+dir)...))
	}
	reached := func(s *apptest.Server, text string, want bool) {
		t.Helper()
		before := len(v.Requests())
		s.Post(chat, says(text, ""))
		if got := len(v.Requests()) > before; got != want {
			t.Errorf("%q reached the model: %v", text, got)
		}
	}

	// https://platform.openai.com/docs/api-reference/moderations/object
	moderation := plugintest.Serve(t, func(r plugintest.Received) (int, string) {
		if r.Path != "/v1/moderations" || r.Header.Get("Authorization") != "Bearer mk-1" || r.JSON()["model"] != "omni-moderation-latest" {
			return 401, `{"error":{"message":"Incorrect API key provided"}}`
		}
		bad := fmt.Sprint(strings.Contains(string(r.Body), "kill"))
		return 200, `{"id":"modr-1","model":"omni-moderation-latest","results":[{"flagged":` + bad + `,"categories":{"violence":` + bad +
			`},"category_scores":{"violence":0.9},"category_applied_input_types":{"violence":["text"]}}]}`
	})
	for _, mode := range []string{"pre_call", "during_call"} {
		s := start("guardrail: openai_moderation, mode: "+mode+", api_key: mk-1, api_base: "+moderation.URL+"/v1", "OPENAI_API_KEY=other")
		wantStatus(t, s.Post(chat, says("I kill you", "")), 400, "Violated OpenAI moderation policy: violence")
		wantStatus(t, s.Post(chat, says("hello", "")), 200, "Hello")
	}
	s := start("guardrail: openai_moderation, mode: pre_call, api_key: wrong, api_base: " + moderation.URL + "/v1")
	wantStatus(t, s.Post(chat, says("hello", "")), 500, "Guardrail g failed")
	reached(s, "hello", false)

	// https://docs.litellm.ai/docs/adding_provider/generic_guardrail_api
	generic := plugintest.Serve(t, func(r plugintest.Received) (int, string) {
		q := r.JSON()
		if r.Path != "/beta/litellm_basic_guardrail_api" || r.Header.Get("X-Api-Key") != "gk-1" || q["model"] != "m" {
			return 404, `{}`
		}
		params, _ := q["additional_provider_specific_params"].(map[string]any)
		texts := fmt.Sprint(q["texts"])
		switch {
		case params["threshold"] != 0.8:
			return 400, `{}`
		case strings.Contains(texts, "bomb"):
			return 200, `{"action":"BLOCKED","blocked_reason":"no bombs"}`
		case q["input_type"] == "response":
			return 200, `{"action":"GUARDRAIL_INTERVENED","texts":["Hello {EMAIL}"]}`
		case strings.Contains(texts, "plum"):
			return 200, `{"action":"GUARDRAIL_INTERVENED","texts":["a fruit"]}`
		}
		return 200, `{"action":"NONE"}`
	})
	s = start("guardrail: generic_guardrail_api, mode: [pre_call, post_call], api_key: gk-1, api_base: " + generic.URL + ", additional_provider_specific_params: {threshold: 0.8}")
	wantStatus(t, s.Post(chat, says("a bomb", "")), 400, "no bombs")
	reached(s, "a bomb", false)
	wantStatus(t, s.Post(chat, says("a plum", "")), 200, "Hello {EMAIL}")
	if got := string(v.Last().Body); !strings.Contains(got, "a fruit") || strings.Contains(got, "plum") {
		t.Errorf("the vendor got %s", got)
	}

	// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ApplyGuardrail.html
	bedrock := plugintest.Serve(t, func(r plugintest.Received) (int, string) {
		signed := r.Header.Get("Authorization")
		if r.Path != "/guardrail/gr1abc/version/DRAFT/apply" || !strings.HasPrefix(signed, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") ||
			!strings.Contains(signed, "/eu-central-1/bedrock/aws4_request") || r.Header.Get("X-Amz-Date") == "" {
			return 403, `{"message":"not signed"}`
		}
		text := string(r.Body)
		switch {
		case strings.Contains(text, "stocks"):
			return 200, `{"action":"GUARDRAIL_INTERVENED","outputs":[{"text":"I cannot talk about that."}],"assessments":[{"topicPolicy":{"topics":[{"name":"Investments","type":"DENY","action":"BLOCKED"}]}}],"usage":{"topicPolicyUnits":1}}`
		case strings.Contains(text, `"OUTPUT"`):
			return 200, `{"action":"GUARDRAIL_INTERVENED","outputs":[{"text":"Hello {EMAIL}"}],"assessments":[{"sensitiveInformationPolicy":{"piiEntities":[{"type":"EMAIL","match":"a@b.example","action":"ANONYMIZED"}],"regexes":[]}}],"usage":{}}`
		}
		return 200, `{"action":"NONE","outputs":[],"assessments":[{}],"usage":{}}`
	})
	s = start("guardrail: bedrock, mode: [pre_call, post_call], guardrailIdentifier: gr1abc, guardrailVersion: DRAFT, aws_region_name: eu-central-1, aws_access_key_id: AKIDEXAMPLE, aws_secret_access_key: wJalr, aws_bedrock_runtime_endpoint: " + bedrock.URL)
	wantStatus(t, s.Post(chat, says("buy stocks", "")), 400, "")
	reached(s, "buy stocks", false)
	wantStatus(t, s.Post(chat, says("hello", "")), 200, "Hello {EMAIL}")
}

// Each of LiteLLM's other guardrails is refused with what to do instead.
func TestGuardrailsWithoutPlugin(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	for name, want := range map[string]string{
		"aim": "generic_guardrail_api", "aporia": "generic_guardrail_api", "guardrails_ai": "generic_guardrail_api", "hiddenlayer": "generic_guardrail_api",
		"pangea": "prompt-injection.wasm", "lasso": "generic_guardrail_api", "pillar": "generic_guardrail_api", "grayswan": "lakera_v2",
		"panw_prisma_airs": "pii.wasm", "azure/prompt_shield": "prompt-injection.wasm", "azure/text_moderations": "openai_moderation",
		"model_armor": "bedrock", "noma": "generic_guardrail_api", "tool_permission": "sallyport plugin new", "zscaler_ai_guard": "generic_guardrail_api",
		"javelin": "lakera_v2", "enkryptai": "generic_guardrail_api", "ibm_guardrails": "llama-guard.wasm", "litellm_content_filter": "keywords.wasm",
		"onyx": "generic_guardrail_api", "prompt_security": "generic_guardrail_api", "qualifire": "generic_guardrail_api", "custom_code": "sallyport plugin new",
	} {
		_, err := apptest.Try(t, one(v)+"\nguardrails: [{guardrail_name: g, litellm_params: {mode: pre_call, guardrail: "+name+"}}]\n")
		if err == nil || !strings.Contains(err.Error(), "has no plugin here") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
