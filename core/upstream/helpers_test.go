package upstream_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream"
)

// noProxy keeps the environment of whoever runs the tests out of them.
func noProxy(*url.URL) (*url.URL, error) { return nil, nil }

func newClient(t testing.TB, s upstream.Settings) *upstream.Client {
	t.Helper()
	if s.Proxy == nil {
		s.Proxy = noProxy
	}
	c := upstream.New(s)
	t.Cleanup(c.Close)
	return c
}

// post is a call with a small body in pieces.
func post(target *llm.Target) *llm.Call {
	return &llm.Call{
		Target: target, Method: "POST", Path: []byte("/v1/chat/completions"),
		Head: []byte("Authorization: Bearer sk-secret\r\nContent-Type: application/json\r\n"),
		Body: [][]byte{[]byte(`{"model":`), []byte(`"gpt-4o"`), []byte(`}`)},
	}
}

// fetch makes a call and reads the answer to its end.
func fetch(ctx context.Context, c *upstream.Client, call *llm.Call) (status int, body string, err error) {
	var a llm.Answer
	if err := c.Do(ctx, call, &a); err != nil {
		return 0, "", err
	}
	b, err := io.ReadAll(a.Body)
	return a.Status, string(b), errors.Join(err, a.Body.Close())
}

// ok is fetch for calls that must succeed.
func ok(t testing.TB, c *upstream.Client, call *llm.Call) string {
	t.Helper()
	status, body, err := fetch(t.Context(), c, call)
	if err != nil || status/100 != 2 {
		t.Fatalf("got %d %q, %v; want a success", status, body, err)
	}
	return body
}

// wantError checks the kind and origin of an error, and that its text gives nothing away.
func wantError(t testing.TB, err error, op string, kind llm.Kind) *llm.Error {
	t.Helper()
	var e *llm.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want an *llm.Error of kind %d", err, kind)
	}
	if e.Kind != kind || e.Op != op {
		t.Errorf("got kind %d from %s (%v), want %d from %s", e.Kind, e.Op, err, kind, op)
	}
	if e.Message == "" {
		t.Errorf("the error has no message: %v", err)
	}
	for _, secret := range []string{"sk-secret", "gpt-4o", "hunter2"} {
		if strings.Contains(e.Error(), secret) {
			t.Errorf("the error %q holds %q", e.Error(), secret)
		}
	}
	return e
}

func wantMessage(t testing.TB, e *llm.Error, part string) {
	t.Helper()
	if !strings.Contains(e.Message, part) {
		t.Errorf("got message %q, want %q in it", e.Message, part)
	}
}

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_700_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// script is a connection that answers each request with the same bytes, in reads of the given sizes. It needs no
// goroutine and allocates nothing.
type script struct {
	answer string
	sizes  []byte
	left   string
	turn   int
}

func (s *script) Write(p []byte) (int, error) {
	s.left = s.answer
	return len(p), nil
}

func (s *script) Read(p []byte) (int, error) {
	if s.left == "" {
		return 0, io.EOF
	}
	n := len(s.left)
	if len(s.sizes) > 0 {
		n = min(n, 1+int(s.sizes[s.turn%len(s.sizes)]))
		s.turn++
	}
	n = copy(p, s.left[:n])
	s.left = s.left[n:]
	return n, nil
}

func (s *script) Close() error                     { return nil }
func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// dialTo is a Dial that hands out conn.
func dialTo(conn net.Conn) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) { return conn, nil }
}

func anyTarget() *llm.Target {
	return &llm.Target{Scheme: "http", Host: "vendor.test", Addr: "vendor.test:80"}
}
