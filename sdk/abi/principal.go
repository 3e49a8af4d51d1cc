package abi

// Further tags of a principal. It shares TagTag (a tag of every request) and TagGuardrail (a guardrail that looks at every
// request) with the log hook. Since minor version 2.
const (
	TagLimit        Tag = 230 // nested, repeated: what the principal, or one of those it names, may use
	TagCounter      Tag = 238 // text: what the limits of the key are counted under; absent is the credential's hash
	TagExpires      Tag = 239 // number: microseconds since 1970
	TagBlocked      Tag = 240 // number: 1
	TagTeamBlocked  Tag = 241 // number: 1
	TagTeamModel    Tag = 242 // text, repeated: a model group that the team may use
	TagAllowedRoute Tag = 243 // text, repeated: a path, or the name of a group of paths, that the principal may call
	TagAlias        Tag = 244 // nested, repeated: TagKey with a model name, TagText with the one it stands for
	TagCacheControl Tag = 245 // text, repeated: a cache control that requests may set
	TagRegion       Tag = 246 // text: where models must run
	TagOrgAlias     Tag = 247 // text
)

// Tags of a principal since minor version 4.
const (
	TagAccessGroup    Tag = 248 // text, repeated: id of a stored access group, whose models TagAllowedModel has as well
	TagPermissions    Tag = 249 // map: what else the principal may do
	TagRouterSettings Tag = 250 // map: what takes the place of the router's settings for its requests
)

// Tags of a TagLimit, besides TagModel, which makes it one for a single model group, TagMaxBudget and TagBudgetDuration.
// What is absent limits nothing; 0 allows nothing.
const (
	TagLimitOf     Tag = 231 // text: one of the LimitOf constants
	TagTPMLimit    Tag = 232 // number: tokens in 60 seconds
	TagRPMLimit    Tag = 233 // number: requests in 60 seconds
	TagMaxParallel Tag = 234 // number: requests open at a time
	TagSoftBudget  Tag = 235 // number: the bits of a double, US dollars
	TagSpend       Tag = 236 // number: the bits of a double, US dollars that were spent where the gateway does not count
	TagResetAt     Tag = 237 // number: microseconds since 1970, when the budget's period ends
)

// Whom a TagLimit is for.
const (
	LimitOfKey          = "key"          // the principal itself
	LimitOfUser         = "user"         // its user, whoever asks for it
	LimitOfTeam         = "team"         // its team
	LimitOfTeamMember   = "team_member"  // its user, in its team
	LimitOfOrganization = "organization" // its organization
	LimitOfEndUser      = "end_user"     // its end user; without one each that requests name
)

// Limits of a principal.
const (
	MaxLimits = 1000    // TagLimit records
	MaxNames  = 10_000  // models, routes and the like, of each kind
	MaxName   = 4 << 10 // bytes of one of its texts
	MaxCount  = 1 << 53 // tokens or requests
)
