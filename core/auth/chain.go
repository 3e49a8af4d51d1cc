package auth

import (
	"context"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Chain asks one authenticator after another. It always has an opinion: a credential that no authenticator knows is
// refused, in the words of the reference. It is immutable and safe for concurrent use.
type Chain struct {
	header string
	list   []Authenticator
}

// NewChain makes a chain that asks the authenticators in this order. header is the custom name that the credential is
// found under, as given to Find; it is named in the refusal.
func NewChain(header string, list ...Authenticator) *Chain {
	return &Chain{header, append([]Authenticator(nil), list...)}
}

// Authenticate implements Authenticator. The principal is never nil without an error.
func (c *Chain) Authenticate(ctx context.Context, x *llm.Exchange, cred Credential) (*llm.Principal, error) {
	for _, a := range c.list {
		if p, err := a.Authenticate(ctx, x, cred); p != nil || err != nil {
			return p, err
		}
	}
	return nil, c.refuse(cred)
}

func (c *Chain) refuse(cred Credential) error {
	switch {
	case !cred.Present && c.header != "":
		return refusal("No LiteLLM Virtual Key pass. Please set header=" + c.header + ": Bearer <api_key>")
	case !cred.Present:
		return refusal("No api key passed in.")
	case len(cred.Key) == 0:
		// The reference once repeated what was sent; later versions do not, as it may be a key.
		return refusal("Malformed API Key passed in. Ensure Key has `Bearer ` prefix.")
	case !hasPrefix(cred.Key, "sk-"):
		return refusal("LiteLLM Virtual Key expected. Received=" + Abbreviate(cred.Key) + ", expected to start with 'sk-'.")
	}
	return &llm.Error{
		Op: "auth.Authenticate", Kind: llm.KindAuth, Status: 400,
		Message: "No connected db.", Type: "no_db_connection",
	}
}

// refusal is litellm/proxy/auth/auth_exception_handler.py.
func refusal(why string) error {
	return &llm.Error{
		Op: "auth.Authenticate", Kind: llm.KindAuth, Status: 401,
		Message: "Authentication Error, " + why, Type: "auth_error", Param: "None", Code: "401",
	}
}

// Abbreviate makes a key fit for an error: its first and last four characters, and nothing of a key of eight or fewer.
func Abbreviate(key []byte) string {
	if len(key) <= 8 {
		return "****"
	}
	b := make([]byte, 0, 12)
	b = append(append(append(b, key[:4]...), "****"...), key[len(key)-4:]...)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}
