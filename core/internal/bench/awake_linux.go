package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// awakeConn is a connection whose reader asks again and again instead of sleeping until there is something. A peer that
// sleeps has to be woken by the process that writes to it, which costs that process over a microsecond; a slower
// server's peers sleep more often, and it would pay for that too. Vendors and callers are on other machines, where
// nobody's write wakes them.
//
// The peers and the server under test must have CPUs of their own.
type awakeConn struct {
	net.Conn // what it was made from; closed, but it knows the addresses
	fd       int
	deadline time.Time
}

// awake takes over a TCP connection.
func awake(conn net.Conn) (net.Conn, error) {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	a := &awakeConn{Conn: conn}
	var failed error
	err = raw.Control(func(fd uintptr) { a.fd, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(err, failed, conn.Close()); err != nil {
		return nil, fmt.Errorf("taking over a connection: %w", err)
	}
	return a, nil
}

func (a *awakeConn) Read(b []byte) (int, error) {
	for tries := 1; ; tries++ {
		n, err := unix.Read(a.fd, b)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case err != unix.EAGAIN && err != unix.EINTR:
			return 0, os.NewSyscallError("read", err)
		}
		if err := a.pause(tries); err != nil {
			return 0, err
		}
	}
}

func (a *awakeConn) Write(b []byte) (int, error) {
	written := 0
	for tries := 1; written < len(b); tries++ {
		n, err := unix.Write(a.fd, b[written:])
		if err == nil {
			written += n
			continue
		}
		if err != unix.EAGAIN && err != unix.EINTR {
			return written, os.NewSyscallError("write", err)
		}
		if err := a.pause(tries); err != nil {
			return written, err
		}
	}
	return written, nil
}

// pause lets the other connections try. When nothing has come for long, as between rounds, it sleeps.
func (a *awakeConn) pause(tries int) error {
	const quiet = 20_000 // a tenth of a second with 32 connections
	if tries%256 == 0 && !a.deadline.IsZero() && time.Now().After(a.deadline) {
		return os.ErrDeadlineExceeded
	}
	if tries > quiet {
		time.Sleep(time.Millisecond)
	}
	runtime.Gosched()
	return nil
}

// SetDeadline is looked at now and then only.
func (a *awakeConn) SetDeadline(t time.Time) error {
	a.deadline = t
	return nil
}

func (a *awakeConn) Close() error { return unix.Close(a.fd) }
