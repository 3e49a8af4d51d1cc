package abi

// Verdicts of the stream hooks, besides the usual ones.
const (
	VerdictHold Verdict = 6 // release nothing yet: the text comes again, with what follows
	VerdictDrop Verdict = 7 // release nothing of this text, ever
)

// VerdictRetry of the response and stream_chunk hooks: a model is asked again. If that is not possible, or not any more,
// it is VerdictReject with the same status and message. Since minor version 1.
const VerdictRetry Verdict = 8

// Further tags that describe a request and its caller. The guardrail hooks share TagTag, TagState, TagFinish,
// TagProvider, TagDeploymentID, TagCallerMetadata and the token counts with the log hook.
const (
	TagGuardParams  Tag = 37 // map: what the request says to this guardrail, guardrails: [{NAME: {extra_body: this}}]
	TagTeamMetadata Tag = 38 // map: metadata of the caller's team
)

// Further tags of a result.
const (
	TagSetJSON   Tag = 72 // nested: TagKey with a path in the request body, TagText with the JSON to put there
	TagRemove    Tag = 73 // text: a path in the request body to remove
	TagSetHeader Tag = 74 // nested: TagKey with the name of a request header, TagText with its value
	TagErrorType Tag = 75 // text: "type" of the error the caller reads
	TagAsk       Tag = 76 // text, repeated: of VerdictRetry, a message of the user to put behind the answer
)

// Tags of answers and streams.
const (
	TagChoice    Tag = 128 // number: a text begins, of the choice with this index
	TagTextKind  Tag = 129 // text: "reasoning", "refusal", "arguments" or "transcript"; absent for content
	TagContext   Tag = 130 // text: the end of what was already released of the text
	TagFresh     Tag = 131 // number: bytes at the beginning of the text that the hook was shown before
	TagFinal     Tag = 132 // number: 1 if no more of this text follows
	TagLeft      Tag = 133 // number: 1 if the stream did not come to its end
	TagErrorKind Tag = 134 // text: what sort of failure, such as "rate_limit"
	TagPartial   Tag = 135 // number: 1 if the response hook is shown a part of a stream
	TagAsked     Tag = 136 // number: how often this guardrail had a model asked again for the request
	TagRetryLeft Tag = 137 // number: how often it still may
)

// Tags of what is no text in a request or an answer. Since minor version 2.
const (
	TagMedia     Tag = 138 // nested: TagIndex with the message or choice, TagMessage with its role, and the following
	TagMediaType Tag = 139 // text: "image", "audio", "video", "file", or another type that a part says it has
	TagMIME      Tag = 140 // text: as the caller says
	TagSize      Tag = 141 // number: bytes; absent if the media is elsewhere
	TagAt        Tag = 142 // text: path of the part; TagURL, TagCallID (of an uploaded file) and TagKey (its name) may follow
)

// TagFormField is the name of the field of a form that a file came in, in place of TagAt. Since minor version 4.
const TagFormField Tag = 251

// TagSealed stands in front of a text of a request that cannot be changed. Since minor version 3.
const TagSealed Tag = 143

// Fields of the answer that the host function field can read in the response hook.
const (
	FieldAnswerValue uint32 = 5 // as FieldValue, of the answer
	FieldAnswerJSON  uint32 = 6 // as FieldJSON, of the answer
	FieldAnswer      uint32 = 7 // the whole answer; the key is empty
)

// Fields of the media in the view. The key is the number of one, from 0. Since minor version 2.
const (
	FieldMedia    uint32 = 8 // its bytes
	FieldMediaSum uint32 = 9 // their SHA-256, in hex
)
