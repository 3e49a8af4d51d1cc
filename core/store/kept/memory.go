package kept

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// maxMemory is how many bytes of objects are kept in memory.
const maxMemory = 64 << 20

// Memory is the place in the process: it holds the objects used last, up to a number of bytes.
type Memory struct {
	mu   sync.Mutex
	most int
	size int
	byID map[string]*list.Element
	used list.List // of *store.Object, the latest first
}

var _ Place = (*Memory)(nil)

// NewMemory makes a place for so many bytes.
func NewMemory(most int) *Memory { return &Memory{most: most, byID: map[string]*list.Element{}} }

const overhead = 512 // bytes of an object besides its body, about

func sizeOf(o *store.Object) int { return len(o.Body) + len(o.ID) + overhead }

// Get implements Place.
func (m *Memory) Get(_ context.Context, id string) (*store.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.find(id)
	if o == nil {
		return nil, store.ErrNotFound
	}
	found := *o
	return &found, nil
}

// find returns what is there and not expired, and makes it the latest.
func (m *Memory) find(id string) *store.Object {
	e := m.byID[id]
	if e == nil {
		return nil
	}
	o := e.Value.(*store.Object)
	if o.ExpiresAt.Before(time.Now()) {
		m.drop(e)
		return nil
	}
	m.used.MoveToFront(e)
	return o
}

// Put implements Place.
func (m *Memory) Put(_ context.Context, o *store.Object) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(o)
	return nil
}

func (m *Memory) put(o *store.Object) {
	if e := m.byID[o.ID]; e != nil {
		m.drop(e)
	}
	kept := *o
	m.byID[o.ID] = m.used.PushFront(&kept)
	m.size += sizeOf(&kept)
	for m.size > m.most {
		m.drop(m.used.Back())
	}
}

func (m *Memory) drop(e *list.Element) {
	o := m.used.Remove(e).(*store.Object)
	delete(m.byID, o.ID)
	m.size -= sizeOf(o)
}

// Update implements Place.
func (m *Memory) Update(_ context.Context, id string, change func(o *store.Object) error) (*store.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.find(id)
	if o == nil {
		return nil, store.ErrNotFound
	}
	next := *o
	if err := change(&next); err != nil {
		return nil, err
	}
	m.put(&next)
	return &next, nil
}

// Delete implements Place.
func (m *Memory) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.byID[id]
	if e == nil {
		return store.ErrNotFound
	}
	m.drop(e)
	return nil
}
