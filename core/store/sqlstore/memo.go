package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// memo keeps answers that took long for a multiple of that time, and has one caller ask what several want to know at
// once. After that an answer is given for a while longer at once, while it is made anew. So a page that adds up millions of
// rows, opened by many or again and again, takes a small share of the database, and one that does not is never out of date.
type memo struct {
	mu      sync.Mutex
	answers map[string]*answer
}

type answer struct {
	done  chan struct{} // closed when the rest is set
	rows  []store.Activity
	err   error
	until time.Time // after this it is made anew

	renewing bool
}

const (
	// longAnswer is how long an answer takes that is kept, and keepFactor for how many times that.
	longAnswer = 250 * time.Millisecond
	keepFactor = 20
	maxKept    = 10 * time.Minute
	// staleFor is how long after that it is given while it is made anew, and renewTime how long this may take.
	staleFor  = maxKept
	renewTime = time.Minute
	// maxAnswers bounds how many are kept.
	maxAnswers = 100
)

func newMemo() *memo { return &memo{answers: map[string]*answer{}} }

// get answers a question, from memory or by asking.
func (m *memo) get(
	ctx context.Context, q *store.ActivityQuery, ask func(context.Context) ([]store.Activity, error),
) ([]store.Activity, error) {
	key := fmt.Sprintf("%#v", *q)
	for {
		a, mine, renew := m.find(key)
		if renew {
			go m.renew(context.WithoutCancel(ctx), key, ask)
		}
		if mine {
			m.answer(key, a, func() ([]store.Activity, error) { return ask(ctx) })
			return slices.Clone(a.rows), a.err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-a.done:
		}
		if a.err == nil {
			return slices.Clone(a.rows), nil
		}
		// Whoever asked may have left; another tries again.
	}
}

// find returns the answer to a question; mine says that the caller is to give it, renew that he is to have it made anew.
func (m *memo) find(key string) (a *answer, mine, renew bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.answers[key]; a != nil {
		select {
		case <-a.done:
			now := time.Now()
			if now.Before(a.until) {
				return a, false, false
			}
			if now.Before(a.until.Add(staleFor)) {
				renew = !a.renewing
				a.renewing = true
				return a, false, renew
			}
		default:
			return a, false, false
		}
	}
	a = &answer{done: make(chan struct{})}
	m.answers[key] = a
	return a, true, false
}

// renew answers a question again. If that fails the old answer is good for another try.
func (m *memo) renew(ctx context.Context, key string, ask func(context.Context) ([]store.Activity, error)) {
	ctx, cancel := context.WithTimeout(ctx, renewTime)
	defer cancel()
	begin := time.Now()
	rows, err := ask(ctx)
	took := time.Since(begin)
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.answers[key]
	switch {
	case old == nil:
	case err != nil:
		old.renewing = false
	case took < longAnswer: // not worth keeping any more
		delete(m.answers, key)
	default:
		next := &answer{done: make(chan struct{}), rows: rows, until: time.Now().Add(min(keepFactor*took, maxKept))}
		close(next.done)
		m.answers[key] = next
	}
}

func (m *memo) answer(key string, a *answer, ask func() ([]store.Activity, error)) {
	begin := time.Now()
	a.err = context.Canceled // unless ask returns
	defer func() {
		took := time.Since(begin)
		if a.err == nil && took >= longAnswer {
			a.until = time.Now().Add(min(keepFactor*took, maxKept))
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		close(a.done)
		if a.until.IsZero() {
			delete(m.answers, key)
		}
		m.tidy()
	}()
	a.rows, a.err = ask()
}

// tidy forgets answers that are over, and any if there are too many.
func (m *memo) tidy() {
	now := time.Now()
	for key, a := range m.answers {
		select {
		case <-a.done:
			if !now.Before(a.until.Add(staleFor)) || len(m.answers) > maxAnswers {
				delete(m.answers, key)
			}
		default:
		}
	}
}
