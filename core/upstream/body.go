package upstream

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// shape is how the end of a body is told.
type shape uint8

const (
	shapeFixed   shape = iota // by its length
	shapeChunked              // by an empty chunk
	shapeClose                // by the end of the connection
)

// body is where the trip is in the body of the answer.
type body struct {
	shape shape
	keep  bool  // the connection can carry another call after the end
	left  int64 // bytes to come: of the body, or of the chunk
	frame frame
	err   error // what reading ended with, io.EOF for well
}

func (b *body) begin(size int, keep bool) {
	*b = body{keep: keep}
	switch {
	case size == 0:
		b.err = io.EOF
	case size > 0:
		b.left = int64(size)
	case size == -1:
		b.shape = shapeChunked
	default:
		b.shape, b.keep = shapeClose, false
	}
}

// Read implements io.Reader. It waits at most until the first bytes are there, and then returns all that has arrived
// and fits, be it several chunks. It returns io.EOF along with the last bytes if the end is at hand as well.
func (t *trip) Read(p []byte) (int, error) {
	if t.body.err != nil {
		return 0, t.body.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	var n int
	var err error
	switch t.body.shape {
	case shapeChunked:
		n, err = t.readChunks(p)
	case shapeFixed:
		n, err = t.readFixed(p)
	default:
		n, err = t.br.Read(p)
	}
	if err != nil {
		t.body.err = t.end(err)
		return n, t.body.err
	}
	return n, nil
}

// end lets go of the connection and makes the error that the reader sees.
func (t *trip) end(err error) error {
	if err == io.EOF { //nolint:errorlint // made below, and never wrapped
		t.finish(t.body.keep)
		return io.EOF
	}
	err = t.bodyFault(err)
	t.finish(false)
	return err
}

// errCut is an end of input where the body goes on.
var errCut = errors.New("the connection ended in the middle of the body")

func cut(err error) error {
	if err == io.EOF { //nolint:errorlint // from the connection, never wrapped
		return errCut
	}
	return err
}

func (t *trip) readFixed(p []byte) (int, error) {
	if int64(len(p)) > t.body.left {
		p = p[:t.body.left]
	}
	n, err := t.br.Read(p)
	t.body.left -= int64(n)
	if t.body.left == 0 {
		return n, io.EOF
	}
	return n, cut(err)
}

func (t *trip) readChunks(p []byte) (n int, err error) {
	for n < len(p) {
		if t.body.left == 0 {
			ok, err := t.nextChunk(n == 0)
			if !ok || err != nil {
				return n, err
			}
		}
		if n > 0 && t.br.Buffered() == 0 {
			return n, nil
		}
		want := p[n:]
		if int64(len(want)) > t.body.left {
			want = want[:t.body.left]
		}
		m, err := t.br.Read(want)
		n += m
		t.body.left -= int64(m)
		if err != nil {
			return n, cut(err)
		}
	}
	// The caller's space is full. If the end is all that follows, it need not come for it again.
	if t.body.left == 0 {
		_, err = t.nextChunk(false)
	}
	return n, err
}

// nextChunk goes to the data of the next chunk, or returns io.EOF at the end of the body. Without wait it uses only
// what has arrived, and returns false if that is not enough.
func (t *trip) nextChunk(wait bool) (bool, error) {
	for {
		b, err := t.br.Peek(t.br.Buffered())
		if err != nil {
			return false, err
		}
		used, size, err := t.body.frame.parse(b)
		if err != nil {
			return false, err
		}
		if used > 0 {
			if _, err := t.br.Discard(used); err != nil {
				return false, err
			}
		}
		switch {
		case size > 0:
			t.body.left = size
			return true, nil
		case size == 0:
			return false, io.EOF
		case !wait:
			return false, nil
		}
		if _, err := t.br.Peek(t.br.Buffered() + 1); err != nil {
			return false, cut(err)
		}
	}
}

// settleTime is how long the end of a chunked body may stay out before the connection is given up.
const settleTime = time.Second

// Close implements io.Closer. It gives back the connection if the body ends in what has already arrived. Many servers
// send the last, empty chunk of a stream in a packet of its own, just after the caller has all it wanted: that one is
// waited for in the background.
func (t *trip) Close() error {
	if t.pool == nil {
		return nil
	}
	if t.body.err == nil {
		t.skip()
	}
	if t.body.err == nil && t.body.keep && t.body.shape == shapeChunked && t.body.left == 0 && t.detach() {
		go t.settleFn()
		return nil
	}
	t.finish(false)
	t.recycle()
	return nil
}

// skip reads to the end of the body if all of it has arrived.
func (t *trip) skip() {
	var err error
	switch t.body.shape {
	case shapeClose:
		return
	case shapeFixed:
		if t.body.left <= int64(t.br.Buffered()) {
			if _, err = t.br.Discard(int(t.body.left)); err == nil {
				t.body.left, err = 0, io.EOF
			}
		}
	case shapeChunked:
		err = t.skipChunks()
	}
	if err != nil {
		t.body.err = t.end(err)
	}
}

func (t *trip) skipChunks() error {
	for {
		if t.body.left > 0 {
			n := min(t.body.left, int64(t.br.Buffered()))
			if _, err := t.br.Discard(int(n)); err != nil {
				return err
			}
			t.body.left -= n
			if t.body.left > 0 {
				return nil
			}
		}
		if ok, err := t.nextChunk(false); !ok || err != nil {
			return err
		}
	}
}

// settle waits for the end of the body in the background. Anything else than the end closes the connection.
func (t *trip) settle() {
	t.idle = 0
	t.limit(time.Now().Add(settleTime))
	_, err := t.nextChunk(true)
	t.finish(err == io.EOF) //nolint:errorlint // made by nextChunk, never wrapped
	t.recycle()
}

func saysClose(value []byte) bool {
	for part := range bytes.SplitSeq(value, []byte{','}) {
		if bytes.EqualFold(bytes.TrimSpace(part), []byte("close")) {
			return true
		}
	}
	return false
}

func isEventStream(contentType []byte) bool {
	const want = "text/event-stream"
	if len(contentType) < len(want) || !bytes.EqualFold(contentType[:len(want)], []byte(want)) {
		return false
	}
	rest := bytes.TrimLeft(contentType[len(want):], " \t")
	return len(rest) == 0 || rest[0] == ';'
}
