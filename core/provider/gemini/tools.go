package gemini

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
)

// tools writes the tools (https://ai.google.dev/api/caching#Tool): the functions in one, and each that the API runs itself
// in one of its own.
func (n *encoder) tools() error {
	search := n.r.Get("web_search_options")
	if len(n.r.Tools) == 0 && search == nil {
		return nil
	}
	functions, before := 0, n.b.Len()
	n.b.Key("tools").Open('[')
	start := n.b.Len()
	for i := range n.r.Tools {
		t := &n.r.Tools[i]
		if !t.Function() {
			continue
		}
		if functions++; functions == 1 {
			n.b.Open('{').Key("functionDeclarations").Open('[')
		}
		if err := n.function(t, i); err != nil {
			return err
		}
	}
	if functions > 0 {
		n.b.Close(']').Close('}')
	}
	for i := range n.r.Tools {
		if t := &n.r.Tools[i]; !t.Function() {
			if err := n.builtin(t, i); err != nil {
				return err
			}
		}
	}
	if search != nil { // its hints have no counterpart
		n.b.Lit(`{"googleSearch":{}}`)
	}
	if n.b.Len() == start {
		n.b.Cut(before)
		return nil
	}
	n.b.Close(']')
	if n.r.Parallel == 0 && functions > 1 && !n.r.Drop {
		return n.r.Bad("parallel_tool_calls", "cannot be false with several tools: "+n.r.Vendor+" always may call more than one")
	}
	return nil
}

// function writes a FunctionDeclaration. Models since Gemini 2 take JSON Schema; earlier ones take Google's Schema.
func (n *encoder) function(t *openai.Tool, i int) error {
	n.b.Open('{').Key("name").Raw(t.Name).Member("description", t.Description)
	if len(t.Parameters) > 0 && !empty(t.Parameters) {
		if !n.o.old {
			n.b.Key("parametersJsonSchema").Raw(t.Parameters)
		} else {
			schema, err := gemini.AppendSchema(nil, t.Parameters)
			if err != nil {
				return n.r.Bad("tools["+strconv.Itoa(i)+"].function.parameters", err.Error())
			}
			n.b.Key("parameters").Raw(schema)
		}
	}
	for c := dialect.Object(dialect.Get(t.Raw, gemini.DeclarationKey)); c.Next(); {
		n.b.Member(string(c.Key()), c.Value())
	}
	n.b.Close('}')
	return nil
}

// empty reports whether a schema is that of an object without members, which the API wants to be left out.
func empty(schema []byte) bool {
	if string(dialect.Get(schema, "type")) != `"object"` && string(schema) != "{}" {
		return false
	}
	c := dialect.Object(dialect.Get(schema, "properties"))
	return !c.Next() && dialect.Get(schema, "additionalProperties") == nil && dialect.Get(schema, "$ref") == nil
}

// builtin writes a tool that the API runs itself: one of Google's, as callers of the reference write it, or another
// vendor's that Google has as well.
func (n *encoder) builtin(t *openai.Tool, i int) error {
	kind := bytes.Trim(t.Kind, `"`)
	switch {
	case bytes.HasPrefix(kind, []byte("web_search")):
		return n.webSearch(t, i)
	case string(kind) == "code_interpreter", bytes.HasPrefix(kind, []byte("code_execution")):
		n.b.Lit(`{"codeExecution":{}}`)
		return nil
	case string(kind) == "url_context", bytes.HasPrefix(kind, []byte("web_fetch")):
		n.b.Lit(`{"urlContext":{}}`)
		return nil
	}
	for c := dialect.Object(t.Raw); c.Next(); {
		if name := camel(string(c.Key())); known(name) {
			n.b.Open('{').Key(name).Raw(c.Value()).Close('}')
			return nil
		}
	}
	if n.r.Drop {
		return nil
	}
	return n.r.Bad("tools["+strconv.Itoa(i)+"]", "is neither a function nor a tool of "+n.r.Vendor)
}

// webSearch writes the web search of another vendor's API. Sites that are not to be used can be told; sites that alone are
// to be used cannot.
func (n *encoder) webSearch(t *openai.Tool, i int) error {
	if list := dialect.Get(t.Raw, "allowed_domains"); len(list) > 2 && !n.r.Drop {
		return n.r.Bad("tools["+strconv.Itoa(i)+"].allowed_domains", "has no counterpart in the API of "+n.r.Vendor)
	}
	n.b.Open('{').Key("googleSearch").Open('{')
	if list := dialect.Get(t.Raw, "blocked_domains"); len(list) > 2 {
		n.b.Member("excludeDomains", list)
	}
	n.b.Close('}').Close('}')
	return nil
}

func camel(s string) string {
	words := strings.Split(s, "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// known reports whether a name is that of one of Google's tools.
func known(name string) bool {
	switch name {
	case "googleSearch", "googleSearchRetrieval", "codeExecution", "urlContext", "enterpriseWebSearch", "googleMaps",
		"computerUse", "fileSearch", "retrieval", "mcpServers", "parallelAiSearch", "exaAiSearch":
		return true
	}
	return false
}

// toolConfig writes how tools are to be used (https://ai.google.dev/api/caching#ToolConfig).
func (n *encoder) toolConfig() error {
	own := n.r.Get(gemini.ToolConfigKey)
	if own == nil {
		own = n.r.Get("toolConfig")
	}
	if own != nil {
		n.b.Key("toolConfig").Raw(own)
		return nil
	}
	c := &n.r.Choice
	if len(n.r.Tools) == 0 || c.Mode == openai.ChoiceOpen || c.Mode == openai.ChoiceAuto && c.Allowed == nil {
		return nil
	}
	n.b.Key("toolConfig").Open('{').Key("functionCallingConfig").Open('{').Key("mode")
	switch c.Mode {
	case openai.ChoiceNone:
		n.b.Lit(`"NONE"`)
	case openai.ChoiceRequired:
		n.b.Lit(`"ANY"`)
	case openai.ChoiceNamed:
		n.b.Lit(`"ANY"`).Key("allowedFunctionNames").Open('[').Raw(c.Name).Close(']')
	default:
		n.b.Lit(`"VALIDATED"`) // names can be told in this mode and in ANY only
	}
	if len(c.Allowed) > 0 {
		n.b.Key("allowedFunctionNames").Open('[')
		for _, name := range c.Allowed {
			n.b.Raw(name)
		}
		n.b.Close(']')
	}
	n.b.Close('}').Close('}')
	return nil
}
