package main

import (
	"math/bits"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/sallyport-ai/sallyport/sdk/abi"
	"github.com/sallyport-ai/sallyport/sdk/go/scan"
)

// span is a place in a text that holds personal data.
type span struct {
	start, end int
	kind       kind
}

// finder finds personal data in one pass over a text. Eight bytes at a time it looks for what all of it has in common: a
// digit, a colon, an @ sign, or eight bytes without a space. Only there does it look closer.
type finder struct {
	want  [kinds]bool
	spans []span
	done  int // what is in front of it was looked at as a number
	words int // what is in front of it was looked at as a word
	group [maxGroups]group
}

// find returns what it found, in order and without overlaps. It is valid until the next call.
func (f *finder) find(s string) []span {
	f.spans, f.done, f.words = f.spans[:0], 0, 0
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	at := f.blocks(s, b, 0)
	if at < len(s) {
		var rest [8]byte // the last bytes of the text, with spaces behind them
		copy(rest[copy(rest[:], b[at:]):], "        ")
		f.blocks(s, rest[:], at)
	}
	if len(f.spans) > 1 {
		f.settle()
	}
	return f.spans
}

// blocks looks at b, which is s from a place on, as long as there are eight bytes, and returns the place of the rest.
func (f *finder) blocks(s string, b []byte, from int) int {
	read := 0
	for ; read+8 <= len(b); read += 8 {
		x := abi.Load(b[read:])
		low := x &^ scan.Highs
		// From '0' to '@' are the digits, the colon and the @ sign, and little else that is frequent.
		hits := (low + (0x80-'0')*scan.Ones) &^ (low + (0x80-'@'-1)*scan.Ones) &^ x & scan.Highs
		dense := (low + (0x80-'!')*scan.Ones) &^ x & scan.Highs
		if hits == 0 && dense != scan.Highs {
			continue
		}
		f.look(s, from+read, hits, dense == scan.Highs)
	}
	return from + read
}

// look looks closer at eight bytes of which those with a high bit in hits may be part of something.
func (f *finder) look(s string, at int, hits uint64, dense bool) {
	if dense && f.want[key] {
		f.word(s, at)
	}
	for ; hits != 0; hits &= hits - 1 {
		i := at + bits.TrailingZeros64(hits)>>3
		if i >= len(s) {
			return
		}
		switch c := s[i]; {
		case c == '@':
			if f.want[email] {
				f.email(s, i)
			}
		case c == ':':
			if f.want[ip] {
				f.colon(s, i)
			}
		case digit(c) && i >= f.done:
			f.digits(s, i)
		}
	}
}

func (f *finder) add(k kind, start, end int) {
	if f.want[k] {
		f.spans = append(f.spans, span{start, end, k})
	}
}

// settle puts the spans in order, and of those that overlap keeps the longer, in case of doubt the first.
func (f *finder) settle() {
	s := f.spans
	for i := 1; i < len(s); i++ { // nearly in order already
		for j := i; j > 0 && s[j].start < s[j-1].start; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
	kept := s[:1]
	for _, next := range s[1:] {
		last := &kept[len(kept)-1]
		switch {
		case next.start >= last.end:
			kept = append(kept, next)
		case next.end-next.start > last.end-last.start:
			// What the shorter one covered alone stays covered.
			next.start = last.start
			*last = next
		default:
			last.end = max(last.end, next.end)
		}
	}
	f.spans = kept
}

// email looks at an address around an @ sign.
func (f *finder) email(s string, at int) {
	start := at
	for start > 0 && at-start < 64 && localByte(s[start-1]) {
		start--
	}
	start = latin(s, start, start == at)
	for start < at && s[start] == '.' {
		start++
	}
	if start == at {
		return
	}
	end, dot := at+1, 0
	for end < len(s) && end-at <= 255 {
		c := s[end]
		if c == '.' {
			if end == at+1 || end+1 == len(s) || !domainByte(s[end+1]) {
				break
			}
			dot = end
		} else if c != '-' && !domainByte(c) {
			break
		}
		end++
	}
	if end -= trailing(s[at:end]); dot == 0 || end-dot < 3 || digit(s[dot+1]) {
		return
	}
	f.add(email, start, end)
}

// latin moves the start of a local part back over letters with accents; any is set if it has no other letters so far, and
// lets in every script.
func latin(s string, start int, anyScript bool) int {
	for start > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:start])
		ascii := r < utf8.RuneSelf && localByte(byte(r))
		if r == utf8.RuneError || !ascii && !unicode.Is(unicode.Latin, r) && (!anyScript || !unicode.IsLetter(r)) {
			break
		}
		start -= size
	}
	return start
}

func trailing(s string) int {
	n := 0
	for n < len(s) && (s[len(s)-1-n] == '-' || s[len(s)-1-n] == '.') {
		n++
	}
	return n
}

func localByte(c byte) bool {
	return letter(c) || digit(c) || c == '.' || c == '_' || c == '-' || c == '+' || c == '%' || c == '\''
}

func domainByte(c byte) bool { return letter(c) || digit(c) || c >= utf8.RuneSelf }

func digit(c byte) bool  { return c-'0' < 10 }
func letter(c byte) bool { return c|0x20-'a' < 26 }

func upper(c byte) byte {
	if c-'a' < 26 {
		c -= 'a' - 'A'
	}
	return c
}

// wordByte says whether a byte is part of a word, so that what is beside it is no number or name of its own.
func wordByte(c byte) bool { return letter(c) || digit(c) || c == '_' || c >= utf8.RuneSelf }

// edge reports whether a span may end or begin at a place, at which s has no word going on.
func edge(s string, at int) bool {
	return at <= 0 || at >= len(s) || !wordByte(s[at-1]) || !wordByte(s[at])
}
