// Package router finds the deployments for a model name, best first, and decides after a failure whether to try again,
// to fall back to another model group, or to give up. A Router is built from configuration and immutable; a Plan is the
// way of one exchange through it.
package router

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Settings say how requests find their way. Start from Defaults: zero is a meaning of its own for most fields.
type Settings struct {
	Deployments []*llm.Deployment // in the order of the configuration; a Group with "*" is a wildcard
	Aliases     map[string]Alias

	Fallbacks              []Fallback // after any failure that another group might not have
	ContextWindowFallbacks []Fallback // after llm.KindContextWindow
	ContentPolicyFallbacks []Fallback // after llm.KindContentPolicy
	DefaultFallbacks       []string   // for groups that Fallbacks does not name
	MaxFallbacks           int        // how deep fallbacks of fallbacks go; 0 none

	Retries       int           // attempts after the first in one group, unless caller or deployment say otherwise
	RetryAfter    time.Duration // shortest wait before a group with one deployment is tried again
	Timeout       time.Duration // for a whole call; 0 none
	StreamTimeout time.Duration // for each wait in a stream; 0 takes Timeout
	Strategy      string        // one of Strategies; empty is SimpleShuffle
	StrategyArgs  StrategyArgs

	// RetryPolicy is how often each class of failure is tried again; others follow Retries. It also lets classes be
	// tried again that otherwise are not, such as ClassBadRequest.
	RetryPolicy        Policy
	GroupRetryPolicies map[string]Policy // in place of RetryPolicy, by model group

	CooldownTime       time.Duration // how long a deployment is left alone, unless it or the vendor says otherwise
	AllowedFails       int           // failures a minute a deployment may have; -1 takes the reference's other rules
	AllowedFailsPolicy Policy        // the same by class; nil: none
	DisableCooldowns   bool
	Cooled             func(Cooldown) // told of each cooldown's beginning and end; must not block; may be nil

	// Expand makes the deployment for a wildcard. d is the deployment with "*" in its Model, model its name at the
	// vendor with the "*" filled in. It may hold a vendor's prefix if d.Provider is empty ("groq/llama3"). d itself stays as it
	// is. An error refuses the request; an *llm.Error goes to the caller as it is. Needed only with such deployments.
	Expand func(d *llm.Deployment, model string) (*llm.Deployment, error)
	// Written returns litellm_params.model as the operator wrote it: callers may use it as a model name. Nil takes
	// "provider/model".
	Written func(d *llm.Deployment) string
	// Vendor reports whether a name is a vendor's, so that fallbacks for "gpt-4o" also serve "openai/gpt-4o". Nil
	// takes the vendors of Deployments.
	Vendor func(name string) bool

	// Facts tells what the router must know of a deployment besides its settings; nil: nothing.
	Facts func(d *llm.Deployment) Facts
	// Count returns the tokens of a request's prompt for a vendor's model, or 0 if it cannot; nil: prompts fit.
	Count func(x *llm.Exchange, model string) int64

	PreCallChecks bool // leaves out deployments by context window, rpm, region and response_format
	EnforceLimits bool // rpm and tpm are limits, whatever the strategy
	TagFiltering  bool // the tags of a request decide which deployments may serve it
	MatchAllTags  bool // a deployment needs all tags of the request; else one of them
	Affinity      Affinity

	DefaultPriority int           // of requests that name none, in line for deployments without a free place; lower is first
	QueueLength     int           // how many may wait for a model group; 0 takes 1000
	QueueTimeout    time.Duration // how long one waits; 0 takes a minute

	// Checks leave out deployments one by one, before the Filters. None costs nothing.
	Checks []Check
	// Filters narrow down the deployments of a group before each attempt, one after the other. None costs nothing.
	Filters []Filter

	// Shared is where replicas meet; nil: there is only this one.
	Shared Shared
	States *States        // what is known about deployments, shared by routers that replace each other; nil: a new one
	Rand   func() float64 // in [0, 1), safe for concurrent use; nil: math/rand/v2
}

// Alias is another name for a model group.
type Alias struct {
	Group  string
	Hidden bool // not listed by Models
}

