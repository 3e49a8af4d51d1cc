package upstream_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// leaver makes a context and the function that ends it.
type leaver func() (context.Context, func())

func lifetime() (context.Context, func()) {
	var l llm.Lifetime
	return &l, func() { l.Cancel(context.Canceled) }
}

func plainContext() (context.Context, func()) {
	return context.WithCancel(context.Background())
}

// bothContexts runs a test with a lifetime and with an ordinary context.
func bothContexts(t *testing.T, test func(t *testing.T, leave leaver)) {
	t.Parallel()
	t.Run("lifetime", func(t *testing.T) { t.Parallel(); test(t, lifetime) })
	t.Run("context", func(t *testing.T) { t.Parallel(); test(t, plainContext) })
}

func TestLeaveBeforeTheCall(t *testing.T) {
	bothContexts(t, func(t *testing.T, leave leaver) {
		v := upstreamtest.New(t)
		ctx, cancel := leave()
		cancel()
		_, _, err := fetch(ctx, newClient(t, upstream.Settings{}), post(v.Target()))
		wantError(t, err, "upstream.Do", llm.KindCanceled)
		if len(v.Requests()) != 0 {
			t.Error("the call was made although nobody wanted it")
		}
	})
}

func TestLeaveWhileDialing(t *testing.T) {
	bothContexts(t, func(t *testing.T, leave leaver) {
		ctx, cancel := leave()
		c := newClient(t, upstream.Settings{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		_, _, err := fetch(ctx, c, post(anyTarget()))
		wantError(t, err, "upstream.Do", llm.KindCanceled)
	})
}

func TestLeaveWhileTheVendorThinks(t *testing.T) {
	bothContexts(t, func(t *testing.T, leave leaver) {
		gate := upstreamtest.NewGate()
		v := upstreamtest.New(t, gate.Before(upstreamtest.JSON(200, "{}")))
		c := newClient(t, upstream.Settings{})
		target := v.Target()
		ctx, cancel := leave()
		go func() {
			<-gate.Reached()
			cancel()
		}()
		_, _, err := fetch(ctx, c, post(target))
		e := wantError(t, err, "upstream.Do", llm.KindCanceled)
		if !errors.Is(e, context.Canceled) {
			t.Errorf("the cause is %v, want %v", e.Err, context.Canceled)
		}
		<-gate.Left() // the vendor saw the close
		gate.Open()
		ok(t, c, post(target))
		if got := v.Last().Conn; got != 2 {
			t.Errorf("the next call went over connection %d, want a new one", got)
		}
	})
}

func TestLeaveDuringAStream(t *testing.T) {
	bothContexts(t, func(t *testing.T, leave leaver) {
		c := newClient(t, upstream.Settings{})
		ctx, cancel := leave()
		s, v, target, a := begun(ctx, t, c)
		failed := make(chan error)
		go func() {
			_, err := a.Body.Read(make([]byte, 10))
			failed <- err
		}()
		cancel()
		wantError(t, <-failed, "upstream.Read", llm.KindCanceled)
		<-s.Left() // even before Close
		a.Body.Close()
		ok(t, c, post(target))
		if got := v.Last().Conn; got != 2 {
			t.Errorf("the next call went over connection %d, want a new one", got)
		}
	})
}

// A reader that is busy elsewhere does not notice, and need not: the abort and Close are enough.
func TestLeaveBetweenReads(t *testing.T) {
	bothContexts(t, func(t *testing.T, leave leaver) {
		c := newClient(t, upstream.Settings{})
		ctx, cancel := leave()
		s, _, _, a := begun(ctx, t, c)
		cancel()
		_, err := a.Body.Read(make([]byte, 10))
		for err == nil {
			_, err = a.Body.Read(make([]byte, 10)) // a plain context takes a moment to get through
		}
		wantError(t, err, "upstream.Read", llm.KindCanceled)
		a.Body.Close()
		<-s.Left()
	})
}

// What happens after the end of the body is none of the connection's business.
func TestLeaveAfterTheEnd(t *testing.T) {
	bothContexts(t, func(t *testing.T, leave leaver) {
		v := upstreamtest.New(t, upstreamtest.JSON(200, "{}"))
		c := newClient(t, upstream.Settings{})
		target := v.Target()
		for range 3 {
			ctx, cancel := leave()
			var a llm.Answer
			if err := c.Do(ctx, post(target), &a); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(a.Body); err != nil {
				t.Fatal(err)
			}
			cancel()
			a.Body.Close()
		}
		if v.Conns() != 1 {
			t.Errorf("three calls took %d connections, want 1", v.Conns())
		}
	})
}

func TestContextWithDeadline(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t, upstreamtest.Hang())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, _, err := fetch(ctx, newClient(t, upstream.Settings{}), post(v.Target()))
	wantError(t, err, "upstream.Do", llm.KindTimeout)
}

// The gateway may end a lifetime for reasons of its own.
func TestCauseOfTheEnd(t *testing.T) {
	t.Parallel()
	f := func(cause error, kind llm.Kind) {
		t.Helper()
		v := upstreamtest.New(t, upstreamtest.Hang())
		var l llm.Lifetime
		l.Cancel(cause)
		_, _, err := fetch(&l, newClient(t, upstream.Settings{}), post(v.Target()))
		if e := wantError(t, err, "upstream.Do", kind); !errors.Is(e, cause) {
			t.Errorf("got cause %v, want %v", e.Err, cause)
		}
	}
	f(context.Canceled, llm.KindCanceled)
	f(context.DeadlineExceeded, llm.KindTimeout)
	f(errors.New("the gateway stops"), llm.KindCanceled)
	f(&llm.Error{Kind: llm.KindUnavailable, Message: "stopping"}, llm.KindUnavailable)
}

// Callers that leave at any moment must not disturb the others: an aborted connection never comes back.
func TestLeaveAtAnyMoment(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t, upstreamtest.SSE("1", "2", "[DONE]"))
	c := newClient(t, upstream.Settings{})
	target := v.Target()
	const want = "data: 1\n\ndata: 2\n\ndata: [DONE]\n\n"
	done := make(chan error)
	const callers, calls = 8, 100
	for i := range callers {
		go func() {
			done <- func() error {
				var life llm.Lifetime
				for range calls {
					life.Reset()
					cancelled := make(chan struct{})
					if i%2 == 0 {
						go func() { life.Cancel(context.Canceled); close(cancelled) }()
					} else {
						close(cancelled)
					}
					_, got, err := fetch(&life, c, post(target))
					<-cancelled
					if i%2 != 0 && (err != nil || got != want) {
						return err
					}
					if err != nil && !errors.Is(err, &llm.Error{Kind: llm.KindCanceled}) {
						var e *llm.Error
						if !errors.As(err, &e) || e.Kind != llm.KindCanceled {
							return err
						}
					}
				}
				return nil
			}()
		}()
	}
	for range callers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
