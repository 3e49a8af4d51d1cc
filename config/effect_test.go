package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// effectCase proves that one setting reaches the field that app reads.
type effectCase struct {
	path string
	yaml string
	env  []string
	get  func(*Config) any
	want any
}

// model and guardrail complete the fragments of the cases below.
func model(params string) string {
	return "model_list: [{model_name: m, litellm_params: {model: openai/x, " + params + "}}]"
}

func guardrail(params string) string {
	return "guardrails: [{guardrail_name: g, litellm_params: {guardrail: g.wasm, mode: pre_call, " + params + "}}]"
}

func endpoint(params string) string {
	return "general_settings: {pass_through_endpoints: [{path: /p, target: 'http://t', " + params + "}]}"
}

func params(get func(LiteLLMParams) any) func(*Config) any {
	return func(c *Config) any { return get(c.ModelList[0].LiteLLMParams) }
}

func pass(get func(PassThroughEndpoint) any) func(*Config) any {
	return func(c *Config) any { return get(c.GeneralSettings.PassThroughEndpoints[0]) }
}

func guard(get func(GuardrailParams) any) func(*Config) any {
	return func(c *Config) any { return get(c.Guardrails[0].Params) }
}

func modelCases() []effectCase {
	const p = "model_list[].litellm_params."
	type P = LiteLLMParams
	return []effectCase{
		{"model_list", model("rpm: 1"), nil, func(c *Config) any { return len(c.ModelList) }, 1},
		{"model_list[].model_name", model("rpm: 1"), nil, func(c *Config) any { return c.ModelList[0].ModelName }, "m"},
		{"model_list[].litellm_params", model("rpm: 1"), nil, params(func(p P) any { return p.Model }), "openai/x"},
		{p + "model", model("rpm: 1"), nil, params(func(p P) any { return p.Model }), "openai/x"},
		{p + "api_base", model("api_base: 'http://h/v1'"), nil, params(func(p P) any { return p.APIBase }), "http://h/v1"},
		{p + "api_key", model("api_key: abc"), nil, params(func(p P) any { return p.APIKey.Reveal() }), "abc"},
		{p + "custom_llm_provider", model("custom_llm_provider: openai"), nil, params(func(p P) any { return p.CustomLLMProvider }), "openai"},
		{p + "organization", model("organization: o"), nil, params(func(p P) any { return p.Organization }), []string{"o"}},
		{p + "organization", model("organization: [o, p]"), nil, params(func(p P) any { return p.Organization }), []string{"o", "p"}},
		{p + "timeout", model("timeout: 1.5"), nil, params(func(p P) any { return *p.Timeout }), Seconds(1.5)},
		{p + "stream_timeout", model("stream_timeout: 2"), nil, params(func(p P) any { return *p.StreamTimeout }), Seconds(2)},
		{p + "num_retries", model("num_retries: 0"), nil, params(func(p P) any { return *p.NumRetries }), 0},
		{p + "rpm", model("rpm: 6"), nil, params(func(p P) any { return *p.RPM }), 6},
		{p + "tpm", model("tpm: os.environ/TPM"), []string{"TPM=7"}, params(func(p P) any { return *p.TPM }), 7},
		{p + "weight", model("weight: 2"), nil, params(func(p P) any { return *p.Weight }), 2.0},
		{p + "order", model("order: 2"), nil, params(func(p P) any { return *p.Order }), 2},
		{p + "mock_response", model("mock_response: hi"), nil, params(func(p P) any { return *p.MockResponse }), "hi"},
		{p + "litellm_credential_name", model("litellm_credential_name: c") + "\ncredential_list: [{credential_name: c, credential_values: {api_key: k}}]", nil, params(func(p P) any { return p.CredentialName }), "c"},
		{p + "drop_params", model("drop_params: true"), nil, params(func(p P) any { return *p.DropParams }), true},
		{p + "additional_drop_params", model("additional_drop_params: [a]"), nil, params(func(p P) any { return p.AdditionalDropParams }), []string{"a"}},
		{p + "allowed_openai_params", model("allowed_openai_params: [a]"), nil, params(func(p P) any { return p.AllowedOpenAIParams }), []string{"a"}},
		{p + "extra_headers", model("extra_headers: {}"), nil, params(func(p P) any { return len(p.ExtraHeaders) }), 0},
		{p + "extra_headers.*", model("extra_headers: {X-A.b: 1}"), nil, params(func(p P) any { return p.ExtraHeaders }), map[string]string{"X-A.b": "1"}},
		{p + "extra_body", model("extra_body: {a: {b: [1]}}"), nil, params(func(p P) any { return p.ExtraBody }), map[string]any{"a": map[string]any{"b": []any{1}}}},
		{p + "input_cost_per_token", model("input_cost_per_token: 1e-06"), nil, params(func(p P) any { return *p.InputCostPerToken }), 1e-06},
		{p + "output_cost_per_token", model("output_cost_per_token: 0"), nil, params(func(p P) any { return *p.OutputCostPerToken }), 0.0},
		{p + "temperature", model("temperature: 0.5"), nil, params(func(p P) any { return p.Extra }), map[string]any{"temperature": 0.5}},
		{"model_list[].model_info", "model_list: [{model_name: m, litellm_params: {model: x}, model_info: {free: [1]}}]", nil, func(c *Config) any { return c.ModelList[0].ModelInfo.Extra }, map[string]any{"free": []any{1}}},
		{"model_list[].model_info.id", "model_list: [{model_name: m, litellm_params: {model: x}, model_info: {id: i}}]", nil, func(c *Config) any { return c.ModelList[0].ModelInfo.ID }, "i"},
		{"model_list[].model_info.mode", "model_list: [{model_name: m, litellm_params: {model: x}, model_info: {mode: embedding}}]", nil, func(c *Config) any { return c.ModelList[0].ModelInfo.Mode }, "embedding"},
	}
}

