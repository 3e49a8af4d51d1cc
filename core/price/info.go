package price

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
)

// infoNames are the fields that the reference gives of every model it knows, null where it does not know them
// (litellm/utils.py, ModelInfoBase).
func infoNames() []string {
	return []string{
		"max_tokens", "max_input_tokens", "max_output_tokens", inputCost + "_flex", inputCost + "_priority", cacheWriteCost,
		cacheWriteCost + "_above_200k_tokens", cacheReadCost, cacheReadCost + "_above_200k_tokens", cacheReadCost + "_flex",
		cacheReadCost + "_priority", cacheHourCost, "input_cost_per_character", inputCost + "_above_128k_tokens",
		inputCost + "_above_200k_tokens", "input_cost_per_query", "input_cost_per_second", audioInputCost,
		"input_cost_per_image_token", "input_cost_per_image", "input_cost_per_audio_per_second", "input_cost_per_video_per_second",
		inputCost + "_batches", outputCost + "_batches", outputCost + "_flex", outputCost + "_priority", audioOutputCost,
		"output_cost_per_character", reasoningCost, outputCost + "_above_128k_tokens", "output_cost_per_character_above_128k_tokens",
		outputCost + "_above_200k_tokens", "output_cost_per_second", "output_cost_per_video_per_second", "output_cost_per_image",
		"output_cost_per_image_token", "output_vector_size", "citation_cost_per_token", "tiered_pricing", "mode",
		"supports_system_messages", "supports_response_schema", "supports_vision", "supports_function_calling",
		"supports_tool_choice", "supports_assistant_prefill", "supports_prompt_caching", "supports_audio_input",
		"supports_audio_output", "supports_pdf_input", "supports_embedding_image_input", "supports_native_streaming",
		"supports_web_search", "supports_url_context", "supports_reasoning", "supports_computer_use", searchCost, "tpm", "rpm",
		"ocr_cost_per_page", "annotation_cost_per_page",
	}
}

// Info is what the table knows of a model, by the names of LiteLLM's cost map, for /model/info. Fields that the reference
// always has are there, nil if nothing is known. It is nil for the zero Entry. The map is the caller's.
func (e Entry) Info() map[string]any {
	if e.line == "" {
		return nil
	}
	m := map[string]any{}
	for _, name := range infoNames() {
		m[name] = nil
	}
	m[inputCost], m[outputCost] = 0.0, 0.0
	e.fields(func(code, value string) {
		switch code[0] {
		case '+', '-':
			for _, l := range []byte(code[1:]) {
				if a := ability(l); a != "" {
					m["supports_"+a] = code[0] == '+'
				}
			}
			return
		}
		name := nameOf(code)
		m[name] = e.value(name, value)
	})
	if m["max_tokens"] == nil {
		m["max_tokens"] = m["max_output_tokens"]
		if m["max_tokens"] == nil {
			m["max_tokens"] = m["max_input_tokens"]
		}
	}
	m["key"], m["litellm_provider"] = e.Key(), e.Provider()
	if mode := e.Mode(); mode != "" {
		m["mode"] = mode
	}
	return m
}

// value undoes what ParseMap does to the value of a field.
func (e Entry) value(name, value string) any {
	switch {
	case name == "source":
		if e.t != nil {
			value = e.t.Header("src " + value)
		}
	case name == "deprecation_date":
		return value
	case name == searchCost:
		m := map[string]any{}
		for i, f := range searchPrices(value) {
			m[searchNames()[i]] = f
		}
		return m
	case strings.HasPrefix(value, "~"):
		return spelled(value[1:])
	case isCount(name):
		n, _ := strconv.ParseInt(value, 10, 64)
		return n
	}
	var v any
	if json.Unmarshal([]byte(value), &v) != nil {
		return nil
	}
	return v
}

// Window is the longest prompt and the longest answer of a model in tokens; 0 if it is not known.
func (e Entry) Window() (prompt, answer int64) {
	e.fields(func(code, value string) {
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case err != nil:
		case code == "x" || code == "n" && prompt == 0:
			prompt = n
		case code == "y":
			answer = n
		}
	})
	return prompt, answer
}

// Can reports whether the table says that a model supports something, such as "vision"; known is false if it says nothing.
func (e Entry) Can(what string) (yes, known bool) {
	l := letter(what)
	e.fields(func(code, value string) {
		switch {
		case l != 0 && (code[0] == '+' || code[0] == '-') && strings.IndexByte(code[1:], l) >= 0:
			yes, known = code[0] == '+', true
		case code == "supports_"+what:
			yes, known = value == "true", value == "true" || value == "false"
		}
	})
	return yes, known
}

// JSON is Info as JSON, without what is not known; nil for the zero Entry.
func (e Entry) JSON() []byte {
	m := e.Info()
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	if len(m) == 0 {
		return nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil
	}
	return b
}
