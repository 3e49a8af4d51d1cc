package responses

import (
	"bytes"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// messages writes instructions, the conversation so far and the input as messages.
func (t *translator) messages() error {
	t.b.Key("messages").Open('[')
	if s := t.o.Get("instructions"); !dialect.Null(s) {
		if s[0] != '"' {
			return invalid("instructions", "must be a string")
		}
		t.b.Open('{').Key("role").Lit(`"system"`).Key("content").Raw(s).Close('}')
	}
	if len(t.opt.Earlier) > 0 {
		if err := t.items(append(append([]byte{'['}, t.opt.Earlier...), ']'), "previous_response_id"); err != nil {
			return err
		}
	}
	if prompt := t.o.Get("prompt"); !dialect.Null(prompt) { // its variables are part of what the model reads
		t.b.Open('{').Key("role").Lit(`"user"`).Key("content").QuoteBytes(prompt).Close('}')
	}
	switch input := t.o.Get("input"); {
	case dialect.Null(input):
	case input[0] == '"':
		t.flush()
		t.b.Open('{').Key("role").Lit(`"user"`).Key("content").Raw(input).Close('}')
	case input[0] == '[':
		if err := t.items(input, "input"); err != nil {
			return err
		}
	default:
		return invalid("input", "must be a string or a list of items")
	}
	t.flush()
	t.b.Close(']')
	return nil
}

func (t *translator) items(list []byte, at string) error {
	i := 0
	for c := dialect.Array(list); c.Next(); i++ {
		if err := parse(&t.item, c.Value(), place(at, i)); err != nil {
			return err
		}
		if err := t.one(place(at, i)); err != nil {
			return err
		}
	}
	return nil
}

// one takes the item in t.item.
func (t *translator) one(at string) error {
	kind, _ := llm.Text(t.item.Get("type"))
	switch string(kind) {
	case "", "message":
		return t.message(at)
	case "function_call", "custom_tool_call":
		return t.call(at, string(kind) == "custom_tool_call")
	case "function_call_output", "custom_tool_call_output":
		return t.result(at)
	case "reasoning":
		t.reasoning()
		return nil
	case "item_reference":
		t.lose(at, "refers to an item that the vendor stores")
	default:
		t.lose(at, "is an item of the type "+clipped(kind))
	}
	t.flush()
	t.b.Open('{').Key("role").Lit(`"user"`).Key("content").QuoteBytes(t.item.Raw()).Close('}')
	return nil
}

// flush ends the message of the assistant that is under way: its texts, its calls and what it thought are items of their
// own here, and one message there.
func (t *translator) flush() {
	if !t.open {
		return
	}
	t.b.Open('{').Key("role").Lit(`"assistant"`).Key("content")
	if len(t.said) == 0 {
		t.b.Lit("null")
	} else if text := onlyText(t.said); text != nil {
		t.b.Raw(text)
	} else {
		t.b.Open('[').Raw(t.said).Close(']')
	}
	if len(t.thinking) > 0 {
		t.b.Key("thinking_blocks").Open('[').Raw(t.thinking).Close(']')
	}
	if len(t.calls) > 0 {
		t.b.Key("tool_calls").Open('[').Raw(t.calls).Close(']')
	}
	if !slices.IsSorted(t.order) { // the order that vendors with other APIs need
		t.b.Key("provider_specific_fields").Open('{').Key("order").Open('[')
		for _, k := range t.order {
			t.b.Quote([...]string{"thinking", "text", "tool_use"}[k])
		}
		t.b.Close(']').Close('}')
	}
	t.b.Close('}')
	t.open, t.said, t.calls, t.thinking, t.order = false, t.said[:0], t.calls[:0], t.thinking[:0], t.order[:0]
}

// The kinds of what a message of the assistant holds, in the order that it is sent in when nothing else is said.
const (
	thought = iota
	spoken
	called
)

// add notes that the message of the assistant goes on with a kind.
func (t *translator) add(kind int) { t.open, t.order = true, append(t.order, kind) }

// onlyText is the text of parts that are one text, or nil.
func onlyText(parts []byte) []byte {
	c := dialect.Object(parts)
	var text []byte
	for c.Next() {
		switch string(c.Key()) {
		case "type":
			if string(c.Value()) != `"text"` {
				return nil
			}
		case "text":
			text = c.Value()
		default:
			return nil
		}
	}
	if c.Broken() { // there is more than one part
		return nil
	}
	return text
}

func (t *translator) message(at string) error {
	role, content := t.item.Get("role"), t.item.Get("content")
	if dialect.Null(content) {
		return invalid(at+".content", "is missing")
	}
	parts := dialect.Build(nil)
	if err := t.content(&parts, content, at+".content"); err != nil {
		return err
	}
	switch string(role) {
	case `"assistant"`:
		t.open = true
		if b := parts.Bytes(); b[0] == '"' {
			if len(b) > 2 {
				t.add(spoken)
				t.said = joined(t.said, []byte(`{"type":"text","text":`), b, []byte("}"))
			}
		} else if len(b) > 2 {
			for c := dialect.Array(b); c.Next(); {
				t.add(spoken)
			}
			t.said = joined(t.said, b[1:len(b)-1])
		}
		return nil
	case `"user"`, `"system"`, `"developer"`:
		t.flush()
		t.b.Open('{').Key("role").Raw(role).Key("content").Raw(parts.Bytes()).Close('}')
		return nil
	}
	return invalid(at+".role", "must be user, assistant, system or developer")
}

// joined appends an item in pieces, behind a comma unless it is the first.
func joined(dst []byte, pieces ...[]byte) []byte {
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	for _, p := range pieces {
		dst = append(dst, p...)
	}
	return dst
}

// content writes a content as chat completions has it.
func (t *translator) content(b *dialect.Builder, v []byte, at string) error {
	switch v[0] {
	case '"':
		b.Raw(v)
		return nil
	case '[':
	default:
		return invalid(at, "must be a string or a list of parts")
	}
	b.Open('[')
	i := 0
	for c := dialect.Array(v); c.Next(); i++ {
		if err := parse(&t.part, c.Value(), place(at, i)); err != nil {
			return err
		}
		if err := t.piece(b, place(at, i)); err != nil {
			return err
		}
	}
	b.Close(']')
	return nil
}

// piece writes the part in t.part.
func (t *translator) piece(b *dialect.Builder, at string) error {
	p := &t.part
	kind, _ := llm.Text(p.Get("type"))
	switch string(kind) {
	case "input_text", "output_text", "text", "summary_text", "reasoning_text":
		text := p.Get("text")
		if len(text) == 0 || text[0] != '"' {
			return invalid(at+".text", "must be a string")
		}
		b.Open('{').Key("type").Lit(`"text"`).Key("text").Raw(text).Member("cache_control", p.Get("cache_control")).Close('}')
		return nil
	case "refusal":
		b.Open('{').Key("type").Lit(`"refusal"`).Key("refusal").Raw(dialect.OrEmpty(p.Get("refusal"))).Close('}')
		return nil
	case "input_image":
		return t.image(b, at)
	case "input_file":
		return t.file(b, at)
	case "input_audio":
		b.Open('{').Key("type").Lit(`"input_audio"`).Member("input_audio", p.Get("input_audio")).Close('}')
		return nil
	}
	t.lose(at, "is a part of the type "+clipped(kind))
	b.Open('{').Key("type").Lit(`"text"`).Key("text").QuoteBytes(p.Raw()).Close('}')
	return nil
}

func (t *translator) image(b *dialect.Builder, at string) error {
	url := t.part.Get("image_url")
	if len(url) < 3 || url[0] != '"' {
		id := t.part.Get("file_id")
		if len(id) < 3 || id[0] != '"' {
			return invalid(at, "must have image_url or file_id")
		}
		b.Open('{').Key("type").Lit(`"file"`).Key("file").Open('{').Key("file_id").Raw(id)
		b.Key("format").Lit(`"image/*"`).Close('}').Close('}')
		return nil
	}
	b.Open('{').Key("type").Lit(`"image_url"`).Key("image_url").Open('{').Key("url").Raw(url)
	b.Member("detail", t.part.Get("detail")).Close('}').Close('}')
	return nil
}

func (t *translator) file(b *dialect.Builder, at string) error {
	p := &t.part
	b.Open('{').Key("type").Lit(`"file"`).Key("file").Open('{')
	n := b.Len()
	b.Member("file_data", p.Get("file_data"))
	if id := p.Get("file_id"); !dialect.Null(id) {
		b.Key("file_id").Raw(id)
	} else if url := p.Get("file_url"); !dialect.Null(url) {
		b.Key("file_id").Raw(url)
	}
	if b.Len() == n {
		return invalid(at, "must have file_data, file_id or file_url")
	}
	b.Member("filename", p.Get("filename")).Close('}').Close('}')
	return nil
}

// call adds the call of a tool to the message of the assistant.
func (t *translator) call(at string, custom bool) error {
	id, name := t.item.Get("call_id"), t.item.Get("name")
	for _, v := range [...]struct {
		name  string
		value []byte
	}{{"call_id", id}, {"name", name}} {
		if len(v.value) < 3 || v.value[0] != '"' {
			return invalid(at+"."+v.name, "must be a string that is not empty")
		}
	}
	arguments := t.item.Get("arguments")
	if custom {
		arguments = llm.AppendQuoted(nil, `{"input":`+string(dialect.OrEmpty(t.item.Get("input")))+`}`)
	}
	if len(arguments) == 0 || arguments[0] != '"' {
		return invalid(at+".arguments", "must be a string")
	}
	t.add(called)
	b := dialect.Build(nil)
	b.Open('{').Key("id").Raw(id).Key("type").Lit(`"function"`).Key("function").Open('{')
	b.Key("name").Raw(name).Key("arguments").Raw(arguments).Close('}').Close('}')
	t.calls = joined(t.calls, b.Bytes())
	return nil
}

func (t *translator) result(at string) error {
	id, output := t.item.Get("call_id"), t.item.Get("output")
	if len(id) < 3 || id[0] != '"' {
		return invalid(at+".call_id", "is missing: it says which call the result is of")
	}
	if dialect.Null(output) {
		return invalid(at+".output", "is missing")
	}
	t.flush()
	t.b.Open('{').Key("role").Lit(`"tool"`).Key("tool_call_id").Raw(id).Key("content")
	if err := t.content(&t.b, output, at+".output"); err != nil {
		return err
	}
	t.b.Close('}')
	return nil
}

// What encrypted_content begins with if it was made here: the signature of thinking, or thinking that is redacted.
const (
	signed   = "signature:"
	redacted = "redacted:"
)

// reasoning adds what the model thought to the message of the assistant. The encrypted_content of another vendor is of
// no use to anybody else.
func (t *translator) reasoning() {
	secret, _ := llm.Text(t.item.Get("encrypted_content"))
	if data, ok := bytes.CutPrefix(secret, []byte(redacted)); ok {
		t.add(thought)
		b := dialect.Build(nil)
		b.Open('{').Key("type").Lit(`"redacted_thinking"`).Key("data").QuoteBytes(data).Close('}')
		t.thinking = joined(t.thinking, b.Bytes())
		return
	}
	var texts []string
	for _, key := range [...]string{"content", "summary"} {
		if len(texts) > 0 {
			break
		}
		for c := dialect.Array(t.item.Get(key)); c.Next(); {
			if s, ok := llm.Text(dialect.Get(c.Value(), "text")); ok {
				texts = append(texts, string(s))
			}
		}
	}
	signature, ok := bytes.CutPrefix(secret, []byte(signed))
	if len(texts) == 0 && !ok {
		return
	}
	t.add(thought)
	b := dialect.Build(nil)
	b.Open('{').Key("type").Lit(`"thinking"`).Key("thinking").Quote(strings.Join(texts, "\n\n"))
	if !ok {
		signature = nil
	}
	b.Key("signature").QuoteBytes(signature).Close('}')
	t.thinking = joined(t.thinking, b.Bytes())
}
