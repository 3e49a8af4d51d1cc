package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/sse"
)

// Decode implements Endpoint. The model in the answer is the name that the caller asked for, unless a fallback answers:
// then the caller sees who did, as with the reference.
//
// A vendor that answers whole although a stream was asked for, or the other way round, is translated.
func (e *endpoint) Decode(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	r.Status, r.Header, r.Deployment, r.Began = a.Status, a.Header, e.s.Deployment, a.FirstByte
	if a.Status < 200 || a.Status > 299 {
		return e.refused(a)
	}
	r.Status = 200
	if x.AsNative || e.counts(x) {
		return e.decodeNative(x, a, r)
	}
	if chat := e.chat(x.Op); chat != nil {
		frames := chat.frames()
		if x.Streamed && chat.Events != nil && frames.carries(a) {
			return e.decodeStream(x, a, r, chat, &frames)
		}
		return e.decodeWhole(x, a, r, func(w *whole) error { return w.chat(e, x, a, r, chat, &frames) })
	}
	form := e.p.v.Forms[x.Op]
	if form == nil {
		_ = a.Body.Close()
		return e.s.garbled(e.p.v.Name + " answered a call that was not made.")
	}
	if form.Verbatim {
		if err := Sound(e.p.v.Name, x, a, r, e.p.v.MaxResponse, form.settle(x)); err != nil {
			return e.broken(err)
		}
		return nil
	}
	return e.decodeWhole(x, a, r, func(w *whole) error { return w.form(e, x, a, r, form) })
}

func (c *Chat) frames() Frames {
	if c.Frames.New == nil {
		return ServerSent()
	}
	return c.Frames
}

// refused makes an error of an answer that is none, and closes it.
func (e *endpoint) refused(a *llm.Answer) error {
	w := e.p.wholes.Get().(*whole)
	w.body = a.Body
	defer w.Close()
	// What could be read of the text is better than nothing, so an error of the connection does not count here.
	_ = w.read(0, maxRefusal)
	return e.s.classify(a.Status, w.in, a.Header)
}

// whole is an answer that was read to its end, and its translation. It belongs to the reply that it is the rest of
// until Close, which closes the answer and gives the buffers back.
type whole struct {
	p    *Translated
	body io.ReadCloser
	in   []byte
	out  []byte
	said openai.Said
	rest []llm.Span // the parts of out that follow, of an answer that became a stream
}

var errTooLarge = errors.New("provider: the answer is over the limit")

