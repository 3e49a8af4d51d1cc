package bridge

import (
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
		case string(f.Kind) != `"custom"`:
			b.Raw(f.Raw)
		case !r.Drop:
			return r.Bad("tools", "holds a tool of the type custom, whose calls chats with this model cannot carry: make it a function")
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
		b.Key("tool_choice").Open('{').Key("type").Lit(`"function"`).Key("name").Raw(r.Choice.Name).Close('}')
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
		b.Open('{').Key("type").Lit(`"function"`).Key("name").Raw(name).Close('}')
	}
	b.Close(']').Close('}')
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
