// Package listener is the edge towards callers: it accepts connections, decides by one canonical path what is asked,
// reads the request into an exchange, hands it to the gateway and writes the reply. Nothing of fasthttp leaves it.
package listener

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fasthttp/router"
	"github.com/sallyport-ai/sallyport/core/gateway"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/kept"
	"github.com/valyala/fasthttp"
)

// Limits of a server that were not configured.
const (
	DefaultMaxRequest = 128 << 20 // bytes of a request body
	DefaultMaxConns   = 65_536    // open connections
	maxHeader         = 32 << 10  // bytes of a request's header
)

// Settings configure a Server. Gateway and Logger are required.
type Settings struct {
	Gateway  *gateway.Gateway
	Logger   *slog.Logger
	Version  string      // sent as x-litellm-version
	RootPath string      // prefix under which all paths are served too, such as "/gw"
	TLS      *tls.Config // nil serves plain HTTP
	MaxConns int         // open connections; 0 takes DefaultMaxConns
	Status   func() Status

	// Count returns how many tokens the chat in x.Body has for x.Model. It asks no vendor. Nil counts nothing.
	Count func(x *llm.Exchange) (int, error)
	// Kept keeps the responses that the gateway told itself; nil keeps some in memory.
	Kept kept.Place
	// Ownership says how ids are bound to who may use them; nil binds none.
	Ownership func() Ownership
	// Managed prepares the place for files over several deployments, or says why there is none; nil has none.
	Managed func(ctx context.Context) error
	// Payer records what batches cost; nil has them cost nothing.
	Payer Payer
	// Manager serves the management API; nil serves none.
	Manager Manager
	// Metrics returns what GET /metrics serves at the moment; nil serves nothing.
	Metrics func() Metrics
}

// Metrics is what GET /metrics serves.
type Metrics struct {
	Private bool // asks for a key
	// Text returns the metrics and their content type; nil means that they are not served.
	Text func() (body []byte, contentType string)
}

// Status is what the readiness check reports about the rest of the gateway.
type Status struct {
	Callbacks []string // names of the active sinks
	LogLevel  string
	Database  string // "connected" or "Not connected"; empty is the latter
	Cache     string // the kind of the cache of answers; empty if there is none
}

// Server serves the gateway's HTTP API.
type Server struct {
	Settings
	http    fasthttp.Server
	routes  *router.Router
	watch   *watcher
	active  atomic.Int64 // exchanges under way
	closing atomic.Bool
	serving struct { // the listener, so that a Shutdown that comes before fasthttp knows it ends Serve too
		sync.Mutex
		net.Listener
	}
	version []byte
	talks   talks // over WebSockets
	later   work  // responses made in the background
	stamp   func(x *llm.Exchange, dst, id []byte) []byte
	chats   func(x *llm.Exchange) error // admitChat
}

// New makes a server. It listens only when Serve is called.
func New(set Settings) (*Server, error) {
	w, err := newWatcher()
	if err != nil {
		return nil, fmt.Errorf("listener: %w", err)
	}
	if set.MaxConns == 0 {
		set.MaxConns = DefaultMaxConns
	}
	if set.Kept == nil {
		set.Kept = kept.New(kept.Settings{Shared: func() kept.Place { return nil }, TTL: func(store.ObjectKind) time.Duration { return keptFor }})
	}
	s := &Server{Settings: set, watch: w, version: []byte(set.Version)}
	s.stamp, s.chats = s.bind, s.admitChat
	s.routes = s.table()
	s.http = fasthttp.Server{
		Handler:               s.handle,
		ErrorHandler:          s.refuse,
		HeaderReceived:        s.limits,
		ReadBufferSize:        maxHeader,
		ReduceMemoryUsage:     true, // streams and idle connections keep no buffers; see conn.Read for what else that takes
		MaxRequestBodySize:    DefaultMaxRequest,
		NoDefaultServerHeader: true,
		NoDefaultContentType:  true,
		CloseOnShutdown:       true,
		TCPKeepalive:          true,
		SecureErrorLogMessage: true,
		Logger:                serverLog{set.Logger},
		// A body is one JSON document or a stream; forms are parsed by whoever wants one.
		DisablePreParseMultipartForm: true,
	}
	return s, nil
}

