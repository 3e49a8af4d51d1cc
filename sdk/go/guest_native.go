//go:build !wasip1

package sallyport

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// load is abi.Load of a text.
func load(s string) uint64 { return abi.Load(bytesOf(s)) }

// More stands for what a hook reads from the gateway during a call. Natively, a test fills it in.
type More struct {
	Headers  map[string]string // by name, in any case
	Values   map[string]string // by path: what Value and JSON return
	RawBody  []byte            // what Body returns
	Metadata map[string]any    // what Metadata returns
	Media    [][]byte          // what MediaBytes and MediaSHA256 go by
}

// With gives a request made by a test what the gateway would answer.
func (r *Request) With(m More) *Request {
	r.more = m
	return r
}

// With gives a request made by a test what the gateway would answer.
func (a *AuthRequest) With(m More) *AuthRequest {
	a.more = m
	return a
}

func (m More) field(field uint32, key string) ([]byte, bool) {
	switch field {
	case abi.FieldHeader:
		for name, value := range m.Headers {
			if strings.EqualFold(name, key) {
				return []byte(value), true
			}
		}
		return nil, false
	case abi.FieldBody:
		return m.RawBody, m.RawBody != nil
	case abi.FieldMedia, abi.FieldMediaSum:
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i >= len(m.Media) {
			return nil, false
		}
		if field == abi.FieldMedia {
			return m.Media[i], true
		}
		sum := sha256.Sum256(m.Media[i])
		return hex.AppendEncode(nil, sum[:]), true
	}
	value, ok := m.Values[key]
	return []byte(value), ok
}

func (m More) metadata() (map[string]any, error) { return m.Metadata, nil }

func tuneMemory() {}

// Log writes a line to the gateway's log. Natively it does nothing.
func Log(int32, string) {}

// With gives a request made by a test what the gateway would answer.
func (r *RouteRequest) With(m More) *RouteRequest {
	r.more = m
	return r
}

// With gives a request made by a test what the gateway would answer.
func (r *PromptRequest) With(m More) *PromptRequest {
	r.more = m
	return r
}

// With gives a request made by a test what the gateway would answer.
func (r *ProviderRequest) With(m More) *ProviderRequest {
	r.more = m
	return r
}

// With gives an answer made by a test what the gateway would answer.
func (a *ProviderAnswer) With(m More) *ProviderAnswer {
	a.more = m
	return a
}
