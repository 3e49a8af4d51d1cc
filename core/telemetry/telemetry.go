// Package telemetry is the gateway's own log: lines for people or JSON for machines, without a secret in either.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
)

// LevelCritical is above slog.LevelError: the gateway cannot go on.
const LevelCritical = slog.LevelError + 4

// Settings of a logger.
type Settings struct {
	Level  slog.Level
	JSON   bool      // one JSON object a line, with message, level and timestamp; else a line for people
	Writer io.Writer // required; each line is one Write
	Color  bool      // levels in colour; of no effect with JSON
}

// Logger is a slog.Logger whose level can change while it is in use. Whatever is logged passes through Mask; attributes
// whose name says that they hold a secret are not written at all.
type Logger struct {
	*slog.Logger
	level *slog.LevelVar
}

// NewLogger makes a logger.
func NewLogger(s Settings) *Logger {
	level := &slog.LevelVar{}
	level.Set(s.Level)
	h := &handler{out: &output{w: s.Writer}, level: level, json: s.JSON, color: s.Color && !s.JSON}
	return &Logger{slog.New(h), level}
}

// SetLevel changes the level of the logger and of all loggers derived from it. It is safe for concurrent use.
func (l *Logger) SetLevel(level slog.Level) { l.level.Set(level) }

// Level returns the level in force.
func (l *Logger) Level() slog.Level { return l.level.Level() }

// ParseLevel reads a level as LITELLM_LOG writes it, in any case: DEBUG, INFO, WARNING, ERROR or CRITICAL.
func ParseLevel(s string) (slog.Level, error) {
	switch strings.ToUpper(strings.TrimSpace(s)) {
	case "DEBUG":
		return slog.LevelDebug, nil
	case "INFO":
		return slog.LevelInfo, nil
	case "WARNING", "WARN":
		return slog.LevelWarn, nil
	case "ERROR":
		return slog.LevelError, nil
	case "CRITICAL":
		return LevelCritical, nil
	}
	return slog.LevelInfo, fmt.Errorf("log level %q is not known: use DEBUG, INFO, WARNING, ERROR or CRITICAL", s)
}

// LevelName is the name of the highest level that is not above l.
func LevelName(l slog.Level) string {
	switch {
	case l >= LevelCritical:
		return "CRITICAL"
	case l >= slog.LevelError:
		return "ERROR"
	case l >= slog.LevelWarn:
		return "WARNING"
	case l >= slog.LevelInfo:
		return "INFO"
	}
	return "DEBUG"
}

// stackKey names the attribute that holds a stack trace. The reference's JSON logs call it so too.
const stackKey = "stacktrace"

// Stack is the stack of the calling goroutine, for the log line about a panic. Called while the panic is recovered it
// shows where it came from.
func Stack() slog.Attr { return slog.String(stackKey, string(debug.Stack())) }

// Terminal reports whether w is a terminal, where colour is of use.
func Terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
