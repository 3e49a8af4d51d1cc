package wasm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// instance is one running copy of a module. One goroutine uses it at a time; the pool hands it over.
type instance struct {
	p    *Plugin
	ctx  context.Context // finds the instance from inside host functions
	mod  api.Module
	mem  api.Memory
	buf  api.Function
	run  api.Function
	args [3]uint64 // of run, and its result

	input uint32 // the guest's input buffer, and its size
	room  uint32

	clock   clock
	counted uint64 // quanta of the clock that are in the metrics
	output  [2]output
	calls   int

	// During a call: the exchange that host functions may read, and who reads.
	x    *llm.Exchange
	hook abi.Hook

	// During a call too: who waits for it, and what it asked of the network.
	caller  context.Context
	last    abi.Hook // the hook called last
	failed  bool     // that call failed, and is counted as such
	gone    bool     // its caller left
	trial   bool     // it decides about the pool's circuit
	size    uint32   // of its memory, as counted
	fetches *fetches
	handle  int32 // of the fetch begun last

	view     []byte        // what is handed to the guest
	page     *byte         // the guest's input buffer, while a view is made there
	segments []openai.Text // the texts in view
	scratch  []byte        // unescaped text for a host function
	answer   []byte        // in the response hook: the answer that host functions may read
	answers  []openai.AnswerText
	media    []openai.MediaPart // during a call: the media in view, nil if the plugin is shown none

	background bool        // it works off the path of requests, within other limits
	doc        *llm.Object // what host functions read in place of the request's body, if it is set
}

// instanceKey finds the instance in its own context.
type instanceKey struct{}

// instanceContext is a context that carries its instance without allocating at every call.
type instanceContext struct {
	context.Context
	in *instance
}

// Value implements context.Context. The runtime asks for values of its own when it makes the instance, and in every call
// for one that is never there.
func (c *instanceContext) Value(key any) any {
	if _, ok := key.(instanceKey); ok {
		return c.in
	}
	if c.in.mod != nil {
		return nil
	}
	return c.Context.Value(key)
}

// start makes an instance and configures it.
func (p *Plugin) start(ctx context.Context) (*instance, error) {
	in, err := p.instantiate(ctx)
	if errors.Is(err, ErrCPU) || errors.Is(err, ErrWall) {
		return nil, fmt.Errorf("the plugin takes more than %v to start and read its config: %w", p.limits.Start, ErrCPU)
	}
	return in, err
}

func (p *Plugin) instantiate(ctx context.Context) (*instance, error) {
	in := &instance{p: p}
	in.ctx = &instanceContext{withMemory(ctx, uint64(p.limits.MemoryMB)<<20), in}
	in.output = [2]output{{level: slog.LevelInfo}, {level: slog.LevelWarn, guarded: !p.stderr}}
	in.clock.now = p.now
	in.clock.reset(p.limits.Start, 4*p.limits.Start)
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	mod, err := p.runtime.InstantiateModule(in.ctx, p.compiled, config)
	if err != nil {
		return nil, in.explain("start", err)
	}
	in.mod, in.mem = mod, mod.Memory()
	p.stats.instances.Add(1)
	in.buf, in.run = mod.ExportedFunction(abi.BufFunc), mod.ExportedFunction(abi.CallFunc)
	if err := in.configure(); err != nil {
		in.close()
		return nil, err
	}
	in.counted = in.clock.ticks
	return in, nil
}

func (in *instance) configure() error {
	if init := in.mod.ExportedFunction(abi.InitFunc); init != nil {
		if err := init.CallWithStack(in.ctx, nil); err != nil {
			return in.explain(abi.InitFunc, err)
		}
	}
	out, err := in.send(abi.HookConfigure, in.p.configure)
	if err != nil {
		return err
	}
	verdict, reason, err := outcome(out)
	switch {
	case err != nil:
		return fmt.Errorf("configure: %w", err)
	case verdict == abi.VerdictFail:
		return fmt.Errorf("the plugin refuses its config: %s", reason)
	case verdict != abi.VerdictContinue:
		return fmt.Errorf("%w: configure: verdict %d", ErrResult, verdict)
	}
	return nil
}

// call runs a hook on a view and returns its result, borrowed from the guest's memory until the next call, or nil for
// "continue, nothing changed". After an error the instance must be discarded.
func (in *instance) call(hook abi.Hook, view []byte, x *llm.Exchange) ([]byte, error) {
	in.clock.reset(in.bounds())
	in.x, in.hook = x, hook
	in.calls++
	in.last, in.failed, in.gone = hook, false, false
	in.begin()
	out, err := in.send(hook, view)
	in.count(hook, out, err)
	in.x, in.hook = nil, 0
	in.closeBlobs()
	if in.p.trace != nil {
		in.p.trace(Traced{Hook: hook, View: view, Result: out, Err: err})
	}
	return out, err
}

