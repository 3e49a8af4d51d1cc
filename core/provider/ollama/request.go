package ollama

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// chat writes a chat.
func chat(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	b := dialect.Build(dst)
	b.Open('{').Key("model").Raw(t.Site.Model).Key("messages").Open('[')
	for i := range r.Messages {
		if err := message(&b, r, &r.Messages[i]); err != nil {
			return nil, err
		}
	}
	b.Close(']')
	if err := tools(&b, r); err != nil {
		return nil, err
	}
	switch r.Format.Kind {
	case openai.FormatObject:
		b.Key("format").Lit(`"json"`)
	case openai.FormatSchema:
		b.Key("format").Raw(r.Format.Schema)
	}
	if err := think(&b, t, r); err != nil {
		return nil, err
	}
	if err := options(&b, r); err != nil {
		return nil, err
	}
	b.Key("stream").Bool(t.Exchange.Streamed).Close('}')
	return b.Bytes(), nil
}

// generate writes a text completion.
func generate(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	prompt, err := provider.OnePrompt(r)
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("model").Raw(t.Site.Model).Key("prompt").Raw(prompt).Member("suffix", r.Get("suffix"))
	if err := options(&b, r); err != nil {
		return nil, err
	}
	b.Key("stream").Bool(t.Exchange.Streamed).Close('}')
	return b.Bytes(), nil
}

// options writes the parameters: those of the runner into an object of their own, and the others, such as keep_alive,
// beside it.
func options(b *dialect.Builder, r *openai.ChatRequest) error {
	stop, err := r.Stop()
	if err != nil {
		return err
	}
	given := r.Get("options")
	if len(given) > 0 && given[0] != '{' {
		return r.Bad("options", "must be an object")
	}
	limit := r.MaxTokens()
	b.Key("options").Open('{')
	for c := dialect.Object(given); c.Next(); {
		b.Member(string(c.Key()), c.Value())
	}
	b.Member("num_predict", limit).Member("stop", stop)
	for name, v := range r.Rest {
		if option(name) {
			b.Member(name, v)
		}
	}
	b.Close('}')
	for name, v := range r.Rest {
		if !option(name) {
			b.Member(name, v)
		}
	}
	return nil
}

// think asks for thinking. Most models can only be told whether to, and gpt-oss how much, as the reference has it
// (litellm/llms/ollama/chat/transformation.py).
func think(b *dialect.Builder, t *provider.Turn, r *openai.ChatRequest) error {
	effort, err := r.Effort()
	switch {
	case err != nil || effort == "":
		return err
	case strings.HasPrefix(t.Site.Deployment.Model, "gpt-oss") && effort != "none":
		b.Key("think").Quote(effort)
	default:
		b.Key("think").Bool(effort != "none")
	}
	return nil
}

func message(b *dialect.Builder, r *openai.ChatRequest, m *openai.ChatMessage) error {
	b.Open('{')
	switch m.Role {
	case openai.RoleSystem:
		b.Key("role").Lit(`"system"`)
	case openai.RoleUser:
		b.Key("role").Lit(`"user"`)
	case openai.RoleAssistant:
		b.Key("role").Lit(`"assistant"`)
	case openai.RoleTool:
		b.Key("role").Lit(`"tool"`).Member("tool_name", m.Tool).Member("tool_call_id", m.CallID)
	}
	text, images := []byte{'"'}, 0
	if m.Failed {
		text = append(text, "Error: "...)
	}
	for i := range m.Parts {
		switch p := &m.Parts[i]; {
		case p.Kind == openai.PartText:
			text = append(text, p.Text[1:len(p.Text)-1]...)
		case p.Kind == openai.PartImage && p.Media.Data != nil:
			images++
		case p.Kind == openai.PartImage:
			return r.BadMedia(m, p, "must be an image in the request itself, as a data URL: "+Name+" fetches none")
		default:
			return r.BadPart(m, p)
		}
	}
	b.Key("content").Raw(append(text, '"')).Member("thinking", m.Reasoning)
	if images > 0 {
		b.Key("images").Open('[')
		for i := range m.Parts {
			if m.Parts[i].Kind == openai.PartImage {
				b.QuoteBytes(m.Parts[i].Media.Data)
			}
		}
		b.Close(']')
	}
	if err := calls(b, r, m); err != nil {
		return err
	}
	b.Close('}')
	return nil
}

func calls(b *dialect.Builder, r *openai.ChatRequest, m *openai.ChatMessage) error {
	if len(m.Calls) == 0 {
		return nil
	}
	b.Key("tool_calls").Open('[')
	for i := range m.Calls {
		c := &m.Calls[i]
		arguments, ok := c.Object()
		if !ok {
			return r.Bad(m.At(".tool_calls"), "holds arguments that are not a JSON object")
		}
		b.Open('{').Key("id").Raw(c.ID).Key("function").Open('{').Key("name").Raw(c.Name).Key("arguments").Raw(arguments).Close('}').Close('}')
	}
	b.Close(']')
	return nil
}

// tools writes the functions. Whether the model uses them is its own decision: it cannot be told to.
func tools(b *dialect.Builder, r *openai.ChatRequest) error {
	if m := r.Choice.Mode; (m == openai.ChoiceRequired || m == openai.ChoiceNamed) && !r.Drop {
		return r.Bad("tool_choice", "must be auto or none: "+Name+" cannot be told to use a tool")
	}
	if len(r.Tools) == 0 || r.Choice.Mode == openai.ChoiceNone {
		return nil
	}
	b.Key("tools").Open('[')
	for i := range r.Tools {
		f := &r.Tools[i]
		if !f.Function() {
			return r.Bad("tools", "holds a tool that is no function, which cannot be sent to "+Name)
		}
		b.Open('{').Key("type").Lit(`"function"`).Key("function").Open('{').Key("name").Raw(f.Name)
		b.Member("description", f.Description).Key("parameters").Raw(f.Schema()).Close('}').Close('}')
	}
	b.Close(']')
	return nil
}

// embed writes a request for embeddings.
func embed(t *provider.Turn, dst []byte) ([]byte, error) {
	texts, err := t.Inputs()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("model").Raw(t.Site.Model).Key("input").Open('[')
	for _, text := range texts {
		b.Raw(text)
	}
	b.Close(']')
	t.Params.Get("encoding_format")
	b.Key("options").Open('{')
	for name, v := range t.Params.Rest {
		if option(name) {
			b.Member(name, v)
		}
	}
	b.Close('}')
	for name, v := range t.Params.Rest {
		if !option(name) {
			b.Member(name, v)
		}
	}
	b.Close('}')
	return b.Bytes(), nil
}
