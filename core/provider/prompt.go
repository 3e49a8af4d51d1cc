package provider

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
)

// Prompt writes a conversation as one text, a string in JSON, for APIs that know no messages. A single message is its
// text; in a longer conversation each says whose it is, and the assistant's turn is next. System messages come first,
// unless split leaves them out. Parts that are no text are an error, unless other takes them.
func Prompt(r *openai.ChatRequest, split bool, other func(*openai.ChatMessage, *openai.Part) bool) ([]byte, error) {
	turns := 0
	for i := range r.Messages {
		if r.Messages[i].Role != openai.RoleSystem {
			turns++
		}
	}
	out, some := []byte{'"'}, false
	add := func(m *openai.ChatMessage, label string) error {
		if some {
			out = append(out, `\n\n`...)
		}
		some = true
		out = append(out, label...)
		if m.Failed {
			out = append(out, "Error: "...)
		}
		for i := range m.Parts {
			p := &m.Parts[i]
			if p.Kind == openai.PartText {
				out = append(out, p.Text[1:len(p.Text)-1]...)
			} else if other == nil || !other(m, p) {
				return r.BadPart(m, p)
			}
		}
		return nil
	}
	for i := range r.Messages {
		m := &r.Messages[i]
		label := ""
		switch {
		case m.Role == openai.RoleSystem && split:
			continue
		case m.Role != openai.RoleSystem && turns > 1:
			label = map[openai.Role]string{openai.RoleUser: "User: ", openai.RoleAssistant: "Assistant: ", openai.RoleTool: "Tool: "}[m.Role]
		}
		if err := add(m, label); err != nil {
			return nil, err
		}
	}
	if turns > 1 {
		out = append(out, `\n\nAssistant:`...)
	}
	return append(out, '"'), nil
}

// OnePrompt is the prompt of a text completion, for vendors that answer one text at a time.
func OnePrompt(r *openai.ChatRequest) ([]byte, error) {
	prompt := r.Get("prompt")
	if c := dialect.Array(prompt); c.Next() {
		prompt = c.Value()
		if c.Next() {
			return nil, r.Bad("prompt", "must be one text: "+r.Vendor+" answers one at a time")
		}
	}
	if len(prompt) == 0 || prompt[0] != '"' {
		return nil, r.Bad("prompt", "must be a text")
	}
	return prompt, nil
}

// ReadEmbeddings reads an answer with embeddings that has nearly the form of OpenAI's: a list in data, and a usage.
func ReadEmbeddings(t *Turn, body, dst []byte) ([]byte, error) {
	e := openai.NewEmbeddings(dst, t.Exchange.Body.Get("encoding_format"))
	for c := dialect.Array(dialect.Get(body, "data")); c.Next(); {
		if !e.Add(dialect.Get(c.Value(), "embedding")) {
			return nil, t.Garbled("holds an embedding that is neither a list of numbers nor a string")
		}
	}
	if e.Len() == 0 {
		if dialect.Get(body, "detail") != nil || dialect.Get(body, "error") != nil {
			return nil, t.Fail(200, body)
		}
		return nil, t.Garbled("has no embeddings")
	}
	ReadUsage(dialect.Get(body, "usage"), &t.Usage)
	t.Usage.Prompt = max(t.Usage.Prompt, t.Usage.Total)
	return e.End(t.Model(), t.Usage), nil
}
