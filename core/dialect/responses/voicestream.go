package responses

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Part appends the events that a chunk of a chat completion stands for. A part that is native is an event already.
func (v *Voice) Part(dst []byte, p *llm.Part, native bool) ([]byte, error) {
	if p.Data == nil {
		return dst, nil
	}
	if native {
		return dialect.AppendEvent(dst, p.Event, p.Data), nil
	}
	v.out = dst
	err := v.chunk(p.Data)
	dst, v.out = v.out, nil
	return dst, err
}

func (v *Voice) chunk(data []byte) error {
	var model, choice []byte
	c := dialect.Object(data)
	for c.Next() {
		switch string(c.Key()) {
		case "model":
			model = c.Value()
		case "choices":
			choice = dialect.FirstChoice(c.Value())
		case "usage":
			v.takeUsage(c.Value())
		}
	}
	if c.Broken() {
		return unreadable("a chunk is not JSON")
	}
	if !v.begun {
		v.model = dialect.Copied(model)
		v.begin()
	}
	if choice == nil {
		return nil
	}
	v.probs = dialect.Get(dialect.Get(choice, "logprobs"), "content")
	if err := v.delta(dialect.Get(choice, "delta")); err != nil {
		return err
	}
	if finish := dialect.Get(choice, "finish_reason"); !dialect.Null(finish) {
		v.finish = append(v.finish[:0], finish...)
	}
	return nil
}

// begin sends what a stream begins with.
func (v *Voice) begin() {
	v.begun = true
	for _, name := range [...]string{"response.created", "response.in_progress"} {
		b := v.event(name)
		b.Key("response").Raw(v.object("in_progress", nil))
		v.sent(b)
	}
}

// event begins an event; sent ends it.
func (v *Voice) event(name string) dialect.Builder {
	b := dialect.BeginEvent(v.out, name)
	b.Key("sequence_number").Int(int64(v.number))
	v.number++
	return b
}

func (v *Voice) sent(b dialect.Builder) { v.out = dialect.EndEvent(&b) }

// about begins an event about the item under way.
func (v *Voice) about(name string) dialect.Builder {
	b := v.event(name)
	b.Key("item_id").Quote(v.cur.id).Key("output_index").Int(int64(v.count))
	return b
}

// delta tells what a message or a delta adds to the response.
func (v *Voice) delta(raw []byte) error {
	m := &v.seen
	m.Scan(raw)
	// Blocks say the same as reasoning_content, and the signature besides. A guardrail may have put the two into chunks of
	// their own.
	v.blocks = v.blocks || m.Thinking != nil
	switch {
	case v.blocks:
		for c := dialect.Array(m.Thinking); c.Next(); {
			v.thought(c.Value())
		}
	default:
		v.think(m.Reasoning)
	}
	v.told()
	for c := dialect.Array(m.Annotations); c.Next(); {
		v.note(c.Value())
	}
	v.say(refusalPart, m.Refusal)
	for c := dialect.Array(m.Images); c.Next(); {
		v.say(textPart, dialect.ImageLink(c.Value()))
	}
	for c := dialect.Array(m.Calls); c.Next(); {
		if err := v.toolCall(c.Value()); err != nil {
			return err
		}
	}
	return nil
}

// told tells the texts of the content.
func (v *Voice) told() {
	m := &v.seen
	if len(m.Content) > 0 && m.Content[0] == '[' {
		for c := dialect.Array(m.Content); c.Next(); {
			if string(dialect.Get(c.Value(), "type")) == `"thinking"` {
				for in := dialect.Array(dialect.Get(c.Value(), "thinking")); in.Next(); {
					v.think(dialect.Get(in.Value(), "text"))
				}
				continue
			}
			v.say(textPart, dialect.Get(c.Value(), "text"))
			v.say(refusalPart, dialect.Get(c.Value(), "refusal"))
		}
	} else {
		v.say(textPart, m.Content)
	}
}

// start begins an item, after ending the one before.
func (v *Voice) start(k kind, prefix string) {
	v.closeItem()
	v.cur = current{kind: k, text: v.cur.text[:0], refusal: v.cur.refusal[:0], notes: v.cur.notes[:0]}
	v.cur.id = v.itemID(prefix)
}

// added tells that the item under way was added.
func (v *Voice) added() {
	b := v.event("response.output_item.added")
	b.Key("output_index").Int(int64(v.count)).Key("item")
	v.item(&b, false)
	v.sent(b)
}

