package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"time"
)

// ObjectKind is what an Object is.
type ObjectKind string

// The kinds.
const (
	ObjectResponse ObjectKind = "response"
	ObjectFile     ObjectKind = "file"
	ObjectBatch    ObjectKind = "batch"
	ObjectOwned    ObjectKind = "owned"
	ObjectContent  ObjectKind = "content" // a piece of a file
	ObjectJob      ObjectKind = "job"     // what a vendor does not keep of a batch
)

// Object is something that the gateway keeps for whoever asked for it: a response of the Responses API that it told
// itself, a file or batch that it made at vendors under an id of its own, or whose an id of a vendor's is. It lies in a
// table of the gateway's own, and no replica is told of changes to it. Body is plain here; the database holds it
// encrypted if there is a key to do so.
type Object struct {
	ID        string     `db:"id,pk"`
	Kind      ObjectKind `db:"kind"`
	UserID    Text       `db:"user_id"`
	TeamID    Text       `db:"team_id"`
	Token     Text       `db:"token"` // the hash of the key
	Status    string     `db:"status"`
	Pending   bool       `db:"pending"` // something is still to be done for it
	Body      string     `db:"body"`    // JSON
	Bytes     int64      `db:"bytes"`   // length of Body
	CreatedAt time.Time  `db:"created_at,once"`
	UpdatedAt time.Time  `db:"updated_at"`
	ExpiresAt time.Time  `db:"expires_at"`
}

// Objects are what the gateway keeps for callers.
type Objects interface {
	Table[Object, string]
	// Prune deletes what expired before now and, of responses, the oldest until all of them have at most so many bytes. It
	// returns how many rows it deleted.
	Prune(ctx context.Context, now time.Time, most int64) (int64, error)
}

// EncryptSame is Encrypt for texts that are compared in their encrypted form: the same text gives the same result. What
// it shows is only that two texts are the same.
func (v *Vault) EncryptSame(text string) string {
	mac := hmac.New(sha256.New, v.key[:])
	mac.Write([]byte(text))
	nonce := [nonceSize]byte(mac.Sum(nil))
	return v.seal(text, &nonce)
}
