package upstream_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// read makes a call that is answered with the bytes, which arrive in pieces of the given sizes, and reads the body with
// a buffer of the given size.
func read(answer string, sizes []byte, size int) (a llm.Answer, body []byte, err error) {
	c := upstream.New(upstream.Settings{
		Proxy: noProxy, MaxIdle: time.Nanosecond, Dial: dialTo(&script{answer: answer, sizes: sizes}),
	})
	defer c.Close()
	if err := c.Do(new(llm.Lifetime), post(anyTarget()), &a); err != nil {
		return a, nil, err
	}
	a.Header = a.Header.Clone()
	defer a.Body.Close()
	buf := make([]byte, 1+size)
	for {
		n, err := a.Body.Read(buf)
		body = append(body, buf[:n]...)
		if err == io.EOF {
			return a, body, nil
		}
		if err != nil {
			return a, body, err
		}
		if n == 0 {
			return a, body, errors.New("a read brought nothing")
		}
	}
}

// FuzzAnswer reads any bytes as an answer. What is accepted must mean the same to net/http, and every error must be of
// a kind that the gateway knows.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.0 200\r\n\r\nhello",
		upstreamtest.StreamHead() + upstreamtest.Chunk("hello") + upstreamtest.Last,
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nConnection: close\r\nSet-Cookie: a=b\r\nTrailer: X\r\n\r\n", "SSH-2.0-x\r\n",
		"HTTP/1.1 000 OK\r\n\r\nh",
	} {
		f.Add(s, []byte{255}, uint16(1000))
		f.Add(s, []byte{0, 3}, uint16(2))
	}
	f.Fuzz(func(t *testing.T, answer string, sizes []byte, size uint16) {
		a, body, err := read(answer, sizes, int(size))
		if err != nil {
			var e *llm.Error
			if !errors.As(err, &e) || e.Kind != llm.KindConnection && e.Kind != llm.KindBadGateway {
				t.Errorf("unexpected error %v", err)
			}
			return
		}
		status, want, err := reference(answer)
		if err != nil {
			return // net/http refuses what fasthttp's header parser takes; the bodies were read in the same way
		}
		if a.Status != status || !bytes.Equal(body, want) {
			t.Errorf("got %d %q, net/http reads %d %q", a.Status, body, status, want)
		}
		if a.Size >= 0 && a.Size != len(body) {
			t.Errorf("the size is %d, and %d bytes came", a.Size, len(body))
		}
	})
}

// reference reads an answer with net/http.
func reference(answer string) (status int, body []byte, err error) {
	br := bufio.NewReader(strings.NewReader(answer))
	for {
		r, err := http.ReadResponse(br, &http.Request{Method: "POST"})
		if err != nil {
			return 0, nil, err
		}
		if r.StatusCode >= 100 && r.StatusCode < 200 {
			continue
		}
		body, err := io.ReadAll(r.Body)
		return r.StatusCode, body, err
	}
}

// FuzzChunks reads well-formed chunked bodies, which must come out whole however they are cut into chunks and packets.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("hello world"), byte(0), []byte{1, 2, 3}, []byte{0}, uint16(3), "a=b", "X: y")
	f.Add([]byte("abcdefgh"), byte(255), []byte{}, []byte{}, uint16(50000), "", "")
	f.Fuzz(func(t *testing.T, data []byte, times byte, chunks, sizes []byte, size uint16, ext, trailer string) {
		data = bytes.Repeat(data, 1+int(times))
		data = data[:min(len(data), 50_000)]
		ext, trailer = strings.Map(visible, ext), strings.Map(visible, trailer)
		var text strings.Builder
		text.WriteString(upstreamtest.StreamHead())
		rest := data
		for i := 0; len(rest) > 0; i++ {
			n := len(rest)
			if len(chunks) > 0 {
				n = min(n, 1+int(chunks[i%len(chunks)]))
			}
			fmt.Fprintf(&text, "%X;%.500s \r\n%s\r\n", n, ext, rest[:n])
			rest = rest[n:]
		}
		text.WriteString("000 \r\n")
		if trailer != "" {
			fmt.Fprintf(&text, "%.2000s\r\n", trailer)
		}
		text.WriteString("\r\n")
		_, body, err := read(text.String(), sizes, int(size))
		if err != nil || !bytes.Equal(body, data) {
			t.Errorf("got %q, %v; want %q", body, err, data)
		}
	})
}

func visible(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

// FuzzFraming reads any bytes as a chunked body. What is accepted must read the same for net/http.
func FuzzFraming(f *testing.F) {
	for _, s := range []string{"0\r\n\r\n", "1\r\na\r\n0\r\n\r\n", "5;x\r\nhello\r\n00\r\nA: b\r\n\r\n", "g\r\n", "1\na\n0\n\n", "ffffffffffffffff\r\n"} {
		f.Add(s, []byte{255}, uint16(1000))
		f.Add(s, []byte{0}, uint16(0))
	}
	f.Fuzz(func(t *testing.T, framed string, sizes []byte, size uint16) {
		_, body, err := read(upstreamtest.StreamHead()+framed, sizes, int(size))
		if err != nil {
			return
		}
		want, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(framed)))
		if err != nil || !bytes.Equal(body, want) {
			t.Errorf("got %q; net/http reads %q, %v", body, want, err)
		}
	})
}
