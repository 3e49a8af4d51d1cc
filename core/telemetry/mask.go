package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
)

// hidden stands for what is not shown.
const hidden = "****"

// Mask returns s without what looks like a secret: keys that begin with "sk-" or as other vendors' do, what follows
// "Bearer", values behind names such as password, and user names and passwords in URLs. A string without any comes back
// as it is.
func Mask(s string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); {
		from, to := secretAt(s, i)
		if to <= from {
			i++
			continue
		}
		b.WriteString(s[done:from])
		b.WriteString(hidden)
		done, i = to, to
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

// secretAt finds a secret that is announced at s[i:]: what to hide is s[from:to].
func secretAt(s string, i int) (from, to int) {
	rest := s[i:]
	switch c := rest[0]; {
	case c == ':':
		if strings.HasPrefix(rest, "://") {
			return userInfo(s, i+3)
		}
		return 0, 0
	case !isWord(c):
		return 0, 0
	}
	if strings.HasPrefix(rest, "sk-") {
		from, to = i+3, valueEnd(s, i+3)
		// Inside a word ("task-force") only what is as long as a key is taken for one.
		if startsWord(s, i) || to-from >= 16 {
			return from, to
		}
	}
	if !startsWord(s, i) {
		return 0, 0
	}
	if n := vendorPrefix(rest); n > 0 {
		if from, to = i+n, valueEnd(s, i+n); to-from >= 16 {
			return from, to
		}
	}
	if from = afterBearer(s, i); from > i {
		return from, valueEnd(s, from)
	}
	if i > 0 && (s[i-1] == '-' || s[i-1] == '_') {
		return 0, 0 // the name was looked at from its beginning: twice would take quadratic time
	}
	return afterName(s, i)
}

// vendorPrefix is the length of the beginning that a vendor's keys have in common, 0 if rest begins with none.
func vendorPrefix(rest string) int {
	for _, p := range []string{"gsk_", "xai-", "AIza", "hf_", "AKIA", "ASIA", "nvapi-", "pplx-", "r8_", "ghp_", "eyJ"} {
		if strings.HasPrefix(rest, p) {
			return len(p)
		}
	}
	return 0
}

// afterBearer returns where the token begins, past a scheme that may be written a few times, or 0.
func afterBearer(s string, i int) int {
	const scheme = "bearer"
	start := 0
	for range 4 {
		if len(s)-i <= len(scheme) || !strings.EqualFold(s[i:i+len(scheme)], scheme) {
			break
		}
		j := i + len(scheme)
		for j < len(s) && (s[j] == ' ' || s[j] == '\t') {
			j++
		}
		if j == i+len(scheme) {
			break
		}
		start, i = j, j
	}
	return start
}

// afterName finds the value in api_key=x, "password": "x" and the like.
func afterName(s string, i int) (from, to int) {
	end := i + wordLen(s[i:])
	name := s[i:end]
	if !SecretName(name) {
		return 0, 0
	}
	j := skip(s, end, `"'\`)
	j = skip(s, j, " ")
	if j == len(s) || s[j] != '=' && (s[j] != ':' || ordinaryWord(name)) {
		return 0, 0
	}
	j = skip(s, j+1, " \t")
	j = skip(s, j, `"'\`)
	to = valueEnd(s, j)
	if strings.HasSuffix(strings.ToLower(name), "authorization") { // a scheme and a value
		for to < len(s) && s[to] == ' ' {
			to = max(valueEnd(s, to+1), to+1)
		}
	}
	switch s[j:to] {
	case "", "None", "null", "nil", "true", "false", "True", "False":
		return 0, 0
	}
	if _, err := strconv.ParseFloat(s[j:to], 64); err == nil && countName(name) {
		return 0, 0
	}
	return j, to
}

// countName reports whether a number under the name is a count or a price: max_tokens, cost_per_token.
func countName(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, "tokens") || strings.HasSuffix(name, "token") || strings.HasSuffix(name, "keys")
}

// ordinaryWord reports whether a name is also a word that a colon may follow in plain text.
func ordinaryWord(name string) bool {
	switch strings.ToLower(name) {
	case "key", "keys", "token", "tokens", "credential", "credentials":
		return true
	}
	return false
}

func userInfo(s string, i int) (from, to int) {
	for j := i; j < len(s); j++ {
		switch s[j] {
		case '@':
			to = j
		case '/', '?', '#', ' ', '\t', '\n', '\r', '"', '\'', '<', '>':
			return i, to
		}
	}
	return i, to
}

func skip(s string, i int, set string) int {
	for i < len(s) && strings.IndexByte(set, s[i]) >= 0 {
		i++
	}
	return i
}

// valueEnd is where the secret that begins at i ends. It takes too much rather than too little; it is i if there is
// none, or if it is hidden already.
func valueEnd(s string, i int) int {
	if strings.HasPrefix(s[i:], hidden) {
		return i
	}
	for j := i; j < len(s); j++ {
		switch c := s[j]; {
		case c <= ' ', c == 0x7f, strings.IndexByte("\"'`,;()[]{}<>|\\", c) >= 0:
			return j
		}
	}
	return len(s)
}

func isWord(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '-'
}

func wordLen(s string) (n int) {
	for n < len(s) && isWord(s[n]) {
		n++
	}
	return n
}

// startsWord reports whether nothing that belongs to a word stands before s[i]. The letter of an escape such as \n does
// not, nor do the digits of %20, nor what joins words.
func startsWord(s string, i int) bool {
	if i == 0 || !isWord(s[i-1]) || s[i-1] == '-' || s[i-1] == '_' {
		return true
	}
	return i >= 2 && s[i-2] == '\\' || i >= 3 && s[i-3] == '%' || i >= 6 && s[i-6:i-4] == `\u`
}

// SecretName reports whether the name of an attribute, a header or a parameter says that its value is a secret: one of
// its words ends in key, token, password, secret or the like. Words are parted by what is no letter or digit, and by
// capitals.
func SecretName(name string) bool {
	start := 0
	for i := 1; i <= len(name); i++ {
		if i < len(name) && isLetter(name[i]) && (!isUpper(name[i]) || isUpper(name[i-1])) && isLetter(name[i-1]) {
			continue
		}
		if secretWord(strings.ToLower(name[start:i])) {
			return true
		}
		start = i
	}
	return false
}

func secretWord(w string) bool {
	for _, suffix := range []string{
		"key", "keys", "token", "tokens", "password", "passwords", "passwd", "pwd", "passphrase", "secret", "secrets",
		"authorization", "credential", "credentials", "cookie", "cookies",
	} {
		if strings.HasSuffix(w, suffix) {
			return true
		}
	}
	return false
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || isUpper(c) }
func isUpper(c byte) bool  { return 'A' <= c && c <= 'Z' }

// masked makes a value fit to be written: a number, a time, a string, or JSON as json.RawMessage, without secrets.
func masked(name string, v slog.Value) slog.Value {
	switch v.Kind() {
	case slog.KindInt64, slog.KindUint64, slog.KindFloat64:
		if SecretName(name) && !countName(name) {
			return slog.StringValue(hidden)
		}
		return v
	case slog.KindBool, slog.KindDuration, slog.KindTime:
		return v
	case slog.KindString:
		if v.String() != "" && SecretName(name) {
			return slog.StringValue(hidden)
		}
		return slog.StringValue(Mask(v.String()))
	}
	if v.Any() == nil {
		return v
	}
	if SecretName(name) {
		return slog.StringValue(hidden)
	}
	return maskedAny(v.Any())
}

// maskedAny writes foreign values. One that panics must not take the caller with it.
func maskedAny(v any) (out slog.Value) {
	defer func() {
		if r := recover(); r != nil {
			out = slog.StringValue(Mask(fmt.Sprintf("!PANIC in the value's own method: %v", r)))
		}
	}()
	switch v := v.(type) {
	case error:
		return slog.StringValue(Mask(v.Error()))
	case fmt.Stringer:
		return slog.StringValue(Mask(v.String()))
	case []byte:
		return slog.StringValue(Mask(string(v)))
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return slog.StringValue(Mask(fmt.Sprintf("%+v", v)))
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return slog.StringValue(Mask(string(raw)))
	}
	if raw, err = json.Marshal(MaskTree(tree)); err != nil {
		return slog.StringValue("!ERROR: " + err.Error())
	}
	return slog.AnyValue(json.RawMessage(raw))
}

// MaskTree returns decoded JSON without secrets: strings pass through Mask, and those under a name that says that they
// are secret are hidden, at any depth. Lists of v are changed in place.
func MaskTree(v any) any { return maskedTree("", v) }

func maskedTree(name string, v any) any {
	switch v := v.(type) {
	case string:
		if v != "" && SecretName(name) {
			return hidden
		}
		return Mask(v)
	case json.Number, float64:
		if SecretName(name) && !countName(name) {
			return hidden
		}
	case []any:
		for i := range v {
			v[i] = maskedTree(name, v[i])
		}
		return v
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, member := range v {
			inner := k
			if SecretName(name) {
				inner = name
			}
			m[Mask(k)] = maskedTree(inner, member)
		}
		return m
	}
	return v
}
