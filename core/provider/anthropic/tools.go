package anthropic

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// jsonTool is the tool that a model answers with when JSON is wanted. The name is the reference's
// (litellm/constants.py, RESPONSE_FORMAT_TOOL_NAME).
const jsonTool = "json_tool_call"

// responseFormat decides how JSON is asked for. A strict schema goes to the models that can be held to one; everything
// else becomes a tool whose input is the answer, as in the reference.
// https://platform.claude.com/docs/en/build-with-claude/structured-outputs
func (n *encoder) responseFormat() error {
	v := n.given("response_format")
	if v == nil {
		return nil
	}
	switch string(dialect.Get(v, "type")) {
	case `"text"`:
	case `"json_object"`:
		n.format, n.jsonTool = dialect.Get(v, "response_schema"), true
	case `"json_schema"`:
		s := dialect.Get(v, "json_schema")
		if n.format = dialect.Get(s, "schema"); len(n.format) == 0 || n.format[0] != '{' {
			return refusal("response_format", "`response_format.json_schema.schema` must be an object.")
		}
		n.jsonTool = !n.e.structured || string(dialect.Get(s, "strict")) != "true"
	default:
		return refusal("response_format", "`response_format.type` must be text, json_object or json_schema.")
	}
	return nil
}

// wantsJSON reports whether the answer to the exchange comes as the input of the JSON tool, if the model uses it.
func (e *endpoint) wantsJSON(x *llm.Exchange) bool {
	n := e.p.encoders.Get().(*encoder)
	defer n.release()
	n.e, n.x, n.drop = e, x, true
	return n.collect() == nil && n.responseFormat() == nil && n.jsonTool
}

// tools writes the tools. https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools
func (n *encoder) tools() error {
	list, search := n.given("tools"), n.given("web_search_options")
	if list == nil && search == nil && !n.jsonTool {
		return nil
	}
	if len(list) > 0 && list[0] != '[' {
		return refusal("tools", "`tools` must be a list.")
	}
	start := len(n.dst)
	n.put(`,"tools":[`)
	n.items = 0
	for c := dialect.Array(list); c.Next(); {
		if err := n.tool(c.Value()); err != nil {
			return err
		}
	}
	if search != nil {
		if err := n.webSearch(search); err != nil {
			return err
		}
	}
	if n.jsonTool {
		n.comma()
		n.put(`{"name":"` + jsonTool + `","description":"Gives the answer as JSON.","input_schema":`)
		if n.format == nil {
			n.put(`{"type":"object","properties":{},"additionalProperties":true}`)
		} else {
			n.inputSchema(n.format)
		}
		n.put("}")
		n.format = nil
	}
	if n.items == 0 {
		n.dst = n.dst[:start]
		return nil
	}
	n.put("]")
	return nil
}

// tool writes a function in the API's form. A tool that is in that form already, or that the API runs itself, such as
// web_search_20250305, goes out as it is.
func (n *encoder) tool(raw []byte) error {
	var kind, function, cache []byte
	native := false
	for c := dialect.Object(raw); c.Next(); {
		switch string(c.Key()) {
		case "type":
			kind = c.Value()
		case "function":
			function = c.Value()
		case "cache_control":
			cache = c.Value()
		case "input_schema", "name":
			native = true
		}
	}
	at := "tools[" + number(n.items) + "]"
	switch {
	case len(function) > 0 && function[0] == '{' && (string(kind) == `"function"` || kind == nil):
		n.comma()
		return n.function(raw, function, cache, at)
	case native || versioned(kind) || string(kind) == `"mcp_toolset"` || n.x.Dialect == llm.DialectMessages && kind != nil:
		n.use(toolBeta(kind))
		n.comma()
		n.raw(raw)
		return nil
	}
	return refusal(at, "`"+at+"` is neither a function nor a tool of "+Name+", so it cannot be sent.")
}

// webSearch writes web_search_options as the tool for it
// (https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool). The size of the context becomes a
// number of searches, which the reference has (litellm/constants.py, ANTHROPIC_WEB_SEARCH_TOOL_MAX_USES).
func (n *encoder) webSearch(v []byte) error {
	if v[0] != '{' {
		return refusal("web_search_options", "`web_search_options` must be an object.")
	}
	n.comma()
	n.put(`{"type":"web_search_20250305","name":"web_search"`)
	if place := dialect.Get(dialect.Get(v, "user_location"), "approximate"); !dialect.Null(place) {
		n.put(`,"user_location":{"type":"approximate"`)
		for c := dialect.Object(place); c.Next(); {
			switch key := string(c.Key()); key {
			case "city", "country", "region", "timezone":
				n.put(`,"` + key + `":`)
				n.raw(c.Value())
			}
		}
		n.put("}")
	}
	switch string(dialect.Get(v, "search_context_size")) {
	case "", "null":
	case `"low"`:
		n.put(`,"max_uses":1`)
	case `"medium"`:
		n.put(`,"max_uses":5`)
	case `"high"`:
		n.put(`,"max_uses":10`)
	default:
		return refusal("web_search_options", "`web_search_options.search_context_size` must be low, medium or high.")
	}
	n.put("}")
	return nil
}

