package config

// healthCases are the settings of health checks, and of answers that do not begin or break off.
func healthCases() []effectCase {
	const g, i = "general_settings.", "model_list[].model_info."
	general := func(text string) string { return "general_settings: {" + text + "}" }
	info := func(text string) string {
		return "model_list: [{model_name: m, litellm_params: {model: x}, model_info: {" + text + "}}]"
	}
	of := func(f func(HealthSettings) any) func(*Config) any {
		return func(c *Config) any { return f(c.GeneralSettings.HealthSettings) }
	}
	model := func(f func(ModelHealth) any) func(*Config) any {
		return func(c *Config) any { return f(c.ModelList[0].ModelInfo.ModelHealth) }
	}
	type H = HealthSettings
	type M = ModelHealth
	router := func(f func(AnswerSettings) any) func(*Config) any {
		return func(c *Config) any { return f(c.RouterSettings.AnswerSettings) }
	}
	hedging := func(f func(*Hedging) any) func(*Config) any {
		return func(c *Config) any { return f(c.RouterSettings.Hedging) }
	}
	const r = "router_settings."
	type A = AnswerSettings
	return []effectCase{
		{r + "total_timeout", "router_settings: {total_timeout: 9}", nil, router(func(a A) any { return *a.TotalTimeout }), Seconds(9)},
		{r + "mid_stream_fallbacks", "router_settings: {mid_stream_fallbacks: false}", nil, router(func(a A) any { return *a.MidStreamFallbacks }), false},
		{r + "hedging", "router_settings: {hedging: {}}", nil, router(func(a A) any { return a.Hedging != nil }), true},
		{r + "hedging.percentile", "router_settings: {hedging: {percentile: 90}}", nil, hedging(func(h *Hedging) any { return *h.Percentile }), 90.0},
		{r + "hedging.min_samples", "router_settings: {hedging: {min_samples: 9}}", nil, hedging(func(h *Hedging) any { return *h.MinSamples }), 9},
		{r + "hedging.max_share", "router_settings: {hedging: {max_share: 0.5}}", nil, hedging(func(h *Hedging) any { return *h.MaxShare }), 0.5},
		{r + "hedging.min_delay", "router_settings: {hedging: {min_delay: 1}}", nil, hedging(func(h *Hedging) any { return *h.MinDelay }), Seconds(1)},
		{r + "hedging.model_groups", "router_settings: {hedging: {model_groups: [m]}}", nil, hedging(func(h *Hedging) any { return h.ModelGroups }), []string{"m"}},
		{g + "background_health_checks", general("background_health_checks: true"), nil, of(func(h H) any { return h.BackgroundHealthChecks }), true},
		{g + "health_check_interval", general("health_check_interval: 2"), nil, of(func(h H) any { return *h.HealthCheckInterval }), Seconds(2)},
		{g + "health_check_details", general("health_check_details: false"), nil, of(func(h H) any { return *h.HealthCheckDetails }), false},
		{g + "health_check_concurrency", general("health_check_concurrency: 3"), nil, of(func(h H) any { return *h.HealthCheckConcurrency }), 3},
		{g + "use_shared_health_check", general("use_shared_health_check: true"), nil, of(func(h H) any { return h.UseSharedHealthCheck }), true},
		{g + "enable_health_check_routing", general("enable_health_check_routing: true"), nil, of(func(h H) any { return h.EnableHealthCheckRouting }), true},
		{g + "health_check_staleness_threshold", general("health_check_staleness_threshold: 9"), nil, of(func(h H) any { return *h.HealthCheckStaleness }), Seconds(9)},
		{g + "health_check_ignore_transient_errors", general("health_check_ignore_transient_errors: true"), nil, of(func(h H) any { return h.HealthCheckIgnoreTransient }), true},
		{i + "health_check_model", info("health_check_model: openai/y"), nil, model(func(m M) any { return m.HealthCheckModel }), "openai/y"},
		{i + "health_check_timeout", info("health_check_timeout: 1.5"), nil, model(func(m M) any { return *m.HealthCheckTimeout }), Seconds(1.5)},
		{i + "health_check_max_tokens", info("health_check_max_tokens: 5"), nil, model(func(m M) any { return *m.HealthCheckMaxTokens }), 5},
		{i + "health_check_voice", info("health_check_voice: nova"), nil, model(func(m M) any { return m.HealthCheckVoice }), "nova"},
		{i + "disable_background_health_check", info("disable_background_health_check: true"), nil, model(func(m M) any { return m.DisableBackgroundHealthCheck }), true},
	}
}
