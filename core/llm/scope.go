package llm

import (
	"math"
	"time"
)

// ScopeKind is what sort of thing a limit or a budget applies to.
type ScopeKind uint8

// The kinds.
const (
	ScopeProxy         ScopeKind = iota // the whole gateway
	ScopeKey                            // a virtual key
	ScopeUser                           // a user
	ScopeTeam                           // a team
	ScopeTeamMember                     // a user in a team
	ScopeOrganization                   // an organization
	ScopeOrgMember                      // a user in an organization
	ScopeEndUser                        // a customer: whom the caller says it asks for
	ScopeTag                            // a tag of the request
	ScopeModelPerKey                    // a model, as far as one key asks for it
	ScopeModelPerTeam                   // a model, as far as one team asks for it
	ScopeModelPerOrg                    // a model, as far as one organization asks for it
	ScopeModelPerUser                   // a model, as far as one end user is asked for
	ScopeProvider                       // a vendor
	ScopeDeployment                     // a deployment
	ScopeTagDeployment                  // deployments with a tag
	ScopeModel                          // a model group: what its deployments take together
	ScopePriority                       // those of a priority, as far as they ask for one model group

	// Budgets that an authenticator gives; see ScopeKind.Granted.
	ScopeGrantedKey
	ScopeGrantedUser
	ScopeGrantedTeam
	ScopeGrantedMember
	ScopeGrantedOrg
	ScopeGrantedEndUser
	ScopeGrantedModelPerKey
	ScopeGrantedModelPerTeam
	ScopeGrantedModelPerOrg
	ScopeGrantedModelPerUser
)

// String is the word for the kind in errors and headers (the descriptors of
// litellm/proxy/hooks/parallel_request_limiter_v3.py and dynamic_rate_limiter_v3.py).
func (k ScopeKind) String() string {
	names := [...]string{
		ScopeProxy: "proxy", ScopeKey: "api_key", ScopeUser: "user", ScopeTeam: "team", ScopeTeamMember: "team_member",
		ScopeOrganization: "organization", ScopeOrgMember: "organization_member", ScopeEndUser: "end_user", ScopeTag: "tag",
		ScopeModelPerKey: "model_per_key", ScopeModelPerTeam: "model_per_team", ScopeModelPerOrg: "model_per_organization",
		ScopeModelPerUser: "model_per_end_user", ScopeProvider: "provider", ScopeDeployment: "deployment",
		ScopeTagDeployment: "deployment_tag", ScopeModel: "model_saturation_check", ScopePriority: "priority_model",
	}
	if base := k.Base(); base != k {
		return "granted_" + names[base]
	}
	if int(k) < len(names) {
		return names[k]
	}
	return names[ScopeProxy]
}

// Counted reports whether what the kind spends is kept under a counter of its own, in a window that begins anew, and not
// in a row that the management API shows.
func (k ScopeKind) Counted() bool {
	return k >= ScopeModelPerKey && k <= ScopeTagDeployment || k >= ScopeGrantedKey && k <= ScopeGrantedModelPerUser
}

// Limits are what a scope may do. The zero value limits nothing; Nothing allows nothing.
type Limits struct {
	RPM      int64 // requests in 60 seconds
	TPM      int64 // tokens in 60 seconds
	Parallel int64 // requests open at a time
}

// Nothing is a limit that lets nothing through.
const Nothing = -1

// Budget is how much money a scope may spend, in US dollars.
type Budget struct {
	Limited  bool    // Max counts
	Max      float64 // spending stops when it is reached; 0 allows nothing
	Soft     float64 // somebody is told when it is reached; 0 is none
	Before   float64 // of Max and Soft: was spent where it is not counted
	Increase float64 // added to Max until Until
	Until    int64   // unix nanoseconds
	Duration string  // of the period, as written; empty is for good
	ResetAt  time.Time
	Period   time.Duration // of a scope that is Counted: its window begins with the first spending in it; 0 is for good
}

// Cap is how much of what is counted may be spent at a moment, given in unix nanoseconds. It may be negative.
func (b *Budget) Cap(now int64) float64 {
	if !b.Limited {
		return math.Inf(1)
	}
	most := b.Max - b.Before
	if b.Increase != 0 && now < b.Until {
		return most + b.Increase
	}
	return most
}

