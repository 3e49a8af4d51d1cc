package sallyport

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

func TestReadLimits(t *testing.T) {
	t.Parallel()
	f := func(text string, want AllLimits) {
		t.Helper()
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadLimits(m); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	f(`{}`, AllLimits{})
	f(`{"rpm_limit": null}`, AllLimits{})
	f(`{"rpm_limit": 0, "tpm_limit": 5, "max_parallel_requests": 2}`, AllLimits{Key: Limits{RPM: AtMost(0), TPM: AtMost(5), MaxParallel: AtMost(2)}})
	f(`{"max_budget": 1.5, "soft_budget": 1, "spend": 0.5, "budget_duration": "30d", "budget_reset_at": "2030-01-31T00:00:00Z"}`, AllLimits{Key: Limits{
		MaxBudget: Dollars(1.5), SoftBudget: Dollars(1), Spend: 0.5, BudgetDuration: "30d", BudgetResetAt: time.Date(2030, 1, 31, 0, 0, 0, 0, time.UTC),
	}})
	f(`{"user_rpm_limit": 1, "team_rpm_limit": 2, "team_member_rpm_limit": 3, "organization_rpm_limit": 4, "end_user_rpm_limit": 5}`, AllLimits{
		User: Limits{RPM: AtMost(1)}, Team: Limits{RPM: AtMost(2)}, TeamMember: Limits{RPM: AtMost(3)}, Organization: Limits{RPM: AtMost(4)},
		EndUser: Limits{RPM: AtMost(5)},
	})
	f(`{"model_rpm_limit": {"a": 1, "b": 2}, "model_max_budget": {"a": 3}, "team_model_tpm_limit": {"a": 4}}`, AllLimits{
		KeyModels:  map[string]Limits{"a": {RPM: AtMost(1), MaxBudget: Dollars(3)}, "b": {RPM: AtMost(2)}},
		TeamModels: map[string]Limits{"a": {TPM: AtMost(4)}},
	})

	refused := func(name string, v any, want string) {
		t.Helper()
		if _, err := ReadLimits(map[string]any{name: v}); err == nil || !strings.HasPrefix(err.Error(), `limit "`+name+`" `) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %v: got %v, want %s", name, v, err, want)
		}
	}
	for _, v := range []any{-1, 1.5, math.NaN(), math.Inf(1), "5", true, float64(1 << 60)} {
		refused("rpm_limit", v, "whole number")
	}
	for _, v := range []any{-0.5, math.NaN(), math.Inf(1), "5"} {
		refused("max_budget", v, "US dollars")
		refused("team_spend", v, "US dollars")
	}
	refused("rpm_limt", 1, "not known")
	refused("user_model_rpm_limit", map[string]any{"m": 1}, "not known")
	refused("model_spend", map[string]any{"m": 1}, "not known")
	refused("model_rpm_limit", 5, "object")
	refused("model_rpm_limit", map[string]any{"m": -5}, "whole number")
	refused("budget_duration", 30, "text")
	refused("budget_reset_at", "tomorrow", "2030-01-31")
}

// A gateway that does not know what restricts a principal must refuse it.
func TestRestrictionsAreCritical(t *testing.T) {
	t.Parallel()
	f := func(tag abi.Tag, p Principal) {
		t.Helper()
		out := Allow(&p).encode(nil)
		r := abi.Reader{Rest: out}
		r.Next()
		r.Next()
		in := r.Inside()
		if !in.Next() || in.Tag != tag || in.Flags&abi.FlagCritical == 0 {
			t.Errorf("tag %d: got tag %d with flags %d", tag, in.Tag, in.Flags)
		}
	}
	f(abi.TagLimit, Principal{Limits: AllLimits{Key: Limits{RPM: AtMost(0)}}})
	f(abi.TagExpires, Principal{Expires: time.Unix(1, 0)})
	f(abi.TagBlocked, Principal{Blocked: true})
	f(abi.TagTeamBlocked, Principal{TeamBlocked: true})
	f(abi.TagTeamModel, Principal{TeamModels: []string{"m"}})
	f(abi.TagAllowedRoute, Principal{AllowedRoutes: []string{"/v1/models"}})
	f(abi.TagCacheControl, Principal{CacheControls: []string{"ttl"}})
	f(abi.TagRegion, Principal{Region: "eu"})
	f(abi.TagGuardrail, Principal{Guardrails: []string{"g"}})
}
