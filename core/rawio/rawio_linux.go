//go:build linux && !race

package rawio

import (
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// conn has one state for each direction, so that a call allocates nothing. A second reader or writer at the same time, which
// package net allows, takes the usual way.
type conn struct {
	*net.TCPConn
	fd      syscall.RawConn
	in, out direction
	late    func(fd uintptr) bool // as in.try, with a block
	block   *Block                // of the Late under way
}

type direction struct {
	busy  atomic.Bool
	try   func(fd uintptr) bool // made once; false says that it would block
	p     []byte
	n     int
	errno syscall.Errno
}

func wrap(tc *net.TCPConn) Conn {
	fd, err := tc.SyscallConn()
	if err != nil {
		return plain{tc}
	}
	c := &conn{TCPConn: tc, fd: fd}
	c.in.try, c.out.try, c.late = c.in.read, c.out.write, c.readLate
	return c
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	d := &c.in
	if len(p) == 0 || !d.busy.CompareAndSwap(false, true) {
		return c.TCPConn.Read(p)
	}
	d.p = p[:min(len(p), most)]
	n, err := c.once(d.try)
	d.busy.Store(false)
	return n, err
}

// Late implements Conn.
func (c *conn) Late() (*Block, error) {
	d := &c.in
	if !d.busy.CompareAndSwap(false, true) {
		return readBlock(c.TCPConn)
	}
	n, err := c.once(c.late)
	b := c.block
	c.block = nil
	d.busy.Store(false)
	if err == nil {
		b.Bytes = b.room[:n]
		return b, nil
	}
	if b != nil {
		b.Release()
	}
	return nil, err
}

// readLate reads into a block, which it keeps only if it need not wait.
func (c *conn) readLate(fd uintptr) bool {
	c.block = blocks.Get().(*Block)
	c.in.p = c.block.room[:]
	if c.in.read(fd) {
		return true
	}
	c.in.p = nil
	c.block.Release()
	c.block = nil
	return false
}

// once reads with try, which the direction is taken for.
func (c *conn) once(try func(fd uintptr) bool) (int, error) {
	d := &c.in
	d.n, d.errno = 0, 0
	err := c.fd.Read(try)
	d.p = nil
	switch {
	case err != nil:
		return 0, err
	case d.errno != 0:
		return 0, c.failed("read", d.errno)
	case d.n == 0:
		return 0, io.EOF
	}
	return d.n, nil
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	d := &c.out
	if len(p) == 0 || !d.busy.CompareAndSwap(false, true) {
		return c.TCPConn.Write(p)
	}
	d.p, d.n, d.errno = p, 0, 0
	err := c.fd.Write(d.try)
	n, errno := d.n, d.errno
	d.p = nil
	d.busy.Store(false)
	if err == nil && errno != 0 {
		err = c.failed("write", errno)
	}
	return n, err
}

func (c *conn) failed(op string, errno syscall.Errno) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(op, errno)}
}

// read reads once. Zero bytes without an error are the end.
func (d *direction) read(fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&d.p[0])), uintptr(len(d.p)))
		switch errno {
		case 0:
			d.n = int(n)
		case syscall.EAGAIN:
			return false
		case syscall.EINTR:
			continue
		default:
			d.errno = errno
		}
		return true
	}
}

// write writes until all is written. It may be called again for the rest.
func (d *direction) write(fd uintptr) bool {
	for d.n < len(d.p) {
		rest := d.p[d.n:min(len(d.p), d.n+most)]
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&rest[0])), uintptr(len(rest)))
		switch errno {
		case 0:
			d.n += int(n)
		case syscall.EAGAIN:
			return false
		case syscall.EINTR:
		default:
			d.errno = errno
			return true
		}
	}
	return true
}
