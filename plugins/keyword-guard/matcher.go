package main

import (
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
	prefix uint32   // mask of the bytes that are looked up: as many as every word has, at most four
	filter [buckets]uint8
	heads  [buckets + 1]uint16 // the words of bucket b are order[heads[b]:heads[b+1]]
	order  []uint16
}

const (
	buckets  = 1 << 12
	maxWords = 10_000
)

// bucket hashes the first bytes of a word. Setting one bit makes upper and lower case letters the same.
func bucket(first, prefix uint32) uint32 {
	return (first | 0x20202020) & prefix * 0x9e3779b1 >> 20
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
	return m, m.index()
}

// index fills the tables.
func (m *matcher) index() error {
	members := make([][]uint16, buckets)
	for n, w := range m.words {
		seen := map[uint32]bool{}
		for _, b := range beginnings(w) {
			var first [4]byte
			copy(first[:], b)
			k := bucket(binary.LittleEndian.Uint32(first[:]), m.prefix)
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
		return m.scan(s, from, len(s), highs)
	}
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	before := uint64(0) // 0x80: the byte in front is an ASCII letter or digit
	if from > 0 && s[from-1] < utf8.RuneSelf && wordRune(rune(s[from-1])) {
		before = 0x80
	}
	x, prefix := last(b, from), m.prefix
	for i := from; i < len(b); i += 8 {
		var next uint64
		if i+16 <= len(b) {
			next = abi.Load(b[i+8:])
		} else {
			next = last(b, i+8)
		}
		w := wordBytes(x)
		ascii := w &^ x
		starts := w &^ (ascii<<8 | before)
		before = ascii >> 56
		// At most four words begin in eight bytes, unless they are not ASCII. A loop over them would cost more than
		// the look-ups: in a Go guest every jump back goes through a table of all blocks of the function.
		hit, rest := uint8(0), starts
		if rest != 0 {
			shift := bits.TrailingZeros64(rest) - 7
			hit |= m.filter[bucket(uint32(x>>(shift&63)|next<<1<<(^shift&63)), prefix)]
			rest &= rest - 1
		}
		if rest != 0 {
			shift := bits.TrailingZeros64(rest) - 7
			hit |= m.filter[bucket(uint32(x>>(shift&63)|next<<1<<(^shift&63)), prefix)]
			rest &= rest - 1
		}
		if rest != 0 {
			shift := bits.TrailingZeros64(rest) - 7
			hit |= m.filter[bucket(uint32(x>>(shift&63)|next<<1<<(^shift&63)), prefix)]
			rest &= rest - 1
		}
		x = next
		if hit == 0 && rest == 0 {
			continue
		}
		if start, end, found := m.scan(s, i, min(i+8, len(s)), starts); found {
			return start, end, true
		}
	}
	return 0, 0, false
}

// last loads the bytes from the place on, with zeros behind the end.
func last(b []byte, from int) uint64 {
	n := len(b) - from
	if n >= 8 {
		return abi.Load(b[from:])
	}
	if len(b) >= 8 && n > 0 {
		return abi.Load(b[len(b)-8:]) >> (8 * (8 - n))
	}
	x := uint64(0)
	for i := range max(n, 0) {
		x |= uint64(b[from+i]) << (8 * i)
	}
	return x
}

// scan returns the place of the first match that begins between from and to. In the first eight bytes it looks only
// where starts has the high bit set.
func (m *matcher) scan(s string, from, to int, starts uint64) (start, end int, found bool) {
	for i := from; i < to; i++ {
		if i < from+8 && starts>>(8*(i-from)+7)&1 == 0 {
			continue
		}
		first := uint32(s[i])
		for j := 1; j < 4 && i+j < len(s); j++ {
			first |= uint32(s[i+j]) << (8 * j)
		}
		if k := bucket(first, m.prefix); m.filter[k] != 0 {
			if end, ok := m.matchAt(s, i, k); ok {
				return i, end, true
			}
		}
	}
	return 0, 0, false
}

// matchAt compares the words of a bucket with the text at a place.
func (m *matcher) matchAt(s string, at int, k uint32) (end int, ok bool) {
	if !utf8.RuneStart(s[at]) || m.whole && !boundary(s, at) {
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
