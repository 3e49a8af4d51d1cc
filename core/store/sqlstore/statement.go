package sqlstore

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/store"
)

// statement collects SQL and its parameters.
type statement struct {
	strings.Builder
	args []any
}

// param adds a parameter and returns how it is written.
func (s *statement) param(value any) string {
	s.args = append(s.args, value)
	return "$" + strconv.Itoa(len(s.args))
}

func (s *statement) add(parts ...string) {
	for _, part := range parts {
		s.WriteString(part)
	}
}

func quote(name string) string { return `"` + name + `"` }

func quoted(columns []*Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = quote(c.Name)
	}
	return strings.Join(names, ", ")
}

// params writes $from, and so on, n of them.
func params(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(from+i))
	}
	return b.String()
}

// finder resolves the name of a column.
type finder func(name string) (*Column, error)

// where writes conditions, all of which hold. Without one it writes nothing.
func (s *statement) where(d Dialect, find finder, conds []store.Cond) error {
	for i, cond := range conds {
		s.add([]string{" WHERE ", " AND "}[min(i, 1)])
		if err := s.cond(d, find, cond); err != nil {
			return err
		}
	}
	return nil
}

func (s *statement) cond(d Dialect, find finder, cond store.Cond) error {
	if cond.Any != nil {
		return s.anyOf(d, find, cond.Any)
	}
	c, err := find(cond.Column)
	if err != nil {
		return err
	}
	values := make([]any, len(cond.Values))
	kind := *c
	if cond.Op == store.Has || cond.Op == store.Contains || cond.Op == store.EqualFold {
		kind = Column{Name: c.Name} // a text is looked for
	}
	for i, v := range cond.Values {
		if values[i], err = (codec{d.Millis(), d.Arrays()}).arg(&kind, v); err != nil {
			return err
		}
	}
	if want := operands(cond.Op); want >= 0 && len(values) != want {
		return fmt.Errorf("condition on %s: %d values, want %d", c.Name, len(values), want)
	}
	s.compare(d, c, cond.Op, values)
	return nil
}

func operands(op store.Op) int {
	switch op {
	case store.In, store.NotIn:
		return -1
	case store.IsNull, store.NotNull:
		return 0
	}
	return 1
}

func (s *statement) anyOf(d Dialect, find finder, groups [][]store.Cond) error {
	if len(groups) == 0 {
		s.add("1 = 0")
		return nil
	}
	s.add("(")
	for i, group := range groups {
		if i > 0 {
			s.add(" OR ")
		}
		s.add("(1 = 1")
		for _, cond := range group {
			s.add(" AND ")
			if err := s.cond(d, find, cond); err != nil {
				return err
			}
		}
		s.add(")")
	}
	s.add(")")
	return nil
}

func (s *statement) compare(d Dialect, c *Column, op store.Op, values []any) {
	name := quote(c.Name)
	switch op {
	case store.Equal:
		if isNothing(values[0]) {
			s.add(empty(c))
			return
		}
		s.add(name, " = ", s.param(values[0]))
	case store.NotEqual:
		if isNothing(values[0]) {
			s.add("NOT ", empty(c))
			return
		}
		s.add("(", name, " IS NULL OR ", name, " <> ", s.param(values[0]), ")")
	case store.In:
		s.in(name, values)
	case store.NotIn:
		s.add("(", name, " IS NULL OR NOT ")
		s.in(name, values)
		s.add(")")
	case store.IsNull:
		s.add(empty(c))
	case store.NotNull:
		s.add("NOT ", empty(c))
	case store.Has:
		s.add(d.Has(name, s.param(values[0])))
	case store.Contains:
		s.add(contains(d, name, s.param(values[0])))
	case store.EqualFold:
		s.add("lower(", name, ") = lower(CAST(", s.param(values[0]), " AS TEXT))")
	default:
		s.add(name, " ", map[store.Op]string{store.Less: "<", store.LessEqual: "<=", store.Greater: ">", store.GreaterEqual: ">="}[op],
			" ", s.param(values[0]))
	}
}

// in writes that a column is one of several values; of none, that it cannot be.
func (s *statement) in(name string, values []any) {
	if len(values) == 0 {
		s.add("(1 = 0)")
		return
	}
	s.add("(", name, " IN (")
	for i, v := range values {
		if i > 0 {
			s.add(", ")
		}
		s.add(s.param(v))
	}
	s.add("))")
}

// contains writes that a text holds another, whatever the case of letters.
func contains(d Dialect, text, part string) string {
	position := "strpos"
	if d.Millis() {
		position = "instr"
	}
	return position + "(lower(" + text + "), lower(CAST(" + part + " AS TEXT))) > 0"
}

func isNothing(value any) bool {
	return value == nil || value == ""
}

// empty writes that a column is NULL or the empty text.
func empty(c *Column) string {
	name := quote(c.Name)
	if c.Kind == KindText {
		return "(" + name + " IS NULL OR " + name + " = '')"
	}
	return "(" + name + " IS NULL)"
}

// sameArg says whether two parameters are the same value.
func sameArg(a, b any) bool { return reflect.DeepEqual(a, b) }
