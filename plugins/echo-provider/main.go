// Echo-provider is an example of a provider: a vendor that says the prompt again. Without api_base the plugin answers
// itself; with it, it speaks to a service over a small API of its own, whole and streamed, which shows both halves of a
// provider: making a call of a request, and reading the answer.
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

type plugin struct{ prefix string }

// New builds the provider from its config block. README.md lists the settings.
func New(c *sallyport.Config) (sallyport.Hooks, error) {
	p := &plugin{prefix: c.String("prefix", "")}
	return sallyport.Hooks{Provider: sallyport.Provider{Encode: p.encode, Decode: p.decode}}, nil
}

// encode makes the call of the service:
//
//	POST {api_base}/say
//	Authorization: Bearer {api_key}
//
//	{"voice": "loud", "text": "hello", "stream": true}
func (p *plugin) encode(r *sallyport.ProviderRequest) sallyport.Outgoing {
	if r.CallType == "aembedding" {
		return sallyport.RefuseCall(400, "An echo has no embeddings.")
	}
	text, words := p.prefix+last(r.Texts), 0
	for i := range r.Texts {
		words += len(strings.Fields(r.Texts[i].Text))
	}
	if text == p.prefix {
		return sallyport.RefuseCall(400, "There is no text to say again.")
	}
	if r.Base == "" {
		said := len(strings.Fields(text))
		return sallyport.AnswerWith(sallyport.Reading{
			Text: text, Finish: "stop", Usage: &sallyport.Usage{Prompt: int64(words), Completion: int64(said), Total: int64(words + said)},
		})
	}
	body := `{"voice":` + quoted(r.Model) + `,"text":` + quoted(text)
	if r.Stream {
		body += `,"stream":true`
	}
	call := sallyport.Call("POST", r.Base+"/say", []byte(body+"}"))
	if r.APIKey == "" {
		return call
	}
	return call.Header("Authorization", "Bearer "+r.APIKey)
}

// last is the last text of the user.
func last(texts []sallyport.Text) string {
	for i := len(texts) - 1; i >= 0; i-- {
		if t := &texts[i]; (t.Role == "user" || t.Role == "") && t.Text != "" {
			return t.Text
		}
	}
	return ""
}

// decode reads what the service answers. A whole answer is
//
//	{"said": "hello", "words_in": 1, "words_out": 1}
//
// A streamed one has an event for each word, {"word": "hello "}, and {"done": true, "words_in": 1} at its end. The words
// that were said are counted here, in the state that the gateway keeps from event to event. A refusal is {"problem": "..."}.
func (p *plugin) decode(a *sallyport.ProviderAnswer) sallyport.Reading {
	if a.Status >= 400 {
		problem, ok := a.Value("problem")
		if !ok {
			return sallyport.Reading{} // the gateway finds words for it
		}
		return sallyport.VendorError(a.Status, problem)
	}
	switch a.Phase {
	case abi.PhaseEnd:
		return sallyport.Reading{} // the event that is done has said it all
	case abi.PhaseEvent:
		return event(a)
	}
	said, ok := a.Value("said")
	if !ok {
		return sallyport.FailReading(errors.New("the answer does not have the member said"))
	}
	return sallyport.Reading{Text: said, Finish: "stop", Usage: usage(number(a, "words_in"), number(a, "words_out"))}
}

func event(a *sallyport.ProviderAnswer) sallyport.Reading {
	count, _ := strconv.Atoi(string(a.State))
	if word, ok := a.Value("word"); ok {
		return sallyport.Reading{Text: word, State: strconv.AppendInt(nil, int64(count+1), 10)}
	}
	if done, _ := a.Value("done"); done == "true" {
		return sallyport.Reading{Finish: "stop", Usage: usage(number(a, "words_in"), int64(count))}
	}
	if problem, ok := a.Value("problem"); ok {
		return sallyport.VendorError(502, problem)
	}
	return sallyport.FailReading(errors.New("an event has neither word, done nor problem"))
}

func usage(in, out int64) *sallyport.Usage {
	return &sallyport.Usage{Prompt: in, Completion: out, Total: in + out}
}

// number is a count in the answer; 0 if there is none.
func number(a *sallyport.ProviderAnswer, path string) int64 {
	text, _ := a.Value(path)
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// quoted is a JSON string. encoding/json would make the module a megabyte larger.
func quoted(s string) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}
