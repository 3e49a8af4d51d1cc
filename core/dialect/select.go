package dialect

import (
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// MaxSelected is how many strings Strings finds at most.
const MaxSelected = 4096

const selectDepth = 64

// Strings returns the places of the strings, quotes included, that the fields of a JSON document hold. A field is a path
// such as "query", "messages[*].content" or "a.b"; all strings below it count, each once and in order. No fields mean the whole document. ok is
// false if there are more than MaxSelected, if they are nested too deeply, or if b is not JSON.
func Strings(b []byte, fields []string) (places []llm.Span, ok bool) {
	s := selector{ok: true}
	if len(fields) == 0 {
		fields = []string{""}
	}
	for _, f := range fields {
		s.steps(f)
		s.document(b)
	}
	slices.SortFunc(s.places, func(a, b llm.Span) int { return a.Start - b.Start })
	return slices.Compact(s.places), s.ok
}

type selector struct {
	path   []string // "[*]" stands for the elements of a list
	places []llm.Span
	ok     bool
}

func (s *selector) steps(field string) {
	s.path = s.path[:0]
	field = strings.TrimPrefix(strings.TrimPrefix(field, "$"), ".")
	for _, step := range strings.Split(strings.ReplaceAll(field, "[*]", ".[*]"), ".") {
		if step != "" {
			s.path = append(s.path, step)
		}
	}
}

// document begins at the value that b holds.
func (s *selector) document(b []byte) {
	wrapped := Object(b)
	if wrapped.Broken() {
		wrapped = Array(b)
	}
	if wrapped.Broken() {
		s.ok = false
		return
	}
	s.walk(&wrapped, s.path, 0)
}

// walk visits the members or elements of c that the path asks for.
func (s *selector) walk(c *Cursor, path []string, depth int) {
	list := c.end == ']'
	for s.ok && c.Next() {
		rest := path
		if len(path) > 0 {
			if list != (path[0] == "[*]") || !list && string(c.Key()) != path[0] {
				continue
			}
			rest = path[1:]
		}
		switch c.First() {
		case '"':
			if len(rest) > 0 {
				continue
			}
			s.places = append(s.places, c.Span())
			s.ok = len(s.places) <= MaxSelected
		case '{', '[':
			if depth == selectDepth {
				s.ok = false
				return
			}
			inner := c.Enter()
			s.walk(&inner, rest, depth+1)
			c.Leave(&inner)
		}
	}
	s.ok = s.ok && !c.Broken()
}
