package gateway

import (
	"context"
	"io"
	"sync"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/router"
)

// turn is the state of one exchange on its way through the gateway, and the stream of its reply. It is pooled: it goes
// back when the exchange failed or its reply was closed.
type turn struct {
	progress
	leg    // on which the reply came, unless others took part
	plan   router.Plan
	resume resume
}

// progress is what of a turn begins empty with each exchange; the rest keeps its buffers.
type progress struct {
	*Snapshot
	g   *Gateway
	ctx context.Context

	routed bool // the plan is under way
	watch  *pipeline.Watch
	rest   llm.Stream // what the provider left to read
	err    error      // why the reply broke off
	told   bool       // that it did
	quiet  bool       // no record is made
	branch bool       // another turn settles and records
	kept   []byte     // of the answer, for the record
	long   bool       // the answer is longer than what is kept
	race   *race      // nil unless several calls were made at a time
}

var turns = sync.Pool{New: func() any { return new(turn) }}

func begin(ctx context.Context, g *Gateway, x *llm.Exchange) *turn {
	t := turns.Get().(*turn)
	t.g, t.ctx, t.x, t.Snapshot = g, ctx, x, g.current.acquire()
	return t
}

// take makes the reply of a hook the reply of the turn.
func (t *turn) take(r *llm.Reply) { t.reply = *r }

// fail ends a turn that has no reply to give.
func (t *turn) fail(err error) error {
	e := t.Pipeline.Failure(t.ctx, t.x, llm.AsError(err))
	var reply *llm.Reply // of a model, if a hook refused it; its tokens are spent
	if t.reply.Rest != nil && t.reply.Rest != llm.Stream(t) {
		reply = &t.reply
		_ = t.reply.Rest.Close()
	}
	t.finish(reply, e)
	return e
}

// failed reports a call that failed.
func (t *turn) failed(d *llm.Deployment, err error) {
	if t.Failed != nil && d != nil && !t.quiet {
		t.Failed(t.x, d, llm.AsError(err))
	}
}

// keep keeps a part for the record, if somebody wants it.
func (t *turn) keep(p *llm.Part) {
	t.plan.Saw(p.Data)
	if t.Keep == 0 || t.long || t.quiet || t.reply.Verbatim || len(p.Data) == 0 {
		return
	}
	if len(t.kept)+len(p.Data) > t.Keep {
		t.kept, t.long = nil, true
		return
	}
	if len(t.kept) > 0 {
		t.kept = append(t.kept, llm.KeptMark)
	}
	t.kept = append(t.kept, p.Data...)
}

// measure has the tokens counted if the vendor has not told how many there were.
func (t *turn) measure(answer []byte) { t.measureOf(&t.reply, answer) }

func (t *turn) measureOf(r *llm.Reply, answer []byte) {
	if t.Measure == nil || r.Usage.Known() || r.Deployment == nil || r.Verbatim || r.Socket != nil {
		return
	}
	switch t.x.Op {
	case llm.OpEmbedding:
		if u := &r.Usage; u.Characters > 0 || u.Images > 0 || u.Seconds > 0 {
			return // this is what it costs by, and not tokens
		}
		t.Measure(t.x, r, answer)
	case llm.OpChat, llm.OpCompletion:
		t.Measure(t.x, r, answer)
	}
}

// recount has the tokens of a stream counted that was cut before the vendor had told its usage to the end: some tell a part
// of it at the beginning, and who passes streams on unread learns what was said, but not of what.
func (t *turn) recount(err error) {
	r := &t.reply
	if t.Measure == nil || !r.Streamed || r.Deployment == nil || r.Socket != nil || !r.Usage.Known() || r.Estimated {
		return
	}
	switch {
	case t.x.Op == llm.OpPassThrough:
		if r.Usage.Prompt == 0 {
			t.Measure(t.x, r, nil)
		}
	case t.x.Op == llm.OpChat && err != nil && r.Finish == "" && !r.Verbatim:
		t.Measure(t.x, r, t.kept)
	}
}

// finish tells router and recorder how it went and gives everything back.
func (t *turn) finish(r *llm.Reply, err error) {
	t.race.gather(t)
	if r != nil {
		t.resume.measure()
		t.measure(t.kept)
		t.recount(err)
	}
	t.race.end(r, err)
	if t.routed {
		if r != nil {
			t.plan.Answered(r.Usage)
		}
		t.plan.Done(err)
	}
	if r != nil {
		r.Kept = t.kept
	}
	if t.Pipeline != nil && !t.quiet && !t.branch {
		t.Pipeline.Settle(t.x, r, err)
	}
	if t.Recorder != nil && !t.quiet && !t.branch {
		t.Recorder.Record(t.x, r, t.x.Tried, err)
	}
	t.watch.Close()
	_ = t.watch.Wait(t.x) // after a panic nobody has waited yet, and the hooks still read the exchange
	s := t.Snapshot
	t.call.Reset()
	t.answer.Reset()
	t.progress, t.x, t.reply, t.sent, t.resume = progress{}, nil, llm.Reply{}, false, t.resume.empty()
	turns.Put(t)
	s.release()
}

