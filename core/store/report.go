package store

import (
	"context"
	"time"
)

// LogFilter selects rows of LiteLLM_SpendLogs. Zero fields select everything.
type LogFilter struct {
	From, To  time.Time // startTime, From included and To not
	RequestID string
	APIKey    string   // the hash
	APIKeys   []string // any of these hashes; nil does not restrict
	KeyAlias  string   // of keys that have it, or had it when they were deleted
	User      string
	TeamID    string
	EndUser   string
	Model     string // model or model_group
	ModelID   string
	SessionID string
	Status    string // success or failure; rows without a status count as success
	MinSpend  *float64
	MaxSpend  *float64
	ErrorCode string   // metadata.error_information.error_code; of the last MaxCount such failures if spend is asked for or sorted by
	ErrorText string   // part of metadata.error_information.error_message, of the same
	Teams     []string // rows of any of these teams or of User; nil does not restrict. For team admins.
}

// LogQuery is a page of spend logs.
type LogQuery struct {
	LogFilter
	Sort      string // startTime (default), spend, total_tokens, model, endTime
	Ascending bool
	Limit     int // rows of a page; 0 is 50
	Offset    int
	After     string // cursor of the page before, instead of Offset; only for the sort by startTime
	NoCount   bool   // do not count
	Full      bool   // with messages, response and proxy_server_request, which are left out otherwise
}

// MaxCount is where counting rows ends: a total of MaxCount means at least so many.
const MaxCount = 10_000

// LogPage is a page of spend logs.
type LogPage struct {
	Rows  []SpendLog
	Total int64  // rows that match, at most MaxCount
	Next  string // cursor of the next page; empty at the end
}

// Metrics are the sums of a daily row.
type Metrics struct {
	Spend                    float64 `json:"spend" db:"spend"`
	PromptTokens             int64   `json:"prompt_tokens" db:"prompt_tokens"`
	CompletionTokens         int64   `json:"completion_tokens" db:"completion_tokens"`
	CacheReadInputTokens     int64   `json:"cache_read_input_tokens" db:"cache_read_input_tokens"`
	CacheCreationInputTokens int64   `json:"cache_creation_input_tokens" db:"cache_creation_input_tokens"`
	APIRequests              int64   `json:"api_requests" db:"api_requests"`
	SuccessfulRequests       int64   `json:"successful_requests" db:"successful_requests"`
	FailedRequests           int64   `json:"failed_requests" db:"failed_requests"`
}

// DailySpend is one row of a LiteLLM_Daily...Spend table.
type DailySpend struct {
	ID                    string    `json:"id"`
	EntityID              string    `json:"entity_id"` // user_id, team_id, organization_id, end_user_id, agent_id or tag
	Date                  string    `json:"date"`      // YYYY-MM-DD, in UTC
	APIKey                string    `json:"api_key"`
	Model                 string    `json:"model"`
	ModelGroup            string    `json:"model_group"`
	CustomLLMProvider     string    `json:"custom_llm_provider"`
	MCPNamespacedToolName string    `json:"mcp_namespaced_tool_name"`
	Endpoint              string    `json:"endpoint"`
	CreatedAt             time.Time `json:"created_at"`
	UpdatedAt             time.Time `json:"updated_at"`
	Metrics
}

// DailyFilter selects daily rows.
type DailyFilter struct {
	Entity   Entity // user, team, organization, end_user, tag or agent: which table; "" is user, which has every call
	From, To string // dates, both included; empty is open
	IDs      []string
	Exclude  []string // entity ids left out
	APIKeys  []string
	Model    string // model or model_group
	Provider string
}

// Dimension is what activity is grouped by.
type Dimension string

// The dimensions.
const (
	ByDate       Dimension = "date"
	ByEntity     Dimension = "entity"
	ByKey        Dimension = "api_key"
	ByModel      Dimension = "model"
	ByModelGroup Dimension = "model_group"
	ByProvider   Dimension = "custom_llm_provider"
	ByEndpoint   Dimension = "endpoint"
	ByTool       Dimension = "mcp_namespaced_tool_name"
)

// ActivityQuery sums daily rows.
type ActivityQuery struct {
	DailyFilter
	By      []Dimension // nothing gives one row
	BySpend bool        // highest spend first; otherwise in the order of By, dates falling
	Limit   int         // 0 is all
}

// Activity is a sum. Only the fields grouped by are set.
type Activity struct {
	Date, EntityID, APIKey, Model, ModelGroup, Provider, Endpoint, Tool string
	Metrics
}

// Field is where the value of a dimension is kept; nil for what is no dimension.
func (a *Activity) Field(d Dimension) *string {
	switch d {
	case ByDate:
		return &a.Date
	case ByEntity:
		return &a.EntityID
	case ByKey:
		return &a.APIKey
	case ByModel:
		return &a.Model
	case ByModelGroup:
		return &a.ModelGroup
	case ByProvider:
		return &a.Provider
	case ByEndpoint:
		return &a.Endpoint
	case ByTool:
		return &a.Tool
	}
	return nil
}

// CacheActivity is what the cache saved on a day, for one key, call type and model.
type CacheActivity struct {
	Date, APIKey, CallType, Model string
	Requests, Hits                int64
	CachedTokens, GeneratedTokens int64 // completion tokens, from the cache and from models
}

// ExceptionCount counts failed calls of a day.
type ExceptionCount struct {
	Date          string
	ModelGroup    string
	APIBase       string
	ExceptionType string
	Count         int64
}

// Reports answers what the management API asks about spend. Everything but Logs is read from daily rows, whose number
// does not grow with the number of calls.
type Reports interface {
	Logs(ctx context.Context, q LogQuery) (LogPage, error)
	// Log reads one call, with its messages.
	Log(ctx context.Context, requestID string) (*SpendLog, error)
	// Daily reads rows of a daily table, newest date first, and how many there are (at most MaxCount).
	Daily(ctx context.Context, f DailyFilter, limit, offset int) ([]DailySpend, int64, error)
	// Heaviest reads the daily rows that a filter selects in the order of dates, the last first. If they are more than most
	// it is, of each day, those with the highest spend, and cut says so.
	Heaviest(ctx context.Context, f DailyFilter, most int) (rows []DailySpend, cut bool, err error)
	// Activity sums daily rows. An answer that took long, such as the highest spenders among very many keys, may be
	// given again for some minutes, and once more while it is made anew.
	Activity(ctx context.Context, q ActivityQuery) ([]Activity, error)
	// CacheHits reads what the cache saved, newest date first, no more than limit rows.
	CacheHits(ctx context.Context, from, to string, limit int) ([]CacheActivity, error)
	// Exceptions counts rows of LiteLLM_ErrorLogs.
	Exceptions(ctx context.Context, modelGroup string, from, to time.Time) ([]ExceptionCount, error)
	// Refresh makes the sums that Activity reads anew from the daily tables, for dates from from to to. Needed only when
	// another program writes these tables.
	Refresh(ctx context.Context, from, to string) error
}
