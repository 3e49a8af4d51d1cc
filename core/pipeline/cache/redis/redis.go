// Package redis keeps cached answers in Redis: one server, Sentinel or Cluster, as the client that it is given knows.
package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
)

// suffix ends each key, so that Flush knows them from those of others. A namespace is at the beginning, where people look
// for it.
const suffix = ":sallyport"

const (
	scanCount = 500
	pingLife  = time.Second
	pingKey   = "ping"
)

// Store implements cache.Store and cache.Many.
type Store struct{ c redis.UniversalClient }

var (
	_ cache.Store = (*Store)(nil)
	_ cache.Many  = (*Store)(nil)
)

// New makes a store that owns the client.
func New(c redis.UniversalClient) *Store { return &Store{c} }

// Get implements cache.Store, in one round trip.
func (s *Store) Get(ctx context.Context, key string, buf []byte) ([]byte, error) {
	v, err := s.c.Get(ctx, key+suffix).Bytes()
	if err != nil {
		return buf, problem(err)
	}
	return append(buf, v...), nil
}

func problem(err error) error {
	if errors.Is(err, redis.Nil) {
		return cache.ErrMiss
	}
	return fmt.Errorf("redis: %w", err)
}

// GetMany implements cache.Many, in one round trip to each node.
func (s *Store) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	cmds := make([]*redis.StringCmd, len(keys))
	_, err := s.c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, k := range keys {
			cmds[i] = p.Get(ctx, k+suffix)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, problem(err)
	}
	values := make([][]byte, len(keys))
	for i, cmd := range cmds {
		v, err := cmd.Bytes()
		if err == nil {
			values[i] = v
		} else if !errors.Is(err, redis.Nil) {
			return nil, problem(err)
		}
	}
	return values, nil
}

// Set implements cache.Store. Redis counts lifetimes in milliseconds.
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl > 0 {
		ttl = max(ttl, time.Millisecond)
	}
	err := s.c.Set(ctx, key+suffix, value, ttl).Err()
	switch {
	case err == nil:
		return nil
	case refused(err):
		return fmt.Errorf("redis: %w: %w", cache.ErrRefused, err)
	}
	return problem(err)
}

// refused reports whether Redis keeps nothing more, while what it has can be read: it is at maxmemory, a replica, cannot save
// its data, has too few replicas, or the user may not write (https://redis.io/docs/latest/develop/reference/eviction/,
// stop-writes-on-bgsave-error and min-replicas-to-write in redis.conf).
func refused(err error) bool {
	return redis.IsOOMError(err) || redis.IsReadOnlyError(err) || redis.IsPermissionError(err) || redis.IsNoReplicasError(err) ||
		redis.HasErrorPrefix(err, "MISCONF")
}

// Delete implements cache.Store.
func (s *Store) Delete(ctx context.Context, keys ...string) (n int, err error) {
	if len(keys) == 0 {
		return 0, nil
	}
	// One command a key: those of a cluster may be on different nodes.
	cmds, err := s.c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, k := range keys {
			p.Unlink(ctx, k+suffix)
		}
		return nil
	})
	if err != nil {
		return 0, problem(err)
	}
	for _, cmd := range cmds {
		if c, ok := cmd.(*redis.IntCmd); ok {
			n += int(c.Val())
		}
	}
	return n, nil
}

// Flush implements cache.Store.
func (s *Store) Flush(ctx context.Context) error {
	if c, ok := s.c.(*redis.ClusterClient); ok {
		return c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return flush(ctx, node) })
	}
	return flush(ctx, s.c)
}

func flush(ctx context.Context, c redis.Cmdable) error {
	var cursor uint64
	for {
		keys, next, err := c.Scan(ctx, cursor, "*"+suffix, scanCount).Result()
		if err != nil {
			return problem(err)
		}
		if len(keys) > 0 {
			_, err = c.Pipelined(ctx, func(p redis.Pipeliner) error {
				for _, k := range keys {
					p.Unlink(ctx, k)
				}
				return nil
			})
			if err != nil {
				return problem(err)
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// Ping implements cache.Store. A cluster must answer as a whole: with one of its primaries gone, a part of all keys is.
func (s *Store) Ping(ctx context.Context) error {
	var err error
	if c, ok := s.c.(*redis.ClusterClient); ok {
		err = c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return node.Ping(ctx).Err() })
	} else {
		err = s.c.Ping(ctx).Err()
	}
	if err != nil {
		return problem(err)
	}
	if err := s.Set(ctx, pingKey, []byte(pingKey), pingLife); err != nil {
		return err
	}
	_, err = s.Get(ctx, pingKey, nil)
	if errors.Is(err, cache.ErrMiss) { // a replica, or no memory left
		return errors.New("redis: what was written is not there")
	}
	return err
}

// Info is what the servers say of themselves and of their clients, a node after the other.
func (s *Store) Info(ctx context.Context) (info, clients string, err error) {
	one := func(ctx context.Context, c redis.Cmdable) error {
		i, err := c.Info(ctx).Result()
		if err != nil {
			return problem(err)
		}
		l, err := c.ClientList(ctx).Result()
		if err != nil {
			return problem(err)
		}
		info, clients = info+i, clients+l
		return nil
	}
	c, ok := s.c.(*redis.ClusterClient)
	if !ok {
		err = one(ctx, s.c)
		return info, clients, err
	}
	nodes := make(chan struct{}, 1) // one at a time
	err = c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		nodes <- struct{}{}
		defer func() { <-nodes }()
		return one(ctx, node)
	})
	return info, clients, err
}

// Close implements cache.Store.
func (s *Store) Close() error { return s.c.Close() }
