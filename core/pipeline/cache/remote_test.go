package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// far is a store that can be slow, fail, or be full.
type far struct {
	mu     sync.Mutex
	values map[string]string
	slow   time.Duration
	err    error
	full   bool
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
	if f.full {
		return fmt.Errorf("far: %w", ErrRefused)
	}
	f.values[key] = string(value)
	return nil
}

func (f *far) fill(full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full = full
}

func (f *far) Delete(_ context.Context, keys ...string) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range keys {
		delete(f.values, k)
	}
	return len(keys), nil
}

func (f *far) Flush(context.Context) error { return nil }
func (f *far) Close() error                { return nil }

func (f *far) Ping(ctx context.Context) error {
	if err := f.wait(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full {
		return ErrRefused
	}
	return nil
}

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

// What a full store refuses is kept in memory, where it counts before what the store has; what it takes is written there.
func TestRemoteFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, near := newFar(), newFar()
		var log bytes.Buffer
		var full atomic.Bool
		events := map[Event]int{}
		r := NewRemote(RemoteSettings{
			Store: f, Fallback: near, Full: full.Store, Count: func(e Event) { events[e]++ },
			State: func(bool) { t.Error("the store was left alone") }, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		put := func(key, value string) {
			t.Helper()
			if err := r.Set(t.Context(), key, []byte(value), 0); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		get := func(key, want string) {
			t.Helper()
			v, err := r.Get(t.Context(), key, nil)
			if want == "" != errors.Is(err, ErrMiss) || string(v) != want {
				t.Errorf("%s: %q, %v", key, v, err)
			}
			values, err := r.GetMany(t.Context(), []string{key})
			if err != nil || string(values[0]) != want {
				t.Errorf("%s among several: %q, %v", key, values, err)
			}
		}
		put("old", "1")
		f.fill(true)
		for range 2 * breakAfter {
			put("old", "2")
			put("new", "3")
		}
		get("old", "2")
		get("new", "3")
		get("none", "")
		if f.values["old"] != "1" || f.values["new"] != "" || events[EventRefused] != 4*breakAfter {
			t.Errorf("the store has %v, events %v", f.values, events)
		}
		f.fill(false)
		put("old", "4")
		if f.values["old"] != "4" || near.values["old"] != "" {
			t.Errorf("the store has %v, memory %v", f.values, near.values)
		}
		get("old", "4")
		get("new", "3")
		f.fill(true) // room comes and goes
		time.Sleep(calm / 2)
		put("new", "5")
		f.fill(false)
		time.Sleep(calm - time.Second)
		synctest.Wait()
		if !full.Load() {
			t.Error("the store counts as one that takes writes, although it refused one of late")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		get("old", "4")
		get("new", "")
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if full.Load() || strings.Count(log.String(), "\n") != 2 {
			t.Errorf("full %v: %s", full.Load(), &log)
		}
	})
}

// A store that comes back full is asked again.
func TestRemoteBackFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFar()
		r := NewRemote(RemoteSettings{Store: f})
		f.set(0, errors.New("gone"))
		for range breakAfter {
			_, _ = r.Get(t.Context(), "k", nil)
		}
		if !r.Broken() {
			t.Fatal("the store is still asked")
		}
		f.fill(true)
		f.set(0, nil)
		time.Sleep(2 * probeEvery)
		if r.Broken() {
			t.Error("a store that can be read is left alone")
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
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
