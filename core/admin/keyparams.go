package admin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// limits are the members that requests for keys, teams, users and budgets have in common.
type limits struct {
	MaxBudget           *float64        `json:"max_budget"`
	SoftBudget          *float64        `json:"soft_budget"`
	BudgetDuration      *string         `json:"budget_duration"`
	TPMLimit            *int64          `json:"tpm_limit"`
	RPMLimit            *int64          `json:"rpm_limit"`
	MaxParallelRequests *int64          `json:"max_parallel_requests"`
	ModelMaxBudget      json.RawMessage `json:"model_max_budget"`
	BudgetResetAt       *string         `json:"budget_reset_at"` // of budgets only
}

// check refuses what no limit can be.
func (l *limits) check() error {
	for name, v := range map[string]*float64{"max_budget": l.MaxBudget, "soft_budget": l.SoftBudget} {
		if v != nil && *v < 0 {
			return badRequest(name, name+" cannot be negative. Received: "+fmt.Sprint(*v))
		}
	}
	for name, v := range map[string]*int64{
		"tpm_limit": l.TPMLimit, "rpm_limit": l.RPMLimit, "max_parallel_requests": l.MaxParallelRequests,
	} {
		if v != nil && *v < 0 {
			return badRequest(name, name+" cannot be negative. Received: "+fmt.Sprint(*v))
		}
	}
	if l.BudgetDuration != nil && *l.BudgetDuration != "" {
		if _, err := store.NextReset(*l.BudgetDuration, time.Unix(0, 0), nil); err != nil {
			return badRequest("budget_duration", "budget_duration: "+err.Error())
		}
	}
	if s := value(l.BudgetResetAt); s != "" {
		if _, ok := timeOf(s); !ok {
			return unprocessable{[]detail{{Loc: []any{"body", "budget_reset_at"}, Msg: "Input should be a valid datetime", Type: "datetime_parsing"}}}
		}
	}
	return checkModelBudgets(l.ModelMaxBudget)
}

// modelBudget is one entry of model_max_budget. The reference takes it in two spellings, and a bare number.
type modelBudget struct {
	BudgetLimit    *float64 `json:"budget_limit"`
	MaxBudget      *float64 `json:"max_budget"`
	TimePeriod     string   `json:"time_period"`
	BudgetDuration string   `json:"budget_duration"`
}

