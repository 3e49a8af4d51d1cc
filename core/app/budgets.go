package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/auth/virtualkey"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// softBudget says that a soft budget is reached, in the log and in a metric, once in each period. It is where other alerts
// hook in.
func (a *App) softBudget(s *llm.Scope) {
	spent, _ := s.Spent()
	if a.softBudgets != nil {
		a.softBudgets.WithLabelValues(s.Kind.String()).Inc()
	}
	a.log.Warn("a soft budget is reached", "of", s.Kind.String(), "id", s.ID, "alias", s.Alias, "spend", spent, "soft_budget", s.Budget.Soft)
}

// resetSoon has the job that ends budget periods run now, if it is not about to.
func (a *App) resetSoon() {
	select {
	case a.due <- struct{}{}:
	default:
	}
}

// failures counts the failed calls of each model group in the current minute, for limits of type "dynamic".
type failures struct {
	mu     sync.Mutex
	minute int64
	count  map[string]int
}

func (f *failures) add(model string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now().Unix() / 60; f.minute != now || f.count == nil {
		f.minute, f.count = now, map[string]int{}
	}
	f.count[model]++
}

// failing follows _check_model_has_recent_failures in litellm/proxy/hooks/parallel_request_limiter_v3.py: more than one
// failure in the current minute.
func (a *App) failing(model string) bool {
	const threshold = 1
	f := &a.failures
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.minute == time.Now().Unix()/60 && f.count[model] > threshold
}

// providerBudgets is what GET /provider/budgets shows.
func (a *App) providerBudgets(context.Context) (map[string]any, error) {
	cfg := a.settings().RouterSettings.ProviderBudgetConfig
	out := make(map[string]any, len(cfg))
	for _, name := range slices.Sorted(maps.Keys(cfg)) {
		p := cfg[name]
		row := map[string]any{"budget_limit": p.Limit(), "time_period": p.Period(), "spend": 0.0, "budget_reset_at": nil}
		if live := a.registry.Find(llm.ScopeProvider, name); live != nil {
			row["spend"], _ = live.Spent()
			if w := live.Window(); w != 0 {
				row["budget_reset_at"] = time.Unix(0, w).Add(virtualkey.Period(p.Period())).UTC().Format(time.RFC3339)
			}
		}
		out[name] = row
	}
	return out, nil
}

// checkBudgets refuses periods that are none.
func (b *builder) checkBudgets() {
	check := func(setting, duration string) {
		if duration == "" {
			return
		}
		if _, err := store.ParsePeriod(duration); err != nil {
			b.mistake(setting, err)
		}
	}
	check("litellm_settings.budget_duration", b.cfg.LiteLLMSettings.BudgetDuration)
	check("general_settings.maximum_spend_logs_retention_period", b.cfg.GeneralSettings.SpendLogsRetentionPeriod)
	check("general_settings.maximum_spend_logs_retention_interval", b.cfg.GeneralSettings.SpendLogsRetentionInterval)
	v := b.cfg.Variables
	check("LITELLM_KEY_ROTATION_GRACE_PERIOD", v.KeyRotationGrace)
	if v.KeyRotation && (v.KeyRotationGrace == "" || v.KeyRotationGrace == "0") {
		b.mistake("LITELLM_KEY_ROTATION_ENABLED", errors.New("rotation would lock every holder out, because the new secret is written nowhere: set LITELLM_KEY_ROTATION_GRACE_PERIOD, such as 7d, in which the old one can ask for it with POST /key/regenerate"))
	}
	if cron := b.cfg.GeneralSettings.SpendLogsCleanupCron; cron != "" {
		if _, err := store.ParseCron(cron); err != nil {
			b.mistake("general_settings.maximum_spend_logs_cleanup_cron", err)
		}
	}
	for name, p := range b.cfg.RouterSettings.ProviderBudgetConfig {
		check("router_settings.provider_budget_config."+name, p.Period())
	}
	for name, p := range b.cfg.LiteLLMSettings.TagBudgetConfig {
		check("litellm_settings.tag_budget_config."+name, p.Period())
	}
	for i, m := range b.cfg.ModelList {
		check(fmt.Sprintf("model_list[%d].litellm_params.budget_duration", i), m.LiteLLMParams.BudgetDuration)
	}
}

// secondsOr is a time that is set, or else d.
func secondsOr(s *config.Seconds, d time.Duration) time.Duration {
	if s == nil {
		return d
	}
	return s.Duration()
}
