package anthropic

import (
	"io"
	"slices"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect/anthropic"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/upstream/sse"
)

var _ provider.Speaker = (*endpoint)(nil)

// CountTokens is the Call of an exchange in the dialect of the Messages API that asks how many tokens the request has
// (https://platform.claude.com/docs/en/api/messages/count_tokens). The reply is the API's answer.
const CountTokens = provider.CountTokens

// counts reports whether the exchange asks for a count.
func counts(x *llm.Exchange) bool { return x.Call == CountTokens }

// Speaks implements provider.Speaker: a request for the Messages API goes out as it came, unless the deployment sets a
// parameter in OpenAI's words, which only a translation can heed.
func (e *endpoint) Speaks(d llm.Dialect) bool {
	if d != llm.DialectMessages {
		return false
	}
	for i := range e.d.Defaults {
		switch name := e.d.Defaults[i].Name; name {
		case "reasoning_effort", "response_format", "max_completion_tokens", "parallel_tool_calls", "web_search_options", "stop",
			"user", "tools", "tool_choice", "functions", "function_call":
			return false
		default:
			if unsupported(borrow(name), borrow(e.d.Defaults[i].Value)) {
				return false
			}
		}
	}
	return true
}

// encodeNative writes the caller's own request. Its bytes stay as they are but for the model, the members that are for
// the gateway, and those that the deployment sets, adds or leaves out.
func (e *endpoint) encodeNative(x *llm.Exchange, c *llm.Call) error {
	o := &x.Native
	s := splice{dst: c.Body, raw: o.Raw()}
	list := o.Members()
	for i := range list {
		key := o.Key(list[i])
		switch set := e.forced(key); {
		case set != "" && counts(x):
		case string(key) == "model" && e.p.s.Cloud != nil && !counts(x):
			s.leave(list, i)
		case string(key) == "model":
			s.keep(list[i], e.model)
		case string(key) != "metadata" && openai.Control(key), slices.Contains(e.d.AdditionalDrop, borrowed(key)),
			provider.Lists(x.Controls.AdditionalDrop, borrowed(key)):
			s.leave(list, i)
		case set != "":
			s.keep(list[i], borrow(set))
		default:
			s.keep(list[i], nil)
		}
	}
	s.end = 1
	if len(list) > 0 {
		s.end = list[len(list)-1].Value.End
	} else {
		for s.raw[s.end-1] != '{' {
			s.end++
		}
	}
	if o.Index("model") < 0 && (e.p.s.Cloud == nil || counts(x)) {
		s.add("model", e.model)
	}
	s.versioned(o, e.p.s.Cloud)
	if counts(x) {
		s.to(len(s.raw))
		c.Path, c.Body = e.countPath, s.dst
		return e.nativeHeaders(x, c)
	}
	for _, more := range [...][]llm.Pair{e.d.ExtraBody, e.d.Defaults} {
		for i := range more {
			if name := more[i].Name; o.Index(name) < 0 && !slices.Contains(e.d.AdditionalDrop, name) {
				s.add(name, borrow(more[i].Value))
			}
		}
	}
	s.to(len(s.raw))
	c.Body = s.dst
	return e.nativeHeaders(x, c)
}

// forced is the value that the deployment's extra_body gives a member.
func (e *endpoint) forced(key []byte) string {
	for i := range e.d.ExtraBody {
		if e.d.ExtraBody[i].Name == string(key) {
			return e.d.ExtraBody[i].Value
		}
	}
	return ""
}

// splice writes an object with some values replaced and members left out, in pieces that borrow from it.
type splice struct {
	dst     [][]byte
	raw     []byte
	pos     int // up to here raw was written or left out
	end     int // the end of the last member
	members int // written so far
}

// to writes raw up to the place.
func (s *splice) to(at int) {
	if at > s.pos {
		s.dst = append(s.dst, s.raw[s.pos:at])
		s.pos = at
	}
}

// keep writes a member, with another value unless it is nil.
func (s *splice) keep(m llm.Member, value []byte) {
	s.members++
	if value == nil {
		return
	}
	s.to(m.Value.Start)
	s.dst = append(s.dst, value)
	s.pos = m.Value.End
}

// leave leaves a member out, with the comma in front of it, or behind it if no member was written before.
func (s *splice) leave(list []llm.Member, i int) {
	if s.members > 0 {
		s.to(list[i-1].Value.End)
		s.pos = list[i].Value.End
		return
	}
	s.to(list[0].Key.Start - 1)
	s.pos = list[i].Value.End
	if i+1 < len(list) {
		s.pos = list[i+1].Key.Start - 1
	}
}

// add writes a member behind the last one.
func (s *splice) add(name string, value []byte) {
	s.to(s.end)
	key := make([]byte, 0, len(name)+4)
	if s.members > 0 {
		key = append(key, ',')
	}
	s.members++
	s.dst = append(s.dst, append(llm.AppendQuoted(key, name), ':'), value)
}

// callerHeaders adds the beta features that the caller turns on, besides those of the deployment.
func (e *endpoint) callerHeaders(x *llm.Exchange, c *llm.Call) error {
	for i := range x.Header {
		if f := &x.Header[i]; llm.EqualFold(f.Name, "anthropic-beta") && len(f.Value) > 0 {
			if problem := provider.BadHeader(f.Name, f.Value); problem != "" {
				return badHeader(f.Name, problem)
			}
			c.Header = append(c.Header, *f)
		}
	}
	return nil
}

