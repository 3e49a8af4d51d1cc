package price

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// short lists the fields of LiteLLM's cost map that the table writes with a short name. The others keep theirs.
func short() []struct{ code, name string } {
	return []struct{ code, name string }{
		{"i", inputCost}, {"o", outputCost}, {"r", cacheReadCost}, {"w", cacheWriteCost}, {"W", cacheHourCost}, {"H", cacheHalfDayCost},
		{"z", reasoningCost}, {"a", audioInputCost}, {"A", audioOutputCost},
		{"ii", "input_cost_per_image"}, {"oi", "output_cost_per_image"}, {"px", "input_cost_per_pixel"}, {"py", "output_cost_per_pixel"},
		{"ti", imageInputCost}, {"to", imageOutputCost},
		{"is", "input_cost_per_second"}, {"os", "output_cost_per_second"},
		{"ic", "input_cost_per_character"}, {"oc", "output_cost_per_character"}, {"q", "input_cost_per_query"},
		{"s", searchCost}, {"t", "tiered_pricing"},
		{"n", "max_tokens"}, {"x", "max_input_tokens"}, {"y", "max_output_tokens"}, {"v", "output_vector_size"},
		{"u", "tool_use_system_prompt_tokens"}, {"d", "deprecation_date"}, {"src", "source"}, {"m", "prompt_cache_min_tokens"},
		{"E", "supported_endpoints"}, {"M", "supported_modalities"}, {"O", "supported_output_modalities"},
	}
}

// The names of the prices of tokens. Each may be followed by _above_Nk_tokens, and then by a suffix of suffixes.
const (
	inputCost       = "input_cost_per_token"
	outputCost      = "output_cost_per_token"
	cacheReadCost   = "cache_read_input_token_cost"
	cacheWriteCost  = "cache_creation_input_token_cost"
	cacheHourCost   = "cache_creation_input_token_cost_above_1hr"
	reasoningCost   = "output_cost_per_reasoning_token"
	audioInputCost  = "input_cost_per_audio_token"
	audioOutputCost = "output_cost_per_audio_token"
	imageInputCost  = "input_cost_per_image_token"
	imageOutputCost = "output_cost_per_image_token"

	cacheHalfDayCost    = "cache_creation_input_token_cost_above_12hr"
	cacheReadAudioCost  = "cache_read_input_audio_token_cost"
	cacheReadImageCost  = "cache_read_input_image_token_cost"
	cacheReadMarkedCost = "explicit_cache_read_input_token_cost"
	videoInputCost      = "input_cost_per_video_token"
	videoOutputCost     = "output_cost_per_video_token"
)

// bases are the names of the prices of tokens.
func bases() []string {
	return []string{
		inputCost, outputCost, cacheReadCost, cacheWriteCost, cacheHourCost, reasoningCost, audioInputCost, audioOutputCost,
		imageInputCost, imageOutputCost, cacheHalfDayCost, cacheReadAudioCost, cacheReadImageCost, cacheReadMarkedCost,
		videoInputCost, videoOutputCost,
	}
}

// The other prices that are no number.
const (
	searchCost  = "search_context_cost_per_query"
	offPeakCost = "off_peak_pricing"
)

// rate is the name of a price of tokens, taken apart.
type rate struct {
	base  string // one of the names above
	above int64  // tokens of the prompt from which it counts; 0 always
	tier  llm.ServiceTier
}

// suffixes are those of the service tiers, with their letter in the table.
func suffixes() [llm.ServiceTiers]struct {
	name   string
	letter byte
} {
	return [...]struct {
		name   string
		letter byte
	}{
		llm.TierStandard: {}, llm.TierBatch: {"_batches", 'b'}, llm.TierFlex: {"_flex", 'f'}, llm.TierPriority: {"_priority", 'p'},
		llm.TierBalanced: {"_balanced", 'l'}, llm.TierUltrafast: {"_ultrafast", 'u'},
	}
}

// splitRate takes the name of a price of tokens apart; ok is false if it is none.
func splitRate(name string) (r rate, ok bool) {
	for tier, s := range suffixes() {
		if before, found := strings.CutSuffix(name, s.name); found && s.name != "" {
			name, r.tier = before, llm.ServiceTier(tier)
			break
		}
	}
	if i := strings.LastIndex(name, "_above_"); i >= 0 && strings.HasSuffix(name, "_tokens") {
		digits := strings.TrimSuffix(name[i+len("_above_"):], "_tokens")
		thousands, k := strings.CutSuffix(digits, "k")
		n, err := strconv.ParseInt(thousands, 10, 32)
		if err != nil || n <= 0 || strconv.FormatInt(n, 10) != thousands {
			return rate{}, false
		}
		if k {
			n *= 1000
		}
		name, r.above = name[:i], n
	}
	if !slices.Contains(bases(), name) {
		return rate{}, false
	}
	r.base = name
	return r, true
}

