package openai

import (
	"errors"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// TextKind says what a text of an answer is.
type TextKind uint8

// The kinds. Content is choices[].message.content of a chat and choices[].text of a completion; the others are members
// of the message that callers are shown as well.
const (
	Content TextKind = iota
	Reasoning
	Refusal
	Thinking   // what Reasoning says, once more: in blocks that carry a signature, or other details of a vendor's
	Arguments  // of a call of a tool
	Transcript // what the audio of an answer says
	Definition // of a tool, or of the form of an answer: in requests
)

// String is the kind's name for a plugin.
func (k TextKind) String() string {
	switch k {
	case Reasoning, Thinking:
		return "reasoning"
	case Refusal:
		return "refusal"
	case Arguments:
		return "arguments"
	case Transcript:
		return "transcript"
	case Definition:
		return "definition"
	}
	return "content"
}

// AnswerText is one text of an answer, or of one chunk of a streamed one. Text is its place, in a Form; Role is the place of
// a JSON string, with its quotes. An empty Role means none.
type AnswerText struct {
	Text, Role llm.Span
	Choice     int // the choice's "index", or its place in the list if it has none

	// Of arguments, as in Text.
	Call int
	Key  llm.Span
	Kind TextKind
	Form Form

	// Of arguments in a chunk: which call they belong to.
	id    llm.Span
	named bool
	way   callWay
}

// AppendAnswer lists the texts of an answer: choices[].message or choices[].delta with content (a string or
// a list of parts), reasoning_content, reasoning, refusal, thinking_blocks (also within provider_specific_fields),
// reasoning_details, the transcript of audio, and the strings, names of members and long numbers in the arguments of
// tool_calls and function_call; and choices[].text. It refuses what two parsers could read differently. It allocates only
// to make room. Of a chunk, it takes arguments for whole that are not.
func AppendAnswer(dst []AnswerText, b []byte) ([]AnswerText, error) {
	w := answerWalker{list: dst}
	w.walk(b)
	return w.list, w.err
}

func (w *answerWalker) walk(b []byte) {
	w.b = b
	c := dialect.Object(b)
	seen := false
	for w.err == nil && c.Next() {
		if !is(c.Key(), "choices", &w.err) {
			w.more = w.more || c.First() == '{' && string(c.Key()) == "usage"
			continue
		}
		if seen {
			w.err = errTwice
		}
		seen = true
		if c.First() == '[' {
			w.choices(&c)
		}
	}
	if w.err == nil && c.Broken() {
		w.err = errJSON
	}
}

// is compares a key with a name. An escaped key that means the name is an error.
func is(key []byte, name string, err *error) bool {
	if string(key) == name {
		return true
	}
	if len(key) > len(name) && dialect.KeyIs(key, name) {
		*err = errEscapedKey
	}
	return false
}

type answerWalker struct {
	b     []byte
	list  []AnswerText
	first int // of the choice under way
	err   error

	logprobs []llm.Span // of choices, where they are not null: they repeat the text
	ended    []int      // choices with a finish reason
	more     bool       // there is something besides texts
	chunk    bool       // arguments are pieces of JSON: each is one text
	calls    []callPiece
	args     []argPlace
	role     bool // a role is told
	sealed   bool // a block of thinking gets its signature: no more of it comes
}

func (w *answerWalker) leave(outer, inner *dialect.Cursor) {
	if w.err != nil {
		return
	}
	if inner.Broken() {
		w.err = errJSON
		return
	}
	outer.Leave(inner)
}

func (w *answerWalker) choices(outer *dialect.Cursor) {
	c := outer.Enter()
	for n := 0; w.err == nil && c.Next(); n++ {
		if c.First() == '{' {
			w.first = len(w.list)
			w.choice(&c, n)
		}
	}
	w.leave(outer, &c)
}

func (w *answerWalker) choice(outer *dialect.Cursor, n int) {
	c := outer.Enter()
	index, seen, ended := n, 0, false
	for w.err == nil && c.Next() {
		which := 0
		switch key := c.Key(); {
		case string(key) == "index":
			index = int(min(dialect.Int(c.Value()), 1<<20))
		case is(key, "text", &w.err):
			which = 1
			w.string(&c, Content)
		case is(key, "message", &w.err), is(key, "delta", &w.err):
			which = 2
			if c.First() == '{' {
				w.message(&c)
			}
		case string(key) == "finish_reason":
			ended = c.First() == '"'
			w.more = w.more || ended
		case is(key, "logprobs", &w.err):
			if c.First() != 'n' {
				w.logprobs = append(w.logprobs, c.Span())
			}
		default:
			w.more = w.more || c.First() != 'n'
		}
		if seen&which != 0 {
			w.err = errTwice
		}
		seen |= which
	}
	for i := range w.list[w.first:] {
		w.list[w.first+i].Choice = index
	}
	if ended {
		w.ended = append(w.ended, index)
	}
	w.leave(outer, &c)
}

func (w *answerWalker) message(outer *dialect.Cursor) {
	c := outer.Enter()
	var role llm.Span
	seen, first := 0, len(w.list)
	for w.err == nil && c.Next() {
		which := 0
		switch key := c.Key(); {
		case is(key, "content", &w.err):
			which = 1
			w.parts(&c, Content, 0)
		case is(key, "reasoning_content", &w.err):
			which = 2
			w.string(&c, Reasoning)
		case is(key, "reasoning", &w.err):
			which = 4
			w.string(&c, Reasoning)
		case is(key, "refusal", &w.err):
			which = 8
			w.string(&c, Refusal)
		case is(key, "thinking_blocks", &w.err):
			which = 16
			w.more = w.more || c.First() != 'n'
			w.thoughts(&c, 0)
		case is(key, "reasoning_details", &w.err):
			which = 32
			w.more = w.more || c.First() != 'n'
			w.thoughts(&c, 0)
		case is(key, "provider_specific_fields", &w.err):
			which = 64
			w.more = w.more || c.First() != 'n'
			w.specific(&c)
		case is(key, "tool_calls", &w.err):
			which = 128
			w.called(&c, false)
		case is(key, "function_call", &w.err):
			which = 256
			w.called(&c, true)
		case is(key, "audio", &w.err):
			which = 512
			w.audio(&c)
		case string(key) == "role" && c.First() == '"':
			role = c.Span()
			w.role = true
		default:
			w.more = w.more || c.First() != 'n'
		}
		if seen&which != 0 {
			w.err = errTwice
		}
		seen |= which
	}
	for i := range w.list[first:] {
		w.list[first+i].Role = role
	}
	w.leave(outer, &c)
}

func (w *answerWalker) string(c *dialect.Cursor, kind TextKind) {
	if c.First() != '"' || w.err != nil {
		return
	}
	if len(w.list) == MaxTexts {
		w.err = errTexts
		return
	}
	w.list = append(w.list, AnswerText{Text: c.Span(), Kind: kind})
}

// add takes a text of arguments.
func (w *answerWalker) add(t AnswerText) {
	if len(w.list) == MaxTexts {
		w.err = errTexts
		return
	}
	t.Kind = Arguments
	w.list = append(w.list, t)
}

// called walks the calls of tools.
func (w *answerWalker) called(c *dialect.Cursor, legacy bool) {
	var err error
	if w.calls, err = calls(w.calls[:0], c, legacy); err != nil {
		w.err = err
		return
	}
	for i := range w.calls {
		p := &w.calls[i]
		w.more = w.more || p.more || p.at.End == 0
		switch {
		case p.at.End == 0:
		case w.chunk && w.b[p.at.Start] == '"':
			w.add(AnswerText{Text: p.at, Call: p.index, id: p.id, named: p.named, way: p.way})
		case p.way == customCall && w.b[p.at.Start] == '"':
			w.add(AnswerText{Text: p.at, Call: p.number})
		case w.chunk:
			w.err = errPieces
		default:
			w.args = arguments(w.args[:0], w.b, p.at)
			for _, a := range w.args {
				w.add(AnswerText{Text: a.at, Key: a.key, Form: a.form, Call: p.number})
			}
		}
	}
}

// errPieces: a vendor that streams arguments other than as text.
var errPieces = errors.New("arguments of a call that are no string")

// audio walks what a model says aloud: its transcript.
func (w *answerWalker) audio(outer *dialect.Cursor) {
	if outer.First() != '{' {
		w.more = w.more || outer.First() != 'n'
		return
	}
	c := outer.Enter()
	seen := false
	for w.err == nil && c.Next() {
		if !is(c.Key(), "transcript", &w.err) {
			w.more = w.more || c.First() != 'n'
			continue
		}
		if seen {
			w.err = errTwice
		}
		seen = true
		w.string(&c, Transcript)
	}
	w.leave(outer, &c)
}

// specific walks what a vendor has besides: the texts of its thinking_blocks.
func (w *answerWalker) specific(outer *dialect.Cursor) {
	if outer.First() != '{' {
		return
	}
	c := outer.Enter()
	seen := false
	for w.err == nil && c.Next() {
		if !is(c.Key(), "thinking_blocks", &w.err) {
			continue
		}
		if seen {
			w.err = errTwice
		}
		seen = true
		w.thoughts(&c, 0)
	}
	w.leave(outer, &c)
}

// thoughts walks blocks of what a model thought: each has the text as thinking, text or summary.
func (w *answerWalker) thoughts(c *dialect.Cursor, depth int) {
	if depth > maxNesting {
		w.err = errNesting
		return
	}
	switch c.First() {
	case '[':
		in := c.Enter()
		for w.err == nil && in.Next() {
			w.thoughts(&in, depth+1)
		}
		w.leave(c, &in)
	case '{':
		in := c.Enter()
		seen := 0
		for w.err == nil && in.Next() {
			which := 0
			for i, name := range [...]string{"thinking", "text", "summary"} {
				if is(in.Key(), name, &w.err) {
					which = 1 << i
					w.string(&in, Thinking)
				}
			}
			if string(in.Key()) == "signature" && in.First() == '"' && len(in.Value()) > 2 {
				w.sealed = true
			}
			if seen&which != 0 {
				w.err = errTwice
			}
			seen |= which
		}
		w.leave(c, &in)
	}
}

// parts walks a content: a string, or parts with a text, or with parts of their own, as some vendors have for
// reasoning.
func (w *answerWalker) parts(c *dialect.Cursor, kind TextKind, depth int) {
	if depth > maxNesting {
		w.err = errNesting
		return
	}
	switch c.First() {
	case '"':
		w.string(c, kind)
	case '[':
		in := c.Enter()
		for w.err == nil && in.Next() {
			w.parts(&in, kind, depth+1)
		}
		w.leave(c, &in)
	case '{':
		in := c.Enter()
		seen := 0
		for w.err == nil && in.Next() {
			which := 0
			switch key := in.Key(); {
			case is(key, "text", &w.err):
				which = 1
				w.parts(&in, kind, depth+1)
			case is(key, "thinking", &w.err):
				which = 2
				w.parts(&in, Reasoning, depth+1)
			}
			if seen&which != 0 {
				w.err = errTwice
			}
			seen |= which
		}
		w.leave(c, &in)
	}
}
