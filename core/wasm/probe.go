package wasm

import (
	"bytes"
	"context"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Traced is one call of a hook as Settings.Trace sees it. The bytes are borrowed until Trace returns.
type Traced struct {
	Hook   abi.Hook
	View   []byte
	Result []byte // nil for "continue, nothing changed"
	Err    error
}

// Probe runs hooks on views that its caller made, with the plugin's limits and without what the gateway does to a
// result. It holds one instance. It is for conformance kits and authors' tools, and for one goroutine.
type Probe struct {
	p  *Plugin
	in *instance
}

// Probe takes an instance out of the pool until Close.
func (p *Plugin) Probe(ctx context.Context) (*Probe, error) {
	in, err := p.pool.get(ctx)
	if err != nil {
		return nil, err
	}
	return &Probe{p, in}, nil
}

// Call runs a hook on a view. x is what host functions may read, or nil. The result is the caller's; it is nil for
// "continue, nothing changed". After an error the probe goes on with a fresh instance.
func (b *Probe) Call(ctx context.Context, hook abi.Hook, view []byte, x *llm.Exchange) ([]byte, error) {
	if b.in == nil {
		in, err := b.p.pool.get(ctx)
		if err != nil {
			return nil, err
		}
		b.in = in
	}
	if len(view) > b.p.limits.maxView() {
		return nil, ErrSize
	}
	out, err := b.in.call(hook, view, x)
	if err != nil {
		b.p.pool.discard(b.in)
		b.in = nil
		return nil, err
	}
	return bytes.Clone(out), nil
}

// Usage is what an instance used since it was started.
type Usage struct {
	Units  uint64 // of metering: loop iterations and calls of functions that call others, to within one quantum of 10,000
	Memory int    // bytes of linear memory
}

// Usage returns what the instance used. After an error it is zero, until the next call.
func (b *Probe) Usage() Usage {
	if b.in == nil {
		return Usage{}
	}
	return Usage{Units: b.in.clock.ticks * quantum, Memory: int(b.in.mem.Size())}
}

// Close gives the instance back.
func (b *Probe) Close() {
	if b.in != nil {
		b.p.pool.put(b.in)
		b.in = nil
	}
}

// Check says what keeps a module from being loaded, as far as that shows without running it: its form, exports,
// imports and manifest.
func Check(module []byte) error {
	if err := checkModule(module); err != nil {
		return err
	}
	_, err := ReadManifest(module)
	return err
}
