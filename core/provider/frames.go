package provider

import (
	"bytes"
	"io"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/sse"
)

// Event is one event of a stream. The slices are valid until the next one is read.
type Event struct {
	Name []byte // nil where events have no name
	Data []byte
}

// FrameReader takes a stream apart into events.
type FrameReader interface {
	// Reset makes the reader read from src. A nil src releases the last one.
	Reset(src io.Reader)
	// Next reads the next event. At the end it returns io.EOF. If the input ends within an event, it returns
	// io.ErrUnexpectedEOF, and e holds what there was.
	Next(e *Event) error
	// More reports whether another event is already there.
	More() bool
}

// Frames are a form that streams come in.
type Frames struct {
	Types []string                    // the content types of such a stream
	New   func(limit int) FrameReader // limit is the greatest length of an event
}

// ServerSent are server-sent events.
func ServerSent() Frames {
	return Frames{[]string{"text/event-stream"}, func(limit int) FrameReader {
		f := new(serverSent)
		f.r.Limit = limit
		return f
	}}
}

type serverSent struct {
	r  sse.Reader
	ev sse.Event
}

func (f *serverSent) Reset(src io.Reader) { f.r.Reset(src); f.ev = sse.Event{} }
func (f *serverSent) More() bool          { return f.r.More() }

func (f *serverSent) Next(e *Event) error {
	f.ev = sse.Event{}
	err := f.r.Next(&f.ev)
	e.Name, e.Data = f.ev.Name, f.ev.Data
	return err
}

// Lines are JSON documents, one a line (https://github.com/ndjson/ndjson-spec).
func Lines() Frames {
	return Frames{
		[]string{"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/stream+json"},
		func(limit int) FrameReader { return &lines{limit: limit} },
	}
}

type lines struct {
	src      io.Reader
	buf      []byte
	from, at int // what was read and not given out; up to at there is no line end
	limit    int
	err      error
}

func (f *lines) Reset(src io.Reader) {
	if cap(f.buf) > keepBuffer {
		f.buf = nil
	}
	*f = lines{src: src, buf: f.buf[:0], limit: f.limit}
}

func (f *lines) More() bool { return bytes.IndexByte(f.buf[f.from:], '\n') >= 0 }

func (f *lines) Next(e *Event) error {
	for {
		if n := bytes.IndexByte(f.buf[f.at:], '\n'); n >= 0 {
			line := bytes.TrimSpace(f.buf[f.from : f.at+n])
			f.from = f.at + n + 1
			f.at = f.from
			if len(line) > 0 {
				*e = Event{Data: line}
				return nil
			}
			continue
		}
		f.at = len(f.buf)
		if f.err != nil {
			return f.stop(e)
		}
		if len(f.buf)-f.from > f.limit {
			return sse.ErrTooLong
		}
		f.fill()
	}
}

// stop gives out what is left: a last line whose end is missing.
func (f *lines) stop(e *Event) error {
	left := bytes.TrimSpace(f.buf[f.from:])
	f.from = len(f.buf)
	if f.err == io.EOF && len(left) > 0 { //nolint:errorlint // a source returns io.EOF bare
		*e = Event{Data: left}
		return io.ErrUnexpectedEOF
	}
	return f.err
}

func (f *lines) fill() {
	if f.from > 0 {
		n := copy(f.buf, f.buf[f.from:])
		f.buf, f.at, f.from = f.buf[:n], f.at-f.from, 0
	}
	if len(f.buf) == cap(f.buf) {
		f.buf = append(make([]byte, 0, max(2*cap(f.buf), firstBuffer)), f.buf...)
	}
	n, err := f.src.Read(f.buf[len(f.buf):cap(f.buf)])
	f.buf, f.err = f.buf[:len(f.buf)+n], err
}

// carries reports whether an answer is a stream in this form.
func (f *Frames) carries(a *llm.Answer) bool {
	kind, _, _ := strings.Cut(string(a.Header.Get("content-type")), ";")
	kind = strings.TrimSpace(kind)
	for _, t := range f.Types {
		if strings.EqualFold(kind, t) || a.Streamed && t == "text/event-stream" {
			return true
		}
	}
	return false
}
