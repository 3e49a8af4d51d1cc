package router

import (
	"hash/fnv"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// States is what routers learn about deployments, by deployment id. It outlives a router, so that a reload forgets
// nothing. The deployments that one wildcard expands to share one state. It is safe for concurrent use.
type States struct {
	mu   sync.Mutex
	byID map[string]*state
	out  atomic.Int64 // how many are left alone or on probation: while none is, choices need not look
	line line         // who waits for places
	pins pins
	wake chan struct{} // a cooldown began or ended
}

// Counts are what is known about one deployment since the process started.
type Counts struct {
	InFlight int64 // calls under way
	Calls    int64 // calls begun
	Failures int64 // calls that the vendor failed
}

// Learned is what answers told about one deployment. Latencies are means of the latest samples, 0 without any.
type Learned struct {
	Latency    time.Duration // of whole answers: a completion token, or the answer if it has no tokens
	FirstToken time.Duration // of streams
	Requests   int64         // begun in the current minute
	Tokens     int64         // used in the current minute
	Errors     float64       // share of calls that failed lately, in [0, 1]
	Until      time.Time     // when a cooldown is over; zero if there is none
}

// state is one deployment. What a choice reads is atomic, since it reads that of every deployment of a group.
type state struct {
	// What choices read lies in one line of the processor's cache.
	inFlight      atomic.Int64
	until         atomic.Int64 // unix nanoseconds; see cooldown.go
	waiting       atomic.Int64 // who waits for a place
	requests      window       // for limits: requests begun
	otherRequests window       // by other replicas
	tokens        window       // used
	otherTokens   window       // by other replicas
	probing       atomic.Bool  // a request tests whether the deployment is back

	calls, failures atomic.Int64
	taken           window          // requests that were counted by Shared.Take
	done, faults    window          // for cooldowns: calls ended, and those that count against the deployment
	kinds           [classes]window // failures that a policy counts
	all             *States
	line            wants         // who waits for a place; guarded by States.line
	like            atomic.Uint64 // what the deployment is, so that another one under the same id is told apart

	mu           sync.Mutex // for writers of the following
	whole, first speed
	errs         average
}

// NewStates returns an empty store.
func NewStates() *States { return &States{byID: map[string]*state{}, wake: make(chan struct{}, 1)} }

func (s *States) find(id string) *state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

// Counts returns what is known about a deployment; zero if it was never part of a router.
func (s *States) Counts(id string) Counts {
	if st := s.find(id); st != nil {
		return st.counts()
	}
	return Counts{}
}

// Learned returns what answers told about a deployment; zero if it was never part of a router.
func (s *States) Learned(id string) (l Learned) {
	st := s.find(id)
	if st == nil {
		return l
	}
	now := time.Now()
	minute := minuteOf(now)
	l.Latency, l.FirstToken = seconds(st.whole.mean.load()), seconds(st.first.mean.load())
	l.Requests, l.Tokens = st.usedRequests(minute), st.usedTokens(minute)
	l.Errors = st.errs.at(now.UnixNano(), errorMemory)
	if until := st.until.Load(); until != 0 {
		l.Until = time.Unix(0, until)
	}
	return l
}

func seconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }

// of is the state of a deployment. One that has only its id in common with what is known under it, as its address, key
// or model has changed, begins anew; calls under way stay counted.
func (s *States) of(d *llm.Deployment) *state {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.byID[d.ID]
	if st == nil {
		st = &state{all: s}
		s.byID[d.ID] = st
	}
	like := fingerprint(d)
	if old := st.like.Swap(like); old != 0 && old != like {
		st.forget()
	}
	return st
}

// fingerprint tells deployments apart by what decides how they do. It is never 0.
func fingerprint(d *llm.Deployment) uint64 {
	h := fnv.New64a()
	for _, s := range []string{d.Provider, d.Model, d.Base, d.APIKey, d.APIVersion, d.Organization} {
		_, _ = h.Write([]byte(s))
		_, _ = h.Write([]byte{0})
	}
	for _, p := range d.Settings {
		_, _ = h.Write([]byte(p.Name + "\x00" + p.Value + "\x00"))
	}
	return h.Sum64() | 1
}

