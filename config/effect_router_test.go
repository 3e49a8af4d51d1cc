package config

import (
	"strings"
	"testing"
)

// choiceCases are what leaves deployments out, and lets requests wait for them.
func choiceCases() []effectCase {
	const r, p, i = "router_settings.", "model_list[].litellm_params.", "model_list[].model_info."
	type C = *Config
	set := func(name, value string, get func(ChoiceSettings) any, want any) effectCase {
		return effectCase{r + name, "router_settings: {" + name + ": " + value + "}", nil, func(c C) any { return get(c.RouterSettings.ChoiceSettings) }, want}
	}
	info := func(name, value string, want any) effectCase {
		return effectCase{i + name, "model_list: [{model_name: m, litellm_params: {model: x}, model_info: {" + name + ": " + value + "}}]", nil,
			func(c C) any { return c.ModelList[0].ModelInfo.Extra[name] }, want}
	}
	return []effectCase{
		set("enable_pre_call_checks", "true", func(s ChoiceSettings) any { return s.EnablePreCallChecks }, true),
		set("optional_pre_call_checks", "[prompt_caching]", func(s ChoiceSettings) any { return s.OptionalPreCallChecks }, []string{"prompt_caching"}),
		set("enable_tag_filtering", "true", func(s ChoiceSettings) any { return s.EnableTagFiltering }, true),
		set("tag_filtering_match_any", "false", func(s ChoiceSettings) any { return *s.TagFilteringMatchAny }, false),
		set("deployment_affinity_ttl_seconds", "60", func(s ChoiceSettings) any { return *s.DeploymentAffinityTTL }, Seconds(60)),
		set("default_priority", "3", func(s ChoiceSettings) any { return *s.DefaultPriority }, 3),
		set("max_queue_length", "7", func(s ChoiceSettings) any { return *s.MaxQueueLength }, 7),
		set("queue_timeout", "2.5", func(s ChoiceSettings) any { return *s.QueueTimeout }, Seconds(2.5)),
		set("default_litellm_params", "{temperature: 0}", func(s ChoiceSettings) any { return s.DefaultParams }, map[string]any{"temperature": 0}),
		set("router_general_settings", "{pass_through_all_models: true}", func(s ChoiceSettings) any { return s.General.PassThroughAllModels }, true),
		{r + "router_general_settings.pass_through_all_models", "router_settings: {router_general_settings: {pass_through_all_models: true}}", nil, func(c C) any { return c.RouterSettings.General.PassThroughAllModels }, true},
		info("team_id", "t", "t"),
		info("team_public_model_name", "p", "p"),
		info("supported_environments", "[staging]", []any{"staging"}),
		info("supports_web_search", "false", false),
		info("supports_web_fetch", "false", false),
		{i + "max_tokens", "model_list: [{model_name: m, litellm_params: {model: x}, model_info: {max_tokens: 5}}]", nil, func(c C) any { return *c.ModelList[0].ModelInfo.MaxTokens }, 5},
		{i + "max_input_tokens", "model_list: [{model_name: m, litellm_params: {model: x}, model_info: {max_input_tokens: 6}}]", nil, func(c C) any { return *c.ModelList[0].ModelInfo.MaxInputTokens }, 6},
		{p + "tags", model("tags: [a, b]"), nil, params(func(p LiteLLMParams) any { return p.Tags }), []string{"a", "b"}},
		{p + "max_retries", model("max_retries: 4"), nil, params(func(p LiteLLMParams) any { return *p.MaxRetries }), 4},
		{p + "region_name", model("region_name: eu"), nil, params(func(p LiteLLMParams) any { return p.Other["region_name"] }), "eu"},
		{"LITELLM_ENVIRONMENT", "", []string{"LITELLM_ENVIRONMENT=staging"}, func(c C) any { v, _ := c.Env().Lookup("LITELLM_ENVIRONMENT"); return v }, "staging"},
	}
}

// What default_litellm_params has goes to every deployment that lacks it.
func TestDefaultParams(t *testing.T) {
	t.Parallel()
	yaml := `
model_list:
  - {model_name: a, litellm_params: {model: openai/a, api_key: own, timeout: 5, extra_body: {x: 1}}}
  - {model_name: b, litellm_params: {model: openai/b}}
router_settings:
  default_litellm_params: {model: ignored, api_key: os.environ/KEY, timeout: 9, temperature: 0.5, extra_body: {x: 2, y: 3}, seed: null}
`
	cfg, _ := mustParse(t, yaml, "KEY=shared")
	a, b := cfg.ModelList[0].LiteLLMParams, cfg.ModelList[1].LiteLLMParams
	if a.Model != "openai/a" || a.APIKey.Reveal() != "own" || *a.Timeout != 5 || a.Extra["temperature"] != 0.5 || a.ExtraBody["x"] != 1 || a.ExtraBody["y"] != 3 {
		t.Errorf("a: %+v %v", a, a.ExtraBody)
	}
	if b.Model != "openai/b" || b.APIKey.Reveal() != "shared" || *b.Timeout != 9 || b.ExtraBody["x"] != 2 || b.Extra["seed"] != nil {
		t.Errorf("b: %+v", b)
	}
	_, _, err := Parse("c.yaml", []byte(strings.Replace(yaml, "timeout: 9", "timeout: soon", 1)), Options{Dir: t.TempDir(), Environ: []string{"KEY=k"}})
	if err == nil || !strings.Contains(err.Error(), "c.yaml:6") || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("got %v", err)
	}
}
