package plugintool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	vendor "github.com/sallyport-ai/sallyport/core/provider/openai"
	"github.com/sallyport-ai/sallyport/core/wasm"
)

// providerAttempt has the provider hook make a call, the input's vendor answer it, and the hook read the answer.
type providerAttempt struct {
	subject
	endpoint provider.Endpoint
	call     llm.Call
	called   bool // the vendor
	parts    [][]byte
	err      error
}

func newProviderAttempt(s subject) (attempt, error) {
	p, err := s.p.Provider(wasm.ProviderSettings{
		Name: s.p.Name(), Shape: vendor.New(vendor.Settings{Name: s.p.Name()}), Hosts: s.t.Settings.Grants.HTTP,
	})
	if err != nil {
		return nil, err
	}
	if len(s.t.Input.Request) == 0 {
		return nil, errors.New("the hook provider makes a call of a request: name its body with --request, or give the input the member request")
	}
	d := &Deployment{Provider: s.p.Name(), Model: "model-1", Base: "http://vendor.test/v1", APIKey: "key"}
	if len(s.t.Input.Deployments) > 0 {
		d = &s.t.Input.Deployments[0]
	}
	a := &providerAttempt{subject: s}
	a.endpoint, err = p.Bind(d.deployment(0))
	return a, err
}

func (a *providerAttempt) reset() error {
	a.call.Reset()
	a.called, a.parts, a.err = false, nil, nil
	return a.asked()
}

func (a *providerAttempt) run(ctx context.Context) {
	if a.err = a.endpoint.Encode(a.x, &a.call); a.err != nil {
		return
	}
	answer := llm.Answer{Size: -1, FirstByte: time.Now()}
	if a.call.Local != nil {
		a.err = a.call.Local(ctx, &answer)
	} else {
		a.called = true
		if a.t.Input.Vendor == nil {
			return
		}
		a.t.Input.Vendor.answer(&answer)
	}
	var reply llm.Reply
	if a.err == nil {
		a.err = a.endpoint.Decode(a.x, &answer, &reply)
	}
	if a.err == nil {
		a.parts, a.err = drain(&reply)
	}
}

// answer fills in what the vendor answers.
func (v *Vendor) answer(a *llm.Answer) {
	a.Status = v.Status
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	body, isText := text(v.Body)
	kind := "application/json"
	if isText {
		kind = "text/plain"
	}
	if v.Events != nil {
		a.Streamed, kind = true, "text/event-stream"
		var b strings.Builder
		for _, e := range v.Events {
			data, _ := text(e)
			for line := range strings.SplitSeq(data, "\n") {
				fmt.Fprintf(&b, "data: %s\n", line)
			}
			b.WriteByte('\n')
		}
		body = b.String()
	}
	header := canonical(v.Headers)
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", kind)
	}
	for _, name := range sortedKeys(header) {
		a.Header = append(a.Header, llm.Field{Name: []byte(name), Value: []byte(header.Get(name))})
	}
	a.Body = io.NopCloser(strings.NewReader(body))
}

func (a *providerAttempt) outcome() (*Outcome, error) {
	o := refusal(Respond, a.err)
	if a.called {
		o.Steps = append(o.Steps, a.calls()...)
		if a.err != nil {
			// What a vendor refused is an error for the caller, not a failure of the hook.
			if e := llm.AsError(a.err); e.Err == nil {
				o.Verdict, o.Status, o.Message = Reject, e.HTTPStatus(), e.Message
			}
		} else if a.t.Input.Vendor == nil {
			o.Verdict, o.Message = Edit, "the call only: give the input the member vendor to have an answer read"
		}
	}
	for _, p := range a.parts {
		o.Steps = append(o.Steps, Step{Who: "caller", Text: string(p)})
	}
	return o, nil
}

// calls describes the call and the vendor's answer.
func (a *providerAttempt) calls() []Step {
	c := &a.call
	steps := []Step{{Who: "call", Text: c.Method + " " + c.Target.Scheme + "://" + c.Target.Host + string(c.Path)}}
	for line := range strings.SplitSeq(strings.TrimSpace(string(c.Head)), "\r\n") {
		if line != "" {
			steps = append(steps, Step{Who: "call", Text: line})
		}
	}
	for _, f := range c.Header {
		steps = append(steps, Step{Who: "call", Text: string(f.Name) + ": " + string(f.Value)})
	}
	var body strings.Builder
	for _, piece := range c.Body {
		body.Write(piece)
	}
	if body.Len() > 0 {
		steps = append(steps, Step{Who: "call", Text: body.String()})
	}
	v := a.t.Input.Vendor
	if v == nil {
		return steps
	}
	var answer llm.Answer
	v.answer(&answer)
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		return steps
	}
	return append(steps, Step{Who: "vendor", Text: fmt.Sprintf("%d %s", answer.Status, strings.TrimSpace(string(b)))})
}