// item writes the item under way.
func (v *Voice) item(b *dialect.Builder, done bool) {
	status := "in_progress"
	if done {
		status = "completed"
		if v.last {
			status = v.status()
		}
	}
	i := &v.cur
	b.Open('{').Key("id").Quote(i.id)
	switch i.kind {
	case reasoning:
		b.Key("type").Lit(`"reasoning"`).Key("summary").Open('[')
		if done && len(i.text) > 0 {
			v.summary(b)
		}
		b.Close(']').Member("encrypted_content", i.secret)
	case spokenItem:
		b.Key("type").Lit(`"message"`).Key("status").Quote(status).Key("role").Lit(`"assistant"`).Key("content").Open('[')
		if done && len(i.text) > 0 {
			v.part(b, textPart, true)
		}
		if done && len(i.refusal) > 0 {
			v.part(b, refusalPart, true)
		}
		b.Close(']')
	case callItem:
		kind, key, text := `"function_call"`, "arguments", i.text
		if i.custom {
			kind, key, text = `"custom_tool_call"`, "input", v.freeText()
		}
		if !done {
			text = nil
		}
		b.Key("type").Lit(kind).Key("status").Quote(status).Key("call_id").Raw(i.callID).Key("name").Raw(i.name)
		b.Key(key).Raw(quoted(text))
	}
	b.Close('}')
}

func quoted(inside []byte) []byte {
	return append(append(append(make([]byte, 0, len(inside)+2), '"'), inside...), '"')
}

func (v *Voice) summary(b *dialect.Builder) {
	b.Open('{').Key("type").Lit(`"summary_text"`).Key("text").Raw(quoted(v.cur.text)).Close('}')
}

// part writes a part of the message under way.
func (v *Voice) part(b *dialect.Builder, p part, full bool) {
	if p == refusalPart {
		var text []byte
		if full {
			text = v.cur.refusal
		}
		b.Open('{').Key("type").Lit(`"refusal"`).Key("refusal").Raw(quoted(text)).Close('}')
		return
	}
	var text, notes, probs []byte
	if full {
		text, notes, probs = v.cur.text, v.cur.notes, v.cur.probs
	}
	b.Open('{').Key("type").Lit(`"output_text"`).Key("annotations").Open('[')
	if len(notes) > 0 {
		b.Raw(notes)
	}
	b.Close(']').Key("logprobs").Open('[')
	if len(probs) > 0 {
		b.Raw(probs)
	}
	b.Close(']').Key("text").Raw(quoted(text)).Close('}')
}

// think tells a piece of what the model thinks.
func (v *Voice) think(text []byte) {
	if dialect.Blank(text) {
		return
	}
	if v.cur.kind != reasoning || v.cur.secret != nil {
		v.start(reasoning, "rs")
		v.added()
	}
	if len(v.cur.text) == 0 {
		b := v.about("response.reasoning_summary_part.added")
		b.Key("summary_index").Lit("0").Key("part").Lit(`{"type":"summary_text","text":""}`)
		v.sent(b)
	}
	v.cur.text = append(v.cur.text, dialect.Inside(text)...)
	b := v.about("response.reasoning_summary_text.delta")
	b.Key("summary_index").Lit("0").Key("delta").Raw(text)
	v.sent(b)
}

// thought tells a piece of a thinking block, its signature, or a block that is redacted.
func (v *Voice) thought(block []byte) {
	if data := dialect.Get(block, "data"); !dialect.Blank(data) {
		v.start(reasoning, "rs")
		v.cur.secret = append(append([]byte(`"`+redacted), dialect.Inside(data)...), '"')
		v.added()
		v.closeItem()
		return
	}
	v.think(dialect.Get(block, "thinking"))
	signature := dialect.Get(block, "signature")
	if dialect.Blank(signature) {
		return
	}
	if v.cur.kind != reasoning {
		v.start(reasoning, "rs")
		v.added()
	}
	v.cur.secret = append(append([]byte(`"`+signed), dialect.Inside(signature)...), '"')
	v.closeItem()
}

// say tells a piece of a text or a refusal.
func (v *Voice) say(p part, text []byte) {
	if dialect.Blank(text) {
		return
	}
	v.speak(p)
	name, key := "response.output_text.delta", &v.cur.text
	if p == refusalPart {
		name, key = "response.refusal.delta", &v.cur.refusal
	}
	*key = append(*key, dialect.Inside(text)...)
	b := v.about(name)
	b.Key("content_index").Int(int64(v.cur.parts - 1)).Key("delta").Raw(text)
	if p == textPart {
		b.Key("logprobs").Open('[')
		if len(v.probs) > 2 && v.probs[0] == '[' {
			list := v.probs[1 : len(v.probs)-1]
			b.Raw(list)
			v.cur.probs, v.probs = joined(v.cur.probs, list), nil
		}
		b.Close(']')
	}
	v.sent(b)
}

