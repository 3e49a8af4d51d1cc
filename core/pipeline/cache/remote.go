package cache

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// RemoteSettings of a Remote. Store is required; zero values of the others take the defaults.
type RemoteSettings struct {
	Store    Store
	Name     string        // of the store, for the log
	Fallback Store         // in memory; used while Store does not answer, or for what it does not take. Nil for none
	Timeout  time.Duration // of a lookup; default 100 ms
	Patience time.Duration // of a write, which nobody waits for; default 5 s
	Queue    int           // bytes that wait to be written; default 64 MB
	Writers  int           // writes at a time; default 4
	Count    func(Event)
	State    func(open bool) // told when the store is left alone, and when it is back
	Full     func(full bool) // told when the store refuses writes, and when it takes them again
	Logger   *slog.Logger
}

const (
	remoteTimeout  = 100 * time.Millisecond
	remotePatience = 5 * time.Second
	remoteQueue    = 64 << 20
	remoteWriters  = 4
	breakAfter     = 3 // failures in a row after which the store is left alone
	probeEvery     = 500 * time.Millisecond
	calm           = 30 * time.Second // without a refusal, after which a store counts as one that takes writes
	maxQueued      = 32_768           // writes that wait
	manyAtATime    = 16
)

// Remote keeps a store at arm's length that may be slow or gone: a lookup takes a bounded time, and none while the store is
// known not to answer; what is to be written waits in a queue, where it can be found already. It implements Store, Many
// and Viewer, and is safe for concurrent use.
type Remote struct {
	s RemoteSettings

	mu       sync.Mutex
	pending  map[string]*write // what is not written yet
	order    []*write
	bytes    int
	failures int
	broken   bool
	refused  time.Time // when the store last refused a write, unless it takes them again
	closed   bool
	wake     *sync.Cond

	ctx     context.Context
	stop    context.CancelFunc
	jobs    sync.WaitGroup
	writers sync.WaitGroup
}

var (
	_ Store  = (*Remote)(nil)
	_ Many   = (*Remote)(nil)
	_ Viewer = (*Remote)(nil)
)

// write is one entry on its way.
type write struct {
	key   string
	value []byte
	ttl   time.Duration
}

// NewRemote makes a Remote, which owns both stores.
func NewRemote(s RemoteSettings) *Remote {
	if s.Timeout <= 0 {
		s.Timeout = remoteTimeout
	}
	if s.Patience <= 0 {
		s.Patience = remotePatience
	}
	if s.Queue <= 0 {
		s.Queue = remoteQueue
	}
	if s.Writers <= 0 {
		s.Writers = remoteWriters
	}
	if s.Count == nil {
		s.Count = func(Event) {}
	}
	if s.State == nil {
		s.State = func(bool) {}
	}
	if s.Full == nil {
		s.Full = func(bool) {}
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Remote{s: s, pending: map[string]*write{}}
	r.wake = sync.NewCond(&r.mu)
	r.ctx, r.stop = context.WithCancel(context.Background())
	for range s.Writers {
		r.writers.Go(r.send)
	}
	return r
}

var errLeftAlone = errors.New("the store of the cache does not answer and is left alone for a while")

// View implements Viewer: what waits to be written.
func (r *Remote) View(key string) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.pending[key]; w != nil {
		return w.value, true
	}
	return nil, false
}

// ViewsAll implements Viewer.
func (r *Remote) ViewsAll() bool { return false }

// Get implements Store.
func (r *Remote) Get(ctx context.Context, key string, buf []byte) ([]byte, error) {
	if v, ok := r.View(key); ok {
		return append(buf, v...), nil
	}
	broken, full := r.state()
	if broken {
		return r.instead(ctx, key, buf, errLeftAlone)
	}
	if full { // what the store refused is later than what it may have
		if v, err := r.instead(ctx, key, buf, ErrMiss); err == nil {
			return v, nil
		}
	}
	within, cancel := context.WithTimeout(ctx, r.s.Timeout)
	defer cancel()
	v, err := r.s.Store.Get(within, key, buf)
	if r.answered(ctx, err) {
		return v, err
	}
	return r.instead(ctx, key, buf, err)
}

