package gemini

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// params are the parameters of OpenAI's API that generateContent has something for.
func params() []string {
	return []string{
		"audio", "frequency_penalty", "function_call", "functions", "logprobs", "max_completion_tokens", "max_tokens", "modalities", "n",
		"parallel_tool_calls", "presence_penalty", "reasoning_effort", "response_format", "seed", "service_tier", "stop", "store",
		"temperature", "thinking", "tool_choice", "tools", "top_logprobs", "top_p", "web_search_options",
	}
}

// config writes generationConfig (https://ai.google.dev/api/generate-content#GenerationConfig).
func (n *encoder) config() error {
	r, b := n.r, &n.b
	start := b.Len()
	b.Key("generationConfig").Open('{')
	open := b.Len()
	for _, p := range [...][2]string{
		{"temperature", "temperature"}, {"top_p", "topP"}, {"top_k", "topK"}, {"n", "candidateCount"}, {"seed", "seed"},
		{"presence_penalty", "presencePenalty"}, {"frequency_penalty", "frequencyPenalty"}, {"logprobs", "responseLogprobs"},
		{"top_logprobs", "logprobs"},
	} {
		b.Member(p[1], r.Get(p[0]))
	}
	b.Member("maxOutputTokens", r.MaxTokens())
	stop, err := r.Stop()
	if err != nil {
		return err
	}
	if len(stop) > 2 {
		b.Key("stopSequences").Raw(stop)
	}
	for _, write := range [...]func(*encoder) error{
		(*encoder).format, (*encoder).modalities, (*encoder).thinking, (*encoder).further,
	} {
		if err := write(n); err != nil {
			return err
		}
	}
	if b.Len() == open {
		b.Cut(start)
		return nil
	}
	b.Close('}')
	return nil
}

// format writes how the answer shall look (https://ai.google.dev/gemini-api/docs/structured-output). Models since Gemini 2
// take JSON Schema; earlier ones take Google's Schema.
func (n *encoder) format() error {
	f, b := &n.r.Format, &n.b
	switch f.Kind {
	case openai.FormatObject:
		b.Key("responseMimeType").Lit(`"application/json"`)
	case openai.FormatSchema:
		b.Key("responseMimeType").Lit(`"application/json"`)
		if !n.o.old {
			b.Key("responseJsonSchema").Raw(f.Schema)
			return nil
		}
		schema, err := gemini.AppendSchema(nil, f.Schema)
		if err != nil {
			return n.r.Bad("response_format", "holds a schema that "+err.Error())
		}
		b.Key("responseSchema").Raw(schema)
	}
	return nil
}

// modalities writes what the answer consists of, and the voice of a spoken one
// (https://ai.google.dev/gemini-api/docs/speech-generation).
func (n *encoder) modalities() error {
	list, audio, b := n.r.Get("modalities"), n.r.Get("audio"), &n.b
	var names []string
	for c := dialect.Array(list); c.Next(); {
		word, _ := llm.Text(c.Value())
		switch name := strings.ToUpper(string(word)); name {
		case "TEXT", "IMAGE", "AUDIO", "VIDEO":
			names = append(names, name)
		default:
			return n.r.Bad("modalities", "must be a list of text, image and audio")
		}
	}
	if audio != nil {
		if format, _ := llm.Text(dialect.Get(audio, "format")); len(format) > 0 && string(format) != "pcm16" && !n.r.Drop {
			return n.r.Bad("audio.format", "must be pcm16, the only format that "+n.r.Vendor+" has")
		}
		b.Key("speechConfig").Open('{')
		if voice := dialect.Get(audio, "voice"); len(voice) > 2 && voice[0] == '"' {
			b.Key("voiceConfig").Open('{').Key("prebuiltVoiceConfig").Open('{').Key("voiceName").Raw(voice).Close('}').Close('}')
		}
		b.Close('}')
		if len(names) == 0 {
			names = []string{"AUDIO"}
		}
	}
	if len(names) == 0 {
		return nil
	}
	b.Key("responseModalities").Open('[')
	for _, name := range names {
		b.Quote(name)
	}
	b.Close(']')
	return nil
}

// thinking writes thinkingConfig (https://ai.google.dev/gemini-api/docs/thinking). Gemini 3 takes levels, earlier models
// budgets, for which the reference has the numbers (litellm/constants.py, DEFAULT_REASONING_EFFORT_*_THINKING_BUDGET). A
// caller of Google's API gets what it wrote.
func (n *encoder) thinking() error {
	effort, err := n.r.Effort()
	if err != nil {
		return err
	}
	own := n.r.Get("thinking")
	if raw := n.written(); raw != nil {
		n.b.Key("thinkingConfig").Raw(raw)
		return nil
	}
	if own != nil {
		return n.budget(own, effort)
	}
	if effort == "" {
		return nil
	}
	if n.o.three {
		return n.level(effort)
	}
	budget := budgetOf(effort, n.o.model)
	if budget < 0 {
		return n.r.Bad("reasoning_effort", "must be none, minimal, low, medium, high or xhigh for this model")
	}
	n.b.Key("thinkingConfig").Open('{').Key("thinkingBudget").Int(budget).Key("includeThoughts").Bool(budget > 0).Close('}')
	return nil
}

