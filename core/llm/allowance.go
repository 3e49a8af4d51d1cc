package llm

import (
	"strconv"
	"strings"
)

// Allowance is what an authenticator says that a principal, or somebody the principal names, may use. It has no counts of
// its own: whoever puts a request's scopes together finds them. It is immutable.
type Allowance struct {
	Kind  ScopeKind // one that is not Counted, or one of those for a single model
	Model string    // of the kinds that are for one model
	Limits
	// Budget.Before may be set; Budget.ResetAt is when the period ends that lies now, and Duration gives the next ones.
	Budget Budget
}

// granted are the kinds whose budgets may be counted for what authenticators say, in the order of their counterparts.
func granted() [10]ScopeKind {
	return [...]ScopeKind{
		ScopeKey, ScopeUser, ScopeTeam, ScopeTeamMember, ScopeOrganization, ScopeEndUser, ScopeModelPerKey, ScopeModelPerTeam,
		ScopeModelPerOrg, ScopeModelPerUser,
	}
}

// Granted is the kind under which a budget for things of kind k is counted that an authenticator gives: apart from what
// a database has for them. ok is false if there is none.
func (k ScopeKind) Granted() (_ ScopeKind, ok bool) {
	for i, base := range granted() {
		if base == k {
			return ScopeGrantedKey + ScopeKind(i), true
		}
	}
	return 0, false
}

// Base undoes Granted. Other kinds are returned as they are.
func (k ScopeKind) Base() ScopeKind {
	if k < ScopeGrantedKey || k > ScopeGrantedModelPerUser {
		return k
	}
	return granted()[k-ScopeGrantedKey]
}

// GrantedID is the ID of a scope of a kind that Granted returns: the holder's and, of a budget whose periods end at given
// times, when this one does, in unix seconds.
func GrantedID(holder string, end int64) string {
	if end == 0 {
		return holder
	}
	return holder + periodMark + strconv.FormatInt(end, 10)
}

const periodMark = " until "

// Holder is whom the scope is for: ID without the period of GrantedID.
func (s *Scope) Holder() string {
	if s.Kind.Base() == s.Kind {
		return s.ID
	}
	i := strings.LastIndex(s.ID, periodMark)
	if i < 0 {
		return s.ID
	}
	if _, err := strconv.ParseInt(s.ID[i+len(periodMark):], 10, 64); err != nil {
		return s.ID
	}
	return s.ID[:i]
}

// Tighten returns limits that allow what both l and o allow.
func (l Limits) Tighten(o Limits) Limits {
	return Limits{RPM: tighter(l.RPM, o.RPM), TPM: tighter(l.TPM, o.TPM), Parallel: tighter(l.Parallel, o.Parallel)}
}

func tighter(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
