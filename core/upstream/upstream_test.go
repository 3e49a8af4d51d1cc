package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 10_000)
	f := func(name string, answer upstreamtest.Answer, status int, body string, conns int) {
		t.Helper()
		v := upstreamtest.New(t, answer)
		c := newClient(t, upstream.Settings{})
		target := v.Target()
		for range 3 {
			gotStatus, got, err := fetch(t.Context(), c, post(target))
			if err != nil || gotStatus != status || got != body {
				t.Errorf("%s: got %d %.80q, %v; want %d %.80q", name, gotStatus, got, err, status, body)
			}
		}
		if v.Conns() != conns {
			t.Errorf("%s: three calls took %d connections, want %d", name, v.Conns(), conns)
		}
	}
	f("whole", upstreamtest.JSON(200, `{"a":1}`), 200, `{"a":1}`, 1)
	f("empty", upstreamtest.JSON(200, ``), 200, ``, 1)
	f("long", upstreamtest.JSON(200, long), 200, long, 1)
	f("chunked", upstreamtest.ChunkedJSON(200, `{"a"`, `:1}`), 200, `{"a":1}`, 1)
	f("long chunks", upstreamtest.ChunkedJSON(200, long, long), 200, long+long, 1)
	f("no chunks", upstreamtest.ChunkedJSON(200), 200, ``, 1)
	f("until close", upstreamtest.UntilClose(200, "application/json", `{"a":1}`), 200, `{"a":1}`, 3)
	f("until close, empty", upstreamtest.UntilClose(200, "application/json", ``), 200, ``, 3)
	f("no content", upstreamtest.Empty(204), 204, ``, 1)
	f("not modified", upstreamtest.Empty(304, "Content-Length: 5"), 304, ``, 1)
	f("error", upstreamtest.JSON(500, `{}`), 500, `{}`, 1)
	f("interim", upstreamtest.Interim(103, upstreamtest.JSON(200, `{}`)), 200, `{}`, 1)
	f("two interims", upstreamtest.Interim(100, upstreamtest.Interim(103, upstreamtest.JSON(200, `{}`))), 200, `{}`, 1)
	f("stream", upstreamtest.SSE("1", upstreamtest.Done), 200, "data: 1\n\ndata: [DONE]\n\n", 1)
	f("says close", upstreamtest.JSON(200, `{}`, "Connection: close"), 200, `{}`, 3)
	f("says Close in a list", upstreamtest.JSON(200, `{}`, "Connection: foo, Close"), 200, `{}`, 3)
	f("trailer", func(c *upstreamtest.Conn) {
		c.Write(upstreamtest.StreamHead("Trailer: X-Sum") + upstreamtest.Chunk("a") + "0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n")
	}, 200, "a", 1)
	f("chunk extensions and padding", func(c *upstreamtest.Conn) {
		c.Write(upstreamtest.StreamHead() + "1;name=value\r\na\r\n0001  \r\nb\r\n0;x\r\n\r\n")
	}, 200, "ab", 1)
	f("long header", upstreamtest.JSON(200, `{"a":1}`, "X-Long: "+strings.Repeat("x", 30_000)), 200, `{"a":1}`, 1)
	f("line end ahead", func(c *upstreamtest.Conn) {
		c.Write("\r\n" + upstreamtest.Head(200, "Content-Length: 2") + "{}")
	}, 200, `{}`, 1)
	f("bytes after the end", upstreamtest.JSON(200, `{}`+"garbage", "X: y"), 200, `{}garbage`, 1)
	f("unasked bytes", func(c *upstreamtest.Conn) {
		c.Write(upstreamtest.Head(200, "Content-Length: 2") + "{}HTTP/1.1 200 OK\r\n")
	}, 200, `{}`, 3)
}

func TestAnswerFields(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t, upstreamtest.SSE("1"), upstreamtest.JSON(429, "{}", "x-request-id: abc", "Set-Cookie: a=b", "set-cookie: c=d"))
	c := newClient(t, upstream.Settings{})
	target := v.Target()
	var a llm.Answer
	f := func(name string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if err := c.Do(t.Context(), post(target), &a); err != nil {
		t.Fatal(err)
	}
	f("status", a.Status, 200)
	f("streamed", a.Streamed, true)
	f("size", a.Size, -1)
	f("order of times", !a.Began.IsZero() && !a.FirstByte.Before(a.Began), true)
	a.Body.Close()
	a.Reset()
	if err := c.Do(t.Context(), post(target), &a); err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	f("status", a.Status, 429)
	f("streamed", a.Streamed, false)
	f("size", a.Size, 2)
	f("a header", string(a.Header.Get("X-Request-Id")), "abc")
	f("content type", string(a.Header.Get("content-type")), "application/json")
	var cookies []string
	for _, h := range a.Header {
		if llm.EqualFold(h.Name, "set-cookie") {
			cookies = append(cookies, string(h.Value))
		}
	}
	f("cookies", cookies, []string{"a=b", "c=d"})
}

