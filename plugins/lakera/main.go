// Lakera is a guardrail that has Lakera Guard look at the texts of a request or an answer. What it flags is refused, or
// masked where it is personal data only.
//
// https://docs.lakera.ai/api-reference/lakera-api/guard/screen-content
package main

import (
	_ "embed"
	"errors"
	"strings"

	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/go/jsonapi"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, New)

func main() {}

type plugin struct {
	service *jsonapi.Service
	project string
	mask    bool // personal data is masked if nothing else was found
	monitor bool // what is flagged is logged and let through
	message string
	status  int
}

// New builds the guardrail from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	p := &plugin{
		project: c.String("project_id", ""), message: c.String("message", "Violated guardrail policy: {detectors}."),
		status: c.Int("status", 400),
	}
	var err error
	if p.service, err = jsonapi.New(c, "lakera guard", "api_base", "", "https://api.lakera.ai"); err != nil {
		return sallyport.Hooks{}, err
	}
	// A guard on one's own machines may run without a key.
	own := p.service.Base != "https://api.lakera.ai"
	if err := p.service.Key(c, "api_key", "LAKERA_API_KEY", !own); err != nil {
		return sallyport.Hooks{}, err
	}
	if p.mask, err = choice(c, "pii", "mask", "block"); err != nil {
		return sallyport.Hooks{}, err
	}
	block, err := choice(c, "on_flagged", "block", "monitor")
	if err != nil {
		return sallyport.Hooks{}, err
	}
	p.monitor = !block
	if p.status < 400 || p.status > 499 {
		return sallyport.Hooks{}, errors.New(`setting "status" must be 400 to 499`)
	}
	return sallyport.RefuseMedia(c, p.status, nil, sallyport.Hooks{Request: p.request, Moderation: p.moderation, Response: p.response})
}

// choice reads a setting of two values and reports whether it is the first, which is the default.
func choice(c *sallyport.Config, key, first, second string) (bool, error) {
	switch c.String(key, first) {
	case first:
		return true, nil
	case second:
		return false, nil
	}
	return false, errors.New("setting \"" + key + "\" must be \"" + first + "\" or \"" + second + "\"")
}

func (p *plugin) request(r *sallyport.Request) sallyport.Verdict { return p.judge(r, p.mask) }

// moderation cannot mask: the model has the request already.
func (p *plugin) moderation(r *sallyport.Request) sallyport.Verdict { return p.judge(r, false) }

func (p *plugin) judge(r *sallyport.Request, mask bool) sallyport.Verdict {
	messages := make([]message, len(r.Texts))
	for i := range r.Texts {
		messages[i] = message{role(r.Texts[i].Role), r.Texts[i].Text}
	}
	return p.screen(messages, mask, func(i int, text string) { r.Texts[i].Replace(text) })
}

func (p *plugin) response(r *sallyport.Response) sallyport.Verdict {
	messages := make([]message, len(r.Texts))
	for i := range r.Texts {
		messages[i] = message{"assistant", r.Texts[i].Text}
	}
	return p.screen(messages, p.mask, func(i int, text string) { r.Texts[i].Replace(text) })
}

// screen has the service look at the messages that are not blank, and masks with replace.
func (p *plugin) screen(all []message, mask bool, replace func(i int, text string)) sallyport.Verdict {
	var messages []message
	var at []int
	for i, m := range all {
		if strings.TrimSpace(m.Content) != "" {
			messages, at = append(messages, m), append(at, i)
		}
	}
	if len(messages) == 0 {
		return sallyport.Continue()
	}
	var a answer
	q := question{Messages: messages, ProjectID: p.project, Payload: true, Breakdown: true}
	if err := p.service.Do(jsonapi.Call{Path: "/v2/guard", Body: q, Into: &a}); err != nil {
		return sallyport.Fail(err)
	}
	if a.Flagged == nil {
		return sallyport.Fail(p.service.Odd("does not say flagged"))
	}
	if !*a.Flagged {
		return sallyport.Continue()
	}
	detectors := a.detectors()
	if mask {
		if masked, ok := a.masked(messages); ok {
			for i, m := range masked {
				if m != messages[i].Content {
					replace(at[i], m)
				}
			}
			return sallyport.Continue()
		}
	}
	if p.monitor {
		sallyport.Log(abi.LogWarn, "flagged and let through: "+detectors)
		return sallyport.Continue()
	}
	return sallyport.Reject(p.status, strings.ReplaceAll(p.message, "{detectors}", detectors))
}