// nativeHeaders adds what the caller says about the API besides: features, and the version that the request is in.
func (e *endpoint) nativeHeaders(x *llm.Exchange, c *llm.Call) error {
	if err := e.callerHeaders(x, c); err != nil {
		return err
	}
	const name = "anthropic-version"
	v := x.Header.Get(name)
	if len(v) == 0 || string(v) == version || e.unversioned == nil {
		return nil
	}
	if problem := provider.BadHeader(borrow(name), v); problem != "" {
		return badHeader(borrow(name), problem)
	}
	c.Head = e.unversioned
	c.Header = append(c.Header, llm.Field{Name: borrow(name), Value: v})
	return nil
}

func badHeader(name []byte, problem string) error {
	return refusal(string(name), "The header "+strconv.Quote(string(name))+" "+problem+".")
}

// decodeNative reads an answer that goes out as it came. A vendor that answers whole although a stream was asked for is
// left to decodeWhole, from whose chunks the listener makes a stream.
func (e *endpoint) decodeNative(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	switch {
	case counts(x):
		w := e.p.wholes.Get().(*whole)
		w.body = a.Body
		if err := w.read(a.Size, maxRefusal); err != nil {
			w.Close()
			return e.broken(err)
		}
		r.Dialect, r.First, r.Rest = llm.DialectMessages, llm.Part{Data: w.in}, w
		return nil
	case a.Streamed && x.Streamed:
		return e.decodeEvents(a, r)
	case x.Streamed:
		return e.decodeWhole(x, a, r)
	}
	w := e.p.wholes.Get().(*whole)
	w.body = a.Body
	var m anthropic.Message
	if err := e.readWhole(w, a, &m); err != nil {
		w.Close()
		return err
	}
	r.Dialect, r.Usage, r.Finish = llm.DialectMessages, m.Usage.Tokens(), anthropic.Finish(m.StopReason)
	r.First, r.Rest = llm.Part{Data: w.in}, w
	return nil
}

// decodeEvents reads the first event, so that a vendor which fails at once is an ordinary error.
func (e *endpoint) decodeEvents(a *llm.Answer, r *llm.Reply) error {
	s := e.p.natives.Get().(*relay)
	s.e, s.r, s.header = e, r, a.Header
	s.body = limited{ReadCloser: a.Body, left: e.p.s.MaxResponse + 1}
	s.events.Limit = int(min(e.p.s.MaxResponse, defaultMaxResponse))
	s.events.Reset(&s.body)
	err := s.Next(&r.First)
	if err == nil {
		r.Dialect, r.Streamed, r.Rest = llm.DialectMessages, true, s
		return nil
	}
	if err == io.EOF { //nolint:errorlint // Next returns io.EOF bare
		err = e.garbled("The stream of " + Name + " ended before it began.")
	}
	s.Close()
	return err
}

// relay is a stream that goes out event by event as it came. What tells its usage and its end is read, and nothing
// else. It belongs to the reply that it is the rest of until Close.
type relay struct {
	p      *Provider
	e      *endpoint
	r      *llm.Reply
	body   limited
	header llm.Header
	events sse.Reader
	event  sse.Event
	ev     anthropic.Event
	usage  anthropic.Usage

	finished bool // the model has told why it stopped
	ended    bool // nothing follows
}

// Next implements llm.Stream. The end is what follows message_stop.
func (s *relay) Next(p *llm.Part) error {
	if s.ended {
		return io.EOF
	}
	err := s.events.Next(&s.event)
	if err == io.ErrUnexpectedEOF && anthropic.ScanEvent(s.event.Data, &s.ev) { //nolint:errorlint // Next returns it bare
		s.ended = true // the blank line after the last event is missing, and the event whole in itself
	} else if err != nil {
		return s.cut(err)
	}
	if err := s.take(); err != nil {
		s.ended = true
		return err
	}
	*p = llm.Part{Event: s.event.Name, Data: s.event.Data, More: s.events.More()}
	return nil
}

// cut says how the stream ended without its message_stop.
func (s *relay) cut(err error) error {
	s.ended = true
	switch {
	case err == io.EOF && (s.finished || s.r.Rest == nil): //nolint:errorlint // a source returns io.EOF bare
		return io.EOF
	case err == io.EOF: //nolint:errorlint // likewise
		err = io.ErrUnexpectedEOF
	}
	return s.e.broken(err)
}

// take reads what matters of an event. By far the most are deltas, whose name says that there is nothing to read.
func (s *relay) take() error {
	switch string(s.event.Name) {
	case "content_block_delta", "content_block_start", "content_block_stop", "ping":
		return nil
	}
	if !anthropic.ScanEvent(s.event.Data, &s.ev) {
		return s.e.notEvent()
	}
	switch s.ev.Kind {
	case anthropic.MessageStart:
		var m anthropic.Message
		if s.ev.Value != nil && anthropic.ScanMessage(s.ev.Value, &m) {
			s.usage = m.Usage
			s.count()
		}
	case anthropic.MessageDelta:
		if s.ev.Usage != nil {
			s.usage.Scan(s.ev.Usage)
			s.count()
		}
		if s.ev.StopReason != nil {
			s.finished = true
			s.r.Finish = anthropic.Finish(s.ev.StopReason)
		}
	case anthropic.MessageStop:
		s.ended = true
	case anthropic.Failure:
		return s.e.classify(200, s.event.Data, s.header)
	}
	return nil
}

// count takes over the usage. Nothing raw in it outlives the event.
func (s *relay) count() {
	s.r.Usage = s.usage.Tokens()
	s.usage.Creation, s.usage.ServerTools, s.usage.Tier = nil, nil, nil
}

// Close implements llm.Stream.
func (s *relay) Close() error {
	err := s.body.Close()
	s.events.Reset(nil)
	*s = relay{p: s.p, events: s.events}
	s.p.natives.Put(s)
	return err
}