// Fallback lists what to try, in order, when a group failed. Group "*" is for groups that no other entry names.
type Fallback struct {
	Group   string
	Targets []Target
}

// Target is a model group to fall back to.
type Target struct {
	Group  string
	Params []llm.Pair // members that replace those of the request body; Value is JSON
}

// Defaults are the settings of the reference (litellm/router.py, Router.__init__).
func Defaults() Settings {
	return Settings{
		MaxFallbacks: 5, Retries: 2, Timeout: 6000 * time.Second, Strategy: SimpleShuffle,
		StrategyArgs: StrategyArgs{TTL: time.Hour, ListSize: 10}, CooldownTime: 5 * time.Second, AllowedFails: -1,
	}
}

// Router knows where each model name leads. It is immutable but for caches and counters, and safe for concurrent use.
type Router struct {
	s        Settings
	strategy strategy
	names    []string // exact groups, in the order of the configuration
	groups   map[string]*group
	ids      map[string]*group // "specific deployment"
	written  map[string]*group
	wild     *wildcards

	general, window, policy fallbacks
	vendors                 map[string]bool
	teams                   map[teamName]*group // what teams call by names of their own
	plain                   bool                // nothing is asked of requests but their model
	scoped, steady          bool                // see Ahead
	ahead                   ahead
}

// teamName is a model group of one team.
type teamName struct{ team, name string }

// group is the deployments that one name leads to. Immutable once sealed.
type group struct {
	name      string
	members   []member
	single    bool             // a deployment was named by its id
	limited   bool             // a member has rpm or tpm
	scoped    bool             // a member has scopes
	ordered   bool             // members differ in order
	totals    [shares]float64  // of the members' shares
	has       has              // what members have
	lacks     ability          // what some member lacks
	window    int64            // the shortest MaxPrompt; 0 none
	teams     map[string]int32 // the teams that members are for, from 1 on
	places    []place          // where members run; the first is anywhere
	tags      map[string]int   // bits of the members' tags; nil without tag filtering
	byDefault int              // the bit of defaultTag, or -1
}

func (g *group) add(m member, f Facts) {
	if t := f.Team; t != "" {
		if g.teams == nil {
			g.teams = map[string]int32{}
		}
		if g.teams[t] == 0 {
			g.teams[t] = int32(len(g.teams) + 1)
		}
		m.team = g.teams[t]
	}
	at := place{f.Region, f.Area}
	if len(g.places) == 0 {
		g.places = append(g.places, place{})
	}
	if m.place = int32(slices.Index(g.places, at)); m.place < 0 {
		m.place = int32(len(g.places))
		g.places = append(g.places, at)
	}
	g.ordered = g.ordered || len(g.members) > 0 && g.members[0].order != m.order
	g.members = append(g.members, m)
	for i, s := range m.shares {
		g.totals[i] += s
	}
	g.limited = g.limited || m.rpm > 0 || m.tpm > 0
	g.scoped = g.scoped || len(m.d.Scopes) > 0
	g.has |= m.has()
	g.lacks |= m.lacks
	if w := m.window; w > 0 && (g.window == 0 || w < g.window) {
		g.window = w
	}
}

// seal finishes a group that has all its members.
func (r *Router) seal(g *group) {
	if r.s.TagFiltering {
		g.indexTags()
	}
}

// member is a deployment in a group. A choice goes through those of a group once and again, so what it reads of them lies
// here side by side.
type member struct {
	state    *state
	rpm, tpm int64 // limits; 0 none
	window   int64 // tokens of the longest prompt; 0 unknown
	parallel int64 // places; 0 any number
	team     int32 // in group.teams; 0 everybody
	place    int32 // in group.places
	lacks    ability
	exact    bool // it does not come from a wildcard
	named    bool // its team has a name of its own for it
	order    int

	d      *llm.Deployment
	shares [shares]float64
	cost   float64 // US dollars for a prompt token and a completion token
	tags   tagSet
}

