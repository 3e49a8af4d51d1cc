package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

func testChanges(t *testing.T, open Open) {
	a, b, ctx := open(t, nil), open(t, nil), t.Context()
	seq := got[int64](t)(a.Changes().Latest(ctx))
	check := func(want ...string) {
		t.Helper()
		changes, next, err := b.Changes().Since(ctx, seq, 100)
		must(t, err)
		have := []string{}
		for _, c := range changes {
			have = append(have, string(c.Kind)+" "+c.ID)
		}
		if want == nil {
			want = []string{}
		}
		same(t, "changes", have, want)
		seq = next
	}
	check()
	must(t, a.Keys().Create(ctx, &store.Key{Token: token(1)}))
	check("key " + token(1))
	got[*store.Key](t)(a.Keys().Update(ctx, token(1), func(k *store.Key) error { k.KeyAlias = "a"; return nil }))
	check("key " + token(1))
	got[*store.Key](t)(a.Keys().Update(ctx, token(1), func(*store.Key) error { return nil }))
	check() // nothing changed
	got[*store.Key](t)(a.Keys().Rotate(ctx, token(1), token(2), now().Add(time.Hour), nil))
	check("key "+token(1), "key "+token(2))
	got[int64](t)(a.Keys().Delete(ctx, token(2), token(3)))
	check("key " + token(2))
	must(t, a.TeamMemberships().Create(ctx, &store.TeamMembership{UserID: "u", TeamID: "t"}))
	check("team_member t:u")
	got[int64](t)(a.TeamMemberships().Delete(ctx, store.Membership{UserID: "u", Group: "t"}))
	check("team_member t:u")
	must(t, a.Config().Put(ctx, &store.ConfigValue{ParamName: "router_settings"}))
	check("config router_settings")
	must(t, a.Credentials().Create(ctx, &store.Credential{CredentialName: "c"}))
	check("credential c")
	must(t, a.AuditLogs().Create(ctx, &store.AuditLog{Action: "created"}))
	record(t, a, store.SpendEntry{Seq: 1, Log: store.SpendLog{APIKey: token(1), Spend: 1, EndUser: "c"}})
	check() // neither the log nor spend is told
	_ = a.Tx(ctx, func(tx store.Store) error {
		must(t, tx.Users().Create(ctx, &store.User{UserID: "u"}))
		return errors.New("no")
	})
	check()
	must(t, a.Tx(ctx, func(tx store.Store) error {
		for i := range 600 {
			if err := tx.Tags().Create(ctx, &store.Tag{TagName: fmt.Sprint(i)}); err != nil {
				return err
			}
		}
		return nil
	}))
	check("everything ")
}

// testFollow has several write at once while one follows: whoever saw a change has seen all before it.
// testListen shows that what one writes the other is told of, if the database can tell, and is not told of what failed.
func testListen(t *testing.T, open Open) {
	a, b := open(t, nil), open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	woken, ended := make(chan struct{}, 100), make(chan error, 1)
	go func() { ended <- b.Changes().Listen(ctx, func() { woken <- struct{}{} }) }()
	select {
	case err := <-ended:
		cancel()
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("listen: %v", err)
		}
		return
	case <-woken: // it listens
	}
	_ = a.Tx(ctx, func(tx store.Store) error {
		must(t, tx.Users().Create(ctx, &store.User{UserID: "u"}))
		return errors.New("no")
	})
	record(t, a, store.SpendEntry{Seq: 1, Log: store.SpendLog{APIKey: token(1), Spend: 1}})
	must(t, a.Keys().Create(ctx, &store.Key{Token: token(1)}))
	select {
	case <-woken:
	case <-time.After(startTimeout):
		t.Error("nobody was told of a change")
	}
	cancel()
	if err := <-ended; errors.Is(err, errors.ErrUnsupported) || len(woken) != 0 {
		t.Errorf("told %d times more: %v", len(woken), err)
	}
}

func testFollow(t *testing.T, open Open) {
	a, b := open(t, nil), open(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	const writers, each = 4, 15
	seen := map[string]bool{}
	started, all := make(chan struct{}), make(chan struct{})
	var once sync.Once
	go store.Follow(ctx, b.Changes(), 5*time.Millisecond, func(changes []store.Change) {
		for _, c := range changes {
			if c.Kind == store.KindTag {
				seen[c.ID] = true
			}
		}
		once.Do(func() { close(started) })
		if len(seen) == writers*each {
			close(all)
			cancel()
		}
	}, func(err error) { t.Error(err) })
	<-started
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				if err := []store.Store{a, b}[w%2].Tags().Create(t.Context(), &store.Tag{TagName: fmt.Sprint(w, "-", i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	select {
	case <-all:
	case <-ctx.Done():
		select {
		case <-all:
		default:
			t.Error("some changes were not told")
		}
	}
}

func testPrune(t *testing.T, open Open) {
	s, ctx := open(t, nil), t.Context()
	seq := got[int64](t)(s.Changes().Latest(ctx))
	for i := range 5 {
		must(t, s.Tags().Create(ctx, &store.Tag{TagName: fmt.Sprint(i)}))
	}
	pruned := got[int64](t)(s.Changes().Prune(ctx, time.Now().Add(time.Hour)))
	same(t, "pruned", pruned, int64(4))
	changes, next, err := s.Changes().Since(ctx, seq, 10)
	must(t, err)
	if len(changes) != 1 || changes[0].Kind != store.KindEverything {
		t.Errorf("changes after a gap: %+v", changes)
	}
	changes, _, err = s.Changes().Since(ctx, next, 10)
	must(t, err)
	same(t, "after that", len(changes), 0)
}

func testLease(t *testing.T, open Open) {
	a, b, ctx := open(t, nil), open(t, nil), t.Context()
	take := func(s store.Store, holder string, ttl time.Duration, want bool) {
		t.Helper()
		if ok := got[bool](t)(s.Leases().Acquire(ctx, "job", holder, ttl)); ok != want {
			t.Errorf("%s takes the lease: %v, want %v", holder, ok, want)
		}
	}
	take(a, "a", time.Hour, true)
	take(b, "b", time.Hour, false)
	take(a, "a", time.Hour, true)
	must(t, b.Leases().Release(ctx, "job", "b"))
	take(b, "b", time.Hour, false)
	must(t, a.Leases().Release(ctx, "job", "a"))
	take(b, "b", -time.Hour, true) // is over at once
	take(a, "a", time.Hour, true)

	var group sync.WaitGroup
	won := make(chan int, 10)
	for i := range 10 {
		group.Go(func() {
			ok, err := []store.Store{a, b}[i%2].Leases().Acquire(ctx, "race", fmt.Sprint(i), time.Hour)
			if err != nil {
				t.Error(err)
			}
			if ok {
				won <- i
			}
		})
	}
	group.Wait()
	same(t, "winners", len(won), 1)
}
