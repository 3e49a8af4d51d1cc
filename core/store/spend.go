package store

import (
	"context"
	"time"
)

// SpendLog is the record of one call: LiteLLM_SpendLogs.
type SpendLog struct {
	RequestID             string     `json:"request_id" db:"request_id,pk,uuid"`
	CallType              string     `json:"call_type" db:"call_type"`
	APIKey                string     `json:"api_key" db:"api_key"` // the hash of the key
	Spend                 float64    `json:"spend" db:"spend"`     // US dollars
	TotalTokens           int64      `json:"total_tokens" db:"total_tokens,int4"`
	PromptTokens          int64      `json:"prompt_tokens" db:"prompt_tokens,int4"`
	CompletionTokens      int64      `json:"completion_tokens" db:"completion_tokens,int4"`
	StartTime             time.Time  `json:"startTime" db:"startTime"`
	EndTime               time.Time  `json:"endTime" db:"endTime"`
	CompletionStartTime   *time.Time `json:"completionStartTime" db:"completionStartTime"`
	Model                 string     `json:"model" db:"model"`
	ModelID               Text       `json:"model_id" db:"model_id"`
	ModelGroup            Text       `json:"model_group" db:"model_group"`
	CustomLLMProvider     Text       `json:"custom_llm_provider" db:"custom_llm_provider"`
	APIBase               Text       `json:"api_base" db:"api_base"`
	User                  Text       `json:"user" db:"user"`
	Metadata              JSON       `json:"metadata" db:"metadata,null"`
	CacheHit              Text       `json:"cache_hit" db:"cache_hit"` // "True", "False" or "None"
	CacheKey              Text       `json:"cache_key" db:"cache_key"`
	RequestTags           JSON       `json:"request_tags" db:"request_tags,null,list"`
	TeamID                Text       `json:"team_id" db:"team_id"`
	OrganizationID        Text       `json:"organization_id" db:"organization_id"`
	EndUser               Text       `json:"end_user" db:"end_user"`
	RequesterIPAddress    Text       `json:"requester_ip_address" db:"requester_ip_address"`
	Messages              JSON       `json:"messages" db:"messages,null"`
	Response              JSON       `json:"response" db:"response,null"`
	SessionID             Text       `json:"session_id" db:"session_id"`
	Status                Text       `json:"status" db:"status"` // "success" or "failure"
	MCPNamespacedToolName Text       `json:"mcp_namespaced_tool_name" db:"mcp_namespaced_tool_name"`
	AgentID               Text       `json:"agent_id" db:"agent_id"`
	ProxyServerRequest    JSON       `json:"proxy_server_request" db:"proxy_server_request,null"`
}

// SpendEntry is one call as the journal holds it: its record and what else it adds to.
type SpendEntry struct {
	Seq int64    // its place in the journal; rises strictly within a source
	Log SpendLog // the call; its spend goes to the key, user, team, member, organization and end user that it names

	Tags             []string // tags that it adds to; normally those of Log.RequestTags
	Endpoint         string   // path of the daily rows, such as /chat/completions
	CacheReadTokens  int64
	CacheWriteTokens int64
	Counters         []CounterAdd
	NoLog            bool // adds to totals, but leaves no row in LiteLLM_SpendLogs (disable_spend_logs)
	NoTotals         bool // adds to no daily row and no total, but to Counters (disable_spend_updates)
}

// CounterAdd adds an amount to a counter that is no column of an entity: spend per model of a key, per provider, per
// deployment. The name is the caller's. A window that begins later than the stored one starts the counter anew; an
// amount for an earlier window is dropped, since that window is over.
type CounterAdd struct {
	Name   string
	Window time.Time // begin of the budget's period; zero for a counter that is never reset
	Amount float64
}

// Counter is the state of a counter.
type Counter struct {
	Name   string    `json:"name" db:"name,pk"`
	Window time.Time `json:"window" db:"window_start"`
	Spend  float64   `json:"spend" db:"spend"`
}

// SpendBatch is a stretch of one journal.
type SpendBatch struct {
	Source  string // names the journal for good: entries of one source are recorded once, whoever sends them
	Entries []SpendEntry
}

// SpendResult says what Record did.
type SpendResult struct {
	Recorded int   // entries recorded now
	Repeated int   // entries that had been recorded before
	Position int64 // the highest Seq of the source that is recorded
}

// Entity is a kind of thing that spends money.
type Entity string

// The entities.
const (
	EntityKey          Entity = "key"
	EntityUser         Entity = "user"
	EntityTeam         Entity = "team"
	EntityTeamMember   Entity = "team_member"
	EntityOrganization Entity = "organization"
	EntityOrgMember    Entity = "organization_member"
	EntityEndUser      Entity = "end_user"
	EntityTag          Entity = "tag"
	EntityAgent        Entity = "agent"
	EntityBudget       Entity = "budget"
)

// Ref names one entity. A member is named by the team or organization and the user.
type Ref struct {
	Entity Entity
	ID     string
	User   string // of EntityTeamMember and EntityOrgMember
}

// MemberID is how changes name a member: the group, a colon, the user. The reference's limiter writes it the same way.
func MemberID(group, user string) string { return group + ":" + user }

// Reset is a budget whose period ended.
type Reset struct {
	Ref
	Spent  float64   // spend of the period that ended; 0 for a Budget, which has none of its own
	Next   time.Time // when the new period ends; zero for what hangs on a Budget
	Budget string    // id of the Budget the entity hangs on, if its period is not its own
}

// Spend is the part of a store that money goes through.
type Spend interface {
	// Record writes a batch in one transaction: a row for each call, the daily rows, and the totals of keys, users,
	// teams, members, organizations, end users and tags. Entries at or below the source's position are skipped, so a
	// batch may be sent again, whole, in part or cut differently, until an error-free answer.
	Record(ctx context.Context, batch SpendBatch) (SpendResult, error)
	// Position is the highest Seq recorded for a source, 0 for a source that is not known.
	Position(ctx context.Context, source string) (int64, error)
	// Spent reads the spend of entities now. What does not exist is left out. An old hash of a key stands for the key.
	Spent(ctx context.Context, refs ...Ref) (map[Ref]float64, error)
	// Counters reads counters. What does not exist is left out.
	Counters(ctx context.Context, names ...string) ([]Counter, error)
	// SetCounter sets a counter, whatever it held.
	SetCounter(ctx context.Context, c Counter) error
	// ResetBudgets sets to zero the spend of everything whose budget_reset_at has passed and moves budget_reset_at to the
	// next end of a period (NextReset, in zone). Of several replicas that call it, one resets each entity. A row whose
	// budget_duration is no duration is left alone and reported in the error; the others are reset.
	ResetBudgets(ctx context.Context, now time.Time, zone *time.Location) ([]Reset, error)
	// ResetAll sets the spend of all keys and teams to zero.
	ResetAll(ctx context.Context) error
	// DeleteLogs deletes at most limit rows of LiteLLM_SpendLogs that began before a time, oldest first, and says how
	// many. Callers repeat it until it deletes less than limit.
	DeleteLogs(ctx context.Context, before time.Time, limit int) (int64, error)
}
