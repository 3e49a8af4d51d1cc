package dialect

import (
	"strconv"
	"unsafe"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Builder writes JSON and places the commas. It does not check that what is opened is closed, which is its user's part,
// as are values given as they are: they must be JSON, and not empty.
//
//	b := dialect.Build(dst)
//	b.Open('{').Key("model").Quote(model).Key("messages").Open('[') ... b.Close(']').Close('}')
//	return b.Bytes()
type Builder struct {
	b     []byte
	start int
}

// Build returns a builder that appends one value to dst.
func Build(dst []byte) Builder { return Builder{b: dst, start: len(dst)} }

// Bytes returns dst with all that was appended.
func (b *Builder) Bytes() []byte { return b.b }

// Len is how many bytes there are, for Cut.
func (b *Builder) Len() int { return len(b.b) }

// Cut takes back everything from n on.
func (b *Builder) Cut(n int) { b.b = b.b[:n] }

// comma separates a value from the one before it. What a value ends in is never what a list, an object or a key does.
func (b *Builder) comma() {
	if len(b.b) == b.start {
		return
	}
	switch b.b[len(b.b)-1] {
	case '{', '[', ':', ',':
		return
	}
	b.b = append(b.b, ',')
}

// Open begins an object or a list, by its bracket.
func (b *Builder) Open(bracket byte) *Builder {
	b.comma()
	b.b = append(b.b, bracket)
	return b
}

// Close ends an object or a list, by its bracket.
func (b *Builder) Close(bracket byte) *Builder {
	b.b = append(b.b, bracket)
	return b
}

// Key begins a member. The key needs no escapes.
func (b *Builder) Key(key string) *Builder {
	b.comma()
	b.b = append(append(append(b.b, '"'), key...), `":`...)
	return b
}

// Raw writes a value that is JSON.
func (b *Builder) Raw(v []byte) *Builder {
	b.comma()
	b.b = append(b.b, v...)
	return b
}

// Lit writes a value that is JSON, such as a literal.
func (b *Builder) Lit(v string) *Builder {
	b.comma()
	b.b = append(b.b, v...)
	return b
}

// Quote writes a string.
func (b *Builder) Quote(s string) *Builder {
	b.comma()
	b.b = llm.AppendQuoted(b.b, s)
	return b
}

// QuoteBytes is Quote for bytes, which it does not keep.
func (b *Builder) QuoteBytes(s []byte) *Builder {
	return b.Quote(unsafe.String(unsafe.SliceData(s), len(s)))
}

// Int writes a whole number.
func (b *Builder) Int(n int64) *Builder {
	b.comma()
	b.b = strconv.AppendInt(b.b, n, 10)
	return b
}

// Bool writes true or false.
func (b *Builder) Bool(v bool) *Builder {
	b.comma()
	b.b = strconv.AppendBool(b.b, v)
	return b
}

// Member writes a member whose value is JSON. An absent or null value is left out.
func (b *Builder) Member(key string, v []byte) *Builder {
	if Null(v) {
		return b
	}
	return b.Key(key).Raw(v)
}

// Text writes a member that is a string. An empty one is left out.
func (b *Builder) Text(key, s string) *Builder {
	if s == "" {
		return b
	}
	return b.Key(key).Quote(s)
}

// Resumed returns a builder that goes on with the object or list that dst ends in the middle of.
func Resumed(dst []byte) Builder { return Builder{b: dst} }
