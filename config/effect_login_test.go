package config

import (
	"encoding/json"
	"slices"
)

// loginCases are how people sign in, and what keys they may make.
func loginCases() []effectCase {
	const g = "general_settings."
	general := func(name, value string, get func(GeneralSettings) any, want any) effectCase {
		return effectCase{g + name, "general_settings: {" + name + ": " + value + "}", nil, func(c *Config) any { return get(c.GeneralSettings) }, want}
	}
	v := func(name string, get func(Variables) any) effectCase {
		return effectCase{name, "", []string{name + "=x1"}, func(c *Config) any { return get(c.Variables) }, "x1"}
	}
	type G = GeneralSettings
	type V = Variables
	cases := []effectCase{
		general("custom_key_generate", "a.wasm", func(g G) any { return g.CustomKeyGenerate }, "a.wasm"),
		general("custom_key_generate_settings", "{config: {a: b}}", func(g G) any { return g.CustomKeyGenerateSettings.Config["a"] }, "b"),
		general("custom_sso", "a.wasm", func(g G) any { return g.CustomSSO }, "a.wasm"),
		general("custom_sso_settings", "{config: {a: b}}", func(g G) any { return g.CustomSSOSettings.Config["a"] }, "b"),
		general("custom_ui_sso_sign_in_handler", "a.wasm", func(g G) any { return g.CustomSignIn }, "a.wasm"),
		general("custom_ui_sso_sign_in_handler_settings", "{config: {a: b}}", func(g G) any { return g.CustomSignInSettings.Config["a"] }, "b"),
		general("disable_master_key_return", "true", func(g G) any { return g.DisableMasterKeyReturn }, true),
		general("allow_user_auth", "true", func(g G) any { return g.AllowUserAuth }, true),
		{"DISABLE_ADMIN_UI", "", []string{"DISABLE_ADMIN_UI=true"}, func(c *Config) any { return c.Variables.DisableAdminUI }, true},
		v("PROXY_LOGOUT_URL", func(v V) any { return v.ProxyLogoutURL }),
		general("ui_access_mode", "admin_only", func(g G) any { return g.AdminsOnly() }, true),
		{"litellm_settings.default_soft_budget", "litellm_settings: {default_soft_budget: 9}", nil, func(c *Config) any { return *c.LiteLLMSettings.DefaultSoftBudget }, 9.0},
		{"litellm_settings.max_ui_session_budget", "litellm_settings: {max_ui_session_budget: 2}", nil, func(c *Config) any { return *c.LiteLLMSettings.MaxUISessionBudget }, 2.0},
		v("GENERIC_CLIENT_ID", func(v V) any { return v.GenericClientID }),
		v("GENERIC_CLIENT_SECRET", func(v V) any { return v.GenericClientSecret.Reveal() }),
		v("GENERIC_AUTHORIZATION_ENDPOINT", func(v V) any { return v.GenericAuthorizationEndpoint }),
		v("GENERIC_TOKEN_ENDPOINT", func(v V) any { return v.GenericTokenEndpoint }),
		v("GENERIC_USERINFO_ENDPOINT", func(v V) any { return v.GenericUserinfoEndpoint }),
		v("GENERIC_SCOPE", func(v V) any { return v.GenericScope }),
		v("GENERIC_CLIENT_STATE", func(v V) any { return v.GenericClientState }),
		v("GENERIC_USER_ID_ATTRIBUTE", func(v V) any { return v.UserIDAttribute }),
		v("GENERIC_USER_EMAIL_ATTRIBUTE", func(v V) any { return v.UserEmailAttribute }),
		v("GENERIC_USER_DISPLAY_NAME_ATTRIBUTE", func(v V) any { return v.UserDisplayNameAttribute }),
		v("GENERIC_USER_FIRST_NAME_ATTRIBUTE", func(v V) any { return v.UserFirstNameAttribute }),
		v("GENERIC_USER_LAST_NAME_ATTRIBUTE", func(v V) any { return v.UserLastNameAttribute }),
		v("GENERIC_USER_PROVIDER_ATTRIBUTE", func(v V) any { return v.UserProviderAttribute }),
		v("GENERIC_USER_ROLE_ATTRIBUTE", func(v V) any { return v.UserRoleAttribute }),
		v("OPENID_BASE_URL", func(v V) any { return v.OpenIDBaseURL }),
		v("OPENID_CLIENT_ID", func(v V) any { return v.OpenIDClientID }),
		v("OPENID_CLIENT_SECRET", func(v V) any { return v.OpenIDClientSecret.Reveal() }),
		v("GOOGLE_CLIENT_ID", func(v V) any { return v.GoogleClientID }),
		v("GOOGLE_CLIENT_SECRET", func(v V) any { return v.GoogleClientSecret.Reveal() }),
		v("MICROSOFT_CLIENT_ID", func(v V) any { return v.MicrosoftClientID }),
		v("MICROSOFT_CLIENT_SECRET", func(v V) any { return v.MicrosoftClientSecret.Reveal() }),
		v("MICROSOFT_TENANT", func(v V) any { return v.MicrosoftTenant }),
		v("ALLOWED_EMAIL_DOMAINS", func(v V) any { return v.AllowedEmailDomains }),
		v("PROXY_ADMIN_ID", func(v V) any { return v.ProxyAdminID }),
		v("UI_USERNAME", func(v V) any { return v.UIUsername }),
		v("UI_PASSWORD", func(v V) any { return v.UIPassword.Reveal() }),
		{"GENERIC_INCLUDE_CLIENT_ID", "", []string{"GENERIC_INCLUDE_CLIENT_ID=true"}, func(c *Config) any { return c.Variables.GenericIncludeClientID }, true},
		{"GENERIC_CLIENT_USE_PKCE", "", []string{"GENERIC_CLIENT_USE_PKCE=false"}, func(c *Config) any { return *c.Variables.GenericClientUsePKCE }, false},
	}
	for name, value := range map[string]any{
		"api_key": "x1", "api_base": "x1", "mask_request_content": true, "additional_provider_specific_params": map[string]any{"a": "b"},
		"presidio_analyzer_api_base": "x1", "presidio_anonymizer_api_base": "x1", "presidio_language": "de",
		"presidio_score_thresholds": map[string]any{"ALL": 0.5}, "presidio_ad_hoc_recognizers": "f.json", "pii_entities_config": map[string]any{"PERSON": "MASK"},
		"output_parse_pii": true, "project_id": "p", "on_flagged": "monitor", "model": "o", "guardrailIdentifier": "g", "guardrailVersion": "1",
		"aws_region_name": "r", "aws_access_key_id": "a", "aws_secret_access_key": "b", "aws_session_token": "c", "aws_bedrock_runtime_endpoint": "e",
		"headers": map[string]any{"x-a": "b"}, "extra_headers": []any{"x-b"},
	} {
		raw, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		cases = append(cases, effectCase{"guardrails[].litellm_params." + name,
			"guardrails: [{guardrail_name: g, litellm_params: {guardrail: presidio, mode: pre_call, " + name + ": " + string(raw) + "}}]", nil,
			func(c *Config) any {
				if s, ok := c.Guardrails[0].Params.Other[name].(Secret); ok {
					return s.Reveal()
				}
				return c.Guardrails[0].Params.Other[name]
			}, value})
	}
	cases = append(cases, v("SALLYPORT_PLUGIN_DIR", func(v V) any { return v.PluginDir }))
	for _, name := range []string{"PRESIDIO_ANALYZER_API_BASE", "PRESIDIO_ANONYMIZER_API_BASE"} { // plugins that are granted them read them
		cases = append(cases, effectCase{name, "", []string{name + "=x1"}, func(c *Config) any { return c.Env().Get(name) }, "x1"})
	}
	options := func(name string, get func(GeneralSettings) PluginOptions) []effectCase {
		return optionCases(g+name+".", func(option string) string { return "general_settings: {" + name + ": {" + option + "}}" },
			func(c *Config) PluginOptions { return get(c.GeneralSettings) })
	}
	return slices.Concat(cases,
		options("custom_key_generate_settings", func(g G) PluginOptions { return g.CustomKeyGenerateSettings }),
		options("custom_sso_settings", func(g G) PluginOptions { return g.CustomSSOSettings }),
		options("custom_ui_sso_sign_in_handler_settings", func(g G) PluginOptions { return g.CustomSignInSettings }))
}
