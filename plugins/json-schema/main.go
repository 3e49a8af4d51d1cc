// Json-schema is a guardrail that checks answers against a JSON schema, and refuses those that do not fit or has the model
// answer again.
package main

import (
	_ "embed"
	"errors"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, New)

func main() {}

const (
	defaultMessage = "The model's answer does not fit the schema: {error}."
	defaultRetry   = "Your answer does not fit the JSON schema that was asked for: {error}. Answer again, with JSON that fits and nothing else."
	maxSchemas     = 64 // remembered, of requests
)

// checker is the plugin's state: immutable after New, but for the schemas of requests that it remembers.
type checker struct {
	fixed   *schema // the operator's; nil takes that of the request
	seen    map[string]*schema
	block   bool
	retry   bool   // a model is asked again before the answer is refused
	ask     string // what it is told then
	unfence bool
	status  int
	message string
}

// New builds the guardrail from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	k := &checker{
		seen:    map[string]*schema{},
		unfence: c.Bool("unfence", false),
		status:  c.Int("status", 422),
		message: c.String("message", defaultMessage),
		ask:     c.String("retry_message", defaultRetry),
	}
	switch action := c.String("action", "block"); action {
	case "block", "retry":
		k.block, k.retry = true, action == "retry"
	case "log":
	default:
		return sallyport.Hooks{}, errors.New(`setting "action" is ` + strconv.Quote(action) + `: it is "block", "retry" or "log"`)
	}
	if k.status < 400 || k.status > 499 {
		return sallyport.Hooks{}, errors.New(`setting "status" must be 400 to 499`)
	}
	if c.Has("schema") {
		var err error
		if k.fixed, err = compile(c.Map("schema")); err != nil {
			return sallyport.Hooks{}, errors.New(`setting "schema": ` + err.Error())
		}
	}
	return sallyport.Hooks{Response: k.response, Stream: k.stream}, nil
}

func (k *checker) response(r *sallyport.Response) sallyport.Verdict {
	s, err := k.schemaOf(&r.Exchange)
	if err != nil {
		return sallyport.Fail(err)
	}
	for i := range r.Texts {
		t := &r.Texts[i]
		if s == nil || t.Kind != "content" || t.Text == "" {
			continue
		}
		inner, v := k.check(s, t.Text, t.Choice, r.ID)
		if v != sallyport.Continue() {
			return v
		}
		if len(inner) != len(t.Text) {
			t.Replace(inner)
		}
	}
	return sallyport.Continue()
}

// stream holds a text back until it is complete.
func (k *checker) stream(w *sallyport.Window) sallyport.Verdict {
	if w.Kind != "content" {
		return sallyport.Continue()
	}
	s, err := k.schemaOf(&w.Exchange)
	if err != nil {
		return sallyport.Fail(err)
	}
	if s == nil || w.Final && w.Text == "" {
		return sallyport.Continue()
	}
	if !w.Final {
		return sallyport.Hold()
	}
	inner, v := k.check(s, w.Text, w.Choice, w.ID)
	if v == sallyport.Continue() && len(inner) != len(w.Text) {
		w.Replace(inner)
	}
	return v
}

// schemaOf returns the schema of an exchange, or nil if it has none.
func (k *checker) schemaOf(e *sallyport.Exchange) (*schema, error) {
	if k.fixed != nil {
		return k.fixed, nil
	}
	text, ok := e.Value("response_format.json_schema.schema")
	if !ok || text == "null" {
		return nil, nil
	}
	if s := k.seen[text]; s != nil {
		return s, nil
	}
	v, err := parse(text)
	if err != nil {
		return nil, errors.New("the schema of the request is not JSON: " + err.Error())
	}
	s, err := compile(v)
	if err != nil {
		return nil, errors.New("the schema of the request cannot be checked: " + err.Error())
	}
	if len(k.seen) >= maxSchemas {
		clear(k.seen)
	}
	k.seen[strings.Clone(text)] = s
	return s, nil
}

// check returns the JSON of an answer, which is all of it but for a fence around it, and what follows from it.
func (k *checker) check(s *schema, text string, choice int, id string) (inner string, v sallyport.Verdict) {
	inner = text
	if k.unfence {
		inner = inside(text)
	}
	value, err := parse(inner)
	if err == nil {
		err = s.check(value)
	}
	switch {
	case err == nil:
		return inner, sallyport.Continue()
	case k.retry:
		return text, sallyport.Retry(k.status, fill(k.message, err), choice, fill(k.ask, err))
	case k.block:
		return text, sallyport.Reject(k.status, fill(k.message, err))
	}
	sallyport.Log(abi.LogWarn, "request "+id+": the answer does not fit the schema: "+err.Error())
	return text, sallyport.Continue()
}

func fill(message string, err error) string {
	return strings.ReplaceAll(message, "{error}", err.Error())
}

// inside returns what a Markdown fence around the whole text holds, or the text if there is none.
func inside(text string) string {
	body, ok := strings.CutPrefix(strings.TrimSpace(text), "```")
	if !ok {
		return text
	}
	body, ok = strings.CutSuffix(body, "```")
	language, rest, line := strings.Cut(body, "\n")
	if !ok || !line || strings.ContainsAny(language, "{[\"") {
		return text
	}
	return strings.TrimSpace(rest)
}
