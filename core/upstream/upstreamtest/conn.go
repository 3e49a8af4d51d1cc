package upstreamtest

import (
	"fmt"
	"net"
	"net/http"
	"strings"
)

// Conn is the vendor's end of a connection while a request is answered. What is written after the client has gone
// disappears.
type Conn struct {
	Request Request

	vendor *Vendor
	conn   net.Conn
	tcp    *net.TCPConn
	number int
	served int
	ended  bool
	left   <-chan struct{}
}

// Write sends s as it is.
func (c *Conn) Write(s string) {
	// An error shows up as the client's own.
	_, _ = c.conn.Write([]byte(s))
}

// Left is closed when the client closed the connection, or reset it, before the answer was over.
func (c *Conn) Left() <-chan struct{} { return c.left }

// Close ends the connection in good order: the client reads an end of input.
func (c *Conn) Close() {
	c.ended = true
	c.conn.Close()
}

// Reset ends the connection with a TCP reset: the client's read fails.
func (c *Conn) Reset() {
	c.ended = true
	_ = c.tcp.SetLinger(0)
	c.tcp.Close()
}

// Head is a status line and header lines, as they go over the wire. A line has the form "Name: value".
func Head(status int, lines ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	for _, line := range lines {
		b.WriteString(line)
		b.WriteString("\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// Chunk is s as one chunk of a chunked body.
func Chunk(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }

// Last is the empty chunk that ends a chunked body.
const Last = "0\r\n\r\n"

// Event is data as a server-sent event. Data of several lines becomes several data lines.
func Event(data string) string { return "data: " + strings.ReplaceAll(data, "\n", "\ndata: ") + "\n\n" }

// NamedEvent is an event with a name, as Anthropic and OpenAI's Responses API send them.
func NamedEvent(name, data string) string { return "event: " + name + "\n" + Event(data) }

// Done is the data of the event that ends a stream of OpenAI's.
const Done = "[DONE]"
