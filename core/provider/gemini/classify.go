package gemini

import (
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// classify corrects the class of an error by its status word (https://ai.google.dev/gemini-api/docs/api-errors,
// https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/api-errors), and reads how long to wait.
func classify(_ *provider.Site, e *llm.Error, body []byte) {
	var f gemini.Failure
	if !gemini.ScanFailure(body, &f) {
		return
	}
	status, _ := llm.Text(f.Status)
	reason, _ := llm.Text(f.Reason)
	words := strings.ToLower(e.Message)
	e.Type, e.Code = "", ""
	switch {
	case strings.Contains(words, "token count") && strings.Contains(words, "exceeds"),
		strings.Contains(words, "maximum number of tokens allowed"):
		e.Kind, e.Status = llm.KindContextWindow, 0
	case string(reason) == "API_KEY_INVALID", strings.Contains(words, "api key not valid"), strings.Contains(words, "api key expired"):
		e.Kind, e.Status = llm.KindAuthentication, 0 // the API says 400
	case e.Kind == llm.KindBadRequest && (strings.Contains(words, "blocked by") || strings.Contains(words, "was blocked") ||
		strings.Contains(words, "responsible ai practices") || strings.Contains(words, "usage guidelines")):
		e.Kind, e.Status = llm.KindContentPolicy, 0
	case string(status) == "DEADLINE_EXCEEDED":
		e.Kind, e.Status = llm.KindTimeout, 0
	case string(status) == "RESOURCE_EXHAUSTED" && e.Kind != llm.KindBadRequest:
		e.Kind = llm.KindRateLimit
	case string(status) == "UNAVAILABLE":
		e.Kind = llm.KindUnavailable
	}
	if e.Kind == llm.KindBadRequest && e.Type == "" {
		e.Type = "invalid_request_error"
	}
	if delay, ok := llm.Text(f.Delay); ok && e.RetryAfter == 0 {
		if d, err := time.ParseDuration(string(delay)); err == nil && d > 0 {
			e.RetryAfter = d
		}
	}
}
