package config

import (
	"slices"
	"strings"
)

// Config is one loaded configuration. It is read-only once Load returned it;
// a reload makes a new one.
//
// Pointers mark settings whose absence differs from their zero value.
type Config struct {
	ModelList       []Model         `config:"model_list"`
	LiteLLMSettings LiteLLMSettings `config:"litellm_settings"`
	GeneralSettings GeneralSettings `config:"general_settings"`
	RouterSettings  RouterSettings  `config:"router_settings"`
	// EnvironmentVariables is the section as written, os.environ/ references
	// resolved. Use Env to read variables: it has them already.
	EnvironmentVariables map[string]Secret `config:"environment_variables"`
	CredentialList       []Credential      `config:"credential_list"`
	Guardrails           []Guardrail       `config:"guardrails"`
	// CallbackSettings holds the options of callbacks by name; see
	// CallbackOptions for those of a plugin.
	CallbackSettings map[string]CallbackSettings `config:"callback_settings"`
	Prompts          []Prompt                    `config:"prompts"`
	// FilesSettings and FinetuneSettings say how each vendor's files and
	// batches, and its fine-tuning jobs, are reached; AssistantSettings who
	// has the assistants. A vendor that is not listed takes the usual
	// environment variables.
	FilesSettings     []ResourceSettings `config:"files_settings"`
	FinetuneSettings  []ResourceSettings `config:"finetune_settings"`
	AssistantSettings AssistantSettings  `config:"assistant_settings"`
	VectorStores      []VectorStore      `config:"vector_store_registry"`
	// DefaultVertexConfig holds the credentials of the /vertex_ai paths.
	DefaultVertexConfig VertexConfig `config:"default_vertex_config"`
	// Include lists the files named by `include`, as written.
	Include []string `config:"include"`

	// Variables are the environment variables that are settings of the
	// gateway itself, typed.
	Variables Variables `config:"-"`

	env   *Env
	files []string
	where map[string]Position
	root  *node
}

// Files returns the paths of every file the configuration came from, the main
// one first. Relative paths of plugins are relative to its folder. It is
// empty for a configuration without a file.
func (c *Config) Files() []string { return slices.Clone(c.files) }

// Env returns the environment this configuration was loaded with: the
// process's variables, those of .env, and environment_variables on top.
func (c *Config) Env() *Env { return c.env }

// Model is one entry of model_list: a deployment. Entries that share a
// ModelName form a model group.
type Model struct {
	ModelName     string        `config:"model_name"`
	LiteLLMParams LiteLLMParams `config:"litellm_params"`
	ModelInfo     ModelInfo     `config:"model_info"`
}

// LiteLLMParams is everything needed to call one deployment.
type LiteLLMParams struct {
	// Model is "<provider>/<upstream name>" or a bare upstream name.
	Model                string   `config:"model"`
	CustomLLMProvider    string   `config:"custom_llm_provider"`
	APIKey               Secret   `config:"api_key"`
	APIBase              string   `config:"api_base"`
	APIVersion           string   `config:"api_version"`
	Organization         []string `config:"organization"`
	Timeout              *Seconds `config:"timeout"`
	StreamTimeout        *Seconds `config:"stream_timeout"`
	MaxRetries           *int     `config:"max_retries"`
	NumRetries           *int     `config:"num_retries"`
	RPM                  *int     `config:"rpm"`
	TPM                  *int     `config:"tpm"`
	Weight               *float64 `config:"weight"`
	Order                *int     `config:"order"`
	MaxParallelRequests  *int     `config:"max_parallel_requests"`
	CooldownTime         *Seconds `config:"cooldown_time"`
	Tags                 []string `config:"tags"`
	MockResponse         *string  `config:"mock_response"`
	CredentialName       string   `config:"litellm_credential_name"`
	DropParams           *bool    `config:"drop_params"`
	AdditionalDropParams []string `config:"additional_drop_params"`
	AllowedOpenAIParams  []string `config:"allowed_openai_params"`
	// ExtraHeaders are sent upstream with every call; ExtraBody is merged
	// into the upstream body.
	ExtraHeaders map[string]string `config:"extra_headers"`
	ExtraBody    map[string]any    `config:"extra_body"`
	// Prices in US dollars for one token; nil means not set, zero means free.
	InputCostPerToken  *float64 `config:"input_cost_per_token"`
	OutputCostPerToken *float64 `config:"output_cost_per_token"`

	// Prices holds the other prices by name, such as
	// cache_read_input_token_cost, as they were written.
	Prices map[string]any `config:"-"`

	DeploymentLimits `config:",squash"`
	// Extra holds the keys that are no setting of a deployment, such as
	// temperature: defaults for requests, which a client may override.
	Extra map[string]any `config:",remain"`
	// Other holds the keys that are settings of a deployment known to
	// LiteLLM but without a field here. They may be secrets and are never
	// to be sent upstream as request parameters.
	Other map[string]any `config:"-"`
	// Unresolved maps keys written as os.environ/NAME to the NAME that is not
	// set. A missing api_key must not be replaced by the provider's own
	// variable: the operator meant another key.
	Unresolved map[string]string `config:"-"`
}

