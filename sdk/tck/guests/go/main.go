// Package main is the guest of the conformance kit in Go. ../../README.md says what it does in each hook.
package main

import (
	_ "embed"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, New)

func main() {}

// New makes the guest. It has one setting.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	if c.String("mode", "") == "refuse" {
		return sallyport.Hooks{}, errors.New("mode is refuse")
	}
	return sallyport.Hooks{
		Auth: auth, Request: request, Moderation: request, Response: response, Stream: window, StreamEnd: streamEnd, Failure: failure,
		Log: log, Tick: func() error { return nil }, Route: route, Prompt: prompt, KeyGenerate: keyGenerate,
		SSOBegin: sso, SSOCallback: sso, Provider: sallyport.Provider{Encode: encode, Decode: decode},
	}, nil
}

// echo collects lines of the form name=value. What is empty is left out.
type echo struct{ strings.Builder }

func (e *echo) text(name, value string) {
	if value != "" {
		e.WriteString(name + "=" + value + "\n")
	}
}

func (e *echo) number(name string, n int) {
	if n != 0 {
		e.text(name, strconv.Itoa(n))
	}
}

func (e *echo) flag(name string, on bool) {
	if on {
		e.text(name, "true")
	}
}

func (e *echo) asked(name, value string, ok bool) {
	if ok {
		e.text(name, value)
	}
}

func (e *echo) object(name string, m map[string]any, err error) {
	if err != nil {
		e.text(name, "malformed")
	} else if len(m) > 0 {
		e.text(name, show(m))
	}
}

func (e *echo) caller(c *sallyport.Caller) {
	e.text("key_hash", c.KeyHash)
	e.text("key_alias", c.KeyAlias)
	e.text("user_id", c.UserID)
	e.text("user_email", c.UserEmail)
	e.text("team_id", c.TeamID)
	e.text("team_alias", c.TeamAlias)
	e.text("org_id", c.OrgID)
	e.text("end_user", c.EndUser)
	e.text("role", c.Role)
}

func (e *echo) extras(x *sallyport.Extras) {
	for _, tag := range x.Tags {
		e.text("tag", tag)
	}
	e.text("state", string(x.State))
	m, err := x.TeamMetadata()
	e.object("team_metadata", m, err)
	m, err = x.RequestMetadata()
	e.object("request_metadata", m, err)
	m, err = x.Params()
	e.object("params", m, err)
}

func (e *echo) argument(a *sallyport.Argument) {
	if a != nil {
		e.text("argument", strconv.Itoa(a.Call)+" "+strconv.Quote(a.Key))
	}
}

func (e *echo) media(list []sallyport.Media) {
	for _, m := range list {
		e.text("media", strconv.Itoa(m.Message))
		for _, s := range []string{m.Role, m.Type, m.MIME, strconv.Itoa(m.Size), strconv.FormatBool(m.Inline), m.URL, m.ID, m.Name, m.Path, m.Field} {
			e.text("of media", s)
		}
	}
}

// show writes a value in one way only.
func show(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []any:
		var list []string
		for _, item := range v {
			list = append(list, show(item))
		}
		return "[" + strings.Join(list, " ") + "]"
	case map[string]any:
		var list []string
		for k, item := range v {
			list = append(list, k+":"+show(item))
		}
		slices.Sort(list)
		return "{" + strings.Join(list, " ") + "}"
	}
	return "null"
}

// full is a map with every kind of value.
func full() map[string]any {
	return map[string]any{
		"bool": true, "float": 1.5, "int": -7, "list": []any{"a", nil}, "map": map[string]any{"k": "v"}, "text": "é",
	}
}

func auth(a *sallyport.AuthRequest) sallyport.AuthVerdict {
	var e echo
	switch a.Credential {
	case "":
		return sallyport.Pass()
	case "fail":
		return sallyport.FailAuth(errors.New("failed"))
	case "allow":
		return sallyport.Allow(&sallyport.Principal{
			Caller: sallyport.Caller{
				KeyAlias: "alias", UserID: "user", UserEmail: "email", TeamID: "team", TeamAlias: "team-alias", OrgID: "org",
				EndUser: "end-user", Role: "internal_user",
			},
			Models: []string{"m1", "m2"}, Metadata: full(),
		})
	case "bare":
		return sallyport.Allow(&sallyport.Principal{})
	case "limits":
		return sallyport.Allow(limited())
	case "rights":
		return sallyport.Allow(&sallyport.Principal{
			AccessGroups: []string{"g2", "g1"}, Permissions: full(), RouterSettings: map[string]any{"num_retries": 2, "fallbacks": []any{"m"}},
		})
	case "echo":
		e.text("id", a.ID)
		e.text("method", a.Method)
		e.text("path", a.Path)
		e.text("client_ip", a.ClientIP)
		e.text("model", a.Model)
		e.text("raw", a.Raw)
		h, ok := a.Header("X-Given")
		e.asked("given", h, ok)
		h, ok = a.Header("x-tck")
		e.asked("header", h, ok)
		return sallyport.Refuse(403, e.String())
	}
	return sallyport.Refuse(401, "no")
}

