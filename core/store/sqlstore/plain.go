package sqlstore

// plainJSON says that raw is JSON which needs no cleaning: ASCII without escapes, not deep. It looks at each byte once, which
// is a third of what encoding/json takes: what calls leave is almost always plain. What it does not know is for others to
// judge.
func plainJSON(raw []byte) bool {
	rest, ok := plainValue(plainSpace(raw), 0)
	return ok && len(rest) == 0
}

const plainDepth = 64

// plainValue skips a value and the space behind it.
func plainValue(b []byte, depth int) (rest []byte, ok bool) {
	if len(b) == 0 || depth > plainDepth {
		return nil, false
	}
	switch c := b[0]; {
	case c == '"':
		return plainText(b)
	case c == '{':
		return plainList(b[1:], '}', depth)
	case c == '[':
		return plainList(b[1:], ']', depth)
	case c == '-' || c >= '0' && c <= '9':
		return plainNumber(b)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(b) >= len(word) && string(b[:len(word)]) == word {
			return plainSpace(b[len(word):]), true
		}
	}
	return nil, false
}

// plainList skips the members of an object or an array, whose bracket is behind.
func plainList(b []byte, end byte, depth int) (rest []byte, ok bool) {
	b = plainSpace(b)
	if len(b) > 0 && b[0] == end {
		return plainSpace(b[1:]), true
	}
	for {
		if end == '}' {
			if b, ok = plainText(b); !ok || len(b) == 0 || b[0] != ':' {
				return nil, false
			}
			b = plainSpace(b[1:])
		}
		if b, ok = plainValue(b, depth+1); !ok || len(b) == 0 {
			return nil, false
		}
		last := b[0]
		b = plainSpace(b[1:])
		if last == end {
			return b, true
		}
		if last != ',' {
			return nil, false
		}
	}
}

func plainText(b []byte) (rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, false
	}
	for i, c := range b[1:] {
		switch {
		case c == '"':
			return plainSpace(b[i+2:]), true
		case c < ' ' || c == '\\' || c >= 0x7f:
			return nil, false
		}
	}
	return nil, false
}

// plainNumber skips an integer or a decimal fraction.
func plainNumber(b []byte) (rest []byte, ok bool) {
	if b[0] == '-' {
		b = b[1:]
	}
	n := digits(b)
	if n == 0 || n > 1 && b[0] == '0' {
		return nil, false
	}
	b = b[n:]
	if len(b) > 0 && b[0] == '.' {
		if n = digits(b[1:]); n == 0 {
			return nil, false
		}
		b = b[1+n:]
	}
	if len(b) > 0 && (b[0] == 'e' || b[0] == 'E') {
		return nil, false
	}
	return plainSpace(b), true
}

func digits(b []byte) int {
	for i, c := range b {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(b)
}

func plainSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\t' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}