// written is the thinkingConfig of a request that came in Google's own dialect, and was not changed since.
func (n *encoder) written() []byte {
	x := n.t.Exchange
	if x.Dialect != llm.DialectGoogle || x.Edited() || len(x.Overrides) > 0 {
		return nil
	}
	for _, name := range [...]string{"generationConfig", "generation_config"} {
		for _, inner := range [...]string{"thinkingConfig", "thinking_config"} {
			if v := dialect.Get(x.Native.Get(name), inner); !dialect.Null(v) {
				return v
			}
		}
	}
	return nil
}

func budgetOf(effort, model string) int64 {
	switch effort {
	case "none", "disable":
		return 0
	case "minimal":
		switch {
		case strings.Contains(model, "2.5-flash-lite"):
			return 512
		case strings.Contains(model, "2.5-flash"):
			return 1
		}
		return 128
	case "low":
		return 1024
	case "medium":
		return 2048
	case "high":
		return 4096
	case "xhigh", "max":
		return 8192
	}
	return -1
}

// level writes an effort as a level. Not all models have all of them; what a model lacks is the next one that it has, as in
// the reference (_map_reasoning_effort_to_thinking_level).
func (n *encoder) level(effort string) error {
	flash := strings.Contains(n.o.model, "flash")
	major, minor := gemini.Version(n.o.model)
	level, shown := "", true
	switch effort {
	case "none", "disable":
		level, shown = "LOW", false
		if flash {
			level = "MINIMAL"
		}
	case "minimal":
		level = "LOW"
		if flash {
			level = "MINIMAL"
		}
	case "low":
		level = "LOW"
	case "medium":
		level = "MEDIUM"
		if major == 3 && minor == 0 && !flash {
			level = "HIGH"
		}
	case "high", "xhigh", "max":
		level = "HIGH"
	default:
		return n.r.Bad("reasoning_effort", "must be none, minimal, low, medium, high, xhigh or max for this model")
	}
	n.b.Key("thinkingConfig").Open('{').Key("thinkingLevel").Quote(level).Key("includeThoughts").Bool(shown).Close('}')
	return nil
}

// budget writes thinking as Anthropic's API has it. Gemini 3 takes no budget beside a level, so there the effort that was
// given with it decides.
func (n *encoder) budget(own []byte, effort string) error {
	tokens := dialect.Get(own, "budget_tokens")
	switch string(dialect.Get(own, "type")) {
	case `"disabled"`:
		if n.o.three {
			return n.level("none")
		}
		n.b.Key("thinkingConfig").Open('{').Key("thinkingBudget").Int(0).Key("includeThoughts").Bool(false).Close('}')
	case `"enabled"`, `"adaptive"`:
		if n.o.three && effort != "" {
			return n.level(effort)
		}
		n.b.Key("thinkingConfig").Open('{').Key("includeThoughts").Bool(string(tokens) != "0")
		if !n.o.three {
			n.b.Member("thinkingBudget", tokens)
		}
		n.b.Close('}')
	default:
		return n.r.Bad("thinking.type", "must be enabled, adaptive or disabled")
	}
	return nil
}

// further writes the members of generationConfig that only Google has, in either spelling, and those of a
// generation_config.
func (n *encoder) further() error {
	for c := dialect.Object(n.r.Get(gemini.ConfigKey)); c.Next(); {
		n.b.Member(string(c.Key()), c.Value())
	}
	for _, p := range [...][2]string{
		{"media_resolution", "mediaResolution"}, {"speech_config", "speechConfig"}, {"image_config", "imageConfig"},
		{"thinking_config", "thinkingConfig"}, {"audio_timestamp", "audioTimestamp"}, {"response_modalities", "responseModalities"},
		{"response_mime_type", "responseMimeType"}, {"response_schema", "responseSchema"}, {"response_json_schema", "responseJsonSchema"},
		{"routing_config", "routingConfig"}, {"max_output_tokens", "maxOutputTokens"}, {"candidate_count", "candidateCount"},
		{"stop_sequences", "stopSequences"},
	} {
		for _, name := range p {
			n.b.Member(p[1], n.r.Get(name))
		}
	}
	return nil
}

// others writes what stands beside contents and generationConfig.
func (n *encoder) others() error {
	r, b := n.r, &n.b
	safety := r.Get("safety_settings")
	if safety == nil {
		safety = r.Get("safetySettings")
	}
	if safety == nil {
		safety = n.o.safety
	}
	b.Member("safetySettings", safety)
	for _, p := range [...][2]string{{"cached_content", "cachedContent"}, {"model_armor_config", "modelArmorConfig"}} {
		b.Member(p[1], r.Get(p[0]))
	}
	tier, err := r.Text("service_tier")
	if err != nil {
		return err
	}
	if tier != "" && tier != "auto" && tier != "default" {
		b.Key("serviceTier").Quote(tier)
	}
	for name, v := range r.Rest {
		b.Member(name, v)
	}
	return nil
}
