package gemini

import (
	"bytes"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// callSign is the signature of the thought behind a call, quoted: told beside it, or within its id.
func callSign(c *openai.ToolCall) []byte {
	if v := dialect.Get(c.Specific, "thought_signature"); len(v) > 2 && v[0] == '"' {
		return v
	}
	_, sign, ok := bytes.Cut(c.ID, []byte(gemini.SignatureMark))
	if !ok || len(sign) < 2 {
		return nil
	}
	return append([]byte{'"'}, sign...) // sign ends with the quote of the id
}

// results writes the results of tools in a turn, in the order of the calls before it: Gemini tells them apart by name and
// order, while OpenAI's have ids and come in any order.
func (n *encoder) results(from, to int) error {
	var list []*openai.ChatMessage
	for i := from; i < to; i++ {
		if m := &n.r.Messages[i]; m.Role == openai.RoleTool {
			list = append(list, m)
		}
	}
	if len(list) == 0 {
		return nil
	}
	for i := from - 1; i >= 0; i-- {
		if n.r.Messages[i].Role == openai.RoleAssistant {
			list = ordered(list, n.r.Messages[i].Calls)
			break
		}
	}
	for _, m := range list {
		if err := n.result(m); err != nil {
			return err
		}
	}
	return nil
}

// maxOrdered is how many results are put in order. No model makes as many calls at once.
const maxOrdered = 512

// ordered returns results in the order of the calls that they are of. Those of no call keep their places at the end.
func ordered(list []*openai.ChatMessage, calls []openai.ToolCall) []*openai.ChatMessage {
	if len(list) < 2 || len(list) > maxOrdered || len(calls) > maxOrdered {
		return list
	}
	out := make([]*openai.ChatMessage, 0, len(list))
	for i := range calls {
		for k, m := range list {
			if m != nil && string(m.CallID) == string(calls[i].ID) {
				out = append(out, m)
				list[k] = nil
				break
			}
		}
	}
	for _, m := range list {
		if m != nil {
			out = append(out, m)
		}
	}
	return out
}

// result writes a functionResponse (https://ai.google.dev/api/caching#FunctionResponse). A result that is a JSON object is
// the response; a text is its output, or its error. Media are parts of it since Gemini 3, and parts of their own before.
func (n *encoder) result(m *openai.ChatMessage) error {
	name := m.Tool
	if name == nil {
		return n.r.Bad(m.At(".tool_call_id"), "is of no call in the messages before, and "+n.r.Vendor+" needs the name of the function: give the message a name")
	}
	var media []*openai.Part
	text := openai.ChatMessage{Index: m.Index}
	for i := range m.Parts {
		if p := &m.Parts[i]; p.Kind == openai.PartText {
			text.Parts = append(text.Parts, *p)
		} else {
			media = append(media, p)
		}
	}
	said, _ := text.Text()
	n.b.Open('{').Key("functionResponse").Open('{').Key("name").Raw(name).Key("response")
	switch object := objectIn(said); {
	case object != nil && (!m.Failed || dialect.Get(object, "error") != nil):
		n.b.Raw(object)
	case m.Failed:
		n.b.Open('{').Key("error").Raw(said).Close('}')
	default:
		n.b.Open('{').Key("output").Raw(said).Close('}')
	}
	for c := dialect.Object(dialect.Get(m.Specific, gemini.ResponseKey)); c.Next(); {
		n.b.Member(string(c.Key()), c.Value())
	}
	if n.o.three && len(media) > 0 {
		n.b.Key("parts").Open('[')
		if err := n.pictures(m, media); err != nil {
			return err
		}
		n.b.Close(']')
	}
	n.b.Close('}').Close('}')
	if n.o.three {
		return nil
	}
	return n.pictures(m, media)
}

func (n *encoder) pictures(m *openai.ChatMessage, list []*openai.Part) error {
	for _, p := range list {
		if err := n.part(m, p, nil); err != nil {
			return err
		}
	}
	return nil
}

// objectIn is the JSON object that a text consists of, or nil.
func objectIn(quoted []byte) []byte {
	text, ok := llm.Text(quoted)
	text = bytes.TrimSpace(text)
	if !ok || len(text) == 0 || text[0] != '{' {
		return nil
	}
	var o llm.Object
	if o.Parse(text) != nil {
		return nil
	}
	return text
}
