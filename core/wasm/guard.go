package wasm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Responder makes the reply of a guardrail that answers in place of a model, in the caller's dialect. finish is its
// finish reason, "stop" or "content_filter".
type Responder func(x *llm.Exchange, text, finish string) (*llm.Reply, error)

// GuardSettings say how a plugin is used as a guardrail.
type GuardSettings struct {
	Name    string    // the one it has in the configuration; it names states, and stands in Exchange.GuardRuns
	Respond Responder // nil if the plugin never answers itself: that verdict is then a failure
	Windows WindowSettings
	Buffer  bool // a streamed answer is collected and given to the response hook as a whole
	Retries int  // how often the response hook may have a model asked again for a request; streams are collected then
}

// WindowSettings say how much of a streamed answer a hook is shown at a time. A nil member takes the manifest's, and
// without one there the default: every chunk, and 64 characters held back.
type WindowSettings struct {
	Chars    *int
	WaitMS   *int
	Holdback *int
}

// Guardrail presents the plugin's hooks as a guardrail: request as Before, moderation as During, response as After,
// the stream hooks as Stream, failure as Failure. Which of them are used is up to who puts it into a chain; a plugin
// without the hook fails there.
//
// An edited request gets a body of its own, which the exchange keeps; what was parsed from the old one stays valid as
// long as the old one does. Refusals are of kind llm.KindRejected with the plugin's status and message. When the plugin
// failed, the error is of kind llm.KindInternal and says nothing but the name, unless Settings.OnError is FailOpen.
type Guardrail struct {
	p       *Plugin
	name    string
	respond Responder
	needs   needs
	windows openai.WindowSettings
	buffer  bool
	retries int
	records bool     // it looks at records, in which everything may be changed
	has     [32]bool // hooks of the plugin, by number
	nothing result   // what a hook returns that changes nothing
}

var (
	_ pipeline.Before  = (*Guardrail)(nil)
	_ pipeline.During  = (*Guardrail)(nil)
	_ pipeline.After   = (*Guardrail)(nil)
	_ pipeline.Stream  = (*Guardrail)(nil)
	_ pipeline.Failure = (*Guardrail)(nil)
)

// Guardrail makes a guardrail of the plugin.
func (p *Plugin) Guardrail(s GuardSettings) *Guardrail {
	g := &Guardrail{p: p, name: otherwise(s.Name, p.name), respond: s.Respond, needs: p.manifest.needs()}
	g.buffer, g.retries = s.Buffer || s.Retries > 0, s.Retries
	g.windows = p.manifest.Stream.windows(s.Windows)
	for _, h := range p.manifest.hooks() {
		g.has[h%32] = true
	}
	return g
}

// Guard presents the plugin's request hook alone.
func (p *Plugin) Guard(name string, respond Responder) pipeline.Before {
	return p.Guardrail(GuardSettings{Name: name, Respond: respond})
}

// Modes of guardrails, as the configuration and the log name them.
const (
	ModePreCall    = "pre_call"
	ModeDuringCall = "during_call"
	ModePostCall   = "post_call"
)

// Before implements pipeline.Before.
func (g *Guardrail) Before(ctx context.Context, x *llm.Exchange) (*llm.Reply, error) {
	began := stopwatch(x)
	reply, err := g.before(ctx, x)
	return reply, g.settle(ctx, x, ModePreCall, began, reply != nil, err)
}

func (g *Guardrail) before(ctx context.Context, x *llm.Exchange) (reply *llm.Reply, err error) {
	in, err := g.p.pool.get(ctx)
	if err != nil {
		return nil, err
	}
	res, err := g.ask(in, abi.HookRequest, x)
	if err == nil {
		err = g.allowed(res, abi.HookRequest)
	}
	if err == nil && res.verdict == abi.VerdictEdit {
		err = g.change(in, x, res)
	}
	if g.giveBack(in, err); err != nil {
		return nil, err
	}
	if res.verdict == abi.VerdictReject {
		return nil, g.rejection(res)
	}
	if res.keeps {
		x.SetState(g.name, res.state)
	}
	if res.verdict != abi.VerdictRespond {
		return nil, nil //nolint:nilnil // the contract's "go on"
	}
	if g.respond == nil {
		return nil, broken("the plugin answers itself, which is not possible here")
	}
	return g.respond(x, res.reply, otherwise(res.finish, "stop"))
}

// During implements pipeline.During.
func (g *Guardrail) During(ctx context.Context, x *llm.Exchange) (looked bool, err error) {
	in, err := g.p.pool.get(ctx)
	if err != nil {
		return false, g.failed(ctx, err, "request was refused")
	}
	res, err := g.ask(in, abi.HookModeration, x)
	if err == nil {
		err = g.allowed(res, abi.HookModeration)
	}
	if g.giveBack(in, err); err != nil {
		return false, g.failed(ctx, err, "request was refused")
	}
	if res.verdict == abi.VerdictReject {
		return true, g.rejection(res)
	}
	return true, nil
}

// ask hands a request to an instance.
func (g *Guardrail) ask(in *instance, hook abi.Hook, x *llm.Exchange) (res *result, err error) {
	in.segments = in.segments[:0]
	view, err := g.appendHead(in.blank(), x)
	if err != nil {
		return res, err
	}
	more := true
	if g.needs.texts && x.Body.Raw() != nil {
		if in.segments, more, err = openai.AppendContents(in.segments, &x.Body); err != nil {
			return res, invalid(err.Error())
		}
		var ok bool
		if view, ok = appendTexts(view, x.Body.Raw(), in.segments); !ok {
			return res, invalid("a text holds a malformed escape")
		}
	}
	if g.needs.media && (more || x.Form.Raw() != nil || x.Whole != nil) && x.Body.Raw() != nil {
		if in.media, err = requestMedia(x); err != nil {
			return res, invalid(err.Error())
		}
		view = appendMedia(view, in.media)
	}
	return g.send(in, hook, x, view, len(in.segments))
}

