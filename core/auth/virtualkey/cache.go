package virtualkey

import (
	"crypto/sha256"
	"sync"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// hash is the SHA-256 of a key: the lookup, so that no comparison tells how much of a key is right.
type hash = [sha256.Size]byte

// entry is what is known of one key.
type entry struct {
	p       *llm.Principal
	loaded  int64    // unix nanoseconds
	budgets []string // ids of the Budget rows it hangs on
	until   int64    // the hash is an old one, good until then; 0 for good
	renewed bool     // somebody reads it anew; guarded by the shard's lock
}

const shardCount = 64

// cache holds principals by hash. Readers share a lock of one of its parts, so a lookup costs little more than the hash.
type cache struct {
	shards [shardCount]shard
	most   int // entries of a shard
}

type shard struct {
	mu sync.RWMutex
	m  map[hash]*entry
}

func newCache(size int) *cache {
	c := &cache{most: max(1, size/shardCount)}
	for i := range c.shards {
		c.shards[i].m = map[hash]*entry{}
	}
	return c
}

func (c *cache) shard(h *hash) *shard { return &c.shards[h[0]%shardCount] }

func (c *cache) get(h *hash) *entry {
	s := c.shard(h)
	s.mu.RLock()
	e := s.m[*h]
	s.mu.RUnlock()
	return e
}

// put keeps an entry. A full shard forgets another one, any: it is read again when it is asked for.
func (c *cache) put(h *hash, e *entry) {
	s := c.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.m[*h]; !there && len(s.m) >= c.most {
		for k := range s.m {
			delete(s.m, k)
			break
		}
	}
	s.m[*h] = e
}

func (c *cache) drop(h *hash) {
	s := c.shard(h)
	s.mu.Lock()
	delete(s.m, *h)
	s.mu.Unlock()
}

// renew reports whether the caller is to read an entry anew: nobody else does.
func (c *cache) renew(h *hash, e *entry) bool {
	s := c.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.renewed || s.m[*h] != e {
		return false
	}
	e.renewed = true
	return true
}

// dropIf forgets the entries that match.
func (c *cache) dropIf(match func(*entry) bool) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for k, e := range s.m {
			if match(e) {
				delete(s.m, k)
			}
		}
		s.mu.Unlock()
	}
}

func (c *cache) len() (n int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		n += len(s.m)
		s.mu.RUnlock()
	}
	return n
}

// unknown remembers hashes that no key has, in a table of a fixed size: a flood of keys that do not exist overwrites
// itself. A hash has one place in it.
type unknown struct {
	mu    sync.Mutex
	slots []unknownSlot // nil until the first one
}

type unknownSlot struct {
	h     hash
	until int64 // unix nanoseconds
}

const unknownSlots = 1 << 13

func (u *unknown) slot(h *hash) *unknownSlot {
	return &u.slots[(int(h[0])|int(h[1])<<8)&(unknownSlots-1)]
}

func (u *unknown) has(h *hash, now int64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.slots == nil {
		return false
	}
	s := u.slot(h)
	return s.until > now && s.h == *h
}

func (u *unknown) add(h *hash, until int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.slots == nil {
		u.slots = make([]unknownSlot, unknownSlots)
	}
	*u.slot(h) = unknownSlot{*h, until}
}

func (u *unknown) drop(h *hash) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.slots != nil && u.slot(h).h == *h {
		*u.slot(h) = unknownSlot{}
	}
}

func (u *unknown) clear() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.slots = nil
}
