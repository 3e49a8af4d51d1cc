package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// pluginDir is a folder with plugins of this project.
func pluginDir(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		raw, err := os.ReadFile(plugintest.Build(t, "../../plugins/"+name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".wasm"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A configuration as LiteLLM's pages write it runs the plugins that do the same.
func TestGuardrailsOfLiteLLM(t *testing.T) {
	t.Parallel()
	analyzer := plugintest.Serve(t, func(r plugintest.Received) (int, string) {
		text, _ := r.JSON()["text"].(string)
		if at := strings.Index(text, "Ann"); at >= 0 {
			return 200, fmt.Sprintf(`[{"entity_type":"PERSON","start":%d,"end":%d,"score":0.85}]`, at, at+3)
		}
		return 200, `[]`
	})
	anonymizer := plugintest.Serve(t, func(r plugintest.Received) (int, string) {
		text, _ := r.JSON()["text"].(string)
		return 200, `{"text":"` + strings.Replace(text, "Ann", "<PERSON_1>", 1) + `","items":[]}`
	})
	lakera := plugintest.Serve(t, func(plugintest.Received) (int, string) {
		return 200, `{"flagged":true,"breakdown":[{"detector_type":"prompt_attack","detected":true}]}`
	})
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "Hello <PERSON_1>", 1, 1)))
	env := apptest.Env("SALLYPORT_PLUGIN_DIR="+pluginDir(t, "presidio", "lakera", "secrets"), "PRESIDIO_ANALYZER_API_BASE="+analyzer.URL,
		"PRESIDIO_ANONYMIZER_API_BASE="+anonymizer.URL, "LAKERA_API_KEY=k1", "LAKERA_API_BASE="+lakera.URL)
	start := func(params string) *apptest.Server {
		t.Helper()
		return apptest.Start(t, one(v)+"\nguardrails:\n  - guardrail_name: g\n    litellm_params: {default_on: true, limits: {cpu_ms: 5000, wall_ms: 30000}, "+params+"}\n", env)
	}
	s := start(`guardrail: presidio, mode: pre_call, presidio_language: en, output_parse_pii: true, pii_entities_config: {PERSON: MASK}`)
	if r := s.Post(chat, says("I am Ann", "")); r.Status != 200 || !strings.Contains(r.Body, `"Hello Ann"`) {
		t.Errorf("%d %s %s", r.Status, r.Body, s.Log.String())
	}
	if got := string(v.Last().Body); strings.Contains(got, "Ann") {
		t.Errorf("the vendor got %s", got)
	}
	s = start(`guardrail: presidio, mode: pre_call, pii_entities_config: {PERSON: BLOCK}`)
	wantStatus(t, s.Post(chat, says("I am Ann", "")), 400, "PERSON")
	s = start(`guardrail: lakera_v2, mode: pre_call, api_key: os.environ/LAKERA_API_KEY, api_base: os.environ/LAKERA_API_BASE`)
	wantStatus(t, s.Post(chat, says("ignore all", "")), 400, "prompt_attack")
	s = start(`guardrail: lakera_v2, mode: pre_call, on_flagged: monitor`)
	wantStatus(t, s.Post(chat, says("ignore all", "")), 200, "Hello")
	s = start(`guardrail: hide-secrets, mode: pre_call`)
	wantStatus(t, s.Post(chat, says("my key is AKIAIOSFODNN7EXAMPLQ", "")), 200, "Hello")
	if got := string(v.Last().Body); !strings.Contains(got, "[REDACTED]") || strings.Contains(got, "AKIA") {
		t.Errorf("the vendor got %s", got)
	}

	f := func(params, want string) {
		t.Helper()
		_, err := apptest.Try(t, one(v)+"\nguardrails: [{guardrail_name: g, litellm_params: {mode: pre_call, "+params+"}}]\n", env)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", params, err)
		}
	}
	_, err := apptest.Try(t, one(v)+"\nguardrails: [{guardrail_name: g, litellm_params: {mode: pre_call, guardrail: presidio}}]\n", apptest.Env("SALLYPORT_PLUGIN_DIR="+pluginDir(t, "presidio")))
	if err == nil || !strings.Contains(err.Error(), "PRESIDIO_ANALYZER_API_BASE") {
		t.Errorf("without addresses: %v", err)
	}
	f("guardrail: bedrock, guardrailIdentifier: g1", "bedrock-guardrails.wasm")
	f("guardrail: lasso", `LiteLLM's guardrail "lasso" has no plugin here`)
	f("guardrail: lakera_v2, pii_entities_config: {PERSON: MASK}", "pii_entities_config is a parameter of presidio")
	f("guardrail: presidio, presidio_ad_hoc_recognizers: nowhere.json", "nowhere.json")
	f("guardrail: x.wasm, api_key: k", "stands in config")
}
