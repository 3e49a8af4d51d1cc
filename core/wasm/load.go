package wasm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/sallyport-ai/sallyport/core/meter"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// maxModule is the most bytes a module file may have.
const maxModule = 64 << 20

// Load reads, checks, meters and compiles a plugin, starts one instance and configures it. An error names the file and
// what to do. Compiling a Go plugin takes up to a second the first time, some 30 ms from the cache.
func Load(ctx context.Context, s Settings) (*Plugin, error) {
	h, err := NewHost(nil, nil)
	if err != nil {
		return nil, err
	}
	return h.Load(ctx, s)
}

func load(ctx context.Context, s Settings, module []byte, h *Host) (p *Plugin, err error) {
	if err := checkModule(module); err != nil {
		return nil, err
	}
	manifest, err := ReadManifest(module)
	if err != nil {
		return nil, err
	}
	rights, err := newRights(&manifest, &s)
	if err != nil {
		return nil, err
	}
	limits := s.Limits.withDefaults(rights.http)
	if err := limits.check(); err != nil {
		return nil, err
	}
	if err := manifest.checkLimits(limits); err != nil {
		return nil, err
	}
	if err := checkMemory(module, limits.MemoryMB); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(module)
	p = &Plugin{sum: hex.EncodeToString(sum[:]), name: otherwise(s.Name, manifest.Name), manifest: manifest, limits: limits, onError: s.OnError, log: s.Logger, secrets: s.Secrets, trace: s.Trace, stderr: s.Stderr}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.log = p.log.With("plugin", p.name)
	p.host, p.store, p.stats = h, h.store, h.counts(p.name)
	if p.rights = rights; rights.http {
		p.web = newWeb(&p.rights, p.stats, s.Transport, nil)
	}
	p.epoch, p.lines.perSecond = time.Now(), otherwise(s.LogPerSec, 100)
	p.logging, p.ticking = newLane(), newLane()
	if p.configure, err = p.configureView(s.Config); err != nil {
		return nil, err
	}
	if err = p.prepare(ctx, module, s); err != nil {
		return nil, errors.Join(err, p.free(context.WithoutCancel(ctx)))
	}
	return p, nil
}

// prepare compiles the module and starts the first instance.
func (p *Plugin) prepare(ctx context.Context, module []byte, s Settings) error {
	metered, err := meter.Rewrite(module, meter.Options{
		TickModule: meterModule, TickName: tickFunc, DeepName: deepFunc, Quantum: quantum, MaxDepth: int32(min(p.limits.Depth, 1<<20)),
	})
	if err != nil {
		return err
	}
	pages := uint32(p.limits.MemoryMB) << 4
	config := wazero.NewRuntimeConfig().WithMemoryLimitPages(pages).WithDebugInfoEnabled(false)
	if p.cache = p.openCache(s); p.cache != nil {
		config = config.WithCompilationCache(p.cache)
	}
	p.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	if err := p.hostModules(ctx); err != nil {
		return err
	}
	if p.compiled, err = p.compile(ctx, metered); err != nil {
		return err
	}
	p.pool.init(p.limits, func() (*instance, error) { return p.start(context.WithoutCancel(ctx)) })
	p.pool.stats = p.stats
	p.pool.circuit = circuit{now: p.now, log: p.log, stats: p.stats}
	in, err := p.pool.get(ctx)
	if err != nil {
		return err
	}
	p.pool.put(in)
	return nil
}

func (p *Plugin) compile(ctx context.Context, module []byte) (m wazero.CompiledModule, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("compile: the runtime gave up on the module: %v", r)
		}
	}()
	ctx = experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0))
	if m, err = p.runtime.CompileModule(ctx, module); err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	return m, nil
}

func readModule(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("there is no such file: sallyport plugin build makes it; a path counts from the folder of the configuration")
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	module, err := io.ReadAll(io.LimitReader(f, maxModule+1))
	if err != nil {
		return nil, err
	}
	if len(module) > maxModule {
		return nil, fmt.Errorf("the file is larger than %d MB", maxModule>>20)
	}
	return module, nil
}

func checkPin(module []byte, pin string) error {
	if pin == "" {
		return nil
	}
	sum := sha256.Sum256(module)
	if got := hex.EncodeToString(sum[:]); !strings.EqualFold(got, pin) {
		return fmt.Errorf("the file's SHA-256 is %s, sha256 in the configuration is %s: the file was replaced, or the setting is out of date", got, pin)
	}
	return nil
}

// configureView is what the configure hook of every instance is given.
func (p *Plugin) configureView(config map[string]any) ([]byte, error) {
	text, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if config == nil {
		text = []byte("{}")
	}
	b := abi.AppendNumber(nil, abi.TagMinor, abi.Minor)
	b = abi.AppendText(b, abi.TagName, p.name)
	for _, h := range p.manifest.hooks() {
		b = abi.AppendNumber(b, abi.TagHook, uint64(h))
	}
	if b, err = abi.AppendMap(b, abi.TagConfig, config); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return abi.AppendText(b, abi.TagConfigJSON, text), nil
}