// speak makes sure that a message with the part is under way.
func (v *Voice) speak(p part) {
	again := v.cur.kind == spokenItem && v.cur.open != p && (p == textPart && len(v.cur.text) > 0 || p == refusalPart && len(v.cur.refusal) > 0)
	if v.cur.kind != spokenItem || again {
		v.start(spokenItem, "msg")
		v.added()
	}
	if v.cur.open == p {
		return
	}
	v.closePart()
	v.cur.open = p
	v.cur.parts++
	b := v.about("response.content_part.added")
	b.Key("content_index").Int(int64(v.cur.parts - 1)).Key("part")
	v.part(&b, p, false)
	v.sent(b)
}

// closePart ends the part under way of a message.
func (v *Voice) closePart() {
	p := v.cur.open
	if p == noPart {
		return
	}
	if p == textPart {
		b := v.about("response.output_text.done")
		b.Key("content_index").Int(int64(v.cur.parts - 1)).Key("text").Raw(quoted(v.cur.text)).Key("logprobs").Open('[')
		if len(v.cur.probs) > 0 {
			b.Raw(v.cur.probs)
		}
		b.Close(']')
		v.sent(b)
	} else {
		b := v.about("response.refusal.done")
		b.Key("content_index").Int(int64(v.cur.parts - 1)).Key("refusal").Raw(quoted(v.cur.refusal))
		v.sent(b)
	}
	b := v.about("response.content_part.done")
	b.Key("content_index").Int(int64(v.cur.parts - 1)).Key("part")
	v.part(&b, p, true)
	v.sent(b)
	v.cur.open = noPart
}

// note adds a source to the text under way (https://platform.openai.com/docs/guides/tools-web-search).
func (v *Voice) note(annotation []byte) {
	source := dialect.Get(annotation, "url_citation")
	if len(source) == 0 || source[0] != '{' {
		return
	}
	v.speak(textPart)
	n := dialect.Build(nil)
	n.Open('{').Key("type").Lit(`"url_citation"`)
	for _, key := range [...]string{"start_index", "end_index", "url", "title"} {
		n.Member(key, dialect.Get(source, key))
	}
	n.Close('}')
	index := 0
	for c := dialect.Array(append(append([]byte{'['}, v.cur.notes...), ']')); c.Next(); {
		index++
	}
	v.cur.notes = joined(v.cur.notes, n.Bytes())
	b := v.about("response.output_text.annotation.added")
	b.Key("content_index").Int(int64(v.cur.parts - 1)).Key("annotation_index").Int(int64(index)).Key("annotation").Raw(n.Bytes())
	v.sent(b)
}

// closeItem ends the item under way.
func (v *Voice) closeItem() {
	i := &v.cur
	switch i.kind {
	case none:
		return
	case reasoning:
		if len(i.text) > 0 {
			b := v.about("response.reasoning_summary_text.done")
			b.Key("summary_index").Lit("0").Key("text").Raw(quoted(i.text))
			v.sent(b)
			b = v.about("response.reasoning_summary_part.done")
			b.Key("summary_index").Lit("0").Key("part")
			v.summary(&b)
			v.sent(b)
		}
	case spokenItem:
		v.closePart()
	case callItem:
		v.closeCall()
	}
	item := dialect.Build(nil)
	v.item(&item, true)
	b := v.event("response.output_item.done")
	b.Key("output_index").Int(int64(v.count)).Key("item").Raw(item.Bytes())
	v.sent(b)
	v.items = joined(v.items, item.Bytes())
	v.count++
	i.kind = none
}

// End appends what a complete stream closes with.
func (v *Voice) End(dst []byte, native bool) ([]byte, error) {
	if native {
		return dst, nil
	}
	v.out = dst
	if !v.begun {
		v.begin()
	}
	v.last = true
	v.closeItem()
	status := v.status()
	v.response = v.object(status, nil)
	b := v.event("response." + status)
	b.Key("response").Raw(v.response)
	v.sent(b)
	dst, v.out = v.out, nil
	return dst, nil
}

// Fail appends the event of a stream that broke off: response.failed, or error where no response began.
func (v *Voice) Fail(dst []byte, e *llm.Error, message string) []byte {
	failure := *e
	failure.Message = strings.ToValidUTF8(message, "\ufffd")
	v.out = dst
	if v.begun {
		b := v.event("response.failed")
		b.Key("response").Raw(v.object("failed", &failure))
		v.sent(b)
	} else {
		b := v.event("error")
		b.Key("code").Quote(failureCode(&failure)).Key("message").Quote(failure.Message).Key("param").Lit("null")
		v.sent(b)
	}
	dst, v.out = v.out, nil
	return dst
}
