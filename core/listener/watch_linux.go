package listener

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller is an epoll set. The set is itself pollable, so waiting for it blocks a goroutine and no thread.
type poller struct {
	fd   int
	file *os.File
	done chan struct{}
}

func (p *poller) start(left func(id uint64)) error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("create the epoll set: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("make the epoll set non-blocking: %w", err)
	}
	p.fd, p.file, p.done = fd, os.NewFile(uintptr(fd), "epoll"), make(chan struct{})
	rc, err := p.file.SyscallConn()
	if err != nil {
		return fmt.Errorf("watch the epoll set: %w", err)
	}
	go p.run(rc, left)
	return nil
}

func (p *poller) run(rc syscall.RawConn, left func(id uint64)) {
	defer close(p.done)
	var events [128]unix.EpollEvent
	for {
		n := 0
		err := rc.Read(func(fd uintptr) bool {
			n, _ = unix.EpollWait(int(fd), events[:], 0)
			return n > 0
		})
		if err != nil {
			return
		}
		for _, e := range events[:n] {
			left(uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32)
		}
	}
}

func (p *poller) add(c *conn) {
	rc, err := c.SyscallConn()
	if err != nil {
		return
	}
	// A connection that cannot be watched is served all the same.
	_ = rc.Control(func(fd uintptr) {
		e := unix.EpollEvent{Events: unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(uint32(c.id)), Pad: int32(uint32(c.id >> 32))}
		_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, int(fd), &e)
	})
}

func (p *poller) close() {
	_ = p.file.Close()
	<-p.done
}
