package openai

import (
	"io"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/dialect/responses"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/upstream/sse"
)

var _ provider.Speaker = (*endpoint)(nil)

// Speaks implements provider.Speaker: a request for the Responses API goes to vendors that have it as it came
// (https://platform.openai.com/docs/api-reference/responses).
func (e *endpoint) Speaks(d llm.Dialect) bool {
	return d == llm.DialectResponses && e.answers && !e.p.s.Answers.Stateless
}

// hasResponses reports whether requests for the Responses API can go to the model as they came: the vendor has it, or the
// operator says so in model_info.supported_endpoints (https://docs.litellm.ai/docs/response_api_native_passthrough).
func (e *endpoint) hasResponses() bool {
	if e.place.NoResponses || e.place.Path != nil && e.place.Path(llm.OpResource) == "" || !e.p.s.Responses && !e.declared() {
		return false
	}
	models := e.p.s.Answers.Models
	if models != nil && !e.declared() && !slices.ContainsFunc(models, func(part string) bool { return strings.Contains(e.d.Model, part) }) {
		return false
	}
	return !slices.ContainsFunc(e.defaults, func(m member) bool { return !ofBoth(m.name) })
}

// declared reports whether the operator says that the server has the Responses API.
func (e *endpoint) declared() bool {
	list, _ := e.d.Info["supported_endpoints"].([]any)
	return slices.Contains(list, any("/v1/responses"))
}

// Takes implements provider.Picky: a vendor that keeps no responses gets those requests that ask for nothing to be kept and
// build on nothing that was, as they came. What such vendors do not know of the API is named in
// https://console.groq.com/docs/responses-api.
func (e *endpoint) Takes(x *llm.Exchange) bool {
	if x.Dialect != llm.DialectResponses || !e.answers || string(x.Native.Get("store")) != "false" {
		return false
	}
	for _, name := range [...]string{
		"previous_response_id", "conversation", "background", "prompt", "include", "prompt_cache_key", "safety_identifier",
	} {
		if v := x.Native.Get(name); !dialect.Null(v) && string(v) != "false" && string(v) != "[]" {
			return false
		}
	}
	cut := x.Native.Get("truncation")
	return dialect.Null(cut) || string(cut) == `"disabled"`
}

// ofBoth reports whether a parameter that a deployment sets in the words of chat completions can be set in a request for
// a response. What cannot makes requests go as chat completions.
func ofBoth(name string) bool {
	switch name {
	case "temperature", "top_p", "max_tokens", "max_completion_tokens", "user", "metadata", "service_tier", "store",
		"parallel_tool_calls", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "top_logprobs",
		"reasoning", "text", "truncation", "include", "instructions", "max_output_tokens", "max_tool_calls", "background":
		return true
	}
	return false
}

// encodeNative writes the caller's own request for a response. Its bytes stay as they are but for the model, the id of
// the response before, the members that are for the gateway, and those that the deployment sets, adds or leaves out.
func (e *endpoint) encodeNative(x *llm.Exchange, c *llm.Call) error {
	path := append(make([]byte, 0, len(e.root)+len(e.query)+16), e.root...)
	path = append(append(path, e.p.s.Answers.Root...), "/responses"...)
	if e.query != "" {
		path = append(append(path, '?'), e.query...)
	}
	c.Method, c.Path = "POST", path
	p := patch{e: e, x: x, body: &x.Native, raw: x.Native.Raw(), dst: c.Body, hasStream: true, hasUsage: true}
	if err := p.controls(); err != nil {
		return err
	}
	list := p.body.Members()
	for i := range list {
		do, piece := p.native(p.body.Key(list[i]), p.body.Value(list[i]))
		if do == drop {
			p.cut(list, i)
			continue
		}
		p.members++
		if do == replace {
			p.put(list[i].Value, piece)
		}
	}
	p.end = openBrace(p.raw)
	if len(list) > 0 {
		p.end = list[len(list)-1].Value.End
	}
	if !p.hasModel {
		p.member(modelKey(), p.e.model)
	}
	for i := range e.forced {
		if f := &e.forced[i]; p.body.Index(f.name) < 0 {
			p.member(f.key, f.value)
		}
	}
	p.addExtraBody()
	for i := range e.defaults {
		d := e.defaults[i]
		if d.name == "max_tokens" || d.name == "max_completion_tokens" {
			d = newMember(llm.Pair{Name: "max_output_tokens", Value: string(d.value)})
		}
		if !p.given(d.name) {
			p.member(d.key, d.value)
		}
	}
	p.copyTo(len(p.raw))
	c.Body = p.dst
	return nil
}

// native says what happens to a member of a request for a response.
func (p *patch) native(key, value []byte) (action, []byte) {
	switch string(key) {
	case "model":
		p.hasModel = true
		return replace, p.e.model
	case "previous_response_id":
		if s, ok := llm.Text(value); ok {
			return replace, llm.AppendQuoted(nil, responses.Own(string(s)))
		}
		return keep, nil
	case "metadata":
		return keep, nil // it is the vendor's; the gateway's is litellm_metadata
	}
	if openai.Control(key) || p.x.Controls.AdditionalDrop != nil && provider.Lists(p.x.Controls.AdditionalDrop, string(key)) {
		return drop, nil
	}
	if p.extra != nil && !p.forced(key) {
		if set := p.extra.Get(borrowed(key)); set != nil {
			return replace, set
		}
	}
	switch r := p.e.rules[string(key)]; r.do {
	case drop:
		return drop, nil
	case replace:
		return replace, r.value
	}
	return keep, nil
}

