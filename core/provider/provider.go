// Package provider is the contract between the gateway and the vendors of models: how a request becomes a call, and an
// answer a reply. Providers are pure. They do no I/O of their own: the call they encode is made by the transport, and
// the answer they decode is pulled through the reader it hands them.
package provider

import "github.com/sallyport-ai/sallyport/core/llm"

// Provider speaks the API of one vendor.
type Provider interface {
	// Bind checks the settings of a deployment and prepares all that does not depend on a request: the target, the
	// paths, the header block. The error names the setting that is wrong.
	Bind(d *llm.Deployment) (Endpoint, error)
}

// Endpoint is a deployment bound to its provider. It is immutable and safe for concurrent use.
type Endpoint interface {
	// Encode fills c, which was reset, with the request for the vendor. The call borrows from x. An operation the
	// vendor does not offer, or a parameter it does not know, is an *llm.Error of kind llm.KindBadRequest that names it.
	Encode(x *llm.Exchange, c *llm.Call) error

	// Decode turns an answer into a reply: it fetches the first part into r.First and leaves the others in r.Rest. A
	// vendor's refusal comes back as an *llm.Error with its kind, status and message. Decode owns a.Body from the
	// moment it is called: it is closed when Decode returns an error, and by r.Rest.Close otherwise.
	Decode(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error
}

// Speaker is an Endpoint whose vendor offers chats in other dialects than OpenAI's too.
type Speaker interface {
	// Speaks reports whether a chat can be sent in the dialect as it came. Encode is then called with x.AsNative set
	// and sends x.Native; Decode sets r.Dialect and yields parts of the dialect.
	Speaks(d llm.Dialect) bool
}

// Picky is an Endpoint whose vendor offers chats in other dialects than OpenAI's too, but not all that one can ask for in
// them, such as keeping what was said.
type Picky interface {
	// Takes reports whether the chat of x can be sent as it came. It is asked where Speaks says no.
	Takes(x *llm.Exchange) bool
}

// Natively reports whether the chat of x can be sent to e in the dialect as it came.
func Natively(e Endpoint, x *llm.Exchange) bool {
	if s, ok := e.(Speaker); ok && s.Speaks(x.Dialect) {
		return true
	}
	p, ok := e.(Picky)
	return ok && p.Takes(x)
}
