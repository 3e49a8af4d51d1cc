package config

import (
	"fmt"
	"io"
	"strings"
)

//go:generate go test -run "TestReference|TestStatus" -update .

// WriteReference writes the reference of every setting as Markdown, grouped
// by section in the order of the schema.
func WriteReference(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# Reference of every setting

Generated from the schema: run ` + "`go generate ./config`" + ` after changing it.

"in effect" works in this release. "not yet in effect" is known to LiteLLM and accepted, and every start says
that it does nothing yet. "deprecated" works and has a better replacement. "not needed here" never will do anything,
for the reason given. "refused" stops the start. ` + "`[]`" + ` stands for each entry of a list, ` + "`*`" + ` for any key.
`)
	bySection := map[string][]Setting{}
	var order []string
	for _, s := range Settings() {
		sec := s.Section()
		if bySection[sec] == nil {
			order = append(order, sec)
		}
		bySection[sec] = append(bySection[sec], s)
	}
	for _, section := range order {
		fmt.Fprintf(&b, "\n## %s\n\n| setting | type | default | status | what it does |\n|---|---|---|---|---|\n", section)
		for _, s := range bySection[section] {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", s.Path, s.Type, cell(s.Default), s.Status, cell(referenceDoc(&s)))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// referenceDoc is the description with choices and notes.
func referenceDoc(s *Setting) string {
	doc := s.Doc
	if len(s.Allowed) > 0 {
		doc += " Values: " + strings.Join(s.Allowed, ", ") + "."
	}
	if len(s.Later) > 0 {
		doc += " Values not yet in effect: " + strings.Join(s.Later, ", ") + "."
	}
	if s.Required {
		doc += " Required."
	}
	if s.Note != "" {
		doc += " Note: " + s.Note + "."
	}
	return doc
}

// cell escapes what a Markdown table reads, and HTML outside of code.
func cell(text string) string {
	parts := strings.Split(strings.ReplaceAll(text, "|", `\|`), "`")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = strings.ReplaceAll(parts[i], "<", "&lt;")
	}
	return strings.Join(parts, "`")
}
