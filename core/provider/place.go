package provider

import "github.com/sallyport-ai/sallyport/core/llm"

// Place says where the calls of one deployment go, for a vendor that speaks OpenAI's API under addresses of its own
// making. It is made when the deployment is bound.
type Place struct {
	Base  string // the base URL: what stands before all paths; "" takes the deployment's
	Query string // added to every call, without the question mark

	// Path is what follows the base for an operation; "" if the deployment does not offer it. For llm.OpResource it is
	// what stands before the path that a caller asked for, and may be "/". For llm.OpRealtime it ends with a query that
	// names the model.
	Path func(op llm.Operation) string

	Signer      llm.Signer // completes each call in place of a key; nil for none
	KeyHeader   string     // the header that carries the key alone; "" is the vendor's
	KeyBearer   bool       // the key goes out as Authorization: Bearer, whatever the vendor's header is
	Rename      []llm.Pair // parameters that the model knows under another name: Name becomes Value
	Unsupported []string   // parameters that the model refuses; they are left out where parameters may be dropped

	NoResponses bool // the vendor's Responses API is not among what the deployment offers
}
