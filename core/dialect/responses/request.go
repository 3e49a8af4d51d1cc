package responses

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Options say how a request is told as chat completions.
type Options struct {
	// Earlier are the items of the conversation that previous_response_id names, as JSON objects with commas in between.
	Earlier []byte
	// Found tells that previous_response_id was found. One that was not goes along, for a vendor that has it.
	Found bool
}

// AppendChat appends the chat completions request that says what o, a request for POST /v1/responses, says. The members
// of o are those of https://platform.openai.com/docs/api-reference/responses/create.
//
// Items become messages: what the assistant said, the tools it called and the results. Reasoning goes along as
// thinking_blocks with the signature that its encrypted_content holds, see Voice. Tools with free text as input become
// functions with one parameter. Hints that do not change the answer (store, prompt_cache_key, truncation, a summary of
// the reasoning) are left out.
//
// An error is an *llm.Error of kind llm.KindInvalid that names what cannot be used. lost is such an error for what chat
// completions has nothing for, such as the call of a tool that the vendor runs; nil if all was said. Where an item or a
// part is lost, a text with all of it stands in its place, so that whoever looks at the texts of the request misses none.
func AppendChat(dst []byte, o *llm.Object, opt Options) (chat []byte, lost, err error) {
	t := &translator{b: dialect.Build(dst), o: o, opt: opt}
	t.b.Open('{')
	for _, m := range o.Members() {
		v := o.Value(m)
		if dialect.Null(v) {
			continue
		}
		if err := t.member(string(o.Key(m)), v); err != nil {
			return dst, nil, err
		}
	}
	if err := t.messages(); err != nil {
		return dst, nil, err
	}
	return t.b.Close('}').Bytes(), t.lost, nil
}

// translator makes a chat of one request.
type translator struct {
	b   dialect.Builder
	o   *llm.Object
	opt Options

	open     bool   // a message of the assistant is under way
	said     []byte // parts of its content, with commas
	calls    []byte
	thinking []byte
	order    []int // kinds of what the message holds
	lost     error // what could not be said

	item, part llm.Object
}

// invalid is the error for a member that cannot be used.
func invalid(at, problem string) *llm.Error {
	return &llm.Error{
		Op: "responses.AppendChat", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: at,
		Message: "Invalid request: `" + at + "` " + problem + ".",
	}
}

// lose notes what could not be said.
func (t *translator) lose(at, what string) {
	if t.lost == nil {
		t.lost = invalid(at, what+", which only vendors with the Responses API have: remove it or set drop_params")
	}
}

func parse(o *llm.Object, raw []byte, at string) error {
	if len(raw) == 0 || raw[0] != '{' {
		return invalid(at, "must be an object")
	}
	if err := o.Parse(raw); err != nil {
		return invalid(at, "cannot be used: "+err.Error())
	}
	return nil
}

func place(at string, i int) string { return at + "[" + strconv.Itoa(i) + "]" }

func (t *translator) member(key string, v []byte) error {
	switch key {
	case "input", "instructions", "store", "include", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
		"truncation", "stream_options", "context_management", "safety_identifier", "moderation", "top_logprobs", "client_metadata":
		return t.other(key, v)
	case "max_output_tokens":
		t.b.Key("max_tokens").Raw(v)
	case "tools":
		return t.tools(v)
	case "tool_choice":
		return t.toolChoice(v)
	case "text":
		return t.text(v)
	case "reasoning":
		if effort := dialect.Get(v, "effort"); !dialect.Null(effort) {
			t.b.Key("reasoning_effort").Raw(effort)
		}
	case "litellm_metadata":
		t.b.Key("metadata").Raw(v)
	case "metadata":
		if t.o.Index("litellm_metadata") < 0 {
			t.b.Key(key).Raw(v)
		}
	case "previous_response_id":
		if !t.opt.Found {
			t.b.Key(key).Raw(v)
		}
	case "background":
		if string(v) != "false" {
			t.lose(key, "asks for a response in the background")
		}
	case "conversation", "prompt", "max_tool_calls":
		t.lose(key, "is a feature of what the vendor stores or runs")
	default: // those that both APIs have, such as temperature, and the gateway's controls
		t.b.Key(key).Raw(v)
	}
	return nil
}

// other takes members that are told elsewhere, or that are hints.
func (t *translator) other(key string, v []byte) error {
	switch key {
	case "safety_identifier":
		if t.o.Index("user") < 0 {
			t.b.Key("user").Raw(v)
		}
	case "top_logprobs":
		t.b.Key("logprobs").Lit("true").Key(key).Raw(v)
	case "include":
		if v[0] != '[' {
			return invalid(key, "must be a list")
		}
		for c := dialect.Array(v); c.Next(); {
			if string(c.Value()) == `"message.output_text.logprobs"` && t.o.Index("top_logprobs") < 0 {
				t.b.Key("logprobs").Lit("true")
			}
		}
	}
	return nil
}

