package config

// vendorCases are the settings of vendors and of connections to them.
func vendorCases() []effectCase {
	const p, l = "model_list[].litellm_params.", "litellm_settings."
	type C = *Config
	lite := func(get func(LiteLLMSettings) any) func(C) any {
		return func(c C) any { return get(c.LiteLLMSettings) }
	}
	type L = LiteLLMSettings
	cases := []effectCase{
		{l + "modify_params", "litellm_settings: {modify_params: true}", nil, lite(func(s L) any { return s.ModifyParams }), true},
		{l + "force_ipv4", "litellm_settings: {force_ipv4: true}", nil, lite(func(s L) any { return s.ForceIPv4 }), true},
		{l + "ssl_verify", "litellm_settings: {ssl_verify: false}", nil, lite(func(s L) any { return s.SSLVerify }), false},
		{l + "ssl_verify", "litellm_settings: {ssl_verify: /ca.pem}", nil, lite(func(s L) any { return s.SSLVerify }), "/ca.pem"},
		{l + "ssl_certificate", "litellm_settings: {ssl_certificate: /c.pem}", nil, lite(func(s L) any { return s.SSLCertificate }), "/c.pem"},
		{l + "ssl_ecdh_curve", "litellm_settings: {ssl_ecdh_curve: X25519}", nil, lite(func(s L) any { return s.SSLCurve }), "X25519"},
		{l + "disable_add_transform_inline_image_block", "litellm_settings: {disable_add_transform_inline_image_block: true}", nil,
			lite(func(s L) any { return s.DisableTransformInlineImage }), true},
		{l + "api_base", "litellm_settings: {api_base: https://a/v1}", nil, lite(func(s L) any { return s.APIBase }), "https://a/v1"},
		{l + "enable_preview_features", "litellm_settings: {enable_preview_features: true}", nil,
			lite(func(s L) any { return s.EnablePreviewFeatures }), true},
		{l + "route_all_chat_openai_to_responses", "litellm_settings: {route_all_chat_openai_to_responses: true}", nil,
			lite(func(s L) any { return *s.RouteAllChatToResponses }), true},
		{l + "reasoning_auto_summary", "litellm_settings: {reasoning_auto_summary: true}", nil,
			lite(func(s L) any { return *s.ReasoningAutoSummary }), true},
		{p + "ssl_verify", model("ssl_verify: false"), nil, params(func(p LiteLLMParams) any { return p.Other["ssl_verify"] }), false},
		{p + "disable_add_transform_inline_image_block", model("disable_add_transform_inline_image_block: true"), nil,
			params(func(p LiteLLMParams) any { return p.Other["disable_add_transform_inline_image_block"] }), true},
		{"general_settings.infer_model_from_keys", "general_settings: {infer_model_from_keys: true}", nil,
			func(c C) any { return c.GeneralSettings.InferModelFromKeys }, true},
		{"SSL_VERIFY", "", []string{"SSL_VERIFY=False"}, func(c C) any { return c.Env().Get("SSL_VERIFY") }, "False"},
		{"SSL_CERTIFICATE", "", []string{"SSL_CERTIFICATE=/c.pem"}, func(c C) any { return c.Env().Get("SSL_CERTIFICATE") }, "/c.pem"},
		{"SSL_CERT_FILE", "", []string{"SSL_CERT_FILE=/ca.pem"}, func(c C) any { return c.Env().Get("SSL_CERT_FILE") }, "/ca.pem"},
	}
	for _, name := range []string{"project_id", "watsonx_project", "space_id", "account_id", "adapter_id"} {
		cases = append(cases, effectCase{p + name, model(name + ": a"), nil, params(func(p LiteLLMParams) any { return p.Other[name] }), "a"})
	}
	for _, name := range []string{
		"DATABRICKS_API_BASE", "HF_API_BASE", "HUGGINGFACE_API_BASE", "PREDIBASE_API_BASE", "NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY",
		"OPENAI_BASE_URL", "DATABRICKS_API_KEY", "DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET",
	} {
		cases = append(cases, effectCase{name, "", []string{name + "=a"}, func(c C) any { return c.Env().Get(name) }, "a"})
	}
	for _, name := range []string{"token", "watsonx_token", "zen_api_key"} {
		cases = append(cases, effectCase{p + name, model(name + ": a"), nil, params(func(p LiteLLMParams) any { return p.Other[name] }), Secret("a")})
	}
	return cases
}