// instead asks the store in memory. What it does not have is the error of the other one.
func (r *Remote) instead(ctx context.Context, key string, buf []byte, why error) ([]byte, error) {
	if r.s.Fallback != nil {
		if v, err := r.s.Fallback.Get(ctx, key, buf); err == nil {
			return v, nil
		}
	}
	return buf, why
}

// answered reports whether the store gave an answer, be it that there is nothing. It notes failures, unless the caller has
// left.
func (r *Remote) answered(ctx context.Context, err error) bool {
	if err == nil || errors.Is(err, ErrMiss) {
		r.works()
		return true
	}
	if ctx.Err() == nil {
		r.failed(err)
	}
	return false
}

// GetMany implements Many.
func (r *Remote) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	var ask []string
	var at []int
	for i, k := range keys {
		if v, ok := r.View(k); ok {
			values[i] = v
			continue
		}
		ask, at = append(ask, k), append(at, i)
	}
	if len(ask) == 0 {
		return values, nil
	}
	err := errLeftAlone
	broken, full := r.state()
	if !broken {
		var got [][]byte
		if got, err = r.many(ctx, ask); err == nil {
			for i, v := range got {
				values[at[i]] = v
			}
		}
	}
	if err == nil && !full {
		return values, nil
	}
	if r.s.Fallback == nil {
		return values, err
	}
	for i, k := range ask {
		if v, e := r.s.Fallback.Get(ctx, k, nil); e == nil {
			values[at[i]] = v
		}
	}
	return values, nil
}

func (r *Remote) many(ctx context.Context, keys []string) ([][]byte, error) {
	within, cancel := context.WithTimeout(ctx, r.s.Timeout)
	defer cancel()
	if m, ok := r.s.Store.(Many); ok {
		values, err := m.GetMany(within, keys)
		if !r.answered(ctx, err) {
			return nil, err
		}
		return values, nil
	}
	values, errs := make([][]byte, len(keys)), make([]error, len(keys))
	var jobs sync.WaitGroup
	places := make(chan struct{}, manyAtATime)
	for i, k := range keys {
		places <- struct{}{}
		jobs.Go(func() {
			defer func() { <-places }()
			values[i], errs[i] = r.s.Store.Get(within, k, nil)
			if errs[i] != nil {
				values[i] = nil
			}
		})
	}
	jobs.Wait()
	for _, err := range errs {
		if !r.answered(ctx, err) {
			return values, nil // those that are there are there
		}
	}
	return values, nil
}

var errQueueFull = errors.New("the store of the cache cannot keep up")

// Set implements Store. The value is written when there is time; it can be found at once.
func (r *Remote) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	value = append(make([]byte, 0, len(value)), value...)
	if r.Broken() {
		if r.s.Fallback == nil {
			return errLeftAlone
		}
		return r.s.Fallback.Set(ctx, key, value, ttl)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.bytes+len(value) > r.s.Queue || len(r.order) >= maxQueued {
		return errQueueFull
	}
	w := &write{key, value, ttl}
	r.pending[key] = w
	r.order = append(r.order, w)
	r.bytes += len(value)
	r.wake.Signal()
	return nil
}

// send writes what waits, until the queue is closed and empty.
func (r *Remote) send() {
	for {
		w := r.take()
		if w == nil {
			return
		}
		r.put(w)
		r.mu.Lock()
		r.bytes -= len(w.value)
		if r.pending[w.key] == w {
			delete(r.pending, w.key)
		}
		r.mu.Unlock()
	}
}

func (r *Remote) take() *write {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.order) == 0 {
		if r.closed {
			return nil
		}
		r.wake.Wait()
	}
	w := r.order[0]
	r.order[0] = nil
	r.order = r.order[1:]
	if len(r.order) == 0 {
		r.order = nil
	}
	return w
}

func (r *Remote) put(w *write) {
	r.mu.Lock()
	current, broken := r.pending[w.key] == w, r.broken
	r.mu.Unlock()
	if !current {
		return // deleted, or another one came
	}
	if !broken {
		ctx, cancel := context.WithTimeout(r.ctx, r.s.Patience)
		err := r.s.Store.Set(ctx, w.key, w.value, w.ttl)
		cancel()
		switch {
		case err == nil:
			r.works()
			if _, full := r.state(); full && r.s.Fallback != nil {
				_, _ = r.s.Fallback.Delete(r.ctx, w.key)
			}
			return
		case errors.Is(err, ErrRefused):
			r.works()
			r.s.Count(EventRefused)
			r.refuses(err)
		default:
			r.s.Count(EventDropped)
			r.failed(err)
		}
	}
	if r.s.Fallback != nil {
		_ = r.s.Fallback.Set(r.ctx, w.key, w.value, w.ttl)
	}
}

