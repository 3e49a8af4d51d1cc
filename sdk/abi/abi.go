// Package abi is version 1 of the border between the gateway and a plugin: the names, the numbers and the flat records
// that cross it. README.md is the specification; this package is its Go form, used by the host and by the Go SDK. It
// imports the standard library only and compiles for wasip1.
package abi

// Version of the border. The major version is the name of the import module; the minor version counts additions.
const (
	Major = 1
	Minor = 4
)

// Names in a plugin's module.
const (
	HostModule  = "sallyport1"         // what host functions are imported from
	Memory      = "memory"             // exported memory
	BufFunc     = "sp_buf"             // exported (i32)->i32
	CallFunc    = "sp_call"            // exported (i32,i32,i32)->i64
	InitFunc    = "_initialize"        // exported ()->(), called once if present
	ManifestKey = "sallyport.manifest" // custom section, and first key of the manifest
)

// Limits that both sides know.
const (
	HeaderSize = 8       // bytes in front of every record
	MaxDepth   = 32      // levels of nested records
	MaxResult  = 8 << 20 // bytes of one result
	MaxMessage = 4 << 10 // bytes of a message in a result or of one log line
)

// Hook is the number of a hook, the first argument of sp_call.
type Hook uint32

// The hooks. Those after HookRequest are reserved: no gateway calls them yet.
const (
	HookConfigure   Hook = 1
	HookAuth        Hook = 2
	HookSSOBegin    Hook = 3
	HookSSOCallback Hook = 4
	HookRequest     Hook = 5
	HookResponse    Hook = 6
	HookStreamChunk Hook = 7
	HookStreamEnd   Hook = 8
	HookLog         Hook = 9
	HookTick        Hook = 10
	HookModeration  Hook = 11
	HookFailure     Hook = 12
	HookRoute       Hook = 13
	HookProvider    Hook = 14
	HookPrompt      Hook = 15
	HookKeyGenerate Hook = 16
)

// String returns the name that a manifest uses, or "".
func (h Hook) String() string {
	names := [...]string{
		HookConfigure: "configure", HookAuth: "auth", HookSSOBegin: "sso_begin", HookSSOCallback: "sso_callback",
		HookRequest: "request", HookResponse: "response", HookStreamChunk: "stream_chunk", HookStreamEnd: "stream_end",
		HookLog: "log", HookTick: "tick", HookModeration: "moderation", HookFailure: "failure", HookRoute: "route",
		HookProvider: "provider", HookPrompt: "prompt", HookKeyGenerate: "key_generate",
	}
	if int64(h) < int64(len(names)) {
		return names[h]
	}
	return ""
}

// ParseHook returns the hook with a manifest's name.
func ParseHook(name string) (Hook, bool) {
	for h := HookConfigure; h.String() != ""; h++ {
		if h.String() == name {
			return h, true
		}
	}
	return 0, false
}

// Verdict is what a hook decided, the value of a TagVerdict record.
type Verdict uint64

// The verdicts. A result of 0 instead of an address is VerdictContinue.
const (
	VerdictContinue Verdict = 0 // go on, nothing changed; in the auth hook: not mine, ask the next one
	VerdictEdit     Verdict = 1 // go on with the changes given
	VerdictReject   Verdict = 2 // refuse, with a status and a message for the caller
	VerdictRespond  Verdict = 3 // answer in place of a model
	VerdictAllow    Verdict = 4 // auth only: this is the principal
	VerdictFail     Verdict = 5 // the plugin could not do its work; the message is for the operator
)

// Tag says what a record holds.
type Tag uint16

// Tags of the configure hook.
const (
	TagMinor      Tag = 1 // number: the host's minor version
	TagName       Tag = 2 // text: the plugin's name in the gateway's configuration
	TagConfig     Tag = 3 // map: the plugin's config block
	TagConfigJSON Tag = 4 // bytes: the same as JSON
	TagHook       Tag = 5 // number, repeated: a hook that this host is going to call
)