func litellmCases() []effectCase {
	const l, r = "litellm_settings.", "router_settings."
	fallback := Fallbacks{{Model: "m", Targets: []FallbackTarget{{Model: "n"}, {Model: "o", Params: map[string]any{"temperature": 1}}}}}
	return []effectCase{
		{"litellm_settings", "litellm_settings: {num_retries: 1}", nil, func(c *Config) any { return *c.LiteLLMSettings.NumRetries }, 1},
		{l + "set_verbose", "litellm_settings: {set_verbose: true}", nil, func(c *Config) any { return c.LogLevel().String() }, "DEBUG"},
		{l + "callbacks", "litellm_settings: {callbacks: [prometheus]}", nil, func(c *Config) any { return c.LiteLLMSettings.Callbacks }, []string{"prometheus"}},
		{l + "success_callback", "litellm_settings: {success_callback: prometheus}", nil, func(c *Config) any { return c.LiteLLMSettings.SuccessCallback }, []string{"prometheus"}},
		{l + "failure_callback", "litellm_settings: {failure_callback: [prometheus]}", nil, func(c *Config) any { return c.LiteLLMSettings.FailureCallback }, []string{"prometheus"}},
		{l + "require_auth_for_metrics_endpoint", "litellm_settings: {require_auth_for_metrics_endpoint: true}", nil, func(c *Config) any { return c.LiteLLMSettings.RequireAuthForMetrics }, true},
		{l + "enable_end_user_cost_tracking_prometheus_only", "litellm_settings: {enable_end_user_cost_tracking_prometheus_only: true}", nil, func(c *Config) any { return c.LiteLLMSettings.EndUserInMetrics }, true},
		{l + "json_logs", "litellm_settings: {json_logs: on}", nil, func(c *Config) any { return c.JSONLogs() }, true},
		{l + "default_fallbacks", "litellm_settings: {default_fallbacks: [a]}", nil, func(c *Config) any { return c.LiteLLMSettings.DefaultFallbacks }, []string{"a"}},
		{l + "request_timeout", "litellm_settings: {request_timeout: 10}", nil, func(c *Config) any { return c.LiteLLMSettings.RequestTimeout.Duration().String() }, "10s"},
		{l + "drop_params", "litellm_settings: {drop_params: true}", nil, func(c *Config) any { return *c.LiteLLMSettings.DropParams }, true},
		{l + "num_retries", "litellm_settings: {num_retries: 3}", nil, func(c *Config) any { return *c.LiteLLMSettings.NumRetries }, 3},
		{l + "fallbacks", "litellm_settings: {fallbacks: [{m: [n, {model: o, temperature: 1}]}]}", nil, func(c *Config) any { return c.LiteLLMSettings.Fallbacks }, fallback},
		{l + "custom_provider_map", "litellm_settings: {custom_provider_map: [{provider: p, custom_handler: a.wasm}]}", nil, func(c *Config) any { return len(c.LiteLLMSettings.CustomProviderMap) }, 1},
		{l + "custom_provider_map[].provider", "litellm_settings: {custom_provider_map: [{provider: p, custom_handler: a.wasm}]}", nil, func(c *Config) any { return c.LiteLLMSettings.CustomProviderMap[0].Provider }, "p"},
		{l + "custom_provider_map[].custom_handler", "litellm_settings: {custom_provider_map: [{provider: p, custom_handler: a.wasm}]}", nil, func(c *Config) any { return c.LiteLLMSettings.CustomProviderMap[0].CustomHandler }, "a.wasm"},
		{r + "custom_route", "router_settings: {custom_route: a.wasm}", nil, func(c *Config) any { return c.RouterSettings.CustomRoute }, "a.wasm"},
		{r + "custom_route_settings", "router_settings: {custom_route_settings: {on_error: fail_open}}", nil, func(c *Config) any { return c.RouterSettings.CustomRouteSettings.OnError }, "fail_open"},
		{"router_settings", "router_settings: {num_retries: 1}", nil, func(c *Config) any { return *c.RouterSettings.NumRetries }, 1},
		{r + "routing_strategy", "router_settings: {routing_strategy: simple-shuffle}", nil, func(c *Config) any { return c.RouterSettings.RoutingStrategy }, "simple-shuffle"},
		{r + "num_retries", "router_settings: {num_retries: 0}", nil, func(c *Config) any { return *c.RouterSettings.NumRetries }, 0},
		{r + "max_fallbacks", "router_settings: {max_fallbacks: 2}", nil, func(c *Config) any { return *c.RouterSettings.MaxFallbacks }, 2},
		{r + "timeout", "router_settings: {timeout: 3}", nil, func(c *Config) any { return *c.RouterSettings.Timeout }, Seconds(3)},
		{r + "stream_timeout", "router_settings: {stream_timeout: 4}", nil, func(c *Config) any { return *c.RouterSettings.StreamTimeout }, Seconds(4)},
		{r + "retry_after", "router_settings: {retry_after: 1}", nil, func(c *Config) any { return c.RouterSettings.RetryAfter }, Seconds(1)},
		{r + "fallbacks", "router_settings: {fallbacks: [{'*': [n]}]}", nil, func(c *Config) any { return c.RouterSettings.Fallbacks }, Fallbacks{{Model: "*", Targets: []FallbackTarget{{Model: "n"}}}}},
		{r + "default_fallbacks", "router_settings: {default_fallbacks: [a]}", nil, func(c *Config) any { return c.RouterSettings.DefaultFallbacks }, []string{"a"}},
		{r + "model_group_alias", "router_settings: {model_group_alias: {gpt-3.5: m}}", nil, func(c *Config) any { return c.RouterSettings.ModelGroupAlias["gpt-3.5"] }, Alias{Model: "m"}},
		{r + "model_group_alias.*", "router_settings: {model_group_alias: {a: m}}", nil, func(c *Config) any { return c.RouterSettings.ModelGroupAlias["a"] }, Alias{Model: "m"}},
		{r + "model_group_alias.*.model", "router_settings: {model_group_alias: {a: {model: m}}}", nil, func(c *Config) any { return c.RouterSettings.ModelGroupAlias["a"] }, Alias{Model: "m"}},
		{r + "model_group_alias.*.hidden", "router_settings: {model_group_alias: {a: {model: m, hidden: true}}}", nil, func(c *Config) any { return c.RouterSettings.ModelGroupAlias["a"] }, Alias{Model: "m", Hidden: true}},
	}
}

