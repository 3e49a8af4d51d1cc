// Pii is a guardrail that finds personal data in the texts of a request, arguments of tool calls among them, and masks it or
// refuses the request.
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

const defaultMessage = "The request contains personal data that is not allowed: {entities}."

// kind is a sort of personal data.
type kind uint8

const (
	email kind = iota
	phone
	card
	iban
	ssn
	ip
	key
	kinds
)

// String is the name in the configuration.
func (k kind) String() string {
	switch k {
	case email:
		return "email"
	case phone:
		return "phone"
	case card:
		return "card"
	case iban:
		return "iban"
	case ssn:
		return "ssn"
	case ip:
		return "ip"
	case key:
		return "key"
	}
	return "unknown"
}

// kindOf reads a name from the configuration: ours, or that of Presidio's recognizer.
func kindOf(name string) (k kind, ok bool) {
	switch name = strings.ToLower(name); name {
	case "email_address":
		return email, true
	case "phone_number":
		return phone, true
	case "credit_card":
		return card, true
	case "iban_code":
		return iban, true
	case "us_ssn":
		return ssn, true
	case "ip_address":
		return ip, true
	}
	for k := range kinds {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// action is what happens to a kind of data.
type action uint8

const (
	allow action = iota
	mask
	block
)

// plugin is the plugin's state: immutable after New, but for what finder keeps during a call.
type plugin struct {
	actions [kinds]action
	unmask  bool
	roles   []string // looked at; empty is all
	allowed []string // values that are not personal data, in the form that normal gives
	status  int
	message string
	finder  finder
}

// New builds the guardrail from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	p := &plugin{
		unmask:  c.Bool("unmask", false),
		roles:   c.Strings("roles"),
		status:  c.Int("status", 400),
		message: c.String("message", defaultMessage),
	}
	for _, v := range c.Strings("allow_values") {
		p.allowed = append(p.allowed, strings.ToLower(strings.TrimSpace(v)))
	}
	if p.status < 400 || p.status > 499 {
		return sallyport.Hooks{}, errors.New(`setting "status" must be 400 to 499`)
	}
	entities, listed := c.Map("entities"), c.Has("entities")
	if listed && len(entities) == 0 {
		return sallyport.Hooks{}, errors.New(`setting "entities" is empty: name entities and what happens to them, such as {email: mask}, or leave it out`)
	}
	for k := range kinds {
		if !listed {
			p.actions[k] = mask
		}
	}
	for name, value := range entities {
		k, ok := kindOf(name)
		if !ok {
			return sallyport.Hooks{}, errors.New("setting " + strconv.Quote("entities."+name) + " is unknown: entities are email, phone, card, iban, ssn, ip and key")
		}
		text, _ := value.(string)
		if p.actions[k], ok = actionOf(text); !ok {
			return sallyport.Hooks{}, errors.New("setting " + strconv.Quote("entities."+name) + ` must be "mask", "block" or "allow"`)
		}
	}
	for k := range kinds {
		p.finder.want[k] = p.actions[k] != allow
	}
	return sallyport.RefuseMedia(c, p.status, p.roles, sallyport.Hooks{Request: p.request, Stream: p.answer})
}

func actionOf(s string) (action, bool) {
	switch strings.ToLower(s) {
	case "mask":
		return mask, true
	case "block":
		return block, true
	case "allow":
		return allow, true
	}
	return allow, false
}

func (p *plugin) request(r *sallyport.Request) sallyport.Verdict {
	var names *placeholders
	var blocked [kinds]bool
	refuse := false
	for i := range r.Texts {
		t := &r.Texts[i]
		if len(p.roles) > 0 && !slices.Contains(p.roles, t.Role) {
			continue
		}
		found := p.judge(t.Text, p.find(t.Text, t.Argument.Member()))
		if len(found) == 0 {
			continue
		}
		for _, f := range found {
			if p.actions[f.kind] == block {
				blocked[f.kind], refuse = true, true
			}
		}
		if refuse {
			continue // no use in masking: the whole request is refused
		}
		if names == nil {
			names = newPlaceholders(r.Texts)
		}
		t.Replace(names.replace(t.Text, found))
	}
	if refuse {
		return sallyport.Reject(p.status, strings.ReplaceAll(p.message, "{entities}", list(blocked)))
	}
	if names != nil && p.unmask {
		if names.left > 0 {
			sallyport.Log(abi.LogWarn, "request "+r.ID+": "+strconv.Itoa(names.left)+" values are not put back into the answer: all of them together are too large")
		}
		r.SetState(names.state)
	}
	return sallyport.Continue()
}

// answer puts values back in the place of their placeholders. The gateway holds the end of a text back, so that a
// placeholder is whole however the model cuts it.
func (p *plugin) answer(w *sallyport.Window) sallyport.Verdict {
	if p.unmask && len(w.State) > 0 {
		if restored, found := restore(w.Text, w.State); found {
			w.Replace(restored)
		}
	}
	return sallyport.Continue()
}

// find finds personal data in a text. The name of the member that has it as its value tells of digits what a word in front of
// them would.
func (p *plugin) find(text, member string) []span {
	if member == "" {
		return p.finder.find(text)
	}
	front := member + ": "
	found := p.finder.find(front + text)
	kept := found[:0]
	for _, f := range found {
		if f.end > len(front) {
			kept = append(kept, span{max(f.start-len(front), 0), f.end - len(front), f.kind})
		}
	}
	return kept
}

// judge removes what the operator allows from what was found.
func (p *plugin) judge(s string, found []span) []span {
	if len(p.allowed) == 0 {
		return found
	}
	return slices.DeleteFunc(found, func(f span) bool {
		value := strings.ToLower(s[f.start:f.end])
		if slices.Contains(p.allowed, value) {
			return true
		}
		at := strings.LastIndexByte(value, '@')
		return f.kind == email && at >= 0 && slices.Contains(p.allowed, value[at:])
	})
}

func list(blocked [kinds]bool) string {
	var names []string
	for k, yes := range blocked {
		if yes {
			names = append(names, kind(k).String())
		}
	}
	return strings.Join(names, ", ")
}
