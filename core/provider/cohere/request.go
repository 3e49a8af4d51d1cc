package cohere

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// request writes a chat as https://docs.cohere.com/reference/chat has it.
func request(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
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
	case openai.FormatText:
		b.Key("response_format").Lit(`{"type":"text"}`)
	case openai.FormatObject:
		b.Key("response_format").Lit(`{"type":"json_object"}`)
	case openai.FormatSchema:
		b.Key("response_format").Open('{').Key("type").Lit(`"json_object"`).Key("json_schema").Raw(r.Format.Schema).Close('}')
	}
	stop, err := r.Stop()
	if err != nil {
		return nil, err
	}
	b.Member("stop_sequences", stop).Member("max_tokens", r.MaxTokens()).Member("p", r.Get("top_p"))
	if k := r.Get("top_k"); k != nil {
		b.Member("k", k)
	}
	if err := thinking(&b, r); err != nil {
		return nil, err
	}
	// The others have the same names on both sides, or are Cohere's own, such as documents and safety_mode.
	for name, v := range r.Rest {
		b.Member(name, v)
	}
	if t.Exchange.Streamed {
		b.Key("stream").Bool(true)
	}
	b.Close('}')
	return b.Bytes(), nil
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
		return assistant(b, r, m)
	case openai.RoleTool:
		b.Key("role").Lit(`"tool"`).Key("tool_call_id").Raw(m.CallID)
	}
	b.Key("content")
	if text, ok := m.Text(); ok {
		b.Raw(text).Close('}')
		return nil
	}
	b.Open('[')
	for i := range m.Parts {
		p := &m.Parts[i]
		switch {
		case p.Kind == openai.PartText:
			b.Open('{').Key("type").Lit(`"text"`).Key("text").Raw(p.Text).Close('}')
		case p.Kind == openai.PartImage && m.Role == openai.RoleUser && p.Media.ID == nil:
			image(b, &p.Media)
		case string(p.Type) == `"document"`:
			b.Raw(p.Raw)
		default:
			return r.BadPart(m, p)
		}
	}
	b.Close(']').Close('}')
	return nil
}

// image writes an image: https://docs.cohere.com/docs/image-inputs.
func image(b *dialect.Builder, m *openai.Media) {
	b.Open('{').Key("type").Lit(`"image_url"`).Key("image_url").Open('{').Key("url")
	if m.URL != nil {
		b.QuoteBytes(m.URL)
	} else {
		b.Quote("data:" + string(m.Type) + ";base64," + string(m.Data))
	}
	if m.Detail != nil {
		b.Key("detail").QuoteBytes(m.Detail)
	}
	b.Close('}').Close('}')
}

// assistant writes an earlier answer. What it thought before it called tools is its plan.
func assistant(b *dialect.Builder, r *openai.ChatRequest, m *openai.ChatMessage) error {
	text, ok := m.Text()
	if !ok {
		for i := range m.Parts {
			if p := &m.Parts[i]; p.Kind != openai.PartText {
				return r.BadPart(m, p)
			}
		}
	}
	if len(m.Calls) > 0 {
		b.Member("tool_plan", m.Reasoning).Key("tool_calls").Open('[')
		for i := range m.Calls {
			c := &m.Calls[i]
			b.Open('{').Key("id").Raw(c.ID).Key("type").Lit(`"function"`).Key("function").Open('{').Key("name").Raw(c.Name)
			arguments, ok := c.Object()
			if !ok {
				return r.Bad(m.At(".tool_calls"), "holds arguments that are not a JSON object")
			}
			b.Key("arguments").QuoteBytes(arguments).Close('}').Close('}')
		}
		b.Close(']')
		if len(text) > 2 {
			b.Key("content").Raw(text)
		}
		b.Close('}')
		return nil
	}
	b.Key("content")
	if m.Reasoning != nil {
		b.Open('[').Open('{').Key("type").Lit(`"thinking"`).Key("thinking").Raw(m.Reasoning).Close('}')
		b.Open('{').Key("type").Lit(`"text"`).Key("text").Raw(text).Close('}').Close(']').Close('}')
		return nil
	}
	b.Raw(text).Close('}')
	return nil
}

// tools writes the functions. Cohere can be told to use one of them, and not which: for a named choice it gets only that
// one (https://docs.cohere.com/docs/tool-use-usage-patterns#forcing-tool-usage).
func tools(b *dialect.Builder, r *openai.ChatRequest) error {
	if len(r.Tools) == 0 {
		return nil
	}
	strict, found := false, r.Choice.Mode != openai.ChoiceNamed
	b.Key("tools").Open('[')
	for i := range r.Tools {
		f := &r.Tools[i]
		if !f.Function() {
			return r.Bad("tools", "holds a tool that is no function, which cannot be sent to "+Name)
		}
		if r.Choice.Mode == openai.ChoiceNamed && string(r.Choice.Name) != string(f.Name) {
			continue
		}
		found, strict = true, strict || f.Strict
		b.Open('{').Key("type").Lit(`"function"`).Key("function").Open('{').Key("name").Raw(f.Name)
		b.Member("description", f.Description).Key("parameters").Raw(f.Schema()).Close('}').Close('}')
	}
	b.Close(']')
	if !found {
		return r.Bad("tool_choice", "names a function that is not among the tools")
	}
	if strict && r.Get("strict_tools") == nil {
		b.Key("strict_tools").Bool(true)
	}
	switch r.Choice.Mode {
	case openai.ChoiceRequired, openai.ChoiceNamed:
		b.Key("tool_choice").Lit(`"REQUIRED"`)
	case openai.ChoiceNone:
		b.Key("tool_choice").Lit(`"NONE"`)
	}
	return nil
}

// thinking translates reasoning_effort into a budget of tokens, for which the reference has the numbers
// (litellm/constants.py). A thinking of the caller's own goes out as it is: https://docs.cohere.com/docs/reasoning.
func thinking(b *dialect.Builder, r *openai.ChatRequest) error {
	effort, err := r.Effort()
	if err != nil || effort == "" {
		return err
	}
	if r.Get("thinking") != nil {
		return r.Bad("reasoning_effort", "and `thinking` say the same: write one of them")
	}
	budget := int64(0)
	switch effort {
	case "none":
		b.Key("thinking").Lit(`{"type":"disabled"}`)
		return nil
	case "minimal", "low":
		budget = 1024
	case "medium":
		budget = 2048
	case "high":
		budget = 4096
	default:
		return r.Bad("reasoning_effort", "must be none, minimal, low, medium or high")
	}
	b.Key("thinking").Open('{').Key("type").Lit(`"enabled"`).Key("token_budget").Int(budget).Close('}')
	return nil
}

// embed writes a request for embeddings: https://docs.cohere.com/reference/embed. The API wants to know what they are
// for; the reference says documents to search in (litellm/llms/cohere/embed/transformation.py).
func embed(t *provider.Turn, dst []byte) ([]byte, error) {
	texts, err := t.Inputs()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("model").Raw(t.Site.Model).Key("texts").Open('[')
	for _, text := range texts {
		b.Raw(text)
	}
	b.Close(']')
	t.Params.Get("encoding_format")
	b.Member("output_dimension", t.Params.Get("dimensions"))
	if v := t.Params.Get("input_type"); v != nil {
		b.Member("input_type", v)
	} else {
		b.Key("input_type").Lit(`"search_document"`)
	}
	if v := t.Params.Get("embedding_types"); v != nil {
		b.Member("embedding_types", v)
	} else {
		b.Key("embedding_types").Lit(`["float"]`)
	}
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}
