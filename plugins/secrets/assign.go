package main

import (
	"math"
	"strings"

	"github.com/sallyport-ai/sallyport/sdk/go/scan"
)

// sign looks at what stands around a colon or equals sign: a password in an address, or a name and its value.
func (f *finder) sign(s string, at int) {
	if s[at] == ':' && strings.HasPrefix(s[at:], "://") {
		if f.want[urlPassword] {
			f.address(s, at+len("://"))
		}
		return
	}
	if s[at] != ':' && s[at] != '=' || !f.want[assignment] {
		return
	}
	n := nameBefore(s, at)
	if n == noName {
		return
	}
	start, end, quoted := value(s, at+1)
	if n == header {
		start, end = credential(s, start, end)
		quoted = true
	}
	if v := s[start:end]; f.secretive(v, quoted) {
		f.add(assignment, start, end)
	}
}

// address finds the password in the address of a database or server.
func (f *finder) address(s string, at int) {
	end, colon, sign := at, 0, 0
	for end < len(s) && end-at < 300 && s[end] > ' ' && s[end] != '/' && s[end] != '"' && s[end] != '\'' && s[end] != '`' {
		switch s[end] {
		case '@':
			sign = end
		case ':':
			if colon == 0 {
				colon = end
			}
		}
		end++
	}
	if colon == 0 || sign <= colon+1 || placeholder(s[colon+1:sign]) {
		return
	}
	f.add(urlPassword, colon+1, sign)
}

// name says what kind of name stands in front of a value.
type name uint8

const (
	noName name = iota
	secretName
	header // Authorization: the value begins with its scheme
)

// nameBefore looks at the name in front of a colon or equals sign.
func nameBefore(s string, at int) name {
	end := at
	for end > 0 && at-end < 4 && (s[end-1] == ' ' || s[end-1] == '"' || s[end-1] == '\'' || s[end-1] == '`' || s[end-1] == ':' || s[end-1] == '\\') {
		end--
	}
	var folded [24]byte // the end of the name, without what stands between its words
	n := len(folded)
	for i := end; i > 0 && n > 0 && nameByte(s[i-1]); i-- {
		c := s[i-1]
		if c == '_' || c == '-' || c == '.' {
			continue
		}
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		n--
		folded[n] = c
	}
	return judgeName(string(folded[n:]))
}

func judgeName(folded string) name {
	if len(folded) < 3 {
		return noName
	}
	switch folded[len(folded)-1] {
	case 'd', 'e', 't', 'n', 'y', 's', 'h':
	default:
		return noName
	}
	for _, suffix := range [...]string{
		"password", "passwd", "passwort", "motdepasse", "pwd", "passphrase", "passcode", "secret", "token", "apikey",
		"accesskey", "secretkey", "privatekey", "authkey", "signingkey", "encryptionkey", "masterkey", "accountkey",
		"sharedkey", "credential", "credentials", "clientsecrets", "dbpass", "userpass",
	} {
		if strings.HasSuffix(folded, suffix) {
			return secretName
		}
	}
	if strings.HasSuffix(folded, "authorization") {
		return header
	}
	return noName
}

// value returns the place of the value behind a colon or equals sign, and whether it stands in quotes.
func value(s string, at int) (start, end int, quoted bool) {
	const longest = 512
	for n := 0; at < len(s) && n < 4 && (s[at] == ' ' || s[at] == '=' || s[at] == '>' || s[at] == '\\'); n++ {
		at++
	}
	quote := byte(0)
	if at < len(s) && (s[at] == '"' || s[at] == '\'' || s[at] == '`') {
		quote = s[at]
		at++
	}
	start = at
	for at < len(s) && at-start < longest {
		c := s[at]
		if c < ' ' || c == quote || c == '"' || quote == 0 && (c == ' ' || c == ',' || c == ';' || c == ')' || c == '}' || c == ']' || c == '&' || c == '<') {
			break
		}
		at++
	}
	end = at
	for end > start && (s[end-1] == '\\' || quote == 0 && (s[end-1] == '.' || s[end-1] == '\'')) {
		end--
	}
	return start, end, quote != 0 && at < len(s) && s[at] == quote
}

// credential skips the scheme of an Authorization header.
func credential(s string, start, end int) (from, to int) {
	v := s[start:min(len(s), start+512)]
	for _, scheme := range [...]string{"bearer ", "basic ", "token "} {
		if len(v) > len(scheme) && strings.EqualFold(v[:len(scheme)], scheme) {
			from, to, _ = value(s, start+len(scheme))
			return from, to
		}
	}
	return start, end
}

// secretive reports whether a value looks like a secret rather than like a word, a number, a reference or an example.
func (f *finder) secretive(v string, quoted bool) bool {
	if len(v) < f.minLength || placeholder(v) {
		return false
	}
	letters, digits, others, spaces := 0, 0, 0, 0
	for i := range len(v) {
		switch c := v[i]; {
		case c|0x20-'a' < 26:
			letters++
		case c-'0' < 10:
			digits++
		case c == ' ':
			spaces++
		default:
			others++
		}
	}
	switch {
	case spaces > 0: // a sentence; a pass phrase cannot be told from one
		return false
	case letters == 0, digits == 0 && others == 0 && !(len(v) >= 16 && scan.MixedCase(v)):
		return false
	case !quoted && digits == 0 && reference(v), strings.ContainsAny(v, "()"):
		return false
	}
	return scan.Entropy(v) >= min(f.entropy, 0.8*math.Log2(float64(len(v))))
}

// reference reports whether a value is a name in a program, such as config.password.
func reference(v string) bool {
	for i := range len(v) {
		if c := v[i]; c|0x20-'a' >= 26 && c != '.' && c != '_' && c != '-' && c != '[' && c != ']' && c != ':' && c != '/' {
			return false
		}
	}
	return true
}

// placeholder reports whether a value stands for a secret that is somewhere else.
func placeholder(v string) bool {
	switch v[0] {
	case '$', '<', '{', '%', '*':
		return true
	}
	low := strings.ToLower(v)
	for _, part := range [...]string{
		"os.environ", "process.env", "getenv", "env.", "example", "placeholder", "changeme", "change-me", "redacted", "your-", "your_",
		"yourapi", "xxxx", "****", "....", "dummy", "<", "${", "{{",
	} {
		if strings.Contains(low, part) {
			return true
		}
	}
	return low == "password" || low == "secret" || low == "pass" || low == "pwd"
}
