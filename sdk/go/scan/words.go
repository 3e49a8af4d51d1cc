package scan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// MaxWords is how many words a Words can hold.
const MaxWords = 20_000

// Word is a word or phrase to look for.
type Word struct {
	Text     string
	Whole    bool // a match is not part of a longer word
	Exact    bool // case counts
	Verbatim bool // white space stands for itself; otherwise it stands for any run of white space
}

// Words finds any of a list of words and phrases in one pass over a text. It is immutable and safe for concurrent use.
type Words struct {
	words   []word
	starts  bool   // matches begin where words begin, so only these places are looked at
	prefix  uint64 // mask of the bytes that are looked up: as many as every word has, at most four
	filter  [buckets]uint8
	heads   [buckets + 1]int32 // those that begin like bucket b are members[heads[b]:heads[b+1]]
	members []member

	// With one or two first letters, as a short list has, the letters themselves are looked for, 32 bytes at a time, with
	// the letters that follow them if those are one each.
	sparse bool
	single bool    // there is one pair
	pairs  [2]pair // the same if there is only one
}

// pair is a first and a second letter, each in all eight bytes, in lower case. Without a second, any counts as mask.
type pair struct{ first, second, mask uint64 }

// miss has a zero in the bytes of x that are the first letter, and whose next ones, those of y, are the second. x and y
// are in lower case.
func (p *pair) miss(x, y uint64) uint64 { return x ^ p.first | (y^p.second)&p.mask }

// zeros marks the bytes of x that are zero with their high bit. A byte above one that is may be marked as well; none is
// missed.
func zeros(x uint64) uint64 { return (x - Ones) &^ x & Highs }

type word struct {
	Word
	runes []rune // folded; a space stands for any run of white space, unless the word is verbatim
}

// member is a word by one of the ways in which its first bytes can be written.
type member struct {
	mask, first uint32 // the text has first, apart from the case of ASCII letters, in the bytes of mask
	word        int32
}

const (
	bucketBits = 12
	buckets    = 1 << bucketBits
	anyCase    = 0x20202020 // makes upper and lower case letters of ASCII the same
	lower      = 0x20 * Ones
)

func bucket(first, prefix uint64) uint64 {
	return (first | anyCase) & prefix * 0x9e3779b97f4a7c15 >> (64 - bucketBits)
}

// NewWords makes a matcher. An error is a *WordError.
func NewWords(list []Word) (*Words, error) {
	m := &Words{starts: true}
	shortest := 4
	if len(list) > MaxWords {
		return nil, &WordError{MaxWords, "there are more than " + strconv.Itoa(MaxWords) + " words"}
	}
	for i, w := range list {
		if !utf8.ValidString(w.Text) {
			return nil, &WordError{i, "it is not UTF-8"}
		}
		if !w.Verbatim {
			w.Text = strings.Join(strings.Fields(w.Text), " ")
		}
		folded := make([]rune, 0, len(w.Text))
		for _, r := range w.Text {
			folded = append(folded, Fold(r))
		}
		if len(folded) == 0 {
			return nil, &WordError{i, "it is empty"}
		}
		m.words = append(m.words, word{w, folded})
		m.starts = m.starts && w.Whole && WordRune(folded[0])
		for _, b := range beginnings(&m.words[i]) {
			shortest = min(shortest, len(b))
		}
	}
	m.prefix = 1<<(8*shortest) - 1
	m.firstLetters()
	m.index()
	return m, nil
}

// WordError says which word cannot be looked for, and why.
type WordError struct {
	Index  int
	Reason string
}

// Error returns the reason.
func (e *WordError) Error() string { return e.Reason }

// firstLetters finds out whether at most two bytes, apart from case, can begin a word.
func (m *Words) firstLetters() {
	var seen []byte
	var next [2][]byte // behind each of them; a zero is for one that is alone
	for i := range m.words {
		for _, b := range beginnings(&m.words[i]) {
			if b[0] >= utf8.RuneSelf {
				return
			}
			c, second := b[0]|0x20, byte(0)
			if len(b) > 1 && b[1] < utf8.RuneSelf {
				second = b[1] | 0x20
			}
			k := bytes.IndexByte(seen, c)
			if k < 0 {
				k, seen = len(seen), append(seen, c)
			}
			if k == len(next) {
				return
			}
			if bytes.IndexByte(next[k], second) < 0 {
				next[k] = append(next[k], second)
			}
		}
	}
	for k, c := range seen {
		m.sparse, m.pairs[k] = true, pair{first: uint64(c) * Ones}
		if len(next[k]) == 1 && next[k][0] != 0 {
			m.pairs[k].second, m.pairs[k].mask = uint64(next[k][0])*Ones, ^uint64(0)
		}
	}
	if m.single = len(seen) == 1; m.single {
		m.pairs[1] = m.pairs[0]
	}
}

