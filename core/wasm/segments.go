package wasm

import (
	"bytes"
	"errors"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// segment is one text of a request. Text and Role are the places of JSON strings in the body, with their quotes; an
// empty role means none.
type segment struct {
	text, role llm.Span
	message    int // index of the message, prompt or input
}

// maxSegments in one request; more are refused, because each costs a record in the plugin's memory.
const maxSegments = 1 << 16

// maxNesting of contents within contents.
const maxNesting = 8

// Why the texts of a request cannot be listed. The caller can correct every one of them.
var (
	errEscapedKey = errors.New("a key in a message must be written without escapes")
	errTwice      = errors.New("a key in a message appears twice")
	errSegments   = errors.New("the request holds too many texts")
	errNesting    = errors.New("the contents of a message are nested too deep")
)

// appendSegments lists every text of a request: what is in messages[].content, prompt and input, be it a string, a list
// of strings, or a list of parts with a text or contents of their own. It refuses what two parsers could read
// differently, because then a guardrail might check another text than the model gets.
func appendSegments(dst []segment, o *llm.Object) ([]segment, error) {
	w := walker{list: dst}
	for _, m := range o.Members() {
		switch string(o.Key(m)) {
		case "messages":
			w.start(o.Raw()[:m.Value.End], m.Value.Start)
			w.messages()
		case "prompt", "input":
			w.start(o.Raw()[:m.Value.End], m.Value.Start)
			w.items()
		}
		if !w.c.ok && w.err == nil && w.c.b != nil {
			w.err = errJSON
		}
		if w.err != nil {
			return w.list, w.err
		}
	}
	return w.list, nil
}

// walker collects segments. The first error ends the walk.
type walker struct {
	c       cursor
	list    []segment
	message int
	err     error
}

func (w *walker) start(b []byte, at int) { w.c = newCursor(b, at) }

func (w *walker) fail(err error) {
	if w.err == nil {
		w.err = err
	}
	w.c.fail()
}

// messages walks the list of messages. Whatever else is in the place of the list is left to the vendor to refuse.
func (w *walker) messages() {
	if w.c.peek() != '[' {
		w.c.value()
		return
	}
	w.message = 0
	for more := w.c.enter('['); more; more = w.c.next('[') {
		if w.c.peek() == '{' {
			w.object(0)
		} else {
			w.contents(0)
		}
		w.message++
	}
}

// items walks a prompt or an input: one text, or a list of them.
func (w *walker) items() {
	w.message = 0
	if w.c.peek() != '[' {
		w.contents(0)
		return
	}
	for more := w.c.enter('['); more; more = w.c.next('[') {
		w.contents(1)
		w.message++
	}
}

// contents walks a string, a part, or a list of those.
func (w *walker) contents(depth int) {
	if depth > maxNesting {
		w.fail(errNesting)
		return
	}
	switch w.c.peek() {
	case '"':
		if len(w.list) == maxSegments {
			w.fail(errSegments)
			return
		}
		w.list = append(w.list, segment{text: w.c.str(), message: w.message})
	case '[':
		for more := w.c.enter('['); more; more = w.c.next('[') {
			w.contents(depth + 1)
		}
	case '{':
		w.object(depth + 1)
	default:
		w.c.value()
	}
}

// object walks a message or a part.
func (w *walker) object(depth int) {
	const role, content, text = 1, 2, 4
	seen, first := 0, len(w.list)
	var speaker llm.Span
	for more := w.c.enter('{'); more; more = w.c.next('{') {
		key := w.c.key()
		which := 0
		switch string(key) {
		case `"role"`:
			which = role
		case `"content"`:
			which = content
		case `"text"`:
			which = text
		default:
			if bytes.IndexByte(key, '\\') >= 0 {
				w.fail(errEscapedKey)
				return
			}
		}
		if seen&which != 0 {
			w.fail(errTwice)
			return
		}
		seen |= which
		switch {
		case which == role && w.c.peek() == '"':
			speaker = w.c.str()
		case which == content, which == text:
			w.contents(depth)
		default:
			w.c.value()
		}
	}
	if speaker.End == 0 {
		return
	}
	for i := range w.list[first:] {
		if s := &w.list[first+i]; s.role.End == 0 {
			s.role = speaker
		}
	}
}

// textEdit is a new text for a segment.
type textEdit struct {
	segment int
	text    string
}

// patch returns a copy of the body with the texts replaced, and the model if it is not empty. The edits are in the
// order of their segments, none twice; everything else stays byte for byte.
func patch(o *llm.Object, segments []segment, edits []textEdit, model string) []byte {
	raw, size := o.Raw(), len(o.Raw())+len(model)
	for _, e := range edits {
		size += len(e.text) + len(e.text)/8 + 2
	}
	modelAt := llm.Span{Start: -1}
	if i := o.Index("model"); i >= 0 && model != "" {
		modelAt = o.Members()[i].Value
	}
	out, from := make([]byte, 0, size), 0
	replace := func(at llm.Span, text string) {
		out = llm.AppendQuoted(append(out, raw[from:at.Start]...), text)
		from = at.End
	}
	for _, e := range edits {
		at := segments[e.segment].text
		if modelAt.Start >= 0 && modelAt.Start < at.Start {
			replace(modelAt, model)
			modelAt.Start = -1
		}
		replace(at, e.text)
	}
	if modelAt.Start >= 0 {
		replace(modelAt, model)
	}
	return append(out, raw[from:]...)
}
