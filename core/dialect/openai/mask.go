package openai

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Mask replaces what looks like a vendor's key or a bearer token in a text, so that an error does not give it away. A
// vendor that refuses a key often repeats it.
func Mask(s string) string {
	var b strings.Builder
	start := 0
	for i := 0; i < len(s); {
		n := secret(s, i)
		if n == 0 {
			i++
			continue
		}
		b.WriteString(s[start:i])
		b.WriteString(s[i : i+n])
		for i += n; i < len(s) && secretByte(s[i]); i++ {
		}
		for s[i-1] == '.' {
			i-- // the end of a sentence, not of the key
		}
		b.WriteString("***")
		start = i
	}
	if start == 0 {
		return s
	}
	b.WriteString(s[start:])
	return b.String()
}

// minSecret is how many characters must follow a prefix to be taken for a key, a digit or an asterisk among them.
const minSecret = 8

// secret returns the length of the prefix that tells a key at s[i:], or 0 if there is no key.
func secret(s string, i int) int {
	if i > 0 && wordByte(s[i-1]) {
		return 0
	}
	for _, p := range secretPrefixes() {
		if len(s)-i < len(p)+minSecret || !strings.EqualFold(s[i:i+len(p)], p) {
			continue
		}
		if looksRandom(s[i+len(p):]) {
			return len(p)
		}
	}
	return 0
}

// looksRandom reports whether s begins with a run that can be a key: long enough, and not a word.
func looksRandom(s string) bool {
	n, word := 0, true
	for n < len(s) && secretByte(s[n]) {
		word = word && s[n] != '*' && (s[n] < '0' || s[n] > '9')
		n++
	}
	return n >= minSecret && !word
}

// secretPrefixes are how the keys of well-known vendors begin, and the word before a token in a header.
func secretPrefixes() [15]string {
	return [...]string{
		"sk-", "pk-", "gsk_", "xai-", "pplx-", "nvapi-", "AIza", "hf_", "r8_", "csk-", "fw_", "tgp_v1_", "ghp_",
		"github_pat_", "bearer ",
	}
}

func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func secretByte(c byte) bool {
	return wordByte(c) || c == '-' || c == '_' || c == '*' || c == '.'
}

// forwarded copies the headers of a refused call that the caller may see: how long to wait, what is left of the
// limits, and the id to ask the vendor about.
func forwarded(h llm.Header) llm.Header {
	var kept llm.Header
	for _, f := range h {
		if forwardable(f.Name) {
			kept = append(kept, f)
		}
	}
	return kept.Clone()
}

func forwardable(name []byte) bool {
	const limit = "x-ratelimit-"
	return len(name) > len(limit) && llm.EqualFold(name[:len(limit)], limit) ||
		llm.EqualFold(name, "retry-after") || llm.EqualFold(name, "retry-after-ms") ||
		llm.EqualFold(name, "x-ms-retry-after-ms") ||
		llm.EqualFold(name, "x-request-id") || llm.EqualFold(name, "x-should-retry")
}
