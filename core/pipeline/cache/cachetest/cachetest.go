// Package cachetest is the contract of cache.Store and cache.Semantic as tests, which every one of them passes.
package cachetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
)

// Options say what a store is like, beyond what all have in common.
type Options struct {
	// Open makes a store over the same place each time. Required.
	Open func(t testing.TB) cache.Store
	// Keeps says that what was written is there for a store that is opened afterwards.
	Keeps bool
	// Counts says that Delete knows how many of the keys were there.
	Counts bool
	// Foreign puts something into the place that is not the cache's, and returns what checks that it is still there. Nil
	// if nobody else can put something there.
	Foreign func(t testing.TB) (check func(t testing.TB))
	// Break makes the place unreachable for good. Nil if it cannot be.
	Break func(t testing.TB)
	// Serial says that the server behind the store cannot take several writes of a key at a time.
	Serial bool
}

// eventually is how long a test waits for something that a store does by itself.
const eventually = 15 * time.Second

// Store runs the contract of cache.Store.
func Store(t *testing.T, o Options) {
	run := func(name string, f func(t *testing.T, s cache.Store)) {
		t.Run(name, func(t *testing.T) {
			s := o.Open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			if err := s.Flush(t.Context()); err != nil {
				t.Fatalf("flush: %v", err)
			}
			f(t, s)
		})
	}
	run("Get", testGet)
	run("Keys", testKeys)
	run("Copies", testCopies)
	run("Lifetime", testLifetime)
	run("Delete", func(t *testing.T, s cache.Store) { testDelete(t, s, o.Counts) })
	run("Flush", func(t *testing.T, s cache.Store) { testFlush(t, s, o.Foreign) })
	run("Many", testMany)
	if !o.Serial {
		run("Together", testTogether)
	}
	run("Ping", func(t *testing.T, s cache.Store) {
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("ping: %v", err)
		}
	})
	run("Ended", func(t *testing.T, s cache.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = s.Get(ctx, "k", nil) // returns, whatever it says
	})
	if o.Keeps {
		t.Run("Keeps", func(t *testing.T) { testKeeps(t, o.Open) })
	}
	if o.Break != nil {
		run("Broken", func(t *testing.T, s cache.Store) { testBroken(t, s, o.Break) })
	}
}

func set(t testing.TB, s cache.Store, key, value string, ttl time.Duration) {
	t.Helper()
	if err := s.Set(t.Context(), key, []byte(value), ttl); err != nil {
		t.Fatalf("set %q: %v", key, err)
	}
}

func want(t testing.TB, s cache.Store, key, value string) {
	t.Helper()
	got, err := s.Get(t.Context(), key, nil)
	if err != nil || string(got) != value {
		t.Errorf("get %q: %.80q, %v; want %.80q", key, got, err, value)
	}
}

func wantMiss(t testing.TB, s cache.Store, key string) {
	t.Helper()
	if got, err := s.Get(t.Context(), key, nil); !errors.Is(err, cache.ErrMiss) {
		t.Errorf("get %q: %.80q, %v; want a miss", key, got, err)
	}
}

// vanishes waits until there is no value under the key.
func vanishes(t testing.TB, get func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventually)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := get()
		if errors.Is(err, cache.ErrMiss) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Errorf("the entry is still there after %s (last: %v)", eventually, err)
			return
		}
	}
}

func testGet(t *testing.T, s cache.Store) {
	wantMiss(t, s, "nothing")
	set(t, s, "k", "one", 0)
	want(t, s, "k", "one")
	set(t, s, "k", "two", time.Hour)
	want(t, s, "k", "two")
	set(t, s, "empty", "", 0)
	want(t, s, "empty", "")
	binary := "\x00\xff\r\n\x1e\x80" + strings.Repeat("\x00", 100)
	set(t, s, "binary", binary, 0)
	want(t, s, "binary", binary)
	long := strings.Repeat("a long answer. ", 70_000)
	set(t, s, "long", long, 0)
	want(t, s, "long", long)
	got, err := s.Get(t.Context(), "k", []byte("before "))
	if err != nil || string(got) != "before two" {
		t.Errorf("get behind other bytes: %q, %v", got, err)
	}
}

// Keys have the form namespace:hash, and callers may choose the namespace.
func testKeys(t *testing.T, s cache.Store) {
	keys := []string{
		"a", "a:b", "a:b:c", "A", "ns/with/slashes", "../../up", "with space", "star*", "q?[a]", "{tag}", "é", "a%2Fb", "a/b", "a\\b",
		"ns:" + strings.Repeat("0f", 32), strings.Repeat("n", 128) + ":" + strings.Repeat("0f", 32),
	}
	for _, k := range keys {
		set(t, s, k, "value of "+k, 0)
	}
	for _, k := range keys {
		want(t, s, k, "value of "+k)
	}
	wantMiss(t, s, "star")
	wantMiss(t, s, "b")
}

