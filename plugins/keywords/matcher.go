package main

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// use says what a match of an entry means.
type use uint8

const (
	blocked   use = iota // index is a list
	prefilter            // index is a pattern
	allowed
)

// entry is a word or phrase.
type entry struct {
	use   use
	index int
	whole bool // a match must not be part of a longer word
	exact bool // case matters
	text  string
	runes []rune // folded; a space stands for any run of white space, but in literals of patterns
}

// matcher finds entries in one pass over a text. It looks two bytes up at every place, and if an entry begins with them, four.
// Only entries that begin like the text are compared.
type matcher struct {
	filter  [1 << 16 / 64]uint64 // a bit for the first two bytes of every entry, in lower case
	four    map[uint32][]int32   // entries by their first four bytes, if those are ASCII
	other   map[uint16][]int32   // the others by their first two
	unusual map[uint16][]int32   // those in four that may also be written with a letter that is not ASCII
	entries []entry
}

const maxEntries = 20_000

func (m *matcher) add(e entry, text string) error {
	if !utf8.ValidString(text) {
		return errors.New("it is not UTF-8")
	}
	e.text = text
	if e.use == prefilter {
		for _, r := range text {
			e.runes = append(e.runes, fold(r))
		}
	} else {
		e.text = strings.Join(strings.Fields(text), " ")
		for _, r := range e.text {
			e.runes = append(e.runes, fold(r))
		}
	}
	switch {
	case len(e.runes) == 0:
		return errors.New("it is empty")
	case len(e.text) < 2:
		return errors.New(strconv.Quote(text) + " is one letter: make it a pattern")
	case len(m.entries) == maxEntries:
		return errors.New("there are more than " + strconv.Itoa(maxEntries) + " words")
	}
	if m.four == nil {
		m.four, m.other, m.unusual = map[uint32][]int32{}, map[uint16][]int32{}, map[uint16][]int32{}
	}
	n := int32(len(m.entries))
	m.entries = append(m.entries, e)
	ascii, letters := firstFour(e.runes)
	if ascii {
		m.four[letters] = append(m.four[letters], n)
	}
	for key := range beginnings(e.runes) {
		m.filter[key/64] |= 1 << (key % 64)
		if ascii {
			m.unusual[key] = append(m.unusual[key], n)
		} else {
			m.other[key] = append(m.other[key], n)
		}
	}
	return nil
}

// firstFour returns the first four letters, if they are ASCII and no space, which may be written in many ways.
func firstFour(runes []rune) (ascii bool, letters uint32) {
	if len(runes) < 4 {
		return false, 0
	}
	for _, r := range runes[:4] {
		if r >= utf8.RuneSelf || r == ' ' {
			return false, 0
		}
		letters = letters<<8 | uint32(r)
	}
	return true, letters
}

// beginnings returns the first two bytes that an entry can have in any case. Bytes of ASCII letters count in lower case.
func beginnings(runes []rune) map[uint16]bool {
	keys := map[uint16]bool{}
	for _, a := range variants(runes[0]) {
		begin := utf8.AppendRune(nil, a)
		if len(begin) > 1 {
			keys[pair(begin[0], begin[1])] = true
			continue
		}
		if runes[1] == ' ' { // any white space
			for b := range 256 {
				keys[pair(begin[0], byte(b))] = true
			}
			continue
		}
		for _, b := range variants(runes[1]) {
			keys[pair(begin[0], utf8.AppendRune(nil, b)[0])] = true
		}
	}
	return keys
}

func variants(r rune) []rune {
	list := []rune{r}
	for v := unicode.SimpleFold(r); v != r; v = unicode.SimpleFold(v) {
		list = append(list, v)
	}
	return list
}

func pair(a, b byte) uint16 { return uint16(lower(a))<<8 | uint16(lower(b)) }

func lower(c byte) byte {
	if c-'A' < 26 {
		c += 'a' - 'A'
	}
	return c
}

// find calls found for every match of every entry, in the order of their starts.
func (m *matcher) find(s string, found func(e *entry, start, end int)) {
	last := uint16(0)
	for i := range len(s) {
		c := s[i]
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		last = last<<8 | uint16(c)
		if m.filter[last/64]>>(last%64)&1 != 0 && i > 0 {
			m.at(s, i-1, last, found)
		}
	}
}

func (m *matcher) at(s string, start int, key uint16, found func(e *entry, start, end int)) {
	if !utf8.RuneStart(s[start]) {
		return
	}
	if start+4 <= len(s) && s[start]|s[start+1]|s[start+2]|s[start+3] < utf8.RuneSelf {
		letters := uint32(key)<<16 | uint32(pair(s[start+2], s[start+3]))
		m.try(m.four[letters], s, start, found)
	} else {
		m.try(m.unusual[key], s, start, found)
	}
	m.try(m.other[key], s, start, found)
}

func (m *matcher) try(list []int32, s string, start int, found func(e *entry, start, end int)) {
	for _, n := range list {
		e := &m.entries[n]
		end, ok := e.compare(s, start)
		if ok && (!e.whole || boundary(s, start) && boundary(s, end)) {
			found(e, start, end)
		}
	}
}

// compare reports whether the text at a place is the entry, and where it ends.
func (e *entry) compare(s string, at int) (end int, ok bool) {
	start := at
	for _, want := range e.runes {
		if want == ' ' && e.use != prefilter {
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
		if r != want && fold(r) != want || r == utf8.RuneError && size == 1 {
			return 0, false
		}
		at += size
	}
	if e.exact && strings.Join(strings.Fields(s[start:at]), " ") != e.text {
		return 0, false
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

// fold returns the one rune that stands for all cases of r.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		return rune(lower(byte(r)))
	}
	least := r
	for v := unicode.SimpleFold(r); v != r; v = unicode.SimpleFold(v) {
		least = min(least, v)
	}
	if least < utf8.RuneSelf {
		return rune(lower(byte(least)))
	}
	return least
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

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