// Broken reports whether the store is left alone at present.
func (r *Remote) Broken() bool {
	broken, _ := r.state()
	return broken
}

// state is whether the store is left alone, and whether it refused a write of late.
func (r *Remote) state() (broken, full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken, !r.refused.IsZero()
}

// refuses notes a write that the store did not take. Each later one is offered to it all the same: room may come and go.
func (r *Remote) refuses(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := !r.refused.IsZero()
	r.refused = time.Now()
	if known || r.closed {
		return
	}
	r.s.Full(true)
	r.s.Logger.Warn("the store of the cache takes no writes: answers are kept in memory meanwhile", "cache", r.s.Name, "error", err)
	r.jobs.Go(r.calms)
}

// calms waits until the store takes writes again.
func (r *Remote) calms() {
	r.until(func(ctx context.Context) bool {
		r.mu.Lock()
		quiet := time.Since(r.refused) >= calm
		r.mu.Unlock()
		if !quiet || r.s.Store.Ping(ctx) != nil {
			return false
		}
		r.mu.Lock()
		r.refused = time.Time{}
		r.mu.Unlock()
		r.s.Full(false)
		r.s.Logger.Info("the store of the cache takes writes again", "cache", r.s.Name)
		return true
	})
}

func (r *Remote) works() {
	r.mu.Lock()
	r.failures = 0
	r.mu.Unlock()
}

// failed counts a failure. After some in a row the store is left alone until it answers a ping.
func (r *Remote) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failures++; r.failures < breakAfter || r.broken || r.closed {
		return
	}
	r.broken = true
	r.s.State(true)
	r.s.Logger.Warn("the store of the cache does not answer: requests go on without it", "cache", r.s.Name, "error", err)
	r.jobs.Go(r.probe)
}

func (r *Remote) probe() {
	r.until(func(ctx context.Context) bool {
		if err := r.s.Store.Ping(ctx); err != nil && !errors.Is(err, ErrRefused) {
			return false
		}
		r.mu.Lock()
		r.broken, r.failures = false, 0
		r.mu.Unlock()
		r.s.State(false)
		r.s.Logger.Info("the store of the cache answers again", "cache", r.s.Name)
		return true
	})
}

// until tries from time to time whether something is done, as long as r is open.
func (r *Remote) until(done func(context.Context) bool) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(r.ctx, max(r.s.Timeout, time.Second))
		over := done(ctx)
		cancel()
		if over {
			return
		}
	}
}

// Delete implements Store.
func (r *Remote) Delete(ctx context.Context, keys ...string) (int, error) {
	r.mu.Lock()
	for _, k := range keys {
		delete(r.pending, k)
	}
	r.mu.Unlock()
	if r.s.Fallback != nil {
		if _, err := r.s.Fallback.Delete(ctx, keys...); err != nil {
			return 0, err
		}
	}
	return r.s.Store.Delete(ctx, keys...)
}

// Flush implements Store.
func (r *Remote) Flush(ctx context.Context) error {
	r.mu.Lock()
	clear(r.pending)
	r.mu.Unlock()
	if r.s.Fallback != nil {
		if err := r.s.Fallback.Flush(ctx); err != nil {
			return err
		}
	}
	return r.s.Store.Flush(ctx)
}

// Ping implements Store: it asks the store itself.
func (r *Remote) Ping(ctx context.Context) error { return r.s.Store.Ping(ctx) }

// Close implements Store. What waits is written first, as far as there is time for it.
func (r *Remote) Close() error {
	r.mu.Lock()
	r.closed = true
	r.wake.Broadcast()
	r.mu.Unlock()
	over := time.AfterFunc(r.s.Patience, r.stop)
	defer over.Stop()
	r.writers.Wait()
	r.stop()
	r.jobs.Wait()
	err := r.s.Store.Close()
	if r.s.Fallback != nil {
		err = errors.Join(err, r.s.Fallback.Close())
	}
	return err
}

// Unwrap is the store at the other end.
func (r *Remote) Unwrap() Store { return r.s.Store }
