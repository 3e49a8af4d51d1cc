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

import "net"

// most is the number of bytes that one system call may copy.
const most = 64 << 10

// New returns c with quicker reads and writes. It keeps the contract of net.Conn, and the other methods of c: deadlines, closing
// and errors are as they were, but for the Op of a timeout's *net.OpError. c must not be read or written directly any more
// while the result is.
func New(c *net.TCPConn) net.Conn { return wrap(c) }
