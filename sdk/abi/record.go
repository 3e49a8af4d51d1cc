package abi

import (
	"encoding/binary"
	"errors"
)

// Errors of a Reader and of Map.
var (
	// ErrShort: a record ends behind the end of the bytes it is in.
	ErrShort = errors.New("abi: a record is cut off")
	// ErrCritical: a record that must be understood has an unknown tag.
	ErrCritical = errors.New("abi: unknown critical record")
	// ErrValue: a record's value does not have the form its tag demands.
	ErrValue = errors.New("abi: malformed value")
	// ErrDeep: records are nested deeper than MaxDepth.
	ErrDeep = errors.New("abi: records are nested too deep")
)

func appendHeader(dst []byte, tag Tag, flags uint16, n int) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(tag)|uint64(flags)<<16|uint64(uint32(n))<<32)
}

// AppendText appends a record that holds text or bytes. It allocates only to make room.
func AppendText[T string | []byte](dst []byte, tag Tag, v T) []byte {
	return append(appendHeader(dst, tag, 0, len(v)), v...)
}

// AppendNumber appends a record that holds a number.
func AppendNumber(dst []byte, tag Tag, v uint64) []byte {
	return binary.LittleEndian.AppendUint64(appendHeader(dst, tag, 0, 8), v)
}

// Open begins a nested record. Close is given what it returns once the records inside are appended.
func Open(dst []byte, tag Tag) (_ []byte, mark int) {
	dst = appendHeader(dst, tag, FlagNested, 0)
	return dst, len(dst)
}

// Close ends the nested record that Open began.
func Close(dst []byte, mark int) []byte {
	binary.LittleEndian.PutUint32(dst[mark-4:], uint32(len(dst)-mark))
	return dst
}

// Reader walks over records one after another. It borrows the bytes and allocates nothing.
//
//	r := abi.Reader{Rest: view}
//	for r.Next() {
//		switch r.Tag { ... }
//	}
//	if r.Err != nil { ... }
type Reader struct {
	Tag   Tag
	Flags uint16
	Value []byte // of the record last read, borrowed
	Rest  []byte // what is still to be read
	Err   error  // why the walk ended early, or nil
}

// Next reads a record and reports whether there was one.
func (r *Reader) Next() bool {
	b := r.Rest
	if len(b) < HeaderSize {
		if len(b) > 0 {
			r.Err = ErrShort
		}
		return false
	}
	h := Load(b)
	n := h >> 32
	if n > uint64(len(b)-HeaderSize) {
		r.Err = ErrShort
		return false
	}
	end := HeaderSize + int(n)
	r.Tag, r.Flags = Tag(h), uint16(h>>16)
	r.Value, r.Rest = b[HeaderSize:end:end], b[end:]
	return true
}

// Number returns the record's value as a number. A value that is not 8 bytes long ends the walk with ErrValue.
func (r *Reader) Number() uint64 {
	if len(r.Value) != 8 {
		r.fail(ErrValue)
		return 0
	}
	return binary.LittleEndian.Uint64(r.Value)
}

// Inside returns a reader of the records in the value.
func (r *Reader) Inside() Reader { return Reader{Rest: r.Value} }

// Unknown is called for a tag that the caller does not know. It ends the walk with ErrCritical if the record is
// critical, and skips it otherwise.
func (r *Reader) Unknown() {
	if r.Flags&FlagCritical != 0 {
		r.fail(ErrCritical)
	}
}

func (r *Reader) fail(err error) {
	if r.Err == nil {
		r.Err = err
	}
	r.Rest = nil
}
