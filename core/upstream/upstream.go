// Package upstream carries calls to the vendors of models. It writes an llm.Call onto a pooled connection and reads the
// header of the answer; the body is pulled by whoever took the answer. A call in steady state allocates nothing.
//
// It never sends a call twice after a byte of it may have been accepted: models cost money, so trying again is the
// router's decision. It never asks for compression, and decompresses nothing.
package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Settings say how a Client reaches servers. The zero value is usable.
type Settings struct {
	MaxConns    int           // open connections to one target; a call above it fails at once with llm.KindUnavailable. 0: no limit
	MaxIdle     time.Duration // how long an unused connection is kept; 0: 90 s
	DialTimeout time.Duration // for name lookup, connection, proxy and TLS handshake together; 0: 10 s
	MaxHeader   int           // bytes of an answer's header, at least 8 KB; 0: 64 KB
	ForceIPv4   bool          // connect over IPv4 only
	TLS         *tls.Config   // for https targets and proxies; it is cloned. nil: the system's certificates

	// Proxy names the proxy for a URL, or nil for none: http, https, socks5 or socks5h. Nil takes HTTP_PROXY,
	// HTTPS_PROXY and NO_PROXY of the environment as they are when the client is made.
	Proxy func(*url.URL) (*url.URL, error)

	// Dial opens the connections; nil takes a net.Dialer. network is "tcp" or "tcp4".
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Now is the clock by which connections and targets are idle; nil takes time.Now. Deadlines do not follow it.
	Now func() time.Time
}

// Client makes calls and keeps connections between them. It is safe for concurrent use.
type Client struct {
	set      Settings
	ownClock bool // Settings.Now is not time.Now

	trips   sync.Pool // of *trip
	writers sync.Pool // of *bufio.Writer

	network atomic.Pointer[network]

	mu    sync.Mutex
	pools map[string]*pool // by Target.Key
}

const (
	readBuffer  = 8 << 10
	writeBuffer = 8 << 10
)

// New makes a client. It opens no connection.
func New(s Settings) *Client {
	if s.MaxIdle <= 0 {
		s.MaxIdle = 90 * time.Second
	}
	if s.DialTimeout <= 0 {
		s.DialTimeout = 10 * time.Second
	}
	if s.MaxHeader <= 0 {
		s.MaxHeader = 64 << 10
	}
	if s.Proxy == nil {
		s.Proxy = environment(httpproxy.FromEnvironment())
	}
	if s.Dial == nil {
		s.Dial = new(net.Dialer).DialContext
	}
	cl := &Client{ownClock: s.Now != nil, pools: make(map[string]*pool)}
	if s.Now == nil {
		s.Now = time.Now
	}
	s.TLS = tlsBase(s.TLS)
	cl.set = s
	cl.network.Store(&network{ipv4: s.ForceIPv4, tls: s.TLS, proxy: s.Proxy})
	cl.trips.New = func() any { return newTrip(cl) }
	cl.writers.New = func() any { return bufio.NewWriterSize(nil, writeBuffer) }
	return cl
}

// Do writes the call and reads the header of the answer into a, which was reset. When it returns nil, the taker reads
// a.Body to its end and calls its Close once; a.Header and a.Body must not be used after that. The lifetime stays
// attached until the body was read or closed: if the caller leaves, the connection is aborted at once.
//
// ctx is normally an *llm.Lifetime, with which nothing is allocated; any other context works too. A lifetime carries
// one call at a time.
//
// Do adds the Host and Content-Length lines; c.Head and c.Header must not hold them, nor any other line that belongs to
// the connection. c.Signer completes the call first, if there is one. c.Method, c.Path and c.Header are checked, because a line break in them would start another request;
// c.Head is trusted.
//
// The limits of the call: until the header is there, FirstByte and Timeout apply, whichever is shorter. The body of a
// stream is then bounded by Idle between reads, and that of a whole answer by Timeout, or by Idle if it has none.
//
// The error is an *llm.Error with Op "upstream.Do": KindConnection, KindTimeout, KindCanceled, KindBadGateway for an
// answer that is not HTTP, KindUnavailable above MaxConns, or KindInvalid for a call that cannot be written. Errors of
// a.Body.Read have the same kinds and Op "upstream.Read"; a body that was cut wraps io.ErrUnexpectedEOF.
func (cl *Client) Do(ctx context.Context, c *llm.Call, a *llm.Answer) error {
	if c.Local != nil {
		return c.Local(ctx, a)
	}
	lines := len(c.Header)
	if c.Signer != nil {
		if err := c.Signer.Sign(ctx, c); err != nil {
			return err
		}
	}
	if err := checkCall(c); err != nil {
		return err
	}
	if c.Socket {
		return cl.talk(ctx, c, a)
	}
	now := cl.set.Now()
	p, err := cl.pool(c.Target, now)
	if err != nil {
		return err
	}
	t := cl.trips.Get().(*trip)
	t.begin(ctx, c, p, now)
	if err := t.run(c, a); err != nil {
		t.finish(false)
		t.recycle()
		return err
	}
	if c.Next != nil && !a.Streamed {
		return cl.follow(ctx, c, a, lines)
	}
	return nil
}

// Close closes the idle connections. Calls that are running finish, and the client stays usable.
func (cl *Client) Close() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	for _, p := range cl.pools {
		p.host.CloseIdleConnections()
	}
}