func TestContentTypeOfStreams(t *testing.T) {
	t.Parallel()
	f := func(contentType string, want bool) {
		t.Helper()
		v := upstreamtest.New(t, upstreamtest.Whole(200, contentType, ""))
		var a llm.Answer
		if err := newClient(t, upstream.Settings{}).Do(t.Context(), post(v.Target()), &a); err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		if a.Streamed != want {
			t.Errorf("%q: got %v, want %v", contentType, a.Streamed, want)
		}
	}
	f("text/event-stream", true)
	f("Text/Event-Stream; charset=utf-8", true)
	f("text/event-stream ;charset=utf-8", true)
	f("text/event-streams", false)
	f("application/json", false)
	f("text/plain", false)
}

func TestRequest(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t, upstreamtest.JSON(200, `{}`))
	c := newClient(t, upstream.Settings{})
	f := func(name string, edit func(c *llm.Call), want upstreamtest.Request) {
		t.Helper()
		call := post(v.Target())
		edit(call)
		ok(t, c, call)
		got := v.Last()
		want.Host, want.Conn = v.Addr(), got.Conn
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: the vendor got something else (-want +got):\n%s", name, diff)
		}
	}
	head := func(more ...string) http.Header {
		h := http.Header{"Authorization": {"Bearer sk-secret"}, "Content-Type": {"application/json"}, "Content-Length": {"18"}}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = append(h[more[i]], more[i+1])
		}
		return h
	}
	body := []byte(`{"model":"gpt-4o"}`)
	f("post", func(*llm.Call) {}, upstreamtest.Request{
		Method: "POST", Path: "/v1/chat/completions", Header: head(), Body: body,
	})
	f("more headers", func(c *llm.Call) {
		c.Path = []byte("/v1/x?a=%20b")
		c.Header = llm.Header{{Name: []byte("X-A"), Value: []byte("1")}, {Name: []byte("X-A"), Value: []byte("zwei\t\xe4")}}
	}, upstreamtest.Request{
		Method: "POST", Path: "/v1/x?a=%20b", Header: head("X-A", "1", "X-A", "zwei\t\xe4"), Body: body,
	})
	f("long body", func(c *llm.Call) {
		c.Head = nil
		c.Body = [][]byte{body, []byte(strings.Repeat("x", 100_000)), nil, body}
	}, upstreamtest.Request{
		Method: "POST", Path: "/v1/chat/completions", Header: http.Header{"Content-Length": {"100036"}},
		Body: slices.Concat(body, []byte(strings.Repeat("x", 100_000)), body),
	})
	f("no body", func(c *llm.Call) { c.Head, c.Body = nil, nil }, upstreamtest.Request{
		Method: "POST", Path: "/v1/chat/completions", Header: http.Header{"Content-Length": {"0"}}, Body: []byte{},
	})
	f("get", func(c *llm.Call) { c.Method, c.Head, c.Body = "GET", nil, nil }, upstreamtest.Request{
		Method: "GET", Path: "/v1/chat/completions", Header: http.Header{}, Body: []byte{},
	})
}

func TestHead(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t, upstreamtest.Empty(200, "Content-Length: 100"))
	c := newClient(t, upstream.Settings{})
	target := v.Target()
	for range 2 {
		call := post(target)
		call.Method, call.Body = "HEAD", nil
		if body := ok(t, c, call); body != "" {
			t.Errorf("got body %q", body)
		}
	}
	if v.Conns() != 1 {
		t.Errorf("two calls took %d connections, want 1", v.Conns())
	}
}

func TestCallsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t)
	c := newClient(t, upstream.Settings{})
	f := func(edit func(c *llm.Call), part string) {
		t.Helper()
		call := post(v.Target())
		edit(call)
		_, _, err := fetch(t.Context(), c, call)
		wantMessage(t, wantError(t, err, "upstream.Do", llm.KindInvalid), part)
	}
	header := func(name, value string) func(*llm.Call) {
		return func(c *llm.Call) { c.Header = llm.Header{{Name: []byte(name), Value: []byte(value)}} }
	}
	f(header("X-A", "1\r\nHost: evil"), "X-A")
	f(header("X-A", "1\nHost: evil"), "X-A")
	f(header("X-A", "1\x00"), "X-A")
	f(header("X-A: 1\r\nX-B", "2"), "header name")
	f(header("", "2"), "no name")
	for _, name := range []string{
		"Host", "content-length", "Transfer-Encoding", "Connection", "upgrade", "TE", "Trailer", "Keep-Alive",
		"Proxy-Connection", "Proxy-Authorization",
	} {
		f(header(name, "x"), name)
	}
	f(func(c *llm.Call) { c.Path = nil }, "path")
	f(func(c *llm.Call) { c.Path = []byte("v1") }, "path")
	f(func(c *llm.Call) { c.Path = []byte("/a b") }, "path")
	f(func(c *llm.Call) { c.Path = []byte("/a\r\nX: y") }, "path")
	f(func(c *llm.Call) { c.Method = "GET / HTTP/1.1\r\n" }, "method")
	f(func(c *llm.Call) { c.Method = "" }, "method")
	f(func(c *llm.Call) { c.Target = nil }, "target")
	f(func(c *llm.Call) { c.Target = &llm.Target{Scheme: "ftp", Host: "a", Addr: "a:1"} }, "ftp")
	f(func(c *llm.Call) { c.Target = &llm.Target{Scheme: "http", Host: "a", Addr: "a"} }, "host:port")
	f(func(c *llm.Call) { c.Target = &llm.Target{Scheme: "http", Host: "a\r\n", Addr: "a:1"} }, "host")
}

