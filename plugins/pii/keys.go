package main

import "strings"

// word looks at the word around a place, if it was not looked at before: is it a key or a token?
func (f *finder) word(s string, at int) {
	if at < f.words {
		return
	}
	start := at
	for start > f.words && keyByte(s[start-1]) {
		start--
	}
	end := at
	for end < len(s) && keyByte(s[end]) {
		end++
	}
	f.words = max(end, at+1)
	if start == end {
		return
	}
	if key := token(s, start, end); key > 0 {
		end = key
	} else {
		start, end = privateKey(s, start)
	}
	if end > 0 {
		f.add(key, start, end)
		f.done, f.words = max(f.done, end), max(f.words, end)
	}
}

func keyByte(c byte) bool { return letter(c) || digit(c) || c == '_' || c == '-' }

// token returns the end of the token that begins with the word from start to end, or 0.
func token(s string, start, end int) int {
	w := s[start:end]
	if len(w) < 4 {
		return 0
	}
	least := 0 // characters of the whole
	switch w[:3] {
	case "sk-", "rk-":
		least = 23
	case "sk_", "rk_", "pk_":
		if strings.HasPrefix(w[3:], "live_") || strings.HasPrefix(w[3:], "test_") {
			least = 20
		}
	case "gsk", "hf_", "npm":
		if strings.HasPrefix(w, "gsk_") || strings.HasPrefix(w, "hf_") || strings.HasPrefix(w, "npm_") {
			least = 34
		}
	case "ghp", "gho", "ghu", "ghs", "ghr":
		if w[3] == '_' {
			least = 40
		}
	case "git":
		if strings.HasPrefix(w, "github_pat_") {
			least = 40
		}
	case "glp":
		if strings.HasPrefix(w, "glpat-") {
			least = 26
		}
	case "xox", "xap":
		if strings.HasPrefix(w[3:], "p-") || len(w) > 5 && w[4] == '-' {
			least = 20
		}
	case "AKI", "ASI":
		if w[3] == 'A' && len(w) == 20 && strings.ToUpper(w) == w {
			return end
		}
	case "AIz":
		if w[3] == 'a' && len(w) >= 39 {
			return end
		}
	case "eyJ":
		return webToken(s, start, end)
	}
	if least == 0 || len(w) < least || !strings.ContainsAny(w, "0123456789") {
		return 0
	}
	return end
}

// webToken returns the end of a JSON Web Token whose header ends at a place, or 0.
func webToken(s string, start, end int) int {
	for part := range 2 {
		if end == len(s) || s[end] != '.' || end-start < 10 {
			return 0
		}
		start = end + 1
		for end = start; end < len(s) && keyByte(s[end]); {
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

// privateKey returns the PEM block of a private key whose first line of base64 begins at a place, or an end of 0. A block
// that is not finished goes to the end of the text.
func privateKey(s string, line int) (start, end int) {
	const least, window = 32, 160 // characters of a line, and in front of it: there may be headers
	end = line
	for end < len(s) && end-line < least && base64Byte(s[end]) {
		end++
	}
	if end-line < least {
		return 0, 0
	}
	first := max(0, line-window)
	front := s[first:line]
	at := strings.LastIndex(front, "PRIVATE KEY-----")
	begin := strings.LastIndex(front, "-----BEGIN ")
	if at < 0 || begin < 0 || begin > at {
		return 0, 0
	}
	last := strings.Index(s[end:], "-----END ")
	if last < 0 {
		return first + begin, len(s)
	}
	last += end + len("-----END ")
	if closing := strings.Index(s[last:min(len(s), last+60)], "-----"); closing >= 0 {
		last += closing + len("-----")
	}
	return first + begin, last
}

func base64Byte(c byte) bool { return keyByte(c) || c == '+' || c == '/' || c == '=' }