// limited is a principal with all that a gateway acts on besides names and metadata.
func limited() *sallyport.Principal {
	at := time.UnixMicro(1_700_000_000_000_001)
	return &sallyport.Principal{
		Caller: sallyport.Caller{UserID: "user", TeamID: "team", OrgID: "org"},
		Limits: sallyport.AllLimits{
			Key: sallyport.Limits{
				TPM: sallyport.AtMost(1), RPM: sallyport.AtMost(2), MaxParallel: sallyport.AtMost(3), MaxBudget: sallyport.Dollars(4.5),
				SoftBudget: sallyport.Dollars(3.5), BudgetDuration: "30d", BudgetResetAt: at, Spend: 0.25,
			},
			User:               sallyport.Limits{RPM: sallyport.AtMost(0)},
			Team:               sallyport.Limits{MaxBudget: sallyport.Dollars(0)},
			TeamMember:         sallyport.Limits{TPM: sallyport.AtMost(10)},
			Organization:       sallyport.Limits{MaxParallel: sallyport.AtMost(11)},
			EndUser:            sallyport.Limits{RPM: sallyport.AtMost(12)},
			KeyModels:          map[string]sallyport.Limits{"m2": {RPM: sallyport.AtMost(14)}, "m1": {RPM: sallyport.AtMost(13)}},
			TeamModels:         map[string]sallyport.Limits{"m1": {TPM: sallyport.AtMost(15)}},
			OrganizationModels: map[string]sallyport.Limits{"m1": {TPM: sallyport.AtMost(16)}},
			EndUserModels:      map[string]sallyport.Limits{"m1": {MaxBudget: sallyport.Dollars(17)}},
		},
		Counter: "counter", Expires: at, Blocked: true, TeamBlocked: true, TeamModels: []string{"m1", "m2"},
		AllowedRoutes: []string{"llm_api_routes", "/key/info"}, Aliases: map[string]string{"b": "m2", "a": "m1"},
		CacheControls: []string{"ttl", "no-cache"}, Region: "eu", Tags: []string{"red", "blue"}, Guardrails: []string{"g1", "g2"},
		OrgAlias: "org-alias",
	}
}

func request(r *sallyport.Request) sallyport.Verdict {
	switch r.Model {
	case "echo":
		return sallyport.Reject(400, echoRequest(r))
	case "reject":
		return sallyport.Reject(499, "no")
	case "respond":
		return sallyport.Respond("hi")
	case "filtered":
		return sallyport.RespondFiltered("hi")
	case "fail":
		return sallyport.Fail(errors.New("failed"))
	case "state":
		r.SetState([]byte("kept"))
	case "edit":
		for i := range r.Texts {
			r.Texts[i].Replace(r.Texts[i].Text + "!")
		}
		r.SetModel("other")
	case "change":
		r.SetJSON("a.b", "[1]")
		r.SetValue("c", "x\"\\\n")
		r.Remove("d")
		r.SetHeader("x-a", "1")
		r.AddTag("t")
		r.SetMetadata("k", full())
		r.SetState([]byte("kept"))
	}
	return sallyport.Continue()
}

func echoRequest(r *sallyport.Request) string {
	var e echo
	e.text("id", r.ID)
	e.text("call_type", r.CallType)
	e.text("method", r.Method)
	e.text("path", r.Path)
	e.text("client_ip", r.ClientIP)
	e.flag("stream", r.Stream)
	e.caller(&r.Caller)
	m, err := r.Metadata()
	e.object("metadata", m, err)
	e.extras(&r.Extras)
	for _, t := range r.Texts {
		e.argument(t.Argument)
		if t.Argument == nil {
			e.text("kind", t.Kind)
		}
		e.flag("sealed", t.Sealed)
		e.text(t.Role+" "+strconv.Itoa(t.Message), strconv.Quote(t.Text))
	}
	e.media(r.Media)
	v, ok := r.Header("x-tck")
	e.asked("header", v, ok)
	v, ok = r.Value("a.b")
	e.asked("value", v, ok)
	v, ok = r.JSON("a.b")
	e.asked("json", v, ok)
	v, ok = r.Value("a.none")
	e.asked("none", v, ok)
	e.text("body", string(r.Body()))
	return e.String()
}

