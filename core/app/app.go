// Package app assembles a gateway from a configuration, serves it, loads the configuration again while requests are
// under way, and stops it without dropping one. It is the only package that names every implementation.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/admin/login"
	"github.com/sallyport-ai/sallyport/core/gateway"
	"github.com/sallyport-ai/sallyport/core/listener"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/router"
	"github.com/sallyport-ai/sallyport/core/telemetry"
	"github.com/sallyport-ai/sallyport/core/upstream"
)

// Options say what to run. They come from the command line.
type Options struct {
	Config string            // path of the configuration; empty takes CONFIG_FILE_PATH
	Model  config.ModelFlags // a single model in place of a file
	Host   string            // empty takes HOST, then 0.0.0.0
	Port   int               // 0 takes PORT, then 4000

	Debug         bool // log at info level
	DetailedDebug bool // log at debug level

	TLSCert, TLSKey string        // PEM files for HTTPS; both or neither
	Grace           time.Duration // how long Stop waits for requests under way; 0 takes 30 s

	// For tests. The zero values are those of a real process.
	Environ     []string  // NAME=value pairs; nil takes the process's environment
	Dir         string    // where .env is looked for; empty is the working directory
	Log         io.Writer // where log lines go; nil takes standard error
	Out         io.Writer // where records are printed that are asked for; nil takes standard output
	Upstream    upstream.Settings
	LoginClient *http.Client // asks identity providers; nil takes one of its own
}

const defaultGrace = 30 * time.Second

// Version is the release, or the commit, that the program was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "0.1.0-dev"
	}
	return info.Main.Version
}

// App is a gateway made from one configuration after another.
type App struct {
	opts     Options
	log      *slog.Logger
	level    *telemetry.Logger
	states   *router.States
	upstream *upstream.Client
	opened   string // key of the network that upstream uses
	gateway  *gateway.Gateway
	server   *listener.Server
	plugins  // what outlives a reload of the plugins
	memory   // what the gateway knows
	answers  heldAnswers
	checks   *checks

	failures      failures      // of calls in this minute, by model group
	due           chan struct{} // a budget's period may be over
	deaf          atomic.Bool   // changes in the database are not heard of
	modelsChanged func(context.Context)
	later         context.CancelFunc

	mu      sync.Mutex     // one Load at a time
	costMap costMap        // of the last configuration
	clouds  clouds         // credentials of Amazon and Azure
	closing sync.WaitGroup // snapshots that are being closed
	current atomic.Pointer[loaded]
}

// New loads the configuration and assembles the gateway. It serves nothing yet. An error names every mistake with file
// and line, and how to mend it.
func New(ctx context.Context, o Options) (*App, error) {
	if o.Out == nil {
		o.Out = os.Stdout
	}
	a := &App{opts: o, states: router.NewStates(), upstream: upstream.New(o.Upstream), due: make(chan struct{}, 1)}
	a.modelsChanged = a.refresh
	a.replica = llm.NewID(time.Now()).String()
	a.checks = newChecks(a)
	cfg, err := a.read()
	if err != nil {
		return nil, err
	}
	a.startLog(cfg)
	a.startKept()
	if a.plugins, err = newPlugins(); err != nil {
		return nil, err
	}
	if err := a.startRedis(cfg); err != nil {
		return nil, err
	}
	if err := a.startDatabase(ctx, cfg); err != nil {
		a.closeRedis()
		return nil, err
	}
	next, err := a.assemble(ctx, cfg)
	if err != nil {
		a.closeDatabase()
		a.closeRedis()
		return nil, err
	}
	a.current.Store(next)
	a.gateway = gateway.New(a.upstream, next.snapshot)
	if db := a.db.Load(); db != nil {
		a.startJobs(db)
	}
	background, stop := context.WithCancel(context.Background())
	a.later = stop
	go a.connectLater(background)
	go a.forgetIdle(background)
	a.checks.start()
	tlsConfig, err := loadTLS(o.TLSCert, o.TLSKey)
	if err != nil {
		return nil, err
	}
	a.server, err = listener.New(listener.Settings{
		Kept: a.objects, Ownership: a.ownership, Managed: a.canManage, Payer: payer{a},
		Gateway: a.gateway, Logger: a.log, Version: Version(), RootPath: cfg.Variables.ServerRootPath, TLS: tlsConfig,
		Status: a.status, Metrics: a.metricsPage, Manager: managers{modelRoutes{a}, cacheRoutes{a}, newManagement(a), loginRoutes{a, login.NewMemory()}, pluginRoutes{a}, healthRoutes{a}}, Count: a.count,
	})
	return a, err
}

