// Presidio is a guardrail that has Microsoft Presidio look for personal data, and masks it or refuses the request. It can
// put the data back into the answer.
//
// https://microsoft.github.io/presidio/api-docs/api-docs.html
package main

import (
	_ "embed"
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

type plugin struct {
	analyzer, anonymizer *jsonapi.Service
	language             string
	entities             []string        // asked for; empty is all
	block                map[string]bool // entities that refuse the request
	least                float64         // score below which the analyzer reports nothing; 0 is its own default
	leastOf              map[string]float64
	recognizers          []map[string]any
	operators            map[string]any // what the anonymizer does, by entity
	roles                []string
	restore              bool // put values back into the answer
	answers              bool // mask answers too
	message              string
	status               int
}

// New builds the guardrail from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	p := &plugin{
		language: c.String("language", "en"), least: c.Float("score_threshold", 0), recognizers: c.Maps("ad_hoc_recognizers"),
		operators: c.Map("anonymizers"), roles: c.Strings("roles"), restore: c.Bool("output_parse_pii", false),
		answers: c.Bool("apply_to_output", false), block: map[string]bool{}, leastOf: map[string]float64{},
		message: c.String("message", "Blocked PII entity detected: {entities}."), status: c.Int("status", 400),
	}
	err := p.services(c)
	if err == nil {
		err = p.rules(c)
	}
	switch {
	case err != nil:
		return sallyport.Hooks{}, err
	case p.status < 400 || p.status > 499:
		return sallyport.Hooks{}, errors.New(`setting "status" must be 400 to 499`)
	case p.least < 0 || p.least > 1:
		return sallyport.Hooks{}, errors.New(`setting "score_threshold" must be between 0 and 1`)
	case p.restore && len(p.operators) > 0:
		return sallyport.Hooks{}, errors.New(`"output_parse_pii" needs placeholders to find again in the answer: leave "anonymizers" out, or turn it off`)
	case p.restore && p.answers:
		return sallyport.Hooks{}, errors.New(`"output_parse_pii" puts values into the answer that "apply_to_output" would mask again: choose one`)
	}
	return sallyport.RefuseMedia(c, p.status, p.roles, sallyport.Hooks{Request: p.request, Response: p.response})
}

func (p *plugin) services(c *sallyport.Config) (err error) {
	if p.analyzer, err = jsonapi.New(c, "presidio analyzer", "analyzer", "PRESIDIO_ANALYZER_API_BASE", ""); err != nil {
		return err
	}
	p.anonymizer, err = jsonapi.New(c, "presidio anonymizer", "anonymizer", "PRESIDIO_ANONYMIZER_API_BASE", "")
	return err
}

// rules reads what happens to which entity.
func (p *plugin) rules(c *sallyport.Config) error {
	for name, value := range c.Map("pii_entities_config") {
		action, _ := value.(string)
		switch strings.ToUpper(action) {
		case "BLOCK":
			p.block[name] = true
		case "MASK":
		default:
			return errors.New("setting " + strconv.Quote("pii_entities_config."+name) + ` must be "MASK" or "BLOCK"`)
		}
		p.entities = append(p.entities, name)
	}
	slices.Sort(p.entities)
	if c.Has("pii_entities_config") && len(p.entities) == 0 {
		return errors.New(`setting "pii_entities_config" is empty: name entities, such as {EMAIL_ADDRESS: MASK}, or leave it out to mask all`)
	}
	for name, value := range c.Map("score_thresholds") {
		score, ok := value.(float64)
		if n, whole := value.(int64); whole {
			score, ok = float64(n), true
		}
		if !ok || score < 0 || score > 1 {
			return errors.New("setting " + strconv.Quote("score_thresholds."+name) + " must be a number between 0 and 1")
		}
		p.leastOf[name] = score
	}
	for name, value := range p.operators {
		if m, ok := value.(map[string]any); !ok || m["type"] == nil {
			return errors.New("setting " + strconv.Quote("anonymizers."+name) + ` must be an object with a "type", such as {type: mask, masking_char: "*", chars_to_mask: 4, from_end: true}`)
		}
	}
	return nil
}

func (p *plugin) request(r *sallyport.Request) sallyport.Verdict {
	all := make([]string, len(r.Texts))
	var which []int
	for i := range r.Texts {
		all[i] = r.Texts[i].Text
		t := &r.Texts[i]
		if t.Kind == "definition" && t.Sealed { // a name, or a value that the tool allows: each would be a call of the service
			continue
		}
		if (len(p.roles) == 0 || slices.Contains(p.roles, t.Role)) && !field(t.Text, t.Argument) {
			which = append(which, i)
		}
	}
	language := p.language
	if params, err := r.Params(); err != nil {
		return sallyport.Fail(err)
	} else if l, _ := params["language"].(string); l != "" {
		language = l
	}
	names := newNames(p.restore, all)
	masked, blocked, err := p.mask(all, which, language, names)
	if err != nil {
		return sallyport.Fail(err)
	}
	if len(blocked) > 0 {
		return p.refuse(blocked)
	}
	for i, text := range masked {
		if text != all[i] {
			r.Texts[i].Replace(text)
		}
	}
	if p.restore && len(names.values) > 0 {
		state, err := names.state()
		if err != nil {
			return sallyport.Fail(err)
		}
		r.SetState(state)
	}
	return sallyport.Continue()
}

// field reports whether a text is the name of a member of arguments, and a word that a program would have for one: each text
// is a call of the analyzer, and half of the texts in arguments are such.
func field(text string, a *sallyport.Argument) bool {
	if a == nil || a.Key != "" || len(text) > 40 {
		return false
	}
	digits := 0
	for _, c := range []byte(text) {
		switch {
		case '0' <= c && c <= '9':
			digits++
		case c|0x20 < 'a' || c|0x20 > 'z':
			if c != '_' {
				return false
			}
		}
	}
	return digits < 4
}

func (p *plugin) refuse(entities []string) sallyport.Verdict {
	return sallyport.Reject(p.status, strings.ReplaceAll(p.message, "{entities}", strings.Join(entities, ", ")))
}

func (p *plugin) response(r *sallyport.Response) sallyport.Verdict {
	if p.restore {
		return restoreAnswer(r)
	}
	if !p.answers {
		return sallyport.Continue()
	}
	all, which := make([]string, len(r.Texts)), make([]int, 0, len(r.Texts))
	for i := range r.Texts {
		if all[i] = r.Texts[i].Text; !field(all[i], r.Texts[i].Argument) {
			which = append(which, i)
		}
	}
	masked, blocked, err := p.mask(all, which, p.language, newNames(false, nil))
	if err != nil {
		return sallyport.Fail(err)
	}
	if len(blocked) > 0 {
		return p.refuse(blocked)
	}
	for i, text := range masked {
		if text != all[i] {
			r.Texts[i].Replace(text)
		}
	}
	return sallyport.Continue()
}
