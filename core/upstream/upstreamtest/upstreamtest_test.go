package upstreamtest_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// get makes a request as any client would.
func get(t *testing.T, v *upstreamtest.Vendor) (status int, body string, err error) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: v.TLS}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.URL+"/v1/x", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func TestPayloadsAreJSON(t *testing.T) {
	t.Parallel()
	f := func(payload string) {
		t.Helper()
		if !json.Valid([]byte(payload)) {
			t.Errorf("not JSON: %s", payload)
		}
	}
	odd := "a \"quoted\"\n\\ \x00 \u2028 text"
	f(upstreamtest.Completion(odd, odd, 1, 2))
	f(upstreamtest.ToolCompletion(odd, odd, odd, `{"a":"b"}`, 1, 2))
	f(upstreamtest.Embeddings(odd, 3, []float64{1, -2.5e-10}, nil))
	f(upstreamtest.Embeddings(odd, 3))
	f(upstreamtest.Models(odd, "b"))
	f(upstreamtest.Models())
	f(upstreamtest.ErrorBody(odd, odd, "", ""))
	f(upstreamtest.ToolChunk(odd, 1, odd, odd))
	f(upstreamtest.ArgumentsChunk(odd, 1, odd))
	stream := upstreamtest.ChatStream(odd, 1, odd, "b")
	for _, data := range stream[:len(stream)-1] {
		f(data)
	}
	if stream[len(stream)-1] != upstreamtest.Done {
		t.Error("a stream does not end in Done")
	}
}

func TestAnswersAreHTTP(t *testing.T) {
	t.Parallel()
	f := func(answer upstreamtest.Answer, status int, part string) {
		t.Helper()
		for _, v := range []*upstreamtest.Vendor{upstreamtest.New(t, answer), upstreamtest.NewTLS(t, answer)} {
			got, body, err := get(t, v)
			if got != status || !strings.Contains(body, part) || err != nil {
				t.Errorf("got %d %q, %v; want %d with %q", got, body, err, status, part)
			}
			if r := v.Last(); r.Path != "/v1/x" || string(r.Body) != "{}" {
				t.Errorf("recorded %+v", r)
			}
		}
	}
	f(upstreamtest.JSON(201, `{"a":1}`), 201, `{"a":1}`)
	f(upstreamtest.ChunkedJSON(200, "[1", "]"), 200, "[1]")
	f(upstreamtest.Empty(204), 204, "")
	f(upstreamtest.UntilClose(200, "text/plain", "hello"), 200, "hello")
	f(upstreamtest.SSE("a\nb", upstreamtest.Done), 200, "data: a\ndata: b\n\ndata: [DONE]\n\n")
	f(upstreamtest.SSERaw(upstreamtest.NamedEvent("ping", "{}")), 200, "event: ping\ndata: {}\n\n")
	f(upstreamtest.ErrorInStream("a"), 200, `data: {"error":`)
	f(upstreamtest.ErrorInOK(), 200, `{"error":`)
	f(upstreamtest.Interim(103, upstreamtest.JSON(200, "{}")), 200, "{}")
	f(upstreamtest.ContextLengthExceeded(), 400, "context_length_exceeded")
	f(upstreamtest.ContentPolicyViolation(), 400, "content_policy_violation")
	f(upstreamtest.InvalidAPIKey(), 401, "invalid_api_key")
	f(upstreamtest.ModelNotFound("x"), 404, "model_not_found")
	f(upstreamtest.RateLimited("2"), 429, "rate_limit_exceeded")
	f(upstreamtest.InsufficientQuota(), 429, "insufficient_quota")
	f(upstreamtest.ServerError(), 500, "server_error")
	f(upstreamtest.Overloaded(), 503, "overloaded")
}

