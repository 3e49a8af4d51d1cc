package upstream

import (
	"errors"
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
	switch {
	case w.wakes():
		n, err = w.nap(p)
	case w.idle == 0:
		n, err = w.conn.Read(p)
	default:
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

// wakes reports whether somebody wants to be woken.
func (w *wire) wakes() bool {
	if w.wake == nil {
		return false
	}
	_, ok := w.wake.Waking()
	return ok
}

// errStopped ends a read of an answer that nobody wants any more.
var errStopped = errors.New("the answer is not wanted any more")

// nap reads like wait, and wakes whoever wants it while nothing comes. Where one deadline covers everything it is put back.
func (w *wire) nap(p []byte) (int, error) {
	t := (*trip)(w)
	end := t.deadline
	if w.idle > 0 {
		end = time.Now().Add(w.idle)
	}
	defer t.limit(end)
	for {
		at, ok := t.wake.Waking()
		if !ok || !end.IsZero() && end.Before(at) {
			at = end
		}
		t.limit(at)
		n, err := w.conn.Read(p)
		if n > 0 || err == nil || !isTimeout(err) || t.isAborted() {
			return n, err
		}
		now := time.Now()
		if !end.IsZero() && !now.Before(end) {
			return n, err
		}
		if ok && !now.Before(at) && !t.wake.Woken() {
			return 0, errStopped
		}
	}
}

// closedSlow looks at an idle connection without a descriptor: it reads for a moment, and nothing is the good sign.
func (c *conn) closedSlow() bool {
	var b [1]byte
	c.timed, c.until = true, time.Time{}
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	n, err := c.Read(b[:])
	return n > 0 || !isTimeout(err)
}
