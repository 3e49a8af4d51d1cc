package openai

import (
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// AppendError appends the error envelope, {"error":{"message","type","param","code"}}, that callers of the reference
// know (litellm/proxy/_types.py, ProxyException). code is a string. A vendor's error gets the reference's class prefix,
// its status as code, and the type of its class; an error of the gateway itself goes out as it is.
func AppendError(dst []byte, e *llm.Error) []byte {
	dst = append(dst, `{"error":{"message":`...)
	dst = llm.AppendQuoted(dst, Message(e))
	kind, param, code := e.Type, e.Param, e.Code
	if named(e) {
		kind, param, code = wireType(e), wireParam(e), ""
	}
	dst = appendNullable(append(dst, `,"type":`...), kind)
	dst = appendNullable(append(dst, `,"param":`...), param)
	dst = append(dst, `,"code":`...)
	if code == "" {
		code = strconv.Itoa(e.HTTPStatus())
	}
	return append(llm.AppendQuoted(dst, code), "}}"...)
}

func appendNullable(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return llm.AppendQuoted(dst, s)
}

// Message is the text of the error as the caller reads it. For a vendor's error it begins with the class and the
// vendor, such as "litellm.RateLimitError: RateLimitError: OpenAIException - ", unless it begins with "litellm."
// already. For an empty text it is a sentence made from the status.
func Message(e *llm.Error) string {
	msg := e.Message
	if msg == "" {
		msg = http.StatusText(e.HTTPStatus())
	}
	if msg == "" {
		msg = "Error " + strconv.Itoa(e.HTTPStatus())
	}
	if !named(e) || strings.HasPrefix(msg, "litellm.") {
		return msg
	}
	return prefix(e) + exception(e.Provider) + msg
}

// named reports whether the error speaks for a vendor, and so in the reference's classes.
func named(e *llm.Error) bool {
	return e.Kind.Vendor() && (e.Provider != "" || e.Kind == llm.KindTimeout || e.Kind == llm.KindConnection || e.Kind == llm.KindBadGateway)
}

// prefix is the class of the error as the reference writes it (litellm/exceptions.py puts the first part,
// litellm_core_utils/exception_mapping_utils.py the second).
func prefix(e *llm.Error) string {
	switch e.Kind {
	case llm.KindBadRequest:
		if e.HTTPStatus() != http.StatusBadRequest {
			return "litellm.APIError: APIError: "
		}
		return "litellm.BadRequestError: "
	case llm.KindContextWindow:
		return "litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: "
	case llm.KindContentPolicy:
		return "litellm.BadRequestError: litellm.ContentPolicyViolationError: ContentPolicyViolationError: "
	case llm.KindAuthentication:
		return "litellm.AuthenticationError: AuthenticationError: "
	case llm.KindPermission:
		return "litellm.PermissionDeniedError: PermissionDeniedError: "
	case llm.KindNotFound:
		if e.Code == "model_not_found" {
			return "litellm.NotFoundError: "
		}
		return "litellm.NotFoundError: NotFoundError: "
	case llm.KindTimeout:
		return "litellm.Timeout: Timeout Error: "
	case llm.KindUnprocessable:
		return "litellm.UnprocessableEntityError: UnprocessableEntityError: "
	case llm.KindRateLimit:
		return "litellm.RateLimitError: RateLimitError: "
	case llm.KindBadGateway:
		return "litellm.BadGatewayError: BadGatewayError: "
	case llm.KindUnavailable:
		return "litellm.ServiceUnavailableError: ServiceUnavailableError: "
	case llm.KindInternal:
		if e.HTTPStatus() != http.StatusInternalServerError {
			return "litellm.APIError: APIError: "
		}
	}
	// A vendor that cannot be reached is an InternalServerError to callers of the reference.
	return "litellm.InternalServerError: InternalServerError: "
}

// exception is the vendor in the reference's words: "OpenAIException - ", "GroqException - ".
func exception(provider string) string {
	switch provider {
	case "":
		return ""
	case "openai":
		return "OpenAIException - "
	}
	first, n := utf8.DecodeRuneInString(provider)
	return string(unicode.ToUpper(first)) + provider[n:] + "Exception - "
}

func wireType(e *llm.Error) string {
	switch e.Kind {
	case llm.KindBadRequest, llm.KindContextWindow, llm.KindContentPolicy, llm.KindUnprocessable:
		return e.Type
	case llm.KindRateLimit:
		return "throttling_error"
	}
	return ""
}

func wireParam(e *llm.Error) string {
	switch e.Kind {
	case llm.KindBadRequest, llm.KindContextWindow, llm.KindContentPolicy, llm.KindUnprocessable:
		return e.Param
	}
	return ""
}
