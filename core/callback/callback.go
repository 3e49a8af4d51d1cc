// Package callback takes records of finished exchanges to those who want them: a Recorder makes the records, a Queue
// carries them off the caller's path, a Sink writes them.
package callback

import (
	"context"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
)

// Sink writes records somewhere.
type Sink interface {
	// Write takes a batch, oldest first. It may block until ctx ends. The batch, and all it refers to, is valid until
	// Write returns, and must not be changed. An error means that the whole batch is lost, unless it is a *LostError.
	Write(ctx context.Context, batch []Record) error
}

// Record is what is known about one exchange when it has ended. It borrows nothing. Its JSON is the reference's
// StandardLoggingPayload.
type Record struct {
	ID       string // of the exchange; callers know it as x-litellm-call-id
	CallType string // see llm.Operation.CallType
	Route    string // canonical path
	Stream   bool

	CacheHit  bool
	CacheKey  string  // of the entry that answered, or is to; "" if the exchange is not one for the cache
	SavedCost float64 // US dollars that an answer from the cache cost when a model gave it

	ModelGroup string          // as asked for
	Deployment *llm.Deployment // who answered, or was tried last; nil if none was called

	Start, End time.Time
	FirstToken time.Time // zero if no answer began
	Upstream   time.Duration

	Usage     llm.Usage // of all answers, if a guardrail had a model asked again
	Cost      float64   // US dollars; likewise
	Parts     price.Cost
	CostKnown bool
	Status    int    // as the caller saw it
	Finish    string // finish reason, if known
	Error     *Error // nil for success

	Principal *llm.Principal // nil if nobody was authenticated
	EndUser   string
	Remote    string // the caller's address
	UserAgent string
	Metadata  []byte // the caller's metadata as sent, JSON; nil if there is none or it is too long
	Tags      string // the x-litellm-tags header
	Guards    []string
	GuardRuns []llm.GuardRun // every look of a guardrail

	Retries, Fallbacks int

	LoggingOnly []string // guardrails in mode logging_only that are on for the exchange

	Messages []byte // what was asked, JSON; nil unless the Recorder keeps it
	Response []byte // the answer as it was kept (llm.Reply.Kept); nil unless the Recorder keeps it; see Answer
	Joined   bool   // Response is one document, although the answer was streamed
}

// Error is why an exchange failed.
type Error struct {
	Kind     llm.Kind
	Status   int
	Message  string
	Provider string
}

// LostError is what a sink returns when some records of a batch are lost and the others were written.
type LostError struct {
	Lost int
	Err  error // why
}

// Error describes the loss.
func (e *LostError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Err }

// MaxMetadata is the length from which a caller's metadata is left out of records.
const MaxMetadata = 64 << 10

// NewRecord describes an exchange that has ended. r is nil if there was no reply; tried is the deployment called last,
// if any. It copies what it needs, and allocates for that. Messages are copied only if they are wanted.
func NewRecord(x *llm.Exchange, r *llm.Reply, tried *llm.Deployment, err error, end time.Time, messages bool) Record {
	rec := Record{
		ID: x.ID.String(), CallType: x.CallType(), Route: strings.Clone(x.Path), Stream: x.Streamed,
		ModelGroup: strings.Clone(x.Model), Deployment: tried, Start: x.Start, End: end, Upstream: x.Upstream,
		Status: 200, Principal: x.Principal, Remote: strings.Clone(x.Remote), UserAgent: string(x.Header.Get("user-agent")),
		Tags: string(x.Header.Get("x-litellm-tags")), Guards: append([]string(nil), x.Applied...), GuardRuns: append([]llm.GuardRun(nil), x.GuardRuns...),
		Retries: x.Retries, Fallbacks: x.Fallbacks,
	}
	rec.CacheHit, rec.CacheKey, rec.SavedCost = x.Cached.Hit, x.Cached.Key, x.Cached.Saved
	if len(x.Controls.Metadata) <= MaxMetadata {
		rec.Metadata = append([]byte(nil), x.Controls.Metadata...)
	}
	rec.EndUser = endUser(x)
	if r != nil {
		rec.reply(r)
	}
	if e := llm.AsError(err); e != nil {
		rec.Status = e.HTTPStatus()
		rec.Error = &Error{e.Kind, rec.Status, e.Message, e.Provider}
	}
	if d := rec.Deployment; d != nil {
		call := price.CallOf(x, rec.Usage)
		if r == nil {
			call.Took = 0 // waiting for an answer that did not come costs nothing
		}
		rec.Parts, rec.CostKnown = price.Of(d.Price, rec.Usage, call)
		for i := range x.Earlier {
			e := &x.Earlier[i]
			c, _ := price.Of(e.Deployment.Price, e.Usage, price.CallOf(x, e.Usage))
			rec.Parts = rec.Parts.Plus(c)
		}
		rec.Cost = rec.Parts.Total
	}
	rec.Usage = x.Used(rec.Usage)
	if messages {
		rec.Messages = append([]byte(nil), asked(x)...)
		if r != nil {
			rec.Response = append([]byte(nil), r.Kept...)
		}
	}
	return rec
}

func (rec *Record) reply(r *llm.Reply) {
	rec.FirstToken, rec.Usage, rec.Finish = r.Began, r.Usage, r.Finish
	if r.Deployment != nil {
		rec.Deployment = r.Deployment
	}
	if r.Status != 0 {
		rec.Status = r.Status
	}
}

// endUser follows get_end_user_id_from_request_body in litellm/proxy/auth/auth_utils.py: header, then body.
func endUser(x *llm.Exchange) string {
	for _, name := range []string{"x-litellm-customer-id", "x-litellm-end-user-id"} {
		if v := x.Header.Get(name); len(v) > 0 {
			return string(v)
		}
	}
	if s, ok := llm.Text(x.Controls.User); ok && len(s) > 0 {
		return string(s)
	}
	if x.Principal != nil {
		return x.Principal.EndUser
	}
	return ""
}

// asked is what was asked: as chat completions have it if somebody wanted to see it like that, else as it came.
func asked(x *llm.Exchange) []byte {
	for _, o := range [...]*llm.Object{&x.Body, &x.Native} {
		for _, key := range [...]string{"messages", "prompt", "input", "contents"} {
			if v := o.Get(key); v != nil {
				return v
			}
		}
	}
	return nil
}

// Recorder makes a record of each exchange and gives it to every queue. It is safe for concurrent use.
type Recorder struct {
	queues   []*Queue
	messages bool
	mark     func(*llm.Exchange, *Record)
}

// NewRecorder makes a recorder. messages says whether records hold what was asked.
func NewRecorder(messages bool, queues ...*Queue) *Recorder {
	return &Recorder{queues: append([]*Queue(nil), queues...), messages: messages}
}

// Mark sets a function that may add to each record what only the exchange tells. It is called before the first Record.
func (r *Recorder) Mark(mark func(*llm.Exchange, *Record)) { r.mark = mark }

// Record makes a record and queues it. It never blocks. It reads x and r only until it returns.
func (r *Recorder) Record(x *llm.Exchange, reply *llm.Reply, tried *llm.Deployment, err error) {
	rec := NewRecord(x, reply, tried, err, time.Now(), r.messages)
	if r.mark != nil {
		r.mark(x, &rec)
	}
	for _, q := range r.queues {
		q.Put(&rec)
	}
}