func generalCases() []effectCase {
	const g, e = "general_settings.", "general_settings.pass_through_endpoints[]."
	type E = PassThroughEndpoint
	return []effectCase{
		{"general_settings", "general_settings: {completion_model: m}", nil, func(c *Config) any { return c.GeneralSettings.CompletionModel }, "m"},
		{g + "completion_model", "general_settings: {completion_model: m}", nil, func(c *Config) any { return c.GeneralSettings.CompletionModel }, "m"},
		{g + "use_client_credentials_pass_through_routes", "general_settings: {use_client_credentials_pass_through_routes: true}", nil, func(c *Config) any { return c.GeneralSettings.UseClientCredentials }, true},
		{e + "cost_per_request", endpoint("cost_per_request: 0.5"), nil, pass(func(e E) any { return *e.CostPerRequest }), 0.5},
		{e + "guardrails", endpoint("guardrails: [a]"), nil, pass(func(e E) any { return e.Guardrails }), []any{"a"}},
		{g + "allow_client_side_credentials", "general_settings: {allow_client_side_credentials: true}", nil, func(c *Config) any { return c.GeneralSettings.AllowClientSideCredentials }, true},
		{g + "client_side_networks", "general_settings: {client_side_networks: [10.0.0.0/8]}", nil, func(c *Config) any { return c.GeneralSettings.ClientSideNetworks }, []string{"10.0.0.0/8"}},
		{g + "forward_openai_org_id", "general_settings: {forward_openai_org_id: true}", nil, func(c *Config) any { return c.GeneralSettings.ForwardOpenAIOrgID }, true},
		{g + "forward_client_headers_to_llm_api", "general_settings: {forward_client_headers_to_llm_api: true}", nil, func(c *Config) any { return c.GeneralSettings.ForwardClientHeaders }, true},
		{"litellm_settings.model_group_settings", "litellm_settings: {model_group_settings: {forward_client_headers_to_llm_api: [m]}}", nil, func(c *Config) any { return c.LiteLLMSettings.ModelGroupSettings.ForwardClientHeaders }, []string{"m"}},
		{"litellm_settings.model_group_settings.forward_client_headers_to_llm_api", "litellm_settings: {model_group_settings: {forward_client_headers_to_llm_api: [m]}}", nil, func(c *Config) any { return c.LiteLLMSettings.ModelGroupSettings.ForwardClientHeaders }, []string{"m"}},
		{"model_list[].litellm_params.use_in_pass_through", model("use_in_pass_through: true"), nil, params(func(p LiteLLMParams) any { return p.Other["use_in_pass_through"] }), true},
		{"model_list[].litellm_params.cache_control_injection_points", model("cache_control_injection_points: [{location: message, role: system}]"), nil, params(func(p LiteLLMParams) any { return p.Other["cache_control_injection_points"] }), []any{map[string]any{"location": "message", "role": "system"}}},
		{"model_list[].litellm_params.configurable_clientside_auth_params", model("configurable_clientside_auth_params: [api_key]"), nil, params(func(p LiteLLMParams) any { return p.Other["configurable_clientside_auth_params"] }), []any{"api_key"}},
		{g + "image_generation_model", "general_settings: {image_generation_model: m}", nil, func(c *Config) any { return c.GeneralSettings.ImageGenerationModel }, "m"},
		{g + "moderation_model", "general_settings: {moderation_model: m}", nil, func(c *Config) any { return c.GeneralSettings.ModerationModel }, "m"},
		{g + "embedding_model", "general_settings: {embedding_model: m}", nil, func(c *Config) any { return c.GeneralSettings.EmbeddingModel }, "m"},
		{g + "master_key", "general_settings: {master_key: sk-1}", []string{"LITELLM_MASTER_KEY=sk-2"}, func(c *Config) any { return c.GeneralSettings.MasterKey.Reveal() }, "sk-1"},
		{g + "custom_auth", "general_settings: {custom_auth: a.wasm}", nil, func(c *Config) any { return c.GeneralSettings.CustomAuth }, "a.wasm"},
		{g + "custom_auth_settings", "general_settings: {custom_auth_settings: {mode: auto}}", nil, func(c *Config) any { return c.GeneralSettings.CustomAuthSettings.Mode }, "auto"},
		{g + "custom_auth_settings.mode", "general_settings: {custom_auth_settings: {mode: on}}", nil, func(c *Config) any { return c.GeneralSettings.CustomAuthSettings.Mode }, "on"},
		{g + "use_x_forwarded_for", "general_settings: {use_x_forwarded_for: 'true'}", nil, func(c *Config) any { return c.GeneralSettings.UseXForwardedFor }, true},
		{g + "max_request_size_mb", "general_settings: {max_request_size_mb: 0.5}", nil, func(c *Config) any { return *c.GeneralSettings.MaxRequestSizeMB }, 0.5},
		{g + "max_response_size_mb", "general_settings: {max_response_size_mb: 2}", nil, func(c *Config) any { return *c.GeneralSettings.MaxResponseSizeMB }, 2.0},
		{g + "allowed_ips", "general_settings: {allowed_ips: [10.0.0.1, '::1', os.environ/NET]}", []string{"NET=10.0.0.0/8"}, func(c *Config) any { return c.GeneralSettings.AllowedIPs }, []string{"10.0.0.1", "::1", "10.0.0.0/8"}},
		{g + "litellm_key_header_name", "general_settings: {litellm_key_header_name: X-Key}", nil, func(c *Config) any { return c.GeneralSettings.LiteLLMKeyHeaderName }, "X-Key"},
		{g + "pass_through_endpoints", endpoint("auth: true"), nil, pass(func(e E) any { return e.Path }), "/p"},
		{e + "id", endpoint("id: i"), nil, pass(func(e E) any { return e.ID }), "i"},
		{e + "path", endpoint("id: i"), nil, pass(func(e E) any { return e.Path }), "/p"},
		{e + "target", endpoint("id: i"), nil, pass(func(e E) any { return e.Target }), "http://t"},
		{e + "headers", endpoint("headers: {}"), nil, pass(func(e E) any { return len(e.Headers) }), 0},
		{e + "headers.*", endpoint("headers: {A: os.environ/K}"), []string{"K=v"}, pass(func(e E) any { return e.Headers["A"].Reveal() }), "v"},
		{e + "headers.*", endpoint("headers: {A: Bearer os.environ/K}"), []string{"K=v"}, pass(func(e E) any { return e.Headers["A"].Reveal() }), "Bearer v"},
		{e + "include_subpath", endpoint("include_subpath: true"), nil, pass(func(e E) any { return e.IncludeSubpath }), true},
		{e + "auth", endpoint("auth: true"), nil, pass(func(e E) any { return e.Auth }), true},
		{e + "forward_headers", endpoint("forward_headers: true"), nil, pass(func(e E) any { return e.ForwardHeaders }), true},
		{e + "merge_query_params", endpoint("merge_query_params: true"), nil, pass(func(e E) any { return e.MergeQueryParams }), true},
		{e + "default_query_params", endpoint("default_query_params: {}"), nil, pass(func(e E) any { return len(e.DefaultQueryParams) }), 0},
		{e + "default_query_params.*", endpoint("default_query_params: {a: 1}"), nil, pass(func(e E) any { return e.DefaultQueryParams }), map[string]string{"a": "1"}},
		{e + "methods", endpoint("methods: [GET]"), nil, pass(func(e E) any { return e.Methods }), []string{"GET"}},
	}
}