// Tags that describe a request and its caller. Empty ones are left out.
const (
	TagRequestID     Tag = 16 // text: id of the request
	TagCallType      Tag = 17 // text: "acompletion", "atext_completion", "aembedding"
	TagMethod        Tag = 18 // text: HTTP method
	TagPath          Tag = 19 // text: canonical path
	TagClientIP      Tag = 20 // text: the caller's address without port
	TagModel         Tag = 21 // text: model group asked for; in a result: the one to use instead
	TagStream        Tag = 22 // number: 1 if a stream was asked for
	TagCredential    Tag = 23 // text: the key presented, without scheme; auth only
	TagCredentialRaw Tag = 24 // text: the credential header as sent; auth only
	TagKeyHash       Tag = 25 // text: SHA-256 of the key in hex
	TagKeyAlias      Tag = 26 // text
	TagUserID        Tag = 27 // text
	TagUserEmail     Tag = 28 // text
	TagTeamID        Tag = 29 // text
	TagTeamAlias     Tag = 30 // text
	TagOrgID         Tag = 31 // text
	TagEndUser       Tag = 32 // text
	TagRole          Tag = 33 // text: role of the caller, such as "internal_user"
	TagAllowedModel  Tag = 34 // text, repeated: a model group the principal may use
	TagMetadata      Tag = 35 // map: metadata of the principal
	TagHeader        Tag = 36 // nested: TagKey with the name, TagText with the value
)

// Tags of the texts of a request: each message, prompt or input is one TagMessage, followed by its texts.
const (
	TagMessage Tag = 48 // text: role of the message, empty outside of messages; its number is its place, from 0
	TagText    Tag = 49 // text: belongs to the message before it; its number among all texts is its place, from 0
)

// Tags of a result.
const (
	TagVerdict   Tag = 64 // number: a Verdict
	TagStatus    Tag = 65 // number: HTTP status of a refusal
	TagReason    Tag = 66 // text: message of a refusal or a failure
	TagEdit      Tag = 67 // nested: TagIndex with the text's number, TagText with the new one
	TagIndex     Tag = 68 // number
	TagReply     Tag = 69 // text: the answer of VerdictRespond
	TagPrincipal Tag = 70 // nested: the principal of VerdictAllow
)

// Tags of a map or list of values.
const (
	TagKey   Tag = 96  // text: name of the value that follows, in a map
	TagStr   Tag = 97  // text
	TagInt   Tag = 98  // number: a signed integer
	TagFloat Tag = 99  // number: the bits of an IEEE 754 double
	TagBool  Tag = 100 // number: 0 or 1
	TagNull  Tag = 101 // empty
	TagList  Tag = 102 // nested: values
	TagMap   Tag = 103 // nested: TagKey and a value in turn
)

// Flags of a record.
const (
	FlagNested   uint16 = 1 // the value is a sequence of records
	FlagCritical uint16 = 2 // a reader that does not know the tag must refuse the whole
)

// Fields that the host function field can read, its first argument.
const (
	FieldHeader uint32 = 1 // value of the request header named by the key
	FieldValue  uint32 = 2 // value in the request body at the path given as key; a string comes as its text
	FieldJSON   uint32 = 3 // the same as JSON, as the caller wrote it
	FieldBody   uint32 = 4 // the whole request body; the key is empty
)

// Errors of host functions: their negative results.
const (
	ErrNotFound  int32 = -1 // there is no such header or value
	ErrForbidden int32 = -2 // the plugin may not read this here
	ErrArgument  int32 = -3 // unknown field, malformed path, or an address outside of memory
	ErrLimit     int32 = -4 // too large, too many, or no room
	ErrPending   int32 = -5 // not there yet
	ErrFailed    int32 = -6 // it was tried and did not work out
)

// Tags of HTTP requests and answers, the arguments and results of http_start. Headers are TagHeader.
const (
	TagHTTPMethod Tag = 200 // text: absent is GET
	TagURL        Tag = 201 // text: absolute; in an answer the one after redirects
	TagBody       Tag = 202 // bytes
	TagTimeout    Tag = 203 // number: milliseconds
	TagMaxBytes   Tag = 204 // number: bytes of the answer's body
	TagRedirects  Tag = 205 // number: redirects to follow at most
	TagCause      Tag = 206 // text: of a failure, one of the Cause constants
)

// Causes of a failed HTTP request. The text in TagReason is for people.
const (
	CauseForbidden  = "forbidden"  // a redirect, or the address a name stands for, is not granted
	CauseTimeout    = "timeout"    // no whole answer in time
	CauseTooLarge   = "too_large"  // the answer is larger than allowed
	CauseConnection = "connection" // no connection, or it broke
)

// Kinds of the host function metric.
const (
	MetricCounter   int32 = 0 // adds a value that is not negative
	MetricGauge     int32 = 1 // sets the value
	MetricHistogram int32 = 2 // observes a value
)

// Levels of the host function log; the numbers are those of log/slog.
const (
	LogDebug int32 = -4
	LogInfo  int32 = 0
	LogWarn  int32 = 4
	LogError int32 = 8
)
