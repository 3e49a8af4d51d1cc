package config

// StateSettings are those of general_settings about the database, keys,
// limits, budgets and spend.
type StateSettings struct {
	// DatabaseURL is an address of PostgreSQL, sqlite:// with the path of a
	// file, or "none"; from the file or else from DATABASE_URL.
	DatabaseURL                  Secret   `config:"database_url"`
	DatabaseConnectionPoolLimit  *int     `config:"database_connection_pool_limit"`
	DatabaseConnectionTimeout    *Seconds `config:"database_connection_timeout"`
	DisablePrismaSchemaUpdate    bool     `config:"disable_prisma_schema_update"`
	AllowRequestsOnDBUnavailable bool     `config:"allow_requests_on_db_unavailable"`
	UserAPIKeyCacheTTL           *Seconds `config:"user_api_key_cache_ttl"`
	AllowedRoutes                []string `config:"allowed_routes"`
	PublicRoutes                 []string `config:"public_routes"`
	AdminOnlyRoutes              []string `config:"admin_only_routes"`
	EnforceUserParam             bool     `config:"enforce_user_param"`
	EnforcedParams               []string `config:"enforced_params"`
	ServiceAccountSettings       any      `config:"service_account_settings"`
	UserHeaderName               string   `config:"user_header_name"`
	UserHeaderMappings           []any    `config:"user_header_mappings"`
	RejectClientsideMetadataTags bool     `config:"reject_clientside_metadata_tags"`
	MaxParallelRequests          *int     `config:"max_parallel_requests"`
	GlobalMaxParallelRequests    *int     `config:"global_max_parallel_requests"`
	DisableRetryOnMaxParallel    bool     `config:"disable_retry_on_max_parallel_request_limit_error"`
	TokenRateLimitType           string   `config:"token_rate_limit_type"`
	DisableResetBudget           bool     `config:"disable_reset_budget"`
	BudgetReschedulerMinTime     *Seconds `config:"proxy_budget_rescheduler_min_time"`
	BudgetReschedulerMaxTime     *Seconds `config:"proxy_budget_rescheduler_max_time"`
	DisableSpendLogs             bool     `config:"disable_spend_logs"`
	DisableSpendUpdates          bool     `config:"disable_spend_updates"`
	DisableErrorLogs             bool     `config:"disable_error_logs"`
	DisableAddingMasterKeyHash   bool     `config:"disable_adding_master_key_hash_to_db"`
	StorePromptsInSpendLogs      bool     `config:"store_prompts_in_spend_logs"`
	ProxyBatchWriteAt            *Seconds `config:"proxy_batch_write_at"`
	SpendLogsRetentionPeriod     string   `config:"maximum_spend_logs_retention_period"`
	SpendLogsRetentionInterval   string   `config:"maximum_spend_logs_retention_interval"`
	SpendLogsCleanupCron         string   `config:"maximum_spend_logs_cleanup_cron"`
}

// ServiceEnforcedParams are the fields that requests of service accounts must
// have.
func (s StateSettings) ServiceEnforcedParams() []string {
	m, _ := s.ServiceAccountSettings.(map[string]any)
	list, _ := m["enforced_params"].([]any)
	var out []string
	for _, v := range list {
		if name, ok := v.(string); ok {
			out = append(out, name)
		}
	}
	return out
}

// CustomerHeader is the header that names the customer: that of
// user_header_mappings, or else user_header_name.
func (s StateSettings) CustomerHeader() string {
	for _, v := range s.UserHeaderMappings {
		m, _ := v.(map[string]any)
		role, _ := m["litellm_user_role"].(string)
		if name, _ := m["header_name"].(string); name != "" && role == "customer" {
			return name
		}
	}
	return s.UserHeaderName
}

// BudgetSettings are those of litellm_settings about money.
type BudgetSettings struct {
	// MaxBudget is for the whole gateway, in US dollars; nil or 0 is none.
	MaxBudget          *float64 `config:"max_budget"`
	BudgetDuration     string   `config:"budget_duration"`
	MaxEndUserBudget   *float64 `config:"max_end_user_budget"`
	MaxUISessionBudget *float64 `config:"max_ui_session_budget"`
	// DefaultSoftBudget is that of keys without one, in US dollars; nil is none.
	DefaultSoftBudget *float64 `config:"default_soft_budget"`
	// PriorityReservation is the share by priority of what a model group can
	// take in a minute: a number, or an object with type and value.
	PriorityReservation         map[string]any              `config:"priority_reservation"`
	PriorityReservationSettings PriorityReservationSettings `config:"priority_reservation_settings"`
	MaxEndUserBudgetID          string                      `config:"max_end_user_budget_id"`
	DisableEndUserCostTracking  bool                        `config:"disable_end_user_cost_tracking"`
	// TagBudgetConfig holds budgets by tag of a request.
	TagBudgetConfig map[string]PeriodBudget `config:"tag_budget_config"`
}

// PriorityReservationSettings say how strictly shares of priorities are kept.
type PriorityReservationSettings struct {
	// DefaultPriority is the share of those without a priority.
	DefaultPriority *float64 `config:"default_priority"`
	// SaturationThreshold is the used share of a group from which on shares
	// of priorities hold.
	SaturationThreshold *float64 `config:"saturation_threshold"`
	// Other holds the settings that have no field here.
	Other map[string]any `config:",remain"`
}

// PeriodBudget is an amount of US dollars for each period. Of the two names
// of each field either may be written.
type PeriodBudget struct {
	BudgetLimit    *float64 `config:"budget_limit"`
	TimePeriod     string   `config:"time_period"`
	MaxBudget      *float64 `config:"max_budget"`
	BudgetDuration string   `config:"budget_duration"`
}

