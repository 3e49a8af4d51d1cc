package bridge

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// reader reads the events of one stream (https://platform.openai.com/docs/api-reference/responses-streaming).
type reader struct {
	t     *provider.Turn
	calls map[int64]int // by output_index: which call it is
	told  map[int64]bool
}

func events(t *provider.Turn) func(*provider.Event, *openai.Said) error {
	r := &reader{t: t, calls: map[int64]int{}, told: map[int64]bool{}}
	return r.event
}

func (r *reader) event(e *provider.Event, s *openai.Said) error {
	if string(e.Data) == "[DONE]" {
		r.t.Ended = true
		return nil
	}
	if len(e.Data) == 0 || e.Data[0] != '{' {
		return r.t.Garbled("holds an event that is not a JSON object")
	}
	kind := r.t.Text(dialect.Get(e.Data, "type"))
	at := dialect.Int(dialect.Get(e.Data, "output_index"))
	text := r.t.Text(dialect.Get(e.Data, "delta"))
	switch kind {
	case "response.output_text.delta":
		s.Text = text
		probabilities(s, dialect.Get(e.Data, "logprobs"))
	case "response.refusal.delta":
		s.Refusal = text
	case "response.reasoning_summary_part.added":
		if dialect.Int(dialect.Get(e.Data, "summary_index")) > 0 {
			think(s, "\n\n")
		}
	case "response.reasoning_summary_text.delta", "response.reasoning_text.delta":
		think(s, text)
	case "response.output_text.annotation.added":
		s.Annotations = source(s.Annotations, dialect.Get(e.Data, "annotation"))
	case "response.output_item.added":
		r.added(at, dialect.Get(e.Data, "item"), s)
	case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
		if n, ok := r.calls[at]; ok && text != "" {
			r.told[at] = true
			s.Calls = append(s.Calls, openai.SaidCall{Index: n, Arguments: text, Free: strings.HasPrefix(kind, "response.custom")})
		}
	case "response.output_item.done":
		r.done(at, dialect.Get(e.Data, "item"), s)
	case "response.completed", "response.incomplete", "response.failed":
		return r.end(dialect.Get(e.Data, "response"), s)
	case "error":
		return r.t.Fail(200, failure(e.Data))
	case "":
		if !dialect.Null(dialect.Get(e.Data, "error")) {
			return r.t.Fail(200, e.Data)
		}
		if c := dialect.Object(e.Data); !c.Next() && c.Broken() {
			return r.t.Garbled("holds an event that is not a JSON object")
		}
	}
	return nil
}

// failure is the event error in the form of other errors.
func failure(event []byte) []byte {
	if inner := dialect.Get(event, "error"); !dialect.Null(inner) {
		return event
	}
	b := dialect.Build(nil)
	b.Open('{').Key("error").Raw(event).Close('}')
	return b.Bytes()
}

func think(s *openai.Said, text string) {
	if text == "" {
		return
	}
	s.Reasoning = text
	s.Thinking = block(s.Thinking, text, "")
}

// added begins a call.
func (r *reader) added(at int64, raw []byte, s *openai.Said) {
	kind := string(dialect.Get(raw, "type"))
	if kind != `"function_call"` && kind != `"custom_tool_call"` || len(r.calls) >= maxCalls {
		return
	}
	n, again := r.calls[at]
	if !again {
		n = len(r.calls)
		r.calls[at] = n
	}
	s.Calls = append(s.Calls, openai.SaidCall{
		Index: n, ID: r.t.Text(dialect.Get(raw, "call_id")), Name: r.t.Text(dialect.Get(raw, "name")),
		Free: kind == `"custom_tool_call"`,
	})
}

// maxCalls is how many calls a stream may have.
const maxCalls = 4096

// done ends an item: a thought gets its signature, an image comes as a whole, and arguments that came without pieces.
func (r *reader) done(at int64, raw []byte, s *openai.Said) {
	switch kind := string(dialect.Get(raw, "type")); kind {
	case `"reasoning"`:
		s.Thinking = block(s.Thinking, "", signature(r.t, raw))
	case `"image_generation_call"`:
		s.Images = picture(r.t, s.Images, raw)
	case `"function_call"`, `"custom_tool_call"`:
		if _, ok := r.calls[at]; !ok {
			r.added(at, raw, s)
		}
		n, ok := r.calls[at]
		if !ok || r.told[at] {
			return
		}
		r.told[at] = true
		key := "arguments"
		if kind == `"custom_tool_call"` {
			key = "input"
		}
		if arguments := r.t.Text(dialect.Get(raw, key)); arguments != "" {
			s.Calls = append(s.Calls, openai.SaidCall{Index: n, Arguments: arguments, Free: key == "input"})
		}
	}
}

func (r *reader) end(response []byte, s *openai.Said) error {
	if string(dialect.Get(response, "status")) == `"failed"` && dialect.Null(dialect.Get(response, "error")) {
		return r.t.Fail(200, []byte(`{"error":{"message":"The response failed.","type":"server_error"}}`))
	}
	r.t.Ended = true
	return ended(r.t, response, s)
}
