package openai

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// A file or batch that was made at the deployment of a model group has the group in its id, so that later requests find
// their way: the vendor's prefix, and in base64 "litellm:ID;model,GROUP", as in the reference
// (litellm/proxy/openai_files_endpoints/common_utils.py).

const (
	idStart = "litellm:"
	idModel = ";model,"
	maxID   = 1024
)

// ModelID is the id with which callers name something that a vendor stores, at the deployments of a model group.
func ModelID(id, model string) string {
	prefix := "file-"
	if strings.HasPrefix(id, "batch_") {
		prefix = "batch_"
	}
	return prefix + base64.RawURLEncoding.EncodeToString([]byte(idStart+id+idModel+model))
}

// SplitModelID undoes ModelID. ok is false for any other id.
func SplitModelID(s string) (id, model string, ok bool) {
	if len(s) > maxID {
		return "", "", false
	}
	inner := strings.TrimRight(strings.TrimPrefix(strings.TrimPrefix(s, "file-"), "batch_"), "=")
	b, err := base64.RawURLEncoding.DecodeString(inner)
	if err != nil {
		return "", "", false
	}
	rest, ok := strings.CutPrefix(string(b), idStart)
	if !ok {
		return "", "", false
	}
	id, model, ok = strings.Cut(rest, idModel)
	if !ok || id == "" || model == "" || strings.ContainsAny(id, "/?#%\\ \r\n\x00") || strings.Contains(id, "..") {
		return "", "", false
	}
	return id, model, true
}

// WithModelIDs returns the answer about files or batches with the ids of callers in place of the vendor's: those of the
// object itself, or of the objects in its list.
func WithModelIDs(answer []byte, model string) []byte {
	e := idEditor{raw: answer, model: model}
	c := dialect.Object(answer)
	e.object(&c, true)
	if e.at == 0 {
		return answer
	}
	return append(e.out, answer[e.at:]...)
}

type idEditor struct {
	raw, out []byte
	at       int
	model    string
}

func (e *idEditor) object(c *dialect.Cursor, outer bool) {
	for c.Next() {
		switch key := string(c.Key()); {
		case key == "id", key == "input_file_id", key == "output_file_id", key == "error_file_id", outer && (key == "first_id" || key == "last_id"):
			if id, ok := llm.Text(c.Value()); ok && len(id) > 0 {
				at := c.Span()
				e.out = append(e.out, e.raw[e.at:at.Start]...)
				e.out = llm.AppendQuoted(e.out, ModelID(string(id), e.model))
				e.at = at.End
			}
		case key == "data" && outer && c.First() == '[':
			list := c.Enter()
			for list.Next() {
				if list.First() == '{' {
					inner := list.Enter()
					e.object(&inner, false)
					list.Leave(&inner)
				}
			}
			c.Leave(&list)
		}
	}
}

// InputFile is the value of input_file_id in a request for a batch, if it is an id of ModelID.
func InputFile(body *llm.Object) (id, model string, ok bool) {
	s, _ := llm.Text(body.Get("input_file_id"))
	if len(bytes.TrimSpace(s)) == 0 {
		return "", "", false
	}
	return SplitModelID(string(s))
}

// SignatureMark is what the signature of a thinking block begins with if it holds a reasoning item of OpenAI's: the id of
// the item, a colon, and what was thought in encrypted form come behind it.
const SignatureMark = "openai:"

// OwnSignature reports whether a signature, a JSON string, is one of those. No other vendor takes it back.
func OwnSignature(raw []byte) bool { return bytes.HasPrefix(raw, []byte(`"`+SignatureMark)) }
