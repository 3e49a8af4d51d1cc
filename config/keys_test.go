package config

func keyCases() []effectCase {
	lite := func(get func(LiteLLMSettings) any) func(*Config) any {
		return func(c *Config) any { return get(c.LiteLLMSettings) }
	}
	const l = "litellm_settings."
	type S = LiteLLMSettings
	return []effectCase{
		{
			l + "key_generation_settings",
			"litellm_settings: {key_generation_settings: {team_key_generation: {allowed_team_member_roles: [admin], required_params: [tags]}}}", nil,
			lite(func(s S) any { return *s.KeyGenerationSettings.Team }),
			KeyRule{AllowedTeamMemberRoles: []string{"admin"}, RequiredParams: []string{"tags"}},
		},
		{
			l + "key_generation_settings",
			"litellm_settings: {key_generation_settings: {personal_key_generation: {allowed_user_roles: [proxy_admin]}}}", nil,
			lite(func(s S) any { return *s.KeyGenerationSettings.Personal }), KeyRule{AllowedUserRoles: []string{"proxy_admin"}},
		},
		{
			l + "upperbound_key_generate_params", "litellm_settings: {upperbound_key_generate_params: {max_budget: 2}}", nil,
			lite(func(s S) any { return s.UpperboundKeyGenerateParams }), map[string]any{"max_budget": 2},
		},
		{
			l + "default_key_generate_params", "litellm_settings: {default_key_generate_params: {max_budget: 2}}", nil,
			lite(func(s S) any { return s.DefaultKeyGenerateParams }), map[string]any{"max_budget": 2},
		},
		{
			l + "default_internal_user_params", "litellm_settings: {default_internal_user_params: {models: [a]}}", nil,
			lite(func(s S) any { return s.DefaultInternalUserParams }), map[string]any{"models": []any{"a"}},
		},
		{
			l + "default_team_params", "litellm_settings: {default_team_params: {max_budget: 2}}", nil,
			lite(func(s S) any { return s.DefaultTeamParams }), map[string]any{"max_budget": 2},
		},
		{
			l + "max_internal_user_budget", "litellm_settings: {max_internal_user_budget: 2}", nil,
			lite(func(s S) any { return *s.MaxInternalUserBudget }), 2.0,
		},
		{
			l + "internal_user_budget_duration", "litellm_settings: {internal_user_budget_duration: 30d}", nil,
			lite(func(s S) any { return s.InternalUserBudgetDuration }), "30d",
		},
		{
			"general_settings.store_model_in_db", "general_settings: {store_model_in_db: true}", nil,
			func(c *Config) any { return c.GeneralSettings.StoreModelInDB }, true,
		},
		{
			"general_settings.default_team_disabled", "general_settings: {default_team_disabled: true}", nil,
			func(c *Config) any { return c.GeneralSettings.DefaultTeamDisabled }, true,
		},
		{
			"general_settings.allowed_routes", "general_settings: {allowed_routes: [/a]}", nil,
			func(c *Config) any { return c.GeneralSettings.AllowedRoutes }, []string{"/a"},
		},
		{
			"general_settings.public_routes", "general_settings: {public_routes: [/a]}", nil,
			func(c *Config) any { return c.GeneralSettings.PublicRoutes }, []string{"/a"},
		},
		{
			"general_settings.admin_only_routes", "general_settings: {admin_only_routes: [/a]}", nil,
			func(c *Config) any { return c.GeneralSettings.AdminOnlyRoutes }, []string{"/a"},
		},
		{
			"general_settings.enforce_user_param", "general_settings: {enforce_user_param: true}", nil,
			func(c *Config) any { return c.GeneralSettings.EnforceUserParam }, true,
		},
		{
			"general_settings.enforced_params", "general_settings: {enforced_params: [user]}", nil,
			func(c *Config) any { return c.GeneralSettings.EnforcedParams }, []string{"user"},
		},
		{
			"general_settings.service_account_settings", "general_settings: {service_account_settings: {enforced_params: [user]}}", nil,
			func(c *Config) any { return c.GeneralSettings.ServiceEnforcedParams() }, []string{"user"},
		},
		{"STORE_MODEL_IN_DB", "{}", []string{"STORE_MODEL_IN_DB=True"}, func(c *Config) any { return c.Variables.StoreModelInDB }, true},
	}
}
