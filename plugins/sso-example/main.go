// Sso-example is an example of the hooks for signing in to the admin interface: it makes a user of what an identity provider
// says, by e-mail domain and groups, and signs in whom a proxy in front of the gateway has authenticated.
package main

import (
	"crypto/subtle"
	_ "embed"
	"errors"
	"slices"
	"strconv"
	"strings"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, New)

func main() {}

// rule is what the members of a group get.
type rule struct {
	group  string
	role   string
	team   string
	models []string
	budget *float64 // US dollars; nil is none
	every  string   // how often the budget begins anew
}

type plugin struct {
	domains  []string // of e-mail addresses that may sign in, in lower case; empty is all
	id       string   // claim with the user's id
	groups   string   // claim with the user's groups
	verified bool     // the provider has to have verified the address
	rules    []rule
	role     string // without a rule; empty turns people away
	secret   string // that the proxy sends; empty trusts no proxy
}

// New builds the plugin from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	p := &plugin{
		id: c.String("user_id_claim", "sub"), groups: c.String("groups_claim", "groups"), verified: c.Bool("require_verified_email", true),
		role: c.String("default_role", "internal_user_viewer"),
	}
	for _, d := range c.Strings("domains") {
		d = strings.ToLower(strings.TrimPrefix(d, "@"))
		if !strings.Contains(d, ".") || strings.ContainsAny(d, "@/ ") {
			return sallyport.Hooks{}, errors.New(`setting "domains" must list domains, such as example.com`)
		}
		p.domains = append(p.domains, d)
	}
	if p.role != "" && !known(p.role) {
		return sallyport.Hooks{}, errors.New(`setting "default_role" must be a role, such as internal_user, or empty to turn away who is in no group`)
	}
	if c.Bool("trust_proxy", false) {
		p.secret, _ = sallyport.Secret("SSO_PROXY_SECRET")
		if len(p.secret) < 16 {
			return sallyport.Hooks{}, errors.New(`"trust_proxy" needs the secret SSO_PROXY_SECRET, of 16 characters or more: grant it (grants.secrets)`)
		}
	}
	for _, b := range c.Blocks("rules") {
		r := rule{
			group: b.String("group", ""), role: b.String("role", "internal_user"), team: b.String("team_id", ""),
			models: b.Strings("models"), every: b.String("budget_duration", ""),
		}
		if b.Has("max_budget") {
			most := b.Float("max_budget", 0)
			r.budget = &most
		}
		switch {
		case r.group == "":
			return sallyport.Hooks{}, errors.New("setting " + strconv.Quote(b.Path("group")) + " is missing")
		case !known(r.role):
			return sallyport.Hooks{}, errors.New("setting " + strconv.Quote(b.Path("role")) + " must be a role, such as internal_user")
		case r.budget != nil && *r.budget < 0:
			return sallyport.Hooks{}, errors.New("setting " + strconv.Quote(b.Path("max_budget")) + " must not be below 0")
		}
		p.rules = append(p.rules, r)
	}
	return sallyport.Hooks{SSOBegin: p.begin, SSOCallback: p.callback}, nil
}

// known reports whether the gateway has the role.
func known(role string) bool {
	return slices.Contains([]string{"proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"}, role)
}

// begin signs in whom the proxy names, if the request carries the proxy's secret. Everybody else goes to the identity
// provider. Without the secret anybody could name whom they like.
func (p *plugin) begin(r *sallyport.SSORequest) sallyport.SSOVerdict {
	sent, ok := r.Header("X-Forwarded-Secret")
	if p.secret == "" || !ok {
		return sallyport.SSODefault()
	}
	if subtle.ConstantTimeCompare([]byte(sent), []byte(p.secret)) != 1 {
		return sallyport.RefuseSSO(401, "The proxy's secret is wrong.")
	}
	email, _ := r.Header("X-Forwarded-Email")
	id, _ := r.Header("X-Forwarded-User")
	return p.admit(id, email, nil)
}

// callback makes a user of the claims.
func (p *plugin) callback(r *sallyport.SSORequest) sallyport.SSOVerdict {
	if verified, ok := r.Claims["email_verified"].(bool); p.verified && (!ok || !verified) {
		return sallyport.RefuseSSO(403, "The identity provider has not verified your e-mail address.")
	}
	return p.admit(r.Claim(p.id), r.Claim("email"), list(r.Claims[p.groups]))
}

func (p *plugin) admit(id, email string, groups []string) sallyport.SSOVerdict {
	email = strings.ToLower(email)
	_, domain, _ := strings.Cut(email, "@")
	switch {
	case id == "":
		return sallyport.RefuseSSO(403, "You have no user id.")
	case len(p.domains) > 0 && !slices.Contains(p.domains, domain):
		return sallyport.RefuseSSO(403, "Your e-mail address is not of a domain that may sign in.")
	}
	for _, r := range p.rules {
		if slices.Contains(groups, r.group) {
			return sallyport.SignIn(&sallyport.User{
				ID: id, Email: email, Role: r.role, TeamID: r.team, Models: r.models, MaxBudget: r.budget, BudgetDuration: r.every,
				Metadata: map[string]any{"group": r.group},
			})
		}
	}
	if p.role == "" {
		return sallyport.RefuseSSO(403, "You are in no group that may sign in.")
	}
	return sallyport.SignIn(&sallyport.User{ID: id, Email: email, Role: p.role})
}

// list reads a claim that is a list of texts or a single one.
func list(claim any) []string {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, item := range v {
			if s, ok := item.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}
