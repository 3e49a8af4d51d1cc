package openai

import (
	"io"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// whole is an answer that was read to its end. It belongs to the reply that it is the rest of until Close, which closes
// the answer and gives the buffer back.
type whole struct {
	p    *Provider
	body io.ReadCloser
	buf  []byte // headroom bytes, then the answer
	from int    // where the answer begins
}

const (
	// The model stands near the front of an answer. So when it gets longer, what is in front of it moves down, into
	// the room left there; nothing behind it moves.
	headroom    = 256
	firstBuffer = 8 << 10
	keepBuffer  = 1 << 20 // a buffer that grew beyond this is not kept
)

func (w *whole) bytes() []byte { return w.buf[w.from:] }

// read reads the body to its end. size is the length that it was announced with, or not more than 0. Above limit bytes
// it returns errTooLarge.
func (w *whole) read(size int, limit int64) error {
	w.from = headroom
	need := headroom + max(min(size, keepBuffer)+1, firstBuffer) // one more, so that the end shows without growing
	if cap(w.buf) < need {
		w.buf = make([]byte, 0, need)
	}
	w.buf = w.buf[:headroom]
	for {
		if len(w.buf) == cap(w.buf) {
			w.buf = append(w.buf, 0)[:len(w.buf)]
		}
		n, err := w.body.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+n]
		if int64(len(w.buf)-headroom) > limit {
			w.buf = w.buf[:headroom+limit]
			return errTooLarge
		}
		if err == io.EOF { //nolint:errorlint // a source returns io.EOF bare
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// setModel gives the answer another model. at is the place of the one it has.
func (w *whole) setModel(at llm.Span, model string) {
	var quoted [headroom]byte
	value := llm.AppendQuoted(quoted[:0], model)
	grow := len(value) - (at.End - at.Start)
	if at.End == 0 || grow > w.from {
		w.rewrite(at, model)
		return
	}
	if at.Start > len(w.buf)/2 && grow <= 0 {
		// The model stands near the end and gets shorter: cheaper to move what follows it.
		copy(w.buf[w.from+at.Start:], value)
		n := copy(w.buf[w.from+at.Start+len(value):], w.buf[w.from+at.End:])
		w.buf = w.buf[:w.from+at.Start+len(value)+n]
		return
	}
	copy(w.buf[w.from-grow:], w.buf[w.from:w.from+at.Start])
	w.from -= grow
	copy(w.buf[w.from+at.Start:], value)
}

// rewrite is setModel for the cases that have no room: an answer without a model, and a very long name.
func (w *whole) rewrite(at llm.Span, model string) {
	old := w.bytes()
	w.buf = openai.SetModel(make([]byte, headroom, headroom+len(old)+len(model)+firstBuffer), old, at, model)
	w.from = headroom
}

// Next implements llm.Stream. Nothing follows a whole answer.
func (w *whole) Next(*llm.Part) error { return io.EOF }

// Close implements llm.Stream.
func (w *whole) Close() error {
	err := w.body.Close()
	w.body = nil
	if cap(w.buf) > keepBuffer {
		w.buf = nil
	}
	w.p.wholes.Put(w)
	return err
}
