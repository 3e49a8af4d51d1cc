package spend

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// MasterKeyName stands for the master key in records, in place of its hash
// (LITELLM_PROXY_MASTER_KEY_ALIAS in litellm/constants.py).
const MasterKeyName = "litellm_proxy_master_key"

// RecorderSettings configure a Recorder. Journal is required.
type RecorderSettings struct {
	Journal  *Journal
	NoLogs   bool   // totals are kept, rows are not (disable_spend_logs)
	NoTotals bool   // rows are kept, totals are not (disable_spend_updates)
	NoErrors bool   // calls that failed leave no row (disable_error_logs)
	Texts    bool   // rows hold what was asked and answered (store_prompts_in_spend_logs)
	HideKey  string // this hash is written as MasterKeyName (disable_adding_master_key_hash_to_db)
	Logger   *slog.Logger
}

// Recorder writes the record of each exchange of somebody who is known into the journal, before its reply ends. It is
// safe for concurrent use.
type Recorder struct {
	s      RecorderSettings
	failed atomic.Int64
}

// NewRecorder makes a Recorder.
func NewRecorder(s RecorderSettings) *Recorder {
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	return &Recorder{s: s}
}

// Keep is how many bytes of an answer are to be kept for records.
func (r *Recorder) Keep() int {
	if r != nil && r.s.Texts {
		return maxText
	}
	return 0
}

// maxText bounds what a record holds of a request and of an answer. Longer texts are left out.
const maxText = 256 << 10

var buffers = sync.Pool{New: func() any { return new(encoder) }}

// Record implements gateway.Recorder. Without texts it allocates nothing.
func (r *Recorder) Record(x *llm.Exchange, reply *llm.Reply, tried *llm.Deployment, err error) {
	if x.Principal == nil || x.Op == llm.OpNone {
		return
	}
	e := buffers.Get().(*encoder)
	end, failure := time.Now(), llm.AsError(err)
	// Texts must not take the room of records that only have to be counted.
	texts := r.s.Texts && !r.s.Journal.Full()
	e.b = e.b[:0]
	r.encode(e, x, reply, tried, failure, end, texts)
	_, err = r.s.Journal.Append(e.b)
	if err != nil && texts {
		e.b = e.b[:0]
		r.encode(e, x, reply, tried, failure, end, false)
		_, err = r.s.Journal.Append(e.b)
	}
	if errors.Is(err, errNoRoom) {
		err = r.s.Journal.Hold(e.b)
	}
	if err != nil && r.failed.Add(1)&1023 == 1 {
		r.s.Logger.Error("what a call cost was not recorded", "call_id", x.ID.String(), "spend", x.Charged, "error", err)
	}
	if cap(e.b) <= 64<<10 {
		buffers.Put(e)
	}
}

// encode writes the record in the order that decodeEntry reads.
func (r *Recorder) encode(
	e *encoder, x *llm.Exchange, reply *llm.Reply, tried *llm.Deployment, failure *llm.Error, end time.Time, texts bool,
) {
	d, first := tried, int64(0)
	u, flags := &llm.Usage{}, uint64(0)
	if r.s.NoLogs || r.s.NoErrors && failure != nil {
		flags |= flagNoLog
	}
	if r.s.NoTotals {
		flags |= flagNoTotals
	}
	if reply != nil {
		u = &reply.Usage
		if reply.Deployment != nil {
			d = reply.Deployment
		}
		if !reply.Began.IsZero() {
			flags |= flagCompletion
			first = reply.Began.UnixNano()
		}
	}
	if len(x.Earlier) > 0 {
		sum := x.Used(*u)
		u = &sum
	}
	total := u.Total
	if total == 0 {
		total = u.Prompt + u.Completion
	}
	e.head(flags, x.Charged, [8]int64{
		total, u.Prompt, u.Completion, u.Cached, u.CacheWrite, x.Start.UnixNano(), end.UnixNano(), first,
	})
	r.names(e, x, d, failure)
	r.documents(e, x, reply, failure, u, texts)
	e.uint(uint64(len(x.Tags)))
	for _, t := range x.Tags {
		e.text(t)
	}
	counters(e, x, d)
}

