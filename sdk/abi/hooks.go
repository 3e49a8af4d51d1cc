package abi

// Tags of the log hook: what is known about an exchange that has ended.
const (
	TagRecord           Tag = 160 // nested: one exchange
	TagDeploymentID     Tag = 161 // text
	TagProvider         Tag = 162 // text: the vendor
	TagVendorModel      Tag = 163 // text: the vendor's own name for the model
	TagBase             Tag = 164 // text: base URL of the vendor's API
	TagStart            Tag = 165 // number: microseconds since 1970
	TagEnd              Tag = 166 // number: microseconds since 1970
	TagFirstToken       Tag = 167 // number: microseconds since 1970
	TagPromptTokens     Tag = 168 // number
	TagCompletionTokens Tag = 169 // number
	TagTotalTokens      Tag = 170 // number
	TagCachedTokens     Tag = 171 // number: part of the prompt that the vendor had in its cache
	TagReasoningTokens  Tag = 172 // number: part of the completion that was hidden reasoning
	TagCost             Tag = 173 // number: the bits of a double, US dollars
	TagFinish           Tag = 174 // text: finish reason
	TagErrorClass       Tag = 175 // text: class of the error, such as "RateLimitError"
	TagTag              Tag = 176 // text, repeated: a tag of the request or the deployment
	TagGuardrail        Tag = 177 // text, repeated: a guardrail that looked at the exchange
	TagRetries          Tag = 178 // number
	TagFallbacks        Tag = 179 // number
	TagUserAgent        Tag = 180 // text
	TagMessages         Tag = 181 // text: what was asked, JSON
	TagAnswer           Tag = 182 // text: what was answered, JSON
	TagCacheHit         Tag = 183 // number: 1 if the answer came from a cache
	TagCallerMetadata   Tag = 184 // map: the metadata that the caller sent
)

// Tags of the route hook.
const (
	TagDeployment Tag = 185 // nested: one deployment that may be called
	TagWeight     Tag = 186 // number: the bits of a double
	TagRPM        Tag = 187 // number: the bits of a double, requests a minute
	TagTPM        Tag = 188 // number: the bits of a double, tokens a minute
	TagInFlight   Tag = 189 // number: calls under way
	TagInfo       Tag = 190 // map: model_info
	TagOrdered    Tag = 191 // number: 1 if the deployments are to be tried in the order given
)

// Tags of the prompt hook.
const (
	TagPromptID  Tag = 192 // text
	TagVariables Tag = 193 // map: what the prompt's placeholders stand for
	TagLabel     Tag = 194 // text
	TagRevision  Tag = 195 // text: the version of the prompt that is asked for
	TagParams    Tag = 196 // map: members of a request
	TagReplace   Tag = 197 // number: 1 if the messages take the place of the caller's
)

// Tags of the provider hook, besides TagURL, TagBody and TagHeader.
const (
	TagPhase     Tag = 198 // number: a Phase
	TagEvent     Tag = 221 // text: name of an event in a stream
	TagState     Tag = 222 // bytes: what a plugin keeps from one event of a stream to the next
	TagPart      Tag = 223 // nested: a piece of an answer
	TagToolCall  Tag = 224 // nested: TagIndex, TagCallID, TagKey with the name, TagText with the arguments
	TagCallID    Tag = 225 // text: id of a tool call
	TagReasoning Tag = 226 // text: reasoning that the model shows
)

// Tags of the hooks for signing in.
const (
	TagQuery          Tag = 227 // text: the raw query string
	TagMaxBudget      Tag = 228 // number: the bits of a double, US dollars
	TagBudgetDuration Tag = 229 // text: such as "30d"
)

// Phase is what the provider hook is asked to do.
type Phase uint64

// The phases. A call is encoded once; its answer comes whole, or as events that end with PhaseEnd.
const (
	PhaseEncode Phase = 1 // make a call of a request
	PhaseWhole  Phase = 2 // read a whole answer
	PhaseEvent  Phase = 3 // read one event of a streamed answer
	PhaseEnd    Phase = 4 // a streamed answer has ended
)

// MaxState is the most bytes of a TagState.
const MaxState = 64 << 10
