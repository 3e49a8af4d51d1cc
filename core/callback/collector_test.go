package callback_test

import (
	"context"

	"github.com/sallyport-ai/sallyport/core/callback"
)

// collector is a sink that keeps everything.
type collector []callback.Record

func (c *collector) Write(_ context.Context, batch []callback.Record) error {
	*c = append(*c, batch...)
	return nil
}
