package wasm

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// pool hands out instances, the one used last first, so that few of them stay warm. It makes new ones up to a limit;
// beyond that callers wait in line, for a limited time.
type pool struct {
	create func() (*instance, error)
	limit  int
	wait   time.Duration

	mu      sync.Mutex
	free    []*instance
	live    int       // instances that exist or are being made
	waiting []*waiter // first come, first served
	closed  bool
	warming bool          // an instance is being made that nobody waits for
	idle    chan struct{} // closed when the pool is closed and no instance is out
	circuit circuit
	stats   *stats
	low     int         // fewest free instances since the last trim
	trimmer *time.Timer // nil while there is nothing to trim
}

// waiter stands in line. It gets an instance, or nil as the permission to make one.
type waiter struct{ turn chan *instance }

// maxWaiting callers for each instance may stand in line; more would wait in vain.
const maxWaiting = 1024

func (p *pool) init(l Limits, create func() (*instance, error)) {
	p.create, p.limit, p.wait, p.idle = create, l.Instances, l.Wait, make(chan struct{})
	p.stats = &stats{}
}

// get returns an instance for the caller's use alone; put or discard gives it back. While it is used, host functions
// that wait do so until ctx ends.
func (p *pool) get(ctx context.Context) (*instance, error) {
	in, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	in.caller = ctx
	return in, nil
}

func (p *pool) acquire(ctx context.Context) (*instance, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	ok, trial := p.circuit.pass()
	if !ok {
		p.mu.Unlock()
		return nil, ErrOpen
	}
	if n := len(p.free); n > 0 {
		in := p.free[n-1]
		p.free[n-1] = nil
		p.free = p.free[:n-1]
		p.low = min(p.low, n-1)
		p.mu.Unlock()
		in.trial = trial
		return in, nil
	}
	p.low = 0
	if p.live < p.limit {
		p.live++
		p.mu.Unlock()
		return p.tried(trial)
	}
	p.circuit.undecided(trial)
	if len(p.waiting) >= maxWaiting*p.limit {
		p.mu.Unlock()
		p.stats.busy.Add(1)
		return nil, ErrBusy
	}
	w := &waiter{make(chan *instance, 1)}
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()
	return p.queue(ctx, w)
}

func (p *pool) queue(ctx context.Context, w *waiter) (*instance, error) {
	timer, began := time.NewTimer(p.wait), time.Now()
	defer timer.Stop()
	p.stats.waits.Add(1)
	defer func() { p.stats.waited.Add(int64(time.Since(began))) }()
	err := ErrBusy
	select {
	case in := <-w.turn:
		return p.take(in)
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-timer.C:
	}
	if p.leave(w) {
		if errors.Is(err, ErrBusy) {
			p.stats.busy.Add(1)
		}
		return nil, err
	}
	return p.take(<-w.turn) // the turn came at the same moment
}

// leave takes w out of the line and reports whether it still stood there.
func (p *pool) leave(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.waiting {
		if other == w {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			return true
		}
	}
	return false
}

func (p *pool) take(in *instance) (*instance, error) {
	if in != nil {
		return in, nil
	}
	return p.make()
}

// tried makes an instance for a call that may be the one that decides about the circuit.
func (p *pool) tried(trial bool) (*instance, error) {
	in, err := p.make()
	if err == nil {
		in.trial = trial
		return in, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.circuit.killed(trial)
	return nil, err
}

// make creates an instance; the caller has counted it in live.
func (p *pool) make() (*instance, error) {
	in, err := p.create()
	if err != nil {
		p.gone()
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live > 1 && p.trimmer == nil && !p.closed {
		p.low, p.trimmer = len(p.free), time.AfterFunc(trimEvery, p.trim)
	}
	return in, nil
}

// trimEvery is how long instances are kept that nobody needs.
const trimEvery = time.Minute

// trim closes the instances that were free all the time since it ran last, but one.
func (p *pool) trim() {
	p.mu.Lock()
	n := min(p.low, len(p.free), p.live-1)
	if p.closed {
		n = 0
	}
	n = max(n, 0)
	spare := slices.Clone(p.free[:n])
	p.free = slices.Delete(p.free, 0, n)
	p.live -= n
	p.low = len(p.free)
	p.trimmer = nil
	if p.live > 1 && !p.closed {
		p.trimmer = time.AfterFunc(trimEvery, p.trim)
	}
	p.mu.Unlock()
	for _, in := range spare {
		in.close()
	}
}

// put gives back an instance that may be used again.
func (p *pool) put(in *instance) {
	in.caller = nil
	if in.worn() {
		in.close()
		p.mu.Lock()
		p.circuit.spared(in.trial)
		p.mu.Unlock()
		p.replace()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.circuit.spared(in.trial)
	in.trial = false
	if len(p.waiting) > 0 {
		p.next() <- in
		return
	}
	p.free = append(p.free, in)
	p.settle()
}

// discard gives back an instance that must not be used again.
func (p *pool) discard(in *instance) {
	in.close()
	p.mu.Lock()
	if in.gone {
		p.circuit.undecided(in.trial)
	} else {
		p.circuit.killed(in.trial)
	}
	p.mu.Unlock()
	if !in.failed { // the result was wrong
		p.stats.hooks[in.last%maxHooks].failures[causeResult].Add(1)
	}
	p.replace()
}

// replace counts an instance out. If it was the last one that was free to be used, another is made in the background, so
// that the next caller does not wait for its start.
func (p *pool) replace() {
	p.mu.Lock()
	if p.closed || p.warming || len(p.free) > 0 || len(p.waiting) > 0 || p.circuit.open {
		p.mu.Unlock()
		p.gone()
		return
	}
	p.warming = true
	p.mu.Unlock()
	go p.warm()
}

// warm makes an instance that is counted in live already. Why it cannot be made, the next caller finds out.
func (p *pool) warm() {
	in, err := p.create()
	p.mu.Lock()
	p.warming = false
	if err != nil {
		p.mu.Unlock()
		p.gone()
		return
	}
	defer p.mu.Unlock()
	if len(p.waiting) > 0 {
		p.next() <- in
		return
	}
	p.free = append(p.free, in)
	p.settle()
}

// gone counts an instance out. Whoever is first in line may make another.
func (p *pool) gone() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) > 0 {
		p.next() <- nil
		return
	}
	p.live--
	p.settle()
}

func (p *pool) next() chan<- *instance {
	w := p.waiting[0]
	p.waiting = append(p.waiting[:0], p.waiting[1:]...)
	return w.turn
}

// settle notices that a closed pool has everything back.
func (p *pool) settle() {
	if p.closed && len(p.free) == p.live {
		for _, in := range p.free {
			in.close()
		}
		p.free, p.live = nil, 0
		select {
		case <-p.idle:
		default:
			close(p.idle)
		}
	}
}

// drain closes the pool and waits until all instances are back. Those who stand in line are served first.
func (p *pool) drain(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		if p.trimmer != nil {
			p.trimmer.Stop()
		}
		p.settle()
	}
	p.mu.Unlock()
	select {
	case <-p.idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
