package config

// KeySettings are those of litellm_settings about new keys, users and teams.
type KeySettings struct {
	KeyGenerationSettings KeyGeneration `config:"key_generation_settings"`
	// The highest values of a new key, and the values of what a request for
	// one leaves out, by the member's name.
	UpperboundKeyGenerateParams map[string]any `config:"upperbound_key_generate_params"`
	DefaultKeyGenerateParams    map[string]any `config:"default_key_generate_params"`
	DefaultInternalUserParams   map[string]any `config:"default_internal_user_params"`
	DefaultTeamParams           map[string]any `config:"default_team_params"`
	// MaxInternalUserBudget is for users who were given no budget.
	MaxInternalUserBudget      *float64 `config:"max_internal_user_budget"`
	InternalUserBudgetDuration string   `config:"internal_user_budget_duration"`
}

// KeyGeneration restricts who may make keys; nil restricts nobody.
type KeyGeneration struct {
	Team     *KeyRule `config:"team_key_generation"`
	Personal *KeyRule `config:"personal_key_generation"`
}

// KeyRule names roles that may make keys, and members that a request for one
// must have.
type KeyRule struct {
	AllowedTeamMemberRoles []string `config:"allowed_team_member_roles"`
	AllowedUserRoles       []string `config:"allowed_user_roles"`
	RequiredParams         []string `config:"required_params"`
}

// ManagementSettings are those of general_settings about the management API.
type ManagementSettings struct {
	// StoreModelInDB uses, and lets change, models and settings in the
	// database; STORE_MODEL_IN_DB does the same.
	StoreModelInDB bool `config:"store_model_in_db"`
	// DefaultTeamDisabled lets people make keys for teams only.
	DefaultTeamDisabled bool `config:"default_team_disabled"`
}
