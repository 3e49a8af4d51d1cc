// Package masterkey knows the administrator: whoever has the master key, or everybody if none is set.
package masterkey

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash/maphash"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// UserID is the user that the master key acts for (litellm_proxy_admin_name in litellm/proxy/proxy_server.py).
const UserID = llm.AdminUserID

// Authenticator knows the master key, and has no opinion on any other. It is immutable and safe for concurrent use.
type Authenticator struct {
	hash  [sha256.Size]byte
	seed  maphash.Seed // of short, unknown to everybody
	short uint64       // tells other keys apart without their SHA-256
	admin *llm.Principal
}

// New makes an authenticator for the key. The key itself is not kept.
func New(key string) (*Authenticator, error) {
	if key == "" {
		return nil, errors.New("master_key is empty: set one, or leave it out to let everybody in")
	}
	hash := sha256.Sum256([]byte(key))
	seed := maphash.MakeSeed()
	return &Authenticator{hash, seed, maphash.String(seed, key), &llm.Principal{
		KeyHash: hex.EncodeToString(hash[:]), UserID: UserID, Role: llm.RoleProxyAdmin,
	}}, nil
}

// Authenticate implements auth.Authenticator. Hashes are compared, and in constant time, so that neither the length nor
// a part of the key shows in how long it takes.
func (a *Authenticator) Authenticate(_ context.Context, _ *llm.Exchange, c auth.Credential) (*llm.Principal, error) {
	if len(c.Key) == 0 || maphash.Bytes(a.seed, c.Key) != a.short {
		return nil, nil
	}
	hash := auth.Sum(c.Key)
	if subtle.ConstantTimeCompare(hash[:], a.hash[:]) != 1 {
		return nil, nil
	}
	return a.admin, nil
}

// Hash is the hash of a key, as a principal has it.
func Hash(key string) string {
	hash := sha256.Sum256([]byte(key))
	return hex.EncodeToString(hash[:])
}

// Open lets everybody in as administrator, as the reference does when no master key is set.
type Open struct{ admin *llm.Principal }

// NewOpen makes an Open.
func NewOpen() *Open { return &Open{&llm.Principal{UserID: UserID, Role: llm.RoleProxyAdmin}} }

// Authenticate implements auth.Authenticator.
func (o *Open) Authenticate(context.Context, *llm.Exchange, auth.Credential) (*llm.Principal, error) {
	return o.admin, nil
}
