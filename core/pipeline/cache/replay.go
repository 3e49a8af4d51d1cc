package cache

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// replay writes a response of OpenAI's Responses API as the events of a stream
// (https://platform.openai.com/docs/api-reference/responses-streaming). A text comes in one piece. Of tools that the vendor
// runs itself the item is told when it is added and when it is done; how far they were in between is not known any more,
// and changes nothing of what the stream says.
type replay struct {
	out   []byte
	count int64 // of events so far
	item  int64
	id    []byte // of the item
	bad   bool
}

// appendResponseEvents appends the events. ok is false for a response that has not ended well: nobody streams such a one.
func appendResponseEvents(dst, response []byte) (_ []byte, ok bool) {
	end := endOfResponse(response)
	if end == "" {
		return dst, false
	}
	r := &replay{out: dst}
	start := r.with(response, "status", `"in_progress"`, "output", "[]", "usage", "null", "incomplete_details", "null", "completed_at", "null")
	for _, name := range [...]string{"response.created", "response.in_progress"} {
		r.event(name, func(b *dialect.Builder) { b.Key("response").Raw(start) })
	}
	c := dialect.Array(dialect.Get(response, "output"))
	for ; c.Next(); r.item++ {
		r.one(c.Value())
	}
	r.event(end, func(b *dialect.Builder) { b.Key("response").Raw(response) })
	return r.out, !r.bad && !c.Broken()
}

// endOfResponse is the event that a response ends its stream with, or "" if it has not ended, or failed.
func endOfResponse(response []byte) string {
	switch string(dialect.Get(response, "status")) {
	case `"completed"`:
		return "response.completed"
	case `"incomplete"`:
		return "response.incomplete"
	}
	return ""
}

// with is an object with other values for those of the members that it has.
func (r *replay) with(object []byte, members ...string) []byte {
	for i := 0; i < len(members); i += 2 {
		if dialect.Get(object, members[i]) == nil {
			continue
		}
		var err error
		if object, err = dialect.Set(nil, object, members[i], []byte(members[i+1])); err != nil {
			r.bad = true
			return nil
		}
	}
	return object
}

func (r *replay) event(name string, fill func(*dialect.Builder)) {
	b := dialect.Build(nil)
	b.Open('{').Key("type").Quote(name).Key("sequence_number").Int(r.count)
	fill(&b)
	r.out = appendPart(r.out, []byte(name), b.Close('}').Bytes())
	r.count++
}

// about tells an event of the item.
func (r *replay) about(name string, fill func(*dialect.Builder)) {
	r.event(name, func(b *dialect.Builder) {
		b.Key("item_id").Raw(r.id).Key("output_index").Int(r.item)
		fill(b)
	})
}

// one tells an item: it is added empty, filled, and done.
func (r *replay) one(item []byte) {
	if r.id = dialect.Get(item, "id"); dialect.Null(r.id) {
		r.id = []byte(`""`)
	}
	kind, _ := llm.Text(dialect.Get(item, "type"))
	start := item
	if !dialect.Null(dialect.Get(item, "status")) {
		start = r.with(item, "status", `"in_progress"`)
	}
	text := ""
	switch string(kind) {
	case "message":
		start = r.with(start, "content", "[]")
	case "reasoning":
		start = r.with(start, "summary", "[]", "content", "[]")
	case "function_call", "mcp_call":
		text = "arguments"
	case "custom_tool_call":
		text = "input"
	case "code_interpreter_call":
		text = "code"
	}
	if text != "" && dialect.Get(item, text) != nil {
		start = r.with(start, text, `""`)
	}
	if r.bad {
		return
	}
	told := func(item []byte) func(*dialect.Builder) {
		return func(b *dialect.Builder) { b.Key("output_index").Int(r.item).Key("item").Raw(item) }
	}
	r.event("response.output_item.added", told(start))
	r.summary(dialect.Get(item, "summary"))
	r.content(dialect.Get(item, "content"))
	if v := dialect.Get(item, text); text != "" && !dialect.Null(v) {
		r.text("response."+string(kind)+textEvents(string(kind)), text, v)
	}
	r.event("response.output_item.done", told(item))
}

// textEvents is what the names of the events go on with that tell the text of a call.
func textEvents(kind string) string {
	switch kind {
	case "code_interpreter_call":
		return "_code"
	case "custom_tool_call":
		return "_input"
	}
	return "_arguments"
}

// text tells a text of the item in one piece.
func (r *replay) text(name, key string, v []byte) {
	r.about(name+".delta", func(b *dialect.Builder) { b.Key("delta").Raw(v) })
	r.about(name+".done", func(b *dialect.Builder) { b.Key(key).Raw(v) })
}

// summary tells what a model says about its thoughts.
func (r *replay) summary(list []byte) {
	if dialect.Null(list) {
		return
	}
	n := int64(0)
	for c := dialect.Array(list); c.Next(); n++ {
		text := dialect.Get(c.Value(), "text")
		if text == nil {
			continue
		}
		at := func(b *dialect.Builder) *dialect.Builder { return b.Key("summary_index").Int(n) }
		empty := r.with(c.Value(), "text", `""`)
		r.about("response.reasoning_summary_part.added", func(b *dialect.Builder) { at(b).Key("part").Raw(empty) })
		r.about("response.reasoning_summary_text.delta", func(b *dialect.Builder) { at(b).Key("delta").Raw(text) })
		r.about("response.reasoning_summary_text.done", func(b *dialect.Builder) { at(b).Key("text").Raw(text) })
		r.about("response.reasoning_summary_part.done", func(b *dialect.Builder) { at(b).Key("part").Raw(c.Value()) })
	}
}

// content tells the parts of a message, or thoughts in full.
func (r *replay) content(list []byte) {
	if dialect.Null(list) {
		return
	}
	n := int64(0)
	for c := dialect.Array(list); c.Next(); n++ {
		r.part(n, c.Value())
	}
}

func (r *replay) part(n int64, part []byte) {
	name, key := "", "text"
	kind, _ := llm.Text(dialect.Get(part, "type"))
	switch string(kind) {
	case "output_text":
		name = "response.output_text"
	case "reasoning_text":
		name = "response.reasoning_text"
	case "refusal":
		name, key = "response.refusal", "refusal"
	}
	at := func(b *dialect.Builder) *dialect.Builder { return b.Key("content_index").Int(n) }
	start, text, probs := part, dialect.Get(part, key), dialect.Get(part, "logprobs")
	if name != "" {
		start = r.with(part, key, `""`, "annotations", "[]", "logprobs", "[]")
	}
	if r.bad {
		return
	}
	r.about("response.content_part.added", func(b *dialect.Builder) { at(b).Key("part").Raw(start) })
	if name != "" && !dialect.Null(text) {
		if string(kind) == "output_text" && dialect.Null(probs) {
			probs = []byte("[]")
		}
		r.about(name+".delta", func(b *dialect.Builder) { at(b).Key("delta").Raw(text).Member("logprobs", probs) })
		i := int64(0)
		if notes := dialect.Get(part, "annotations"); !dialect.Null(notes) {
			for c := dialect.Array(notes); c.Next(); i++ {
				r.about("response.output_text.annotation.added", func(b *dialect.Builder) {
					at(b).Key("annotation_index").Int(i).Key("annotation").Raw(c.Value())
				})
			}
		}
		r.about(name+".done", func(b *dialect.Builder) { at(b).Key(key).Raw(text).Member("logprobs", probs) })
	}
	r.about("response.content_part.done", func(b *dialect.Builder) { at(b).Key("part").Raw(part) })
}
