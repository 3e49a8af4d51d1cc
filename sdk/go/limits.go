package sallyport

import (
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Limits are what somebody may use. A nil field limits nothing, and 0 allows nothing: AtMost and Dollars make the
// pointers. What is negative, infinite or no number fails the call, and so nobody is let in.
type Limits struct {
	TPM         *int64 // tokens in 60 seconds
	RPM         *int64 // requests in 60 seconds
	MaxParallel *int64 // requests open at a time

	MaxBudget  *float64 // US dollars
	SoftBudget *float64 // US dollars; it is only reported when it is reached
	// BudgetDuration is the length of a budget's period: a number and s, m, h, d, w or mo, such as "30d". The first
	// spending in it begins it. Without one the budget is for good.
	BudgetDuration string
	// BudgetResetAt is when the period ends. The next ones are as long as BudgetDuration says; without it there is one
	// more, which has no end. The zero time leaves it to BudgetDuration.
	BudgetResetAt time.Time
	// Spend is how many US dollars were spent of the budget, in this period, where the gateway does not count. What it
	// counts itself is added.
	Spend float64
}

// AtMost makes the value of a limit that counts.
func AtMost(n int64) *int64 { return &n }

// Dollars makes the value of a budget.
func Dollars(f float64) *float64 { return &f }

// AllLimits are what a principal and those it names may use. Those of a user, a team, an organization and an end user are
// for all who ask in their name, and hold besides what the gateway's database has for them.
type AllLimits struct {
	Key          Limits // the principal itself
	User         Limits // Caller.UserID
	Team         Limits // Caller.TeamID
	TeamMember   Limits // the user in the team
	Organization Limits // Caller.OrgID
	EndUser      Limits // Caller.EndUser; without one each end user that requests name

	// By model group: what holds for calls of one of them, besides the others.
	KeyModels          map[string]Limits
	TeamModels         map[string]Limits
	OrganizationModels map[string]Limits
	EndUserModels      map[string]Limits
}

func (l *AllLimits) encode(dst []byte) []byte {
	dst = l.Key.encode(dst, abi.LimitOfKey, "")
	dst = l.User.encode(dst, abi.LimitOfUser, "")
	dst = l.Team.encode(dst, abi.LimitOfTeam, "")
	dst = l.TeamMember.encode(dst, abi.LimitOfTeamMember, "")
	dst = l.Organization.encode(dst, abi.LimitOfOrganization, "")
	dst = l.EndUser.encode(dst, abi.LimitOfEndUser, "")
	dst = encodeModels(dst, abi.LimitOfKey, l.KeyModels)
	dst = encodeModels(dst, abi.LimitOfTeam, l.TeamModels)
	dst = encodeModels(dst, abi.LimitOfOrganization, l.OrganizationModels)
	return encodeModels(dst, abi.LimitOfEndUser, l.EndUserModels)
}

func encodeModels(dst []byte, of string, m map[string]Limits) []byte {
	for _, model := range sorted(m) {
		l := m[model]
		dst = l.encode(dst, of, model)
	}
	return dst
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (l *Limits) encode(dst []byte, of, model string) []byte {
	if *l == (Limits{}) {
		return dst
	}
	at := len(dst)
	dst, mark := abi.Open(dst, abi.TagLimit)
	dst = abi.AppendText(dst, abi.TagLimitOf, of)
	dst = appendField(dst, abi.TagModel, model)
	dst = appendCount(dst, abi.TagTPMLimit, l.TPM)
	dst = appendCount(dst, abi.TagRPMLimit, l.RPM)
	dst = appendCount(dst, abi.TagMaxParallel, l.MaxParallel)
	if l.MaxBudget != nil {
		dst = appendDouble(dst, abi.TagMaxBudget, *l.MaxBudget)
	}
	if l.SoftBudget != nil {
		dst = appendDouble(dst, abi.TagSoftBudget, *l.SoftBudget)
	}
	dst = appendField(dst, abi.TagBudgetDuration, l.BudgetDuration)
	dst = appendTime(dst, abi.TagResetAt, l.BudgetResetAt)
	if l.Spend != 0 {
		dst = appendDouble(dst, abi.TagSpend, l.Spend)
	}
	return critical(abi.Close(dst, mark), at)
}

func appendCount(dst []byte, tag abi.Tag, n *int64) []byte {
	if n == nil {
		return dst
	}
	return abi.AppendNumber(dst, tag, uint64(*n)) // the gateway refuses what is negative
}

func appendTime(dst []byte, tag abi.Tag, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	return abi.AppendNumber(dst, tag, uint64(max(0, t.UnixMicro())))
}

// critical marks the record at a place: a gateway that does not know it must not let the caller in without it.
func critical(dst []byte, at int) []byte {
	dst[at+2] |= byte(abi.FlagCritical)
	return dst
}

// restrictions appends what the principal may not do, records that must be understood.
func (p *Principal) restrictions(dst []byte) []byte {
	text := func(tag abi.Tag, list ...string) {
		for _, s := range list {
			at := len(dst)
			dst = critical(abi.AppendText(dst, tag, s), at)
		}
	}
	flag := func(tag abi.Tag, on bool) {
		if on {
			at := len(dst)
			dst = critical(abi.AppendNumber(dst, tag, 1), at)
		}
	}
	dst = p.Limits.encode(dst)
	if at := len(dst); !p.Expires.IsZero() {
		dst = critical(appendTime(dst, abi.TagExpires, p.Expires), at)
	}
	flag(abi.TagBlocked, p.Blocked)
	flag(abi.TagTeamBlocked, p.TeamBlocked)
	text(abi.TagTeamModel, p.TeamModels...)
	text(abi.TagAllowedRoute, p.AllowedRoutes...)
	text(abi.TagCacheControl, p.CacheControls...)
	if p.Region != "" {
		text(abi.TagRegion, p.Region)
	}
	text(abi.TagGuardrail, p.Guardrails...)
	return dst
}

// rest appends what no record has to be understood for.
func (p *Principal) rest(dst []byte) (_ []byte, err error) {
	dst = appendField(dst, abi.TagCounter, p.Counter)
	dst = appendField(dst, abi.TagOrgAlias, p.OrgAlias)
	for _, tag := range p.Tags {
		dst = appendField(dst, abi.TagTag, tag)
	}
	for _, name := range sorted(p.Aliases) {
		var mark int
		dst, mark = abi.Open(dst, abi.TagAlias)
		dst = abi.AppendText(dst, abi.TagKey, name)
		dst = abi.Close(abi.AppendText(dst, abi.TagText, p.Aliases[name]), mark)
	}
	for _, id := range p.AccessGroups {
		dst = appendField(dst, abi.TagAccessGroup, id)
	}
	if len(p.Permissions) > 0 {
		dst, err = abi.AppendMap(dst, abi.TagPermissions, p.Permissions)
	}
	if len(p.RouterSettings) > 0 && err == nil {
		dst, err = abi.AppendMap(dst, abi.TagRouterSettings, p.RouterSettings)
	}
	return dst, err
}
