package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// credentials sign requests with AWS Signature Version 4.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
type credentials struct {
	id, secret, token string // token is empty for long-term keys
	region, service   string
}

// signed is what a signature covers. Header names are in lower case; host is among them.
type signed struct {
	method, path, query string // the path as it is in the request, the query in canonical form
	headers             [][2]string
	body                []byte
}

// timeFormat is that of the header x-amz-date.
const timeFormat = "20060102T150405Z"

// authorization returns the header of that name. The caller sends x-amz-date, and x-amz-security-token for a token, and
// has them among the headers.
func (c *credentials) authorization(s *signed, at time.Time) string {
	at = at.UTC()
	headers := slices.Clone(s.headers)
	slices.SortFunc(headers, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	var names, values strings.Builder
	for i, h := range headers {
		if i > 0 {
			names.WriteByte(';')
		}
		names.WriteString(h[0])
		values.WriteString(h[0] + ":" + strings.Join(strings.Fields(h[1]), " ") + "\n")
	}
	canonical := strings.Join([]string{
		s.method, canonicalPath(s.path), s.query, values.String(), names.String(), hash(s.body),
	}, "\n")
	day := at.Format("20060102")
	scope := day + "/" + c.region + "/" + c.service + "/aws4_request"
	text := "AWS4-HMAC-SHA256\n" + at.Format(timeFormat) + "\n" + scope + "\n" + hash([]byte(canonical))
	key := mac([]byte("AWS4"+c.secret), day)
	for _, part := range []string{c.region, c.service, "aws4_request"} {
		key = mac(key, part)
	}
	return "AWS4-HMAC-SHA256 Credential=" + c.id + "/" + scope + ", SignedHeaders=" + names.String() +
		", Signature=" + hex.EncodeToString(mac(key, text))
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// canonicalPath escapes the path once more than the request does, which all services but S3 want.
func canonicalPath(path string) string {
	if path == "" {
		return "/"
	}
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = escape(p)
	}
	return strings.Join(parts, "/")
}

// escape is AWS's form of percent-encoding: everything but letters, digits and -._~.
func escape(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.WriteString("%" + string(hexDigits[c>>4]) + string(hexDigits[c&15]))
		}
	}
	return b.String()
}
