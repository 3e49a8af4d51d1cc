package listener

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/rawio"
)

// Time limits of a connection. They bound one read and one write, not a request: a stream may last for hours.
const (
	readWait  = 75 * time.Second // also how long an idle connection is kept
	writeWait = 60 * time.Second
	// A deadline is moved only when this many seconds of it have passed, since moving one costs 130 ns.
	deadlineSlack = 5
	// How long, and how much, is read from a caller whose request was refused halfway.
	lingerWait  = 2 * time.Second
	lingerBytes = 64 << 20
)

// conn is a caller's connection. It knows the exchange under way, so that a caller who leaves ends it.
type conn struct {
	*net.TCPConn
	quick  rawio.Conn   // reads and writes the same connection
	early  *rawio.Block // what was read with the first byte of a request, or nil
	remote string       // address without port
	id     uint64       // number in the watcher
	w      *watcher

	mu   sync.Mutex
	gone bool
	life *llm.Lifetime // of the exchange under way

	readSet, writeSet int64 // watcher's clock when the deadlines were last moved; each used by one goroutine

	linger bool // there is more to read than was read; see Close

	hold bool   // the next Write waits for the one after it
	held []byte // what waits
}

// holdNext makes the next Write wait for the one after it, so that both go out in one system call. The end of a stream
// is two writes, its last block and the end of the chunked encoding; sending them apart costs a fifth of a short
// stream. Only for a Write that another one is sure to follow.
func (c *conn) holdNext() { c.hold = true }

// begin makes l the lifetime that ends when the caller leaves.
func (c *conn) begin(l *llm.Lifetime) {
	c.mu.Lock()
	c.life = l
	gone := c.gone
	c.mu.Unlock()
	if gone {
		l.Cancel(context.Canceled)
	}
}

// end forgets the lifetime. When it returns no Cancel is on its way any more.
func (c *conn) end() {
	c.mu.Lock()
	c.life = nil
	c.mu.Unlock()
}

// leave ends the exchange under way: the caller closed its side.
func (c *conn) leave() {
	c.mu.Lock()
	c.gone = true
	if c.life != nil {
		c.life.Cancel(context.Canceled)
	}
	c.mu.Unlock()
}

// Read bounds how long the caller may stay silent. For the first byte of the next request, which fasthttp asks for alone so
// that it need not keep a buffer meanwhile, it reads more, and keeps that for the Read that follows.
func (c *conn) Read(p []byte) (int, error) {
	if c.early != nil {
		return c.readEarly(p), nil
	}
	if now := c.w.clock.Load(); now-c.readSet > deadlineSlack {
		c.readSet = now
		if err := c.SetReadDeadline(time.Now().Add(readWait)); err != nil {
			return 0, err
		}
	}
	if len(p) != 1 {
		return c.quick.Read(p)
	}
	var err error
	if c.early, err = c.quick.Late(); err != nil {
		return 0, err
	}
	return c.readEarly(p), nil
}

func (c *conn) readEarly(p []byte) int {
	n := copy(p, c.early.Bytes)
	if c.early.Bytes = c.early.Bytes[n:]; len(c.early.Bytes) == 0 {
		c.early.Release()
		c.early = nil
	}
	return n
}

// Write bounds how long the caller may refuse to take what it asked for.
func (c *conn) Write(p []byte) (int, error) {
	if c.hold {
		c.hold = false
		c.held = append(c.held[:0], p...)
		return len(p), nil
	}
	if len(c.held) > 0 {
		return c.writeHeld(p)
	}
	return c.send(p)
}

// writeHeld sends what was held together with p.
func (c *conn) writeHeld(p []byte) (int, error) {
	first := len(c.held)
	c.held = append(c.held, p...)
	n, err := c.send(c.held)
	c.held = c.held[:0]
	if cap(c.held) > maxKeptBlock {
		c.held = nil
	}
	return max(0, n-first), err
}

func (c *conn) send(p []byte) (int, error) {
	if now := c.w.clock.Load(); now-c.writeSet > deadlineSlack {
		c.writeSet = now
		if err := c.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
			return 0, err
		}
	}
	return c.quick.Write(p)
}

// Close stops watching before the descriptor can be reused. What is still held goes out first.
//
// A caller whose request was refused halfway is still sending. Closing now would reset the connection, and the caller
// might lose the answer that says why; so for a moment the rest is read and thrown away.
func (c *conn) Close() error {
	c.w.remove(c)
	c.leave() // an exchange that is still under way has nobody to answer to
	if len(c.held) > 0 {
		_, _ = c.send(c.held)
		c.held = nil
	}
	if c.linger && c.CloseWrite() == nil && c.SetReadDeadline(time.Now().Add(lingerWait)) == nil {
		go func() {
			_, _ = io.CopyN(io.Discard, c.TCPConn, lingerBytes)
			_ = c.TCPConn.Close()
		}()
		return nil
	}
	return c.TCPConn.Close()
}

// connOf finds our connection below what fasthttp hands out.
func connOf(nc net.Conn) *conn {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	c, _ := nc.(*conn)
	return c
}

// watched is a listener whose connections are watched for callers who leave.
type watched struct {
	net.Listener
	w        *watcher
	maxConns int
	closed   sync.Once
}

// Close closes the listener; again, it does nothing: a server that stops closes it as well as whoever serves.
func (l *watched) Close() (err error) {
	l.closed.Do(func() { err = l.Listener.Close() })
	return err
}

// Accept returns the next connection. Over the limit of open connections a new one is closed at once: fasthttp's own
// limit would answer it, and over TLS such an answer blocks the accept loop.
func (l *watched) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tc, ok := nc.(*net.TCPConn)
		if !ok {
			return nc, nil
		}
		if l.maxConns > 0 && l.w.open() >= l.maxConns {
			_ = tc.Close()
			continue
		}
		c := &conn{TCPConn: tc, quick: rawio.New(tc), w: l.w, remote: host(tc.RemoteAddr())}
		l.w.add(c)
		return c, nil
	}
}

func host(a net.Addr) string {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().String()
	}
	return ""
}
