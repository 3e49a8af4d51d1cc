package app

import (
	"context"
	"time"

	"github.com/sallyport-ai/sallyport/core/callback"
	"github.com/sallyport-ai/sallyport/core/callback/printer"
	"github.com/sallyport-ai/sallyport/core/gateway"
)

// recorder makes what exchanges are reported to, and a func that stops it once everything is written. Both are nothing
// while there is no sink.
func (b *builder) recorder() (gateway.Recorder, func()) {
	if !b.cfg.Variables.PrintStandardLoggingPayload {
		return nil, func() {}
	}
	q := callback.NewQueue(callback.Settings{Name: "printer", Sink: printer.New(b.opts.Out, false), Logger: b.log, Age: 200 * time.Millisecond})
	stop := func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeWait)
		defer cancel()
		if err := q.Close(ctx); err != nil {
			b.log.Warn("records were not written", "error", err)
		}
	}
	return callback.NewRecorder(false, q), stop
}
