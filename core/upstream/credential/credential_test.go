package credential

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fetches, fail := 0, false
		c := NewCache(func(context.Context) (int, time.Time, error) {
			time.Sleep(time.Second)
			fetches++
			if fail {
				return 0, time.Time{}, errors.New("no")
			}
			return fetches, time.Now().Add(time.Hour), nil
		}, 0, nil)
		get := func(when string, want int) {
			t.Helper()
			got, err := c.Get(t.Context())
			if err != nil || got != want {
				t.Errorf("%s: got %d, %v, want %d", when, got, err, want)
			}
		}

		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { get("at first", 1) })
		}
		wg.Wait()
		time.Sleep(54 * time.Minute)
		get("before it is time", 1)
		time.Sleep(2 * time.Minute)
		get("when it is time", 1) // without waiting
		time.Sleep(2 * time.Second)
		get("after that", 2)

		fail = true
		time.Sleep(56 * time.Minute)
		for range 10 {
			get("while renewing fails", 2)
			time.Sleep(2 * time.Second)
		}
		if fetches < 4 || fetches > 5 {
			t.Errorf("%d fetches instead of one in ten seconds", fetches-2)
		}
		time.Sleep(time.Hour)
		if _, err := c.Get(t.Context()); err == nil {
			t.Error("an expired credential was given out")
		}
		fail = false
		before := fetches
		get("when it works again", before+1)

		// A caller who leaves does not end the fetch for the others.
		time.Sleep(2 * time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			if _, err := c.Get(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("a caller who left got %v", err)
			}
		})
		synctest.Wait()
		cancel()
		get("for one who stays", before+2)
		wg.Wait()
	})
}

// A short-lived credential is not renewed all the time.
func TestShortLived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fetches := 0
		c := NewCache(func(context.Context) (int, time.Time, error) {
			fetches++
			return fetches, time.Now().Add(100 * time.Second), nil
		}, 0, nil)
		for range 70 {
			if _, err := c.Get(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if fetches != 1 {
			t.Errorf("%d fetches in the first 70 of 100 seconds", fetches)
		}
	})
}

func TestForever(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fetches := 0
		c := NewCache(func(context.Context) (int, time.Time, error) {
			fetches++
			return 7, time.Time{}, nil
		}, 0, nil)
		for range 3 {
			if got, err := c.Get(t.Context()); got != 7 || err != nil {
				t.Errorf("got %d, %v", got, err)
			}
			time.Sleep(1000 * time.Hour)
		}
		if fetches != 1 {
			t.Errorf("%d fetches", fetches)
		}
	})
}
