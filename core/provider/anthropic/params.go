package anthropic

import (
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
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

// collect lists the parameters that count: those of the fallback under way, of the deployment's extra_body, of the
// request's extra_body, of the request, and the deployment's defaults, each before the next.
func (n *encoder) collect() error {
	x, d := n.x, n.e.d
	for _, list := range [][]byte{x.Controls.AdditionalDrop, x.Controls.AllowedParams} {
		if len(list) > maxNames {
			return badControl("additional_drop_params", "and `allowed_openai_params` must not be longer than "+strconv.Itoa(maxNames)+" bytes")
		}
	}
	for _, o := range x.Overrides {
		if o.Name == "messages" {
			n.messages = borrow(o.Value)
		} else if !reserved(o.Name) && !openai.Control(borrow(o.Name)) {
			n.add(borrow(o.Name), borrow(o.Value))
		}
	}
	for i := range d.ExtraBody {
		n.add(borrow(d.ExtraBody[i].Name), borrow(d.ExtraBody[i].Value))
	}
	if err := n.collectExtra(); err != nil {
		return err
	}
	for _, m := range x.Body.Members() {
		n.member(x.Body.Key(m), x.Body.Value(m))
	}
	for i := range d.Defaults {
		n.add(borrow(d.Defaults[i].Name), borrow(d.Defaults[i].Value))
	}
	if x.Dialect == llm.DialectMessages {
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

// collectExtra takes the request's extra_body.
func (n *encoder) collectExtra() error {
	raw := n.x.Controls.ExtraBody
	if raw == nil {
		return nil
	}
	if err := n.extra.Parse(raw); err != nil {
		return badControl("extra_body", "cannot be used: "+err.Error())
	}
	for _, m := range n.extra.Members() {
		// By these a request would become another one than was checked and is accounted for.
		if key := n.extra.Key(m); reserved(string(key)) {
			return badControl("extra_body", "must not set `"+string(key)+"`: write it into the request itself")
		}
		n.add(n.extra.Key(m), n.extra.Value(m))
	}
	return nil
}

// maxNames is the greatest length of additional_drop_params and allowed_openai_params as written.
const maxNames = 4 << 10

func badControl(name, problem string) *llm.Error {
	return &llm.Error{
		Op: "anthropic.Encode", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: name,
		Message: "Invalid request: `" + name + "` " + problem + ".",
	}
}

func (n *encoder) member(key, value []byte) {
	switch {
	case string(key) == "messages":
		if n.messages == nil {
			n.messages = value
		}
	case reserved(borrowed(key)):
	case openai.Control(key):
		if string(key) == "metadata" && n.allowed("metadata") {
			n.add(key, value)
		}
	default:
		if n.x.Controls.AdditionalDrop == nil || !lists(n.x.Controls.AdditionalDrop, borrowed(key)) {
			n.add(key, value)
		}
	}
}

// add takes a parameter unless it is there already, or to be dropped always.
func (n *encoder) add(name, value []byte) {
	if n.get(borrowed(name)) == nil && !slices.Contains(n.e.d.AdditionalDrop, borrowed(name)) {
		n.params = append(n.params, param{name, value})
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
	return slices.Contains(n.e.d.AllowedParams, name) || lists(n.x.Controls.AllowedParams, name)
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
	list := "['" + strings.Join(names, "', '") + "']"
	return refusal(names[0], "litellm.UnsupportedParamsError: "+Name+" does not support parameters: "+list+
		", for model="+n.e.d.Model+". To drop these, set `litellm.drop_params=True` or for proxy:\n\n`litellm_settings:\n"+
		" drop_params: true`\n. \n If you want to use these params dynamically send allowed_openai_params="+list+
		" in your request.")
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

// lists reports whether the JSON list holds the name.
func lists(raw []byte, name string) bool {
	if raw == nil {
		return false
	}
	for c := dialect.Array(raw); c.Next(); {
		if v := c.Value(); len(v) == len(name)+2 && string(v[1:len(v)-1]) == name {
			return true
		}
	}
	return false
}

// borrow returns the bytes of s, which must not be written to.
func borrow(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// borrowed returns b as a string for the length of a call.
func borrowed(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
