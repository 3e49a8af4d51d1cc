package virtualkey

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Policy is what a configuration says about who may do what. It is immutable.
type Policy struct {
	AllowedRoutes   []string // paths that may be called at all; empty is all
	PublicRoutes    []string // paths that need no key; a star at the end stands for anything
	AdminOnlyRoutes []string // paths for administrators

	EnforceUser    bool     // a request to a model has to say whom it is for
	EnforcedParams []string // body fields that requests to models must have; "a.b" is a field of a field
	ServiceParams  []string // those that service accounts' requests must have besides
	RejectTags     bool     // requests may not bring tags of their own

	UserHeader       string // a header that names the customer
	IgnoreCustomers  bool   // customers are not told apart (disable_end_user_cost_tracking)
	Alias            func(model string) string
	LLMRoute         func(path string) bool // reports paths of the operator's own that call models
	Proxy, ProxyFree *llm.Scope             // limits of the whole gateway; ProxyFree is for the administrator
	Grants           *Grants                // makes scopes of what authenticators say; nil makes none
}

// Gate stands behind all authenticators: whoever found out who the caller is, it decides whether the caller may call the
// path and the model, and collects the scopes whose limits and budgets apply. It is safe for concurrent use.
type Gate struct {
	next      auth.Authenticator
	policy    Policy
	customers *Customers
	tags      *Tags
	now       func() time.Time
}

// NewGate makes a gate behind next. customers and tags may be nil: nobody has a budget then.
func NewGate(next auth.Authenticator, p Policy, customers *Customers, tags *Tags) *Gate {
	return &Gate{next: next, policy: p, customers: customers, tags: tags, now: time.Now}
}

// Authenticate implements auth.Authenticator. It sets x.EndUser, x.Tags and x.Scopes, and writes the model for an alias.
func (g *Gate) Authenticate(ctx context.Context, x *llm.Exchange, c auth.Credential) (*llm.Principal, error) {
	if list := g.policy.AllowedRoutes; len(list) > 0 && !slices.Contains(list, x.Path) {
		return nil, forbidden("Access forbidden: Route " + x.Path + " not allowed")
	}
	if matches(g.policy.PublicRoutes, x.Path) {
		return &llm.Principal{Role: llm.RoleInternalViewer}, nil
	}
	p, err := g.next.Authenticate(ctx, x, c)
	if err != nil {
		return nil, err
	}
	if err := g.check(x, p); err != nil {
		return nil, err
	}
	if err := g.collect(ctx, x, p); err != nil {
		return nil, err
	}
	p.Routing.Route(&x.Controls)
	if x.Op == llm.OpNone || len(p.Allowances) == 0 || g.policy.Grants == nil {
		return p, nil
	}
	return p, g.policy.Grants.add(ctx, x, p)
}

// check refuses what the principal may not do, in the order of the reference: the key itself, the model, the team, the
// request, the path.
func (g *Gate) check(x *llm.Exchange, p *llm.Principal) error {
	now := x.Start
	switch {
	case p.Blocked:
		return denied("Key is blocked. Update via `/key/unblock` if you're admin.")
	case !p.Expires.IsZero() && p.Expires.Before(now):
		return expired(p, now)
	case p.TeamBlocked:
		return denied("Team=" + p.TeamID + " is blocked. Update via `/team/unblock` if your admin.")
	}
	if len(p.AllowedRoutes) > 0 && !g.routeAllowed(x, p.AllowedRoutes) {
		return forbidden("Virtual key is not allowed to call this route. Only allowed to call routes: " +
			pythonList(p.AllowedRoutes) + ". Tried to call route: " + x.Path)
	}
	if err := g.passThrough(x, p); err != nil {
		return err
	}
	if len(g.policy.AdminOnlyRoutes) > 0 && p.Role != llm.RoleProxyAdmin && slices.Contains(g.policy.AdminOnlyRoutes, x.Path) {
		return forbidden("user not allowed to access this route. Route=" + x.Path + " is an admin only route")
	}
	if x.Op == llm.OpNone {
		return nil
	}
	if to, ok := p.Aliases[x.Model]; ok {
		x.NameModel([]byte(to))
	}
	if err := g.model(x, p); err != nil {
		return err
	}
	return g.request(x, p)
}

// model refuses a model that the principal may not use.
func (g *Gate) model(x *llm.Exchange, p *llm.Principal) error {
	if x.Model == "" || x.Op == llm.OpPassThrough {
		return nil
	}
	whose, list, no := p.Denies(x.Model)
	if !no {
		return nil
	}
	if g.policy.Alias != nil {
		if to := g.policy.Alias(x.Model); to != "" && p.May(to) {
			return nil
		}
	}
	return modelDenied(p, whose, list, strings.Clone(x.Model))
}

