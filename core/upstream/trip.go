package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// trip is one call on its way there and back: it holds everything between Do and the Close of the answer's body, and is
// reused for another call after that. One goroutine works on it; only abort comes from others.
type trip struct {
	client *Client
	pool   *pool
	conn   *conn
	br     *bufio.Reader // where the answer is read: own, or a bigger one for a long header
	own    *bufio.Reader
	head   answerHead
	body   body

	ctx  context.Context
	life *llm.Lifetime // ctx, if it is one
	stop func() bool   // ends the watch over any other context
	wake *llm.Lifetime // who may want to be woken while a read waits; nil if nobody

	now       time.Time // when the call began, by the clock of the settings
	start     time.Time // the same, by the clock of deadlines
	deadline  time.Time // the one set on the connection; zero for none
	timeout   time.Duration
	firstByte time.Duration
	idle      time.Duration // limit of one read; 0 while a deadline covers everything
	wrote     int64         // bytes the connection accepted
	ioErr     error         // what the connection last failed with; parsers above it tell less
	early     bool          // the header was read before the request was written to its end
	ended     bool          // the connection was given back or closed
	lost      bool          // the context ended in a way that may still call abort

	mu      sync.Mutex
	aborted bool
	cancel  context.CancelFunc // ends a dial; nil when none is running
	live    *conn              // what abort interrupts

	abortFn, settleFn func()
}

// maxInterim is how many 1xx answers may come before the real one.
const maxInterim = 16

func newTrip(cl *Client) *trip {
	t := &trip{client: cl}
	t.own = bufio.NewReaderSize((*wire)(t), readBuffer)
	t.br = t.own
	t.head.lib.SetNoDefaultContentType(true)
	t.abortFn, t.settleFn = t.Abort, t.settle
	return t
}

func (t *trip) begin(ctx context.Context, c *llm.Call, p *pool, now time.Time) {
	t.pool, t.ctx, t.now, t.start = p, ctx, now, now
	if t.client.ownClock {
		t.start = time.Now()
	}
	t.timeout, t.firstByte = max(c.Timeout, 0), max(c.FirstByte, 0)
	t.deadline = time.Time{}
	if d := shorter(t.timeout, t.firstByte); d > 0 {
		t.deadline = t.start.Add(d)
	}
	t.idle, t.wrote, t.ioErr, t.ended, t.lost = 0, 0, nil, false, false
	t.aborted, t.early = false, false
}

func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// run makes the call and fills the answer.
func (t *trip) run(c *llm.Call, a *llm.Answer) error {
	a.Began = t.start
	if !t.attach() {
		return t.fault(phaseConnect, t.ctx.Err())
	}
	if err := t.send(c); err != nil {
		return err
	}
	if !t.early {
		if err := t.readHead(); err != nil {
			return err
		}
	}
	a.FirstByte = time.Now()
	return t.fill(c, a)
}

// attach ties the trip to its context. It returns false if that is over already.
func (t *trip) attach() bool {
	t.life, t.stop = nil, nil
	t.wake = llm.LifetimeOf(t.ctx)
	if l, ok := t.ctx.(*llm.Lifetime); ok {
		if !l.Attach(t) {
			return false
		}
		t.life = l
		return true
	}
	if t.ctx.Done() == nil {
		return true
	}
	if t.ctx.Err() != nil {
		return false
	}
	t.stop = context.AfterFunc(t.ctx, t.abortFn)
	return true
}

// detach unties it. It returns false if the context ended: the connection may be aborted and is of no more use.
func (t *trip) detach() bool {
	life, stop := t.life, t.stop
	t.life, t.stop, t.wake = nil, nil, nil
	if life != nil {
		return life.Detach()
	}
	if stop != nil && !stop() {
		// The watch runs in a goroutine of its own and may not have got to Abort yet, so nobody else may have the trip.
		t.lost = true
		return false
	}
	return true
}

// Abort implements llm.Aborter: whatever the trip waits for ends now. The trip's own goroutine then cleans up.
func (t *trip) Abort() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.aborted = true
	if t.cancel != nil {
		t.cancel()
	}
	if t.live != nil {
		t.live.SetDeadline(past())
		t.live.until = time.Time{}
	}
}

func (t *trip) isAborted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.aborted
}

// hold makes c the connection that abort interrupts, and sets the deadline of the call on it. It returns false if the
// trip was aborted before.
func (t *trip) hold(c *conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conn, t.live = c, c
	if t.aborted {
		return false
	}
	if c.timed || !t.deadline.IsZero() {
		c.bound(t.deadline, t.start)
	}
	return true
}

// A deadline this far away may be late by a part of the time until then: so the next call may find one that serves it too.
const (
	farAway  = time.Minute
	latePart = 128
)

