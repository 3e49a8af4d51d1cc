package main

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

var (
	errIssuer   = errors.New("its issuer is not known")
	errAudience = errors.New("it is meant for somebody else")
	errNoExpiry = errors.New("it does not expire")
	errTimes    = errors.New("its times are not numbers")
	errRequired = errors.New("a claim does not have the value it must have")
	errUser     = errors.New("it does not say who the user is")
	errLimits   = errors.New("a claim that holds a limit is malformed")
)

// rules are what a token must hold besides a good signature.
type rules struct {
	issuers   []string
	audiences []string // empty is any
	leeway    int64    // seconds
	maxAge    int64    // seconds since it was issued; 0 is any
	forever   bool     // tokens without an expiry are good
	required  map[string]string
}

func readRules(c *sallyport.Config) (rules, error) {
	r := rules{
		issuers:   c.Strings("issuer"),
		audiences: c.Strings("audience"),
		leeway:    int64(c.Int("leeway_seconds", 30)),
		maxAge:    int64(c.Int("max_age_seconds", 0)),
		forever:   !c.Bool("require_exp", true),
		required:  map[string]string{},
	}
	switch {
	case !c.Has("audience"):
		return r, errors.New(`setting "audience" is missing: name whom tokens are made for, or set it to [] to take any`)
	case r.leeway < 0 || r.leeway > 600:
		return r, errors.New(`setting "leeway_seconds" must be 0 to 600`)
	case r.maxAge < 0:
		return r, errors.New(`setting "max_age_seconds" must not be negative`)
	}
	for path, value := range c.Map("required_claims") {
		text, ok := value.(string)
		if !ok {
			return r, errors.New("setting " + strconv.Quote("required_claims."+path) + " must be text")
		}
		r.required[path] = text
	}
	return r, nil
}

// check returns the times between which the token is good, leeway included.
func (r *rules) check(claims map[string]any) (from, until int64, err error) {
	issuer, _ := claims["iss"].(string)
	if len(r.issuers) > 0 && !slices.Contains(r.issuers, issuer) {
		return 0, 0, errIssuer
	}
	if len(r.audiences) > 0 && !slices.ContainsFunc(texts(claims["aud"]), func(a string) bool { return slices.Contains(r.audiences, a) }) {
		return 0, 0, errAudience
	}
	for path, want := range r.required {
		if !slices.Contains(texts(lookUp(claims, path)), want) {
			return 0, 0, errRequired
		}
	}
	return r.times(claims)
}

func (r *rules) times(claims map[string]any) (from, until int64, err error) {
	from, until = math.MinInt64, math.MaxInt64
	expires, err1 := seconds(claims["exp"])
	starts, err2 := seconds(claims["nbf"])
	issued, err3 := seconds(claims["iat"])
	switch {
	case err1 != nil || err2 != nil || err3 != nil:
		return 0, 0, errTimes
	case expires == nil && !r.forever:
		return 0, 0, errNoExpiry
	case r.maxAge > 0 && issued == nil:
		return 0, 0, errTimes
	}
	if expires != nil {
		until = *expires + r.leeway
	}
	if starts != nil {
		from = *starts - r.leeway
	}
	if r.maxAge > 0 {
		until = min(until, *issued+r.maxAge+r.leeway)
		from = max(from, *issued-r.leeway)
	}
	return from, until, nil
}

// seconds reads a NumericDate of RFC 7519; nil is none.
func seconds(v any) (*int64, error) {
	if v == nil {
		return nil, nil
	}
	f, ok := v.(float64)
	if !ok || !(f > -1e12 && f < 1e12) {
		return nil, errTimes
	}
	n := int64(math.Floor(f))
	return &n, nil
}

// mapping says which claims hold what. Empty paths are not looked at.
type mapping struct {
	userID, email, teamID, teamAlias, orgID, endUser, alias, models, role string
	roles                                                                 map[string]string // ours by theirs
	otherwise                                                             string            // role of who has none
	defaultModels                                                         []string
	metadata                                                              []string
	limits                                                                map[string]any    // of everybody, by name
	limitClaims                                                           map[string]string // paths of claims that hold a limit, by its name
}

func roles() []string {
	return []string{"proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer", "customer"}
}

func readMapping(c *sallyport.Config) (mapping, error) {
	m := mapping{
		userID:        c.String("user_id_claim", "sub"),
		email:         c.String("user_email_claim", "email"),
		teamID:        c.String("team_id_claim", ""),
		teamAlias:     c.String("team_alias_claim", ""),
		orgID:         c.String("org_id_claim", ""),
		endUser:       c.String("end_user_claim", ""),
		alias:         c.String("key_alias_claim", ""),
		models:        c.String("models_claim", ""),
		role:          c.String("role_claim", ""),
		otherwise:     c.String("default_role", "internal_user"),
		defaultModels: c.Strings("default_models"),
		metadata:      c.Strings("metadata_claims"),
		roles:         map[string]string{},
		limits:        c.Map("limits"),
		limitClaims:   map[string]string{},
	}
	if err := m.readLimits(c); err != nil {
		return m, err
	}
	if m.userID == "" {
		return m, errors.New(`setting "user_id_claim" is empty: name the claim that says who the user is`)
	}
	if !slices.Contains(roles(), m.otherwise) {
		return m, errors.New(`setting "default_role" is ` + strconv.Quote(m.otherwise) + ": it is one of " + strings.Join(roles(), ", "))
	}
	for theirs, value := range c.Map("role_map") {
		ours, _ := value.(string)
		if !slices.Contains(roles(), ours) {
			return m, errors.New("setting " + strconv.Quote("role_map."+theirs) + " must be one of " + strings.Join(roles(), ", "))
		}
		m.roles[theirs] = ours
	}
	if (m.role == "") != (len(m.roles) == 0) {
		return m, errors.New(`settings "role_claim" and "role_map" go together: a role of the token means nothing to the gateway by itself`)
	}
	return m, nil
}