// ModelInfo is what the operator says about a deployment.
type ModelInfo struct {
	// ID identifies the deployment; empty means the caller derives one.
	ID        string `config:"id"`
	Mode      string `config:"mode"`
	BaseModel string `config:"base_model"`
	// Prices in US dollars for one token, used where LiteLLMParams has none.
	InputCostPerToken  *float64 `config:"input_cost_per_token"`
	OutputCostPerToken *float64 `config:"output_cost_per_token"`
	CooldownTime       *Seconds `config:"cooldown_time"` // used where LiteLLMParams has none
	MaxTokens          *int     `config:"max_tokens"`
	MaxInputTokens     *int     `config:"max_input_tokens"`
	MaxOutputTokens    *int     `config:"max_output_tokens"`
	ModelHealth        `config:",squash"`
	// Extra holds every other key, returned as given by GET /model/info.
	Extra map[string]any `config:",remain"`
}

// LiteLLMSettings holds the behaviour of calls, logging and fallbacks.
type LiteLLMSettings struct {
	StreamedSettings `config:",squash"`
	DropParams       *bool `config:"drop_params"`
	// EnableAzureADTokenRefresh has Azure deployments without a key use the identity of the machine.
	EnableAzureADTokenRefresh *bool `config:"enable_azure_ad_token_refresh"`
	// RequestTimeout bounds a call to a model; LiteLLM's default is 6000 s.
	RequestTimeout   *Seconds  `config:"request_timeout"`
	NumRetries       *int      `config:"num_retries"`
	Fallbacks        Fallbacks `config:"fallbacks"`
	DefaultFallbacks []string  `config:"default_fallbacks"`
	// For failures of their kind; router_settings wins for a group that both name.
	ContextWindowFallbacks Fallbacks `config:"context_window_fallbacks"`
	ContentPolicyFallbacks Fallbacks `config:"content_policy_fallbacks"`
	AllowedFails           *int      `config:"allowed_fails"`
	SetVerbose             bool      `config:"set_verbose"`
	JSONLogs               *bool     `config:"json_logs"`
	// Callbacks get records of all exchanges, the other two only of those
	// that ended well or badly. Paths of plugins end in .wasm.
	Callbacks       []string `config:"callbacks"`
	SuccessCallback []string `config:"success_callback"`
	FailureCallback []string `config:"failure_callback"`
	// RequireAuthForMetrics asks for a key at /metrics, EndUserInMetrics puts
	// the end user in metric labels.
	RequireAuthForMetrics bool `config:"require_auth_for_metrics_endpoint"`
	EndUserInMetrics      bool `config:"enable_end_user_cost_tracking_prometheus_only"`
	// ModelGroupSettings hold for whole model groups.
	ModelGroupSettings ModelGroupSettings `config:"model_group_settings"`
	CustomProviderMap  []CustomProvider   `config:"custom_provider_map"`
	// CostDiscount is the share by provider that is taken off a cost,
	// CostMargin a share, or an object with percentage and fixed_amount, by
	// provider or for "global", that is added.
	CostDiscount   map[string]float64 `config:"cost_discount_config"`
	CostMargin     map[string]any     `config:"cost_margin_config"`
	BudgetSettings `config:",squash"`
	KeySettings    `config:",squash"`
	CacheSettings  `config:",squash"`
	// VertexAISafetySettings go with requests to Google's models that have
	// none of their own.
	VertexAISafetySettings []map[string]any `config:"vertex_ai_safety_settings"`
	ConnectionSettings     `config:",squash"`
	// ModifyParams mends requests that a provider would refuse.
	ModifyParams bool `config:"modify_params"`
	// DisableTransformInlineImage keeps images for Fireworks as they are.
	DisableTransformInlineImage bool `config:"disable_add_transform_inline_image_block"`
	// APIBase is where deployments of OpenAI are that name no address.
	APIBase string `config:"api_base"`
	// EnablePreviewFeatures sends a request's metadata to OpenAI.
	EnablePreviewFeatures bool `config:"enable_preview_features"`
	// RouteAllChatToResponses sends chats to OpenAI's Responses API.
	RouteAllChatToResponses *bool `config:"route_all_chat_openai_to_responses"`
	// ReasoningAutoSummary asks for a summary of what models of OpenAI's
	// Responses API think.
	ReasoningAutoSummary *bool `config:"reasoning_auto_summary"`
	// Other holds the settings that have no field here.
	Other map[string]any `config:",remain"`
}