// forget drops what was learned, and leaves what is under way.
func (st *state) forget() {
	st.close()
	for _, w := range []*window{&st.done, &st.faults} {
		w.clear()
	}
	for i := range st.kinds {
		st.kinds[i].clear()
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, v := range []*speed{&st.whole, &st.first} {
		v.ring, v.next = v.ring[:0], 0
		v.mean.store(0)
		v.ewma.value.store(0)
		v.ewma.when.Store(0)
	}
	st.errs.value.store(0)
	st.errs.when.Store(0)
}

// Forget drops what is known of deployments whose id keep does not want any more. Calls under way end as usual.
func (s *States) Forget(keep func(id string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, st := range s.byID {
		if !keep(id) && st.inFlight.Load() == 0 && st.waiting.Load() == 0 {
			st.close()
			delete(s.byID, id)
		}
	}
}

// usedRequests and usedTokens are what all replicas used in the minute, as far as this one knows.
func (st *state) usedRequests(minute uint64) int64 {
	return st.requests.at(minute) + st.otherRequests.at(minute)
}

func (st *state) usedTokens(minute uint64) int64 {
	return st.tokens.at(minute) + st.otherTokens.at(minute)
}

// counts are those of one state.
func (st *state) counts() Counts {
	return Counts{st.inFlight.Load(), st.calls.Load(), st.failures.Load()}
}

func (st *state) end(failed bool) {
	if failed {
		st.failures.Add(1)
	}
	st.leavePlace()
}

// window counts within the current minute. The word holds the minute in its upper 28 bits and the count below.
type window struct{ word atomic.Uint64 }

const (
	countBits = 36
	countMask = 1<<countBits - 1
)

// minuteOf numbers minutes, for 500 years.
func minuteOf(t time.Time) uint64 { return uint64(t.Unix()/60) & (1<<(64-countBits) - 1) }

// add counts n and returns the sum of the minute. What comes late for its minute is not counted.
func (w *window) add(minute uint64, n int64) int64 {
	for {
		old := w.word.Load()
		var count uint64
		switch was := old >> countBits; {
		case was > minute:
			return 0
		case was == minute:
			count = old & countMask
		}
		count = min(count+uint64(max(n, 0)), countMask)
		if w.word.CompareAndSwap(old, minute<<countBits|count) {
			return int64(count)
		}
	}
}

// take counts one if the limit allows it.
func (w *window) take(minute uint64, limit int64) bool {
	for {
		old := w.word.Load()
		var count uint64
		if old>>countBits == minute {
			count = old & countMask
		}
		if int64(count) >= limit {
			return false
		}
		if w.word.CompareAndSwap(old, minute<<countBits|(count+1)) {
			return true
		}
	}
}

// drop takes one back that was counted in the minute.
func (w *window) drop(minute uint64) {
	for {
		old := w.word.Load()
		if old>>countBits != minute || old&countMask == 0 || w.word.CompareAndSwap(old, old-1) {
			return
		}
	}
}

// at is the count of the minute.
func (w *window) at(minute uint64) int64 {
	word := w.word.Load()
	if word>>countBits != minute {
		return 0
	}
	return int64(word & countMask)
}

// set makes the count of the minute n, unless the window is already in a later one.
func (w *window) set(minute uint64, n int64) {
	word := minute<<countBits | min(uint64(max(n, 0)), countMask)
	for {
		old := w.word.Load()
		if old>>countBits > minute || w.word.CompareAndSwap(old, word) {
			return
		}
	}
}

func (w *window) clear() { w.word.Store(0) }

// number is a float64 that is read without a lock.
type number struct{ bits atomic.Uint64 }

func (n *number) load() float64   { return math.Float64frombits(n.bits.Load()) }
func (n *number) store(f float64) { n.bits.Store(math.Float64bits(f)) }

// average is a mean that forgets: it fades towards zero while nothing is added.
type average struct {
	value number
	when  atomic.Int64 // unix nanoseconds of the latest sample; 0 none
}

// at is the value now. memory is the time in which it fades to a third.
func (a *average) at(now int64, memory time.Duration) float64 {
	v := a.value.load()
	if v == 0 {
		return 0
	}
	return v * math.Exp(-float64(max(now-a.when.Load(), 0))/float64(memory))
}

// speed is how fast answers of one kind come, in seconds.
type speed struct {
	mean number  // of the latest samples, for latency-based-routing
	ewma average // for adaptive

	ring []float64 // the samples of mean; guarded by the state's mutex
	next int
}

// sampled reports whether there is a sample that is not older than ttl.
func (s *speed) sampled(now int64, ttl time.Duration) bool {
	when := s.ewma.when.Load()
	return when != 0 && now-when <= int64(ttl)
}

// add takes a sample: listed into the mean, felt into the moving average. The caller holds the state's mutex.
func (s *speed) add(listed, felt float64, now int64, args *StrategyArgs) {
	if !s.sampled(now, args.TTL) || len(s.ring) > args.ListSize {
		s.ring, s.next = s.ring[:0], 0
	}
	if cap(s.ring) < args.ListSize {
		s.ring = append(make([]float64, 0, args.ListSize), s.ring...)
	}
	if len(s.ring) < args.ListSize {
		s.ring = append(s.ring, listed)
	} else {
		s.ring[s.next%len(s.ring)] = listed
		s.next++
	}
	var sum float64
	for _, v := range s.ring {
		sum += v
	}
	s.mean.store(sum / float64(len(s.ring)))

	old, share := s.ewma.value.load(), 1.0
	if when := s.ewma.when.Load(); when != 0 && old > 0 {
		share = 1 - math.Exp(-float64(max(now-when, 0))/float64(latencyMemory))
		if felt > old {
			share = max(share, riseShare)
		}
	}
	s.ewma.value.store(old + (felt-old)*share)
	s.ewma.when.Store(max(now, 1))
}

// fault notes whether a call failed, for the share of calls that do.
func (st *state) fault(failed bool, now int64) {
	old := st.errs.at(now, errorMemory)
	if !failed && old < 0.001 {
		if st.errs.value.load() != 0 {
			st.errs.value.store(0)
		}
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	next := old * (1 - errorShare)
	if failed {
		next += errorShare
	}
	st.errs.value.store(next)
	st.errs.when.Store(now)
}

// sample notes how long an answer took.
func (st *state) sample(streamed bool, took time.Duration, u llm.Usage, now int64, args *StrategyArgs) {
	listed, felt := took.Seconds(), took.Seconds()
	of := &st.first
	if !streamed {
		of = &st.whole
		if u.Completion > 0 {
			listed /= float64(u.Completion)
			felt /= float64(u.Completion + headTokens)
		}
	}
	st.mu.Lock()
	of.add(listed, felt, now, args)
	st.mu.Unlock()
}

// timeout notes an answer that did not come in time (litellm/router_strategy/lowest_latency.py counts 1,000 seconds).
func (st *state) timeout(streamed bool, took time.Duration, now int64, args *StrategyArgs) {
	of := &st.first
	if !streamed {
		of = &st.whole
	}
	st.mu.Lock()
	of.add(1000, took.Seconds(), now, args)
	st.mu.Unlock()
}
