package llm

import (
	"time"
	"unsafe"
)

// Exchange is one request of a caller and everything the gateway learns about it on the way. The listener makes it,
// one goroutine works on it at a time, and it lives until the reply's Close returned. It borrows the request's bytes:
// what outlives the exchange (a log record, a cache entry) is copied.
type Exchange struct {
	Life  Lifetime // ends when the caller leaves; the context given along with the exchange is normally this
	ID    ID
	Start time.Time
	Op    Operation

	Method string
	Path   string // canonical path, the one that was routed; every check uses it
	Remote string // the caller's address without port
	Header Header // the caller's headers, borrowed
	Query  []byte // the raw query string, borrowed
	Added  Header // header lines for vendors that hooks ask for; they are no credentials

	Body      Object      // the request in the form of the OpenAI API; for another dialect see Chat
	Dialect   Dialect     // what the caller speaks, and expects in return
	Native    Object      // the request as it came, in a dialect other than OpenAI's
	AsNative  bool        // the call under way goes out, and its answer comes back, in the caller's dialect; see Native
	Form      Form        // the request as it came, if it is a form; its text fields are in Body too
	Raw       []byte      // the body of a request that is forwarded as it is; borrowed
	Hidden    string      // what guardrails cannot read of a request that is forwarded as it is, such as "audio"; "" if all of Raw may be tried
	Whole     []byte      // while a guardrail looks at the texts of Raw, which are in Body then: Raw; nil otherwise
	Call      string      // what records call the request, where the operation does not tell; see CallType
	Tail      string      // what follows the path of a pass-through endpoint
	Pinned    *Deployment // the one deployment the route stands for; nil lets the router choose
	Lost      error       // what Body does not say of Native, an *llm.Error; nil if it says all
	Home      string      // the ID of the deployment that holds what the request goes on with; "" for most
	Wanted    string      // the model that a request to Pinned names, which the principal must be allowed; "" if none
	Model     string      // the model group asked for; a hook may change it before routing
	Streamed  bool        // the caller asked for a stream
	WantUsage bool        // the caller asked for usage in the stream

	Deadline time.Time // until when an answer must begin, over all attempts; zero for none
	Fastest  bool      // the reply is that of the fastest of several models

	Controls  Controls
	Overrides []Pair     // members that the fallback under way sets in the request body; Value is JSON
	Principal *Principal // nil until authenticated
	EndUser   string     // the customer that the caller asks for; empty if it does not say
	Region    string     // where the model must run for the customer; empty is anywhere
	Tags      []string   // of the request and of who asks; set when it is authenticated

	// Named is the id, as the caller knows it, of the stored thing that the request is about; "" if none. Admit says, once
	// it is known who asks, whether they may use what the request names. Stamp appends the id that the caller gets to see
	// for one that leads to a deployment. Both may be nil.
	Named string
	Admit func(x *Exchange) error
	Stamp func(x *Exchange, dst, id []byte) []byte

	// Scopes are those whose limits and budgets apply: the principal's and those that the request names. Holds are what
	// was taken of them and is still to be settled, Asked how much that was; Charged is what the call cost.
	Scopes  []*Scope
	Holds   []Hold
	Asked   Ask
	Charged float64

	// Ahead is the deployment whose limits were asked for along with those of Scopes, or are to be, as the request will
	// probably be sent to it; what was taken is behind the Holds of Scopes. Nil once it is called, or if there is none. Who
	// has the request wait for a deployment calls LetGo before: it gives back what was taken, and Ahead is nil. Nil if Ahead is.
	Ahead *Deployment
	LetGo func(x *Exchange)

	// Crowded is why the model group asked for has no room: it is not called, only what it falls back to. Nil if it has.
	Crowded *Error

	Cached     CacheUse      // what the cache of answers did
	Retries    int           // attempts after the first, in the group that answered
	MaxRetries int           // how many were allowed
	Fallbacks  int           // groups tried after the first
	Applied    []string      // guardrails that looked at the exchange, each once; see Guarded
	GuardRuns  []GuardRun    // every look of a guardrail, in the order they ended
	Earlier    []Earlier     // answers that guardrails had asked for anew, oldest first
	Tried      *Deployment   // the deployment called last; nil if none was
	Upstream   time.Duration // spent on vendors so far
	states     []state       // what plugins keep with the exchange
	toChat     func(*Exchange) error
	chat       []byte    // the body that toChat made
	named      string    // the model that NameModel was last given, kept over Reset
	Answered   time.Time // when the last vendor had answered: a whole answer to its end, a stream to its first part
}

