// Prompt-injection is a guardrail that scores the texts of a request for attempts to override a model's instructions.
package main

import (
	_ "embed"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, New)

func main() {}

const defaultMessage = "The request looks like an attempt to override the model's instructions."

// guard is the plugin's state: immutable after New, but for what judge keeps during a call.
type guard struct {
	action    string
	tag       string
	threshold int
	roles     []string
	status    int
	message   string
	judge     *judge
}

// New builds the guard from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	g := &guard{
		action:    c.String("action", "block"),
		tag:       c.String("tag", "prompt-injection"),
		threshold: c.Int("threshold", 5),
		roles:     c.Strings("roles", "user", "tool", "function", ""),
		status:    c.Int("status", 400),
		message:   c.String("message", defaultMessage),
		judge:     newJudge(),
	}
	switch g.action {
	case "block", "log":
	case "tag":
		if g.tag == "" || strings.ContainsAny(g.tag, ",\r\n") {
			return sallyport.Hooks{}, errors.New(`setting "tag" must not be empty, nor hold commas and line breaks`)
		}
	default:
		return sallyport.Hooks{}, errors.New(`setting "action" is ` + strconv.Quote(g.action) + `: it is "block", "tag" or "log"`)
	}
	if g.threshold < 1 || g.threshold > 50 {
		return sallyport.Hooks{}, errors.New(`setting "threshold" must be 1 to 50; the default is 5`)
	}
	if len(g.roles) == 0 {
		return sallyport.Hooks{}, errors.New(`setting "roles" is empty: name the roles of messages to look at, such as [user, tool]`)
	}
	if g.status < 400 || g.status > 499 {
		return sallyport.Hooks{}, errors.New(`setting "status" must be 400 to 499`)
	}
	return sallyport.RefuseMedia(c, g.status, g.roles, sallyport.Hooks{Request: g.request})
}

func (g *guard) request(r *sallyport.Request) sallyport.Verdict {
	most, reasons := 0, []string(nil)
	for i := range r.Texts {
		t := &r.Texts[i]
		if !slices.Contains(g.roles, t.Role) {
			continue
		}
		points, names := g.judge.score(t.Text)
		if points < g.threshold || points <= most {
			continue
		}
		if g.action == "block" {
			return sallyport.Reject(g.status, strings.ReplaceAll(g.message, "{reasons}", strings.Join(names, ", ")))
		}
		most, reasons = points, names
	}
	if most == 0 {
		return sallyport.Continue()
	}
	if g.action == "tag" {
		r.AddTag(g.tag)
		r.SetMetadata("prompt_injection", map[string]any{"score": most, "reasons": strings.Join(reasons, ", ")})
		return sallyport.Continue()
	}
	sallyport.Log(abi.LogWarn, "request "+r.ID+" scores "+strconv.Itoa(most)+": "+strings.Join(reasons, ", "))
	return sallyport.Continue()
}
