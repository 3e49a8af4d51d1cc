package upstream_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// A connection that the vendor closed while it was idle is noticed before anything is written to it.
func TestStaleConnection(t *testing.T) {
	t.Parallel()
	f := func(name string, v *upstreamtest.Vendor) {
		t.Helper()
		clock := newClock()
		c := newClient(t, upstream.Settings{Now: clock.Now, TLS: v.TLS})
		target := v.Target()
		const calls = 20
		for range calls {
			ok(t, c, post(target))
			v.CloseIdle()
			clock.Add(1001 * time.Millisecond)
		}
		if got := len(v.Requests()); got != calls {
			t.Errorf("%s: %d calls were executed %d times", name, calls, got)
		}
		if got := v.Conns(); got != calls {
			t.Errorf("%s: %d connections, want a new one for each of %d calls", name, got, calls)
		}
	}
	f("plain", upstreamtest.New(t, upstreamtest.JSON(200, "{}")))
	f("TLS", upstreamtest.NewTLS(t, upstreamtest.JSON(200, "{}")))
}

// A pool can hold many dead connections; one call goes through all of them.
func TestStaleConnections(t *testing.T) {
	t.Parallel()
	gate := upstreamtest.NewGate()
	v := upstreamtest.New(t, gate.Before(upstreamtest.JSON(200, "{}")))
	clock := newClock()
	c := newClient(t, upstream.Settings{Now: clock.Now})
	target := v.Target()
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() { fetch(context.Background(), c, post(target)) })
	}
	for v.Conns() < 8 {
		<-gate.Reached() // at least one is there; the others are on their way
	}
	gate.Open()
	running.Wait()
	v.CloseIdle()
	clock.Add(time.Minute)
	ok(t, c, post(target))
	if got := len(v.Requests()); got != 9 {
		t.Errorf("9 calls were executed %d times", got)
	}
}

// A living connection survives the check.
func TestIdleConnectionIsKept(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t, upstreamtest.JSON(200, "{}"))
	clock := newClock()
	c := newClient(t, upstream.Settings{Now: clock.Now})
	target := v.Target()
	for range 5 {
		ok(t, c, post(target))
		clock.Add(time.Minute)
	}
	if got := v.Conns(); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
}

// Where the peer's close is not noticed in time, the call fails; it is never sent again, since the vendor may have
// begun to work on it.
func TestNoRetryAfterTheRequestWasAccepted(t *testing.T) {
	t.Parallel()
	f := func(answer upstreamtest.Answer) {
		t.Helper()
		v := upstreamtest.New(t, upstreamtest.JSON(200, "{}"), answer, upstreamtest.JSON(200, "{}"))
		c := newClient(t, upstream.Settings{})
		target := v.Target()
		ok(t, c, post(target))
		_, _, err := fetch(t.Context(), c, post(target))
		wantError(t, err, "upstream.Do", llm.KindConnection)
		if got := len(v.Requests()); got != 2 {
			t.Errorf("two calls were executed %d times", got)
		}
		ok(t, c, post(target))
	}
	f(upstreamtest.Drop())
	f(upstreamtest.Reset())
}

// refusing is a connection that carries one call, and then fails at the first write without taking a byte.
type refusing struct {
	script
	writes int
}

func (r *refusing) Write(p []byte) (int, error) {
	r.writes++
	if r.writes > 1 {
		return 0, &net.OpError{Op: "write", Err: syscall.EPIPE}
	}
	return r.script.Write(p)
}

