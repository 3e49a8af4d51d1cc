// Package virtualkey knows the keys that the gateway gives out. Keys reads them from a store and remembers them; Gate
// decides what a caller may do, whoever found out who it is, and which limits and budgets the request belongs to.
package virtualkey

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// Settings of Keys. Store and Registry are required; zero values of the others take the defaults.
type Settings struct {
	Store    store.Store
	Registry *llm.Registry
	TTL      time.Duration // how long a key is trusted that was read (user_api_key_cache_ttl); default 60 s
	Size     int           // how many keys are remembered; default 200,000
	Lookups  int           // how many keys are looked up at a time; default 16
	Timeout  time.Duration // of one lookup; default 5 s
	Expand   func(models []string) []string
	// Saving is a number that changes when spend begins and ends to be written: odd in between. Spend that was read
	// meanwhile counts twice or not at all, so it is left to whoever writes. It may be nil.
	Saving func() uint64
	Logger *slog.Logger

	// SoftBudget is that of keys that have none, in US dollars; nil is none.
	SoftBudget *float64

	// AllowUnavailable lets callers in as the administrator's user whose key cannot be checked because the database
	// cannot be reached (allow_requests_on_db_unavailable). AdminUser is that user.
	AllowUnavailable bool
	AdminUser        string

	Now func() time.Time
}

const (
	defaultTTL     = time.Minute
	defaultSize    = 200_000
	defaultLookups = 16
	defaultTimeout = 5 * time.Second
	unknownFor     = 10 * time.Second
)

// Keys knows virtual keys, and has no opinion on credentials that have not the form of one. It is safe for concurrent
// use. A key that is in use is read anew in the background before its time is over, so that callers do not wait. While
// the store cannot be reached, keys that are remembered stay good.
type Keys struct {
	s       Settings
	cache   *cache
	unknown unknown
	group   flight[hash, *entry]
	room    chan struct{}

	mu    sync.Mutex
	epoch uint64 // rises with each Forget: what was read before is not kept
	down  bool   // the store could not be reached when it was last asked
}

// NewKeys makes Keys.
func NewKeys(s Settings) *Keys {
	if s.TTL < 0 {
		s.TTL = defaultTTL
	}
	if s.Size <= 0 {
		s.Size = defaultSize
	}
	if s.Lookups <= 0 {
		s.Lookups = defaultLookups
	}
	if s.Timeout <= 0 {
		s.Timeout = defaultTimeout
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Registry == nil {
		s.Registry = &llm.Registry{}
	}
	return &Keys{s: s, cache: newCache(s.Size), room: make(chan struct{}, s.Lookups)}
}

// Authenticate implements auth.Authenticator. A key that is remembered costs its hash and a lookup, and no allocation.
func (k *Keys) Authenticate(ctx context.Context, x *llm.Exchange, c auth.Credential) (*llm.Principal, error) {
	if len(c.Key) < 3 || string(c.Key[:3]) != "sk-" {
		return nil, nil
	}
	h := auth.Sum(c.Key)
	now := x.Start.UnixNano()
	e := k.cache.get(&h)
	if e == nil || now-e.loaded >= int64(k.s.TTL) {
		var err error
		if e, err = k.read(ctx, h, e, now); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				return nil, notFound(c.Key, h)
			}
			return k.unavailable(err)
		}
	} else if now-e.loaded >= int64(k.s.TTL)/4*3 && k.cache.renew(&h, e) {
		go k.refresh(h)
	}
	if e.until != 0 && now >= e.until {
		k.cache.drop(&h)
		return nil, notFound(c.Key, h)
	}
	return e.p, nil
}

// read asks the store, once for all who want the same key. What is remembered of it stays good if the store is not there.
func (k *Keys) read(ctx context.Context, h hash, old *entry, now int64) (*entry, error) {
	if old == nil && k.unknown.has(&h, now) {
		return nil, store.ErrNotFound
	}
	e, err := k.group.do(ctx, h, func(ctx context.Context) (*entry, error) { return k.lookup(ctx, h) })
	if err != nil && old != nil && !errors.Is(err, store.ErrNotFound) {
		return old, nil
	}
	return e, err
}

func (k *Keys) refresh(h hash) {
	_, _ = k.group.do(context.Background(), h, func(ctx context.Context) (*entry, error) { return k.lookup(ctx, h) })
}

// lookup reads a key and remembers what it learnt. How many do so at a time is limited, so that a flood of keys that do
// not exist leaves the store room for others.
func (k *Keys) lookup(ctx context.Context, h hash) (e *entry, err error) {
	err = k.roomFor(ctx, func(ctx context.Context) (err error) {
		e, err = k.ask(ctx, h)
		return err
	})
	return e, err
}

