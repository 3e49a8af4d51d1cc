package bedrock

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
)

// thoughts writes what the model thought before. A stream gives thinking in pieces of which the last has the signature,
// and a caller may send them back like that: they are put together again.
func (w *writer) thoughts(m *openai.ChatMessage) error {
	var pending []byte // a JSON string without its end
	for c := dialect.Array(m.Thinking); c.Next(); {
		text, signature, data := pieceOf(c.Value())
		switch {
		case data != nil:
			w.turn("assistant")
			w.thought(nil, nil, data)
			continue
		case text == nil:
			return w.r.Bad(m.At(".thinking_blocks"), "must be a list of objects of the type thinking or redacted_thinking")
		}
		if pending == nil {
			pending = append(pending, '"')
		}
		pending = append(pending, text[1:len(text)-1]...)
		if openai.OwnSignature(signature) { // another vendor's thoughts
			pending = nil
			continue
		}
		if signature != nil {
			w.turn("assistant")
			w.thought(append(pending, '"'), signature, nil)
			pending = nil
		}
	}
	// Only Claude signs, and takes nothing back that is not.
	if len(pending) > 1 {
		if w.s.family == familyClaude {
			return w.r.Bad(m.At(".thinking_blocks"), "holds thinking without a signature, which Claude does not take back")
		}
		w.turn("assistant")
		w.thought(append(pending, '"'), nil, nil)
	}
	return nil
}

// thought writes a block of thinking
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ReasoningContentBlock.html).
func (w *writer) thought(text, signature, data []byte) {
	switch {
	case data != nil:
		w.b.Open('{').Key("reasoningContent").Open('{').Key("redactedContent").Raw(data).Close('}').Close('}')
	case text != nil:
		w.b.Open('{').Key("reasoningContent").Open('{').Key("reasoningText").Open('{').Key("text").Raw(text)
		w.b.Member("signature", signature).Close('}').Close('}').Close('}')
	}
}

// pieceOf is what a thinking block holds, quoted: text and signature, or data that is encrypted. An empty signature is
// none.
func pieceOf(block []byte) (text, signature, data []byte) {
	redacted := false
	for c := dialect.Object(block); c.Next(); {
		v := c.Value()
		if len(v) < 2 || v[0] != '"' {
			continue
		}
		switch string(c.Key()) {
		case "type":
			redacted = string(v) == `"redacted_thinking"`
		case "thinking":
			text = v
		case "signature":
			if len(v) > 2 {
				signature = v
			}
		case "data":
			data = v
		}
	}
	if redacted {
		return nil, nil, data
	}
	return text, signature, nil
}
