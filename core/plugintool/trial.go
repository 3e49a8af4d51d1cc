package plugintool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Trial is a hook and what it is tried on.
type Trial struct {
	Settings wasm.Settings
	Hook     string   // empty takes the first of the plugin's that a trial can run
	Path     string   // of the request; empty is /v1/chat/completions
	Headers  []string // "name: value"
	Request  []byte   // the body; empty is none
	Response []byte   // for the hooks response and stream_chunk: a JSON document, or an event stream
	Status   int      // for the hook failure: the status of the error; 0 is 503
	View     []byte   // run the bare hook on these records; what it returns is written as records
}

// What a hook decided, in words. Failed is also a hook that broke a limit or the interface.
const (
	Continue = "continue"
	Edit     = "edit"
	Reject   = "reject"
	Respond  = "respond"
	Allow    = "allow"
	Pass     = "pass"
	Failed   = "fail"
)

// Verdicts returns all verdicts a trial may end with.
func Verdicts() []string { return []string{Continue, Edit, Reject, Respond, Allow, Pass, Failed} }

// Outcome is what a hook did.
type Outcome struct {
	Hook    string   `json:"hook"`
	Verdict string   `json:"verdict"`
	Status  int      `json:"status,omitempty"`  // of a rejection
	Message string   `json:"message,omitempty"` // of a rejection or a failure
	Reply   string   `json:"reply,omitempty"`   // the answer in place of a model's, as the caller gets it
	Changes []Change `json:"changes,omitempty"` // of the request or the answer
	Caller  []Change `json:"caller,omitempty"`  // who was let in
	Records string   `json:"records,omitempty"` // what a bare hook returned
	TookUS  float64  `json:"took_us"`
}

// Trials returns the hooks that a trial can run without a view.
func Trials() []abi.Hook {
	return []abi.Hook{abi.HookRequest, abi.HookAuth, abi.HookModeration, abi.HookResponse, abi.HookStreamChunk, abi.HookFailure, abi.HookTick}
}

// Run loads the plugin with its limits, runs the hook once, and closes it.
func (t Trial) Run(ctx context.Context) (*Outcome, error) {
	p, err := wasm.Load(ctx, t.Settings)
	if err != nil {
		return nil, err
	}
	defer closePlugin(p)
	return t.on(ctx, p)
}

func closePlugin(p *wasm.Plugin) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = p.Close(ctx) // nothing is left to be done with it
}

func (t Trial) hook(p *wasm.Plugin) (abi.Hook, error) {
	if t.Hook != "" {
		h, ok := abi.ParseHook(t.Hook)
		switch {
		case !ok:
			return 0, fmt.Errorf("there is no hook %q", t.Hook)
		case !p.Has(h):
			return 0, fmt.Errorf("the plugin has no hook %s: its manifest names %s", h, strings.Join(p.Manifest().Hooks, ", "))
		case t.View == nil && !slices.Contains(Trials(), h):
			return 0, fmt.Errorf("the hook %s can be tried with --view only: its records, as --trace prints them", h)
		}
		return h, nil
	}
	for _, h := range Trials() {
		if p.Has(h) {
			return h, nil
		}
	}
	return 0, fmt.Errorf("the plugin has none of the hooks that can be tried without a view: its manifest names %s", strings.Join(p.Manifest().Hooks, ", "))
}

func (t Trial) on(ctx context.Context, p *wasm.Plugin) (o *Outcome, err error) {
	hook, err := t.hook(p)
	if err != nil {
		return nil, err
	}
	x, err := t.exchange()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	switch {
	case t.View != nil:
		o, err = t.bare(ctx, p, hook, x)
	case hook == abi.HookAuth:
		o, err = t.auth(p, x)
	case hook == abi.HookTick:
		o = refusal(&Outcome{Verdict: Continue}, p.Tick(ctx))
	case hook == abi.HookResponse || hook == abi.HookStreamChunk:
		o, err = t.answer(p, hook, x)
	default:
		o = t.guard(p, hook, x)
	}
	if err != nil {
		return nil, err
	}
	o.Hook, o.TookUS = hook.String(), micro(time.Since(began))
	return o, nil
}