func prompt(params string) string {
	return "prompts: [{prompt_id: p, litellm_params: {prompt_integration: p.wasm, " + params + "}}]"
}

func sectionCases() []effectCase {
	const g = "guardrails[].litellm_params."
	type G = GuardrailParams
	one := func(c *Config) any { return c.CredentialList[0] }
	mode := func(mode string) string {
		return "guardrails: [{guardrail_name: g, litellm_params: {guardrail: g.wasm, mode: " + mode + "}}]"
	}
	return []effectCase{
		{"guardrails", guardrail("default_on: true"), nil, func(c *Config) any { return len(c.Guardrails) }, 1},
		{"guardrails[].guardrail_name", guardrail("default_on: true"), nil, func(c *Config) any { return c.Guardrails[0].Name }, "g"},
		{"guardrails[].litellm_params", guardrail("default_on: true"), nil, guard(func(p G) any { return p.DefaultOn }), true},
		{g + "guardrail", guardrail("default_on: true"), nil, guard(func(p G) any { return p.Guardrail }), "g.wasm"},
		{g + "mode", guardrail("default_on: true"), nil, guard(func(p G) any { return p.Mode }), GuardrailMode{Always: []string{"pre_call"}}},
		{g + "mode", mode("[pre_call, post_call]"), nil, guard(func(p G) any { return p.Mode }), GuardrailMode{Always: []string{"pre_call", "post_call"}}},
		{g + "mode.tags", mode("{tags: {a.b: during_call}}"), nil, guard(func(p G) any { return p.Mode }), GuardrailMode{Tags: map[string][]string{"a.b": {"during_call"}}}},
		{g + "mode.tags.*", mode("{tags: {a: [pre_call, post_call]}}"), nil, guard(func(p G) any { return p.Mode.Tags["a"] }), []string{"pre_call", "post_call"}},
		{g + "mode.default", mode("{tags: {a: during_call}, default: post_call}"), nil, guard(func(p G) any { return p.Mode.Default }), []string{"post_call"}},
		{g + "stream", guardrail("stream: buffer"), nil, guard(func(p G) any { return p.Stream }), "buffer"},
		{g + "window_chars", guardrail("window_chars: 40"), nil, guard(func(p G) any { return *p.WindowChars }), 40},
		{g + "window_ms", guardrail("window_ms: 100"), nil, guard(func(p G) any { return *p.WindowMS }), 100},
		{g + "holdback", guardrail("holdback: 0"), nil, guard(func(p G) any { return *p.Holdback }), 0},
		{g + "on_unreadable", guardrail("on_unreadable: pass"), nil, guard(func(p G) any { return p.OnUnreadable }), "pass"},
		{g + "max_retries", guardrail("max_retries: 2"), nil, guard(func(p G) any { return *p.MaxRetries }), 2},
		{g + "default_on", guardrail("default_on: true"), nil, guard(func(p G) any { return p.DefaultOn }), true},
		{"credential_list", "credential_list: [{credential_name: c, credential_values: {api_key: k}}]", nil, one, Credential{Name: "c", Values: map[string]any{"api_key": "k"}}},
		{"credential_list[].credential_name", "credential_list: [{credential_name: c, credential_values: {api_key: k}}]", nil, one, Credential{Name: "c", Values: map[string]any{"api_key": "k"}}},
		{"credential_list[].credential_values", "credential_list: [{credential_name: c, credential_values: {api_key: os.environ/K}}]", []string{"K=v"}, one, Credential{Name: "c", Values: map[string]any{"api_key": "v"}}},
		{"credential_list[].credential_info", "credential_list: [{credential_name: c, credential_values: {}, credential_info: {d: e}}]", nil, one, Credential{Name: "c", Values: map[string]any{}, Info: map[string]any{"d": "e"}}},
		{"default_vertex_config", "default_vertex_config: {vertex_project: p}", nil, func(c *Config) any { return c.DefaultVertexConfig.Project }, "p"},
		{"default_vertex_config.vertex_project", "default_vertex_config: {vertex_project: p}", nil, func(c *Config) any { return c.DefaultVertexConfig.Project }, "p"},
		{"default_vertex_config.vertex_location", "default_vertex_config: {vertex_location: l}", nil, func(c *Config) any { return c.DefaultVertexConfig.Location }, "l"},
		{"default_vertex_config.vertex_credentials", "default_vertex_config: {vertex_credentials: os.environ/K}", []string{"K=v"}, func(c *Config) any { return c.DefaultVertexConfig.Credentials }, Secret("v")},
		{"files_settings", "files_settings: [{custom_llm_provider: openai}]", nil, func(c *Config) any { return len(c.FilesSettings) }, 1},
		{"finetune_settings", "finetune_settings: [{custom_llm_provider: openai}]", nil, func(c *Config) any { return len(c.FinetuneSettings) }, 1},
		{"assistant_settings", "assistant_settings: {custom_llm_provider: groq}", nil, func(c *Config) any { return c.AssistantSettings.CustomLLMProvider }, "groq"},
		{"assistant_settings.custom_llm_provider", "assistant_settings: {custom_llm_provider: groq}", nil, func(c *Config) any { return c.AssistantSettings.CustomLLMProvider }, "groq"},
		{"assistant_settings.litellm_params", "assistant_settings: {litellm_params: {api_base: b}}", nil, func(c *Config) any { return c.AssistantSettings.LiteLLMParams.APIBase }, "b"},
		{"environment_variables", "environment_variables: {A: b}", []string{"A=c"}, func(c *Config) any { return c.Env().Get("A") }, "b"},
		{"environment_variables.*", "environment_variables: {A: 12}", nil, func(c *Config) any { return c.Env().Get("A") }, "12"},
		{"callback_settings", "callback_settings: {a: {on_error: fail_open}}", nil, func(c *Config) any { return len(c.CallbackSettings) }, 1},
		{"callback_settings.*", "callback_settings: {a: {on_error: fail_open}}", nil, func(c *Config) any { return c.CallbackOptions("p/a.wasm").OnError }, "fail_open"},
		{"prompts", prompt("tick_seconds: 5"), nil, func(c *Config) any { return len(c.Prompts) }, 1},
		{"prompts[].prompt_id", prompt("tick_seconds: 5"), nil, func(c *Config) any { return c.Prompts[0].ID }, "p"},
		{"prompts[].litellm_params", prompt("tick_seconds: 5"), nil, func(c *Config) any { return c.Prompts[0].Params.Integration }, "p.wasm"},
		{"prompts[].litellm_params.prompt_integration", prompt("tick_seconds: 5"), nil, func(c *Config) any { return c.Prompts[0].Params.Integration }, "p.wasm"},
		{"prompts[].litellm_params.prompt_id", prompt("prompt_id: q"), nil, func(c *Config) any { return c.Prompts[0].Params.ID }, "q"},
		{"include", "include: []", nil, func(c *Config) any { return len(c.Include) }, 0},
	}
}

