package wasm

import (
	"container/heap"
	"context"
	"errors"
	"strconv"
	"sync"
	"time"
)

// Errors of a Store.
var (
	// ErrNoRoom: the namespace is full of values that do not expire.
	ErrNoRoom = errors.New("the key-value store is full")
	// ErrNoNumber: the value is not a whole number, or the sum is too large to be one.
	ErrNoNumber = errors.New("the value is not a whole number")
)

// Store is the key-value store of plugins. Namespaces are apart from one another. An implementation is safe for
// concurrent use, and Add is atomic among everybody who shares the store. Values are the caller's.
type Store interface {
	// Get returns a value, or nil if there is none.
	Get(ctx context.Context, namespace, key string) ([]byte, error)
	// Set stores a value until ttl is over; 0 is for ever.
	Set(ctx context.Context, namespace, key string, value []byte, ttl time.Duration) error
	// Add adds delta to a number and returns the sum. A number that is not there is 0, and expires after ttl; one that
	// is there keeps its time. Numbers are stored as decimal text.
	Add(ctx context.Context, namespace, key string, delta int64, ttl time.Duration) (int64, error)
	// Delete removes a value and reports whether it was there.
	Delete(ctx context.Context, namespace, key string) (bool, error)
}

// Limits of one namespace of a MemoryStore.
const (
	memoryStoreBytes   = 16 << 20
	memoryStoreEntries = 100_000
	entryOverhead      = 128 // bytes of memory besides key and value
)

// MemoryStore is a Store in memory. Each namespace has at most 16 MB and 100,000 values. When one is full, the values
// that expire next make room; values without an end are never dropped.
type MemoryStore struct {
	mu     sync.Mutex
	spaces map[string]*space
}

// NewMemoryStore makes an empty store.
func NewMemoryStore() *MemoryStore { return &MemoryStore{spaces: map[string]*space{}} }

// space is one namespace.
type space struct {
	mu      sync.Mutex
	entries map[string]*entry
	ending  endings // the entries that expire
	bytes   int
}

type entry struct {
	key   string
	value []byte
	end   time.Time // zero is never
	at    int       // place in ending, or -1
}

func (e *entry) size() int { return len(e.key) + len(e.value) + entryOverhead }

// endings is a heap of entries, the next to expire first.
type endings []*entry

// Len implements heap.Interface.
func (h endings) Len() int { return len(h) }

// Less implements heap.Interface.
func (h endings) Less(i, j int) bool { return h[i].end.Before(h[j].end) }

// Swap implements heap.Interface.
func (h endings) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements heap.Interface.
func (h *endings) Push(x any) {
	e := x.(*entry)
	e.at = len(*h)
	*h = append(*h, e)
}

// Pop implements heap.Interface.
func (h *endings) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	e.at = -1
	return e
}

func (m *MemoryStore) space(namespace string) *space {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.spaces[namespace]
	if s == nil {
		s = &space{entries: map[string]*entry{}}
		m.spaces[namespace] = s
	}
	return s
}

// Get implements Store.
func (m *MemoryStore) Get(_ context.Context, namespace, key string) ([]byte, error) {
	s := m.space(namespace)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.find(key); e != nil {
		return append([]byte{}, e.value...), nil
	}
	return nil, nil
}

// Set implements Store.
func (m *MemoryStore) Set(_ context.Context, namespace, key string, value []byte, ttl time.Duration) error {
	s := m.space(namespace)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(key, append([]byte{}, value...), ttl)
}

// Add implements Store.
func (m *MemoryStore) Add(_ context.Context, namespace, key string, delta int64, ttl time.Duration) (int64, error) {
	s := m.space(namespace)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(key)
	if e == nil {
		return delta, s.put(key, strconv.AppendInt(nil, delta, 10), ttl)
	}
	n, err := strconv.ParseInt(string(e.value), 10, 64)
	sum := n + delta
	if err != nil || (sum > n) != (delta > 0) && delta != 0 {
		return 0, ErrNoNumber
	}
	old := len(e.value)
	e.value = strconv.AppendInt(e.value[:0], sum, 10)
	s.bytes += len(e.value) - old
	return sum, nil
}

// Delete implements Store.
func (m *MemoryStore) Delete(_ context.Context, namespace, key string) (bool, error) {
	s := m.space(namespace)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(key)
	if e == nil {
		return false, nil
	}
	s.remove(e)
	return true, nil
}

// find returns an entry that has not expired.
func (s *space) find(key string) *entry {
	e := s.entries[key]
	if e != nil && !e.end.IsZero() && !time.Now().Before(e.end) {
		s.remove(e)
		return nil
	}
	return e
}

// put stores an entry in place of the one there is.
func (s *space) put(key string, value []byte, ttl time.Duration) error {
	e := &entry{key: key, value: value, at: -1}
	if ttl > 0 {
		e.end = time.Now().Add(ttl)
	}
	old := s.find(key)
	if old != nil {
		s.remove(old)
	}
	if !s.makeRoom(e) {
		if old != nil {
			s.add(old)
		}
		return ErrNoRoom
	}
	s.add(e)
	return nil
}

// makeRoom drops the values that expire next until e fits in.
func (s *space) makeRoom(e *entry) bool {
	if e.size() > memoryStoreBytes/4 {
		return false
	}
	for s.bytes+e.size() > memoryStoreBytes || len(s.entries) >= memoryStoreEntries {
		if len(s.ending) == 0 {
			return false
		}
		s.remove(s.ending[0])
	}
	return true
}

func (s *space) add(e *entry) {
	s.entries[e.key] = e
	s.bytes += e.size()
	if !e.end.IsZero() {
		heap.Push(&s.ending, e)
	}
}

func (s *space) remove(e *entry) {
	delete(s.entries, e.key)
	s.bytes -= e.size()
	if e.at >= 0 {
		heap.Remove(&s.ending, e.at)
	}
}
