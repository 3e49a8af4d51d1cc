// Package dialect holds what the dialects below it share: a cursor that walks JSON in place, a builder, events of a
// stream, and what a message of a chat completion says. A dialect is the JSON shape of one public API; it reads and
// writes bytes and does no I/O.
package dialect

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Cursor steps through the members of one JSON object, or the elements of one array, without decoding or allocating.
// It is for bytes that are passed on anyway, such as a vendor's answer: it follows strings and brackets, and does not
// check what lies inside a value it steps over. Requests are checked by llm.Object.
//
//	for c := dialect.Object(data); c.Next(); { use(c.Key(), c.Value()) }
type Cursor struct {
	b      []byte
	i      int
	key    llm.Span
	value  llm.Span // End is 0 as long as nobody asked where the value ends
	end    byte     // '}' or ']'
	inner  bool     // part of another cursor's bytes: something follows the closing bracket
	begun  bool
	done   bool
	broken bool
}

// Object returns a cursor over the members of the object that b holds. If b holds something else, the cursor is broken.
func Object(b []byte) Cursor { return open(b, 0, '{') }

// Array returns a cursor over the elements of the array that b holds. If b holds something else, the cursor is broken.
func Array(b []byte) Cursor { return open(b, 0, '[') }

// Resume returns a cursor over the members of an object from the one whose key begins at the place on, as Place gave it
// for bytes with the same beginning.
func Resume(b []byte, at int) Cursor { return Cursor{b: b, i: at, end: '}'} }

// Place is where the key of the member begins, its quote included.
func (c *Cursor) Place() int { return c.key.Start - 1 }

func open(b []byte, at int, bracket byte) Cursor {
	c := Cursor{b: b, i: space(b, at), end: bracket + 2} // '}' and ']' are two above their opening
	if c.i == len(b) || b[c.i] != bracket {
		c.broken, c.done = true, true
		return c
	}
	c.i++
	return c
}

// Enter returns a cursor over the value that c stands at, without looking for its end first, so that each byte is
// looked at once. If the value is neither an object nor an array, the new cursor has no members and is broken. When it
// was walked to its end, Leave spares c the way.
func (c *Cursor) Enter() (inner Cursor) {
	c.Into(&inner)
	return inner
}

// Into is Enter for a cursor that is there already. Copying one costs as much as a few steps.
func (c *Cursor) Into(inner *Cursor) {
	bracket := c.First()
	if bracket != '{' && bracket != '[' {
		*inner = Cursor{done: true, broken: true}
		return
	}
	*inner = Cursor{b: c.b, i: c.value.Start + 1, end: bracket + 2, inner: true}
}

// Leave tells c how far a cursor from Enter came.
func (c *Cursor) Leave(inner *Cursor) {
	if inner.done && !inner.broken && c.value.End == 0 {
		c.value.End = inner.i
	}
}

// First returns the first byte of the value, which tells its type.
func (c *Cursor) First() byte {
	if c.value.Start < len(c.b) {
		return c.b[c.value.Start]
	}
	return 0
}

// Next steps to the next member or element. It returns false at the end, and when the JSON is broken.
func (c *Cursor) Next() bool {
	if c.done {
		return false
	}
	b, i := c.b, c.i
	if c.begun {
		if !c.measure() {
			return false
		}
		i = c.i
	}
	i = space(b, i)
	if i == len(b) {
		return c.fail()
	}
	if b[i] == c.end {
		return c.finish(i + 1)
	}
	if c.begun {
		if b[i] != ',' {
			return c.fail()
		}
		i = space(b, i+1)
	}
	c.begun = true
	if c.end == '}' {
		if i == len(b) || b[i] != '"' {
			return c.fail()
		}
		n := skipString(b, i)
		if n < 0 {
			return c.fail()
		}
		c.key = llm.Span{Start: i + 1, End: n - 1}
		i = space(b, n)
		if i == len(b) || b[i] != ':' {
			return c.fail()
		}
		i = space(b, i+1)
	}
	if i == len(b) || !begins(b[i]) {
		return c.fail()
	}
	c.i = i
	c.value = llm.Span{Start: i}
	return true
}

