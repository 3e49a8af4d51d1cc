package openai

import (
	"bytes"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// thought walks what a model thought or refused in the past, the value that c stands at: a text, or blocks with the texts
// thinking, text or summary. Texts beside a signature are sealed, because the vendor refuses what differs from it
// (https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking); encrypted data is no text.
func (w *walker) thought(c *dialect.Cursor, kind TextKind, depth int) {
	if depth > maxNesting {
		w.fail(errNesting)
		return
	}
	switch c.First() {
	case '"':
		if v := c.Span(); v.End-v.Start > 2 {
			w.kind(v, kind, false)
		}
	case '[':
		in := c.Enter()
		for w.err == nil && in.Next() {
			w.thought(&in, kind, depth+1)
		}
		w.leave(c, &in)
	case '{':
		w.block(c, kind, depth)
	}
}

// block walks one block of what a model thought.
func (w *walker) block(c *dialect.Cursor, kind TextKind, depth int) {
	first, signed := len(w.list), false
	in := c.Enter()
	for w.err == nil && in.Next() {
		switch key := in.Key(); string(key) {
		case "thinking", "text", "summary", "content", "reasoning", "refusal":
			w.thought(&in, kind, depth+1)
		case "signature":
			signed = signed || len(in.Value()) > 2 && in.First() == '"'
		default:
			if bytes.IndexByte(key, '\\') >= 0 {
				w.fail(errEscapedKey)
			}
		}
	}
	if w.leave(c, &in); signed {
		w.seal(first)
	}
}

// seal seals the texts from a place in the list on.
func (w *walker) seal(first int) {
	for i := range w.list[first:] {
		w.list[first+i].Sealed = true
	}
}

// kind takes a text that is no content.
func (w *walker) kind(at llm.Span, kind TextKind, sealed bool) {
	if w.add(at); w.err != nil {
		return
	}
	t := &w.list[len(w.list)-1]
	t.Kind, t.Sealed = kind, sealed
}

// definitions walks definitions of tools, or of the form of an answer: whatever a caller could write in them that a model
// reads. Descriptions and titles can be changed. Names, allowed values and the like are sealed: an answer refers to them.
// Words of the schema language (https://json-schema.org/draft/2020-12/json-schema-validation) are no texts.
func (w *walker) definitions() {
	w.message = -1
	if len(w.b) == 0 || w.b[0] != '[' && w.b[0] != '{' {
		return
	}
	c := dialect.Object(w.b)
	if w.b[0] == '[' {
		c = dialect.Array(w.b)
	}
	w.definition(&c, nil, 0)
	w.ended(&c)
}

// maxDefinition is how deep schemas may be nested for whoever looks at their texts.
const maxDefinition = 256

// definition walks the members or elements of c, which are the value of the member of the given name.
func (w *walker) definition(c *dialect.Cursor, list []byte, depth int) {
	if depth > maxDefinition {
		w.fail(errNesting)
	}
	for w.err == nil && c.Next() {
		key, at := c.Key(), c.KeySpan()
		if at.End == 0 {
			key = list
		} else if len(key) > 0 && !schemaWord(key) {
			w.kind(at, Definition, true)
		}
		switch c.First() {
		case '"':
			if at := c.Span(); at.End-at.Start > 2 && !(schemaType(key) && schemaWord(c.Value()[1:at.End-at.Start-1])) {
				w.kind(at, Definition, !described(key))
			}
		case '[', '{':
			in := c.Enter()
			w.definition(&in, key, depth+1)
			w.leave(c, &in)
		}
	}
}

// described reports whether the member of this name is prose that nothing refers to.
func described(key []byte) bool { return string(key) == "description" || string(key) == "title" }

func schemaType(key []byte) bool { return string(key) == "type" }

// schemaWord reports whether a name or a type is a word of the schema language, or of the API around it.
func schemaWord(s []byte) bool {
	switch string(s) {
	case "type", "function", "custom", "name", "description", "parameters", "strict", "json_schema", "schema", "input_schema",
		"format", "cache_control", "ephemeral", "ttl", "json_object", "text", "grammar", "definition", "syntax",
		"object", "string", "number", "integer", "boolean", "array", "null",
		"properties", "required", "items", "enum", "const", "default", "title", "examples", "additionalProperties",
		"anyOf", "allOf", "oneOf", "not", "$ref", "$defs", "$schema", "$id", "definitions", "nullable", "pattern",
		"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems",
		"maxItems", "uniqueItems", "minProperties", "maxProperties", "prefixItems", "propertyNames", "patternProperties":
		return true
	}
	return false
}
