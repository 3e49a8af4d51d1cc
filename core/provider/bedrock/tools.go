package bedrock

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// jsonTool is the tool that a model answers with when JSON is wanted. The name is the reference's
// (litellm/constants.py, RESPONSE_FORMAT_TOOL_NAME).
const jsonTool = "json_tool_call"

// system writes the system messages, which stand apart.
func (w *writer) system() error {
	begun := false
	open := func() {
		if !begun {
			w.b.Key("system").Open('[')
		}
		begun = true
	}
	for i := range w.r.Messages {
		m := &w.r.Messages[i]
		if m.Role != openai.RoleSystem {
			continue
		}
		wrote := false
		for j := range m.Parts {
			p := &m.Parts[j]
			if p.Kind == openai.PartText && blank(p.Text) {
				continue
			}
			open()
			switch {
			case p.Kind == openai.PartText:
				w.b.Open('{').Key("text").Raw(p.Text).Close('}')
			case p.Kind != openai.PartOther || !w.other(p, false):
				return w.r.BadPart(m, p)
			}
			w.cache(p.Cache)
			wrote = true
		}
		if wrote {
			w.cache(m.Cache)
		}
	}
	if begun {
		w.b.Close(']')
	}
	return nil
}

// tools writes toolConfig (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html).
// Tools that Claude knows by a type of their own are not for Converse but for the model.
func (w *writer) tools() error {
	var native []byte
	functions := 0
	for i := range w.r.Tools {
		t := &w.r.Tools[i]
		if t.Function() {
			functions++
			continue
		}
		if w.s.family != familyClaude {
			return w.r.Bad("tools", "holds one of the type "+clipped(t.Kind)+", which cannot be sent to this model")
		}
		native = append(append(native, ','), t.Raw...)
	}
	if native != nil {
		native[0] = '['
		w.add("tools", append(native, ']'))
	}
	if w.r.Choice.Mode == openai.ChoiceNone && !w.jsonTool {
		if !w.called() {
			return nil // without tools none is called
		}
		if !w.r.Drop {
			return w.r.Bad("tool_choice", "cannot be none for Bedrock once tools were called in the conversation: remove it or set drop_params")
		}
	}
	if functions == 0 && !w.jsonTool {
		return nil
	}
	w.b.Key("toolConfig").Open('{').Key("tools").Open('[')
	for i := range w.r.Tools {
		if err := w.tool(&w.r.Tools[i]); err != nil {
			return err
		}
	}
	if w.jsonTool {
		w.answerTool()
	}
	w.b.Close(']')
	err := w.choice(functions > 0)
	w.b.Close('}')
	return err
}

func clipped(kind []byte) string {
	s, _ := llm.Text(kind)
	return string(s[:min(len(s), 64)])
}

// called reports whether the conversation holds calls of tools, without whose definition the API takes none.
func (w *writer) called() bool {
	for i := range w.r.Messages {
		if len(w.r.Messages[i].Calls) > 0 || w.r.Messages[i].Role == openai.RoleTool {
			return true
		}
	}
	return false
}

func (w *writer) tool(t *openai.Tool) error {
	if !t.Function() {
		return nil
	}
	if w.jsonTool && string(t.Name) == `"`+jsonTool+`"` {
		return w.r.Bad("tools", "holds a function called "+jsonTool+", which stands for the answer when response_format asks for JSON: name it otherwise")
	}
	w.b.Open('{').Key("toolSpec").Open('{').Key("name").Raw(t.Name)
	if len(t.Description) > 2 {
		w.b.Member("description", t.Description)
	}
	w.b.Key("inputSchema").Open('{').Key("json")
	w.schema(t.Schema())
	w.b.Close('}')
	if t.Strict && w.s.family == familyClaude && w.s.version(4, 5) {
		w.b.Key("strict").Lit("true")
	}
	w.b.Close('}').Close('}')
	w.cache(t.Cache)
	return nil
}

// schema writes the schema of a tool's input, which must say that it is an object.
func (w *writer) schema(v []byte) {
	if dialect.Get(v, "type") != nil {
		w.b.Raw(v)
		return
	}
	w.b.Open('{').Key("type").Lit(`"object"`)
	for c := dialect.Object(v); c.Next(); {
		w.b.Key(string(c.Key())).Raw(c.Value())
	}
	w.b.Close('}')
}

