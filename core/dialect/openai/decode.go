// Package openai is the OpenAI dialect: the request and answer shapes of chat completions, completions, embeddings and
// models, the error envelope, and what the reference system adds to them. It works on bytes and does no I/O.
package openai

import (
	"strconv"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Decode reads what the gateway needs to know from a request: the model, whether a stream is wanted, and the Controls.
// x.Body must have been parsed. A member of the wrong type is an *llm.Error of kind llm.KindInvalid whose Param names
// it. A missing model is no error here, because path and defaults may supply one.
//
// Everything raw in x.Controls borrows the body. x.Model does not.
func Decode(x *llm.Exchange) error {
	for _, m := range x.Body.Members() {
		if err := decodeMember(x, x.Body.Key(m), x.Body.Value(m)); err != nil {
			return err
		}
	}
	return nil
}

// DecodeNative is Decode for x.Native, a request in another dialect: it reads the model, the stream, and the controls,
// which all dialects spell alike. Whatever else a dialect has is left to it.
func DecodeNative(x *llm.Exchange) error {
	for _, m := range x.Native.Members() {
		key := x.Native.Key(m)
		if string(key) == "user" || string(key) == "stream_options" {
			continue
		}
		if err := decodeMember(x, key, x.Native.Value(m)); err != nil {
			return err
		}
	}
	return nil
}

func decodeMember(x *llm.Exchange, key, value []byte) error {
	switch string(key) {
	case "model":
		return decodeModel(x, value)
	case "stream":
		return decodeBool(&x.Streamed, "stream", value)
	case "stream_options":
		return decodeStreamOptions(x, value)
	case "user":
		x.Controls.User = given(value)
		return nil
	}
	if !Control(key) {
		return nil
	}
	x.Controls.Given = true
	return decodeControl(&x.Controls, key, value)
}

func decodeModel(x *llm.Exchange, value []byte) error {
	if dialect.Null(value) {
		return nil
	}
	s, ok := llm.Text(value)
	if !ok {
		return invalid("model", "must be a string")
	}
	x.NameModel(s)
	return nil
}

func decodeStreamOptions(x *llm.Exchange, value []byte) error {
	if dialect.Null(value) {
		return nil
	}
	if value[0] != '{' {
		return invalid("stream_options", "must be an object")
	}
	return decodeBool(&x.WantUsage, "stream_options.include_usage", dialect.Get(value, "include_usage"))
}

func decodeControl(c *llm.Controls, key, value []byte) error {
	switch string(key) {
	case "num_retries":
		return decodeCount(&c.Retries, "num_retries", value)
	case "timeout":
		return decodeSeconds(&c.Timeout, "timeout", value)
	case "request_timeout":
		return decodeSeconds(&c.Timeout, "request_timeout", value)
	case "stream_timeout":
		return decodeSeconds(&c.StreamTimeout, "stream_timeout", value)
	case "priority":
		return decodePriority(c, value)
	case "mock_testing_fallbacks":
		return decodeTesting(c, llm.TestFallbacks, "mock_testing_fallbacks", value)
	case "mock_testing_context_fallbacks":
		return decodeTesting(c, llm.TestContextFallbacks, "mock_testing_context_fallbacks", value)
	case "mock_testing_content_policy_fallbacks":
		return decodeTesting(c, llm.TestPolicyFallbacks, "mock_testing_content_policy_fallbacks", value)
	case "mock_testing_rate_limit_error":
		return decodeTesting(c, llm.TestRateLimit, "mock_testing_rate_limit_error", value)
	case "fastest_response":
		return decodeBool(&c.Fastest, "fastest_response", value)
	case "disable_fallbacks":
		return decodeBool(&c.DisableFallbacks, "disable_fallbacks", value)
	case "drop_params":
		return decodeTernary(&c.DropParams, "drop_params", value)
	case "mock_response":
		c.Mock = given(value)
	case "fallbacks":
		return decodeArray(&c.Fallbacks, "fallbacks", value)
	case "guardrails":
		return decodeGuardrails(c, value)
	case "metadata":
		return decodeObject(&c.Metadata, "metadata", value)
	case "litellm_metadata":
		return decodeSecondMetadata(c, value)
	case "additional_drop_params":
		return decodeArray(&c.AdditionalDrop, "additional_drop_params", value)
	case "allowed_openai_params":
		return decodeArray(&c.AllowedParams, "allowed_openai_params", value)
	case "extra_headers":
		return decodeObject(&c.ExtraHeaders, "extra_headers", value)
	case "extra_body":
		return decodeObject(&c.ExtraBody, "extra_body", value)
	}
	return nil
}

// decodeSecondMetadata takes litellm_metadata if metadata is not there; a metadata that comes later replaces it.
func decodeSecondMetadata(c *llm.Controls, value []byte) error {
	var second []byte
	if err := decodeObject(&second, "litellm_metadata", value); err != nil {
		return err
	}
	if c.Metadata == nil {
		c.Metadata = second
	}
	return nil
}

func decodeGuardrails(c *llm.Controls, value []byte) error {
	if dialect.Null(value) {
		return nil
	}
	if value[0] != '[' && value[0] != '{' {
		return invalid("guardrails", "must be a list of names or an object")
	}
	c.Guardrails = value
	return nil
}

// Guardrails returns the guardrails the caller asked for as raw JSON: the member guardrails, else the one of that name
// inside the metadata. It is nil if there is neither. The slice is borrowed.
func Guardrails(x *llm.Exchange) []byte {
	if x.Controls.Guardrails != nil {
		return x.Controls.Guardrails
	}
	if x.Controls.Metadata == nil {
		return nil
	}
	return given(dialect.Get(x.Controls.Metadata, "guardrails"))
}

func given(value []byte) []byte {
	if dialect.Null(value) {
		return nil
	}
	return value
}

func decodeBool(dst *bool, name string, value []byte) error {
	switch string(value) {
	case "", "null":
	case "true":
		*dst = true
	case "false":
		*dst = false
	default:
		return invalid(name, "must be true or false")
	}
	return nil
}

func decodeTernary(dst *int8, name string, value []byte) error {
	var on bool
	if dialect.Null(value) {
		return nil
	}
	if err := decodeBool(&on, name, value); err != nil {
		return err
	}
	*dst = 0
	if on {
		*dst = 1
	}
	return nil
}

func decodeTesting(c *llm.Controls, t llm.Testing, name string, value []byte) error {
	var on bool
	if err := decodeBool(&on, name, value); err != nil {
		return err
	}
	if on {
		c.Testing |= t
	}
	return nil
}

// decodePriority reads a whole number; the reference says from 0 to 255 and takes any.
func decodePriority(c *llm.Controls, value []byte) error {
	if dialect.Null(value) {
		return nil
	}
	n, err := strconv.Atoi(string(value))
	if err != nil || n < -maxPriority || n > maxPriority {
		return invalid("priority", "must be a whole number; lower ones are served first")
	}
	c.Priority, c.Prioritized = n, true
	return nil
}

const maxPriority = 1 << 20

func decodeArray(dst *[]byte, name string, value []byte) error {
	if dialect.Null(value) {
		return nil
	}
	if value[0] != '[' {
		return invalid(name, "must be a list")
	}
	*dst = value
	return nil
}

func decodeObject(dst *[]byte, name string, value []byte) error {
	if dialect.Null(value) {
		return nil
	}
	if value[0] != '{' {
		return invalid(name, "must be an object")
	}
	*dst = value
	return nil
}

func decodeCount(dst *int, name string, value []byte) error {
	if dialect.Null(value) {
		return nil
	}
	n, err := strconv.Atoi(string(value))
	if err != nil || n < 0 || n > maxRetries {
		return invalid(name, "must be a whole number from 0 to "+strconv.Itoa(maxRetries))
	}
	*dst = n
	return nil
}

const (
	maxRetries = 1000
	maxTimeout = 7 * 24 * time.Hour
)

// decodeSeconds reads a number of seconds, which the reference also takes as a string.
func decodeSeconds(dst *time.Duration, name string, value []byte) error {
	if dialect.Null(value) {
		return nil
	}
	if text, ok := llm.Text(value); ok {
		value = text
	}
	d, ok := seconds(value)
	if !ok {
		return invalid(name, "must be a number of seconds above 0 and at most "+strconv.Itoa(int(maxTimeout/time.Second)))
	}
	*dst = d
	return nil
}

func seconds(text []byte) (time.Duration, bool) {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(f > 0) || f > maxTimeout.Seconds() {
		return 0, false
	}
	return max(time.Duration(f*float64(time.Second)), 1), true
}

// invalid is the error for a member the gateway cannot use.
func invalid(name, problem string) *llm.Error {
	return &llm.Error{
		Op: "openai.Decode", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: name,
		Message: "Invalid request: `" + name + "` " + problem + ".",
	}
}