func checkModelBudgets(raw json.RawMessage) error {
	if isNull(raw) {
		return nil
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return badRequest("model_max_budget", "model_max_budget must be an object of the form {\"<model>\": {\"budget_limit\": 1.0, \"time_period\": \"1d\"}}.")
	}
	for model, entry := range all {
		var number float64
		if json.Unmarshal(entry, &number) == nil {
			continue
		}
		var b modelBudget
		if store.DecodeExact(entry, &b) != nil {
			return badRequest("model_max_budget", "model_max_budget."+model+" must be an object with budget_limit and time_period.")
		}
		if period := b.TimePeriod + b.BudgetDuration; period != "" {
			if _, err := store.ParsePeriod(period); err != nil {
				return badRequest("model_max_budget", "model_max_budget."+model+": "+err.Error())
			}
		}
	}
	return nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// keyParams are the members of a request for a new or changed key (GenerateKeyRequest and UpdateKeyRequest in
// litellm/proxy/_types.py).
type keyParams struct {
	limits
	Key                  *string         `json:"key"`
	KeyAlias             *string         `json:"key_alias"`
	Duration             *string         `json:"duration"`
	Models               *[]string       `json:"models"`
	Spend                *float64        `json:"spend"`
	UserID               *string         `json:"user_id"`
	TeamID               *string         `json:"team_id"`
	OrganizationID       *string         `json:"organization_id"`
	Metadata             map[string]any  `json:"metadata"`
	AllowedCacheControls *[]string       `json:"allowed_cache_controls"`
	Config               json.RawMessage `json:"config"`
	Permissions          json.RawMessage `json:"permissions"`
	Aliases              json.RawMessage `json:"aliases"`
	RouterSettings       json.RawMessage `json:"router_settings"`
	Blocked              *bool           `json:"blocked"`
	BudgetID             *string         `json:"budget_id"`
	Policies             *[]string       `json:"policies"`
	AllowedRoutes        *[]string       `json:"allowed_routes"`
	AccessGroupIDs       *[]string       `json:"access_group_ids"`
	KeyType              *string         `json:"key_type"`
	AutoRotate           *bool           `json:"auto_rotate"`
	RotationInterval     *string         `json:"rotation_interval"`

	ObjectPermission *store.ObjectPermission `json:"object_permission"`
}

// inMetadata are members that are kept in the key's metadata (LiteLLM_ManagementEndpoint_MetadataFields and ..._Premium
// in litellm/proxy/_types.py).
func inMetadata() []string {
	return []string{
		"model_rpm_limit", "model_tpm_limit", "rpm_limit_type", "tpm_limit_type", "guardrails", "prompts", "tags",
		"enforced_params", "temp_budget_increase", "temp_budget_expiry", "allowed_passthrough_routes",
		"denied_passthrough_routes", "allowed_vector_store_indexes", "logging", "disable_global_guardrails", "team_member_key_duration",
		"service_account_id", "secret_manager_settings", "team_member_budget_id", "team_member_rpm_limit", "team_member_tpm_limit",
	}
}

// noInvitation refuses to send an e-mail about what is made: the gateway sends none. The reference answers as if it had,
// and logs that alerting does not name e-mail.
func (c *call) noInvitation() error {
	if raw, ok := c.sent["send_invite_email"]; ok && string(raw) == "true" {
		return badRequest("send_invite_email", "Email alerting is not set up: no e-mail can be sent. Leave send_invite_email out, and hand over the key or the link of /invitation/new yourself.")
	}
	return nil
}

// limitTypes refuses kinds of limits that there are not.
func (c *call) limitTypes() error {
	for _, name := range []string{"rpm_limit_type", "tpm_limit_type"} {
		var kind *string
		if !c.given(name) {
			continue
		}
		if json.Unmarshal(c.sent[name], &kind) != nil || kind != nil && !slices.Contains([]string{"guaranteed_throughput", "best_effort_throughput", "dynamic"}, *kind) {
			return unprocessable{[]detail{{
				Loc: []any{"body", name}, Msg: "Input should be 'guaranteed_throughput', 'best_effort_throughput' or 'dynamic'", Type: "literal_error",
			}}}
		}
	}
	return nil
}

// check refuses what no key can have, before anything is written.
func (p *keyParams) check(c *call) error {
	if err := c.noInvitation(); err != nil {
		return err
	}
	if err := p.limits.check(); err != nil {
		return err
	}
	// They switch guardrails off and open reports: _check_permissions_field of the reference.
	if !c.admin() && c.given("permissions") && (c.update || !isNull(p.Permissions) && string(p.Permissions) != "{}") {
		return forbidden("Only proxy admins can write `permissions` on a key.")
	}
	if p.Duration != nil && *p.Duration != "" && *p.Duration != "-1" {
		if _, err := store.ParsePeriod(*p.Duration); err != nil {
			return badRequest("duration", "duration: "+err.Error())
		}
	}
	if p.KeyType != nil {
		if _, err := routesOf(*p.KeyType); err != nil {
			return err
		}
	}
	for name, raw := range map[string]json.RawMessage{
		"config": p.Config, "permissions": p.Permissions, "aliases": p.Aliases, "router_settings": p.RouterSettings,
	} {
		if !isNull(raw) && raw[0] != '{' {
			return unprocessable{[]detail{{Loc: []any{"body", name}, Msg: "Input should be a valid dictionary", Type: "dict_type"}}}
		}
	}
	if c.given("temp_budget_increase") != c.given("temp_budget_expiry") {
		return badRequest("temp_budget_increase", "temp_budget_increase and temp_budget_expiry must be given together.")
	}
	if p.AutoRotate != nil && *p.AutoRotate && (p.RotationInterval == nil || *p.RotationInterval == "") && !c.update {
		return badRequest("rotation_interval", "rotation_interval must be set when auto_rotate is true.")
	}
	if p.RotationInterval != nil && *p.RotationInterval != "" {
		switch period, err := store.ParsePeriod(*p.RotationInterval); {
		case err != nil:
			return badRequest("rotation_interval", "rotation_interval: "+err.Error())
		case period.N == 0:
			return badRequest("rotation_interval", "rotation_interval: "+strconv.Quote(*p.RotationInterval)+
				" is no time at all: the key would be rotated again at once. To stop its rotation, set auto_rotate to false.")
		}
	}
	return c.checkMetadata()
}

// checkMetadata refuses members that live in the metadata and would be kept and then not understood.
func (c *call) checkMetadata() error {
	if err := c.limitTypes(); err != nil {
		return err
	}
	for _, name := range []string{"model_rpm_limit", "model_tpm_limit"} {
		var m map[string]int64
		if c.given(name) && json.Unmarshal(c.sent[name], &m) != nil {
			return unprocessable{[]detail{{Loc: []any{"body", name}, Msg: "Input should be an object of whole numbers by model", Type: "dict_type"}}}
		}
	}
	for _, name := range []string{"guardrails", "prompts", "tags", "enforced_params", "allowed_passthrough_routes", "denied_passthrough_routes"} {
		var list []string
		if c.given(name) && json.Unmarshal(c.sent[name], &list) != nil {
			return unprocessable{[]detail{{Loc: []any{"body", name}, Msg: "Input should be a valid list of strings", Type: "list_type"}}}
		}
	}
	if err := c.checkMemberTerm(); err != nil {
		return err
	}
	if c.given("temp_budget_expiry") {
		var when string
		if json.Unmarshal(c.sent["temp_budget_expiry"], &when) != nil || !isTime(when) {
			return badRequest("temp_budget_expiry", "temp_budget_expiry must be a time such as 2026-01-31T00:00:00Z.")
		}
		var amount float64
		if json.Unmarshal(c.sent["temp_budget_increase"], &amount) != nil || amount < 0 {
			return badRequest("temp_budget_increase", "temp_budget_increase must be a number that is not negative.")
		}
	}
	return nil
}

func isTime(s string) bool {
	_, ok := timeOf(s)
	return ok
}

// timeOf reads a time in one of the forms that the reference takes.
func timeOf(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return store.Clean(t), true
		}
	}
	return time.Time{}, false
}

