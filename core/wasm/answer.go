package wasm

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/sse"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Decode implements provider.Endpoint. What looks like a stream, server-sent events or lines of JSON, is read event by
// event if the caller wants a stream; everything else is read to its end first.
func (e *guestEndpoint) Decode(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	r.Status, r.Header, r.Deployment, r.Began = a.Status, a.Header, e.d, a.FirstByte
	if local, ok := a.Body.(*localBody); ok {
		return e.whole(x, &local.said, nil, a, r)
	}
	refused := a.Status < 200 || a.Status > 299
	if !refused && x.Op.Streams() && (a.Streamed || lines(a.Header)) {
		s := e.newStream(x, a, r)
		if !x.Streamed {
			return s.join()
		}
		return s.begin()
	}
	limit := e.g.s.MaxResponse
	if refused {
		limit = maxRefusal
	}
	body, err := io.ReadAll(io.LimitReader(a.Body, limit+1))
	switch {
	case refused: // what could be read of the text is better than nothing
		body, err = body[:min(int64(len(body)), limit)], nil
	case err != nil:
		err = e.brokenOff(err)
	case int64(len(body)) > limit:
		err = &llm.Error{Op: "wasm.Decode", Kind: llm.KindTooLarge, Message: "Response size is too large", Provider: e.g.s.Name}
	}
	var said *reading
	if err == nil {
		said, err = e.ask(x, abi.PhaseWhole, &event{status: a.Status, header: a.Header, data: body})
	}
	if err == nil && refused {
		err = e.classify(a.Status, body, a.Header)
	}
	if err == nil {
		err = e.whole(x, said, body, a, r)
	}
	if err != nil {
		_ = a.Body.Close()
	}
	return err
}

// lines reports whether an answer is a stream of JSON objects, one a line.
func lines(h llm.Header) bool {
	kind, _, _ := strings.Cut(string(h.Get("content-type")), ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/stream+json":
		return true
	}
	return false
}

// whole makes a reply of a whole answer. body is what the vendor sent; it counts if the plugin said nothing.
func (e *guestEndpoint) whole(x *llm.Exchange, said *reading, body []byte, a *llm.Answer, r *llm.Reply) error {
	text := said.json
	switch {
	case text != nil:
	case said.said.Empty() && !said.said.Usage.Known():
		text = body
	case x.Op != llm.OpChat && x.Op != llm.OpCompletion:
		return e.garbled("The plugin " + e.g.p.name + " answers with a text, which is no answer to " + x.Op.String() + ".")
	default:
		w := openai.NewWriter(x.Op, x.ID, e.model(x), time.Now())
		text = w.Whole(nil, &said.said)
	}
	s, ok := openai.Scan(text)
	switch {
	case !ok:
		return e.garbled("The answer of " + e.g.s.Name + " is not a JSON object.")
	case s.ErrorAt.End > 0 && !s.Answered:
		return e.classify(a.Status, text, a.Header)
	}
	text = openai.SetModel(nil, text, s.Model, e.model(x))
	parts := [][]byte{text}
	if x.Streamed && x.Op.Streams() {
		var err error
		if parts, err = openai.Split(text, x.WantUsage); err != nil {
			return e.garbled("The answer of " + e.g.s.Name + " cannot be made a stream: " + err.Error() + ".")
		}
		r.Streamed = true
	}
	r.Usage, r.Finish = s.Usage, s.Finish
	r.First = llm.Part{Data: parts[0], More: len(parts) > 1}
	r.Rest = &remaining{parts: parts[1:], body: a.Body}
	return nil
}

// model is the name that the caller sees: the one asked for, unless a fallback answers.
func (e *guestEndpoint) model(x *llm.Exchange) string {
	if x.Fallbacks == 0 && x.Model != "" {
		return x.Model
	}
	return e.d.Model
}

// remaining are parts that are there, and the answer they came from.
type remaining struct {
	parts [][]byte
	body  io.Closer
}

// Next implements llm.Stream.
func (l *remaining) Next(p *llm.Part) error {
	if len(l.parts) == 0 {
		return io.EOF
	}
	*p = llm.Part{Data: l.parts[0], More: len(l.parts) > 1}
	l.parts = l.parts[1:]
	return nil
}

// Close implements llm.Stream.
func (l *remaining) Close() error { return l.body.Close() }

func (e *guestEndpoint) classify(status int, body []byte, h llm.Header) *llm.Error {
	err := openai.Classify(status, e.g.s.Name, body, h)
	if key := e.d.APIKey; len(key) > 3 {
		err.Message = strings.ReplaceAll(err.Message, key, "***")
	}
	return err
}

func (e *guestEndpoint) garbled(message string) error {
	return &llm.Error{Op: "wasm.Decode", Kind: llm.KindBadGateway, Provider: e.g.s.Name, Message: message}
}

// brokenOff is the error for an answer that could not be read to its end.
func (e *guestEndpoint) brokenOff(err error) error {
	f := llm.AsError(err)
	if f.Kind == llm.KindInternal && f.Op == "" {
		f = &llm.Error{Op: "wasm.Decode", Kind: llm.KindConnection, Err: err, Message: "The connection broke during the answer."}
	}
	if f.Provider == "" && f.Kind.Vendor() {
		f.Provider = e.g.s.Name
	}
	return f
}

