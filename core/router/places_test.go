package router

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// narrowed are deployments of g with so many places each.
func narrowed(places ...int64) Settings {
	var list []*llm.Deployment
	by := map[string]Facts{}
	for i, n := range places {
		id := string(rune('a' + i))
		list = append(list, dep(id, "g", "m"))
		by[id] = Facts{Parallel: n}
	}
	s := facts(settings(list...), by)
	s.States = NewStates()
	return s
}

// caller is one request in a test.
type caller struct {
	plan Plan
	x    *llm.Exchange
	d    *llm.Deployment
	err  error
}

func newCaller(priority int) *caller {
	c := &caller{x: ask("g")}
	c.x.Controls.Priority, c.x.Controls.Prioritized = priority, priority != 0
	return c
}

func (c *caller) call(ctx context.Context, r *Router) {
	if c.err = r.Plan(c.x, &c.plan); c.err == nil {
		c.d, c.err = c.plan.Next(ctx, nil)
	}
}

func (c *caller) done() { c.plan.Done(nil) }

// Calls spread over the free places, and nobody gets more than there are.
func TestPlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := narrowed(1, 2, 0)
		s.Strategy = LeastBusy
		r := build(t, s)
		counts := map[string]int{}
		var open []*caller
		for range 10 {
			c := newCaller(0)
			if c.call(t.Context(), r); c.err != nil {
				t.Fatal(c.err)
			}
			counts[c.d.ID]++
			open = append(open, c)
		}
		if counts["a"] != 1 || counts["b"] != 2 || counts["c"] != 7 {
			t.Errorf("calls %v", counts)
		}
		for _, c := range open {
			c.done()
		}
		for _, id := range []string{"a", "b", "c"} {
			if n := s.States.Counts(id).InFlight; n != 0 {
				t.Errorf("%s has %d calls under way", id, n)
			}
		}
	})
}

// Of those who wait, the more important are first, and of those the one who came first.
func TestQueueOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := narrowed(1)
		s.DefaultPriority = 5
		r := build(t, s)
		first := newCaller(0)
		first.call(t.Context(), r)
		var mu sync.Mutex
		var order []string
		for i, priority := range []int{9, 0, 1, 9, 1, 5} { // 0 names none
			c := newCaller(priority)
			name := fmt.Sprintf("%d:%d", priority, i)
			go func() {
				c.call(t.Context(), r)
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				time.Sleep(time.Millisecond)
				c.done()
			}()
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		if n := s.States.Waiting("a"); n != 6 {
			t.Fatalf("%d wait", n)
		}
		first.done()
		time.Sleep(time.Second)
		synctest.Wait()
		if got := strings.Join(order, " "); got != "1:2 1:4 0:1 5:5 9:0 9:3" {
			t.Errorf("order %s", got)
		}
		if n := s.States.Waiting("a"); n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}

// Important requests without end do not keep another one waiting for ever.
func TestQueueStarvesNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := build(t, narrowed(1))
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for ctx.Err() == nil {
					c := newCaller(1)
					if c.call(ctx, r); c.err == nil {
						time.Sleep(100 * time.Millisecond)
					}
					c.done()
				}
			})
		}
		time.Sleep(50 * time.Millisecond)
		begun := time.Now()
		c := newCaller(20)
		c.call(ctx, r)
		took := time.Since(begun)
		c.done()
		if c.err != nil || took < 3*time.Second || took > 6*time.Second {
			t.Errorf("it waited %v: %v", took, c.err)
		}
		stop()
		wg.Wait()
	})
}

// Nobody who comes takes a place that somebody waits for.
func TestQueueIsNotPassed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := narrowed(1)
		r := build(t, s)
		first, second, third := newCaller(0), newCaller(0), newCaller(0)
		first.call(t.Context(), r)
		var order []int
		go func() { second.call(t.Context(), r); order = append(order, 2) }()
		synctest.Wait()
		first.done()
		go func() { third.call(t.Context(), r); order = append(order, 3) }()
		synctest.Wait()
		if !slices.Equal(order, []int{2}) {
			t.Fatalf("served %v", order)
		}
		second.done()
		synctest.Wait()
		if !slices.Equal(order, []int{2, 3}) {
			t.Fatalf("served %v", order)
		}
		third.done()
	})
}

