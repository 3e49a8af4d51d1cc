package anthropic

import (
	"slices"
	"unsafe"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// param is a parameter of a request as it counts in the end. The slices are borrowed.
type param struct{ name, value []byte }

// unsupported reports whether the parameter is one of OpenAI's that the Messages API has no counterpart for, and has a
// value that asks for something. The list is that of https://platform.openai.com/docs/api-reference/chat/create without
// what encoder.known carries.
func unsupported(name, value []byte) bool {
	if dialect.Null(value) {
		return false
	}
	switch string(name) {
	case "frequency_penalty", "presence_penalty":
		return string(value) != "0" && string(value) != "0.0"
	case "logprobs", "store":
		return string(value) != "false"
	case "n":
		return string(value) != "1"
	case "logit_bias", "prediction":
		return string(value) != "{}"
	case "modalities":
		return string(value) != `["text"]`
	case "service_tier":
		return string(value) != `"auto"` && string(value) != `"default"` && string(value) != `"standard_only"`
	case "audio", "function_call", "functions", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
		"reasoning", "safety_identifier", "seed", "suffix", "top_logprobs", "verbosity":
		return true
	}
	return false
}

// collect lists the parameters that count.
func (n *encoder) collect() error {
	keep := func(key string) bool {
		if openai.Control(borrow(key)) {
			return key == "metadata" && n.allowed(key)
		}
		return key == "messages" || !provider.Lists(n.x.Controls.AdditionalDrop, key)
	}
	if err := provider.Members(n.x, n.e.d, &n.extra, keep, n.add); err != nil {
		return err
	}
	if n.x.Dialect == llm.DialectMessages {
		n.params = slices.DeleteFunc(n.params, n.twice)
	}
	return n.check()
}

// twice reports whether a parameter says for other vendors what the caller says in the API's own words as well.
func (n *encoder) twice(p param) bool {
	switch string(p.name) {
	case "reasoning_effort":
		return n.given("thinking") != nil || n.given("output_config") != nil
	case "response_format":
		return n.given("output_config") != nil || n.given("output_format") != nil
	}
	return false
}

// add takes a parameter unless it is there already, or to be dropped always.
func (n *encoder) add(name string, value []byte) {
	switch {
	case name == "messages":
		if n.messages == nil {
			n.messages = value
		}
	case !provider.Reserved(name) && n.get(name) == nil && !slices.Contains(n.e.d.AdditionalDrop, name):
		n.params = append(n.params, param{borrow(name), value})
	}
}

// get returns the value of a parameter, or nil.
func (n *encoder) get(name string) []byte {
	for i := range n.params {
		if string(n.params[i].name) == name {
			return n.params[i].value
		}
	}
	return nil
}

// given returns the value of a parameter that is set to something, or nil.
func (n *encoder) given(name string) []byte {
	if v := n.get(name); !dialect.Null(v) {
		return v
	}
	return nil
}

// allowed reports whether a parameter is to be sent although it is not supported.
func (n *encoder) allowed(name string) bool {
	return slices.Contains(n.e.d.AllowedParams, name) || provider.Lists(n.x.Controls.AllowedParams, name)
}

// check drops or refuses the parameters that are not supported, in the words of the reference (litellm/utils.py). It
// lists all of them, so that a caller need not find out one by one.
func (n *encoder) check() error {
	var names []string
	n.params = slices.DeleteFunc(n.params, func(p param) bool {
		switch {
		case n.allowed(borrowed(p.name)):
			return false
		case !unsupported(p.name, p.value):
			return neutral(p)
		case !n.drop:
			names = append(names, string(p.name))
		}
		return true
	})
	if len(names) == 0 {
		return nil
	}
	err := provider.UnsupportedParams(Name, n.e.d.Model, names)
	err.Op = "anthropic.Encode"
	return err
}

// neutral reports whether a parameter is not known to the API and asks for nothing.
func neutral(p param) bool {
	if dialect.Null(p.value) {
		return true
	}
	switch string(p.name) {
	case "frequency_penalty", "presence_penalty", "logprobs", "store", "n", "logit_bias", "prediction", "modalities":
		return true
	}
	return false
}

// borrow returns the bytes of s, which must not be written to.
func borrow(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// borrowed returns b as a string for the length of a call.
func borrowed(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