func (m *mapping) readLimits(c *sallyport.Config) error {
	if _, err := sallyport.ReadLimits(m.limits); err != nil {
		return errors.New(`setting "limits" is wrong: ` + err.Error())
	}
	for name, path := range c.Map("limit_claims") {
		text, _ := path.(string)
		if text == "" {
			return errors.New("setting " + strconv.Quote("limit_claims."+name) + " must name a claim by its path")
		}
		// A value of each kind there is: one of them has to be what the limit takes, if there is a limit of that name.
		known := false
		for _, v := range []any{1.0, map[string]any{}, "1d", "2030-01-31T00:00:00Z"} {
			_, err := sallyport.ReadLimits(map[string]any{name: v})
			known = known || err == nil
		}
		if !known {
			return errors.New("setting " + strconv.Quote("limit_claims."+name) + ": there is no limit of that name, README.md lists them")
		}
		m.limitClaims[name] = text
	}
	return nil
}

// limitsOf are the limits that hold for a token: those of its claims, and of everybody where it has none.
func (m *mapping) limitsOf(claims map[string]any) (sallyport.AllLimits, error) {
	all := maps.Clone(m.limits)
	for name, path := range m.limitClaims {
		if v := lookUp(claims, path); v != nil {
			if all == nil {
				all = map[string]any{}
			}
			all[name] = v
		}
	}
	limits, err := sallyport.ReadLimits(all)
	if err != nil {
		return limits, errLimits
	}
	return limits, nil
}

func (m *mapping) principal(claims map[string]any) (sallyport.Principal, error) {
	text := func(path string) string {
		if path == "" {
			return ""
		}
		s, _ := scalar(lookUp(claims, path))
		return s
	}
	p := sallyport.Principal{
		Caller: sallyport.Caller{
			KeyAlias: text(m.alias), UserID: text(m.userID), UserEmail: text(m.email), TeamID: text(m.teamID),
			TeamAlias: text(m.teamAlias), OrgID: text(m.orgID), EndUser: text(m.endUser), Role: m.roleOf(claims),
		},
		Models: m.defaultModels,
	}
	if p.UserID == "" {
		return p, errUser
	}
	// Tokens come and go; whom they name stays.
	issuer, _ := claims["iss"].(string)
	p.Counter = "jwt " + strconv.Quote(issuer) + " " + p.UserID
	var err error
	if p.Limits, err = m.limitsOf(claims); err != nil {
		return p, err
	}
	// Those of a team hold for whoever has one.
	if p.TeamID == "" {
		p.Limits.Team, p.Limits.TeamMember, p.Limits.TeamModels = sallyport.Limits{}, sallyport.Limits{}, nil
	}
	if p.OrgID == "" {
		p.Limits.Organization, p.Limits.OrganizationModels = sallyport.Limits{}, nil
	}
	if m.models != "" {
		if v := lookUp(claims, m.models); v != nil {
			p.Models = texts(v)
			if s, ok := v.(string); ok {
				p.Models = strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
			}
			if len(p.Models) == 0 { // an empty list would be all models
				return p, errRequired
			}
		}
	}
	for _, path := range m.metadata {
		if v := lookUp(claims, path); v != nil {
			if p.Metadata == nil {
				p.Metadata = map[string]any{}
			}
			p.Metadata[path] = v
		}
	}
	return p, nil
}

// roleOf returns the first of our roles, from the mightiest on, that one of the token's roles stands for.
func (m *mapping) roleOf(claims map[string]any) string {
	if m.role == "" {
		return m.otherwise
	}
	theirs := texts(lookUp(claims, m.role))
	for _, ours := range roles() {
		if slices.ContainsFunc(theirs, func(t string) bool { return m.roles[t] == ours }) {
			return ours
		}
	}
	return m.otherwise
}

// lookUp follows a path of names and indexes joined by dots; a backslash takes the meaning from a dot.
func lookUp(v any, path string) any {
	for path != "" {
		var name []byte
		for path != "" {
			c := path[0]
			path = path[1:]
			if c == '.' {
				break
			}
			if c == '\\' && path != "" {
				c, path = path[0], path[1:]
			}
			name = append(name, c)
		}
		switch in := v.(type) {
		case map[string]any:
			v = in[string(name)]
		case []any:
			n, err := strconv.Atoi(string(name))
			if err != nil || n < 0 || n >= len(in) {
				return nil
			}
			v = in[n]
		default:
			return nil
		}
	}
	return v
}

// texts returns the texts of a claim that is a text or a list of texts.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, item := range v {
			if s, ok := item.(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}
