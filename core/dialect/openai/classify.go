package openai

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// maxMessage is how much of a vendor's text goes into an error, in bytes.
const maxMessage = 4096

// Classify makes an error of a vendor's refusal: the kind from the text and the status, the message, type, param and
// code from the body, the wait from the headers. It takes the shapes that OpenAI and the vendors after its model send,
// and any other text. A status below 400, as some vendors send along with an error body, is replaced by the one that
// the body names. Everything in the error is copied, and what looks like a key is masked.
func Classify(status int, provider string, body []byte, h llm.Header) *llm.Error {
	v := readVendorError(body)
	was := status
	if status < 400 {
		status = v.status(status)
	}
	e := &llm.Error{
		Op: "openai.Classify", Provider: provider,
		Message: Mask(v.message), Type: Mask(v.kind), Param: Mask(v.param), Code: Mask(v.code),
		RetryAfter: pause(status, h), Header: forwarded(h),
	}
	switch {
	case 300 <= was && was < 400:
		e.Message = "the vendor answered with a redirect (status " + strconv.Itoa(was) + "), which is not followed: check api_base"
	case e.Message == "":
		e.Message = "the vendor answered with status " + strconv.Itoa(status) + " and no message"
	}
	e.Kind, e.Status = kindOf(status, v)
	return e
}

// vendorError is what a vendor's error body says.
type vendorError struct {
	message, kind, param, code string
	flagged                    bool // the prompt was
}

// maxWrap is how many objects an error may be wrapped in.
const maxWrap = 4

func readVendorError(body []byte) (v vendorError) {
	body = bytes.TrimSpace(body)
	// Google's OpenAI-compatible endpoint wraps the object in a list.
	if c := dialect.Array(body); c.Next() {
		body = c.Value()
	}
	switch {
	case len(body) == 0:
		return v
	case body[0] == '{':
		v.read(body, maxWrap)
	case body[0] == '<':
		v.message = "the vendor answered with an HTML page instead of JSON"
	}
	if v.message == "" {
		v.message = clip(string(body))
	}
	return v
}

// read takes {"error":{...}}, {"error":"text"}, the same without the envelope (Mistral, vLLM), and {"detail":...}
// (servers on FastAPI).
func (v *vendorError) read(object []byte, depth int) {
	for c := dialect.Object(object); c.Next(); {
		value := c.Value()
		if len(value) == 0 {
			return
		}
		switch string(c.Key()) {
		case "error":
			v.readInner(value, depth)
		case "message", "detail":
			v.say(value, depth)
		case "type", "status":
			if v.kind == "" && value[0] == '"' {
				v.kind = text(value)
			}
		case "param":
			v.param = text(value)
		case "code":
			v.code = text(value)
		case "metadata": // OpenRouter's: https://openrouter.ai/docs/api/reference/errors-and-debugging
			v.flagged = v.flagged || dialect.Get(value, "flagged_input") != nil
		}
	}
}

// readInner reads the value of a member called error. What an object in it says counts more than what is around it.
func (v *vendorError) readInner(value []byte, depth int) {
	if value[0] == '{' && depth > 0 {
		v.kind = ""
		v.read(value, depth-1)
		return
	}
	if v.message == "" && value[0] != '{' {
		v.message = text(value)
	}
}

// say takes the message, which Mistral wraps in an object once more.
func (v *vendorError) say(value []byte, depth int) {
	if value[0] == '{' && depth > 0 {
		v.read(value, depth-1)
		return
	}
	if s := sentence(value); s != "" {
		v.message = s
	}
}

// sentence is a message as a text. Of a list of validation errors it takes what is wrong and where, and leaves out the
// refused input, which may be a prompt.
func sentence(value []byte) string {
	if value[0] != '[' {
		return text(value)
	}
	var parts []string
	for c := dialect.Array(value); c.Next() && len(parts) < 16; {
		msg := text(dialect.Get(c.Value(), "msg"))
		if loc := text(dialect.Get(c.Value(), "loc")); loc != "" && msg != "" {
			msg = loc + ": " + msg
		}
		if msg != "" {
			parts = append(parts, msg)
		}
	}
	return clip(strings.Join(parts, "; "))
}

// text is a JSON value as a text: strings unquoted, null empty, everything else as written.
func text(raw []byte) string {
	if dialect.Null(raw) {
		return ""
	}
	if s, ok := llm.Text(raw); ok {
		raw = s
	}
	return clip(string(raw))
}

func clip(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= maxMessage {
		return s
	}
	s = s[:maxMessage]
	for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s[:len(s)-1] + "…"
}

// status is the status that an error body which came with a success names.
func (v *vendorError) status(was int) int {
	if was >= 300 {
		return http.StatusBadGateway // a redirect: the base URL points to the wrong place
	}
	if n, err := strconv.Atoi(v.code); err == nil {
		switch { // below 400 they are RAGFlow's: https://ragflow.io/docs/dev/http_api_reference#error-codes
		case n >= 400 && n < 600:
			return n
		case n == 101, n == 102:
			return http.StatusBadRequest
		case n == 108:
			return http.StatusForbidden
		case n == 109:
			return http.StatusUnauthorized
		}
	}
	for _, word := range []string{v.kind, v.code} {
		switch strings.ToLower(word) {
		case "invalid_request_error", "invalid_argument", "bad_request":
			return http.StatusBadRequest
		case "authentication_error", "invalid_api_key", "unauthenticated":
			return http.StatusUnauthorized
		case "permission_error", "permission_denied":
			return http.StatusForbidden
		case "not_found_error", "model_not_found", "not_found":
			return http.StatusNotFound
		case "rate_limit_error", "rate_limit_exceeded", "insufficient_quota", "resource_exhausted":
			return http.StatusTooManyRequests
		case "overloaded_error", "service_unavailable", "unavailable":
			return http.StatusServiceUnavailable
		case "timeout", "deadline_exceeded":
			return http.StatusRequestTimeout
		}
	}
	return http.StatusInternalServerError
}

