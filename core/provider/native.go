package provider

import (
	"encoding/json"
	"io"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// CountTokens is the Call of an exchange in a vendor's own dialect that asks how many tokens the request has. The reply is
// the vendor's answer.
const CountTokens = "acount_tokens"

// Native lets chats that came in another dialect go out as they came, and the answers come back as the vendor gave them.
type Native struct {
	Dialect llm.Dialect
	Speaks  func(s *Site) bool                        // whether a deployment does; nil: all do
	Route   func(t *Turn, dst []byte) []byte          // appends the path and query
	Request func(t *Turn, dst []byte) ([]byte, error) // appends the body, from t.Exchange.Native

	// Whole appends a whole answer as the caller sees it, and notes usage and finish reason in r.
	Whole func(t *Turn, body, dst []byte, r *llm.Reply) ([]byte, error)
	// Events makes a reader for one stream: it sets the part that the caller sees of an event, or leaves it empty for
	// none, and notes usage and finish reason in r. It sets t.Ended at the end; a stream that just ends is complete once a
	// finish reason was noted.
	Events func(t *Turn, r *llm.Reply) func(e *Event, p *llm.Part) error
	Frames Frames // how events come; the zero value is server-sent events
	Counts bool   // the vendor counts tokens: Route and Request heed CountTokens
}

// counts reports whether the exchange asks for a count, and the vendor knows.
func (e *endpoint) counts(x *llm.Exchange) bool {
	if x.Call != CountTokens {
		return false
	}
	n := e.native(x.Dialect)
	return n != nil && n.Counts
}

// Speaks implements Speaker.
func (e *endpoint) Speaks(d llm.Dialect) bool { return e.native(d) != nil }

func (e *endpoint) native(d llm.Dialect) *Native {
	for _, n := range e.p.v.Natives {
		if n.Dialect == d && (n.Speaks == nil || n.Speaks(e.s)) {
			return n
		}
	}
	return nil
}

func (e *endpoint) encodeNative(t *Turn) error {
	n := e.native(t.Exchange.Dialect)
	t.Call.Path = e.path(t, "", n.Route)
	body, err := n.Request(t, make([]byte, 0, len(t.Exchange.Native.Raw())+256))
	if err != nil {
		return err
	}
	t.Call.Body = append(t.Call.Body, body)
	return nil
}

func (e *endpoint) decodeNative(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	n := e.native(x.Dialect)
	frames := n.Frames
	if frames.New == nil {
		frames = ServerSent()
	}
	r.Dialect = x.Dialect
	if x.Streamed && frames.carries(a) {
		return e.decodeNativeStream(x, a, r, n, &frames)
	}
	w := e.p.wholes.Get().(*whole)
	w.body, w.out = a.Body, w.out[:0]
	if err := e.fillNative(w, x, a, r, n); err != nil {
		w.Close()
		return err
	}
	r.First, r.Rest = llm.Part{Data: w.out}, w
	return nil
}

func (e *endpoint) fillNative(w *whole, x *llm.Exchange, a *llm.Answer, r *llm.Reply, n *Native) error {
	if err := e.fill(w, a); err != nil {
		return err
	}
	if !json.Valid(w.in) {
		return e.notJSON(w.in)
	}
	t := e.turn(x)
	t.Header = a.Header
	var err error
	if w.out, err = n.Whole(&t, w.in, w.out, r); err != nil {
		return e.named(err)
	}
	return nil
}

// nativeStream hands the events of a vendor on.
type nativeStream struct {
	e      *endpoint
	r      *llm.Reply
	t      Turn
	body   limited
	frames FrameReader
	event  Event
	read   func(*Event, *llm.Part) error
	begun  bool
	over   bool
}

func (e *endpoint) decodeNativeStream(x *llm.Exchange, a *llm.Answer, r *llm.Reply, n *Native, frames *Frames) error {
	s := &nativeStream{e: e, r: r, t: e.turn(x), body: limited{a.Body, e.p.v.MaxResponse + 1}}
	s.t.Header = a.Header
	s.frames = frames.New(int(min(e.p.v.MaxResponse, defaultMaxResponse)))
	s.frames.Reset(&s.body)
	s.read = n.Events(&s.t, r)
	err := s.Next(&r.First)
	if err == nil {
		r.Streamed, r.Rest = true, s
		return nil
	}
	_ = s.Close()
	if err == io.EOF { //nolint:errorlint // Next returns io.EOF bare
		return e.s.garbled("The stream of " + e.p.v.Name + " ended before it began.")
	}
	return err
}

// Next implements llm.Stream.
func (s *nativeStream) Next(p *llm.Part) error {
	for !s.over {
		s.event = Event{}
		err := s.frames.Next(&s.event)
		switch {
		case err == io.ErrUnexpectedEOF && json.Valid(s.event.Data): //nolint:errorlint // Next returns it bare
		case err == io.EOF && (!s.begun || s.r.Finish != ""): //nolint:errorlint // likewise
			s.over = true
			return io.EOF
		case err == io.EOF: //nolint:errorlint // likewise
			s.over = true
			return s.e.broken(io.ErrUnexpectedEOF)
		case err != nil:
			s.over = true
			return s.e.broken(err)
		}
		*p = llm.Part{}
		s.t.scratch = s.t.scratch[:0]
		if err := s.read(&s.event, p); err != nil {
			s.over = true
			return s.e.named(err)
		}
		s.over = s.t.Ended
		if len(p.Data) > 0 {
			s.begun = true
			p.More = !s.over && s.frames.More()
			return nil
		}
	}
	return io.EOF
}

// Close implements llm.Stream.
func (s *nativeStream) Close() error {
	s.frames.Reset(nil)
	return s.body.Close()
}
