package config

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Severity says whether an entry of a report stops the start.
type Severity uint8

// An Info entry needs no attention, a Warning does, an Error stops the start.
const (
	Info Severity = iota
	Warning
	Error
)

// String returns "info", "warning" or "error".
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	}
	return "info"
}

// MarshalText returns what String does.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Entry is one setting that is present, or one mistake. It holds no secret.
type Entry struct {
	// Path is the key path, as in "model_list[0].model_name", or the name of
	// an environment variable.
	Path string `json:"path,omitempty"`
	File string `json:"file,omitempty"`
	// Line counts from 1; 0 means that the entry belongs to no line.
	Line int `json:"line,omitempty"`
	// Value is the value as written, masked or shortened.
	Value string `json:"value,omitempty"`
	// Status is that of the setting, or "unknown", or "" for a mistake that
	// belongs to no setting.
	Status     string   `json:"status,omitempty"`
	Severity   Severity `json:"severity"`
	Message    string   `json:"message,omitempty"`
	Suggestion string   `json:"suggestion,omitempty"`
}

// Position returns the place of the entry.
func (e Entry) Position() Position { return Position{e.File, e.Line} }

// Report lists every setting found in the files and in the environment, and
// every mistake. Its order depends on the input only.
type Report struct {
	Entries []Entry `json:"entries"`

	files   []string
	secrets []string
}

// ErrInvalid is wrapped by the error of a configuration that must not be used.
var ErrInvalid = errors.New("invalid configuration")

// Count returns the number of entries of one severity.
func (r *Report) Count(s Severity) int {
	n := 0
	for _, e := range r.Entries {
		if e.Severity == s {
			n++
		}
	}
	return n
}

// Err returns nil, or an error that wraps ErrInvalid and has one line for
// each mistake.
func (r *Report) Err() error {
	var b strings.Builder
	for _, e := range r.Entries {
		if e.Severity != Error {
			continue
		}
		b.WriteString("\n\t")
		b.WriteString(e.OneLine())
	}
	if b.Len() == 0 {
		return nil
	}
	return fmt.Errorf("%w:%s", ErrInvalid, b.String())
}

// OneLine returns the entry as one line: place, path, message, suggestion.
func (e Entry) OneLine() string {
	var parts []string
	for _, p := range []string{e.Position().String(), e.Path, e.Message} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	line := strings.Join(parts, ": ")
	if e.Suggestion != "" {
		line += " (" + e.Suggestion + ")"
	}
	return line
}

// Reject adds a mistake that showed only when the configuration was put to
// use, such as a plugin that cannot be loaded. path is the setting's key path.
func (r *Report) Reject(cfg *Config, path, msg string) {
	r.fail(cfg.position(path), path, msg, "")
	r.finish()
}

func (r *Report) add(e Entry) { r.Entries = append(r.Entries, e) }

func (r *Report) fail(pos Position, path, msg, fix string) {
	r.add(Entry{Path: path, File: pos.File, Line: pos.Line, Severity: Error, Message: msg, Suggestion: fix})
}

func (r *Report) warn(pos Position, path, msg, fix string) {
	r.add(Entry{Path: path, File: pos.File, Line: pos.Line, Severity: Warning, Message: msg, Suggestion: fix})
}

// secret remembers a value that must appear nowhere in the report.
func (r *Report) secret(value string) {
	if len(value) >= minSecret {
		r.secrets = append(r.secrets, value)
	}
}

// minSecret is the shortest value that is cut out of free text: replacing
// shorter ones would garble it, and no message repeats values anyway.
const minSecret = 8