func TestLocal(t *testing.T) {
	t.Parallel()
	want := errors.New("from the mock")
	call := &llm.Call{Local: func(context.Context, *llm.Answer) error { return want }}
	if err := newClient(t, upstream.Settings{}).Do(t.Context(), call, new(llm.Answer)); err != want {
		t.Errorf("got %v, want the error of the local answer", err)
	}
}

// Many chunks that arrived together come out of one Read.
func TestReadTakesAllThatArrived(t *testing.T) {
	t.Parallel()
	s := upstreamtest.NewStream()
	v := upstreamtest.New(t, s.Answer)
	c := newClient(t, upstream.Settings{})
	go func() {
		<-s.Started()
		// One write, so one packet on the loopback: the header, three chunks and the beginning of a fourth.
		s.Raw(upstreamtest.StreamHead() + upstreamtest.Chunk("one ") + upstreamtest.Chunk("two ") + upstreamtest.Chunk("three") + "4\r\nfo")
	}()
	var a llm.Answer
	if err := c.Do(t.Context(), post(v.Target()), &a); err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	buf := make([]byte, 100)
	f := func(want string, wantErr error) {
		t.Helper()
		n, err := a.Body.Read(buf)
		if string(buf[:n]) != want || err != wantErr {
			t.Errorf("got %q, %v; want %q, %v", buf[:n], err, want, wantErr)
		}
	}
	f("one two threefo", nil)
	s.Raw("ur\r\n1")
	f("ur", nil)
	s.Raw("\r\nxy")
	n, err := a.Body.Read(buf)
	wantMessage(t, wantError(t, err, "upstream.Read", llm.KindBadGateway), "malformed")
	if string(buf[:n]) != "x" {
		t.Errorf("got %q ahead of the mistake, want %q", buf[:n], "x")
	}
	if n, again := a.Body.Read(buf); n != 0 || again != err {
		t.Errorf("the next read got %d, %v; want the same error", n, again)
	}
}

func TestReadGivesTheEndWithTheLastBytes(t *testing.T) {
	t.Parallel()
	f := func(answer upstreamtest.Answer) {
		t.Helper()
		v := upstreamtest.New(t, answer)
		var a llm.Answer
		if err := newClient(t, upstream.Settings{}).Do(t.Context(), post(v.Target()), &a); err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		if n, err := a.Body.Read(nil); n != 0 || err != nil {
			t.Errorf("a read of nothing got %d, %v", n, err)
		}
		n, err := a.Body.Read(make([]byte, 4))
		if n != 4 || err != io.EOF {
			t.Errorf("got %d, %v; want 4 bytes and the end", n, err)
		}
	}
	f(upstreamtest.JSON(200, "1234"))
	f(upstreamtest.ChunkedJSON(200, "12", "34"))
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	answer := upstreamtest.Answer(func(c *upstreamtest.Conn) {
		// The answer repeats the request, so that a mix-up shows.
		upstreamtest.ChunkedJSON(200, string(c.Request.Body[:5]), string(c.Request.Body[5:]))(c)
	})
	v := upstreamtest.New(t, answer)
	c := newClient(t, upstream.Settings{})
	target := v.Target()
	done := make(chan error)
	const callers, calls = 16, 50
	for i := range callers {
		go func() {
			done <- func() error {
				var life llm.Lifetime
				for j := range calls {
					life.Reset()
					call := post(target)
					want := fmt.Sprintf("caller %d call %d", i, j)
					call.Body = [][]byte{[]byte(want)}
					_, got, err := fetch(&life, c, call)
					if err != nil || got != want {
						return fmt.Errorf("got %q, %w; want %q", got, err, want)
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
	if v.Conns() > callers {
		t.Errorf("%d callers took %d connections", callers, v.Conns())
	}
}