// ofResponses reports whether a request for what the vendor stores is for a response, whose id is the gateway's to
// tell. Deleted ones and lists of items are not.
func ofResponses(x *llm.Exchange) bool {
	return x.Call == "aget_responses" || x.Call == "acancel_responses"
}

// decodeResponse reads a response, or the events of one, that goes out as it came but for its id: that is made to lead
// back to the deployment.
func (e *endpoint) decodeResponse(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	r.Dialect = llm.DialectResponses
	if a.Streamed {
		return e.decodeEvents(x, a, r)
	}
	w := e.p.wholes.Get().(*whole)
	w.body = a.Body
	if err := e.fillResponse(w, x, a, r); err != nil {
		w.Close()
		return err
	}
	if x.Streamed && x.Op == llm.OpChat {
		return e.streamResponse(w, r)
	}
	r.First, r.Rest = llm.Part{Data: w.bytes()}, w
	return nil
}

func (e *endpoint) fillResponse(w *whole, x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	if int64(a.Size) > e.p.s.MaxResponse {
		return e.tooLarge()
	}
	if err := w.read(a.Size, e.p.s.MaxResponse); err != nil {
		return e.broken(err)
	}
	var s responses.Scanned
	if !responses.Scan(w.bytes(), &s) {
		return e.garbled("The answer of " + e.p.s.Name + " is not a JSON object.")
	}
	if s.ID.End == 0 {
		if s.Failed != nil {
			return e.classify(a.Status, w.bytes(), a.Header)
		}
		return e.garbled("The answer of " + e.p.s.Name + " is not a response: it has no id.")
	}
	r.Usage, r.Finish = s.Usage, responses.Finish(s.Status)
	w.buf, w.from = e.restamp(make([]byte, 0, len(w.bytes())+512), x, w.bytes(), s.ID), 0
	return nil
}

// restamp appends b with the id of the response made to lead back here.
func (e *endpoint) restamp(dst []byte, x *llm.Exchange, b []byte, at llm.Span) []byte {
	dst = append(append(dst, b[:at.Start]...), '"')
	id := responses.Of(e.d, x.Model, string(b[at.Start+1:at.End-1]))
	if x.Stamp != nil {
		dst = x.Stamp(x, dst, id.Append(nil))
	} else {
		dst = id.Append(dst)
	}
	return append(append(dst, '"'), b[at.End:]...)
}

// streamResponse makes a stream of a response that came whole although a stream was asked for: what a stream ends with
// holds all of it.
func (e *endpoint) streamResponse(w *whole, r *llm.Reply) error {
	data := append([]byte(`{"type":"response.completed","sequence_number":0,"response":`), w.bytes()...)
	r.Streamed, r.Rest = true, w
	r.First = llm.Part{Event: []byte("response.completed"), Data: append(data, '}')}
	return nil
}

// decodeEvents reads the first event, so that a vendor which fails at once is an ordinary error.
func (e *endpoint) decodeEvents(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	s := e.p.relays.Get().(*relay)
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
		err = e.garbled("The stream of " + e.p.s.Name + " ended before it began.")
	}
	s.Close()
	return err
}

// relay is a stream of events that go out as they came, but for the ids of responses. Events that hold no response are
// not read. It belongs to the reply that it is the rest of until Close.
type relay struct {
	p      *Provider
	e      *endpoint
	x      *llm.Exchange
	r      *llm.Reply
	body   limited
	header llm.Header
	events sse.Reader
	event  sse.Event
	found  responses.Scanned
	out    []byte
	ended  bool
}

// Next implements llm.Stream. The end is what follows the event that ends a response.
func (s *relay) Next(p *llm.Part) error {
	if s.ended {
		return io.EOF
	}
	err := s.events.Next(&s.event)
	if err == io.ErrUnexpectedEOF && responses.Scan(s.event.Data, &s.found) { //nolint:errorlint // Next returns it bare
		s.ended = true // the blank line after the last event is missing, and the event whole in itself
	} else if err != nil {
		s.ended = true
		if err == io.EOF && s.r.Rest != nil { //nolint:errorlint // a source returns io.EOF bare
			err = io.ErrUnexpectedEOF
		}
		if err == io.EOF { //nolint:errorlint // likewise
			return err
		}
		return s.e.broken(err)
	}
	if done(s.event.Data) {
		s.ended = true
		return io.EOF
	}
	data, err := s.take()
	if err != nil {
		s.ended = true
		return err
	}
	*p = llm.Part{Event: s.event.Name, Data: data, More: s.events.More()}
	return nil
}

// take reads what matters of an event and returns what goes out.
func (s *relay) take() ([]byte, error) {
	data := s.event.Data
	if name := string(s.event.Name); strings.HasPrefix(name, "response.") && strings.Count(name, ".") > 1 {
		return data, nil // about a part of the response
	}
	if !responses.Scan(data, &s.found) {
		return nil, s.e.garbled("The stream of " + s.e.p.s.Name + " holds an event that is not a JSON object.")
	}
	f := &s.found
	if f.Kind == "error" {
		return nil, s.e.classify(200, data, s.header)
	}
	if f.Usage.Known() {
		s.r.Usage = f.Usage
	}
	s.ended = s.ended || f.Ended
	if f.Ended {
		s.r.Finish = responses.Finish(f.Status)
	}
	if f.ID.End == 0 {
		return data, nil
	}
	s.out = s.e.restamp(s.out[:0], s.x, data, f.ID)
	return s.out, nil
}

// Close implements llm.Stream.
func (s *relay) Close() error {
	err := s.body.Close()
	s.events.Reset(nil)
	out := s.out[:0]
	if cap(out) > keepBuffer {
		out = nil
	}
	*s = relay{p: s.p, events: s.events, out: out}
	s.p.relays.Put(s)
	return err
}
