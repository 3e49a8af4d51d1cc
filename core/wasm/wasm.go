// Package wasm runs plugins: WebAssembly modules that speak ABI 1 (sdk/abi) as authenticators and guardrails. It loads
// and checks a module, meters it, keeps a pool of instances, and turns what a hook decides into the contracts of auth
// and pipeline. It is the only package that knows the WebAssembly runtime.
//
// A plugin can read what the ABI hands it and nothing else: no files, no environment, no network. It is stopped when it
// uses more CPU time, wall time, memory or stack than it was given, without holding up other goroutines. A hook that
// failed never counts as one that had nothing to say.
package wasm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Why a call of a plugin failed, for errors.Is. Every one of them discards the instance except ErrBusy and ErrClosed.
var (
	// ErrCPU: the hook used more CPU time than Limits.CPU.
	ErrCPU = errors.New("the plugin used up its CPU time")
	// ErrWall: the hook took longer than Limits.Wall.
	ErrWall = errors.New("the plugin used up its time")
	// ErrDepth: the hook recursed too deep.
	ErrDepth = errors.New("the plugin recursed too deep")
	// ErrTrap: the module trapped or left through exit.
	ErrTrap = errors.New("the plugin crashed")
	// ErrResult: the plugin broke the ABI.
	ErrResult = errors.New("the plugin broke the plugin interface")
	// ErrVerdict: the plugin said itself that it could not do its work.
	ErrVerdict = errors.New("the plugin reported a failure")
	// ErrSize: the request is too large to be handed to the plugin.
	ErrSize = errors.New("the request is too large for the plugin (limits.memory_mb)")
	// ErrBusy: no instance became free in time.
	ErrBusy = errors.New("all instances of the plugin were busy")
	// ErrClosed: the plugin was closed.
	ErrClosed = errors.New("the plugin was closed")
)

// OnError says what happens to a request when a plugin failed. The zero value refuses it.
type OnError uint8

// The policies.
const (
	FailClosed OnError = iota // the request is refused
	FailOpen                  // the request goes on as if the plugin had no opinion, and a warning is logged
)

// Settings describe one plugin of the configuration.
type Settings struct {
	Name   string         // in messages and logs; empty takes the manifest's
	Path   string         // of the .wasm file
	SHA256 string         // the file's hash in hex; empty accepts any file
	Config map[string]any // handed to the plugin's configure hook
	Limits Limits
	Grants Grants
	// Secret returns the value of a secret that Grants names; nil has none.
	Secret func(name string) (string, bool)
	// Transport sends the plugin's HTTP requests in tests; nil is the network, with checks of every address.
	Transport http.RoundTripper
	OnError   OnError
	Logger    *slog.Logger // for the plugin's own lines and for warnings; nil discards them
	CacheDir  string       // for compiled modules; empty is sallyport in the user's cache folder
	NoCache   bool         // compile afresh and keep nothing on disk
	LogPerSec int          // lines a second that the plugin may log; 0 is 100
	Secrets   []string     // headers, besides the usual ones, that carry credentials: only the auth hook reads them
	Stderr    bool         // log all that the plugin writes to standard error, prompts in it too: for authors' tools
	Trace     func(Traced) // sees every call of a hook, with prompts and keys: for tests and authors' tools; nil for none
}

// Limits bound a plugin. Zero values take the default.
type Limits struct {
	MemoryMB  int           // linear memory of one instance; 32
	CPU       time.Duration // CPU time of one call; 50 ms
	Wall      time.Duration // time of one call, waiting included; 1 s, with HTTP 5 s
	Start     time.Duration // CPU time to start and configure an instance; 5 s
	Depth     int           // calls in progress; 4000
	Instances int           // calls at the same time; twice GOMAXPROCS, at least 4, with HTTP 64
	Wait      time.Duration // for a free instance; 5 s
	Calls     int           // after which an instance is replaced; 1 000 000
	RecycleMB int           // memory at which an instance is replaced; three quarters of MemoryMB

	BackgroundCPU  time.Duration // CPU time of one call of the hooks log and tick; 1 s, or CPU if that is more
	BackgroundWall time.Duration // time of one call of the hooks log and tick; 30 s, or Wall if that is more
}

// withDefaults fills in what is not set. A plugin that sends requests spends its time waiting: it gets more of it, and
// more instances, so that slow answers do not keep other callers from theirs.
func (l Limits) withDefaults(http bool) Limits {
	if http {
		l.Wall = otherwise(l.Wall, 5*time.Second)
		l.Instances = otherwise(l.Instances, 64)
	}
	l.MemoryMB = otherwise(l.MemoryMB, 32)
	l.CPU = otherwise(l.CPU, 50*time.Millisecond)
	l.Wall = otherwise(l.Wall, time.Second)
	l.Start = otherwise(l.Start, 5*time.Second)
	l.Depth = otherwise(l.Depth, 4000)
	l.Instances = otherwise(l.Instances, max(4, 2*runtime.GOMAXPROCS(0)))
	l.Wait = otherwise(l.Wait, 5*time.Second)
	l.Calls = otherwise(l.Calls, 1_000_000)
	l.RecycleMB = otherwise(l.RecycleMB, max(1, l.MemoryMB*3/4))
	l.BackgroundCPU = otherwise(l.BackgroundCPU, max(time.Second, l.CPU))
	l.BackgroundWall = otherwise(l.BackgroundWall, max(30*time.Second, l.Wall))
	return l
}

