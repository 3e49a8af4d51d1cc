package app

import (
	"fmt"
	"time"

	"github.com/sallyport-ai/sallyport/core/gateway"
)

// patience sets what happens when an answer does not begin in time, or breaks off.
func (b *builder) patience(s *gateway.Snapshot) {
	rs := b.cfg.RouterSettings
	if t := rs.TotalTimeout; t != nil {
		if *t < 0 {
			b.mistake("router_settings.total_timeout", fmt.Errorf("must not be negative"))
		}
		s.TotalTimeout = t.Duration()
	}
	s.Resume = rs.MidStreamFallbacks == nil || *rs.MidStreamFallbacks
	h := rs.Hedging
	if h == nil {
		return
	}
	out := &gateway.Hedging{Percentile: 95, MinSamples: 50, MaxShare: 0.1, MinDelay: 50 * time.Millisecond, Groups: h.ModelGroups}
	if h.Percentile != nil {
		out.Percentile = *h.Percentile
	}
	if h.MaxShare != nil {
		out.MaxShare = *h.MaxShare
	}
	if h.MinDelay != nil {
		out.MinDelay = h.MinDelay.Duration()
	}
	out.MinSamples = first(out.MinSamples, h.MinSamples)
	if !(out.Percentile > 0 && out.Percentile < 100) || !(out.MaxShare > 0 && out.MaxShare <= 1) || out.MinSamples < 1 || out.MinDelay < 0 {
		b.mistake("router_settings.hedging", fmt.Errorf("percentile must be between 0 and 100, max_share above 0 and at most 1, "+
			"min_samples at least 1, and min_delay not negative"))
	}
	for _, group := range h.ModelGroups {
		if b.modelGroup(group) {
			continue
		}
		b.mistake("router_settings.hedging.model_groups", fmt.Errorf("%q is no model_name", group))
	}
	s.Hedging = out
}

// modelGroup reports whether a name is a model_name of the configuration.
func (b *builder) modelGroup(name string) bool {
	for _, d := range b.bound {
		if d.Group == name {
			return true
		}
	}
	return false
}
