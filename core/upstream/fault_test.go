package upstream_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	f := func(answer upstreamtest.Answer, kind llm.Kind, part string) {
		t.Helper()
		v := upstreamtest.New(t, answer)
		_, _, err := fetch(t.Context(), newClient(t, upstream.Settings{}), post(v.Target()))
		wantMessage(t, wantError(t, err, "upstream.Do", kind), part)
		if n := len(v.Requests()); n != 1 {
			t.Errorf("the vendor got the request %d times", n)
		}
	}
	broken, garbage := llm.KindConnection, llm.KindBadGateway
	f(upstreamtest.Drop(), broken, "127.0.0.1 closed the connection before it answered")
	f(upstreamtest.Reset(), broken, "127.0.0.1 closed the connection before it answered")
	f(upstreamtest.Raw("HTTP/1.1 200 OK\r\nContent-"), broken, "before it answered")
	f(upstreamtest.Raw("HT"), broken, "before it answered")
	f(upstreamtest.Raw("\r\n"), broken, "before it answered")
	f(upstreamtest.Interim(103, upstreamtest.Drop()), broken, "before it answered")
	f(upstreamtest.Garbage(), garbage, "Invalid answer from 127.0.0.1")
	f(upstreamtest.Raw("\x15\x03\x01\x00\x02\x02\x50"), garbage, "Invalid answer")
	f(upstreamtest.Raw("<html>sk-secret</html>"), garbage, "Invalid answer")
	f(upstreamtest.Raw("HTTP/1.1 200 OK\r\nno colon sk-secret\r\n\r\n"), garbage, "Invalid answer")
	f(upstreamtest.Raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12"), garbage, "Invalid answer")
	f(upstreamtest.Raw("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), garbage, "Invalid answer")
	f(upstreamtest.Raw("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"), garbage, "Invalid answer")
	f(upstreamtest.Raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), garbage, "Invalid answer")
	f(upstreamtest.Raw("HTTP/2.0 200 OK\r\n\r\n"), garbage, "Invalid answer")
	f(upstreamtest.Raw("HTTP/1.1 2000 OK\r\n\r\n"), garbage, "Invalid answer")
	f(upstreamtest.Raw("HTTP/1.1 999 Odd\r\n\r\n"), garbage, "Invalid answer")
	f(upstreamtest.Raw("HTTP/1.1 000 Odd\r\n\r\n"), garbage, "Invalid answer")
	f(upstreamtest.Raw("\r\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), garbage, "Invalid answer")
	f(upstreamtest.Raw("HTTP/1.1 099 Odd\r\n\r\n"), garbage, "Invalid answer")
	f(upstreamtest.Raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), garbage, "Invalid answer")
	f(upstreamtest.Raw(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 20)), garbage, "Invalid answer")
	f(upstreamtest.JSON(200, "{}", "X-Long: "+strings.Repeat("x", 100_000)), garbage, "Invalid answer")
}

func TestBrokenBody(t *testing.T) {
	t.Parallel()
	f := func(answer upstreamtest.Answer, kind llm.Kind, body, part string) {
		t.Helper()
		v := upstreamtest.New(t, answer)
		status, got, err := fetch(t.Context(), newClient(t, upstream.Settings{}), post(v.Target()))
		if status != 200 || got != body {
			t.Errorf("got %d %q, want 200 %q", status, got, body)
		}
		wantMessage(t, wantError(t, err, "upstream.Read", kind), part)
		if kind == llm.KindConnection && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the error does not say that the body was cut: %v", err)
		}
	}
	broken, garbage := llm.KindConnection, llm.KindBadGateway
	brokeOff := "127.0.0.1 broke off in the middle of its answer"
	f(upstreamtest.CutBody(10, "12345"), broken, "12345", brokeOff)
	f(upstreamtest.CutBody(10, ""), broken, "", brokeOff)
	f(upstreamtest.CutStream("1"), broken, "data: 1\n\ndata: {\"id\":", brokeOff)
	f(upstreamtest.EndlessStream("1"), broken, "data: 1\n\n", brokeOff)
	f(upstreamtest.EndlessStream(), broken, "", brokeOff)
	f(upstreamtest.Raw(upstreamtest.StreamHead()+"1\r\na\r\n0\r\n"), broken, "a", brokeOff)
	f(upstreamtest.Raw(upstreamtest.StreamHead()+"1\r\na\r\n0\r\nX-Sum: "), broken, "a", brokeOff)
	chunks := func(s string) upstreamtest.Answer { return upstreamtest.Raw(upstreamtest.StreamHead() + s) }
	f(chunks("x\r\n"), garbage, "", "malformed")
	f(chunks("\r\n"), garbage, "", "malformed")
	f(chunks("-1\r\n"), garbage, "", "malformed")
	f(chunks("0x1\r\na\r\n0\r\n\r\n"), garbage, "", "malformed")
	f(chunks("1 1\r\na\r\n0\r\n\r\n"), garbage, "", "malformed")
	f(chunks("1\na\n0\n\n"), garbage, "", "malformed")
	f(chunks("1;a\rb\r\na\r\n0\r\n\r\n"), garbage, "", "malformed")
	f(chunks("1\r\nab\r\n0\r\n\r\n"), garbage, "a", "malformed")
	f(chunks("1\r\na\n0\r\n\r\n"), garbage, "a", "malformed")
	f(chunks("ffffffffffffffff\r\n"), garbage, "", "malformed")
	f(chunks("40000001\r\n"), garbage, "", "malformed")
	f(chunks("1;"+strings.Repeat("x", 2000)+"\r\na\r\n0\r\n\r\n"), garbage, "", "malformed")
	f(chunks("1;"+strings.Repeat("x", 20_000)), garbage, "", "malformed")
	f(chunks("0\r\nX: y\n\r\n"), garbage, "", "malformed")
	f(chunks("0\r\n"+strings.Repeat("X: y\r\n", 10_000)+"\r\n"), garbage, "", "malformed")
	f(chunks("0\r\nX: "+strings.Repeat("y", 10_000)), garbage, "", "malformed")
}

