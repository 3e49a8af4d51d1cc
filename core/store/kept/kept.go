// Package kept keeps store.Objects for a while: in a database, in Redis, or in the memory of the process. It chooses
// anew at every call, so a database that is opened later is used from then on.
package kept

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// Place is where objects lie. It is safe for concurrent use. Get, Update and Delete of what is not there, or has expired,
// fail with store.ErrNotFound; a place that does not answer fails with another error.
type Place interface {
	Get(ctx context.Context, id string) (*store.Object, error)
	// Put adds an object or replaces the one with the same id. It does not keep o.
	Put(ctx context.Context, o *store.Object) error
	// Update changes an object; nobody else changes it meanwhile. change may run more than once. An error of change is
	// returned as it is, and nothing is written.
	Update(ctx context.Context, id string, change func(o *store.Object) error) (*store.Object, error)
	Delete(ctx context.Context, id string) error
}

// MaxBody is how long the body of an object may be, in bytes. A longer one is not kept.
const MaxBody = 4 << 20

// ErrTooLarge says that an object is longer than MaxBody.
var ErrTooLarge = errors.New("too large to be kept")

// Settings configure Objects.
type Settings struct {
	// Shared returns where objects go; nil is nowhere but in memory.
	Shared func() Place
	// TTL returns how long an object is kept after its last change.
	TTL    func(store.ObjectKind) time.Duration
	Logger *slog.Logger
}

// Objects keeps objects in the place of the moment. What cannot be written there stays in the memory of this process, so
// that a caller who comes back to it goes on.
type Objects struct {
	s      Settings
	memory *Memory
}

// New makes Objects. A nil logger discards.
func New(s Settings) *Objects {
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	return &Objects{s: s, memory: NewMemory(maxMemory)}
}

// patience is how long a caller waits for a place.
const patience = 3 * time.Second

func (k *Objects) shared(ctx context.Context) (Place, context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	return k.s.Shared(), ctx, cancel
}

// Get implements Place.
func (k *Objects) Get(ctx context.Context, id string) (*store.Object, error) {
	place, ctx, cancel := k.shared(ctx)
	defer cancel()
	o, here := k.memory.Get(ctx, id)
	if here == nil || place == nil {
		return o, here
	}
	o, err := place.Get(ctx, id)
	if err == nil && o.ExpiresAt.Before(time.Now()) {
		return nil, store.ErrNotFound
	}
	return o, err
}

// Put implements Place. It sets the times and the length. It fails only with ErrTooLarge.
func (k *Objects) Put(ctx context.Context, o *store.Object) error {
	if len(o.Body) > MaxBody {
		return ErrTooLarge
	}
	k.stamp(o)
	place, ctx, cancel := k.shared(context.WithoutCancel(ctx))
	defer cancel()
	if place != nil {
		err := place.Put(ctx, o)
		if err == nil {
			return nil
		}
		k.s.Logger.Warn("an object is kept in memory only", "kind", o.Kind, "error", err)
	}
	return k.memory.Put(ctx, o)
}

func (k *Objects) stamp(o *store.Object) {
	now := time.Now().UTC()
	if o.CreatedAt.IsZero() {
		o.CreatedAt = now
	}
	o.UpdatedAt, o.ExpiresAt, o.Bytes = now, now.Add(k.s.TTL(o.Kind)), int64(len(o.Body))
}

// Update implements Place.
func (k *Objects) Update(ctx context.Context, id string, change func(o *store.Object) error) (*store.Object, error) {
	do := func(o *store.Object) error {
		if err := change(o); err != nil {
			return err
		}
		if len(o.Body) > MaxBody {
			return ErrTooLarge
		}
		k.stamp(o)
		return nil
	}
	place, ctx, cancel := k.shared(context.WithoutCancel(ctx))
	defer cancel()
	o, err := k.memory.Update(ctx, id, do)
	if place == nil || !errors.Is(err, store.ErrNotFound) {
		return o, err
	}
	return place.Update(ctx, id, do)
}

// Delete implements Place.
func (k *Objects) Delete(ctx context.Context, id string) error {
	place, ctx, cancel := k.shared(context.WithoutCancel(ctx))
	defer cancel()
	err := k.memory.Delete(ctx, id)
	if place == nil || err == nil {
		return err
	}
	return place.Delete(ctx, id)
}

// Table is the place in a database.
type Table struct{ Objects store.Objects }

var _ Place = Table{}

// Get implements Place.
func (t Table) Get(ctx context.Context, id string) (*store.Object, error) {
	return t.Objects.Get(ctx, id)
}

// Put implements Place.
func (t Table) Put(ctx context.Context, o *store.Object) error {
	row := *o
	return t.Objects.Put(ctx, &row)
}

// Update implements Place.
func (t Table) Update(ctx context.Context, id string, change func(o *store.Object) error) (*store.Object, error) {
	return t.Objects.Update(ctx, id, change)
}

// Delete implements Place.
func (t Table) Delete(ctx context.Context, id string) error {
	n, err := t.Objects.Delete(ctx, id)
	if err == nil && n == 0 {
		return store.ErrNotFound
	}
	return err
}
