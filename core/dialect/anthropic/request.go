package anthropic

import (
	"strconv"
	"sync"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// AppendChat appends the chat completions request that says what o, a request for POST /v1/messages, says. The members
// of o are those of https://platform.claude.com/docs/en/api/messages/create.
//
// What both APIs have is written in the form of chat completions: system blocks and messages, images and files, calls
// of tools and their results, tools and the choice among them. What only the Messages API has goes along as the
// reference's extensions (cache_control, thinking_blocks, is_error), as blocks in their own form, or as members of the
// same name, so that the provider of the Messages API makes the same request of it again. thinking and output_config
// are said a second time as reasoning_effort and response_format, for vendors that know only these.
//
// An error is an *llm.Error of kind llm.KindInvalid that names the member. It refuses what two parsers could read
// differently. lost is such an error for what could not be said; nil if all was.
func AppendChat(dst []byte, o *llm.Object) (chat []byte, lost, err error) {
	t := translators.Get().(*translator)
	defer t.release()
	t.b, t.o = dialect.Build(dst), o
	t.b.Open('{')
	for _, m := range o.Members() {
		key, v := o.Key(m), o.Value(m)
		if dialect.Null(v) {
			continue
		}
		if err := t.member(key, v); err != nil {
			return dst, nil, err
		}
	}
	t.effort()
	t.format()
	t.b.Close('}')
	return t.b.Bytes(), t.lost, nil
}

var translators = sync.Pool{New: func() any { return new(translator) }}

// translator makes a chat of one request.
type translator struct {
	b dialect.Builder
	o *llm.Object

	message, block, inner, source, more llm.Object

	order []kind // of the blocks of the answer under way
	lost  error  // what could not be said
}

// add goes on with the value that was written last.
func (t *translator) add(pieces ...[]byte) {
	b := t.b.Bytes()
	for _, p := range pieces {
		b = append(b, p...)
	}
	t.b = dialect.Resumed(b)
}

func (t *translator) release() {
	t.b, t.o, t.lost = dialect.Builder{}, nil, nil
	for _, o := range [...]*llm.Object{&t.message, &t.block, &t.inner, &t.source, &t.more} {
		o.Reset()
	}
	translators.Put(t)
}

// invalid is the error for a member that cannot be used.
func invalid(at, problem string) *llm.Error {
	return &llm.Error{
		Op: "anthropic.AppendChat", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: at,
		Message: "Invalid request: `" + at + "` " + problem + ".",
	}
}

// parse reads an object into o.
func parse(o *llm.Object, raw []byte, at string) error {
	if len(raw) == 0 || raw[0] != '{' {
		return invalid(at, "must be an object")
	}
	if err := o.Parse(raw); err != nil {
		return invalid(at, "cannot be used: "+err.Error())
	}
	return nil
}

func item(at string, i int) string { return at + "[" + strconv.Itoa(i) + "]" }

func (t *translator) member(key, v []byte) error {
	switch string(key) {
	case "messages":
		return t.messages(v)
	case "system":
		if t.o.Index("messages") < 0 {
			return t.messages(nil)
		}
	case "stop_sequences":
		t.b.Key("stop").Raw(v)
	case "tools":
		return t.tools(v)
	case "tool_choice":
		return t.toolChoice(v)
	case "metadata":
		return t.metadata(v)
	case "litellm_metadata":
		t.b.Key("metadata").Raw(v)
	case "service_tier":
		if string(v) == `"standard_only"` {
			v = []byte(`"default"`)
		}
		t.b.Key("service_tier").Raw(v)
	default:
		// Those that both APIs have, such as temperature, those that only this one has, and the gateway's controls.
		t.b.Key(string(key)).Raw(v)
	}
	return nil
}

// metadata writes who the end user is, and the whole of it for the gateway's own records.
func (t *translator) metadata(v []byte) error {
	if err := parse(&t.more, v, "metadata"); err != nil {
		return err
	}
	if id := t.more.Get("user_id"); !dialect.Null(id) && t.o.Index("user") < 0 {
		if id[0] != '"' {
			return invalid("metadata.user_id", "must be a string")
		}
		t.b.Key("user").Raw(id)
	}
	if t.o.Index("litellm_metadata") < 0 {
		t.b.Key("metadata").Raw(v)
	}
	return nil
}

// effort says how much the model is to think in the words of chat completions. The numbers are the reference's
// (litellm/constants.py, DEFAULT_REASONING_EFFORT_*_THINKING_BUDGET). The efforts above high are known to few models.
func (t *translator) effort() {
	thinking, word := t.o.Get("thinking"), ""
	if t.o.Index("reasoning_effort") >= 0 {
		return
	}
	switch string(dialect.Get(thinking, "type")) {
	case `"enabled"`:
		switch budget := dialect.Int(dialect.Get(thinking, "budget_tokens")); {
		case budget >= 4096:
			word = `"high"`
		case budget >= 2048:
			word = `"medium"`
		default:
			word = `"low"`
		}
	case `"disabled"`:
		return
	case `"adaptive"`:
		word = `"medium"`
	}
	switch effort := string(dialect.Get(t.o.Get("output_config"), "effort")); effort {
	case `"low"`, `"medium"`, `"high"`:
		word = effort
	case `"xhigh"`, `"max"`:
		word = `"high"`
	}
	if word != "" {
		t.b.Key("reasoning_effort").Lit(word)
	}
}

// format says the schema of the answer in the words of chat completions.
func (t *translator) format() {
	format := dialect.Get(t.o.Get("output_config"), "format")
	if dialect.Null(format) {
		format = t.o.Get("output_format")
	}
	schema := dialect.Get(format, "schema")
	if t.o.Index("response_format") >= 0 || string(dialect.Get(format, "type")) != `"json_schema"` || len(schema) == 0 {
		return
	}
	t.b.Key("response_format").Open('{').Key("type").Lit(`"json_schema"`)
	t.b.Key("json_schema").Open('{').Key("name").Lit(`"structured_output"`).Key("strict").Lit("true").Key("schema").Raw(schema)
	t.b.Close('}').Close('}')
}

// tools writes the tools. A tool with a schema becomes a function; a tool that the API defines, such as bash_20250124,
// stays as it is.
func (t *translator) tools(v []byte) error {
	if v[0] != '[' {
		return invalid("tools", "must be a list")
	}
	t.b.Key("tools").Open('[')
	i := 0
	for c := dialect.Array(v); c.Next(); i++ {
		if err := parse(&t.block, c.Value(), item("tools", i)); err != nil {
			return err
		}
		if kind := t.block.Get("type"); !dialect.Null(kind) && string(kind) != `"custom"` {
			t.b.Raw(c.Value())
			continue
		}
		if err := t.function(i); err != nil {
			return err
		}
	}
	t.b.Close(']')
	return nil
}

func (t *translator) function(i int) error {
	if name := t.block.Get("name"); len(name) < 3 || name[0] != '"' {
		return invalid(item("tools", i)+".name", "must be a string that is not empty")
	}
	t.b.Open('{').Key("type").Lit(`"function"`).Key("function").Open('{')
	for _, m := range t.block.Members() {
		v := t.block.Value(m)
		switch key := string(t.block.Key(m)); key {
		case "name", "description", "strict":
			if !dialect.Null(v) {
				t.b.Key(key).Raw(v)
			}
		case "input_schema":
			t.b.Key("parameters").Raw(v)
		}
	}
	t.b.Close('}')
	for _, m := range t.block.Members() {
		switch key := string(t.block.Key(m)); key {
		case "type", "name", "description", "strict", "input_schema":
		default: // cache_control, and what only this API knows of tools
			if v := t.block.Value(m); !dialect.Null(v) {
				t.b.Key(key).Raw(v)
			}
		}
	}
	t.b.Close('}')
	return nil
}

func (t *translator) toolChoice(v []byte) error {
	if err := parse(&t.more, v, "tool_choice"); err != nil {
		return err
	}
	switch kind := string(t.more.Get("type")); kind {
	case `"auto"`, `"none"`:
		t.b.Key("tool_choice").Lit(kind)
	case `"any"`:
		t.b.Key("tool_choice").Lit(`"required"`)
	case `"tool"`:
		name := t.more.Get("name")
		if len(name) < 3 || name[0] != '"' {
			return invalid("tool_choice.name", "must be the name of a tool")
		}
		t.b.Key("tool_choice").Open('{').Key("type").Lit(`"function"`)
		t.b.Key("function").Open('{').Key("name").Raw(name).Close('}').Close('}')
	default:
		return invalid("tool_choice.type", "must be auto, any, tool or none")
	}
	switch alone := string(t.more.Get("disable_parallel_tool_use")); alone {
	case "", "null", "false":
	case "true":
		t.b.Key("parallel_tool_calls").Lit("false")
	default:
		return invalid("tool_choice.disable_parallel_tool_use", "must be true or false")
	}
	return nil
}
