package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// testMixed has replicas record spend, change, reset and add up the same rows at once. Nobody fails, and nothing is lost.
func testMixed(t *testing.T, open Open) {
	a, b := open(t, nil), open(t, nil)
	entry := everybody(t, a)
	past := now().Add(-time.Hour)
	for i := range 10 {
		must(t, a.Users().Create(t.Context(), &store.User{UserID: fmt.Sprint("due", i), BudgetDuration: "1s", BudgetResetAt: &past}))
	}
	const writers, batches, size = 3, 6, 6
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var recording, others sync.WaitGroup
	for w := range writers {
		recording.Go(func() {
			for n := range batches {
				batch := store.SpendBatch{Source: fmt.Sprint("journal", w)}
				for i := range size {
					e := entry
					e.Seq, e.Log.RequestID = int64(n*size+i+1), fmt.Sprint(w, "/", n, "/", i)
					e.Log.User = store.Text([]string{"u", "due1", "due2"}[i%3])
					e.Log.Model = fmt.Sprint("m", (i+w)%4)
					batch.Entries = append(batch.Entries, e)
				}
				if _, err := []store.Store{a, b}[w%2].Spend().Record(t.Context(), batch); err != nil {
					t.Errorf("record: %v", err)
				}
			}
		})
	}
	changes := 0
	for what, do := range map[string]func() error{
		"change a key": func() error {
			_, err := b.Keys().Update(t.Context(), token(1), func(k *store.Key) error {
				changes++ // counted again if it is tried again
				k.Metadata = store.JSON(fmt.Sprintf(`{"n":%d}`, changes))
				return nil
			})
			return err
		},
		"reset":   func() error { _, err := b.Spend().ResetBudgets(t.Context(), time.Now(), nil); return err },
		"refresh": func() error { return b.Reports().Refresh(t.Context(), "", "") },
		"change several": func() error {
			return a.Tx(t.Context(), func(tx store.Store) error {
				for _, id := range []string{"due2", "u", "due1"} {
					if _, err := tx.Users().Update(t.Context(), id, func(u *store.User) error { u.UserAlias += "x"; return nil }); err != nil {
						return err
					}
				}
				_, err := tx.Teams().Update(t.Context(), "t", func(team *store.Team) error { team.TeamAlias += "x"; return nil })
				return err
			})
		},
	} {
		others.Go(func() {
			for ctx.Err() == nil {
				if err := do(); err != nil {
					t.Errorf("%s: %v", what, err)
					return
				}
			}
		})
	}
	recording.Wait()
	cancel()
	others.Wait()

	const calls = writers * batches * size
	spent(t, a, 0.5*calls, store.Ref{Entity: store.EntityKey, ID: token(1)}, store.Ref{Entity: store.EntityTeam, ID: "t"},
		store.Ref{Entity: store.EntityEndUser, ID: "customer"}, store.Ref{Entity: store.EntityUser, ID: store.ProxyBudgetUser})
	spent(t, a, 0.5*calls/3, store.Ref{Entity: store.EntityUser, ID: "u"})
	for _, q := range []store.ActivityQuery{
		{}, {By: []store.Dimension{store.ByDate}}, {DailyFilter: store.DailyFilter{Entity: store.EntityTeam}},
		{By: []store.Dimension{store.ByDate, store.ByKey}}, {By: []store.Dimension{store.ByProvider}},
	} {
		sum := got[[]store.Activity](t)(b.Reports().Activity(t.Context(), q))
		if len(sum) != 1 || sum[0].APIRequests != calls || sum[0].Spend != 0.5*calls {
			t.Errorf("%+v: %+v, want %d calls", q, sum, calls)
		}
	}
}
