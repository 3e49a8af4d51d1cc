package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// matcher finds any of a list of words and phrases in a text, without regard to case. It makes one pass over the text:
// eight bytes at a time it finds where words begin, and looks up the first bytes of each in a table. Only what is in the
// table is compared.
type matcher struct {
	whole  bool     // a match must not be part of a longer word
	words  [][]rune // folded; a space stands for any run of white space
	prefix uint64   // mask of the bytes that are looked up: as many as every word has, at most four
	filter [buckets]uint8
	heads  [buckets + 1]uint16 // the words of bucket b are order[heads[b]:heads[b+1]]
	order  []uint16

	// With one or two first letters, as a short list has, the letters themselves are looked for, eight bytes at a time.
	sparse        bool
	letter, other uint64 // each in all eight bytes, in lower case; the same if there is only one
}

const (
	bucketBits = 12
	buckets    = 1 << bucketBits
	maxWords   = 10_000
)

// bucket hashes the first bytes of a word. Setting one bit makes upper and lower case letters the same.
func bucket(first, prefix uint64) uint64 {
	return (first | 0x20202020) & prefix * 0x9e3779b97f4a7c15 >> (64 - bucketBits)
}

func newMatcher(words []string, whole bool) (*matcher, error) {
	if len(words) == 0 || len(words) > maxWords {
		return nil, errors.New(`setting "words" must name 1 to ` + strconv.Itoa(maxWords) + " words or phrases")
	}
	m := &matcher{whole: whole}
	shortest := 4
	for _, w := range words {
		if strings.ContainsRune(w, utf8.RuneError) {
			return nil, errors.New(`setting "words": ` + strconv.Quote(w) + " is not UTF-8")
		}
		folded := foldWord(w)
		if len(folded) == 0 || whole && !wordRune(folded[0]) {
			return nil, errors.New(`setting "words": ` + strconv.Quote(w) + " does not begin with a letter or digit: set whole_words to false, or correct it")
		}
		m.words = append(m.words, folded)
		for _, b := range beginnings(folded) {
			shortest = min(shortest, len(b))
		}
	}
	m.prefix = 1<<(8*shortest) - 1
	m.firstLetters()
	return m, m.index()
}

// firstLetters finds out whether at most two bytes, apart from case, can begin a word.
func (m *matcher) firstLetters() {
	var seen []byte
	for _, w := range m.words {
		for _, b := range beginnings(w) {
			if b[0] >= utf8.RuneSelf {
				return
			}
			if c := b[0] | 0x20; bytes.IndexByte(seen, c) < 0 {
				seen = append(seen, c)
			}
		}
	}
	if len(seen) > 2 {
		return
	}
	m.sparse, m.letter, m.other = true, uint64(seen[0])*ones, uint64(seen[len(seen)-1])*ones
}

// index fills the tables.
func (m *matcher) index() error {
	members := make([][]uint16, buckets)
	for n, w := range m.words {
		seen := map[uint64]bool{}
		for _, b := range beginnings(w) {
			var first [4]byte
			copy(first[:], b)
			k := bucket(uint64(binary.LittleEndian.Uint32(first[:])), m.prefix)
			if !seen[k] {
				seen[k] = true
				members[k] = append(members[k], uint16(n))
			}
		}
	}
	for k, list := range members {
		m.filter[k] = uint8(min(len(list), 1))
		m.heads[k] = uint16(len(m.order))
		if len(m.order)+len(list) > 1<<16-1 {
			return errors.New(`setting "words": the list is too long`)
		}
		m.order = append(m.order, list...)
	}
	m.heads[buckets] = uint16(len(m.order))
	return nil
}

// beginnings returns the first bytes, at least four if there are as many before a space, that the word can have in any
// case.
func beginnings(word []rune) [][]byte {
	list := [][]byte{nil}
	for _, r := range word {
		if r == ' ' || len(list[0]) >= 4 {
			break
		}
		var longer [][]byte
		for _, b := range list {
			for _, v := range variants(r) {
				longer = append(longer, utf8.AppendRune(b[:len(b):len(b)], v))
			}
		}
		list = longer
	}
	return list
}

