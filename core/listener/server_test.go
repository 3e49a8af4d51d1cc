package listener

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/gateway"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/router"
)

// vendor is a deployment's endpoint that answers in memory.
type vendor struct {
	streamed bool
	parts    []string
	fail     error         // after the parts
	entered  chan struct{} // a value for each call
	ctx      context.Context
	panics   bool
}

func (v *vendor) Encode(x *llm.Exchange, c *llm.Call) error {
	c.Local = func(ctx context.Context, _ *llm.Answer) error {
		v.ctx = ctx
		if v.entered != nil {
			v.entered <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	return nil
}

func (v *vendor) Decode(_ *llm.Exchange, _ *llm.Answer, r *llm.Reply) error {
	if v.panics {
		panic("a bug")
	}
	s := &parts{v: v, left: v.parts}
	r.Status, r.Streamed, r.Rest = 200, v.streamed, s
	return s.Next(&r.First)
}

// parts is the stream of a vendor's reply.
type parts struct {
	v    *vendor
	left []string
}

func (s *parts) Next(p *llm.Part) error {
	if len(s.left) == 0 {
		if s.v.fail != nil {
			return s.v.fail
		}
		return io.EOF
	}
	*p = llm.Part{Data: []byte(s.left[0])}
	s.left = s.left[1:]
	return nil
}

func (s *parts) Close() error { return nil }

// anybody lets everybody in.
type anybody struct{}

func (anybody) Authenticate(context.Context, *llm.Exchange, auth.Credential) (*llm.Principal, error) {
	return &llm.Principal{}, nil
}

// serve runs a server with the one model m until the test ends, and returns its address.
func serve(t *testing.T, v *vendor, change ...func(*Settings)) (*Server, string) {
	t.Helper()
	set := router.Defaults()
	set.Deployments = []*llm.Deployment{{ID: "d", Group: "m", Provider: "p", Model: "x", Bound: v}}
	r, err := router.New(set)
	if err != nil {
		t.Fatal(err)
	}
	g := gateway.New(nil, &gateway.Snapshot{Auth: anybody{}, Pipeline: pipeline.NewChain(), Router: r, Edge: gateway.Edge{MaxRequest: 1 << 20}})
	settings := Settings{Gateway: g, Logger: slog.New(slog.DiscardHandler), Version: "v"}
	for _, f := range change {
		f(&settings)
	}
	s, err := New(settings)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(ln); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _ = s.Shutdown(ctx)
		wg.Wait()
	})
	return s, ln.Addr().String()
}

