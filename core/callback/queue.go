package callback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Settings of a queue. Zero values take the defaults.
type Settings struct {
	Name    string        // of the sink, for the log
	Sink    Sink          // required
	Size    int           // records that may wait; default 10,000
	Bytes   int           // of memory, roughly, that they may take; default 64 MiB
	Batch   int           // records in one Write at most, and when a Write is due at the latest; default 512
	Age     time.Duration // how long a record may wait for the batch to fill; default 5 s
	Timeout time.Duration // of one Write; default 30 s
	Logger  *slog.Logger  // default slog.Default()
}

// Queue carries records to a sink, on a goroutine of its own. Those who put records in never wait: when it is full the
// oldest record is dropped.
type Queue struct {
	s    Settings
	wake chan struct{} // capacity 1: something to look at
	done chan struct{} // the goroutine has ended
	ctx  context.Context
	stop context.CancelFunc

	mu     sync.Mutex
	ring   []Record // waiting records are ring[head], ring[head+1] ..., around the end
	head   int
	count  int
	bytes  int
	since  time.Time // no record waits for longer
	closed bool
	stats  Stats
	lost   uint64 // dropped since the queue was last empty
}

// Stats count records since the queue was made.
type Stats struct {
	Written uint64 // taken by the sink
	Failed  uint64 // given to the sink, which returned an error
	Dropped uint64 // never given to the sink: the queue was full, or closed
	Waiting int
}

// NewQueue starts a queue. Close ends it.
func NewQueue(s Settings) *Queue {
	setDefault(&s.Size, 10000)
	setDefault(&s.Bytes, 64<<20)
	setDefault(&s.Batch, 512)
	setDefault(&s.Age, 5*time.Second)
	setDefault(&s.Timeout, 30*time.Second)
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	s.Batch = min(s.Batch, s.Size)
	q := &Queue{s: s, wake: make(chan struct{}, 1), done: make(chan struct{})}
	q.ctx, q.stop = context.WithCancel(context.Background())
	go q.run()
	return q
}

func setDefault[T int | time.Duration](v *T, to T) {
	if *v <= 0 {
		*v = to
	}
}

// Put queues a copy of the record, whose slices must not change any more. It never blocks.
func (q *Queue) Put(rec *Record) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.stats.Dropped++
		return
	}
	size := rec.size()
	for q.count > 0 && (q.count == q.s.Size || q.bytes+size > q.s.Bytes) {
		q.drop()
	}
	if q.count == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.count)%len(q.ring)] = *rec
	q.count++
	q.bytes += size
	if q.count == 1 {
		q.since = time.Now()
	}
	if q.count == 1 || q.count >= q.s.Batch {
		q.signal()
	}
}

// drop forgets the oldest record. The first time after the queue was empty it says so.
func (q *Queue) drop() {
	q.shift()
	q.stats.Dropped++
	q.lost++
	if q.lost == 1 {
		// Not here: a logger may block, and the caller must not.
		go q.s.Logger.Warn("records are dropped: the callback does not keep up", "callback", q.s.Name, "waiting", q.s.Size)
	}
}

func (q *Queue) shift() Record {
	rec := q.ring[q.head]
	q.ring[q.head] = Record{}
	q.head = (q.head + 1) % len(q.ring)
	q.count--
	q.bytes -= rec.size()
	return rec
}

func (q *Queue) grow() {
	ring := make([]Record, min(max(64, 2*len(q.ring)), q.s.Size))
	n := copy(ring, q.ring[q.head:])
	copy(ring[n:], q.ring[:q.head])
	q.ring, q.head = ring, 0
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// size is roughly what a record takes in memory.
func (rec *Record) size() int {
	return 768 + len(rec.Metadata) + len(rec.Messages) + len(rec.Response) + len(rec.ModelGroup) + len(rec.UserAgent)
}

func (q *Queue) run() {
	defer close(q.done)
	defer q.stop()
	timer := time.NewTimer(q.s.Age)
	defer timer.Stop()
	batch := make([]Record, 0, q.s.Batch)
	for {
		due, wait, closed := q.due()
		switch {
		case q.ctx.Err() != nil:
			return
		case due:
			batch = q.take(batch[:0])
			q.write(batch)
			clear(batch)
			continue
		case closed:
			return
		}
		timer.Reset(wait)
		select {
		case <-q.wake:
		case <-timer.C:
		case <-q.ctx.Done():
		}
	}
}

// due reports whether a batch is to be written now, and if not, when to look again at the latest.
func (q *Queue) due() (due bool, wait time.Duration, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count == 0 {
		return false, time.Hour, q.closed
	}
	wait = q.s.Age - time.Since(q.since)
	return q.closed || q.count >= q.s.Batch || wait <= 0, wait, q.closed
}

func (q *Queue) take(batch []Record) []Record {
	q.mu.Lock()
	for q.count > 0 && len(batch) < q.s.Batch {
		batch = append(batch, q.shift())
	}
	var lost uint64
	if q.count == 0 {
		lost, q.lost = q.lost, 0
	}
	q.mu.Unlock()
	if lost > 0 {
		q.s.Logger.Warn("the callback keeps up again", "callback", q.s.Name, "dropped", lost)
	}
	return batch
}

func (q *Queue) write(batch []Record) {
	ctx, cancel := context.WithTimeout(q.ctx, q.s.Timeout)
	defer cancel()
	err := q.call(ctx, batch)
	lost := 0
	if err != nil {
		lost = len(batch)
	}
	if some := (*LostError)(nil); errors.As(err, &some) {
		lost = min(some.Lost, len(batch))
	}
	q.mu.Lock()
	q.stats.Written += uint64(len(batch) - lost)
	q.stats.Failed += uint64(lost)
	q.mu.Unlock()
	if err != nil {
		q.s.Logger.Error("the callback failed, its records are lost", "callback", q.s.Name, "records", lost, "error", err)
	}
}

// call keeps a sink that panics from taking the process with it.
func (q *Queue) call(ctx context.Context, batch []Record) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return q.s.Sink.Write(ctx, batch)
}

// Stats returns the counters.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.stats
	s.Waiting = q.count
	return s
}

// Close writes what waits, and returns when that is done or ctx ends. Then the write under way is cancelled, and the
// error says how many records were not written. Records put in later are dropped. Close may be called more than once.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
	}
	q.stop()
	if n := q.Stats().Waiting; n > 0 {
		return fmt.Errorf("callback %s: %d records were not written: %w", q.s.Name, n, context.Cause(ctx))
	}
	return errors.Join(fmt.Errorf("callback %s did not finish", q.s.Name), context.Cause(ctx))
}
