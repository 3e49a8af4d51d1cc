package apptest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/sallyport-ai/sallyport/core/app"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// memory is a gateway between a caller and a vendor without a socket: what is left is the gateway's own work.
type memory struct {
	caller net.Conn
	read   *bufio.Reader
}

// newMemory starts a gateway whose vendor answers every request with the same bytes.
func newMemory(tb testing.TB, answer string) *memory {
	tb.Helper()
	vendor := fasthttputil.NewInmemoryListener()
	go func() {
		for {
			c, err := vendor.Accept()
			if err != nil {
				return
			}
			go repeat(c, answer)
		}
	}()
	cfg := filepath.Join(tb.TempDir(), "config.yaml")
	yaml := `
model_list: [{model_name: gpt-4o, litellm_params: {model: openai/gpt-4o-mini, api_base: "http://vendor.test/v1", api_key: sk-u}}]
general_settings: {master_key: sk-1234}
`
	if err := os.WriteFile(cfg, []byte(yaml), 0o600); err != nil {
		tb.Fatal(err)
	}
	o := app.Options{Config: cfg, Log: io.Discard, Environ: []string{}, Dir: tb.TempDir()}
	o.Upstream.Dial = func(context.Context, string, string) (net.Conn, error) { return vendor.Dial() }
	a, err := app.New(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	ln := fasthttputil.NewInmemoryListener()
	go a.Serve(ln)
	c, err := ln.Dial()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		c.Close()
		_ = a.Stop()
		_ = vendor.Close()
	})
	return &memory{caller: c, read: bufio.NewReaderSize(c, 64<<10)}
}

// repeat answers requests with a body of announced length.
func repeat(c net.Conn, answer string) {
	r := bufio.NewReaderSize(c, 64<<10)
	out := []byte(answer)
	for {
		length := 0
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) == 2 {
				break
			}
			if s := string(line[:min(len(line), 16)]); strings.EqualFold(s, "content-length: ") {
				length, _ = strconv.Atoi(string(line[16 : len(line)-2]))
			}
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// do sends a request and reads the reply up to its end.
func (m *memory) do(tb testing.TB, request []byte, end string) {
	if _, err := m.caller.Write(request); err != nil {
		tb.Fatal(err)
	}
	length := -1
	for {
		line, err := m.read.ReadSlice('\n')
		if err != nil {
			tb.Fatal(err)
		}
		if len(line) == 2 {
			break
		}
		if len(line) > 16 && string(line[:16]) == "Content-Length: " {
			length = 0
			for _, d := range line[16 : len(line)-2] {
				length = length*10 + int(d-'0')
			}
		}
	}
	if length >= 0 {
		if _, err := m.read.Discard(length); err != nil {
			tb.Fatal(err)
		}
		return
	}
	for {
		line, err := m.read.ReadSlice('\n')
		if err != nil {
			tb.Fatal(err)
		}
		if string(line) == end {
			if _, err := m.read.Discard(2); err != nil {
				tb.Fatal(err)
			}
			return
		}
	}
}

func request(body string) []byte {
	return []byte(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: gw.test\r\nAuthorization: Bearer sk-1234\r\n"+
		"Content-Type: application/json\r\nUser-Agent: bench\r\nAccept: */*\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
}

func prompt(size int) string {
	return `{"model":"gpt-4o","messages":[{"role":"system","content":"You are helpful."},{"role":"user","content":"` +
		strings.Repeat("lorem ipsum ", size/12) + `"}],"temperature":0.7,"max_tokens":256}`
}

func wholeAnswer() string {
	body := ut.Completion("gpt-4o-mini", strings.Repeat("dolor sit amet ", 50), 100, 50)
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: req_1\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func streamAnswer() string {
	var b strings.Builder
	b.WriteString(ut.StreamHead())
	for _, data := range ut.ChatStream("gpt-4o-mini", 100, strings.Fields(strings.Repeat("word ", 16))...) {
		b.WriteString(ut.Chunk(ut.Event(data)))
	}
	b.WriteString(ut.Last)
	return b.String()
}

// A request in the steady state allocates nothing that grows with it.
func TestAllocations(t *testing.T) {
	f := func(name, answer string, body string, most float64) {
		t.Helper()
		m := newMemory(t, answer)
		req := request(body)
		for range 200 {
			m.do(t, req, "0\r\n")
		}
		if n := testing.AllocsPerRun(500, func() { m.do(t, req, "0\r\n") }); n > most {
			t.Errorf("%s: %v allocations a request, at most %v", name, n, most)
		}
	}
	// What remains are the pooled byte buffers of the in-memory connections.
	f("whole", wholeAnswer(), prompt(2000), 2)
	f("whole, long", wholeAnswer(), prompt(100_000), 2)
	f("stream", streamAnswer(), strings.Replace(prompt(2000), "{", `{"stream":true,`, 1), 4)
}

func BenchmarkWhole(b *testing.B) { bench(b, wholeAnswer(), prompt(2000)) }
func BenchmarkLong(b *testing.B)  { bench(b, wholeAnswer(), prompt(100_000)) }
func BenchmarkStream(b *testing.B) {
	bench(b, streamAnswer(), strings.Replace(prompt(2000), "{", `{"stream":true,`, 1))
}

// BenchmarkBare is what a reverse proxy costs that does nothing: the same server, client and pipes without a gateway.
func BenchmarkBare(b *testing.B) {
	vendor := fasthttputil.NewInmemoryListener()
	go func() {
		for {
			c, err := vendor.Accept()
			if err != nil {
				return
			}
			go repeat(c, wholeAnswer())
		}
	}()
	client := &fasthttp.HostClient{Addr: "vendor.test:80", Dial: func(string) (net.Conn, error) { return vendor.Dial() }}
	ln := fasthttputil.NewInmemoryListener()
	s := &fasthttp.Server{NoDefaultServerHeader: true, Handler: func(ctx *fasthttp.RequestCtx) {
		ctx.Request.SetHost("vendor.test")
		if err := client.Do(&ctx.Request, &ctx.Response); err != nil {
			ctx.Error(err.Error(), fasthttp.StatusBadGateway)
		}
	}}
	go s.Serve(ln)
	c, err := ln.Dial()
	if err != nil {
		b.Fatal(err)
	}
	m := &memory{caller: c, read: bufio.NewReaderSize(c, 64<<10)}
	req := request(prompt(2000))
	b.ReportAllocs()
	for b.Loop() {
		m.do(b, req, "0\r\n")
	}
	c.Close()
	_ = vendor.Close()
	_ = s.Shutdown()
}

func bench(b *testing.B, answer, body string) {
	m := newMemory(b, answer)
	req := request(body)
	b.ReportAllocs()
	for b.Loop() {
		m.do(b, req, "0\r\n")
	}
}
