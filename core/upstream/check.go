package upstream

import (
	"github.com/sallyport-ai/sallyport/core/llm"
)

// checkCall refuses what would not be one well-formed request. Header values may come from callers (extra_headers), and
// a line break in one would begin a request of its own.
func checkCall(c *llm.Call) error {
	if !plain(c.Method) {
		return invalid("The method " + quote(c.Method) + " is not an HTTP method.")
	}
	if len(c.Path) == 0 || c.Path[0] != '/' {
		return invalid("The path of the call does not begin with a slash.")
	}
	for _, b := range c.Path {
		if b <= ' ' || b == 0x7f {
			return invalid("The path of the call holds a space or a control character.")
		}
	}
	for i := range c.Header {
		if err := checkField(&c.Header[i]); err != nil {
			return err
		}
	}
	return nil
}

func checkField(f *llm.Field) error {
	for _, b := range f.Name {
		if !isToken(b) {
			return invalid("The header name " + quote(string(f.Name)) + " holds a character that is not allowed there.")
		}
	}
	if len(f.Name) == 0 {
		return invalid("A header has no name.")
	}
	for _, b := range f.Value {
		if b < ' ' && b != '\t' || b == 0x7f {
			return invalid("The value of the header " + string(f.Name) + " holds a control character.")
		}
	}
	if ofConnection(f.Name) {
		return invalid("The header " + string(f.Name) + " cannot be set: it belongs to the connection.")
	}
	return nil
}

// ofConnection reports whether the line is for the transport to write, or for nobody.
func ofConnection(name []byte) bool {
	switch len(name) {
	case 2:
		return llm.EqualFold(name, "te")
	case 4:
		return llm.EqualFold(name, "host")
	case 7:
		return llm.EqualFold(name, "upgrade") || llm.EqualFold(name, "trailer")
	case 10:
		return llm.EqualFold(name, "connection") || llm.EqualFold(name, "keep-alive")
	case 14:
		return llm.EqualFold(name, "content-length")
	case 16:
		return llm.EqualFold(name, "proxy-connection")
	case 17:
		return llm.EqualFold(name, "transfer-encoding")
	case 19:
		return llm.EqualFold(name, "proxy-authorization")
	}
	return false
}

// isToken reports whether b may stand in a header name (RFC 9110, section 5.6.2).
func isToken(b byte) bool {
	switch {
	case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
		return true
	}
	switch b {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~':
		return true
	}
	return false
}

// plain reports whether s is visible ASCII and not empty.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}
