package main

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// schema is a compiled JSON schema: the part of draft 2020-12 that README.md names.
type schema struct {
	root *node
}

// node is one schema object. A nil pointer is a keyword that is not there.
type node struct {
	never      bool // the schema false
	types      []string
	enum       []any // const is an enum of one
	ref        *node
	all        []*node
	any        []*node
	one        []*node
	not        *node
	properties []property
	required   []string
	additional *node
	items      *node
	unique     bool
	pattern    *regexp.Regexp

	minimum, maximum, above, below, multiple *float64
	length, count, members                   bounds
}

type property struct {
	name string
	node *node
}

// bounds are of a number of characters, items or members; a most of -1 is none.
type bounds struct{ least, most int }

// compiler turns the JSON of a schema into nodes.
type compiler struct {
	root  any
	nodes map[string]*node // by where they are, so that references can go in circles
	count int
}

const (
	maxNodes  = 10_000
	maxNested = 100
)

func compile(v any) (*schema, error) {
	c := &compiler{root: v, nodes: map[string]*node{}}
	n, err := c.node(v, "", 0)
	if err != nil {
		return nil, err
	}
	return &schema{n}, nil
}

// node compiles the schema v, which is at a JSON pointer.
func (c *compiler) node(v any, at string, depth int) (*node, error) {
	if n := c.nodes[at]; n != nil {
		return n, nil
	}
	if c.count++; c.count > maxNodes || depth > maxNested {
		return nil, errors.New("it is too large or nested too deep")
	}
	n := &node{length: bounds{0, -1}, count: bounds{0, -1}, members: bounds{0, -1}}
	c.nodes[at] = n
	switch v := v.(type) {
	case bool:
		n.never = !v
		return n, nil
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			if err := c.keyword(n, key, v[key], at+"/"+token(key), depth+1); err != nil {
				return nil, err
			}
		}
		return n, nil
	}
	return nil, errors.New(strconv.Quote(at) + " must be a schema: an object, true or false")
}

// token writes a name in a JSON pointer (RFC 6901).
func token(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

func (c *compiler) keyword(n *node, key string, v any, at string, depth int) (err error) {
	switch key {
	case "$schema", "$id", "$comment", "$anchor", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
		"format", "contentEncoding", "contentMediaType", "$defs", "definitions":
		return nil // they say nothing about what is valid, or are read where a reference names them
	case "type":
		n.types, err = typesOf(v, at)
	case "enum":
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			return errors.New(strconv.Quote(at) + " must be a list of values")
		}
		n.enum = list
	case "const":
		n.enum = []any{v}
	case "$ref":
		n.ref, err = c.reference(v, at, depth)
	case "allOf":
		n.all, err = c.list(v, at, depth)
	case "anyOf":
		n.any, err = c.list(v, at, depth)
	case "oneOf":
		n.one, err = c.list(v, at, depth)
	case "not":
		n.not, err = c.node(v, at, depth)
	case "properties":
		n.properties, err = c.properties(v, at, depth)
	case "additionalProperties":
		n.additional, err = c.node(v, at, depth)
	case "items":
		n.items, err = c.node(v, at, depth)
	case "required":
		n.required, err = names(v, at)
	case "pattern":
		text, ok := v.(string)
		if !ok {
			return errors.New(strconv.Quote(at) + " must be text")
		}
		if n.pattern, err = regexp.Compile(text); err != nil {
			return errors.New(strconv.Quote(at) + ": " + err.Error())
		}
	case "uniqueItems":
		ok := false
		if n.unique, ok = v.(bool); !ok {
			return errors.New(strconv.Quote(at) + " must be true or false")
		}
	default:
		return n.limit(key, v, at)
	}
	return err
}

// limit reads the keywords that are numbers.
func (n *node) limit(key string, v any, at string) error {
	f, ok := number(v)
	place := map[string]**float64{
		"minimum": &n.minimum, "maximum": &n.maximum, "exclusiveMinimum": &n.above, "exclusiveMaximum": &n.below, "multipleOf": &n.multiple,
	}[key]
	if place != nil {
		if !ok || key == "multipleOf" && f <= 0 {
			return errors.New(strconv.Quote(at) + " must be a number, and that of multipleOf above 0")
		}
		*place = &f
		return nil
	}
	whole := map[string]*int{
		"minLength": &n.length.least, "maxLength": &n.length.most, "minItems": &n.count.least, "maxItems": &n.count.most,
		"minProperties": &n.members.least, "maxProperties": &n.members.most,
	}[key]
	if whole == nil {
		return errors.New(strconv.Quote(at) + " is a keyword that is not supported")
	}
	if !ok || f < 0 || f != float64(int32(f)) {
		return errors.New(strconv.Quote(at) + " must be a whole number from 0 on")
	}
	*whole = int(f)
	return nil
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	}
	return 0, false
}

func typesOf(v any, at string) ([]string, error) {
	list, err := names(v, at)
	if s, ok := v.(string); ok {
		list, err = []string{s}, nil
	}
	if err != nil {
		return nil, err
	}
	for _, t := range list {
		switch t {
		case "null", "boolean", "object", "array", "number", "integer", "string":
		default:
			return nil, errors.New(strconv.Quote(at) + ": " + strconv.Quote(t) + " is no type")
		}
	}
	return list, nil
}

func names(v any, at string) ([]string, error) {
	items, ok := v.([]any)
	if !ok {
		return nil, errors.New(strconv.Quote(at) + " must be a list of texts")
	}
	list := []string{}
	for _, item := range items {
		s, ok := item.(string)
		if !ok {
			return nil, errors.New(strconv.Quote(at) + " must be a list of texts")
		}
		list = append(list, s)
	}
	return list, nil
}

func (c *compiler) list(v any, at string, depth int) ([]*node, error) {
	items, ok := v.([]any)
	if !ok || len(items) == 0 {
		return nil, errors.New(strconv.Quote(at) + " must be a list of schemas")
	}
	var nodes []*node
	for i, item := range items {
		n, err := c.node(item, at+"/"+strconv.Itoa(i), depth)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func (c *compiler) properties(v any, at string, depth int) ([]property, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New(strconv.Quote(at) + " must be an object of schemas")
	}
	list := []property{}
	for name, s := range m {
		n, err := c.node(s, at+"/"+token(name), depth)
		if err != nil {
			return nil, err
		}
		list = append(list, property{name, n})
	}
	slices.SortFunc(list, func(a, b property) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// reference finds what $ref names: a place in the same schema.
func (c *compiler) reference(v any, at string, depth int) (*node, error) {
	text, _ := v.(string)
	pointer, ok := strings.CutPrefix(text, "#")
	if !ok || pointer != "" && pointer[0] != '/' {
		return nil, errors.New(strconv.Quote(at) + ` must be "#" or begin with "#/": only references into the same schema are supported`)
	}
	target := c.root
	for _, part := range strings.Split(pointer, "/")[1:] {
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		found := false
		switch in := target.(type) {
		case map[string]any:
			target, found = in[part]
		case []any:
			n, err := strconv.Atoi(part)
			if found = err == nil && n >= 0 && n < len(in); found {
				target = in[n]
			}
		}
		if !found {
			return nil, errors.New(strconv.Quote(at) + " refers to " + strconv.Quote(text) + ", which is not there")
		}
	}
	return c.node(target, pointer, depth)
}