// Limit is the amount; nil is none.
func (p PeriodBudget) Limit() *float64 {
	if p.BudgetLimit != nil {
		return p.BudgetLimit
	}
	return p.MaxBudget
}

// Period is the duration as written.
func (p PeriodBudget) Period() string {
	if p.TimePeriod != "" {
		return p.TimePeriod
	}
	return p.BudgetDuration
}

// SharedSettings are those of router_settings about what replicas share and
// what deployments may spend.
type SharedSettings struct {
	ProviderBudgetConfig       map[string]PeriodBudget `config:"provider_budget_config"`
	DefaultMaxParallelRequests *int                    `config:"default_max_parallel_requests"`
	RedisURL                   Secret                  `config:"redis_url"`
	RedisHost                  string                  `config:"redis_host"`
	RedisPort                  any                     `config:"redis_port"`
	RedisPassword              Secret                  `config:"redis_password"`
	RedisDB                    *int                    `config:"redis_db"`
	// CachingGroups are lists of model groups that share cached answers.
	CachingGroups [][]string `config:"caching_groups"`
}

// DeploymentLimits are those of litellm_params about money.
type DeploymentLimits struct {
	MaxBudget      *float64 `config:"max_budget"`
	BudgetDuration string   `config:"budget_duration"`
}

// StateVariables are the environment variables about the database, Redis and
// what is kept.
type StateVariables struct {
	DatabaseURL         Secret `config:"DATABASE_URL"`
	DirectURL           Secret `config:"DIRECT_URL"`
	DatabaseHost        string `config:"DATABASE_HOST"`
	DatabasePort        string `config:"DATABASE_PORT"`
	DatabaseName        string `config:"DATABASE_NAME"`
	DatabaseUser        string `config:"DATABASE_USER"`
	DatabaseUsername    string `config:"DATABASE_USERNAME"`
	DatabasePassword    Secret `config:"DATABASE_PASSWORD"`
	DatabaseSchema      string `config:"DATABASE_SCHEMA"`
	DisableSchemaUpdate bool   `config:"DISABLE_SCHEMA_UPDATE"`
	IAMTokenDBAuth      bool   `config:"IAM_TOKEN_DB_AUTH"`
	SaltKey             Secret `config:"LITELLM_SALT_KEY"`
	SpendLogsURL        string `config:"SPEND_LOGS_URL"`
	// StateDir is the folder for what the gateway keeps on this machine.
	StateDir string `config:"SALLYPORT_STATE_DIR"`
	// StoreModelInDB stands for general_settings.store_model_in_db.
	StoreModelInDB bool `config:"STORE_MODEL_IN_DB"`
	// ProxyBaseURL is where people reach the gateway, for links.
	ProxyBaseURL string `config:"PROXY_BASE_URL"`

	ParallelRetries      string `config:"LITELLM_GLOBAL_MAX_PARALLEL_REQUEST_RETRIES"`
	ParallelRetryTimeout string `config:"LITELLM_GLOBAL_MAX_PARALLEL_REQUEST_RETRY_TIMEOUT"`

	// KeyRotation turns on that keys with auto_rotate get a new secret when their time has come; it is looked for every
	// KeyRotationEvery seconds.
	KeyRotation      bool   `config:"LITELLM_KEY_ROTATION_ENABLED"`
	KeyRotationEvery string `config:"LITELLM_KEY_ROTATION_CHECK_INTERVAL_SECONDS"`
	KeyRotationGrace string `config:"LITELLM_KEY_ROTATION_GRACE_PERIOD"`

	RedisVariables `config:",squash"`
}

// readStateVariables fills StateVariables; the checker has refused bad values.
func readStateVariables(env *Env) StateVariables {
	v := StateVariables{
		DatabaseURL: Secret(env.Get("DATABASE_URL")), DirectURL: Secret(env.Get("DIRECT_URL")),
		DatabaseHost: env.Get("DATABASE_HOST"), DatabasePort: env.Get("DATABASE_PORT"), DatabaseName: env.Get("DATABASE_NAME"),
		DatabaseUser: env.Get("DATABASE_USER"), DatabaseUsername: env.Get("DATABASE_USERNAME"),
		DatabasePassword: Secret(env.Get("DATABASE_PASSWORD")), DatabaseSchema: env.Get("DATABASE_SCHEMA"),
		SaltKey: Secret(env.Get("LITELLM_SALT_KEY")), SpendLogsURL: env.Get("SPEND_LOGS_URL"), StateDir: env.Get("SALLYPORT_STATE_DIR"),
		ProxyBaseURL:         env.Get("PROXY_BASE_URL"),
		ParallelRetries:      env.Get("LITELLM_GLOBAL_MAX_PARALLEL_REQUEST_RETRIES"),
		ParallelRetryTimeout: env.Get("LITELLM_GLOBAL_MAX_PARALLEL_REQUEST_RETRY_TIMEOUT"),
		KeyRotationEvery:     env.Get("LITELLM_KEY_ROTATION_CHECK_INTERVAL_SECONDS"),
		KeyRotationGrace:     env.Get("LITELLM_KEY_ROTATION_GRACE_PERIOD"),
		RedisVariables:       readRedisVariables(env),
	}
	v.KeyRotation, _ = parseBool(env.Get("LITELLM_KEY_ROTATION_ENABLED"))
	v.DisableSchemaUpdate, _ = parseBool(env.Get("DISABLE_SCHEMA_UPDATE"))
	v.IAMTokenDBAuth, _ = parseBool(env.Get("IAM_TOKEN_DB_AUTH"))
	v.StoreModelInDB, _ = parseBool(env.Get("STORE_MODEL_IN_DB"))
	return v
}