func TestRetryIfNoByteWasAccepted(t *testing.T) {
	t.Parallel()
	dials := 0
	c := newClient(t, upstream.Settings{Dial: func(context.Context, string, string) (net.Conn, error) {
		dials++
		return &refusing{script: script{answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"}}, nil
	}})
	target := anyTarget()
	for range 3 {
		ok(t, c, post(target))
	}
	if dials != 3 {
		t.Errorf("got %d connections, want one for each of 3 calls", dials)
	}
}

// A connection that never worked is not tried again.
func TestNoRetryOnANewConnection(t *testing.T) {
	t.Parallel()
	dials := 0
	c := newClient(t, upstream.Settings{Dial: func(context.Context, string, string) (net.Conn, error) {
		dials++
		return &refusing{writes: 1}, nil
	}})
	_, _, err := fetch(t.Context(), c, post(anyTarget()))
	wantError(t, err, "upstream.Do", llm.KindConnection)
	if dials != 1 {
		t.Errorf("got %d connections, want 1", dials)
	}
}

// partial takes half of the first write and fails.
type partial struct{ script }

func (p *partial) Write(b []byte) (int, error) { return len(b) / 2, syscall.ECONNRESET }

func TestNoRetryAfterHalfARequest(t *testing.T) {
	t.Parallel()
	dials := 0
	good := &script{answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"}
	c := newClient(t, upstream.Settings{Dial: func(context.Context, string, string) (net.Conn, error) {
		dials++
		if dials == 1 {
			return &partial{}, nil
		}
		return good, nil
	}})
	_, _, err := fetch(t.Context(), c, post(anyTarget()))
	wantError(t, err, "upstream.Do", llm.KindConnection)
	if dials != 1 {
		t.Errorf("got %d connections, want 1", dials)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	// read says how many bytes are read before Close.
	f := func(name string, answer upstreamtest.Answer, read, conns int) {
		t.Helper()
		v := upstreamtest.New(t, answer)
		c := newClient(t, upstream.Settings{})
		target := v.Target()
		for range 3 {
			var a llm.Answer
			if err := c.Do(t.Context(), post(target), &a); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(a.Body, make([]byte, read)); err != nil {
				t.Fatal(err)
			}
			if err := a.Body.Close(); err != nil {
				t.Errorf("%s: Close: %v", name, err)
			}
		}
		if got := v.Conns(); got != conns {
			t.Errorf("%s: three calls took %d connections, want %d", name, got, conns)
		}
	}
	long := make([]byte, 20<<20)
	f("whole body unread, but here", upstreamtest.JSON(200, "{}"), 0, 1)
	f("whole body half read", upstreamtest.JSON(200, "{}"), 1, 1)
	f("stream unread, but here", upstreamtest.SSE("1", "2"), 0, 1)
	f("stream half read", upstreamtest.SSE("1", "2"), 12, 1)
	f("long body unread", upstreamtest.JSON(200, string(long)), 0, 3)
	f("long chunk unread", upstreamtest.ChunkedJSON(200, string(long)), 1, 3)
	f("until close", upstreamtest.UntilClose(200, "text/plain", "ab"), 1, 3)
	f("malformed end", upstreamtest.Raw(upstreamtest.StreamHead()+"1\r\na\r\nx\r\n"), 1, 3)
}

// begun starts a stream, reads its first event, and returns what is needed to go on.
func begun(ctx context.Context, t *testing.T, c *upstream.Client) (*upstreamtest.Stream, *upstreamtest.Vendor, *llm.Target, *llm.Answer) {
	t.Helper()
	s := upstreamtest.NewStream()
	v := upstreamtest.New(t, s.Answer, upstreamtest.JSON(200, "{}"))
	target := v.Target()
	go func() {
		<-s.Started()
		s.Begin()
		s.Send("[DONE]")
	}()
	var a llm.Answer
	if err := c.Do(ctx, post(target), &a); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(a.Body, make([]byte, len("data: [DONE]\n\n"))); err != nil {
		t.Fatal(err)
	}
	return s, v, target, &a
}

// When only the last chunk is missing, Close does not wait for it, and the connection is used again once it came.
func TestCloseAheadOfTheLastChunk(t *testing.T) {
	t.Parallel()
	c := newClient(t, upstream.Settings{MaxConns: 1})
	s, v, target, a := begun(t.Context(), t, c)
	a.Body.Close()
	s.End()
	// The only connection is in use until the last chunk was read in the background.
	for errors.Is(err(fetch(t.Context(), c, post(target))), fasthttp.ErrNoFreeConns) {
		runtime.Gosched()
	}
	ok(t, c, post(target))
	if v.Conns() != 1 {
		t.Errorf("got %d connections, want 1", v.Conns())
	}
}

func err(_ int, _ string, err error) error { return err }

// If more than the last chunk comes, the connection is closed.
func TestCloseAheadOfMore(t *testing.T) {
	t.Parallel()
	c := newClient(t, upstream.Settings{})
	s, _, _, a := begun(t.Context(), t, c)
	a.Body.Close()
	s.Send("more")
	<-s.Left()
}

// Nobody waits for the last chunk of a call that was aborted.
func TestCloseAfterAbort(t *testing.T) {
	t.Parallel()
	c := newClient(t, upstream.Settings{})
	var life llm.Lifetime
	s, _, _, a := begun(&life, t, c)
	life.Cancel(context.Canceled)
	a.Body.Close()
	<-s.Left()
}

func TestTargetsWithOneKeyShareConnections(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t, upstreamtest.JSON(200, "{}"))
	c := newClient(t, upstream.Settings{})
	for range 3 {
		ok(t, c, post(v.Target()))
	}
	if v.Conns() != 1 {
		t.Errorf("three targets with one key took %d connections, want 1", v.Conns())
	}
	other := newClient(t, upstream.Settings{})
	target := v.Target()
	ok(t, c, post(target))
	ok(t, other, post(target)) // a target may go from one client to another
	ok(t, c, post(target))
	if v.Conns() != 2 {
		t.Errorf("two clients took %d connections, want 2", v.Conns())
	}
}

// The connections of a target that is out of use are closed when a new one appears, and it still works.
func TestUnusedTargetIsForgotten(t *testing.T) {
	t.Parallel()
	clock := newClock()
	c := newClient(t, upstream.Settings{Now: clock.Now})
	closed := make(chan struct{})
	old := upstreamtest.New(t, upstreamtest.JSON(200, "{}"))
	oldTarget := old.Target()
	ok(t, c, post(oldTarget))
	go func() {
		defer close(closed)
		old.AwaitClosed()
	}()
	clock.Add(11 * time.Minute)
	v := upstreamtest.New(t, upstreamtest.JSON(200, "{}"))
	ok(t, c, post(v.Target()))
	<-closed
	ok(t, c, post(oldTarget))
	if got := old.Conns(); got != 2 {
		t.Errorf("got %d connections to the old target, want 2", got)
	}
}
