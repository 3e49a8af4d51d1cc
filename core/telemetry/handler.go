package telemetry

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// output is shared by a handler and all that are derived from it.
type output struct {
	mu sync.Mutex
	w  io.Writer
}

// handler writes a record as one line. Groups become prefixes of the attributes' names.
type handler struct {
	out    *output
	level  *slog.LevelVar
	json   bool
	color  bool
	prefix string // groups that are open, each followed by a dot
	attrs  []byte // formatted by WithAttrs
	stack  string // a stack trace among them, for people
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	c := *h
	c.prefix += name + "."
	return &c
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	l := line{h: &c, b: slices.Clone(h.attrs), stack: h.stack}
	for _, a := range attrs {
		l.attr(h.prefix, a)
	}
	c.attrs, c.stack = l.b, l.stack
	return &c
}

// Handle implements slog.Handler.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	l := line{h: h, b: make([]byte, 0, 256), stack: h.stack}
	l.head(r)
	l.b = append(l.b, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		l.attr(h.prefix, a)
		return true
	})
	l.tail()
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	_, err := h.out.w.Write(l.b)
	return err
}

// line is a record being written.
type line struct {
	h     *handler
	b     []byte
	stack string
}

func (l *line) head(r slog.Record) {
	when := r.Time
	if when.IsZero() {
		when = time.Now()
	}
	message := Mask(r.Message)
	if l.h.json {
		l.b = append(l.b, `{"message":`...)
		l.quoted(message)
		l.b = append(l.b, `,"level":"`...)
		l.b = append(l.b, LevelName(r.Level)...)
		l.b = append(l.b, `","timestamp":"`...)
		l.b = when.AppendFormat(l.b, "2006-01-02T15:04:05.000000Z07:00")
		l.b = append(l.b, '"')
		return
	}
	l.b = when.AppendFormat(l.b, "2006-01-02 15:04:05.000 ")
	name := LevelName(r.Level)
	if l.h.color {
		l.b = append(l.b, colorOf(r.Level)...)
	}
	l.b = append(l.b, name...)
	if l.h.color {
		l.b = append(l.b, "\x1b[0m"...)
	}
	for range len("CRITICAL") - len(name) + 1 {
		l.b = append(l.b, ' ')
	}
	l.b = append(l.b, oneLine(message)...)
}

func colorOf(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "\x1b[31m"
	case level >= slog.LevelWarn:
		return "\x1b[33m"
	case level >= slog.LevelInfo:
		return "\x1b[36m"
	}
	return "\x1b[90m"
}

// oneLine keeps what was logged from looking like a line of its own, or from steering a terminal.
func oneLine(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

func (l *line) tail() {
	if l.h.json {
		l.b = append(l.b, '}')
	}
	l.b = append(l.b, '\n')
	if l.stack == "" {
		return
	}
	for s := range strings.Lines(l.stack) {
		l.b = append(l.b, "    "...)
		l.b = append(l.b, oneLine(strings.ReplaceAll(strings.TrimRight(s, "\r\n"), "\t", "    "))...)
		l.b = append(l.b, '\n')
	}
}

func (l *line) attr(prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range v.Group() {
			l.attr(prefix, member)
		}
		return
	}
	if a.Equal(slog.Attr{}) {
		return
	}
	name := prefix + a.Key
	v = masked(name, v)
	if name == stackKey && !l.h.json && v.Kind() == slog.KindString {
		l.stack = v.String()
		return
	}
	l.name(Mask(name))
	if l.h.json {
		l.jsonValue(v)
		return
	}
	l.b = append(l.b, plainValue(v)...)
}

func (l *line) name(name string) {
	if !l.h.json {
		l.b = append(l.b, ' ')
		if strings.ContainsFunc(name, func(r rune) bool { return r == ' ' || r == '=' || r == '"' || !unicode.IsPrint(r) }) {
			name = strconv.Quote(name)
		}
		l.b = append(l.b, name...)
		l.b = append(l.b, '=')
		return
	}
	switch name {
	case "message", "level", "timestamp": // taken by the line itself
		name = "attr." + name
	}
	l.b = append(l.b, ',')
	l.quoted(name)
	l.b = append(l.b, ':')
}

func (l *line) quoted(s string) {
	b, err := json.Marshal(s)
	if err != nil { // never: any string can be written
		b = []byte(`""`)
	}
	l.b = append(l.b, b...)
}

// jsonValue writes a value that masked has made plain.
func (l *line) jsonValue(v slog.Value) {
	switch v.Kind() {
	case slog.KindBool, slog.KindInt64, slog.KindUint64:
		l.b = append(l.b, v.String()...)
	case slog.KindFloat64:
		if f := v.Float64(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			l.b = strconv.AppendFloat(l.b, f, 'g', -1, 64)
			return
		}
		l.quoted(v.String())
	case slog.KindTime:
		l.quoted(v.Time().Format(time.RFC3339Nano))
	case slog.KindAny:
		if raw, ok := v.Any().(json.RawMessage); ok {
			l.b = append(l.b, raw...)
			return
		}
		l.b = append(l.b, "null"...)
	default:
		l.quoted(v.String())
	}
}

func plainValue(v slog.Value) string {
	var s string
	switch v.Kind() {
	case slog.KindTime:
		return v.Time().Format(time.RFC3339Nano)
	case slog.KindAny:
		raw, ok := v.Any().(json.RawMessage)
		if !ok {
			return "null"
		}
		s = string(raw)
	default:
		s = v.String()
	}
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r == ' ' || r == '=' || r == '"' || !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
