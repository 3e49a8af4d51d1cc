package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/auth/virtualkey"
	"github.com/sallyport-ai/sallyport/core/callback/spend"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/limit/shared"
	meeting "github.com/sallyport-ai/sallyport/core/router/shared"
	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/kept"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/postgres"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/sqlite"
)

// memory is what the gateway knows that outlives configurations: the database, the journal of spend, and what every
// scope has used.
type memory struct {
	registry llm.Registry
	opening  sync.Mutex // one at a time opens the database
	db       atomic.Pointer[database]
	wanted   atomic.Bool // a database is configured and not there yet
	keys     atomic.Pointer[keyring]
	replica  string           // names this process to the others
	shared   *shared.Counts   // nil without Redis
	routers  *meeting.Meeting // the same
	redis    redis.UniversalClient
	objects  *kept.Objects
}

// keyring is what one configuration remembers of the database's rows.
type keyring struct {
	keys      *virtualkey.Keys
	customers *virtualkey.Customers
	tags      *virtualkey.Tags
	named     *virtualkey.Named // nil without an auth plugin
	absent    bool              // the database is not there yet
}

// database is an open database with the journal in front of it.
type database struct {
	store.Store
	kind    string // sqlite or postgres
	journal *spend.Journal
	loader  *spend.Loader
	follow  *follow
	ctx     context.Context
	stop    context.CancelFunc
	jobs    sync.WaitGroup
}

// source says where the database is.
type source struct {
	kind string // "", "sqlite" or "postgres"
	url  string
	path string // of SQLite's file
	lazy bool   // nobody asked for a database: the file is made when the first thing is to be kept
}

const (
	stateName    = "sallyport"
	databaseFile = "sallyport.db"
	journalName  = "journal"
	noDatabase   = "none"

	connectPatience = 30 * time.Second // how long a start waits for the database
	connectPause    = 2 * time.Second
	closePatience   = 20 * time.Second // how long the end waits for what is to be written
)

// databaseSource finds the database of a configuration: general_settings.database_url, DATABASE_URL, an address made of
// the DATABASE_ parts, or a file in the state folder.
func databaseSource(cfg *config.Config) (source, error) {
	v := cfg.Variables
	url := cfg.GeneralSettings.DatabaseURL.Reveal()
	if url == "" {
		url = v.DatabaseURL.Reveal()
	}
	if url == "" && v.DatabaseHost != "" && v.DatabaseName != "" {
		user := v.DatabaseUsername
		if user == "" {
			user = v.DatabaseUser
		}
		made, err := postgres.Parts{
			Host: v.DatabaseHost, Port: v.DatabasePort, Name: v.DatabaseName, User: user, Password: v.DatabasePassword.Reveal(),
			Schema: v.DatabaseSchema,
		}.URL()
		if err != nil {
			return source{}, err
		}
		return source{kind: "postgres", url: made}, nil
	}
	scheme, rest, found := strings.Cut(url, "://")
	switch {
	case url == "":
		return source{kind: "sqlite", path: filepath.Join(stateDir(cfg), databaseFile), lazy: true}, nil
	case url == noDatabase:
		return source{}, nil
	case found && (scheme == "postgresql" || scheme == "postgres"):
		return source{kind: "postgres", url: url}, nil
	case found && scheme == "sqlite" && rest != "":
		return source{kind: "sqlite", path: rest}, nil
	}
	return source{}, errors.New("the address begins with postgresql:// or sqlite://, or is " + noDatabase)
}

// stateDir is the folder for what the gateway keeps on this machine: SALLYPORT_STATE_DIR, systemd's STATE_DIRECTORY, or
// the user's folder for such things.
func stateDir(cfg *config.Config) string {
	env := cfg.Env()
	if d := cfg.Variables.StateDir; d != "" {
		return d
	}
	if d, _, _ := strings.Cut(env.Get("STATE_DIRECTORY"), ":"); d != "" {
		return d
	}
	if d := env.Get("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, stateName)
	}
	if d := env.Get("HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, ".local", "state", stateName)
	}
	return filepath.Join("/var/lib", stateName)
}

