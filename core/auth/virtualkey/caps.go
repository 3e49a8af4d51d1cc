package virtualkey

import (
	"encoding/json"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// own are the limits that a row has itself.
type own struct {
	maxBudget, softBudget *float64
	parallel, tpm, rpm    *int64
	duration              string
	resetAt               *time.Time
}

// caps are limits and a budget ready for a scope.
type caps struct {
	limits llm.Limits
	budget llm.Budget
}

// merge takes from the budget row what the row itself leaves open, as LiteLLM_VerificationTokenView does.
func merge(o own, b *store.Budget) caps {
	if b != nil {
		if o.maxBudget == nil {
			o.maxBudget = b.MaxBudget
			if b.BudgetDuration != "" {
				o.duration, o.resetAt = string(b.BudgetDuration), b.BudgetResetAt
			}
		}
		o.softBudget, o.parallel = either(o.softBudget, b.SoftBudget), either(o.parallel, b.MaxParallelRequests)
		o.tpm, o.rpm = either(o.tpm, b.TPMLimit), either(o.rpm, b.RPMLimit)
	}
	c := caps{limits: llm.Limits{RPM: count(o.rpm), TPM: count(o.tpm), Parallel: count(o.parallel)}}
	c.budget.Duration = o.duration
	if o.resetAt != nil {
		c.budget.ResetAt = *o.resetAt
	}
	if o.maxBudget != nil {
		c.budget.Limited, c.budget.Max = true, *o.maxBudget
	}
	if o.softBudget != nil {
		c.budget.Soft = *o.softBudget
	}
	return c
}

func either[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// count is a limit as a scope has it: none if it is not set, and nothing at all if it is zero.
func count(n *int64) int64 {
	switch {
	case n == nil:
		return 0
	case *n <= 0:
		return llm.Nothing
	}
	return *n
}

// temporary adds temp_budget_increase of the key's metadata, until temp_budget_expiry.
func (c *caps) temporary(meta map[string]any) {
	more, ok := llm.Float(meta["temp_budget_increase"])
	until, _ := meta["temp_budget_expiry"].(string)
	if !ok || until == "" {
		return
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, until); err == nil {
			c.budget.Increase, c.budget.Until = more, t.UnixNano()
			return
		}
	}
}

// modelBudgets reads model_max_budget: a budget by model, as a number or an object (GenericBudgetInfo in
// litellm/types/utils.py). What cannot be read limits to nothing: somebody meant to limit it.
func modelBudgets(raw json.RawMessage) map[string]caps {
	var list map[string]json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	out := make(map[string]caps, len(list))
	for model, v := range list {
		var row struct {
			Limit    *float64 `json:"budget_limit"`
			Max      *float64 `json:"max_budget"`
			Period   string   `json:"time_period"`
			Duration string   `json:"budget_duration"`
			RPM      *int64   `json:"rpm_limit"`
			TPM      *int64   `json:"tpm_limit"`
		}
		c := caps{budget: llm.Budget{Limited: true}}
		if err := json.Unmarshal(v, &c.budget.Max); err != nil {
			if store.DecodeExact(v, &row) != nil {
				out[model] = c
				continue
			}
			most := either(row.Limit, row.Max)
			c.budget.Limited = most != nil
			if most != nil {
				c.budget.Max = *most
			}
			c.limits.RPM, c.limits.TPM = count(row.RPM), count(row.TPM)
			c.budget.Duration = row.Period
			if c.budget.Duration == "" {
				c.budget.Duration = row.Duration
			}
		}
		c.budget.Period = Period(c.budget.Duration)
		out[model] = c
	}
	return out
}

// Period is the length of a window that begins with the first spending in it; 0 if it has no end.
func Period(duration string) time.Duration {
	p, err := store.ParsePeriod(duration)
	if err != nil {
		return 0
	}
	begin := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	return p.After(begin).Sub(begin)
}