// send calls a hook on a view and reads its result. texts is how many the view has.
func (g *Guardrail) send(in *instance, hook abi.Hook, x *llm.Exchange, view []byte, texts int) (*result, error) {
	if limit := g.p.limits.maxView(); len(view) > limit {
		return nil, fmt.Errorf("%w: its texts take %d bytes, a quarter of the memory is %d", ErrSize, len(view), limit)
	}
	if in.page == nil || &view[0] != in.page {
		in.view = view // its room is used again
	}
	out, err := in.call(hook, view, x)
	in.media = nil
	if err != nil {
		return nil, err
	}
	if out == nil {
		return &g.nothing, nil
	}
	return readResult(out, texts)
}

// allowed refuses verdicts and records that a hook cannot give.
func (g *Guardrail) allowed(res *result, hook abi.Hook) error {
	ok := false
	switch res.verdict {
	case abi.VerdictContinue, abi.VerdictReject:
		ok = true
	case abi.VerdictEdit:
		ok = hook != abi.HookModeration && hook != abi.HookStreamEnd
	case abi.VerdictRespond:
		ok = hook == abi.HookRequest
	case abi.VerdictRetry:
		ok = hook == abi.HookResponse || hook == abi.HookStreamChunk
	case abi.VerdictHold, abi.VerdictDrop:
		ok = hook == abi.HookStreamChunk
	}
	switch {
	case !ok:
		return broken("verdict %d of the hook %s", res.verdict, hook)
	case hook == abi.HookModeration && res.keeps:
		return broken("the moderation hook keeps a state: it reads only")
	case hook != abi.HookRequest && res.changesRequest():
		return broken("the hook %s changes the request, which is on its way already", hook)
	}
	return nil
}

func invalid(message string) error {
	return &llm.Error{Op: "wasm.Guardrail", Kind: llm.KindInvalid, Message: "Invalid request: " + message + "."}
}

// giveBack returns the instance to the pool, unless it may be damaged.
func (g *Guardrail) giveBack(in *instance, err error) {
	if err == nil || ownError(err) != nil || errors.Is(err, ErrSize) || errors.Is(err, ErrVerdict) {
		g.p.pool.put(in)
		return
	}
	g.p.pool.discard(in)
}

// rejection is the plugin's refusal. Type and param are those of an HTTPException in the reference.
func (g *Guardrail) rejection(res *result) error {
	return &llm.Error{
		Op: "wasm.Guardrail", Kind: llm.KindRejected, Status: res.status, Type: otherwise(res.errType, "None"), Param: "None",
		Message: otherwise(res.reason, "Rejected by guardrail "+g.name+"."),
	}
}

// again is the plugin's wish to have a model asked again, or its refusal if it did so often enough.
func (g *Guardrail) again(x *llm.Exchange, res *result) error {
	if x.AskedAgain(g.name) >= g.retries {
		return g.rejection(res)
	}
	return &pipeline.Again{By: g.name, Choice: res.choice, Ask: res.ask, Refusal: g.rejection(res)}
}

// stopwatch is how long ago the exchange began, or 0 if it does not say when. The time of day is told by that moment's:
// looking at it costs twice as much as looking at how much time has passed, which is a tenth of the shortest call.
func stopwatch(x *llm.Exchange) time.Duration {
	if x.Start.IsZero() {
		return 0
	}
	return time.Since(x.Start)
}

// settle notes what came of a look at the exchange and applies the OnError policy to a failure.
func (g *Guardrail) settle(ctx context.Context, x *llm.Exchange, mode string, began time.Duration, intervened bool, err error) error {
	run := llm.GuardRun{Name: g.name, Mode: mode, Status: llm.GuardPassed, Start: x.Start.Add(began), Took: stopwatch(x) - began}
	switch {
	case intervened, rejects(err):
		run.Status = llm.GuardIntervened
	case err != nil:
		run.Status = llm.GuardFailed
		what := "request was refused"
		if mode == ModePostCall {
			what = "answer was withheld"
		}
		err = g.failed(ctx, err, what)
	}
	x.Guarded(run)
	return err
}

// ownError is an error that was made for the caller, or nil. It is apart so that looking costs nothing without an error.
func ownError(err error) *llm.Error {
	if err == nil {
		return nil
	}
	var e *llm.Error
	errors.As(err, &e)
	return e
}

// rejects reports whether the plugin refused.
func rejects(err error) bool {
	e := ownError(err)
	return e != nil && e.Kind == llm.KindRejected
}

// failed applies the OnError policy. Nobody but the operator learns why.
func (g *Guardrail) failed(ctx context.Context, err error, what string) error {
	if refused := ownError(err); refused != nil {
		return refused
	}
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return llm.AsError(err)
	}
	if g.p.onError == FailOpen {
		g.p.log.Warn("the guardrail failed and let the request pass (on_error is fail_open)", "guardrail", g.name, "error", err)
		return nil
	}
	e := &llm.Error{Op: "wasm.Guardrail", Kind: llm.KindInternal, Err: err, Message: "Guardrail " + g.name + " failed, so the " + what + "."}
	if errors.Is(err, ErrBusy) {
		e.Status, e.Message = 503, "Guardrail "+g.name+" is overloaded, try again later."
	}
	return e
}
