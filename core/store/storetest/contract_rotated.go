package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

func under(hash string, seq int64, amount float64) store.SpendEntry {
	return store.SpendEntry{Seq: seq, Log: store.SpendLog{
		RequestID: fmt.Sprintf("%s-%d", hash, seq), APIKey: hash, Spend: amount, StartTime: now(), EndTime: now(), Status: "success",
	}}
}

// testRotatedSpend records calls under hashes that their key no longer has.
func testRotatedSpend(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	must(t, s.Keys().Create(ctx, &store.Key{Token: token(1), Spend: 1}))
	must(t, s.Keys().Create(ctx, &store.Key{Token: token(7)}))
	got[*store.Key](t)(s.Keys().Rotate(ctx, token(1), token(2), time.Time{}, nil))
	record(t, s, under(token(1), 1, 2), under(token(7), 2, 3), under("the master key", 3, 5))
	got[*store.Key](t)(s.Keys().Rotate(ctx, token(2), token(3), now().Add(time.Hour), nil))
	record(t, s, under(token(1), 4, 10), under(token(2), 5, 20), under(token(3), 6, 40), under(token(7), 7, 80))
	key := func(n int) store.Ref { return store.Ref{Entity: store.EntityKey, ID: token(n)} }
	spent(t, s, 73, key(1), key(2), key(3))
	spent(t, s, 83, key(7))
	if row := got[*store.Key](t)(s.Keys().Get(ctx, token(3))); row.Spend != 73 {
		t.Errorf("the row has %g", row.Spend)
	}
	got[[]store.Key](t)(s.Keys().Archive(ctx, []string{token(3)}, store.Deletion{DeletedAt: now()}))
	record(t, s, under(token(1), 8, 1))
	have := got[map[store.Ref]float64](t)(s.Spend().Spent(ctx, key(1), key(2), key(3)))
	same(t, "spend of a key that was deleted", len(have), 0)
}

// testRotatedHash asks which key a hash belongs to.
func testRotatedHash(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	for n := range 2 {
		must(t, s.Keys().Create(ctx, &store.Key{Token: token(n)}))
	}
	origin := func(n int) string { return got[*store.KeyView](t)(s.Keys().Lookup(ctx, token(n), now())).Origin }
	same(t, "a key that was not rotated", origin(0), "")
	got[*store.Key](t)(s.Keys().Rotate(ctx, token(0), token(2), now().Add(time.Hour), nil))
	got[*store.Key](t)(s.Keys().Rotate(ctx, token(2), token(3), now().Add(time.Hour), nil))
	same(t, "origins", []string{origin(0), origin(1), origin(2), origin(3)}, []string{token(0), "", token(0), token(0)})
	same(t, "of many", got[map[string]string](t)(s.Keys().Origins(ctx, token(0), token(1), token(2), token(3), token(4))),
		map[string]string{token(0): token(0), token(2): token(0), token(3): token(0)})

	fails(t, "another key with a hash of one", s.Keys().Create(ctx, &store.Key{Token: token(2)}), store.ErrConflict)
	_, err := s.Keys().Rotate(ctx, token(1), token(0), time.Time{}, nil)
	fails(t, "another key gets a hash of one", err, store.ErrConflict)
	same(t, "that is left as it was", got[int64](t)(s.Keys().Count(ctx)), int64(2))

	got[*store.Key](t)(s.Keys().Rotate(ctx, token(3), token(0), time.Time{}, nil)) // its first again
	same(t, "back again", origin(0), token(0))
	if v := got[*store.KeyView](t)(s.Keys().Lookup(ctx, token(0), now().Add(2*time.Hour))); v.Deprecated != nil {
		t.Errorf("its first hash ends at %v", v.Deprecated)
	}
	record(t, s, under(token(0), 1, 1), under(token(2), 2, 2), under(token(3), 3, 4))
	spent(t, s, 7, store.Ref{Entity: store.EntityKey, ID: token(0)})

	got[[]store.Key](t)(s.Keys().Archive(ctx, []string{token(0)}, store.Deletion{DeletedAt: now()}))
	must(t, s.Keys().Create(ctx, &store.Key{Token: token(2)}))
	same(t, "a hash of a key that was deleted", origin(2), "")
}

// testRotatedMeanwhile has two replicas record what is spent under the first hash of a key and the latest they know of,
// while a third rotates it.
func testRotatedMeanwhile(t *testing.T, open Open) {
	const batches, turns = 40, 15
	ctx := t.Context()
	first := open(t, nil)
	must(t, first.Keys().Create(ctx, &store.Key{Token: token(0)}))
	var latest atomic.Int64
	var wg sync.WaitGroup
	for n := range 2 {
		s := open(t, nil)
		wg.Go(func() {
			for seq := range int64(batches) {
				_, err := s.Spend().Record(ctx, store.SpendBatch{Source: fmt.Sprint("journal ", n), Entries: []store.SpendEntry{
					under(token(0), 2*seq+1, 1), under(token(int(latest.Load())), 2*seq+2, 1),
				}})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for n := range turns {
			if _, err := first.Keys().Rotate(ctx, token(n), token(n+1), time.Time{}, nil); err != nil {
				t.Error(err)
				return
			}
			latest.Store(int64(n + 1))
		}
	})
	wg.Wait()
	same(t, "spend of the key", got[*store.Key](t)(first.Keys().Get(ctx, token(turns))).Spend, float64(4*batches))
}
