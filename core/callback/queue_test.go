package callback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sink keeps the ids of each batch, and when it came. If it is held, Write waits.
type sink struct {
	mu      sync.Mutex
	batches [][]string
	at      []time.Duration
	start   time.Time
	hold    chan struct{}
	err     error
	panics  bool
}

func (s *sink) Write(ctx context.Context, batch []Record) error {
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.panics {
		panic("broken")
	}
	ids := make([]string, len(batch))
	for i := range batch {
		ids[i] = batch[i].ID
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, ids)
	s.at = append(s.at, time.Since(s.start))
	return s.err
}

func (s *sink) ids() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(slices.Concat(s.batches...), " ")
}

type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// queue starts a queue in a bubble, where time passes only when everybody waits.
func queue(t *testing.T, s Settings, run func(t *testing.T, q *Queue, sink *sink, l *logs)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		out, l := &sink{start: time.Now()}, &logs{}
		s.Name, s.Sink, s.Logger = "test", out, slog.New(slog.NewTextHandler(l, nil))
		q := NewQueue(s)
		run(t, q, out, l)
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func put(q *Queue, from, to int) {
	for i := from; i < to; i++ {
		q.Put(&Record{ID: fmt.Sprint(i)})
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()
	queue(t, Settings{Batch: 3, Age: time.Second}, func(t *testing.T, q *Queue, s *sink, _ *logs) {
		put(q, 0, 4)
		synctest.Wait()
		if got := s.ids(); got != "0 1 2" {
			t.Errorf("a full batch: got %q", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := s.ids(); got != "0 1 2 3" || s.at[1] != time.Second {
			t.Errorf("an old record: got %q at %v", got, s.at)
		}
		put(q, 4, 5)
		time.Sleep(600 * time.Millisecond)
		put(q, 5, 6)
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		if got := s.ids(); got != "0 1 2 3 4 5" || s.at[2] != 2*time.Second {
			t.Errorf("the oldest decides: got %q at %v", got, s.at)
		}
		put(q, 6, 20)
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if got := len(slices.Concat(s.batches...)); got != 20 {
			t.Errorf("%d records after Close, want 20", got)
		}
		put(q, 20, 21)
		if got := q.Stats(); got != (Stats{Written: 20, Dropped: 1}) {
			t.Errorf("got %+v", got)
		}
	})
}

// A sink that hangs costs the oldest records, two log lines, and no caller's time.
func TestOverflow(t *testing.T) {
	t.Parallel()
	queue(t, Settings{Size: 100, Batch: 10, Timeout: time.Hour}, func(t *testing.T, q *Queue, s *sink, l *logs) {
		s.hold = make(chan struct{})
		start := time.Now()
		put(q, 0, 10)
		synctest.Wait() // these are with the sink
		put(q, 10, 310)
		synctest.Wait()
		if time.Since(start) != 0 {
			t.Errorf("Put took %v", time.Since(start))
		}
		if got := q.Stats(); got != (Stats{Dropped: 200, Waiting: 100}) {
			t.Errorf("got %+v", got)
		}
		close(s.hold)
		synctest.Wait()
		var want []string
		for i := range 310 {
			if i < 10 || i >= 210 {
				want = append(want, fmt.Sprint(i))
			}
		}
		if got := s.ids(); got != strings.Join(want, " ") {
			t.Errorf("got %s", got)
		}
		if l.count("records are dropped") != 1 || l.count("keeps up again") != 1 || l.count("dropped=200") != 1 {
			t.Errorf("logged %s", l.b.String())
		}
	})
}

func TestBytes(t *testing.T) {
	t.Parallel()
	queue(t, Settings{Bytes: 10000}, func(t *testing.T, q *Queue, s *sink, _ *logs) {
		for i := range 5 {
			q.Put(&Record{ID: fmt.Sprint(i), Messages: make([]byte, 4000)})
		}
		if got := q.Stats(); got != (Stats{Dropped: 3, Waiting: 2}) {
			t.Errorf("got %+v", got)
		}
		q.Put(&Record{ID: "big", Messages: make([]byte, 20000)})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := s.ids(); got != "big" {
			t.Errorf("got %q", got)
		}
		if q.bytes != 0 {
			t.Errorf("%d bytes are counted in an empty queue", q.bytes)
		}
	})
}

func TestFailingSink(t *testing.T) {
	t.Parallel()
	check := func(breaks func(*sink), want string) {
		t.Helper()
		queue(t, Settings{Batch: 2, Timeout: time.Second}, func(t *testing.T, q *Queue, s *sink, l *logs) {
			breaks(s)
			put(q, 0, 4)
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if got := q.Stats(); got != (Stats{Failed: 4}) || l.count(want) != 2 {
				t.Errorf("got %+v and logged %s", got, l.b.String())
			}
		})
	}
	check(func(s *sink) { s.err = errors.New("no disk") }, "no disk")
	check(func(s *sink) { s.panics = true }, "panic: broken")
	check(func(s *sink) { s.hold = make(chan struct{}) }, "deadline exceeded")
}

func TestCloseGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{start: time.Now(), hold: make(chan struct{})}
		q := NewQueue(Settings{Name: "test", Sink: s, Batch: 2, Logger: slog.New(slog.DiscardHandler)})
		put(q, 0, 5)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := q.Close(ctx)
		if err == nil || !strings.Contains(err.Error(), "callback test: 3 records were not written") || time.Since(s.start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(s.start))
		}
		<-q.done // the write under way was cancelled
	})
}

func TestConcurrentPut(t *testing.T) {
	t.Parallel()
	s := &sink{start: time.Now()}
	q := NewQueue(Settings{Sink: s, Size: 1 << 20, Bytes: 1 << 40, Age: time.Millisecond})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { put(q, 0, 1000) })
	}
	wg.Wait()
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := q.Stats(); got != (Stats{Written: 8000}) {
		t.Errorf("got %+v", got)
	}
}

func TestPutAllocations(t *testing.T) {
	s := &sink{hold: make(chan struct{})}
	q := NewQueue(Settings{Sink: s, Size: 128, Batch: 128, Age: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	put(q, 0, 127) // the ring has grown
	rec := Record{ID: "x"}
	if n := testing.AllocsPerRun(1000, func() { q.Put(&rec) }); n > 0.1 {
		t.Errorf("%v allocations", n)
	}
	close(s.hold)
	if err := q.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
