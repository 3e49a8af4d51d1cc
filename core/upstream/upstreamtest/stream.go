package upstreamtest

import "sync"

// Stream is an answer that a test plays step by step. One request can take it.
//
//	s := upstreamtest.NewStream()
//	v := upstreamtest.New(t, s.Answer)
//	... start the call ...
//	s.Send(upstreamtest.ContentChunk("Hel"))
//	s.Done()
type Stream struct {
	steps   chan step
	started chan struct{}
	left    chan struct{}
	over    chan struct{}
	lines   []string
	once    sync.Once
}

type step struct {
	do   func(c *Conn)
	last bool
	done chan struct{}
}

// NewStream makes a stream of events. lines are header lines besides those that make it one.
func NewStream(lines ...string) *Stream {
	return &Stream{
		steps: make(chan step), started: make(chan struct{}), left: make(chan struct{}), over: make(chan struct{}),
		lines: lines,
	}
}

// Answer is the Answer that sends the stream. It sends nothing by itself, not even the header.
func (s *Stream) Answer(c *Conn) {
	defer s.once.Do(func() { close(s.over) })
	close(s.started)
	for {
		select {
		case next := <-s.steps:
			next.do(c)
			close(next.done)
			if next.last {
				return
			}
		case <-c.Left():
			close(s.left)
			return
		}
	}
}

// Started is closed when the request has arrived.
func (s *Stream) Started() <-chan struct{} { return s.started }

// Left is closed when the client closed the connection before the stream was over.
func (s *Stream) Left() <-chan struct{} { return s.left }

// Play does something on the connection. It returns when that is done, and false if the stream is over already.
func (s *Stream) Play(do func(c *Conn)) bool { return s.play(do, false) }

func (s *Stream) play(do func(c *Conn), last bool) bool {
	next := step{do, last, make(chan struct{})}
	select {
	case s.steps <- next:
		<-next.done
		return true
	case <-s.over:
		return false
	}
}

// Begin sends the header.
func (s *Stream) Begin() bool { return s.Raw(StreamHead(s.lines...)) }

// Send sends events, a chunk each. It returns when they are written, and false if the stream is over already.
func (s *Stream) Send(data ...string) bool {
	return s.Play(func(c *Conn) {
		for _, d := range data {
			c.Write(Chunk(Event(d)))
		}
	})
}

// Raw sends bytes as they are, without making a chunk of them.
func (s *Stream) Raw(raw string) bool { return s.Play(func(c *Conn) { c.Write(raw) }) }

// Done sends the event [DONE] and ends the stream.
func (s *Stream) Done() bool { return s.Send(Done) && s.End() }

// End sends the last chunk.
func (s *Stream) End() bool { return s.play(func(c *Conn) { c.Write(Last) }, true) }

// Cut closes in the middle of a chunk.
func (s *Stream) Cut() bool {
	return s.play(func(c *Conn) {
		c.Write("40\r\ndata: {\"id\":")
		c.Close()
	}, true)
}

// Drop closes without the last chunk.
func (s *Stream) Drop() bool { return s.play((*Conn).Close, true) }

// Reset resets the connection.
func (s *Stream) Reset() bool { return s.play((*Conn).Reset, true) }

// Gate holds an answer back until the test lets it go.
type Gate struct {
	reached, open, left chan struct{}
	reach, release      sync.Once
	leave               sync.Once
}

// NewGate makes a gate, which is closed.
func NewGate() *Gate {
	return &Gate{reached: make(chan struct{}), open: make(chan struct{}), left: make(chan struct{})}
}

// Before is an answer that waits at the gate first. If the client leaves meanwhile, nothing is answered.
func (g *Gate) Before(a Answer) Answer {
	return func(c *Conn) {
		g.reach.Do(func() { close(g.reached) })
		select {
		case <-g.open:
			a(c)
		case <-c.Left():
			g.leave.Do(func() { close(g.left) })
		}
	}
}

// Open lets all answers go that wait, and those that come.
func (g *Gate) Open() { g.release.Do(func() { close(g.open) }) }

// Reached is closed when the first request waits at the gate.
func (g *Gate) Reached() <-chan struct{} { return g.reached }

// Left is closed when a client left while it waited at the gate.
func (g *Gate) Left() <-chan struct{} { return g.left }
