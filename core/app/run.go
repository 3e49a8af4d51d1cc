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
	if err != nil {
		return err
	}
	ln, err := a.Listen(ctx)
	if err != nil {
		return err
	}
	a.announce(os.Stdout, ln)
	go a.follow(ctx)

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

// follow loads the configuration again on SIGHUP and when one of its files changed.
func (a *App) follow(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	w, err := newWatch()
	if err != nil {
		a.log.Warn("configuration files are not watched; send SIGHUP to load them again", "error", err)
		w = nil
	} else {
		defer w.Close()
		w.set(a.watched())
	}
	timer := time.NewTimer(0)
	if !timer.Stop() {
		<-timer.C
	}
	force := false // asked for by hand: load even what has not changed
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			force = true
			timer.Reset(0)
		case <-w.events():
			timer.Reset(settle)
		case <-timer.C:
			if !force && !w.stale() {
				continue
			}
			force = false
			if w != nil {
				w.mark()
			}
			if err := a.Reload(ctx); err != nil {
				a.log.Error("the configuration was not loaded; the former one stays in force", "error", err)
			}
			if w != nil {
				w.set(a.watched())
			}
		}
	}
}

// announce tells whoever started the gateway what it serves and how to try it.
func (a *App) announce(out *os.File, ln net.Listener) {
	writeBanner(out, a.current.Load(), ln.Addr(), a.opts.TLSCert != "")
}