func testCopies(t *testing.T, s cache.Store) {
	value := []byte("first")
	if err := s.Set(t.Context(), "k", value, 0); err != nil {
		t.Fatal(err)
	}
	copy(value, "XXXXX")
	got, err := s.Get(t.Context(), "k", nil)
	if err != nil || string(got) != "first" {
		t.Fatalf("after the caller changed what it set: %q, %v", got, err)
	}
	copy(got, "YYYYY")
	want(t, s, "k", "first")
}

func testLifetime(t *testing.T, s cache.Store) {
	set(t, s, "long", "v", time.Hour)
	set(t, s, "short", "v", 50*time.Millisecond)
	set(t, s, "renewed", "v", 50*time.Millisecond)
	set(t, s, "renewed", "w", time.Hour)
	vanishes(t, func() error { _, err := s.Get(t.Context(), "short", nil); return err })
	want(t, s, "long", "v")
	want(t, s, "renewed", "w")
}

func testDelete(t *testing.T, s cache.Store, counts bool) {
	for _, k := range []string{"a", "b", "c"} {
		set(t, s, k, "v", 0)
	}
	n, err := s.Delete(t.Context(), "a", "b", "nothing")
	if err != nil || counts && n != 2 || !counts && n != -1 && n != 2 {
		t.Errorf("delete: %d, %v", n, err)
	}
	wantMiss(t, s, "a")
	wantMiss(t, s, "b")
	want(t, s, "c", "v")
	if n, err := s.Delete(t.Context()); err != nil || n > 0 {
		t.Errorf("delete nothing: %d, %v", n, err)
	}
}

func testFlush(t *testing.T, s cache.Store, foreign func(t testing.TB) func(t testing.TB)) {
	check := func(testing.TB) {}
	if foreign != nil {
		check = foreign(t)
	}
	const count = 250 // more than a page of any listing that is tested
	for i := range count {
		set(t, s, fmt.Sprint("ns", i%3, ":", i), "v", 0)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 1, 100, count - 1} {
		wantMiss(t, s, fmt.Sprint("ns", i%3, ":", i))
	}
	check(t)
	set(t, s, "after", "v", 0)
	want(t, s, "after", "v")
}

func testMany(t *testing.T, s cache.Store) {
	m, ok := s.(cache.Many)
	if !ok {
		t.Skip("the store gets one value at a time")
	}
	set(t, s, "a", "1", 0)
	set(t, s, "c", "3", 0)
	got, err := m.GetMany(t.Context(), []string{"a", "b", "c", "a"})
	if err != nil || len(got) != 4 || string(got[0]) != "1" || got[1] != nil || string(got[2]) != "3" || string(got[3]) != "1" {
		t.Errorf("get many: %q, %v", got, err)
	}
	if got, err := m.GetMany(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("get none: %q, %v", got, err)
	}
}

// Whoever reads while others write gets one of the values, whole.
func testTogether(t *testing.T, s cache.Store) {
	var jobs sync.WaitGroup
	for i := range 8 {
		jobs.Go(func() {
			key := fmt.Sprint("k", i%2)
			for n := range 25 {
				value := bytes.Repeat([]byte{byte('a' + n)}, 3000)
				if err := s.Set(t.Context(), key, value, time.Hour); err != nil {
					t.Errorf("set: %v", err)
					return
				}
				got, err := s.Get(t.Context(), key, nil)
				if errors.Is(err, cache.ErrMiss) {
					continue
				}
				if err != nil || len(got) != 3000 || bytes.Count(got, got[:1]) != 3000 {
					t.Errorf("get: %d bytes, %v: not one value", len(got), err)
					return
				}
			}
		})
	}
	jobs.Wait()
}

func testKeeps(t *testing.T, open func(testing.TB) cache.Store) {
	s := open(t)
	set(t, s, "kept", "v", time.Hour)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t)
	want(t, s, "kept", "v")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A place that cannot be reached is an error in time, and no miss: a miss would be believed.
func testBroken(t *testing.T, s cache.Store, breakIt func(testing.TB)) {
	set(t, s, "k", "v", 0)
	breakIt(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if got, err := s.Get(ctx, "k", nil); err == nil || errors.Is(err, cache.ErrMiss) {
		t.Errorf("get from a place that is gone: %q, %v", got, err)
	}
	if err := s.Set(ctx, "k", []byte("v"), 0); err == nil {
		t.Error("set to a place that is gone: no error")
	}
	if err := s.Ping(ctx); err == nil {
		t.Error("ping of a place that is gone: no error")
	}
}
