package openai

import (
	"bytes"
	"unsafe"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Form says how a text is written in a body.
type Form uint8

// The forms. Arguments of a call are JSON inside a JSON string, so their texts are written with escapes of escapes.
const (
	Quoted      Form = iota // a JSON string, with its quotes
	Bare                    // a JSON number
	InnerQuoted             // a JSON string within a JSON string, with its quotes
	InnerBare               // a JSON number within a JSON string
)

// Key is the form of a member's name that stands beside a text of this form.
func (f Form) Key() Form {
	if f == Bare || f == InnerBare {
		return f - 1
	}
	return f
}

// Append appends the text at a place of raw. ok is false if it is written with a malformed escape.
func (f Form) Append(dst, raw []byte, at llm.Span) (_ []byte, ok bool) {
	switch f {
	case Quoted:
		return llm.AppendUnescaped(dst, raw[at.Start+1:at.End-1])
	case Bare:
		return append(dst, raw[at.Start:at.End]...), true
	}
	from := len(dst)
	if dst, ok = llm.AppendUnescaped(dst, raw[at.Start:at.End]); !ok || f == InnerBare {
		return dst, ok
	}
	inner := dst[from+1 : len(dst)-1]
	dst, _ = appendInner(dst[:from], inner, true) // in place: what it appends is never longer than what it has read
	return dst, true
}

// Encode appends a text as it is written. A number that became a text which is none is a string from then on.
func (f Form) Encode(dst []byte, text string) []byte {
	switch f {
	case Quoted:
		return llm.AppendQuoted(dst, text)
	case Bare:
		return appendBare(dst, text)
	case InnerQuoted:
		return appendInside(dst, llm.AppendQuoted(nil, text))
	}
	return appendInside(dst, appendBare(nil, text))
}

// appendBare appends a text that stands in the place of a number.
func appendBare(dst []byte, text string) []byte {
	if isNumber(text) {
		return append(dst, text...)
	}
	return llm.AppendQuoted(dst, text)
}

// appendInside appends a text as it stands inside a JSON string.
func appendInside(dst, text []byte) []byte {
	from := len(dst)
	dst = appendQuoted(dst, text)
	copy(dst[from:], dst[from+1:])
	return dst[:len(dst)-2]
}

// appendInner is llm.AppendUnescaped for a string that a model wrote: an escape that there is none of stays as it is. With
// more to come, it leaves as rest what may be the beginning of an escape.
func appendInner(dst, s []byte, final bool) (_, rest []byte) {
	for {
		n := bytes.IndexByte(s, '\\')
		if n < 0 {
			return append(dst, s...), nil
		}
		dst, s = append(dst, s[:n]...), s[n:]
		size := escapeSize(s)
		if size > len(s) {
			if !final {
				return dst, s
			}
			size = min(len(s), 6)
		}
		var buf [12]byte // dst may be what s stands in
		text, ok := llm.AppendUnescaped(buf[:0], s[:size])
		if !ok {
			text, size = append(buf[:0], '\\'), 1
		}
		dst, s = append(dst, text...), s[size:]
	}
}

// escapeSize is how many bytes an escape takes, as far as its beginning tells: one half of a surrogate pair takes the other
// one along.
func escapeSize(s []byte) int {
	switch {
	case len(s) < 2:
		return 2
	case s[1] != 'u':
		return 2
	case len(s) < 6 || s[2]|0x20 != 'd' || !high(s[3]) || len(s) > 6 && s[6] != '\\' || len(s) > 7 && s[7] != 'u':
		return 6
	}
	return 12
}

func high(c byte) bool { return c == '8' || c == '9' || c|0x20 == 'a' || c|0x20 == 'b' }

// argScan follows the JSON of a call's arguments byte by byte. It knows what is text and what holds it together, and leaves
// the rest of the grammar to whoever parses it.
type argScan struct {
	nest []byte // '{' or '[' of each level, as far as they are kept
	deep int    // levels beyond
	in   bool   // a string is under way
	esc  bool   // and an escape in it
	name bool   // the string names a member
	want bool   // the next one does
}

// maxArgNest is how many levels of arguments are kept apart. Further in, names of members count as values.
const maxArgNest = 64

// argEvent is what a byte of arguments is.
type argEvent uint8

const (
	argRest  argEvent = iota // brackets, commas, colons, white space
	argOpen                  // the quote in front of a string
	argText                  // within a string
	argClose                 // the quote behind it
	argBare                  // of a number, true, false or null
	argWild                  // what has no place in JSON
)

func (s *argScan) step(c byte) argEvent {
	if s.in {
		switch {
		case s.esc:
			s.esc = false
		case c == '\\':
			s.esc = true
		case c == '"':
			s.in = false
			return argClose
		}
		return argText
	}
	switch c {
	case '"':
		s.in, s.name = true, s.want
		return argOpen
	case '{', '[':
		s.want = c == '{'
		if len(s.nest) == maxArgNest {
			s.deep++
			s.want = false
			return argRest
		}
		s.nest = append(s.nest, c)
	case '}', ']':
		s.want = false
		if s.deep > 0 {
			s.deep--
		} else if n := len(s.nest); n > 0 {
			s.nest = s.nest[:n-1]
		}
	case ',':
		s.want = s.deep == 0 && len(s.nest) > 0 && s.nest[len(s.nest)-1] == '{'
	case ':':
		s.want = false
	case ' ', '\t', '\n', '\r':
	case '+', '-', '.':
		return argBare
	default:
		if wordByte(c) {
			return argBare
		}
		return argWild
	}
	return argRest
}

// another reports whether what follows a byte between texts is no value of the member named last.
func (s *argScan) another(c byte) bool { return c == ',' && s.want || c == '{' || c == '}' }

// minDigits is how many digits a number in arguments has at least to count as a text: as many as the shortest that stand for
// somebody or something.
const minDigits = 7

// bareKind says what a token without quotes is.
func bareKind(s []byte) (number, known bool) {
	switch string(s) {
	case "true", "false", "null":
		return false, true
	}
	if !isNumber(unsafe.String(unsafe.SliceData(s), len(s))) {
		return false, false
	}
	digits := 0
	for _, c := range s {
		if '0' <= c && c <= '9' {
			digits++
		}
	}
	return digits >= minDigits, true
}

// isNumber reports whether a text is a JSON number.
func isNumber(s string) bool {
	digits := func() bool {
		n := 0
		for n < len(s) && '0' <= s[n] && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	if s != "" && s[0] == '-' {
		s = s[1:]
	}
	if len(s) > 1 && s[0] == '0' && '0' <= s[1] && s[1] <= '9' || !digits() {
		return false
	}
	if s != "" && s[0] == '.' {
		if s = s[1:]; !digits() {
			return false
		}
	}
	if s != "" && s[0]|0x20 == 'e' {
		if s = s[1:]; s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return s == ""
}

// argPlace is a text of arguments: names of members, strings, and numbers that are long enough. key is the name of the
// member that has the text as its value, written in the same form as a string, or nothing.
type argPlace struct {
	at, key llm.Span
	form    Form
}

// arguments lists the texts of a call's arguments, the value at a place of b. Arguments are JSON in a string; some callers
// and vendors have the JSON itself there. What is no JSON is one text.
func arguments(dst []argPlace, b []byte, at llm.Span) []argPlace {
	if at.End-at.Start < 2 {
		return dst
	}
	inner := b[at.Start] == '"'
	w := argWalk{b: b, i: at.Start, end: at.End, inner: inner, list: dst}
	if inner {
		w.i, w.end = at.Start+1, at.End-1
	}
	if w.run() {
		return w.list
	}
	dst = w.list[:len(dst)]
	if inner && w.end > at.Start+1 {
		dst = append(dst, argPlace{at: at})
	}
	return dst
}

// argWalk walks whole arguments.
type argWalk struct {
	b      []byte
	i, end int
	inner  bool
	list   []argPlace
	scan   argScan
	key    llm.Span
}

// next is the byte of the JSON text at i, and how many bytes of b it takes. What is no ASCII is some byte above.
func (w *argWalk) next() (c byte, n int) {
	c = w.b[w.i]
	if c != '\\' || !w.inner {
		return c, 1
	}
	n = min(escapeSize(w.b[w.i:w.end]), w.end-w.i)
	var buf [12]byte
	text, ok := llm.AppendUnescaped(buf[:0], w.b[w.i:w.i+n])
	if !ok || len(text) == 0 {
		return 0, 1
	}
	return text[0], n
}

// run reports whether the arguments are JSON.
func (w *argWalk) run() bool {
	quoted, bare := Quoted, Bare
	if w.inner {
		quoted, bare = InnerQuoted, InnerBare
	}
	from, token := 0, -1
	for w.i < w.end {
		c, n := w.next()
		e := w.scan.step(c)
		if e != argBare && token >= 0 {
			if !w.bare(token, bare) {
				return false
			}
			token = -1
		}
		switch e {
		case argOpen:
			from = w.i
		case argClose:
			w.string(llm.Span{Start: from, End: w.i + n}, n, quoted)
		case argBare:
			if token < 0 {
				token = w.i
			}
		case argRest:
			if w.scan.another(c) {
				w.key = llm.Span{}
			}
		case argWild:
			return false
		}
		w.i += n
	}
	return !w.scan.in && (token < 0 || w.bare(token, bare)) && len(w.list) <= MaxTexts
}

// string takes a string; quote is how many bytes its last quote takes.
func (w *argWalk) string(at llm.Span, quote int, form Form) {
	if w.scan.name {
		w.key = at
	}
	if at.End-at.Start <= 2*quote {
		return
	}
	p := argPlace{at: at, form: form}
	if !w.scan.name {
		p.key = w.key
	}
	w.list = append(w.list, p)
}

func (w *argWalk) bare(from int, form Form) (known bool) {
	var buf [32]byte
	text, ok := form.Append(buf[:0], w.b, llm.Span{Start: from, End: w.i})
	number, known := bareKind(text)
	if ok && number {
		w.list = append(w.list, argPlace{at: llm.Span{Start: from, End: w.i}, key: w.key, form: form})
	}
	return ok && known
}

// calls lists the calls of tools in a message: a list of them, or the one that older requests and answers have.
func calls(dst []callPiece, outer *dialect.Cursor, legacy bool) ([]callPiece, error) {
	if legacy {
		p := callPiece{way: legacyCall}
		if outer.First() != '{' {
			return dst, nil
		}
		err := p.function(outer)
		return append(dst, p), err
	}
	if outer.First() != '[' {
		return dst, nil
	}
	c := outer.Enter()
	for n := 0; c.Next(); n++ {
		if c.First() != '{' {
			continue
		}
		p := callPiece{number: n, index: n}
		if err := p.call(&c); err != nil {
			return dst, err
		}
		if dst = append(dst, p); len(dst) > MaxTexts {
			return dst, errTexts
		}
	}
	if c.Broken() {
		return dst, errJSON
	}
	outer.Leave(&c)
	return dst, nil
}

// callWay is how a call is written.
type callWay uint8

const (
	functionCall callWay = iota // tool_calls[].function.arguments
	customCall                  // tool_calls[].custom.input, which is no JSON
	legacyCall                  // function_call.arguments
)

// callPiece is a call of a tool, or what a chunk adds to one.
type callPiece struct {
	at     llm.Span // of the arguments; empty if there are none
	number int      // place in the list
	index  int      // what the call says its place is
	id     llm.Span
	named  bool
	way    callWay
	more   bool // it says something besides arguments
}

func (p *callPiece) call(outer *dialect.Cursor) error {
	c := outer.Enter()
	seen := 0
	for c.Next() {
		which := 0
		switch key := c.Key(); string(key) {
		case "index":
			p.index = int(min(max(dialect.Int(c.Value()), 0), 1<<20))
		case "id":
			if p.more = p.more || c.First() == '"'; c.First() == '"' {
				p.id = c.Span()
			}
		case "function":
			which = 1
			if c.First() == '{' {
				p.way = functionCall
				if err := p.function(&c); err != nil {
					return err
				}
			}
		case "custom":
			which = 2
			if c.First() == '{' {
				p.way = customCall
				if err := p.function(&c); err != nil {
					return err
				}
			}
		default:
			if bytes.IndexByte(key, '\\') >= 0 {
				return errEscapedKey
			}
			p.more = p.more || c.First() != 'n'
		}
		if seen&which != 0 || seen|which == 3 {
			return errTwice
		}
		seen |= which
	}
	if c.Broken() {
		return errJSON
	}
	outer.Leave(&c)
	return nil
}

// function reads the name and the arguments of a call.
func (p *callPiece) function(outer *dialect.Cursor) error {
	c := outer.Enter()
	seen := false
	for c.Next() {
		switch key := c.Key(); {
		case string(key) == "arguments" && p.way != customCall, string(key) == "input" && p.way == customCall:
			if seen {
				return errTwice
			}
			seen = true
			if first := c.First(); first == '"' || first == '{' || first == '[' {
				p.at = c.Span()
			}
		case string(key) == "name":
			p.named = c.First() == '"'
			p.more = p.more || p.named
		case bytes.IndexByte(key, '\\') >= 0:
			return errEscapedKey
		default:
			p.more = p.more || c.First() != 'n'
		}
	}
	if c.Broken() {
		return errJSON
	}
	outer.Leave(&c)
	return nil
}
