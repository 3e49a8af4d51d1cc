package price

import (
	_ "embed"
	"slices"
	"strings"
)

//go:generate go run ../internal/pricegen

//go:embed prices.tsv
var builtin string

// Table is what models cost and can do, by name. It is immutable and safe for concurrent use.
//
// It is text: one line a model, sorted, searched where it lies. The built-in table is part of the program's file, so
// that what nobody looks up takes no memory. A line is the model's name, its provider, its mode, and then fields as
// code=value; see short, abilities and words for the codes.
type Table struct {
	head, body string
	below      *Table // asked for what this one does not have
}

// Builtin returns the table that ships with the program.
func Builtin() *Table { return newTable(builtin, nil) }

func newTable(text string, below *Table) *Table {
	n := 0
	for strings.HasPrefix(text[n:], "#") {
		end := strings.IndexByte(text[n:], '\n')
		if end < 0 {
			n = len(text)
			break
		}
		n += end + 1
	}
	return &Table{head: text[:n], body: text[n:], below: below}
}

// Over returns a table with the entries of t, and those of below where t has none.
func (t *Table) Over(below *Table) *Table { return &Table{head: t.head, body: t.body, below: below} }

// Header returns a line of the table's header: "source", "date", "sha256", "entries", or "src N" for a source that
// entries refer to. It is empty if there is none.
func (t *Table) Header(name string) string {
	for line := range strings.Lines(t.head) {
		if v, ok := strings.CutPrefix(line, "# "+name+": "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Text returns the table as it is stored, without what lies below it.
func (t *Table) Text() string { return t.head + t.body }

// Entry is one model of a table. The zero Entry stands for none.
type Entry struct {
	line string
	t    *Table
}

// Key returns the name of the entry.
func (e Entry) Key() string { return e.column(0) }

// Provider returns the vendor in the words of LiteLLM's cost map, such as "vertex_ai-language-models"; empty if the entry
// names none.
func (e Entry) Provider() string {
	switch p := e.column(1); p {
	case "":
		before, _, _ := strings.Cut(e.line, "/")
		return before
	case noWord:
		return ""
	default:
		return p
	}
}

// Mode returns the kind of model, such as "chat"; empty if the entry names none.
func (e Entry) Mode() string {
	switch m := e.column(2); m {
	case "":
		return "chat"
	case noWord:
		return ""
	default:
		return m
	}
}

func (e Entry) column(n int) string {
	s := e.line
	for range n {
		_, s, _ = strings.Cut(s, "\t")
	}
	s, _, _ = strings.Cut(s, "\t")
	return s
}

// fields calls f with the code and the value of each field; a field without a value is an ability.
func (e Entry) fields(f func(code, value string)) {
	s := e.line
	for range 3 {
		_, s, _ = strings.Cut(s, "\t")
	}
	for field := range strings.SplitSeq(s, "\t") {
		if field == "" {
			continue
		}
		code, value, _ := strings.Cut(field, "=")
		f(code, value)
	}
}

// Get returns the entry of exactly this name; without one, that of a name that differs in the case of letters only.
func (t *Table) Get(key string) (Entry, bool) {
	for ; t != nil; t = t.below {
		if e, ok := t.get(key); ok {
			return e, true
		}
	}
	return Entry{}, false
}

func (t *Table) get(key string) (Entry, bool) {
	if key == "" || strings.ContainsAny(key, "\t\n") {
		return Entry{}, false
	}
	lo, hi := 0, len(t.body)
	for lo < hi {
		start, end := t.lineAt(lo+(hi-lo)/2, lo)
		if fold(Entry{t.body[start:end], t}.Key(), key) < 0 {
			lo = end + 1
		} else {
			hi = start
		}
	}
	var found Entry
	for lo < len(t.body) {
		start, end := t.lineAt(lo, lo)
		e := Entry{t.body[start:end], t}
		if fold(e.Key(), key) != 0 {
			break
		}
		if e.Key() == key {
			return e, true
		}
		if found.line == "" {
			found = e
		}
		lo = end + 1
	}
	return found, found.line != ""
}

// lineAt returns the bounds of the line around a position; none begins before from.
func (t *Table) lineAt(at, from int) (start, end int) {
	start = from + strings.LastIndexByte(t.body[from:at], '\n') + 1
	end = strings.IndexByte(t.body[at:], '\n')
	if end < 0 {
		return start, len(t.body)
	}
	return start, at + end
}

// All calls f with every entry, those of a table above before those below it, until f returns false. An entry that is
// hidden by one above it is left out.
func (t *Table) All(f func(Entry) bool) {
	for at := t; at != nil; at = at.below {
		for line := range strings.Lines(at.body) {
			e := Entry{strings.TrimSuffix(line, "\n"), at}
			if at != t && t.hides(e.Key(), at) {
				continue
			}
			if !f(e) {
				return
			}
		}
	}
}

// hides reports whether a table above another has an entry of this name.
func (t *Table) hides(key string, below *Table) bool {
	for at := t; at != below; at = at.below {
		if _, ok := at.get(key); ok {
			return true
		}
	}
	return false
}

// fold compares names without regard to the case of ASCII letters.
func fold(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// sortLines puts lines in the order of their names.
func sortLines(lines []string) {
	slices.SortFunc(lines, func(a, b string) int {
		x, y := Entry{line: a}.Key(), Entry{line: b}.Key()
		if c := fold(x, y); c != 0 {
			return c
		}
		return strings.Compare(x, y)
	})
}
