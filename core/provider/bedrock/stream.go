package bedrock

import (
	"encoding/base64"
	"errors"
	"io"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/upstream/eventstream"
	"github.com/sallyport-ai/sallyport/core/upstream/sse"
)

// failed stands before the name of an event that is an exception or an error.
const failed = "!"

// frames reads Amazon's event streams. An event's name is that of the message.
type frames struct {
	r      eventstream.Reader
	ev     eventstream.Event
	name   []byte
	inner  bool // the events of the model are inside those of the service, in base64
	data   []byte
	excuse []byte
}

func newFrames(inner bool) func(limit int) provider.FrameReader {
	return func(limit int) provider.FrameReader {
		f := &frames{inner: inner}
		f.r.Limit = limit
		return f
	}
}

func converseFrames() provider.Frames {
	return provider.Frames{Types: []string{eventstream.ContentType}, New: newFrames(false)}
}

// Reset implements provider.FrameReader.
func (f *frames) Reset(src io.Reader) {
	f.r.Reset(src)
	f.ev = eventstream.Event{}
	if cap(f.data) > 64<<10 {
		f.data = nil
	}
}

// More implements provider.FrameReader.
func (f *frames) More() bool { return f.r.More() }

// Next implements provider.FrameReader.
func (f *frames) Next(e *provider.Event) error {
	err := f.r.Next(&f.ev)
	switch {
	case errors.Is(err, eventstream.ErrTooLong):
		return sse.ErrTooLong
	case errors.Is(err, eventstream.ErrChecksum), errors.Is(err, eventstream.ErrMalformed):
		return damaged("does not match its checksums", err)
	}
	if err != nil {
		return err
	}
	e.Name, e.Data = f.ev.Type, f.ev.Payload
	switch {
	case f.ev.Kind != eventstream.KindEvent:
		f.name = append(append(f.name[:0], failed...), f.ev.Type...)
		e.Name = f.name
		if len(f.ev.Payload) == 0 {
			b := dialect.Build(f.excuse[:0])
			b.Open('{').Key("message").QuoteBytes(f.ev.Message).Close('}')
			f.excuse = b.Bytes()
			e.Data = f.excuse
		}
	case f.inner && string(f.ev.Type) == "chunk":
		return f.unwrap(e)
	}
	return nil
}

func damaged(problem string, err error) error {
	return &llm.Error{Op: "bedrock.Decode", Kind: llm.KindBadGateway, Provider: Name, Message: "The stream of bedrock " + problem + ".", Err: err}
}

// unwrap takes the model's event out of the service's
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_PayloadPart.html).
func (f *frames) unwrap(e *provider.Event) error {
	v := dialect.Get(f.ev.Payload, "bytes")
	if len(v) < 2 || v[0] != '"' {
		return damaged("holds a chunk without bytes", nil)
	}
	v = v[1 : len(v)-1]
	if n := base64.StdEncoding.DecodedLen(len(v)); cap(f.data) < n {
		f.data = make([]byte, n)
	}
	n, err := base64.StdEncoding.Decode(f.data[:cap(f.data)], v)
	if err != nil {
		return damaged("holds a chunk that is not base64", err)
	}
	e.Data = f.data[:n]
	return nil
}

// reader reads the events of one stream of ConverseStream
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html).
type reader struct {
	t      *provider.Turn
	blocks map[int64]*block
	calls  int
	json   bool // the answer comes as the input of the JSON tool
}

// block is a content block under way that calls a tool.
type block struct {
	call  int
	json  bool
	begun bool // a piece of the input has come
}

func events(t *provider.Turn) func(*provider.Event, *openai.Said) error {
	r := &reader{t: t}
	return r.event
}