func (in *instance) send(hook abi.Hook, view []byte) ([]byte, error) {
	if err := in.reserve(len(view)); err != nil {
		return nil, err
	}
	there := in.page != nil && len(view) > 0 && &view[0] == in.page
	in.page = nil
	if !there && !in.mem.Write(in.input, view) {
		return nil, fmt.Errorf("%w: the address that %s returned is outside of memory", ErrResult, abi.BufFunc)
	}
	in.args = [3]uint64{uint64(hook), uint64(in.input), uint64(len(view))}
	if err := in.run.CallWithStack(in.ctx, in.args[:]); err != nil {
		return nil, in.explain(hook.String(), err)
	}
	if in.args[0] == 0 {
		return nil, nil
	}
	ptr, n := uint32(in.args[0]>>32), uint32(in.args[0])
	if n > abi.MaxResult {
		return nil, fmt.Errorf("%w: a result of %d bytes, at most %d are allowed", ErrResult, n, abi.MaxResult)
	}
	out, ok := in.mem.Read(ptr, n)
	if !ok || n == 0 {
		return nil, fmt.Errorf("%w: the result is outside of memory or empty", ErrResult)
	}
	in.p.rights.blank(out)
	return out, nil
}

// blank returns where the view of the next call is to be made: the guest's own buffer, which saves a copy, or another
// place as long as there is none. A view that outgrows it lands elsewhere, as append does it, and is copied by send.
func (in *instance) blank() []byte {
	in.page = nil
	if in.input == 0 || in.p.trace != nil { // a trace is shown the view after the guest may have changed it
		return in.view[:0]
	}
	b, ok := in.mem.Read(in.input, in.room)
	if !ok {
		return in.view[:0]
	}
	in.page = &b[0]
	return b[:0]
}

// reserve makes sure that the guest's input buffer takes n bytes. It grows by powers of two, so that it seldom does.
func (in *instance) reserve(n int) error {
	if uint32(n) <= in.room && in.input != 0 {
		return nil
	}
	size := uint32(4 << 10)
	for size < uint32(n) {
		size *= 2
	}
	in.args[0] = uint64(size)
	if err := in.buf.CallWithStack(in.ctx, in.args[:1]); err != nil {
		return in.explain(abi.BufFunc, err)
	}
	in.input, in.room = uint32(in.args[0]), size
	if in.input == 0 {
		return fmt.Errorf("%w: %s has no room for %d bytes", ErrResult, abi.BufFunc, size)
	}
	return nil
}

// worn reports whether the instance should be replaced: its memory never shrinks.
func (in *instance) worn() bool {
	size := in.mem.Size()
	in.measure(size)
	return in.calls >= in.p.limits.Calls || int(size) >= in.p.limits.RecycleMB<<20
}

func (in *instance) close() {
	in.output[0].end(in)
	in.output[1].end(in)
	in.measure(0)
	if in.mod != nil {
		in.p.stats.instances.Add(-1)
		_ = in.mod.Close(in.ctx) // it has nothing that could fail to close
	}
}

// explain turns what the runtime says about a call that ended badly into an error of this package.
func (in *instance) explain(what string, err error) error {
	switch {
	case errors.Is(err, ErrCPU):
		return fmt.Errorf("%s: %w: it may take %v (limits.cpu_ms)", what, ErrCPU, in.clock.cpu)
	case errors.Is(err, ErrWall):
		return fmt.Errorf("%s: %w: it may take %v (limits.wall_ms)", what, ErrWall, in.clock.wall)
	case errors.Is(err, ErrDepth):
		return fmt.Errorf("%s: %w: %d calls in progress are allowed", what, ErrDepth, in.p.limits.Depth)
	}
	var gone *goneError
	if errors.As(err, &gone) {
		in.gone = true
		return fmt.Errorf("%s: %w", what, gone)
	}
	var exit *sys.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%s: %w: it left with exit status %d", what, ErrTrap, exit.ExitCode())
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "wasm error: "), "\n")
	if in.mem != nil && int(in.mem.Size()) >= in.p.limits.MemoryMB<<20/8*7 {
		text += "; its memory is nearly at limits.memory_mb (" + strconv.Itoa(in.p.limits.MemoryMB) + ")"
	}
	return fmt.Errorf("%s: %w: %s", what, ErrTrap, text)
}
