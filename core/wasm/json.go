package wasm

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// errJSON: bytes that should have been checked by llm.Object are not JSON.
var errJSON = errors.New("malformed JSON")

// cursor walks JSON whose structure llm.Object has checked. On anything else it stops with ok false and never panics.
type cursor struct {
	b  []byte
	i  int
	ok bool
}

func newCursor(b []byte, start int) cursor {
	c := cursor{b, start, true}
	c.space()
	return c
}

func (c *cursor) peek() byte {
	if c.i < len(c.b) {
		return c.b[c.i]
	}
	return 0
}

func (c *cursor) fail() {
	c.ok, c.i = false, len(c.b)
}

func (c *cursor) space() {
	for c.i < len(c.b) && c.b[c.i] <= ' ' {
		c.i++
	}
}

// str skips a string and returns its place with the quotes.
func (c *cursor) str() (s llm.Span) {
	if c.peek() != '"' {
		c.fail()
		return s
	}
	s.Start = c.i
	c.i++
	for {
		n := bytes.IndexByte(c.b[c.i:], '"')
		if n < 0 {
			c.fail()
			return s
		}
		c.i += n + 1
		slashes := 0
		for j := c.i - 2; j > s.Start && c.b[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			s.End = c.i
			c.space()
			return s
		}
	}
}

// value skips one value and returns its place.
func (c *cursor) value() (v llm.Span) {
	v.Start = c.i
	switch c.peek() {
	case '"':
		return c.str()
	case '{', '[':
		c.container()
		v.End = c.i
		c.space()
		return v
	}
	for c.i < len(c.b) && scalarByte(c.b[c.i]) {
		c.i++
	}
	v.End = c.i
	if v.End == v.Start {
		c.fail()
	}
	c.space()
	return v
}

func scalarByte(b byte) bool {
	return 'a' <= b && b <= 'z' || '0' <= b && b <= '9' || b == '-' || b == '+' || b == '.' || b == 'E'
}

func (c *cursor) container() {
	depth := 0
	for c.i < len(c.b) {
		switch c.b[c.i] {
		case '"':
			c.str()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		c.i++
		if depth == 0 {
			return
		}
	}
	c.fail()
}

// enter steps into a container and reports whether something is in it.
func (c *cursor) enter(open byte) bool {
	if c.peek() != open {
		c.fail()
		return false
	}
	c.i++
	c.space()
	if c.peek() == open+2 { // '}' and ']' are two above their opening
		c.i++
		c.space()
		return false
	}
	return c.ok
}

// next steps over a comma, or out of the container, and reports whether another item follows.
func (c *cursor) next(open byte) bool {
	switch c.peek() {
	case ',':
		c.i++
		c.space()
		return c.ok
	case open + 2:
		c.i++
		c.space()
		return false
	}
	c.fail()
	return false
}

// key reads the key of a member, with its quotes, and the colon.
func (c *cursor) key() []byte {
	k := c.str()
	if c.peek() != ':' {
		c.fail()
		return nil
	}
	c.i++
	c.space()
	return c.b[k.Start:k.End]
}

// appendUnescaped appends the text of a JSON string, given without its quotes. ok is false if an escape is malformed.
// A lone surrogate becomes the replacement character.
func appendUnescaped(dst, s []byte) (_ []byte, ok bool) {
	for {
		n := bytes.IndexByte(s, '\\')
		if n < 0 {
			return append(dst, s...), true
		}
		dst = append(dst, s[:n]...)
		s = s[n+1:]
		if len(s) == 0 {
			return dst, false
		}
		if s[0] == 'u' {
			r, size := unicodeEscape(s[1:])
			if size == 0 {
				return dst, false
			}
			dst, s = utf8.AppendRune(dst, r), s[1+size:]
			continue
		}
		c := escaped(s[0])
		if c == 0 {
			return dst, false
		}
		dst, s = append(dst, c), s[1:]
	}
}

func escaped(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

// unicodeEscape reads the digits behind \u, and the second half of a surrogate pair. size is 0 on a mistake.
func unicodeEscape(s []byte) (r rune, size int) {
	r, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(s) >= 10 && s[4] == '\\' && s[5] == 'u' {
		if low, ok := hex4(s[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 10
			}
		}
	}
	return utf8.RuneError, 4
}

func hex4(s []byte) (r rune, ok bool) {
	if len(s) < 4 {
		return 0, false
	}
	for _, c := range s[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// findValue returns the value at a path such as "metadata.tags.0", or nil if there is none. A backslash takes the
// meaning from a dot or backslash in a name. Of members with the same name, the first counts.
func findValue(o *llm.Object, path string) ([]byte, error) {
	name, rest, more, err := step(path)
	if err != nil {
		return nil, err
	}
	v := o.Get(name)
	for more && v != nil {
		if name, rest, more, err = step(rest); err != nil {
			return nil, err
		}
		if v, err = inside(v, name); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// step cuts the first name off a path.
func step(path string) (name, rest string, more bool, err error) {
	var b []byte
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && i+1 < len(path):
			i++
			b = append(b, path[i])
		case c == '\\':
			return "", "", false, errors.New("the path ends in a backslash")
		case c == '.':
			return string(b), path[i+1:], true, nil
		default:
			b = append(b, c)
		}
	}
	return string(b), "", false, nil
}

// inside returns the member or item of a container, or nil.
func inside(v []byte, name string) ([]byte, error) {
	c := newCursor(v, 0)
	switch c.peek() {
	case '{':
		for more := c.enter('{'); more; more = c.next('{') {
			key := c.key()
			s := c.value()
			if c.ok && keyIs(key, name) {
				return v[s.Start:s.End], nil
			}
		}
	case '[':
		index, err := strconv.Atoi(name)
		if err != nil || index < 0 {
			return nil, nil
		}
		for more := c.enter('['); more; more = c.next('[') {
			s := c.value()
			if c.ok && index == 0 {
				return v[s.Start:s.End], nil
			}
			index--
		}
	default:
		return nil, nil
	}
	if !c.ok {
		return nil, errJSON
	}
	return nil, nil
}

// keyIs compares a key, given with its quotes, with a name.
func keyIs(key []byte, name string) bool {
	if len(key) < 2 {
		return false
	}
	key = key[1 : len(key)-1]
	if bytes.IndexByte(key, '\\') < 0 {
		return string(key) == name
	}
	text, ok := appendUnescaped(nil, key)
	return ok && string(text) == name
}
