package llm

import (
	"context"
	"sync"
	"time"
)

// Aborter is a running operation that can be cut short from another goroutine. Abort must not block and must be safe
// to call at any time between Attach and Detach.
type Aborter interface{ Abort() }

// Lifetime is how long an exchange is wanted: until the caller leaves, the gateway stops, or the work is done. It is a
// context.Context that costs nothing to make: the channel behind Done exists only if somebody asks for it. An upstream
// call on the hot path attaches itself as an Aborter instead, which allocates nothing.
//
// The zero value is ready. A Lifetime is reused only through Reset, by its owner, when nobody else holds it.
type Lifetime struct {
	mu     sync.Mutex
	err    error
	done   chan struct{}
	up     Aborter
	closed bool // done has been closed
	after  map[int]func()
	next   int // number of the next function in after
	wake   wake
}

var _ context.Context = (*Lifetime)(nil)

// Reset makes the lifetime ready for another exchange.
func (l *Lifetime) Reset() {
	l.mu.Lock()
	l.err, l.done, l.up, l.closed = nil, nil, nil, false
	l.wake = wake{}
	clear(l.after)
	l.mu.Unlock()
}

// Cancel ends the lifetime with a cause, normally context.Canceled. Only the first call counts. The attached operation,
// if any, is aborted before Cancel returns.
func (l *Lifetime) Cancel(cause error) {
	for _, f := range l.cancel(cause) {
		f()
	}
}

// cancel does what Cancel says and returns the functions of AfterFunc.
func (l *Lifetime) cancel(cause error) (after []func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil
	}
	l.err = cause
	if l.done != nil && !l.closed {
		close(l.done)
		l.closed = true
	}
	if l.up != nil {
		// Under the lock, so that after Detach no Abort can still be on its way to a connection that went back to a pool.
		l.up.Abort()
	}
	for _, f := range l.after {
		after = append(after, f)
	}
	clear(l.after)
	return after
}

// AfterFunc has f called when the lifetime ends, before Cancel returns. Package context uses it for contexts that are
// derived from the lifetime: they end while the lifetime still knows why, and not when it may be another exchange's
// already. stop prevents the call; it returns false if there is nothing to prevent any more.
func (l *Lifetime) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		f()
		return func() bool { return false }
	}
	if l.after == nil {
		l.after = map[int]func(){}
	}
	n := l.next
	l.next++
	l.after[n] = f
	l.mu.Unlock()
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, waits := l.after[n]
		delete(l.after, n)
		return waits
	}
}

// Attach registers the operation to abort. It returns false, and registers nothing, if the lifetime is over.
func (l *Lifetime) Attach(up Aborter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return false
	}
	l.up = up
	return true
}

// Detach removes the operation. It returns false if the lifetime ended meanwhile: the operation may then have been
// aborted, and what it used must not be used again.
func (l *Lifetime) Detach() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up = nil
	return l.err == nil
}

// Deadline implements context.Context. A lifetime has none: time limits belong to single calls.
func (l *Lifetime) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (l *Lifetime) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.err != nil {
			close(l.done)
			l.closed = true
		}
	}
	return l.done
}

// Err implements context.Context. It returns the cause given to Cancel, or nil.
func (l *Lifetime) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Value implements context.Context. A lifetime holds itself, for LifetimeOf, and nothing else.
func (l *Lifetime) Value(key any) any {
	if key == (lifetimeKey{}) {
		return l
	}
	return nil
}
