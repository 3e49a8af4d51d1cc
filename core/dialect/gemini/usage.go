package gemini

import (
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Usage counts tokens as the API does (https://ai.google.dev/api/generate-content#UsageMetadata): thoughts are not part of
// Candidates, what comes from the cache is part of Prompt, and what tools put into the prompt is not.
type Usage struct {
	Prompt, Candidates, Thoughts int64
	Cached, ToolUse, Total       int64
	AudioPrompt, AudioCandidates int64
	ImagePrompt, ImageCandidates int64
	VideoPrompt, VideoCandidates int64
	AudioCached, ImageCached     int64
	Traffic                      []byte // trafficType, raw; borrowed
}

// Scan reads usageMetadata. Members that are absent keep their value, as the chunks of a stream repeat and complete each
// other.
func (u *Usage) Scan(b []byte) {
	for c := dialect.Object(b); c.Next(); {
		switch string(c.Key()) {
		case "promptTokenCount":
			u.Prompt = dialect.Int(c.Value())
		case "candidatesTokenCount", "responseTokenCount":
			u.Candidates = dialect.Int(c.Value())
		case "thoughtsTokenCount":
			u.Thoughts = dialect.Int(c.Value())
		case "cachedContentTokenCount":
			u.Cached = dialect.Int(c.Value())
		case "toolUsePromptTokenCount":
			u.ToolUse = dialect.Int(c.Value())
		case "totalTokenCount":
			u.Total = dialect.Int(c.Value())
		case "promptTokensDetails":
			u.AudioPrompt = modality(c.Value(), `"AUDIO"`)
			u.ImagePrompt = modality(c.Value(), `"IMAGE"`)
			u.VideoPrompt = modality(c.Value(), `"VIDEO"`)
		case "cacheTokensDetails":
			u.AudioCached = modality(c.Value(), `"AUDIO"`)
			u.ImageCached = modality(c.Value(), `"IMAGE"`)
		case "candidatesTokensDetails":
			u.AudioCandidates = modality(c.Value(), `"AUDIO"`)
			u.ImageCandidates = modality(c.Value(), `"IMAGE"`)
			u.VideoCandidates = modality(c.Value(), `"VIDEO"`)
		case "trafficType":
			u.Traffic = c.Text()
		}
	}
}

// modality adds up the tokens of one modality in a list of ModalityTokenCount.
func modality(list []byte, name string) (n int64) {
	for c := dialect.Array(list); c.Next(); {
		if string(dialect.Get(c.Value(), "modality")) == name {
			n += dialect.Int(dialect.Get(c.Value(), "tokenCount"))
		}
	}
	return n
}

// Tokens is the usage in the terms of the gateway. Thoughts are part of the completion; some models count them among the
// candidates already, which shows in the sum, as the reference found (is_candidate_token_count_inclusive).
func (u *Usage) Tokens() llm.Usage {
	prompt, completion := u.Prompt+u.ToolUse, u.Candidates
	if prompt+u.Candidates != u.Total || u.Candidates < u.Thoughts {
		completion += u.Thoughts
	}
	total := u.Total
	if total == 0 {
		total = prompt + completion
	}
	return llm.Usage{
		Prompt: prompt, Completion: completion, Total: total, Cached: u.Cached, Reasoning: u.Thoughts,
		AudioPrompt: u.AudioPrompt, AudioCompletion: u.AudioCandidates,
		ImagePrompt: u.ImagePrompt, ImageCompletion: u.ImageCandidates,
		VideoPrompt: u.VideoPrompt, VideoCompletion: u.VideoCandidates, CachedAudio: u.AudioCached, CachedImage: u.ImageCached,
		Tier: dialect.Served(u.Traffic),
	}
}

// AppendUsage appends usageMetadata for a usage of the gateway.
func AppendUsage(dst []byte, u llm.Usage) []byte {
	if u.Total == 0 {
		u.Total = u.Prompt + u.Completion
	}
	count := func(name string, n int64) {
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(append(append(dst, '"'), name...), `":`...), n, 10)
	}
	dst = append(dst, '{')
	count("promptTokenCount", u.Prompt)
	count("candidatesTokenCount", max(0, u.Completion-u.Reasoning))
	count("totalTokenCount", u.Total)
	if u.Cached > 0 {
		count("cachedContentTokenCount", u.Cached)
	}
	if u.Reasoning > 0 {
		count("thoughtsTokenCount", u.Reasoning)
	}
	dst = appendModalities(dst, "promptTokensDetails", u.Prompt, u.AudioPrompt)
	dst = appendModalities(dst, "candidatesTokensDetails", max(0, u.Completion-u.Reasoning), u.AudioCompletion)
	return append(dst, '}')
}

// appendModalities appends how many tokens were audio, if some were.
func appendModalities(dst []byte, name string, all, audio int64) []byte {
	if audio <= 0 || audio > all {
		return dst
	}
	dst = append(append(append(dst, `,"`...), name...), `":[`...)
	if all > audio {
		dst = strconv.AppendInt(append(dst, `{"modality":"TEXT","tokenCount":`...), all-audio, 10)
		dst = append(dst, "},"...)
	}
	dst = strconv.AppendInt(append(dst, `{"modality":"AUDIO","tokenCount":`...), audio, 10)
	return append(dst, "}]"...)
}

// Asked is how many questions to the web and to a map a candidate's groundingMetadata tells of. Maps have one at the
// least where a source is one (https://ai.google.dev/gemini-api/docs/maps-grounding).
func Asked(grounding []byte) (web, maps int64) {
	for c := dialect.Array(dialect.Get(grounding, "webSearchQueries")); c.Next(); {
		web++
	}
	for c := dialect.Array(dialect.Get(grounding, "groundingChunks")); c.Next(); {
		if dialect.Get(c.Value(), "maps") != nil {
			return web, 1
		}
	}
	return web, 0
}
