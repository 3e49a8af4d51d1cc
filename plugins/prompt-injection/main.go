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
	block     bool
	threshold int
	roles     []string
	status    int
	message   string
	judge     *judge
}

// New builds the guard from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	g := &guard{
		threshold: c.Int("threshold", 5),
		roles:     c.Strings("roles", "user", "tool", "function", ""),
		status:    c.Int("status", 400),
		message:   c.String("message", defaultMessage),
		judge:     newJudge(),
	}
	switch action := c.String("action", "block"); action {
	case "block":
		g.block = true
	case "log":
	default:
		return sallyport.Hooks{}, errors.New(`setting "action" is ` + strconv.Quote(action) + `: it is "block" or "log"`)
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
	return sallyport.Hooks{Request: g.request}, nil
}

func (g *guard) request(r *sallyport.Request) sallyport.Verdict {
	for i := range r.Texts {
		t := &r.Texts[i]
		if !slices.Contains(g.roles, t.Role) {
			continue
		}
		points, names := g.judge.score(t.Text)
		if points < g.threshold {
			continue
		}
		if g.block {
			return sallyport.Reject(g.status, strings.ReplaceAll(g.message, "{reasons}", strings.Join(names, ", ")))
		}
		sallyport.Log(abi.LogWarn, "request "+r.ID+": message "+strconv.Itoa(t.Message)+" scores "+strconv.Itoa(points)+": "+strings.Join(names, ", "))
	}
	return sallyport.Continue()
}
