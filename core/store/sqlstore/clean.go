package sqlstore

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/core/store"
)

// What callers and vendors send ends in text and JSON columns. PostgreSQL refuses some of it: a zero byte, text that is
// no UTF-8, in JSON also an escaped zero or half a surrogate pair. One such row would hold up a journal for good.

func cleanText(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}

// PostgreSQL refuses a row whose indexed columns take more than 2,700 bytes.
const (
	maxIndexed = 1024 // bytes of a text in an index with others that are short
	maxLabel   = 256  // bytes of a text in an index with several like it
)

// clip cuts a text that is longer than a number of bytes, between characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// label cleans and cuts a text of a daily row.
func label(s string) string { return clip(cleanText(s), maxLabel) }

// cleanJSON returns JSON that every database takes, with the same meaning as far as possible. What is no JSON becomes a
// text.
func cleanJSON(raw store.JSON) store.JSON {
	if plainJSON(raw) {
		return raw
	}
	if !json.Valid(raw) {
		return asText(raw)
	}
	if utf8.Valid(raw) && !suspicious(raw) {
		return raw
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return asText(raw)
	}
	encoded, err := json.Marshal(cleanValue(value))
	if err != nil {
		return asText(raw)
	}
	return encoded
}

// suspicious says that there may be an escaped zero or surrogate.
func suspicious(raw []byte) bool {
	for rest := raw; ; {
		i := bytes.Index(rest, []byte(`\u`))
		if i < 0 || len(rest) < i+4 {
			return false
		}
		if c := rest[i+2]; c == 'd' || c == 'D' || c == '0' && rest[i+3] == '0' {
			return true
		}
		rest = rest[i+2:]
	}
}

func cleanValue(value any) any {
	switch v := value.(type) {
	case string:
		return cleanText(v)
	case []any:
		for i := range v {
			v[i] = cleanValue(v[i])
		}
	case map[string]any:
		for name, member := range v {
			clean := cleanText(name)
			if clean != name {
				delete(v, name)
			}
			v[clean] = cleanValue(member)
		}
	}
	return value
}

func asText(raw []byte) store.JSON {
	encoded, _ := json.Marshal(cleanText(string(raw))) // a text always encodes
	return encoded
}

// finite makes what is no number nothing: it would spread through every sum.
func finite(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}
