package semantic

import (
	"context"
	"math"
	"strings"
	"unicode"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
)

// Lexical makes vectors of the words of a text, without a model: each word, pair of words and run of three letters has a place
// and a sign in the vector by its hash (K. Weinberger and others, Feature Hashing for Large Scale Multitask Learning, 2009).
// Texts that share words are close, whatever they mean: it sees through case, punctuation, politeness, typing mistakes and the
// order of clauses, and not through synonyms or other languages. Since a word more or less can change everything, it is for
// thresholds close to 1.
type Lexical struct{}

var _ cache.Embedder = Lexical{}

// LexicalDimensions is the length of the vectors.
const LexicalDimensions = 512

// Weights: what says most counts most. A number, or a word that turns the meaning round, counts as much as several words.
const (
	wordWeight    = 1
	pairWeight    = 0.35
	lettersWeight = 0.15
	fillerWeight  = 0.1
	strongWeight  = 2.5
)

// Embed implements cache.Embedder.
func (Lexical) Embed(_ context.Context, text string) ([]float32, error) {
	v := make([]float32, LexicalDimensions)
	last := ""
	for _, w := range split(text) {
		weight := weightOf(w)
		put(v, 'w', w, weight)
		if weight == fillerWeight {
			continue
		}
		if last != "" {
			put(v, 'p', last+" "+w, pairWeight)
		}
		last = w
		if r := []rune("^" + w + "$"); weight == wordWeight && len(r) > 4 {
			for i := range len(r) - 2 {
				put(v, 'l', string(r[i:i+3]), lettersWeight)
			}
		}
	}
	var sum float64
	for _, f := range v {
		sum += float64(f) * float64(f)
	}
	if sum > 0 {
		length := float32(math.Sqrt(sum))
		for i := range v {
			v[i] /= length
		}
	}
	return v, nil
}

// split makes words in lower case: letters, digits, and signs that are a word each where they mean something.
func split(text string) []string {
	var words []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			words = append(words, b.String())
			b.Reset()
		}
	}
	for _, r := range text {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
			flush()
			words = append(words, string(r))
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.Is(unicode.Mn, r):
			b.WriteRune(unicode.ToLower(r))
		case r == '\'' || r == '’':
		case strings.ContainsRune("+-*/=<>%$€#@^&|", r):
			flush()
			words = append(words, string(r))
		default:
			flush()
		}
	}
	flush()
	return words
}

func weightOf(w string) float32 {
	switch w {
	case "a", "an", "the", "please", "pls", "could", "can", "would", "you", "me", "kindly", "hi", "hello", "hey", "thanks", "thank", "so", "just",
		"tell", "do", "does", "is", "are", "of", "to":
		return fillerWeight
	case "not", "no", "never", "without", "dont", "doesnt", "isnt", "cant", "wont", "except", "un", "non", "kein", "nicht", "ne", "pas":
		return strongWeight
	}
	for _, r := range w {
		if unicode.IsDigit(r) || !unicode.IsLetter(r) {
			return strongWeight
		}
	}
	return wordWeight
}

// put adds a feature to its place. The hash is the same in every process.
func put(v []float32, kind byte, feature string, weight float32) {
	h := fnv(kind, feature)
	if h>>63 == 1 {
		weight = -weight
	}
	v[h%LexicalDimensions] += weight
}

// fnv is FNV-1a with a last round of mixing, so that its low bits are as good as the others.
func fnv(kind byte, s string) uint64 {
	h := (uint64(14695981039346656037) ^ uint64(kind)) * 1099511628211
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 32
	h *= 0x9e3779b97f4a7c15
	return h ^ h>>29
}
