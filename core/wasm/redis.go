package wasm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrAway says that Redis does not answer. A plugin is told at once, and goes on without.
var ErrAway = errors.New("the key-value store is away")

// RedisStore is a Store in Redis, which all replicas share. A namespace has the keys sallyport:plugin:{namespace}:key,
// so that those of one plugin are on one node of a cluster. While Redis is away, calls fail with ErrAway: after a few
// that waited for it, at once.
type RedisStore struct {
	Patience time.Duration // for one call; a quarter of a second

	client redis.UniversalClient
	add    *redis.Script
	log    *slog.Logger

	mu       sync.Mutex
	failures int       // in a row
	closed   time.Time // until when nobody asks
}

// NewRedisStore makes a store. The client is the caller's; a nil logger discards.
func NewRedisStore(client redis.UniversalClient, log *slog.Logger) *RedisStore {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &RedisStore{Patience: redisPatience, client: client, add: redis.NewScript(addScript), log: log}
}

// addScript adds to a number; one that was not there gets a time to live. INCRBY refuses what is no number, and sums
// that are too large.
const addScript = `
local there = redis.call('EXISTS', KEYS[1])
local sum = redis.call('INCRBY', KEYS[1], ARGV[1])
if there == 0 and tonumber(ARGV[2]) > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return tostring(redis.call('GET', KEYS[1]))`

const (
	redisPatience  = 250 * time.Millisecond // for one call
	redisFailures  = 3                      // in a row, after which nobody asks for redisPause
	redisPause     = time.Second
	redisKeyPrefix = "sallyport:plugin:{"
)

func redisKey(namespace, key string) string { return redisKeyPrefix + namespace + "}:" + key }

// ask runs one command, unless Redis is known to be away.
func (s *RedisStore) ask(ctx context.Context, do func(ctx context.Context) error) error {
	s.mu.Lock()
	away := time.Now().Before(s.closed)
	s.mu.Unlock()
	if away {
		return ErrAway
	}
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	err := do(ctx)
	var answered redis.Error
	if errors.Is(err, redis.Nil) || errors.As(err, &answered) && !redis.HasErrorPrefix(err, "LOADING") && !redis.HasErrorPrefix(err, "CLUSTERDOWN") {
		s.heard()
		return err
	}
	if err == nil {
		s.heard()
		return nil
	}
	s.missed(err)
	return fmt.Errorf("%w: %w", ErrAway, err)
}

func (s *RedisStore) heard() {
	s.mu.Lock()
	back := s.failures >= redisFailures
	s.failures = 0
	s.mu.Unlock()
	if back {
		s.log.Info("Redis is back: plugins have their key-value store again")
	}
}

func (s *RedisStore) missed(err error) {
	s.mu.Lock()
	s.failures++
	first := s.failures == redisFailures
	if s.failures >= redisFailures {
		s.closed = time.Now().Add(redisPause)
	}
	s.mu.Unlock()
	if first {
		s.log.Warn("Redis is away: plugins have no key-value store", "error", err)
	}
}

// Get implements Store.
func (s *RedisStore) Get(ctx context.Context, namespace, key string) (v []byte, err error) {
	err = s.ask(ctx, func(ctx context.Context) (err error) {
		v, err = s.client.Get(ctx, redisKey(namespace, key)).Bytes()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err == nil && v == nil {
		v = []byte{}
	}
	return v, err
}

// Set implements Store. A time below a millisecond is one millisecond, the least that Redis keeps.
func (s *RedisStore) Set(ctx context.Context, namespace, key string, value []byte, ttl time.Duration) error {
	return s.full(s.ask(ctx, func(ctx context.Context) error {
		return s.client.Set(ctx, redisKey(namespace, key), value, redisTTL(ttl)).Err()
	}))
}

// Add implements Store.
func (s *RedisStore) Add(ctx context.Context, namespace, key string, delta int64, ttl time.Duration) (sum int64, err error) {
	err = s.ask(ctx, func(ctx context.Context) (err error) {
		sum, err = s.add.Run(ctx, s.client, []string{redisKey(namespace, key)}, delta, redisTTL(ttl).Milliseconds()).Int64()
		return err
	})
	var answered redis.Error
	if errors.As(err, &answered) && (strings.Contains(err.Error(), "not an integer") || strings.Contains(err.Error(), "overflow") || redis.HasErrorPrefix(err, "WRONGTYPE")) {
		return 0, ErrNoNumber
	}
	return sum, s.full(err)
}

// Delete implements Store.
func (s *RedisStore) Delete(ctx context.Context, namespace, key string) (there bool, err error) {
	err = s.ask(ctx, func(ctx context.Context) error {
		n, err := s.client.Del(ctx, redisKey(namespace, key)).Result()
		there = n > 0
		return err
	})
	return there, err
}

func redisTTL(ttl time.Duration) time.Duration {
	if ttl > 0 && ttl < time.Millisecond {
		return time.Millisecond
	}
	return ttl
}

// full tells that Redis has no memory left by the error for that.
func (s *RedisStore) full(err error) error {
	if redis.HasErrorPrefix(err, "OOM") {
		return ErrNoRoom
	}
	return err
}
