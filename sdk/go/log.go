package sallyport

import (
	"time"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// LogBatch is what the log hook is given: records of exchanges that have ended, oldest first. It is valid during the
// call.
type LogBatch struct {
	Records []LogRecord

	retry []int
}

// Retry asks the gateway to hand in the record of that index again, after a pause. It gives up after a few attempts.
// Records that are not named count as taken. An error of the hook means that all of them are to come again.
func (b *LogBatch) Retry(index int) { b.retry = append(b.retry, index) }

// Retried returns what Retry was called with, for tests.
func (b *LogBatch) Retried() []int { return b.retry }

// LogRecord is one exchange.
type LogRecord struct {
	ID       string // callers know it as x-litellm-call-id
	CallType string // "acompletion", "atext_completion" or "aembedding"
	Path     string
	ClientIP string
	Agent    string // the caller's User-Agent
	Stream   bool
	CacheHit bool
	Caller   Caller

	Model        string // the model group asked for
	VendorModel  string
	Provider     string
	DeploymentID string
	Base         string // base URL of the vendor's API

	Start      time.Time
	End        time.Time
	FirstToken time.Time // zero if no answer began

	PromptTokens     int64
	CompletionTokens int64
	TotalTokens      int64
	CachedTokens     int64
	ReasoningTokens  int64
	Cost             float64 // US dollars; see CostKnown
	CostKnown        bool

	Status     int    // as the caller saw it
	Finish     string // finish reason
	ErrorClass string // empty for success
	Error      string // message of the error

	Tags       []string
	Guardrails []string // those that looked at the exchange
	Retries    int
	Fallbacks  int

	// Messages and Answer are JSON. They are empty unless the manifest needs "content" and the operator grants it with
	// message_logging.
	Messages string
	Answer   string

	keyMetadata, metadata []byte
}

// Failed reports whether the exchange ended in an error.
func (r *LogRecord) Failed() bool { return r.ErrorClass != "" }

// Metadata decodes the metadata that the caller sent, without what looks like a secret.
func (r *LogRecord) Metadata() (map[string]any, error) { return abi.Map(r.metadata) }

// KeyMetadata decodes the metadata of the caller's key, if the manifest needs "metadata".
func (r *LogRecord) KeyMetadata() (map[string]any, error) { return abi.Map(r.keyMetadata) }

func (b *LogBatch) decode(view []byte) error {
	*b = LogBatch{Records: b.Records[:0], retry: b.retry[:0]}
	v := abi.Reader{Rest: view}
	for v.Next() {
		if v.Tag != abi.TagRecord {
			v.Unknown()
			continue
		}
		var r LogRecord
		if err := r.decode(v.Inside()); err != nil {
			return err
		}
		b.Records = append(b.Records, r)
	}
	return v.Err
}

func (b *LogBatch) encode(dst []byte) []byte {
	if len(b.retry) == 0 {
		return dst
	}
	dst = abi.AppendNumber(dst, abi.TagVerdict, uint64(abi.VerdictEdit))
	for _, i := range b.retry {
		dst = abi.AppendNumber(dst, abi.TagIndex, uint64(i))
	}
	return dst
}

func (r *LogRecord) decode(v abi.Reader) error {
	for v.Next() {
		if r.texts(&v) || r.numbers(&v) || r.Caller.field(v.Tag, v.Value) {
			continue
		}
		switch v.Tag {
		case abi.TagMetadata:
			r.keyMetadata = v.Value
		case abi.TagCallerMetadata:
			r.metadata = v.Value
		case abi.TagTag:
			r.Tags = append(r.Tags, text(v.Value))
		case abi.TagGuardrail:
			r.Guardrails = append(r.Guardrails, text(v.Value))
		default:
			v.Unknown()
		}
	}
	return v.Err
}

func (r *LogRecord) texts(v *abi.Reader) bool {
	var to *string
	switch v.Tag {
	case abi.TagRequestID:
		to = &r.ID
	case abi.TagCallType:
		to = &r.CallType
	case abi.TagPath:
		to = &r.Path
	case abi.TagClientIP:
		to = &r.ClientIP
	case abi.TagUserAgent:
		to = &r.Agent
	case abi.TagModel:
		to = &r.Model
	case abi.TagVendorModel:
		to = &r.VendorModel
	case abi.TagProvider:
		to = &r.Provider
	case abi.TagDeploymentID:
		to = &r.DeploymentID
	case abi.TagBase:
		to = &r.Base
	case abi.TagFinish:
		to = &r.Finish
	case abi.TagErrorClass:
		to = &r.ErrorClass
	case abi.TagReason:
		to = &r.Error
	case abi.TagMessages:
		to = &r.Messages
	case abi.TagAnswer:
		to = &r.Answer
	default:
		return false
	}
	*to = text(v.Value)
	return true
}

func (r *LogRecord) numbers(v *abi.Reader) bool {
	switch v.Tag {
	case abi.TagStream:
		r.Stream = true
	case abi.TagCacheHit:
		r.CacheHit = true
	case abi.TagStart:
		r.Start = moment(v)
	case abi.TagEnd:
		r.End = moment(v)
	case abi.TagFirstToken:
		r.FirstToken = moment(v)
	case abi.TagPromptTokens:
		r.PromptTokens = int64(v.Number())
	case abi.TagCompletionTokens:
		r.CompletionTokens = int64(v.Number())
	case abi.TagTotalTokens:
		r.TotalTokens = int64(v.Number())
	case abi.TagCachedTokens:
		r.CachedTokens = int64(v.Number())
	case abi.TagReasoningTokens:
		r.ReasoningTokens = int64(v.Number())
	case abi.TagCost:
		r.Cost, r.CostKnown = double(v), true
	case abi.TagStatus:
		r.Status = int(v.Number())
	case abi.TagRetries:
		r.Retries = int(v.Number())
	case abi.TagFallbacks:
		r.Fallbacks = int(v.Number())
	default:
		return false
	}
	return true
}

func moment(v *abi.Reader) time.Time { return time.UnixMicro(int64(v.Number())).UTC() }