// startDatabase opens the database at the start, unless nobody asked for one and there is no file of an earlier run.
func (a *App) startDatabase(ctx context.Context, cfg *config.Config) error {
	src, err := databaseSource(cfg)
	if err != nil {
		return fmt.Errorf("general_settings.database_url: %w", err)
	}
	if src.kind == "" {
		return nil
	}
	if src.lazy {
		if _, err := os.Stat(src.path); err != nil {
			return nil //nolint:nilerr // there is nothing yet
		}
	}
	deadline := time.Now().Add(connectPatience)
	for {
		db, err := a.openDatabase(ctx, cfg, src)
		if err == nil {
			a.db.Store(db)
			return nil
		}
		if !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		if cfg.GeneralSettings.AllowRequestsOnDBUnavailable {
			a.log.Error("the database cannot be reached; the gateway starts without it and tries again", "error", err)
			a.wanted.Store(true)
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: set general_settings.allow_requests_on_db_unavailable to start without it", err)
		}
		a.log.Warn("the database cannot be reached yet: it is tried again", "until", deadline.Format(time.TimeOnly), "error", err)
		select {
		case <-time.After(connectPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// openDatabase opens database and journal, and writes what earlier runs left in the journal.
func (a *App) openDatabase(ctx context.Context, cfg *config.Config, src source) (*database, error) {
	dir, err := a.makeStateDir(cfg, src)
	if err != nil {
		return nil, err
	}
	db := &database{kind: src.kind}
	if db.Store, err = a.openStore(ctx, cfg, src); err != nil {
		return nil, err
	}
	db.journal, err = spend.Open(filepath.Join(dir, journalName), spend.Options{Logger: a.log})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: set SALLYPORT_STATE_DIR to a folder that can be written", err), db.Store.Close())
	}
	db.loader = spend.NewLoader(spend.LoaderSettings{
		Store: db.Spend(), Journal: db.journal, Beside: filepath.Join(dir, journalName), Registry: &a.registry, URL: cfg.Variables.SpendLogsURL, Logger: a.log,
		Every: func() time.Duration {
			return secondsOr(a.currentConfig(cfg).GeneralSettings.ProxyBatchWriteAt, 10*time.Second)
		},
	})
	// What is not written is missing from the spend that keys are loaded with.
	if err := errors.Join(db.loader.Flush(ctx), db.loader.Recover(ctx)); err != nil {
		a.log.Error("spend of an earlier run was not written yet", "error", err)
	}
	db.ctx, db.stop = context.WithCancel(context.Background())
	db.follow = newFollow(db.Changes(), a.changed)
	return db, nil
}

// currentConfig is the configuration in force, or the one that is being loaded.
func (a *App) currentConfig(loading *config.Config) *config.Config {
	if l := a.current.Load(); l != nil {
		return l.cfg
	}
	return loading
}

// makeStateDir makes the folder for the journal: next to SQLite's file, or else the state folder. If the folder is one
// that nobody named and it cannot be made, a temporary one serves.
func (a *App) makeStateDir(cfg *config.Config, src source) (string, error) {
	dir := stateDir(cfg)
	if src.kind == "sqlite" {
		dir = filepath.Dir(src.path)
	}
	err := os.MkdirAll(dir, 0o700)
	if err == nil || src.kind == "sqlite" || cfg.Variables.StateDir != "" {
		return dir, err
	}
	other := filepath.Join(os.TempDir(), stateName+"-"+strconv.Itoa(os.Getuid()))
	a.log.Warn("the state folder cannot be made; spend that is not in the database yet is kept in a temporary one",
		"error", err, "folder", other, "fix", "set SALLYPORT_STATE_DIR")
	return other, os.MkdirAll(other, 0o700)
}

func (a *App) openStore(ctx context.Context, cfg *config.Config, src source) (store.Store, error) {
	g, v := cfg.GeneralSettings, cfg.Variables
	secret := v.SaltKey.Reveal()
	if secret == "" {
		secret = g.MasterKey.Reveal()
	}
	warn := func(message string) { a.log.Warn("database", "problem", message) }
	keep := g.DisablePrismaSchemaUpdate || v.DisableSchemaUpdate
	if src.kind == "sqlite" {
		s := sqlite.Settings{Path: src.path}
		s.KeepSchema, s.Warn = keep, warn
		if secret != "" {
			s.Vault = store.NewVault(secret)
		}
		return nonNil(sqlite.Open(ctx, s))
	}
	s := postgres.Settings{URL: src.url, DirectURL: v.DirectURL.Reveal(), Schema: v.DatabaseSchema}
	s.KeepSchema, s.Warn = keep, warn
	if secret != "" {
		s.Vault = store.NewVault(secret)
	}
	if n := g.DatabaseConnectionPoolLimit; n != nil {
		s.MaxConns = *n
	}
	if t := g.DatabaseConnectionTimeout; t != nil {
		s.Timeout = t.Duration()
	}
	if v.DatabaseUser != "" && v.DatabaseUsername != "" && v.DatabaseUser != v.DatabaseUsername {
		warn("DATABASE_USERNAME and DATABASE_USER differ: DATABASE_USERNAME counts")
	}
	if v.IAMTokenDBAuth {
		var err error
		if s.Password, err = a.databaseToken(cfg, src.url); err != nil {
			return nil, err
		}
	}
	return nonNil(postgres.Open(ctx, s))
}

// nonNil keeps a nil pointer from becoming an interface that is not nil.
func nonNil[T store.Store](s T, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// ensureDatabase opens the database if that has not happened, because something is to be kept, and takes it into use.
func (a *App) ensureDatabase(ctx context.Context) (*database, error) {
	if db := a.db.Load(); db != nil {
		return db, nil
	}
	a.opening.Lock()
	defer a.opening.Unlock()
	if db := a.db.Load(); db != nil {
		return db, nil
	}
	cfg := a.current.Load().cfg
	src, err := databaseSource(cfg)
	if err != nil || src.kind == "" {
		return nil, errors.Join(errNoDatabase, err)
	}
	db, err := a.openDatabase(ctx, cfg, src)
	if err != nil {
		return nil, err
	}
	a.db.Store(db)
	a.wanted.Store(false)
	if err := a.rebuild(context.WithoutCancel(ctx)); err != nil {
		a.log.Error("the configuration could not be assembled with the database", "error", err)
	}
	a.startJobs(db)
	return db, nil
}

// errNoDatabase is what the management API says without a database
// (litellm/proxy/_types.py, CommonProxyErrors.db_not_connected_error).
var errNoDatabase = errors.New("DB not connected. See https://docs.litellm.ai/docs/proxy/virtual_keys")

// rebuild assembles the configuration in force anew, because something that it depends on came or went.
func (a *App) rebuild(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	next, err := a.build(ctx, a.current.Load().cfg)
	if err != nil {
		return err
	}
	a.current.Store(next)
	a.gateway.Swap(next.snapshot)
	a.keepStates(next)
	return nil
}

// closeDatabase writes what is in the journal, as far as time allows, and lets go of everything.
func (a *App) closeDatabase() {
	db := a.db.Swap(nil)
	if db == nil {
		return
	}
	db.stop()
	db.jobs.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	if err := db.loader.Flush(ctx); err != nil {
		a.log.Warn("spend stays in the journal until the next start", "error", err, "folder", db.journal.Dir())
	}
	if err := errors.Join(db.journal.Close(), db.Store.Close()); err != nil {
		a.log.Warn("the database was not closed well", "error", err)
	}
}

// databaseState is what the readiness check says.
func (a *App) databaseState(ctx context.Context) string {
	db := a.db.Load()
	if db == nil || db.Ping(ctx) != nil {
		return "Not connected"
	}
	return "connected"
}
