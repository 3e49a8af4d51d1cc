package bridge

import (
	"bytes"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
)

// tools writes the tools and the choice among them. Functions lie flat; those of the vendor's own, such as web_search,
// go out as they came.
func tools(b *dialect.Builder, r *openai.ChatRequest) error {
	web := r.Get("web_search_options")
	if len(r.Tools) == 0 && web == nil {
		return nil
	}
	b.Key("tools").Open('[')
	for i := range r.Tools {
		f := &r.Tools[i]
		switch {
		case f.Function():
			b.Open('{').Key("type").Lit(`"function"`).Key("name").Raw(f.Name).Member("description", f.Description)
			b.Key("parameters").Raw(f.Schema()).Key("strict").Bool(f.Strict).Close('}')
		case f.Free():
			if err := custom(b, r, dialect.Get(f.Raw, "custom")); err != nil {
				return err
			}
		default:
			b.Raw(f.Raw)
		}
	}
	if web != nil {
		search(b, web)
	}
	b.Close(']')
	choice(b, r)
	if r.Parallel >= 0 {
		b.Key("parallel_tool_calls").Bool(r.Parallel == 1)
	}
	return nil
}

func choice(b *dialect.Builder, r *openai.ChatRequest) {
	mode := ""
	switch r.Choice.Mode {
	case openai.ChoiceAuto:
		mode = "auto"
	case openai.ChoiceNone:
		mode = "none"
	case openai.ChoiceRequired:
		mode = "required"
	case openai.ChoiceNamed:
		b.Key("tool_choice").Open('{').Key("type").Quote(kindOf(r, r.Choice.Name)).Key("name").Raw(r.Choice.Name).Close('}')
		return
	default:
		return
	}
	if r.Choice.Allowed == nil {
		b.Key("tool_choice").Quote(mode)
		return
	}
	b.Key("tool_choice").Open('{').Key("type").Lit(`"allowed_tools"`).Key("mode").Quote(mode).Key("tools").Open('[')
	for _, name := range r.Choice.Allowed {
		b.Open('{').Key("type").Quote(kindOf(r, name)).Key("name").Raw(name).Close('}')
	}
	b.Close(']').Close('}')
}

// custom writes a tool with text as its input, flat, as functions are. A grammar lies one object deeper in chats
// (https://platform.openai.com/docs/api-reference/chat/create#chat-create-tools,
// https://platform.openai.com/docs/api-reference/responses/create#responses-create-tools).
func custom(b *dialect.Builder, r *openai.ChatRequest, tool []byte) error {
	name, format := dialect.Get(tool, "name"), dialect.Get(tool, "format")
	if len(name) < 3 || name[0] != '"' {
		return r.Bad("tools", "holds a tool of the type custom without a name")
	}
	b.Open('{').Key("type").Lit(`"custom"`).Key("name").Raw(name).Member("description", dialect.Get(tool, "description"))
	if grammar := dialect.Get(format, "grammar"); grammar != nil {
		b.Key("format").Open('{').Key("type").Lit(`"grammar"`)
		b.Member("syntax", dialect.Get(grammar, "syntax")).Member("definition", dialect.Get(grammar, "definition")).Close('}')
	} else if !dialect.Null(format) {
		b.Key("format").Raw(format)
	}
	b.Close('}')
	return nil
}

// kindOf is the type of the tool with a name, quoted.
func kindOf(r *openai.ChatRequest, name []byte) string {
	for i := range r.Tools {
		if f := &r.Tools[i]; f.Free() && bytes.Equal(dialect.Get(dialect.Get(f.Raw, "custom"), "name"), name) {
			return "custom"
		}
	}
	return "function"
}

// search is the tool that web_search_options ask for (https://platform.openai.com/docs/guides/tools-web-search).
func search(b *dialect.Builder, options []byte) {
	b.Open('{').Key("type").Lit(`"web_search"`).Member("search_context_size", dialect.Get(options, "search_context_size"))
	if place := dialect.Get(dialect.Get(options, "user_location"), "approximate"); len(place) > 0 && place[0] == '{' {
		b.Key("user_location").Open('{').Key("type").Lit(`"approximate"`)
		for _, key := range [...]string{"country", "region", "city", "timezone"} {
			b.Member(key, dialect.Get(place, key))
		}
		b.Close('}')
	}
	b.Close('}')
}
