package llm

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Limits of what Object.Parse accepts.
const (
	MaxDepth   = 512 // levels of nesting
	MaxMembers = 512 // members of the outermost object
)

// Span is a range of bytes, end exclusive.
type Span struct{ Start, End int }

// Member is the place of one top-level member: the key without its quotes, and the value as written.
type Member struct{ Key, Value Span }

// Object is a JSON object as it was received, with the place of each top-level member. It is read and patched without
// being decoded, so what nobody touches survives byte for byte. Parsing a 2 KB chat request costs well under a
// microsecond and allocates nothing once the member list has grown.
//
// The object borrows the bytes it was given.
type Object struct {
	raw     []byte
	members []Member
}

// SyntaxError says where and why bytes are not an object that can be used.
type SyntaxError struct {
	Offset int
	Msg    string
}

// Error describes the mistake.
func (e *SyntaxError) Error() string { return fmt.Sprintf("%s (at byte %d)", e.Msg, e.Offset) }

// Raw returns the whole object as received.
func (o *Object) Raw() []byte { return o.raw }

// Members returns the top-level members in order. The list is valid until the next Parse.
func (o *Object) Members() []Member { return o.members }

// Key returns the key of a member.
func (o *Object) Key(m Member) []byte { return o.raw[m.Key.Start:m.Key.End] }

// Value returns the value of a member as written.
func (o *Object) Value(m Member) []byte { return o.raw[m.Value.Start:m.Value.End] }

// Reset forgets the bytes and keeps the member list for reuse.
func (o *Object) Reset() { o.raw, o.members = nil, o.members[:0] }

// Parse reads raw, which must be one JSON object and nothing else. It refuses what two parsers could read differently:
// a top-level key that appears twice or is written with escapes. It checks the structure down to every bracket, comma,
// literal and number, but not the characters inside strings.
func (o *Object) Parse(raw []byte) error {
	o.raw, o.members = raw, o.members[:0]
	s := scanner{b: raw}
	s.space()
	if s.i == len(raw) {
		return s.fail("the body is empty, a JSON object was expected")
	}
	if raw[s.i] != '{' {
		return s.fail("the body is not a JSON object")
	}
	s.i++
	s.space()
	if s.peek() == '}' {
		s.i++
		return s.end()
	}
	for {
		m, err := s.member()
		if err != nil {
			return err
		}
		if o.find(raw[m.Key.Start:m.Key.End]) >= 0 {
			return &SyntaxError{m.Key.Start, fmt.Sprintf("the key %q appears twice", clip(o.Key(m)))}
		}
		if len(o.members) == MaxMembers {
			return &SyntaxError{m.Key.Start, "the object has more than " + strconv.Itoa(MaxMembers) + " members"}
		}
		o.members = append(o.members, m)
		s.space()
		switch s.peek() {
		case ',':
			s.i++
			s.space()
		case '}':
			s.i++
			return s.end()
		default:
			return s.fail("a comma or closing brace was expected")
		}
	}
}

func clip(b []byte) []byte { return b[:min(len(b), 64)] }

func (o *Object) find(key []byte) int {
	for i := range o.members {
		k := o.members[i].Key
		if k.End-k.Start == len(key) && string(o.raw[k.Start:k.End]) == string(key) {
			return i
		}
	}
	return -1
}

// Index returns the place of the member in Members, or -1.
func (o *Object) Index(key string) int {
	for i := range o.members {
		k := o.members[i].Key
		if k.End-k.Start == len(key) && string(o.raw[k.Start:k.End]) == key {
			return i
		}
	}
	return -1
}

// Get returns the value of the top-level member as written, or nil. The slice is borrowed.
func (o *Object) Get(key string) []byte {
	if i := o.Index(key); i >= 0 {
		return o.Value(o.members[i])
	}
	return nil
}

// Edit replaces, adds or removes one top-level member.
type Edit struct {
	Key   string
	Value []byte // JSON; nil removes the member
}

// MaxEdits is how many edits one Splice takes.
const MaxEdits = 64

type placed struct {
	at    int
	value []byte
}

// Splice appends to dst the pieces that, written one after another, are the object with the edits made. Untouched
// members keep their bytes. Members that are new come first. No key may appear twice in edits; over MaxEdits edits it
// panics. The pieces borrow the object and the edits.
func (o *Object) Splice(dst [][]byte, edits []Edit) [][]byte {
	var found [MaxEdits]placed
	n := 0
	var added bool
	for _, e := range edits {
		at := o.Index(e.Key)
		if at < 0 {
			added = added || e.Value != nil
			continue
		}
		i := n
		for ; i > 0 && found[i-1].at > at; i-- {
			found[i] = found[i-1]
		}
		found[i] = placed{at, e.Value}
		n++
	}
	if n == 0 && !added {
		return append(dst, o.raw)
	}
	w := splicer{o: o, dst: append(dst, openBrace)}
	if added {
		for _, e := range edits {
			if e.Value != nil && o.Index(e.Key) < 0 {
				w.add(e)
			}
		}
	}
	w.members(found[:n])
	return append(w.dst, closeBrace)
}

// The pieces below are shared and never written to.
var (
	openBrace  = []byte("{")
	closeBrace = []byte("}")
	comma      = []byte(",")
)

type splicer struct {
	o       *Object
	dst     [][]byte
	written bool
}

func (w *splicer) separate() {
	if w.written {
		w.dst = append(w.dst, comma)
	}
	w.written = true
}

func (w *splicer) add(e Edit) {
	w.separate()
	key := append(AppendQuoted(make([]byte, 0, len(e.Key)+3), e.Key), ':')
	w.dst = append(w.dst, key, e.Value)
}

// members writes the members of the object; runs of untouched ones go out as one piece.
func (w *splicer) members(edits []placed) {
	from := 0
	for _, e := range edits {
		w.run(from, e.at)
		from = e.at + 1
		if e.value == nil {
			continue
		}
		m := w.o.members[e.at]
		w.separate()
		w.dst = append(w.dst, w.o.raw[m.Key.Start-1:m.Value.Start], e.value)
	}
	w.run(from, len(w.o.members))
}

func (w *splicer) run(from, to int) {
	if from >= to {
		return
	}
	w.separate()
	w.dst = append(w.dst, w.o.raw[w.o.members[from].Key.Start-1:w.o.members[to-1].Value.End])
}

// AppendQuoted appends s as a JSON string. Bytes that are not UTF-8 become the replacement character.
func AppendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, c)
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// Text returns the value of a JSON string without its quotes. It borrows raw when there is nothing to decode. ok is
// false if raw is not a string.
func Text(raw []byte) (s []byte, ok bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return nil, false
	}
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	s, err := unescape(make([]byte, 0, len(inner)), inner)
	return s, err == nil
}