func (r *Router) member(d *llm.Deployment, st *state, exact bool) (member, Facts) {
	m := member{
		state: st, d: d, order: orderOf(d), rpm: int64(d.RPM), tpm: int64(d.TPM), cost: unknownPrice, exact: exact,
		shares: [shares]float64{byWeight: d.Weight, byRPM: d.RPM, byTPM: d.TPM},
	}
	if p, known := d.Price.Base(); known {
		m.cost = p.Input + p.Output
	}
	var f Facts
	if r.s.Facts != nil {
		f = r.s.Facts(d)
		m.lacks, m.parallel, m.window, m.named = f.lacks(), f.Parallel, f.MaxPrompt, f.TeamName != ""
	}
	return m, f
}

// New checks the settings and builds a router. The error names the setting that is wrong.
func New(s Settings) (*Router, error) {
	how, err := strategyOf(s.Strategy)
	if err != nil {
		return nil, err
	}
	if a := s.StrategyArgs; a.TTL <= 0 || a.ListSize < 1 || a.ListSize > maxListSize || !(a.Buffer >= 0) {
		return nil, fmt.Errorf("routing_strategy_args: ttl must be positive, max_latency_list_size from 1 to %d, and "+
			"lowest_latency_buffer not negative", maxListSize)
	}
	if s.CooldownTime < 0 {
		return nil, fmt.Errorf("cooldown_time must not be negative: set disable_cooldowns to have none")
	}
	if s.Retries < 0 || s.MaxFallbacks < 0 || s.RetryAfter < 0 || s.Timeout < 0 || s.StreamTimeout < 0 {
		return nil, fmt.Errorf("num_retries, max_fallbacks, retry_after, timeout and stream_timeout must not be negative")
	}
	if s.QueueLength < 0 || s.QueueTimeout < 0 || s.Affinity.TTL < 0 {
		return nil, fmt.Errorf("queue_length, queue_timeout and deployment_affinity_ttl_seconds must not be negative")
	}
	if s.QueueLength == 0 {
		s.QueueLength = defaultQueueLength
	}
	if s.QueueTimeout == 0 {
		s.QueueTimeout = defaultQueueTimeout
	}
	if s.States == nil {
		s.States = NewStates()
	}
	if s.Rand == nil {
		s.Rand = rand.Float64
	}
	if s.Written == nil {
		s.Written = func(d *llm.Deployment) string { return d.Provider + "/" + d.Model }
	}
	r := &Router{
		s: s, strategy: how, groups: map[string]*group{}, ids: map[string]*group{}, written: map[string]*group{},
		vendors: map[string]bool{}, teams: map[teamName]*group{},
		plain:  len(s.Filters) == 0 && len(s.Checks) == 0 && how == shuffle && !s.TagFiltering && !s.Affinity.on() && !s.Affinity.Encrypted && !s.PreCallChecks,
		steady: steady(s.Filters),
	}
	r.wild = newWildcards(r)
	for i, d := range s.Deployments {
		if err := r.add(d); err != nil {
			return nil, fmt.Errorf("model_list[%d]: %w", i, err)
		}
	}
	r.wild.sort()
	for _, groups := range []map[string]*group{r.groups, r.ids, r.written} {
		for _, g := range groups {
			r.seal(g)
		}
	}
	for _, g := range r.teams {
		r.seal(g)
	}
	if err := r.checkAliases(); err != nil {
		return nil, err
	}
	if err := r.addFallbacks(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Router) add(d *llm.Deployment) error {
	if d.Group == "" {
		return fmt.Errorf("model_name is missing")
	}
	if d.ID == "" {
		return fmt.Errorf("model %q has no id", d.Group)
	}
	if r.ids[d.ID] != nil || r.wild.ids[d.ID] {
		return fmt.Errorf("the id %q of model %q is taken: give each deployment its own model_info.id", d.ID, d.Group)
	}
	r.vendors[d.Provider] = true
	r.scoped = r.scoped || len(d.Scopes) > 0
	m, f := r.member(d, r.s.States.of(d), !strings.Contains(d.Group, "*"))
	if strings.Contains(d.Group, "*") {
		return r.wild.add(m)
	}
	if r.groups[d.Group] == nil {
		r.names = append(r.names, d.Group)
	}
	join(r.groups, d.Group, m, f)
	join(r.ids, d.ID, m, f)
	r.ids[d.ID].single = true
	join(r.written, r.s.Written(d), m, f)
	if f.Team != "" && f.TeamName != "" {
		key := teamName{f.Team, f.TeamName}
		if r.teams[key] == nil {
			r.teams[key] = &group{name: f.TeamName}
		}
		r.teams[key].add(m, f)
	}
	return nil
}

func join(groups map[string]*group, name string, m member, f Facts) {
	g := groups[name]
	if g == nil {
		g = &group{name: name}
		groups[name] = g
	}
	g.add(m, f)
}

func (r *Router) checkAliases() error {
	for _, name := range sortedKeys(r.s.Aliases) {
		if target := r.s.Aliases[name].Group; !r.Has(target) {
			return fmt.Errorf("model_group_alias: %q stands for %q, which is no model_name", name, target)
		}
	}
	return nil
}

// Has reports whether the name leads to a deployment.
func (r *Router) Has(model string) bool {
	g, err := r.resolve(model)
	return g != nil && err == nil
}

// Timeouts are the limits of a call, by request, deployment and router, in this order. whole is for an answer until its
// last byte. wait is for a stream, which may take as long as it likes as long as it does not pause for longer: until the
// first byte, and between two reads. 0 is no limit.
func (r *Router) Timeouts(x *llm.Exchange, d *llm.Deployment) (whole, wait time.Duration) {
	whole = firstSet(x.Controls.Timeout, d.Timeout, r.s.Timeout)
	return whole, firstSet(x.Controls.StreamTimeout, d.StreamTimeout, r.s.StreamTimeout, whole)
}

func firstSet(list ...time.Duration) time.Duration {
	for _, d := range list {
		if d > 0 {
			return d
		}
	}
	return 0
}

// Models lists the names that the principal may use, for GET /v1/models: groups in the order of the configuration, then
// aliases by name. A wildcard is no name that can be called, so in its place come the names that the principal's own
// list holds and that it serves. Somebody who would see nothing at all gets the wildcards as they are written.
func (r *Router) Models(p *llm.Principal) []string {
	list := make([]string, 0, len(r.names)+len(r.s.Aliases))
	for _, name := range r.names {
		if p.May(name) && r.groups[name].open(p) {
			list = append(list, name)
		}
	}
	list = append(list, r.teamNames(p, list)...)
	for _, name := range sortedKeys(r.s.Aliases) {
		a := r.s.Aliases[name]
		if !a.Hidden && r.groups[name] == nil && r.allowed(p, name) {
			list = append(list, name)
		}
	}
	if p != nil {
		for _, name := range p.Models {
			if !strings.Contains(name, "*") && r.groups[name] == nil && !slices.Contains(list, name) && r.wild.serves(name) {
				list = append(list, name)
			}
		}
	}
	if len(list) > 0 {
		return list
	}
	for _, name := range r.wild.names {
		if p.May(name) {
			list = append(list, name)
		}
	}
	return list
}

// open reports whether the group has a deployment that is not another team's. Nobody in particular sees all.
func (g *group) open(p *llm.Principal) bool {
	if p == nil || g.has&hasTeam == 0 {
		return true
	}
	team := g.teams[p.TeamID]
	return slices.ContainsFunc(g.members, func(m member) bool { return m.team == 0 || m.team == team && !m.named })
}

// teamNames are the names that only the principal's team uses, without those that are listed.
func (r *Router) teamNames(p *llm.Principal, listed []string) (names []string) {
	if p == nil || p.TeamID == "" {
		return nil
	}
	for k := range r.teams {
		if k.team == p.TeamID && p.May(k.name) && !slices.Contains(listed, k.name) {
			names = append(names, k.name)
		}
	}
	slices.Sort(names)
	return names
}

// allowed reports whether the principal may use the name, or what it is an alias of
// (litellm/proxy/auth/auth_checks.py, _can_object_call_model).
func (r *Router) allowed(p *llm.Principal, name string) bool {
	if p.May(name) {
		return true
	}
	a, ok := r.s.Aliases[name]
	return ok && p.May(a.Group)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
