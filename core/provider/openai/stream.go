package openai

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/sse"
)

// stream is an answer that is read event by event. It belongs to the reply that it is the rest of until Close, which
// closes the answer and gives the buffers back. Each part is valid until the next call.
type stream struct {
	p      *Provider
	e      *endpoint
	x      *llm.Exchange
	r      *llm.Reply
	body   limited
	header llm.Header
	events sse.Reader
	event  sse.Event
	chunks openai.Chunks
	out    []byte

	finished bool // a choice has told why it ended
	searches bool // searches of the web show in what is cited
	cited    bool // a page was
	last     bool // the input ended with the event that was read
	ended    bool // nothing follows
}

// limited bounds how much is read from a body.
type limited struct {
	io.ReadCloser
	left int64
}

var errTooLarge = errors.New("openai: the answer is over the limit")

func (l *limited) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLarge
	}
	n, err := l.ReadCloser.Read(b[:min(int64(len(b)), l.left)])
	l.left -= int64(n)
	return n, err
}

// decodeStream reads the first event, so that a vendor which fails at once is an ordinary error.
func (e *endpoint) decodeStream(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	s := e.p.streams.Get().(*stream)
	s.e, s.x, s.r, s.header = e, x, r, a.Header
	s.body = limited{ReadCloser: a.Body, left: e.p.s.MaxResponse + 1}
	s.finished, s.last, s.ended = false, false, false
	s.searches, s.cited = searching(x, e.d), false
	s.events.Limit = int(min(e.p.s.MaxResponse, defaultMaxResponse))
	s.events.Reset(&s.body)
	s.chunks.Reset()
	err := s.Next(&r.First)
	if err == nil {
		r.Streamed, r.Rest = true, s
		return nil
	}
	if err == io.EOF { //nolint:errorlint // Next returns io.EOF bare
		err = e.garbled("The stream of " + e.p.s.Name + " ended before it began.")
	}
	s.Close()
	return err
}

// Next implements llm.Stream. The end is the event [DONE]. Some vendors leave that out and close the connection, so a
// connection that ends once a finish reason has come is the end as well; before that it is llm.KindConnection.
func (s *stream) Next(p *llm.Part) error {
	for !s.ended {
		if s.last {
			return s.cut(io.EOF)
		}
		err := s.events.Next(&s.event)
		switch {
		case err == io.ErrUnexpectedEOF && s.complete(): //nolint:errorlint // Next returns it bare
			s.last = true
		case err != nil:
			return s.cut(err)
		}
		if done(s.event.Data) {
			break
		}
		if shown, err := s.take(p); shown || err != nil {
			s.ended = err != nil
			return err
		}
	}
	s.ended = true
	return io.EOF
}

// complete reports whether an event whose end is missing is whole in itself; some vendors leave out the last blank line.
func (s *stream) complete() bool {
	_, ok := openai.Scan(s.event.Data)
	return ok || done(s.event.Data)
}

func done(data []byte) bool { return string(data) == "[DONE]" }

// cut says how the stream ended without its [DONE].
func (s *stream) cut(err error) error {
	s.ended = true
	switch {
	case err == io.EOF && s.finished: //nolint:errorlint // a source returns io.EOF bare
		return io.EOF
	case err == io.EOF && s.r.Rest == nil: //nolint:errorlint // likewise
		return io.EOF // nothing came at all
	case err == io.EOF: //nolint:errorlint // likewise
		err = io.ErrUnexpectedEOF
	}
	return s.e.broken(err)
}

// take makes a part of the event. It returns false if the caller is not to see it.
func (s *stream) take(p *llm.Part) (shown bool, err error) {
	data := s.event.Data
	found, ok := s.chunks.Scan(data)
	if !ok {
		return false, s.e.garbled("The stream of " + s.e.p.s.Name + " holds an event that is not a JSON object.")
	}
	if found.ErrorAt.End > 0 || string(s.event.Name) == "error" {
		return false, s.e.classify(200, data, s.header)
	}
	s.cited = s.cited || s.searches && cited(data)
	if found.UsageAt.End > 0 {
		s.r.Usage = found.Usage
		s.search()
		// The gateway asks for usage whether the caller did or not.
		if found.NoChoices && !s.x.WantUsage {
			return false, nil
		}
	}
	if found.Finished {
		s.finished = true
		if found.Finish != "" {
			s.r.Finish = found.Finish
		}
	}
	if s.x.Fallbacks == 0 && s.x.Model != "" {
		s.out = openai.SetModel(s.out[:0], data, found.Model, s.x.Model)
		data = s.out
	}
	*p = llm.Part{Data: data, More: s.events.More()}
	return true, nil
}

// search counts the search that a page was found by.
func (s *stream) search() {
	if s.cited {
		s.r.Usage.Searches = max(s.r.Usage.Searches, 1)
	}
}

// searching reports whether a chat may search the web and does not count how often. It then shows in the pages that the
// answer cites, and counts as one search (litellm/litellm_core_utils/llm_cost_calc/tool_call_cost_tracking.py,
// https://platform.openai.com/docs/guides/tools-web-search?api-mode=chat).
func searching(x *llm.Exchange, d *llm.Deployment) bool {
	return x.Op == llm.OpChat && (strings.Contains(d.Model, "-search") || x.Body.Get("web_search_options") != nil)
}

func cited(answer []byte) bool { return bytes.Contains(answer, []byte(`"url_citation"`)) }

// Close implements llm.Stream.
func (s *stream) Close() error {
	err := s.body.Close()
	s.events.Reset(nil)
	s.event = sse.Event{}
	if cap(s.out) > keepBuffer {
		s.out = nil
	}
	s.e, s.x, s.r, s.header, s.body = nil, nil, nil, nil, limited{}
	s.p.streams.Put(s)
	return err
}
