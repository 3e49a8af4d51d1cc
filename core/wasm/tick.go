package wasm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// minTick is the least time between two ticks.
const minTick = time.Second

// checkTick compares tick_seconds with the hooks.
func (m *Manifest) checkTick() error {
	has := false
	for _, name := range m.Hooks {
		has = has || name == abi.HookTick.String()
	}
	switch {
	case m.TickSeconds != 0 && !has:
		return errors.New(`manifest: "tick_seconds" is for the hook tick, which the plugin does not have`)
	case m.TickSeconds != 0 && (m.TickSeconds < minTick.Seconds() || m.TickSeconds > 86400):
		return fmt.Errorf(`manifest: "tick_seconds" is %v: it must be between 1 and 86400`, m.TickSeconds)
	}
	return nil
}

// beat is the loop that ticks.
type beat struct {
	mu    sync.Mutex
	every time.Duration
	stop  context.CancelFunc // nil while there is no loop
	done  chan struct{}
}

// StartTicks has the tick hook run every so often, on an instance of its own, for the first time once that time has
// passed, until the plugin is closed. 0 takes the manifest's tick_seconds. Two ticks never run at once: one that takes
// longer than the interval delays the next. A failure is logged and does not end the ticks. A plugin that a reload kept
// ticks on; only another interval begins anew. The error says that the interval or the hook is missing.
func (p *Plugin) StartTicks(every time.Duration) error {
	if every == 0 {
		every = time.Duration(p.manifest.TickSeconds * float64(time.Second))
	}
	switch {
	case !p.Has(abi.HookTick):
		return errors.New("the plugin has no tick hook")
	case every == 0:
		return errors.New(`the plugin's manifest has no "tick_seconds": set tick_seconds in the configuration`)
	case every < minTick:
		return fmt.Errorf("tick_seconds is %v: it must be at least 1", every.Seconds())
	}
	b := &p.beat
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stop != nil && b.every == every {
		return nil
	}
	if b.stop != nil {
		b.stop()
		<-b.done
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	b.every, b.stop, b.done = every, stop, done
	go func() {
		defer close(done)
		p.ticks(ctx, every)
	}()
	return nil
}

// end stops the loop and waits for the tick under way.
func (b *beat) end(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stop == nil {
		return nil
	}
	b.stop()
	select {
	case <-b.done:
		b.stop = nil
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *Plugin) ticks(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := p.Tick(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn("the tick hook failed", "error", err)
		}
	}
}

// Tick runs the tick hook once.
func (p *Plugin) Tick(ctx context.Context) error {
	return p.behind(ctx, p.ticking, func(in *instance) error {
		in.view = abi.AppendNumber(in.view[:0], abi.TagStart, uint64(time.Now().UnixMicro()))
		out, err := in.slow(abi.HookTick, in.view, nil)
		if out == nil || err != nil {
			return err
		}
		res, err := readResult(out, 0)
		if err == nil && res.verdict != abi.VerdictContinue {
			return broken("verdict %d of the tick hook", res.verdict)
		}
		return err
	})
}
