package cache

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// kind is what an entry holds.
type kind uint8

const (
	kindWhole    kind = iota // one document
	kindStream               // parts of a stream, in order
	kindVerbatim             // a body that goes out as it came
	kindItem                 // the vector of one input
)

// entry is an answer as it is kept. Slices are borrowed from the bytes it was read from.
type entry struct {
	sum     [32]byte // of what was asked; an entry under another key is not believed
	created time.Time
	fresh   time.Time // until when it is an answer; zero is as long as it is there
	kind    kind
	dialect llm.Dialect
	stream  bool // a verbatim answer that streams
	status  int
	usage   llm.Usage
	saved   float64 // US dollars that the answer cost
	finish  []byte
	label   []byte // content type of a verbatim answer; model of an item; key of one that is found by meaning
	parts   []byte // each the lengths of event and data, and then both
}

const (
	entryMagic = "SPA"
	entryForm  = 1 // of what follows; another one is a miss
	entryHead  = len(entryMagic) + 1 + 4
)

var errEntry = errors.New("this is no entry of this version")

// castagnoli is the polynomial that processors know.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// append writes the entry.
func (e *entry) append(b []byte) []byte {
	start := len(b)
	b = append(append(b, entryMagic...), entryForm, 0, 0, 0, 0)
	b = append(b, e.sum[:]...)
	b = binary.AppendVarint(b, e.created.UnixMilli())
	fresh := int64(0)
	if !e.fresh.IsZero() {
		fresh = e.fresh.UnixMilli()
	}
	b = binary.AppendVarint(b, fresh)
	flags := byte(0)
	if e.stream {
		flags = 1
	}
	b = append(b, byte(e.kind), byte(e.dialect), flags)
	b = binary.AppendUvarint(b, uint64(max(e.status, 0)))
	for _, n := range counts(&e.usage) {
		b = binary.AppendVarint(b, *n)
	}
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(e.usage.Seconds))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(e.saved))
	for _, s := range [...][]byte{e.finish, e.label} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	b = append(b, e.parts...)
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(b[start+entryHead:], castagnoli()))
	return b
}

func counts(u *llm.Usage) [12]*int64 {
	return [...]*int64{
		&u.Prompt, &u.Completion, &u.Total, &u.Cached, &u.Reasoning, &u.CacheWrite, &u.CacheWriteHour, &u.AudioPrompt,
		&u.AudioCompletion, &u.Images, &u.Characters, &u.Searches,
	}
}

// read reads an entry and checks it to its last byte. It borrows b.
func (e *entry) read(b []byte) error {
	if len(b) < entryHead || crc32.Checksum(b[entryHead:], castagnoli()) != binary.LittleEndian.Uint32(b[4:]) {
		return errEntry
	}
	return e.parse(b)
}

// parse reads an entry that this process has written and kept in memory, so that its checksum need not be looked at.
func (e *entry) parse(b []byte) error {
	if len(b) < entryHead+len(e.sum) || string(b[:len(entryMagic)]) != entryMagic || b[len(entryMagic)] != entryForm {
		return errEntry
	}
	r := entryReader{b: b[entryHead:]}
	copy(e.sum[:], r.take(len(e.sum)))
	e.created = time.UnixMilli(r.int())
	e.fresh = time.Time{}
	if ms := r.int(); ms != 0 {
		e.fresh = time.UnixMilli(ms)
	}
	head := r.take(3)
	if r.bad {
		return errEntry
	}
	e.kind, e.dialect, e.stream = kind(head[0]), llm.Dialect(head[1]), head[2]&1 != 0
	e.status = int(r.uint())
	for _, n := range counts(&e.usage) {
		*n = r.int()
	}
	e.usage.Seconds, e.saved = r.float(), r.float()
	for _, s := range [...]*[]byte{&e.finish, &e.label} {
		*s = r.take(int(min(r.uint(), math.MaxInt32)))
	}
	if e.parts = r.b; r.bad || e.kind > kindItem || !whole(e.parts) {
		return errEntry
	}
	return nil
}

// whole reports whether every part is there to its end.
func whole(parts []byte) bool {
	for len(parts) > 0 {
		var ok bool
		if _, _, parts, ok = nextPart(parts); !ok {
			return false
		}
	}
	return true
}

func appendPart(dst, event, data []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(event)))
	dst = binary.AppendUvarint(dst, uint64(len(data)))
	return append(append(dst, event...), data...)
}

// nextPart splits the first part off. An event that has no name is nil.
func nextPart(parts []byte) (event, data, rest []byte, ok bool) {
	r := entryReader{b: parts}
	n, m := r.uint(), r.uint()
	if n > math.MaxInt32 || m > math.MaxInt32 {
		return nil, nil, nil, false
	}
	event, data = r.take(int(n)), r.take(int(m))
	if n == 0 {
		event = nil
	}
	return event, data, r.b, !r.bad
}

// data is the data of the first part.
func (e *entry) data() []byte {
	_, data, _, _ := nextPart(e.parts)
	return data
}

type entryReader struct {
	b   []byte
	bad bool
}

func (r *entryReader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *entryReader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *entryReader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *entryReader) float() float64 {
	v := r.take(8)
	if v == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(v))
}
