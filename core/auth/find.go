package auth

import (
	"bytes"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Find returns the credential among the headers of a request. custom is the name of the header to take it from; if it is
// empty these are asked, in this order: x-litellm-api-key, Authorization, API-Key (Azure), x-api-key (Anthropic),
// x-goog-api-key (Google), Ocp-Apim-Subscription-Key (Azure API Management). A header that is empty counts as absent,
// and of several with one name the first counts (litellm/proxy/auth/user_api_key_auth.py, get_api_key).
//
// Authorization and a custom header need a scheme: without one the credential is Present and its Key empty.
//
// It allocates nothing. The credential borrows h.
func Find(h llm.Header, custom string) Credential {
	found, place := noHeader, -1
	for i := range h {
		if len(h[i].Value) == 0 {
			continue
		}
		if s := sourceOf(h[i].Name, custom); s < found {
			found, place = s, i
		}
	}
	if place < 0 {
		return Credential{}
	}
	raw := h[place].Value
	return Credential{Key: found.key(raw), Raw: raw, Present: true}
}

// source is a header that carries credentials. The lowest wins.
type source uint8

const (
	customHeader source = iota
	ownHeader
	authorization
	azure
	anthropic
	google
	azureManagement
	noHeader
)

func sourceOf(name []byte, custom string) source {
	if custom != "" {
		if llm.EqualFold(name, custom) {
			return customHeader
		}
		return noHeader
	}
	// The length tells most headers apart before a byte is compared.
	var s source
	var want string
	switch len(name) {
	case len("api-key"):
		s, want = azure, "api-key"
	case len("x-api-key"):
		s, want = anthropic, "x-api-key"
	case len("authorization"):
		s, want = authorization, "authorization"
	case len("x-goog-api-key"):
		s, want = google, "x-goog-api-key"
	case len("x-litellm-api-key"):
		s, want = ownHeader, "x-litellm-api-key"
	case len("ocp-apim-subscription-key"):
		s, want = azureManagement, "ocp-apim-subscription-key"
	default:
		return noHeader
	}
	if !llm.EqualFold(name, want) {
		return noHeader
	}
	return s
}

// key takes the scheme off a header's value.
func (s source) key(raw []byte) []byte {
	switch s {
	case customHeader, authorization:
		key, _ := withoutScheme(raw)
		return key
	case ownHeader:
		if key, ok := withoutScheme(raw); ok {
			return key
		}
	}
	return raw
}

// withoutScheme returns what follows the scheme, and whether there is a scheme that is known. A scheme written twice
// counts once.
func withoutScheme(raw []byte) ([]byte, bool) {
	for _, scheme := range []string{"Bearer ", "Basic ", "bearer "} {
		if !hasPrefix(raw, scheme) {
			continue
		}
		for hasPrefix(raw, scheme) {
			raw = raw[len(scheme):]
		}
		return bytes.TrimLeft(raw, " "), true // one space or more: RFC 9110, section 11.4
	}
	if hasPrefix(raw, "AWS4-HMAC-SHA256") {
		return awsCredential(raw)
	}
	return nil, false
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

// awsCredential finds the key in a signature that LangChain makes:
// "AWS4-HMAC-SHA256 Credential=Bearer sk-1234/20250101/us-east-1/bedrock/aws4_request, SignedHeaders=...".
func awsCredential(raw []byte) ([]byte, bool) {
	const name = "Credential="
	i := bytes.Index(raw, []byte(name))
	if i < 0 {
		return nil, false
	}
	rest := raw[i+len(name):]
	if after, ok := bytes.CutPrefix(rest, []byte("Bearer")); ok {
		if trimmed := bytes.TrimLeft(after, " \t"); len(trimmed) < len(after) {
			rest = trimmed
		}
	}
	if end := bytes.IndexAny(rest, "/, \t"); end >= 0 {
		rest = rest[:end]
	}
	return rest, len(rest) > 0
}
