package bedrock

import (
	"net/http"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// statusOf is the HTTP status of an exception that comes in a stream
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ResponseStream.html).
func statusOf(exception string) int {
	switch strings.TrimSuffix(strings.ToLower(exception), "exception") {
	case "throttling", "modelnotready", "servicequotaexceeded":
		return http.StatusTooManyRequests
	case "validation":
		return http.StatusBadRequest
	case "accessdenied":
		return http.StatusForbidden
	case "resourcenotfound":
		return http.StatusNotFound
	case "modeltimeout":
		return http.StatusRequestTimeout
	case "serviceunavailable":
		return http.StatusServiceUnavailable
	case "modelstreamerror", "modelerror":
		return http.StatusFailedDependency
	}
	return http.StatusInternalServerError
}

// classify knows Bedrock's refusals better than the status tells. The codes are those of
// https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html, the texts those that the
// reference looks for (litellm/litellm_core_utils/exception_mapping_utils.py).
func classify(_ *provider.Site, e *llm.Error, body []byte) {
	if m, ok := llm.Text(dialect.Get(body, "Message")); ok && len(m) > 0 { // some of Amazon's services write it large
		e.Message = openai.Mask(string(m[:min(len(m), maxMessage)]))
	}
	if m, ok := llm.Text(dialect.Get(body, "originalMessage")); ok && len(m) > 0 {
		e.Message += " (" + openai.Mask(string(m[:min(len(m), maxMessage)])) + ")"
	}
	words := strings.ToLower(e.Message)
	status := e.HTTPStatus()
	switch {
	case status == http.StatusForbidden && unauthenticated(words), status == http.StatusBadRequest && strings.Contains(words, "signature"):
		e.Kind, e.Status = llm.KindAuthentication, 0
	case status == http.StatusTooManyRequests:
		e.Kind, e.Status = llm.KindRateLimit, 0
	case status == http.StatusFailedDependency:
		// The model failed, not the request: another attempt may do better.
		e.Kind, e.Status = llm.KindInternal, 0
	case status == http.StatusBadRequest && tooLong(words):
		e.Kind, e.Status = llm.KindContextWindow, 0
	case status == http.StatusBadRequest && strings.Contains(words, "on-demand throughput isn"):
		e.Message += " (write the model with the prefix of an inference profile, such as us. or eu., or its ARN)"
	}
}

const maxMessage = 4096

func unauthenticated(words string) bool {
	return contains(words, "security token", "signature", "authentication token", "authentication failed", "bearer token",
		"api key", "credential should be scoped")
}

func tooLong(words string) bool {
	return contains(words, "input is too long", "prompt is too long", "too many tokens", "too many input tokens", "expected maxlength:",
		"prompt: length: 1..", "exceed context limit", "exceeds the maximum number of tokens", "context length", "context window")
}

func contains(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
