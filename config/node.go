package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds on one configuration, far above any that a person or a generator
// writes, so that a hostile file costs little.
const (
	maxFileBytes = 4 << 20
	maxDepth     = 100
	maxValues    = 250_000
)

type kind uint8

const (
	scalarKind kind = iota
	listKind
	mapKind
)

// node is one value of the file with its place. Anchors, aliases and merge
// keys are already expanded.
type node struct {
	kind kind
	pos  Position

	// scalar is nil, bool, int, float64 or string; text is what was written.
	scalar any
	text   string
	quoted bool
	// variable is the name in an os.environ/ reference; missing says that it
	// resolved to nothing.
	variable string
	missing  bool

	items   []*node
	entries []entry

	// setting is what the schema says about this value, set by the checker.
	setting *Setting
}

type entry struct {
	key string
	pos Position
	val *node
}

func (n *node) isNull() bool {
	return n.kind == scalarKind && (n.scalar == nil || n.missing)
}

// get returns the value of a key of a map, or nil.
func (n *node) get(key string) *node {
	if n == nil || n.kind != mapKind {
		return nil
	}
	for i := range n.entries {
		if n.entries[i].key == key {
			return n.entries[i].val
		}
	}
	return nil
}

// set replaces or adds a key of a map.
func (n *node) set(e entry) {
	for i := range n.entries {
		if n.entries[i].key == e.key {
			n.entries[i] = e
			return
		}
	}
	n.entries = append(n.entries, e)
}

// yamlLine finds the line in an error of the YAML parser, which has no field
// for it.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// parse reads one YAML document. Mistakes go to the report; the result is nil
// when the document is empty or cannot be read.
func parse(file string, data []byte, rep *Report) *node {
	if len(data) > maxFileBytes {
		rep.fail(Position{File: file}, "", fmt.Sprintf("the file is larger than %d bytes", maxFileBytes), "split it with `include`")
		return nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		rep.yamlError(file, data, err)
		return nil
	}
	if len(doc.Content) == 0 {
		return nil
	}
	c := converter{file: file, rep: rep}
	n := c.convert(doc.Content[0], 0, "")
	if c.stopped || n.isNull() {
		return nil
	}
	return n
}

// yamlError reports what the YAML parser said, with the line and, for the
// most common mistake, the fix.
func (r *Report) yamlError(file string, data []byte, err error) {
	msg := err.Error()
	m := yamlLine.FindStringSubmatch(msg)
	pos := Position{File: file}
	if m != nil {
		msg = msg[len(m[0]):]
		pos.Line, _ = strconv.Atoi(m[1])
	}
	hint := "look at the indentation of this line and of those after it, and for a bracket or quote that is not closed"
	if line, ok := tabIndent(data); ok {
		pos.Line, hint = line, "the line is indented with a tab: YAML indents with spaces"
	}
	r.fail(pos, "", "not valid YAML: "+msg, hint)
}

// tabIndent returns the first line with a tab in its indentation.
func tabIndent(data []byte) (int, bool) {
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		rest := strings.TrimLeft(text, " \t")
		if strings.Contains(text[:len(text)-len(rest)], "\t") && strings.TrimSpace(rest) != "" {
			return line, true
		}
	}
	return 0, false
}

// converter turns a YAML tree into nodes.
type converter struct {
	file    string
	rep     *Report
	values  int
	open    map[*yaml.Node]bool
	stopped bool
}

func (c *converter) at(y *yaml.Node) Position { return Position{File: c.file, Line: y.Line} }

// stop reports a mistake that makes the rest not worth reading.
func (c *converter) stop(y *yaml.Node, msg string) *node {
	if !c.stopped {
		c.rep.fail(c.at(y), "", msg, "")
	}
	c.stopped = true
	return &node{pos: c.at(y)}
}

