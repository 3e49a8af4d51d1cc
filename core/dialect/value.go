package dialect

// Text is the value the cursor stands at if it is a string, with its quotes, and nil otherwise.
func (c *Cursor) Text() []byte { return c.only('"') }

// Object is the value if it is an object, and nil otherwise.
func (c *Cursor) Object() []byte { return c.only('{') }

// Array is the value if it is an array, and nil otherwise.
func (c *Cursor) Array() []byte { return c.only('[') }

func (c *Cursor) only(first byte) []byte {
	if c.First() != first {
		return nil
	}
	return c.Value()
}

// Given is v, or nil if it is null.
func Given(v []byte) []byte {
	if Null(v) {
		return nil
	}
	return v
}

// Blank reports whether v is no string, or an empty one.
func Blank(v []byte) bool { return len(v) < 3 || v[0] != '"' }

// Inside is what stands between the quotes of a string, escapes as they are; nil for anything else.
func Inside(v []byte) []byte {
	if Blank(v) {
		return nil
	}
	return v[1 : len(v)-1]
}

// OrEmpty is v, or an empty string if there is none.
func OrEmpty(v []byte) []byte {
	if v == nil {
		return []byte(`""`)
	}
	return v
}

// Copied is v in memory of its own.
func Copied(v []byte) []byte { return append([]byte(nil), v...) }
