package wasm

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

func double(tag abi.Tag, f float64) []byte { return number(tag, math.Float64bits(f)) }

func limitRecord(of string, more ...[]byte) []byte {
	return nested(abi.TagLimit, append([][]byte{textRecord(abi.TagLimitOf, of)}, more...)...)
}

// sound reports whether nothing that a limiter would choke on is in a principal.
func sound(p *llm.Principal) bool {
	for _, a := range p.Allowances {
		if a.TPM < llm.Nothing || a.RPM < llm.Nothing || a.Parallel < llm.Nothing || a.Kind == llm.ScopeProxy {
			return false
		}
		for _, f := range []float64{a.Budget.Max, a.Budget.Soft, a.Budget.Before} {
			if !(f >= 0) || math.IsInf(f, 0) {
				return false
			}
		}
	}
	return len(p.Allowances) <= abi.MaxLimits && p.Expires.Year() < 10_000
}

func TestPrincipalLimits(t *testing.T) {
	t.Parallel()
	at := time.UnixMicro(1_700_000_000_000_001).UTC()
	p, err := readPrincipal(abi.Reader{Rest: records(
		textRecord(abi.TagUserID, "u"), textRecord(abi.TagTeamID, "t"), textRecord(abi.TagOrgID, "o"), textRecord(abi.TagOrgAlias, "oa"),
		limitRecord(abi.LimitOfKey, number(abi.TagTPMLimit, 1), number(abi.TagRPMLimit, 0), number(abi.TagMaxParallel, 3),
			double(abi.TagMaxBudget, 0), double(abi.TagSoftBudget, 3.5), double(abi.TagSpend, 0.25),
			textRecord(abi.TagBudgetDuration, "1mo"), number(abi.TagResetAt, uint64(at.UnixMicro()))),
		limitRecord(abi.LimitOfUser, number(abi.TagRPMLimit, 1)), limitRecord(abi.LimitOfTeam, number(abi.TagRPMLimit, 2)),
		limitRecord(abi.LimitOfTeamMember, number(abi.TagRPMLimit, 3)), limitRecord(abi.LimitOfOrganization, number(abi.TagRPMLimit, 4)),
		limitRecord(abi.LimitOfEndUser, number(abi.TagRPMLimit, abi.MaxCount)),
		limitRecord(abi.LimitOfKey, textRecord(abi.TagModel, "m"), number(abi.TagRPMLimit, 6)),
		limitRecord(abi.LimitOfTeam, textRecord(abi.TagModel, "m"), number(abi.TagRPMLimit, 7)),
		limitRecord(abi.LimitOfOrganization, textRecord(abi.TagModel, "m"), number(abi.TagRPMLimit, 8)),
		limitRecord(abi.LimitOfEndUser, textRecord(abi.TagModel, "m"), number(abi.TagRPMLimit, 9)),
		number(abi.TagExpires, uint64(at.UnixMicro())), number(abi.TagBlocked, 1), number(abi.TagTeamBlocked, 1),
		textRecord(abi.TagTeamModel, "tm"), textRecord(abi.TagAllowedRoute, "/r"), textRecord(abi.TagCacheControl, "ttl"),
		textRecord(abi.TagRegion, "eu"), textRecord(abi.TagTag, "red"), textRecord(abi.TagGuardrail, "g"), textRecord(abi.TagCounter, "c"),
		nested(abi.TagAlias, textRecord(abi.TagKey, "a"), textRecord(abi.TagText, "b")),
	)})
	if err != nil {
		t.Fatal(err)
	}
	rpm := func(k llm.ScopeKind, model string, n int64) llm.Allowance {
		return llm.Allowance{Kind: k, Model: model, Limits: llm.Limits{RPM: n}}
	}
	want := &llm.Principal{
		UserID: "u", TeamID: "t", OrgID: "o", OrgName: "oa", Expires: at, Blocked: true, TeamBlocked: true, TeamModels: []string{"tm"},
		AllowedRoutes: []string{"/r"}, CacheControls: []string{"ttl"}, Region: "eu", Tags: []string{"red"}, Guardrails: []string{"g"},
		Metadata: map[string]any{"guardrails": []any{"g"}}, CountAs: "c", Aliases: map[string]string{"a": "b"},
		Allowances: []llm.Allowance{
			{
				Kind: llm.ScopeKey, Limits: llm.Limits{TPM: 1, RPM: llm.Nothing, Parallel: 3},
				Budget: llm.Budget{Limited: true, Soft: 3.5, Before: 0.25, Duration: "1mo", ResetAt: at},
			},
			rpm(llm.ScopeUser, "", 1), rpm(llm.ScopeTeam, "", 2), rpm(llm.ScopeTeamMember, "", 3), rpm(llm.ScopeOrganization, "", 4),
			rpm(llm.ScopeEndUser, "", abi.MaxCount), rpm(llm.ScopeModelPerKey, "m", 6), rpm(llm.ScopeModelPerTeam, "m", 7),
			rpm(llm.ScopeModelPerOrg, "m", 8), rpm(llm.ScopeModelPerUser, "m", 9),
		},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// What breaks the rules is refused with an error that names it.
func TestPrincipalRefuses(t *testing.T) {
	t.Parallel()
	f := func(want string, list ...[]byte) {
		t.Helper()
		if p, err := readPrincipal(abi.Reader{Rest: records(list...)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %+v, %v; want %s", p, err, want)
		}
	}
	key := func(more ...[]byte) []byte { return limitRecord(abi.LimitOfKey, more...) }
	f("rpm_limit is -1, it must be 0 to 9007199254740992", key(number(abi.TagRPMLimit, math.MaxUint64)))
	f("tpm_limit is 9007199254740993", key(number(abi.TagTPMLimit, abi.MaxCount+1)))
	f("max_parallel is -9223372036854775808", key(number(abi.TagMaxParallel, 1<<63)))
	for _, b := range []float64{-1, math.Inf(1), math.Inf(-1), math.NaN()} {
		f("max_budget is ", key(double(abi.TagMaxBudget, b)))
		f("soft_budget is ", key(double(abi.TagSoftBudget, b)))
		f("spend is ", key(double(abi.TagSpend, b)))
	}
	for _, d := range []string{"", "soon", "30", "0d", "-1d", "1y", "1d2h"} {
		f("budget_duration ", key(textRecord(abi.TagBudgetDuration, d)))
	}
	f("reset_at is ", key(number(abi.TagResetAt, math.MaxUint64)))
	f("expires is ", number(abi.TagExpires, math.MaxInt64))
	f("blocked is 2", number(abi.TagBlocked, 2))
	f("team_blocked is 7", number(abi.TagTeamBlocked, 7))
	f(`limit_of "" is not known`, nested(abi.TagLimit, number(abi.TagRPMLimit, 1)))
	f(`limit_of "everybody" is not known`, limitRecord("everybody", number(abi.TagRPMLimit, 1)))
	f(`limit_of "user" for the model m is not known`, limitRecord("user", textRecord(abi.TagModel, "m")))
	f("two limits of the key", key(number(abi.TagRPMLimit, 1)), key(number(abi.TagTPMLimit, 1)))
	f("two limits of the key for the model m", key(textRecord(abi.TagModel, "m")), key(textRecord(abi.TagModel, "m")))
	f("limits of the user, and no user_id", limitRecord(abi.LimitOfUser))
	f("limits of the team, and no team_id", limitRecord(abi.LimitOfTeam))
	f("limits of the model_per_team, and no team_id", limitRecord(abi.LimitOfTeam, textRecord(abi.TagModel, "m")))
	f("limits of the team_member, and no team_id", textRecord(abi.TagUserID, "u"), limitRecord(abi.LimitOfTeamMember))
	f("limits of the organization, and no org_id", limitRecord(abi.LimitOfOrganization))
	f("an alias needs", nested(abi.TagAlias, textRecord(abi.TagKey, "a")))
	f("malformed value", textRecord(abi.TagUserID, "u"), textRecord(abi.TagExpires, "soon"))
	f("malformed value", key(textRecord(abi.TagRPMLimit, "2")))
	f("unknown critical record", critical(number(400, 1)))
	f("unknown critical record", key(critical(number(400, 1))))
	long := strings.Repeat("x", abi.MaxName+1)
	f("user_id is longer than 4096 bytes", textRecord(abi.TagUserID, long))
	f("counter is longer", textRecord(abi.TagCounter, long))
	f("allowed_route is longer", textRecord(abi.TagAllowedRoute, long))
	f("model is longer", key(textRecord(abi.TagModel, long)))
	f("alias is longer", nested(abi.TagAlias, textRecord(abi.TagKey, long)))
	many := func(n int, one func(i int) []byte) (all []byte) {
		for i := range n {
			all = append(all, one(i)...)
		}
		return all
	}
	f("more than 10000 of team_model", many(abi.MaxNames+1, func(int) []byte { return textRecord(abi.TagTeamModel, "m") }))
	f("more than 1000 limits", many(abi.MaxLimits+1, func(i int) []byte { return key(textRecord(abi.TagModel, strings.Repeat("m", i+1))) }))
}

func critical(record []byte) []byte {
	record[2] |= byte(abi.FlagCritical)
	return record
}

// The limits of the key count under one name, which tells no other one's.
func TestPrincipalCounter(t *testing.T) {
	t.Parallel()
	manifest := strings.Replace(strings.Replace(handManifest, `["request"]`, `["auth"]`, 1), `["texts"]`, `[]`, 1)
	seen := map[string]bool{}
	f := func(credential string, list ...[]byte) (string, error) {
		t.Helper()
		b := records(verdict(abi.VerdictAllow), nested(abi.TagPrincipal, append(list, limitRecord(abi.LimitOfKey, number(abi.TagRPMLimit, 1)))...))
		a, err := hand{manifest: manifest, call: returnData(b), result: b}.load(t).Authenticator(ModeOn)
		if err != nil {
			t.Fatal(err)
		}
		x := exchange(t, hello)
		p, err := a.Authenticate(&x.Life, x, auth.Credential{Key: []byte(credential), Present: true})
		if err != nil {
			return "", err
		}
		return p.CountAs, nil
	}
	differs := func(credential string, list ...[]byte) {
		t.Helper()
		name, err := f(credential, list...)
		if err != nil || len(name) != 64 || seen[name] {
			t.Errorf("counted under %q, %v, as another one", name, err)
		}
		if again, _ := f(credential, list...); again != name {
			t.Errorf("counted under %q, then under %q", name, again)
		}
		seen[name] = true
	}
	differs("sk-1")
	differs("sk-2")
	differs("", textRecord(abi.TagUserID, "u"))
	differs("", textRecord(abi.TagUserID, "v"), textRecord(abi.TagKeyAlias, "u"))
	differs("", textRecord(abi.TagKeyAlias, "u"))
	differs("sk-1", textRecord(abi.TagCounter, "u"))
	one, _ := f("sk-1", textRecord(abi.TagCounter, "c"))
	if two, _ := f("sk-2", textRecord(abi.TagCounter, "c")); one != two {
		t.Error("the credential counts although the plugin names a counter")
	}
	_, err := f("")
	if e := llm.AsError(err); e == nil || e.HTTPStatus() != 401 || !strings.Contains(err.Error(), "nothing to count them under") {
		t.Errorf("without any name: %v", err)
	}
}

// A member of the router settings that has no effect would be a mistake that nobody sees.
func TestPrincipalRouting(t *testing.T) {
	t.Parallel()
	read := func(m map[string]any) (*llm.Principal, error) {
		b, err := abi.AppendMap(nil, abi.TagRouterSettings, m)
		if err != nil {
			t.Fatal(err)
		}
		return readPrincipal(abi.Reader{Rest: b})
	}
	p, err := read(map[string]any{
		"num_retries": 0, "timeout": 1.5, "fallbacks": []any{"a"}, "context_window_fallbacks": []any{map[string]any{"m": []any{"b"}}},
		"content_policy_fallbacks": []any{},
	})
	want := &llm.Routing{Timeout: 1500 * time.Millisecond, Fallbacks: []byte(`["a"]`), WindowFallbacks: []byte(`[{"m":["b"]}]`)}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, p.Routing); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	f := func(name string, value any, says string) {
		t.Helper()
		if _, err := read(map[string]any{name: value}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s %v: %v", name, value, err)
		}
	}
	f("num_retries", -1, "num_retries must be a whole number from 0 to 100")
	f("num_retries", 1.5, "num_retries must be")
	f("timeout", 0, "timeout must be a number of seconds above 0 and at most 86400")
	f("timeout", "1", "timeout must be")
	f("fallbacks", "m", "fallbacks must be a list")
	f("routing_strategy", "x", `"routing_strategy" is none of num_retries, timeout`)
}
