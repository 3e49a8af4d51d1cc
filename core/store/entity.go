package store

import "time"

// The entities carry two tags: json is the member's name in the management API, db the column. What follows a column's
// name is read by the implementations: pk (part of the primary key), uuid (made when empty), serial (numbered by the
// database), int4 (a 32-bit column), null (JSON that may be NULL), list (JSON whose default is []), counter (raised by
// spend, so never overwritten by Put), once (never overwritten by Put).
//
// Tables and columns are those of the reference system: litellm/proxy/schema.prisma of BerriAI/litellm.

// Key is a virtual key: LiteLLM_VerificationToken.
type Key struct {
	Token                string     `json:"token" db:"token,pk"` // SHA-256 of the key in hex
	KeyName              Text       `json:"key_name" db:"key_name"`
	KeyAlias             Text       `json:"key_alias" db:"key_alias"`
	SoftBudgetCooldown   bool       `json:"soft_budget_cooldown" db:"soft_budget_cooldown"`
	Spend                float64    `json:"spend" db:"spend,counter"`
	Expires              *time.Time `json:"expires" db:"expires"`
	Models               List       `json:"models" db:"models"`
	Aliases              JSON       `json:"aliases" db:"aliases"`
	Config               JSON       `json:"config" db:"config"`
	RouterSettings       JSON       `json:"router_settings" db:"router_settings,null"`
	UserID               Text       `json:"user_id" db:"user_id"`
	TeamID               Text       `json:"team_id" db:"team_id"`
	Permissions          JSON       `json:"permissions" db:"permissions"`
	MaxParallelRequests  *int64     `json:"max_parallel_requests" db:"max_parallel_requests,int4"`
	Metadata             JSON       `json:"metadata" db:"metadata"`
	Blocked              *bool      `json:"blocked" db:"blocked"`
	TPMLimit             *int64     `json:"tpm_limit" db:"tpm_limit"`
	RPMLimit             *int64     `json:"rpm_limit" db:"rpm_limit"`
	MaxBudget            *float64   `json:"max_budget" db:"max_budget"`
	BudgetDuration       Text       `json:"budget_duration" db:"budget_duration"`
	BudgetResetAt        *time.Time `json:"budget_reset_at" db:"budget_reset_at"`
	AllowedCacheControls List       `json:"allowed_cache_controls" db:"allowed_cache_controls"`
	AllowedRoutes        List       `json:"allowed_routes" db:"allowed_routes"`
	Policies             List       `json:"policies" db:"policies"`
	AccessGroupIDs       List       `json:"access_group_ids" db:"access_group_ids"`
	ModelSpend           JSON       `json:"model_spend" db:"model_spend"`
	ModelMaxBudget       JSON       `json:"model_max_budget" db:"model_max_budget"`
	BudgetID             Text       `json:"budget_id" db:"budget_id"`
	OrganizationID       Text       `json:"organization_id" db:"organization_id"`
	ObjectPermissionID   Text       `json:"object_permission_id" db:"object_permission_id"`
	CreatedAt            *time.Time `json:"created_at" db:"created_at,once"`
	CreatedBy            Text       `json:"created_by" db:"created_by,once"`
	UpdatedAt            *time.Time `json:"updated_at" db:"updated_at"`
	UpdatedBy            Text       `json:"updated_by" db:"updated_by"`
	RotationCount        *int64     `json:"rotation_count" db:"rotation_count,int4"`
	AutoRotate           *bool      `json:"auto_rotate" db:"auto_rotate"`
	RotationInterval     Text       `json:"rotation_interval" db:"rotation_interval"`
	LastRotationAt       *time.Time `json:"last_rotation_at" db:"last_rotation_at"`
	KeyRotationAt        *time.Time `json:"key_rotation_at" db:"key_rotation_at"`
}

// Deletion says who deleted an entity that is kept for the record.
type Deletion struct {
	DeletedAt        time.Time `json:"deleted_at" db:"deleted_at"`
	DeletedBy        Text      `json:"deleted_by" db:"deleted_by"`
	DeletedByAPIKey  Text      `json:"deleted_by_api_key" db:"deleted_by_api_key"` // the hash of the key
	LitellmChangedBy Text      `json:"litellm_changed_by" db:"litellm_changed_by"`
}

// DeletedKey is a key that was deleted: LiteLLM_DeletedVerificationToken.
type DeletedKey struct {
	ID string `json:"id" db:"id,pk,uuid"`
	Key
	Deletion
}

