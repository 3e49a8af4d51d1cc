package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

func TestMemo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemo()
		asked := 0
		question := func(model string, takes time.Duration) float64 {
			t.Helper()
			rows, err := m.get(t.Context(), &store.ActivityQuery{DailyFilter: store.DailyFilter{Model: model}}, func(context.Context) ([]store.Activity, error) {
				asked++
				time.Sleep(takes)
				return []store.Activity{{Metrics: store.Metrics{Spend: float64(asked)}}}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			spend := rows[0].Spend
			rows[0].Spend = -1 // belongs to the caller
			return spend
		}
		check := func(what string, got, want float64) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %g, want %g", what, got, want)
			}
		}
		check("quick", question("quick", time.Millisecond), 1)
		check("quick again", question("quick", time.Millisecond), 2)
		check("slow", question("slow", time.Second), 3)
		check("slow again", question("slow", time.Second), 3)
		check("another", question("other", time.Second), 4)
		time.Sleep(keepFactor * time.Second)
		check("slow, while it is made anew", question("slow", time.Second), 3)
		check("the same, at once", question("slow", time.Second), 3)
		time.Sleep(2 * time.Second)
		check("slow, later", question("slow", time.Second), 5)
		time.Sleep(keepFactor*time.Second + staleFor)
		check("slow, much later", question("slow", time.Second), 6)

		var group sync.WaitGroup
		for range 10 {
			group.Go(func() { check("at once", question("many", time.Second), 7) })
		}
		group.Wait()
		for i := range 2 * maxAnswers {
			question(fmt.Sprint(i), time.Second)
		}
		if len(m.answers) > maxAnswers+1 {
			t.Errorf("%d answers are kept", len(m.answers))
		}
	})
}

// TestMemoCancelled has the one who asks leave: another asks in its place.
func TestMemoCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemo()
		q := &store.ActivityQuery{}
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			_, err := m.get(ctx, q, func(context.Context) ([]store.Activity, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("who left: %v", err)
			}
		})
		synctest.Wait()
		group.Go(func() {
			rows, err := m.get(t.Context(), q, func(context.Context) ([]store.Activity, error) { return []store.Activity{{Model: "m"}}, nil })
			if err != nil || len(rows) != 1 {
				t.Errorf("who stayed: %v, %v", rows, err)
			}
		})
		synctest.Wait()
		cancel()
		group.Wait()
		if len(m.answers) != 0 {
			t.Errorf("%d answers are left", len(m.answers))
		}
	})
}
