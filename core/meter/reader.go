package meter

import (
	"fmt"
	"unicode/utf8"
)

// reader reads part of a module. The first failure sticks: later reads return
// zeros, so that callers check err once per loop. Offsets are those of the
// whole module.
type reader struct {
	b       []byte // the module, cut off at the end of what may be read
	pos     int
	section string
	fn      int // function index for errors, or -1
	err     error
}

func (r *reader) fail(kind error, at int, format string, a ...any) {
	if r.err == nil {
		r.err = &Error{Kind: kind, Section: r.section, Offset: at, Func: r.fn, Detail: fmt.Sprintf(format, a...)}
	}
	r.pos = len(r.b) // nothing more is read
}

func (r *reader) malformed(at int, format string, a ...any) {
	r.fail(ErrMalformed, at, format, a...)
}

func (r *reader) unsupported(at int, feature string) {
	r.fail(ErrUnsupported, at, "uses %s: build for WebAssembly 2.0 without it", feature)
}

func (r *reader) limit(at int, what string, n, most int) {
	r.fail(ErrLimit, at, "%d %s, at most %d are allowed", n, what, most)
}

func (r *reader) len() int { return len(r.b) - r.pos }

func (r *reader) byte() byte {
	if r.pos >= len(r.b) {
		r.malformed(r.pos, "ends too early")
		return 0
	}
	c := r.b[r.pos]
	r.pos++
	return c
}

func (r *reader) skip(n int) []byte {
	if n > r.len() {
		r.malformed(r.pos, "%d bytes are announced, %d are left", n, r.len())
		return nil
	}
	s := r.b[r.pos : r.pos+n]
	r.pos += n
	return s
}

// u32 reads an unsigned LEB128 number. As in the specification, padding is
// allowed within five bytes; more bytes, or bits beyond the 32nd, are not.
func (r *reader) u32() uint32 {
	if r.pos < len(r.b) && r.b[r.pos] < 0x80 {
		r.pos++
		return uint32(r.b[r.pos-1])
	}
	at := r.pos
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		if shift == 28 && c > 0x0f {
			break
		}
		v |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	r.malformed(at, "number does not fit in 32 bits")
	return 0
}

// signed reads a signed LEB128 number of the given width. Bits beyond the
// width must repeat the sign.
func (r *reader) signed(width int) int64 {
	at := r.pos
	var v int64
	for shift := 0; shift < width; shift += 7 {
		c := r.byte()
		v |= int64(c&0x7f) << shift
		if c >= 0x80 {
			continue
		}
		if shift+7 < 64 {
			v = v << (64 - shift - 7) >> (64 - shift - 7)
		}
		if used := width - shift; used < 7 {
			rest := int8(c<<1) >> used // the unused bits and the sign bit, sign-extended
			if rest != 0 && rest != -1 {
				break
			}
		}
		return v
	}
	r.malformed(at, "number does not fit in %d bits", width)
	return 0
}

// count reads the length of a vector whose items take at least one byte each.
func (r *reader) count() int {
	at := r.pos
	n := r.u32()
	if int64(n) > int64(r.len()) {
		r.malformed(at, "%d items are announced, %d bytes are left", n, r.len())
		return 0
	}
	return int(n)
}

// index reads an index into a space of n things.
func (r *reader) index(what string, n int) uint32 {
	at := r.pos
	i := r.u32()
	if int64(i) >= int64(n) {
		r.malformed(at, "%s %d does not exist, there are %d", what, i, n)
		return 0
	}
	return i
}

func (r *reader) name() string {
	at := r.pos
	s := r.skip(r.count())
	if !utf8.Valid(s) {
		r.malformed(at, "name is not UTF-8")
	}
	return string(s)
}

// done reports the failure, or that bytes are left over.
func (r *reader) done() error {
	if r.err == nil && r.len() != 0 {
		r.malformed(r.pos, "%d bytes are left over", r.len())
	}
	return r.err
}

func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func appendS32(b []byte, v int32) []byte {
	for v < -64 || v > 63 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v)&0x7f)
}

func appendName(b []byte, s string) []byte {
	return append(appendU32(b, uint32(len(s))), s...)
}
