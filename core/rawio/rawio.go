// Package rawio reads and writes TCP connections with system calls that the Go scheduler is not told of.
//
// A system call that may block is announced to the scheduler, which then watches for it: a thread of the runtime looks each
// 20 microseconds whether the call still runs, and gives its processor to another thread if so. A socket that is open in Go
// never blocks, yet each read and write of package net is announced. With requests of a few microseconds, most of them system
// calls, that was between a twentieth and a sixth of the CPU time (core/RATIONALE.md). Pollers that are written for speed do without it too, such as
// github.com/cloudwego/netpoll. Waiting is done by package net as ever.
//
// It costs that a processor does nothing else during the call: a garbage collection that begins meanwhile waits for the copy of
// at most 64 KiB. Elsewhere than on Linux, and with the race detector, which learns from package net what happened before
// what, a connection stays as it is.
package rawio

import (
	"net"
	"sync"
)

// most is the number of bytes that one system call may copy.
const most = 64 << 10

// blockSize is the room of a Block: that of most requests.
const blockSize = 32 << 10

// Conn is a connection that can be waited on without a buffer.
type Conn interface {
	net.Conn
	// Late reads once, like Read, into a block that is taken only when there is something to read: a connection that waits
	// for hours holds none, on Linux. The block is the caller's until it is released. An error comes without one.
	Late() (*Block, error)
}

// Block holds what Late has read.
type Block struct {
	Bytes []byte // never empty
	room  [blockSize]byte
}

var blocks = sync.Pool{New: func() any { return new(Block) }}

// Release gives a block back. Its bytes must not be used any more.
func (b *Block) Release() {
	b.Bytes = nil
	blocks.Put(b)
}

// New returns c with quicker reads and writes. It keeps the contract of net.Conn, and the other methods of c: deadlines, closing
// and errors are as they were, but for the Op of a timeout's *net.OpError. c must not be read or written directly any more
// while the result is.
func New(c *net.TCPConn) Conn { return wrap(c) }

// plain is a connection as package net has it.
type plain struct{ *net.TCPConn }

func (c plain) Late() (*Block, error) { return readBlock(c.TCPConn) }

// readBlock holds a block while it waits.
func readBlock(c *net.TCPConn) (*Block, error) {
	b := blocks.Get().(*Block)
	n, err := c.Read(b.room[:])
	if n == 0 && err != nil {
		b.Release()
		return nil, err
	}
	b.Bytes = b.room[:n]
	return b, nil
}