// routesOf is what a kind of key may call (handle_key_type in key_management_endpoints.py).
func routesOf(kind string) ([]string, error) {
	switch kind {
	case "", "default":
		return nil, nil
	case "llm_api":
		return []string{"llm_api_routes"}, nil
	case "management":
		return []string{"management_routes"}, nil
	case "read_only":
		return []string{"info_routes"}, nil
	}
	return nil, unprocessable{[]detail{{
		Loc: []any{"body", "key_type"}, Msg: "Input should be 'llm_api', 'management', 'read_only' or 'default'", Type: "enum",
	}}}
}

// apply writes what the request gave into a key. A member given as null empties the field.
func (p *keyParams) apply(c *call, k *store.Key) error {
	now := c.a.Now()
	set := func(name string, do func()) {
		if c.given(name) {
			do()
		}
	}
	set("key_alias", func() { k.KeyAlias = text(p.KeyAlias) })
	set("models", func() { k.Models = list(p.Models) })
	set("spend", func() { k.Spend = value(p.Spend) })
	set("user_id", func() { k.UserID = text(p.UserID) })
	set("team_id", func() { k.TeamID = text(p.TeamID) })
	set("organization_id", func() { k.OrganizationID = text(p.OrganizationID) })
	set("max_budget", func() { k.MaxBudget = p.MaxBudget })
	set("tpm_limit", func() { k.TPMLimit = p.TPMLimit })
	set("rpm_limit", func() { k.RPMLimit = p.RPMLimit })
	set("max_parallel_requests", func() { k.MaxParallelRequests = p.MaxParallelRequests })
	set("model_max_budget", func() { k.ModelMaxBudget = object(p.ModelMaxBudget) })
	set("allowed_cache_controls", func() { k.AllowedCacheControls = list(p.AllowedCacheControls) })
	set("config", func() { k.Config = object(p.Config) })
	set("permissions", func() { k.Permissions = object(p.Permissions) })
	set("aliases", func() { k.Aliases = object(p.Aliases) })
	set("router_settings", func() { k.RouterSettings = object(p.RouterSettings) })
	set("blocked", func() { k.Blocked = p.Blocked })
	set("budget_id", func() { k.BudgetID = text(p.BudgetID) })
	set("policies", func() { k.Policies = list(p.Policies) })
	set("allowed_routes", func() { k.AllowedRoutes = list(p.AllowedRoutes) })
	set("access_group_ids", func() { k.AccessGroupIDs = list(p.AccessGroupIDs) })
	set("auto_rotate", func() { k.AutoRotate = p.AutoRotate })
	set("rotation_interval", func() { k.RotationInterval = text(p.RotationInterval) })
	if p.KeyType != nil {
		if routes, _ := routesOf(*p.KeyType); routes != nil {
			k.AllowedRoutes = routes
		}
	}
	set("duration", func() { k.Expires = p.expiry(now) })
	if c.given("auto_rotate") || c.given("rotation_interval") {
		if k.AutoRotate != nil && *k.AutoRotate && k.RotationInterval == "" {
			return badRequest("rotation_interval", "rotation_interval must be set when auto_rotate is true.")
		}
		k.KeyRotationAt = rotation(k, now)
	}
	if c.given("budget_duration") {
		k.BudgetDuration, k.BudgetResetAt = text(p.BudgetDuration), nil
		if at, err := store.NextReset(string(k.BudgetDuration), now, c.a.zone()); err == nil {
			k.BudgetResetAt = store.Ptr(at)
		}
	}
	return p.applyMetadata(c, k)
}