// ConnectionSettings say how connections to models and other servers are opened.
type ConnectionSettings struct {
	ForceIPv4 bool `config:"force_ipv4"`
	// SSLVerify is a bool, or the path of a file with authorities; nil leaves
	// it to SSL_VERIFY.
	SSLVerify any `config:"ssl_verify"`
	// SSLCertificate is the path of a client certificate with its key, in
	// PEM; empty leaves it to SSL_CERTIFICATE.
	SSLCertificate string `config:"ssl_certificate"`
	SSLCurve       string `config:"ssl_ecdh_curve"`
}

// GeneralSettings holds what concerns the server.
type GeneralSettings struct {
	// MasterKey is the administrator's key, from the file or else from
	// LITELLM_MASTER_KEY or PROXY_MASTER_KEY. Empty means that every caller
	// is an administrator.
	MasterKey Secret `config:"master_key"`
	// CustomAuth is the path of a WebAssembly plugin, as written.
	CustomAuth         string             `config:"custom_auth"`
	CustomAuthSettings CustomAuthSettings `config:"custom_auth_settings"`
	// Size limits in megabytes; nil means no limit.
	MaxRequestSizeMB     *float64              `config:"max_request_size_mb"`
	MaxResponseSizeMB    *float64              `config:"max_response_size_mb"`
	UseXForwardedFor     bool                  `config:"use_x_forwarded_for"`
	AllowedIPs           []string              `config:"allowed_ips"`
	LiteLLMKeyHeaderName string                `config:"litellm_key_header_name"`
	PassThroughEndpoints []PassThroughEndpoint `config:"pass_through_endpoints"`
	// AllowClientSideCredentials lets requests bring an address and key of
	// their own for the vendor, at public addresses and in ClientSideNetworks.
	AllowClientSideCredentials bool     `config:"allow_client_side_credentials"`
	ClientSideNetworks         []string `config:"client_side_networks"`
	// ForwardOpenAIOrgID and ForwardClientHeaders send lines of the caller's
	// header on to vendors.
	ForwardOpenAIOrgID   bool `config:"forward_openai_org_id"`
	ForwardClientHeaders bool `config:"forward_client_headers_to_llm_api"`
	// UseClientCredentials sends the caller's own credentials to vendors
	// below their paths, and asks for no key there.
	UseClientCredentials bool   `config:"use_client_credentials_pass_through_routes"`
	InferModelFromKeys   bool   `config:"infer_model_from_keys"`
	CompletionModel      string `config:"completion_model"`
	EmbeddingModel       string `config:"embedding_model"`
	ImageGenerationModel string `config:"image_generation_model"`
	ModerationModel      string `config:"moderation_model"`
	StateSettings        `config:",squash"`
	LoginSettings        `config:",squash"`
	ManagementSettings   `config:",squash"`
	HealthSettings       `config:",squash"`
	KeptSettings         `config:",squash"`
	// Other holds the settings that have no field here.
	Other map[string]any `config:",remain"`
}

// ModelGroupSettings are settings of whole model groups.
type ModelGroupSettings struct {
	// ForwardClientHeaders lists the groups whose vendors get lines of the
	// caller's header.
	ForwardClientHeaders []string `config:"forward_client_headers_to_llm_api"`
	// Other holds the settings that have no field here.
	Other map[string]any `config:",remain"`
}

