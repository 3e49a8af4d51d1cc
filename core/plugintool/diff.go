package plugintool

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Change is a value that is different afterwards, as lines. One that was added has no Before, one that was removed no
// After.
type Change struct {
	Path   string   `json:"path"`
	Before []string `json:"before,omitempty"`
	After  []string `json:"after,omitempty"`
}

// Diff compares two JSON documents value by value, in the order of the documents. Paths are of the form
// "messages.0.content". A document that is not JSON is compared as text.
func Diff(before, after []byte) []Change {
	if bytes.Equal(before, after) {
		return nil
	}
	var b, a leaves
	if b.read(before) != nil || a.read(after) != nil {
		return diffText("body", string(before), string(after))
	}
	var changes []Change
	for _, leaf := range b.list {
		value, ok := a.byPath[leaf.path]
		switch {
		case !ok:
			changes = append(changes, Change{Path: leaf.path, Before: lines(leaf.value)})
		case value != leaf.value:
			changes = append(changes, diffText(leaf.path, leaf.value, value)...)
		}
	}
	for _, leaf := range a.list {
		if _, ok := b.byPath[leaf.path]; !ok {
			changes = append(changes, Change{Path: leaf.path, After: lines(leaf.value)})
		}
	}
	return changes
}

// diffText compares two texts line by line and leaves out the lines at both ends that are the same.
func diffText(path, before, after string) []Change {
	if before == after {
		return nil
	}
	b, a := lines(before), lines(after)
	for len(b) > 0 && len(a) > 0 && b[0] == a[0] {
		b, a = b[1:], a[1:]
	}
	for len(b) > 0 && len(a) > 0 && b[len(b)-1] == a[len(a)-1] {
		b, a = b[:len(b)-1], a[:len(a)-1]
	}
	return []Change{{path, b, a}}
}

func lines(s string) []string { return strings.Split(strings.TrimSuffix(s, "\n"), "\n") }

// leaves are the values of a JSON document that hold no others.
type leaves struct {
	list   []leaf
	byPath map[string]string
}

type leaf struct{ path, value string }

func (l *leaves) read(doc []byte) error {
	l.byPath = map[string]string{}
	if len(bytes.TrimSpace(doc)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := l.value(d, ""); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("there is something behind the document")
	}
	return nil
}

func (l *leaves) value(d *json.Decoder, path string) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		return l.inside(d, path, t)
	case string:
		l.add(path, t)
	case nil:
		l.add(path, "null")
	default:
		l.add(path, fmt.Sprint(t))
	}
	return nil
}

func (l *leaves) inside(d *json.Decoder, path string, open json.Delim) error {
	n := 0
	for ; d.More(); n++ {
		name := strconv.Itoa(n)
		if open == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			name = strings.NewReplacer(`\`, `\\`, `.`, `\.`).Replace(fmt.Sprint(key))
		}
		if path != "" {
			name = path + "." + name
		}
		if err := l.value(d, name); err != nil {
			return err
		}
	}
	if n == 0 {
		l.add(path, map[json.Delim]string{'{': "{}", '[': "[]"}[open])
	}
	_, err := d.Token()
	return err
}

func (l *leaves) add(path, value string) {
	l.list = append(l.list, leaf{path, value})
	l.byPath[path] = value
}

// Write writes the outcome for people.
func (o *Outcome) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", o.Hook, o.Verdict)
	if o.Status != 0 {
		fmt.Fprintf(&b, ", status %d", o.Status)
	}
	fmt.Fprintf(&b, " (%.0f µs)\n", o.TookUS)
	if o.Message != "" {
		fmt.Fprintf(&b, "  message: %s\n", o.Message)
	}
	if o.Reply != "" {
		fmt.Fprintf(&b, "  the caller gets:\n")
		for _, line := range lines(o.Reply) {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	for _, s := range o.Steps {
		fmt.Fprintf(&b, "  %-8s%s", s.Who, s.Text)
		if s.Did != "" {
			fmt.Fprintf(&b, " => %s", s.Did)
		}
		b.WriteByte('\n')
	}
	for _, c := range append(o.Changes, o.Caller...) {
		fmt.Fprintf(&b, "  %s\n", c.Path)
		for _, line := range c.Before {
			fmt.Fprintf(&b, "  - %s\n", line)
		}
		for _, line := range c.After {
			fmt.Fprintf(&b, "  + %s\n", line)
		}
	}
	for _, call := range o.Calls {
		fmt.Fprintf(&b, "  host    %s\n", call)
	}
	for _, m := range o.Metrics {
		fmt.Fprintf(&b, "  metric  %s\n", m)
	}
	for _, line := range lines(o.Records) {
		if line != "" {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
