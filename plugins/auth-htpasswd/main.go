// Auth-htpasswd authenticates callers by name and password, from entries like those of an htpasswd file.
package main

import (
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
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

const (
	maxUsers    = 10_000
	maxPassword = 1024 // bytes: hashing costs time
	maxKnown    = 1000 // remembered passwords in an instance
)

// passwords is the plugin's state: immutable after New, but for what it remembers of passwords that were right.
type passwords struct {
	users  map[string]*user
	bearer bool
	refuse bool
	decoy  hash // what a password of an unknown name is compared with, so that the time says nothing
	salt   [32]byte
	known  map[[sha256.Size]byte]string // names by what their credential hashes to, with salt; nil remembers nothing
}

type user struct {
	principal sallyport.Principal
	hash      hash
	blocked   bool
}

// New builds the plugin from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	p := &passwords{
		users:  map[string]*user{},
		bearer: c.Bool("bearer", false),
		refuse: c.Bool("refuse_unknown", true),
	}
	if c.Bool("remember", true) {
		p.known = map[[sha256.Size]byte]string{}
		if _, err := rand.Read(p.salt[:]); err != nil {
			return sallyport.Hooks{}, err
		}
	}
	blocks := c.Blocks("users")
	if len(blocks) == 0 || len(blocks) > maxUsers {
		return sallyport.Hooks{}, errors.New(`setting "users" must list 1 to ` + strconv.Itoa(maxUsers) + " users")
	}
	for _, b := range blocks {
		if err := p.add(b); err != nil {
			return sallyport.Hooks{}, err
		}
	}
	return sallyport.Hooks{Auth: p.authenticate}, nil
}

// add reads one user. Messages name the setting and never hold the entry.
func (p *passwords) add(b *sallyport.Config) error {
	setting := "setting " + strconv.Quote(b.Path("entry"))
	name, text, ok := strings.Cut(strings.TrimSpace(b.String("entry", "")), ":")
	if !ok || name == "" || text == "" {
		return errors.New(setting + " must be a name, a colon and a hash, as in an htpasswd file")
	}
	h, err := parseHash(text)
	if err != nil {
		return errors.New(setting + " (" + name + "): " + err.Error())
	}
	if p.users[name] != nil {
		return errors.New(setting + ": the name " + strconv.Quote(name) + " is listed twice")
	}
	role := b.String("role", "internal_user")
	if !slices.Contains(roles(), role) {
		return errors.New("setting " + strconv.Quote(b.Path("role")) + " is " + strconv.Quote(role) + ": it is one of " + strings.Join(roles(), ", "))
	}
	p.users[name] = &user{hash: h, blocked: b.Bool("blocked", false), principal: sallyport.Principal{
		Caller: sallyport.Caller{
			KeyAlias: b.String("key_alias", name), UserID: b.String("user_id", name), UserEmail: b.String("user_email", ""),
			TeamID: b.String("team_id", ""), TeamAlias: b.String("team_alias", ""), OrgID: b.String("org_id", ""), Role: role,
		},
		Models:   b.Strings("models"),
		Metadata: b.Map("metadata"),
	}}
	if p.decoy.scheme == 0 || h.cost() > p.decoy.cost() {
		p.decoy = h
	}
	return nil
}

func roles() []string {
	return []string{"proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer", "customer"}
}

func (p *passwords) authenticate(a *sallyport.AuthRequest) sallyport.AuthVerdict {
	pair, ok := p.pair(a)
	if !ok {
		return sallyport.Pass()
	}
	name, password, ok := strings.Cut(pair, ":")
	if !ok || len(pair) > maxPassword {
		return p.unknown()
	}
	id := p.id(pair)
	u := p.users[name]
	if remembered, yes := p.known[id]; !yes || remembered != name {
		h := p.decoy
		if u != nil {
			h = u.hash
		}
		if !h.verify(password) || u == nil {
			return p.unknown()
		}
		p.remember(id, name)
	}
	if u.blocked {
		return sallyport.Refuse(403, "the user is blocked.")
	}
	return sallyport.Allow(&u.principal)
}

// pair returns the name and password of the caller, joined by a colon; ok is false for another kind of credential.
func (p *passwords) pair(a *sallyport.AuthRequest) (pair string, ok bool) {
	scheme, value, _ := strings.Cut(strings.TrimSpace(a.Raw), " ")
	if strings.EqualFold(scheme, "basic") {
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
		return string(b), err == nil
	}
	if p.bearer && strings.Contains(a.Credential, ":") {
		return a.Credential, true
	}
	return "", false
}

func (p *passwords) unknown() sallyport.AuthVerdict {
	if p.refuse {
		return sallyport.Refuse(401, "the name or the password is wrong.")
	}
	return sallyport.Pass()
}

// id is under which a credential is remembered. The instance's salt keeps it from being looked up elsewhere.
func (p *passwords) id(pair string) (id [sha256.Size]byte) {
	if p.known == nil {
		return id
	}
	return sha256.Sum256(append(p.salt[:len(p.salt):len(p.salt)], pair...))
}

func (p *passwords) remember(id [sha256.Size]byte, name string) {
	if p.known == nil {
		return
	}
	if len(p.known) >= maxKnown {
		clear(p.known)
	}
	p.known[id] = strings.Clone(name)
}