// prepare returns a function that runs the hook as the gateway does, for a measurement.
func (t Trial) prepare(p *wasm.Plugin) (func(context.Context), error) {
	hook, err := t.hook(p)
	if err != nil {
		return nil, err
	}
	x, err := t.exchange()
	if err != nil {
		return nil, err
	}
	if hook == abi.HookAuth {
		a, err := p.Authenticator(wasm.ModeAuto)
		if err != nil {
			return nil, err
		}
		c := credential(x)
		return func(ctx context.Context) { _, _ = a.Authenticate(ctx, x, c) }, nil
	}
	if hook != abi.HookRequest && hook != abi.HookModeration {
		return nil, fmt.Errorf("the hook %s cannot be measured: request, auth and moderation can", hook)
	}
	g := guardrail(p)
	return func(ctx context.Context) {
		if hook == abi.HookModeration {
			_, _ = g.During(ctx, x)
			return
		}
		_, _ = g.Before(ctx, x)
		if raw := x.Body.Raw(); len(raw) > 0 && &raw[0] != &t.Request[0] { // it was edited
			_ = x.Body.Parse(t.Request)
		}
		x.Applied, x.GuardRuns = x.Applied[:0], x.GuardRuns[:0]
	}, nil
}

// exchange makes an exchange as the listener does.
func (t Trial) exchange() (*llm.Exchange, error) {
	x := &llm.Exchange{}
	x.Reset()
	now := time.Now()
	x.ID, x.Start, x.Method, x.Remote = llm.NewID(now), now, "POST", "127.0.0.1"
	x.Path = t.Path
	if x.Path == "" {
		x.Path = "/v1/chat/completions"
	}
	switch {
	case strings.HasSuffix(x.Path, "/chat/completions"):
		x.Op = llm.OpChat
	case strings.HasSuffix(x.Path, "/completions"):
		x.Op = llm.OpCompletion
	case strings.HasSuffix(x.Path, "/embeddings"):
		x.Op = llm.OpEmbedding
	default:
		return nil, fmt.Errorf("path %s: it is that of chat/completions, completions or embeddings, such as /v1/chat/completions", x.Path)
	}
	for _, h := range t.Headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, fmt.Errorf("header %q is not of the form 'name: value'", name)
		}
		x.Header = append(x.Header, llm.Field{Name: []byte(strings.TrimSpace(name)), Value: []byte(strings.TrimSpace(value))})
	}
	if t.Request == nil {
		return x, nil
	}
	if err := x.Body.Parse(t.Request); err != nil {
		return nil, fmt.Errorf("the request: %w", err)
	}
	if model, ok := llm.Text(x.Body.Get("model")); ok {
		x.Model = string(model)
	}
	x.Streamed = string(x.Body.Get("stream")) == "true"
	return x, nil
}

func guardrail(p *wasm.Plugin) *wasm.Guardrail {
	return p.Guardrail(wasm.GuardSettings{Name: p.Name(), Respond: openai.FinishedReply})
}

// guard runs the hooks of a guardrail that look at a request.
func (t Trial) guard(p *wasm.Plugin, hook abi.Hook, x *llm.Exchange) *Outcome {
	g, o := guardrail(p), &Outcome{Verdict: Continue}
	if hook == abi.HookModeration {
		_, err := g.During(&x.Life, x)
		return refusal(o, err)
	}
	if hook == abi.HookFailure {
		e := &llm.Error{Op: "plugin test", Kind: llm.KindUnavailable, Status: t.Status, Message: "The model is not available."}
		after := g.Failure(&x.Life, x, e)
		if after.HTTPStatus() != e.HTTPStatus() || after.Message != e.Message {
			o.Verdict = Edit
			o.change("status", e.HTTPStatus(), after.HTTPStatus())
			o.change("message", e.Message, after.Message)
		}
		return o
	}
	model, header := x.Model, headers(x)
	reply, err := g.Before(&x.Life, x)
	if refusal(o, err); err != nil {
		return o
	}
	if reply != nil {
		o.Verdict = Respond
		if o.Reply, err = drain(reply); err != nil {
			o.Verdict, o.Message = Failed, err.Error()
		}
		return o
	}
	o.Changes = append(o.Changes, Diff(t.Request, x.Body.Raw())...)
	if x.Model != model && !slices.ContainsFunc(o.Changes, func(c Change) bool { return c.Path == "model" }) {
		o.change("model", model, x.Model)
	}
	o.Changes = append(o.Changes, diffText("headers", header, headers(x))...)
	if len(o.Changes) > 0 {
		o.Verdict = Edit
	}
	return o
}

func (o *Outcome) change(path string, before, after any) {
	if b, a := fmt.Sprint(before), fmt.Sprint(after); a != b {
		o.Changes = append(o.Changes, diffText(path, b, a)...)
	}
}

