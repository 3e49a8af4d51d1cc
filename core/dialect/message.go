package dialect

import "github.com/sallyport-ai/sallyport/core/llm"

// Message reads the value that c stands at if it is a message as most are: a role and a text, in this order, and nothing
// else. Role and content are the places of the two strings in c's bytes, with their quotes. For any other value ok is false,
// which says nothing about it. It takes a third of the time of a cursor.
func (c *Cursor) Message() (role, content llm.Span, ok bool) {
	b, i := c.b, c.value.Start
	if role, i, ok = word(b, i, '{', `"role"`); !ok {
		return role, content, false
	}
	if content, i, ok = word(b, i, ',', `"content"`); !ok || i == len(b) || b[i] != '}' {
		return role, content, false
	}
	if c.value.End == 0 {
		c.value.End = i + 1
	}
	return role, content, true
}

// word reads a member whose value is a string, behind a sign, with at most one space in front of either. It returns the place
// of the value and the one behind it.
func word(b []byte, i int, sign byte, key string) (value llm.Span, end int, ok bool) {
	if i >= len(b) || b[i] != sign {
		return value, 0, false
	}
	if i++; i < len(b) && b[i] == ' ' {
		i++
	}
	if len(b)-i < len(key) || string(b[i:i+len(key)]) != key {
		return value, 0, false
	}
	if i += len(key); i == len(b) || b[i] != ':' {
		return value, 0, false
	}
	if i++; i < len(b) && b[i] == ' ' {
		i++
	}
	if i >= len(b) || b[i] != '"' {
		return value, 0, false
	}
	if end = skipString(b, i); end < 0 {
		return value, 0, false
	}
	return llm.Span{Start: i, End: end}, end, true
}