func TestFaultsAreFaults(t *testing.T) {
	t.Parallel()
	f := func(answer upstreamtest.Answer) {
		t.Helper()
		if status, body, err := get(t, upstreamtest.New(t, answer)); err == nil {
			t.Errorf("got %d %q without an error", status, body)
		}
	}
	f(upstreamtest.Drop())
	f(upstreamtest.Reset())
	f(upstreamtest.Garbage())
	f(upstreamtest.Raw("HTTP/1.1 200"))
	f(upstreamtest.CutBody(10, "12"))
	f(upstreamtest.CutStream("a"))
	f(upstreamtest.EndlessStream("a"))
	if conn, err := net.Dial("tcp", upstreamtest.ClosedPort(t)); err == nil {
		conn.Close()
		t.Error("a closed port took a connection")
	}
}

// dial opens a connection and returns a function that makes a request on it.
func dial(t *testing.T, v *upstreamtest.Vendor) (conn net.Conn, ask func() error) {
	t.Helper()
	conn, err := net.Dial("tcp", v.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	br := bufio.NewReader(conn)
	return conn, func() error {
		io.WriteString(conn, "POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		r, err := http.ReadResponse(br, nil)
		if err != nil {
			return err
		}
		defer r.Body.Close()
		_, err = io.ReadAll(r.Body)
		return err
	}
}

func TestScript(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t, upstreamtest.JSON(200, "1"), upstreamtest.JSON(201, "2"))
	f := func(want int) {
		t.Helper()
		if got, _, err := get(t, v); got != want || err != nil {
			t.Errorf("got %d, %v; want %d", got, err, want)
		}
	}
	f(200)
	f(201)
	f(201)
	v.Script(upstreamtest.JSON(202, "3"))
	f(202)
	if got := len(v.Requests()); got != 4 {
		t.Errorf("recorded %d requests, want 4", got)
	}
}

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t, upstreamtest.JSON(200, "{}"))
	v.KeepAlive(2)
	_, ask := dial(t, v)
	if err := errors.Join(ask(), ask()); err != nil {
		t.Errorf("two requests on a connection: %v", err)
	}
	if err := ask(); err == nil {
		t.Error("a third request was answered")
	}
}

func TestCloseIdle(t *testing.T) {
	t.Parallel()
	v := upstreamtest.New(t, upstreamtest.JSON(200, "{}"))
	conn, ask := dial(t, v)
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	v.CloseIdle()
	v.AwaitClosed()
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the idle connection reads %v, want the end", err)
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	s := upstreamtest.NewStream("X-A: b")
	v := upstreamtest.New(t, s.Answer)
	conn, _ := dial(t, v)
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-s.Started()
	s.Begin()
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || r.Header.Get("X-A") != "b" {
		t.Fatalf("got %v, %v", r, err)
	}
	f := func(send bool, want string) {
		t.Helper()
		b := make([]byte, len(want))
		if _, err := io.ReadFull(r.Body, b); !send || err != nil || string(b) != want {
			t.Errorf("sent %v, got %q, %v; want %q", send, b, err, want)
		}
	}
	f(s.Send("1"), "data: 1\n\n")
	f(s.Send("2", "3"), "data: 2\n\ndata: 3\n\n")
	f(s.Done(), "data: [DONE]\n\n")
	if _, err := r.Body.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the body ends in %v", err)
	}
	if s.Send("4") {
		t.Error("an event was sent after the end")
	}
}

func TestLeft(t *testing.T) {
	t.Parallel()
	s, g := upstreamtest.NewStream(), upstreamtest.NewGate()
	v := upstreamtest.New(t, s.Answer, g.Before(upstreamtest.Drop()))
	f := func(arrived, left <-chan struct{}) {
		t.Helper()
		conn, _ := dial(t, v)
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-arrived
		select {
		case <-left:
			t.Error("the client had not left yet")
		default:
		}
		conn.Close()
		<-left
	}
	f(s.Started(), s.Left())
	f(g.Reached(), g.Left())
	if s.Send("1") {
		t.Error("an event was sent to nobody")
	}
}
