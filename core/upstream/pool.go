package upstream

import (
	"crypto/tls"
	"errors"
	"math"
	"net"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/sallyport-ai/sallyport/core/llm"
)

const (
	// checkAfter is how long a connection rests before it is looked at again ahead of a call. Servers close what they
	// find idle; under load nothing is idle this long, so the check costs nothing there.
	checkAfter = time.Second
	// forgetAfter is how long the state of an unused target is kept.
	forgetAfter = 10 * time.Minute
)

// pool holds the connections of one target. fasthttp's HostClient counts them and keeps the idle ones, latest first;
// opening them is done here, because HostClient cannot be told that the caller left.
type pool struct {
	host   fasthttp.HostClient
	client *Client
	scheme string
	addr   string // what to dial
	name   string // host without port, for TLS
	tls    *tls.Config
	proxy  *url.URL // nil: none
	prefix []byte   // goes before the path when a proxy wants the whole URL
	lines  []byte   // header lines of every call

	used    atomic.Int64 // clock, in seconds, of the latest call
	dropped atomic.Bool  // the client forgot the pool; what still runs on it ends well
}

// pool finds or makes the pool of a target.
func (cl *Client) pool(t *llm.Target, now time.Time) (*pool, error) {
	if t == nil {
		return nil, invalid("The call has no target.")
	}
	p, _ := t.Pool.Load().(*pool)
	if p == nil || p.client != cl || p.dropped.Load() {
		var err error
		if p, err = cl.lookup(t, now); err != nil {
			return nil, err
		}
		t.Pool.Store(p)
	}
	if s := now.Unix(); p.used.Load() != s {
		p.used.Store(s)
	}
	return p, nil
}

func (cl *Client) lookup(t *llm.Target, now time.Time) (*pool, error) {
	key := t.Key()
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if p := cl.pools[key]; p != nil {
		return p, nil
	}
	p, err := cl.newPool(t)
	if err != nil {
		return nil, err
	}
	// A new target is the sign of a reload, so this is when old ones have gone out of use.
	for key, old := range cl.pools {
		if now.Unix()-old.used.Load() > int64(forgetAfter/time.Second) {
			old.dropped.Store(true)
			old.host.CloseIdleConnections()
			delete(cl.pools, key)
		}
	}
	p.used.Store(now.Unix())
	cl.pools[key] = p
	return p, nil
}

func (cl *Client) newPool(t *llm.Target) (*pool, error) {
	if t.Scheme != "http" && t.Scheme != "https" {
		return nil, invalid("The target's scheme is " + quote(t.Scheme) + "; it must be http or https.")
	}
	if _, _, err := net.SplitHostPort(t.Addr); err != nil {
		return nil, invalid("The target's address " + quote(t.Addr) + " is not host:port.")
	}
	if !plain(t.Host) {
		return nil, invalid("The target's host " + quote(t.Host) + " is not a host name.")
	}
	p := &pool{client: cl, scheme: t.Scheme, addr: t.Addr, name: hostname(t.Host), lines: []byte("Host: " + t.Host + "\r\n")}
	var err error
	if p.tls, err = trusting(cl.network.Load().tls, t.Trust); err != nil {
		return nil, invalid("The call cannot be made: " + err.Error() + ".")
	}
	if err := p.useProxy(t); err != nil {
		return nil, err
	}
	p.host.Addr = t.Addr
	p.host.ConnPoolStrategy = fasthttp.LIFO
	p.host.MaxIdleConnDuration = cl.set.MaxIdle
	p.host.MaxConns = cl.set.MaxConns
	if p.host.MaxConns <= 0 {
		p.host.MaxConns = math.MaxInt
	}
	p.host.DialTimeout = func(string, time.Duration) (net.Conn, error) { return &conn{}, nil }
	return p, nil
}

// conn is a place in a pool. It is handed out closed, and opened by the call that got it.
type conn struct {
	net.Conn          // nil until opened; the TLS layer, if there is one
	raw      net.Conn // what Conn reads from below TLS

	// release and discard give the place back to the HostClient, with the connection alive or closed.
	release, discard func()

	idle  time.Time // since when it rests; zero if it never carried a call
	timed bool      // a deadline is set
	until time.Time // the deadline for reading and writing; zero if there is none, or they differ

	fd syscall.RawConn // nil if the connection has no descriptor
	probe
}

// Close closes the connection without a word to the peer: it is only called when no data is lost by that, and a TLS
// close notice could block.
func (c *conn) Close() error {
	if c.raw == nil {
		return nil
	}
	return c.raw.Close()
}

// get takes a connection for the trip, an idle one that is alive or a new one. reused tells which.
func (p *pool) get(t *trip) (c *conn, reused bool, err error) {
	for {
		cc, err := p.host.AcquireConn(0, false)
		if errors.Is(err, fasthttp.ErrNoFreeConns) {
			return nil, false, t.busy(err)
		}
		if err != nil {
			return nil, false, t.fault(phaseConnect, err)
		}
		c := cc.Conn().(*conn)
		if c.release == nil {
			c.release = func() { p.host.ReleaseConn(cc) }
			c.discard = func() { p.host.CloseConn(cc) }
		}
		if c.Conn == nil {
			if err := t.open(c); err != nil {
				c.discard()
				return nil, false, err
			}
			return c, false, nil
		}
		if t.now.Sub(c.idle) > checkAfter && c.closedByPeer() {
			c.discard()
			continue
		}
		return c, true, nil
	}
}

// use remembers the opened connection.
func (c *conn) use(top, raw net.Conn) {
	c.Conn, c.raw = top, raw
	if s, ok := raw.(syscall.Conn); ok {
		if fd, err := s.SyscallConn(); err == nil {
			c.fd = fd
			c.look = c.poll
		}
	}
}
