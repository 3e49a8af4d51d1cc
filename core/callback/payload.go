package callback

import (
	"bytes"
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/telemetry"
)

// payload is StandardLoggingPayload of litellm/types/utils.py, as far as it is known here.
type payload struct {
	ID              string          `json:"id"`
	TraceID         string          `json:"trace_id"`
	CallID          string          `json:"litellm_call_id"`
	CallType        string          `json:"call_type"`
	Stream          bool            `json:"stream"`
	ResponseCost    float64         `json:"response_cost"`
	CostParts       *costParts      `json:"cost_breakdown"`
	Status          string          `json:"status"`
	StatusFields    statusFields    `json:"status_fields"`
	Provider        *string         `json:"custom_llm_provider"`
	Total           int64           `json:"total_tokens"`
	Prompt          int64           `json:"prompt_tokens"`
	Completion      int64           `json:"completion_tokens"`
	Start           float64         `json:"startTime"`
	End             float64         `json:"endTime"`
	CompletionStart float64         `json:"completionStartTime"`
	ResponseTime    float64         `json:"response_time"`
	Model           string          `json:"model"`
	ModelID         *string         `json:"model_id"`
	ModelGroup      *string         `json:"model_group"`
	APIBase         string          `json:"api_base"`
	Metadata        metadata        `json:"metadata"`
	CacheHit        bool            `json:"cache_hit"`
	CacheKey        *string         `json:"cache_key"`
	SavedCacheCost  float64         `json:"saved_cache_cost"`
	Tags            []string        `json:"request_tags"`
	EndUser         *string         `json:"end_user"`
	Remote          *string         `json:"requester_ip_address"`
	UserAgent       *string         `json:"user_agent"`
	Messages        json.RawMessage `json:"messages"`
	Response        json.RawMessage `json:"response"`
	Error           *string         `json:"error_str"`
	ErrorInfo       *errorInfo      `json:"error_information"`
	Hidden          hiddenParams    `json:"hidden_params"`
	Guardrails      []guardRun      `json:"guardrail_information"`
	ModelMap        modelMap        `json:"model_map_information"`
}

// costParts is CostBreakdown: what a cost is made of. input_cost and output_cost are before discount and margin.
type costParts struct {
	Input           float64            `json:"input_cost"`
	Output          float64            `json:"output_cost"`
	Tools           float64            `json:"tool_usage_cost"`
	Additional      map[string]float64 `json:"additional_costs,omitempty"`
	Original        float64            `json:"original_cost"`
	DiscountPercent float64            `json:"discount_percent"`
	Discount        float64            `json:"discount_amount"`
	MarginPercent   float64            `json:"margin_percent"`
	MarginFixed     float64            `json:"margin_fixed_amount"`
	Margin          float64            `json:"margin_total_amount"`
	Total           float64            `json:"total_cost"`
}

// modelMap is StandardLoggingModelInformation: the entry of the price table.
type modelMap struct {
	Key   string          `json:"model_map_key"`
	Value json.RawMessage `json:"model_map_value"`
}

// guardRun is StandardLoggingGuardrailInformation, as far as it is known here.
type guardRun struct {
	Name     string  `json:"guardrail_name"`
	Provider string  `json:"guardrail_provider"`
	Mode     string  `json:"guardrail_mode"`
	Status   string  `json:"guardrail_status"`
	Start    float64 `json:"start_time"`
	End      float64 `json:"end_time"`
	Duration float64 `json:"duration"` // seconds
}

type statusFields struct {
	API       string `json:"llm_api_status"`
	Guardrail string `json:"guardrail_status"`
}

type errorInfo struct {
	Code     string `json:"error_code"`
	Class    string `json:"error_class"`
	Provider string `json:"llm_provider"`
	Message  string `json:"error_message"`
}

type metadata struct {
	KeyHash      *string        `json:"user_api_key_hash"`
	KeyAlias     *string        `json:"user_api_key_alias"`
	OrgID        *string        `json:"user_api_key_org_id"`
	TeamID       *string        `json:"user_api_key_team_id"`
	TeamAlias    *string        `json:"user_api_key_team_alias"`
	UserID       *string        `json:"user_api_key_user_id"`
	Email        *string        `json:"user_api_key_user_email"`
	EndUser      *string        `json:"user_api_key_end_user_id"`
	Route        *string        `json:"user_api_key_request_route"`
	Auth         map[string]any `json:"user_api_key_auth_metadata"`
	Remote       *string        `json:"requester_ip_address"`
	UserAgent    *string        `json:"user_agent"`
	Requester    any            `json:"requester_metadata"`
	Guards       []string       `json:"applied_guardrails"`
	Usage        usage          `json:"usage_object"`
	Retries      int            `json:"attempted_retries"`
	Fallbacks    int            `json:"attempted_fallbacks"`
	FinishReason *string        `json:"finish_reason"`
}

