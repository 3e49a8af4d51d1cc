package virtualkey_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/auth/virtualkey"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// rows is a store with keys.
type rows struct {
	store.Keys
	mu      sync.Mutex
	views   map[string]store.KeyView
	err     error
	lookups atomic.Int64
}

// source is a store of rows.
type source struct {
	store.Store
	r *rows
}

func (s source) Keys() store.Keys { return s.r }

func (r *rows) Lookup(_ context.Context, token string, _ time.Time) (*store.KeyView, error) {
	r.lookups.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return nil, r.err
	}
	v, ok := r.views[token]
	if !ok {
		return nil, store.ErrNotFound
	}
	return &v, nil
}

func hashed(key string) string {
	h := sha256.Sum256([]byte(key))
	return hex.EncodeToString(h[:])
}

func newKeys(t testing.TB, change func(*virtualkey.Settings), keys ...store.Key) (*virtualkey.Keys, *rows) {
	t.Helper()
	r := &rows{views: map[string]store.KeyView{}}
	for _, k := range keys {
		r.views[k.Token] = store.KeyView{Key: k}
	}
	s := virtualkey.Settings{Store: source{r: r}, TTL: time.Minute}
	if change != nil {
		change(&s)
	}
	return virtualkey.NewKeys(s), r
}

func who(k *virtualkey.Keys, key string, at time.Time) (*llm.Principal, error) {
	x := &llm.Exchange{Start: at}
	return k.Authenticate(context.Background(), x, auth.Credential{Key: []byte(key), Present: true})
}

// TestRemembers shows how often the store is asked: once for a key, once for one that does not exist, and not at all for
// what is no key.
func TestRemembers(t *testing.T) {
	t.Parallel()
	now := time.Now()
	k, r := newKeys(t, nil, store.Key{Token: hashed("sk-one"), KeyAlias: "one", Spend: 3})
	for range 5 {
		p, err := who(k, "sk-one", now)
		if err != nil || p.KeyAlias != "one" {
			t.Fatal(p, err)
		}
		if spent, _ := p.Scope(llm.ScopeKey).Spent(); spent != 3 {
			t.Fatalf("spent %v", spent)
		}
		var e *llm.Error
		if _, err := who(k, "sk-two", now); !errors.As(err, &e) || e.HTTPStatus() != 401 || e.Type != "token_not_found_in_db" {
			t.Fatal(err)
		}
		if p, err := who(k, "not a key", now); p != nil || err != nil {
			t.Fatal(p, err)
		}
	}
	if n := r.lookups.Load(); n != 2 {
		t.Errorf("%d lookups", n)
	}
}

// TestChanged shows that what changed is read anew, also a key that did not exist before.
func TestChanged(t *testing.T) {
	t.Parallel()
	now := time.Now()
	k, r := newKeys(t, nil, store.Key{Token: hashed("sk-one"), TeamID: "t", UserID: "u"})
	f := func(kind store.Kind, id string, want int64) {
		t.Helper()
		if _, err := who(k, "sk-one", now); err != nil {
			t.Fatal(err)
		}
		before := r.lookups.Load()
		k.Changed([]store.Change{{Kind: kind, ID: id}})
		if _, err := who(k, "sk-one", now); err != nil {
			t.Fatal(err)
		}
		if got := r.lookups.Load() - before; got != want {
			t.Errorf("%s %s: %d lookups, want %d", kind, id, got, want)
		}
	}
	f(store.KindKey, hashed("sk-one"), 1)
	f(store.KindKey, hashed("sk-two"), 0)
	f(store.KindKey, "no hash, and longer than one: "+hashed("sk-one"), 0)
	f(store.KindTeam, "t", 1)
	f(store.KindTeam, "other", 0)
	f(store.KindUser, "u", 1)
	f(store.KindTeamMember, "t:u", 1)
	f(store.KindBudget, "b", 0)
	f(store.KindEverything, "", 1)
	if _, err := who(k, "sk-new", now); err == nil {
		t.Fatal("the key does not exist")
	}
	r.mu.Lock()
	r.views[hashed("sk-new")] = store.KeyView{Key: store.Key{Token: hashed("sk-new")}}
	r.mu.Unlock()
	k.Changed([]store.Change{{Kind: store.KindKey, ID: hashed("sk-new")}})
	if _, err := who(k, "sk-new", now); err != nil {
		t.Error(err)
	}
}

