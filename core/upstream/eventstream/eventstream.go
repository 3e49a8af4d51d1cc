// Package eventstream reads application/vnd.amazon.eventstream, the binary format in which Amazon's services stream
// answers (https://smithy.io/2.0/aws/amazon-eventstream.html). The reader is pulled, checks both checksums of each
// message before it shows a byte of it, and never holds more than one message and what arrived behind it.
package eventstream

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// ContentType is the media type of a stream.
const ContentType = "application/vnd.amazon.eventstream"

// Kind says what a message is.
type Kind uint8

// The kinds, by the header :message-type.
const (
	KindEvent     Kind = iota // a part of the answer; Type names it
	KindException             // a failure that the service's model describes; Type names it, the payload tells more
	KindError                 // any other failure; Type is the error code, and Message tells more
)

// Event is one message. The slices point into the reader's buffer: they are valid until the next call of Next or Reset.
type Event struct {
	Kind        Kind
	Type        []byte // :event-type, :exception-type or :error-code
	Message     []byte // :error-message of an error
	ContentType []byte
	Payload     []byte
}

// The errors of a stream that cannot be read on.
var (
	ErrTooLong   = errors.New("eventstream: a message is longer than the limit")
	ErrChecksum  = errors.New("eventstream: a checksum does not match")
	ErrMalformed = errors.New("eventstream: a message is malformed")
)

// Sizes of https://smithy.io/2.0/aws/amazon-eventstream.html: a message is a prelude of three numbers, the headers, the
// payload and a checksum.
const (
	preludeSize = 12
	crcSize     = 4
	overhead    = preludeSize + crcSize
	maxHeaders  = 128 << 10

	firstBuffer  = 8 << 10
	keepBuffer   = 64 << 10 // a buffer that grew beyond this is not kept for the next stream
	defaultLimit = 24 << 20 // the greatest length of a message that Amazon's own clients take
	maxEmpty     = 100      // reads in a row that brought nothing
)

// Reader reads messages. Its zero value is ready after Reset. It is meant to be kept in a pool by its user.
type Reader struct {
	// Limit is the greatest length of one message, in bytes. 0 is 24 MB. It is set before the first Next.
	Limit int

	src   io.Reader
	err   error // what src ended with, or what is wrong with the stream
	buf   []byte
	start int // where the next message begins
	end   int // end of what was read
}

// Reset makes the reader read from src and forgets all about the stream before. A nil src releases the last one.
func (r *Reader) Reset(src io.Reader) {
	buf := r.buf
	if len(buf) > keepBuffer {
		buf = nil
	}
	*r = Reader{Limit: r.Limit, src: src, buf: buf}
}

// Next reads the next message into ev. At the end of the stream it returns io.EOF, and io.ErrUnexpectedEOF if the input
// ends within a message. A message that is too long, does not match its checksums or cannot be taken apart is one of the
// errors above. Any other error of the source is returned as it is, once all messages before it were. After an error
// Next returns the same again.
func (r *Reader) Next(ev *Event) error {
	*ev = Event{}
	for {
		size, err := r.size()
		if err != nil {
			return r.fail(err)
		}
		if size > 0 && r.end-r.start >= size {
			message := r.buf[r.start : r.start+size]
			r.start += size
			if err := parse(message, ev); err != nil {
				*ev = Event{}
				return r.fail(err)
			}
			return nil
		}
		if r.err != nil {
			return r.stop()
		}
		r.fill(max(size, preludeSize))
	}
}

// More reports whether another message is complete already, so that Next will return without reading.
func (r *Reader) More() bool {
	size, err := r.size()
	return err != nil || size > 0 && r.end-r.start >= size
}

func (r *Reader) fail(err error) error {
	r.err, r.start, r.end = err, 0, 0
	return err
}

func (r *Reader) stop() error {
	if r.err == io.EOF && r.end > r.start { //nolint:errorlint // a source returns io.EOF bare
		r.err = io.ErrUnexpectedEOF
	}
	r.start, r.end = 0, 0
	return r.err
}

