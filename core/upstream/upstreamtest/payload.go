package upstreamtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// The payloads follow the published reference of OpenAI's API: https://platform.openai.com/docs/api-reference, pages
// "The chat completion object", "The chat completion chunk object", "The embedding object", "List models", and the
// guide to error codes at https://platform.openai.com/docs/guides/error-codes. Ids and times are fixed, so that a test
// can compare whole answers.

const (
	completionID = "chatcmpl-test"
	created      = 1700000000
)

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return string(b)
}

// Usage is the usage object of a chat completion.
func Usage(prompt, completion int) string {
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,`+
		`"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},`+
		`"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`,
		prompt, completion, prompt+completion)
}

// Completion is a chat completion with one choice, which ended by itself.
func Completion(model, content string, prompt, completion int) string {
	return fmt.Sprintf(`{"id":%q,"object":"chat.completion","created":%d,"model":%s,"choices":[{"index":0,`+
		`"message":{"role":"assistant","content":%s,"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],`+
		`"usage":%s,"service_tier":"default","system_fingerprint":"fp_test"}`,
		completionID, created, quote(model), quote(content), Usage(prompt, completion))
}

// ToolCompletion is a chat completion in which the model calls one function. arguments is JSON text.
func ToolCompletion(model, id, function, arguments string, prompt, completion int) string {
	return fmt.Sprintf(`{"id":%q,"object":"chat.completion","created":%d,"model":%s,"choices":[{"index":0,`+
		`"message":{"role":"assistant","content":null,"tool_calls":[{"id":%s,"type":"function","function":{"name":%s,"arguments":%s}}],"refusal":null},`+
		`"logprobs":null,"finish_reason":"tool_calls"}],"usage":%s,"system_fingerprint":"fp_test"}`,
		completionID, created, quote(model), quote(id), quote(function), quote(arguments), Usage(prompt, completion))
}

// chunk is the data of one event of a chat completion stream.
func chunk(model, choices, usage string) string {
	return fmt.Sprintf(`{"id":%q,"object":"chat.completion.chunk","created":%d,"model":%s,"service_tier":"default",`+
		`"system_fingerprint":"fp_test","choices":%s,"usage":%s}`, completionID, created, quote(model), choices, usage)
}

// DeltaChunk is a chunk with the given delta object and finish reason; an empty reason is null.
func DeltaChunk(model, delta, finish string) string {
	reason := "null"
	if finish != "" {
		reason = quote(finish)
	}
	return chunk(model, `[{"index":0,"delta":`+delta+`,"logprobs":null,"finish_reason":`+reason+`}]`, "null")
}

// RoleChunk is the first chunk of a stream.
func RoleChunk(model string) string {
	return DeltaChunk(model, `{"role":"assistant","content":"","refusal":null}`, "")
}

// ContentChunk is a chunk with text.
func ContentChunk(model, content string) string {
	return DeltaChunk(model, `{"content":`+quote(content)+`}`, "")
}

// ToolChunk is a chunk that begins a function call.
func ToolChunk(model string, index int, id, function string) string {
	return DeltaChunk(model, fmt.Sprintf(
		`{"tool_calls":[{"index":%d,"id":%s,"type":"function","function":{"name":%s,"arguments":""}}]}`,
		index, quote(id), quote(function)), "")
}

// ArgumentsChunk is a chunk with a piece of the arguments of a function call.
func ArgumentsChunk(model string, index int, piece string) string {
	return DeltaChunk(model, fmt.Sprintf(
		`{"tool_calls":[{"index":%d,"function":{"arguments":%s}}]}`, index, quote(piece)), "")
}

// FinishChunk is the last chunk of a choice: "stop", "length", "tool_calls" or "content_filter".
func FinishChunk(model, reason string) string { return DeltaChunk(model, `{}`, reason) }

// UsageChunk is the chunk that follows the last choice if the request asked for usage: its choices are empty.
func UsageChunk(model string, prompt, completion int) string {
	return chunk(model, "[]", Usage(prompt, completion))
}

// ChatStream is the data of all events of a stream that says the words one by one, with usage and Done at its end.
func ChatStream(model string, prompt int, words ...string) []string {
	all := []string{RoleChunk(model)}
	for _, w := range words {
		all = append(all, ContentChunk(model, w))
	}
	return append(all, FinishChunk(model, "stop"), UsageChunk(model, prompt, len(words)), Done)
}

