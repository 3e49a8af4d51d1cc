// Package local keeps cached answers in memory, up to a number of bytes, and lets go first of those that are seldom asked
// for.
package local

import (
	"context"
	"errors"
	"time"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
)

const (
	// DefaultSize is how many bytes a Store holds if nothing is said.
	DefaultSize = 128 << 20
	minSize     = 1 << 20
	overhead    = 160     // bytes that an entry takes besides key and value
	perCounter  = 1 << 10 // of how many bytes there is one counter of how often an entry is asked for
	bufferItems = 64      // as the library recommends
	longestKey  = 512     // keys are a namespace and a hash
	maxShare    = 8       // an entry is at most this part of all
)

// Store implements cache.Store and cache.Viewer.
type Store struct {
	c    *ristretto.Cache[string, []byte]
	size int64
}

var (
	_ cache.Store  = (*Store)(nil)
	_ cache.Viewer = (*Store)(nil)
)

// New makes a store of a size in bytes; 0 takes DefaultSize. It takes no memory to speak of before there are entries.
func New(size int64) (*Store, error) {
	if size == 0 {
		size = DefaultSize
	}
	size = max(size, minSize)
	c, err := ristretto.NewCache(&ristretto.Config[string, []byte]{
		NumCounters: size / perCounter, MaxCost: size, BufferItems: bufferItems, IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, err
	}
	return &Store{c, size}, nil
}

// View implements cache.Viewer.
func (s *Store) View(key string) ([]byte, bool) { return s.c.Get(key) }

// ViewsAll implements cache.Viewer.
func (s *Store) ViewsAll() bool { return true }

// Get implements cache.Store.
func (s *Store) Get(_ context.Context, key string, buf []byte) ([]byte, error) {
	v, ok := s.c.Get(key)
	if !ok {
		return buf, cache.ErrMiss
	}
	return append(buf, v...), nil
}

// errTooLong says that a value would take the place of most others.
var errTooLong = errors.New("the entry is longer than an eighth of the cache")

// Set implements cache.Store. The value is there when it returns, unless others are asked for more often.
func (s *Store) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	cost := int64(len(key) + len(value) + overhead)
	if cost > s.size/maxShare || len(key) > longestKey {
		return errTooLong
	}
	s.c.SetWithTTL(key, append(make([]byte, 0, len(value)), value...), cost, max(ttl, 0))
	s.c.Wait()
	return nil
}

// Delete implements cache.Store.
func (s *Store) Delete(_ context.Context, keys ...string) (n int, err error) {
	for _, k := range keys {
		if _, ok := s.c.Get(k); ok {
			n++
		}
		s.c.Del(k)
	}
	return n, nil
}

// Flush implements cache.Store.
func (s *Store) Flush(context.Context) error {
	s.c.Clear()
	return nil
}

// Ping implements cache.Store.
func (s *Store) Ping(context.Context) error { return nil }

// Close implements cache.Store.
func (s *Store) Close() error {
	s.c.Close()
	return nil
}
