package openai

import (
	"encoding/json"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// FormBody writes the text fields of a form as a JSON object, so that whoever reads a request's members reads them: a
// field is a string, stream and the controls of the gateway are what they say in JSON, and a name that comes several
// times is a list. Files are left out. The model, stream and the controls may come once; otherwise the error is an
// *llm.Error of kind llm.KindInvalid.
func FormBody(f *llm.Form) ([]byte, error) {
	b := []byte{'{'}
	parts := f.Parts()
	for i, p := range parts {
		if p.File || before(parts[:i], p.Name) {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(llm.AppendQuoted(b, p.Name), ':')
		if !before(parts[i+1:], p.Name) {
			b = appendField(b, p.Name, f.Value(p))
			continue
		}
		if once(p.Name) {
			return nil, invalid(p.Name, "appears twice in the form")
		}
		b = append(b, '[')
		for _, q := range parts[i:] {
			if q.Name == p.Name && !q.File {
				b = append(appendField(b, p.Name, f.Value(q)), ',')
			}
		}
		b[len(b)-1] = ']'
	}
	return append(b, '}'), nil
}

func before(parts []llm.FormPart, name string) bool {
	for i := range parts {
		if parts[i].Name == name && !parts[i].File {
			return true
		}
	}
	return false
}

func once(name string) bool { return name == "model" || name == "stream" || Control([]byte(name)) }

// appendField writes the value of one field.
func appendField(b []byte, name string, value []byte) []byte {
	if (name == "stream" || Control([]byte(name))) && json.Valid(value) {
		return append(b, value...)
	}
	return llm.AppendQuoted(b, string(value))
}
