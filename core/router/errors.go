package router

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// unknownModel is the refusal of litellm/proxy/route_llm_request.py. There the detail is a Python dict, and its text
// the message; clients match on it.
func unknownModel(op llm.Operation, model string) error {
	route := "/" + op.String()
	if op == llm.OpNone {
		route = ""
	}
	if model == "" {
		model = "None"
	}
	detail := route + ": Invalid model name passed in model=" + clip(model) +
		". Call `/v1/models` to view available models for your key."
	return &llm.Error{
		Op: "router.Plan", Kind: llm.KindInvalid, Status: 400,
		Message: "{'error': " + pythonString(detail) + "}",
		Type:    "None", Param: "None", Code: "400",
	}
}

// accessDenied is the refusal of litellm/proxy/auth/auth_checks.py, _can_object_call_model.
func accessDenied(p *llm.Principal, model string) error {
	return &llm.Error{
		Op: "router.Plan", Kind: llm.KindAuth, Status: 401,
		Message: "key not allowed to access model. This key can only access models=" + pythonList(p.Models) +
			". Tried to access " + clip(model),
		Type: "key_model_access_denied", Param: "model", Code: "401",
	}
}

// badModel passes on why a wildcard could not be expanded.
func badModel(model string, err error) error {
	var e *llm.Error
	if errors.As(err, &e) {
		return e
	}
	return &llm.Error{
		Op: "router.Plan", Kind: llm.KindBadRequest, Err: err, Param: "model",
		Message: "litellm.BadRequestError: the model " + strconv.Quote(clip(model)) + " cannot be used: " + err.Error(),
	}
}

func badFallbacks(why string) error {
	return &llm.Error{
		Op: "router.Plan", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "fallbacks",
		Message: "fallbacks cannot be used: " + why + `. Send a list such as ["gpt-4o", {"model": "claude"}].`,
	}
}

// giveUp is the final error: how the group that was asked for failed, with what the reference's router adds to it.
func (p *Plan) giveUp() error {
	e := *p.asked.err
	if e.Message == "" {
		e.Message = http.StatusText(e.HTTPStatus())
	}
	var b strings.Builder
	b.WriteString(e.Message)
	b.WriteString(". Received Model Group=")
	b.WriteString(clip(p.x.Model))
	b.WriteString("\nAvailable Model Group Fallbacks=")
	b.WriteString(groupNames(p.asked.fallbacks))
	if p.later != nil {
		b.WriteString("\nError doing the fallback: ")
		b.WriteString(p.later.Message)
	}
	if n := p.asked.retries; n > 0 {
		b.WriteString(" LiteLLM Retried: " + strconv.Itoa(n) + " times, LiteLLM Max Retries: " + strconv.Itoa(p.asked.limit))
	}
	e.Message = b.String()
	return &e
}

func groupNames(targets []Target) string {
	if len(targets) == 0 {
		return "None"
	}
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.Group
	}
	return pythonList(names)
}

// clip bounds what an error repeats of the request.
func clip(s string) string {
	const limit = 256
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}

func pythonBool(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

func pythonList(list []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, s := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(pythonString(s))
	}
	b.WriteByte(']')
	return b.String()
}

// pythonString writes s as Python's repr does.
func pythonString(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteByte(quote)
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			b.WriteString(`\x` + hex2(byte(r)))
		case !unicode.IsPrint(r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte(quote)
	return b.String()
}

func hex2(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}