// index fills the tables.
func (m *Words) index() {
	lists := make([][]member, buckets)
	for n := range m.words {
		seen := map[member]bool{}
		for _, b := range beginnings(&m.words[n]) {
			var first [4]byte
			copy(first[:], b)
			x := binary.LittleEndian.Uint32(first[:])
			mask := uint32(uint64(1)<<(8*min(len(b), 4)) - 1)
			k, one := bucket(uint64(x), m.prefix), member{mask, (x | anyCase) & mask, int32(n)}
			if !seen[one] {
				seen[one] = true
				lists[k] = append(lists[k], one)
			}
		}
	}
	for k, list := range lists {
		m.filter[k] = uint8(min(len(list), 1))
		m.heads[k] = int32(len(m.members))
		m.members = append(m.members, list...)
	}
	m.heads[buckets] = int32(len(m.members))
}

// beginnings returns the first bytes, at least four if there are as many before white space, that the word can have in any
// case.
func beginnings(w *word) [][]byte {
	list := [][]byte{nil}
	for i, r := range w.runes {
		if r == ' ' && !w.Verbatim && i > 0 || len(list[0]) >= 4 {
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

// wordBytes returns the high bit of every byte of x that is an ASCII letter or digit, or part of a longer rune.
func wordBytes(x uint64) uint64 {
	low := x &^ Highs
	lower := low | 0x20*Ones
	letter := (lower + (0x80-'a')*Ones) &^ (lower + (0x80-'z'-1)*Ones)
	digit := (low + (0x80-'0')*Ones) &^ (low + (0x80-'9'-1)*Ones)
	return (letter | digit | x) & Highs
}

// Find returns the place of the first match at or behind from, and which word it is: of those that begin there, the first
// of the list.
func (m *Words) Find(s string, from int) (word, start, end int, found bool) {
	if start = m.next(s, from); start < 0 {
		return 0, 0, 0, false
	}
	word, end = m.matchAt(s, start)
	return word, start, end, true
}

// All calls found for each match of each word, in the order of their places.
func (m *Words) All(s string, found func(word, start, end int)) {
	for start := m.next(s, 0); start >= 0; start = m.next(s, start+1) {
		last := -1
		m.candidates(s, start, func(n int) bool {
			if end, ok := m.words[n].at(s, start); ok && n != last {
				last = n
				found(n, start, end)
			}
			return true
		})
	}
}

// Replace returns the text with mask in the place of each match, and whether there was one.
func (m *Words) Replace(s, mask string) (string, bool) {
	_, start, end, found := m.Find(s, 0)
	if !found {
		return s, false
	}
	out, from := make([]byte, 0, len(s)), 0
	for found {
		out = append(append(out, s[from:start]...), mask...)
		from = end
		_, start, end, found = m.Find(s, end)
	}
	return string(append(out, s[from:]...)), true
}

// next returns the first place at or behind from where a match begins, or -1.
func (m *Words) next(s string, from int) (start int) {
	if from >= len(s) || len(m.words) == 0 {
		return -1
	}
	b := unsafe.Slice(unsafe.StringData(s), len(s))[from:]
	if m.single && len(b) >= wide && m.pairs[0].missing(b) {
		return -1
	}
	if !m.starts {
		return m.everywhere(s, b, from)
	}
	before := uint64(0)
	if from > 0 && s[from-1] < utf8.RuneSelf && WordRune(rune(s[from-1])) {
		before = 0x80
	}
	if len(b) >= 16 {
		var read int
		if m.sparse {
			start, read, before = m.letters(s, b, from, before)
		} else {
			start, read, before = m.blocks(s, b, from, before)
		}
		if start >= 0 {
			return start
		}
		if b, from = b[read:], from+read; len(b) == 0 {
			return -1
		}
	}
	var rest [24]byte // the last bytes of the text, with zeros behind them
	copy(rest[:], b)
	start, _, _ = m.blocks(s, rest[:], from, before)
	return start
}

// everywhere is next for words that may be part of longer ones.
func (m *Words) everywhere(s string, b []byte, from int) int {
	prefix, at := m.prefix, 0
	for ; at+16 <= len(b); at += 8 {
		x, next := abi.Load(b[at:]), abi.Load(b[at+8:])
		if m.sparse {
			y := x>>8 | next<<56 | 0x20*Ones
			if zeros(m.pairs[0].miss(x|0x20*Ones, y))|zeros(m.pairs[1].miss(x|0x20*Ones, y)) == 0 {
				continue
			}
		}
		// All eight places are looked up without a branch, which in a Go guest costs more than the look-ups.
		hit := m.filter[bucket(x, prefix)] | m.filter[bucket(x>>8, prefix)] | m.filter[bucket(x>>16, prefix)] |
			m.filter[bucket(x>>24, prefix)] | m.filter[bucket(x>>32, prefix)] | m.filter[bucket(x>>40|next<<24, prefix)] |
			m.filter[bucket(x>>48|next<<16, prefix)] | m.filter[bucket(x>>56|next<<8, prefix)]
		if hit == 0 {
			continue
		}
		for i := range 8 {
			if n, _ := m.matchAt(s, from+at+i); n >= 0 {
				return from + at + i
			}
		}
	}
	for ; at < len(b); at++ {
		if n, _ := m.matchAt(s, from+at); n >= 0 {
			return from + at
		}
	}
	return -1
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
func (m *Words) blocks(s string, b []byte, from int, before uint64) (start, read int, after uint64) {
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
func (m *Words) letters(s string, b []byte, from int, before uint64) (start, read int, after uint64) {
	for {
		if read = m.skip(b, read); read+stride > len(b) {
			break
		}
		for at := read; at < read+32; at += 8 {
			if start = m.closer(s, b, from, at, before); start >= 0 {
				return start, at, before
			}
		}
		read += 32
	}
	// The end, with some of what was looked at before it: most have nothing there.
	if last := len(b) - stride; last >= 0 && m.skip(b[last:], 0) > 0 {
		x := abi.Load(b[len(b)-8:]) | lower
		if zeros(m.pairs[0].miss(x, x>>8))|zeros(m.pairs[1].miss(x, x>>8)) == 0 {
			return -1, len(b), 0
		}
	}
	for ; read+16 <= len(b); read += 8 {
		if start = m.closer(s, b, from, read, before); start >= 0 {
			return start, read, before
		}
	}
	if read > 0 {
		before = ends(b[read-1])
	}
	return -1, read, before
}

// stride is how many bytes skip needs to look at 32.
const stride = 40

// missing reports whether the pair is nowhere in b, which has at least wide bytes. Most texts end here; what comes close to
// the pair may be reported as there. Loads are few, because in a Go guest each looks whether its address is nil.
func (p *pair) missing(b []byte) bool {
	first, second, mask := p.first, p.second, p.mask
	last := len(b) - wide
	for read := 0; ; read += 64 {
		w := block(b[min(read, last):])
		x0, x1, x2, x3, x4 := w[0]|lower, w[1]|lower, w[2]|lower, w[3]|lower, w[4]|lower
		m0 := x0 ^ first | (x0>>8|x1<<56^second)&mask
		m1 := x1 ^ first | (x1>>8|x2<<56^second)&mask
		m2 := x2 ^ first | (x2>>8|x3<<56^second)&mask
		m3 := x3 ^ first | (x3>>8|x4<<56^second)&mask
		hits := (m0-Ones)&^m0 | (m1-Ones)&^m1 | (m2-Ones)&^m2 | (m3-Ones)&^m3
		x5, x6, x7, x8 := w[5]|lower, w[6]|lower, w[7]|lower, w[8]|lower
		m0 = x4 ^ first | (x4>>8|x5<<56^second)&mask
		m1 = x5 ^ first | (x5>>8|x6<<56^second)&mask
		m2 = x6 ^ first | (x6>>8|x7<<56^second)&mask
		m3 = x7 ^ first | (x7>>8|x8<<56^second)&mask
		if (hits|(m0-Ones)&^m0|(m1-Ones)&^m1|(m2-Ones)&^m2|(m3-Ones)&^m3)&Highs != 0 {
			return false
		}
		if read >= last {
			return zeros(p.miss(x8, x8>>8)) == 0
		}
	}
}

// wide is how many bytes missing looks at in one step.
const wide = 72

// skip returns the place of the first 32 bytes, from read on, that hold the pair, or where there are too few.
func (p *pair) skip(b []byte, read int) int {
	first, second, mask := p.first, p.second, p.mask
	for ; read+stride <= len(b); read += 32 {
		c := b[read : read+stride]
		m0 := (abi.Load(c) | lower) ^ first | ((abi.Load(c[1:])|lower)^second)&mask
		m1 := (abi.Load(c[8:]) | lower) ^ first | ((abi.Load(c[9:])|lower)^second)&mask
		m2 := (abi.Load(c[16:]) | lower) ^ first | ((abi.Load(c[17:])|lower)^second)&mask
		m3 := (abi.Load(c[24:]) | lower) ^ first | ((abi.Load(c[25:])|lower)^second)&mask
		if ((m0-Ones)&^m0|(m1-Ones)&^m1|(m2-Ones)&^m2|(m3-Ones)&^m3)&Highs != 0 {
			break
		}
	}
	return read
}

// skip does so for either of two pairs.
func (m *Words) skip(b []byte, read int) int {
	if m.single {
		return m.pairs[0].skip(b, read)
	}
	one, two := m.pairs[0], m.pairs[1]
	for ; read+stride <= len(b); read += 32 {
		c := b[read : read+stride]
		x0, x1, x2, x3 := abi.Load(c)|lower, abi.Load(c[8:])|lower, abi.Load(c[16:])|lower, abi.Load(c[24:])|lower
		y0, y1, y2, y3 := abi.Load(c[1:])|lower, abi.Load(c[9:])|lower, abi.Load(c[17:])|lower, abi.Load(c[25:])|lower
		hits := zeros(one.miss(x0, y0)) | zeros(one.miss(x1, y1)) | zeros(one.miss(x2, y2)) | zeros(one.miss(x3, y3)) |
			zeros(two.miss(x0, y0)) | zeros(two.miss(x1, y1)) | zeros(two.miss(x2, y2)) | zeros(two.miss(x3, y3))
		if hits != 0 {
			break
		}
	}
	return read
}

// closer looks at the eight bytes of b at a place, and the one behind them. before is for those at the beginning of b.
func (m *Words) closer(s string, b []byte, from, at int, before uint64) (start int) {
	x, y := abi.Load(b[at:]), abi.Load(b[at+1:])
	hits := zeros(m.pairs[0].miss(x|lower, y|lower)) | zeros(m.pairs[1].miss(x|lower, y|lower))
	if hits == 0 {
		return -1
	}
	if at > 0 {
		before = ends(b[at-1])
	}
	w := wordBytes(x)
	return m.scan(s, from+at, w&^((w&^x)<<8|before)&hits)
}

// ends is 0x80 for an ASCII letter or digit, behind which no word begins.
func ends(c byte) uint64 {
	x := uint64(c)
	return wordBytes(x) &^ x & 0x80
}

// scan returns the place of the first match among those of the eight bytes from a place on that have their high bit set
// in starts, or -1.
func (m *Words) scan(s string, from int, starts uint64) int {
	for ; starts != 0; starts &= starts - 1 {
		at := from + bits.TrailingZeros64(starts)>>3
		if at >= len(s) {
			break
		}
		if n, _ := m.matchAt(s, at); n >= 0 {
			return at
		}
	}
	return -1
}

// candidates calls try with the words that begin like the text at a place, in the order of the list, until it returns
// false.
func (m *Words) candidates(s string, at int, try func(n int) bool) {
	first := fourBytes(s, at)
	k := bucket(first, m.prefix)
	if m.filter[k] == 0 || !utf8.RuneStart(s[at]) {
		return
	}
	low := uint32(first) | anyCase
	for _, c := range m.members[m.heads[k]:m.heads[k+1]] {
		if low&c.mask == c.first && !try(int(c.word)) {
			return
		}
	}
}

// matchAt returns the first word of the list that the text has at a place, and where it ends; -1 if there is none.
func (m *Words) matchAt(s string, at int) (n, end int) {
	first := fourBytes(s, at)
	k := bucket(first, m.prefix)
	if m.filter[k] == 0 || !utf8.RuneStart(s[at]) {
		return -1, 0
	}
	low := uint32(first) | anyCase
	for _, c := range m.members[m.heads[k]:m.heads[k+1]] {
		if low&c.mask != c.first {
			continue
		}
		if end, ok := m.words[c.word].at(s, at); ok {
			return int(c.word), end
		}
	}
	return -1, 0
}

// at reports whether the text has the word at a place, and where it ends.
func (w *word) at(s string, start int) (end int, ok bool) {
	end = start
	for _, want := range w.runes {
		if want == ' ' && !w.Verbatim {
			next := skipSpace(s, end)
			if next == end {
				return 0, false
			}
			end = next
			continue
		}
		if end == len(s) {
			return 0, false
		}
		r, size := rune(s[end]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[end:])
		}
		if r != want && Fold(r) != want || r == utf8.RuneError && size == 1 {
			return 0, false
		}
		end += size
	}
	if w.Whole && (!Boundary(s, start) || !Boundary(s, end)) {
		return 0, false
	}
	return end, !w.Exact || w.same(s[start:end])
}

// same compares a match in the case that the word has.
func (w *word) same(match string) bool {
	if w.Verbatim {
		return match == w.Text
	}
	return strings.Join(strings.Fields(match), " ") == w.Text
}