// DeprecatedKey is the old hash of a key that was regenerated, good until RevokeAt:
// LiteLLM_DeprecatedVerificationToken.
type DeprecatedKey struct {
	ID            string    `json:"id" db:"id,pk,uuid"`
	Token         string    `json:"token" db:"token"`
	ActiveTokenID string    `json:"active_token_id" db:"active_token_id"`
	RevokeAt      time.Time `json:"revoke_at" db:"revoke_at"`
	CreatedAt     time.Time `json:"created_at" db:"created_at,once"`
}

// Team is LiteLLM_TeamTable. Teams keep their members in MembersWithRoles; Admins and Members are older copies.
type Team struct {
	TeamID                   string     `json:"team_id" db:"team_id,pk,uuid"`
	TeamAlias                Text       `json:"team_alias" db:"team_alias"`
	OrganizationID           Text       `json:"organization_id" db:"organization_id"`
	ObjectPermissionID       Text       `json:"object_permission_id" db:"object_permission_id"`
	Admins                   List       `json:"admins" db:"admins"`
	Members                  List       `json:"members" db:"members"`
	MembersWithRoles         JSON       `json:"members_with_roles" db:"members_with_roles"`
	Metadata                 JSON       `json:"metadata" db:"metadata"`
	MaxBudget                *float64   `json:"max_budget" db:"max_budget"`
	SoftBudget               *float64   `json:"soft_budget" db:"soft_budget"`
	Spend                    float64    `json:"spend" db:"spend,counter"`
	Models                   List       `json:"models" db:"models"`
	MaxParallelRequests      *int64     `json:"max_parallel_requests" db:"max_parallel_requests,int4"`
	TPMLimit                 *int64     `json:"tpm_limit" db:"tpm_limit"`
	RPMLimit                 *int64     `json:"rpm_limit" db:"rpm_limit"`
	BudgetDuration           Text       `json:"budget_duration" db:"budget_duration"`
	BudgetResetAt            *time.Time `json:"budget_reset_at" db:"budget_reset_at"`
	Blocked                  bool       `json:"blocked" db:"blocked"`
	ModelSpend               JSON       `json:"model_spend" db:"model_spend"`
	ModelMaxBudget           JSON       `json:"model_max_budget" db:"model_max_budget"`
	RouterSettings           JSON       `json:"router_settings" db:"router_settings,null"`
	TeamMemberPermissions    List       `json:"team_member_permissions" db:"team_member_permissions"`
	AccessGroupIDs           List       `json:"access_group_ids" db:"access_group_ids"`
	Policies                 List       `json:"policies" db:"policies"`
	ModelID                  *int64     `json:"model_id" db:"model_id,int4"` // TeamModel that holds the aliases
	AllowTeamGuardrailConfig bool       `json:"allow_team_guardrail_config" db:"allow_team_guardrail_config"`
	CreatedAt                time.Time  `json:"created_at" db:"created_at,once"`
	UpdatedAt                time.Time  `json:"updated_at" db:"updated_at"`
}

// DeletedTeam is a team that was deleted: LiteLLM_DeletedTeamTable.
type DeletedTeam struct {
	ID string `json:"id" db:"id,pk,uuid"`
	Team
	Deletion
}

// TeamModel holds a team's model aliases: LiteLLM_ModelTable.
type TeamModel struct {
	ID           int64     `json:"id" db:"id,pk,serial"`
	ModelAliases JSON      `json:"model_aliases" db:"aliases,null"`
	CreatedAt    time.Time `json:"created_at" db:"created_at,once"`
	CreatedBy    string    `json:"created_by" db:"created_by,once"`
	UpdatedAt    time.Time `json:"updated_at" db:"updated_at"`
	UpdatedBy    string    `json:"updated_by" db:"updated_by"`
}

// TeamMembership is what one user spends in one team: LiteLLM_TeamMembership.
type TeamMembership struct {
	UserID   string  `json:"user_id" db:"user_id,pk"`
	TeamID   string  `json:"team_id" db:"team_id,pk"`
	Spend    float64 `json:"spend" db:"spend,counter"`
	BudgetID Text    `json:"budget_id" db:"budget_id"`
}

