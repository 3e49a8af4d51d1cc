package wasm

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// testPool has instances without a module: close must not be called on them while they are in the pool.
func testPool(limit int, create func() (*instance, error)) *pool {
	p := &pool{}
	p.init(Limits{Instances: limit, Wait: time.Second}, create)
	return p
}

func bare() *instance {
	return &instance{p: &Plugin{limits: Limits{Calls: 1 << 30, RecycleMB: 1 << 10}}, mem: noMemory{}}
}

func TestPoolIsLastInFirstOut(t *testing.T) {
	t.Parallel()
	p := testPool(2, func() (*instance, error) { return bare(), nil })
	a, _ := p.get(t.Context())
	b, _ := p.get(t.Context())
	p.put(a)
	p.put(b)
	if in, _ := p.get(t.Context()); in != b {
		t.Error("the instance used last was not handed out first")
	}
}

func TestPoolWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := testPool(1, func() (*instance, error) { return bare(), nil })
		a, _ := p.get(t.Context())

		began := time.Now()
		if _, err := p.get(t.Context()); !errors.Is(err, ErrBusy) || time.Since(began) != time.Second {
			t.Errorf("got %v after %v, want ErrBusy after a second", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := p.get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		if len(p.waiting) != 0 {
			t.Errorf("%d still stand in line", len(p.waiting))
		}

		// Who waits gets the instance that comes back, or makes one in place of an instance that is gone.
		go func() { time.Sleep(10 * time.Millisecond); p.put(a) }()
		if in, err := p.get(t.Context()); in != a || err != nil {
			t.Errorf("got %v, %v", in, err)
		}
		go func() { time.Sleep(10 * time.Millisecond); p.gone() }()
		if in, err := p.get(t.Context()); in == a || err != nil || p.live != 1 {
			t.Errorf("got %v, %v, %d live", in, err, p.live)
		}
	})
}

func TestPoolLineIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := testPool(1, func() (*instance, error) { return bare(), nil })
		if _, err := p.get(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range maxWaiting {
			go func() { _, _ = p.get(t.Context()) }()
		}
		synctest.Wait()
		began := time.Now()
		if _, err := p.get(t.Context()); !errors.Is(err, ErrBusy) || time.Since(began) != 0 {
			t.Errorf("got %v after %v, want ErrBusy at once", err, time.Since(began))
		}
	})
}

func TestPoolDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := testPool(2, func() (*instance, error) { return bare(), nil })
		a, _ := p.get(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("drained while an instance was out: %v", err)
		}
		if _, err := p.get(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v from a closed pool", err)
		}
		go p.put(a)
		if err := p.drain(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestPoolSurvivesFailedStarts(t *testing.T) {
	t.Parallel()
	fail := errors.New("no memory")
	calls := 0
	p := testPool(1, func() (*instance, error) {
		if calls++; calls < 3 {
			return nil, fail
		}
		return bare(), nil
	})
	for range 2 {
		if _, err := p.get(t.Context()); !errors.Is(err, fail) {
			t.Errorf("got %v", err)
		}
	}
	if in, err := p.get(t.Context()); in == nil || err != nil {
		t.Errorf("got %v, %v", in, err)
	}
}

// noMemory is a memory of size 0.
type noMemory struct{ api.Memory }

func (noMemory) Size() uint32 { return 0 }

// An instance that is not to be used again has its successor made before somebody asks for it, unless there is another.
func TestPoolReplaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		made := 0
		p := testPool(2, func() (*instance, error) {
			made++
			time.Sleep(10 * time.Millisecond)
			return bare(), nil
		})
		a, _ := p.get(t.Context())
		a.p.limits.Calls = 0 // worn
		p.put(a)
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		began := time.Now()
		b, err := p.get(t.Context())
		if err != nil || b == a || made != 2 || time.Since(began) != 0 {
			t.Errorf("got %v after %v, %d made", err, time.Since(began), made)
		}
		c, _ := p.get(t.Context())
		p.put(c)
		b.p.limits.Calls = 0
		p.put(b) // c is free
		time.Sleep(20 * time.Millisecond)
		if made != 3 || p.live != 1 {
			t.Errorf("%d made, %d live", made, p.live)
		}
		c, _ = p.get(t.Context())
		c.p.limits.Calls = 0
		p.put(c)
		if err := p.drain(t.Context()); err != nil || p.live != 0 { // waits for the one being made
			t.Errorf("%v, %d live", err, p.live)
		}
	})
}
