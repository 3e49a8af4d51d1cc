// Package credential holds what the packages below it share, each of which proves to one cloud who sends a call: a cache
// for credentials that expire, and the identity tokens that a platform gives its programs. Unlike the providers, these
// packages do I/O of their own.
package credential

import (
	"context"
	"sync"
	"time"
)

const (
	defaultAhead = 5 * time.Minute
	fetchTime    = 30 * time.Second
	pause        = 10 * time.Second // between attempts to renew what still works
)

// Cache keeps a credential until it expires. It is renewed ahead of that, beside the calls that use it, and one fetch
// runs at a time, however many wait for it. It is safe for concurrent use.
type Cache[T any] struct {
	fetch func(context.Context) (T, time.Time, error)
	now   func() time.Time
	ahead time.Duration

	mu      sync.Mutex
	value   T
	have    bool
	expires time.Time // zero: never
	again   time.Time // when to renew
	running *flight[T]
}

// flight is a fetch under way.
type flight[T any] struct {
	done  chan struct{} // closed at its end
	value T
	err   error
}

// NewCache makes a cache over fetch, which returns a credential and when it expires; the zero time means never. fetch gets
// half a minute. The credential is renewed when ahead is left of it, or a fifth of its life if that is less; 0 is five
// minutes. now is the clock; nil is time.Now.
func NewCache[T any](fetch func(context.Context) (T, time.Time, error), ahead time.Duration, now func() time.Time) *Cache[T] {
	if ahead <= 0 {
		ahead = defaultAhead
	}
	if now == nil {
		now = time.Now
	}
	return &Cache[T]{fetch: fetch, ahead: ahead, now: now}
}

// Get returns the credential. It waits, no longer than ctx, if there is none that is still good. A fetch that it waited
// for and that failed is its error; a renewal that failed is tried again later, while the credential lasts.
func (c *Cache[T]) Get(ctx context.Context) (T, error) {
	value, wait := c.look()
	if wait == nil {
		return value, nil
	}
	select {
	case <-wait.done:
		return wait.value, wait.err
	case <-ctx.Done():
		return value, ctx.Err()
	}
}

// look returns the credential, or the fetch to wait for.
func (c *Cache[T]) look() (value T, wait *flight[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if !c.have || !c.expires.IsZero() && !now.Before(c.expires) {
		if c.running == nil {
			c.start()
		}
		return value, c.running
	}
	if !c.expires.IsZero() && !now.Before(c.again) && c.running == nil {
		c.start()
	}
	return c.value, nil
}

// start begins a fetch. It does not depend on the call that it is for, which may end before, since others wait as well.
func (c *Cache[T]) start() {
	f := &flight[T]{done: make(chan struct{})}
	c.running = f
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
		defer cancel()
		value, expires, err := c.fetch(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		now := c.now()
		c.running, f.value, f.err = nil, value, err
		if err != nil {
			c.again = now.Add(pause)
		} else {
			c.value, c.have, c.expires = value, true, expires
			c.again = expires.Add(-min(c.ahead, expires.Sub(now)/5))
		}
		close(f.done)
	}()
}