// A full queue and one that takes too long are errors that say so; a fallback serves whom it can.
func TestQueueBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := narrowed(1)
		s.Deployments = append(s.Deployments, dep("z", "h", "m"))
		s.QueueLength, s.QueueTimeout = 1, 10*time.Second
		r := build(t, s)
		first, second := newCaller(0), newCaller(0)
		first.call(t.Context(), r)
		begun := time.Now()
		go second.call(t.Context(), r)
		synctest.Wait()
		third := newCaller(0)
		third.call(t.Context(), r)
		e := llm.AsError(third.err)
		if e == nil || e.HTTPStatus() != 429 || e.RetryAfter == 0 || !strings.Contains(e.Message, "the queue for it is full: 1 requests wait. Passed model=g") {
			t.Errorf("got %v", third.err)
		}
		third.done()
		x := newCaller(0)
		x.x.Controls.Fallbacks = []byte(`["h"]`)
		if x.call(t.Context(), r); x.err != nil || x.d.ID != "z" || x.x.Fallbacks != 1 {
			t.Errorf("the fallback did not serve: %v", x.err)
		}
		x.done()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		e = llm.AsError(second.err)
		if e == nil || e.HTTPStatus() != 408 || !strings.Contains(e.Message, "Request timed out while polling queue") {
			t.Errorf("got %v", second.err)
		}
		if took := time.Since(begun); took > 12*time.Second {
			t.Errorf("it took %v", took)
		}
		// A caller's own timeout is shorter.
		fourth := newCaller(0)
		fourth.x.Controls.Timeout = time.Second
		begun = time.Now()
		if fourth.call(t.Context(), r); llm.AsError(fourth.err).HTTPStatus() != 408 || time.Since(begun) != time.Second {
			t.Errorf("got %v after %v", fourth.err, time.Since(begun))
		}
		first.done()
		second.done()
		fourth.done()
		if n := s.States.Counts("a").InFlight; n != 0 || s.States.Waiting("a") != 0 || len(s.States.line.length) != 0 {
			t.Errorf("%d calls, %d wait, %v", n, s.States.Waiting("a"), s.States.line.length)
		}
	})
}

// Who leaves while waiting frees its place in line, and a place that it was given at that moment goes on to the next.
func TestQueueLeavers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := narrowed(1, 1)
		r := build(t, s)
		var open []*caller
		for range 2 {
			c := newCaller(0)
			c.call(t.Context(), r)
			open = append(open, c)
		}
		ctx, leave := context.WithCancel(t.Context())
		leaver, other := newCaller(1), newCaller(2)
		go leaver.call(ctx, r)
		synctest.Wait()
		go other.call(t.Context(), r)
		synctest.Wait()
		leave()
		synctest.Wait()
		if e := llm.AsError(leaver.err); e == nil || e.Kind != llm.KindCanceled || s.States.Waiting("a") != 1 {
			t.Fatalf("got %v, %d wait", leaver.err, s.States.Waiting("a"))
		}
		open[1].done()
		synctest.Wait()
		if other.d == nil {
			t.Fatal("the next one is not served")
		}
		other.done()
		open[0].done()
		leaver.done()
	})
}

// A deployment that is left alone while somebody waits for it is not called.
func TestQueueAndCooldown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := narrowed(1, 1)
		s.Retries = 0
		r := build(t, s)
		one, two, waits := newCaller(0), newCaller(0), newCaller(0)
		one.call(t.Context(), r)
		two.call(t.Context(), r)
		go waits.call(t.Context(), r)
		synctest.Wait()
		s.States.Cool(one.d.ID, time.Now().Add(time.Hour))
		one.done()
		synctest.Wait()
		if waits.d != nil || s.States.Counts(one.d.ID).InFlight != 0 {
			t.Fatalf("called %v", waits.d)
		}
		two.done()
		synctest.Wait()
		if waits.d == nil || waits.d.ID != two.d.ID {
			t.Fatalf("got %v %v", waits.d, waits.err)
		}
		waits.done()
	})
}

// A crowd: never more calls than places, nobody lost, nothing left behind.
func TestPlacesCrowd(t *testing.T) {
	t.Parallel()
	s := narrowed(3, 2)
	s.Rand = nil
	s.QueueTimeout = time.Minute
	r := build(t, s)
	var open [2]atomic.Int64
	var served, left atomic.Int64
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for n := range 50 {
				ctx, cancel := context.WithCancel(t.Context())
				if (i+n)%7 == 0 {
					go cancel()
				}
				c := newCaller(n % 3)
				c.call(ctx, r)
				switch {
				case c.err == nil:
					at := int(c.d.ID[0] - 'a')
					if now := open[at].Add(1); now > int64(3-at) {
						t.Errorf("%d calls at %s", now, c.d.ID)
					}
					served.Add(1)
					open[at].Add(-1)
				case llm.AsError(c.err).Kind == llm.KindCanceled:
					left.Add(1)
				default:
					t.Error(c.err)
				}
				c.done()
				cancel()
			}
		})
	}
	wg.Wait()
	if n := served.Load() + left.Load(); n != 64*50 {
		t.Errorf("%d of %d", n, 64*50)
	}
	for _, id := range []string{"a", "b"} {
		if s.States.Counts(id).InFlight != 0 || s.States.Waiting(id) != 0 {
			t.Errorf("%s: %+v, %d wait", id, s.States.Counts(id), s.States.Waiting(id))
		}
	}
	if len(s.States.line.length) != 0 {
		t.Errorf("in line: %v", s.States.line.length)
	}
}
