package admin

import (
	"context"
	"net/http"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Policy is what the configuration says about who may create what. The zero value restricts nothing.
type Policy struct {
	Defaults       map[string]any    // default_key_generate_params: for what a new key leaves out
	UpperBound     map[string]any    // upperbound_key_generate_params: the highest values of a new key
	TeamKeys       *KeyRule          // key_generation_settings.team_key_generation
	PersonalKeys   *KeyRule          // key_generation_settings.personal_key_generation
	GracePeriod    string            // LITELLM_KEY_ROTATION_GRACE_PERIOD: how long a rotated key's old secret stays good
	NeedTeam       bool              // default_team_disabled: people make keys for teams only
	UserDefaults   map[string]any    // default_internal_user_params
	TeamDefaults   map[string]any    // default_team_params
	UserBudget     *float64          // max_internal_user_budget, for users who are given none
	UserBudgetTerm string            // internal_user_budget_duration
	StoreModels    bool              // store_model_in_db
	HideMasterKey  bool              // disable_master_key_return
	MasterHash     string            // SHA-256 of the master key in hex; empty without one
	Zone           func() string     // name of the time zone that budget periods end in; nil is UTC
	KeyGenerate    KeyHook           // custom_key_generate; nil asks nobody
	Exists         func(string) bool // whether there is a model group or access group of the name; nil knows all
	MaxBudget      *float64          // of the whole proxy

	// Cost is what a chat costs, or an answer that there is; Estimate what one of so many tokens costs. nil refuses.
	Cost     func(model string, messages, answer []byte) (float64, error)
	Estimate func(model string, input, output int64) (Estimate, error)
	// ProviderBudgets is what GET /provider/budgets shows, by provider.
	ProviderBudgets func(ctx context.Context) (map[string]any, error)

	// Shown is a section of the configuration in force, without secrets; CheckStored says why a gateway would not start
	// with a document of sections laid over its file.
	Shown       func(section string) any
	CheckStored func(ctx context.Context, doc []byte) error

	ModelGroups func() map[string][]string // models of the configuration by access group; nil has none

	BaseURL func() string // PROXY_BASE_URL; nil is unknown
	Logout  string        // PROXY_LOGOUT_URL; empty is the login page
	SSO     bool          // people sign in at an identity provider

	CheckModel func(name string, params, info map[string]any) error // whether a deployment can be made of it; nil takes all
	Apply      func(ctx context.Context) error                      // makes changed models and credentials take effect; nil does nothing
	Forget     func(hash ...string)                                 // drops what is remembered of keys on this replica; nil does nothing
}

// KeyRule restricts one kind of key.
type KeyRule struct {
	Roles    []string // allowed_team_member_roles or allowed_user_roles; empty allows all
	Required []string // required_params
}

// KeyHook may allow, change or refuse a new key, whose parameters are those of /key/generate. r is the request for it, its
// body read already; RemoteAddr is the caller's address. A refusal is an *llm.Error.
type KeyHook func(r *http.Request, who *llm.Principal, params map[string]any) (map[string]any, error)