// CustomAuthSettings says how the auth plugin and virtual keys work together.
type CustomAuthSettings struct {
	// Mode is "on" (the plugin alone decides, the default), "off" or "auto"
	// (the plugin first, keys when it passes on).
	Mode          string `config:"mode"`
	PluginOptions `config:",squash"`
}

// PassThroughEndpoint adds a path whose requests go to Target unchanged.
type PassThroughEndpoint struct {
	ID                 string            `config:"id"`
	Path               string            `config:"path"`
	Target             string            `config:"target"`
	Headers            map[string]Secret `config:"headers"`
	IncludeSubpath     bool              `config:"include_subpath"`
	Auth               bool              `config:"auth"`
	ForwardHeaders     bool              `config:"forward_headers"`
	MergeQueryParams   bool              `config:"merge_query_params"`
	DefaultQueryParams map[string]string `config:"default_query_params"`
	Methods            []string          `config:"methods"`
	// CostPerRequest in US dollars.
	CostPerRequest *float64       `config:"cost_per_request"`
	Guardrails     any            `config:"guardrails"`
	Other          map[string]any `config:",remain"`
}

// RouterSettings tunes how a deployment is chosen, retried and replaced.
type RouterSettings struct {
	// RoutingStrategy is one that the schema allows, or empty.
	RoutingStrategy     string              `config:"routing_strategy"`
	RoutingStrategyArgs RoutingStrategyArgs `config:"routing_strategy_args"`
	// The policies give a number by class of error, such as
	// "RateLimitErrorRetries" and "RateLimitErrorAllowedFails".
	RetryPolicy            map[string]int            `config:"retry_policy"`
	ModelGroupRetryPolicy  map[string]map[string]int `config:"model_group_retry_policy"`
	AllowedFails           *int                      `config:"allowed_fails"`
	AllowedFailsPolicy     map[string]int            `config:"allowed_fails_policy"`
	CooldownTime           *Seconds                  `config:"cooldown_time"`
	DisableCooldowns       bool                      `config:"disable_cooldowns"`
	ContextWindowFallbacks Fallbacks                 `config:"context_window_fallbacks"`
	ContentPolicyFallbacks Fallbacks                 `config:"content_policy_fallbacks"`
	NumRetries             *int                      `config:"num_retries"`
	Timeout                *Seconds                  `config:"timeout"`
	StreamTimeout          *Seconds                  `config:"stream_timeout"`
	RetryAfter             Seconds                   `config:"retry_after"`
	Fallbacks              Fallbacks                 `config:"fallbacks"`
	DefaultFallbacks       []string                  `config:"default_fallbacks"`
	MaxFallbacks           *int                      `config:"max_fallbacks"`
	ModelGroupAlias        map[string]Alias          `config:"model_group_alias"`
	// CustomRoute is the path of a plugin that filters and orders
	// deployments, as written.
	CustomRoute         string        `config:"custom_route"`
	CustomRouteSettings PluginOptions `config:"custom_route_settings"`
	AnswerSettings      `config:",squash"`
	SharedSettings      `config:",squash"`
	ChoiceSettings      `config:",squash"`
	// Other holds the settings that have no field here.
	Other map[string]any `config:",remain"`
}

// RoutingStrategyArgs tune latency-based-routing.
type RoutingStrategyArgs struct {
	TTL                 *Seconds `config:"ttl"`
	LowestLatencyBuffer *float64 `config:"lowest_latency_buffer"`
	MaxLatencyListSize  *int     `config:"max_latency_list_size"`
	// Other holds the settings that have no field here.
	Other map[string]any `config:",remain"`
}

// Alias is one value of model_group_alias.
type Alias struct {
	// Model is the model group that the alias stands for.
	Model string `config:"model"`
	// Hidden leaves the alias out of model lists.
	Hidden bool `config:"hidden"`
}

// Fallbacks lists, in the file's order, which groups to try after one failed.
type Fallbacks []Fallback

// Fallback is the ordered list of groups tried after Model failed; Model "*"
// stands for every group.
type Fallback struct {
	Model   string
	Targets []FallbackTarget
}

