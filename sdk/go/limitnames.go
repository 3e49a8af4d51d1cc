package sallyport

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// ReadLimits reads limits that are named as in LiteLLM's UserAPIKeyAuth, from settings or from the claims of a token:
// tpm_limit, rpm_limit, max_parallel_requests, max_budget, soft_budget, budget_duration (a text such as "30d"),
// budget_reset_at (a text of RFC 3339) and spend are those of the key; with user_, team_, team_member_, organization_ or
// end_user_ in front they are those of others. model_tpm_limit, model_rpm_limit and model_max_budget, also with team_,
// organization_ or end_user_ in front, are objects of numbers by model. An error names what is not known or wrong.
func ReadLimits(m map[string]any) (AllLimits, error) {
	var all AllLimits
	for _, name := range sorted(m) {
		if m[name] == nil {
			continue
		}
		if err := all.read(name, m[name]); err != nil {
			return AllLimits{}, errors.New("limit " + strconv.Quote(name) + " " + err.Error())
		}
	}
	return all, nil
}

func (l *AllLimits) read(name string, v any) error {
	whole, models, field := &l.Key, &l.KeyModels, name
	for _, of := range []struct {
		prefix string
		whole  *Limits
		models *map[string]Limits
	}{
		{"user_", &l.User, nil}, {"team_member_", &l.TeamMember, nil}, {"team_", &l.Team, &l.TeamModels},
		{"organization_", &l.Organization, &l.OrganizationModels}, {"end_user_", &l.EndUser, &l.EndUserModels},
	} {
		if rest, ok := strings.CutPrefix(name, of.prefix); ok {
			whole, models, field = of.whole, of.models, rest
			break
		}
	}
	model, single := strings.CutPrefix(field, "model_")
	if !single {
		return whole.set(field, v)
	}
	if models == nil || model != "tpm_limit" && model != "rpm_limit" && model != "max_budget" {
		return errLimitName
	}
	byModel, ok := v.(map[string]any)
	if !ok {
		return errors.New("must be an object with a number for each model")
	}
	if *models == nil {
		*models = map[string]Limits{}
	}
	for _, m := range sorted(byModel) {
		one := (*models)[m]
		if err := one.set(model, byModel[m]); err != nil {
			return err
		}
		(*models)[m] = one
	}
	return nil
}

var (
	errLimitName  = errors.New("is not known")
	errLimitCount = errors.New("must be a whole number that is not negative")
	errLimitMoney = errors.New("must be a number of US dollars that is not negative")
)

func (l *Limits) set(field string, v any) error {
	switch field {
	case "tpm_limit":
		return setCount(&l.TPM, v)
	case "rpm_limit":
		return setCount(&l.RPM, v)
	case "max_parallel_requests":
		return setCount(&l.MaxParallel, v)
	case "max_budget":
		return setMoney(&l.MaxBudget, v)
	case "soft_budget":
		return setMoney(&l.SoftBudget, v)
	case "spend":
		f, err := money(v)
		l.Spend = f
		return err
	}
	s, ok := v.(string)
	switch {
	case field != "budget_duration" && field != "budget_reset_at":
		return errLimitName
	case !ok:
		return errors.New("must be a text")
	case field == "budget_duration":
		l.BudgetDuration = strings.Clone(s)
		return nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return errors.New("must be a time such as 2030-01-31T00:00:00Z")
	}
	l.BudgetResetAt = t
	return nil
}

func setCount(to **int64, v any) error {
	const most = 1 << 53
	f, ok := number(v)
	if !ok || !(f >= 0 && f <= most) || f != math.Trunc(f) {
		return errLimitCount
	}
	*to = AtMost(int64(f))
	return nil
}

func setMoney(to **float64, v any) error {
	f, err := money(v)
	*to = Dollars(f)
	return err
}

func money(v any) (float64, error) {
	f, ok := number(v)
	if !ok || !(f >= 0 && f <= math.MaxFloat64) {
		return 0, errLimitMoney
	}
	return f, nil
}

// number is a number of a config block or of decoded JSON.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
