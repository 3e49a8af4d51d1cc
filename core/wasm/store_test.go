package wasm

import (
	"context"
	"errors"
	"math"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, ctx := NewMemoryStore(), t.Context()
		has := func(space, key, want string) {
			t.Helper()
			if v, err := m.Get(ctx, space, key); string(v) != want || err != nil {
				t.Errorf("%s/%s: got %q, %v, want %q", space, key, v, err, want)
			}
		}
		set := func(space, key, value string, ttl time.Duration) {
			t.Helper()
			if err := m.Set(ctx, space, key, []byte(value), ttl); err != nil {
				t.Error(err)
			}
		}
		add := func(key string, delta, want int64, ttl time.Duration, fails error) {
			t.Helper()
			if n, err := m.Add(ctx, "a", key, delta, ttl); n != want || !errors.Is(err, fails) {
				t.Errorf("%s+%d: got %d, %v, want %d, %v", key, delta, n, err, want, fails)
			}
		}
		has("a", "k", "")
		set("a", "k", "v", 0)
		has("a", "k", "v")
		has("b", "k", "")
		set("a", "k", "w", time.Second)
		time.Sleep(time.Second - 1)
		has("a", "k", "w")
		time.Sleep(time.Nanosecond)
		has("a", "k", "")

		add("n", 2, 2, time.Minute, nil)
		time.Sleep(30 * time.Second)
		add("n", 3, 5, time.Hour, nil)
		has("a", "n", "5")
		time.Sleep(30 * time.Second)
		add("n", 1, 1, 0, nil)
		add("max", math.MaxInt64, math.MaxInt64, 0, nil)
		add("max", 1, 0, 0, ErrNoNumber)
		add("min", math.MinInt64, math.MinInt64, 0, nil)
		add("min", -1, 0, 0, ErrNoNumber)
		set("a", "text", "x", 0)
		add("text", 1, 0, 0, ErrNoNumber)
		add("text", 0, 0, 0, ErrNoNumber)

		for _, want := range []bool{true, false} {
			if there, err := m.Delete(ctx, "a", "text"); there != want || err != nil {
				t.Errorf("got %v, %v", there, err)
			}
		}
	})
}

// A full namespace drops what expires next, keeps what does not expire, and never grows beyond its bounds.
func TestMemoryStoreIsBounded(t *testing.T) {
	t.Parallel()
	m, ctx := NewMemoryStore(), t.Context()
	value := make([]byte, 1<<20)
	for i := range 40 {
		if err := m.Set(ctx, "a", strconv.Itoa(i), value, time.Duration(i+1)*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	s := m.space("a")
	if s.bytes > memoryStoreBytes || len(s.entries) != 15 || len(s.ending) != 15 || s.entries["39"] == nil || s.entries["0"] != nil {
		t.Errorf("%d bytes, %d entries, %d endings", s.bytes, len(s.entries), len(s.ending))
	}
	for i := range 15 {
		if err := m.Set(ctx, "a", "for ever "+strconv.Itoa(i), value, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Set(ctx, "a", "more", value, time.Hour); !errors.Is(err, ErrNoRoom) {
		t.Errorf("got %v", err)
	}
	if err := m.Set(ctx, "a", "for ever 3", value[:1<<20-1], 0); err != nil {
		t.Errorf("replacing: %v", err)
	}
	if err := m.Set(ctx, "b", "more", value, 0); err != nil {
		t.Errorf("another namespace: %v", err)
	}
	if err := m.Set(ctx, "b", "k", make([]byte, memoryStoreBytes), 0); !errors.Is(err, ErrNoRoom) {
		t.Errorf("got %v", err)
	}
	for i := range memoryStoreEntries + 10 {
		if err := m.Set(ctx, "c", strconv.Itoa(i), nil, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(m.space("c").entries); n != memoryStoreEntries {
		t.Errorf("%d entries", n)
	}
	total := 0
	for _, e := range s.entries {
		total += e.size()
	}
	if total != s.bytes {
		t.Errorf("%d bytes are counted, there are %d", s.bytes, total)
	}
}

func TestAddIsExact(t *testing.T) {
	t.Parallel()
	m := NewMemoryStore()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 500 {
				_, _ = m.Add(context.Background(), "a", "n", 1, 0)
			}
		})
	}
	all.Wait()
	if n, _ := m.Add(t.Context(), "a", "n", 0, 0); n != 8000 {
		t.Errorf("got %d", n)
	}
}

// FuzzMemoryStore runs operations and checks that the books balance.
func FuzzMemoryStore(f *testing.F) {
	f.Add([]byte("s1s2a1a2d1g1s3"))
	f.Fuzz(func(t *testing.T, ops []byte) {
		m, ctx := NewMemoryStore(), t.Context()
		for i := 0; i+1 < len(ops); i += 2 {
			key := string(ops[i+1:i+2]) + "k"
			switch ops[i] % 4 {
			case 0:
				_ = m.Set(ctx, "a", key, ops[:i], time.Duration(ops[i])*time.Hour)
			case 1:
				_, _ = m.Add(ctx, "a", key, int64(ops[i])-100, time.Duration(ops[i+1])*time.Hour)
			case 2:
				_, _ = m.Delete(ctx, "a", key)
			case 3:
				_, _ = m.Get(ctx, "a", key)
			}
		}
		s, total, ending := m.space("a"), 0, 0
		for _, e := range s.entries {
			total += e.size()
			if e.at >= 0 {
				ending++
			}
		}
		if total != s.bytes || ending != len(s.ending) {
			t.Errorf("%d bytes counted, %d there; %d endings, %d there", s.bytes, total, len(s.ending), ending)
		}
	})
}