// code writes a rate as the letter of its base, the thousands from which it counts, and the letter of its tier, as in
// i200b.
func (r rate) code() string {
	s := baseCode(r.base)
	if r.above != 0 {
		s += strconv.FormatInt(r.above/1000, 10)
	}
	if r.tier != llm.TierStandard {
		s += string(suffixes()[r.tier].letter)
	}
	return s
}

// rateOf undoes code.
func rateOf(code string) (r rate, ok bool) {
	if code == "" {
		return rate{}, false
	}
	r.base = baseName(code[:1])
	rest := code[1:]
	for tier, s := range suffixes() {
		if n := len(rest); n > 0 && s.letter != 0 && rest[n-1] == s.letter {
			rest, r.tier = rest[:n-1], llm.ServiceTier(tier)
			break
		}
	}
	if rest != "" {
		n, err := strconv.ParseInt(rest, 10, 32)
		if err != nil {
			return rate{}, false
		}
		r.above = n * 1000
	}
	_, ok = splitRate(r.base)
	return r, ok
}

// name writes the rate as LiteLLM does.
func (r rate) name() string {
	s := r.base
	if r.above != 0 {
		s += "_above_" + strconv.FormatInt(r.above/1000, 10) + "k_tokens"
	}
	return s + suffixes()[r.tier].name
}

// codeOf returns the short name of a field, or its own.
func codeOf(name string) string {
	if r, ok := splitRate(name); ok && r.name() == name && len(baseCode(r.base)) == 1 {
		return r.code()
	}
	return baseCode(name)
}

// nameOf undoes codeOf.
func nameOf(code string) string {
	if name := baseName(code); name != code {
		return name
	}
	if r, ok := rateOf(code); ok {
		return r.name()
	}
	return code
}

func baseCode(name string) string {
	for _, s := range short() {
		if s.name == name {
			return s.code
		}
	}
	return name
}

func baseName(code string) string {
	for _, s := range short() {
		if s.code == code {
			return s.name
		}
	}
	return code
}

// abilities are what supports_* fields tell, each with its letter in the table. The order is part of the format.
func abilities() []string {
	return []string{
		"function_calling", "tool_choice", "parallel_function_calling", "vision", "response_schema", "system_messages",
		"prompt_caching", "reasoning", "pdf_input", "assistant_prefill", "web_search", "computer_use", "native_streaming",
		"audio_input", "audio_output", "video_input", "image_input", "embedding_image_input", "url_context", "service_tier",
		"preset", "video_generation", "none_reasoning_effort", "minimal_reasoning_effort", "low_reasoning_effort",
		"xhigh_reasoning_effort", "max_reasoning_effort", "adaptive_thinking", "native_structured_output", "output_config",
		"sampling_params", "forced_tool_use", "tool_search", "mid_conversation_system", "legacy_thinking", "fast_mode",
		"multimodal", "parallel_tool_use_config", "bedrock_native_structured_output", "prompt_cache_breakpoint", "image_size",
	}
}

// letter returns the letter of an ability, 0 if it has none.
func letter(ability string) byte {
	i := slices.Index(abilities(), ability)
	if i < 0 {
		return 0
	}
	return alphabet[i]
}

// ability undoes letter.
func ability(letter byte) string {
	all := abilities()
	if i := strings.IndexByte(alphabet, letter); i >= 0 && i < len(all) {
		return all[i]
	}
	return ""
}

// alphabet has a letter for each ability and each word.
const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// words are the values of lists that the table abbreviates to a letter.
func words() []string {
	return []string{
		"text", "image", "audio", "video", "code", "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/batch",
		"/v1/images/generations", "/v1/images/edits", "/v1/images/variations", "/v1/audio/transcriptions", "/v1/audio/speech",
		"/v1/realtime", "/v1/embeddings", "/v1/ocr", "/v1/rerank", "/v1/messages", "/v1/moderations",
	}
}

// letters writes a list with one letter for each word; ok is false if a word has none.
func letters(list []string) (s string, ok bool) {
	all := words()
	b := make([]byte, 0, len(list))
	for _, w := range list {
		i := slices.Index(all, w)
		if i < 0 {
			return "", false
		}
		b = append(b, alphabet[i])
	}
	return string(b), true
}

// spelled undoes letters.
func spelled(s string) []string {
	all := words()
	out := make([]string, 0, len(s))
	for _, c := range []byte(s) {
		if i := strings.IndexByte(alphabet, c); i >= 0 && i < len(all) {
			out = append(out, all[i])
		}
	}
	return out
}