func headers(x *llm.Exchange) string {
	var b strings.Builder
	for _, f := range x.Header {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	return b.String()
}

// refusal fills in what the gateway made of a hook's error.
func refusal(o *Outcome, err error) *Outcome {
	if err == nil {
		return o
	}
	e := llm.AsError(err)
	o.Verdict, o.Status, o.Message = Reject, e.HTTPStatus(), e.Message
	if e.Kind != llm.KindRejected && e.Kind != llm.KindAuth {
		o.Verdict, o.Status = Failed, 0
		if e.Err != nil {
			o.Message = e.Err.Error()
		}
	}
	return o
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

func (t Trial) auth(p *wasm.Plugin, x *llm.Exchange) (*Outcome, error) {
	a, err := p.Authenticator(wasm.ModeAuto)
	if err != nil {
		return nil, err
	}
	principal, err := a.Authenticate(&x.Life, x, credential(x))
	o := refusal(&Outcome{Verdict: Pass}, err)
	if principal == nil {
		return o, nil
	}
	o.Verdict = Allow
	b, err := json.Marshal(principal)
	if err != nil {
		return nil, err
	}
	for _, c := range Diff(nil, b) {
		if len(c.After) > 0 && !slices.Contains([]string{"", "null", "0", "false"}, c.After[0]) {
			o.Caller = append(o.Caller, c)
		}
	}
	return o, nil
}

// answer runs the hooks of a guardrail that look at an answer.
func (t Trial) answer(p *wasm.Plugin, hook abi.Hook, x *llm.Exchange) (*Outcome, error) {
	if len(t.Response) == 0 {
		return nil, fmt.Errorf("the hook %s looks at an answer: name a file with --response, a JSON document or an event stream", hook)
	}
	o := &Outcome{Verdict: Continue}
	r := &llm.Reply{Status: 200, First: llm.Part{Data: bytes.Clone(bytes.TrimSpace(t.Response))}}
	g := guardrail(p)
	if hook == abi.HookResponse {
		if err := g.After(&x.Life, x, r); err != nil {
			return refusal(o, err), nil
		}
		o.Changes = Diff(t.Response, r.First.Data)
	} else {
		s, err := events(t.Response)
		if err != nil {
			return nil, err
		}
		before := joined(s.parts)
		x.Streamed, r.Streamed = true, true
		r.First, r.Rest = llm.Part{Data: s.parts[0]}, s
		s.parts = s.parts[1:]
		if err := g.Stream(&x.Life, x, r); err != nil {
			return refusal(o, err), nil
		}
		after, err := drain(r)
		refusal(o, err)
		o.Changes = diffText("events", before, after)
	}
	if o.Verdict == Continue && len(o.Changes) > 0 {
		o.Verdict = Edit
	}
	return o, nil
}

// script is a stream of given parts.
type script struct{ parts [][]byte }

// Next implements llm.Stream.
func (s *script) Next(p *llm.Part) error {
	if len(s.parts) == 0 {
		return io.EOF
	}
	*p = llm.Part{Data: s.parts[0]}
	s.parts = s.parts[1:]
	return nil
}

// Close implements llm.Stream.
func (s *script) Close() error { return nil }

// events reads the data lines of an event stream.
func events(b []byte) (*script, error) {
	s := &script{}
	for line := range bytes.Lines(b) {
		data, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data:"))
		if data = bytes.TrimSpace(data); ok && string(data) != "[DONE]" {
			s.parts = append(s.parts, bytes.Clone(data))
		}
	}
	if len(s.parts) == 0 {
		return nil, errors.New("the response holds no line that begins with data: it is not an event stream")
	}
	return s, nil
}

func joined(parts [][]byte) string {
	var b strings.Builder
	for _, p := range parts {
		b.Write(p)
		b.WriteByte('\n')
	}
	return b.String()
}

// drain reads a reply to its end, one line a part. An error ends it; what came before is returned too.
func drain(r *llm.Reply) (string, error) {
	var parts [][]byte
	add := func(p *llm.Part) {
		if len(p.Data) > 0 {
			parts = append(parts, bytes.Clone(p.Data))
		}
	}
	add(&r.First)
	if r.Rest == nil {
		return joined(parts), nil
	}
	var p llm.Part
	for {
		err := r.Rest.Next(&p)
		if err != nil {
			_ = r.Rest.Close() // a reply that ended badly has said so
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return joined(parts), err
		}
		add(&p)
	}
}