// FallbackTarget is a model group and the request parameters that a fallback
// to it overrides.
type FallbackTarget struct {
	Model  string
	Params map[string]any
}

// Credential is one entry of credential_list; a deployment refers to it with
// litellm_credential_name. Values holds plain strings, most of them secret.
type Credential struct {
	Name   string         `config:"credential_name"`
	Values map[string]any `config:"credential_values"`
	Info   map[string]any `config:"credential_info"`
}

// String names the credential and leaves its values out.
func (c Credential) String() string { return "credential " + c.Name }

// GoString does what String does.
func (c Credential) GoString() string { return c.String() }

// Guardrail is one entry of guardrails.
type Guardrail struct {
	Name   string          `config:"guardrail_name"`
	Params GuardrailParams `config:"litellm_params"`
	Info   map[string]any  `config:"guardrail_info"`
}

// GuardrailParams says which plugin runs, when, and within which bounds.
type GuardrailParams struct {
	// Guardrail is the path of a WebAssembly module, as written.
	Guardrail string        `config:"guardrail"`
	Mode      GuardrailMode `config:"mode"`
	// DefaultOn runs the guardrail for requests that do not name it.
	DefaultOn bool `config:"default_on"`
	// Stream is windows or buffer; empty means windows.
	Stream string `config:"stream"`
	// WindowChars, WindowMS and Holdback are nil when the plugin decides.
	WindowChars *int `config:"window_chars"`
	WindowMS    *int `config:"window_ms"`
	Holdback    *int `config:"holdback"`
	// OnUnreadable is refuse or pass; empty means refuse.
	OnUnreadable string `config:"on_unreadable"`
	// MaxRetries is how often the plugin may have a model asked again for one
	// request; nil is never.
	MaxRetries    *int `config:"max_retries"`
	PluginOptions `config:",squash"`
	Other         map[string]any `config:",remain"`
}

// GuardrailMode says when a guardrail runs, as pre_call, during_call, post_call
// or logging_only. Always is what was written as one mode or a list; otherwise
// the modes depend on the request's tags.
type GuardrailMode struct {
	Always  []string            `config:"-"`
	Tags    map[string][]string `config:"tags"`
	Default []string            `config:"default"`
}

// PluginOptions are the options that every plugin has, wherever it is named.
type PluginOptions struct {
	// SHA256 pins the module: 64 hexadecimal digits, or empty.
	SHA256 string `config:"sha256"`
	// OnError is "fail_closed" or "fail_open"; empty means the default of
	// what the plugin is used for.
	OnError string `config:"on_error"`
	Limits  Limits `config:"limits"`
	Grants  Grants `config:"grants"`
	// TickSeconds is how often the plugin's tick hook runs; nil takes the
	// manifest's tick_seconds.
	TickSeconds *Seconds `config:"tick_seconds"`
	// Config is handed to the plugin as it is.
	Config map[string]any `config:"config"`
}

// ResourceSettings say how to reach what one vendor stores.
type ResourceSettings struct {
	CustomLLMProvider string `config:"custom_llm_provider"`
	APIKey            Secret `config:"api_key"`
	APIBase           string `config:"api_base"`
	APIVersion        string `config:"api_version"`
	Organization      string `config:"organization"`
	// Other holds the settings that have no field here.
	Other map[string]any `config:",remain"`
}

// AssistantSettings say who has the assistants, and how to reach them.
type AssistantSettings struct {
	CustomLLMProvider string           `config:"custom_llm_provider"`
	LiteLLMParams     ResourceSettings `config:"litellm_params"`
}

// VertexConfig is a project of Google Cloud and the credentials for it: a path
// of a file, or its content.
type VertexConfig struct {
	Project     string `config:"vertex_project"`
	Location    string `config:"vertex_location"`
	Credentials any    `config:"vertex_credentials"`
}

// CallbackSettings are the options of one callback.
type CallbackSettings struct {
	PluginOptions `config:",squash"`
	// Other holds the options of callbacks that are no plugins.
	Other map[string]any `config:",remain"`
}

// CallbackOptions returns the options of the plugin at path: those under the
// path as written, or under the file's name without .wasm.
func (c *Config) CallbackOptions(path string) PluginOptions {
	for _, name := range callbackNames(path) {
		if s, ok := c.CallbackSettings[name]; ok {
			return s.PluginOptions
		}
	}
	return PluginOptions{}
}

