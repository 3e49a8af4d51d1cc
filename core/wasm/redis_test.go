package wasm_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store/storetest"
	"github.com/sallyport-ai/sallyport/core/wasm"
)

// What a plugin keeps in Redis is its own, expires, and is counted exactly by all replicas.
func TestRedisStore(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	s, ctx := wasm.NewRedisStore(server.Client(), nil), t.Context()
	s.Patience = time.Minute // a busy machine is no failure
	has := func(space, key, want string) {
		t.Helper()
		if v, err := s.Get(ctx, space, key); string(v) != want || err != nil || want == "" && v != nil {
			t.Errorf("%s/%s: got %q, %v, want %q", space, key, v, err, want)
		}
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	add := func(key string, delta, want int64, fails error) {
		t.Helper()
		if n, err := s.Add(ctx, "a", key, delta, time.Minute); n != want || !errors.Is(err, fails) {
			t.Errorf("%s+%d: got %d, %v, want %d, %v", key, delta, n, err, want, fails)
		}
	}
	has("a", "k", "")
	ok(s.Set(ctx, "a", "k", []byte("v"), 0))
	has("a", "k", "v")
	has("b", "k", "")
	ok(s.Set(ctx, "a", "empty", nil, time.Minute))
	if v, err := s.Get(ctx, "a", "empty"); v == nil || len(v) != 0 || err != nil {
		t.Errorf("an empty value is %v, %v", v, err)
	}
	add("n", 2, 2, nil)
	first := server.Client().PTTL(ctx, "sallyport:plugin:{a}:n").Val()
	add("n", 3, 5, nil)
	if first <= 0 || server.Client().PTTL(ctx, "sallyport:plugin:{a}:n").Val() > first {
		t.Error("a number does not keep its time")
	}
	add("max", math.MaxInt64, math.MaxInt64, nil)
	add("max", 1, 0, wasm.ErrNoNumber)
	add("k", 1, 0, wasm.ErrNoNumber)
	for _, want := range []bool{true, false} {
		if there, err := s.Delete(ctx, "a", "k"); there != want || err != nil {
			t.Errorf("deleted %v, %v", there, err)
		}
	}
	var wg sync.WaitGroup
	other := wasm.NewRedisStore(server.Client(), nil)
	other.Patience = time.Minute
	for i := range 100 {
		wg.Go(func() {
			_, err := []*wasm.RedisStore{s, other}[i%2].Add(context.Background(), "a", "many", 1, 0)
			ok(err)
		})
	}
	wg.Wait()
	has("a", "many", "100")
}

// Without Redis a plugin is told so, at once after a few times, and it goes on when Redis is back.
func TestRedisStoreAway(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	s, ctx := wasm.NewRedisStore(server.Client(), nil), t.Context()
	server.Stop()
	for range 20 {
		if _, err := s.Get(ctx, "a", "k"); !errors.Is(err, wasm.ErrAway) {
			t.Fatalf("got %v", err)
		}
	}
	server.Start()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err := s.Set(ctx, "a", "k", []byte("v"), 0); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it does not come back")
		}
	}
}
