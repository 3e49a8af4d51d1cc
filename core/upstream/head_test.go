package upstream

import (
	"bufio"
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
)

const usualHead = "HTTP/1.1 200 OK\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\ncontent-type: application/json\r\n" +
	"x-request-id: req_6f1c2a90d3b84e57\r\nOpenai-Processing-Ms: 412\r\nX-Ratelimit-Limit-Requests: 10000\r\n" +
	"Set-Cookie: a=b; Path=/\r\nServer: vendor\r\nConnection: keep-alive\r\nContent-Length: 11\r\n\r\n"

func TestPlainHead(t *testing.T) {
	t.Parallel()
	f := func(text string, status, size int, closes bool, names string) {
		t.Helper()
		var h answerHead
		if n := h.plain([]byte(text + "body")); n != len(text) {
			t.Fatalf("%q: took %d bytes of %d", text, n, len(text))
		}
		var got []string
		for _, f := range h.fields {
			got = append(got, string(f.Name)+"="+string(f.Value))
		}
		if h.status != status || h.size != size || h.closes != closes || strings.Join(got, " ") != names {
			t.Errorf("%q: %d, %d bytes, closes %v, %q", text, h.status, h.size, h.closes, got)
		}
	}
	f("HTTP/1.1 200 OK\r\nA: b\r\nContent-Length:  7 \r\n\r\n", 200, 7, false, "A=b Content-Length=7")
	f("HTTP/1.1 429\r\nTransfer-Encoding: Chunked\r\n\r\n", 429, -1, false, "Transfer-Encoding=Chunked")
	f("HTTP/1.1 500 No\r\nConnection: x, Close\r\nA:\r\n\r\n", 500, -2, true, "Connection=x, Close A=")
	f("HTTP/1.1 200 OK\r\n\r\n", 200, -2, true, "")

	other := func(text string) {
		t.Helper()
		if n := new(answerHead).plain([]byte(text)); n != 0 {
			t.Errorf("%q: took %d bytes", text, n)
		}
	}
	other("HTTP/1.1 200 OK\r\nA: b\r\n")
	other("HTTP/1.0 200 OK\r\n\r\n")
	other("HTTP/1.1 2000 OK\r\n\r\n")
	other("HTTP/1.1 204 OK\r\n\r\n")
	other("HTTP/1.1 200 OK\nA: b\r\n\r\n")
	other("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n")
	other("HTTP/1.1 200 OK\r\nA : b\r\n\r\n")
	other("HTTP/1.1 200 OK\r\nA\r\n\r\n")
	other("HTTP/1.1 200 OK\r\nA: b\x00\r\n\r\n")
	other("HTTP/1.1 200 OK\r\nA: 0123456\x7f\r\n\r\n")
	other("HTTP/1.1 200 OK\r\nA: b\tc\r\n\r\n")
	other("HTTP/1.1 200 OK\r\nA: b\rc: d\r\n\r\n")
	other("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n")
	other("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
	other("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n")
	other("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n")
	other("HTTP/1.1 200 OK\r\nTrailer: A\r\n\r\n")
}

// FuzzPlainHead compares what plain takes with fasthttp's parser, which must take it too and as the same.
func FuzzPlainHead(f *testing.F) {
	f.Add(usualHead)
	f.Add("HTTP/1.1 500 No\r\nConnection: x, Close\r\nA: \r\n\r\n")
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: \xff\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		var plain, lib answerHead
		n := plain.plain([]byte(text))
		if n == 0 {
			return
		}
		lib.lib.SetNoDefaultContentType(true)
		r := bufio.NewReader(strings.NewReader(text))
		if err := lib.lib.Read(r); err != nil {
			t.Fatalf("fasthttp refuses it: %v", err)
		}
		lib.take()
		if left, _ := r.Peek(r.Buffered()); len(left) != len(text)-n && len(text) < r.Size() {
			t.Errorf("fasthttp takes %d bytes, not %d", len(text)-len(left), n)
		}
		if plain.status != lib.status || plain.size != lib.size || plain.closes != lib.closes || !bytes.Equal(plain.contentType, lib.contentType) {
			t.Errorf("%d %d %v %q; fasthttp: %d %d %v %q", plain.status, plain.size, plain.closes, plain.contentType,
				lib.status, lib.size, lib.closes, lib.contentType)
		}
		want := lib.fields
		for _, f := range plain.fields {
			at := slices.IndexFunc(want, func(w llm.Field) bool {
				return bytes.EqualFold(w.Name, f.Name) && (bytes.Equal(w.Value, f.Value) || bytes.EqualFold(w.Name, []byte("transfer-encoding")))
			})
			if at < 0 && !single(f.Name) {
				t.Errorf("fasthttp has no %s: %q in %q", f.Name, f.Value, lib.fields)
			}
		}
	})
}

// single are fields of which fasthttp keeps the last one only, or none.
func single(name []byte) bool {
	for _, n := range []string{"content-encoding", "server", "connection", "content-type"} {
		if bytes.EqualFold(name, []byte(n)) {
			return true
		}
	}
	return false
}

func TestHasControl(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for at := range 11 {
			b := []byte("\x80\xffabcdefg~")
			b = slices.Insert(b, at%len(b), byte(c))
			if got, want := hasControl(b), c < ' ' || c == 0x7f; got != want {
				t.Errorf("%q: %v", b, got)
			}
		}
	}
}

func BenchmarkHead(b *testing.B) {
	b.Run("plain", func(b *testing.B) {
		var h answerHead
		for b.Loop() {
			if h.plain([]byte(usualHead)) == 0 {
				b.Fatal("not taken")
			}
		}
	})
	b.Run("fasthttp", func(b *testing.B) {
		var h answerHead
		reader := strings.NewReader(usualHead)
		r := bufio.NewReader(reader)
		for b.Loop() {
			reader.Reset(usualHead)
			r.Reset(reader)
			if err := h.lib.Read(r); err != nil {
				b.Fatal(err)
			}
			h.take()
		}
	})
}