func (r *reader) event(e *provider.Event, s *openai.Said) error {
	name := string(e.Name)
	if kind, ok := strings.CutPrefix(name, failed); ok {
		return r.t.Fail(statusOf(kind), e.Data)
	}
	switch name {
	case "contentBlockDelta":
		r.delta(index(e.Data), dialect.Get(e.Data, "delta"), s)
	case "contentBlockStart":
		r.start(index(e.Data), dialect.Get(e.Data, "start"), s)
	case "contentBlockStop":
		r.stop(index(e.Data), s)
	case "messageStop":
		s.Finish = finish(dialect.Get(e.Data, "stopReason"))
		if s.Finish == "" {
			s.Finish = "stop"
		}
		if s.Finish == "tool_calls" && r.json && r.calls == 0 {
			s.Finish = "stop" // the tool was a way to get JSON
		}
		extra(s, "additionalModelResponseFields", dialect.Get(e.Data, "additionalModelResponseFields"))
	case "metadata":
		s.Usage = usage(dialect.Get(e.Data, "usage"))
		s.Usage.Tier = tier(dialect.Get(e.Data, "serviceTier"))
		r.t.Ended = true
	}
	return nil
}

func index(data []byte) int64 { return dialect.Int(dialect.Get(data, "contentBlockIndex")) }

// maxBlocks is how many content blocks of an answer may call a tool.
const maxBlocks = 4096

// start begins a content block. Only those that call a tool are announced.
func (r *reader) start(i int64, start []byte, s *openai.Said) {
	use := dialect.Get(start, "toolUse")
	if use == nil || len(r.blocks) == maxBlocks {
		return
	}
	if r.blocks == nil {
		r.blocks = map[int64]*block{}
	}
	b := &block{call: r.calls}
	r.blocks[i] = b
	name := r.t.Text(dialect.Get(use, "name"))
	if name == jsonTool && wantsJSON(r.t) {
		b.json, r.json = true, true
		return
	}
	r.calls++
	s.Calls = append(s.Calls, openai.SaidCall{Index: b.call, ID: r.t.Text(dialect.Get(use, "toolUseId")), Name: name})
}

func (r *reader) delta(i int64, delta []byte, s *openai.Said) {
	for c := dialect.Object(delta); c.Next(); {
		v := c.Value()
		switch string(c.Key()) {
		case "text":
			s.Text = r.t.Text(v)
		case "toolUse":
			r.input(i, r.t.Text(dialect.Get(v, "input")), s)
		case "reasoningContent":
			r.thought(v, s)
		case "citation":
			s.Specific = append(append([]byte(`{"citation":`), v...), '}')
		case "image":
			s.Images = picture(r.t, s.Images, v)
		}
	}
}

// input takes a piece of a tool's input.
func (r *reader) input(i int64, piece string, s *openai.Said) {
	b := r.blocks[i]
	if b == nil || piece == "" {
		return
	}
	b.begun = true
	if b.json {
		s.Text = piece
		return
	}
	s.Calls = append(s.Calls, openai.SaidCall{Index: b.call, Arguments: piece})
}

// thought takes a piece of what the model thinks, as a text and as a block, as the reference does
// (litellm/llms/bedrock/chat/invoke_handler.py, AWSEventStreamDecoder).
func (r *reader) thought(v []byte, s *openai.Said) {
	for c := dialect.Object(v); c.Next(); {
		switch string(c.Key()) {
		case "text":
			s.Reasoning = r.t.Text(c.Value())
			s.Thinking = thinking(s.Thinking, c.Value(), nil)
		case "signature":
			s.Thinking = thinking(s.Thinking, nil, c.Value())
		case "redactedContent":
			s.Thinking = redacted(s.Thinking, c.Value())
		}
	}
}

// stop ends a content block. A call without a piece of input gets an empty object, so that its arguments are JSON.
func (r *reader) stop(i int64, s *openai.Said) {
	b := r.blocks[i]
	if b == nil || b.begun {
		return
	}
	b.begun = true
	if b.json {
		s.Text = "{}"
		return
	}
	s.Calls = append(s.Calls, openai.SaidCall{Index: b.call, Arguments: "{}"})
}
