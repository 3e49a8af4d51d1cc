package dialect

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// A path joins the names of members and the indexes of list elements by dots: "metadata.tags.0". A backslash takes the
// meaning from a dot or backslash in a name.

// Why a path cannot be followed.
var (
	errBroken = errors.New("malformed JSON")
	errSlash  = errors.New("the path ends in a backslash")
)

// Lookup returns the value at a path in o, as written, or nil if there is none. It borrows o. Of members with the same
// name, the first counts.
func Lookup(o *llm.Object, path string) ([]byte, error) {
	name, rest, more, err := step(path)
	if err != nil {
		return nil, err
	}
	v := o.Get(name)
	if v == nil || !more {
		return v, nil
	}
	return Find(v, rest)
}

// Find returns the value at a path in b, as written, or nil if there is none. It borrows b.
func Find(b []byte, path string) ([]byte, error) {
	v, more := b, true
	for more && v != nil {
		name, rest, again, err := step(path)
		if err != nil {
			return nil, err
		}
		path, more = rest, again
		at, found, err := inside(v, name, false)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, nil
		}
		v = v[at.Start:at.End]
	}
	return v, nil
}

// Set appends b to dst with value, which is JSON, at the path. Objects on the way that are missing or null are made; a
// list takes the index behind its last element. What two parsers could read differently, a name on the way that
// appears twice, is an error. dst must not overlap b.
func Set(dst, b []byte, path string, value []byte) ([]byte, error) {
	start := space(b, 0)
	at := llm.Span{Start: start, End: max(start, len(bytes.TrimRight(b, " \t\r\n")))}
	for more := true; more; {
		name, rest, again, err := step(path)
		if err != nil {
			return dst, err
		}
		v := b[at.Start:at.End]
		if string(v) == "null" {
			return splice(dst, b, at, wrap(nil, path, value)), nil
		}
		in, found, err := inside(v, name, true)
		if err != nil {
			return dst, err
		}
		if !found {
			return insert(dst, b, at, name, rest, again, value)
		}
		at = llm.Span{Start: at.Start + in.Start, End: at.Start + in.End}
		path, more = rest, again
	}
	return splice(dst, b, at, value), nil
}

// insert appends b to dst with a new last member or element in the container at a place.
func insert(dst, b []byte, at llm.Span, name, rest string, more bool, value []byte) ([]byte, error) {
	v := b[at.Start:at.End]
	if more {
		value = wrap(nil, rest, value)
	}
	open, c := byte('{'), Object(v)
	if len(v) > 0 && v[0] == '[' {
		open, c = '[', Array(v)
	}
	n, end := 0, 1
	for ; c.Next(); n++ {
		end = c.Span().End
	}
	switch {
	case len(v) == 0 || v[0] != open:
		return dst, fmt.Errorf("there is no object or list to hold %q", name)
	case c.Broken():
		return dst, errBroken
	case open == '[' && name != strconv.Itoa(n):
		return dst, fmt.Errorf("the list has %d elements and none at %q", n, name)
	}
	dst = append(dst, b[:at.Start+end]...)
	if n > 0 {
		dst = append(dst, ',')
	}
	if open == '{' {
		dst = append(llm.AppendQuoted(dst, name), ':')
	}
	dst = append(dst, value...)
	return append(dst, b[at.Start+end:]...), nil
}

// wrap appends a value with an object around it for each name of the path.
func wrap(dst []byte, path string, value []byte) []byte {
	depth := 0
	for more := true; more; depth++ {
		var name string
		name, path, more, _ = step(path) // Set has walked the path, or its beginning, and step fails at the end only
		dst = append(llm.AppendQuoted(append(dst, '{'), name), ':')
	}
	dst = append(dst, value...)
	for range depth {
		dst = append(dst, '}')
	}
	return dst
}

func splice(dst, b []byte, at llm.Span, value []byte) []byte {
	dst = append(dst, b[:at.Start]...)
	dst = append(dst, value...)
	return append(dst, b[at.End:]...)
}

// Remove appends b to dst without the member or element at the path. If there is none, b is appended as it is.
func Remove(dst, b []byte, path string) ([]byte, error) {
	at := llm.Span{Start: space(b, 0), End: len(b)}
	for {
		name, rest, more, err := step(path)
		if err != nil {
			return dst, err
		}
		v := b[at.Start:at.End]
		in, found, err := inside(v, name, true)
		if err != nil {
			return dst, err
		}
		if !found {
			return append(dst, b...), nil
		}
		if !more {
			cut := around(v, in)
			return splice(dst, b, llm.Span{Start: at.Start + cut.Start, End: at.Start + cut.End}, nil), nil
		}
		at = llm.Span{Start: at.Start + in.Start, End: at.Start + in.End}
		path = rest
	}
}

// around is the place of a member or element with its key and one comma.
func around(v []byte, in llm.Span) llm.Span {
	c := Object(v)
	if v[0] == '[' {
		c = Array(v)
	}
	last := -1 // end of the item before
	for c.Next() {
		at := c.Span()
		if at != in {
			last = at.End
			continue
		}
		start := in.Start
		if v[0] == '{' {
			start = c.key.Start - 1
		}
		if last >= 0 {
			return llm.Span{Start: last, End: in.End}
		}
		if c.Next() {
			next := c.value.Start
			if v[0] == '{' {
				next = c.key.Start - 1
			}
			return llm.Span{Start: start, End: next}
		}
		return llm.Span{Start: start, End: in.End}
	}
	return in
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
			return "", "", false, errSlash
		case c == '.':
			return string(b), path[i+1:], true, nil
		default:
			b = append(b, c)
		}
	}
	return string(b), "", false, nil
}

// inside returns the place of a member or element of a container. Once only, it makes a name that appears twice an
// error.
func inside(v []byte, name string, once bool) (at llm.Span, found bool, err error) {
	i := space(v, 0)
	if i == len(v) {
		return at, false, nil
	}
	switch v[i] {
	case '{':
		c := Object(v)
		for c.Next() {
			if !KeyIs(c.Key(), name) {
				continue
			}
			if found {
				return at, false, fmt.Errorf("the key %q appears twice", name)
			}
			if at, found = c.Span(), true; !once && !c.broken {
				return at, true, nil
			}
		}
		if c.Broken() {
			return at, false, errBroken
		}
	case '[':
		index, bad := strconv.Atoi(name)
		if bad != nil || index < 0 {
			return at, false, nil //nolint:nilerr // a list has no member of that name
		}
		c := Array(v)
		for ; c.Next(); index-- {
			if index == 0 && !c.broken {
				at = c.Span()
				return at, !c.broken, nil
			}
		}
		if c.Broken() {
			return at, false, errBroken
		}
	}
	return at, found, nil
}

// KeyIs compares a key, given without its quotes and with its escapes, with a name.
func KeyIs(key []byte, name string) bool {
	if bytes.IndexByte(key, '\\') < 0 {
		return string(key) == name
	}
	text, ok := llm.AppendUnescaped(nil, key)
	return ok && string(text) == name
}