// read loads the configuration from the file or the flags, and logs what it has to say short of mistakes.
func (a *App) read() (*config.Config, error) { return a.readWith(nil, false) }

// readWith is read with a document of settings from the database laid over the file. quiet logs nothing.
func (a *App) readWith(stored []byte, quiet bool) (*config.Config, error) {
	o := config.Options{Path: a.opts.Config, Dir: a.opts.Dir, Environ: a.opts.Environ, Stored: stored}
	var cfg *config.Config
	var report *config.Report
	var err error
	if a.opts.Model.Model != "" {
		cfg, report, err = config.ForModel(a.opts.Model, o)
	} else {
		cfg, report, err = config.Load(o)
	}
	if err != nil {
		return nil, err
	}
	if a.log == nil {
		a.startLog(cfg)
	}
	for _, e := range report.Entries {
		if e.Severity == config.Warning && !quiet {
			a.log.Warn("configuration", "at", e.Position().String(), "setting", e.Path, "problem", e.Message, "fix", e.Suggestion)
		}
	}
	return cfg, nil
}

// Reload reads the configuration again and swaps it in. If it cannot be used, the old one stays and the error says why.
func (a *App) Reload(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	cfg, err := a.read()
	if err != nil {
		return err
	}
	next, err := a.assemble(ctx, cfg)
	if err != nil {
		return err
	}
	a.startLog(next.cfg)
	a.current.Store(next)
	a.gateway.Swap(next.snapshot)
	a.keepStates(next)
	a.log.Info("configuration loaded", "models", len(next.router.Models(nil)), "deployments", len(next.deployments))
	return nil
}

// Settle waits until what was replaced and is used no more is closed: its records written, its plugins freed.
func (a *App) Settle() { a.closing.Wait() }

// Serve accepts connections until Stop.
func (a *App) Serve(ln net.Listener) error { return a.server.Serve(ln) }

// Stop lets requests under way end, for as long as the grace period, then cuts the rest short, and releases everything.
func (a *App) Stop() error {
	grace := a.opts.Grace
	if grace == 0 {
		grace = defaultGrace
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	cut, err := a.server.Shutdown(ctx)
	if cut > 0 {
		a.log.Warn("requests were cut short", "count", cut, "grace", grace.String())
	}
	a.later()
	a.checks.close()
	a.gateway.Swap(&gateway.Snapshot{})
	a.Settle()
	a.closeDatabase()
	a.closeRedis()
	a.upstream.Close()
	return err
}

// Files are the files the configuration came from.
func (a *App) Files() []string { return a.current.Load().cfg.Files() }

// address is where to listen: the flags, then the environment, then the default.
func (o Options) address(cfg *config.Config) string {
	v := cfg.Variables
	host, port := o.Host, o.Port
	if host == "" {
		host = v.Host
	}
	if host == "" {
		host = "0.0.0.0"
	}
	if port == 0 && v.Port != nil {
		port = *v.Port
	}
	if port == 0 {
		port = 4000
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// Listen opens the address the gateway serves on. An address that is taken is an error that says so: another port
// would be found by nobody.
func (a *App) Listen(ctx context.Context) (net.Listener, error) {
	addr := a.opts.address(a.current.Load().cfg)
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		if inUse(err) {
			return nil, fmt.Errorf("%s is in use by another program: stop it, or choose another port with --port", addr)
		}
		return nil, fmt.Errorf("cannot listen on %s: %w", addr, errors.Unwrap(err))
	}
	return ln, nil
}
