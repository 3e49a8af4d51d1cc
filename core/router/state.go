package router

import (
	"sync"
	"sync/atomic"
)

// States is what routers learn about deployments, by deployment id. It outlives a router, so that a reload forgets
// nothing. The deployments that one wildcard expands to share one state. It is safe for concurrent use.
type States struct {
	mu   sync.Mutex
	byID map[string]*state
}

// Counts are what is known about one deployment since the process started.
type Counts struct {
	InFlight int64 // calls under way
	Calls    int64 // calls begun
	Failures int64 // calls that the vendor failed
}

type state struct{ inFlight, calls, failures atomic.Int64 }

// NewStates returns an empty store.
func NewStates() *States { return &States{byID: map[string]*state{}} }

// Counts returns what is known about a deployment; zero if it was never part of a router.
func (s *States) Counts(id string) Counts {
	s.mu.Lock()
	st := s.byID[id]
	s.mu.Unlock()
	if st == nil {
		return Counts{}
	}
	return Counts{st.inFlight.Load(), st.calls.Load(), st.failures.Load()}
}

func (s *States) of(id string) *state {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.byID[id]
	if st == nil {
		st = &state{}
		s.byID[id] = st
	}
	return st
}

func (st *state) begin() {
	st.inFlight.Add(1)
	st.calls.Add(1)
}

func (st *state) end(failed bool) {
	st.inFlight.Add(-1)
	if failed {
		st.failures.Add(1)
	}
}