// Scope is one thing whose limits and budget apply to a request. It is immutable and shared, and its Live state is
// shared with every other Scope of the same kind and ID, so that a change of limits keeps what was counted. It is counted
// under the ID of its state, which may be an older one: that of a key is the first hash that the key had.
type Scope struct {
	Kind  ScopeKind
	ID    string // for an error: hash, id or "team:user"
	Alias string // a name that people know it by; may be empty
	Model string // of the kinds that are for one model

	Counter string // name of the counter that a database keeps its spend under; empty if it is in a row
	Limits
	Budget Budget
	Free   bool // who asks spends, but is not refused for it: the administrator

	// Relaxed takes the place of the scope while the model does not fail: it counts what the scope would limit
	// (rpm_limit_type and tpm_limit_type "dynamic"). Nil for other scopes.
	Relaxed *Scope

	// Within is a scope that this one has a part of: its limits of requests and tokens hold once Within is used to the share
	// From of its own, as the larger of both says. What is used counts in any case. Nil for other scopes.
	Within *Scope
	From   float64
	*Live
}

// Used is the share of its limits of requests and tokens a minute that a scope has used, the larger of both. Of ask it
// needs Now and Share.
func (s *Scope) Used(ask *Ask) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.turn(ask.Now)
	return max(part(m.requests.at(ask.Now), ask.share(s.RPM)), part(m.tokens.at(ask.Now), ask.share(s.TPM)))
}

func part(used, limit int64) float64 {
	if limit <= 0 {
		return 0
	}
	return float64(used) / float64(limit)
}

// Idle reports whether the scope has nothing to check and nothing to count but spend.
func (s *Scope) Idle() bool {
	return s.RPM == 0 && s.TPM == 0 && s.Parallel == 0 && !s.Budget.Limited && s.Budget.Soft == 0
}

// Ask is what a request wants of each of its scopes.
type Ask struct {
	Now    int64   // unix nanoseconds
	Tokens int64   // how many it may use; an estimate
	Cost   float64 // how much it may cost, in US dollars; an upper estimate
	Free   bool    // the model is known to cost nothing: budgets do not matter
	Share  int64   // of how many replicas this is one, while they cannot count together; less than 2 is alone
}

// share is the part of a limit that a replica may use alone.
func (a *Ask) share(limit int64) int64 {
	if a.Share < 2 || limit < 1 {
		return limit
	}
	return (limit + a.Share - 1) / a.Share
}

// Refusal says why a scope does not let a request pass.
type Refusal uint8

// The refusals.
const (
	Passed        Refusal = iota
	OverRequests          // too many requests a minute
	OverTokens            // too many tokens a minute
	OverParallel          // too many requests at once
	OverBudget            // the budget is spent
	ReservedMoney         // what is left of the budget is held for requests under way
	ReservedToken         // what is left of the tokens is held for requests under way
)

// String is the word for the limit in errors and headers.
func (r Refusal) String() string {
	switch r {
	case OverRequests:
		return "requests"
	case OverTokens, ReservedToken:
		return "tokens"
	case OverParallel:
		return "max_parallel_requests"
	case OverBudget, ReservedMoney:
		return "budget"
	}
	return ""
}

// Passing reports whether the refusal may end as soon as a request under way does.
func (r Refusal) Passing() bool { return r == OverParallel || r == ReservedMoney || r == ReservedToken }

// Hold is what a request holds of one scope until it is settled. The zero value holds nothing.
type Hold struct {
	Scope  *Scope
	second int64 // in which Tokens were counted
	tokens int64
	cost   float64
	period uint32 // of the money
	open   bool
	money  bool
	counts bool   // requests are counted
	asked  bool   // its money is part of Live.asked
	asking bool   // its request and tokens are part of Live.asking
	known  uint32 // if its money is part of Live.shared: Live.lost then, plus one
	gave   uint64

	// Shared says that what was taken here was taken for all replicas together, too. Turn tells the attempts of one request
	// apart there; 0 is the request itself.
	Shared bool
	Turn   uint32

	// What was left when the request passed, for the response's headers; -1 where there is no limit.
	RequestsLeft, TokensLeft int64
}

// Gave is the number of the last time that the hold's scope had got money back when the hold gave its own back; see
// Account.Gave.
func (h *Hold) Gave() uint64 { return h.gave }

// Taken tells what a hold took: tokens and US dollars, and whether it has a place among the open requests, counts among
// those of the minute, and holds money.
func (h *Hold) Taken() (tokens int64, cost float64, open, counts, money bool) {
	return h.tokens, h.cost, h.open, h.counts, h.money
}
