// Openai-moderation is a guardrail that asks OpenAI's moderation endpoint about the texts of a request or an answer, and
// refuses what is flagged or scores too high.
//
// https://platform.openai.com/docs/api-reference/moderations
package main

import (
	_ "embed"
	"errors"
	"maps"
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

// perCall is how many texts one call carries. A call with many costs the service as much as many calls, and waits longer.
const perCall = 32

type plugin struct {
	service    *jsonapi.Service
	model      string
	flagged    bool               // what the service flags is refused
	thresholds map[string]float64 // by category
	roles      []string           // of messages that are looked at; empty is all
	message    string
	status     int
}

// New builds the guardrail from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	p := &plugin{
		model:      c.String("model", "omni-moderation-latest"),
		flagged:    c.Bool("block_on_flagged", true),
		thresholds: map[string]float64{},
		roles:      c.Strings("roles"),
		message:    c.String("message", "Violated OpenAI moderation policy: {categories}."),
		status:     c.Int("status", 400),
	}
	var err error
	if p.service, err = jsonapi.New(c, "openai moderation", "api_base", "", "https://api.openai.com/v1"); err != nil {
		return sallyport.Hooks{}, err
	}
	if err := p.service.Key(c, "api_key", "OPENAI_API_KEY", true); err != nil {
		return sallyport.Hooks{}, err
	}
	for category, v := range c.Map("thresholds") {
		score, ok := number(v)
		if !ok || score < 0 || score > 1 {
			return sallyport.Hooks{}, errors.New("setting " + strconv.Quote("thresholds."+category) + " must be a number between 0 and 1")
		}
		p.thresholds[category] = score
	}
	switch {
	case p.status < 400 || p.status > 499:
		return sallyport.Hooks{}, errors.New(`setting "status" must be 400 to 499`)
	case !p.flagged && len(p.thresholds) == 0:
		return sallyport.Hooks{}, errors.New(`"block_on_flagged" is off and there are no "thresholds": nothing would ever be refused`)
	}
	return sallyport.RefuseMedia(c, p.status, p.roles, sallyport.Hooks{Request: p.request, Moderation: p.request, Response: p.response})
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	}
	return 0, false
}

func (p *plugin) request(r *sallyport.Request) sallyport.Verdict {
	var texts []string
	for i := range r.Texts {
		if len(p.roles) == 0 || slices.Contains(p.roles, r.Texts[i].Role) {
			texts = append(texts, r.Texts[i].Text)
		}
	}
	return p.judge(texts)
}

func (p *plugin) response(r *sallyport.Response) sallyport.Verdict {
	var texts []string
	for i := range r.Texts {
		texts = append(texts, r.Context+r.Texts[i].Text)
	}
	return p.judge(texts)
}

type question struct {
	Model string   `json:"model"`
	Input []string `json:"input"`
}

// result is what the service says of one text. The pointers tell what is missing from what is false.
type result struct {
	Flagged        *bool              `json:"flagged"`
	Categories     map[string]bool    `json:"categories"`
	CategoryScores map[string]float64 `json:"category_scores"`
}

type answer struct {
	Results []result `json:"results"`
}

func (p *plugin) judge(texts []string) sallyport.Verdict {
	texts = slices.DeleteFunc(texts, func(s string) bool { return strings.TrimSpace(s) == "" })
	var calls []jsonapi.Call
	var answers []*answer
	var sent []int
	for part := range slices.Chunk(texts, perCall) {
		a := &answer{}
		answers, sent = append(answers, a), append(sent, len(part))
		calls = append(calls, jsonapi.Call{Path: "/moderations", Body: question{p.model, part}, Into: a})
	}
	if err := p.service.All(calls...); err != nil {
		return sallyport.Fail(err)
	}
	violated := map[string]bool{}
	refuse := false
	for i, a := range answers {
		if len(a.Results) != sent[i] {
			return sallyport.Fail(p.service.Odd("has " + strconv.Itoa(len(a.Results)) + " results for " + strconv.Itoa(sent[i]) + " texts"))
		}
		for j := range a.Results {
			over, err := p.violates(&a.Results[j], violated)
			if err != nil {
				return sallyport.Fail(err)
			}
			refuse = refuse || over
		}
	}
	if !refuse {
		return sallyport.Continue()
	}
	names := strings.Join(slices.Sorted(maps.Keys(violated)), ", ")
	if names == "" {
		names = "flagged"
	}
	return sallyport.Reject(p.status, strings.ReplaceAll(p.message, "{categories}", names))
}

// violates reports whether a text is refused, and adds the categories that are why.
func (p *plugin) violates(r *result, violated map[string]bool) (bool, error) {
	if r.Flagged == nil {
		return false, p.service.Odd("has a result without flagged")
	}
	refuse := p.flagged && *r.Flagged
	if refuse {
		for name, yes := range r.Categories {
			if yes {
				violated[name] = true
			}
		}
	}
	for name, most := range p.thresholds {
		score, ok := r.CategoryScores[name]
		if !ok {
			return false, p.service.Odd("has no score for the category " + name + ": see thresholds")
		}
		if score >= most {
			violated[name], refuse = true, true
		}
	}
	return refuse, nil
}
