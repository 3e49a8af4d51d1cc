package listener

import (
	"sync"
	"sync/atomic"
	"time"
)

// watcher notices callers who close their side while the gateway works for them. fasthttp does not: it reads a
// connection only between requests. On Linux one epoll set with EPOLLRDHUP watches all connections, at about 1 µs of
// CPU a request and within a millisecond; elsewhere connections are not watched, and a caller who left is noticed at
// the next write.
//
// Connections are known by a number, not by descriptor, so that a reused descriptor cannot hit the wrong one.
type watcher struct {
	mu    sync.Mutex
	next  uint64
	conns map[uint64]*conn
	poll  poller

	// clock counts seconds, so that a connection can tell on each read and write whether a deadline is due to be moved
	// without asking for the time. It starts beyond any slack, so that the first read and write set one.
	clock atomic.Int64
	stop  chan struct{}
	once  sync.Once
}

func newWatcher() (*watcher, error) {
	w := &watcher{conns: make(map[uint64]*conn), stop: make(chan struct{})}
	w.clock.Store(deadlineSlack + 1)
	if err := w.poll.start(w.left); err != nil {
		return nil, err
	}
	go w.tick()
	return w, nil
}

func (w *watcher) tick() {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			w.clock.Add(1)
		case <-w.stop:
			return
		}
	}
}

func (w *watcher) open() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.conns)
}

func (w *watcher) add(c *conn) {
	w.mu.Lock()
	w.next++
	c.id = w.next
	w.conns[c.id] = c
	w.mu.Unlock()
	w.poll.add(c)
}

// remove forgets the connection. Closing its descriptor takes it out of the set.
func (w *watcher) remove(c *conn) {
	w.mu.Lock()
	delete(w.conns, c.id)
	w.mu.Unlock()
}

func (w *watcher) left(id uint64) {
	w.mu.Lock()
	c := w.conns[id]
	w.mu.Unlock()
	if c != nil {
		c.leave()
	}
}

// each calls f for every open connection.
func (w *watcher) each(f func(*conn)) {
	w.mu.Lock()
	all := make([]*conn, 0, len(w.conns))
	for _, c := range w.conns {
		all = append(all, c)
	}
	w.mu.Unlock()
	for _, c := range all {
		f(c)
	}
}

// close stops watching. It may be called again.
func (w *watcher) close() {
	w.once.Do(func() {
		close(w.stop)
		w.poll.close()
	})
}
