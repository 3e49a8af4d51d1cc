package dialect

import "github.com/sallyport-ai/sallyport/core/llm"

// Said is what a message of a chat completion says, or a delta of one, with the reference's extensions
// (https://docs.litellm.ai/docs/reasoning_content). The slices are JSON as written, and nil for what is absent or null.
type Said struct {
	Content, Refusal, Reasoning, Thinking, Calls, Specific, Annotations, Images []byte
}

// Scan reads a message or a delta. What m held before is gone.
func (m *Said) Scan(raw []byte) {
	*m = Said{}
	for c := Object(raw); c.Next(); {
		v := c.Value()
		if Null(v) {
			continue
		}
		switch string(c.Key()) {
		case "content":
			m.Content = v
		case "refusal":
			m.Refusal = v
		case "reasoning_content":
			m.Reasoning = v
		case "reasoning":
			if m.Reasoning == nil && v[0] == '"' {
				m.Reasoning = v
			}
		case "thinking_blocks":
			m.Thinking = v
		case "tool_calls":
			m.Calls = v
		case "provider_specific_fields":
			m.Specific = v
		case "annotations":
			m.Annotations = v
		case "images":
			m.Images = v
		}
	}
	if m.Thinking == nil && m.Specific != nil {
		m.Thinking = Given(Get(m.Specific, "thinking_blocks"))
	}
}

// FirstChoice is the choice of a chunk with the index 0, or nil. Other choices may come in chunks of their own.
func FirstChoice(choices []byte) []byte {
	for list := Array(choices); list.Next(); {
		if Int(Get(list.Value(), "index")) == 0 {
			return list.Value()
		}
	}
	return nil
}

// ImageLink is an image of an answer as a text in Markdown, quoted, for APIs whose answers have no images. It is nil for
// one without a URL.
func ImageLink(image []byte) []byte {
	url, ok := llm.Text(Get(Get(image, "image_url"), "url"))
	if !ok || len(url) == 0 {
		return nil
	}
	return llm.AppendQuoted(nil, "![image]("+string(url)+")")
}

// Served is the tier of service that a string names, quoted as in JSON; what is no string names none.
func Served(raw []byte) llm.Served {
	if Blank(raw) {
		return 0
	}
	return llm.ServedBy(raw[1 : len(raw)-1])
}

// CallPiece is what a delta says of a call of a tool. The slices are JSON as written.
type CallPiece struct {
	ID, Name, Arguments []byte
	index               int64
	indexed             bool
}

// Scan reads an element of tool_calls.
func (p *CallPiece) Scan(raw []byte) {
	*p = CallPiece{ID: Get(raw, "id")}
	if at := Get(raw, "index"); !Null(at) {
		p.index, p.indexed = Int(at), true
	}
	function := Get(raw, "function")
	p.Name, p.Arguments = Get(function, "name"), Get(function, "arguments")
}

// Calls follows the calls of a stream whose events have one call after another.
type Calls struct {
	N     int // how many began
	index int64
	id    []byte
}

// Another reports whether the piece is not of the call that began last. Some vendors give all calls one index, others
// none.
func (c *Calls) Another(p *CallPiece) bool {
	return p.indexed && p.index != c.index || !Blank(p.ID) && !Blank(p.Name) && string(p.ID) != string(c.id)
}

// Begin takes note that a call begins with the piece.
func (c *Calls) Begin(p *CallPiece) {
	c.N++
	if p.indexed {
		c.index = p.index
	}
	c.id = append(c.id[:0], p.ID...)
}
