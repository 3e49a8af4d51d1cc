package plugintool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/callback"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/router"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// logAttempt hands records to the log hook, once each.
type logAttempt struct {
	subject
	watch   *watch
	sink    callback.Sink
	records []callback.Record
	err     error
}

func newLogAttempt(s subject, w *watch) (attempt, error) {
	a := &logAttempt{subject: s, watch: w, sink: s.p.Sink(wasm.SinkOptions{Attempts: 1})}
	for i := range s.t.Input.Records {
		a.records = append(a.records, s.t.Input.Records[i].record(i))
	}
	if len(a.records) == 0 {
		return nil, errors.New("the hook log takes records: give the input the member records")
	}
	return a, nil
}

func (r *Record) record(i int) callback.Record {
	rec := callback.Record{
		ID: r.ID, CallType: r.CallType, Route: r.Path, Stream: r.Stream, CacheHit: r.CacheHit, ModelGroup: r.Model, Start: r.Start, End: r.End,
		FirstToken: r.FirstToken, Status: r.Status, Finish: r.Finish, Principal: r.Caller.principal(), Remote: r.ClientIP,
		UserAgent: r.UserAgent, Metadata: r.Metadata, Tags: r.RequestTags, Guards: r.Guardrails, Retries: r.Retries, Fallbacks: r.Fallbacks,
		Messages: r.Messages, Response: r.Response, Joined: true,
		Usage: llm.Usage{Prompt: r.Prompt, Completion: r.Completion, Total: r.Prompt + r.Completion},
	}
	if rec.ID == "" {
		rec.ID = fmt.Sprintf("record-%d", i)
	}
	if rec.CallType == "" {
		rec.CallType = llm.OpChat.CallType()
	}
	if rec.End.IsZero() {
		rec.End = time.Now()
	}
	if rec.Start.IsZero() {
		rec.Start = rec.End.Add(-time.Second)
	}
	if rec.Status == 0 {
		rec.Status = 200
	}
	if r.Cost != nil {
		rec.Cost, rec.CostKnown = *r.Cost, true
	}
	if r.Deployment != nil {
		rec.Deployment = r.Deployment.deployment(0)
	}
	if r.Error != nil {
		e := r.Error.error()
		rec.Error, rec.Status = &callback.Error{Kind: e.Kind, Status: e.HTTPStatus(), Message: e.Message}, e.HTTPStatus()
	}
	return rec
}

func (a *logAttempt) run(ctx context.Context) { a.err = a.sink.Write(ctx, a.records) }

func (a *logAttempt) outcome() (*Outcome, error) {
	o := &Outcome{Verdict: Continue}
	var lost *callback.LostError
	if a.err != nil && !errors.As(a.err, &lost) {
		o.Verdict, o.Message = Failed, a.err.Error()
	}
	again := a.again()
	for i := range a.records {
		did := "taken"
		switch {
		case again[i]:
			did = "wanted again"
		case lost != nil && len(again) == 0:
			did = "not taken"
			o.Verdict, o.Message = Failed, lost.Err.Error()
		}
		o.Steps = append(o.Steps, Step{"record", a.records[i].ID, did})
	}
	return o, nil
}

// again returns the records that the hook asked for again.
func (a *logAttempt) again() map[int]bool {
	list := map[int]bool{}
	for _, call := range a.watch.calls {
		for r := (abi.Reader{Rest: call.result}); r.Next(); {
			if r.Tag == abi.TagIndex {
				list[int(min(r.Number(), uint64(len(a.records))))] = true
			}
		}
	}
	return list
}

// deployment makes the gateway's form.
func (d *Deployment) deployment(i int) *llm.Deployment {
	made := &llm.Deployment{
		ID: d.ID, Group: d.Group, Provider: d.Provider, Model: d.Model, Base: strings.TrimRight(d.Base, "/"), APIKey: d.APIKey,
		Weight: d.Weight, RPM: d.RPM, TPM: d.TPM, Tags: d.Tags, Info: d.Info,
	}
	if made.ID == "" {
		made.ID = fmt.Sprintf("deployment-%d", i+1)
	}
	return made
}

type routeAttempt struct {
	subject
	filter  router.Filter
	list    []router.Candidate
	keep    []int
	ordered bool
	err     error
}

func newRouteAttempt(s subject) (attempt, error) {
	a := &routeAttempt{subject: s, filter: s.p.RouteFilter()}
	for i := range s.t.Input.Deployments {
		d := &s.t.Input.Deployments[i]
		a.list = append(a.list, router.Candidate{Deployment: d.deployment(i), Counts: router.Counts{InFlight: d.InFlight}})
	}
	if len(a.list) == 0 {
		return nil, errors.New("the hook route chooses among deployments: give the input the member deployments")
	}
	return a, nil
}

