// Package redissemantic finds answers to similar prompts in Redis, with the vector index of its search module
// (https://redis.io/docs/latest/develop/ai/search-and-query/vectors/).
package redissemantic

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
)

// DefaultIndex is the name of the index if nothing is said.
const DefaultIndex = "sallyport_semantic_cache"

// Store implements cache.Semantic. An entry is a hash with its scope, vector and answer, under the name of the index. The
// index is made with the first vector, whose length it takes, unless it is there.
type Store struct {
	c     redis.UniversalClient
	index string

	mu    sync.Mutex
	ready bool
}

var _ cache.Semantic = (*Store)(nil)

const (
	fieldScope  = "scope"
	fieldVector = "vector"
	fieldEntry  = "entry"
	distance    = "distance"
	scanCount   = 500
)

// New makes a store that owns the client. An empty index takes DefaultIndex.
func New(c redis.UniversalClient, index string) *Store {
	if index == "" {
		index = DefaultIndex
	}
	return &Store{c: c, index: index}
}

func (s *Store) prefix() string { return s.index + ":" }

func problem(err error) error { return fmt.Errorf("redis: %w", err) }

// noIndex reports whether an error says that the index is not there. Versions of the module word it in different ways.
func noIndex(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "no such index") || strings.Contains(text, "unknown index name") || strings.Contains(text, "index not found")
}

// hashed is a scope, or an id, as a tag and in the name of a key: whatever is in it, it needs no escapes.
func hashed(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// blob is a vector as the module takes it: little-endian numbers of 32 bits.
func blob(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

func flat(v []float32) bool {
	for _, f := range v {
		if f != 0 {
			return false
		}
	}
	return true
}

// Nearest implements cache.Semantic (https://redis.io/docs/latest/commands/ft.search/).
func (s *Store) Nearest(ctx context.Context, scope string, vector []float32, atLeast float64, buf []byte) ([]byte, float64, error) {
	if flat(vector) {
		return buf, 0, cache.ErrMiss
	}
	reply, err := s.c.Do(ctx, "FT.SEARCH", s.index, "(@"+fieldScope+":{"+hashed(scope)+"})=>[KNN 1 @"+fieldVector+" $v AS "+distance+"]",
		"PARAMS", 2, "v", blob(vector), "SORTBY", distance, "RETURN", 2, distance, fieldEntry, "LIMIT", 0, 1, "DIALECT", 2).Result()
	if err != nil {
		if noIndex(err) {
			return buf, 0, cache.ErrMiss
		}
		return buf, 0, problem(err)
	}
	fields := firstFields(reply)
	far, err := strconv.ParseFloat(fields[distance], 64)
	entry, ok := fields[fieldEntry]
	if err != nil || !ok {
		return buf, 0, cache.ErrMiss
	}
	similarity := 1 - far // the module's cosine distance
	if similarity < atLeast {
		return buf, 0, cache.ErrMiss
	}
	return append(buf, entry...), similarity, nil
}

// firstFields are the fields of the first result. In RESP2 a reply is a list: how many there are, then a key and a list of
// fields and values for each; in RESP3 it is a map with results that have extra_attributes.
func firstFields(reply any) map[string]string {
	out := map[string]string{}
	switch r := reply.(type) {
	case []any:
		if len(r) < 3 {
			return out
		}
		list, _ := r[2].([]any)
		for i := 0; i+1 < len(list); i += 2 {
			k, _ := list[i].(string)
			v, _ := list[i+1].(string)
			out[k] = v
		}
	case map[any]any:
		results, _ := r["results"].([]any)
		if len(results) == 0 {
			return out
		}
		first, _ := results[0].(map[any]any)
		attributes, _ := first["extra_attributes"].(map[any]any)
		for k, v := range attributes {
			name, _ := k.(string)
			value, _ := v.(string)
			out[name] = value
		}
	}
	return out
}

// prepare makes the index if it is not there (https://redis.io/docs/latest/commands/ft.create/).
func (s *Store) prepare(ctx context.Context, dimensions int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready {
		return nil
	}
	err := s.c.Do(ctx, "FT.CREATE", s.index, "ON", "HASH", "PREFIX", 1, s.prefix(), "SCHEMA", fieldScope, "TAG",
		fieldVector, "VECTOR", "HNSW", 6, "TYPE", "FLOAT32", "DIM", dimensions, "DISTANCE_METRIC", "COSINE").Err()
	if err != nil && !strings.Contains(strings.ToLower(err.Error()), "already exists") {
		if strings.Contains(strings.ToLower(err.Error()), "unknown command") {
			return errors.New("redis: this server has no search module, which a semantic cache needs: use Redis 8, Redis Stack, or the cache type local-semantic")
		}
		return problem(err)
	}
	s.ready = true
	return nil
}

// Add implements cache.Semantic.
func (s *Store) Add(ctx context.Context, scope, id string, vector []float32, value []byte, ttl time.Duration) error {
	if flat(vector) {
		return errors.New("redis: the vector has no direction")
	}
	if err := s.prepare(ctx, len(vector)); err != nil {
		return err
	}
	key := s.prefix() + hashed(scope) + ":" + hashed(id)
	_, err := s.c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, key, fieldScope, hashed(scope), fieldVector, blob(vector), fieldEntry, value)
		if ttl > 0 {
			p.PExpire(ctx, key, max(ttl, time.Millisecond))
		} else {
			p.Persist(ctx, key)
		}
		return nil
	})
	if err != nil {
		return problem(err)
	}
	return nil
}

// Delete implements cache.Semantic. It looks at the names of all entries: nobody does it for each request.
func (s *Store) Delete(ctx context.Context, ids ...string) (n int, err error) {
	for _, id := range ids {
		one, err := s.remove(ctx, s.prefix()+"*:"+hashed(id))
		if err != nil {
			return n, err
		}
		n += one
	}
	return n, nil
}

// Flush implements cache.Semantic. The index stays.
func (s *Store) Flush(ctx context.Context) error {
	_, err := s.remove(ctx, s.prefix()+"*")
	return err
}

// remove removes the keys that a pattern matches, on all servers.
func (s *Store) remove(ctx context.Context, pattern string) (int, error) {
	c, ok := s.c.(*redis.ClusterClient)
	if !ok {
		return removeFrom(ctx, s.c, pattern)
	}
	var all atomic.Int64
	err := c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		n, err := removeFrom(ctx, node, pattern)
		all.Add(int64(n))
		return err
	})
	return int(all.Load()), err
}

func removeFrom(ctx context.Context, c redis.Cmdable, pattern string) (n int, err error) {
	var cursor uint64
	for {
		keys, next, err := c.Scan(ctx, cursor, pattern, scanCount).Result()
		if err != nil {
			return n, problem(err)
		}
		if len(keys) > 0 {
			// One command a key: those of a cluster's node are in different slots.
			cmds, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
				for _, k := range keys {
					p.Unlink(ctx, k)
				}
				return nil
			})
			if err != nil {
				return n, problem(err)
			}
			n += len(cmds)
		}
		if cursor = next; cursor == 0 {
			return n, nil
		}
	}
}

// Ping implements cache.Semantic: the server answers, and has the module.
func (s *Store) Ping(ctx context.Context) error {
	err := s.c.Do(ctx, "FT._LIST").Err()
	if err != nil && strings.Contains(strings.ToLower(err.Error()), "unknown command") {
		return errors.New("redis: this server has no search module, which a semantic cache needs")
	}
	if err != nil {
		return problem(err)
	}
	return nil
}

// Close implements cache.Semantic.
func (s *Store) Close() error { return s.c.Close() }