// text says the form of the answer (https://platform.openai.com/docs/guides/structured-outputs).
func (t *translator) text(v []byte) error {
	if err := parse(&t.item, v, "text"); err != nil {
		return err
	}
	if verbosity := t.item.Get("verbosity"); !dialect.Null(verbosity) {
		t.b.Key("verbosity").Raw(verbosity)
	}
	format := t.item.Get("format")
	if dialect.Null(format) {
		return nil
	}
	if err := parse(&t.part, format, "text.format"); err != nil {
		return err
	}
	switch string(t.part.Get("type")) {
	case `"text"`:
	case `"json_object"`:
		t.b.Key("response_format").Raw(format)
	case `"json_schema"`:
		t.b.Key("response_format").Open('{').Key("type").Lit(`"json_schema"`).Key("json_schema").Open('{')
		for _, key := range [...]string{"name", "description", "schema", "strict"} {
			t.b.Member(key, t.part.Get(key))
		}
		t.b.Close('}').Close('}')
	default:
		return invalid("text.format.type", "must be text, json_object or json_schema")
	}
	return nil
}

// tools writes the tools. Functions stay functions, and a tool with free text as input becomes one.
func (t *translator) tools(v []byte) error {
	if v[0] != '[' {
		return invalid("tools", "must be a list")
	}
	n, count, i := t.b.Len(), 0, 0
	t.b.Key("tools").Open('[')
	var search []byte
	for c := dialect.Array(v); c.Next(); i++ {
		at := place("tools", i)
		if err := parse(&t.item, c.Value(), at); err != nil {
			return err
		}
		kind, _ := llm.Text(t.item.Get("type"))
		switch {
		case string(kind) == "function", string(kind) == "custom":
			if name := t.item.Get("name"); len(name) < 3 || name[0] != '"' {
				return invalid(at+".name", "must be a string that is not empty")
			}
			count++
			t.function(string(kind) == "custom")
		case bytes.HasPrefix(kind, []byte("web_search")):
			search = c.Value()
		default:
			t.lose(at, "is the tool "+clipped(kind))
		}
	}
	t.b.Close(']')
	if count == 0 {
		t.b.Cut(n)
	}
	if search == nil {
		return nil
	}
	return t.search(search)
}

func clipped(b []byte) string { return string(b[:min(len(b), 64)]) }

// CustomSchema is the schema of a tool with free text as input, as a function.
const CustomSchema = `{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}`

func (t *translator) function(custom bool) {
	t.b.Open('{').Key("type").Lit(`"function"`).Key("function").Open('{').Key("name").Raw(t.item.Get("name"))
	description := t.item.Get("description")
	if grammar := dialect.Get(t.item.Get("format"), "definition"); custom && !dialect.Null(grammar) {
		s, _ := llm.Text(description)
		g, _ := llm.Text(grammar)
		t.b.Key("description").Quote(strings.TrimSpace(string(s) + "\n\nThe input must follow this grammar:\n" + string(g)))
	} else {
		t.b.Member("description", description)
	}
	if custom {
		t.b.Key("parameters").Lit(CustomSchema)
	} else {
		t.b.Member("parameters", t.item.Get("parameters")).Member("strict", t.item.Get("strict"))
	}
	t.b.Close('}').Close('}')
}

// search writes the search on the web as chat completions has it
// (https://platform.openai.com/docs/guides/tools-web-search?api-mode=chat).
func (t *translator) search(v []byte) error {
	if err := parse(&t.item, v, "tools.web_search"); err != nil {
		return err
	}
	if f := t.item.Get("filters"); !dialect.Null(f) {
		t.lose("tools.web_search.filters", "limits a search to some sites")
	}
	t.b.Key("web_search_options").Open('{').Member("search_context_size", t.item.Get("search_context_size"))
	if where := t.item.Get("user_location"); len(where) > 0 && where[0] == '{' {
		t.b.Key("user_location").Open('{').Key("type").Lit(`"approximate"`).Key("approximate").Open('{')
		for c := dialect.Object(where); c.Next(); {
			switch key := string(c.Key()); key {
			case "city", "country", "region", "timezone":
				t.b.Member(key, c.Value())
			}
		}
		t.b.Close('}').Close('}')
	}
	t.b.Close('}')
	return nil
}

func (t *translator) toolChoice(v []byte) error {
	if v[0] == '"' {
		t.b.Key("tool_choice").Raw(v)
		return nil
	}
	if err := parse(&t.item, v, "tool_choice"); err != nil {
		return err
	}
	switch string(t.item.Get("type")) {
	case `"function"`, `"custom"`:
		t.b.Key("tool_choice").Open('{').Key("type").Lit(`"function"`)
		t.b.Key("function").Open('{').Key("name").Raw(dialect.OrEmpty(t.item.Get("name"))).Close('}').Close('}')
		return nil
	case `"allowed_tools"`:
		t.b.Key("tool_choice").Open('{').Key("type").Lit(`"allowed_tools"`).Key("allowed_tools").Open('{')
		t.b.Member("mode", t.item.Get("mode")).Key("tools").Open('[')
		for c := dialect.Array(t.item.Get("tools")); c.Next(); {
			t.b.Open('{').Key("type").Lit(`"function"`).Key("function").Open('{')
			t.b.Key("name").Raw(dialect.OrEmpty(dialect.Get(c.Value(), "name"))).Close('}').Close('}')
		}
		t.b.Close(']').Close('}').Close('}')
		return nil
	}
	t.lose("tool_choice", "chooses a tool that the vendor runs")
	return nil
}