func (a *routeAttempt) reset() error {
	err := a.asked()
	a.x.Retries = a.t.Input.Retries
	return err
}

func (a *routeAttempt) run(ctx context.Context) {
	a.keep, a.ordered, a.err = a.filter.Filter(ctx, a.x, a.list)
}

func (a *routeAttempt) outcome() (*Outcome, error) {
	o := refusal(Continue, a.err)
	if a.err != nil || a.keep == nil {
		return o, nil //nolint:nilerr // the outcome holds it
	}
	o.Verdict = Edit
	var before, after []string
	for _, c := range a.list {
		before = append(before, c.ID)
	}
	for _, i := range a.keep {
		after = append(after, a.list[i].ID)
	}
	o.Message = "the gateway's strategy chooses among them"
	if a.ordered {
		o.Message = "the first is called, after a failure the hook is asked again"
	}
	if len(after) == 0 {
		o.Message = "nobody may answer: the caller gets status 429, unless a fallback answers"
	}
	o.Changes = []Change{{Path: "deployments", Before: before, After: after}}
	return o, nil
}

type promptAttempt struct {
	subject
	prompts pipeline.Before
	model   string
	err     error
}

func newPromptAttempt(s subject) (attempt, error) {
	var body struct {
		ID string `json:"prompt_id"`
	}
	if err := json.Unmarshal(s.t.Input.Request, &body); err != nil || body.ID == "" {
		return nil, errors.New(`the hook prompt is for requests that name a prompt: give --request a body with a "prompt_id"`)
	}
	return &promptAttempt{subject: s, prompts: wasm.Prompts(map[string]wasm.Prompt{body.ID: {Plugin: s.p, ID: body.ID}})}, nil
}

func (a *promptAttempt) reset() error {
	err := a.asked()
	a.model = a.x.Model
	return err
}

func (a *promptAttempt) run(ctx context.Context) { _, a.err = a.prompts.Before(ctx, a.x) }

func (a *promptAttempt) outcome() (*Outcome, error) {
	o := refusal(Continue, a.err)
	if a.err == nil {
		o.Changes = diffRequest(a.t.Input.Request, a.model, a.x)
	}
	return o.edited(), nil
}

type keyAttempt struct {
	subject
	params map[string]any
	err    error
}

func (a *keyAttempt) reset() error {
	if a.t.Input.Params == nil {
		a.t.Input.Params = map[string]any{}
	}
	return a.prepare("/key/generate", "POST")
}

func (a *keyAttempt) run(ctx context.Context) {
	a.params, a.err = a.p.KeyGenerate(ctx, a.x, a.t.Input.Params)
}

func (a *keyAttempt) outcome() (*Outcome, error) {
	o := refusal(Continue, a.err)
	if a.err != nil {
		return o, nil //nolint:nilerr // the outcome holds it
	}
	before, err := json.Marshal(a.t.Input.Params)
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(a.params)
	o.Changes = Diff(before, after)
	return o.edited(), err
}

type ssoAttempt struct {
	subject
	hook   abi.Hook
	answer wasm.SSOAnswer
	err    error
}

func (a *ssoAttempt) reset() error {
	if a.hook == abi.HookSSOBegin {
		return a.prepare("/sso/key/generate", "GET")
	}
	return a.prepare("/sso/callback", "GET")
}

func (a *ssoAttempt) run(ctx context.Context) {
	if a.hook == abi.HookSSOBegin {
		a.answer, a.err = a.p.SSOBegin(ctx, a.x)
		return
	}
	a.answer, a.err = a.p.SSOCallback(ctx, a.x, a.t.Input.Claims)
}

func (a *ssoAttempt) outcome() (*Outcome, error) {
	o := refusal(Continue, a.err)
	switch u := a.answer.User; {
	case a.err != nil:
	case a.answer.Redirect != "":
		o.Verdict, o.Reply = Respond, "a redirect to "+a.answer.Redirect
	case u != nil:
		o.Verdict = Allow
		var err error
		o.Caller, err = introduce(struct {
			*Caller
			MaxBudget      *float64 `json:"max_budget,omitempty"`
			BudgetDuration string   `json:"budget_duration,omitempty"`
		}{callerOf(u.Principal), u.MaxBudget, u.BudgetDuration})
		return o, err
	}
	return o, nil //nolint:nilerr // the outcome holds it
}

type tickAttempt struct {
	subject
	err error
}

func (a *tickAttempt) run(ctx context.Context) { a.err = a.p.Tick(ctx) }

func (a *tickAttempt) outcome() (*Outcome, error) {
	o := &Outcome{Verdict: Continue}
	if a.err != nil {
		o.Verdict, o.Message = Failed, a.err.Error()
	}
	return o, nil
}
