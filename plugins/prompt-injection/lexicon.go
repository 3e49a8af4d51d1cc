package main

import (
	"math/bits"
	"strings"
	"unsafe"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// lexicon is a hash table of the vocabulary. Words have at most 16 letters and digits, and are looked up as two numbers
// that hold them in lower case, so that reading a word takes no loop over its letters.
type lexicon struct {
	filter [1 << filterBits / 64]uint64 // a bit for every word: most look-ups end here
	slots  [1 << slotBits]entry
	size   int
}

type entry struct {
	first, second uint64
	class         class
}

const (
	filterBits = 14
	slotBits   = 11
	maxWord    = 16
	tail       = 24 // bytes that must be there to read a word
	ones       = 0x0101010101010101
	highs      = 0x8080808080808080
)

func newLexicon() *lexicon {
	l := &lexicon{}
	for c, list := range vocabulary() {
		for w := range strings.FieldsSeq(list) {
			first, second := keyOf([]byte(w))
			e := l.slot(first, second)
			if e.class == 0 {
				l.size++
			}
			e.first, e.second = first, second
			e.class |= c
			bit := hash(first, second) >> (64 - filterBits)
			l.filter[bit/64] |= 1 << (bit % 64)
		}
	}
	return l
}

func hash(first, second uint64) uint64 {
	return (first ^ bits.RotateLeft64(second, 23)) * 0x9e3779b97f4a7c15
}

// slot returns the entry of a word, or the empty one where it would be.
func (l *lexicon) slot(first, second uint64) *entry {
	at := hash(first, second) >> (64 - slotBits)
	for {
		e := &l.slots[at%(1<<slotBits)]
		if e.class == 0 || e.first == first && e.second == second {
			return e
		}
		at++
	}
}

// find returns the classes of a word of ASCII in lower case.
func (l *lexicon) find(w []byte) class {
	if len(w) > maxWord {
		return 0
	}
	first, second := keyOf(w)
	return l.slot(first, second).class
}

// keyOf puts a word of at most 16 bytes into two numbers.
func keyOf(w []byte) (first, second uint64) {
	for i, c := range w {
		if i < 8 {
			first |= uint64(c) << (8 * i)
		} else {
			second |= uint64(c) << (8 * (i - 8))
		}
	}
	return first, second
}

// letters returns the number of ASCII letters with which the eight bytes of x begin, and these letters in lower case.
func letters(x uint64) (n int, word uint64) {
	low := x&^highs | 0x20*ones
	yes := (low + (0x80-'a')*ones) &^ (low + (0x80-'z'-1)*ones) &^ x & highs
	n = bits.TrailingZeros64(yes^highs) >> 3
	return n, low & (1<<(8*n) - 1)
}

// plain reads words of ASCII letters with one separator behind each, from a place on, and returns the place at which
// something else begins. It is the usual case made fast.
func (r *reader) plain(s string, i int) int {
	i, more := r.blocks(s, unsafe.Slice(unsafe.StringData(s), len(s)), i, 0)
	if !more || i >= len(s) {
		return i
	}
	n := copy(r.rest[:], s[i:]) // the last bytes of the text, with spaces behind them
	for at := n; at < n+tail; at++ {
		r.rest[at] = ' '
	}
	i, _ = r.blocks(s, r.rest[:n+tail], i, i)
	return min(i, len(s))
}

// blocks is plain for b, which is s from a place on. more is set if it ended because there are too few bytes.
func (r *reader) blocks(s string, b []byte, i, from int) (at int, more bool) {
	known, fold := r.known, &r.fold
	i -= from
	for i+tail <= len(b) {
		n, first := letters(abi.Load(b[i:]))
		second := uint64(0)
		if n == 8 {
			n, second = letters(abi.Load(b[i+8:]))
			n += 8
		}
		if fold[b[i+n]] != space || n == 1 || n == maxWord { // a word of 16 letters may be longer
			return i + from, false
		}
		if n == 0 {
			r.gap++
			i++
			continue
		}
		if len(r.single) > 0 {
			r.flush()
		}
		bit := hash(first, second) >> (64 - filterBits)
		if known.filter[bit/64]>>(bit%64)&1 != 0 {
			r.note(s, i+from, i+from+n, first, second)
		}
		r.count++
		r.gap = 1
		i += n + 1
	}
	return i + from, true
}

// note notes the word from start to end if it is in the vocabulary.
func (r *reader) note(s string, start, end int, first, second uint64) {
	if class := r.known.slot(first, second).class; class != 0 {
		r.emit(class)
		r.roleLine(s, start, end)
	}
}
