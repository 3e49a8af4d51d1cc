// Generic-guardrail-api is a guardrail that asks a service which speaks LiteLLM's Generic Guardrail API.
//
// https://docs.litellm.ai/docs/adding_provider/generic_guardrail_api
package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/go/jsonapi"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, New)

func main() {}

const path = "/beta/litellm_basic_guardrail_api"

type plugin struct {
	service *jsonapi.Service
	params  map[string]any // additional_provider_specific_params
	headers []string       // of the request, that the service gets
	version string
	message string
	status  int
}

// New builds the guardrail from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	p := &plugin{
		params: c.Map("additional_provider_specific_params"), headers: c.Strings("extra_headers"),
		version: c.String("litellm_version", ""), message: c.String("message", "Content violates policy"), status: c.Int("status", 400),
	}
	if p.params == nil {
		p.params = map[string]any{}
	}
	var err error
	if p.service, err = jsonapi.New(c, "guardrail service", "api_base", "GENERIC_GUARDRAIL_API_BASE", ""); err != nil {
		return sallyport.Hooks{}, err
	}
	p.service.Base = strings.TrimSuffix(p.service.Base, path)
	for name, value := range c.Map("headers") {
		text, ok := value.(string)
		if !ok || name == "" || strings.ContainsAny(name+text, "\r\n\x00") {
			return sallyport.Hooks{}, errors.New("setting " + strconv.Quote("headers."+name) + " must be text on one line")
		}
		p.service.Headers = append(p.service.Headers, sallyport.HTTPHeader{Name: name, Value: text})
	}
	if key := jsonapi.Setting(c, "api_key", "GENERIC_GUARDRAIL_API_KEY"); key != "" {
		if strings.ContainsAny(key, "\r\n\x00") {
			return sallyport.Hooks{}, errors.New(`setting "api_key": the key holds a line break`)
		}
		p.service.Headers = append(p.service.Headers, sallyport.HTTPHeader{Name: "x-api-key", Value: key})
	}
	if p.status < 400 || p.status > 499 {
		return sallyport.Hooks{}, errors.New(`setting "status" must be 400 to 499`)
	}
	return sallyport.RefuseMedia(c, p.status, nil, sallyport.Hooks{Request: p.request, Moderation: p.moderation, Response: p.response})
}

func (p *plugin) request(r *sallyport.Request) sallyport.Verdict { return p.input(r, true) }

func (p *plugin) moderation(r *sallyport.Request) sallyport.Verdict { return p.input(r, false) }

// input asks about a request. During the call nothing can be changed any more, so what the service changes is refused.
func (p *plugin) input(r *sallyport.Request, change bool) sallyport.Verdict {
	q := p.question("request", r.ID, r.Model, &r.Caller, r.Header)
	texts := r.Texts
	for len(texts) > 0 && texts[0].Kind == "definition" { // the question has the tools as they are
		texts = texts[1:]
	}
	for i := range texts {
		q.Texts = append(q.Texts, texts[i].Text)
	}
	q.Tools = member(r.JSON("tools"))
	q.Messages = member(r.JSON("messages"))
	q.Images = images(q.Messages)
	params, err := r.Params()
	if err != nil {
		return sallyport.Fail(err)
	}
	q.Params = merged(p.params, params)
	a, verdict, done := p.ask(&q)
	if done {
		return verdict
	}
	if !change && (a.changes(q.Texts) || a.Tools != nil && !same(a.Tools, q.Tools)) {
		return p.refuse("")
	}
	if a.Tools != nil && !same(a.Tools, q.Tools) {
		r.SetJSON("tools", string(a.Tools))
	}
	for i, text := range a.Texts {
		if text != q.Texts[i] {
			texts[i].Replace(text)
		}
	}
	return sallyport.Continue()
}

func (p *plugin) response(r *sallyport.Response) sallyport.Verdict {
	q := p.question("response", r.ID, r.Model, &r.Caller, r.Header)
	for i := range r.Texts {
		q.Texts = append(q.Texts, r.Texts[i].Text)
	}
	if !r.Partial {
		if value, ok := r.AnswerJSON("choices.0.message.tool_calls"); ok {
			q.ToolCalls = member(value, true)
		}
	}
	params, err := r.Params()
	if err != nil {
		return sallyport.Fail(err)
	}
	q.Params = merged(p.params, params)
	a, verdict, done := p.ask(&q)
	if done {
		return verdict
	}
	if a.Tools != nil {
		return sallyport.Fail(p.service.Odd("changes the tools of an answer"))
	}
	for i, text := range a.Texts {
		if text != q.Texts[i] {
			r.Texts[i].Replace(text)
		}
	}
	return sallyport.Continue()
}

// ask has the service judge. done means that the verdict is final; otherwise the answer has as many texts as the
// question, or none if they stay as they are.
func (p *plugin) ask(q *question) (a answer, verdict sallyport.Verdict, done bool) {
	if err := p.service.Do(jsonapi.Call{Path: path, Body: q, Into: &a}); err != nil {
		return a, sallyport.Fail(err), true
	}
	switch a.Action {
	case "NONE", "GUARDRAIL_INTERVENED":
	case "BLOCKED":
		return a, p.refuse(a.BlockedReason), true
	default:
		return a, sallyport.Fail(p.service.Odd("has an action that is none of NONE, BLOCKED and GUARDRAIL_INTERVENED")), true
	}
	switch {
	case len(a.Texts) > 0 && len(a.Texts) != len(q.Texts):
		text := "has " + strconv.Itoa(len(a.Texts)) + " texts for " + strconv.Itoa(len(q.Texts))
		return a, sallyport.Fail(p.service.Odd(text)), true
	case len(a.Images) > 0 && !slices.Equal(a.Images, q.Images):
		return a, sallyport.Fail(p.service.Odd("changes images, which this plugin cannot do")), true
	case a.Action == "GUARDRAIL_INTERVENED" && len(a.Texts) == 0 && len(a.Images) == 0 && a.Tools == nil:
		return a, sallyport.Fail(p.service.Odd("intervenes and says nothing about what becomes of the request")), true
	}
	if string(a.Tools) == "null" {
		a.Tools = nil
	}
	return a, verdict, false
}

func (p *plugin) refuse(reason string) sallyport.Verdict {
	if reason == "" {
		reason = p.message
	}
	return sallyport.Reject(p.status, reason)
}

// member is JSON as it is in the request, or nil.
func member(value string, ok bool) json.RawMessage {
	if !ok || value == "null" {
		return nil
	}
	return json.RawMessage(value)
}