// callbackNames are the names under which callback_settings may hold the
// options of a callback.
func callbackNames(path string) []string {
	file := path[strings.LastIndexByte(path, '/')+1:]
	return []string{path, file, strings.TrimSuffix(file, ".wasm")}
}

// CustomProvider is one entry of custom_provider_map: a plugin that speaks for
// a vendor.
type CustomProvider struct {
	Provider string `config:"provider"`
	// CustomHandler is the path of a WebAssembly module, as written.
	CustomHandler string `config:"custom_handler"`
	PluginOptions `config:",squash"`
}

// Prompt is one entry of prompts.
type Prompt struct {
	ID     string         `config:"prompt_id"`
	Params PromptParams   `config:"litellm_params"`
	Info   map[string]any `config:"prompt_info"`
}

// PromptParams says which plugin supplies a prompt.
type PromptParams struct {
	// Integration is the path of a WebAssembly module, as written, or the
	// name of an integration that is not built in yet.
	Integration string `config:"prompt_integration"`
	// ID is the prompt's id at the plugin; empty is that of the entry.
	ID            string `config:"prompt_id"`
	PluginOptions `config:",squash"`
	Other         map[string]any `config:",remain"`
}

// Limits bounds one plugin; nil means the host's default.
type Limits struct {
	MemoryMB *int `config:"memory_mb"`
	CPUMS    *int `config:"cpu_ms"`
	WallMS   *int `config:"wall_ms"`
	// Instances is how many calls run at the same time.
	Instances *int `config:"instances"`
}

// Grants are the capabilities given to one plugin; the default is none.
type Grants struct {
	// HTTP lists where requests may go: https://host, https://host:port,
	// https://*.domain, https://host/path.
	HTTP []string `config:"http"`
	// Networks are networks besides the public ones in which a granted
	// host's address may be.
	Networks []string `config:"networks"`
	// Secrets names environment variables.
	Secrets []string `config:"secrets"`
	KV      bool     `config:"kv"`
	Metrics bool     `config:"metrics"`
	Prompts bool     `config:"prompts"`
}

// Variables are the environment variables that are settings of the gateway,
// after environment_variables and .env. Those with a counterpart in the file
// (JSON_LOGS, LITELLM_DROP_PARAMS, the master keys) are merged into the
// sections instead.
type Variables struct {
	ConfigFilePath string `config:"CONFIG_FILE_PATH"`
	Host           string `config:"HOST"`
	// Port is nil when PORT is not set.
	Port *int `config:"PORT"`
	// ServerRootPath begins with a slash and does not end in one, or is empty.
	ServerRootPath string `config:"SERVER_ROOT_PATH"`
	// LogLevel is LITELLM_LOG as a Level; see Config.LogLevel for the one in
	// force.
	LogLevel string `config:"LITELLM_LOG"`
	// SetVerbose is SET_VERBOSE.
	SetVerbose bool `config:"SET_VERBOSE"`
	// Mode is LITELLM_MODE: DEV or PRODUCTION.
	Mode                        string `config:"LITELLM_MODE"`
	PrintStandardLoggingPayload bool   `config:"LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD"`
	OpenAIAPIKey                Secret `config:"OPENAI_API_KEY"`
	OpenAIAPIBase               string `config:"OPENAI_API_BASE"`
	OpenAIOrganization          string `config:"OPENAI_ORGANIZATION"`
	// AuthStrategy is DYNAMIC if callers' bearer values are vendors' keys.
	AuthStrategy string `config:"AUTH_STRATEGY"`
	// LocalModelCostMap keeps ModelCostMapURL, the address or the path of a
	// cost map in LiteLLM's format, from being read.
	LocalModelCostMap bool   `config:"LITELLM_LOCAL_MODEL_COST_MAP"`
	ModelCostMapURL   string `config:"LITELLM_MODEL_COST_MAP_URL"`
	// TiktokenCacheDir holds vocabularies that replace the built-in ones.
	TiktokenCacheDir string `config:"CUSTOM_TIKTOKEN_CACHE_DIR"`

	KeptVariables  `config:",squash"`
	StateVariables `config:",squash"`
	CacheVariables `config:",squash"`
	LoginVariables `config:",squash"`
}
