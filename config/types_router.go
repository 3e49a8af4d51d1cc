package config

// ChoiceSettings are those of router_settings about which deployments a request
// may be sent to.
type ChoiceSettings struct {
	EnablePreCallChecks bool `config:"enable_pre_call_checks"`
	// OptionalPreCallChecks names further checks; the schema lists them.
	OptionalPreCallChecks []string `config:"optional_pre_call_checks"`
	EnableTagFiltering    bool     `config:"enable_tag_filtering"`
	// TagFilteringMatchAny is nil for true.
	TagFilteringMatchAny  *bool    `config:"tag_filtering_match_any"`
	DeploymentAffinityTTL *Seconds `config:"deployment_affinity_ttl_seconds"`
	// DefaultPriority, MaxQueueLength and QueueTimeout are of those who wait
	// for a deployment without a free place.
	DefaultPriority *int     `config:"default_priority"`
	MaxQueueLength  *int     `config:"max_queue_length"`
	QueueTimeout    *Seconds `config:"queue_timeout"`
	// DefaultParams are parameters of every deployment that has none of the
	// name, as written.
	DefaultParams map[string]any `config:"default_litellm_params"`
	General       RouterAsAWhole `config:"router_general_settings"`
}

// RouterAsAWhole is router_general_settings.
type RouterAsAWhole struct {
	// PassThroughAllModels serves every model of a known vendor by its name.
	PassThroughAllModels bool `config:"pass_through_all_models"`
	// Other holds the settings that have no field here.
	Other map[string]any `config:",remain"`
}