func otherwise[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// check refuses limits that cannot be meant.
func (l Limits) check() error {
	low := func(name string, v, least int64) error {
		if v >= least {
			return nil
		}
		return fmt.Errorf("limits.%s is %d: it must be at least %d", name, v, least)
	}
	if l.MemoryMB > maxMemoryMB {
		return fmt.Errorf("limits.memory_mb is %d: it can be at most %d", l.MemoryMB, maxMemoryMB)
	}
	return errors.Join(
		low("memory_mb", int64(l.MemoryMB), 1), low("cpu_ms", l.CPU.Milliseconds(), 1), low("wall_ms", l.Wall.Milliseconds(), 1),
		low("start", int64(l.Start), 1), low("depth", int64(l.Depth), 1), low("instances", int64(l.Instances), 1),
		low("wait", int64(l.Wait), 0), low("calls", int64(l.Calls), 1), low("recycle_mb", int64(l.RecycleMB), 1),
		low("background_cpu", int64(l.BackgroundCPU), 1), low("background_wall", int64(l.BackgroundWall), 1),
	)
}

// maxMemoryMB is below 4 GB, where sizes no longer fit in 32 bits.
const maxMemoryMB = 4095

// maxView is how many bytes of a request one call hands over: a quarter of the memory, so that the plugin has room to
// work on them.
func (l Limits) maxView() int { return l.MemoryMB << 20 / 4 }

// Plugin is a loaded module with its pool of instances: one generation. It is safe for concurrent use. A reload loads
// another one and closes this.
type Plugin struct {
	name     string
	sum      string // SHA-256 of the file in hex
	manifest Manifest
	limits   Limits
	onError  OnError
	log      *slog.Logger
	lines    lineLimit
	secrets  []string
	trace    func(Traced)
	stderr   bool
	unheard  sync.Once // says that standard error is not logged

	runtime   wazero.Runtime
	cache     wazero.CompilationCache
	compiled  wazero.CompiledModule
	configure []byte // the view of the configure hook
	epoch     time.Time
	rights    rights
	web       *web // nil without a grant
	host      *Host
	store     Store
	stats     *stats
	id        string // see identity; the host's lock guards it and users
	users     int
	pool      pool
	closed    atomic.Bool

	logging, ticking *lane
	beat             beat
}

// Name returns the plugin's name as given in Settings, or else the manifest's.
func (p *Plugin) Name() string { return p.name }

// Manifest returns what the plugin says of itself.
func (p *Plugin) Manifest() Manifest { return p.manifest }

// Media reports whether the plugin wants to be told of what is no text.
func (p *Plugin) Media() bool { return p.manifest.needs().media }

// Hooks returns the hooks that the plugin has.
func (p *Plugin) Hooks() []abi.Hook { return p.manifest.hooks() }

// Has reports whether the plugin has the hook.
func (p *Plugin) Has(hook abi.Hook) bool {
	for _, h := range p.manifest.hooks() {
		if h == hook {
			return true
		}
	}
	return false
}

// Close undoes one Load. The last one refuses further calls, waits for those in progress, and frees everything. When ctx ends first, it returns its
// error and frees nothing; Close can then be called again. Close is for when no request can reach the plugin any more:
// a call that comes later fails with ErrClosed and is treated by the OnError policy.
func (p *Plugin) Close(ctx context.Context) error {
	if !p.host.leave(p) {
		return nil
	}
	if err := p.beat.end(ctx); err != nil {
		return err
	}
	if err := p.pool.drain(ctx); err != nil {
		return err
	}
	if err := errors.Join(p.logging.close(ctx), p.ticking.close(ctx)); err != nil {
		return err
	}
	if p.closed.Swap(true) {
		return nil
	}
	return p.free(context.WithoutCancel(ctx))
}

// free closes what Load opened, whatever part of it exists.
func (p *Plugin) free(ctx context.Context) error {
	p.web.close()
	var errs []error
	if p.runtime != nil {
		errs = append(errs, p.runtime.Close(ctx))
	}
	if p.cache != nil {
		errs = append(errs, p.cache.Close(ctx))
	}
	return errors.Join(errs...)
}

// now is monotonic time since the plugin was loaded.
func (p *Plugin) now() time.Duration { return time.Since(p.epoch) }
