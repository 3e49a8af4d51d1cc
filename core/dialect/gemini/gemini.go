// Package gemini is the dialect of Google's generateContent: the shapes of requests, contents, parts, candidates, usage
// and errors, as the Gemini API and Vertex AI share them. It reads them in place, as spans of the bytes that arrived, and
// translates for callers who speak it: a request becomes a chat completions request, and a chat completions answer an
// answer of generateContent. It does no I/O. The shapes follow https://ai.google.dev/api/generate-content and
// https://docs.cloud.google.com/vertex-ai/docs/reference/rest/v1/GenerateContentResponse.
package gemini

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Finish is the finish reason of the OpenAI dialect for a finishReason, given as the JSON string. The reasons are those
// of https://ai.google.dev/api/generate-content#FinishReason, and the reference maps them alike
// (litellm/llms/vertex_ai/gemini/vertex_and_google_ai_studio_gemini.py, get_finish_reason_mapping). An unknown one is
// "stop". The result is empty for none.
func Finish(reason []byte) string {
	if dialect.Null(reason) {
		return ""
	}
	switch string(reason) {
	case `"MAX_TOKENS"`:
		return "length"
	case `"SAFETY"`, `"RECITATION"`, `"LANGUAGE"`, `"OTHER"`, `"BLOCKLIST"`, `"PROHIBITED_CONTENT"`, `"SPII"`, `"IMAGE_SAFETY"`,
		`"IMAGE_PROHIBITED_CONTENT"`, `"IMAGE_RECITATION"`, `"IMAGE_OTHER"`:
		return "content_filter"
	}
	return "stop"
}

// Plain reports whether the finish reason of the OpenAI dialect says all that a finishReason does.
func Plain(reason []byte) bool {
	switch string(reason) {
	case "", "null", `"STOP"`, `"MAX_TOKENS"`, `"SAFETY"`, `"FINISH_REASON_UNSPECIFIED"`:
		return true
	}
	return false
}

// Reason is the finishReason for a finish reason of the OpenAI dialect.
func Reason(finish string) string {
	switch finish {
	case "stop", "tool_calls", "function_call":
		return "STOP"
	case "length":
		return "MAX_TOKENS"
	case "content_filter":
		return "SAFETY"
	}
	return "OTHER"
}

// Version reads the version in the name of a Gemini model: 2 and 5 of gemini-2.5-flash, 3 and 0 of gemini-3-pro-preview.
// It is 0 and 0 for a name without one.
func Version(model string) (major, minor int) {
	i := strings.LastIndex(model, "gemini-")
	if i < 0 {
		return 0, 0
	}
	s := model[i+len("gemini-"):]
	major, s = digits(s)
	if rest, ok := strings.CutPrefix(s, "."); ok {
		minor, _ = digits(rest)
	}
	return major, minor
}

// digits reads a number of one or two digits: a longer one is no version.
func digits(s string) (n int, rest string) {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		if i == 2 {
			return 0, s
		}
		n = n*10 + int(s[i]-'0')
		i++
	}
	return n, s[i:]
}

// AtLeast reports whether the model's version is major.minor or later.
func AtLeast(model string, major, minor int) bool {
	a, b := Version(model)
	return a > major || a == major && b >= minor
}

// plain is a JSON string as Go text; "" for anything else.
func plain(raw []byte) string {
	s, _ := llm.Text(raw)
	return string(s)
}
