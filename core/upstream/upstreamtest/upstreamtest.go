// Package upstreamtest is a scripted vendor of models for tests: a real server on a real port of 127.0.0.1, which can
// also do what no well-behaved server does. A test says how each request is answered, releases the events of a stream
// one by one, and learns when the client closed. Nothing here waits for time to pass.
package upstreamtest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Answer plays the vendor's side of one request. It runs in the goroutine of the connection; when it returns, the
// connection waits for the next request, unless the answer closed it.
type Answer func(c *Conn)

// Request is what the vendor received.
type Request struct {
	Method string
	Path   string // the request target as sent: path and query, or a whole URL at a proxy
	Host   string
	Header http.Header
	Body   []byte
	Conn   int // number of the connection it came on, from 1
}

// Vendor is a running server. Its methods are safe for concurrent use.
type Vendor struct {
	URL string      // "http://127.0.0.1:port", or https
	TLS *tls.Config // for clients of a vendor made by NewTLS: it trusts the vendor's certificate

	t        testing.TB
	listener net.Listener
	secure   *tls.Config
	running  sync.WaitGroup

	mu       sync.Mutex
	script   []Answer
	next     int
	requests []Request
	accepted int
	limit    int
	open     map[*Conn]bool // true while it waits for a request
	changed  *sync.Cond
	closed   bool
}

// New starts a vendor. Requests are answered by the answers in turn, in the order they arrive; the last answer serves
// all that follow. The vendor stops at the end of the test.
func New(t testing.TB, script ...Answer) *Vendor {
	t.Helper()
	return start(t, nil, script)
}

// NewTLS starts a vendor that speaks TLS, with a certificate for 127.0.0.1 and localhost of its own.
func NewTLS(t testing.TB, script ...Answer) *Vendor {
	t.Helper()
	server, client := certificate(t)
	v := start(t, server, script)
	v.TLS = client
	return v
}

func start(t testing.TB, secure *tls.Config, script []Answer) *Vendor {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("cannot listen on 127.0.0.1: %v", err)
	}
	v := &Vendor{t: t, URL: "http://" + l.Addr().String(), listener: l, secure: secure, script: script, open: map[*Conn]bool{}}
	if secure != nil {
		v.URL = "https://" + l.Addr().String()
	}
	v.changed = sync.NewCond(&v.mu)
	v.running.Go(v.accept)
	t.Cleanup(v.Close)
	return v
}

// Target is a new llm.Target for the vendor.
func (v *Vendor) Target() *llm.Target {
	t := &llm.Target{Scheme: "http", Host: v.Addr(), Addr: v.Addr()}
	if v.secure != nil {
		t.Scheme = "https"
	}
	return t
}

// Config is the TLS configuration of the vendor's own side; nil without TLS.
func (v *Vendor) Config() *tls.Config { return v.secure }

// Addr is the address the vendor listens on, in the form host:port.
func (v *Vendor) Addr() string { return v.listener.Addr().String() }

// Script replaces the answers for the requests to come.
func (v *Vendor) Script(script ...Answer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.script, v.next = script, 0
}

// KeepAlive makes the vendor close each connection after n answers, without announcing it. 0 is no limit.
func (v *Vendor) KeepAlive(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.limit = n
}

// CloseIdle closes the connections on which no request is being answered, as a server does that finds them idle, and
// returns when they are closed. It waits for answers that are still being played, so none may be waiting for the test.
func (v *Vendor) CloseIdle() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for slices.Contains(v.idle(), false) {
		v.changed.Wait()
	}
	for c := range v.open {
		c.conn.Close()
	}
	for len(v.open) > 0 {
		v.changed.Wait()
	}
}

// AwaitClosed returns when no connection is open any more.
func (v *Vendor) AwaitClosed() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for len(v.open) > 0 {
		v.changed.Wait()
	}
}

func (v *Vendor) idle() (idle []bool) {
	for _, waiting := range v.open {
		idle = append(idle, waiting)
	}
	return idle
}

// Requests returns what was received so far, in the order of arrival.
func (v *Vendor) Requests() []Request {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.requests)
}

// Last returns the latest request. Without one the test fails.
func (v *Vendor) Last() Request {
	v.t.Helper()
	r := v.Requests()
	if len(r) == 0 {
		v.t.Fatal("the vendor has received no request")
	}
	return r[len(r)-1]
}

// Conns is the number of connections accepted so far.
func (v *Vendor) Conns() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.accepted
}

// Close stops the vendor and closes its connections. The end of the test does the same.
func (v *Vendor) Close() {
	v.mu.Lock()
	v.closed = true
	v.listener.Close()
	for c := range v.open {
		c.conn.Close()
	}
	v.mu.Unlock()
	v.running.Wait()
}

func (v *Vendor) accept() {
	for {
		nc, err := v.listener.Accept()
		if err != nil {
			return
		}
		v.mu.Lock()
		if v.closed {
			v.mu.Unlock()
			nc.Close()
			return
		}
		v.accepted++
		c := &Conn{vendor: v, conn: nc, tcp: nc.(*net.TCPConn), number: v.accepted}
		if v.secure != nil {
			c.conn = tls.Server(nc, v.secure)
		}
		v.open[c] = true
		v.mu.Unlock()
		v.running.Go(c.serve)
	}
}

// take records the request and returns the answer for it. last is true if the connection closes after it.
func (v *Vendor) take(c *Conn, r Request) (answer Answer, last bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open[c] = false
	v.requests = append(v.requests, r)
	last = v.limit > 0 && c.served >= v.limit
	if len(v.script) == 0 {
		v.t.Errorf("the vendor has no answer for %s %s", r.Method, r.Path)
		return JSON(http.StatusInternalServerError, ErrorBody("no answer was scripted", "server_error", "", "")), last
	}
	answer = v.script[v.next]
	if v.next < len(v.script)-1 {
		v.next++
	}
	return answer, last
}

func (v *Vendor) waiting(c *Conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open[c] = true
	v.changed.Broadcast()
}

func (v *Vendor) gone(c *Conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.open, c)
	v.changed.Broadcast()
}

// serve reads requests off a connection until one side closes it.
func (c *Conn) serve() {
	defer c.vendor.gone(c)
	defer c.conn.Close()
	br := bufio.NewReader(c.conn)
	for {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		c.served++
		c.Request = Request{
			Method: r.Method, Path: r.RequestURI, Host: r.Host, Header: r.Header, Body: bytes.Clone(body), Conn: c.number,
		}
		answer, last := c.vendor.take(c, c.Request)
		watched := c.watch(br)
		answer(c)
		if last || c.ended || r.Close {
			return
		}
		c.vendor.waiting(c)
		<-watched
	}
}

// watch notices when the client closes while an answer is played. The returned channel is closed when the reader is
// free again: the next request has begun, or the connection has ended.
func (c *Conn) watch(br *bufio.Reader) <-chan struct{} {
	gone, free := make(chan struct{}), make(chan struct{})
	c.left = gone
	c.vendor.running.Go(func() {
		if _, err := br.Peek(1); err != nil {
			close(gone)
		}
		close(free)
	})
	return free
}
