package main

import (
	"math/bits"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/sallyport-ai/sallyport/sdk/abi"
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

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

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
		low := x &^ highs
		// From ':' to '=' are the two signs, and two that are rare in prose.
		hits := (low + (0x80-':')*ones) &^ (low + (0x80-'='-1)*ones) &^ x & highs
		dense := (low + (0x80-'!')*ones) &^ x & highs
		if hits == 0 && dense != highs {
			continue
		}
		if dense == highs && from+read >= f.words {
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
	start := at
	for start > f.words && wordByte(s[start-1]) {
		start--
	}
	end := at
	for end < len(s) && wordByte(s[end]) {
		end++
	}
	f.words = max(end, at+1)
	if end-start < 3 {
		return
	}
	if start > 0 && s[start-1] == '.' {
		start, end = behindDot(s, start, end)
	}
	k, last := f.token(s, start, end)
	if k == none {
		k, start, last = f.long(s, start, end)
	}
	if k != none {
		f.add(k, start, last)
		f.words = max(f.words, last)
	}
}

// behindDot moves a word that follows the short first part of a token to that part.
func behindDot(s string, start, end int) (from, to int) {
	for _, first := range [...]string{"SG", "hvs", "ya29"} {
		if at := start - 1 - len(first); at >= 0 && s[at:start-1] == first && (at == 0 || !wordByte(s[at-1])) {
			return at, start - 1
		}
	}
	return start, end
}

// token says what the word is by how it begins, and where the token ends.
func (f *finder) token(s string, start, end int) (kind, int) {
	w := s[start:end]
	if strings.HasPrefix(w, "eyJ") {
		if last := webToken(s, start, end); last > 0 {
			return jwt, last
		}
		return none, 0
	}
	if strings.HasPrefix(w, "SG") || strings.HasPrefix(w, "hvs") || strings.HasPrefix(w, "ya29") {
		return dotted(s, start, end)
	}
	k, least := issuer(w)
	if k == none || len(w) < least || k != awsAccessKey && !strings.ContainsAny(w, "0123456789") {
		return none, 0
	}
	if k == awsAccessKey && strings.ToUpper(w) != w || k == openaiKey && words(w) {
		return none, 0
	}
	return k, end
}

// words reports whether a text that begins like a key is made of short words and numbers, as in "sk-learn-0-24-release".
func words(w string) bool {
	longest, run := 0, 0
	for i := range len(w) {
		if run++; w[i] == '-' || w[i] == '_' {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest < 12
}

// dotted knows the tokens that have dots in them.
func dotted(s string, start, end int) (kind, int) {
	dots, first := 0, end
	for end < len(s) && (wordByte(s[end]) || s[end] == '.' && end+1 < len(s) && wordByte(s[end+1])) {
		if s[end] == '.' {
			dots++
		}
		end++
	}
	n := end - start
	switch w := s[start:first]; {
	case w == "SG" && dots == 2 && n >= 50, w == "hvs" && dots == 1 && n >= 28:
		return vendorKey, end
	case w == "ya29" && dots > 0 && n >= 30:
		return googleKey, end
	}
	return none, 0
}

// long looks at a long word that begins like no token: by what is around it, it is a secret all the same.
func (f *finder) long(s string, start, end int) (k kind, from, to int) {
	if end-start == 24 && strings.Contains(s[max(0, start-50):start], "hooks.slack.com/services/") {
		return slackToken, start, end
	}
	if end-start == 35 && start >= 8 && s[start-1] == ':' && decimal(s[start-8:start-1]) && s[start:start+2] == "AA" {
		return vendorKey, start, end // Telegram's bots
	}
	for start > 0 && end-start <= 64 && base64Byte(s[start-1]) && s[start-1] != '=' {
		start--
	}
	for end < len(s) && end-start <= 64 && base64Byte(s[end]) {
		end++
	}
	if end-start < 32 {
		return none, 0, 0
	}
	if end-start == 40 && f.want[awsSecretKey] && entropy(s[start:end]) > 4 && mixed(s[start:end]) {
		near := strings.ToLower(s[max(0, start-60):start])
		if strings.Contains(near, "aws") || strings.Contains(near, "secret") {
			return awsSecretKey, start, end
		}
	}
	if from, to = pem(s, start, end); to > 0 {
		return privateKey, from, to
	}
	return none, 0, 0
}

// pem returns the block of a private key that has a line of base64 from start to end, or 0, 0. A block that is not finished
// goes to the end of the text.
func pem(s string, start, end int) (from, to int) {
	const window = 160 // in front of the line: there may be headers
	first := max(0, start-window)
	front := s[first:start]
	at := strings.LastIndex(front, "PRIVATE KEY")
	begin := strings.LastIndex(front, "-----BEGIN ")
	if at < 0 || begin < 0 || begin > at {
		return 0, 0
	}
	to = strings.Index(s[end:], "-----END ")
	if to < 0 {
		return first + begin, len(s)
	}
	to += end + len("-----END ")
	if closing := strings.Index(s[to:min(len(s), to+60)], "-----"); closing >= 0 {
		to += closing + len("-----")
	}
	return first + begin, to
}

// webToken returns the end of a JSON Web Token whose header ends at a place, or 0.
func webToken(s string, start, end int) int {
	for part := range 2 {
		if end == len(s) || s[end] != '.' || end-start < 10 {
			return 0
		}
		start = end + 1
		for end = start; end < len(s) && wordByte(s[end]); {
			end++
		}
		if part == 0 && !strings.HasPrefix(s[start:], "eyJ") {
			return 0
		}
	}
	if end-start < 16 {
		return 0
	}
	return end
}

func decimal(s string) bool {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return true
}

func wordByte(c byte) bool {
	return c|0x20-'a' < 26 || c-'0' < 10 || c == '_' || c == '-'
}

func base64Byte(c byte) bool { return wordByte(c) || c == '+' || c == '/' || c == '=' }

// nameByte is part of the name of a setting; a word in any script goes on there.
func nameByte(c byte) bool { return wordByte(c) || c == '.' || c >= utf8.RuneSelf }
