package tokens

import (
	"unicode"
	"unicode/utf8"
)

// next returns the length of the first piece of a text that is not empty. Tokens never reach over the end of a piece. The
// rules are the regular expressions of tiktoken (https://github.com/openai/tiktoken/blob/main/tiktoken_ext/openai_public.py),
// written out: each alternative in its order, each as greedy as there.
func next(e Encoding, s string) int {
	r, size := utf8.DecodeRuneInString(s)
	if e == O200K {
		if n := wordO200K(s, r, size); n > 0 {
			return n
		}
	} else {
		if n := contraction(s); n > 0 {
			return n
		}
		if n := wordCL100K(s, r, size); n > 0 {
			return n
		}
	}
	if isNumber(r) {
		return numbers(s)
	}
	if n := symbols(s, r, size, e == O200K); n > 0 {
		return n
	}
	return spaces(s)
}

// run returns the length of the runes at the front of s that are of a class.
func run(s string, class func(rune) bool) int {
	for i, r := range s {
		if !class(r) {
			return i
		}
	}
	return len(s)
}

func isLetter(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r|0x20 && r|0x20 <= 'z'
	}
	return unicode.IsLetter(r)
}

func isNumber(r rune) bool {
	if r < utf8.RuneSelf {
		return '0' <= r && r <= '9'
	}
	return unicode.IsNumber(r)
}

func isNewline(r rune) bool { return r == '\r' || r == '\n' }

// isMark reports whether something may stand in front of a word: it is no letter, no number and no end of a line.
func isMark(r rune) bool { return !isNewline(r) && !isLetter(r) && !isNumber(r) }

func isSymbol(r rune) bool { return !unicode.IsSpace(r) && !isLetter(r) && !isNumber(r) }

// isUpper is what may begin a word of o200k_base: upper and title case, and what has no case.
func isUpper(r rune) bool {
	if r < utf8.RuneSelf {
		return 'A' <= r && r <= 'Z'
	}
	return unicode.In(r, unicode.Lu, unicode.Lt, unicode.Lm, unicode.Lo, unicode.M)
}

// isLower is what may end one: lower case, and what has no case.
func isLower(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z'
	}
	return unicode.In(r, unicode.Ll, unicode.Lm, unicode.Lo, unicode.M)
}

// contraction returns the length of 's, 't, 're, 've, 'm, 'll or 'd, in any case.
func contraction(s string) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	switch s[1] | 0x20 {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if len(s) > 2 && s[2]|0x20 == 'e' {
			return 3
		}
	case 'l':
		if len(s) > 2 && s[2]|0x20 == 'l' {
			return 3
		}
	}
	if len(s) > 2 && s[1:3] == "ſ" { // folds to s
		return 3
	}
	return 0
}

// wordCL100K is [^\r\n\p{L}\p{N}]?\p{L}+.
func wordCL100K(s string, r rune, size int) int {
	at := 0
	if isMark(r) {
		at = size
	}
	if n := run(s[at:], isLetter); n > 0 {
		return at + n
	}
	return 0
}

// wordO200K is the first two alternatives of o200k_base: a word that ends in lower case, or else one that begins in upper
// case, each with a mark in front if there is one, and a contraction behind.
func wordO200K(s string, r rune, size int) int {
	for _, word := range []func(string) int{lowerWord, upperWord} {
		n := 0
		if isMark(r) {
			if n = word(s[size:]); n > 0 {
				n += size
			}
		}
		if n == 0 {
			n = word(s)
		}
		if n > 0 {
			return n + contraction(s[n:])
		}
	}
	return 0
}

// lowerWord is [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+. The first set takes all it can; if nothing is
// left for the second one, it gives back as many runes as it must.
func lowerWord(s string) int {
	upper := run(s, isUpper)
	if lower := run(s[upper:], isLower); lower > 0 {
		return upper + lower
	}
	for upper > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:upper])
		if isLower(r) {
			return upper
		}
		upper -= size
	}
	return 0
}

// upperWord is [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*.
func upperWord(s string) int {
	upper := run(s, isUpper)
	if upper == 0 {
		return 0
	}
	return upper + run(s[upper:], isLower)
}

// numbers is \p{N}{1,3}.
func numbers(s string) int {
	n := 0
	for i, r := range s {
		if n == 3 || !isNumber(r) {
			return i
		}
		n++
	}
	return len(s)
}

// symbols is " ?[^\s\p{L}\p{N}]+[\r\n]*", with slashes among the ends of lines for o200k_base.
func symbols(s string, r rune, size int, slash bool) int {
	at := 0
	if r == ' ' {
		at = size
	}
	n := run(s[at:], isSymbol)
	if n == 0 {
		return 0
	}
	n += at
	for n < len(s) && (s[n] == '\r' || s[n] == '\n' || slash && s[n] == '/') {
		n++
	}
	return n
}

// spaces is \s*[\r\n]+|\s+(?!\S)|\s+: white space up to its last end of a line, or all but the last of it if a word
// follows, which takes that one. Anything else that is left, such as a byte that is no UTF-8, is a piece of its own.
func spaces(s string) int {
	n := run(s, unicode.IsSpace)
	for i := n; i > 0; i-- {
		if s[i-1] == '\r' || s[i-1] == '\n' {
			return i
		}
	}
	if n == len(s) {
		return n
	}
	_, last := utf8.DecodeLastRuneInString(s[:n])
	if n > last {
		return n - last
	}
	if n == 0 {
		_, n = utf8.DecodeRuneInString(s)
	}
	return n
}