// pluginCases are the options that every plugin has, at each place where one is named.
func pluginCases() []effectCase {
	custom := func(option string) string {
		return "general_settings: {custom_auth: a.wasm, custom_auth_settings: {" + option + "}}"
	}
	return slices.Concat(
		optionCases("guardrails[].litellm_params.", guardrail, func(c *Config) PluginOptions { return c.Guardrails[0].Params.PluginOptions }),
		optionCases("general_settings.custom_auth_settings.", custom, func(c *Config) PluginOptions {
			return c.GeneralSettings.CustomAuthSettings.PluginOptions
		}),
		optionCases("router_settings.custom_route_settings.", func(option string) string {
			return "router_settings: {custom_route: a.wasm, custom_route_settings: {" + option + "}}"
		}, func(c *Config) PluginOptions { return c.RouterSettings.CustomRouteSettings }),
		optionCases("litellm_settings.custom_provider_map[].", func(option string) string {
			return "litellm_settings: {custom_provider_map: [{provider: p, custom_handler: a.wasm, " + option + "}]}"
		}, func(c *Config) PluginOptions { return c.LiteLLMSettings.CustomProviderMap[0].PluginOptions }),
		optionCases("callback_settings.*.", func(option string) string { return "callback_settings: {a: {" + option + "}}" },
			func(c *Config) PluginOptions { return c.CallbackOptions("a.wasm") }),
		optionCases("prompts[].litellm_params.", prompt, func(c *Config) PluginOptions { return c.Prompts[0].Params.PluginOptions }),
	)
}