type usage struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	Total      int64 `json:"total_tokens"`
	Cached     int64 `json:"cached_tokens"`
	Reasoning  int64 `json:"reasoning_tokens"`
}

type hiddenParams struct {
	ModelID      *string  `json:"model_id"`
	APIBase      *string  `json:"api_base"`
	ResponseCost *float64 `json:"response_cost"`
	Overhead     float64  `json:"litellm_overhead_time_ms"`
	ModelName    *string  `json:"litellm_model_name"`
}

// MarshalJSON implements json.Marshaler. Messages and answer are left out.
func (rec *Record) MarshalJSON() ([]byte, error) { return rec.Payload(false) }

// Payload is the record as a StandardLoggingPayload, with what was asked and answered or without. Text that callers and
// vendors chose is masked, so that no key is in it; messages are as they came.
func (rec *Record) Payload(messages bool) ([]byte, error) {
	p := payload{
		ID: rec.ID, TraceID: rec.ID, CallID: rec.ID, CallType: rec.CallType, Stream: rec.Stream, CacheHit: rec.CacheHit, CacheKey: text(rec.CacheKey), SavedCacheCost: rec.SavedCost,
		Status: "success", StatusFields: statusFields{"success", "not_run"}, ModelGroup: text(rec.ModelGroup), ResponseCost: rec.Cost,
		Total: rec.Usage.Total, Prompt: rec.Usage.Prompt, Completion: rec.Usage.Completion,
		Start: seconds(rec.Start), End: seconds(rec.End), CompletionStart: seconds(rec.End),
		ResponseTime: rec.End.Sub(rec.Start).Seconds(), Model: telemetry.Mask(rec.ModelGroup),
		EndUser: text(rec.EndUser), Remote: text(rec.Remote), UserAgent: text(rec.UserAgent),
	}
	if !rec.FirstToken.IsZero() {
		p.CompletionStart = seconds(rec.FirstToken)
		p.ResponseTime = rec.FirstToken.Sub(rec.Start).Seconds()
		if !rec.Stream {
			p.ResponseTime = rec.End.Sub(rec.Start).Seconds()
		}
	}
	requester := rec.requester()
	p.Tags = rec.tags(requester)
	p.Metadata = rec.metadata(requester)
	if d := rec.Deployment; d != nil {
		p.Model, p.ModelID, p.APIBase, p.Provider = d.Model, text(d.ID), telemetry.Mask(d.Base), text(d.Provider)
		p.Hidden.ModelID, p.Hidden.APIBase, p.Hidden.ModelName = p.ModelID, &p.APIBase, text(d.Model)
		p.ModelMap.Key = d.Model
		if d.Price != nil && d.Price.Facts != nil {
			p.ModelMap = modelMap{d.Price.Model, d.Price.Facts}
		}
	}
	if rec.CostKnown {
		p.Hidden.ResponseCost = &p.ResponseCost
		p.CostParts = rec.parts()
	}
	p.Hidden.Overhead = max(0, float64((rec.End.Sub(rec.Start)-rec.Upstream).Microseconds())/1000)
	if e := rec.Error; e != nil {
		p.Status, p.StatusFields.API = "failure", "failure"
		message := telemetry.Mask(e.Message)
		p.Error = &message
		p.ErrorInfo = &errorInfo{strconv.Itoa(e.Status), className(e.Kind), e.Provider, message}
	}
	p.Guardrails, p.StatusFields.Guardrail = rec.guardrails()
	if messages {
		p.Messages, p.Response = valid(rec.Messages), valid(rec.Answer())
	}
	return encode(&p)
}

// parts says what the cost is made of.
func (rec *Record) parts() *costParts {
	c := rec.Parts
	p := &costParts{
		Input: c.Input, Output: c.Output, Tools: c.Tools, Original: c.Original, Discount: c.Discount, Margin: c.Margin, Total: c.Total,
	}
	if c.Request != 0 {
		p.Additional = map[string]float64{"request_cost": c.Request}
	}
	if d := rec.Deployment; d != nil && d.Price != nil {
		p.DiscountPercent, p.MarginPercent, p.MarginFixed = d.Price.Discount, d.Price.Margin, d.Price.MarginRequest
	}
	return p
}

