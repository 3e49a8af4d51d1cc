// Package sse reads server-sent events, the format in which models stream their answers
// (https://html.spec.whatwg.org/multipage/server-sent-events.html). The reader is pulled, copies nothing that it can
// leave where it arrived, and tells a stream that ended from one that was cut.
package sse

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// Event is one event. The slices point into the reader's buffer: they are valid until the next call of Next or Reset,
// and the holder may change them in place.
type Event struct {
	Name []byte // the event line; nil if there was none, or an empty one
	Data []byte // the data lines, joined by LF
	ID   []byte // the latest id line of the stream, which need not belong to this event
}

const (
	firstBuffer  = 4 << 10
	burstBuffer  = 8 << 10  // the next size, for a source that fills the first at once
	keepBuffer   = 64 << 10 // a buffer that grew beyond this is not kept for the next stream
	keepName     = 1 << 10
	defaultLimit = 16 << 20
	maxEmpty     = 100      // reads in a row that brought nothing
	mark         = "\ufeff" // may begin a stream, and means nothing
)

// ErrTooLong is returned for an event over the limit. The stream cannot be read on.
var ErrTooLong = errors.New("sse: the event is longer than the limit")

// Reader reads events. Its zero value is ready after Reset. It is meant to be kept in a pool by its user.
type Reader struct {
	// Limit is the greatest length of one event on the wire, in bytes. 0 is 16 MB. It is set before the first Next.
	Limit int

	src io.Reader
	err error // what src ended with

	buf  []byte
	base int // where the event being read begins
	at   int // where its next line begins
	end  int // end of what was read

	// What is known about the bytes from at on, so that none is searched twice.
	lf         int // place of the next LF, if it is not less than at
	noLF, noCR int // up to here there is none

	begun  bool // the first line was read
	skipLF bool // the last line ended in CR; an LF that follows belongs to it

	// The event being read. Names and ids live outside the buffer, each in two places, since the user still holds those
	// of the event before.
	ready  bool // it is complete
	filled bool // it has data
	data   span
	named  bool
	slot   int // which of names is free
	names  [2][]byte
	id     int // which of ids counts
	heldID int // which of ids the user holds
	ids    [2][]byte
	retry  time.Duration
}

type span struct{ start, end int }

// Reset makes the reader read from src and forgets all about the stream before. A nil src releases the last one.
func (r *Reader) Reset(src io.Reader) {
	buf, names, ids := r.buf, r.names, r.ids
	if len(buf) > keepBuffer {
		buf = nil
	}
	for i := range names {
		names[i] = small(names[i])
		ids[i] = small(ids[i])
	}
	*r = Reader{Limit: r.Limit, src: src, buf: buf, names: names, ids: ids}
}

func small(b []byte) []byte {
	if cap(b) > keepName {
		return nil
	}
	return b[:0]
}

// Next reads the next event into ev. At the end of the stream it returns io.EOF. If the input ends within an event, it
// returns io.ErrUnexpectedEOF, and ev holds what there was of the event: some servers leave out the blank line after
// the last one. Any other error of the source is returned as it is, once all events before it were.
func (r *Reader) Next(ev *Event) error {
	for !r.ready && !r.parse() {
		if err := r.fill(); err != nil {
			return r.stop(ev, err)
		}
	}
	if r.at-r.base > r.limit() {
		r.base, r.at, r.ready, r.err = r.end, r.end, false, ErrTooLong
		return ErrTooLong
	}
	r.take(ev)
	return nil
}

// More reports whether another event is complete already, so that Next will return it without reading.
func (r *Reader) More() bool { return r.ready || r.parse() }

// Buffered is the number of bytes that were read from the source and are not part of an event that Next returned.
func (r *Reader) Buffered() int { return r.end - r.base }

// Retry is the time to wait before reconnecting that the stream asked for last; 0 if it did not.
func (r *Reader) Retry() time.Duration { return r.retry }

