package upstreamtest

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// JSON answers with a whole JSON body. lines are further header lines.
func JSON(status int, body string, lines ...string) Answer {
	return Whole(status, "application/json", body, lines...)
}

// Whole answers with a body whose length is announced.
func Whole(status int, contentType, body string, lines ...string) Answer {
	head := []string{"Content-Type: " + contentType, fmt.Sprintf("Content-Length: %d", len(body))}
	text := Head(status, slices.Concat(head, lines)...) + body
	return func(c *Conn) { c.Write(text) }
}

// ChunkedJSON answers with a JSON body in the given pieces, a chunk each.
func ChunkedJSON(status int, pieces ...string) Answer {
	text := Head(status, "Content-Type: application/json", "Transfer-Encoding: chunked")
	for _, piece := range pieces {
		text += Chunk(piece)
	}
	return func(c *Conn) { c.Write(text + Last) }
}

// Empty answers without a body, and without a length: the statuses 204 and 304 are like that.
func Empty(status int, lines ...string) Answer {
	return func(c *Conn) { c.Write(Head(status, lines...)) }
}

// UntilClose answers with a body that ends with the connection, as servers of HTTP/1.0 do.
func UntilClose(status int, contentType, body string) Answer {
	return func(c *Conn) {
		c.Write("HTTP/1.0" + strings.TrimPrefix(Head(status, "Content-Type: "+contentType), "HTTP/1.1") + body)
		c.Close()
	}
}

// StreamHead is the header of a stream of events. lines are further header lines.
func StreamHead(lines ...string) string {
	return Head(http.StatusOK, slices.Concat(
		[]string{"Content-Type: text/event-stream; charset=utf-8", "Transfer-Encoding: chunked"}, lines)...)
}

// SSE answers with a stream of events, all at once, a chunk each. It does not add an event of its own: the last one is
// normally Done.
func SSE(data ...string) Answer { return SSERaw(events(data)...) }

// SSERaw is SSE with the events written out, for names, comments and odd line ends.
func SSERaw(blocks ...string) Answer {
	text := StreamHead()
	for _, block := range blocks {
		text += Chunk(block)
	}
	return func(c *Conn) { c.Write(text + Last) }
}

func events(data []string) []string {
	blocks := make([]string, len(data))
	for i := range data {
		blocks[i] = Event(data[i])
	}
	return blocks
}

// CutStream sends events and closes in the middle of a further chunk.
func CutStream(data ...string) Answer {
	return func(c *Conn) {
		c.Write(StreamHead())
		for _, block := range events(data) {
			c.Write(Chunk(block))
		}
		c.Write("40\r\ndata: {\"id\":")
		c.Close()
	}
}

// EndlessStream sends events and closes without the last chunk.
func EndlessStream(data ...string) Answer {
	return func(c *Conn) {
		c.Write(StreamHead())
		for _, block := range events(data) {
			c.Write(Chunk(block))
		}
		c.Close()
	}
}

// CutBody announces length bytes of JSON, sends what is given, and closes.
func CutBody(length int, body string) Answer {
	return func(c *Conn) {
		c.Write(Head(http.StatusOK, "Content-Type: application/json", fmt.Sprintf("Content-Length: %d", length)) + body)
		c.Close()
	}
}

// Drop closes the connection without an answer.
func Drop() Answer { return (*Conn).Close }

// Reset resets the connection without an answer.
func Reset() Answer { return (*Conn).Reset }

// Raw sends bytes as they are, and closes.
func Raw(s string) Answer {
	return func(c *Conn) {
		c.Write(s)
		c.Close()
	}
}

// Garbage answers with something that is not HTTP, and leaves the connection open.
func Garbage() Answer { return func(c *Conn) { c.Write("SSH-2.0-OpenSSH_9.6\r\n") } }

// Interim sends an interim answer, such as 103, ahead of another answer.
func Interim(status int, then Answer) Answer {
	return func(c *Conn) {
		c.Write(Head(status, "Link: </v1>"))
		then(c)
	}
}

// Hang never answers. It ends when the client closes.
func Hang() Answer { return func(c *Conn) { <-c.Left() } }

// ClosedPort is the address, host:port, of a port of 127.0.0.1 that refuses connections.
func ClosedPort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("cannot listen on 127.0.0.1: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}
