package app

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/router"
)

// routing sets how the router chooses, what it tries again, and whom it leaves alone.
func (b *builder) routing(s *router.Settings) {
	lite, rs := b.cfg.LiteLLMSettings, b.cfg.RouterSettings
	s.Strategy = rs.RoutingStrategy
	args := rs.RoutingStrategyArgs
	if args.TTL != nil {
		s.StrategyArgs.TTL = args.TTL.Duration()
	}
	if args.LowestLatencyBuffer != nil {
		s.StrategyArgs.Buffer = *args.LowestLatencyBuffer
	}
	s.StrategyArgs.ListSize = first(s.StrategyArgs.ListSize, args.MaxLatencyListSize)

	s.RetryPolicy = policy(rs.RetryPolicy)
	for group, p := range rs.ModelGroupRetryPolicy {
		if s.GroupRetryPolicies == nil {
			s.GroupRetryPolicies = map[string]router.Policy{}
		}
		s.GroupRetryPolicies[group] = policy(p)
	}
	s.ContextWindowFallbacks = b.fallbacks(rs.ContextWindowFallbacks, lite.ContextWindowFallbacks)
	s.ContentPolicyFallbacks = b.fallbacks(rs.ContentPolicyFallbacks, lite.ContentPolicyFallbacks)

	s.AllowedFails = first(s.AllowedFails, rs.AllowedFails, lite.AllowedFails)
	s.AllowedFailsPolicy = policy(rs.AllowedFailsPolicy)
	s.DisableCooldowns = rs.DisableCooldowns
	if rs.CooldownTime != nil {
		s.CooldownTime = rs.CooldownTime.Duration()
	}
	s.Cooled = b.cooled
}

// policy reads the numbers by class of error, whichever of the two policies they are of.
func policy(m map[string]int) router.Policy {
	var p router.Policy
	for name, n := range m {
		name = strings.TrimSuffix(strings.TrimSuffix(name, "ErrorRetries"), "ErrorAllowedFails")
		if class := errorClass(name); class != router.ClassNone {
			if p == nil {
				p = router.Policy{}
			}
			p[class] = n
		}
	}
	return p
}

func errorClass(name string) router.Class {
	switch name {
	case "BadRequest":
		return router.ClassBadRequest
	case "Authentication":
		return router.ClassAuthentication
	case "Timeout":
		return router.ClassTimeout
	case "RateLimit":
		return router.ClassRateLimit
	case "ContentPolicyViolation":
		return router.ClassContentPolicy
	case "InternalServer":
		return router.ClassInternalServer
	}
	return router.ClassNone
}

// cooldownOf is how long a deployment is left alone, as the router takes it: a zero in the configuration is never.
func cooldownOf(list ...*config.Seconds) time.Duration {
	for _, s := range list {
		switch {
		case s == nil:
		case *s == 0:
			return -1
		default:
			return s.Duration()
		}
	}
	return 0
}

// cooled writes a line when a deployment is left alone, and one when it is back.
func (a *App) cooled(c router.Cooldown) {
	d := c.Deployment
	of := []slog.Attr{
		slog.String("model", d.Group), slog.String("deployment", d.ID), slog.String("provider", d.Provider),
		slog.String("api_base", d.Base),
	}
	if c.Until.IsZero() {
		a.log.LogAttrs(context.Background(), slog.LevelWarn, "a deployment is back after its cooldown", of...)
		return
	}
	of = append(of, slog.Int("status", c.Status), slog.String("reason", c.Reason), slog.Duration("cooldown", c.Time))
	a.log.LogAttrs(context.Background(), slog.LevelWarn, "a deployment is left alone", of...)
}
