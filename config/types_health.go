package config

// HealthSettings are those of general_settings about health checks.
type HealthSettings struct {
	// BackgroundHealthChecks probes deployments on a timer, every
	// HealthCheckInterval; GET /health then probes nothing.
	BackgroundHealthChecks bool     `config:"background_health_checks"`
	HealthCheckInterval    *Seconds `config:"health_check_interval"`
	// HealthCheckDetails shows more of a deployment than its model; nil is
	// true.
	HealthCheckDetails     *bool `config:"health_check_details"`
	HealthCheckConcurrency *int  `config:"health_check_concurrency"`
	// UseSharedHealthCheck shares results through Redis. With a database they
	// are shared anyway.
	UseSharedHealthCheck     bool     `config:"use_shared_health_check"`
	EnableHealthCheckRouting bool     `config:"enable_health_check_routing"`
	HealthCheckStaleness     *Seconds `config:"health_check_staleness_threshold"`
	// HealthCheckIgnoreTransient keeps deployments in routing whose check
	// failed with a timeout or a rate limit.
	HealthCheckIgnoreTransient bool `config:"health_check_ignore_transient_errors"`
}

// ModelHealth is what model_info says about the health check of a deployment.
type ModelHealth struct {
	// HealthCheckModel is called in place of the deployment's own model.
	HealthCheckModel   string   `config:"health_check_model"`
	HealthCheckTimeout *Seconds `config:"health_check_timeout"`
	// HealthCheckMaxTokens is what the check asks for; nil is 1.
	HealthCheckMaxTokens         *int   `config:"health_check_max_tokens"`
	HealthCheckVoice             string `config:"health_check_voice"`
	DisableBackgroundHealthCheck bool   `config:"disable_background_health_check"`
}
