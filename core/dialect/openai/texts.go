package openai

import (
	"bytes"
	"errors"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Text is one text of a request. Text is its place in the body, in a Form; Role is the place of a JSON string, with its
// quotes. An empty Role means none.
type Text struct {
	Text, Role llm.Span
	Message    int // index of the message, prompt or input; -1 of what stands outside of them

	// Of arguments: the number of the call in its message, and the member that has the text as its value, in the form of a
	// text or InnerQuoted. An empty Key means none.
	Call int
	Key  llm.Span
	Kind TextKind
	Form Form

	// Sealed: nobody but who made the text can change it. A vendor refuses thinking that differs from its signature, and names
	// in definitions are what calls refer to.
	Sealed bool
}

// MaxTexts is how many texts a request or an answer may hold; more are refused, because each costs memory.
const MaxTexts = 1 << 16

// maxNesting of contents within contents.
const maxNesting = 8

// Why texts cannot be listed. Whoever sent them can correct every one of these.
var (
	errEscapedKey = errors.New("a key in a message must be written without escapes")
	errTwice      = errors.New("a key in a message appears twice")
	errTexts      = errors.New("there are too many texts")
	errNesting    = errors.New("the contents of a message are nested too deep")
	errJSON       = errors.New("malformed JSON")
)

// AppendTexts lists every text of a request: what is in messages[].content, prompt, suffix (of completions),
// negative_prompt (of images), prediction (of chats), input, instructions (of speech), query and documents (of reranking), be it a string, a list of strings, or a list of parts with a text or contents of
// their own; in the arguments of the calls that messages hold, the strings, the names of members and long numbers; the
// reasoning and refusals of the past that messages hold; and the definitions of tools and answers, see definitions, which
// come first. It refuses what two parsers could read differently, because then a guardrail might check another text than the
// model gets.
func AppendTexts(dst []Text, o *llm.Object) ([]Text, error) {
	list, _, err := AppendContents(dst, o)
	return list, err
}

// AppendContents is AppendTexts, and reports whether there may be something in messages, prompts and inputs that is no text:
// see AppendMedia.
func AppendContents(dst []Text, o *llm.Object) (list []Text, more bool, err error) {
	w := walker{list: dst}
	for _, m := range o.Members() {
		switch string(o.Key(m)) {
		case "tools", "functions", "response_format":
			w.start(o.Value(m), m.Value.Start)
			w.definitions()
		}
	}
	for _, m := range o.Members() {
		switch string(o.Key(m)) {
		case "messages":
			w.start(o.Value(m), m.Value.Start)
			w.messages()
		case "prompt", "suffix", "negative_prompt", "prediction", "input", "instructions", "query", "documents":
			w.start(o.Value(m), m.Value.Start)
			w.items()
		default:
			w.more = w.more || worked(string(o.Key(m)))
		}
		if w.err != nil {
			break
		}
	}
	return w.list, w.more, w.err
}

// walker collects texts. The first error ends the walk.
type walker struct {
	b       []byte
	base    int // place of b in the body
	list    []Text
	message int
	more    bool // there is something besides texts
	err     error

	calls []callPiece
	args  []argPlace
}

func (w *walker) start(b []byte, base int) { w.b, w.base = b, base }

func (w *walker) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// leave ends the walk of an inner container.
func (w *walker) leave(outer, inner *dialect.Cursor) {
	if inner.Broken() {
		w.fail(errJSON)
		return
	}
	outer.Leave(inner)
}

// messages walks the list of messages. Whatever else is in the place of the list is left to the vendor to refuse.
func (w *walker) messages() {
	w.message = 0
	if len(w.b) == 0 || w.b[0] != '[' {
		return
	}
	c := dialect.Array(w.b)
	for ; w.err == nil && c.Next(); w.message++ {
		if c.First() != '{' {
			w.contents(&c, 0)
			continue
		}
		if role, text, ok := c.Message(); ok {
			w.add(text)
			if n := len(w.list); w.err == nil {
				w.list[n-1].Role = llm.Span{Start: w.base + role.Start, End: w.base + role.End}
			}
			continue
		}
		w.object(&c, 0)
	}
	w.ended(&c)
}

func (w *walker) ended(c *dialect.Cursor) {
	if c.Broken() {
		w.fail(errJSON)
	}
}

// items walks a prompt or an input: one text, or a list of them.
func (w *walker) items() {
	w.message = 0
	switch {
	case len(w.b) == 0:
	case w.b[0] == '[':
		c := dialect.Array(w.b)
		for ; w.err == nil && c.Next(); w.message++ {
			w.contents(&c, 1)
		}
		w.ended(&c)
	case w.b[0] == '"':
		w.add(llm.Span{End: len(w.b)})
	case w.b[0] == '{':
		c := dialect.Object(w.b)
		w.members(&c, 1)
		w.ended(&c)
	}
}

func (w *walker) add(at llm.Span) {
	if len(w.list) == MaxTexts {
		w.fail(errTexts)
		return
	}
	w.list = append(w.list, Text{Text: llm.Span{Start: w.base + at.Start, End: w.base + at.End}, Message: w.message})
}

// contents walks a string, a part, or a list of those: the value that c stands at.
func (w *walker) contents(c *dialect.Cursor, depth int) {
	if depth > maxNesting {
		w.fail(errNesting)
		return
	}
	switch c.First() {
	case '"':
		w.add(c.Span())
	case '[':
		in := c.Enter()
		for w.err == nil && in.Next() {
			w.contents(&in, depth+1)
		}
		w.leave(c, &in)
	case '{':
		w.object(c, depth+1)
	}
}

// object walks the message or part that c stands at.
func (w *walker) object(c *dialect.Cursor, depth int) {
	in := c.Enter()
	w.members(&in, depth)
	w.leave(c, &in)
}

func (w *walker) members(c *dialect.Cursor, depth int) {
	const speaker, content, text, call, legacy, input = 1, 2, 4, 8, 16, 32
	seen, first, signed := 0, len(w.list), false
	var role llm.Span
	for w.err == nil && c.Next() {
		which := 0
		switch key := c.Key(); string(key) {
		case "role":
			which = speaker
		case "content":
			which = content
		case "text":
			which = text
		case "tool_calls":
			which = call
		case "function_call":
			which = legacy
		case "input":
			which = input
		case "reasoning_content", "reasoning", "thinking_blocks", "reasoning_details", "thinking":
			w.thought(c, Reasoning, 0)
		case "refusal":
			w.thought(c, Refusal, 0)
		case "signature":
			signed = depth > 0 && c.First() == '"' && len(c.Value()) > 2
		case "type", "cache_control", "tool_call_id", "name":
		default:
			w.more = w.more || depth > 0 || string(key) == "images" || string(key) == "audio"
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
		if string(c.Key()) == "source" && c.First() == '{' {
			w.source(c)
			continue
		}
		switch {
		case which == speaker && c.First() == '"':
			role = c.Span()
		case which == content, which == text:
			w.contents(c, depth)
		case which == call, which == legacy:
			w.called(c, which == legacy)
		case which == input && c.First() == '{': // a call in the form of Anthropic's API
			w.arguments(c.Span(), 0)
		}
	}
	w.more = w.more || depth > 0 && seen&(content|text) == 0
	if signed {
		w.seal(first)
	}
	if role.End > 0 {
		w.speaker(first, role)
	}
}

// speaker notes who says the texts from first on, unless somebody else does.
func (w *walker) speaker(first int, role llm.Span) {
	role.Start, role.End = w.base+role.Start, w.base+role.End
	for i := range w.list[min(first, len(w.list)):] {
		if s := &w.list[first+i]; s.Role.End == 0 {
			s.Role = role
		}
	}
}

// called walks the calls of tools in a message of the past.
func (w *walker) called(c *dialect.Cursor, legacy bool) {
	var err error
	if w.calls, err = calls(w.calls[:0], c, legacy); err != nil {
		w.fail(err)
		return
	}
	for i := range w.calls {
		p := &w.calls[i]
		if p.way == customCall && p.at.End > 0 && w.b[p.at.Start] == '"' {
			w.said(argPlace{at: p.at}, p.number)
			continue
		}
		w.arguments(p.at, p.number)
	}
}

func (w *walker) arguments(at llm.Span, call int) {
	w.args = arguments(w.args[:0], w.b, at)
	for _, p := range w.args {
		w.said(p, call)
	}
}

// said takes a text of arguments.
func (w *walker) said(p argPlace, call int) {
	w.add(p.at)
	if w.err != nil {
		return
	}
	t := &w.list[len(w.list)-1]
	t.Kind, t.Call, t.Form = Arguments, call, p.form
	if p.key.End > 0 {
		t.Key = llm.Span{Start: w.base + p.key.Start, End: w.base + p.key.End}
	}
}

// source walks the source of a document in the form of Anthropic's API: its text, or the blocks that it is made of. Data of
// another kind is no text.
func (w *walker) source(outer *dialect.Cursor) {
	c := outer.Enter()
	var data llm.Span
	seen, plain := 0, false
	for w.err == nil && c.Next() {
		which := 0
		switch key := c.Key(); string(key) {
		case "type":
			which, plain = 1, string(c.Value()) == `"text"`
		case "data":
			which = 2
			if c.First() == '"' {
				data = c.Span()
			}
		case "content":
			which = 4
			w.contents(&c, 1)
		default:
			if bytes.IndexByte(key, '\\') >= 0 {
				w.fail(errEscapedKey)
			}
		}
		if seen&which != 0 {
			w.fail(errTwice)
		}
		seen |= which
	}
	if plain && data.End > 0 && w.err == nil {
		w.add(data)
	}
	w.leave(outer, &c)
}

// Edit is a new text for the one with a number.
type Edit struct {
	Index int
	Text  string
}

// AppendEdited appends body to dst with texts replaced; at returns the place of the text with a number, and how it is
// written. The edits are in rising order of their places, none twice; everything else stays byte for byte. If model is not
// empty, it replaces the string at modelAt, wherever that lies.
func AppendEdited(dst, body []byte, edits []Edit, at func(i int) (llm.Span, Form), modelAt llm.Span, model string) []byte {
	from := 0
	replace := func(at llm.Span, form Form, text string) {
		dst = form.Encode(append(dst, body[from:at.Start]...), text)
		from = at.End
	}
	pending := model != "" && modelAt.End > 0
	for _, e := range edits {
		place, form := at(e.Index)
		if pending && modelAt.Start < place.Start {
			replace(modelAt, Quoted, model)
			pending = false
		}
		replace(place, form, e.Text)
	}
	if pending {
		replace(modelAt, Quoted, model)
	}
	return append(dst, body[from:]...)
}
