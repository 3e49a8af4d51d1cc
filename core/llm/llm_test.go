package llm

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

type aborts struct{ n int }

func (a *aborts) Abort() { a.n++ }

func TestLifetime(t *testing.T) {
	t.Parallel()
	var l Lifetime
	var a aborts
	if !l.Attach(&a) || l.Err() != nil {
		t.Fatal("a new lifetime is over")
	}
	done := l.Done()
	l.Cancel(context.Canceled)
	l.Cancel(errors.New("again"))
	<-done
	if a.n != 1 || !errors.Is(l.Err(), context.Canceled) || l.Detach() || l.Attach(&a) {
		t.Fatalf("after Cancel: %d aborts, err %v", a.n, l.Err())
	}
	<-l.Done()
	l.Reset()
	if l.Err() != nil || !l.Attach(&a) || !l.Detach() {
		t.Fatal("after Reset the lifetime is still over")
	}
	child, stop := context.WithCancel(&l)
	defer stop()
	l.Cancel(context.Canceled)
	<-child.Done()
	if a.n != 1 {
		t.Fatal("a detached operation was aborted")
	}
}

func TestAsError(t *testing.T) {
	t.Parallel()
	f := func(err error, kind Kind, status int) {
		t.Helper()
		e := AsError(err)
		if e.Kind != kind || e.HTTPStatus() != status {
			t.Fatalf("%v: kind %d status %d, want %d %d", err, e.Kind, e.HTTPStatus(), kind, status)
		}
	}
	f(fmt.Errorf("x: %w", &Error{Kind: KindRateLimit}), KindRateLimit, 429)
	f(&Error{Kind: KindTimeout, Status: 504}, KindTimeout, 504)
	f(context.Canceled, KindCanceled, 499)
	f(context.DeadlineExceeded, KindTimeout, 408)
	f(errors.New("boom"), KindInternal, 500)
	if !errors.Is(fmt.Errorf("x: %w", &Error{Kind: KindTimeout, Message: "m"}), &Error{Kind: KindTimeout}) {
		t.Fatal("errors.Is does not find the kind")
	}
}

func TestNewID(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	a, b := NewID(now), NewID(now.Add(time.Millisecond))
	if a.String() >= b.String() || a[14] != '7' || len(a.String()) != 36 {
		t.Fatalf("ids %s %s", a, b)
	}
	if n := testing.AllocsPerRun(10, func() { a = NewID(now) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestPrincipalMay(t *testing.T) {
	t.Parallel()
	f := func(model string, want bool, models ...string) {
		t.Helper()
		if (&Principal{Models: models}).May(model) != want {
			t.Fatalf("May(%s) with %v is not %v", model, models, want)
		}
	}
	f("m", true)
	f("m", true, "m")
	f("m", true, "*")
	f("m", true, "all-proxy-models")
	f("m", false, "n")
	f("openai/gpt", true, "openai/*")
	f("openaix/gpt", false, "openai/*")
}

func TestHeader(t *testing.T) {
	t.Parallel()
	h := Header{{[]byte("Content-Type"), []byte("a")}, {[]byte("X-Empty"), nil}}
	if string(h.Get("content-type")) != "a" || h.Has("other") || !h.Has("x-empty") {
		t.Fatal("lookup failed")
	}
	c := h.Clone()
	h[0].Value[0] = 'b'
	if string(c.Get("Content-Type")) != "a" {
		t.Fatal("the clone borrows")
	}
}

// Contexts that are derived from a lifetime end with it, even if it is used again right afterwards.
func TestLifetimeDerived(t *testing.T) {
	t.Parallel()
	var l Lifetime
	for range 1000 {
		child, stop := context.WithCancel(&l)
		called := make(chan struct{})
		context.AfterFunc(&l, func() { close(called) })
		not := context.AfterFunc(&l, func() { t.Error("a stopped function was called") })
		if !not() {
			t.Fatal("nothing to stop")
		}
		l.Cancel(context.Canceled)
		l.Reset()
		<-called
		<-child.Done()
		if child.Err() == nil || not() {
			t.Fatal("the child does not know why it ended")
		}
		stop()
	}
	l.Cancel(context.Canceled)
	called := false
	if l.AfterFunc(func() { called = true })() || !called {
		t.Fatal("the function of a lifetime that is over was not called")
	}
}