// request refuses a body that lacks what it must have, or has what it must not.
func (g *Gate) request(x *llm.Exchange, p *llm.Principal) error {
	body := &x.Body
	if x.Native.Raw() != nil {
		body = &x.Native
	}
	if g.policy.EnforceUser && x.Method == "POST" && body.Index("user") < 0 {
		return denied("'user' param not passed in. 'enforce_user_param'=True")
	}
	for _, list := range [...][]string{g.policy.EnforcedParams, p.EnforcedParams} {
		if err := enforce(body, list); err != nil {
			return err
		}
	}
	if p.ServiceAccount {
		if err := enforce(body, g.policy.ServiceParams); err != nil {
			return err
		}
	}
	if g.policy.RejectTags && len(metadataTags(x)) > 0 {
		return refusal(400, "bad_request_error", "metadata.tags", "Client-side 'metadata.tags' not allowed in request. "+
			"'reject_clientside_metadata_tags'=True. Tags can only be set via API key metadata.")
	}
	if keepsGuardrails(p) && namesGuardrails(x) {
		return forbidden("Your team does not have permission to modify guardrails: an administrator allows it by taking " +
			"'guardrails.modify_guardrails' out of the team's metadata.")
	}
	if len(p.CacheControls) > 0 {
		return cacheControls(body, p.CacheControls)
	}
	return nil
}

// enforce refuses a body without a field (litellm/proxy/litellm_pre_call_utils.py, _enforced_params_check).
func enforce(body *llm.Object, fields []string) error {
	for _, f := range fields {
		outer, inner, nested := strings.Cut(f, ".")
		raw := body.Get(outer)
		if raw == nil {
			return missing(outer)
		}
		var o llm.Object
		if nested && (o.Parse(raw) != nil || o.Index(inner) < 0) {
			return missing("[" + outer + "][" + inner + "]")
		}
	}
	return nil
}

func missing(param string) error {
	return &llm.Error{
		Op: "virtualkey.enforce", Kind: llm.KindInvalid, Status: 400, Type: "None", Param: "None", Code: "400",
		Message: "BadRequest please pass param=" + param + " in request body. This is a required param",
	}
}

// cacheControls refuses cache settings that the key may not make (litellm/proxy/hooks/cache_control_check.py).
func cacheControls(body *llm.Object, allowed []string) error {
	var o llm.Object
	if raw := body.Get("cache"); raw == nil || o.Parse(raw) != nil {
		return nil //nolint:nilerr // what is no object sets nothing
	}
	for _, m := range o.Members() {
		if key := string(o.Key(m)); !slices.Contains(allowed, key) {
			return refusal(403, "None", "None", "Not allowed to set "+key+" as a cache control. Contact admin to change permissions.")
		}
	}
	return nil
}

// collect sets whom the request is for and the scopes that it belongs to.
func (g *Gate) collect(ctx context.Context, x *llm.Exchange, p *llm.Principal) error {
	if x.Op == llm.OpNone {
		return nil
	}
	if s := g.policy.Proxy; s != nil {
		if p.Role == llm.RoleProxyAdmin && len(p.Scopes) == 0 {
			s = g.policy.ProxyFree
		}
		x.Scopes = append(x.Scopes, s)
	}
	x.Scopes = append(x.Scopes, p.Scopes...)
	for _, s := range p.ModelScopes {
		if s.Model == x.Model || unprefixed(x.Model) == s.Model {
			x.Scopes = append(x.Scopes, s)
		}
	}
	g.collectTags(x, p)
	if g.policy.IgnoreCustomers {
		return nil
	}
	id := x.Customer(g.policy.UserHeader)
	if len(id) == 0 {
		if p.EndUser == "" {
			return nil
		}
		id = []byte(p.EndUser)
	}
	if g.customers == nil {
		x.EndUser = string(id)
		return nil
	}
	return g.customers.collect(ctx, x, id)
}

// unprefixed is a model without the vendor in front of it.
func unprefixed(model string) string {
	_, rest, ok := strings.Cut(model, "/")
	if !ok {
		return model
	}
	return rest
}

// collectTags sets the tags of the request: the header's, the body's and the key's, each once.
func (g *Gate) collectTags(x *llm.Exchange, p *llm.Principal) {
	add := func(tag string) {
		if tag = strings.TrimSpace(tag); tag != "" && !slices.Contains(x.Tags, tag) && len(x.Tags) < maxTags {
			x.Tags = append(x.Tags, tag)
		}
	}
	if h := x.Header.Get("x-litellm-tags"); len(h) > 0 {
		for t := range strings.SplitSeq(string(h), ",") {
			add(t)
		}
	}
	for _, t := range metadataTags(x) {
		add(t)
	}
	for _, t := range p.Tags {
		add(t)
	}
	if g.tags == nil || len(x.Tags) == 0 {
		return
	}
	for _, t := range x.Tags {
		x.Scopes = append(x.Scopes, g.tags.Scopes(t)...)
	}
}

// maxTags bounds the tags of a request.
const maxTags = 64

// metadataTags are the tags in the body: tags, or those of the metadata.
func metadataTags(x *llm.Exchange) []string {
	body := &x.Body
	if x.Native.Raw() != nil {
		body = &x.Native
	}
	top, inner := body.Get("tags"), bytes.Contains(x.Controls.Metadata, []byte(`"tags"`))
	if top == nil && !inner {
		return nil
	}
	var tags []string
	if top != nil {
		_ = json.Unmarshal(top, &tags)
	}
	if !inner {
		return tags
	}
	var o llm.Object
	var more []string
	if o.Parse(x.Controls.Metadata) == nil && json.Unmarshal(o.Get("tags"), &more) == nil {
		tags = append(tags, more...)
	}
	return tags
}
