// Package apptest runs a whole gateway inside a test: configuration in, HTTP out, everything real but the vendors.
package apptest

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/app"
)

// MasterKey is the key that Post and Get send.
const MasterKey = "sk-1234"

// Server is a running gateway.
type Server struct {
	URL    string
	App    *app.App
	Config string // path of its configuration file
	Log    *Log   // its log, at debug level
	Out    *Log   // what it prints besides

	t testing.TB
}

// Option changes how a gateway is started.
type Option func(*app.Options)

// Env sets environment variables, given as NAME=value. Nothing of the process's own environment is visible.
func Env(pairs ...string) Option {
	return func(o *app.Options) { o.Environ = append(o.Environ, pairs...) }
}

// Grace sets how long the gateway waits for requests when it stops.
func Grace(d time.Duration) Option { return func(o *app.Options) { o.Grace = d } }

// Start runs a gateway with the configuration until the test ends.
func Start(t testing.TB, yaml string, opts ...Option) *Server {
	t.Helper()
	s, err := Try(t, yaml, opts...)
	if err != nil {
		t.Fatalf("start the gateway: %v", err)
	}
	return s
}

// Try is Start for a configuration that may be refused.
func Try(t testing.TB, yaml string, opts ...Option) (*Server, error) {
	t.Helper()
	dir := t.TempDir()
	s := &Server{Config: filepath.Join(dir, "config.yaml"), Log: &Log{}, Out: &Log{}, t: t}
	s.Write(yaml)
	return s, s.start(dir, opts)
}

// StartFile runs a gateway with a configuration file that stays where it is.
func StartFile(t testing.TB, path string, opts ...Option) *Server {
	t.Helper()
	s := &Server{Config: path, Log: &Log{}, Out: &Log{}, t: t}
	if err := s.start(t.TempDir(), opts); err != nil {
		t.Fatalf("start the gateway: %v", err)
	}
	return s
}

func (s *Server) start(dir string, opts []Option) error {
	o := app.Options{
		Config: s.Config, DetailedDebug: true, Log: s.Log, Out: s.Out, Dir: dir, Grace: 5 * time.Second,
		Environ: []string{"HOME=" + dir, "XDG_CACHE_HOME=" + os.Getenv("XDG_CACHE_HOME")},
	}
	for _, f := range opts {
		f(&o)
	}
	a, err := app.New(context.Background(), o)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.App, s.URL = a, "http://"+ln.Addr().String()
	done := make(chan error, 1)
	go func() { done <- a.Serve(ln) }()
	s.t.Cleanup(func() {
		if err := a.Stop(); err != nil {
			s.t.Errorf("stop the gateway: %v", err)
		}
		if err := <-done; err != nil {
			s.t.Errorf("serve: %v", err)
		}
	})
	return nil
}

// Write replaces the configuration file. Reload loads it.
func (s *Server) Write(yaml string) {
	s.t.Helper()
	if err := os.WriteFile(s.Config, []byte(yaml), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// Reload loads the configuration file again, and waits until what it replaced is closed, unless requests still use it.
func (s *Server) Reload() error {
	err := s.App.Reload(s.t.Context())
	s.App.Settle()
	return err
}

// Response is an answer that was read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   string
	Err    error // why the body could not be read to its end
}

// Post sends a JSON body with the master key. header holds further lines as "Name: value"; "Name:" leaves one out.
func (s *Server) Post(path, body string, header ...string) *Response {
	s.t.Helper()
	return s.Do(http.MethodPost, path, body, header...)
}

// Get sends a GET with the master key.
func (s *Server) Get(path string, header ...string) *Response {
	s.t.Helper()
	return s.Do(http.MethodGet, path, "", header...)
}

// Do sends any request.
func (s *Server) Do(method, path, body string, header ...string) *Response {
	s.t.Helper()
	resp, err := s.Open(s.t.Context(), method, path, body, header...)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: string(b), Err: err}
}

// Open sends a request and leaves the body to the caller.
func (s *Server) Open(ctx context.Context, method, path, body string, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+MasterKey)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ":")
		if value = strings.TrimSpace(value); value == "" {
			req.Header.Del(name)
		} else {
			req.Header.Set(name, value)
		}
	}
	return http.DefaultTransport.RoundTrip(req)
}

// Events splits a stream into the data of its events.
func Events(body string) []string {
	var out []string
	lines := bufio.NewScanner(strings.NewReader(body))
	lines.Buffer(nil, len(body)+1)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			out = append(out, data)
		}
	}
	return out
}

// Log collects what is written to it. It is safe for concurrent use.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns all that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