// event is what the plugin is asked to read.
type event struct {
	status int
	header llm.Header // of the answer; nil behind the first event
	name   []byte
	data   []byte
	state  []byte
	doc    llm.Object
}

// ask has the plugin read an answer or an event. A refusal of its own is an error of the vendor.
func (e *guestEndpoint) ask(x *llm.Exchange, phase abi.Phase, ev *event) (*reading, error) {
	said := &reading{}
	err := e.g.p.use(&x.Life, func(in *instance) error {
		dst := abi.AppendNumber(in.view[:0], abi.TagPhase, uint64(phase))
		dst = abi.AppendNumber(dst, abi.TagStatus, uint64(ev.status))
		for i := range ev.header {
			dst = appendHeader(dst, ev.header[i].Name, ev.header[i].Value)
		}
		dst = appendText(dst, abi.TagEvent, ev.name)
		dst = appendText(dst, abi.TagState, ev.state)
		in.view = appendText(dst, abi.TagBody, ev.data)
		if len(in.view) > e.g.p.limits.maxView() {
			return ErrSize
		}
		if ev.doc.Parse(ev.data) != nil {
			ev.doc.Reset()
		}
		in.doc = &ev.doc
		out, err := in.call(abi.HookProvider, in.view, x)
		if out == nil || err != nil {
			return err
		}
		return e.readReading(out, said, ev.header)
	})
	return said, e.failed(x, err)
}

func (e *guestEndpoint) readReading(out []byte, said *reading, header llm.Header) error {
	var h head
	r := abi.Reader{Rest: out}
	for r.Next() {
		if err := said.read(&r, &h); err != nil {
			return err
		}
	}
	verdict, err := h.end(&r)
	switch {
	case err != nil:
		return err
	case verdict == abi.VerdictReject && (h.status < 400 || h.status > 599):
		return broken("an error of the vendor with status %d, it must be 400 to 599", h.status)
	case verdict == abi.VerdictReject:
		return e.classify(h.status, []byte(h.reason), header)
	case verdict != abi.VerdictContinue && verdict != abi.VerdictEdit:
		return broken("verdict %d of the provider hook", verdict)
	}
	return nil
}

// guestStream is an answer that the plugin reads event by event. It belongs to its reply until Close.
type guestStream struct {
	e      *guestEndpoint
	x      *llm.Exchange
	r      *llm.Reply
	body   io.ReadCloser
	events sse.Reader
	lines  *bufio.Scanner // in place of events
	writer openai.Writer
	header llm.Header
	status int
	state  []byte

	out      []byte     // the parts that are ready
	ready    []llm.Span // their places
	begun    bool       // the role was said
	usage    bool       // the usage is wanted and was not said yet
	finished bool
	over     bool  // the vendor has nothing more to say
	end      error // how the stream ends, once what is ready was given out
}

func (e *guestEndpoint) newStream(x *llm.Exchange, a *llm.Answer, r *llm.Reply) *guestStream {
	s := &guestStream{e: e, x: x, r: r, body: a.Body, header: a.Header, status: a.Status, usage: x.WantUsage}
	s.writer = openai.NewWriter(x.Op, x.ID, e.model(x), time.Now())
	limited := &limitedReader{a.Body, e.g.s.MaxResponse}
	if a.Streamed {
		s.events.Limit = int(min(e.g.s.MaxResponse, defaultMaxResponse))
		s.events.Reset(limited)
	} else {
		s.lines = bufio.NewScanner(limited)
		s.lines.Buffer(nil, int(min(e.g.s.MaxResponse, defaultMaxResponse)))
	}
	return s
}

// begin fetches the first part.
func (s *guestStream) begin() error {
	err := s.Next(&s.r.First)
	if err == nil {
		s.r.Streamed, s.r.Rest = true, s
		return nil
	}
	if err == io.EOF { //nolint:errorlint // Next returns io.EOF bare
		err = s.e.garbled("The stream of " + s.e.g.s.Name + " ended before it began.")
	}
	_ = s.Close()
	return err
}

// join makes a whole answer of a stream that nobody asked for.
func (s *guestStream) join() error {
	var j openai.Joiner
	var p llm.Part
	s.usage = true
	err := s.Next(&p)
	for ; err == nil; err = s.Next(&p) {
		if err = j.Add(p.Data); err != nil {
			break
		}
	}
	var whole []byte
	if err == io.EOF { //nolint:errorlint // Next returns io.EOF bare
		whole, err = j.Append(nil)
	}
	if err != nil {
		_ = s.Close()
		if !isRefusal(err) {
			err = s.e.garbled("The stream of " + s.e.g.s.Name + " cannot be joined: " + err.Error() + ".")
		}
		return err
	}
	s.r.First, s.r.Rest = llm.Part{Data: whole}, &remaining{body: s.body}
	return nil
}

var errOverLimit = errors.New("wasm: the answer is over the limit")

