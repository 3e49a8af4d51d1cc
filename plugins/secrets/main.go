// Secrets is a guardrail that finds credentials in the texts of a request, and redacts them or refuses the request.
package main

import (
	_ "embed"
	"errors"
	"slices"
	"strconv"
	"strings"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, New)

func main() {}

const (
	defaultMessage = "The request contains a credential ({types}). Remove it, and replace it where it is in use: it has left its place."
	defaultMask    = "[REDACTED]"
	defaultEntropy = "3.0"
)

// guard is the plugin's state: immutable after New, but for what finder keeps during a call.
type guard struct {
	redact  bool
	mask    string
	roles   []string // looked at; empty is all
	allowed []string // values; one that ends in "*" stands for all that begin like it
	status  int
	message string
	finder  finder
}

// New builds the guard from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	g := &guard{
		mask:    c.String("mask", defaultMask),
		roles:   c.Strings("roles"),
		allowed: c.Strings("allow_values"),
		status:  c.Int("status", 400),
		message: c.String("message", defaultMessage),
	}
	switch action := c.String("action", "block"); action {
	case "block":
	case "redact":
		g.redact = true
	default:
		return sallyport.Hooks{}, errors.New(`setting "action" is ` + strconv.Quote(action) + `: it is "block" or "redact"`)
	}
	if g.status < 400 || g.status > 499 {
		return sallyport.Hooks{}, errors.New(`setting "status" must be 400 to 499`)
	}
	for _, v := range g.allowed {
		if strings.TrimSuffix(v, "*") == "" {
			return sallyport.Hooks{}, errors.New(`setting "allow_values" allows everything: name a value, or the beginning of one and "*"`)
		}
	}
	if err := g.finder.configure(c); err != nil {
		return sallyport.Hooks{}, err
	}
	return sallyport.Hooks{Request: g.request}, nil
}

func (f *finder) configure(c *sallyport.Config) error {
	wanted := c.Strings("types", types()...)
	if len(wanted) == 0 {
		return errors.New(`setting "types" is empty: name what to look for, or leave it out`)
	}
	for _, name := range wanted {
		k := kindOf(name)
		if k == none {
			return errors.New(`setting "types": ` + strconv.Quote(name) + " is unknown: types are " + strings.Join(types(), ", "))
		}
		f.want[k] = true
	}
	f.minLength = c.Int("min_length", 8)
	if f.minLength < 4 || f.minLength > 100 {
		return errors.New(`setting "min_length" must be 4 to 100`)
	}
	text := c.String("entropy", defaultEntropy)
	entropy, err := strconv.ParseFloat(text, 64)
	if err != nil || !(entropy >= 0 && entropy <= 6) {
		return errors.New(`setting "entropy" must be a text with a number of bits from "0" to "6", such as "3.5"`)
	}
	f.entropy = entropy
	return nil
}

func (g *guard) request(r *sallyport.Request) sallyport.Verdict {
	var seen [kinds]bool
	refuse := false
	for i := range r.Texts {
		t := &r.Texts[i]
		if len(g.roles) > 0 && !slices.Contains(g.roles, t.Role) {
			continue
		}
		found := g.judge(t.Text, g.finder.find(t.Text))
		if len(found) == 0 {
			continue
		}
		if g.redact {
			t.Replace(g.replace(t.Text, found))
			continue
		}
		refuse = true
		for _, f := range found {
			seen[f.kind] = true
		}
	}
	if !refuse {
		return sallyport.Continue()
	}
	var names []string
	for k, yes := range seen {
		if yes {
			names = append(names, kind(k).String())
		}
	}
	return sallyport.Reject(g.status, strings.ReplaceAll(g.message, "{types}", strings.Join(names, ", ")))
}

// judge removes what the operator allows from what was found.
func (g *guard) judge(s string, found []span) []span {
	if len(g.allowed) == 0 {
		return found
	}
	return slices.DeleteFunc(found, func(f span) bool {
		value := s[f.start:f.end]
		return slices.ContainsFunc(g.allowed, func(a string) bool {
			beginning, open := strings.CutSuffix(a, "*")
			return value == a || open && strings.HasPrefix(value, beginning)
		})
	})
}

// replace returns the text with the mask in the place of what was found.
func (g *guard) replace(s string, found []span) string {
	out, from := make([]byte, 0, len(s)), 0
	for _, f := range found {
		out = append(out, s[from:f.start]...)
		out = append(out, strings.ReplaceAll(g.mask, "{type}", f.kind.String())...)
		from = f.end
	}
	return string(append(out, s[from:]...))
}
