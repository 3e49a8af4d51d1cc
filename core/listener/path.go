package listener

import "strings"

// A path that a proxy in front and this gateway could read differently is refused before anything is decided on it.
// What passes is canonical: routing and every check use the same bytes.
const (
	errPathSegment = "The path has an empty, \".\" or \"..\" segment. Send the plain path."
	errPathByte    = "The path has a character that does not belong there (';', '\\' or a control character)."
	errPathEscape  = "The path has a malformed or needless percent-encoding. Send plain characters plainly."
)

// canonical checks the path as it came over the wire, before any decoding, and cuts root, the prefix the gateway is
// served under, and one trailing slash off it. Percent-encodings stay as they are: a route matches plain characters
// only, and the value of a parameter is decoded by whoever reads it. mistake is empty for a good path.
func canonical(raw []byte, root string) (path []byte, mistake string) {
	if len(raw) == 0 || raw[0] != '/' {
		return nil, errPathSegment
	}
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '/':
			if dotted(raw[i+1:]) {
				return nil, errPathSegment
			}
		case c == '%':
			if len(raw)-i < 3 || !encodable(raw[i+1], raw[i+2]) {
				return nil, errPathEscape
			}
			if slash(raw[i:]) > 0 && dotted(raw[i+3:]) {
				return nil, errPathSegment
			}
			i += 2
		case c == ';' || c == '\\' || c < 0x21 || c == 0x7f:
			return nil, errPathByte
		}
	}
	if n := len(root); n > 0 && len(raw) >= n && string(raw[:n]) == root && (len(raw) == n || raw[n] == '/') {
		raw = raw[n:]
	}
	if len(raw) == 0 {
		return []byte("/"), ""
	}
	if len(raw) > 1 && raw[len(raw)-1] == '/' {
		raw = raw[:len(raw)-1]
	}
	return raw, ""
}

// dotted reports whether what follows a slash, plain or encoded, begins with an empty, "." or ".." segment. An empty
// one at the end is the trailing slash, which is fine.
func dotted(rest []byte) bool {
	dots := 0
	for dots < 2 && dots < len(rest) && rest[dots] == '.' {
		dots++
	}
	if len(rest) == dots {
		return dots > 0
	}
	return slash(rest[dots:]) > 0
}

// slash returns the length of a slash that b begins with: 1 plain, 3 encoded, 0 none.
func slash(b []byte) int {
	switch {
	case len(b) > 0 && b[0] == '/':
		return 1
	case len(b) > 2 && b[0] == '%' && b[1] == '2' && b[2]|0x20 == 'f':
		return 3
	}
	return 0
}

// encodable reports whether %hl is a well-formed encoding of a byte that may need one. Letters, digits, '.', '-', '_'
// and '~' never do, and control characters, '\' and '%' itself have no place in a path.
func encodable(h, l byte) bool {
	hi, lo := hexValue(h), hexValue(l)
	if hi < 0 || lo < 0 {
		return false
	}
	c := byte(hi<<4 | lo)
	if c < 0x20 || c == 0x7f || c == '%' || c == '\\' || c == ';' {
		return false
	}
	letter := c|0x20 >= 'a' && c|0x20 <= 'z'
	digit := c >= '0' && c <= '9'
	return !letter && !digit && c != '.' && c != '-' && c != '_' && c != '~'
}

func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// decode undoes the percent-encoding of a parameter taken from a canonical path.
func decode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			b = append(b, byte(hexValue(s[i+1])<<4|hexValue(s[i+2])))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}
