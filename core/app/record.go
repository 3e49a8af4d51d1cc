package app

import (
	"context"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/core/callback"
	"github.com/sallyport-ai/sallyport/core/callback/printer"
	"github.com/sallyport-ai/sallyport/core/gateway"
)

// recorder makes what exchanges are reported to, and a func that stops it once everything is written. Both are nothing
// while there is no sink.
func (b *builder) recorder() (gateway.Recorder, func()) {
	var queues []*callback.Queue
	add := func(name string, sink callback.Sink) {
		queues = append(queues, callback.NewQueue(callback.Settings{Name: name, Sink: sink, Logger: b.log, Age: 200 * time.Millisecond}))
	}
	if b.cfg.Variables.PrintStandardLoggingPayload {
		add("printer", printer.New(b.opts.Out, false))
	}
	if sink := b.prometheus(); sink != nil {
		add("prometheus", sink)
	}
	front, rest := b.sinks.queues(b.log)
	open := slices.Concat(queues, rest)
	if open == nil {
		return nil, func() {}
	}
	stop := func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeWait)
		defer cancel()
		for _, q := range open {
			if err := q.Close(ctx); err != nil {
				b.log.Warn("records were not written", "error", err)
			}
		}
	}
	r := callback.NewRecorder(b.sinks.content, append(queues, front...)...)
	if len(b.sinks.guards) > 0 {
		r.Mark(b.sinks.mark)
	}
	return r, stop
}