// versioned reports whether a tool's type ends in a date, as those of the API's own tools do.
func versioned(kind []byte) bool {
	if len(kind) < 11 {
		return false
	}
	for _, c := range kind[len(kind)-9 : len(kind)-1] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return kind[len(kind)-10] == '_'
}

func (n *encoder) function(tool, raw, cache []byte, at string) error {
	var name, description, parameters, strict []byte
	for c := dialect.Object(raw); c.Next(); {
		switch string(c.Key()) {
		case "name":
			name = c.Value()
		case "description":
			description = c.Value()
		case "parameters":
			parameters = c.Value()
		case "strict":
			strict = c.Value()
		case "cache_control":
			if dialect.Null(cache) {
				cache = c.Value()
			}
		}
	}
	if len(name) < 3 || name[0] != '"' {
		return refusal(at, "`"+at+".function.name` is missing.")
	}
	if n.jsonTool && string(name) == `"`+jsonTool+`"` {
		return refusal(at, "`"+at+".function.name` is "+jsonTool+", which stands for the answer when response_format asks for JSON: name the function otherwise.")
	}
	n.put(`{"name":`)
	n.raw(name)
	if !dialect.Null(description) {
		n.put(`,"description":`)
		n.raw(description)
	}
	n.put(`,"input_schema":`)
	n.inputSchema(parameters)
	if string(strict) == "true" {
		n.put(`,"strict":true`)
	}
	n.further(tool)
	n.cacheControl(cache)
	n.put("}")
	return nil
}

// further writes what only the API knows of a tool or a call, where the caller says it in the API's own words.
func (n *encoder) further(raw []byte) {
	for c := dialect.Object(raw); c.Next(); {
		switch key := c.Key(); string(key) {
		case "input_examples", "defer_loading", "allowed_callers", "eager_input_streaming", "caller":
			n.put(`,"`)
			n.raw(key)
			n.put(`":`)
			n.raw(c.Value())
		}
	}
}

// inputSchema writes the schema of a tool's input, which must say that it is an object.
func (n *encoder) inputSchema(schema []byte) {
	if dialect.Null(schema) || string(schema) == "{}" {
		n.put(`{"type":"object","properties":{}}`)
		return
	}
	if schema[0] == '{' && dialect.Get(schema, "type") == nil {
		n.put(`{"type":"object",`)
		n.raw(schema[1:])
		return
	}
	n.raw(schema)
}

func (n *encoder) cacheControl(v []byte) {
	if !dialect.Null(v) {
		n.put(`,"cache_control":`)
		n.raw(v)
	}
}

// toolChoice writes how tools are to be used.
// https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools#controlling-claudes-output
func (n *encoder) toolChoice() error {
	own := n.given("tools") != nil && string(n.given("tools")) != "[]" || n.given("web_search_options") != nil
	if !own && !n.jsonTool {
		return nil // there is nothing to choose from
	}
	choice, name, err := n.choice(own)
	if err != nil {
		return err
	}
	parallel := n.given("parallel_tool_calls")
	if choice == "" && parallel != nil {
		choice = "auto"
	}
	if choice == "" {
		return nil
	}
	n.put(`,"tool_choice":{"type":"` + choice + `"`)
	if name != nil {
		n.put(`,"name":`)
		n.raw(name)
	}
	if choice != "none" {
		switch string(parallel) {
		case "", "true":
		case "false":
			n.put(`,"disable_parallel_tool_use":true`)
		default:
			return refusal("parallel_tool_calls", "`parallel_tool_calls` must be true or false.")
		}
	}
	n.put("}")
	return nil
}

// choice is the type of tool choice, and the name of a chosen tool. own says that the caller has tools besides the one
// for JSON, which the model must stay free to use; and a model that thinks cannot be forced
// (https://platform.claude.com/docs/en/build-with-claude/extended-thinking).
func (n *encoder) choice(own bool) (kind string, name []byte, err error) {
	v := n.given("tool_choice")
	if n.jsonTool && (!own || string(v) == `"none"`) {
		if n.thinks {
			return "auto", nil, nil
		}
		return "tool", borrow(`"` + jsonTool + `"`), nil
	}
	switch string(v) {
	case "", `"auto"`:
		if n.jsonTool && !n.thinks {
			return "any", nil, nil
		}
		if v == nil {
			return "", nil, nil
		}
		return "auto", nil, nil
	case `"required"`:
		return "any", nil, nil
	case `"none"`:
		return "none", nil, nil
	}
	if v[0] == '{' {
		return chosen(v)
	}
	return "", nil, badChoice()
}

// chosen reads a tool choice that is an object, in either form.
func chosen(v []byte) (kind string, name []byte, err error) {
	switch string(dialect.Get(v, "type")) {
	case `"function"`:
		name = dialect.Get(dialect.Get(v, "function"), "name")
		kind = "tool"
	case `"tool"`:
		name = dialect.Get(v, "name")
		kind = "tool"
	case `"auto"`:
		return "auto", nil, nil
	case `"any"`:
		return "any", nil, nil
	case `"none"`:
		return "none", nil, nil
	}
	if kind == "" || len(name) < 3 || name[0] != '"' {
		return "", nil, badChoice()
	}
	return kind, name, nil
}

func badChoice() error {
	return refusal("tool_choice", "`tool_choice` must be auto, none, required or {\"type\":\"function\",\"function\":{\"name\":...}}.")
}
