package virtualkey

import (
	"context"
	"sync"
)

// flight does a thing once for all who want it at the same time.
type flight[K comparable, V any] struct {
	mu   sync.Mutex
	open map[K]*trip[V]
}

type trip[V any] struct {
	done chan struct{}
	v    V
	err  error
}

// do returns what fn returned, which may have been called for somebody else. fn runs to its end whoever leaves.
func (f *flight[K, V]) do(ctx context.Context, key K, fn func(context.Context) (V, error)) (V, error) {
	f.mu.Lock()
	t := f.open[key]
	if t == nil {
		if f.open == nil {
			f.open = map[K]*trip[V]{}
		}
		t = &trip[V]{done: make(chan struct{})}
		f.open[key] = t
		go func() {
			defer func() {
				f.mu.Lock()
				delete(f.open, key)
				f.mu.Unlock()
				close(t.done)
			}()
			t.v, t.err = fn(context.Background())
		}()
	}
	f.mu.Unlock()
	select {
	case <-t.done:
		return t.v, t.err
	case <-ctx.Done():
		var none V
		return none, context.Cause(ctx)
	}
}
