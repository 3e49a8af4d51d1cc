package cache

import (
	"bytes"
	"slices"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// canon writes JSON in one form: no white space, members in the order of their keys, strings with as few escapes as there
// can be. Two documents that say the same in another order or spacing come out the same. Numbers stay as they were written.
//
// The input has been parsed as part of a request, so it is well-formed.
type canon struct {
	out  []byte
	swap []byte
	list []member // of the objects that are open, one behind the other
}

// member is one member of an object as it was written: the place of its key, without quotes, and its end.
type member struct{ key, keyEnd, end int }

// value appends the canonical form of a value.
func (c *canon) value(raw []byte) { c.next(raw, skip(raw, 0)) }

// next writes the value at i and returns where it ends.
func (c *canon) next(b []byte, i int) int {
	if i >= len(b) {
		return i
	}
	switch b[i] {
	case '{':
		return c.object(b, i)
	case '[':
		return c.array(b, i)
	case '"':
		end := stringEnd(b, i)
		c.text(b[i:end])
		return end
	}
	start := i
	for i < len(b) && !delimits(b[i]) {
		i++
	}
	c.out = append(c.out, b[start:i]...)
	return max(i, start+1)
}

func (c *canon) array(b []byte, i int) int {
	c.out = append(c.out, '[')
	i = skip(b, i+1)
	for i < len(b) && b[i] != ']' {
		i = skip(b, c.next(b, i))
		if i < len(b) && b[i] == ',' {
			c.out = append(c.out, ',')
			i = skip(b, i+1)
		}
	}
	c.out = append(c.out, ']')
	return i + 1
}

func (c *canon) object(b []byte, i int) int {
	c.out = append(c.out, '{')
	first, start := len(c.list), len(c.out)
	sorted := true
	i = skip(b, i+1)
	for i < len(b) && b[i] == '"' {
		m := member{key: len(c.out) + 1}
		end := stringEnd(b, i)
		c.text(b[i:end])
		m.keyEnd = len(c.out) - 1
		c.out = append(c.out, ':')
		i = skip(b, end)
		if i < len(b) && b[i] == ':' {
			i = skip(b, i+1)
		}
		i = skip(b, c.next(b, i))
		c.out = append(c.out, ',')
		m.end = len(c.out)
		if n := len(c.list); n > first {
			last := c.list[n-1]
			sorted = sorted && bytes.Compare(c.out[last.key:last.keyEnd], c.out[m.key:m.keyEnd]) <= 0
		}
		c.list = append(c.list, m)
		if i < len(b) && b[i] == ',' {
			i = skip(b, i+1)
		}
	}
	if !sorted {
		c.sort(c.list[first:], start)
	}
	c.list = c.list[:first]
	if len(c.out) > start {
		c.out = c.out[:len(c.out)-1] // the last comma
	}
	c.out = append(c.out, '}')
	return i + 1
}

// sort puts the members that were written from start on into the order of their keys. Those with the same key keep theirs,
// because parsers look at it.
func (c *canon) sort(members []member, start int) {
	slices.SortStableFunc(members, func(a, b member) int {
		return bytes.Compare(c.out[a.key:a.keyEnd], c.out[b.key:b.keyEnd])
	})
	c.swap = c.swap[:0]
	for _, m := range members {
		c.swap = append(c.swap, c.out[m.key-1:m.end]...)
	}
	copy(c.out[start:], c.swap)
}

// text writes a string, given with its quotes.
func (c *canon) text(s []byte) {
	if bytes.IndexByte(s, '\\') < 0 {
		c.out = append(c.out, s...)
		return
	}
	start := len(c.swap)
	var ok bool
	if c.swap, ok = llm.AppendUnescaped(c.swap, s[1:len(s)-1]); !ok || bytes.Contains(c.swap[start:], replacement()) {
		// Half of a surrogate pair has no other form.
		c.out = append(c.out, s...)
	} else {
		c.out = llm.AppendQuoted(c.out, string(c.swap[start:]))
	}
	c.swap = c.swap[:start]
}

func replacement() []byte { return []byte("\ufffd") }

func skip(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

func delimits(c byte) bool {
	switch c {
	case ',', ']', '}', ':', '"', '[', '{', ' ', '\n', '\t', '\r':
		return true
	}
	return false
}

// stringEnd is where the string that begins at i ends, its closing quote included.
func stringEnd(b []byte, i int) int {
	start := i
	for i++; ; i++ {
		n := bytes.IndexByte(b[min(i, len(b)):], '"')
		if n < 0 {
			return len(b)
		}
		i += n
		slashes := 0
		for j := i - 1; j > start && b[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
}
