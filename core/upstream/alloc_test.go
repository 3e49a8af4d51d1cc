package upstream_test

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// echo is a server on the loopback that answers every request with the same bytes and allocates nothing. Requests end
// in the byte '}' that they hold once.
func echo(t testing.TB, answer string) *llm.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				text, buf := []byte(answer), make([]byte, 16<<10)
				for {
					n, err := conn.Read(buf)
					if err != nil {
						return
					}
					if bytes.IndexByte(buf[:n], '}') >= 0 {
						conn.Write(text)
					}
				}
			}()
		}
	}()
	return &llm.Target{Scheme: "http", Host: l.Addr().String(), Addr: l.Addr().String()}
}

var headers = []string{
	"Date: Mon, 01 Jan 2024 00:00:00 GMT", "x-request-id: req_test", "openai-processing-ms: 100", "Set-Cookie: a=b; Path=/",
	"Server: cloudflare", "x-ratelimit-remaining-requests: 99", "x-ratelimit-remaining-tokens: 9999", "Connection: keep-alive",
}

func wholeAnswer() string {
	body := upstreamtest.Completion("gpt-4o", "Hello there", 10, 3)
	return upstreamtest.Head(200, append(headers, "Content-Type: application/json", "Content-Length: "+strconv.Itoa(len(body)))...) + body
}

func streamAnswer() string {
	text := upstreamtest.StreamHead(headers...)
	for _, data := range upstreamtest.ChatStream("gpt-4o", 10, "one", "two", "three", "four", "five", "six", "seven", "eight") {
		text += upstreamtest.Chunk(upstreamtest.Event(data))
	}
	return text + upstreamtest.Last
}

// caller makes one call after another, with objects that it reuses.
type caller struct {
	client *upstream.Client
	life   llm.Lifetime
	call   *llm.Call
	answer llm.Answer
	buf    [16 << 10]byte
}

func newCaller(t testing.TB, s upstream.Settings, target *llm.Target) *caller {
	c := &caller{client: newClient(t, s), call: post(target)}
	c.call.Header = llm.Header{{Name: []byte("X-Request-Id"), Value: []byte("abc")}}
	return c
}

func (c *caller) do() error {
	c.life.Reset()
	c.answer.Reset()
	if err := c.client.Do(&c.life, c.call, &c.answer); err != nil {
		return err
	}
	for {
		if _, err := c.answer.Body.Read(c.buf[:]); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
	}
	return c.answer.Body.Close()
}

func TestCallAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	clock := newClock()
	f := func(name string, answer string, s upstream.Settings, edit func(c *llm.Call), between func()) {
		t.Helper()
		c := newCaller(t, s, echo(t, answer))
		edit(c.call)
		one := func() {
			if err := c.do(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			between()
		}
		for range 10 {
			one() // lists grow to their size
		}
		if allocs := testing.AllocsPerRun(500, one); allocs != 0 {
			t.Errorf("%s: %v allocations a call, want none", name, allocs)
		}
	}
	nothing := func() {}
	f("whole", wholeAnswer(), upstream.Settings{}, func(*llm.Call) {}, nothing)
	f("whole, with a limit", wholeAnswer(), upstream.Settings{}, func(c *llm.Call) { c.Timeout = time.Minute }, nothing)
	f("stream, with limits", streamAnswer(), upstream.Settings{}, func(c *llm.Call) {
		c.FirstByte, c.Idle = time.Minute, 30*time.Second
	}, nothing)
	f("idle in between", wholeAnswer(), upstream.Settings{Now: clock.Now}, func(*llm.Call) {}, func() { clock.Add(2 * time.Second) })
}

// The rest of the call, without a socket: what is measured is the code here.
func BenchmarkCall(b *testing.B) {
	f := func(name, answer string, edit func(c *llm.Call)) {
		b.Run(name, func(b *testing.B) {
			c := newCaller(b, upstream.Settings{Dial: dialTo(&script{answer: answer})}, anyTarget())
			edit(c.call)
			b.ReportAllocs()
			for b.Loop() {
				if err := c.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	f("whole", wholeAnswer(), func(c *llm.Call) { c.Timeout = time.Minute })
	f("stream", streamAnswer(), func(c *llm.Call) { c.FirstByte, c.Idle = time.Minute, time.Minute })
}

// A call to a server on the loopback; nearly all of it is system calls and waiting.
func BenchmarkLoopback(b *testing.B) {
	c := newCaller(b, upstream.Settings{}, echo(b, wholeAnswer()))
	c.call.Timeout = time.Minute
	b.ReportAllocs()
	for b.Loop() {
		if err := c.do(); err != nil {
			b.Fatal(err)
		}
	}
}
