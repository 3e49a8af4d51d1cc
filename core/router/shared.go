package router

import (
	"context"
	"time"
)

// Shared is where routers of several replicas meet. What they learn goes there and comes from there off the path of
// requests, by States.Each, Cool, Others and Learn; a router itself calls only these methods. They are safe for
// concurrent use.
type Shared interface {
	// Take counts a request of the minute at a deployment, for all replicas, unless there have been as many as the limit.
	// It waits for an answer. An error says that none came in time: each replica counts alone then.
	Take(ctx context.Context, id string, minute uint64, limit int64) (ok bool, err error)
	// Pin tells the others where requests with a key go. It does not block.
	Pin(k Key, id string, ttl time.Duration)
	// Ask finds out what others know about a key; States.Pin gets the answer, later. It does not block.
	Ask(k Key)
}

// Known is what one replica knows about a deployment, to tell others.
type Known struct {
	Until    time.Time // the end of its cooldown, which may be past while it is tested; zero: there is none
	Minute   uint64    // the current one; see Minute
	Requests int64     // begun here in the minute
	Taken    int64     // those that Shared.Take has counted already, or is about to
	Tokens   int64     // used here in the minute
	Whole    Sample    // how long whole answers take
	First    Sample    // how long it takes until streams begin
}

// Sample is a moving average of latencies.
type Sample struct {
	Latency float64 // seconds, scaled as the strategy "adaptive" does; 0 unknown
	At      int64   // unix nanoseconds of the latest measurement
}

// Minute numbers minutes the way Known does.
func Minute(t time.Time) uint64 { return minuteOf(t) }

// Each tells all that is known, by deployment id.
func (s *States) Each(f func(id string, k Known)) {
	minute := minuteOf(time.Now())
	s.mu.Lock()
	list := make(map[string]*state, len(s.byID))
	for id, st := range s.byID {
		list[id] = st
	}
	s.mu.Unlock()
	for id, st := range list {
		k := Known{
			Minute: minute, Requests: st.requests.at(minute), Taken: st.taken.at(minute), Tokens: st.tokens.at(minute),
			Whole: st.whole.sample(), First: st.first.sample(),
		}
		if until := st.until.Load(); until != 0 {
			k.Until = time.Unix(0, until)
		}
		f(id, k)
	}
}

func (s *speed) sample() Sample { return Sample{s.ewma.value.load(), s.ewma.when.Load()} }

// Taken is Known.Taken of a deployment and a minute, as of now; 0 for an unknown id.
func (s *States) Taken(id string, minute uint64) int64 {
	if st := s.find(id); st != nil {
		return st.taken.at(minute)
	}
	return 0
}

// Others sets what other replicas have used of a deployment in a minute. It does nothing for an unknown id.
func (s *States) Others(id string, minute uint64, requests, tokens int64) {
	if st := s.find(id); st != nil {
		st.otherRequests.set(minute, requests)
		st.otherTokens.set(minute, tokens)
	}
}

// others notes that other replicas have used at least so much.
func (st *state) others(minute uint64, requests, tokens int64) {
	st.otherRequests.set(minute, max(requests, st.otherRequests.at(minute)))
	st.otherTokens.set(minute, max(tokens, st.otherTokens.at(minute)))
}

// Learn takes over what another replica measured, where nothing is known here or it is long ago: a replica that has just
// started need not send everybody everywhere to find out what is slow.
func (s *States) Learn(id string, whole, first Sample) {
	st := s.find(id)
	if st == nil {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.whole.adopt(whole)
	st.first.adopt(first)
}

func (s *speed) adopt(from Sample) {
	own := s.ewma.when.Load()
	if from.Latency <= 0 || from.At-own < int64(idleMemory) || from.At > time.Now().Add(idleMemory).UnixNano() {
		return
	}
	s.ring, s.next = append(s.ring[:0], from.Latency), 0
	s.mean.store(from.Latency)
	s.ewma.value.store(from.Latency)
	s.ewma.when.Store(from.At)
}

// Changed is signalled when a cooldown begins or ends. One goroutine listens.
func (s *States) Changed() <-chan struct{} { return s.wake }

func (s *States) change() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
