package provider

import (
	"encoding/json"
	"io"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// stream is an answer that is read event by event, and becomes chunks. It belongs to the reply that it is the rest of
// until Close, which closes the answer and gives the buffers back. Each part is valid until the next call.
type stream struct {
	p      *Translated
	e      *endpoint
	r      *llm.Reply
	t      Turn
	body   limited
	frames FrameReader
	chat   *Chat
	read   func(*Event, *openai.Said) error
	event  Event
	said   openai.Said
	writer openai.Writer

	out   []byte
	ready []llm.Span // the parts of out that were not given out yet
	next  int        // the first of them

	choices  []choice
	finished bool // a choice has told why it ended
	last     bool // the input ended with the event that was read
	over     bool // nothing follows what is ready
}

// choice is what is known of one choice of a stream.
type choice struct {
	index         int
	calls, finish bool
}

// limited bounds how much is read from a body.
type limited struct {
	io.ReadCloser
	left int64
}

func (l *limited) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLarge
	}
	n, err := l.ReadCloser.Read(b[:min(int64(len(b)), l.left)])
	l.left -= int64(n)
	return n, err
}

// decodeStream reads up to the first chunk, so that a vendor which fails at once is an ordinary error.
func (e *endpoint) decodeStream(x *llm.Exchange, a *llm.Answer, r *llm.Reply, chat *Chat, frames *Frames) error {
	s := e.p.streams.Get().(*stream)
	if s.frames == nil || s.chat != chat {
		s.frames, s.chat = frames.New(int(min(e.p.v.MaxResponse, defaultMaxResponse))), chat
	}
	s.e, s.r, s.t = e, r, e.turn(x)
	s.t.Header = a.Header
	s.t.scratch = s.t.scratch[:0]
	s.body = limited{ReadCloser: a.Body, left: e.p.v.MaxResponse + 1}
	s.frames.Reset(&s.body)
	s.read = chat.Events(&s.t)
	s.writer = openai.NewWriter(x.Op, x.ID, s.t.Model(), e.p.v.Now())
	err := s.Next(&r.First)
	if err == nil {
		r.Streamed, r.Rest = true, s
		return nil
	}
	if err == io.EOF { //nolint:errorlint // Next returns io.EOF bare
		err = e.s.garbled("The stream of " + e.p.v.Name + " ended before it began.")
	}
	s.Close()
	return err
}

// Next implements llm.Stream. A connection that ends once a finish reason has come, or once the vendor said that this is
// the end, is the end; before that it is llm.KindConnection.
func (s *stream) Next(p *llm.Part) error {
	for s.next == len(s.ready) {
		if s.over {
			return io.EOF
		}
		s.out, s.ready, s.next = s.out[:0], s.ready[:0], 0
		if err := s.fetch(); err != nil {
			s.over = true
			return err
		}
	}
	at := s.ready[s.next]
	s.next++
	*p = llm.Part{Data: s.out[at.Start:at.End], More: s.next < len(s.ready) || !s.over && s.frames.More()}
	return nil
}

// fetch reads an event and makes chunks of it. There may be none.
func (s *stream) fetch() error {
	if s.last {
		return s.cut(io.EOF)
	}
	s.event = Event{}
	err := s.frames.Next(&s.event)
	switch {
	case err == io.ErrUnexpectedEOF && json.Valid(s.event.Data): //nolint:errorlint // Next returns it bare
		s.last = true // the line end after the last event is missing, and the event whole in itself
	case err != nil:
		return s.cut(err)
	}
	s.said.Reset()
	s.t.scratch = s.t.scratch[:0]
	if err := s.read(&s.event, &s.said); err != nil {
		return s.e.named(err)
	}
	more := s.said.More
	s.said.More = nil
	openai.Count(&s.r.Usage, s.said.Usage)
	s.say(&s.said)
	for i := range more {
		openai.Count(&s.r.Usage, more[i].Usage)
		s.say(&more[i])
	}
	if s.t.Ended {
		s.end()
	}
	return nil
}

// cut says how the stream ended without the vendor's word for it.
func (s *stream) cut(err error) error {
	switch {
	case err == io.EOF && (s.finished || s.chat.Open && len(s.choices) > 0): //nolint:errorlint // a source returns io.EOF bare
		s.end()
		return nil
	case err == io.EOF && s.r.Rest == nil && len(s.choices) == 0: //nolint:errorlint // likewise
		return io.EOF // nothing came at all
	case err == io.EOF: //nolint:errorlint // likewise
		err = io.ErrUnexpectedEOF
	}
	return s.e.broken(err)
}

// say makes chunks of what a choice adds: of what it says, and of why it ended.
func (s *stream) say(said *openai.Said) {
	if said.Empty() {
		return
	}
	i := s.choice(said.Index)
	first := i < 0
	if first {
		i = len(s.choices)
		s.choices = append(s.choices, choice{index: said.Index})
	}
	c := &s.choices[i]
	finish := said.Finish
	said.Finish = ""
	c.calls = c.calls || len(said.Calls) > 0
	if first {
		s.part(func(dst []byte) []byte { return s.writer.First(dst, said) })
	} else if !said.Silent() {
		s.part(func(dst []byte) []byte { return s.writer.Chunk(dst, said) })
	}
	if finish != "" && !c.finish {
		s.finish(c, finish)
	}
}

func (s *stream) finish(c *choice, finish string) {
	if finish == "stop" && c.calls {
		finish = "tool_calls"
	}
	c.finish, s.finished = true, true
	if s.r.Finish == "" || c == &s.choices[0] {
		s.r.Finish = own(finish)
	}
	s.part(func(dst []byte) []byte { return s.writer.Chunk(dst, &openai.Said{Index: c.index, Finish: finish}) })
}

func (s *stream) choice(index int) int {
	for i := range s.choices {
		if s.choices[i].index == index {
			return i
		}
	}
	return -1
}

// end writes what is missing at the end: the finish reason that the vendor left out, and the usage if it is wanted.
func (s *stream) end() {
	s.over = true
	if len(s.choices) == 0 {
		s.say(&openai.Said{Finish: "stop"})
	}
	for i := range s.choices {
		if c := &s.choices[i]; !c.finish {
			s.finish(c, "stop")
		}
	}
	if s.t.Exchange.WantUsage && s.r.Usage.Known() {
		s.part(func(dst []byte) []byte { return s.writer.Usage(dst, s.r.Usage) })
	}
}

func (s *stream) part(write func([]byte) []byte) {
	start := len(s.out)
	s.out = write(s.out)
	s.ready = append(s.ready, llm.Span{Start: start, End: len(s.out)})
}

// Close implements llm.Stream.
func (s *stream) Close() error {
	err := s.body.Close()
	s.frames.Reset(nil)
	s.said.Reset()
	out, scratch := s.out, s.t.scratch
	if cap(out) > keepBuffer {
		out = nil
	}
	if cap(scratch) > keepBuffer {
		scratch = nil
	}
	p := s.p
	*s = stream{
		p: p, frames: s.frames, chat: s.chat, said: s.said, out: out[:0], ready: s.ready[:0], choices: s.choices[:0],
		t: Turn{scratch: scratch[:0]},
	}
	p.streams.Put(s)
	return err
}
