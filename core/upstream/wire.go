package upstream

import (
	"io"
	"time"
)

// wire is the connection of a trip as its buffers see it: it counts what was accepted, remembers what failed, and
// bounds how long a read waits.
type wire trip

// Write implements io.Writer.
func (w *wire) Write(p []byte) (int, error) {
	n, err := w.conn.Write(p)
	w.wrote += int64(n)
	return n, err
}

// Read implements io.Reader.
func (w *wire) Read(p []byte) (int, error) {
	if w.conn == nil {
		return 0, io.ErrClosedPipe
	}
	var n int
	var err error
	if w.idle == 0 {
		n, err = w.conn.Read(p)
	} else {
		n, err = w.wait(p)
	}
	if err != nil {
		w.ioErr = err
	}
	return n, err
}

// wait reads, for at most the idle time. It does not set a deadline ahead of each read: the one that is set comes early
// rather than late, and when it fires too early it is moved to where it belongs.
func (w *wire) wait(p []byte) (int, error) {
	begin := time.Now()
	for {
		n, err := w.conn.Read(p)
		if n > 0 || err == nil || !isTimeout(err) {
			return n, err
		}
		t := (*trip)(w)
		end := begin.Add(w.idle)
		if t.isAborted() || !time.Now().Before(end) {
			return n, err
		}
		t.limit(end)
	}
}

// closedSlow looks at an idle connection without a descriptor: it reads for a moment, and nothing is the good sign.
func (c *conn) closedSlow() bool {
	var b [1]byte
	c.timed = true
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	n, err := c.Read(b[:])
	return n > 0 || !isTimeout(err)
}