// User is LiteLLM_UserTable. The row named ProxyBudgetUser, if there is one, carries the spend of the whole proxy.
type User struct {
	UserID               string     `json:"user_id" db:"user_id,pk,uuid"`
	UserAlias            Text       `json:"user_alias" db:"user_alias"`
	TeamID               Text       `json:"team_id" db:"team_id"`
	SSOUserID            Text       `json:"sso_user_id" db:"sso_user_id"`
	OrganizationID       Text       `json:"organization_id" db:"organization_id"`
	ObjectPermissionID   Text       `json:"object_permission_id" db:"object_permission_id"`
	Password             Text       `json:"-" db:"password"`
	Teams                List       `json:"teams" db:"teams"`
	UserRole             Text       `json:"user_role" db:"user_role"`
	MaxBudget            *float64   `json:"max_budget" db:"max_budget"`
	Spend                float64    `json:"spend" db:"spend,counter"`
	UserEmail            Text       `json:"user_email" db:"user_email"`
	Models               List       `json:"models" db:"models"`
	Metadata             JSON       `json:"metadata" db:"metadata"`
	MaxParallelRequests  *int64     `json:"max_parallel_requests" db:"max_parallel_requests,int4"`
	TPMLimit             *int64     `json:"tpm_limit" db:"tpm_limit"`
	RPMLimit             *int64     `json:"rpm_limit" db:"rpm_limit"`
	BudgetDuration       Text       `json:"budget_duration" db:"budget_duration"`
	BudgetResetAt        *time.Time `json:"budget_reset_at" db:"budget_reset_at"`
	AllowedCacheControls List       `json:"allowed_cache_controls" db:"allowed_cache_controls"`
	Policies             List       `json:"policies" db:"policies"`
	ModelSpend           JSON       `json:"model_spend" db:"model_spend"`
	ModelMaxBudget       JSON       `json:"model_max_budget" db:"model_max_budget"`
	CreatedAt            *time.Time `json:"created_at" db:"created_at,once"`
	UpdatedAt            *time.Time `json:"updated_at" db:"updated_at"`
}

// ProxyBudgetUser is the user under which the reference keeps the spend of the whole proxy (litellm_proxy_budget_name in
// litellm/proxy/_types.py).
const ProxyBudgetUser = "litellm-proxy-budget"

// Organization is LiteLLM_OrganizationTable. Its limits are in the budget it names.
type Organization struct {
	OrganizationID     string    `json:"organization_id" db:"organization_id,pk,uuid"`
	OrganizationAlias  string    `json:"organization_alias" db:"organization_alias"`
	BudgetID           string    `json:"budget_id" db:"budget_id"`
	Metadata           JSON      `json:"metadata" db:"metadata"`
	Models             List      `json:"models" db:"models"`
	Spend              float64   `json:"spend" db:"spend,counter"`
	ModelSpend         JSON      `json:"model_spend" db:"model_spend"`
	ObjectPermissionID Text      `json:"object_permission_id" db:"object_permission_id"`
	CreatedAt          time.Time `json:"created_at" db:"created_at,once"`
	CreatedBy          string    `json:"created_by" db:"created_by,once"`
	UpdatedAt          time.Time `json:"updated_at" db:"updated_at"`
	UpdatedBy          string    `json:"updated_by" db:"updated_by"`
}

// OrganizationMembership is LiteLLM_OrganizationMembership.
type OrganizationMembership struct {
	UserID         string     `json:"user_id" db:"user_id,pk"`
	OrganizationID string     `json:"organization_id" db:"organization_id,pk"`
	UserRole       Text       `json:"user_role" db:"user_role"`
	Spend          float64    `json:"spend" db:"spend,counter"`
	BudgetID       Text       `json:"budget_id" db:"budget_id"`
	CreatedAt      *time.Time `json:"created_at" db:"created_at,once"`
	UpdatedAt      *time.Time `json:"updated_at" db:"updated_at"`
}

// Budget is LiteLLM_BudgetTable: limits that keys, organizations, memberships, end users and tags may share.
type Budget struct {
	BudgetID            string     `json:"budget_id" db:"budget_id,pk,uuid"`
	MaxBudget           *float64   `json:"max_budget" db:"max_budget"`
	SoftBudget          *float64   `json:"soft_budget" db:"soft_budget"`
	MaxParallelRequests *int64     `json:"max_parallel_requests" db:"max_parallel_requests,int4"`
	TPMLimit            *int64     `json:"tpm_limit" db:"tpm_limit"`
	RPMLimit            *int64     `json:"rpm_limit" db:"rpm_limit"`
	ModelMaxBudget      JSON       `json:"model_max_budget" db:"model_max_budget,null"`
	BudgetDuration      Text       `json:"budget_duration" db:"budget_duration"`
	BudgetResetAt       *time.Time `json:"budget_reset_at" db:"budget_reset_at"`
	CreatedAt           time.Time  `json:"created_at" db:"created_at,once"`
	CreatedBy           string     `json:"created_by" db:"created_by,once"`
	UpdatedAt           time.Time  `json:"updated_at" db:"updated_at"`
	UpdatedBy           string     `json:"updated_by" db:"updated_by"`
}