// size is the length of the message that begins at start, or 0 if its prelude has not arrived yet. The prelude has a
// checksum of its own, so that a length that was garbled is found before it is waited for.
func (r *Reader) size() (int, error) {
	have := r.buf[r.start:r.end]
	if len(have) < preludeSize {
		return 0, nil
	}
	total, headers := binary.BigEndian.Uint32(have), binary.BigEndian.Uint32(have[4:])
	if crc32.ChecksumIEEE(have[:8]) != binary.BigEndian.Uint32(have[8:]) {
		return 0, ErrChecksum
	}
	limit := uint32(defaultLimit)
	if r.Limit > 0 && r.Limit < defaultLimit {
		limit = uint32(r.Limit)
	}
	switch {
	case total < overhead || headers > total-overhead:
		return 0, ErrMalformed
	case total > limit || headers > maxHeaders:
		return 0, ErrTooLong
	}
	return int(total), nil
}

// fill reads once, having made room for a message of size bytes. The buffer grows with what arrives, not with what a
// prelude announces.
func (r *Reader) fill(size int) {
	if r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end == len(r.buf) {
		grown := make([]byte, max(firstBuffer, min(size, 2*len(r.buf))))
		copy(grown, r.buf[:r.end])
		r.buf = grown
	}
	for range maxEmpty {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		if n > 0 || err != nil {
			r.err = err
			return
		}
	}
	r.err = io.ErrNoProgress
}

// parse takes a whole message apart.
func parse(m []byte, ev *Event) error {
	body := m[:len(m)-crcSize]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(m[len(body):]) {
		return ErrChecksum
	}
	headers := body[preludeSize:][:binary.BigEndian.Uint32(body[4:])]
	ev.Payload = body[preludeSize+len(headers):]
	for len(headers) > 0 {
		name, value, rest, ok := header(headers)
		if !ok {
			return ErrMalformed
		}
		headers = rest
		if value != nil {
			ev.take(name, value)
		}
	}
	return nil
}

func (ev *Event) take(name, value []byte) {
	switch string(name) {
	case ":message-type":
		switch string(value) {
		case "exception":
			ev.Kind = KindException
		case "error":
			ev.Kind = KindError
		}
	case ":event-type", ":exception-type", ":error-code":
		ev.Type = value
	case ":error-message":
		ev.Message = value
	case ":content-type":
		ev.ContentType = value
	}
}

// header takes the first header apart. value is nil for any type but a string, of which the names that count are.
func header(b []byte) (name, value, rest []byte, ok bool) {
	if len(b) < 1 || len(b) < 2+int(b[0]) || b[0] == 0 {
		return nil, nil, nil, false
	}
	name, b = b[1:1+b[0]], b[1+b[0]:]
	kind, b := b[0], b[1:]
	size := 0
	switch kind {
	case 0, 1: // true and false
	case 2: // a byte
		size = 1
	case 3: // a number of 16 bits
		size = 2
	case 4: // of 32
		size = 4
	case 5, 8: // of 64, and a time
		size = 8
	case 9: // a UUID
		size = 16
	case 6, 7: // bytes, and a string
		if len(b) < 2 {
			return nil, nil, nil, false
		}
		size = int(binary.BigEndian.Uint16(b))
		b = b[2:]
	default:
		return nil, nil, nil, false
	}
	if len(b) < size {
		return nil, nil, nil, false
	}
	if kind == 7 {
		value = b[:size]
	}
	return name, value, b[size:], true
}

// Append appends a message with string headers, given as names and values in turn, for tests and for whoever speaks the
// format as a server.
func Append(dst, payload []byte, headers ...string) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, preludeSize)...)
	for i := 0; i+1 < len(headers); i += 2 {
		dst = append(append(dst, byte(len(headers[i]))), headers[i]...)
		dst = append(binary.BigEndian.AppendUint16(append(dst, 7), uint16(len(headers[i+1]))), headers[i+1]...)
	}
	size := len(dst) - start - preludeSize
	dst = append(dst, payload...)
	m := dst[start:]
	binary.BigEndian.PutUint32(m, uint32(len(m)+crcSize))
	binary.BigEndian.PutUint32(m[4:], uint32(size))
	binary.BigEndian.PutUint32(m[8:], crc32.ChecksumIEEE(m[:8]))
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(m))
}