// bound ends reading and writing at d, as seen at now; zero means never. Moving a deadline costs 0.2 µs, and most calls have the
// same few minutes.
func (c *conn) bound(d, now time.Time) {
	late := time.Duration(0)
	if span := d.Sub(now); !d.IsZero() && span >= farAway {
		late = span / latePart
	}
	if left := c.until.Sub(d); late > 0 && !c.until.IsZero() && left >= 0 && left <= late {
		return
	}
	c.timed, c.until = !d.IsZero(), time.Time{}
	if c.timed {
		d = d.Add(late)
		c.until = d
	}
	c.SetDeadline(d)
}

// limit moves the deadline for reading, unless the trip was aborted.
func (t *trip) limit(d time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.aborted || t.live == nil {
		return
	}
	t.deadline = d
	t.live.SetReadDeadline(d)
	t.live.timed, t.live.until = true, time.Time{}
}

// open connects c, within the time for dialling and that of the call.
func (t *trip) open(c *conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), t.client.set.DialTimeout)
	defer cancel()
	if !t.deadline.IsZero() {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, t.deadline)
		defer stop()
	}
	t.mu.Lock()
	t.cancel = cancel
	if t.aborted {
		cancel()
	}
	t.mu.Unlock()
	top, raw, err := t.pool.dial(ctx)
	t.mu.Lock()
	t.cancel = nil
	t.mu.Unlock()
	if err != nil {
		return t.fault(phaseConnect, err)
	}
	c.use(top, raw)
	return nil
}

// send writes the call. If a connection from the pool turns out to be closed before it accepted a byte, the next is
// taken; after that nothing is sent twice.
func (t *trip) send(c *llm.Call) error {
	for {
		cn, reused, err := t.pool.get(t)
		if err != nil {
			return err
		}
		if !t.hold(cn) {
			return t.fault(phaseConnect, os.ErrDeadlineExceeded)
		}
		err = t.write(c)
		if err == nil {
			return nil
		}
		if t.isAborted() || isTimeout(err) {
			return t.fault(phaseWrite, err)
		}
		if t.wrote > 0 {
			return t.refused(err)
		}
		if !reused {
			return t.fault(phaseWrite, err)
		}
		t.drop()
	}
}

// drop closes the connection so that another can be tried.
func (t *trip) drop() {
	t.mu.Lock()
	t.live = nil
	t.mu.Unlock()
	t.conn.discard()
	t.conn = nil
}

// refused is for a server that stopped listening in the middle of the request. If it said why, that is the answer.
func (t *trip) refused(err error) error {
	t.limit(time.Now().Add(time.Second))
	if t.readHead() == nil && t.head.status >= http.StatusBadRequest {
		t.early = true
		return nil
	}
	return t.fault(phaseWrite, err)
}

func (t *trip) write(c *llm.Call) error {
	bw := t.client.writers.Get().(*bufio.Writer)
	bw.Reset((*wire)(t))
	err := t.compose(bw, c)
	bw.Reset(nil)
	t.client.writers.Put(bw)
	return err
}

// compose writes the request. Errors of a bufio.Writer stay, so that Flush reports the first one.
func (t *trip) compose(bw *bufio.Writer, c *llm.Call) error {
	bw.WriteString(c.Method)
	bw.WriteByte(' ')
	bw.Write(t.pool.prefix)
	bw.Write(c.Path)
	bw.WriteString(" HTTP/1.1\r\n")
	bw.Write(t.pool.lines)
	bw.Write(c.Head)
	for i := range c.Header {
		bw.Write(c.Header[i].Name)
		bw.WriteString(": ")
		bw.Write(c.Header[i].Value)
		bw.WriteString("\r\n")
	}
	size := c.Size()
	if size > 0 || c.Method != http.MethodGet && c.Method != http.MethodHead && c.Method != http.MethodDelete {
		bw.WriteString("Content-Length: ")
		bw.Write(strconv.AppendInt(bw.AvailableBuffer(), int64(size), 10))
		bw.WriteString("\r\n")
	}
	bw.WriteString("\r\n")
	for _, piece := range c.Body {
		bw.Write(piece)
	}
	return bw.Flush()
}

// readHead reads up to the header of the final answer.
func (t *trip) readHead() error {
	for range maxInterim {
		if err := t.readOneHead(); err != nil {
			return err
		}
		code := t.head.status
		if code >= 200 && code < 600 {
			return nil
		}
		if code >= 600 || code == http.StatusSwitchingProtocols {
			return t.garbage("its status is " + strconv.Itoa(code))
		}
	}
	return t.garbage("it sent too many interim answers")
}