func (e *echo) exchange(x *sallyport.Exchange) {
	e.text("id", x.ID)
	e.text("call_type", x.CallType)
	e.text("method", x.Method)
	e.text("path", x.Path)
	e.text("client_ip", x.ClientIP)
	e.flag("stream", x.Stream)
	e.caller(&x.Caller)
	m, err := x.Metadata()
	e.object("metadata", m, err)
	e.extras(&x.Extras)
}

func (e *echo) outcome(o *sallyport.Outcome) {
	e.text("finish", o.Finish)
	e.number("prompt_tokens", o.PromptTokens)
	e.number("completion_tokens", o.CompletionTokens)
	e.number("total_tokens", o.TotalTokens)
	e.text("deployment", o.Deployment)
	e.text("provider", o.Provider)
}

func response(r *sallyport.Response) sallyport.Verdict {
	var e echo
	switch r.Model {
	case "echo":
		e.exchange(&r.Exchange)
		e.outcome(&r.Outcome)
		e.media(r.Media)
		for _, t := range r.Texts {
			e.argument(t.Argument)
			e.text(strconv.Itoa(t.Choice)+" "+t.Kind+" "+t.Role, strconv.Quote(t.Text))
		}
		e.flag("partial", r.Partial)
		e.text("context", r.Context)
		e.number("fresh", r.Fresh)
		e.flag("final", r.Final)
		e.number("asked", r.Asked)
		e.number("retries", r.Retries)
		return sallyport.Reject(400, e.String())
	case "edit":
		for i := range r.Texts {
			r.Texts[i].Replace(r.Texts[i].Text + "!")
		}
		r.SetState([]byte("kept"))
	case "retry":
		r.SetState([]byte("kept"))
		return sallyport.Retry(422, "no", 1, "again")
	case "fail":
		return sallyport.Fail(errors.New("failed"))
	}
	return sallyport.Continue()
}

func window(w *sallyport.Window) sallyport.Verdict {
	var e echo
	switch w.Model {
	case "echo":
		e.exchange(&w.Exchange)
		e.number("choice", w.Choice)
		e.text("kind", w.Kind)
		e.argument(w.Argument)
		e.text("context", w.Context)
		e.text("text", w.Text)
		e.number("fresh", w.Fresh)
		e.text("new", w.New())
		e.flag("final", w.Final)
		e.media(w.Media)
		return sallyport.Reject(400, e.String())
	case "edit":
		w.Replace(w.Text + "!")
		w.SetState([]byte("kept"))
	case "hold":
		w.SetState([]byte("kept"))
		return sallyport.Hold()
	case "drop":
		return sallyport.Drop()
	case "retry":
		return sallyport.Retry(422, "no", 0, "")
	case "fail":
		return sallyport.Fail(errors.New("failed"))
	}
	return sallyport.Continue()
}

func streamEnd(s *sallyport.StreamEnd) sallyport.Verdict {
	var e echo
	switch s.Model {
	case "echo":
		e.exchange(&s.Exchange)
		e.outcome(&s.Outcome)
		e.flag("left", s.Left)
		return sallyport.Reject(400, e.String())
	case "state":
		s.SetState([]byte("kept"))
	case "fail":
		return sallyport.Fail(errors.New("failed"))
	}
	return sallyport.Continue()
}

func failure(f *sallyport.Failure) sallyport.Verdict {
	var e echo
	switch f.Model {
	case "echo":
		e.exchange(&f.Exchange)
		e.text("kind", f.Kind)
		e.number("status", f.Status)
		e.text("message", f.Message)
		e.text("type", f.Type)
		e.text("deployment", f.Deployment)
		e.text("provider", f.Provider)
		f.Rewrite(418, e.String())
	case "type":
		f.SetType("other")
	case "fail":
		return sallyport.Fail(errors.New("failed"))
	}
	return sallyport.Continue()
}