// EndUser is a customer: LiteLLM_EndUserTable. Spend makes the row of one that is not known.
type EndUser struct {
	UserID             string  `json:"user_id" db:"user_id,pk"`
	Alias              Text    `json:"alias" db:"alias"`
	Spend              float64 `json:"spend" db:"spend,counter"`
	AllowedModelRegion Text    `json:"allowed_model_region" db:"allowed_model_region"`
	DefaultModel       Text    `json:"default_model" db:"default_model"`
	BudgetID           Text    `json:"budget_id" db:"budget_id"`
	Blocked            bool    `json:"blocked" db:"blocked"`
}

// Tag is LiteLLM_TagTable. Spend is added to tags that were created, and to no others.
type Tag struct {
	TagName     string    `json:"tag_name" db:"tag_name,pk"`
	Description Text      `json:"description" db:"description"`
	Models      List      `json:"models" db:"models"`
	ModelInfo   JSON      `json:"model_info" db:"model_info,null"`
	Spend       float64   `json:"spend" db:"spend,counter"`
	BudgetID    Text      `json:"budget_id" db:"budget_id"`
	CreatedAt   time.Time `json:"created_at" db:"created_at,once"`
	CreatedBy   Text      `json:"created_by" db:"created_by,once"`
	UpdatedAt   time.Time `json:"updated_at" db:"updated_at"`
}

// Model is a deployment kept in the database: LiteLLM_ProxyModelTable. The texts in LitellmParams are plain here; the
// database holds them encrypted.
type Model struct {
	ModelID       string    `json:"model_id" db:"model_id,pk,uuid"`
	ModelName     string    `json:"model_name" db:"model_name"`
	LitellmParams JSON      `json:"litellm_params" db:"litellm_params,secret"`
	ModelInfo     JSON      `json:"model_info" db:"model_info,null"`
	CreatedAt     time.Time `json:"created_at" db:"created_at,once"`
	CreatedBy     string    `json:"created_by" db:"created_by,once"`
	UpdatedAt     time.Time `json:"updated_at" db:"updated_at"`
	UpdatedBy     string    `json:"updated_by" db:"updated_by"`
}

// Credential is LiteLLM_CredentialsTable. The texts in CredentialValues are plain here and encrypted in the database.
type Credential struct {
	CredentialID     string    `json:"credential_id" db:"credential_id,pk,uuid"`
	CredentialName   string    `json:"credential_name" db:"credential_name"`
	CredentialValues JSON      `json:"credential_values" db:"credential_values,secret"`
	CredentialInfo   JSON      `json:"credential_info" db:"credential_info,null"`
	CreatedAt        time.Time `json:"created_at" db:"created_at,once"`
	CreatedBy        string    `json:"created_by" db:"created_by,once"`
	UpdatedAt        time.Time `json:"updated_at" db:"updated_at"`
	UpdatedBy        string    `json:"updated_by" db:"updated_by"`
}

// ConfigValue is one section of the configuration kept in the database: LiteLLM_Config. The texts of the section
// environment_variables are plain here and encrypted in the database.
type ConfigValue struct {
	ParamName  string `json:"param_name" db:"param_name,pk"`
	ParamValue JSON   `json:"param_value" db:"param_value,null"`
}

// AccessGroup is LiteLLM_AccessGroupTable.
type AccessGroup struct {
	AccessGroupID      string    `json:"access_group_id" db:"access_group_id,pk,uuid"`
	AccessGroupName    string    `json:"access_group_name" db:"access_group_name"`
	Description        Text      `json:"description" db:"description"`
	AccessModelNames   List      `json:"access_model_names" db:"access_model_names"`
	AccessMCPServerIDs List      `json:"access_mcp_server_ids" db:"access_mcp_server_ids"`
	AccessAgentIDs     List      `json:"access_agent_ids" db:"access_agent_ids"`
	AssignedTeamIDs    List      `json:"assigned_team_ids" db:"assigned_team_ids"`
	AssignedKeyIDs     List      `json:"assigned_key_ids" db:"assigned_key_ids"`
	CreatedAt          time.Time `json:"created_at" db:"created_at,once"`
	CreatedBy          Text      `json:"created_by" db:"created_by,once"`
	UpdatedAt          time.Time `json:"updated_at" db:"updated_at"`
	UpdatedBy          Text      `json:"updated_by" db:"updated_by"`
}