func (t *trip) readOneHead() error {
	if err := t.expectHTTP(); err != nil {
		return err
	}
	if b, _ := t.br.Peek(t.br.Buffered()); len(b) > 0 {
		if n := t.head.plain(b); n > 0 {
			_, _ = t.br.Discard(n) // they are there
			return nil
		}
	}
	err := t.head.lib.Read(t.br)
	if err != nil && tooSmall(err) && t.br == t.own && t.client.set.MaxHeader > readBuffer {
		t.widen()
		err = t.head.lib.Read(t.br)
	}
	switch {
	case err == nil:
		t.head.take()
		return nil
	case tooSmall(err):
		return t.garbage("its header is longer than " + strconv.Itoa(t.client.set.MaxHeader) + " bytes")
	case t.ioErr != nil:
		return t.fault(phaseHeader, t.ioErr)
	}
	// The parser's own words quote the answer, which may hold anything.
	return t.garbage("its header is malformed")
}

// expectHTTP waits for the beginning of a status line. What does not begin like HTTP/1 is told at once, not when a line
// ends or time runs out. Some servers send a line end too many after an answer; it is skipped.
func (t *trip) expectHTTP() error {
	for range 4 {
		b, err := t.br.Peek(1)
		if err != nil {
			return t.fault(phaseHeader, err)
		}
		if b[0] != '\r' && b[0] != '\n' {
			break
		}
		if _, err := t.br.Discard(1); err != nil {
			return t.fault(phaseHeader, err)
		}
	}
	b, err := t.br.Peek(len(statusLine))
	for i, c := range b {
		switch want := statusLine[i]; {
		case want == 'd' && '0' <= c && c <= '9', want == 'D' && '1' <= c && c <= '9', want == c:
		default:
			return t.garbage("it does not begin with a status line of HTTP/1")
		}
	}
	if err != nil {
		return t.fault(phaseHeader, err)
	}
	return nil
}

// statusLine is how an answer begins; d is a digit and D one that is not 0.
const statusLine = "HTTP/1.d Ddd"

func tooSmall(err error) bool {
	var small *fasthttp.ErrSmallBuffer
	return errors.As(err, &small)
}

// widen goes on with a buffer that holds the longest header allowed.
func (t *trip) widen() {
	b, _ := t.own.Peek(t.own.Buffered())
	rest := io.MultiReader(bytes.NewReader(bytes.Clone(b)), (*wire)(t))
	t.br = bufio.NewReaderSize(rest, t.client.set.MaxHeader)
}

// fill describes the answer whose header was read, and prepares for its body.
func (t *trip) fill(c *llm.Call, a *llm.Answer) error {
	a.Status = t.head.status
	keep := !t.early && !t.head.closes
	a.Header = append(a.Header, t.head.fields...)
	a.Streamed = isEventStream(t.head.contentType)
	size := t.head.size
	if c.Method == http.MethodHead || a.Status == http.StatusNoContent || a.Status == http.StatusNotModified {
		size = 0
	}
	t.body.begin(size, keep)
	a.Size = max(size, -1)
	a.Body = t
	if size == 0 {
		t.finish(keep)
		return nil
	}
	t.limitBody(a, max(c.Idle, 0))
	return nil
}

// limitBody replaces the deadline for the header by the limits of the body. A deadline that comes early is left alone:
// reading moves it when it fires.
func (t *trip) limitBody(a *llm.Answer, idle time.Duration) {
	if t.timeout > 0 && !a.Streamed {
		if d := t.start.Add(t.timeout); !d.Equal(t.deadline) {
			t.limit(d)
		}
		return
	}
	t.idle = idle
	d := a.FirstByte.Add(idle)
	switch {
	case idle == 0 && !t.deadline.IsZero():
		t.limit(time.Time{})
	case idle > 0 && (t.deadline.IsZero() || t.deadline.After(d)):
		t.limit(d)
	}
}

// finish ends the use of the connection: it goes back to the pool if reuse is true and nobody aborted the trip.
func (t *trip) finish(reuse bool) {
	if t.ended {
		return
	}
	t.ended = true
	alive := t.detach()
	t.mu.Lock()
	c := t.live
	t.live = nil
	t.mu.Unlock()
	t.conn = nil
	if c == nil {
		return
	}
	if !reuse || !alive || t.br.Buffered() != 0 {
		c.discard()
		return
	}
	c.idle = t.client.set.Now()
	c.release()
}

// recycle hands the trip on. Nobody holds it any more.
func (t *trip) recycle() {
	if t.lost || t.br != t.own {
		// What held a long header has grown with it.
		return
	}
	t.own.Reset((*wire)(t))
	t.pool, t.ctx, t.ioErr = nil, nil, nil
	t.client.trips.Put(t)
}
