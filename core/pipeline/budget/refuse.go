package budget

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Refuse makes the error for a budget that is spent. The first sentences are those of the reference
// (litellm/proxy/auth/auth_checks.py, litellm/proxy/hooks/model_max_budget_limiter.py), status and type those of
// auth_exception_handler.py; what follows says whose budget it is, how much it is and when it begins anew.
func Refuse(s *llm.Scope, why llm.Refusal, ask *llm.Ask) *llm.Error {
	spent, held := s.Spent()
	spent, limit := spent+s.Budget.Before, s.Budget.Cap(ask.Now)+s.Budget.Before
	e := &llm.Error{
		Op: "budget.Refuse", Kind: llm.KindInvalid, Status: 400, Type: "budget_exceeded",
		Message: sentence(s, Dollars(spent), Dollars(limit)),
	}
	var b strings.Builder
	b.WriteString(e.Message)
	b.WriteString(". Budget of " + whose(s) + ": " + Dollars(limit) + " US dollars")
	if s.Budget.Duration != "" {
		b.WriteString(" in " + s.Budget.Duration)
	}
	if why == llm.ReservedMoney {
		b.WriteString(", of which " + Dollars(held) + " are held for requests under way")
		e.RetryAfter = time.Second
	}
	switch reset := resets(s); {
	case reset.IsZero():
		b.WriteString("; it does not reset by itself.")
	default:
		b.WriteString("; it resets at " + reset.UTC().Format(time.RFC3339) + ".")
	}
	e.Message = b.String()
	return e
}

// sentence is the reference's.
func sentence(s *llm.Scope, spent, limit string) string {
	cost := " Current cost: " + spent + ", Max budget: " + limit
	switch s.Kind.Base() {
	case llm.ScopeTeam:
		return "Budget has been exceeded! Team=" + s.Holder() + cost
	case llm.ScopeTeamMember:
		team, user, _ := strings.Cut(s.Holder(), ":")
		return "Budget has been exceeded! User=" + user + " in Team=" + team + cost
	case llm.ScopeUser:
		return "ExceededBudget: User=" + s.Holder() + " over budget. Spend=" + spent + ", Budget=" + limit
	case llm.ScopeEndUser:
		return "ExceededBudget: End User=" + s.Holder() + " over budget. Spend=" + spent + ", Budget=" + limit
	case llm.ScopeOrganization, llm.ScopeOrgMember:
		return "Budget has been exceeded! Organization=" + s.Holder() + cost
	case llm.ScopeTag:
		return "Budget has been exceeded! Tag=" + s.Holder() + cost
	case llm.ScopeModelPerKey:
		hash, _, _ := strings.Cut(s.Holder(), ":")
		return "LiteLLM Virtual Key: " + hash + ", key_alias: " + orNone(s.Alias) + ", exceeded budget for model=" + s.Model +
			"." + cost
	case llm.ScopeModelPerTeam, llm.ScopeModelPerUser, llm.ScopeModelPerOrg:
		id, _, _ := strings.Cut(s.Holder(), ":")
		return "Budget has been exceeded! " + strings.ReplaceAll(s.Kind.Base().String(), "_", " ") + " " + id + ", model=" + s.Model + cost
	}
	return "Budget has been exceeded!" + cost
}

func orNone(s string) string {
	if s == "" {
		return "None"
	}
	return s
}

// whose names what the budget belongs to.
func whose(s *llm.Scope) string {
	name := s.Holder()
	switch s.Kind.Base() {
	case llm.ScopeProxy:
		return "the whole proxy"
	case llm.ScopeKey:
		name = "key " + s.Holder()
	case llm.ScopeModelPerKey:
		hash, _, _ := strings.Cut(s.Holder(), ":")
		name = "key " + hash + " for model " + s.Model
	case llm.ScopeTeamMember:
		team, user, _ := strings.Cut(s.Holder(), ":")
		name = "user " + user + " in team " + team
	case llm.ScopeEndUser:
		name = "end user " + s.Holder()
	case llm.ScopeUser, llm.ScopeTeam, llm.ScopeOrganization, llm.ScopeTag, llm.ScopeProvider, llm.ScopeDeployment:
		name = s.Kind.Base().String() + " " + s.Holder()
	}
	if s.Alias != "" {
		name += " (" + s.Alias + ")"
	}
	return name
}

// resets is when the budget begins anew; zero if it does not.
func resets(s *llm.Scope) time.Time {
	if s.Budget.Period > 0 {
		if w := s.Window(); w != 0 {
			return time.Unix(0, w).Add(s.Budget.Period)
		}
	}
	return s.Budget.ResetAt
}

// Dollars writes an amount as Python does, which clients of the reference may read, without the digits that sums of
// binary fractions end in.
func Dollars(v float64) string {
	const digits = 12
	if r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64); err == nil {
		v = r
	}
	if math.Abs(v) >= 1e-4 && math.Abs(v) < 1e16 || v == 0 {
		s := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