// encode writes text as it is: HTML does not matter here. The one error there can be is a value in a principal's
// metadata that JSON has no form for; the record is worth more than that.
func encode(p *payload) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		p.Metadata.Auth = nil
		b.Reset()
		if err := e.Encode(p); err != nil {
			return nil, err
		}
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// guardrails are the runs, and what came of all of them together: the worst, as guardrails that did their work count.
func (rec *Record) guardrails() (runs []guardRun, status string) {
	status = "not_run"
	for _, r := range rec.GuardRuns {
		runs = append(runs, guardRun{
			r.Name, "sallyport", r.Mode, string(r.Status), seconds(r.Start), seconds(r.Start.Add(r.Took)), r.Took.Seconds(),
		})
		if status == "not_run" || r.Status == llm.GuardFailed || r.Status == llm.GuardIntervened && status != string(llm.GuardFailed) {
			status = string(r.Status)
		}
	}
	return runs, status
}

func (rec *Record) metadata(requester any) metadata {
	m := metadata{
		EndUser: text(rec.EndUser), Route: text(rec.Route), Remote: text(rec.Remote), UserAgent: text(rec.UserAgent),
		Requester: requester, Guards: rec.Guards, Retries: rec.Retries, Fallbacks: rec.Fallbacks, FinishReason: text(rec.Finish),
		Usage: usage{rec.Usage.Prompt, rec.Usage.Completion, rec.Usage.Total, rec.Usage.Cached, rec.Usage.Reasoning},
	}
	m.Auth = rec.AuthMetadata()
	if p := rec.Principal; p != nil {
		m.KeyHash, m.KeyAlias, m.OrgID, m.TeamID = text(p.KeyHash), text(p.KeyAlias), text(p.OrgID), text(p.TeamID)
		m.TeamAlias, m.UserID, m.Email = text(p.TeamName), text(p.UserID), text(p.Email)
	}
	return m
}

// AuthMetadata is the metadata of the caller's key without secrets; nil if there is none.
func (rec *Record) AuthMetadata() map[string]any {
	if rec.Principal == nil {
		return nil
	}
	m, _ := telemetry.MaskTree(copied(rec.Principal.Metadata)).(map[string]any)
	return m
}

// Requester is the metadata that the caller sent, without secrets and nil if it is no object, and the tags of the
// request. Numbers are of type json.Number.
func (rec *Record) Requester() (metadata any, tags []string) {
	metadata = rec.requester()
	return metadata, rec.tags(metadata)
}

// Class is the name that the reference has for the error.
func (e *Error) Class() string { return className(e.Kind) }

// copied lets a tree be changed whose lists belong to somebody else.
func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := maps.Clone(v)
		for k := range m {
			m[k] = copied(m[k])
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = copied(v[i])
		}
		return list
	}
	return v
}

// requester is the caller's metadata without secrets; nil if it is no object.
func (rec *Record) requester() any {
	if len(rec.Metadata) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(rec.Metadata))
	d.UseNumber()
	var m map[string]any
	if d.Decode(&m) != nil || m == nil {
		return nil
	}
	return telemetry.MaskTree(m)
}

// tags are those of the header and of metadata.tags, each once.
func (rec *Record) tags(requester any) []string {
	tags := []string{}
	add := func(s string) {
		for _, t := range tags {
			if t == s {
				return
			}
		}
		if s != "" {
			tags = append(tags, s)
		}
	}
	for s := range strings.SplitSeq(rec.Tags, ",") {
		add(telemetry.Mask(strings.TrimSpace(s)))
	}
	if m, ok := requester.(map[string]any); ok {
		list, _ := m["tags"].([]any)
		for _, v := range list {
			if s, ok := v.(string); ok {
				add(s)
			}
		}
	}
	return tags
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	s = telemetry.Mask(s)
	return &s
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// valid keeps foreign bytes that are no JSON from spoiling the record.
func valid(raw []byte) json.RawMessage {
	if len(raw) == 0 || !json.Valid(raw) {
		return nil
	}
	return raw
}

// className is the exception that the reference has for a kind of failure (litellm/exceptions.py).
func className(k llm.Kind) string {
	switch k {
	case llm.KindBadRequest, llm.KindInvalid, llm.KindTooLarge:
		return "BadRequestError"
	case llm.KindContextWindow:
		return "ContextWindowExceededError"
	case llm.KindContentPolicy:
		return "ContentPolicyViolationError"
	case llm.KindAuthentication:
		return "AuthenticationError"
	case llm.KindPermission:
		return "PermissionDeniedError"
	case llm.KindNotFound:
		return "NotFoundError"
	case llm.KindTimeout:
		return "Timeout"
	case llm.KindUnprocessable:
		return "UnprocessableEntityError"
	case llm.KindRateLimit, llm.KindNoDeployment:
		return "RateLimitError"
	case llm.KindConnection:
		return "APIConnectionError"
	case llm.KindBadGateway:
		return "BadGatewayError"
	case llm.KindUnavailable:
		return "ServiceUnavailableError"
	case llm.KindAuth:
		return "ProxyException"
	case llm.KindRejected:
		return "HTTPException"
	case llm.KindCanceled:
		return "CancelledError"
	}
	return "InternalServerError"
}