func optionCases(prefix string, yaml func(option string) string, of func(*Config) PluginOptions) []effectCase {
	sum := strings.Repeat("ab", 32)
	get := func(f func(PluginOptions) any) func(*Config) any { return func(c *Config) any { return f(of(c)) } }
	type P = PluginOptions
	return []effectCase{
		{prefix + "sha256", yaml("sha256: " + sum), nil, get(func(p P) any { return p.SHA256 }), sum},
		{prefix + "on_error", yaml("on_error: fail_open"), nil, get(func(p P) any { return p.OnError }), "fail_open"},
		{prefix + "limits", yaml("limits: {cpu_ms: 5}"), nil, get(func(p P) any { return *p.Limits.CPUMS }), 5},
		{prefix + "limits.memory_mb", yaml("limits: {memory_mb: 6}"), nil, get(func(p P) any { return *p.Limits.MemoryMB }), 6},
		{prefix + "limits.cpu_ms", yaml("limits: {cpu_ms: 5}"), nil, get(func(p P) any { return *p.Limits.CPUMS }), 5},
		{prefix + "limits.wall_ms", yaml("limits: {wall_ms: 7}"), nil, get(func(p P) any { return *p.Limits.WallMS }), 7},
		{prefix + "limits.instances", yaml("limits: {instances: 3}"), nil, get(func(p P) any { return *p.Limits.Instances }), 3},
		{prefix + "grants", yaml("grants: {kv: true}"), nil, get(func(p P) any { return p.Grants }), Grants{KV: true}},
		{prefix + "grants.http", yaml("grants: {http: ['https://a', os.environ/X]}"), nil, get(func(p P) any { return p.Grants.HTTP }), []string{"https://a", "x"}},
		{prefix + "grants.networks", yaml("grants: {networks: [10.0.0.0/8]}"), nil, get(func(p P) any { return p.Grants.Networks }), []string{"10.0.0.0/8"}},
		{prefix + "grants.secrets", yaml("grants: {secrets: [X]}"), nil, get(func(p P) any { return p.Grants.Secrets }), []string{"X"}},
		{prefix + "grants.kv", yaml("grants: {kv: true}"), nil, get(func(p P) any { return p.Grants.KV }), true},
		{prefix + "grants.metrics", yaml("grants: {metrics: true}"), nil, get(func(p P) any { return p.Grants.Metrics }), true},
		{prefix + "grants.prompts", yaml("grants: {prompts: true}"), nil, get(func(p P) any { return p.Grants.Prompts }), true},
		{prefix + "tick_seconds", yaml("tick_seconds: 1.5"), nil, get(func(p P) any { return *p.TickSeconds }), Seconds(1.5)},
		{prefix + "config", yaml("config: {a: [b]}"), nil, get(func(p P) any { return p.Config }), map[string]any{"a": []any{"b"}}},
	}
}

// routingCases are what chooses deployments, leaves them alone and tries again.
func routingCases() []effectCase {
	const r, l = "router_settings.", "litellm_settings."
	type R = RouterSettings
	get := func(f func(R) any) func(*Config) any { return func(c *Config) any { return f(c.RouterSettings) } }
	list := Fallbacks{{Model: "m", Targets: []FallbackTarget{{Model: "n"}}}}
	cases := []effectCase{
		{r + "routing_strategy_args", "router_settings: {routing_strategy_args: {ttl: 3}}", nil, get(func(s R) any { return *s.RoutingStrategyArgs.TTL }), Seconds(3)},
		{r + "routing_strategy_args.ttl", "router_settings: {routing_strategy_args: {ttl: 3}}", nil, get(func(s R) any { return *s.RoutingStrategyArgs.TTL }), Seconds(3)},
		{r + "routing_strategy_args.lowest_latency_buffer", "router_settings: {routing_strategy_args: {lowest_latency_buffer: 0.5}}", nil, get(func(s R) any { return *s.RoutingStrategyArgs.LowestLatencyBuffer }), 0.5},
		{r + "routing_strategy_args.max_latency_list_size", "router_settings: {routing_strategy_args: {max_latency_list_size: 5}}", nil, get(func(s R) any { return *s.RoutingStrategyArgs.MaxLatencyListSize }), 5},
		{r + "retry_policy", "router_settings: {retry_policy: {TimeoutErrorRetries: 5}}", nil, get(func(s R) any { return s.RetryPolicy }), map[string]int{"TimeoutErrorRetries": 5}},
		{r + "model_group_retry_policy", "router_settings: {model_group_retry_policy: {m: {TimeoutErrorRetries: 5}}}", nil, get(func(s R) any { return s.ModelGroupRetryPolicy["m"] }), map[string]int{"TimeoutErrorRetries": 5}},
		{r + "model_group_retry_policy.*", "router_settings: {model_group_retry_policy: {gpt-3.5: {}}}", nil, get(func(s R) any { return len(s.ModelGroupRetryPolicy["gpt-3.5"]) }), 0},
		{r + "allowed_fails", "router_settings: {allowed_fails: 0}", nil, get(func(s R) any { return *s.AllowedFails }), 0},
		{r + "allowed_fails_policy", "router_settings: {allowed_fails_policy: {TimeoutErrorAllowedFails: 5}}", nil, get(func(s R) any { return s.AllowedFailsPolicy }), map[string]int{"TimeoutErrorAllowedFails": 5}},
		{r + "cooldown_time", "router_settings: {cooldown_time: 1.5}", nil, get(func(s R) any { return *s.CooldownTime }), Seconds(1.5)},
		{r + "disable_cooldowns", "router_settings: {disable_cooldowns: true}", nil, get(func(s R) any { return s.DisableCooldowns }), true},
		{r + "context_window_fallbacks", "router_settings: {context_window_fallbacks: [{m: [n]}]}", nil, get(func(s R) any { return s.ContextWindowFallbacks }), list},
		{r + "content_policy_fallbacks", "router_settings: {content_policy_fallbacks: [{m: [n]}]}", nil, get(func(s R) any { return s.ContentPolicyFallbacks }), list},
		{l + "context_window_fallbacks", "litellm_settings: {context_window_fallbacks: [{m: [n]}]}", nil, func(c *Config) any { return c.LiteLLMSettings.ContextWindowFallbacks }, list},
		{l + "content_policy_fallbacks", "litellm_settings: {content_policy_fallbacks: [{m: [n]}]}", nil, func(c *Config) any { return c.LiteLLMSettings.ContentPolicyFallbacks }, list},
		{l + "allowed_fails", "litellm_settings: {allowed_fails: 7}", nil, func(c *Config) any { return *c.LiteLLMSettings.AllowedFails }, 7},
		{"model_list[].litellm_params.cooldown_time", model("cooldown_time: 4"), nil, params(func(p LiteLLMParams) any { return *p.CooldownTime }), Seconds(4)},
		{"model_list[].model_info.cooldown_time", "model_list: [{model_name: m, litellm_params: {model: x}, model_info: {cooldown_time: 4}}]", nil, func(c *Config) any { return *c.ModelList[0].ModelInfo.CooldownTime }, Seconds(4)},
	}
	for _, s := range errorClasses("Retries", "") {
		cases = append(cases,
			effectCase{r + "retry_policy." + s.Path, "router_settings: {retry_policy: {" + s.Path + ": 4}}", nil, get(func(r R) any { return r.RetryPolicy[s.Path] }), 4},
			effectCase{r + "model_group_retry_policy.*." + s.Path, "router_settings: {model_group_retry_policy: {m: {" + s.Path + ": 4}}}", nil, get(func(r R) any { return r.ModelGroupRetryPolicy["m"][s.Path] }), 4})
	}
	for _, s := range errorClasses("AllowedFails", "") {
		cases = append(cases, effectCase{r + "allowed_fails_policy." + s.Path, "router_settings: {allowed_fails_policy: {" + s.Path + ": 4}}", nil, get(func(r R) any { return r.AllowedFailsPolicy[s.Path] }), 4})
	}
	return cases
}