// Embeddings is a list of vectors.
func Embeddings(model string, tokens int, vectors ...[]float64) string {
	data := make([]string, len(vectors))
	for i, v := range vectors {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err) // a NaN or infinity in a test's own vector
		}
		data[i] = fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":%s}`, i, b)
	}
	return fmt.Sprintf(`{"object":"list","data":[%s],"model":%s,"usage":{"prompt_tokens":%d,"total_tokens":%d}}`,
		strings.Join(data, ","), quote(model), tokens, tokens)
}

// Models is a list of models.
func Models(ids ...string) string {
	data := make([]string, len(ids))
	for i, id := range ids {
		data[i] = fmt.Sprintf(`{"id":%s,"object":"model","created":%d,"owned_by":"system"}`, quote(id), created)
	}
	return `{"object":"list","data":[` + strings.Join(data, ",") + `]}`
}

// ErrorBody is an error envelope. An empty param or code is null.
func ErrorBody(message, kind, param, code string) string {
	null := func(s string) string {
		if s == "" {
			return "null"
		}
		return quote(s)
	}
	return fmt.Sprintf(`{"error":{"message":%s,"type":%s,"param":%s,"code":%s}}`,
		quote(message), quote(kind), null(param), null(code))
}

// ContextLengthExceeded refuses a prompt that is too long.
func ContextLengthExceeded() Answer {
	return JSON(http.StatusBadRequest, ErrorBody(
		"This model's maximum context length is 8192 tokens. Your messages have 9000.",
		"invalid_request_error", "messages", "context_length_exceeded"))
}

// ContentPolicyViolation refuses a prompt for what it says.
func ContentPolicyViolation() Answer {
	return JSON(http.StatusBadRequest, ErrorBody(
		"The request was refused by the safety system.", "invalid_request_error", "", "content_policy_violation"))
}

// InvalidAPIKey refuses the key.
func InvalidAPIKey() Answer {
	return JSON(http.StatusUnauthorized, ErrorBody(
		"Incorrect API key provided.", "invalid_request_error", "", "invalid_api_key"))
}

// ModelNotFound refuses the model.
func ModelNotFound(model string) Answer {
	return JSON(http.StatusNotFound, ErrorBody(
		"The model `"+model+"` does not exist.", "invalid_request_error", "", "model_not_found"))
}

// RateLimited refuses with the headers of a limit that is used up. after is the value of retry-after: seconds or an
// HTTP date.
func RateLimited(after string) Answer {
	return JSON(http.StatusTooManyRequests, ErrorBody(
		"Rate limit reached for requests.", "requests", "", "rate_limit_exceeded"), RateHeaders(after)...)
}

// RateHeaders are the lines with which a limit of 100 requests and 10000 tokens says that its requests are used up.
func RateHeaders(after string) []string {
	return []string{
		"retry-after: " + after,
		"x-ratelimit-limit-requests: 100",
		"x-ratelimit-limit-tokens: 10000",
		"x-ratelimit-remaining-requests: 0",
		"x-ratelimit-remaining-tokens: 9000",
		"x-ratelimit-reset-requests: 1s",
		"x-ratelimit-reset-tokens: 6m0s",
		"x-request-id: req_test",
	}
}

// InsufficientQuota refuses because the account has no money left. Trying again does not help.
func InsufficientQuota() Answer {
	return JSON(http.StatusTooManyRequests, ErrorBody(
		"The account has used up its quota.", "insufficient_quota", "", "insufficient_quota"))
}

// ServerError is a fault of the vendor's.
func ServerError() Answer {
	return JSON(http.StatusInternalServerError, ErrorBody("The server had an error.", "server_error", "", ""))
}

// Overloaded is a vendor with too much to do.
func Overloaded() Answer {
	return JSON(http.StatusServiceUnavailable, ErrorBody("The engine is overloaded.", "server_error", "", ""))
}

// ErrorInOK answers with status 200 and a body that is an error, as some compatible servers do.
func ErrorInOK() Answer {
	return JSON(http.StatusOK, ErrorBody("Something went wrong.", "server_error", "", ""))
}

// ErrorInStream sends an error as an event of a stream that began well.
func ErrorInStream(data ...string) Answer {
	return SSE(append(data[:len(data):len(data)], ErrorBody("The server had an error.", "server_error", "", ""))...)
}
