package provider

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// SettingError names a setting of a deployment that cannot be used.
type SettingError struct{ Group, Setting, Problem string }

// Error says which setting of which model, and what is wrong with it.
func (e *SettingError) Error() string {
	return "model_name " + e.Group + ": litellm_params." + e.Setting + " " + e.Problem
}

// Target takes a base URL apart: where to connect, and the path without a slash at its end, with the query behind the
// question mark apart. problem says what is wrong with the URL; it is empty if nothing is.
func Target(base string, t *llm.Target) (path, query, problem string) {
	u, err := url.Parse(strings.TrimSpace(base))
	switch {
	case err != nil:
		return "", "", "is not a URL: write it like https://host/v1"
	case u.Scheme != "http" && u.Scheme != "https":
		return "", "", "must begin with https:// or http://"
	case u.Hostname() == "":
		return "", "", "has no host: write it like https://host/v1"
	case u.User != nil:
		return "", "", "must not hold a user or password: the key belongs into api_key"
	case u.Fragment != "":
		return "", "", "must not hold a #fragment"
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", "", "has a port that is not between 1 and 65535"
	}
	t.Scheme, t.Host, t.Addr = u.Scheme, u.Host, net.JoinHostPort(u.Hostname(), port)
	return strings.TrimRight(u.EscapedPath(), "/"), u.RawQuery, ""
}

// BadHeader says what is wrong with a header line, or nothing. A line break in one would begin a line, or a request, of
// its own, and what belongs to the connection is written by the transport.
func BadHeader[T string | []byte](name, value T) string {
	if len(name) == 0 {
		return "has no name"
	}
	for i := range len(name) {
		if !TokenByte(name[i]) {
			return "has a name that no header can have"
		}
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "holds a line break or another control character"
		}
	}
	switch strings.ToLower(string(name)) {
	case "host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te", "trailer",
		"upgrade", "expect", "accept-encoding", "content-encoding", "proxy-authorization":
		return "is written by the gateway itself"
	}
	return ""
}

// TokenByte reports whether c can be part of a header's name.
func TokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// Trust is what a deployment's ssl_verify says of the server's certificate, for llm.Target: false checks nothing, and a
// path names the file of the authorities (https://docs.litellm.ai/docs/guides/security_settings).
func Trust(d *llm.Deployment) string {
	switch v := d.Setting("ssl_verify"); strings.ToLower(v) {
	case "", "true", "1", "yes", "on":
		return ""
	case "false", "0", "no", "off":
		return "*"
	default:
		return v
	}
}