// expiry is when a key of the duration ends. None and -1 are never.
func (p *keyParams) expiry(now time.Time) *time.Time {
	if p.Duration == nil || *p.Duration == "" || *p.Duration == "-1" {
		return nil
	}
	period, err := store.ParsePeriod(*p.Duration)
	if err != nil {
		return nil // refused by check
	}
	return store.Ptr(store.Clean(period.After(now)))
}

func rotation(k *store.Key, now time.Time) *time.Time {
	period, err := store.ParsePeriod(string(k.RotationInterval))
	if k.AutoRotate == nil || !*k.AutoRotate || err != nil {
		return nil
	}
	return store.Ptr(store.Clean(period.After(now)))
}

// applyMetadata replaces the metadata if it was given, and then sets the members that live in it.
func (p *keyParams) applyMetadata(c *call, k *store.Key) (err error) {
	k.Metadata, err = c.metadata(k.Metadata, p.Metadata)
	return err
}

// metadata is the metadata of an entity after the request: given in place of current if the request has a metadata,
// with the members that live in it set as the request says. Those that it does not name stay.
func (c *call) metadata(current store.JSON, given map[string]any) (store.JSON, error) {
	meta := map[string]any{}
	if !isNull(current) {
		if err := json.Unmarshal(current, &meta); err != nil {
			return nil, fmt.Errorf("admin: metadata is not an object: %w", err)
		}
	}
	before := maps.Clone(meta)
	if c.given("metadata") {
		kept := meta
		if meta = maps.Clone(given); meta == nil {
			meta = map[string]any{}
		}
		for name, v := range kept {
			if _, named := meta[name]; !named && slices.Contains(inMetadata(), name) {
				meta[name] = v
			}
		}
	}
	for _, name := range inMetadata() {
		if !c.given(name) {
			continue
		}
		var v any
		if err := json.Unmarshal(c.sent[name], &v); err != nil {
			return nil, fmt.Errorf("admin: %s: %w", name, err)
		}
		if v == nil {
			delete(meta, name)
			continue
		}
		meta[name] = v
	}
	if err := cmp.Or(c.mayOptOut(before, meta), c.mayOpenPaths(before, meta)); err != nil {
		return nil, err
	}
	return json.Marshal(meta)
}

func text(s *string) store.Text {
	if s == nil {
		return ""
	}
	return store.Text(strings.TrimSpace(*s))
}

func list(l *[]string) store.List {
	if l == nil {
		return nil
	}
	return *l
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func object(raw json.RawMessage) store.JSON {
	if isNull(raw) {
		return nil
	}
	return raw
}
