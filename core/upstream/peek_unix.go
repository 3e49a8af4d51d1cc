//go:build unix

package upstream

import "golang.org/x/sys/unix"

// probe is what looking at an idle connection needs. It is kept with the connection, so that looking allocates nothing.
type probe struct {
	look func(fd uintptr)
	fds  [1]unix.PollFd
	dead bool
}

// closedByPeer reports whether an idle connection is of no more use: the peer closed it, or sent something that nobody
// asked for. It does not block and takes no byte.
func (c *conn) closedByPeer() bool {
	if c.fd == nil {
		return c.closedSlow()
	}
	c.dead = true
	if err := c.fd.Control(c.look); err != nil {
		return true
	}
	return c.dead
}

// poll runs with the descriptor held. Silence is the only good sign: what can be read is the end, or, under TLS too,
// most likely a server saying goodbye.
func (c *conn) poll(fd uintptr) {
	c.fds[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	for {
		n, err := unix.Poll(c.fds[:], 0)
		if err == unix.EINTR { //nolint:errorlint // a bare errno
			continue
		}
		c.dead = err != nil || n != 0
		return
	}
}
