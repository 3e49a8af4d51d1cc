package kept_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/kept"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

const said = `{"said":"a secret"}`

func object(id string) *store.Object {
	return &store.Object{
		ID: id, Kind: store.ObjectResponse, UserID: "u", TeamID: "t", Token: "k", Status: "completed", Body: said,
		ExpiresAt: time.Now().Add(time.Hour),
	}
}

// place checks that a place keeps its promises.
func place(t *testing.T, p kept.Place) {
	t.Helper()
	ctx := t.Context()
	gone := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := p.Get(ctx, "a")
	gone("get", err)
	gone("delete", p.Delete(ctx, "a"))
	_, err = p.Update(ctx, "a", func(*store.Object) error { return nil })
	gone("update", err)

	if err := p.Put(ctx, object("a")); err != nil {
		t.Fatal(err)
	}
	o, err := p.Get(ctx, "a")
	if err != nil || o.Body != said || o.UserID != "u" || o.TeamID != "t" || o.Token != "k" || o.Kind != store.ObjectResponse {
		t.Fatalf("%+v, %v", o, err)
	}
	refused := errors.New("refused")
	if _, err := p.Update(ctx, "a", func(o *store.Object) error { o.Status = "x"; return refused }); !errors.Is(err, refused) {
		t.Errorf("update: %v", err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := p.Update(ctx, "a", func(o *store.Object) error { o.Status += "!"; return nil }); err != nil {
				t.Errorf("update: %v", err)
			}
		})
	}
	all.Wait()
	if o, err = p.Get(ctx, "a"); err != nil || o.Status != "completed!!!!" {
		t.Errorf("after updates: %+v, %v", o, err)
	}
	if err := p.Delete(ctx, "a"); err != nil {
		t.Error(err)
	}
	_, err = p.Get(ctx, "a")
	gone("get what was deleted", err)
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	hour := func(store.ObjectKind) time.Duration { return time.Hour }
	none := func() kept.Place { return nil }
	t.Run("memory", func(t *testing.T) { place(t, kept.NewMemory(1<<20)) })
	t.Run("none", func(t *testing.T) { place(t, kept.New(kept.Settings{Shared: none, TTL: hour})) })
	t.Run("redis", func(t *testing.T) {
		server := storetest.Redis(t)
		place(t, kept.Redis{Client: server.Client()})
		sealed := kept.Redis{Client: server.Client(), Vault: store.NewVault("salt")}
		place(t, sealed)
		if err := sealed.Put(t.Context(), object("s")); err != nil {
			t.Fatal(err)
		}
		if raw, err := server.Client().Get(t.Context(), "sallyport:object:s").Result(); err != nil || strings.Contains(raw, "secret") {
			t.Errorf("what lies in Redis: %s, %v", raw, err)
		}
		if ttl := server.Client().TTL(t.Context(), "sallyport:object:s").Val(); ttl <= 0 || ttl > time.Hour {
			t.Errorf("it ends in %s", ttl)
		}
		if _, err := (kept.Redis{Client: server.Client(), Vault: store.NewVault("other")}).Get(t.Context(), "s"); !errors.Is(err, store.ErrSecret) {
			t.Errorf("with another salt: %v", err)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := kept.NewMemory(10 << 10)
	for i := range 100 {
		o := object(fmt.Sprint(i))
		o.Body = strings.Repeat("x", 1000)
		if err := m.Put(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Get(t.Context(), "0"); err != nil {
			t.Fatalf("what was just used is gone after %d: %v", i, err)
		}
	}
	if _, err := m.Get(t.Context(), "50"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an old one: %v", err)
	}
	late := object("late")
	late.ExpiresAt = time.Now().Add(-time.Second)
	_ = m.Put(t.Context(), late)
	if _, err := m.Get(t.Context(), "late"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an expired one: %v", err)
	}
}

// away is a place that does not answer.
type away struct{}

func (away) Get(context.Context, string) (*store.Object, error) { return nil, store.ErrUnavailable }
func (away) Put(context.Context, *store.Object) error           { return store.ErrUnavailable }
func (away) Delete(context.Context, string) error               { return store.ErrUnavailable }
func (away) Update(context.Context, string, func(*store.Object) error) (*store.Object, error) {
	return nil, store.ErrUnavailable
}

func TestOutage(t *testing.T) {
	t.Parallel()
	k := kept.New(kept.Settings{Shared: func() kept.Place { return away{} }, TTL: func(store.ObjectKind) time.Duration { return time.Hour }})
	if err := k.Put(t.Context(), object("a")); err != nil {
		t.Fatal(err)
	}
	if o, err := k.Get(t.Context(), "a"); err != nil || o.Body != said {
		t.Errorf("%v, %v", o, err)
	}
	if _, err := k.Get(t.Context(), "b"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("what nobody can know: %v", err)
	}
	big := object("big")
	big.Body = strings.Repeat("x", kept.MaxBody+1)
	if err := k.Put(t.Context(), big); !errors.Is(err, kept.ErrTooLarge) {
		t.Errorf("a large one: %v", err)
	}
}
