// Secrets is a guardrail that finds credentials in the texts of a request or an answer, and redacts them or refuses it.
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
	answerMessage  = "The answer contains a credential ({types})."
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
	answer  string // the message for answers
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
		answer:  c.String("message", answerMessage),
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
	return sallyport.RefuseMedia(c, g.status, g.roles, sallyport.Hooks{Request: g.request, Stream: g.window})
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
		found := g.judge(t.Text, g.find(t.Text, t.Argument.Member()))
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
	return g.refuse(g.message, seen)
}

func (g *guard) refuse(message string, seen [kinds]bool) sallyport.Verdict {
	var names []string
	for k, yes := range seen {
		if yes {
			names = append(names, kind(k).String())
		}
	}
	return sallyport.Reject(g.status, strings.ReplaceAll(message, "{types}", strings.Join(names, ", ")))
}

// Bounds of a word at the end of a window that may be a credential whose form is not known yet.
const (
	leastWord = 32
	mostWord  = 8 << 10
)

// window looks at a part of an answer, together with what the caller got before. Where it ends within what may be a
// credential, nothing of it leaves until the end is known.
func (g *guard) window(w *sallyport.Window) sallyport.Verdict {
	if len(g.roles) > 0 && !slices.Contains(g.roles, "assistant") {
		return sallyport.Continue()
	}
	s, gone := w.Context+w.Text, len(w.Context)
	found := slices.DeleteFunc(g.judge(s, g.find(s, w.Argument.Member())), func(f span) bool { return f.end <= gone })
	if !w.Final {
		if n := len(found); n > 0 && found[n-1].end == len(s) {
			return sallyport.Hold()
		}
		if n := len(s) - 1 - strings.LastIndexAny(s, " \t\r\n"); n >= leastWord && n < mostWord {
			return sallyport.Hold()
		}
	}
	if len(found) == 0 {
		return sallyport.Continue()
	}
	if g.redact {
		for i := range found {
			found[i].start, found[i].end = max(found[i].start-gone, 0), found[i].end-gone
		}
		w.Replace(g.replace(w.Text, found))
		return sallyport.Continue()
	}
	var seen [kinds]bool
	for _, f := range found {
		seen[f.kind] = true
	}
	return g.refuse(g.answer, seen)
}

// find finds credentials in a text. The name of the member that has it as its value is the name of an assignment.
func (g *guard) find(text, member string) []span {
	if member == "" {
		return g.finder.find(text)
	}
	front := member + `: "`
	found := g.finder.find(front + text + `"`)
	kept := found[:0]
	for _, f := range found {
		if f.start, f.end = max(f.start-len(front), 0), min(f.end-len(front), len(text)); f.end > 0 {
			kept = append(kept, f)
		}
	}
	return kept
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
