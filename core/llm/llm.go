// Package llm holds the nouns of the gateway: the Exchange between a caller and a model, who the caller is
// (Principal), where the request may go (Deployment), what is sent there and comes back (Call, Answer), what the
// caller gets (Reply), what it cost (Usage) and what went wrong (Error). It imports the standard library only, does
// no I/O, and every other package speaks in its terms.
package llm

// Operation is the kind of work a request asks for.
type Operation uint8

// The operations, one for each group of routes.
const (
	OpNone        Operation = iota
	OpChat                  // chat completions
	OpCompletion            // text completions
	OpEmbedding             // embeddings
	OpPassThrough           // a request forwarded as it is
)

// String returns the operation in the words of its public route.
func (o Operation) String() string {
	switch o {
	case OpChat:
		return "chat/completions"
	case OpCompletion:
		return "completions"
	case OpEmbedding:
		return "embeddings"
	case OpPassThrough:
		return "pass-through"
	}
	return "none"
}

// CallType is the name that log records and guardrails use for the operation. It follows the call_type values of the
// reference system (litellm/types/utils.py, CallTypes).
func (o Operation) CallType() string {
	switch o {
	case OpChat:
		return "acompletion"
	case OpCompletion:
		return "atext_completion"
	case OpEmbedding:
		return "aembedding"
	case OpPassThrough:
		return "pass_through_endpoint"
	}
	return ""
}

// Streams reports whether the operation can be answered as a stream of events.
func (o Operation) Streams() bool { return o == OpChat || o == OpCompletion }

// Usage counts the tokens of one answer, as the vendor reported them. Zero values mean "not reported".
type Usage struct {
	Prompt     int64
	Completion int64
	Total      int64
	Cached     int64 // part of Prompt that the vendor read from its own cache
	Reasoning  int64 // part of Completion spent on hidden reasoning
}

// Known reports whether the vendor said anything about usage.
func (u Usage) Known() bool { return u.Prompt != 0 || u.Completion != 0 || u.Total != 0 }