// ObjectPermission is LiteLLM_ObjectPermissionTable.
type ObjectPermission struct {
	ObjectPermissionID string `json:"object_permission_id" db:"object_permission_id,pk,uuid"`
	MCPServers         List   `json:"mcp_servers" db:"mcp_servers"`
	MCPAccessGroups    List   `json:"mcp_access_groups" db:"mcp_access_groups"`
	MCPToolPermissions JSON   `json:"mcp_tool_permissions" db:"mcp_tool_permissions,null"`
	VectorStores       List   `json:"vector_stores" db:"vector_stores"`
	Agents             List   `json:"agents" db:"agents"`
	AgentAccessGroups  List   `json:"agent_access_groups" db:"agent_access_groups"`
}

// InvitationLink is LiteLLM_InvitationLink. The three users must exist.
type InvitationLink struct {
	ID         string     `json:"id" db:"id,pk,uuid"`
	UserID     string     `json:"user_id" db:"user_id"`
	IsAccepted bool       `json:"is_accepted" db:"is_accepted"`
	AcceptedAt *time.Time `json:"accepted_at" db:"accepted_at"`
	ExpiresAt  time.Time  `json:"expires_at" db:"expires_at"`
	CreatedAt  time.Time  `json:"created_at" db:"created_at,once"`
	CreatedBy  string     `json:"created_by" db:"created_by,once"`
	UpdatedAt  time.Time  `json:"updated_at" db:"updated_at"`
	UpdatedBy  string     `json:"updated_by" db:"updated_by"`
}

// AuditLog is LiteLLM_AuditLog.
type AuditLog struct {
	ID              string    `json:"id" db:"id,pk,uuid"`
	UpdatedAt       time.Time `json:"updated_at" db:"updated_at"`
	ChangedBy       string    `json:"changed_by" db:"changed_by"`
	ChangedByAPIKey string    `json:"changed_by_api_key" db:"changed_by_api_key"` // the hash of the key
	Action          string    `json:"action" db:"action"`                         // created, updated, deleted, blocked, rotated
	Table           string    `json:"table_name" db:"table_name"`
	ObjectID        string    `json:"object_id" db:"object_id"`
	BeforeValue     JSON      `json:"before_value" db:"before_value,null"`
	UpdatedValues   JSON      `json:"updated_values" db:"updated_values,null"`
}

// HealthCheck is the result of one check of a model: LiteLLM_HealthCheckTable.
type HealthCheck struct {
	HealthCheckID  string    `json:"health_check_id" db:"health_check_id,pk,uuid"`
	ModelName      string    `json:"model_name" db:"model_name"`
	ModelID        Text      `json:"model_id" db:"model_id"`
	Status         string    `json:"status" db:"status"`
	HealthyCount   int64     `json:"healthy_count" db:"healthy_count,int4"`
	UnhealthyCount int64     `json:"unhealthy_count" db:"unhealthy_count,int4"`
	ErrorMessage   Text      `json:"error_message" db:"error_message"`
	ResponseTimeMS *float64  `json:"response_time_ms" db:"response_time_ms"`
	Details        JSON      `json:"details" db:"details,null"`
	CheckedBy      Text      `json:"checked_by" db:"checked_by"`
	CheckedAt      time.Time `json:"checked_at" db:"checked_at"`
	CreatedAt      time.Time `json:"created_at" db:"created_at,once"`
	UpdatedAt      time.Time `json:"updated_at" db:"updated_at"`
}

// ErrorLog is a failed call: LiteLLM_ErrorLogs.
type ErrorLog struct {
	RequestID        string    `json:"request_id" db:"request_id,pk,uuid"`
	StartTime        time.Time `json:"startTime" db:"startTime"`
	EndTime          time.Time `json:"endTime" db:"endTime"`
	APIBase          string    `json:"api_base" db:"api_base"`
	ModelGroup       string    `json:"model_group" db:"model_group"`
	LitellmModelName string    `json:"litellm_model_name" db:"litellm_model_name"`
	ModelID          string    `json:"model_id" db:"model_id"`
	RequestKwargs    JSON      `json:"request_kwargs" db:"request_kwargs"`
	ExceptionType    string    `json:"exception_type" db:"exception_type"`
	ExceptionString  string    `json:"exception_string" db:"exception_string"`
	StatusCode       string    `json:"status_code" db:"status_code"`
}
