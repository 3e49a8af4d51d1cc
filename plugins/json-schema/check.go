package main

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// check returns why a value does not fit, with the path of the first thing that does not, or nil. The message holds
// names of the schema and indexes, but no values and no names that only the answer has.
func (s *schema) check(v any) error {
	p := path{}
	if why := s.root.check(v, &p, 0); why != "" {
		return errors.New(p.String() + " " + why)
	}
	return nil
}

// path is where in the value the check is. It stays where the first mistake was.
type path struct{ parts []string }

// String is the path as a JSON pointer, or a name for the whole.
func (p *path) String() string {
	if len(p.parts) == 0 {
		return "the answer"
	}
	return "/" + strings.Join(p.parts, "/")
}

// inside checks a part of the value; the path goes back only if the part fits.
func (p *path) inside(part string, f func() string) string {
	p.parts = append(p.parts, part)
	why := f()
	if why == "" {
		p.parts = p.parts[:len(p.parts)-1]
	}
	return why
}

// fits checks without leaving a trace of a mistake.
func (n *node) fits(v any, p *path, depth int) bool {
	length := len(p.parts)
	why := n.check(v, p, depth)
	p.parts = p.parts[:length]
	return why == ""
}

// check returns what is wrong, or nothing.
func (n *node) check(v any, p *path, depth int) string {
	if depth > 2*maxDepth {
		return "cannot be checked: the schema refers to itself without end"
	}
	depth++
	switch {
	case n.never:
		return "is not allowed"
	case n.types != nil && !slices.ContainsFunc(n.types, func(t string) bool { return isType(v, t) }):
		return "must be of type " + strings.Join(n.types, " or ")
	case n.enum != nil && !slices.ContainsFunc(n.enum, func(e any) bool { return equal(e, v) }):
		return "must be one of the " + strconv.Itoa(len(n.enum)) + " values of the schema"
	}
	if n.ref != nil {
		if why := n.ref.check(v, p, depth); why != "" {
			return why
		}
	}
	if why := n.combine(v, p, depth); why != "" {
		return why
	}
	switch v := v.(type) {
	case string:
		return n.text(v)
	case []any:
		return n.list(v, p, depth)
	case map[string]any:
		return n.object(v, p, depth)
	}
	if f, ok := number(v); ok {
		return n.number(f)
	}
	return ""
}

func (n *node) combine(v any, p *path, depth int) string {
	for _, sub := range n.all {
		if why := sub.check(v, p, depth); why != "" {
			return why
		}
	}
	if n.any != nil && !slices.ContainsFunc(n.any, func(sub *node) bool { return sub.fits(v, p, depth) }) {
		return "fits none of anyOf"
	}
	if n.one != nil {
		fit := 0
		for _, sub := range n.one {
			if sub.fits(v, p, depth) {
				fit++
			}
		}
		if fit != 1 {
			return "fits " + strconv.Itoa(fit) + " of oneOf, not one"
		}
	}
	if n.not != nil && n.not.fits(v, p, depth) {
		return "fits what it must not fit"
	}
	return ""
}

func (n *node) text(s string) string {
	if n.length.least > 0 || n.length.most >= 0 {
		if why := n.length.check(utf8.RuneCountInString(s), "characters"); why != "" {
			return why
		}
	}
	if n.pattern != nil && !n.pattern.MatchString(s) {
		return "does not match the pattern"
	}
	return ""
}

func (b bounds) check(n int, what string) string {
	switch {
	case n < b.least:
		return "must have at least " + strconv.Itoa(b.least) + " " + what
	case b.most >= 0 && n > b.most:
		return "must have at most " + strconv.Itoa(b.most) + " " + what
	}
	return ""
}

func (n *node) number(f float64) string {
	text := func(limit *float64) string { return strconv.FormatFloat(*limit, 'g', -1, 64) }
	switch {
	case n.minimum != nil && f < *n.minimum:
		return "must be at least " + text(n.minimum)
	case n.maximum != nil && f > *n.maximum:
		return "must be at most " + text(n.maximum)
	case n.above != nil && f <= *n.above:
		return "must be above " + text(n.above)
	case n.below != nil && f >= *n.below:
		return "must be below " + text(n.below)
	case n.multiple != nil && !multiple(f, *n.multiple):
		return "must be a multiple of " + text(n.multiple)
	}
	return ""
}

// multiple allows for what binary fractions cannot hold: 0.3 is a multiple of 0.1.
func multiple(f, of float64) bool {
	q := f / of
	return math.Abs(q-math.Round(q)) <= 1e-9*max(1, math.Abs(q))
}

func (n *node) list(items []any, p *path, depth int) string {
	if why := n.count.check(len(items), "items"); why != "" {
		return why
	}
	if n.unique {
		for i := range items {
			for k := range i {
				if equal(items[i], items[k]) {
					return "has equal items"
				}
			}
		}
	}
	if n.items == nil {
		return ""
	}
	for i, item := range items {
		if why := p.inside(strconv.Itoa(i), func() string { return n.items.check(item, p, depth) }); why != "" {
			return why
		}
	}
	return ""
}

func (n *node) object(m map[string]any, p *path, depth int) string {
	if why := n.members.check(len(m), "members"); why != "" {
		return why
	}
	for _, name := range n.required {
		if _, ok := m[name]; !ok {
			return "lacks the member " + strconv.Quote(name)
		}
	}
	known := 0
	for i := range n.properties {
		q := &n.properties[i]
		v, ok := m[q.name]
		if !ok {
			continue
		}
		known++
		if why := p.inside(token(q.name), func() string { return q.node.check(v, p, depth) }); why != "" {
			return why
		}
	}
	if n.additional == nil || known == len(m) {
		return ""
	}
	if n.additional.never {
		return "has a member that the schema does not name"
	}
	for name, v := range m {
		if !slices.ContainsFunc(n.properties, func(q property) bool { return q.name == name }) && !n.additional.fits(v, p, depth) {
			return "has a member that does not fit additionalProperties"
		}
	}
	return ""
}

func isType(v any, t string) bool {
	f, numeric := number(v)
	switch v.(type) {
	case nil:
		return t == "null"
	case bool:
		return t == "boolean"
	case string:
		return t == "string"
	case []any:
		return t == "array"
	case map[string]any:
		return t == "object"
	}
	return numeric && (t == "number" || t == "integer" && f == math.Trunc(f))
}

// equal compares JSON values; 1 and 1.0 are the same.
func equal(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name, v := range a {
			w, ok := b[name]
			if !ok || !equal(v, w) {
				return false
			}
		}
		return true
	case nil, bool, string:
		return a == b
	}
	return false
}
