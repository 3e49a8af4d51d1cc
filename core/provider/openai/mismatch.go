package openai

import (
	"bytes"
	"io"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/sse"
)

// joinEvents makes one answer of a stream that nobody asked for.
func (e *endpoint) joinEvents(w *whole) error {
	var (
		events sse.Reader
		event  sse.Event
		j      openai.Joiner
		ended  bool // a choice has told why it ended, or the stream that it has
	)
	events.Limit = int(min(e.p.s.MaxResponse, defaultMaxResponse))
	events.Reset(bytes.NewReader(w.bytes()))
	for {
		err := events.Next(&event)
		if done(event.Data) {
			ended = true
			break
		}
		if err == io.EOF { //nolint:errorlint // Next returns io.EOF bare
			break
		}
		if err == io.ErrUnexpectedEOF && len(event.Data) == 0 { //nolint:errorlint // likewise
			break
		}
		if err != nil && err != io.ErrUnexpectedEOF { //nolint:errorlint // likewise
			return e.broken(err)
		}
		found, ok := openai.Scan(event.Data)
		switch {
		case !ok:
			return e.garbled("The stream of " + e.p.s.Name + " holds an event that is not a JSON object.")
		case found.ErrorAt.End > 0:
			return e.classify(200, event.Data, nil)
		}
		ended = ended || found.Finished
		if err := j.Add(event.Data); err != nil {
			return e.garbled("The stream of " + e.p.s.Name + " cannot be read: " + err.Error())
		}
	}
	if !ended {
		return e.broken(io.ErrUnexpectedEOF)
	}
	joined, err := j.Append(make([]byte, headroom))
	if err != nil {
		return e.garbled("The stream of " + e.p.s.Name + " cannot be read: " + err.Error())
	}
	w.buf, w.from = joined, headroom
	return nil
}

// split is a whole answer in the shape of a stream.
type split struct {
	*whole
	chunks [][]byte
}

// streamWhole turns the answer in w into a stream, as the caller asked for one.
func (e *endpoint) streamWhole(w *whole, x *llm.Exchange, r *llm.Reply) error {
	chunks, err := openai.Split(w.bytes(), x.WantUsage)
	if err != nil {
		w.Close()
		return e.garbled("The answer of " + e.p.s.Name + " cannot be streamed: " + err.Error())
	}
	s := &split{whole: w, chunks: chunks}
	r.Streamed, r.Rest = true, s
	return s.Next(&r.First)
}

// Next implements llm.Stream.
func (s *split) Next(p *llm.Part) error {
	if len(s.chunks) == 0 {
		return io.EOF
	}
	*p = llm.Part{Data: s.chunks[0], More: len(s.chunks) > 1}
	s.chunks = s.chunks[1:]
	return nil
}
