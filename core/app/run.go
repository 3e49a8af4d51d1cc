package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Run serves until ctx ends, then lets requests under way end. SIGHUP and a change of a configuration file load the
// configuration again.
func Run(ctx context.Context, o Options) error {
	a, err := New(ctx, o)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil //nolint:nilerr // it was told to end while it waited, for a database say
	case err != nil:
		return err
	}
	ln, err := a.Listen(ctx)
	if err != nil {
		return err
	}
	f := a.follow()
	defer f.close()
	a.announce(os.Stdout, ln)
	giveBack()
	go f.run(ctx)

	failed := make(chan error, 1)
	go func() { failed <- a.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		a.log.Info("stopping")
		return a.Stop()
	}
}

func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

func loadTLS(cert, key string) (*tls.Config, error) {
	if cert == "" {
		return nil, nil //nolint:nilnil // no certificate means plain HTTP
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("--ssl_certfile_path, --ssl_keyfile_path: %w", err)
	}
	// fasthttp speaks HTTP/1.1 only; without the list, a client that offers h2 alone would connect and be misunderstood.
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}, nil
}

// settle is how long the files must have been quiet before they are read: editors and mounts write in several steps.
const settle = 200 * time.Millisecond

// follower loads the configuration again on SIGHUP and when one of its files changed.
type follower struct {
	*App
	hup   chan os.Signal
	watch *watch // nil if files cannot be watched
}

// follow begins to take notice. It comes before the gateway says that it serves: whoever reads that may change the
// configuration at once.
func (a *App) follow() *follower {
	f := &follower{App: a, hup: make(chan os.Signal, 1)}
	signal.Notify(f.hup, syscall.SIGHUP)
	w, err := newWatch()
	if err != nil {
		a.log.Warn("configuration files are not watched; send SIGHUP to load them again", "error", err)
		return f
	}
	w.set(a.watched())
	f.watch = w
	return f
}

func (f *follower) close() {
	signal.Stop(f.hup)
	if f.watch != nil {
		f.watch.Close()
	}
}

// run waits for reasons to load, until ctx ends.
func (f *follower) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	force := false // asked for by hand: load even what has not changed
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.hup:
			force = true
			timer.Reset(0)
		case <-f.watch.events():
			timer.Reset(settle)
		case <-timer.C:
			if force || f.watch.stale() {
				f.load(ctx)
			}
			force = false
		}
	}
}

func (f *follower) load(ctx context.Context) {
	if f.watch != nil {
		f.watch.mark()
	}
	if err := f.Reload(ctx); err != nil {
		f.log.Error("the configuration was not loaded; the former one stays in force", "error", err)
	}
	if f.watch != nil {
		f.watch.set(f.watched())
	}
}

// announce tells whoever started the gateway what it serves and how to try it.
func (a *App) announce(out *os.File, ln net.Listener) {
	writeBanner(out, a.current.Load(), ln.Addr(), a.opts.TLSCert != "")
}
