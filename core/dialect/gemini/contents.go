package gemini

import (
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// turn is one content, with its parts sorted by where a chat completions message has them.
type turn struct {
	at        string
	texts     []piece  // text and media, in order
	thoughts  [][]byte // Google parts with thought set
	calls     []piece
	responses []piece
	marks     [][]byte // signatures of parts that are neither thoughts nor calls
}

// piece is a part under translation.
type piece struct {
	at   string
	kind PartKind
	raw  []byte
	v    []byte // the text or object
	sign []byte
	rest []byte // members without a counterpart, without braces
}

// messages writes systemInstruction and contents as messages.
func (w *asker) messages() error {
	w.put(`,"messages":[`)
	empty := len(w.dst)
	if w.system != nil {
		if err := w.instruction(empty); err != nil {
			return err
		}
	}
	if w.contents == nil {
		return refuse("contents", "is missing")
	}
	list := w.contents
	if list[0] == '{' { // one content stands for a list of one, as in the reference
		list = append(append([]byte{'['}, list...), ']')
	}
	err := elements(list, "contents", func(at string, raw []byte) error {
		t, role, err := turnOf(raw, at)
		if err != nil {
			return err
		}
		switch role {
		case "", "user", "function":
			return w.user(t, empty)
		case "model":
			return w.model(t, empty)
		}
		return refuse(at+".role", "must be user or model")
	})
	if err != nil {
		return err
	}
	w.put("]")
	return nil
}

// instruction writes the system message. Parts that are no text cannot be in one.
func (w *asker) instruction(empty int) error {
	if w.system[0] == '"' {
		w.comma(empty)
		w.put(`{"role":"system","content":`)
		w.dst = append(append(w.dst, w.system...), '}')
		return nil
	}
	t, _, err := turnOf(w.system, "systemInstruction")
	if err != nil {
		return err
	}
	if len(t.calls)+len(t.responses)+len(t.thoughts) > 0 {
		return refuse("systemInstruction", "must hold text only")
	}
	if len(t.texts) == 0 {
		return nil
	}
	for i := range t.texts {
		if t.texts[i].kind != TextPart {
			return refuse(t.texts[i].at, "is no text: systemInstruction must hold text only")
		}
	}
	w.comma(empty)
	w.put(`{"role":"system","content":`)
	if err := w.content(t.texts); err != nil {
		return err
	}
	w.put("}")
	return nil
}

// turnOf reads a content (https://ai.google.dev/api/caching#Content).
func turnOf(raw []byte, at string) (t *turn, role string, err error) {
	t = &turn{at: at}
	err = members(raw, at, func(name string, v []byte) error {
		switch name {
		case "role":
			role = plain(v)
			return nil
		case "parts":
			if v[0] == '{' {
				return t.part(at+".parts", v)
			}
			return elements(v, at+".parts", t.part)
		}
		return refuse(at+"."+name, "is not known")
	})
	return t, role, err
}

// part sorts a part.
func (t *turn) part(at string, raw []byte) error {
	p := piece{at: at, raw: raw}
	thought := false
	if raw[0] == '"' { // a text may stand for a part with it
		p.kind, p.v = TextPart, raw
	} else if err := p.read(&thought); err != nil {
		return err
	}
	switch {
	case thought:
		t.thoughts = append(t.thoughts, raw)
		return nil
	case p.kind == FunctionCall:
		t.calls = append(t.calls, p)
		return nil
	case p.kind == FunctionResponse:
		t.responses = append(t.responses, p)
		return nil
	case p.kind != NoPart:
		t.texts = append(t.texts, p)
	}
	if p.sign != nil {
		t.marks = append(t.marks, p.sign)
	}
	return nil
}

// read takes a part that is an object apart.
func (p *piece) read(thought *bool) error {
	err := members(p.raw, p.at, func(name string, v []byte) error {
		var kind PartKind
		switch name {
		case "text":
			if v[0] != '"' {
				return refuse(p.at+".text", "must be a string")
			}
			kind = TextPart
		case "inlineData":
			kind = InlineData
		case "fileData":
			kind = FileData
		case "functionCall":
			kind = FunctionCall
		case "functionResponse":
			kind = FunctionResponse
		case "thought":
			*thought = v[0] == 't'
			return nil
		case "thoughtSignature":
			p.sign = v
			return nil
		case "executableCode", "codeExecutionResult", "toolCall", "toolResponse":
			kind = OtherPart
		default:
			if len(p.rest) > 0 {
				p.rest = append(p.rest, ',')
			}
			p.rest = append(append(append(append(p.rest, '"'), name...), `":`...), v...)
			return nil
		}
		if p.kind != NoPart {
			return refuse(p.at, "holds data of two kinds")
		}
		p.kind, p.v = kind, v
		return nil
	})
	if p.kind == NoPart && len(p.rest) > 0 {
		p.kind = OtherPart
	}
	return err
}

// user writes the message of a user, after the results of tools that came with it: these must follow the calls.
func (w *asker) user(t *turn, empty int) error {
	if len(t.thoughts)+len(t.calls) > 0 {
		return refuse(t.at, "holds a thought or a functionCall, which only the role model has")
	}
	for i := range t.responses {
		w.comma(empty)
		if err := w.response(&t.responses[i]); err != nil {
			return err
		}
	}
	if len(t.texts) == 0 {
		return nil
	}
	w.comma(empty)
	w.put(`{"role":"user","content":`)
	if err := w.content(t.texts); err != nil {
		return err
	}
	w.put("}")
	return nil
}

// model writes the message of the assistant.
func (w *asker) model(t *turn, empty int) error {
	if len(t.responses) > 0 {
		return refuse(t.at, "holds a functionResponse, which the role model does not have")
	}
	if len(t.texts)+len(t.calls)+len(t.thoughts)+len(t.marks) == 0 {
		return nil
	}
	w.comma(empty)
	w.put(`{"role":"assistant","content":`)
	if len(t.texts) == 0 {
		w.put("null")
	} else if err := w.content(t.texts); err != nil {
		return err
	}
	w.thoughts(t.thoughts)
	for i := range t.calls {
		if err := w.call(&t.calls[i], i); err != nil {
			return err
		}
	}
	if len(t.calls) > 0 {
		w.put("]")
	}
	if len(t.marks) > 0 {
		w.put(`,"provider_specific_fields":{"thought_signatures":[`)
		for i, mark := range t.marks {
			if i > 0 {
				w.put(",")
			}
			w.dst = append(w.dst, mark...)
		}
		w.put("]}")
	}
	w.put("}")
	return nil
}

// thoughts writes what the model thought, as a text and as the blocks that vendors want back.
func (w *asker) thoughts(list [][]byte) {
	if len(list) == 0 {
		return
	}
	blocks, said := appendBlocks(nil, list)
	if len(said) > 0 {
		w.put(`,"reasoning_content":"`)
		w.dst = append(append(w.dst, said...), '"')
	}
	if len(blocks) > 2 {
		w.member("thinking_blocks", blocks)
	}
}

// call writes a functionCall.
func (w *asker) call(p *piece, i int) error {
	var c Call
	if err := w.callOf(p, &c); err != nil {
		return err
	}
	id := plain(c.ID)
	if id == "" {
		id = w.newID()
	}
	w.calls = append(w.calls, call{id: id, name: plain(c.Name)})
	if i == 0 {
		w.put(`,"tool_calls":[`)
	} else {
		w.put(",")
	}
	w.dst = llm.AppendQuoted(append(w.dst, `{"id":`...), id)
	w.put(`,"type":"function","function":{"name":`)
	w.dst = append(w.dst, c.Name...)
	w.put(`,"arguments":`)
	if c.Args == nil {
		w.put(`"{}"`)
	} else {
		w.dst = llm.AppendQuoted(w.dst, string(c.Args))
	}
	w.put("}")
	if p.sign != nil {
		w.put(`,"provider_specific_fields":{"thought_signature":`)
		w.dst = append(append(w.dst, p.sign...), '}')
	}
	w.put("}")
	return nil
}

func (w *asker) newID() string {
	w.made++
	return "call_" + strconv.Itoa(w.made)
}

// callOf reads a functionCall or functionResponse.
func (w *asker) callOf(p *piece, c *Call) error {
	what := ".functionCall"
	if p.kind == FunctionResponse {
		what = ".functionResponse"
	}
	if len(p.rest) > 0 {
		return refuse(p.at, "holds a member beside"+strings.ReplaceAll(what, ".", " ")+" that has no counterpart for this model")
	}
	err := members(p.v, p.at+what, func(name string, v []byte) error {
		if (name == "args" || name == "response") && v[0] != '{' {
			return refuse(p.at+what+"."+name, "must be an object")
		}
		if p.kind == FunctionCall && name != "id" && name != "name" && name != "args" {
			return refuse(p.at+what+"."+name, "has no counterpart for this model")
		}
		return nil
	})
	if err != nil {
		return err
	}
	ScanCall(p.v, c)
	if dialect.Blank(c.Name) {
		return refuse(p.at+what+".name", "is missing")
	}
	return nil
}

// response writes a functionResponse as the message of a tool: its object as JSON in a string. One that has an error and no
// output is a failure (https://ai.google.dev/api/caching#FunctionResponse).
func (w *asker) response(p *piece) error {
	var c Call
	if err := w.callOf(p, &c); err != nil {
		return err
	}
	id, known := w.answer(plain(c.ID), plain(c.Name))
	w.dst = llm.AppendQuoted(append(w.dst, `{"role":"tool","tool_call_id":`...), id)
	if !known {
		w.member("name", c.Name)
	}
	w.put(`,"content":`)
	said := "{}"
	if c.Response != nil {
		said = string(c.Response)
	}
	if len(c.Parts) <= 2 {
		w.dst = llm.AppendQuoted(w.dst, said)
	} else {
		w.dst = llm.AppendQuoted(append(w.dst, `[{"type":"text","text":`...), said)
		w.put("}")
		err := elements(c.Parts, p.at+".functionResponse.parts", func(at string, raw []byte) error {
			m := piece{at: at, raw: raw}
			var thought bool
			if err := m.read(&thought); err != nil {
				return err
			}
			w.put(",")
			return w.media(&m)
		})
		if err != nil {
			return err
		}
		w.put("]")
	}
	if !dialect.Null(dialect.Get(c.Response, "error")) && dialect.Null(dialect.Get(c.Response, "output")) {
		w.put(`,"is_error":true`)
	}
	if c.More > 0 {
		w.put(`,"provider_specific_fields":{"` + ResponseKey + `":{`)
		start := len(w.dst)
		for m := dialect.Object(p.v); m.Next(); {
			switch name := camel(m.Key()); name {
			case "id", "name", "response", "parts":
			default:
				w.comma(start)
				w.put(`"` + name + `":`)
				w.dst = append(w.dst, m.Value()...)
			}
		}
		w.put("}}")
	}
	w.put("}")
	return nil
}

// answer finds the call that a response is for. known is false if there is none.
func (w *asker) answer(id, name string) (_ string, known bool) {
	for i := range w.calls {
		c := &w.calls[i]
		if !c.answered && (id != "" && c.id == id || id == "" && c.name == name) {
			c.answered = true
			return c.id, true
		}
	}
	if id == "" {
		id = w.newID()
	}
	return id, false
}