// raw sends bytes and returns a reader for what comes back.
func raw(t *testing.T, addr, request string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

func read(t *testing.T, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func chat(body string) string {
	return fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

const ask = `{"model":"m"}`

func TestHTTP(t *testing.T) {
	t.Parallel()
	_, addr := serve(t, &vendor{parts: []string{`{"ok":true}`}})
	f := func(request string, status int, want string) {
		t.Helper()
		_, r := raw(t, addr, request)
		resp, body := read(t, r)
		if resp.StatusCode != status || !strings.Contains(body, want) || resp.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%.60q: %s %s %v, want %d %q", request, resp.Status, body, resp.Header, status, want)
		}
	}
	f(chat(ask), 200, `{"ok":true}`)
	f("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n"+ask+"\r\n0\r\n\r\n", 200, "ok")
	f("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n"+ask+"\r\n0\r\n\r\n", 400, "both Content-Length and Transfer-Encoding")
	f("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n", 400, "Request size is too large. Max size is 1 MB")
	f("GET / HTTP/1.1\r\nHost: h\r\nX: "+strings.Repeat("a", maxHeader)+"\r\n\r\n", 431, "header is larger")
	f("GET / HTTP/1.1\r\nbroken header\r\n\r\n", 400, "not valid HTTP")
	f("GET /v1//models HTTP/1.1\r\nHost: h\r\n\r\n", 400, "segment")
	f("GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", 404, `{"detail":"Not Found"}`)
	f("GET /v1/chat/completions HTTP/1.1\r\nHost: h\r\n\r\n", 405, `{"detail":"Method Not Allowed"}`)
	f("GET /health/liveliness HTTP/1.1\r\nHost: h\r\n\r\n", 200, "I'm alive!")
}

// Requests sent one behind the other on a connection are answered one behind the other, streams included: the end of a
// stream, which is held back to join the write after it, does not get lost.
func TestPipelined(t *testing.T) {
	t.Parallel()
	_, addr := serve(t, &vendor{streamed: true, parts: []string{`{"n":1}`, `{"n":2}`}})
	_, r := raw(t, addr, chat(ask)+chat(ask)+chat(ask))
	for i := range 3 {
		if _, body := read(t, r); body != "data: {\"n\":1}\n\ndata: {\"n\":2}\n\ndata: [DONE]\n\n" {
			t.Fatalf("answer %d: %q", i, body)
		}
	}
}

func TestStreamError(t *testing.T) {
	t.Parallel()
	_, addr := serve(t, &vendor{streamed: true, parts: []string{`{"n":1}`}, fail: &llm.Error{Kind: llm.KindConnection, Message: "it broke"}})
	_, r := raw(t, addr, chat(ask))
	if _, body := read(t, r); !strings.HasPrefix(body, "data: {\"n\":1}\n\ndata: {\"error\":{") || !strings.Contains(body, "it broke") || strings.Contains(body, "DONE") {
		t.Fatalf("%q", body)
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	s, addr := serve(t, &vendor{panics: true})
	for range 2 {
		_, r := raw(t, addr, chat(ask))
		if resp, body := read(t, r); resp.StatusCode != 500 || strings.Contains(body, "a bug") {
			t.Fatalf("%s %s", resp.Status, body)
		}
	}
	if n := s.active.Load(); n != 0 {
		t.Fatalf("%d exchanges are still counted", n)
	}
}

// Every way of leaving ends the exchange: closing, resetting, and closing only the sending side.
func TestLeaving(t *testing.T) {
	t.Parallel()
	f := func(name string, leave func(*net.TCPConn) error) {
		t.Helper()
		v := &vendor{entered: make(chan struct{})}
		_, addr := serve(t, v)
		c, _ := raw(t, addr, chat(ask))
		<-v.entered
		done := v.ctx.Done() // asked for now: the exchange is used again once it has ended
		if err := leave(c.(*net.TCPConn)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatalf("%s: the exchange goes on", name)
		}
	}
	f("close", (*net.TCPConn).Close)
	f("half close", (*net.TCPConn).CloseWrite)
	f("reset", func(c *net.TCPConn) error {
		if err := c.SetLinger(0); err != nil {
			return err
		}
		return c.Close()
	})
}

// A connection over the limit is closed at once; those within it go on, and a place that becomes free is given away.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	_, addr := serve(t, &vendor{parts: []string{"{}"}}, func(s *Settings) { s.MaxConns = 1 })
	first, r := raw(t, addr, chat(ask))
	read(t, r)
	_, over := raw(t, addr, "")
	if _, err := over.ReadByte(); err == nil {
		t.Fatal("a connection over the limit was served")
	}
	if _, err := io.WriteString(first, chat(ask)); err != nil {
		t.Fatal(err)
	}
	read(t, r)
	first.Close()
	for range 1000 {
		c, r := raw(t, addr, "")
		_, _ = io.WriteString(c, chat(ask))
		if _, err := r.Peek(1); err == nil {
			return
		}
	}
	t.Fatal("the place of a closed connection is never given away")
}

func TestForwarded(t *testing.T) {
	t.Parallel()
	f := func(want string, lines ...string) {
		t.Helper()
		var h llm.Header
		for _, l := range lines {
			h = append(h, llm.Field{Name: []byte("x-forwarded-for"), Value: []byte(l)})
		}
		if got := forwarded(h); got != want {
			t.Fatalf("%q: %q, want %q", lines, got, want)
		}
	}
	f("")
	f("1.2.3.4", "1.2.3.4")
	f("5.6.7.8", "1.2.3.4, 5.6.7.8")
	f("5.6.7.8", "1.2.3.4", "5.6.7.8")
	f("1.2.3.4", "1.2.3.4:567")
	f("::1", "[::1]:567")
	f("1.2.3.4", "::ffff:1.2.3.4")
	f("", "somewhere")
}

// A server that is told to stop before it serves, or just as it begins, does not serve for good.
func TestShutdownFirst(t *testing.T) {
	t.Parallel()
	for range 20 {
		serve(t, &vendor{}) // stops at once when the test ends, maybe before Serve has begun
	}
	s, err := New(Settings{Gateway: gateway.New(nil, &gateway.Snapshot{}), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(ln); err != nil {
		t.Error(err)
	}
}
