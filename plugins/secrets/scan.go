package main

import (
	"math/bits"
	"unicode/utf8"
	"unsafe"

	"github.com/sallyport-ai/sallyport/sdk/abi"
	"github.com/sallyport-ai/sallyport/sdk/go/scan"
)

// span is a place in a text that holds a credential.
type span struct {
	start, end int
	kind       kind
}

// finder finds credentials in one pass over a text. Eight bytes at a time it looks for what they have in common: eight
// bytes without a space, which every token has, or a colon or equals sign, which stands in front of every password. Only
// there does it look closer.
type finder struct {
	want      [kinds]bool
	minLength int
	entropy   float64
	spans     []span
	words     int // what is in front of it was looked at as a word
}

// find returns what it found, in order and without overlaps. It is valid until the next call.
func (f *finder) find(s string) []span {
	f.spans, f.words = f.spans[:0], 0
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
		// From ':' to '=' are the two signs, and two that are rare in prose.
		hits := (low + (0x80-':')*scan.Ones) &^ (low + (0x80-'='-1)*scan.Ones) &^ x & scan.Highs
		dense := (low + (0x80-'!')*scan.Ones) &^ x & scan.Highs
		if hits == 0 && dense != scan.Highs {
			continue
		}
		if dense == scan.Highs && from+read >= f.words {
			f.word(s, from+read)
		}
		for ; hits != 0; hits &= hits - 1 {
			i := from + read + bits.TrailingZeros64(hits)>>3
			if i < len(s) {
				f.sign(s, i)
			}
		}
	}
	return from + read
}

func (f *finder) add(k kind, start, end int) {
	if f.want[k] {
		f.spans = append(f.spans, span{start, end, k})
	}
}

// settle puts the spans in order and joins those that overlap. The one that was found by its own form gives the kind.
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
		if next.start >= last.end {
			kept = append(kept, next)
			continue
		}
		last.end = max(last.end, next.end)
		last.kind = min(last.kind, next.kind)
	}
	f.spans = kept
}

// word looks at the word around a place.
func (f *finder) word(s string, at int) {
	k, start, end, next := scan.Credential(s, at, f.words)
	if f.words = next; k != scan.None {
		f.add(kind(k), start, end)
	}
}

// nameByte is part of the name of a setting; a word in any script goes on there.
func nameByte(c byte) bool { return scan.WordByte(c) || c == '.' || c >= utf8.RuneSelf }
