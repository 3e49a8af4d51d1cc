//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package upstream

import (
	"golang.org/x/sys/unix"
)

// closedByPeer reports whether an idle connection is of no more use: the peer closed it, or sent something that nobody
// asked for. It does not block and takes no byte.
func (c *conn) closedByPeer() bool {
	if c.fd == nil {
		return c.closedSlow()
	}
	c.dead = true
	if err := c.fd.Control(c.peek); err != nil {
		return true
	}
	return c.dead
}

// look runs with the descriptor held. Only "nothing to read yet" is a good sign: zero bytes is the end, and under TLS
// too a server that speaks unasked has most likely said goodbye.
func (c *conn) look(fd uintptr) {
	var b [1]byte
	for {
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if err == unix.EINTR { //nolint:errorlint // a bare errno
			continue
		}
		c.dead = err != unix.EAGAIN //nolint:errorlint // a bare errno
		return
	}
}