// priceCases are the prices of deployments, and what is added to costs.
func priceCases() []effectCase {
	const i, l = "model_list[].model_info.", "litellm_settings."
	info := func(text string) string {
		return "model_list: [{model_name: m, litellm_params: {model: x}, model_info: {" + text + "}}]"
	}
	get := func(f func(ModelInfo) any) func(*Config) any {
		return func(c *Config) any { return f(c.ModelList[0].ModelInfo) }
	}
	cases := []effectCase{
		{i + "input_cost_per_token", info("input_cost_per_token: 1e-06"), nil, get(func(m ModelInfo) any { return *m.InputCostPerToken }), 1e-06},
		{i + "output_cost_per_token", info("output_cost_per_token: 0"), nil, get(func(m ModelInfo) any { return *m.OutputCostPerToken }), 0.0},
		{i + "base_model", info("base_model: azure/gpt-4o"), nil, get(func(m ModelInfo) any { return m.BaseModel }), "azure/gpt-4o"},
		{l + "cost_discount_config", "litellm_settings: {cost_discount_config: {openai: 0.05}}", nil, func(c *Config) any { return c.LiteLLMSettings.CostDiscount }, map[string]float64{"openai": 0.05}},
		{l + "cost_margin_config", "litellm_settings: {cost_margin_config: {global: 0.1}}", nil, func(c *Config) any { return c.LiteLLMSettings.CostMargin }, map[string]any{"global": 0.1}},
	}
	for _, s := range pricingSettings() {
		if s.Status != InEffect || s.Path == "input_cost_per_token" || s.Path == "output_cost_per_token" {
			continue
		}
		written, want := "0.25", any(0.25)
		switch s.Type {
		case TypeObject:
			written, want = "{a: 1}", map[string]any{"a": 1}
		case TypeList:
			written, want = "[1]", []any{1}
		}
		cases = append(cases, effectCase{
			"model_list[].litellm_params." + s.Path, model(s.Path + ": " + written), nil,
			params(func(p LiteLLMParams) any { return p.Prices[s.Path] }), want,
		})
	}
	return cases
}

