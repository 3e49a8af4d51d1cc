// Package scan finds words, phrases and credentials in texts. It is what the plugins that look for such things have in
// common, and made for hooks: it reads texts eight bytes at a time, allocates nothing per call, and imports neither regexp
// nor fmt.
package scan

import (
	"unicode"
	"unicode/utf8"
)

// Ones has the lowest bit of each of eight bytes set, Highs the highest. With them and abi.Load a scanner asks something of
// eight bytes at once: of a word x of bytes below 0x80, (x + (0x80-c)*Ones) & Highs marks those that are at least c.
const (
	Ones  = 0x0101010101010101
	Highs = 0x8080808080808080
)

// Fold returns the one rune that stands for all cases of r.
func Fold(r rune) rune {
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

// WordRune reports whether a rune is part of words: a letter or a digit of any script.
func WordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// Boundary reports whether no word goes on across the place.
func Boundary(s string, at int) bool {
	if at == 0 || at == len(s) {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(s[:at])
	after, _ := utf8.DecodeRuneInString(s[at:])
	return !WordRune(before) || !WordRune(after)
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