// Controls are the settings a caller can send along that are for the gateway, not for the model. The reference lists
// them as all_litellm_params (litellm/types/utils.py) and x-litellm-* request headers.
type Controls struct {
	Retries          int           // num_retries; -1 not given
	Timeout          time.Duration // timeout; 0 not given
	StreamTimeout    time.Duration // stream_timeout; 0 not given
	Fallbacks        []byte        // fallbacks, raw JSON; nil not given
	WindowFallbacks  []byte        // those after a prompt that was too long; only the principal's Routing sets them
	PolicyFallbacks  []byte        // those after a refusal for what a prompt says; likewise
	DisableFallbacks bool
	Fastest          bool // fastest_response: the first answer of the models that are named with commas in between
	Testing          Testing
	Priority         int    // priority: in line for a deployment, lower is first
	Prioritized      bool   // priority was given
	Mock             []byte // mock_response, raw JSON; nil not given
	Guardrails       []byte // guardrails, raw JSON; nil not given
	Metadata         []byte // metadata (or litellm_metadata), raw JSON; nil not given
	DropParams       int8   // drop_params: 1 true, 0 false, -1 not given
	AdditionalDrop   []byte // additional_drop_params, raw JSON
	AllowedParams    []byte // allowed_openai_params, raw JSON
	ExtraHeaders     []byte // extra_headers, raw JSON
	ExtraBody        []byte // extra_body, raw JSON
	User             []byte // user, raw JSON; also sent to the vendor
	Given            bool   // the body holds at least one member that must not reach the vendor
}

// Testing is a failure that a caller asks for, to see what the gateway makes of it.
type Testing uint8

// The members of a request that ask for one: mock_testing_fallbacks, mock_testing_context_fallbacks,
// mock_testing_content_policy_fallbacks and mock_testing_rate_limit_error.
const (
	TestFallbacks Testing = 1 << iota
	TestContextFallbacks
	TestPolicyFallbacks
	TestRateLimit
)

// NameModel sets Model to a copy of name. Exchanges are used again and again, mostly for the same few models: the copy of
// the last time serves if the name is the same.
func (x *Exchange) NameModel(name []byte) {
	if len(name) > maxNamed {
		x.Model = string(name)
		return
	}
	if string(name) != x.named {
		x.named = string(name)
	}
	x.Model = x.named
}

// maxNamed is how long a name may be to be kept.
const maxNamed = 256

// Reset makes the exchange ready for another request and drops every reference to the last one.
func (x *Exchange) Reset() {
	x.Life.Reset()
	header, applied, body := x.Header[:0], x.Applied[:0], x.Body
	clear(header[:cap(header)])
	clear(applied[:cap(applied)])
	body.Reset()
	x.ID, x.Start, x.Op = ID{}, time.Time{}, OpNone
	x.Method, x.Path, x.Remote, x.Header, x.Query = "", "", "", header, nil
	x.Body, x.Model, x.Streamed, x.WantUsage = body, "", false, false
	x.Added = nil
	x.Native.Reset()
	x.Form.Reset()
	x.Dialect, x.AsNative, x.Lost, x.toChat, x.chat = DialectOpenAI, false, nil, nil, nil
	x.Hidden, x.Whole = "", nil
	x.Raw, x.Call, x.Tail, x.Pinned, x.Wanted, x.Home, x.Overrides = nil, "", "", nil, "", "", nil
	x.Named, x.Admit, x.Stamp = "", nil, nil
	x.Controls = Controls{Retries: -1, DropParams: -1}
	x.Principal, x.Retries, x.MaxRetries, x.Fallbacks, x.Applied = nil, 0, 0, 0, applied
	x.Upstream, x.Answered, x.Cached = 0, time.Time{}, CacheUse{}
	clear(x.Scopes)
	clear(x.Holds)
	clear(x.Tags)
	x.Scopes, x.Holds, x.Tags, x.EndUser, x.Asked, x.Charged = x.Scopes[:0], x.Holds[:0], x.Tags[:0], "", Ask{}, 0
	x.Region, x.Crowded, x.Ahead, x.LetGo = "", nil, nil, nil
	clear(x.GuardRuns)
	x.Deadline, x.Fastest = time.Time{}, false
	clear(x.Earlier)
	x.Earlier = x.Earlier[:0]
	clear(x.states)
	x.GuardRuns, x.states, x.Tried = x.GuardRuns[:0], x.states[:0], nil
}

// Speak says that the request came in another dialect and is in Native. toChat makes Body a chat completions request
// that says the same; it is called when somebody needs one.
func (x *Exchange) Speak(d Dialect, toChat func(*Exchange) error) {
	x.Dialect, x.toChat, x.chat = d, toChat, nil
}

// Chat makes sure that Body holds the request in the form of the OpenAI API. Whoever reads Body of a chat calls it first,
// unless it runs after the gateway has. A request in another dialect that cannot be said in this form is an *llm.Error.
func (x *Exchange) Chat() error {
	if x.toChat == nil || x.chat != nil {
		return nil
	}
	if err := x.toChat(x); err != nil {
		return err
	}
	x.chat = x.Body.Raw()
	return nil
}

// Edited reports whether somebody changed the request since it was translated, so that Native no longer says what is
// meant.
func (x *Exchange) Edited() bool {
	raw := x.Body.Raw()
	return x.chat != nil && (len(raw) != len(x.chat) || unsafe.SliceData(raw) != unsafe.SliceData(x.chat))
}

// CallType is the name that log records and guardrails use for what was asked. It follows the call_type values of the
// reference system (litellm/types/utils.py, CallTypes).
func (x *Exchange) CallType() string {
	if x.Call != "" {
		return x.Call
	}
	if x.Op == OpChat {
		switch x.Dialect {
		case DialectMessages:
			return "anthropic_messages"
		case DialectResponses:
			return "aresponses"
		case DialectGoogle:
			if x.Streamed {
				return "agenerate_content_stream"
			}
			return "agenerate_content"
		}
	}
	return x.Op.CallType()
}