func variableCases() []effectCase {
	type C = *Config
	return []effectCase{
		{"CONFIG_FILE_PATH", "", []string{"CONFIG_FILE_PATH=/c.yaml"}, func(c C) any { return c.Variables.ConfigFilePath }, "/c.yaml"},
		{"HOST", "", []string{"HOST=::1"}, func(c C) any { return c.Variables.Host }, "::1"},
		{"PORT", "", []string{"PORT=81"}, func(c C) any { return *c.Variables.Port }, 81},
		{"LITELLM_MASTER_KEY", "", []string{"LITELLM_MASTER_KEY=a", "PROXY_MASTER_KEY=b"}, func(c C) any { return c.GeneralSettings.MasterKey.Reveal() }, "a"},
		{"PROXY_MASTER_KEY", "", []string{"PROXY_MASTER_KEY=b"}, func(c C) any { return c.GeneralSettings.MasterKey.Reveal() }, "b"},
		{"LITELLM_LOG", "", []string{"LITELLM_LOG=error"}, func(c C) any { return c.LogLevel().String() }, "ERROR"},
		{"LITELLM_LOG", "", []string{"LITELLM_LOG=CRITICAL"}, func(c C) any { return c.LogLevel() }, LevelCritical},
		{"SET_VERBOSE", "", []string{"LITELLM_LOG=ERROR", "SET_VERBOSE=True"}, func(c C) any { return c.LogLevel().String() }, "DEBUG"},
		{"JSON_LOGS", "", []string{"JSON_LOGS=True"}, func(c C) any { return c.JSONLogs() }, true},
		{"JSON_LOGS", "litellm_settings: {json_logs: false}", []string{"JSON_LOGS=True"}, func(c C) any { return c.JSONLogs() }, false},
		{"LITELLM_DROP_PARAMS", "", []string{"LITELLM_DROP_PARAMS=whatever"}, func(c C) any { return *c.LiteLLMSettings.DropParams }, true},
		{"LITELLM_DROP_PARAMS", "", []string{"LITELLM_DROP_PARAMS=off"}, func(c C) any { return *c.LiteLLMSettings.DropParams }, false},
		{"AUTH_STRATEGY", "", []string{"AUTH_STRATEGY=DYNAMIC"}, func(c C) any { return c.Variables.AuthStrategy }, "DYNAMIC"},
		{"LITELLM_LOCAL_MODEL_COST_MAP", "", []string{"LITELLM_LOCAL_MODEL_COST_MAP=True"}, func(c C) any { return c.Variables.LocalModelCostMap }, true},
		{"LITELLM_MODEL_COST_MAP_URL", "", []string{"LITELLM_MODEL_COST_MAP_URL=/m.json"}, func(c C) any { return c.Variables.ModelCostMapURL }, "/m.json"},
		{"CUSTOM_TIKTOKEN_CACHE_DIR", "", []string{"CUSTOM_TIKTOKEN_CACHE_DIR=/v"}, func(c C) any { return c.Variables.TiktokenCacheDir }, "/v"},
		{"LITELLM_MODE", "", []string{"LITELLM_MODE=production"}, func(c C) any { return c.Variables.Mode }, "PRODUCTION"},
		{"LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD", "", []string{"LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD=1"}, func(c C) any { return c.Variables.PrintStandardLoggingPayload }, true},
		{"SERVER_ROOT_PATH", "", []string{"SERVER_ROOT_PATH=api/v9/"}, func(c C) any { return c.Variables.ServerRootPath }, "/api/v9"},
		{"OPENAI_API_KEY", "", []string{"OPENAI_API_KEY=k"}, func(c C) any { return c.Variables.OpenAIAPIKey.Reveal() }, "k"},
		{"OPENAI_API_BASE", "", []string{"OPENAI_API_BASE=http://b"}, func(c C) any { return c.Variables.OpenAIAPIBase }, "http://b"},
		{"OPENAI_ORGANIZATION", "", []string{"OPENAI_ORGANIZATION=o"}, func(c C) any { return c.Variables.OpenAIOrganization }, "o"},
	}
}

// resourceCases are the credentials for what vendors store, at each place where they may stand.
func resourceCases() []effectCase {
	var cases []effectCase
	add := func(prefix, open, end string, of func(*Config) ResourceSettings) {
		for _, name := range []string{"api_key", "api_base", "api_version", "organization"} {
			cases = append(cases, effectCase{prefix + name, open + name + ": v" + end, nil, func(c *Config) any {
				s := of(c)
				return s.APIKey.Reveal() + s.APIBase + s.APIVersion + s.Organization
			}, "v"})
		}
	}
	files := func(c *Config) ResourceSettings { return c.FilesSettings[0] }
	tune := func(c *Config) ResourceSettings { return c.FinetuneSettings[0] }
	add("assistant_settings.litellm_params.", "assistant_settings: {litellm_params: {", "}}", func(c *Config) ResourceSettings {
		return c.AssistantSettings.LiteLLMParams
	})
	add("files_settings[].", "files_settings: [{custom_llm_provider: p, ", "}]", files)
	add("finetune_settings[].", "finetune_settings: [{custom_llm_provider: p, ", "}]", tune)
	return append(cases,
		effectCase{"files_settings[].custom_llm_provider", "files_settings: [{custom_llm_provider: p}]", nil, func(c *Config) any { return files(c).CustomLLMProvider }, "p"},
		effectCase{"finetune_settings[].custom_llm_provider", "finetune_settings: [{custom_llm_provider: p}]", nil, func(c *Config) any { return tune(c).CustomLLMProvider }, "p"})
}

func effectCases() []effectCase {
	var all []effectCase
	for _, list := range [][]effectCase{modelCases(), litellmCases(), routingCases(), generalCases(), sectionCases(), resourceCases(), registryCases(), tuningCases(), pluginCases(), priceCases(), vendorCases(), googleCases(), cloudCases(), keyCases(), storeCases(), limitCases(), cacheCases(), choiceCases(), variableCases()} {
		all = append(all, list...)
	}
	return append(append(all, loginCases()...), healthCases()...)
}

// TestInEffect loads every setting that the schema calls in effect and looks
// for its value where app reads it.
func TestInEffect(t *testing.T) {
	t.Parallel()
	for _, c := range effectCases() {
		t.Run(c.path, func(t *testing.T) {
			t.Parallel()
			env := append([]string{"X=x"}, c.env...)
			cfg, rep, err := Parse("c.yaml", []byte(c.yaml), Options{Dir: t.TempDir(), Environ: env})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, c.get(cfg)); d != "" {
				t.Errorf("%s (-want +got):\n%s", c.yaml, d)
			}
			for _, e := range rep.Entries {
				if e.Status == "unknown" {
					t.Errorf("%s is unknown", e.Path)
				}
			}
		})
	}
}

// TestEffectIsTested fails when a setting is called in effect and no case
// above shows it.
func TestEffectIsTested(t *testing.T) {
	t.Parallel()
	tested := map[string]bool{}
	for _, c := range effectCases() {
		tested[c.path] = true
	}
	for _, s := range Settings() {
		works := s.Status == InEffect || s.Status == Deprecated
		if works && s.Type&TypeAny == 0 && !tested[s.Path] {
			t.Errorf("%s is in effect without a case in effectCases", s.Path)
		}
	}
}
