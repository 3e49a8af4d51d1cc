package llm

import (
	"bytes"
	"fmt"
	"mime"
	"strconv"
	"strings"
)

// Limits of what Form.Parse accepts.
const (
	MaxFormParts  = 256      // parts of a form
	MaxFormHeader = 16 << 10 // bytes of one part's header
	MaxFormField  = 4 << 20  // bytes of a field that is no file
)

// Form is the body of a multipart/form-data request as it was received, with the place of each part (RFC 7578, RFC
// 2046). Whoever changes it writes other bytes in place of a part, so files are never copied.
//
// The form borrows the bytes it was given.
type Form struct {
	raw   []byte
	limit string // "--" and the boundary
	parts []FormPart
}

// FormPart is one part of a Form.
type FormPart struct {
	Name     string // of the field, as it was sent
	Filename string
	File     bool   // it has a file name: it is no text
	Type     []byte // content type; nil if the part has none. Borrowed.
	Whole    Span   // from the delimiter in front of the part to the line end behind it
	Value    Span   // the content
}

// FormError says why bytes are not a form that can be used.
type FormError struct {
	Msg string
}

// Error describes the mistake.
func (e *FormError) Error() string { return e.Msg }

func badForm(format string, args ...any) error { return &FormError{fmt.Sprintf(format, args...)} }

// IsForm reports whether a content type is that of a form.
func IsForm(contentType []byte) bool {
	const form = "multipart/form-data"
	if len(contentType) < len(form) || !EqualFold(contentType[:len(form)], form) {
		return false
	}
	rest := bytes.TrimLeft(contentType[len(form):], " \t")
	return len(rest) == 0 || rest[0] == ';'
}

// Raw returns the whole body as received; nil if there is no form.
func (f *Form) Raw() []byte { return f.raw }

// Parts returns the parts in order. The list is valid until the next Parse.
func (f *Form) Parts() []FormPart { return f.parts }

// Value returns the content of a part. It is borrowed.
func (f *Form) Value(p FormPart) []byte { return f.raw[p.Value.Start:p.Value.End] }

// Of is the form with those of its parts. It shares the bytes.
func (f *Form) Of(parts []FormPart) Form { return Form{raw: f.raw, limit: f.limit, parts: parts} }

// Get returns the content of the first part with the name that is no file, or nil. It is borrowed.
func (f *Form) Get(name string) []byte {
	for i := range f.parts {
		if p := &f.parts[i]; p.Name == name && !p.File {
			return f.raw[p.Value.Start:p.Value.End]
		}
	}
	return nil
}

// End is where the last delimiter begins: parts are added there.
func (f *Form) End() int {
	if n := len(f.parts); n > 0 {
		return f.parts[n-1].Whole.End
	}
	return 0
}

// maxName is the greatest length of a field's name.
const maxName = 256

// Field returns a part with the name and value, to be written in place of another or at End. Name must be one that Parse
// takes, without quotes and control characters, and the value must not hold the form's delimiter; ok is false otherwise.
func (f *Form) Field(name string, value []byte) (part []byte, ok bool) {
	bad := func(c rune) bool { return c < ' ' || c == '"' || c == '\\' || c == 0x7f }
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, bad) || bytes.Contains(value, []byte(f.limit)) {
		return nil, false
	}
	b := make([]byte, 0, len(f.limit)+len(name)+len(value)+64)
	b = append(append(b, f.limit...), "\r\nContent-Disposition: form-data; name=\""...)
	b = append(append(b, name...), "\"\r\n\r\n"...)
	return append(append(b, value...), "\r\n"...), true
}

// Reset forgets the bytes and keeps the list for reuse.
func (f *Form) Reset() {
	clear(f.parts)
	f.raw, f.limit, f.parts = nil, "", f.parts[:0]
}

// Parse reads raw, whose content type names the boundary. It refuses what two parsers could read differently: text in
// front of the first part or behind the last, a part with two dispositions or an encoding of its own, lines that do not
// end in CR LF. The error is a *FormError.
func (f *Form) Parse(contentType, raw []byte) error {
	f.Reset()
	kind, params, err := mime.ParseMediaType(string(contentType))
	boundary := params["boundary"]
	if err != nil || kind != "multipart/form-data" {
		return badForm("the Content-Type is not a valid multipart/form-data")
	}
	if boundary == "" {
		return badForm("the Content-Type names no boundary")
	}
	if len(boundary) > 70 || strings.ContainsAny(boundary, "\r\n") {
		return badForm("the boundary in the Content-Type is longer than 70 characters or holds a line break")
	}
	f.raw, f.limit = raw, "--"+boundary
	if err := f.walk(); err != nil {
		f.Reset()
		return err
	}
	return nil
}

