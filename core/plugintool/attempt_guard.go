package plugintool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/wasm"
)

type requestAttempt struct {
	subject
	guard  *wasm.Guardrail
	model  string
	header string
	reply  *llm.Reply
	err    error
}

func (a *requestAttempt) reset() error {
	if a.guard == nil {
		a.guard = a.guardrail()
	}
	err := a.asked()
	a.model, a.reply, a.err = a.x.Model, nil, nil
	if a.header == "" {
		a.header = headers(a.x)
	}
	return err
}

func (a *requestAttempt) run(ctx context.Context) { a.reply, a.err = a.guard.Before(ctx, a.x) }

func (a *requestAttempt) outcome() (*Outcome, error) {
	o := refusal(Continue, a.err)
	if a.err != nil {
		return o, nil //nolint:nilerr // the outcome holds it
	}
	if a.reply != nil {
		o.Verdict = Respond
		parts, err := drain(a.reply)
		o.Reply = joined(parts)
		if err != nil {
			o.Verdict, o.Message = Failed, err.Error()
		}
		return o, nil
	}
	o.Changes = diffRequest(a.t.Input.Request, a.model, a.x)
	o.Changes = append(o.Changes, diffText("headers", a.header, headers(a.x))...)
	return o.edited(), nil
}

// diffRequest compares a request with what the exchange holds now.
func diffRequest(body []byte, model string, x *llm.Exchange) []Change {
	changes := Diff(body, x.Body.Raw())
	for _, c := range changes {
		if c.Path == "model" {
			return changes
		}
	}
	return append(changes, diffText("model", model, x.Model)...)
}

func headers(x *llm.Exchange) string {
	var b strings.Builder
	for _, f := range x.Header {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	for _, f := range x.Added {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	return b.String()
}

type moderationAttempt struct {
	subject
	guard *wasm.Guardrail
	err   error
}

func (a *moderationAttempt) reset() error {
	if a.guard == nil {
		a.guard = a.guardrail()
	}
	return a.asked()
}

func (a *moderationAttempt) run(ctx context.Context) { _, a.err = a.guard.During(ctx, a.x) }

func (a *moderationAttempt) outcome() (*Outcome, error) { return refusal(Continue, a.err), nil }

type failureAttempt struct {
	subject
	guard  *wasm.Guardrail
	before *llm.Error
	after  *llm.Error
}

func (a *failureAttempt) reset() error {
	if a.guard == nil {
		a.guard = a.guardrail()
	}
	a.before = a.t.Input.Error.error()
	return a.subject.reset()
}

// error makes the gateway's error of an input's. Its kind, which the hook sees, is the one that has the status.
func (f *Fault) error() *llm.Error {
	e := &llm.Error{Op: "plugin test", Kind: llm.KindUnavailable, Message: "The model is not available."}
	if f == nil {
		return e
	}
	if f.Message != "" {
		e.Message = f.Message
	}
	e.Type = f.Type
	if f.Status == 0 {
		return e
	}
	e.Kind, e.Status = llm.KindInternal, f.Status
	for kind := llm.KindInternal; kind.Vendor(); kind++ {
		if kind.Status() == f.Status {
			e.Kind = kind
			break
		}
	}
	return e
}

func (a *failureAttempt) run(ctx context.Context) { a.after = a.guard.Failure(ctx, a.x, a.before) }

func (a *failureAttempt) outcome() (*Outcome, error) {
	o := &Outcome{Verdict: Continue}
	o.change("status", a.before.HTTPStatus(), a.after.HTTPStatus())
	o.change("message", a.before.Message, a.after.Message)
	o.change("type", a.before.Type, a.after.Type)
	return o.edited(), nil
}

type authAttempt struct {
	subject
	asks      auth.Authenticator
	principal *llm.Principal
	err       error
}

func newAuthAttempt(s subject) (attempt, error) {
	asks, err := s.p.Authenticator(wasm.ModeAuto)
	return &authAttempt{subject: s, asks: asks}, err
}

func credential(x *llm.Exchange) auth.Credential {
	raw := x.Header.Get("Authorization")
	if raw == nil {
		return auth.Credential{}
	}
	key := raw
	if scheme, rest, ok := bytes.Cut(raw, []byte(" ")); ok && strings.EqualFold(string(scheme), "bearer") {
		key = bytes.TrimSpace(rest)
	}
	return auth.Credential{Key: key, Raw: raw, Present: true}
}

func (a *authAttempt) run(ctx context.Context) {
	a.principal, a.err = a.asks.Authenticate(ctx, a.x, credential(a.x))
}

func (a *authAttempt) outcome() (*Outcome, error) {
	o := refusal(Pass, a.err)
	if a.err != nil || a.principal == nil {
		return o, nil //nolint:nilerr // the outcome holds it
	}
	o.Verdict = Allow
	var err error
	o.Caller, err = introduce(letInOf(a.principal))
	return o, err
}

// introduce lists what is known of somebody.
func introduce(who any) ([]Change, error) {
	b, err := json.Marshal(who)
	if err != nil {
		return nil, err
	}
	return Diff(nil, b), nil
}

// responseAttempt shows a whole answer to the response hook.
type responseAttempt struct {
	subject
	guard    *wasm.Guardrail
	original []byte
	finish   string
	reply    llm.Reply
	err      error
}

func newResponseAttempt(s subject) (attempt, error) {
	if len(s.t.Input.Response) == 0 {
		return nil, errors.New("the hook response looks at an answer: name a file with --response, a JSON document or an event stream, " +
			"or give the input the member response")
	}
	// As with max_retries: 1, so that a hook that has a model asked again says so.
	g := s.p.Guardrail(wasm.GuardSettings{Name: s.p.Name(), Respond: openai.FinishedReply, Retries: 1})
	a := &responseAttempt{subject: s, guard: g, original: s.t.Input.answer()}
	found, ok := openai.Scan(a.original)
	if !ok {
		return nil, errors.New("the answer is not a JSON object")
	}
	a.finish = found.Finish
	return a, nil
}

func (a *responseAttempt) reset() error {
	a.reply = llm.Reply{Status: 200, Finish: a.finish, First: llm.Part{Data: bytes.Clone(a.original)}, Deployment: tried(a.t)}
	return a.asked()
}

// tried is the deployment that answered.
func tried(t *Trial) *llm.Deployment {
	if len(t.Input.Deployments) > 0 {
		return t.Input.Deployments[0].deployment(0)
	}
	return nil
}

func (a *responseAttempt) run(ctx context.Context) { a.err = a.guard.After(ctx, a.x, &a.reply) }

func (a *responseAttempt) outcome() (*Outcome, error) {
	o := refusal(Continue, a.err)
	var again *pipeline.Again
	switch {
	case a.err == nil:
		o.Changes = Diff(a.original, a.reply.First.Data)
	case errors.As(a.err, &again):
		o.Verdict = Retry
		for _, ask := range again.Ask {
			o.Changes = append(o.Changes, diffText("ask", "", ask)...)
		}
	}
	return o.edited(), nil
}