// names writes the text fields, see texts.
func (r *Recorder) names(e *encoder, x *llm.Exchange, d *llm.Deployment, failure *llm.Error) {
	p := x.Principal
	e.bytes(x.ID[:])
	e.text(x.CallType())
	e.text(r.key(p))
	if d != nil {
		e.text(d.Model)
		e.text(d.ID)
		e.text(x.Model)
		e.text(d.Provider)
		e.text(d.Base)
	} else {
		e.text(x.Model)
		e.text("")
		e.text(x.Model)
		e.text("")
		e.text("")
	}
	e.text(p.UserID)
	hit := "None"
	switch {
	case x.Cached.Hit, d == nil && failure == nil: // or another hook had the answer
		hit = "True"
	case x.Cached.Key != "":
		hit = "False"
	}
	e.text(hit)
	e.text(x.Cached.Key)
	e.text(p.TeamID)
	e.text(p.OrgID)
	e.text(x.EndUser)
	e.text(x.Remote)
	e.bytes(session(x))
	e.text(status(failure))
	e.text("") // MCP tool
	e.bytes(x.Header.Get("x-litellm-agent-id"))
	e.text(x.Path)
}

func (r *Recorder) key(p *llm.Principal) string {
	if r.s.HideKey != "" && p.KeyHash == r.s.HideKey {
		return MasterKeyName
	}
	return p.KeyHash
}

func status(failure *llm.Error) string {
	if failure != nil {
		return "failure"
	}
	return "success"
}

// session is the conversation that the caller says the request belongs to.
func session(x *llm.Exchange) []byte {
	if id := x.Header.Get("x-litellm-session-id"); len(id) > 0 {
		return id
	}
	if id, ok := llm.Text(x.Body.Get("litellm_session_id")); ok && len(id) > 0 {
		return id
	}
	if id := x.Header.Get("x-litellm-trace-id"); len(id) > 0 {
		return id
	}
	return x.ID[:]
}

// documents writes the fields that become JSON: metadata, tags, request, answer, and the request as it came. Tags are those
// that the record has besides.
func (r *Recorder) documents(e *encoder, x *llm.Exchange, reply *llm.Reply, failure *llm.Error, u *llm.Usage, texts bool) {
	doc := buffers.Get().(*encoder)
	doc.b = doc.b[:0]
	rest(doc, x, reply, failure, u)
	e.bytes(doc.b)
	buffers.Put(doc)
	e.uint(0)
	if !texts {
		e.uint(0)
		e.uint(0)
		e.uint(0)
		return
	}
	e.bytes(short(asked(x)))
	if reply != nil {
		e.bytes(short(reply.Kept))
	} else {
		e.uint(0)
	}
	body := x.Body.Raw()
	if x.Native.Raw() != nil {
		body = x.Native.Raw()
	}
	e.bytes(short(body))
}

func short(b []byte) []byte {
	if len(b) > maxText {
		return nil
	}
	return b
}

func asked(x *llm.Exchange) []byte {
	for _, o := range []*llm.Object{&x.Body, &x.Native} {
		for _, key := range []string{"messages", "prompt", "input", "contents"} {
			if v := o.Get(key); v != nil {
				return v
			}
		}
	}
	return nil
}

// counters writes what the call adds to counters.
func counters(e *encoder, x *llm.Exchange, d *llm.Deployment) {
	n := 0
	each(x, d, func(*llm.Scope, float64) { n++ })
	e.uint(uint64(n))
	if n == 0 {
		return
	}
	each(x, d, func(s *llm.Scope, cost float64) {
		var begin time.Time
		if w := s.Window(); w != 0 {
			begin = time.Unix(0, w)
		}
		e.counter(s.Counter, begin, cost)
	})
}

// each calls f with the scopes whose spend is in a counter, and what each is charged: a deployment's are for what it did
// itself. Nothing is spent without a deployment.
func each(x *llm.Exchange, d *llm.Deployment, f func(*llm.Scope, float64)) {
	if x.Charged == 0 || d == nil {
		return
	}
	for _, s := range x.Scopes {
		if s.Counter != "" {
			f(s, x.Charged)
		}
	}
	own := x.Charged - x.SpentBefore()
	for _, s := range d.Scopes {
		if s.Counter != "" {
			f(s, own)
		}
	}
	for i := range x.Earlier {
		for _, s := range x.Earlier[i].Deployment.Scopes {
			if s.Counter != "" {
				f(s, x.Earlier[i].Cost)
			}
		}
	}
}
