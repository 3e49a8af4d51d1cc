package cache

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// far is a store that can be slow, or fail.
type far struct {
	mu     sync.Mutex
	values map[string]string
	slow   time.Duration
	err    error
	asked  int
}

func (f *far) wait(ctx context.Context) error {
	f.mu.Lock()
	slow, err := f.slow, f.err
	f.asked++
	f.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func (f *far) set(slow time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slow, f.err = slow, err
}

func (f *far) Get(ctx context.Context, key string, buf []byte) ([]byte, error) {
	if err := f.wait(ctx); err != nil {
		return buf, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok := f.values[key]
	if !ok {
		return buf, ErrMiss
	}
	return append(buf, v...), nil
}

func (f *far) Set(ctx context.Context, key string, value []byte, _ time.Duration) error {
	if err := f.wait(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.values[key] = string(value)
	return nil
}

func (f *far) Delete(_ context.Context, keys ...string) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range keys {
		delete(f.values, k)
	}
	return len(keys), nil
}

func (f *far) Flush(context.Context) error    { return nil }
func (f *far) Ping(ctx context.Context) error { return f.wait(ctx) }
func (f *far) Close() error                   { return nil }

func newFar() *far { return &far{values: map[string]string{}} }

// What was written can be read at once, although it is written later.
func TestRemoteReadsItsWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFar()
		f.set(time.Second, nil)
		r := NewRemote(RemoteSettings{Store: f, Timeout: 2 * time.Second})
		begun := time.Now()
		if err := r.Set(t.Context(), "k", []byte("v"), 0); err != nil {
			t.Fatal(err)
		}
		if v, err := r.Get(t.Context(), "k", nil); err != nil || string(v) != "v" {
			t.Errorf("%q, %v", v, err)
		}
		if d := time.Since(begun); d != 0 {
			t.Errorf("the caller waited %s", d)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if f.values["k"] != "v" {
			t.Error("what was queued is not there after Close")
		}
	})
}

// A deleted entry that was still on its way does not arrive.
func TestRemoteDeletesWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFar()
		f.set(time.Second, nil)
		r := NewRemote(RemoteSettings{Store: f, Writers: 1, Timeout: 2 * time.Second})
		for _, k := range []string{"a", "b"} {
			if err := r.Set(t.Context(), k, []byte("v"), 0); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Delete(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if f.values["a"] != "v" || f.values["b"] != "" {
			t.Errorf("there is %v", f.values)
		}
	})
}

// A store that is slow costs a bounded time, and then none; one that is back is used again.
func TestRemoteBreaks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, near := newFar(), newFar()
		var states []bool
		r := NewRemote(RemoteSettings{Store: f, Fallback: near, Timeout: 100 * time.Millisecond, State: func(open bool) { states = append(states, open) }})
		f.set(time.Hour, nil)
		for range breakAfter {
			begun := time.Now()
			if _, err := r.Get(t.Context(), "k", nil); err == nil || errors.Is(err, ErrMiss) {
				t.Errorf("a store that does not answer: %v", err)
			}
			if d := time.Since(begun); d > 100*time.Millisecond {
				t.Errorf("the caller waited %s", d)
			}
		}
		if !r.Broken() {
			t.Fatal("the store is still asked")
		}
		asked, begun := f.asked, time.Now()
		if err := r.Set(t.Context(), "k", []byte("v"), 0); err != nil {
			t.Fatal(err)
		}
		if v, err := r.Get(t.Context(), "k", nil); err != nil || string(v) != "v" {
			t.Errorf("from memory: %q, %v", v, err)
		}
		if values, err := r.GetMany(t.Context(), []string{"k", "other"}); err != nil || string(values[0]) != "v" || values[1] != nil {
			t.Errorf("several from memory: %q, %v", values, err)
		}
		if time.Since(begun) != 0 || f.asked != asked {
			t.Error("the store was asked although it does not answer")
		}
		f.set(0, nil)
		time.Sleep(2 * time.Second) // of the test's clock
		if r.Broken() {
			t.Error("the store is still left alone")
		}
		if _, err := r.Get(t.Context(), "k", nil); !errors.Is(err, ErrMiss) {
			t.Errorf("from the store that is back: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if len(states) != 2 || !states[0] || states[1] {
			t.Errorf("told %v", states)
		}
	})
}

// A caller who leaves says nothing about the store.
func TestRemoteCallerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFar()
		f.set(time.Hour, nil)
		r := NewRemote(RemoteSettings{Store: f})
		for range 2 * breakAfter {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			_, _ = r.Get(ctx, "k", nil)
			cancel()
		}
		if r.Broken() {
			t.Error("the store is left alone because callers left")
		}
		f.set(0, nil)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// What does not fit into the queue is dropped, and said so.
func TestRemoteQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFar()
		f.set(time.Second, nil)
		r := NewRemote(RemoteSettings{Store: f, Queue: 1000, Timeout: 5 * time.Second})
		kept := 0
		for i := range 20 {
			if r.Set(t.Context(), string(rune('a'+i)), make([]byte, 100), 0) == nil {
				kept++
			}
		}
		if kept != 10 {
			t.Errorf("%d entries of 100 bytes are in a queue of 1000", kept)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if len(f.values) != kept {
			t.Errorf("%d of %d were written", len(f.values), kept)
		}
	})
}

// Close does not wait for a store that never answers.
func TestRemoteClosesInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFar()
		f.set(time.Hour, nil)
		r := NewRemote(RemoteSettings{Store: f, Patience: 3 * time.Second})
		for i := range 50 {
			_ = r.Set(t.Context(), string(rune('a'+i)), []byte("v"), 0)
		}
		begun := time.Now()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begun); d > 4*time.Second {
			t.Errorf("it took %s", d)
		}
	})
}
