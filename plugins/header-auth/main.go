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
		role := b.String("role", "internal_user")
		if !knownRole(role) {
			return sallyport.Hooks{}, errors.New("setting " + strconv.Quote(b.Path("role")) + " is " + strconv.Quote(role) +
				": it is one of " + strings.Join(roles(), ", "))
		}
		k.keys[hash] = &entry{blocked: b.Bool("blocked", false), principal: sallyport.Principal{
			Caller: sallyport.Caller{
				KeyAlias: b.String("key_alias", ""), UserID: b.String("user_id", ""), UserEmail: b.String("user_email", ""),
				TeamID: b.String("team_id", ""), TeamAlias: b.String("team_alias", ""), OrgID: b.String("org_id", ""), Role: role,
			},
			Models:   b.Strings("models"),
			Metadata: b.Map("metadata"), TeamMetadata: b.Map("team_metadata"),
		}}
	}
	if len(k.keys) == 0 {
		return sallyport.Hooks{}, errors.New(`setting "keys" is empty: list at least one key`)
	}
	return sallyport.Hooks{Auth: k.authenticate}, nil
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
