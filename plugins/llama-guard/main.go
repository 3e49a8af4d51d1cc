// Llama-guard is a guardrail that has a model judge requests and answers: a model of Llama Guard's kind, or any other that
// is told to answer as they do. The model is reached through the chat API of OpenAI, at a vendor or at this gateway.
//
// https://github.com/meta-llama/PurpleLlama/blob/main/Llama-Guard3/8B/MODEL_CARD.md
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/go/jsonapi"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, New)

func main() {}

// markHeader carries the proof that a request is the judge's own.
const markHeader = "x-sallyport-judge"

type plugin struct {
	service    *jsonapi.Service
	model      string
	key        string // of the service; signs the plugin's own requests
	categories []category
	allowed    map[string]bool // categories that refuse nothing
	template   string          // of the prompt; empty sends the conversation as messages
	tokens     int
	message    string
	status     int
}

// New builds the guardrail from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	p := &plugin{
		model: c.String("model", ""), template: c.String("template", defaultTemplate), tokens: c.Int("max_tokens", 100),
		message: c.String("message", "The conversation was judged unsafe: {categories}."), status: c.Int("status", 400),
		key: jsonapi.Setting(c, "api_key", "LLAMA_GUARD_API_KEY"), allowed: map[string]bool{},
	}
	if p.model == "" {
		return sallyport.Hooks{}, errors.New(`setting "model" is missing: the model that judges, such as llama-guard3:8b`)
	}
	var err error
	if p.service, err = jsonapi.New(c, "judge", "api_base", "", ""); err != nil {
		return sallyport.Hooks{}, errors.New(`setting "api_base" must be the address of an OpenAI-compatible API, such as http://localhost:11434/v1`)
	}
	if err := p.service.Key(c, "api_key", "LLAMA_GUARD_API_KEY", false); err != nil {
		return sallyport.Hooks{}, err
	}
	if p.categories, err = categories(c.Map("categories")); err != nil {
		return sallyport.Hooks{}, err
	}
	for _, code := range c.Strings("allow") {
		p.allowed[strings.ToUpper(code)] = true
	}
	switch c.String("send", "prompt") {
	case "prompt":
	case "messages":
		if c.Has("template") || c.Has("categories") {
			return sallyport.Hooks{}, errors.New(`"template" and "categories" have no effect with "send: messages": the model's own template counts then`)
		}
		p.template = ""
	default:
		return sallyport.Hooks{}, errors.New(`setting "send" must be "prompt" or "messages"`)
	}
	switch {
	case p.template != "" && !strings.Contains(p.template, "{conversation}"):
		return sallyport.Hooks{}, errors.New(`setting "template" must contain {conversation}, and {categories} where they belong`)
	case p.tokens < 1:
		return sallyport.Hooks{}, errors.New(`setting "max_tokens" must be above 0`)
	case p.status < 400 || p.status > 499:
		return sallyport.Hooks{}, errors.New(`setting "status" must be 400 to 499`)
	}
	return sallyport.RefuseMedia(c, p.status, nil, sallyport.Hooks{Request: p.request, Moderation: p.request, Response: p.response})
}

func (p *plugin) request(r *sallyport.Request) sallyport.Verdict {
	var turns []turn
	for i := range r.Texts {
		t := &r.Texts[i]
		if t.Kind == "definition" { // no turn of the conversation
			continue
		}
		text := t.Text
		if key := t.Argument.Member(); key != "" {
			text = key + ": " + text
		}
		turns = append(turns, turn{role(t.Role), text})
	}
	if p.own(turns, r.Header) {
		return sallyport.Continue()
	}
	return p.judge(turns, "User")
}

func (p *plugin) response(r *sallyport.Response) sallyport.Verdict {
	asked, ok := r.Value("messages")
	var turns []turn
	if ok {
		turns = conversation(asked)
	}
	if p.own(turns, r.Header) {
		return sallyport.Continue()
	}
	// One choice at a time: they are alternatives, not a conversation. What a choice has in its parts and in its calls of
	// tools is one turn.
	for i := 0; i < len(r.Texts); {
		choice := r.Texts[i].Choice
		said := turns[:len(turns):len(turns)]
		for first := true; i < len(r.Texts) && r.Texts[i].Choice == choice; i++ {
			text := r.Texts[i].Text
			if key := r.Texts[i].Argument.Member(); key != "" {
				text = key + ": " + text
			}
			if first {
				text, first = r.Context+text, false
			}
			said = append(said, turn{"assistant", text})
		}
		if v := p.judge(said, "Agent"); v != sallyport.Continue() {
			return v
		}
	}
	return sallyport.Continue()
}

// judge asks the model about the last turn. who said it: "User" or "Agent".
func (p *plugin) judge(turns []turn, who string) sallyport.Verdict {
	if turns = spoken(turns); len(turns) == 0 {
		return sallyport.Continue()
	}
	q := question{Model: p.model, Messages: turns, MaxTokens: p.tokens}
	if p.template != "" {
		q.Messages = []turn{{"user", prompt(p.template, p.categories, turns, who)}}
	}
	body, err := jsonapi.Marshal(q)
	if err != nil {
		return sallyport.Fail(err)
	}
	req := p.service.Request("/chat/completions", body)
	if p.key != "" {
		req.Headers = append(req.Headers, sallyport.HTTPHeader{Name: markHeader, Value: p.mark(q.Messages)})
	}
	var a answer
	res, err := sallyport.HTTP(req)
	if err := p.service.Read(res, err, &a); err != nil {
		return sallyport.Fail(err)
	}
	if len(a.Choices) != 1 || a.Choices[0].Message.Content == nil {
		return sallyport.Fail(p.service.Odd("has not one choice with content"))
	}
	safe, codes, ok := parse(*a.Choices[0].Message.Content)
	if !ok {
		return sallyport.Fail(p.service.Odd("is neither safe nor unsafe: is " + strconv.Quote(p.model) + " a model that judges?"))
	}
	if safe || p.permitted(codes) {
		return sallyport.Continue()
	}
	return sallyport.Reject(p.status, strings.ReplaceAll(p.message, "{categories}", p.names(codes)))
}

// permitted reports whether all categories are among those that refuse nothing.
func (p *plugin) permitted(codes []string) bool {
	for _, code := range codes {
		if !p.allowed[code] {
			return false
		}
	}
	return len(codes) > 0
}

func (p *plugin) names(codes []string) string {
	var names []string
	for _, code := range codes {
		name := code
		for _, c := range p.categories {
			if c.code == code && p.template != "" {
				name = c.name
			}
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return "no category given"
	}
	return strings.Join(names, ", ")
}

// mark proves that a request is the plugin's own: only who knows the key can make it, and for these messages only.
func (p *plugin) mark(messages []turn) string {
	h := hmac.New(sha256.New, []byte(p.key))
	for _, m := range messages {
		h.Write([]byte(strconv.Itoa(len(m.Content)) + ":" + m.Content))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// own reports whether a request is one of the plugin's own, which comes back when the judge is a model of this very
// gateway. Judging it would ask the judge again, and so on.
func (p *plugin) own(turns []turn, header func(string) (string, bool)) bool {
	mark, ok := header(markHeader)
	return ok && p.key != "" && hmac.Equal([]byte(mark), []byte(p.mark(turns)))
}
