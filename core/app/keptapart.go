package app

import (
	"context"
	"errors"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/kept"
)

// batchesApart keeps batches in the database, where they are found when it is time to pay for them, and the rest in Redis.
type batchesApart struct {
	kept.Place
	batches kept.Place
}

// Get implements kept.Place.
func (p batchesApart) Get(ctx context.Context, id string) (*store.Object, error) {
	if !batchID(id) {
		return p.Place.Get(ctx, id)
	}
	o, err := p.batches.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return p.Place.Get(ctx, id)
	}
	return o, err
}

// Put implements kept.Place.
func (p batchesApart) Put(ctx context.Context, o *store.Object) error {
	if o.Kind == store.ObjectBatch {
		return p.batches.Put(ctx, o)
	}
	return p.Place.Put(ctx, o)
}

// Update implements kept.Place.
func (p batchesApart) Update(ctx context.Context, id string, change func(o *store.Object) error) (*store.Object, error) {
	if !batchID(id) {
		return p.Place.Update(ctx, id, change)
	}
	o, err := p.batches.Update(ctx, id, change)
	if errors.Is(err, store.ErrNotFound) {
		return p.Place.Update(ctx, id, change)
	}
	return o, err
}

// Delete implements kept.Place.
func (p batchesApart) Delete(ctx context.Context, id string) error {
	if batchID(id) {
		if err := p.batches.Delete(ctx, id); !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return p.Place.Delete(ctx, id)
}

func batchID(id string) bool {
	_, ok := openai.ParseUnifiedBatch(id)
	return ok
}