func (k *Keys) ask(ctx context.Context, h hash) (*entry, error) {
	epoch := k.age()
	now := k.s.Now()
	var saving uint64
	if k.s.Saving != nil {
		saving = k.s.Saving()
	}
	view, err := k.s.Store.Keys().Lookup(ctx, hex.EncodeToString(h[:]), now)
	if errors.Is(err, store.ErrNotFound) {
		k.reachable(true)
		k.cache.drop(&h)
		if k.age() == epoch {
			k.unknown.add(&h, now.Add(unknownFor).UnixNano())
		}
		return nil, err
	}
	if err != nil {
		k.reachable(false)
		return nil, err
	}
	k.reachable(true)
	b := &building{k: k, view: view, steady: k.s.Saving == nil || saving&1 == 0 && saving == k.s.Saving()}
	p, err := b.principal(ctx)
	if err != nil {
		return nil, err
	}
	e := &entry{p: p, loaded: now.UnixNano(), budgets: b.budgets}
	if view.Deprecated != nil {
		e.until = view.Deprecated.UnixNano()
	}
	if k.age() == epoch {
		k.cache.put(&h, e)
	}
	return e, nil
}

// roomFor asks the store within the time of a lookup, when there is room for one.
func (k *Keys) roomFor(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, k.s.Timeout)
	defer cancel()
	select {
	case k.room <- struct{}{}:
		defer func() { <-k.room }()
	case <-ctx.Done():
		return store.ErrUnavailable
	}
	return ask(ctx)
}

func (k *Keys) age() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.epoch
}

// reachable notes whether the store answers, and says so when that changes.
func (k *Keys) reachable(yes bool) {
	k.mu.Lock()
	was := k.down
	k.down = !yes
	k.mu.Unlock()
	switch {
	case !yes && !was:
		k.s.Logger.Error("the database cannot be reached: keys that were used lately stay good, others cannot be checked",
			"allow_requests_on_db_unavailable", k.s.AllowUnavailable)
	case yes && was:
		k.s.Logger.Info("the database is reached again: keys are checked")
	}
}

// unavailable is the answer to a key that cannot be checked. The principal is that of auth_exception_handler.py.
func (k *Keys) unavailable(err error) (*llm.Principal, error) {
	if errors.Is(err, context.Canceled) {
		return nil, err
	}
	if k.s.AllowUnavailable {
		return &llm.Principal{
			KeyHash: "failed-to-connect-to-db", KeyName: "failed-to-connect-to-db", UserID: k.s.AdminUser,
			Role: llm.RoleInternalUser, AllowedRoutes: []string{"llm_api_routes"},
		}, nil
	}
	return nil, &llm.Error{
		Op: "virtualkey.Authenticate", Kind: llm.KindUnavailable, Status: 503, Err: err,
		Message: "Authentication Error, the database that holds the keys cannot be reached. Try again.",
		Type:    "no_db_connection", Param: "None", Code: "503", RetryAfter: time.Second,
	}
}

// Len is how many keys are remembered.
func (k *Keys) Len() int { return k.cache.len() }

// Forget drops all that is remembered, because what it was made with has changed.
func (k *Keys) Forget() {
	k.bump()
	k.cache.dropIf(func(*entry) bool { return true })
	k.unknown.clear()
}

func (k *Keys) bump() {
	k.mu.Lock()
	k.epoch++
	k.mu.Unlock()
}

// Changed drops what is remembered of rows that changed.
func (k *Keys) Changed(changes []store.Change) {
	k.bump()
	for _, c := range changes {
		switch c.Kind {
		case store.KindKey:
			k.forgetKey(c.ID)
		case store.KindTeam:
			k.cache.dropIf(func(e *entry) bool { return e.p.TeamID == c.ID })
		case store.KindUser:
			k.cache.dropIf(func(e *entry) bool { return e.p.UserID == c.ID })
		case store.KindTeamMember:
			k.cache.dropIf(func(e *entry) bool { return store.MemberID(e.p.TeamID, e.p.UserID) == c.ID })
		case store.KindOrganization:
			k.cache.dropIf(func(e *entry) bool { return e.p.OrgID == c.ID })
		case store.KindOrgMember:
			k.cache.dropIf(func(e *entry) bool { return store.MemberID(e.p.OrgID, e.p.UserID) == c.ID })
		case store.KindBudget:
			k.cache.dropIf(func(e *entry) bool {
				for _, id := range e.budgets {
					if id == c.ID {
						return true
					}
				}
				return false
			})
		case store.KindTeamModel, store.KindAccessGroup, store.KindObjectPermission, store.KindEverything:
			k.cache.dropIf(func(*entry) bool { return true })
			k.unknown.clear()
		}
	}
}

func (k *Keys) forgetKey(token string) {
	var h hash
	if len(token) == hex.EncodedLen(len(h)) {
		if _, err := hex.Decode(h[:], []byte(token)); err == nil {
			k.cache.drop(&h)
			k.unknown.drop(&h)
		}
	}
	// An old hash leads to the same key.
	k.cache.dropIf(func(e *entry) bool { return e.p.KeyHash == token })
}
