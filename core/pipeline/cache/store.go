// Package cache answers requests that were answered before, from a store of the operator's choice.
package cache

import (
	"context"
	"errors"
	"time"
)

// Store keeps entries under keys. What an entry holds is the affair of this package; a store gives back what it got, or
// nothing. It is safe for concurrent use. Every method honours ctx's deadline; a store over a network never waits longer.
type Store interface {
	// Get appends the value under key to buf and returns the result, or ErrMiss if there is none or its time is over.
	Get(ctx context.Context, key string, buf []byte) ([]byte, error)
	// Set puts the value under key for ttl; 0 is for as long as there is room. It does not keep value. The error is ErrRefused
	// if Get works all the same.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Delete removes keys and returns how many of them were there; -1 if the store cannot know.
	Delete(ctx context.Context, keys ...string) (int, error)
	// Flush removes everything this cache put there, and nothing else.
	Flush(ctx context.Context) error
	// Ping writes and reads a small value, or says why it cannot.
	Ping(ctx context.Context) error
	// Close releases what the store holds. What was written stays, unless the store is in memory.
	Close() error
}

// Viewer is a Store that can show a value without a copy, because it is in memory. Of some stores only the latest are.
type Viewer interface {
	// View returns the value under key, which nobody changes any more, or false. It lives as long as somebody holds it.
	View(key string) ([]byte, bool)
	// ViewsAll reports whether View knows every value, so that Get need not be asked.
	ViewsAll() bool
}

// Many is a Store that gets several values in one round trip.
type Many interface {
	// GetMany returns the value of each key, nil where there is none. The values are the caller's.
	GetMany(ctx context.Context, keys []string) ([][]byte, error)
}

// Semantic finds entries by what was said. It is safe for concurrent use.
type Semantic interface {
	// Nearest returns the entry of the scope whose vector is closest to the one given, appended to buf, and their cosine
	// similarity; ErrMiss if none is at least atLeast. Entries of other scopes are never looked at.
	Nearest(ctx context.Context, scope string, vector []float32, atLeast float64, buf []byte) ([]byte, float64, error)
	// Add puts an entry into the scope for ttl, in place of the one with the same id; 0 is for as long as there is room.
	// It keeps neither vector nor value.
	Add(ctx context.Context, scope, id string, vector []float32, value []byte, ttl time.Duration) error
	// Delete removes the entries with the ids, of whatever scope, and returns how many there were; -1 if the store cannot know.
	Delete(ctx context.Context, ids ...string) (int, error)
	// Flush, Ping and Close are as for Store.
	Flush(ctx context.Context) error
	Ping(ctx context.Context) error
	Close() error
}

// Embedder makes the vector of a text. The length is the same for every text.
type Embedder interface {
	Embed(ctx context.Context, text string) ([]float32, error)
}

// ErrMiss says that a store holds no such entry.
var ErrMiss = errors.New("no such entry")

// ErrRefused says that a store answers and keeps nothing more for now, because it is full or may only be read.
var ErrRefused = errors.New("it takes no writes")
