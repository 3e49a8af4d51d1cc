package main

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
	"github.com/sallyport-ai/sallyport/sdk/go/jsonapi"
)

// maxState is how much the gateway keeps for a plugin with a request.
const maxState = 16 << 10

// names gives values their placeholders, if they are to be put back into the answer. The anonymizer then gets
// PERSON_1 as the entity, and writes <PERSON_1>, its default for an entity without an operator.
type names struct {
	on     bool
	texts  []string          // of the request: placeholders that the caller wrote are not used
	last   map[string]int    // by entity
	of     map[string]string // the numbered entity, by entity and value
	values map[string]string // by placeholder
}

func newNames(on bool, texts []string) *names {
	return &names{on: on, texts: texts, last: map[string]int{}, of: map[string]string{}, values: map[string]string{}}
}

// number gives the findings in a text numbered entities.
func (n *names) number(text string, list []found) []found {
	if !n.on {
		return list
	}
	spans := make([]jsonapi.Span, len(list))
	for i, f := range list {
		spans[i] = jsonapi.Span{Start: f.Start, End: f.End}
	}
	jsonapi.Bytes(text, spans) // judge checked that they are within the text
	for i := range list {
		list[i].EntityType = n.name(list[i].EntityType, text[spans[i].Start:spans[i].End])
	}
	return list
}

func (n *names) name(entity, value string) string {
	key := entity + "\x00" + value
	if name, ok := n.of[key]; ok {
		return name
	}
	for {
		n.last[entity]++
		name := entity + "_" + strconv.Itoa(n.last[entity])
		if !n.written(name) {
			n.of[key], n.values["<"+name+">"] = name, value
			return name
		}
	}
}

func (n *names) written(name string) bool {
	for _, t := range n.texts {
		if strings.Contains(t, "<"+name+">") {
			return true
		}
	}
	return false
}

// state is what the hook for the answer needs.
func (n *names) state() ([]byte, error) {
	b, err := jsonapi.Marshal(n.values)
	if err != nil {
		return nil, err
	}
	if len(b) > maxState {
		return nil, errors.New("the request holds more personal data than can be kept for the answer (16 KB): output_parse_pii cannot restore it")
	}
	return b, nil
}

// restoreAnswer puts the values back into an answer. A placeholder that a stream cuts in two is in the text that the
// gateway held back, and so comes whole.
func restoreAnswer(r *sallyport.Response) sallyport.Verdict {
	if len(r.State) == 0 {
		return sallyport.Continue()
	}
	var values map[string]string
	if err := json.Unmarshal(r.State, &values); err != nil {
		return sallyport.Fail(errors.New("the state is not what the request hook kept"))
	}
	pairs := make([]string, 0, 2*len(values))
	for placeholder, value := range values {
		pairs = append(pairs, placeholder, value)
	}
	restore := strings.NewReplacer(pairs...)
	for i := range r.Texts {
		if text := restore.Replace(r.Texts[i].Text); text != r.Texts[i].Text {
			r.Texts[i].Replace(text)
		}
	}
	return sallyport.Continue()
}
