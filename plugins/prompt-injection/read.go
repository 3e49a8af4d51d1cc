package main

import (
	"unicode"
	"unicode/utf8"
)

// token is a word of the vocabulary in a text.
type token struct {
	class class
	at    int // which word of the text it is
}

// reader takes a text apart into words, as a model would read them: without regard to case, accents, look-alike letters,
// digits in place of letters, invisible characters, and spaces between single letters.
type reader struct {
	known  *lexicon
	fold   [256]byte
	tokens []token
	union  class // of all tokens
	count  int   // words so far
	hits   []hit // markers
	blobs  []int // places of words that may be base64
	hidden hidden

	word   [32]byte // the word that is being read; what is longer is cut
	rest   [2 * tail]byte
	size   int
	leet   bool // a digit stands in the word
	single []byte
	gap    int  // separators since the last word
	flag   bool // the tags that follow belong to a flag
}

// hidden counts characters that a reader does not see.
type hidden struct {
	zeroWidth int // inside words of ASCII letters
	bidi      int // controls that reorder
	tags      int // invisible copies of ASCII
}

// What a byte is, besides a letter or digit, which stands for itself in lower case.
const (
	space = 0
	skip  = 1 // an apostrophe
	sign  = 2 // stands for a letter between letters
	mark  = 3 // begins a marker
	wide  = 4 // begins a longer character
)

const (
	longest   = len(reader{}.word)
	leastBlob = 24
)

func newReader() *reader {
	r := &reader{known: newLexicon(), blobs: make([]int, 0, 8)}
	for c := range 256 {
		b := byte(c)
		switch {
		case b-'0' < 10, b-'a' < 26:
			r.fold[c] = b
		case b-'A' < 26:
			r.fold[c] = b + 'a' - 'A'
		case b == '\'':
			r.fold[c] = skip
		case signLetter(b) != 0:
			r.fold[c] = sign
		case b == '<', b == '[', b == '#':
			r.fold[c] = mark
		case b >= utf8.RuneSelf:
			r.fold[c] = wide
		}
	}
	return r
}

// read fills tokens, union and hidden.
func (r *reader) read(s string) {
	r.tokens, r.union, r.count, r.hidden = r.tokens[:0], 0, 0, hidden{}
	r.size, r.leet, r.single, r.gap, r.flag = 0, false, r.single[:0], 0, false
	r.hits, r.blobs = r.hits[:0], r.blobs[:0]
	for i := 0; i < len(s); {
		if r.size == 0 {
			if i = r.plain(s, i); i == len(s) {
				break
			}
		}
		start, c := i, byte(space)
		for i < len(s) {
			if c = r.fold[s[i]]; c <= wide {
				break
			}
			i++
		}
		if i-start >= leastBlob && len(r.blobs) < cap(r.blobs) {
			r.blobs = append(r.blobs, start)
		}
		r.push(s[start:i])
		if i == len(s) {
			break
		}
		if c == space {
			r.roleLine(s, start, i)
		}
		i += r.odd(s, i, c)
	}
	r.endWord()
	r.flush()
}

// push appends ASCII to the word.
func (r *reader) push(s string) {
	for i := 0; i < len(s) && r.size < longest; i++ {
		c := r.fold[s[i]]
		r.leet = r.leet || c <= '9'
		r.word[r.size] = c
		r.size++
	}
}

// odd handles what is no ASCII letter or digit, and returns how many bytes it has.
func (r *reader) odd(s string, i int, c byte) int {
	switch c {
	case skip:
		return 1
	case sign:
		if r.size > 0 && i+1 < len(s) && r.fold[s[i+1]] > wide {
			r.push(string(signLetter(s[i])))
			return 1
		}
	case mark:
		r.marker(s, i)
	}
	if c != wide {
		r.endWord()
		r.gap++
		return 1
	}
	char, size := utf8.DecodeRuneInString(s[i:])
	switch {
	case char >= 0xe0000 && char <= 0xe007f:
		r.tag(byte(char - 0xe0000))
	case char == 0x1f3f4: // a flag whose region follows in tags
		r.endWord()
		r.flag = true
	case char >= 0x202a && char <= 0x202e:
		r.hidden.bidi++
	case char >= 0x200b && char <= 0x200d, char == 0x2060, char == 0xfeff, char == 0xad, char == 0x180e:
		if r.size > 0 && i+size < len(s) && s[i+size] < utf8.RuneSelf && r.fold[s[i+size]] > wide {
			r.hidden.zeroWidth++
		}
	case unicode.Is(unicode.Mn, char): // an accent of its own
	default:
		if base := lookAlike(char); base != 0 {
			r.push(string(base))
		} else if unicode.IsLetter(char) {
			r.push("9") // a letter that no word of the vocabulary has
		} else {
			r.endWord()
			r.gap++
		}
	}
	return size
}

// tag takes an invisible copy of ASCII.
func (r *reader) tag(c byte) {
	if r.flag {
		r.flag = c != 0x7f
		return
	}
	r.hidden.tags++
	if r.fold[c] > wide {
		r.push(string(c))
		return
	}
	r.endWord()
}

// endWord looks the word up that push made.
func (r *reader) endWord() {
	if r.size == 0 {
		return
	}
	if r.size == 1 && r.word[0] > '9' {
		if r.gap > 1 {
			r.flush()
		}
		r.single = append(r.single, r.word[0])
		r.size, r.leet, r.gap = 0, false, 0
		r.count++
		return
	}
	r.flush()
	class := r.known.find(r.word[:r.size])
	if class == 0 && r.leet {
		r.unleet()
		class = r.known.find(r.word[:r.size])
	}
	switch {
	case class != 0:
		r.emit(class)
	case r.size >= maxWord && !r.leet:
		r.split(r.word[:r.size])
	}
	r.size, r.leet, r.gap = 0, false, 0
	r.count++
}

// flush looks at a run of single letters: words with spaces between their letters.
func (r *reader) flush() {
	if len(r.single) >= 4 {
		r.count -= len(r.single)
		r.split(r.single)
		r.count++
	}
	if len(r.single) == 1 && r.single[0] == 'u' {
		r.emit(you)
	}
	r.single = r.single[:0]
}

// split finds words of the vocabulary in letters that are not separated, the longest first.
func (r *reader) split(letters []byte) {
	for i := 0; i < len(letters); {
		found := false
		for n := min(len(letters)-i, 14); n >= 3; n-- {
			if class := r.known.find(letters[i : i+n]); class != 0 {
				r.emit(class)
				r.count++
				i += n
				found = true
				break
			}
		}
		if !found {
			i++
		}
	}
}

func (r *reader) emit(c class) {
	r.union |= c
	r.tokens = append(r.tokens, token{c, r.count})
}

// unleet puts letters in the place of the digits that are written for them.
func (r *reader) unleet() {
	letters := false
	for _, c := range r.word[:r.size] {
		letters = letters || c > '9'
	}
	if !letters {
		return
	}
	for i, c := range r.word[:r.size] {
		switch c {
		case '0':
			r.word[i] = 'o'
		case '1':
			r.word[i] = 'i'
		case '3':
			r.word[i] = 'e'
		case '4':
			r.word[i] = 'a'
		case '5':
			r.word[i] = 's'
		case '7':
			r.word[i] = 't'
		}
	}
}

func signLetter(c byte) byte {
	switch c {
	case '@':
		return 'a'
	case '$':
		return 's'
	case '!', '|':
		return 'i'
	}
	return 0
}