// walk finds the parts. at is always where a delimiter begins.
func (f *Form) walk() error {
	at := 0
	if !bytes.HasPrefix(f.raw, []byte(f.limit)) {
		return badForm("the form does not begin with its boundary")
	}
	next := []byte("\r\n" + f.limit)
	for {
		rest := f.raw[at+len(f.limit):]
		if bytes.HasPrefix(rest, []byte("--")) {
			return f.ended(rest[2:])
		}
		line := len(rest) - len(bytes.TrimLeft(rest, " \t"))
		if !bytes.HasPrefix(rest[line:], []byte("\r\n")) {
			return badForm("a boundary of the form is not followed by a line end")
		}
		if len(f.parts) == MaxFormParts {
			return badForm("the form has more than %d parts", MaxFormParts)
		}
		p := FormPart{Whole: Span{Start: at}}
		head := at + len(f.limit) + line + 2
		if err := f.header(&p, head); err != nil {
			return err
		}
		if bytes.HasPrefix(f.raw[p.Value.Start:], []byte(f.limit)) {
			return badForm("part %d has no content, not even the line end behind it", len(f.parts)+1)
		}
		end := f.delimiter(next, p.Value.Start)
		if end < 0 {
			return badForm("the form ends in the middle of part %d", len(f.parts)+1)
		}
		p.Value.End, p.Whole.End = end, end+2
		if !p.File && end-p.Value.Start > MaxFormField {
			return badForm("the field %q is longer than %d MB", clip([]byte(p.Name)), MaxFormField>>20)
		}
		f.parts = append(f.parts, p)
		at = end + 2
	}
}

// delimiter is where the line end in front of the next delimiter is, or -1. A line that begins like one is content if a
// plain character follows, and otherwise read differently by different parsers.
func (f *Form) delimiter(next []byte, from int) int {
	for at := from; ; at += 2 {
		i := bytes.Index(f.raw[at:], next)
		if i < 0 {
			return -1
		}
		at += i
		after := f.raw[at+len(next):]
		line := bytes.TrimLeft(after[:min(len(after), 64)], " \t")
		switch {
		case bytes.HasPrefix(after, []byte("--")), bytes.HasPrefix(line, []byte("\r\n")):
			return at
		case len(after) == 0 || bytes.IndexByte([]byte(" \t\r\n-"), after[0]) >= 0:
			return -1
		}
	}
}

// ended checks what follows the last delimiter.
func (f *Form) ended(rest []byte) error {
	if rest = bytes.TrimLeft(rest, " \t"); len(rest) > 0 && string(rest) != "\r\n" {
		return badForm("something follows the end of the form")
	}
	if len(f.parts) == 0 {
		return badForm("the form has no parts")
	}
	return nil
}

// header reads the header lines of a part, which begin at the place.
func (f *Form) header(p *FormPart, at int) error {
	number := strconv.Itoa(len(f.parts) + 1)
	head := f.raw[at:min(len(f.raw), at+MaxFormHeader)]
	n := bytes.Index(head, []byte("\r\n\r\n"))
	if n < 0 {
		return badForm("the header of part %s has no end within %d KB", number, MaxFormHeader>>10)
	}
	p.Value.Start = at + n + 4
	disposed := false
	for line := range bytes.SplitSeq(head[:n], []byte("\r\n")) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !headerLine(name, value) {
			return badForm("the header of part %s holds a line that is none", number)
		}
		value = bytes.Trim(value, " \t")
		switch {
		case EqualFold(name, "Content-Disposition"):
			if disposed {
				return badForm("part %s has two Content-Disposition lines", number)
			}
			disposed = true
			if err := f.disposition(p, value, number); err != nil {
				return err
			}
		case EqualFold(name, "Content-Type"):
			p.Type = value
		case EqualFold(name, "Content-Transfer-Encoding"):
			if !EqualFold(value, "binary") && !EqualFold(value, "8bit") && !EqualFold(value, "7bit") {
				return badForm("part %s has a Content-Transfer-Encoding: send it as it is", number)
			}
		}
	}
	if !disposed {
		return badForm("part %s has no Content-Disposition", number)
	}
	return nil
}

// headerLine reports whether a header line is well-formed: a name of plain characters, a value without control characters.
func headerLine(name, value []byte) bool {
	for _, c := range name {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (lower(c) < 'a' || lower(c) > 'z') {
			return false
		}
	}
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return len(name) > 0
}

func (f *Form) disposition(p *FormPart, value []byte, number string) error {
	kind, params, err := mime.ParseMediaType(string(value))
	if err != nil || kind != "form-data" {
		return badForm("the Content-Disposition of part %s is not a valid form-data", number)
	}
	name, ok := params["name"]
	if !ok || name == "" || len(name) > maxName || strings.ContainsAny(name, "\r\n\x00") {
		return badForm("part %s has no name that can be used", number)
	}
	p.Name = name
	p.Filename, p.File = params["filename"]
	return nil
}
