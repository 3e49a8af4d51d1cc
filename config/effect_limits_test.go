package config

// limitCases are the settings about limits, budgets, spend and Redis.
func limitCases() []effectCase {
	const g, l, r, p = "general_settings.", "litellm_settings.", "router_settings.", "model_list[].litellm_params."
	type C = *Config
	general := func(name, value string, get func(StateSettings) any, want any) effectCase {
		return effectCase{g + name, "general_settings: {" + name + ": " + value + "}", nil, func(c C) any { return get(c.GeneralSettings.StateSettings) }, want}
	}
	lite := func(name, value string, get func(BudgetSettings) any, want any) effectCase {
		return effectCase{l + name, "litellm_settings: {" + name + ": " + value + "}", nil, func(c C) any { return get(c.LiteLLMSettings.BudgetSettings) }, want}
	}
	router := func(name, value string, get func(SharedSettings) any, want any) effectCase {
		return effectCase{r + name, "router_settings: {" + name + ": " + value + "}", nil, func(c C) any { return get(c.RouterSettings.SharedSettings) }, want}
	}
	variable := func(name, value string, get func(StateVariables) any, want any) effectCase {
		return effectCase{name, "", []string{name + "=" + value}, func(c C) any { return get(c.Variables.StateVariables) }, want}
	}
	budget := func(b PeriodBudget) any { return []any{*b.Limit(), b.Period()} }
	return []effectCase{
		general("max_parallel_requests", "2", func(s StateSettings) any { return *s.MaxParallelRequests }, 2),
		general("user_header_name", "X-User", func(s StateSettings) any { return s.CustomerHeader() }, "X-User"),
		general("user_header_mappings", "[{header_name: X-C, litellm_user_role: customer}]", func(s StateSettings) any { return s.CustomerHeader() }, "X-C"),
		general("reject_clientside_metadata_tags", "true", func(s StateSettings) any { return s.RejectClientsideMetadataTags }, true),
		general("token_rate_limit_type", "output", func(s StateSettings) any { return s.TokenRateLimitType }, "output"),
		general("disable_spend_updates", "true", func(s StateSettings) any { return s.DisableSpendUpdates }, true),
		general("disable_error_logs", "true", func(s StateSettings) any { return s.DisableErrorLogs }, true),
		general("maximum_spend_logs_retention_period", "7d", func(s StateSettings) any { return s.SpendLogsRetentionPeriod }, "7d"),
		general("maximum_spend_logs_cleanup_cron", "'0 3 * * *'", func(s StateSettings) any { return s.SpendLogsCleanupCron }, "0 3 * * *"),
		general("maximum_spend_logs_retention_interval", "1h", func(s StateSettings) any { return s.SpendLogsRetentionInterval }, "1h"),
		lite("max_budget", "10", func(s BudgetSettings) any { return *s.MaxBudget }, 10.0),
		lite("budget_duration", "30d", func(s BudgetSettings) any { return s.BudgetDuration }, "30d"),
		lite("max_end_user_budget", "0.5", func(s BudgetSettings) any { return *s.MaxEndUserBudget }, 0.5),
		lite("priority_reservation", "{prod: 0.9, dev: {type: rpm, value: 3}}", func(s BudgetSettings) any { return s.PriorityReservation["prod"] }, 0.9),
		lite("priority_reservation_settings", "{default_priority: 0}", func(s BudgetSettings) any { return *s.PriorityReservationSettings.DefaultPriority }, 0.0),
		{l + "priority_reservation_settings.default_priority", "litellm_settings: {priority_reservation_settings: {default_priority: 0.1}}", nil, func(c C) any { return *c.LiteLLMSettings.PriorityReservationSettings.DefaultPriority }, 0.1},
		{l + "priority_reservation_settings.saturation_threshold", "litellm_settings: {priority_reservation_settings: {saturation_threshold: 0.8}}", nil, func(c C) any { return *c.LiteLLMSettings.PriorityReservationSettings.SaturationThreshold }, 0.8},
		lite("max_end_user_budget_id", "b", func(s BudgetSettings) any { return s.MaxEndUserBudgetID }, "b"),
		lite("tag_budget_config", "{t: {max_budget: 1, budget_duration: 1d}}", func(s BudgetSettings) any { return budget(s.TagBudgetConfig["t"]) }, []any{1.0, "1d"}),
		router("provider_budget_config", "{openai: {budget_limit: 2, time_period: 7d}}", func(s SharedSettings) any { return budget(s.ProviderBudgetConfig["openai"]) }, []any{2.0, "7d"}),
		router("default_max_parallel_requests", "3", func(s SharedSettings) any { return *s.DefaultMaxParallelRequests }, 3),
		router("redis_host", "h", func(s SharedSettings) any { return s.RedisHost }, "h"),
		router("redis_port", "1", func(s SharedSettings) any { return s.RedisPort }, 1),
		router("redis_password", "p", func(s SharedSettings) any { return s.RedisPassword.Reveal() }, "p"),
		router("redis_db", "4", func(s SharedSettings) any { return *s.RedisDB }, 4),
		router("redis_url", "redis://h", func(s SharedSettings) any { return s.RedisURL.Reveal() }, "redis://h"),
		{p + "max_parallel_requests", model("max_parallel_requests: 5"), nil, params(func(p LiteLLMParams) any { return *p.MaxParallelRequests }), 5},
		{p + "max_budget", model("max_budget: 6"), nil, params(func(p LiteLLMParams) any { return *p.MaxBudget }), 6.0},
		{p + "budget_duration", model("budget_duration: 1d"), nil, params(func(p LiteLLMParams) any { return p.BudgetDuration }), "1d"},
		{"model_list[].model_info.access_groups", "model_list: [{model_name: m, litellm_params: {model: x}, model_info: {access_groups: [g]}}]", nil, func(c C) any { return c.ModelList[0].ModelInfo.Extra["access_groups"] }, []any{"g"}},
		variable("REDIS_URL", "redis://h", func(v StateVariables) any { return v.RedisURL.Reveal() }, "redis://h"),
		variable("REDIS_SSL", "true", func(v StateVariables) any { return v.RedisSSL }, true),
		variable("REDIS_USERNAME", "u", func(v StateVariables) any { return v.RedisUsername }, "u"),
		variable("REDIS_CLUSTER_NODES", `[{"host":"h","port":1}]`, func(v StateVariables) any { return v.RedisClusterNodes }, `[{"host":"h","port":1}]`),
		variable("REDIS_SENTINEL_NODES", `[["h",1]]`, func(v StateVariables) any { return v.RedisSentinelNodes }, `[["h",1]]`),
		variable("REDIS_SERVICE_NAME", "main", func(v StateVariables) any { return v.RedisServiceName }, "main"),
		variable("REDIS_SENTINEL_PASSWORD", "s", func(v StateVariables) any { return v.RedisSentinelPassword.Reveal() }, "s"),
		variable("REDIS_DB", "3", func(v StateVariables) any { return v.RedisDB }, 3),
		variable("REDIS_MAX_CONNECTIONS", "7", func(v StateVariables) any { return v.RedisMaxConnections }, 7),
		variable("REDIS_SSL_CERT_REQS", "None", func(v StateVariables) any { return v.RedisSSLCertReqs }, "None"),
		variable("REDIS_SSL_CHECK_HOSTNAME", "False", func(v StateVariables) any { return *v.RedisSSLCheckHostname }, false),
		variable("REDIS_SSL_CA_CERTS", "/ca.pem", func(v StateVariables) any { return v.RedisSSLCACerts }, "/ca.pem"),
		variable("REDIS_SSL_CERTFILE", "/c.pem", func(v StateVariables) any { return v.RedisSSLCertfile }, "/c.pem"),
		variable("REDIS_SSL_KEYFILE", "/k.pem", func(v StateVariables) any { return v.RedisSSLKeyfile }, "/k.pem"),
		variable("REDIS_GCP_SERVICE_ACCOUNT", "a@p", func(v StateVariables) any { return v.RedisGCPAccount }, "a@p"),
		variable("REDIS_GCP_SSL_CA_CERTS", "/ca.pem", func(v StateVariables) any { return v.RedisGCPRoots }, "/ca.pem"),
		variable("REDIS_SOCKET_TIMEOUT", "0.2", func(v StateVariables) any { return v.RedisSocketTimeout }, "0.2"),
		variable("SALLYPORT_STATE_DIR", "/s", func(v StateVariables) any { return v.StateDir }, "/s"),
	}
}