// finish puts the entries in order: by file as loaded, then line and path,
// then the environment; and removes every known secret from them.
func (r *Report) finish() {
	order := make(map[string]int, len(r.files))
	for i, f := range r.files {
		order[f] = i + 1
	}
	rank := func(e Entry) int {
		if e.File == "" {
			return len(r.files) + 2
		}
		if i, ok := order[e.File]; ok {
			return i
		}
		return len(r.files) + 1
	}
	slices.SortStableFunc(r.Entries, func(a, b Entry) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(b.Severity, a.Severity)*boolInt(a.Path == b.Path),
			naturalCompare(a.Path, b.Path),
			cmp.Compare(a.Message, b.Message),
		)
	})
	slices.SortFunc(r.secrets, func(a, b string) int { return len(b) - len(a) })
	r.secrets = slices.Compact(r.secrets)
	for i := range r.Entries {
		e := &r.Entries[i]
		e.Path, e.Value = r.scrub(e.Path), r.scrub(e.Value)
		e.Message, e.Suggestion = r.scrub(e.Message), r.scrub(e.Suggestion)
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// naturalCompare orders paths with their indexes as numbers.
func naturalCompare(a, b string) int {
	for a != "" && b != "" {
		na, ra := leadingNumber(a)
		nb, rb := leadingNumber(b)
		if len(na) > 0 && len(nb) > 0 && na != nb {
			return cmp.Or(cmp.Compare(len(na), len(nb)), cmp.Compare(na, nb))
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		if len(na) > 0 {
			a, b = ra, rb
			continue
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func leadingNumber(s string) (digits, rest string) {
	rest = strings.TrimLeft(s, "0123456789")
	return s[:len(s)-len(rest)], rest
}

// keyLike finds what looks like a provider's or the gateway's key in a place
// where none belongs, such as the name of a setting.
var keyLike = regexp.MustCompile(`sk-[A-Za-z0-9_-]{6,}`)

func (r *Report) scrub(text string) string {
	if text == "" {
		return ""
	}
	for _, s := range r.secrets {
		text = strings.ReplaceAll(text, s, mask)
	}
	return strings.Map(visible, keyLike.ReplaceAllString(text, "sk-"+mask))
}

// visible keeps what a file holds from moving a terminal's cursor.
func visible(c rune) rune {
	if unicode.IsControl(c) {
		return '\uFFFD'
	}
	return c
}

// WriteJSON writes the report as one JSON object with the fields entries,
// errors and warnings.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	entries := r.Entries
	if entries == nil {
		entries = []Entry{}
	}
	return enc.Encode(struct {
		Entries  []Entry `json:"entries"`
		Errors   int     `json:"errors"`
		Warnings int     `json:"warnings"`
	}{entries, r.Count(Error), r.Count(Warning)})
}

// WriteText writes one line for each entry in aligned columns (place,
// setting, value, status), with what is wrong on the line below it, and a
// count at the end. With color, errors are red and warnings yellow.
func (r *Report) WriteText(w io.Writer, color bool) error {
	var place, path, value int
	for _, e := range r.Entries {
		place = max(place, len(e.Position().String()))
		path = max(path, min(len(e.Path), maxPathColumn))
		value = max(value, len(e.Value))
	}
	var b strings.Builder
	for _, e := range r.Entries {
		line := fmt.Sprintf("%-*s  %-*s  %-*s  %s", place, e.Position(), path, e.Path, value, e.Value, e.Status)
		b.WriteString(strings.TrimRight(line, " "))
		b.WriteByte('\n')
		if e.Message == "" {
			continue
		}
		fmt.Fprintf(&b, "    %s %s\n", paint(e.Severity, color), e.Message)
		if e.Suggestion != "" {
			fmt.Fprintf(&b, "    fix: %s\n", e.Suggestion)
		}
	}
	fmt.Fprintf(&b, "%s, %s\n", plural(r.Count(Error), "error"), plural(r.Count(Warning), "warning"))
	_, err := io.WriteString(w, b.String())
	return err
}

// maxPathColumn keeps one long path from pushing every column to the right.
const maxPathColumn = 60

func paint(s Severity, color bool) string {
	word := s.String() + ":"
	switch {
	case !color || s == Info:
		return word
	case s == Error:
		return "\x1b[31m" + word + "\x1b[0m"
	}
	return "\x1b[33m" + word + "\x1b[0m"
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
