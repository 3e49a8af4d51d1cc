package openai

import (
	"bytes"
	"encoding/json"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Tool is a function that the model may call.
type Tool struct {
	Name        []byte // quoted
	Description []byte // quoted; nil if there is none
	Parameters  []byte // a schema; nil if there is none
	Strict      bool
	Cache       []byte // cache_control
	Raw         []byte // the whole tool
	Kind        []byte // "type", quoted; "function" with quotes, or that of a tool of the vendor's own, which has only Raw
}

// Function reports whether the tool is a function of the caller's.
func (t *Tool) Function() bool { return string(t.Kind) == `"function"` }

// Free reports whether the tool has text as its input, which may have a grammar
// (https://platform.openai.com/docs/guides/function-calling#custom-tools).
func (t *Tool) Free() bool { return string(t.Kind) == `"custom"` }

// Schema is Parameters, or for none the schema of an object without members.
func (t *Tool) Schema() []byte {
	if t.Parameters == nil {
		return []byte(`{"type":"object","properties":{}}`)
	}
	return t.Parameters
}

func (r *ChatRequest) readTools(v []byte) error {
	if v[0] != '[' {
		return r.Bad("tools", "must be a list")
	}
	for c := dialect.Array(v); c.Next(); {
		if err := r.readTool(c.Value()); err != nil {
			return err
		}
	}
	return nil
}

func (r *ChatRequest) readTool(raw []byte) error {
	at := noted("tools[", len(r.Tools), "]")
	if len(raw) == 0 || raw[0] != '{' {
		return r.Bad(at, "must be an object")
	}
	t := Tool{Raw: raw}
	var function []byte
	for c := dialect.Object(raw); c.Next(); {
		switch string(c.Key()) {
		case "type":
			t.Kind = c.Value()
		case "function":
			function = c.Value()
		case "cache_control":
			t.Cache = given(c.Value())
		}
	}
	if t.Kind == nil && function != nil {
		t.Kind = []byte(`"function"`)
	}
	if t.Function() {
		if err := r.readFunction(&t, function, at+".function"); err != nil {
			return err
		}
	}
	r.Tools = append(r.Tools, t)
	return nil
}

func (r *ChatRequest) readFunction(t *Tool, v []byte, at string) error {
	for c := dialect.Object(v); c.Next(); {
		switch string(c.Key()) {
		case "name":
			t.Name = c.Value()
		case "description":
			t.Description = given(c.Value())
		case "parameters":
			t.Parameters = given(c.Value())
		case "strict":
			t.Strict = string(c.Value()) == "true"
		case "cache_control":
			if t.Cache == nil {
				t.Cache = given(c.Value())
			}
		}
	}
	if len(t.Name) < 3 || t.Name[0] != '"' {
		return r.Bad(at+".name", "is missing")
	}
	if len(t.Parameters) > 0 && t.Parameters[0] != '{' {
		return r.Bad(at+".parameters", "must be an object")
	}
	return nil
}

// readFunctions takes the deprecated form of tools.
func (r *ChatRequest) readFunctions(v []byte) error {
	if v[0] != '[' {
		return r.Bad("functions", "must be a list")
	}
	i := 0
	for c := dialect.Array(v); c.Next(); i++ {
		t := Tool{Kind: []byte(`"function"`), Raw: c.Value()}
		if err := r.readFunction(&t, c.Value(), noted("functions[", i, "]")); err != nil {
			return err
		}
		r.Tools = append(r.Tools, t)
	}
	return nil
}

// ChoiceMode says how tools are to be used.
type ChoiceMode uint8

// The modes.
const (
	ChoiceOpen     ChoiceMode = iota // not given
	ChoiceAuto                       // the model decides
	ChoiceNone                       // no tool
	ChoiceRequired                   // at least one tool
	ChoiceNamed                      // the tool called Name
)

// ToolChoice is tool_choice.
type ToolChoice struct {
	Mode ChoiceMode
	Name []byte // quoted, for ChoiceNamed

	// Allowed are the functions that the model may choose from, quoted; nil: all. It is set if ChatRequest.Allows is.
	Allowed [][]byte
}

func (r *ChatRequest) readChoice(param string, v []byte) error {
	switch string(v) {
	case `"auto"`:
		r.Choice.Mode = ChoiceAuto
	case `"none"`:
		r.Choice.Mode = ChoiceNone
	case `"required"`, `"any"`:
		r.Choice.Mode = ChoiceRequired
	default:
		return r.chosen(param, v)
	}
	return nil
}

// chosen reads a choice that is an object: OpenAI's, Anthropic's, or the deprecated one of function_call.
func (r *ChatRequest) chosen(param string, v []byte) error {
	if v[0] == '{' {
		switch string(dialect.Get(v, "type")) {
		case `"allowed_tools"`:
			return r.allowed(param, dialect.Get(v, "allowed_tools"))
		case `"auto"`:
			r.Choice.Mode = ChoiceAuto
			return nil
		case `"none"`:
			r.Choice.Mode = ChoiceNone
			return nil
		case `"any"`, `"required"`:
			r.Choice.Mode = ChoiceRequired
			return nil
		}
		name := dialect.Get(dialect.Get(v, "function"), "name")
		if name == nil {
			name = dialect.Get(v, "name")
		}
		if name == nil && r.Free {
			name = dialect.Get(dialect.Get(v, "custom"), "name")
		}
		if len(name) > 2 && name[0] == '"' {
			r.Choice = ToolChoice{Mode: ChoiceNamed, Name: name}
			return nil
		}
	}
	return r.Bad(param, `must be auto, none, required or {"type":"function","function":{"name":...}}`)
}

// allowed reads a choice among some of the tools
// (https://platform.openai.com/docs/api-reference/chat/create#chat-create-tool_choice).
func (r *ChatRequest) allowed(param string, v []byte) error {
	if !r.Allows {
		return r.Bad(param, "is a list of tools, which "+r.Vendor+" does not take")
	}
	r.Choice.Mode = ChoiceAuto
	if string(dialect.Get(v, "mode")) == `"required"` {
		r.Choice.Mode = ChoiceRequired
	}
	for c := dialect.Array(dialect.Get(v, "tools")); c.Next(); {
		name := dialect.Get(dialect.Get(c.Value(), "function"), "name")
		if name == nil && r.Free {
			name = dialect.Get(dialect.Get(c.Value(), "custom"), "name")
		}
		if len(name) < 3 || name[0] != '"' {
			return r.Bad(param, "must list functions")
		}
		r.Choice.Allowed = append(r.Choice.Allowed, name)
	}
	return nil
}

func (r *ChatRequest) readParallel(v []byte) error {
	switch string(v) {
	case "true":
		r.Parallel = 1
	case "false":
		r.Parallel = 0
	default:
		return r.Bad("parallel_tool_calls", "must be true or false")
	}
	return nil
}

// FormatKind says what form an answer has.
type FormatKind uint8

// The kinds.
const (
	FormatOpen   FormatKind = iota // not given
	FormatText                     // text
	FormatObject                   // any JSON object
	FormatSchema                   // JSON by Schema
)

// Format is response_format.
type Format struct {
	Kind        FormatKind
	Name        []byte // quoted; nil if there is none
	Description []byte // likewise
	Schema      []byte // nil if there is none
	Strict      bool
	Raw         []byte
}

func (r *ChatRequest) readFormat(v []byte) error {
	f := Format{Raw: v}
	switch string(dialect.Get(v, "type")) {
	case `"text"`:
		f.Kind = FormatText
	case `"json_object"`:
		f.Kind = FormatObject
		// A schema beside json_object is a habit of the reference's callers.
		f.Schema = given(dialect.Get(v, "response_schema"))
		if f.Schema == nil {
			f.Schema = given(dialect.Get(v, "schema"))
		}
		if f.Schema != nil {
			f.Kind = FormatSchema
		}
	case `"json_schema"`:
		f.Kind = FormatSchema
		for c := dialect.Object(dialect.Get(v, "json_schema")); c.Next(); {
			switch string(c.Key()) {
			case "name":
				f.Name = given(c.Value())
			case "description":
				f.Description = given(c.Value())
			case "schema":
				f.Schema = given(c.Value())
			case "strict":
				f.Strict = string(c.Value()) == "true"
			}
		}
		if len(f.Schema) == 0 || f.Schema[0] != '{' {
			return r.Bad("response_format.json_schema.schema", "is missing")
		}
	default:
		return r.Bad("response_format.type", "must be text, json_object or json_schema")
	}
	r.Format = f
	return nil
}

// ToolCall is a call of a tool in an earlier answer.
type ToolCall struct {
	ID        []byte // quoted
	Name      []byte // quoted
	Arguments []byte // as written: a string that holds JSON; nil if there are none
	Specific  []byte // provider_specific_fields, such as a signature that the vendor wants back
	Cache     []byte // cache_control
	Free      bool   // of a tool whose input is text: Arguments is a string that holds it
	Raw       []byte
}

// Object returns the arguments as the JSON object that they hold. Absent and empty ones are an empty object. ok is
// false if they are no JSON object.
func (c *ToolCall) Object() (object []byte, ok bool) {
	v := c.Arguments
	if v == nil {
		return []byte("{}"), true
	}
	if v[0] == '"' { // usually; some vendors' answers hold the object itself
		if v, ok = llm.Text(v); !ok {
			return nil, false
		}
		v = bytes.TrimSpace(v)
		if len(v) == 0 {
			return []byte("{}"), true
		}
	}
	return v, v[0] == '{' && json.Valid(v)
}

func (r *ChatRequest) readCalls(m *ChatMessage, v []byte) error {
	if v[0] != '[' {
		return r.Bad(m.At(".tool_calls"), "must be a list")
	}
	start := len(r.calls)
	for c := dialect.Array(v); c.Next(); {
		at := m.At(noted(".tool_calls[", len(r.calls)-start, "]"))
		call, function, custom := ToolCall{Raw: c.Value()}, []byte(nil), []byte(nil)
		for in := dialect.Object(c.Value()); in.Next(); {
			switch string(in.Key()) {
			case "id":
				call.ID = given(in.Value())
			case "function":
				function = given(in.Value())
			case "custom":
				custom = given(in.Value())
			case "provider_specific_fields":
				call.Specific = given(in.Value())
			case "cache_control":
				call.Cache = given(in.Value())
			}
		}
		if function == nil && len(custom) > 0 && custom[0] == '{' && r.Free {
			call.Free, call.Name, call.Arguments = true, dialect.Get(custom, "name"), dialect.Get(custom, "input")
			if len(call.Name) < 3 || call.Name[0] != '"' || len(call.Arguments) < 2 || call.Arguments[0] != '"' ||
				len(call.ID) < 3 || call.ID[0] != '"' {
				return r.Bad(at, "must have an id, and name and input of custom as strings")
			}
			r.calls = append(r.calls, call)
			continue
		}
		if len(function) == 0 || function[0] != '{' {
			return r.Bad(at, "is not a call of a function, so it cannot be sent to "+r.Vendor)
		}
		if len(call.ID) < 3 || call.ID[0] != '"' {
			return r.Bad(at+".id", "is missing")
		}
		if err := r.readCalled(&call, function, at+".function"); err != nil {
			return err
		}
		r.calls = append(r.calls, call)
	}
	m.Calls = r.calls[start:len(r.calls):len(r.calls)]
	return nil
}

func (r *ChatRequest) readCalled(call *ToolCall, function []byte, at string) error {
	for c := dialect.Object(function); c.Next(); {
		switch string(c.Key()) {
		case "name":
			call.Name = c.Value()
		case "arguments":
			call.Arguments = given(c.Value())
		case "provider_specific_fields":
			if call.Specific == nil {
				call.Specific = given(c.Value())
			}
		}
	}
	if len(call.Name) < 3 || call.Name[0] != '"' {
		return r.Bad(at+".name", "is missing")
	}
	if len(call.Arguments) > 0 && call.Arguments[0] != '"' && call.Arguments[0] != '{' {
		return r.Bad(at+".arguments", "must be a JSON object, written as a string")
	}
	return nil
}
