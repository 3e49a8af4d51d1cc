package wasm

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// lane is an instance apart from the pool, for a hook that runs off the path of requests. One call is under way at a
// time; the others wait in line. The instance is made when it is first needed.
type lane struct {
	turn chan struct{} // holds one token while nobody is at work
	in   *instance     // belongs to whoever has the token
	gone bool          // the plugin was closed; likewise
}

func newLane() *lane {
	l := &lane{turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

// behind runs a hook in a lane, within the limits for work in the background. read is given the result, borrowed until
// it returns, or nil; what it returns is returned. After any error but those that say the instance is well, the next
// call has a fresh one.
func (p *Plugin) behind(ctx context.Context, l *lane, run func(in *instance) error) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { l.turn <- struct{}{} }()
	if l.gone {
		return ErrClosed
	}
	if l.in == nil {
		in, err := p.start(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		l.in = in
	}
	l.in.caller = ctx
	err := run(l.in)
	l.in.caller = nil
	if l.in.worn() || err != nil && !unharmed(err) {
		l.in.close()
		l.in = nil
	}
	return err
}

// unharmed reports whether an instance may go on after an error.
func unharmed(err error) bool {
	var refused *llm.Error
	return errors.Is(err, ErrSize) || errors.Is(err, ErrVerdict) || errors.As(err, &refused)
}

// close waits for the call under way and frees the instance.
func (l *lane) close(ctx context.Context) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { l.turn <- struct{}{} }()
	l.gone = true
	if l.in != nil {
		l.in.close()
		l.in = nil
	}
	return nil
}

// slow is call, within the limits for work in the background.
func (in *instance) slow(hook abi.Hook, view []byte, x *llm.Exchange) ([]byte, error) {
	in.background = true
	out, err := in.call(hook, view, x)
	in.background = false
	return out, err
}

// bounds are the limits of the next call.
func (in *instance) bounds() (cpu, wall time.Duration) {
	if in.background {
		return in.p.limits.BackgroundCPU, in.p.limits.BackgroundWall
	}
	return in.p.limits.CPU, in.p.limits.Wall
}
