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
		{
			"general_settings.disable_spend_logs", "general_settings: {disable_spend_logs: true}", nil,
			func(c *Config) any { return c.GeneralSettings.DisableSpendLogs }, true,
		},
		{
			"general_settings.disable_retry_on_max_parallel_request_limit_error", "general_settings: {disable_retry_on_max_parallel_request_limit_error: true}", nil,
			func(c *Config) any { return c.GeneralSettings.DisableRetryOnMaxParallel }, true,
		},
		{
			"general_settings.disable_reset_budget", "general_settings: {disable_reset_budget: true}", nil,
			func(c *Config) any { return c.GeneralSettings.DisableResetBudget }, true,
		},
		{
			"general_settings.disable_adding_master_key_hash_to_db", "general_settings: {disable_adding_master_key_hash_to_db: true}", nil,
			func(c *Config) any { return c.GeneralSettings.DisableAddingMasterKeyHash }, true,
		},
		{
			"general_settings.global_max_parallel_requests", "general_settings: {global_max_parallel_requests: 3}", nil,
			func(c *Config) any { return *c.GeneralSettings.GlobalMaxParallelRequests }, 3,
		},
		{
			"general_settings.store_prompts_in_spend_logs", "general_settings: {store_prompts_in_spend_logs: true}", nil,
			func(c *Config) any { return c.GeneralSettings.StorePromptsInSpendLogs }, true,
		},
		{
			"general_settings.proxy_budget_rescheduler_min_time", "general_settings: {proxy_budget_rescheduler_min_time: 1}", nil,
			func(c *Config) any { return *c.GeneralSettings.BudgetReschedulerMinTime }, Seconds(1),
		},
		{
			"general_settings.proxy_budget_rescheduler_max_time", "general_settings: {proxy_budget_rescheduler_max_time: 3}", nil,
			func(c *Config) any { return *c.GeneralSettings.BudgetReschedulerMaxTime }, Seconds(3),
		},
		{
			"general_settings.proxy_batch_write_at", "general_settings: {proxy_batch_write_at: 2}", nil,
			func(c *Config) any { return *c.GeneralSettings.ProxyBatchWriteAt }, Seconds(2),
		},
		{
			"general_settings.user_api_key_cache_ttl", "general_settings: {user_api_key_cache_ttl: 2}", nil,
			func(c *Config) any { return *c.GeneralSettings.UserAPIKeyCacheTTL }, Seconds(2),
		},
		{
			"general_settings.allow_requests_on_db_unavailable", "general_settings: {allow_requests_on_db_unavailable: true}", nil,
			func(c *Config) any { return c.GeneralSettings.AllowRequestsOnDBUnavailable }, true,
		},
		{
			l + "disable_end_user_cost_tracking", "litellm_settings: {disable_end_user_cost_tracking: true}", nil,
			lite(func(s S) any { return s.DisableEndUserCostTracking }), true,
		},
		{
			"LITELLM_GLOBAL_MAX_PARALLEL_REQUEST_RETRIES", "{}", []string{"LITELLM_GLOBAL_MAX_PARALLEL_REQUEST_RETRIES=2"},
			func(c *Config) any { return c.Variables.ParallelRetries }, "2",
		},
		{
			"LITELLM_GLOBAL_MAX_PARALLEL_REQUEST_RETRY_TIMEOUT", "{}", []string{"LITELLM_GLOBAL_MAX_PARALLEL_REQUEST_RETRY_TIMEOUT=1"},
			func(c *Config) any { return c.Variables.ParallelRetryTimeout }, "1",
		},
		{
			"LITELLM_KEY_ROTATION_ENABLED", "{}", []string{"LITELLM_KEY_ROTATION_ENABLED=true", "LITELLM_KEY_ROTATION_GRACE_PERIOD=1d"},
			func(c *Config) any { return c.Variables.KeyRotation }, true,
		},
		{
			"LITELLM_KEY_ROTATION_CHECK_INTERVAL_SECONDS", "{}", []string{"LITELLM_KEY_ROTATION_CHECK_INTERVAL_SECONDS=5"},
			func(c *Config) any { return c.Variables.KeyRotationEvery }, "5",
		},
		{
			"LITELLM_KEY_ROTATION_GRACE_PERIOD", "{}", []string{"LITELLM_KEY_ROTATION_GRACE_PERIOD=2d"},
			func(c *Config) any { return c.Variables.KeyRotationGrace }, "2d",
		},
		{"SPEND_LOGS_URL", "{}", []string{"SPEND_LOGS_URL=http://h"}, func(c *Config) any { return c.Variables.SpendLogsURL }, "http://h"},
		{"STORE_MODEL_IN_DB", "{}", []string{"STORE_MODEL_IN_DB=True"}, func(c *Config) any { return c.Variables.StoreModelInDB }, true},
	}
}
