package llm

// Field is one header line. The slices are borrowed: they are valid as long as the message they came with, and a
// holder that keeps them longer copies them.
type Field struct {
	Name  []byte
	Value []byte
}

// Header is a list of header lines in the order they came. Names compare without regard to case.
type Header []Field

// Get returns the value of the first line with the name, or nil. It costs one pass over the list.
func (h Header) Get(name string) []byte {
	for i := range h {
		if EqualFold(h[i].Name, name) {
			return h[i].Value
		}
	}
	return nil
}

// Has reports whether a line with the name is present, even if its value is empty.
func (h Header) Has(name string) bool {
	for i := range h {
		if EqualFold(h[i].Name, name) {
			return true
		}
	}
	return false
}

// Clone returns a copy that borrows nothing.
func (h Header) Clone() Header {
	if h == nil {
		return nil
	}
	c := make(Header, len(h))
	for i, f := range h {
		c[i] = Field{Name: append([]byte(nil), f.Name...), Value: append([]byte(nil), f.Value...)}
	}
	return c
}

// EqualFold reports whether a and b are the same header name: ASCII letters compare without regard to case.
func EqualFold(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(b) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