// Serve accepts connections from ln until Shutdown. It closes ln.
func (s *Server) Serve(ln net.Listener) error {
	var l net.Listener = &watched{Listener: ln, w: s.watch, maxConns: s.MaxConns}
	s.serving.Lock()
	s.serving.Listener = l
	s.serving.Unlock()
	if s.closing.Load() {
		return l.Close()
	}
	if s.TLS != nil {
		l = tls.NewListener(l, s.TLS)
	}
	if err := s.http.Serve(l); err != nil {
		return fmt.Errorf("listener: %w", err)
	}
	return nil
}

// Shutdown stops accepting, waits for exchanges under way until ctx ends, and then ends those that remain: a stream
// gets an error event. It returns the number of exchanges it cut short.
func (s *Server) Shutdown(ctx context.Context) (cut int, err error) {
	s.closing.Store(true)
	s.serving.Lock()
	if s.serving.Listener != nil {
		_ = s.serving.Listener.Close() // fasthttp says it too
	}
	s.serving.Unlock()
	hung := make(chan struct{})
	go func() {
		defer close(hung)
		s.talks.hangUp(ctx)
		s.later.wind(ctx)
	}()
	err = s.http.ShutdownWithContext(ctx)
	<-hung
	if err == nil {
		s.watch.close()
		return 0, nil
	}
	cut = int(s.active.Load())
	s.watch.each((*conn).leave)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	err = s.http.ShutdownWithContext(last)
	s.watch.close()
	if errors.Is(err, context.DeadlineExceeded) {
		return cut, fmt.Errorf("listener: %d exchanges did not end: %w", s.active.Load(), err)
	}
	return cut, err
}

// limits sets the size limit of a request's body from the configuration of the moment.
func (s *Server) limits(*fasthttp.RequestHeader) fasthttp.RequestConfig {
	if n := s.Gateway.Edge().MaxRequest; n > 0 {
		return fasthttp.RequestConfig{MaxRequestBodySize: int(n)}
	}
	return fasthttp.RequestConfig{}
}

// handle serves one request. A panic costs the request, not the process.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked(ctx, v)
		}
	}()
	path, mistake := canonical(ctx.Request.URI().PathOriginal(), s.RootPath)
	if mistake != "" {
		s.fail(ctx, &llm.Error{Op: "listener.route", Kind: llm.KindInvalid, Message: mistake, Type: "invalid_request_error"})
		return
	}
	if mistake := smuggled(&ctx.Request); mistake != "" {
		ctx.Response.SetConnectionClose()
		s.fail(ctx, &llm.Error{Op: "listener.route", Kind: llm.KindInvalid, Message: mistake, Type: "invalid_request_error"})
		return
	}
	if s.cors(ctx) {
		return
	}
	method := ctx.Method()
	if h, _ := s.routes.Lookup(view(method), view(path), ctx); h != nil {
		h(ctx)
		return
	}
	if !s.manage(ctx, path) && !s.pass(ctx, path) {
		s.unrouted(ctx, path)
	}
}

// smuggled finds a request with both a length and a transfer encoding. fasthttp takes it and lets the encoding win; a
// proxy in front may do otherwise, and then the two see different requests.
func smuggled(r *fasthttp.Request) string {
	if r.Header.ContentLength() != -1 {
		return ""
	}
	// The parsed header has lost the length; the raw one has not.
	for line := range bytes.Lines(r.Header.RawHeaders()) {
		if name, _, ok := bytes.Cut(line, []byte(":")); ok && llm.EqualFold(bytes.TrimSpace(name), "Content-Length") {
			return "The request has both Content-Length and Transfer-Encoding."
		}
	}
	return ""
}

// serverLog passes fasthttp's own complaints on, at debug level: they are about callers' broken connections.
type serverLog struct{ l *slog.Logger }

func (l serverLog) Printf(format string, args ...any) {
	l.l.Debug("connection", "detail", fmt.Sprintf(format, args...))
}

// maxRequest is the limit in force, for an error message.
func (s *Server) maxRequest() int64 {
	if n := s.Gateway.Edge().MaxRequest; n > 0 {
		return n
	}
	return DefaultMaxRequest
}

func megabytes(n int64) string {
	return strconv.FormatFloat(float64(n)/(1<<20), 'g', 4, 64) + " MB"
}