func TestNoConnection(t *testing.T) {
	t.Parallel()
	f := func(name string, s upstream.Settings, target *llm.Target, kind llm.Kind, part string) {
		t.Helper()
		_, _, err := fetch(t.Context(), newClient(t, s), post(target))
		e := wantError(t, err, "upstream.Do", kind)
		if !strings.Contains(e.Message, part) {
			t.Errorf("%s: got message %q, want %q in it", name, e.Message, part)
		}
	}
	at := func(addr string) *llm.Target { return &llm.Target{Scheme: "http", Host: addr, Addr: addr} }
	f("closed port", upstream.Settings{}, at(upstreamtest.ClosedPort(t)), llm.KindConnection, "Connection error: 127.0.0.1 refused the connection")
	f("no such name", upstream.Settings{Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "vendor.test", IsNotFound: true}}
	}}, anyTarget(), llm.KindConnection, "the name of vendor.test could not be resolved")
	f("unreachable", upstream.Settings{Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no route to host")
	}}, anyTarget(), llm.KindConnection, "cannot connect to vendor.test")

	secure := upstreamtest.NewTLS(t, upstreamtest.JSON(200, "{}"))
	f("unknown certificate", upstream.Settings{}, secure.Target(), llm.KindConnection, "no secure connection to 127.0.0.1")
	plain := upstreamtest.New(t, upstreamtest.JSON(200, "{}"))
	target := plain.Target()
	target.Scheme = "https"
	f("TLS to a plain port", upstream.Settings{}, target, llm.KindConnection, "no secure connection to 127.0.0.1")
}

func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	gate := upstreamtest.NewGate()
	v := upstreamtest.New(t, gate.Before(upstreamtest.JSON(200, "{}")))
	c := newClient(t, upstream.Settings{MaxConns: 1})
	target := v.Target()
	first := make(chan error)
	go func() {
		_, _, err := fetch(context.Background(), c, post(target))
		first <- err
	}()
	<-gate.Reached()
	_, _, err := fetch(t.Context(), c, post(target))
	wantMessage(t, wantError(t, err, "upstream.Do", llm.KindUnavailable), "Too many connections to 127.0.0.1")
	gate.Open()
	if err := <-first; err != nil {
		t.Error(err)
	}
	ok(t, c, post(target))
}

// A server may refuse a long request before it has read all of it.
func TestAnswerBeforeTheRequestIsWritten(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.CopyN(io.Discard, conn, 100)
			io.WriteString(conn, upstreamtest.Head(413, "Content-Length: 2")+"{}")
			conn.Close()
		}
	}()
	target := &llm.Target{Scheme: "http", Host: l.Addr().String(), Addr: l.Addr().String()}
	call := post(target)
	call.Body = [][]byte{make([]byte, 8<<20)}
	c := newClient(t, upstream.Settings{})
	for range 2 {
		status, body, err := fetch(t.Context(), c, call)
		if err != nil || status != 413 || body != "{}" {
			t.Errorf("got %d %q, %v; want the refusal", status, body, err)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	v := upstreamtest.NewTLS(t, upstreamtest.JSON(200, `{"a":1}`), upstreamtest.SSE("1"), upstreamtest.JSON(200, `{}`))
	clock := newClock()
	c := newClient(t, upstream.Settings{TLS: v.TLS, Now: clock.Now})
	target := v.Target()
	for _, want := range []string{`{"a":1}`, "data: 1\n\n", "{}", "{}"} {
		if got := ok(t, c, post(target)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		clock.Add(10e9)
	}
	if v.Conns() != 1 {
		t.Errorf("four calls took %d connections, want 1", v.Conns())
	}
	v.CloseIdle()
	ok(t, c, post(target))
	if got := len(v.Requests()); got != 5 {
		t.Errorf("five calls made %d requests", got)
	}
}

// The name in the certificate is that of the URL, without the port, and a configured name goes before it.
func TestTLSName(t *testing.T) {
	t.Parallel()
	v := upstreamtest.NewTLS(t, upstreamtest.JSON(200, `{}`))
	_, port, err := net.SplitHostPort(v.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, upstream.Settings{TLS: v.TLS})
	target := &llm.Target{Scheme: "https", Host: "localhost:" + port, Addr: v.Addr()}
	ok(t, c, post(target))
	target = &llm.Target{Scheme: "https", Host: "other.test", Addr: v.Addr()}
	_, _, err = fetch(t.Context(), c, post(target))
	wantMessage(t, wantError(t, err, "upstream.Do", llm.KindConnection), "no secure connection to other.test")
	var cert *tls.CertificateVerificationError
	if !errors.As(err, &cert) {
		t.Errorf("the cause is not the certificate: %v", err)
	}
	named := v.TLS.Clone()
	named.ServerName = "localhost"
	ok(t, newClient(t, upstream.Settings{TLS: named}), post(target))
}
