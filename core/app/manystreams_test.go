package app_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// rounds lets many streams go on together, a word each at a time.
type rounds struct {
	mu    sync.Mutex
	gates []chan struct{}
}

func (r *rounds) gate(n int) chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.gates) <= n {
		r.gates = append(r.gates, make(chan struct{}))
	}
	return r.gates[n]
}

// A thousand streams go through a stream hook at once: each is right, to the last word; while they go on neither memory nor
// goroutines grow.
func TestThousandStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const streams, words, perRound = 1000, 30, 10
	var r rounds
	v := ut.New(t, func(c *ut.Conn) {
		c.Write(ut.StreamHead() + ut.Chunk(ut.Event(ut.RoleChunk("x"))))
		for i := range words {
			if i%perRound == 0 {
				select {
				case <-r.gate(i / perRound):
				case <-c.Left():
					return
				}
			}
			c.Write(ut.Chunk(ut.Event(ut.ContentChunk("x", fmt.Sprintf("word%d sec", i)))) + ut.Chunk(ut.Event(ut.ContentChunk("x", "ret. "))))
		}
		c.Write(ut.Chunk(ut.Event(ut.FinishChunk("x", "stop"))) + ut.Chunk(ut.Event("[DONE]")) + ut.Chunk(""))
	})
	s := apptest.Start(t, with(t, v, "mode: post_call, default_on: true, holdback: 8, window_ms: 50, limits: {cpu_ms: 5000, wall_ms: 30000}"))
	want := ""
	for i := range words {
		want += fmt.Sprintf("word%d ***. ", i)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	idle := runtime.NumGoroutine()

	// The callers are plain connections without a goroutine of their own.
	request := "POST " + chat + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-1234\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
	body := says("hi", `,"stream":true`)
	conns := make([]net.Conn, streams)
	for i := range conns {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns[i] = conn
		_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
		if _, err := fmt.Fprintf(conn, request, len(body), body); err != nil {
			t.Fatal(err)
		}
	}
	readers := make([]*caller, streams)
	for i, conn := range conns {
		readers[i] = &caller{br: bufio.NewReaderSize(conn, 512)}
	}
	var heap []uint64
	var goroutines []int
	for round := range words / perRound {
		close(r.gate(round))
		mark := fmt.Sprintf("word%d ", (round+1)*perRound-3)
		for _, c := range readers {
			c.until(t, mark)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		heap, goroutines = append(heap, m.HeapAlloc), append(goroutines, runtime.NumGoroutine())
	}
	for _, c := range readers {
		c.until(t, "[DONE]")
		if got := c.text.String(); got != want {
			t.Fatalf("a stream said %q", got)
		}
	}
	t.Logf("heap after each round: %v KB, goroutines %v, %d before", kilobytes(heap), goroutines, idle)
	last := len(heap) - 1
	if grown := int64(heap[last]) - int64(heap[0]); grown > streams*2<<10 {
		t.Errorf("the heap grew by %d bytes a stream while they went on", grown/streams)
	}
	if grown := goroutines[last] - goroutines[0]; grown > 50 {
		t.Errorf("%d more goroutines after the last round than after the first", grown)
	}
	// Of each stream the gateway has the goroutine that serves its connection, the test's vendor its own two.
	if each := float64(goroutines[last]-idle) / streams; each > 4 {
		t.Errorf("%.1f goroutines a stream", each)
	}
}

func kilobytes(list []uint64) []uint64 {
	for i := range list {
		list[i] >>= 10
	}
	return list
}

// caller reads one stream.
type caller struct {
	br   *bufio.Reader
	text strings.Builder
}

// until reads lines until the text, or a line, holds the mark.
func (c *caller) until(t *testing.T, mark string) {
	t.Helper()
	for !strings.Contains(tailOf(c.text.String(), 64), mark) {
		line, err := c.br.ReadString('\n')
		if err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if _, after, ok := strings.Cut(line, `"content":"`); ok {
			said, _, _ := strings.Cut(after, `"`)
			c.text.WriteString(said)
		}
		if strings.Contains(line, mark) {
			return
		}
		if err == io.EOF {
			t.Fatalf("the stream ended before %q: %q", mark, c.text.String())
		}
	}
}

func tailOf(s string, n int) string { return s[max(0, len(s)-n):] }
