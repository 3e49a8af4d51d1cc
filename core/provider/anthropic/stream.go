package anthropic

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect/anthropic"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/sse"
)

// stream is an answer that is read event by event, and becomes chunks of a chat completion. It belongs to the reply
// that it is the rest of until Close, which closes the answer and gives the buffers back. Each part is valid until the
// next call. Events follow https://platform.claude.com/docs/en/build-with-claude/streaming.
type stream struct {
	p      *Provider
	e      *endpoint
	x      *llm.Exchange
	r      *llm.Reply
	body   limited
	header llm.Header
	events sse.Reader
	event  sse.Event
	ev     anthropic.Event
	out    []byte
	head   []byte // how each chunk begins, up to the delta

	usage anthropic.Usage
	block block
	calls int // tools called so far

	finished bool // the model has told why it stopped
	counted  bool // the usage went out
	last     bool // the input ended with the event that was read
	ended    bool // nothing follows
}

// block is the content block under way. They come one after another.
type block struct {
	open  bool
	kind  anthropic.BlockKind
	index int64
	call  int  // the index of the tool call
	json  bool // it is the tool that the answer is the input of
	begun bool // a piece of the input has come
	apart bool // it is a text behind another text, which the caller is to tell apart from it

	raw     []byte   // of a block that has no counterpart, as it began
	input   llm.Span // place of the input in raw
	partial []byte   // the pieces of its input
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
func (e *endpoint) decodeStream(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	s := e.p.streams.Get().(*stream)
	s.e, s.x, s.r, s.header = e, x, r, a.Header
	s.body = limited{ReadCloser: a.Body, left: e.p.s.MaxResponse + 1}
	s.events.Limit = int(min(e.p.s.MaxResponse, defaultMaxResponse))
	s.events.Reset(&s.body)
	err := s.Next(&r.First)
	if err == nil {
		r.Streamed, r.Rest = true, s
		return nil
	}
	if err == io.EOF { //nolint:errorlint // Next returns io.EOF bare
		err = e.garbled("The stream of " + Name + " ended before it began.")
	}
	s.Close()
	return err
}

// Next implements llm.Stream. The end is the event message_stop; a connection that ends once a stop reason has come is
// the end as well, and before that it is llm.KindConnection.
func (s *stream) Next(p *llm.Part) error {
	for !s.ended {
		if s.last {
			return s.cut(io.EOF, p)
		}
		err := s.events.Next(&s.event)
		switch {
		case err == io.ErrUnexpectedEOF && anthropic.ScanEvent(s.event.Data, &s.ev): //nolint:errorlint // Next returns it bare
			s.last = true // the blank line after the last event is missing, and the event whole in itself
		case err != nil:
			return s.cut(err, p)
		}
		shown, err := s.take()
		if err != nil {
			s.ended = true
			return err
		}
		if shown {
			*p = llm.Part{Data: s.out, More: s.events.More()}
			return nil
		}
	}
	return s.end(p)
}

// end gives out the usage if the caller wants it and did not get it yet.
func (s *stream) end(p *llm.Part) error {
	s.ended = true
	if !s.x.WantUsage || s.counted || !s.finished {
		return io.EOF
	}
	s.counted = true
	o := append(s.out[:0], s.head[:len(s.head)-len(choice)]...)
	o = appendUsage(append(o, `"choices":[],"usage":`...), &s.usage)
	s.out = append(o, '}')
	*p = llm.Part{Data: s.out}
	return nil
}

// cut says how the stream ended without its message_stop.
func (s *stream) cut(err error, p *llm.Part) error {
	s.ended = true
	switch {
	case err == io.EOF && s.finished: //nolint:errorlint // a source returns io.EOF bare
		return s.end(p)
	case err == io.EOF && s.r.Rest == nil: //nolint:errorlint // likewise
		return io.EOF // nothing came at all
	case err == io.EOF: //nolint:errorlint // likewise
		err = io.ErrUnexpectedEOF
	}
	return s.e.broken(err)
}

// take makes a chunk of the event. It returns false if there is nothing to show.
func (s *stream) take() (shown bool, err error) {
	if !anthropic.ScanEvent(s.event.Data, &s.ev) {
		return false, s.e.notEvent()
	}
	switch s.ev.Kind {
	case anthropic.BlockDelta:
		return s.delta()
	case anthropic.BlockStart:
		return s.start()
	case anthropic.BlockStop:
		return s.stop(), nil
	case anthropic.MessageStart:
		return s.begin()
	case anthropic.MessageDelta:
		return s.message()
	case anthropic.MessageStop:
		s.ended = true
	case anthropic.Failure:
		return false, s.e.classify(200, s.event.Data, s.header)
	}
	return false, nil
}

// choice is how the choices of a chunk begin.
const choice = `"choices":[{"index":0,"delta":`

// begin prepares how chunks begin, and makes the first one.
func (s *stream) begin() (bool, error) {
	var m anthropic.Message
	if s.ev.Value == nil || !anthropic.ScanMessage(s.ev.Value, &m) || len(s.head) > 0 {
		return false, s.e.unreadable(errOrder)
	}
	h := appendText(append(s.head[:0], `{"id":`...), m.ID)
	h = append(h, `,"object":"chat.completion.chunk","created":`...)
	h = strconv.AppendInt(h, s.p.s.Now().Unix(), 10)
	h = s.e.appendModel(append(h, `,"model":`...), s.x, m.Model)
	s.head = append(h, `,`+choice...)
	s.usage = m.Usage
	s.count()
	s.open(`{"role":"assistant","content":""`)
	return s.close(), nil
}

// count takes over the usage. What is raw in it is copied, as it is needed after the event.
func (s *stream) count() {
	u := &s.usage
	u.Creation, u.ServerTools, u.Tier = bytes.Clone(u.Creation), bytes.Clone(u.ServerTools), bytes.Clone(u.Tier)
	s.r.Usage = u.Tokens()
}

func (s *stream) open(delta string) { s.out = append(append(s.out[:0], s.head...), delta...) }
func (s *stream) raw(b []byte)      { s.out = append(s.out, b...) }
func (s *stream) put(t string)      { s.out = append(s.out, t...) }

// close ends a chunk after the members of its delta.
func (s *stream) close() bool {
	s.put(`},"finish_reason":null}]}`)
	return true
}

type orderError string

func (e orderError) Error() string { return string(e) }

const errOrder = orderError("its events are out of order")

// start begins a content block.
func (s *stream) start() (bool, error) {
	if s.ev.Value == nil || len(s.head) == 0 {
		return false, s.e.unreadable(errOrder)
	}
	var b anthropic.Block
	anthropic.ScanBlock(s.ev.Value, &b)
	apart := s.x.Dialect == llm.DialectMessages && b.Kind == anthropic.TextBlock && s.block.kind == anthropic.TextBlock
	s.block = block{apart: apart, open: true, kind: b.Kind, index: s.ev.Index, raw: s.block.raw[:0], partial: s.block.partial[:0]}
	switch b.Kind {
	case anthropic.TextBlock:
		if len(b.Text) > 2 {
			return s.piece(b.Text), nil
		}
	case anthropic.Thinking:
		if len(b.Text) > 2 {
			return s.thought(b.Text), nil
		}
	case anthropic.RedactedThinking:
		s.open(`{"thinking_blocks":[`)
		s.raw(b.Raw)
		s.put("]")
		return s.close(), nil
	case anthropic.ToolUse:
		return s.call(&b), nil
	case anthropic.OtherBlock:
		s.block.raw, s.block.input = append(s.block.raw, b.Raw...), b.Input
	}
	return false, nil
}

// call begins the call of a tool.
func (s *stream) call(b *anthropic.Block) bool {
	if string(b.Name) == `"`+jsonTool+`"` && s.e.wantsJSON(s.x) {
		s.block.json = true
		return false
	}
	s.block.call = s.calls
	s.calls++
	s.open(`{"tool_calls":[{"index":`)
	s.out = strconv.AppendInt(s.out, int64(s.block.call), 10)
	s.put(`,"id":`)
	s.out = appendText(s.out, b.ID)
	s.put(`,"type":"function","function":{"name":`)
	s.out = appendText(s.out, b.Name)
	s.put(`,"arguments":`)
	if input := b.InputValue(); input != nil && string(input) != "{}" {
		s.out = llm.AppendQuoted(s.out, borrowed(input))
		s.block.begun = true
	} else {
		s.put(`""`)
	}
	s.put("}}]")
	return s.close()
}

// arguments makes a chunk with a piece of the arguments of a call.
func (s *stream) arguments(piece []byte) bool {
	s.open(`{"tool_calls":[{"index":`)
	s.out = strconv.AppendInt(s.out, int64(s.block.call), 10)
	s.put(`,"function":{"arguments":`)
	s.raw(piece)
	s.put("}}]")
	return s.close()
}

// piece makes a chunk with a piece of the text.
func (s *stream) piece(text []byte) bool {
	if s.block.apart {
		s.block.apart = false
		s.open(`{"provider_specific_fields":{"new_block":true},"content":`)
	} else {
		s.open(`{"content":`)
	}
	s.raw(text)
	return s.close()
}

// thought makes a chunk with a piece of what the model thinks, as a text and as a block, as the reference does
// (litellm/llms/anthropic/chat/handler.py).
func (s *stream) thought(text []byte) bool {
	s.open(`{"reasoning_content":`)
	s.raw(text)
	s.put(`,"thinking_blocks":[{"type":"thinking","thinking":`)
	s.raw(text)
	s.put(`,"signature":""}]`)
	return s.close()
}

// delta goes on with the content block.
func (s *stream) delta() (bool, error) {
	if !s.block.open || s.ev.Index != s.block.index || len(s.ev.Value) == 0 {
		return false, s.e.unreadable(errOrder)
	}
	text := s.ev.Text
	if text == nil && s.ev.Delta != anthropic.OtherDelta {
		return false, s.e.unreadable(orderError("a delta lacks its text"))
	}
	switch s.ev.Delta {
	case anthropic.TextDelta:
		return s.piece(text), nil
	case anthropic.ThinkingDelta:
		return s.thought(text), nil
	case anthropic.SignatureDelta:
		s.open(`{"thinking_blocks":[{"type":"thinking","thinking":"","signature":`)
		s.raw(text)
		s.put("}]")
		return s.close(), nil
	case anthropic.CitationsDelta:
		if s.block.apart {
			s.block.apart = false
			s.open(`{"provider_specific_fields":{"new_block":true,"citation":`)
		} else {
			s.open(`{"provider_specific_fields":{"citation":`)
		}
		s.raw(text)
		s.put("}")
		return s.close(), nil
	case anthropic.InputDelta:
		return s.input(text), nil
	}
	s.open(`{"provider_specific_fields":{"delta":`)
	s.raw(s.ev.Value)
	s.put("}")
	return s.close(), nil
}

// input takes a piece of a tool's input.
func (s *stream) input(text []byte) bool {
	if blank(text) {
		return false
	}
	s.block.begun = true
	switch {
	case s.block.json:
		return s.piece(text)
	case s.block.kind == anthropic.ToolUse:
		return s.arguments(text)
	}
	s.block.partial, _ = llm.AppendUnescaped(s.block.partial, text[1:len(text)-1])
	return false
}

// stop ends the content block. A call without a piece of input gets an empty object, so that its arguments are JSON.
func (s *stream) stop() bool {
	b := &s.block
	if !b.open || s.ev.Index != b.index {
		return false
	}
	b.open = false
	switch {
	case b.json && !b.begun:
		return s.piece(borrow(`"{}"`))
	case b.kind == anthropic.ToolUse && !b.begun:
		return s.arguments(borrow(`"{}"`))
	case b.kind == anthropic.OtherBlock:
		return s.other()
	}
	return false
}

// other makes a chunk with a block that has no counterpart, such as a search that the API made itself.
func (s *stream) other() bool {
	b := &s.block
	s.open(`{"provider_specific_fields":{"blocks":[`)
	if b.input.End > 0 && json.Valid(b.partial) {
		s.raw(b.raw[:b.input.Start])
		s.raw(b.partial)
		s.raw(b.raw[b.input.End:])
	} else {
		s.raw(b.raw)
	}
	s.put("]}")
	return s.close()
}

// message takes the end of the message: why it stopped, and the usage so far.
func (s *stream) message() (bool, error) {
	if len(s.head) == 0 {
		return false, s.e.unreadable(errOrder)
	}
	if s.ev.Usage != nil {
		s.usage.Scan(s.ev.Usage)
		s.count()
	}
	if s.ev.StopReason == nil || s.finished {
		return false, nil
	}
	s.finished = true
	finish := anthropic.Finish(s.ev.StopReason)
	if finish == "tool_calls" && s.calls == 0 {
		finish = "stop" // the tool was a way to get JSON
	}
	s.r.Finish = finish
	const specific = `{"provider_specific_fields":{`
	s.open(specific)
	start := len(s.out)
	s.out = appendStop(s.out, start, s.ev.StopReason, s.ev.StopSequence, s.ev.StopDetails)
	if len(s.out) > start {
		s.put("}")
	} else {
		s.out = s.out[:start-len(specific)+1]
	}
	s.put(`},"finish_reason":`)
	s.out = appendFinish(s.out, finish)
	s.put("}]}")
	return true, nil
}

// Close implements llm.Stream.
func (s *stream) Close() error {
	err := s.body.Close()
	s.events.Reset(nil)
	*s = stream{
		p: s.p, events: s.events, out: kept(s.out), head: kept(s.head),
		block: block{raw: kept(s.block.raw), partial: kept(s.block.partial)},
	}
	s.p.streams.Put(s)
	return err
}

// kept is a buffer for the next stream.
func kept(b []byte) []byte {
	if cap(b) > keepBuffer {
		return nil
	}
	return b[:0]
}