// read reads the body to its end. size is the length that it was announced with, or not more than 0. Above limit bytes
// it returns errTooLarge.
func (w *whole) read(size int, limit int64) error {
	need := max(min(size, keepBuffer)+1, firstBuffer) // one more, so that the end shows without growing
	if cap(w.in) < need {
		w.in = make([]byte, 0, need)
	}
	w.in = w.in[:0]
	for {
		if len(w.in) == cap(w.in) {
			w.in = append(w.in, 0)[:len(w.in)]
		}
		n, err := w.body.Read(w.in[len(w.in):cap(w.in)])
		w.in = w.in[:len(w.in)+n]
		if int64(len(w.in)) > limit {
			w.in = w.in[:limit]
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

// decodeWhole reads an answer to its end and translates it.
func (e *endpoint) decodeWhole(x *llm.Exchange, a *llm.Answer, r *llm.Reply, translate func(*whole) error) error {
	w := e.p.wholes.Get().(*whole)
	w.body, w.out = a.Body, w.out[:0]
	err := e.fill(w, a)
	if err == nil {
		err = translate(w)
	}
	if err != nil {
		w.Close()
		return err
	}
	r.Rest = w
	if x.Streamed && x.Op.Streams() {
		r.Streamed = true
		return w.Next(&r.First)
	}
	r.First = llm.Part{Data: w.out}
	return nil
}

func (e *endpoint) fill(w *whole, a *llm.Answer) error {
	if int64(a.Size) > e.p.v.MaxResponse {
		return e.tooLarge()
	}
	if err := w.read(a.Size, e.p.v.MaxResponse); err != nil {
		return e.broken(err)
	}
	return nil
}

// chat writes a chat completion, or the chunks of one.
func (w *whole) chat(e *endpoint, x *llm.Exchange, a *llm.Answer, r *llm.Reply, chat *Chat, frames *Frames) error {
	t := e.turn(x)
	t.Header = a.Header
	w.said.Reset()
	said := &w.said
	switch {
	case frames.carries(a) && chat.Events != nil || bytes.HasPrefix(w.in, []byte("data:")) || bytes.HasPrefix(w.in, []byte("event:")):
		joined, err := e.join(&t, w.in, chat, frames)
		if err != nil {
			return err
		}
		said = joined
	case !json.Valid(w.in):
		return e.notJSON(w.in)
	default:
		if err := chat.Whole(&t, w.in, said); err != nil {
			return e.named(err)
		}
	}
	settle(said)
	for i := range said.More {
		settle(&said.More[i])
	}
	openai.Count(&r.Usage, said.Usage)
	said.Usage, r.Finish = r.Usage, own(said.Finish)
	out := openai.NewWriter(x.Op, x.ID, t.Model(), e.p.v.Now())
	if !x.Streamed {
		w.out = out.Whole(w.out, said)
		return nil
	}
	w.split(&out, said, x.WantUsage)
	return nil
}

// notJSON is the error for an answer that should be JSON.
func (e *endpoint) notJSON(body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return e.s.garbled("The answer of " + e.p.v.Name + " is empty.")
	}
	return e.s.garbled("The answer of " + e.p.v.Name + " is not JSON.")
}

// settle sets the finish reason that follows from what was said: one that called tools did not just stop.
func settle(s *openai.Said) {
	switch {
	case s.Finish == "stop" && len(s.Calls) > 0, s.Finish == "" && len(s.Calls) > 0:
		s.Finish = "tool_calls"
	case s.Finish == "":
		s.Finish = "stop"
	}
}

// own returns a finish reason that lasts: what was read is borrowed from a buffer, and the record of a call outlives it.
func own(finish string) string {
	for _, usual := range [...]string{"stop", "length", "tool_calls", "content_filter"} {
		if finish == usual {
			return usual
		}
	}
	return strings.Clone(finish)
}

// split writes a whole answer as a stream: for each choice a chunk with all that was said, and one with the end.
func (w *whole) split(out *openai.Writer, said *openai.Said, usage bool) {
	more, extra := said.More, said.Extra
	said.More = nil
	w.rest = w.rest[:0]
	for i := range said.Calls {
		said.Calls[i].Index = i
	}
	w.splitChoice(out, said)
	for i := range more {
		for j := range more[i].Calls {
			more[i].Calls[j].Index = j
		}
		more[i].Extra = extra
		w.splitChoice(out, &more[i])
	}
	if usage && said.Usage.Known() {
		w.part(func(dst []byte) []byte { return out.Usage(dst, said.Usage) })
	}
}

func (w *whole) splitChoice(out *openai.Writer, said *openai.Said) {
	finish := said.Finish
	said.Finish = ""
	w.part(func(dst []byte) []byte { return out.First(dst, said) })
	w.part(func(dst []byte) []byte { return out.Chunk(dst, &openai.Said{Index: said.Index, Finish: finish}) })
}

func (w *whole) part(write func([]byte) []byte) {
	start := len(w.out)
	w.out = write(w.out)
	w.rest = append(w.rest, llm.Span{Start: start, End: len(w.out)})
}

// form writes the answer to an operation that is no chat.
func (w *whole) form(e *endpoint, x *llm.Exchange, a *llm.Answer, r *llm.Reply, form *Form) error {
	t := e.turn(x)
	t.Header = a.Header
	if !form.Loose && !json.Valid(w.in) {
		return e.notJSON(w.in)
	}
	var err error
	if w.out, err = form.Answer(&t, w.in, w.out); err != nil {
		return e.named(err)
	}
	openai.Count(&r.Usage, t.Usage)
	if t.Type != "" {
		r.Verbatim, r.Header = true, retyped(r.Header, t.Type)
	}
	return nil
}

// retyped is a header with another Content-Type.
func retyped(h llm.Header, kind string) llm.Header {
	out := make(llm.Header, 0, len(h)+1)
	for _, f := range h {
		if !llm.EqualFold(f.Name, "Content-Type") {
			out = append(out, f)
		}
	}
	return append(out, llm.Field{Name: borrow("Content-Type"), Value: borrow(kind)})
}

// join reads a stream that nobody asked for.
func (e *endpoint) join(t *Turn, in []byte, chat *Chat, frames *Frames) (*openai.Said, error) {
	if chat.Events == nil {
		return nil, e.s.garbled("The answer of " + e.p.v.Name + " is a stream, which was not asked for.")
	}
	var (
		sum   openai.Sum
		event Event
		said  openai.Said
		found bool // an event came
		ended bool
	)
	reader, read := frames.New(int(min(e.p.v.MaxResponse, defaultMaxResponse))), chat.Events(t)
	reader.Reset(bytes.NewReader(in))
	for !t.Ended {
		event = Event{}
		err := reader.Next(&event)
		if err == io.EOF || err == io.ErrUnexpectedEOF && !json.Valid(event.Data) { //nolint:errorlint // Next returns them bare
			break
		}
		if err != nil && err != io.ErrUnexpectedEOF { //nolint:errorlint // likewise
			return nil, e.broken(err)
		}
		said.Reset()
		if err := read(&event, &said); err != nil {
			return nil, e.named(err)
		}
		found, ended = true, ended || said.Finish != "" || t.Ended
		sum.Add(&said)
		for i := range said.More {
			sum.Add(&said.More[i])
		}
		t.scratch = t.scratch[:0]
	}
	if !ended && (!chat.Open || !found) {
		return nil, e.broken(io.ErrUnexpectedEOF)
	}
	return sum.Said(), nil
}

// broken is the error for an answer that could not be read to its end. Errors of the transport pass; they are made to
// name the vendor.
func (e *endpoint) broken(err error) error {
	if errors.Is(err, errTooLarge) || errors.Is(err, sse.ErrTooLong) {
		return e.tooLarge()
	}
	f := llm.AsError(err)
	if f.Kind == llm.KindInternal && f.Op == "" {
		f = &llm.Error{Op: e.p.v.Name + ".Decode", Kind: llm.KindConnection, Err: err, Message: "The connection broke during the answer."}
	}
	return e.named(f)
}

// named makes sure that an error is the gateway's own, and names the vendor.
func (e *endpoint) named(err error) error {
	var f *llm.Error
	if !errors.As(err, &f) {
		f = llm.AsError(e.s.garbled("The answer of " + e.p.v.Name + " cannot be read: " + err.Error() + "."))
	}
	if f.Provider == "" && f.Kind.Vendor() {
		f.Provider = e.p.v.Name
	}
	return f
}

func (e *endpoint) tooLarge() error {
	return &llm.Error{Op: e.p.v.Name + ".Decode", Kind: llm.KindTooLarge, Message: "Response size is too large", Provider: e.p.v.Name}
}

// Next implements llm.Stream. Nothing follows a whole answer, but the parts of one that became a stream.
func (w *whole) Next(p *llm.Part) error {
	if len(w.rest) == 0 {
		return io.EOF
	}
	at := w.rest[0]
	*p = llm.Part{Data: w.out[at.Start:at.End], More: len(w.rest) > 1}
	w.rest = w.rest[1:]
	return nil
}

// Close implements llm.Stream.
func (w *whole) Close() error {
	err := w.body.Close()
	w.body, w.rest = nil, nil
	w.said.Reset()
	if cap(w.in) > keepBuffer {
		w.in = nil
	}
	if cap(w.out) > keepBuffer {
		w.out = nil
	}
	w.p.wholes.Put(w)
	return err
}
