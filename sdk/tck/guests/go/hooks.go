package main

import (
	"errors"
	"strconv"

	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

func log(b *sallyport.LogBatch) error {
	var e echo
	for i := range b.Records {
		switch r := &b.Records[i]; r.Model {
		case "retry":
			b.Retry(i)
		case "echo":
			e.record(r)
		}
	}
	if e.Len() > 0 {
		return errors.New(e.String())
	}
	return nil
}

func (e *echo) record(r *sallyport.LogRecord) {
	e.text("id", r.ID)
	e.text("call_type", r.CallType)
	e.text("path", r.Path)
	e.text("client_ip", r.ClientIP)
	e.text("agent", r.Agent)
	e.flag("stream", r.Stream)
	e.flag("cache_hit", r.CacheHit)
	e.caller(&r.Caller)
	e.text("vendor_model", r.VendorModel)
	e.text("provider", r.Provider)
	e.text("deployment", r.DeploymentID)
	e.text("base", r.Base)
	e.number("start", int(r.Start.UnixMicro()))
	e.number("end", int(r.End.UnixMicro()))
	e.number("first_token", int(r.FirstToken.UnixMicro()))
	e.number("prompt_tokens", int(r.PromptTokens))
	e.number("completion_tokens", int(r.CompletionTokens))
	e.number("total_tokens", int(r.TotalTokens))
	e.number("cached_tokens", int(r.CachedTokens))
	e.number("reasoning_tokens", int(r.ReasoningTokens))
	if r.CostKnown {
		e.text("cost", show(r.Cost))
	}
	e.number("status", r.Status)
	e.text("finish", r.Finish)
	e.text("error_class", r.ErrorClass)
	e.text("error", r.Error)
	for _, t := range r.Tags {
		e.text("tag", t)
	}
	for _, g := range r.Guardrails {
		e.text("guardrail", g)
	}
	e.number("retries", r.Retries)
	e.number("fallbacks", r.Fallbacks)
	e.text("messages", r.Messages)
	e.text("answer", r.Answer)
	m, err := r.KeyMetadata()
	e.object("metadata", m, err)
	m, err = r.Metadata()
	e.object("request_metadata", m, err)
}

func route(r *sallyport.RouteRequest) sallyport.RouteVerdict {
	var e echo
	var ids []string
	for i := range r.Deployments {
		ids = append([]string{r.Deployments[i].ID}, ids...)
	}
	switch r.Model {
	case "only":
		return sallyport.Only(ids...)
	case "order":
		return sallyport.InOrder(ids...)
	case "echo":
		e.text("id", r.ID)
		e.text("call_type", r.CallType)
		e.text("method", r.Method)
		e.text("path", r.Path)
		e.text("client_ip", r.ClientIP)
		e.flag("stream", r.Stream)
		e.caller(&r.Caller)
		m, err := r.Metadata()
		e.object("metadata", m, err)
		for _, t := range r.Tags {
			e.text("tag", t)
		}
		e.number("retries", r.Retries)
		for i := range r.Deployments {
			e.deployment(&r.Deployments[i])
		}
		return sallyport.FailRoute(errors.New(e.String()))
	}
	return sallyport.AnyDeployment()
}

func (e *echo) deployment(d *sallyport.Deployment) {
	e.text("deployment", d.ID)
	e.text("group", d.Group)
	e.text("vendor_model", d.Model)
	e.text("provider", d.Provider)
	e.text("base", d.Base)
	for _, t := range d.Tags {
		e.text("tag", t)
	}
	e.text("weights", show([]any{d.Weight, d.RPM, d.TPM}))
	e.number("in_flight", d.InFlight)
	m, err := d.Info()
	e.object("info", m, err)
}

func prompt(r *sallyport.PromptRequest) sallyport.PromptVerdict {
	var e echo
	switch r.PromptID {
	case "use":
		messages := []sallyport.Message{{Role: "system", Text: "be brief"}, {Role: "user", Text: "hi"}}
		return sallyport.UsePrompt(&sallyport.Prompt{Messages: messages, Replace: true, Model: "other", Params: full()})
	case "json":
		return sallyport.UsePrompt(&sallyport.Prompt{JSON: "[]"})
	case "fail":
		return sallyport.FailPrompt(errors.New("failed"))
	}
	e.text("prompt_id", r.PromptID)
	e.object("variables", r.Variables, nil)
	e.text("label", r.Label)
	e.text("version", r.Version)
	e.text("id", r.ID)
	e.text("call_type", r.CallType)
	e.text("model", r.Model)
	e.flag("stream", r.Stream)
	e.caller(&r.Caller)
	for _, t := range r.Texts {
		e.text(t.Role+" "+strconv.Itoa(t.Message), strconv.Quote(t.Text))
	}
	return sallyport.NoPrompt(404, e.String())
}

func keyGenerate(r *sallyport.KeyRequest) sallyport.KeyVerdict {
	var e echo
	switch r.Params["mode"] {
	case "edit":
		return sallyport.EditKey(full())
	case "fail":
		return sallyport.FailKey(errors.New("failed"))
	case "echo":
		e.text("id", r.ID)
		e.text("client_ip", r.ClientIP)
		e.caller(&r.Caller)
		e.object("params", r.Params, nil)
		return sallyport.RefuseKey(e.String())
	}
	return sallyport.AllowKey()
}

func sso(r *sallyport.SSORequest) sallyport.SSOVerdict {
	var e echo
	switch r.Query {
	case "user":
		budget := 1.5
		return sallyport.SignIn(&sallyport.User{
			ID: "user", Email: "email", Role: "internal_user", TeamID: "team", Models: []string{"m1", "m2"}, MaxBudget: &budget,
			BudgetDuration: "30d", Metadata: full(),
		})
	case "redirect":
		return sallyport.Redirect("https://example.com/")
	case "fail":
		return sallyport.FailSSO(errors.New("failed"))
	case "echo":
		e.text("id", r.ID)
		e.text("method", r.Method)
		e.text("path", r.Path)
		e.text("client_ip", r.ClientIP)
		e.object("claims", r.Claims, nil)
		h, ok := r.Header("X-Given")
		e.asked("given", h, ok)
		return sallyport.RefuseSSO(403, e.String())
	}
	return sallyport.SSODefault()
}

func encode(r *sallyport.ProviderRequest) sallyport.Outgoing {
	var e echo
	switch r.Model {
	case "call":
		return sallyport.Call("POST", "https://example.com/x", []byte("body")).Header("x-a", "1").Header("x-b", "2")
	case "answer":
		return sallyport.AnswerWith(reading())
	case "fail":
		return sallyport.FailCall(errors.New("failed"))
	}
	e.text("id", r.ID)
	e.text("call_type", r.CallType)
	e.text("vendor_model", r.Model)
	e.text("base", r.Base)
	e.text("api_key", r.APIKey)
	e.flag("stream", r.Stream)
	e.caller(&r.Caller)
	for _, t := range r.Texts {
		e.text(t.Role+" "+strconv.Itoa(t.Message), strconv.Quote(t.Text))
	}
	return sallyport.RefuseCall(400, e.String())
}

func reading() sallyport.Reading {
	return sallyport.Reading{
		Text: "text", Reasoning: "because", Finish: "tool_calls", State: []byte("kept"),
		ToolCalls: []sallyport.ToolCall{{Index: 0, ID: "c0", Name: "f", Arguments: "{}"}, {Index: 1}},
		Usage:     &sallyport.Usage{Prompt: 1, Completion: 2, Total: 3, Cached: 0, Reasoning: 1},
	}
}

func decode(a *sallyport.ProviderAnswer) sallyport.Reading {
	var e echo
	switch a.Event {
	case "reading":
		return reading()
	case "json":
		return sallyport.Reading{JSON: "{}", State: []byte("kept")}
	case "nothing":
		return sallyport.Reading{}
	case "fail":
		return sallyport.FailReading(errors.New("failed"))
	}
	e.text("phase", map[abi.Phase]string{abi.PhaseWhole: "whole", abi.PhaseEvent: "event", abi.PhaseEnd: "end"}[a.Phase])
	e.number("status", a.Status)
	e.text("event", a.Event)
	e.text("body", string(a.Body))
	e.text("state", string(a.State))
	h, ok := a.Header("X-Given")
	e.asked("given", h, ok)
	return sallyport.VendorError(502, e.String())
}
