package gemini

import (
	"cmp"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Members of chat completions requests and messages that carry what only Google's API has. The provider for Gemini puts
// them back; other vendors refuse them by name.
const (
	// PartKey is the member of a content part that holds the members of a Google part that have no counterpart, such as
	// videoMetadata; and the type of a part that has none at all, whose "text" is then the Google part as JSON, so that
	// guardrails see what it says.
	PartKey = "google_part"
	// ResponseKey is the member of a tool message's provider_specific_fields that holds what else a functionResponse says,
	// such as scheduling.
	ResponseKey = "google_function_response"
	// DeclarationKey is the member of a tool that holds what else a functionDeclaration says, such as response.
	DeclarationKey = "google_declaration"
	// ConfigKey and ToolConfigKey hold what of generationConfig and toolConfig has no counterpart.
	ConfigKey     = "generation_config"
	ToolConfigKey = "tool_config"
)

// AppendChat appends the chat completions request that says the same as a request of generateContent. control tells the
// members that are for the gateway; they are passed on as they are. What has no counterpart is carried under the keys
// above, or refused: an error is an *llm.Error of kind llm.KindInvalid that names the member.
//
// A functionCall without an id gets one, and the functionResponse for it the same: the first call of that name that has
// no response yet.
func AppendChat(dst []byte, o *llm.Object, model string, stream bool, control func(key []byte) bool) ([]byte, error) {
	w := asker{dst: llm.AppendQuoted(append(dst, `{"model":`...), model)}
	if stream {
		w.put(`,"stream":true`)
	}
	err := members(o.Raw(), "request", w.collect)
	if err != nil {
		return nil, err
	}
	for _, m := range o.Members() {
		if key := o.Key(m); control(key) {
			w.member(string(key), o.Value(m))
		}
	}
	for _, write := range [...]func(*asker) error{
		(*asker).messages, (*asker).tools, (*asker).toolConfig, (*asker).config, (*asker).others,
	} {
		if err := write(&w); err != nil {
			return nil, err
		}
	}
	for _, u := range w.unknown {
		if !control([]byte(u.Name)) && !control(o.Key(keyOf(o, u.Name))) {
			return nil, refuse(cmp.Or(u.Name, "request"), "has no counterpart for this model")
		}
	}
	w.put("}")
	return w.dst, nil
}

// keyOf finds the member with the documented name.
func keyOf(o *llm.Object, name string) llm.Member {
	for _, m := range o.Members() {
		if camel(o.Key(m)) == name {
			return m
		}
	}
	return llm.Member{}
}

// asker writes a chat completions request.
type asker struct {
	dst []byte

	system, contents, toolList, toolConf, gen []byte
	plain                                     []llm.Pair // members that go out under another name
	unknown                                   []llm.Pair

	calls  []call // functions called so far
	made   int    // ids made up
	search bool   // the search of Google is wanted
}

// call is a function call of the conversation.
type call struct {
	id, name string
	answered bool
}

func (w *asker) put(s string) { w.dst = append(w.dst, s...) }

func (w *asker) member(name string, v []byte) {
	w.put(`,"` + name + `":`)
	w.dst = append(w.dst, v...)
}

// collect sorts the members of the request, as https://ai.google.dev/api/generate-content#request-body lists them.
func (w *asker) collect(name string, v []byte) error {
	switch name {
	case "contents":
		w.contents = v
	case "systemInstruction":
		w.system = v
	case "tools":
		w.toolList = v
	case "toolConfig":
		w.toolConf = v
	case "generationConfig":
		w.gen = v
	case "safetySettings":
		w.plain = append(w.plain, llm.Pair{Name: "safety_settings", Value: string(v)})
	case "cachedContent":
		w.plain = append(w.plain, llm.Pair{Name: "cached_content", Value: string(v)})
	case "labels", "store":
		w.plain = append(w.plain, llm.Pair{Name: name, Value: string(v)})
	case "modelArmorConfig":
		w.plain = append(w.plain, llm.Pair{Name: "model_armor_config", Value: string(v)})
	case "serviceTier":
		w.plain = append(w.plain, llm.Pair{Name: "service_tier", Value: tier(v)})
	case "model", "stream":
	default:
		w.unknown = append(w.unknown, llm.Pair{Name: name})
	}
	return nil
}

// tier is OpenAI's service_tier for a serviceTier: what Google calls standard is the default there.
func tier(v []byte) string {
	switch plain(v) {
	case "standard", "SERVICE_TIER_STANDARD", "STANDARD":
		return `"default"`
	case "priority", "SERVICE_TIER_PRIORITY", "PRIORITY":
		return `"priority"`
	case "flex", "SERVICE_TIER_FLEX", "FLEX":
		return `"flex"`
	}
	return string(v)
}

func (w *asker) others() error {
	for _, p := range w.plain {
		w.member(p.Name, []byte(p.Value))
	}
	return nil
}

// config writes generationConfig (https://ai.google.dev/api/generate-content#GenerationConfig) as parameters.
func (w *asker) config() error {
	if w.gen == nil {
		return nil
	}
	var format formatting
	var rest []byte
	err := members(w.gen, "generationConfig", func(name string, v []byte) error {
		if to := parameter(name); to != "" {
			w.member(to, v)
			return nil
		}
		switch name {
		case "responseMimeType":
			format.mime = v
		case "responseSchema":
			format.schema = v
		case "responseJsonSchema", "_responseJsonSchema":
			format.json = v
		case "responseModalities":
			w.modalities(v)
		case "thinkingConfig":
			return w.thinking(v)
		default:
			if len(rest) > 0 {
				rest = append(rest, ',')
			}
			rest = append(append(append(append(rest, '"'), name...), `":`...), v...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if rest, err = w.format(&format, rest); err != nil {
		return err
	}
	if len(rest) > 0 {
		w.put(`,"` + ConfigKey + `":{`)
		w.dst = append(append(w.dst, rest...), '}')
	}
	return nil
}

// parameter is the name of the parameter of chat completions that says the same.
func parameter(name string) string {
	switch name {
	case "temperature", "seed":
		return name
	case "topP":
		return "top_p"
	case "topK":
		return "top_k"
	case "candidateCount":
		return "n"
	case "maxOutputTokens":
		return "max_tokens"
	case "stopSequences":
		return "stop"
	case "presencePenalty":
		return "presence_penalty"
	case "frequencyPenalty":
		return "frequency_penalty"
	case "responseLogprobs":
		return "logprobs"
	case "logprobs":
		return "top_logprobs"
	}
	return ""
}

// formatting is how the answer shall look.
type formatting struct{ mime, schema, json []byte }

// format writes response_format. What it cannot say, such as an answer that is one word of an enum, joins the rest.
func (w *asker) format(f *formatting, rest []byte) ([]byte, error) {
	switch mime := plain(f.mime); {
	case mime == "application/json" && f.schema == nil && f.json == nil:
		w.put(`,"response_format":{"type":"json_object"}`)
		return rest, nil
	case mime == "application/json":
		w.put(`,"response_format":{"type":"json_schema","json_schema":{"name":"response","schema":`)
		if f.json != nil {
			w.dst = append(w.dst, f.json...)
		} else {
			var err error
			if w.dst, err = AppendJSONSchema(w.dst, f.schema); err != nil {
				return nil, refuse("generationConfig.responseSchema", err.Error())
			}
		}
		w.put("}}")
		return rest, nil
	case (mime == "" || mime == "text/plain") && f.schema == nil && f.json == nil:
		return rest, nil
	}
	for _, m := range []struct {
		name string
		v    []byte
	}{{"responseMimeType", f.mime}, {"responseSchema", f.schema}, {"responseJsonSchema", f.json}} {
		if m.v == nil {
			continue
		}
		if len(rest) > 0 {
			rest = append(rest, ',')
		}
		rest = append(append(rest, `"`+m.name+`":`...), m.v...)
	}
	return rest, nil
}

func (w *asker) modalities(v []byte) {
	if string(v) == `["TEXT"]` || string(v) == "[]" {
		return
	}
	w.put(`,"modalities":`)
	for _, c := range v {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		w.dst = append(w.dst, c)
	}
}

// thinking writes thinkingConfig: a level is an effort, no budget no effort, and a budget what Anthropic's API calls
// thinking, which chat completions of the reference have as well, beside the effort that comes next to it. A budget of -1, which leaves it to the model, and the
// wish to see thoughts are said by saying nothing: other vendors show them anyway.
func (w *asker) thinking(raw []byte) error {
	return members(raw, "generationConfig.thinkingConfig", func(name string, v []byte) error {
		switch name {
		case "thinkingLevel":
			if level := levelOf(v); level != "" {
				w.put(`,"reasoning_effort":"` + level + `"`)
				return nil
			}
			return refuse("generationConfig.thinkingConfig.thinkingLevel", "must be minimal, low, medium or high")
		case "thinkingBudget":
			switch n := dialect.Int(v); {
			case string(v) == "-1":
			case n == 0:
				w.put(`,"reasoning_effort":"none"`)
			default:
				w.put(`,"thinking":{"type":"enabled","budget_tokens":` + strconv.FormatInt(n, 10) + "}")
				w.put(`,"reasoning_effort":"` + effortOf(n) + `"`)
			}
			return nil
		case "includeThoughts":
			return nil
		}
		return refuse("generationConfig.thinkingConfig."+name, "has no counterpart for this model")
	})
}

// effortOf is the effort for a budget. The numbers are the reference's, the other way round
// (litellm/constants.py, DEFAULT_REASONING_EFFORT_*_THINKING_BUDGET).
func effortOf(budget int64) string {
	switch {
	case budget <= 512:
		return "minimal"
	case budget <= 1024:
		return "low"
	case budget <= 2048:
		return "medium"
	}
	return "high"
}

func levelOf(v []byte) string {
	switch plain(v) {
	case "MINIMAL", "minimal":
		return "minimal"
	case "LOW", "low":
		return "low"
	case "MEDIUM", "medium":
		return "medium"
	case "HIGH", "high":
		return "high"
	}
	return ""
}
