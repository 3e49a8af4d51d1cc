package app

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// The callbacks that switch on what model groups can take in a minute. The first is LiteLLM's older one, which divides a
// group's limit by the keys in use; here both mean the newer one.
const (
	dynamicLimiter   = "dynamic_rate_limiter"
	dynamicLimiterV3 = "dynamic_rate_limiter_v3"
)

// Defaults of PriorityReservationSettings (litellm/types/utils.py).
const (
	defaultPriorityShare = 0.25
	defaultSaturation    = 0.5
)

// groupScopes are the limits of a model group, and the parts of it by priority.
type groupScopes struct {
	whole *llm.Scope
	parts map[string][]*llm.Scope // by priority: the part, then the whole
	rest  []*llm.Scope            // of those without a priority
}

// priorities knows the scopes of model groups by name. It is immutable.
type priorities struct {
	groups map[string]*groupScopes
	wild   []string // names with a star
}

// priorities makes the scopes of groups whose deployments have limits of requests or tokens; nil if they are not asked for.
// Limits of a group are the sum of those of its deployments.
func (b *builder) priorities(list []*llm.Deployment) *priorities {
	lite := b.cfg.LiteLLMSettings
	if !slices.Contains(lite.Callbacks, dynamicLimiter) && !slices.Contains(lite.Callbacks, dynamicLimiterV3) {
		if len(lite.PriorityReservation) > 0 {
			b.log.Warn("litellm_settings.priority_reservation is not used: add dynamic_rate_limiter_v3 to litellm_settings.callbacks")
		}
		return nil
	}
	limits := map[string]llm.Limits{}
	for _, d := range list {
		l := limits[d.Group]
		l.RPM, l.TPM = l.RPM+int64(d.RPM), l.TPM+int64(d.TPM)
		limits[d.Group] = l
	}
	p := &priorities{groups: map[string]*groupScopes{}}
	for _, group := range slices.Sorted(maps.Keys(limits)) {
		l := limits[group]
		if l.RPM <= 0 && l.TPM <= 0 {
			continue
		}
		p.groups[group] = b.groupScopes(group, l)
		if strings.Contains(group, "*") {
			p.wild = append(p.wild, group)
		}
	}
	for name, alias := range b.cfg.RouterSettings.ModelGroupAlias {
		if g := p.groups[alias.Model]; g != nil && p.groups[name] == nil {
			p.groups[name] = g
		}
	}
	if len(p.groups) == 0 {
		return nil
	}
	return p
}

func (b *builder) groupScopes(group string, l llm.Limits) *groupScopes {
	lite := b.cfg.LiteLLMSettings
	scope := func(kind llm.ScopeKind, id, alias string, l llm.Limits) *llm.Scope {
		live, _ := b.registry.Get(kind, id)
		return &llm.Scope{Kind: kind, ID: id, Alias: alias, Limits: l, Live: live}
	}
	g := &groupScopes{whole: scope(llm.ScopeModel, group, "", l)}
	if len(lite.PriorityReservation) == 0 {
		g.rest = []*llm.Scope{g.whole}
		return g
	}
	from := orElse(lite.PriorityReservationSettings.SaturationThreshold, defaultSaturation)
	part := func(id, alias string, share float64) []*llm.Scope {
		s := scope(llm.ScopePriority, group+":"+id, alias, llm.Limits{RPM: shareOf(l.RPM, share), TPM: shareOf(l.TPM, share)})
		s.Within, s.From = g.whole, from
		return []*llm.Scope{s, g.whole}
	}
	g.rest = part("default_pool", "default", orElse(lite.PriorityReservationSettings.DefaultPriority, defaultPriorityShare))
	g.parts = map[string][]*llm.Scope{}
	for name, share := range b.shares(l) {
		g.parts[name] = part(name, name, share)
	}
	return g
}

