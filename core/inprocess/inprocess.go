// Package inprocess is the gateway as a library: the same configuration, keys, guardrails, router, retries, fallbacks, limits
// and spend, without HTTP in front.
//
//	gw, err := inprocess.New(ctx, inprocess.Config{Path: "config.yaml"})
//	defer gw.Close(ctx)
//	answer, err := gw.Chat(ctx, inprocess.ChatRequest{Model: "gpt-4o", Messages: []inprocess.Message{{Role: "user", Content: "Hello"}}})
//
// Calls act for the administrator, whom nobody limits. WithKey gives a client that acts for a virtual key, with its models,
// budget and limits.
package inprocess

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/app"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream"
)

// Config says what to run. One of Path, YAML and Document is set.
type Config struct {
	Path     string // a configuration file
	YAML     []byte // what is in one; paths in it are absolute
	Document any    // the same as a value that encoding/json can write, in the shape of the file; paths in it are absolute

	Environ []string  // NAME=value pairs that the configuration may refer to; nil takes the process's environment
	Log     io.Writer // where log lines go; nil takes standard error
	// Upstream says how connections to vendors are opened; the zero value is usable.
	Upstream upstream.Settings
}

// Gateway is a running gateway. It is safe for concurrent use. Its methods call models for the administrator.
type Gateway struct {
	Client
	app  *app.App
	temp string // folder of a configuration that is in no file

	mu     sync.Mutex
	closed bool
	active map[*llm.Exchange]struct{}
	idle   chan struct{} // closed when closed and nothing is active
}

// Client calls models for one key. It is safe for concurrent use, and valid as long as its Gateway.
type Client struct {
	g   *Gateway
	key string
}

// ErrClosed is what calls of a closed gateway return.
var ErrClosed = errors.New("inprocess: the gateway is closed")

// New loads the configuration and starts a gateway. It listens nowhere. The error names every mistake in the configuration with
// its line. ctx bounds the start only.
func New(ctx context.Context, c Config) (*Gateway, error) {
	g := &Gateway{active: map[*llm.Exchange]struct{}{}, idle: make(chan struct{})}
	path, err := g.file(&c)
	if err != nil {
		return nil, err
	}
	g.app, err = app.New(ctx, app.Options{Config: path, Environ: c.Environ, Log: c.Log, Upstream: c.Upstream})
	if err != nil {
		g.clean()
		return nil, err
	}
	g.Client = Client{g, g.app.MasterKey()}
	return g, nil
}

// file is where the configuration is. One that is in no file gets one, which nobody else can read.
func (g *Gateway) file(c *Config) (string, error) {
	set := 0
	for _, is := range []bool{c.Path != "", c.YAML != nil, c.Document != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		return "", errors.New("inprocess: set one of Config.Path, Config.YAML and Config.Document")
	}
	content := c.YAML
	switch {
	case c.Path != "":
		return c.Path, nil
	case c.Document != nil:
		var err error
		if content, err = json.Marshal(c.Document); err != nil { // JSON is YAML too
			return "", fmt.Errorf("inprocess: Config.Document cannot be written: %w", err)
		}
	}
	var err error
	if g.temp, err = os.MkdirTemp("", "sallyport-"); err != nil {
		return "", fmt.Errorf("inprocess: %w", err)
	}
	path := filepath.Join(g.temp, "config.yaml")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		g.clean()
		return "", fmt.Errorf("inprocess: %w", err)
	}
	return path, nil
}

func (g *Gateway) clean() {
	if g.temp != "" {
		_ = os.RemoveAll(g.temp)
	}
}

// WithKey returns a client that acts for a virtual key, or for whoever else the configuration lets in with it.
func (g *Gateway) WithKey(key string) *Client { return &Client{g, key} }

// Reload loads the configuration again. Calls under way keep the one they began with. If it cannot be used the former one
// stays in force.
func (g *Gateway) Reload(ctx context.Context) error { return g.app.Reload(ctx) }

// begin notes that an exchange is under way.
func (g *Gateway) begin(x *llm.Exchange) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	g.active[x] = struct{}{}
	return nil
}

// end is the other end of begin.
func (g *Gateway) end(x *llm.Exchange) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.active, x)
	if g.closed && len(g.active) == 0 {
		close(g.idle)
	}
}

// lastWords is how long calls that were cut short may take to notice.
const lastWords = 5 * time.Second

// Close takes no more calls, lets those under way end until ctx does, cuts short what is left, and writes down what was
// spent. Streams that are not closed are calls under way. Only the first Close does anything.
func (g *Gateway) Close(ctx context.Context) error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil
	}
	g.closed = true
	if len(g.active) == 0 {
		close(g.idle)
	}
	g.mu.Unlock()
	var cut error
	select {
	case <-g.idle:
	case <-ctx.Done():
		cut = g.cut()
	}
	err := g.app.Stop()
	g.clean()
	return errors.Join(cut, err)
}

// cut ends what is under way.
func (g *Gateway) cut() error {
	g.mu.Lock()
	n := len(g.active)
	for x := range g.active {
		x.Life.Cancel(context.Canceled)
	}
	g.mu.Unlock()
	select {
	case <-g.idle:
	case <-time.After(lastWords):
	}
	return fmt.Errorf("inprocess: %d calls were cut short", n)
}
