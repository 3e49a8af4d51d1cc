package router

import (
	"container/heap"
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// A deployment with Facts.Parallel has that many places. A request that finds none at any deployment that it may use
// waits in line: more important ones first, and within a priority whoever came first. A place that is given back goes
// to the first in line who can use it, and nobody takes one past them. Waiting makes a request more important, by one
// step of priority each priorityStep, so that everybody has a turn.

const (
	priorityStep        = 250 * time.Millisecond
	maxPriority         = 1 << 20
	defaultQueueLength  = 1000
	defaultQueueTimeout = time.Minute
)

// line is those who wait for places. The zero value is ready.
type line struct {
	mu     sync.Mutex
	length map[string]int // by model group
	seq    uint64
}

// waiter is one request in line.
type waiter struct {
	rank    int64 // when it came, in nanoseconds, and steps of priority; the lowest is first
	seq     uint64
	group   string
	wants   []want
	granted atomic.Bool
	place   chan int // the member whose place it has
}

// want is a waiter in the line of one deployment.
type want struct {
	w      *waiter
	st     *state
	limit  int64
	member int
	index  int // in the heap
}

// wants is a heap.
type wants []*want

func (h wants) Len() int { return len(h) }
func (h wants) Less(i, j int) bool {
	if h[i].w.rank != h[j].w.rank {
		return h[i].w.rank < h[j].w.rank
	}
	return h[i].w.seq < h[j].w.seq
}
func (h wants) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *wants) Push(x any) {
	w := x.(*want)
	w.index = len(*h)
	*h = append(*h, w)
}
func (h *wants) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return w
}