// Next implements llm.Stream: the next part of the provider's stream, through the hooks that put themselves before it.
func (t *turn) Next(p *llm.Part) error {
	if t.err != nil {
		return t.err
	}
	if t.rest == nil {
		return io.EOF
	}
	err := t.rest.Next(p)
	if err == nil {
		t.reply.Sent += len(p.Data)
		t.reply.Parts++
		t.keep(p)
		return nil
	}
	if err != io.EOF {
		if !t.told {
			t.failed(t.reply.Deployment, err)
		}
		err = t.Pipeline.Failure(t.ctx, t.x, llm.AsError(err))
	}
	t.err = err
	return err
}

// Idle implements llm.Idler.
func (t *turn) Idle(p *llm.Part) (bool, error) {
	if t.err != nil || t.rest == nil {
		return false, nil //nolint:nilerr // Next tells it
	}
	ok, err := llm.Idle(t.rest, p)
	if ok {
		t.reply.Sent += len(p.Data)
		t.reply.Parts++
		t.keep(p)
	}
	return ok, err
}

// Close implements llm.Stream.
func (t *turn) Close() error {
	var err error
	if t.rest != nil {
		err = t.rest.Close()
	}
	failure := t.err
	if failure == io.EOF {
		failure = nil
	}
	if failure == nil {
		// The caller may have left before it read to the end.
		if cause := t.ctx.Err(); cause != nil {
			failure = llm.AsError(cause)
		}
	}
	t.finish(&t.reply, failure)
	return err
}

// Authenticate finds out who asks, for routes that call no model. It sets x.Principal.
func (g *Gateway) Authenticate(ctx context.Context, x *llm.Exchange) (err error) {
	s := g.current.acquire()
	defer s.release()
	x.Principal, err = s.Auth.Authenticate(ctx, x, auth.Find(x.Header, s.KeyHeader))
	if err != nil {
		return llm.AsError(err)
	}
	return nil
}

// Models lists the model groups that the exchange's principal may use.
func (g *Gateway) Models(x *llm.Exchange) []string {
	s := g.current.acquire()
	defer s.release()
	return s.Router.Models(x.Principal)
}

// Knows reports whether a name is one that requests for models can use.
func (g *Gateway) Knows(model string) bool {
	s := g.current.acquire()
	defer s.release()
	return s.Router.Knows(model)
}

// GroupOf is the model group of the deployment with the ID, or "".
func (g *Gateway) GroupOf(id string) string {
	s := g.current.acquire()
	defer s.release()
	return s.Router.GroupOf(id)
}

// Edge returns what the listener must know before an exchange begins. It is plain data, which needs no reference.
func (g *Gateway) Edge() *Edge { return &g.current.p.Load().Edge }

// Probe calls x.Pinned once, without authentication, hooks, retries or a record. It is for health checks. The reply is
// closed by the caller of Probe.
func (g *Gateway) Probe(ctx context.Context, x *llm.Exchange) (reply *llm.Reply, err error) {
	t := begin(ctx, g, x)
	t.quiet = true
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
		if err != nil {
			reply, err = nil, t.fail(err)
		}
	}()
	if err = t.attempt(ctx, &t.leg, x.Pinned); err != nil {
		return nil, err
	}
	t.rest, t.reply.Rest = t.reply.Rest, t
	return &t.reply, nil
}

// Repeat lets a deployment answer x, which was authenticated and has been through the hooks before. Only back sees the reply,
// which is then read to its end. The exchange is settled and recorded like any other. It returns when that is done.
func (g *Gateway) Repeat(ctx context.Context, x *llm.Exchange, back func(*llm.Reply) error) (err error) {
	t, ended := begin(ctx, g, x), false
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
		if err != nil && !ended {
			err = t.fail(err)
		}
	}()
	if err = t.route(ctx); err != nil {
		return err
	}
	if err = back(&t.reply); err != nil {
		return err
	}
	t.reply.Parts = 1
	t.keep(&t.reply.First)
	if !t.reply.Streamed {
		t.measure(t.reply.First.Data)
	}
	t.rest, t.reply.Rest = t.reply.Rest, t
	var part llm.Part
	for t.Next(&part) == nil { //nolint:revive // the end of it is what is wanted
	}
	broken := t.err
	ended = true
	closed := t.Close()
	if broken != nil && broken != io.EOF { //nolint:errorlint // a stream returns it bare
		return broken
	}
	return closed
}
