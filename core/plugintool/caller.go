package plugintool

import (
	"encoding/json"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// letIn is whom an auth hook let in, with what it said of limits and rights.
type letIn struct {
	*Caller
	OrgAlias      string            `json:"organization_alias,omitempty"`
	Limits        map[string]limits `json:"limits,omitempty"` // by whom they are for, and the model
	Expires       *time.Time        `json:"expires,omitempty"`
	Blocked       bool              `json:"blocked,omitempty"`
	TeamBlocked   bool              `json:"team_blocked,omitempty"`
	TeamModels    []string          `json:"team_models,omitempty"`
	AllowedRoutes []string          `json:"allowed_routes,omitempty"`
	Aliases       map[string]string `json:"aliases,omitempty"`
	CacheControls []string          `json:"allowed_cache_controls,omitempty"`
	Region        string            `json:"allowed_model_region,omitempty"`
	Tags          []string          `json:"tags,omitempty"`
	AccessGroups  []string          `json:"access_group_ids,omitempty"`
	Permissions   map[string]any    `json:"permissions,omitempty"`
	Routing       *routing          `json:"router_settings,omitempty"`
}

// routing are the router settings of a principal.
type routing struct {
	Retries *int            `json:"num_retries,omitempty"`
	Timeout float64         `json:"timeout,omitempty"`
	Other   json.RawMessage `json:"fallbacks,omitempty"`
	Window  json.RawMessage `json:"context_window_fallbacks,omitempty"`
	Policy  json.RawMessage `json:"content_policy_fallbacks,omitempty"`
}

func routingOf(r *llm.Routing) *routing {
	if r == nil {
		return nil
	}
	out := &routing{Timeout: r.Timeout.Seconds(), Other: r.Fallbacks, Window: r.WindowFallbacks, Policy: r.PolicyFallbacks}
	if r.Retries >= 0 {
		out.Retries = &r.Retries
	}
	return out
}

// limits are those of one of them, with the names of LiteLLM's UserAPIKeyAuth.
type limits struct {
	TPM       *int64     `json:"tpm_limit,omitempty"`
	RPM       *int64     `json:"rpm_limit,omitempty"`
	Parallel  *int64     `json:"max_parallel_requests,omitempty"`
	MaxBudget *float64   `json:"max_budget,omitempty"`
	Soft      float64    `json:"soft_budget,omitempty"`
	Duration  string     `json:"budget_duration,omitempty"`
	ResetAt   *time.Time `json:"budget_reset_at,omitempty"`
	Spend     float64    `json:"spend,omitempty"`
}

func letInOf(p *llm.Principal) letIn {
	in := letIn{
		Caller: callerOf(p), OrgAlias: p.OrgName, Blocked: p.Blocked, TeamBlocked: p.TeamBlocked, TeamModels: p.TeamModels,
		AllowedRoutes: p.AllowedRoutes, Aliases: p.Aliases, CacheControls: p.CacheControls, Region: p.Region, Tags: p.Tags,
		Expires: moment(p.Expires), AccessGroups: p.AccessGroups, Permissions: p.Permissions, Routing: routingOf(p.Routing),
	}
	for i := range p.Allowances {
		a := &p.Allowances[i]
		l := limits{
			TPM: counted(a.TPM), RPM: counted(a.RPM), Parallel: counted(a.Parallel), Soft: a.Budget.Soft, Duration: a.Budget.Duration,
			ResetAt: moment(a.Budget.ResetAt), Spend: a.Budget.Before,
		}
		if a.Budget.Limited {
			l.MaxBudget = &a.Budget.Max
		}
		whose := a.Kind.String()
		if a.Model != "" {
			whose += " " + a.Model
		}
		if in.Limits == nil {
			in.Limits = map[string]limits{}
		}
		in.Limits[whose] = l
	}
	return in
}

// counted undoes llm.Nothing.
func counted(n int64) *int64 {
	if n == 0 {
		return nil
	}
	n = max(n, 0)
	return &n
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