// TestStoreAway shows who gets in while the store cannot be reached.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	now := time.Now()
	k, r := newKeys(t, nil, store.Key{Token: hashed("sk-one")})
	open, away := newKeys(t, func(s *virtualkey.Settings) { s.AllowUnavailable, s.AdminUser = true, "admin" })
	if _, err := who(k, "sk-one", now); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.err, away.err = store.ErrUnavailable, store.ErrUnavailable
	r.mu.Unlock()
	if _, err := who(k, "sk-one", now.Add(time.Hour)); err != nil {
		t.Errorf("a key that is remembered: %v", err)
	}
	var e *llm.Error
	if _, err := who(k, "sk-two", now); !errors.As(err, &e) || e.HTTPStatus() != 503 {
		t.Errorf("a key that is not: %v", err)
	}
	if p, err := who(open, "sk-two", now); err != nil || p.UserID != "admin" || p.Role == llm.RoleProxyAdmin {
		t.Errorf("%+v %v", p, err)
	}
}

// TestOneLookup shows that callers at once with one key ask the store once.
func TestOneLookup(t *testing.T) {
	t.Parallel()
	k, r := newKeys(t, nil, store.Key{Token: hashed("sk-one")})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := who(k, "sk-one", time.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := r.lookups.Load(); n > 5 {
		t.Errorf("%d lookups", n)
	}
}

// TestBounded shows that no more keys are remembered than the size says.
func TestBounded(t *testing.T) {
	t.Parallel()
	k, r := newKeys(t, func(s *virtualkey.Settings) { s.Size = 640 })
	for i := range 5000 {
		key := fmt.Sprint("sk-", i)
		r.views[hashed(key)] = store.KeyView{Key: store.Key{Token: hashed(key)}}
		if _, err := who(k, key, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if n := k.Len(); n > 640 {
		t.Errorf("%d keys are remembered", n)
	}
}

// TestFloodOfUnknown shows that keys which do not exist take no place of those that do, however many are tried, and that what
// is remembered of them does not grow with their number.
func TestFloodOfUnknown(t *testing.T) { // alone: it looks at the heap
	now := time.Now()
	const known, tried = 100, 200_000
	var list []store.Key
	for i := range known {
		list = append(list, store.Key{Token: hashed(fmt.Sprint("sk-", i))})
	}
	k, r := newKeys(t, nil, list...)
	all := func() {
		t.Helper()
		for i := range known {
			if _, err := who(k, fmt.Sprint("sk-", i), now); err != nil {
				t.Fatal(err)
			}
		}
	}
	all()
	flood := func(name string) {
		t.Helper()
		for i := range tried {
			if _, err := who(k, fmt.Sprint("sk-", name, i), now); err == nil {
				t.Fatal("a key that does not exist was let in")
			}
		}
	}
	flood("first")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	flood("second")
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > tried*sha256.Size/2 {
		t.Errorf("%d keys that do not exist left %d bytes", tried, grown)
	}
	lookups := r.lookups.Load()
	all()
	if n := r.lookups.Load() - lookups; n != 0 || k.Len() != known {
		t.Errorf("%d of %d keys were looked up again, %d are remembered", n, known, k.Len())
	}
}

func TestAuthenticateAllocates(t *testing.T) {
	k, _ := newKeys(t, nil, store.Key{Token: hashed("sk-one")})
	x := &llm.Exchange{Start: time.Now()}
	c := auth.Credential{Key: []byte("sk-one"), Present: true}
	if _, err := k.Authenticate(t.Context(), x, c); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = k.Authenticate(t.Context(), x, c) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	k, _ := newKeys(b, nil, store.Key{Token: hashed("sk-one")})
	x := &llm.Exchange{Start: time.Now()}
	c := auth.Credential{Key: []byte("sk-one"), Present: true}
	for b.Loop() {
		_, _ = k.Authenticate(b.Context(), x, c)
	}
}