// kindOf decides by the text first and the status second, as the reference does. A kind that the text decides has the
// status of its class; one that the status decides keeps it.
func kindOf(status int, v vendorError) (llm.Kind, int) {
	words := strings.ToLower(v.message + "\n" + v.kind + "\n" + v.code)
	switch {
	case saysRateLimit(words):
		return llm.KindRateLimit, 0
	case saysContextWindow(words) || saysTooLong(words):
		return llm.KindContextWindow, 0
	case strings.Contains(words, "model_not_found"):
		return llm.KindNotFound, 0
	case strings.Contains(words, "a timeout occurred"):
		return llm.KindTimeout, 0
	case saysContentPolicy(words) || v.filtered():
		return llm.KindContentPolicy, 0
	case strings.Contains(words, "request too large"):
		return llm.KindRateLimit, 0
	}
	return kindOfStatus(status), status
}

func kindOfStatus(status int) llm.Kind {
	switch status {
	case http.StatusUnauthorized:
		return llm.KindAuthentication
	case http.StatusForbidden:
		return llm.KindPermission
	case http.StatusNotFound:
		return llm.KindNotFound
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return llm.KindTimeout
	case http.StatusUnprocessableEntity:
		return llm.KindUnprocessable
	case http.StatusTooManyRequests:
		return llm.KindRateLimit
	case http.StatusBadGateway:
		return llm.KindBadGateway
	case http.StatusServiceUnavailable:
		return llm.KindUnavailable
	}
	if status < http.StatusInternalServerError {
		return llm.KindBadRequest
	}
	return llm.KindInternal
}

// The texts below are those that the reference looks for (exception_mapping_utils.py, ExceptionCheckers), in lower case.

func saysRateLimit(words string) bool {
	for rest := words; ; {
		_, after, ok := strings.Cut(rest, "rate")
		if !ok {
			break
		}
		if strings.HasPrefix(strings.TrimLeft(after, " _-\t\n"), "limit") {
			return true
		}
		rest = after
	}
	return strings.Contains(words, "service tier capacity exceeded")
}

func saysContextWindow(words string) bool {
	// A parameter over its own length, such as user, is no matter of the context window.
	if strings.Contains(words, "string_above_max_length") ||
		strings.Contains(words, "invalid 'user'") && strings.Contains(words, "string too long") {
		return false
	}
	return containsAny(words,
		"context_length_exceeded",
		"exceed context limit",
		"maximum context length",
		"model's maximum context limit",
		"is longer than the model's context length",
		"string too long. expected a string with maximum length",
		"input tokens exceed the configured limit",
		"`inputs` tokens + `max_new_tokens` must be",
		"exceeds the available context size",
		"exceeds the maximum number of tokens allowed") ||
		strings.Contains(words, "current length is") && strings.Contains(words, "while limit is") ||
		strings.Contains(words, "maximum input length is") && strings.Contains(words, "tokens")
}

func saysContentPolicy(words string) bool {
	return containsAny(words,
		"content_policy_violation",
		"content_filter_policy",
		"responsibleaipolicyviolation",
		"azure openai's content management policy",
		"the response was filtered due to the prompt triggering",
		"request was rejected as a result of our safety system",
		"request was rejected as a result of the safety system",
		"your task failed as a result of our safety system",
		"the model produced invalid content") ||
		strings.Contains(words, "invalid prompt") && strings.Contains(words, "violating our usage policy")
}

// What follows is not in the reference, which takes these for bad requests: without it, the fallbacks for prompts that
// are too long, and for those that are refused, would never be tried with the vendors.

// saysTooLong reports whether a vendor says in words of its own that a prompt is longer than its model takes.
func saysTooLong(words string) bool {
	return containsAny(words,
		"prompt is too long",                      // https://platform.claude.com/docs/en/build-with-claude/context-windows
		"input token length too long",             // https://platform.kimi.ai/docs/api/errors
		"exceeded model token limit",              // likewise
		"range of input length should be",         // https://www.alibabacloud.com/help/en/model-studio/error-code
		"maximum prompt length is",                // xAI
		"please reduce the length of the message", // Groq
		"context window exceeds limit",            // MiniMax
		"greater than the context length",         // LM Studio
		"context length is only",                  // vLLM
		"exceeded max context length",             // Ollama: chats
		"input length exceeds the context length", // Ollama: embeddings
		"cannot exceed the total tokens limit",    // watsonx
		"max allowed tokens per submitted batch",  // Voyage
	) ||
		strings.Contains(words, "must have less than") && strings.Contains(words, "tokens. given") // text-embeddings-inference
}

// filtered reports whether the type or the code says that the content was refused: Moonshot
// (https://platform.kimi.ai/docs/api/errors), Azure, DashScope (https://www.alibabacloud.com/help/en/model-studio/error-code).
func (v *vendorError) filtered() bool {
	if v.flagged {
		return true
	}
	for _, word := range [...]string{v.kind, v.code} {
		switch strings.ToLower(word) {
		case "content_filter", "data_inspection_failed", "datainspectionfailed":
			return true
		}
	}
	return false
}

func containsAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