// take gives out the event that is complete.
func (r *Reader) take(ev *Event) {
	ev.Name, ev.Data, ev.ID = nil, r.buf[r.data.start:r.data.end:r.data.end], nil
	if r.named && len(r.names[r.slot]) > 0 {
		ev.Name = r.names[r.slot]
	}
	if len(r.ids[r.id]) > 0 {
		ev.ID = r.ids[r.id]
	}
	r.slot ^= 1
	r.heldID = r.id
	r.begin()
	r.ready = false
}

// begin starts an event at the next line.
func (r *Reader) begin() {
	r.base = r.at
	r.filled, r.named = false, false
	r.data = span{}
}

// parse reads what has arrived, up to the end of an event. It returns false if that is not there yet.
func (r *Reader) parse() bool {
	if r.direct() {
		r.ready = true
		return true
	}
	for {
		line, ok := r.line()
		if !ok {
			return false
		}
		if len(line.of(r.buf)) > 0 {
			r.field(line)
			continue
		}
		if r.filled {
			r.ready = true
			return true
		}
		// An event without data is none, whatever else it has.
		r.begin()
	}
}

// direct takes the common form in one go: one line of data and a blank one, with plain LFs.
func (r *Reader) direct() bool {
	b := r.buf[r.at:r.end]
	if r.at != r.base || r.skipLF || r.noLF > r.at || len(b) < 7 || string(b[:5]) != "data:" {
		return false
	}
	lf := r.at + bytes.IndexByte(b, '\n')
	if lf < r.at {
		r.noLF = r.end
		return false
	}
	r.lf = lf
	if lf+1 == r.end || r.buf[lf+1] != '\n' || bytes.IndexByte(r.buf[r.at:lf], '\r') >= 0 {
		return false
	}
	start := r.at + 5
	if r.buf[start] == ' ' {
		start++
	}
	r.data = span{start, lf}
	r.at = lf + 2
	r.filled, r.begun = true, true
	return true
}

func (s span) of(buf []byte) []byte { return buf[s.start:s.end] }

// line takes the next line, without its end. It returns false if the line is not complete.
func (r *Reader) line() (span, bool) {
	if r.skipLF && r.at < r.end {
		r.skipLF = false
		if r.buf[r.at] == '\n' {
			if r.base == r.at {
				r.base++
			}
			r.at++
		}
	}
	lf := r.findLF()
	stop := lf
	if lf < 0 {
		stop = r.end
	}
	if from := max(r.at, r.noCR); from < stop {
		if i := bytes.IndexByte(r.buf[from:stop], '\r'); i >= 0 {
			return r.endLine(from+i, from+i+1, true), true
		}
		r.noCR = stop
	}
	if lf < 0 {
		return span{}, false
	}
	return r.endLine(lf, lf+1, false), true
}

// endLine ends the line at end and continues at next. An LF after a CR may not have arrived yet; the line is over all
// the same.
func (r *Reader) endLine(end, next int, skipLF bool) span {
	line := span{r.at, end}
	r.at, r.skipLF = next, skipLF
	if !r.begun {
		r.begun = true
		if bytes.HasPrefix(line.of(r.buf), []byte(mark)) {
			line.start += len(mark)
			r.base = line.start
		}
	}
	return line
}

func (r *Reader) findLF() int {
	if r.lf >= r.at && r.lf > 0 {
		return r.lf
	}
	from := max(r.at, r.noLF)
	if i := bytes.IndexByte(r.buf[from:r.end], '\n'); i >= 0 {
		r.lf = from + i
		return r.lf
	}
	r.noLF = r.end
	return -1
}

