// Package replicate is the provider for Replicate's predictions. A prediction is waited for within its call, up to a
// minute: https://replicate.com/docs/topics/predictions/create-a-prediction. A stream is at an address that the
// prediction names: https://replicate.com/docs/topics/predictions/streaming. What a model takes is its own affair; the
// names here are those of the language models that Replicate runs itself, and members that the API of OpenAI does not
// have go out as they are.
package replicate

import (
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "replicate"

// Settings are what can be set about the provider. The zero value is Replicate itself.
type Settings struct {
	MaxResponse int64            // bytes of an answer; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: "https://api.replicate.com/v1", KeyVars: []string{"REPLICATE_API_KEY", "REPLICATE_API_TOKEN"},
		BaseVars: []string{"REPLICATE_API_BASE"}, Bind: bind,
		Chat: &provider.Chat{
			Route: route, Request: request, Whole: whole, Events: events,
			Params: []string{
				"frequency_penalty", "max_completion_tokens", "max_tokens", "presence_penalty", "reasoning_effort", "seed", "stop",
				"temperature", "top_p",
			},
		},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

// model is where a deployment's predictions are made.
type model struct{ path, version string }

// bind takes the name of a model: owner/name, deployments/owner/name, or a version of 64 hexadecimal digits behind the
// name or alone.
func bind(s *provider.Site) error {
	name := s.Deployment.Model
	owner, version, found := strings.Cut(name, ":")
	if !found && hex(name) {
		version, found = name, true
	}
	m := &model{}
	s.Own = m
	switch {
	case found && hex(version):
		m.path, m.version = "/predictions", version
	case found:
		return s.Problem("model", "must have a version of 64 hexadecimal digits behind the colon")
	case strings.HasPrefix(name, "deployments/") && strings.Count(name, "/") == 2:
		m.path = "/" + provider.EscapeModel(name) + "/predictions"
	case strings.Count(owner, "/") == 1:
		m.path = "/models/" + provider.EscapeModel(owner) + "/predictions"
	default:
		return s.Problem("model", "must be written like replicate/owner/name, replicate/deployments/owner/name or replicate/owner/name:version")
	}
	return nil
}

func hex(s string) bool {
	if len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

func route(t *provider.Turn, dst []byte) []byte { return append(dst, t.Site.Own.(*model).path...) }

func request(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	if len(r.Tools) > 0 || r.Format.Kind > openai.FormatText {
		return nil, r.Bad("tools", "and response_format cannot be sent to "+Name)
	}
	var image *openai.Media
	prompt, err := provider.Prompt(r, true, func(m *openai.ChatMessage, p *openai.Part) bool {
		if p.Kind != openai.PartImage || p.Media.ID != nil || image != nil {
			return false
		}
		image = &p.Media
		return true
	})
	if err != nil {
		return nil, err
	}
	system, err := r.System()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{')
	b.Text("version", t.Site.Own.(*model).version)
	b.Key("input").Open('{').Key("prompt").Raw(prompt).Member("system_prompt", system)
	if image != nil {
		b.Key("image")
		if image.URL != nil {
			b.QuoteBytes(image.URL)
		} else {
			b.Quote("data:" + string(image.Type) + ";base64," + string(image.Data))
		}
	}
	b.Member("max_tokens", r.MaxTokens())
	if err := stops(&b, r); err != nil {
		return nil, err
	}
	for name, v := range r.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	if t.Exchange.Streamed {
		b.Key("stream").Bool(true)
		t.Call.Next = next(t.Site.Target.Host)
	} else {
		t.AddHeader("Prefer", "wait")
	}
	return b.Close('}').Bytes(), nil
}

// stops writes the stop sequences, which are one text with commas in between.
func stops(b *dialect.Builder, r *openai.ChatRequest) error {
	list, err := r.Stop()
	if err != nil || list == nil {
		return err
	}
	var all []string
	for c := dialect.Array(list); c.Next(); {
		s, ok := llm.Text(c.Value())
		if !ok || strings.Contains(string(s), ",") {
			return r.Bad("stop", "must be texts without commas for "+Name)
		}
		all = append(all, string(s))
	}
	b.Text("stop_sequences", strings.Join(all, ","))
	return nil
}

// whole reads a prediction: https://replicate.com/docs/reference/http#predictions.get.
func whole(t *provider.Turn, body []byte, s *openai.Said) error {
	var status, output, problem, metrics []byte
	for c := dialect.Object(body); c.Next(); {
		switch string(c.Key()) {
		case "status":
			status = c.Value()
		case "output":
			output = c.Value()
		case "error":
			problem = c.Value()
		case "metrics":
			metrics = c.Value()
		}
	}
	switch string(status) {
	case `"succeeded"`:
	case `"starting"`, `"processing"`:
		return t.Fail(504, []byte(`{"detail":"The prediction was not ready within the minute that Replicate lets a call wait."}`))
	case `"canceled"`, `"aborted"`:
		return t.Fail(500, []byte(`{"detail":"The prediction was canceled."}`))
	case `"failed"`:
		b := dialect.Build(nil)
		b.Open('{').Key("detail").Raw(orText(problem, `"The prediction failed."`)).Close('}')
		return t.Fail(500, b.Bytes())
	default:
		if dialect.Get(body, "detail") != nil {
			return t.Fail(200, body)
		}
		return t.Garbled("is not a prediction: it has no status")
	}
	s.Text = t.Text(output)
	if len(output) > 0 && output[0] == '[' {
		var all strings.Builder
		for c := dialect.Array(output); c.Next(); {
			all.WriteString(t.Text(c.Value()))
		}
		s.Text = all.String()
	}
	s.Usage.Prompt = dialect.Int(dialect.Get(metrics, "input_token_count"))
	s.Usage.Completion = dialect.Int(dialect.Get(metrics, "output_token_count"))
	s.Finish = "stop"
	return nil
}

func orText(v []byte, other string) []byte {
	if len(v) < 3 || v[0] != '"' {
		return []byte(other)
	}
	return v
}