// measure finds the end of the value.
func (c *Cursor) measure() bool {
	if c.value.End == 0 {
		n := skip(c.b, c.value.Start)
		if n < 0 {
			c.value.End = c.value.Start
			return c.fail()
		}
		c.value.End = n
	}
	c.i = c.value.End
	return true
}

// Key returns the key of the member, without its quotes and with its escapes. It borrows the cursor's bytes.
func (c *Cursor) Key() []byte { return c.b[c.key.Start:c.key.End] }

// KeySpan returns the place of the member's name in the cursor's bytes, with its quotes. Of an element it is empty.
func (c *Cursor) KeySpan() llm.Span {
	if c.end != '}' {
		return llm.Span{}
	}
	return llm.Span{Start: c.key.Start - 1, End: c.key.End + 1}
}

// Value returns the value as written. If the bytes end within it, what it returns is empty, and Next will return false.
// It borrows the cursor's bytes.
func (c *Cursor) Value() []byte {
	at := c.Span()
	return c.b[at.Start:at.End]
}

// Span returns the place of the value in the cursor's bytes.
func (c *Cursor) Span() llm.Span {
	c.measure()
	return c.value
}

// Broken reports whether the bytes are not what the cursor was opened for: another kind of value, brackets or strings
// that do not close, or something behind the closing bracket. It is known once Next returned false.
func (c *Cursor) Broken() bool { return c.broken }

func (c *Cursor) fail() bool {
	c.broken, c.done = true, true
	return false
}

func (c *Cursor) finish(i int) bool {
	c.done = true
	c.i = i
	if !c.inner {
		c.broken = space(c.b, i) != len(c.b)
	}
	return false
}

func space(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' {
		i++
	}
	return i
}

// skip returns the place behind the value at i, or -1 if it does not end.
func skip(b []byte, i int) int {
	if i == len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	start := i
	for i < len(b) && scalar(b[i]) {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// begins reports whether a value can begin with c.
func begins(c byte) bool { return c == '"' || c == '{' || c == '[' || scalar(c) }

// scalar reports whether c can be part of a number or a literal.
func scalar(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'E'
}

func skipNested(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = skipString(b, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

// skipString returns the place behind the string whose opening quote is at i, or -1 if it does not end. Keys and names
// are short and most of what there is, so the first bytes are looked at eight at a time; a long text is left to IndexByte.
func skipString(b []byte, i int) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
		near  = 32
	)
	start := i
	i++
	for i+8 <= len(b) && i-start < near {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash := x^'"'*ones, x^'\\'*ones
		// The lowest bit that is set is right; those above it may not be.
		found := ((quote-ones)&^quote | (slash-ones)&^slash) & highs
		if found != 0 {
			i += bits.TrailingZeros64(found) / 8
			if b[i] == '"' {
				return i + 1
			}
			break
		}
		i += 8
	}
	return skipLong(b, start, i)
}

// skipLong is skipString from i on.
func skipLong(b []byte, start, i int) int {
	for {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n + 1
		slashes := 0
		for j := i - 2; j > start && b[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
	}
}

// Get returns the value of the first member with the key as written, or nil if there is none or b is not an object.
func Get(b []byte, key string) []byte {
	c := Object(b)
	for c.Next() {
		if string(c.Key()) == key {
			return c.Value()
		}
	}
	return nil
}

// Int returns the integer that raw holds, or 0 if it holds anything else. A fraction is cut off. Values beyond the
// range of a token count, 2^53, are 0 as well.
func Int(raw []byte) int64 {
	var n int64
	for i, c := range raw {
		if c < '0' || c > '9' {
			if i > 0 && c == '.' {
				return n
			}
			return 0
		}
		n = n*10 + int64(c-'0')
		if n > 1<<53 {
			return 0
		}
	}
	return n
}

// Null reports whether raw is absent or the literal null.
func Null(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" }