// field reads a line that is not blank.
func (r *Reader) field(line span) {
	b := line.of(r.buf)
	value := span{line.end, line.end}
	name := b
	if i := bytes.IndexByte(b, ':'); i >= 0 {
		name = b[:i]
		value.start = line.start + i + 1
		if value.start < value.end && r.buf[value.start] == ' ' {
			value.start++
		}
	}
	switch string(name) {
	case "data":
		r.addData(value)
	case "event":
		r.named = true
		r.names[r.slot] = append(r.names[r.slot][:0], value.of(r.buf)...)
	case "id":
		if v := value.of(r.buf); bytes.IndexByte(v, 0) < 0 {
			r.id = 1 - r.heldID
			r.ids[r.id] = append(r.ids[r.id][:0], v...)
		}
	case "retry":
		r.setRetry(value.of(r.buf))
	case "":
		// A comment, such as those that keep a connection alive. It does not begin an event.
		if r.base == line.start {
			r.base = r.at
		}
	}
}

// addData joins a further line to the data, in place: the text in between is shorter without the field name.
func (r *Reader) addData(value span) {
	if !r.filled {
		r.filled, r.data = true, value
		return
	}
	r.buf[r.data.end] = '\n'
	r.data.end += 1 + copy(r.buf[r.data.end+1:], value.of(r.buf))
}

func (r *Reader) setRetry(v []byte) {
	ms := 0
	for _, c := range v {
		if c < '0' || c > '9' || ms > 1e8 {
			return
		}
		ms = ms*10 + int(c-'0')
	}
	if len(v) > 0 {
		r.retry = time.Duration(ms) * time.Millisecond
	}
}

// fill reads once from the source, behind what is there.
func (r *Reader) fill() error {
	if r.err != nil {
		return r.err
	}
	if err := r.room(); err != nil {
		r.err = err
		return err
	}
	for range maxEmpty {
		n, err := r.src.Read(r.buf[r.end:])
		if n < 0 || n > len(r.buf)-r.end {
			n, err = 0, errors.New("sse: the source returned an impossible count")
		}
		r.end += n
		r.err = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	r.err = io.ErrNoProgress
	return r.err
}

// room makes space in the buffer: it moves the event to the front, or grows.
func (r *Reader) room() error {
	if r.end-r.base >= r.limit() {
		return ErrTooLong
	}
	if r.src == nil {
		return io.EOF
	}
	burst := r.end == len(r.buf) && len(r.buf) < burstBuffer
	if r.base == r.end {
		r.shift(r.buf)
	}
	switch free := len(r.buf) - r.end; {
	case burst:
		r.shift(make([]byte, max(firstBuffer, 2*len(r.buf))))
	case free > len(r.buf)/4, free > 0 && r.base == 0:
	case r.base > 0 && r.end-r.base <= len(r.buf)/2:
		r.shift(r.buf)
	default:
		r.shift(make([]byte, max(firstBuffer, 2*len(r.buf))))
	}
	return nil
}

func (r *Reader) limit() int {
	if r.Limit <= 0 {
		return defaultLimit
	}
	return r.Limit
}

// shift moves the event that is being read to the front of a buffer.
func (r *Reader) shift(to []byte) {
	copy(to, r.buf[r.base:r.end])
	n := r.base
	r.buf = to
	r.base, r.at, r.end = 0, r.at-n, r.end-n
	r.lf, r.noLF, r.noCR = max(r.lf-n, 0), max(r.noLF-n, 0), max(r.noCR-n, 0)
	if r.filled {
		r.data.start, r.data.end = r.data.start-n, r.data.end-n
	}
}

// stop ends the stream.
func (r *Reader) stop(ev *Event, err error) error {
	*ev = Event{}
	if err != io.EOF || r.base == r.end { //nolint:errorlint // a source returns io.EOF bare
		return err
	}
	if !r.begun && string(r.buf[r.base:r.end]) == mark {
		return err
	}
	// The last line may lack its end. It is read as if it had one, since only the user can tell whether it is complete.
	if r.at < r.end {
		line := r.endLine(r.end, r.end, false)
		if len(line.of(r.buf)) > 0 {
			r.field(line)
		}
	}
	r.take(ev)
	r.base, r.at, r.err = r.end, r.end, io.ErrUnexpectedEOF
	return io.ErrUnexpectedEOF
}
