package gemini

import (
	"bytes"
	"errors"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// maxSchema is how deep a schema may be nested, references included.
const maxSchema = 64

// maxNodes is how many schemas one may hold, references in their places included.
const maxNodes = 10_000

// Why a schema cannot be translated.
var (
	errDeep      = errors.New("is nested too deep, or refers to itself")
	errMany      = errors.New("holds too many schemas")
	errNotObject = errors.New("is not an object")
	errRef       = errors.New("has a $ref that is not one of its own $defs")
)

// AppendJSONSchema appends a Schema of the API (https://ai.google.dev/api/caching#Schema) as JSON Schema: types in lower
// case, nullable as a type, and the counts, which come as strings, as numbers.
func AppendJSONSchema(dst, schema []byte) ([]byte, error) { return appendJSONSchema(dst, schema, 0) }

func appendJSONSchema(dst, schema []byte, depth int) ([]byte, error) {
	if depth > maxSchema {
		return dst, errDeep
	}
	if len(schema) == 0 || schema[0] != '{' {
		return dst, errNotObject
	}
	nullable := string(dialect.Get(schema, "nullable")) == "true"
	dst = append(dst, '{')
	first := true
	var err error
	for c := dialect.Object(schema); c.Next(); {
		name, v := schemaKey(c.Key()), c.Value()
		if name == "nullable" || name == "type" && string(v) == `"TYPE_UNSPECIFIED"` || name == "format" && string(v) == `"enum"` ||
			dialect.Null(v) && name != "default" {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if name == "example" {
			dst = append(append(append(dst, `"examples":[`...), v...), ']')
			continue
		}
		dst = append(append(append(dst, '"'), name...), `":`...)
		if dst, err = appendKeyword(dst, name, v, nullable, depth); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// schemaKey is the keyword of JSON Schema for a member of Schema, in either spelling.
func schemaKey(key []byte) string {
	switch string(key) {
	case "any_of":
		return "anyOf"
	case "max_items":
		return "maxItems"
	case "min_items":
		return "minItems"
	case "max_length":
		return "maxLength"
	case "min_length":
		return "minLength"
	case "max_properties":
		return "maxProperties"
	case "min_properties":
		return "minProperties"
	case "property_ordering":
		return "propertyOrdering"
	}
	return string(key)
}

func appendKeyword(dst []byte, name string, v []byte, nullable bool, depth int) ([]byte, error) {
	switch name {
	case "type":
		return appendType(dst, v, nullable), nil
	case "enum":
		if nullable && v[0] == '[' && len(v) > 2 {
			return append(append(dst, v[:len(v)-1]...), ",null]"...), nil
		}
	case "items":
		return appendJSONSchema(dst, v, depth+1)
	case "properties":
		return appendEach(dst, v, depth, appendJSONSchema)
	case "anyOf":
		return appendAny(dst, v, nullable, depth)
	case "maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties":
		if s, ok := llm.Text(v); ok && number(s) {
			return append(dst, s...), nil
		}
	}
	return append(dst, v...), nil
}

func appendType(dst, v []byte, nullable bool) []byte {
	name := bytes.ToLower(v)
	if !nullable || v[0] != '"' {
		return append(dst, name...)
	}
	return append(append(append(dst, '['), name...), `,"null"]`...)
}

func number(s []byte) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) > 0
}

// appendEach appends an object whose values are schemas.
func appendEach(dst, v []byte, depth int, each func(dst, schema []byte, depth int) ([]byte, error)) (_ []byte, err error) {
	dst = append(dst, '{')
	first := true
	for c := dialect.Object(v); c.Next(); {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(append(dst, '"'), c.Key()...), `":`...)
		if dst, err = each(dst, c.Value(), depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func appendAny(dst, v []byte, nullable bool, depth int) (_ []byte, err error) {
	dst = append(dst, '[')
	n := 0
	for c := dialect.Array(v); c.Next(); n++ {
		if n > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendJSONSchema(dst, c.Value(), depth+1); err != nil {
			return dst, err
		}
	}
	if nullable {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"type":"null"}`...)
	}
	return append(dst, ']'), nil
}

// AppendSchema appends a JSON Schema as a Schema of the API, for models that take no JSON Schema: references are put in
// their places, null becomes nullable, and keywords that Schema does not have are left out, as in the reference
// (litellm/llms/vertex_ai/common_utils.py, _build_vertex_schema). A schema that refers to itself is an error.
func AppendSchema(dst, schema []byte) ([]byte, error) {
	r := reducer{root: schema}
	return r.append(dst, schema, 0)
}

// reducer makes Schemas of the schemas in one document.
type reducer struct {
	root  []byte
	nodes int // schemas written: references can multiply them
}

// keywords are what of a schema counts.
type keywords struct {
	kind, format, enum, constant, items, properties, any, required, ordering []byte
	nullable                                                                 bool
}

func (r *reducer) append(dst, schema []byte, depth int) ([]byte, error) {
	if r.nodes++; r.nodes > maxNodes {
		return dst, errMany
	}
	schema, err := r.resolve(schema, depth)
	if err != nil {
		return dst, err
	}
	var k keywords
	dst = append(dst, '{')
	start := len(dst)
	put := func(name string, v []byte) {
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(append(append(append(dst, '"'), name...), `":`...), v...)
	}
	for c := dialect.Object(schema); c.Next(); {
		switch name, v := string(c.Key()), c.Value(); name {
		case "type":
			k.kind = v
		case "format":
			k.format = v
		case "enum":
			k.enum = v
		case "const":
			k.constant = v
		case "items":
			k.items = v
		case "properties":
			k.properties = v
		case "anyOf", "oneOf":
			k.any = v
		case "required":
			k.required = v
		case "propertyOrdering":
			k.ordering = v
		case "nullable":
			k.nullable = string(v) == "true"
		case "description", "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "pattern", "default",
			"minProperties", "maxProperties":
			put(name, v)
		}
	}
	if err := r.shape(&k, put, depth); err != nil {
		return dst, err
	}
	return append(dst, '}'), nil
}

// shape writes the keywords that take part in what a value looks like.
func (r *reducer) shape(k *keywords, put func(string, []byte), depth int) (err error) {
	kinds, null := kindsOf(k.kind)
	k.nullable = k.nullable || null
	if len(k.any) == 0 && len(kinds) > 1 {
		put("anyOf", anyKind(kinds))
		kinds = nil
	}
	if len(kinds) == 0 && len(k.any) == 0 {
		switch {
		case len(k.properties) > 0:
			kinds = []string{"OBJECT"}
		case len(k.enum) > 0 || len(k.constant) > 0:
			kinds = []string{"STRING"}
		}
	}
	if len(kinds) == 1 {
		put("type", []byte(`"`+kinds[0]+`"`))
	}
	if formatKnown(k.format) {
		put("format", k.format)
	}
	if len(k.constant) > 0 {
		k.enum = append(append([]byte{'['}, k.constant...), ']')
	}
	if values, ok := stringsOnly(k.enum); ok {
		put("enum", values)
	}
	var b []byte
	if len(k.items) > 0 && k.items[0] == '{' {
		if b, err = r.append(nil, k.items, depth+1); err != nil {
			return err
		}
		put("items", b)
	}
	if len(k.properties) > 2 {
		if b, err = appendEach(nil, k.properties, depth, r.append); err != nil {
			return err
		}
		put("properties", b)
		if len(k.required) > 0 {
			put("required", k.required)
		}
		if len(k.ordering) > 0 {
			put("propertyOrdering", k.ordering)
		} else {
			put("propertyOrdering", orderOf(k.properties))
		}
	}
	if len(k.any) > 0 {
		if err = r.alternatives(k, put, depth); err != nil {
			return err
		}
	}
	if k.nullable {
		put("nullable", []byte("true"))
	}
	return nil
}

// alternatives writes anyOf without its null.
func (r *reducer) alternatives(k *keywords, put func(string, []byte), depth int) (err error) {
	b := []byte{'['}
	for c := dialect.Array(k.any); c.Next(); {
		if string(dialect.Get(c.Value(), "type")) == `"null"` {
			k.nullable = true
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		if b, err = r.append(b, c.Value(), depth+1); err != nil {
			return err
		}
	}
	put("anyOf", append(b, ']'))
	return nil
}

// resolve follows references, and an allOf of one.
func (r *reducer) resolve(schema []byte, depth int) ([]byte, error) {
	for range maxSchema {
		if len(schema) == 0 || schema[0] != '{' {
			if string(schema) == "true" {
				return []byte("{}"), nil
			}
			return nil, errNotObject
		}
		if depth > maxSchema {
			return nil, errDeep
		}
		if ref, ok := llm.Text(dialect.Get(schema, "$ref")); ok {
			path, ok := strings.CutPrefix(string(ref), "#/")
			if !ok {
				return nil, errRef
			}
			schema = r.root
			for step := range strings.SplitSeq(path, "/") {
				schema = dialect.Get(schema, strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
			}
			if schema == nil {
				return nil, errRef
			}
			continue
		}
		if all := dialect.Array(dialect.Get(schema, "allOf")); all.Next() {
			one := all.Value()
			if !all.Next() {
				schema = one
				continue
			}
		}
		return schema, nil
	}
	return nil, errDeep
}

// kindsOf lists the types in a "type", in the words of Schema.
func kindsOf(v []byte) (kinds []string, null bool) {
	add := func(raw []byte) {
		switch name := strings.ToUpper(plain(raw)); name {
		case "NULL":
			null = true
		case "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT":
			kinds = append(kinds, name)
		}
	}
	if len(v) > 0 && v[0] == '[' {
		for c := dialect.Array(v); c.Next(); {
			add(c.Value())
		}
		return kinds, null
	}
	add(v)
	return kinds, null
}

func anyKind(kinds []string) []byte {
	b := []byte{'['}
	for i, kind := range kinds {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, `{"type":"`...), kind...), `"}`...)
	}
	return append(b, ']')
}

// formatKnown reports whether the API takes a format; it refuses the others.
func formatKnown(v []byte) bool {
	switch string(v) {
	case `"enum"`, `"date-time"`, `"float"`, `"double"`, `"int32"`, `"int64"`:
		return true
	}
	return false
}

// stringsOnly returns an enum of strings without its nulls. An enum of anything else cannot be said.
func stringsOnly(v []byte) (_ []byte, ok bool) {
	b := []byte{'['}
	for c := dialect.Array(v); c.Next(); {
		if c.First() == 'n' {
			continue
		}
		if c.First() != '"' {
			return nil, false
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, c.Value()...)
	}
	return append(b, ']'), len(b) > 1
}

// orderOf lists the names of the properties in the order written.
func orderOf(properties []byte) []byte {
	b := []byte{'['}
	for c := dialect.Object(properties); c.Next(); {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), c.Key()...), '"')
	}
	return append(b, ']')
}
