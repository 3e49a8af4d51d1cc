// Header-auth authenticates callers by keys listed in its config, each with the user, team, role and models it stands
// for. It passes callers with any other key on.
package main

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, New)

func main() {}

// keyring is the plugin's state: immutable after New.
type keyring struct {
	header string // where the key is; empty: where the gateway looks for it
	refuse bool   // unknown keys, instead of passing them on
	keys   map[[sha256.Size]byte]*entry
}

type entry struct {
	principal sallyport.Principal
	blocked   bool
}

// New builds the keyring from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	k := &keyring{
		header: c.String("header", ""),
		refuse: c.Bool("refuse_unknown", false),
		keys:   map[[sha256.Size]byte]*entry{},
	}
	for _, b := range c.Blocks("keys") {
		hash, err := keyHash(b)
		if err != nil {
			return sallyport.Hooks{}, err
		}
		if k.keys[hash] != nil {
			return sallyport.Hooks{}, errors.New("setting " + strconv.Quote(b.Path("key")) + ": the key is listed twice")
		}
		e, err := readEntry(b, hash)
		if err != nil {
			return sallyport.Hooks{}, err
		}
		k.keys[hash] = e
	}
	if len(k.keys) == 0 {
		return sallyport.Hooks{}, errors.New(`setting "keys" is empty: list at least one key`)
	}
	return sallyport.Hooks{Auth: k.authenticate}, nil
}

// readEntry reads what a key stands for.
func readEntry(b *sallyport.Config, hash [sha256.Size]byte) (*entry, error) {
	mistake := func(key, problem string) error {
		return errors.New("setting " + strconv.Quote(b.Path(key)) + " " + problem)
	}
	role := b.String("role", "internal_user")
	if !knownRole(role) {
		return nil, mistake("role", "is "+strconv.Quote(role)+": it is one of "+strings.Join(roles(), ", "))
	}
	p := sallyport.Principal{
		Caller: sallyport.Caller{
			KeyAlias: b.String("key_alias", ""), UserID: b.String("user_id", ""), UserEmail: b.String("user_email", ""),
			TeamID: b.String("team_id", ""), TeamAlias: b.String("team_alias", ""), OrgID: b.String("org_id", ""),
			EndUser: b.String("end_user", ""), Role: role,
		},
		Models: b.Strings("models"), TeamModels: b.Strings("team_models"), AllowedRoutes: b.Strings("allowed_routes"),
		Tags: b.Strings("tags"), Guardrails: b.Strings("guardrails"),
		Metadata: b.Map("metadata"), TeamMetadata: b.Map("team_metadata"),
		AccessGroups: b.Strings("access_group_ids"), Permissions: b.Map("permissions"), RouterSettings: b.Map("router_settings"),
		// Not the credential of the request: with the setting "header" that may be another one, which callers choose.
		Counter: "header-auth " + hex.EncodeToString(hash[:]),
	}
	var err error
	if p.Limits, err = sallyport.ReadLimits(b.Map("limits")); err != nil {
		return nil, mistake("limits", "is wrong: "+err.Error())
	}
	if l, none := &p.Limits, (sallyport.Limits{}); p.TeamID == "" && (l.Team != none || l.TeamMember != none || l.TeamModels != nil) ||
		p.UserID == "" && (l.User != none || l.TeamMember != none) || p.OrgID == "" && (l.Organization != none || l.OrganizationModels != nil) {
		return nil, mistake("limits", "is wrong: those of a user, team or organization need its user_id, team_id or org_id")
	}
	if text := b.String("expires", ""); text != "" {
		if p.Expires, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, mistake("expires", "is no time such as 2030-01-31T00:00:00Z")
		}
	}
	for name, model := range b.Map("aliases") {
		to, ok := model.(string)
		if !ok || to == "" {
			return nil, mistake("aliases", "must name a model for "+strconv.Quote(name))
		}
		if p.Aliases == nil {
			p.Aliases = map[string]string{}
		}
		p.Aliases[name] = to
	}
	return &entry{principal: p, blocked: b.Bool("blocked", false)}, nil
}

// keyHash reads the key of an entry, which is given either as it is or as its SHA-256.
func keyHash(c *sallyport.Config) (hash [sha256.Size]byte, err error) {
	key, text := c.String("key", ""), c.String("key_sha256", "")
	switch {
	case (key == "") == (text == ""):
		return hash, errors.New("setting " + strconv.Quote(c.Path("key")) + `: give either "key" or "key_sha256"`)
	case key != "":
		return sha256.Sum256([]byte(key)), nil
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != sha256.Size {
		return hash, errors.New("setting " + strconv.Quote(c.Path("key_sha256")) + " must be 64 hexadecimal digits")
	}
	return [sha256.Size]byte(b), nil
}

func roles() []string {
	return []string{"proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer", "customer"}
}

func knownRole(role string) bool {
	for _, r := range roles() {
		if r == role {
			return true
		}
	}
	return false
}

// authenticate looks the key up by its hash, so that the time it takes says nothing about the keys.
func (k *keyring) authenticate(a *sallyport.AuthRequest) sallyport.AuthVerdict {
	key := a.Credential
	if k.header != "" {
		key, _ = a.Header(k.header)
	}
	if key == "" {
		return sallyport.Pass()
	}
	e := k.keys[sha256.Sum256([]byte(key))]
	switch {
	case e == nil && k.refuse:
		return sallyport.Refuse(401, "the key is not known.")
	case e == nil:
		return sallyport.Pass()
	case e.blocked:
		return sallyport.Refuse(403, "the key is blocked.")
	}
	return sallyport.Allow(&e.principal)
}