// answerTool is the tool whose input is the answer.
func (w *writer) answerTool() {
	w.b.Open('{').Key("toolSpec").Open('{').Key("name").Quote(jsonTool)
	if d := w.r.Format.Description; len(d) > 2 {
		w.b.Member("description", d)
	} else {
		w.b.Key("description").Quote("Gives the answer as JSON.")
	}
	w.b.Key("inputSchema").Open('{').Key("json")
	if w.r.Format.Schema == nil {
		w.b.Lit(`{"type":"object","properties":{},"additionalProperties":true}`)
	} else {
		w.schema(w.r.Format.Schema)
	}
	w.b.Close('}').Close('}').Close('}')
}

// choice writes toolChoice. own says that the caller has tools besides the one for JSON, which the model must stay free to
// use; and a model that thinks cannot be forced.
func (w *writer) choice(own bool) error {
	c := w.r.Choice
	if w.r.Parallel == 0 && w.s.family == familyClaude {
		w.oneAtATime(c)
	} else if w.r.Parallel == 0 && !w.r.Drop {
		return w.r.Bad("parallel_tool_calls", "cannot be false for this model: remove it or set drop_params")
	}
	thinks := w.budget > 0
	for _, p := range w.extra {
		thinks = thinks || p.Name == "thinking" && string(dialect.Get(p.Value, "type")) != `"disabled"`
	}
	some, named := w.s.chooses()
	forced := c.Mode == openai.ChoiceNamed && !named || c.Mode == openai.ChoiceRequired && !some
	if own && forced && !w.r.Drop {
		return w.r.Bad("tool_choice", "cannot make this model call a tool of the caller's choice: remove it or set drop_params")
	}
	switch {
	case w.jsonTool && thinks, !some:
	case !named && (w.jsonTool || c.Mode == openai.ChoiceRequired):
		w.b.Key("toolChoice").Lit(`{"any":{}}`)
	case !named:
	case w.jsonTool && (!own || c.Mode == openai.ChoiceNone):
		w.b.Key("toolChoice").Open('{').Key("tool").Open('{').Key("name").Quote(jsonTool).Close('}').Close('}')
	case c.Mode == openai.ChoiceNamed:
		w.b.Key("toolChoice").Open('{').Key("tool").Open('{').Key("name").Raw(c.Name).Close('}').Close('}')
	case c.Mode == openai.ChoiceRequired || w.jsonTool:
		w.b.Key("toolChoice").Lit(`{"any":{}}`)
	case c.Mode == openai.ChoiceAuto:
		w.b.Key("toolChoice").Lit(`{"auto":{}}`)
	}
	return nil
}

// chooses says whether a model can be made to call some tool, and one of a name: Claude and Nova can, Mistral's cannot be told
// which, and others do as they like (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolChoice.html, and
// the versions of this page from before Nova). Of models that no version names, nothing is refused.
func (s *site) chooses() (some, named bool) {
	switch {
	case s.family != familyOther:
		return true, true
	case contains(s.name, "llama", "cohere", "command-r", "jamba", "ai21"):
		return false, false
	case contains(s.name, "mistral", "mixtral", "pixtral", "ministral", "magistral"):
		return true, false
	}
	return true, true
}

// oneAtATime asks Claude for not more than one call in an answer, for which Converse has no member
// (https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use#parallel-tool-use).
func (w *writer) oneAtATime(c openai.ToolChoice) {
	b := dialect.Build(nil)
	b.Open('{').Key("type")
	switch c.Mode {
	case openai.ChoiceRequired:
		b.Lit(`"any"`)
	case openai.ChoiceNamed:
		b.Lit(`"tool"`).Key("name").Raw(c.Name)
	default:
		b.Lit(`"auto"`)
	}
	b.Key("disable_parallel_tool_use").Lit("true").Close('}')
	w.add("tool_choice", b.Bytes())
}

// wantsJSON reports whether the answer of a turn may come as the input of the JSON tool: a response_format asks for it.
func wantsJSON(t *provider.Turn) bool {
	for _, o := range t.Exchange.Overrides {
		if o.Name == "response_format" {
			return true
		}
	}
	if !dialect.Null(t.Exchange.Body.Get("response_format")) || !dialect.Null(dialect.Get(t.Exchange.Controls.ExtraBody, "response_format")) {
		return true
	}
	d := t.Site.Deployment
	for _, list := range [...][]llm.Pair{d.ExtraBody, d.Defaults} {
		for i := range list {
			if list[i].Name == "response_format" {
				return true
			}
		}
	}
	return false
}
