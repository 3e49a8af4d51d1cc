// Package anthropic is the dialect of Anthropic's Messages API: the shapes of messages, content blocks, usage, errors
// and stream events. It reads them in place, as spans of the bytes that arrived, and does no I/O. The shapes follow
// https://platform.claude.com/docs/en/api/messages/create and
// https://platform.claude.com/docs/en/build-with-claude/streaming.
package anthropic

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
)

// Finish is the finish reason of the OpenAI dialect for a stop reason. The reasons are those of
// https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons; the reference maps them alike
// (litellm/litellm_core_utils/core_helpers.py, map_finish_reason). A paused turn and an unknown reason are "stop".
// stop is the JSON string with its quotes. The result is empty for null.
func Finish(stop []byte) string {
	if dialect.Null(stop) {
		return ""
	}
	switch string(stop) {
	case `"max_tokens"`, `"model_context_window_exceeded"`:
		return "length"
	case `"tool_use"`:
		return "tool_calls"
	case `"refusal"`:
		return "content_filter"
	}
	return "stop"
}

// Plain reports whether the stop reason is one whose finish reason says all of it.
func Plain(stop []byte) bool {
	switch string(stop) {
	case "", "null", `"end_turn"`, `"max_tokens"`, `"tool_use"`:
		return true
	}
	return false
}

// Version reads the version in the name of a Claude model: 4 and 5 of claude-sonnet-4-5-20250929, 3 and 7 of
// claude-3-7-sonnet-latest, 4 and 0 of claude-opus-4-20250514. It is 0 and 0 for a name without one.
func Version(model string) (major, minor int) {
	if i := strings.LastIndex(model, "claude"); i >= 0 {
		model = model[i:]
	}
	found := false
	for word := range strings.FieldsFuncSeq(model, func(r rune) bool { return r == '-' || r == '.' || r == '@' || r == ':' }) {
		n, ok := small(word)
		switch {
		case ok && found:
			return major, n
		case ok:
			major, found = n, true
		case found:
			return major, 0
		}
	}
	return major, 0
}

// small is a number of one or two digits: a longer one is a date.
func small(word string) (n int, ok bool) {
	if len(word) == 0 || len(word) > 2 {
		return 0, false
	}
	for i := range len(word) {
		if word[i] < '0' || word[i] > '9' {
			return 0, false
		}
		n = n*10 + int(word[i]-'0')
	}
	return n, true
}

// AtLeast reports whether the model's version is major.minor or later.
func AtLeast(model string, major, minor int) bool {
	a, b := Version(model)
	return a > major || a == major && b >= minor
}