// shareOf is the part of a limit, and nothing if it is less than one. No limit has no part.
func shareOf(limit int64, share float64) int64 {
	if limit <= 0 {
		return 0
	}
	if n := int64(float64(limit) * share); n > 0 {
		return n
	}
	return llm.Nothing
}

// shares are those of the priorities in a group with limits; together no more than all of it (_normalize_priority_weights of
// litellm/proxy/hooks/dynamic_rate_limiter_v3.py).
func (b *builder) shares(l llm.Limits) map[string]float64 {
	out := map[string]float64{}
	sum := 0.0
	for name, value := range b.cfg.LiteLLMSettings.PriorityReservation {
		share, err := priorityShare(value, l)
		if err != nil {
			b.mistake("litellm_settings.priority_reservation."+name, err)
			continue
		}
		out[name] = share
		sum += share
	}
	if sum > 1 {
		for name := range out {
			out[name] /= sum
		}
	}
	return out
}

// priorityShare reads a share: a number, or {type: percent, rpm or tpm, value} (convert_priority_to_percent of
// litellm/proxy/hooks/rate_limiter_utils.py).
func priorityShare(value any, l llm.Limits) (float64, error) {
	kind, share := "percent", 1.0
	if m, ok := value.(map[string]any); ok {
		if t, given := m["type"]; given {
			kind = fmt.Sprint(t)
		}
		value = m["value"]
		if value == nil {
			value = share
		}
	}
	switch n := value.(type) {
	case float64:
		share = n
	case int:
		share = float64(n)
	case int64:
		share = float64(n)
	default:
		return 0, fmt.Errorf("%v is no share: write a number such as 0.9, or {type: rpm, value: 900}", value)
	}
	if share < 0 {
		return 0, errors.New("a share is not less than 0")
	}
	switch kind {
	case "percent":
		return share, nil
	case "rpm":
		return shareIn(share, l.RPM), nil
	case "tpm":
		return shareIn(share, l.TPM), nil
	}
	return 0, fmt.Errorf("%q is no type of a share: write percent, rpm or tpm", kind)
}

// shareIn is the share that an amount is of a limit. A group without the limit has none to share: as in the reference, the
// amount then counts as the share itself, and is all of it if it is more.
func shareIn(amount float64, limit int64) float64 {
	if limit <= 0 {
		return min(amount, 1)
	}
	return amount / float64(limit)
}

// scopes are those of the group that a request asks for. A team's priority goes before the key's.
func (p *priorities) scopes(x *llm.Exchange) []*llm.Scope {
	g := p.groups[x.Model]
	if g == nil {
		for _, pattern := range p.wild {
			if llm.Match(pattern, x.Model) {
				g = p.groups[pattern]
				break
			}
		}
	}
	if g == nil || x.Model == "" {
		return nil
	}
	if x.Principal != nil && g.parts != nil {
		name, ok := x.Principal.TeamMetadata["priority"].(string)
		if !ok {
			name, _ = x.Principal.Metadata["priority"].(string)
		}
		if s := g.parts[name]; s != nil {
			return s
		}
	}
	return g.rest
}

func orElse(f *float64, d float64) float64 {
	if f == nil {
		return d
	}
	return *f
}

// fallsBack reports whether something is configured to take the place of the group that a request asks for.
func (b *builder) fallsBack() func(x *llm.Exchange) bool {
	lite, rs := b.cfg.LiteLLMSettings, b.cfg.RouterSettings
	from := map[string]bool{}
	for _, f := range b.fallbacks(rs.Fallbacks, lite.Fallbacks) {
		from[f.Group] = true
	}
	all := from["*"] || len(rs.DefaultFallbacks) > 0 || rs.DefaultFallbacks == nil && len(lite.DefaultFallbacks) > 0
	return func(x *llm.Exchange) bool {
		return (all || from[x.Model] || x.Controls.Fallbacks != nil) && !x.Controls.DisableFallbacks
	}
}