func (c *converter) convert(y *yaml.Node, depth int, path string) *node {
	c.values++
	if c.stopped {
		return &node{pos: c.at(y)}
	}
	if depth > maxDepth {
		return c.stop(y, fmt.Sprintf("nested more than %d levels deep", maxDepth))
	}
	if c.values > maxValues {
		return c.stop(y, fmt.Sprintf("more than %d values once aliases are expanded", maxValues))
	}
	switch y.Kind {
	case yaml.AliasNode:
		return c.alias(y, depth, path)
	case yaml.SequenceNode:
		n := &node{kind: listKind, pos: c.at(y)}
		for i, item := range y.Content {
			n.items = append(n.items, c.convert(item, depth+1, fmt.Sprintf("%s[%d]", path, i)))
		}
		return n
	case yaml.MappingNode:
		return c.mapping(y, depth, path)
	}
	return c.scalar(y)
}

// alias expands *name; the result carries the place of the alias's anchor,
// where the value can be changed.
func (c *converter) alias(y *yaml.Node, depth int, path string) *node {
	if y.Alias == nil {
		return c.stop(y, "alias without an anchor")
	}
	if c.open[y.Alias] {
		return c.stop(y, fmt.Sprintf("the anchor &%s contains itself", y.Value))
	}
	if c.open == nil {
		c.open = map[*yaml.Node]bool{}
	}
	c.open[y.Alias] = true
	n := c.convert(y.Alias, depth+1, path)
	delete(c.open, y.Alias)
	return n
}

func (c *converter) mapping(y *yaml.Node, depth int, path string) *node {
	n := &node{kind: mapKind, pos: c.at(y)}
	lines := make(map[string]int, len(y.Content)/2)
	var merges []*node
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, val := y.Content[i], y.Content[i+1]
		if key.Kind == yaml.AliasNode && key.Alias != nil {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			return c.stop(key, "a key must be a plain word")
		}
		if key.ShortTag() == "!!merge" {
			merges = append(merges, c.convert(val, depth+1, path))
			continue
		}
		if first, ok := lines[key.Value]; ok {
			c.rep.fail(c.at(key), join(path, key.Value), fmt.Sprintf("written twice in the same place, first in line %d", first), "remove one of the two")
			continue
		}
		lines[key.Value] = key.Line
		n.entries = append(n.entries, entry{key.Value, c.at(key), c.convert(val, depth+1, join(path, key.Value))})
	}
	for _, m := range merges {
		c.merge(n, m, y)
	}
	return n
}

// merge adds what "<<" brings: keys written in the map itself win, and of
// several maps the first.
func (c *converter) merge(into, from *node, y *yaml.Node) {
	sources := []*node{from}
	if from.kind == listKind {
		sources = from.items
	}
	for _, src := range sources {
		if src.kind != mapKind {
			c.stop(y, "the value of << must be an alias of a map")
			return
		}
		for _, e := range src.entries {
			if into.get(e.key) == nil {
				into.entries = append(into.entries, e)
			}
		}
	}
}

func (c *converter) scalar(y *yaml.Node) *node {
	n := &node{pos: c.at(y), text: y.Value}
	n.quoted = y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	switch y.ShortTag() {
	case "!!null":
	case "!!bool":
		n.scalar = parseYAMLBool(y.Value)
	case "!!int":
		n.scalar = parseYAMLInt(y)
	case "!!float":
		n.scalar = parseYAMLFloat(y)
	default:
		n.scalar = y.Value
	}
	return n
}

func parseYAMLBool(text string) any {
	switch strings.ToLower(text) {
	case "true":
		return true
	case "false":
		return false
	}
	return text
}

// parseYAMLInt returns an int where one holds the number, else a float64, and
// the text when an explicit tag lies about it.
func parseYAMLInt(y *yaml.Node) any {
	var i int
	if y.Decode(&i) == nil {
		return i
	}
	return parseYAMLFloat(y)
}

func parseYAMLFloat(y *yaml.Node) any {
	var f float64
	if y.Decode(&f) != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return y.Value
	}
	return f
}
