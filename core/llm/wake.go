package llm

import (
	"context"
	"time"
)

// Waiter sends on what may go out while a vendor has nothing to say.
type Waiter interface {
	// Idle is called from inside of a read, on the goroutine that waits for the vendor. It returns false if the answer need
	// not be waited for any longer.
	Idle() (goOn bool)
}

// Idler is a stream that may have a part to give although nothing new has come: text that a guardrail keeps until it is
// old enough.
type Idler interface {
	// Idle fills p and returns true if there is a part. It may be called while a Next of the same stream waits, on the same
	// goroutine, and reads from no vendor. After an error the stream has ended, and Next returns the same.
	Idle(p *Part) (bool, error)
}

// Idle asks a stream for a part that it can give without reading on.
func Idle(s Stream, p *Part) (bool, error) {
	if i, ok := s.(Idler); ok {
		return i.Idle(p)
	}
	return false, nil
}

// wake says when and whom to call while a read of a vendor's answer waits. Only the exchange's own goroutine uses it.
type wake struct {
	at     time.Time
	waiter Waiter
}

// OnIdle sets who is called when the time of Wake has come. Like Wake and Woken it is for the goroutine of the exchange.
func (l *Lifetime) OnIdle(w Waiter) { l.wake.waiter = w }

// Wake has the waiter called at the time, should the exchange be waiting for the vendor then. An earlier time that was set
// before stays.
func (l *Lifetime) Wake(at time.Time) {
	if l.wake.at.IsZero() || at.Before(l.wake.at) {
		l.wake.at = at
	}
}

// Waking returns the time that was set, and false if there is none.
func (l *Lifetime) Waking() (time.Time, bool) { return l.wake.at, !l.wake.at.IsZero() }

// Woken calls the waiter, whose time has come. It returns what that returns.
func (l *Lifetime) Woken() (goOn bool) {
	l.wake.at = time.Time{}
	if l.wake.waiter == nil {
		return true
	}
	return l.wake.waiter.Idle()
}

type lifetimeKey struct{}

// LifetimeOf returns the lifetime that ctx is or was derived from, or nil.
func LifetimeOf(ctx context.Context) *Lifetime {
	if l, ok := ctx.(*Lifetime); ok {
		return l
	}
	l, _ := ctx.Value(lifetimeKey{}).(*Lifetime)
	return l
}
