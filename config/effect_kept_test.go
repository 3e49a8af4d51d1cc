package config

// keptCases are the settings about what the gateway keeps for callers.
func keptCases() []effectCase {
	const g = "general_settings."
	return []effectCase{
		{g + "disable_responses_id_security", "general_settings: {disable_responses_id_security: true}", nil, func(c *Config) any { return c.GeneralSettings.DisableResponsesIDSecurity }, true},
		{g + "proxy_batch_polling_interval", "general_settings: {proxy_batch_polling_interval: 60}", nil, func(c *Config) any { return c.GeneralSettings.BatchPollingInterval.Duration().String() }, "1m0s"},
		{"model_list[].litellm_params.max_file_size_mb", model("max_file_size_mb: 0.5"), nil, params(func(p LiteLLMParams) any { return p.Other["max_file_size_mb"] }), 0.5},
		{"litellm_settings.include_cost_in_streaming_usage", "litellm_settings: {include_cost_in_streaming_usage: true}", nil, func(c *Config) any { return c.LiteLLMSettings.IncludeCostInStreamingUsage }, true},
		{"SALLYPORT_RESPONSES_PERIOD", "", []string{"SALLYPORT_RESPONSES_PERIOD=7d"}, func(c *Config) any { return c.Variables.ResponsesPeriod }, "7d"},
		{"SALLYPORT_RESPONSES_MAX_MB", "", []string{"SALLYPORT_RESPONSES_MAX_MB=10"}, func(c *Config) any { return c.Variables.ResponsesMaxMB }, "10"},
		{"SALLYPORT_UNKNOWN_IDS", "", []string{"SALLYPORT_UNKNOWN_IDS=deny"}, func(c *Config) any { return c.Variables.UnknownIDs }, "deny"},
	}
}
