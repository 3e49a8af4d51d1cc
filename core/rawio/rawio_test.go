package rawio_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/sallyport-ai/sallyport/core/rawio"
)

// pair is both ends of a connection.
func pair(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close(); accepted.Close() })
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

// TestContract is the suite that golang.org/x/net has for whatever calls itself a net.Conn: transfers, deadlines past and to
// come, closing, and all methods at once.
func TestContract(t *testing.T) {
	t.Parallel()
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		a, b := pair(t)
		return rawio.New(a), rawio.New(b), func() { a.Close(); b.Close() }, nil
	})
}

// late reads with Late alone.
type late struct {
	rawio.Conn
	mu    sync.Mutex
	block *rawio.Block
}

func (c *late) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.mu.Lock()
	b := c.block
	c.block = nil
	c.mu.Unlock()
	if b == nil {
		if b, err = c.Late(); err != nil {
			return 0, err
		}
	}
	n = copy(p, b.Bytes)
	if b.Bytes = b.Bytes[n:]; len(b.Bytes) == 0 {
		b.Release()
		return n, nil
	}
	c.mu.Lock()
	c.block = b
	c.mu.Unlock()
	return n, nil
}

// TestLate is the same suite for Late.
func TestLate(t *testing.T) {
	t.Parallel()
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		a, b := pair(t)
		return &late{Conn: rawio.New(a)}, &late{Conn: rawio.New(b)}, func() { a.Close(); b.Close() }, nil
	})
}

// TestLarge sends more than the kernel takes at once to a peer that reads it in pieces of its own.
func TestLarge(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	want := make([]byte, 20<<20+7)
	_, _ = rand.Read(want)
	go func() {
		defer a.Close()
		if n, err := rawio.New(a).Write(want); n != len(want) || err != nil {
			t.Errorf("wrote %d: %v", n, err)
		}
	}()
	var got bytes.Buffer
	if _, err := io.CopyBuffer(&got, struct{ io.Reader }{rawio.New(b)}, make([]byte, 100_003)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got %d bytes, or other ones", got.Len())
	}
}

// TestErrors has the errors that callers look for: those of package net.
func TestErrors(t *testing.T) {
	t.Parallel()
	f := func(name string, want func(error) bool, do func(c net.Conn, raw, peer *net.TCPConn) error) {
		t.Helper()
		raw, peer := pair(t)
		if err := do(rawio.New(raw), raw, peer); err == nil || !want(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	read := func(c net.Conn) error { _, err := c.Read(make([]byte, 8)); return err }
	// flood writes until it fails.
	flood := func(c net.Conn) error {
		for {
			if _, err := c.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
		}
	}
	f("end", is(io.EOF), func(c net.Conn, _, peer *net.TCPConn) error { peer.Close(); return read(c) })
	f("end, late", is(io.EOF), func(c net.Conn, _, peer *net.TCPConn) error { peer.Close(); return read(&late{Conn: c.(rawio.Conn)}) })
	f("closed here", is(net.ErrClosed), func(c net.Conn, _, _ *net.TCPConn) error { c.Close(); return read(c) })
	f("written after closing", is(net.ErrClosed), func(c net.Conn, _, _ *net.TCPConn) error { c.Close(); return flood(c) })
	f("read too late", is(os.ErrDeadlineExceeded), func(c net.Conn, _, _ *net.TCPConn) error {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		return read(c)
	})
	f("a timeout says so", func(err error) bool {
		var timeout net.Error
		return errors.As(err, &timeout) && timeout.Timeout()
	}, func(c net.Conn, _, _ *net.TCPConn) error {
		_ = c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		return flood(c)
	})
	f("reset", is(syscall.ECONNRESET), func(c net.Conn, _, peer *net.TCPConn) error {
		_ = peer.SetLinger(0)
		peer.Close()
		return read(c)
	})
	f("closed while it waits", is(net.ErrClosed), func(c net.Conn, raw, peer *net.TCPConn) error {
		go func() {
			_, _ = peer.Write([]byte("x"))
			_, _ = peer.Read(make([]byte, 1)) // by now it waits, or is about to
			raw.Close()
		}()
		if err := read(c); err != nil {
			return err
		}
		_, _ = c.Write([]byte("y"))
		return read(c)
	})
	f("peer gone", func(err error) bool {
		return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
	}, func(c net.Conn, _, peer *net.TCPConn) error { peer.Close(); return flood(c) })
}

// TestPartialWrite has what was written before a deadline counted.
func TestPartialWrite(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	c := rawio.New(a)
	go func() {
		_, _ = b.Read(make([]byte, 1)) // some of it is written
		_ = c.SetWriteDeadline(time.Unix(1, 0))
	}()
	n, err := c.Write(make([]byte, 64<<20))
	if n == 0 || n >= 64<<20 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("wrote %d: %v", n, err)
	}
	a.Close()
	if got, err := io.Copy(io.Discard, b); got+1 != int64(n) || err != nil {
		t.Errorf("the peer got %d of %d: %v", got, n, err)
	}
}

func TestNoAllocations(t *testing.T) {
	a, b := pair(t)
	c, peer := rawio.New(a), rawio.New(b)
	p := make([]byte, 512)
	n := testing.AllocsPerRun(200, func() {
		if _, err := c.Write(p); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(peer, p); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations a round trip", n)
	}
	n = testing.AllocsPerRun(200, func() {
		if _, err := peer.Write(p); err != nil {
			t.Fatal(err)
		}
		block, err := c.Late()
		if err != nil || len(block.Bytes) != len(p) {
			t.Fatalf("%v, %v", block, err)
		}
		block.Release()
	})
	if n > 0.5 { // a garbage collection empties the pool
		t.Errorf("%v allocations when it reads late", n)
	}
}

// BenchmarkEcho sends 2 KB to and fro between two goroutines.
func BenchmarkEcho(b *testing.B) {
	f := func(name string, wrap func(*net.TCPConn) net.Conn) {
		b.Run(name, func(b *testing.B) {
			x, y := pair(b)
			c, peer := wrap(x), wrap(y)
			go func() { _, _ = io.Copy(struct{ io.Writer }{peer}, struct{ io.Reader }{peer}) }()
			p := make([]byte, 2<<10)
			for b.Loop() {
				if _, err := c.Write(p); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	f("net", func(c *net.TCPConn) net.Conn { return c })
	f("rawio", func(c *net.TCPConn) net.Conn { return rawio.New(c) })
	f("late", func(c *net.TCPConn) net.Conn { return &late{Conn: rawio.New(c)} })
}
