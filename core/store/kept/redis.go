package kept

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/store"
)

// Redis is the place in Redis, which all replicas share. Each object is one key, sallyport:object:ID, that ends when the
// object expires. Bodies are encrypted if there is a vault.
type Redis struct {
	Client redis.UniversalClient // the caller's
	Vault  *store.Vault          // may be nil
}

var _ Place = Redis{}

const (
	keyPrefix = "sallyport:object:"
	races     = 8 // how often an update that others got ahead of is tried
)

// Get implements Place.
func (r Redis) Get(ctx context.Context, id string) (*store.Object, error) {
	return r.get(ctx, r.Client, id)
}

type getter interface {
	Get(ctx context.Context, key string) *redis.StringCmd
}

func (r Redis) get(ctx context.Context, from getter, id string) (*store.Object, error) {
	raw, err := from.Get(ctx, keyPrefix+id).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	o, err := r.decode(raw)
	if err != nil {
		return nil, fmt.Errorf("%s%s: %w", keyPrefix, id, err)
	}
	return o, nil
}

// decode reads what encode wrote.
func (r Redis) decode(raw []byte) (*store.Object, error) {
	o := new(store.Object)
	if err := json.Unmarshal(raw, o); err != nil {
		return nil, err
	}
	body, err := r.Vault.Decrypt(o.Body)
	o.Body = body
	return o, err
}

func (r Redis) encode(o *store.Object) ([]byte, error) {
	sealed := *o
	if r.Vault != nil {
		sealed.Body = r.Vault.Encrypt(o.Body)
	}
	return json.Marshal(&sealed)
}

// Put implements Place.
func (r Redis) Put(ctx context.Context, o *store.Object) error { return r.put(ctx, r.Client, o) }

type setter interface {
	Set(ctx context.Context, key string, value any, expiration time.Duration) *redis.StatusCmd
}

func (r Redis) put(ctx context.Context, to setter, o *store.Object) error {
	raw, err := r.encode(o)
	if err != nil {
		return err
	}
	return to.Set(ctx, keyPrefix+o.ID, raw, max(time.Until(o.ExpiresAt), time.Second)).Err()
}

// Update implements Place.
func (r Redis) Update(ctx context.Context, id string, change func(o *store.Object) error) (o *store.Object, err error) {
	for range races {
		err = r.Client.Watch(ctx, func(tx *redis.Tx) error {
			if o, err = r.get(ctx, tx, id); err != nil {
				return err
			}
			if err := change(o); err != nil {
				return err
			}
			_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return r.put(ctx, p, o) })
			return err
		}, keyPrefix+id)
		if !errors.Is(err, redis.TxFailedErr) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Delete implements Place.
func (r Redis) Delete(ctx context.Context, id string) error {
	n, err := r.Client.Del(ctx, keyPrefix+id).Result()
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	if n == 0 {
		return store.ErrNotFound
	}
	return nil
}