// variants are the runes that are r in another case. ASCII letters count as one, as bucket treats them.
func variants(r rune) []rune {
	list := []rune{r}
	for v := unicode.SimpleFold(r); v != r; v = unicode.SimpleFold(v) {
		if v >= utf8.RuneSelf || r >= utf8.RuneSelf {
			list = append(list, v)
		}
	}
	return list
}

// fold returns the one rune that stands for all cases of r.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	least := r
	for v := unicode.SimpleFold(r); v != r; v = unicode.SimpleFold(v) {
		least = min(least, v)
	}
	if 'A' <= least && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}

func foldWord(w string) []rune {
	var out []rune
	space := false
	for _, r := range w {
		if unicode.IsSpace(r) {
			space = len(out) > 0
			continue
		}
		if space {
			out = append(out, ' ')
			space = false
		}
		out = append(out, fold(r))
	}
	return out
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// wordBytes returns the high bit of every byte of x that is an ASCII letter or digit, or part of a longer rune.
func wordBytes(x uint64) uint64 {
	low := x &^ highs
	lower := low | 0x20*ones
	letter := (lower + (0x80-'a')*ones) &^ (lower + (0x80-'z'-1)*ones)
	digit := (low + (0x80-'0')*ones) &^ (low + (0x80-'9'-1)*ones)
	return (letter | digit | x) & highs
}

// find returns the place of the first match at or behind from.
func (m *matcher) find(s string, from int) (start, end int, found bool) {
	if !m.whole {
		return m.everywhere(s, from)
	}
	before := uint64(0)
	if from > 0 && s[from-1] < utf8.RuneSelf && wordRune(rune(s[from-1])) {
		before = 0x80
	}
	b := unsafe.Slice(unsafe.StringData(s), len(s))[from:]
	if len(b) >= 16 {
		var read int
		if m.sparse {
			start, read, before = m.letters(s, b, from, before)
		} else {
			start, read, before = m.blocks(s, b, from, before)
		}
		if start >= 0 {
			end, _ = m.matchAt(s, start)
			return start, end, true
		}
		b, from = b[read:], from+read
	}
	var rest [24]byte // the last bytes of the text, with zeros behind them
	copy(rest[:], b)
	if start, _, _ = m.blocks(s, rest[:], from, before); start >= 0 {
		end, _ = m.matchAt(s, start)
		return start, end, true
	}
	return 0, 0, false
}

// everywhere is find for words that may be part of longer ones.
func (m *matcher) everywhere(s string, from int) (start, end int, found bool) {
	first, prefix := fourBytes(s, from), m.prefix
	for at := from; at < len(s); at++ {
		if m.filter[bucket(first, prefix)] != 0 {
			if end, ok := m.matchAt(s, at); ok {
				return at, end, true
			}
		}
		first >>= 8
		if at+4 < len(s) {
			first |= uint64(s[at+4]) << 24
		}
	}
	return 0, 0, false
}

// fourBytes loads the bytes from a place on, with zeros behind the end.
func fourBytes(s string, at int) (x uint64) {
	for j := range min(4, len(s)-at) {
		x |= uint64(s[at+j]) << (8 * j)
	}
	return x
}

// blocks reads b, which is s from a place on, by eight bytes, as long as there are sixteen. before is 0x80 if the byte in
// front is an ASCII letter or digit. It returns the place in s of the first match, or -1, how many bytes it read, and
// before for what follows.
func (m *matcher) blocks(s string, b []byte, from int, before uint64) (start, read int, after uint64) {
	x, prefix := abi.Load(b), m.prefix
	// Three words or fewer begin in eight bytes of prose. They are looked up without a branch, and in vain if there are
	// fewer: in a Go guest every jump goes through a table of all blocks of the function and costs more than a look-up.
	for ; read+16 <= len(b); read += 8 {
		next := abi.Load(b[read+8:])
		w := wordBytes(x)
		ascii := w &^ x
		starts := w &^ (ascii<<8 | before)
		before = ascii >> 56
		at := bits.TrailingZeros64(starts) - 7
		more := starts & (starts - 1)
		hit := m.filter[bucket(x>>(at&63)|next<<1<<(^at&63), prefix)]
		at = bits.TrailingZeros64(more) - 7
		more &= more - 1
		hit |= m.filter[bucket(x>>(at&63)|next<<1<<(^at&63), prefix)]
		at = bits.TrailingZeros64(more) - 7
		more &= more - 1
		hit |= m.filter[bucket(x>>(at&63)|next<<1<<(^at&63), prefix)]
		x = next
		if uint64(hit)|more != 0 {
			if start = m.scan(s, from+read, starts); start >= 0 {
				return start, read, before
			}
		}
	}
	return -1, read, before
}

// letters is blocks for words with one or two first letters: only where one of them stands does it look closer.
func (m *matcher) letters(s string, b []byte, from int, before uint64) (start, read int, after uint64) {
	for ; read+16 <= len(b); read += 8 {
		x := abi.Load(b[read:])
		one, two := (x|0x20*ones)^m.letter, (x|0x20*ones)^m.other
		// A byte above one that matches may be taken for a match as well; none is missed.
		hits := ((one-ones)&^one | (two-ones)&^two) & highs
		if hits == 0 {
			continue
		}
		if read > 0 {
			last := uint64(b[read-1])
			before = wordBytes(last) &^ last & 0x80
		}
		w := wordBytes(x)
		if starts := w &^ ((w&^x)<<8 | before) & hits; starts != 0 {
			if start = m.scan(s, from+read, starts); start >= 0 {
				return start, read, before
			}
		}
	}
	if read > 0 {
		last := uint64(b[read-1])
		before = wordBytes(last) &^ last & 0x80
	}
	return -1, read, before
}

// scan returns the place of the first match among those of the eight bytes from a place on that have their high bit set
// in starts, or -1.
func (m *matcher) scan(s string, from int, starts uint64) int {
	for ; starts != 0; starts &= starts - 1 {
		at := from + bits.TrailingZeros64(starts)>>3
		if at >= len(s) {
			break
		}
		if _, ok := m.matchAt(s, at); ok {
			return at
		}
	}
	return -1
}

// matchAt reports whether one of the words begins at a place in the text, and where it ends.
func (m *matcher) matchAt(s string, at int) (end int, ok bool) {
	k := bucket(fourBytes(s, at), m.prefix)
	if m.filter[k] == 0 || !utf8.RuneStart(s[at]) || m.whole && !boundary(s, at) {
		return 0, false
	}
	for _, n := range m.order[m.heads[k]:m.heads[k+1]] {
		if end, ok := compare(s, at, m.words[n]); ok && (!m.whole || boundary(s, end)) {
			return end, true
		}
	}
	return 0, false
}

// boundary reports whether no word goes on across the place.
func boundary(s string, at int) bool {
	if at == 0 || at == len(s) {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(s[:at])
	after, _ := utf8.DecodeRuneInString(s[at:])
	return !wordRune(before) || !wordRune(after)
}

// compare reports whether the text at a place is the word, and where it ends.
func compare(s string, at int, word []rune) (end int, ok bool) {
	for _, want := range word {
		if want == ' ' {
			next := skipSpace(s, at)
			if next == at {
				return 0, false
			}
			at = next
			continue
		}
		if at == len(s) {
			return 0, false
		}
		r, size := rune(s[at]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[at:])
		}
		if fold(r) != want {
			return 0, false
		}
		at += size
	}
	return at, true
}

func skipSpace(s string, at int) int {
	for at < len(s) {
		r, size := utf8.DecodeRuneInString(s[at:])
		if !unicode.IsSpace(r) {
			break
		}
		at += size
	}
	return at
}

// replace returns the text with every match replaced, and whether there was one.
func (m *matcher) replace(s, mask string) (string, bool) {
	start, end, found := m.find(s, 0)
	if !found {
		return s, false
	}
	out, from := make([]byte, 0, len(s)), 0
	for found {
		out = append(append(out, s[from:start]...), mask...)
		from = end
		start, end, found = m.find(s, end)
	}
	return string(append(out, s[from:]...)), true
}
