// Auth-jwt-claims authenticates callers by JSON Web Tokens that are signed with known keys, and maps their claims to users,
// teams, roles and models.
package main

import (
	"crypto/sha256"
	_ "embed"
	"errors"
	"time"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, New)

func main() {}

const (
	maxToken = 16 << 10 // bytes
	maxKnown = 1000     // remembered tokens in an instance
)

// tokens is the plugin's state: immutable after New, but for what it remembers of tokens that were valid.
type tokens struct {
	keys   []key
	rules  rules
	claims mapping
	pass   bool // tokens of unknown issuers and keys, instead of refusing them
	now    func() time.Time
	known  map[[sha256.Size]byte]*grant // nil remembers nothing
}

// grant is what a valid token stands for.
type grant struct {
	principal sallyport.Principal
	from      int64 // seconds since 1970, leeway included
	until     int64
}

// New builds the plugin from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	t := &tokens{pass: !c.Bool("refuse_unknown", true), now: time.Now}
	var err error
	if t.keys, err = readKeys(c); err != nil {
		return sallyport.Hooks{}, err
	}
	if t.rules, err = readRules(c); err != nil {
		return sallyport.Hooks{}, err
	}
	if t.claims, err = readMapping(c); err != nil {
		return sallyport.Hooks{}, err
	}
	if c.Bool("remember", true) {
		t.known = map[[sha256.Size]byte]*grant{}
	}
	return sallyport.Hooks{Auth: t.authenticate}, nil
}

func (t *tokens) authenticate(a *sallyport.AuthRequest) sallyport.AuthVerdict {
	if !looksLikeToken(a.Credential) {
		return sallyport.Pass()
	}
	id := sha256.Sum256([]byte(a.Credential))
	now := t.now().Unix()
	g := t.known[id]
	if g == nil {
		var err error
		g, err = t.examine(a.Credential)
		switch {
		case t.pass && (errors.Is(err, errUnknownKey) || errors.Is(err, errIssuer)):
			return sallyport.Pass()
		case err != nil:
			return sallyport.Refuse(401, "the token is not valid: "+err.Error()+".")
		}
		t.remember(id, g)
	}
	switch {
	case now < g.from:
		return sallyport.Refuse(401, "the token is not valid: it is not valid yet.")
	case now >= g.until:
		delete(t.known, id)
		return sallyport.Refuse(401, "the token is not valid: it has expired.")
	}
	return sallyport.Allow(&g.principal)
}

// examine checks a token, but for the time, and maps its claims. The token's text is not kept.
func (t *tokens) examine(credential string) (*grant, error) {
	claims, err := verify(credential, t.keys)
	if err != nil {
		return nil, err
	}
	g := &grant{}
	if g.from, g.until, err = t.rules.check(claims); err != nil {
		return nil, err
	}
	if g.principal, err = t.claims.principal(claims); err != nil {
		return nil, err
	}
	return g, nil
}

func (t *tokens) remember(id [sha256.Size]byte, g *grant) {
	if t.known == nil {
		return
	}
	if len(t.known) >= maxKnown {
		clear(t.known)
	}
	t.known[id] = g
}

// looksLikeToken tells a token from a key: three parts, of which the first begins an object.
func looksLikeToken(s string) bool {
	dots := 0
	for i := range len(s) {
		if s[i] == '.' {
			dots++
		}
	}
	return dots == 2 && len(s) <= maxToken && len(s) > 3 && s[:3] == "eyJ"
}
