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
// once. So a page that adds up millions of rows, opened by many or again and again, takes a small share of the database,
// and one that does not is never out of date.
type memo struct {
	mu      sync.Mutex
	answers map[string]*answer
}

type answer struct {
	done  chan struct{} // closed when the rest is set
	rows  []store.Activity
	err   error
	until time.Time
}

const (
	// longAnswer is how long an answer takes that is kept, and keepFactor for how many times that.
	longAnswer = 250 * time.Millisecond
	keepFactor = 20
	maxKept    = 10 * time.Minute
	// maxAnswers bounds how many are kept.
	maxAnswers = 100
)

func newMemo() *memo { return &memo{answers: map[string]*answer{}} }

// get answers a question, from memory or by asking.
func (m *memo) get(ctx context.Context, q *store.ActivityQuery, ask func() ([]store.Activity, error)) ([]store.Activity, error) {
	key := fmt.Sprintf("%#v", *q)
	for {
		a, mine := m.find(key)
		if mine {
			m.answer(key, a, ask)
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

// find returns the answer to a question; mine says that the caller is to give it.
func (m *memo) find(key string) (a *answer, mine bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.answers[key]; a != nil {
		select {
		case <-a.done:
			if time.Now().Before(a.until) {
				return a, false
			}
		default:
			return a, false
		}
	}
	a = &answer{done: make(chan struct{})}
	m.answers[key] = a
	return a, true
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
			if !now.Before(a.until) || len(m.answers) > maxAnswers {
				delete(m.answers, key)
			}
		default:
		}
	}
}
