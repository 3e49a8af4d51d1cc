package bedrock

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
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

// novaThinking writes the effort of Nova 2; the models before do not reason. made says that the effort was made of a budget,
// which then stays below the high one if the request says what that does not go with.
func (w *writer) novaThinking(level string, made bool) error {
	if firstNova(w.s.name) {
		if level == "none" || w.r.Drop {
			return nil
		}
		return w.r.Bad("reasoning_effort", "cannot be set for this model: remove it or set drop_params")
	}
	if level == "none" {
		w.add("reasoningConfig", []byte(`{"type":"disabled"}`))
		return nil
	}
	// A request in Anthropic's dialect always has max_tokens.
	if level == "high" && (made || w.t.Exchange.Dialect == llm.DialectMessages) && len(w.limits()) > 0 {
		level = "medium"
	}
	w.add("reasoningConfig", []byte(`{"type":"enabled","maxReasoningEffort":"`+level+`"}`))
	return nil
}

// firstNova reports whether a model is one of Nova's first generation
// (https://docs.aws.amazon.com/nova/latest/userguide/what-is-nova.html).
func firstNova(name string) bool {
	return contains(name, "nova-micro", "nova-lite", "nova-pro", "nova-premier")
}

// limits are the parameters of a request that the high effort does not go with.
func (w *writer) limits() (names []string) {
	for _, name := range [...]string{"max_tokens", "max_completion_tokens", "temperature", "top_p"} {
		if w.r.Get(name) != nil {
			names = append(names, name)
		}
	}
	return names
}

// highest reports whether the model is told to think as much as it can, by the caller's own words too. With that it takes
// no maxTokens, temperature and topP
// (https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html).
func (w *writer) highest() bool {
	if w.s.family != familyNova {
		return false
	}
	is := func(v []byte) bool {
		kind, effort := dialect.Get(v, "type"), dialect.Get(v, "maxReasoningEffort")
		return string(kind) != `"disabled"` && string(effort) == `"high"`
	}
	if v := dialect.Get(w.r.Get("additionalModelRequestFields"), "reasoningConfig"); v != nil {
		return is(v)
	}
	for i := range w.extra {
		if w.extra[i].Name == "reasoningConfig" {
			return is(w.extra[i].Value)
		}
	}
	for i := range w.r.Params {
		if w.r.Params[i].Name == "reasoningConfig" {
			return is(w.r.Params[i].Value)
		}
	}
	return false
}