// take takes a place if there is one. It is counted as a call under way.
func (st *state) take(limit int64) bool {
	for {
		n := st.inFlight.Load()
		if n >= limit {
			return false
		}
		if st.inFlight.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// room reports whether a request that has just come may take a place: there is one, and nobody waits for it.
func (m *member) room() bool {
	limit := m.parallel
	return limit == 0 || m.state.waiting.Load() == 0 && m.state.inFlight.Load() < limit
}

// leavePlace gives back a place, or ends a call of a deployment that has no limit.
func (st *state) leavePlace() {
	st.inFlight.Add(-1)
	// Whoever waits has said so before it looked for a place the last time: either it saw this one, or it is seen here.
	if st.waiting.Load() > 0 {
		st.hand()
	}
}

// hand gives free places to those in line.
func (st *state) hand() {
	l := &st.all.line
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(st.line) > 0 {
		first := st.line[0]
		if !st.take(first.limit) {
			return
		}
		first.w.granted.Store(true)
		l.remove(first.w)
		first.w.place <- first.member
	}
}

// remove takes a waiter out of all lines. The caller holds the mutex.
func (l *line) remove(w *waiter) {
	for i := range w.wants {
		want := &w.wants[i]
		if want.index >= 0 {
			heap.Remove(&want.st.line, want.index)
			want.index = -1
			want.st.waiting.Add(-1)
		}
	}
	if l.length[w.group]--; l.length[w.group] <= 0 {
		delete(l.length, w.group)
	}
}

// withRoom leaves those in p.list that have a free place, and reports whether there are any. If not, p.list stays.
func (p *Plan) withRoom() bool {
	n := 0
	for at, i := range p.list {
		if p.group.members[i].room() {
			p.list[n], p.list[at] = i, p.list[n]
			n++
		}
	}
	if n == 0 {
		return false
	}
	p.list = p.list[:n]
	return true
}

// claim takes a place at a member that had one when it was chosen.
func (p *Plan) claim(at int) bool {
	m := &p.group.members[at]
	if m.parallel == 0 {
		return true
	}
	p.placed = m.state.waiting.Load() == 0 && m.state.take(m.parallel)
	return p.placed
}

// unclaim gives back a place that no call was made from.
func (p *Plan) unclaim(at int) {
	if p.placed {
		p.placed = false
		p.group.members[at].state.leavePlace()
	}
}

// await waits for a place at one of the deployments in p.list.
func (p *Plan) await(ctx context.Context) (at int, err error) {
	if p.x.Ahead != nil && p.x.LetGo != nil {
		// Whoever has the place that this request waits for may wait for the one that it has among all replicas.
		p.x.LetGo(p.x)
	}
	s := &p.r.s
	l := &s.States.line
	w := &waiter{group: p.group.name, place: make(chan int, 1), wants: make([]want, len(p.list))}
	w.rank = p.begun.UnixNano() + int64(p.priority())*int64(priorityStep)
	for n, i := range p.list {
		m := &p.group.members[i]
		w.wants[n] = want{w: w, st: m.state, limit: m.parallel, member: i, index: -1}
	}
	at, ok := l.enter(w, s.QueueLength)
	switch {
	case ok && at >= 0:
		return at, nil
	case !ok:
		return 0, p.busy(429, "the queue for it is full: "+strconv.Itoa(s.QueueLength)+" requests wait")
	}
	patience := time.NewTimer(p.patience())
	defer patience.Stop()
	select {
	case at = <-w.place:
		return at, nil
	case <-ctx.Done():
		err = llm.AsError(context.Cause(ctx))
	case <-patience.C:
		err = p.busy(408, "Request timed out while polling queue")
	}
	if l.leave(w) {
		return 0, err
	}
	// The place came at the last moment. Who still wants it has it; else the next one does.
	at = <-w.place
	if ctx.Err() == nil {
		return at, nil
	}
	p.group.members[at].state.leavePlace()
	return 0, err
}

// enter puts a waiter in line. at is a member whose place it got meanwhile, or -1; ok is false if the line is full.
func (l *line) enter(w *waiter, length int) (at int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.length[w.group] >= length {
		return -1, false
	}
	if l.length == nil {
		l.length = map[string]int{}
	}
	l.length[w.group]++
	l.seq++
	w.seq = l.seq
	for i := range w.wants {
		want := &w.wants[i]
		want.st.waiting.Add(1)
		heap.Push(&want.st.line, want)
	}
	for i := range w.wants {
		want := &w.wants[i]
		if want.st.line[0] == want && want.st.take(want.limit) {
			l.remove(w)
			return want.member, true
		}
	}
	return -1, true
}

// leave takes a waiter out of line. It reports false if a place was given to it.
func (l *line) leave(w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.granted.Load() {
		return false
	}
	l.remove(w)
	return true
}

// priority is the caller's, or the default. Lower is more important, as in litellm/scheduler.py.
func (p *Plan) priority() int {
	n := p.r.s.DefaultPriority
	if p.x.Controls.Prioritized {
		n = p.x.Controls.Priority
	}
	return max(-maxPriority, min(n, maxPriority))
}

// patience is how long the request may wait for a place.
func (p *Plan) patience() time.Duration {
	d := p.r.s.QueueTimeout
	if whole := firstSet(p.x.Controls.Timeout, p.r.s.Timeout); whole > 0 {
		d = min(d, whole)
	}
	if end := p.x.Deadline; !end.IsZero() {
		d = min(d, time.Until(end))
	}
	return d
}

// busy is the error of a request that gets no place. A fallback may have one.
func (p *Plan) busy(status int, why string) error {
	e := &llm.Error{
		Op: "router.Next", Kind: llm.KindNoDeployment, Status: status, Type: "None", Param: "None", Code: strconv.Itoa(status),
		Message: "All deployments of the selected model are busy: " + why + ". Passed model=" + clip(p.name),
	}
	if status == 429 {
		e.RetryAfter = time.Second
	}
	return e
}

// Waiting is how many requests wait for a place at a deployment.
func (s *States) Waiting(id string) int {
	if st := s.find(id); st != nil {
		return int(st.waiting.Load())
	}
	return 0
}
