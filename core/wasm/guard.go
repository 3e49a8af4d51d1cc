package wasm

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Responder makes the reply of a guardrail that answers in place of a model, in the caller's dialect.
type Responder func(x *llm.Exchange, text string) (*llm.Reply, error)

// Guard presents the plugin's request hook as a guardrail. name is the one it has in the configuration; it is appended
// to Exchange.Applied when the plugin has looked at a request. respond may be nil if the plugin never answers itself:
// that verdict is then a failure.
//
// An edited request gets a body of its own, which the exchange keeps; what was parsed from the old one stays valid as
// long as the old one does. Refusals are of kind llm.KindRejected with the plugin's status and message. When the plugin
// failed, the error is of kind llm.KindInternal and says nothing but the name, unless Settings.OnError is FailOpen.
func (p *Plugin) Guard(name string, respond Responder) pipeline.Before {
	return &guard{p: p, name: name, respond: respond, needs: p.manifest.needs()}
}

type guard struct {
	p       *Plugin
	name    string
	respond Responder
	needs   needs
}

// Before implements pipeline.Before.
func (g *guard) Before(ctx context.Context, x *llm.Exchange) (*llm.Reply, error) {
	in, err := g.p.pool.get(ctx)
	if err != nil {
		return nil, g.failed(ctx, err)
	}
	res, err := g.ask(in, x)
	if err != nil {
		return nil, g.undecided(ctx, in, err)
	}
	var body []byte
	if res.verdict == abi.VerdictEdit {
		body = patch(&x.Body, in.segments, res.edits, res.model)
	}
	g.p.pool.put(in)
	return g.decide(ctx, x, &res, body)
}

// ask hands the request to an instance.
func (g *guard) ask(in *instance, x *llm.Exchange) (res result, err error) {
	in.segments = in.segments[:0]
	if in.view, err = appendRequest(in.view[:0], x, &g.needs); err != nil {
		return res, err
	}
	if g.needs.texts && x.Body.Raw() != nil {
		if in.segments, err = appendSegments(in.segments, &x.Body); err != nil {
			return res, invalid(err.Error())
		}
		ok := true
		if in.view, ok = appendTexts(in.view, x.Body.Raw(), in.segments); !ok {
			return res, invalid("a text holds a malformed escape")
		}
	}
	if limit := g.p.limits.maxView(); len(in.view) > limit {
		return res, fmt.Errorf("%w: its texts take %d bytes, a quarter of the memory is %d", ErrSize, len(in.view), limit)
	}
	out, err := in.call(abi.HookRequest, in.view, x)
	if out == nil || err != nil {
		return res, err
	}
	if res, err = readResult(out, len(in.segments)); err == nil && res.verdict == abi.VerdictAllow {
		return res, broken("the request hook let a caller in")
	}
	return res, err
}

func invalid(message string) error {
	return &llm.Error{Op: "wasm.Guard", Kind: llm.KindInvalid, Message: "Invalid request: " + message + "."}
}

// undecided gives the instance back, unless it may be damaged, and returns what the caller reads.
func (g *guard) undecided(ctx context.Context, in *instance, err error) error {
	var refused *llm.Error
	switch {
	case errors.As(err, &refused):
		g.p.pool.put(in)
		return refused
	case errors.Is(err, ErrSize), errors.Is(err, ErrVerdict):
		g.p.pool.put(in)
	default:
		g.p.pool.discard(in)
	}
	return g.failed(ctx, err)
}

func (g *guard) decide(ctx context.Context, x *llm.Exchange, res *result, body []byte) (*llm.Reply, error) {
	switch res.verdict {
	case abi.VerdictReject:
		x.Applied = append(x.Applied, g.name)
		return nil, &llm.Error{Op: "wasm.Guard", Kind: llm.KindRejected, Status: res.status, Message: otherwise(res.reason, "Rejected by guardrail "+g.name+".")}
	case abi.VerdictRespond:
		if g.respond == nil {
			return nil, g.failed(ctx, broken("the plugin answers itself, which is not possible here"))
		}
		x.Applied = append(x.Applied, g.name)
		return g.respond(x, res.reply)
	case abi.VerdictEdit:
		if err := x.Body.Parse(body); err != nil {
			return nil, g.failed(ctx, err)
		}
		x.Model = otherwise(res.model, x.Model)
	}
	x.Applied = append(x.Applied, g.name)
	return nil, nil
}

// failed applies the OnError policy. Nobody but the operator learns why.
func (g *guard) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return llm.AsError(err)
	}
	if g.p.onError == FailOpen {
		g.p.log.Warn("the guardrail failed and let the request pass (on_error is fail_open)", "guardrail", g.name, "error", err)
		return nil
	}
	e := &llm.Error{Op: "wasm.Guard", Kind: llm.KindInternal, Err: err, Message: "Guardrail " + g.name + " failed, so the request was refused."}
	if errors.Is(err, ErrBusy) {
		e.Status, e.Message = 503, "Guardrail "+g.name+" is overloaded, try again later."
	}
	return e
}
