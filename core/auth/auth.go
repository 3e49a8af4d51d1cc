// Package auth is the contract that turns a credential into a principal, and the rule by which the credential is found
// among the headers of a request.
package auth

import (
	"context"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Authenticator decides who is asking.
type Authenticator interface {
	// Authenticate returns the principal behind the exchange. Both results nil means "no opinion": the next
	// authenticator is asked. A refusal is an *llm.Error of kind llm.KindAuth. The credential is borrowed from the
	// exchange, and never logged.
	Authenticate(ctx context.Context, x *llm.Exchange, c Credential) (*llm.Principal, error)
}

// Credential is what the caller presented.
type Credential struct {
	Key     []byte // without its scheme; empty if there is none. Borrowed.
	Raw     []byte // the header's value as sent. Borrowed.
	Present bool   // a header that carries credentials was sent
}