// limitedReader bounds how much is read from a body.
type limitedReader struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (l *limitedReader) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, errOverLimit
	}
	n, err := l.r.Read(b[:min(int64(len(b)), l.left)])
	l.left -= int64(n)
	return n, err
}

// Next implements llm.Stream.
func (s *guestStream) Next(p *llm.Part) error {
	for len(s.ready) == 0 {
		if s.end != nil {
			return s.end
		}
		s.out = s.out[:0]
		s.end = s.fetch()
	}
	at := s.ready[0]
	if s.ready = s.ready[1:]; len(s.ready) == 0 {
		s.ready = nil
	}
	*p = llm.Part{Data: s.out[at.Start:at.End], More: len(s.ready) > 0}
	return nil
}

// fetch reads the next event and makes parts of it.
func (s *guestStream) fetch() error {
	ev := event{status: s.status, state: s.state, header: s.header}
	err := s.read(&ev)
	phase := abi.PhaseEvent
	switch {
	case err == io.EOF: //nolint:errorlint // read returns it bare
		phase = abi.PhaseEnd
	case err != nil:
		return err
	}
	said, err := s.e.ask(s.x, phase, &ev)
	if err != nil {
		return err
	}
	s.header, s.state = nil, said.state
	if err := s.say(said); err != nil || phase == abi.PhaseEvent {
		return err
	}
	if !s.begun {
		return io.EOF
	}
	if !s.finished {
		return s.e.brokenOff(io.ErrUnexpectedEOF)
	}
	if s.usage && s.r.Usage.Known() {
		s.add(func(dst []byte) []byte { return s.writer.Usage(dst, s.r.Usage) })
	}
	return io.EOF
}

// read reads an event. At the end of the stream it returns io.EOF.
func (s *guestStream) read(ev *event) error {
	if s.over {
		return io.EOF
	}
	if s.lines != nil {
		for s.lines.Scan() {
			if ev.data = bytes.TrimSpace(s.lines.Bytes()); len(ev.data) > 0 {
				return nil
			}
		}
		if err := s.lines.Err(); err != nil {
			return s.tooLarge(err)
		}
		return io.EOF
	}
	var e sse.Event
	err := s.events.Next(&e)
	if err == io.ErrUnexpectedEOF && len(e.Data) > 0 { //nolint:errorlint // Next returns it bare
		s.over, err = true, nil // some servers leave out the last blank line
	}
	if err == nil && string(e.Data) == "[DONE]" || err == io.ErrUnexpectedEOF { //nolint:errorlint // likewise
		s.over = true
		return io.EOF
	}
	if err == nil || err == io.EOF { //nolint:errorlint // likewise
		ev.name, ev.data = e.Name, e.Data
		return err
	}
	return s.tooLarge(err)
}

func (s *guestStream) tooLarge(err error) error {
	if errors.Is(err, errOverLimit) || errors.Is(err, sse.ErrTooLong) || errors.Is(err, bufio.ErrTooLong) {
		return &llm.Error{Op: "wasm.Decode", Kind: llm.KindTooLarge, Message: "Response size is too large", Provider: s.e.g.s.Name}
	}
	return s.e.brokenOff(err)
}

// say makes parts of what an event said.
func (s *guestStream) say(said *reading) error {
	if said.json != nil {
		return s.relay(said.json)
	}
	what := &said.said
	if what.Usage.Known() {
		s.r.Usage = what.Usage
	}
	finish := what.Finish
	what.Finish = ""
	if !what.Empty() || finish != "" && !s.begun {
		if !s.begun && s.x.Op == llm.OpChat {
			s.add(s.writer.Role)
		}
		s.begun = true
	}
	if !what.Empty() {
		s.add(func(dst []byte) []byte { return s.writer.Chunk(dst, what) })
	}
	if finish != "" {
		s.finished, s.r.Finish = true, finish
		s.add(func(dst []byte) []byte { return s.writer.Chunk(dst, &openai.Said{Finish: finish}) })
	}
	return nil
}

// relay passes on a chunk that is in the API's form already.
func (s *guestStream) relay(chunk []byte) error {
	found, ok := openai.Scan(chunk)
	switch {
	case !ok:
		return s.e.garbled("The stream of " + s.e.g.s.Name + " holds an event that is not a JSON object.")
	case found.ErrorAt.End > 0:
		return s.e.classify(s.status, chunk, s.header)
	}
	if found.UsageAt.End > 0 {
		s.r.Usage = found.Usage
		if found.NoChoices && !s.usage {
			return nil
		}
		s.usage = s.usage && !found.NoChoices
	}
	if found.Finished {
		s.finished = true
		s.r.Finish = otherwise(found.Finish, s.r.Finish)
	}
	s.begun = true
	s.add(func(dst []byte) []byte {
		return append(dst, openai.SetModel(nil, chunk, found.Model, s.e.model(s.x))...)
	})
	return nil
}

func (s *guestStream) add(write func([]byte) []byte) {
	start := len(s.out)
	s.out = write(s.out)
	s.ready = append(s.ready, llm.Span{Start: start, End: len(s.out)})
}

// Close implements llm.Stream.
func (s *guestStream) Close() error { return s.body.Close() }
