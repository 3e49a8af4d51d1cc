// Package usage finds what an answer says about its usage, in any of the dialects that vendors speak, for answers that
// are passed on without being translated. It works on bytes and does no I/O.
package usage

import (
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Found is what one answer said, put together from all its parts. The zero value is ready.
type Found struct {
	Model    string  // the vendor's name for the model that answered; "" if it did not say
	Items    int     // elements of the list called data, such as images
	Duration float64 // seconds of audio, as transcriptions tell beside their usage
	Film     float64 // seconds of a video that is being made (https://platform.openai.com/docs/api-reference/videos/object)
	c        counts
}

// counts are the numbers as vendors report them. Streams report some of them again and again, growing, so the largest
// counts.
type counts struct {
	in, out, total      int64
	cached, within      int64 // parts of in: read from a cache and written to it
	read, write, hour   int64 // beside in, where the vendor counts its cache apart
	reasoning           int64 // part of out
	thoughts            int64 // beside out, where the vendor counts them apart
	audioIn, audioOut   int64
	imageIn, imageOut   int64
	searches            int64
	seconds             float64
	billedIn, billedOut int64
	tier                llm.Served
	more                llm.Usage // what else is counted, under the names it has there
}

// Usage is what is known so far. Prompt includes what was read from and written to a cache, and Completion hidden
// reasoning, whatever the vendor's own way of counting.
func (f *Found) Usage() llm.Usage {
	c := &f.c
	in, out := c.in, c.out
	if in == 0 && out == 0 {
		in, out = c.billedIn, c.billedOut
	}
	if in == 0 && out == 0 && c.read == 0 && c.write == 0 {
		in = c.total // who reads and writes nothing, as in ranking, tells no more (https://docs.jina.ai)
	}
	u := llm.Usage{
		Prompt: in + c.read + c.write, Completion: out + c.thoughts,
		Cached: max(c.cached, c.read), CacheWrite: max(c.write, c.within), CacheWriteHour: min(c.hour, c.write),
		Reasoning: max(c.reasoning, c.thoughts), AudioPrompt: c.audioIn, AudioCompletion: c.audioOut,
		ImagePrompt: c.imageIn, ImageCompletion: c.imageOut,
		Searches: c.searches, Seconds: c.seconds, Tier: c.tier,
		CachedAudio: c.more.CachedAudio, CachedImage: c.more.CachedImage, CachedMarked: c.more.CachedMarked,
		CacheWriteHalfDay: c.more.CacheWriteHalfDay, VideoPrompt: c.more.VideoPrompt, VideoCompletion: c.more.VideoCompletion,
		Citations: c.more.Citations, Maps: c.more.Maps, FileSearches: c.more.FileSearches, Sessions: c.more.Sessions,
		Pages: c.more.Pages, AnnotatedPages: c.more.AnnotatedPages, Cost: c.more.Cost,
	}
	u.Total = max(c.total, u.Prompt+u.Completion)
	return u
}

// Add reads one JSON document: a whole answer, an event of a stream, or a list of them. What is not JSON is passed over.
func (f *Found) Add(b []byte) {
	for list := dialect.Array(b); list.Next(); {
		f.object(list.Value(), 1)
	}
	f.object(b, 1)
}

// object reads an answer. Some events wrap it once: in "response" (OpenAI's Responses and Realtime APIs) or "message"
// (Anthropic's message_start).
func (f *Found) object(b []byte, wraps int) {
	var film bool
	var seconds float64
	for c := dialect.Object(b); c.Next(); {
		switch string(c.Key()) {
		case "usage", "usageMetadata", "amazon-bedrock-invocationMetrics":
			f.c.count(c.Value(), maxDepth)
		case "usage_info": // https://docs.mistral.ai/api/endpoint/ocr
			v, m := c.Value(), &f.c.more
			m.Pages = max(m.Pages, dialect.Int(dialect.Get(v, "pages_processed")))
			m.AnnotatedPages = max(m.AnnotatedPages, dialect.Int(dialect.Get(v, "pages_processed_annotation")))
		case "output":
			f.c.tools(c.Value())
		case "candidates":
			f.c.grounded(c.Value())
		case "object":
			film = string(c.Value()) == `"video"`
		case "seconds":
			seconds = number(c.Value())
		case "meta":
			f.c.count(c.Value(), maxDepth)
		case "service_tier", "serviceTier":
			f.c.served(c.Value())
		case "model", "modelVersion":
			if s, ok := llm.Text(c.Value()); ok && len(s) <= maxModel {
				f.Model = string(s)
			}
		case "response", "message":
			if wraps > 0 && c.First() == '{' {
				f.object(c.Value(), wraps-1)
			}
		case "data":
			n := 0
			for list := c.Enter(); list.Next(); n++ {
			}
			f.Items = max(f.Items, n)
		case "duration":
			f.Duration = max(f.Duration, number(c.Value()))
		}
	}
	if film {
		f.Film = max(f.Film, seconds)
	}
}

const (
	maxDepth = 3
	maxModel = 256
)

// count reads an object of counts. The names are those of OpenAI (chat completions: prompt_tokens, the other APIs:
// input_tokens), Anthropic (input_tokens beside cache_*_input_tokens), Amazon Bedrock (inputTokens, inputTokenCount),
// Google (promptTokenCount) and Cohere (tokens and billed_units).
func (n *counts) count(b []byte, depth int) {
	if depth == 0 {
		return
	}
	for c := dialect.Object(b); c.Next(); {
		key := string(c.Key())
		if c.First() == '{' {
			n.inner(key, c.Value(), depth)
			continue
		}
		if at := n.field(key); at != nil {
			*at = max(*at, dialect.Int(c.Value()))
		}
		if key == "service_tier" || key == "trafficType" {
			n.served(c.Value())
		}
		switch key {
		case "seconds":
			n.seconds = max(n.seconds, number(c.Value()))
		case "promptTokensDetails", "candidatesTokensDetails", "cacheTokensDetails":
			n.modalities(key, c.Value())
		case "cost":
			n.more.Cost = max(n.more.Cost, number(c.Value()))
		}
	}
}

// served reads the tier that an answer came from: a word, or an object with it as type.
func (n *counts) served(b []byte) {
	if len(b) > 0 && b[0] == '{' {
		b = dialect.Get(b, "type")
	}
	if word, ok := llm.Text(b); ok {
		n.tier = max(n.tier, llm.ServedBy(word))
	}
}

func (n *counts) field(key string) *int64 {
	switch key {
	case "prompt_tokens", "input_tokens", "inputTokens", "promptTokenCount", "inputTokenCount":
		return &n.in
	case "completion_tokens", "output_tokens", "outputTokens", "candidatesTokenCount", "outputTokenCount":
		return &n.out
	case "total_tokens", "totalTokens", "totalTokenCount":
		return &n.total
	case "cachedContentTokenCount", "prompt_cache_hit_tokens", "cached_tokens":
		return &n.cached
	case "cache_read_input_tokens", "cacheReadInputTokens", "cacheReadInputTokenCount":
		return &n.read
	case "cache_creation_input_tokens", "cacheWriteInputTokens", "cacheWriteInputTokenCount":
		return &n.write
	case "thoughtsTokenCount":
		return &n.thoughts
	case "search_units", "num_search_queries", "web_search_requests", "web_search_calls":
		return &n.searches
	case "citation_tokens":
		return &n.more.Citations
	}
	return nil
}

// inner reads the details of some counts.
func (n *counts) inner(key string, b []byte, depth int) {
	switch key {
	case "tokens", "usage":
		n.count(b, depth-1)
	case "billed_units":
		var billed counts
		billed.count(b, depth-1)
		n.billedIn, n.billedOut = max(n.billedIn, billed.in), max(n.billedOut, billed.out)
		n.searches = max(n.searches, billed.searches)
	case "prompt_tokens_details", "input_tokens_details", "input_token_details":
		var d llm.Usage
		c := dialect.Object(b)
		dialect.PromptDetails(&c, &d)
		n.cached, n.within = max(n.cached, d.Cached), max(n.within, d.CacheWrite)
		n.audioIn, n.imageIn = max(n.audioIn, d.AudioPrompt), max(n.imageIn, d.ImagePrompt)
		m := &n.more
		m.VideoPrompt, m.CacheWriteHalfDay = max(m.VideoPrompt, d.VideoPrompt), max(m.CacheWriteHalfDay, d.CacheWriteHalfDay)
		m.CachedAudio, m.CachedImage = max(m.CachedAudio, d.CachedAudio), max(m.CachedImage, d.CachedImage)
		m.CachedMarked = max(m.CachedMarked, d.CachedMarked)
	case "completion_tokens_details", "output_tokens_details", "output_token_details":
		var d llm.Usage
		c := dialect.Object(b)
		dialect.CompletionDetails(&c, &d)
		n.reasoning, n.audioOut = max(n.reasoning, d.Reasoning), max(n.audioOut, d.AudioCompletion)
		n.imageOut, n.more.VideoCompletion = max(n.imageOut, d.ImageCompletion), max(n.more.VideoCompletion, d.VideoCompletion)
	case "server_tool_use", "server_side_tool_usage_details":
		// https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool#usage-and-pricing
		n.count(b, depth-1)
	case "cost":
		n.more.Cost = max(n.more.Cost, number(dialect.Get(b, "total_cost")))
	case "cache_creation":
		n.hour = max(n.hour, dialect.Int(dialect.Get(b, "ephemeral_1h_input_tokens")))
	}
}

// tools counts what the output of a response shows.
func (n *counts) tools(output []byte) {
	var d llm.Usage
	dialect.CountTools(output, &d)
	n.searches = max(n.searches, d.Searches)
	n.more.FileSearches, n.more.Sessions = max(n.more.FileSearches, d.FileSearches), max(n.more.Sessions, d.Sessions)
}

// grounded counts what Google's candidates say that was asked on the side.
func (n *counts) grounded(candidates []byte) {
	for c := dialect.Array(candidates); c.Next(); {
		grounding := dialect.Get(c.Value(), "groundingMetadata")
		if grounding == nil {
			continue
		}
		queries := int64(0)
		for q := dialect.Array(dialect.Get(grounding, "webSearchQueries")); q.Next(); {
			queries++
		}
		n.searches = max(n.searches, queries)
		for k := dialect.Array(dialect.Get(grounding, "groundingChunks")); k.Next(); {
			if dialect.Get(k.Value(), "maps") != nil {
				n.more.Maps = 1
			}
		}
	}
}

// modalities reads how many of Google's tokens were of which kind (https://ai.google.dev/api/generate-content#ModalityTokenCount).
func (n *counts) modalities(key string, list []byte) {
	m := &n.more
	for c := dialect.Array(list); c.Next(); {
		var at *int64
		switch key[:3] + string(dialect.Get(c.Value(), "modality")) {
		case `pro"AUDIO"`:
			at = &n.audioIn
		case `pro"IMAGE"`:
			at = &n.imageIn
		case `pro"VIDEO"`:
			at = &m.VideoPrompt
		case `can"AUDIO"`:
			at = &n.audioOut
		case `can"IMAGE"`:
			at = &n.imageOut
		case `can"VIDEO"`:
			at = &m.VideoCompletion
		case `cac"AUDIO"`:
			at = &m.CachedAudio
		case `cac"IMAGE"`:
			at = &m.CachedImage
		default:
			continue
		}
		*at = max(*at, dialect.Int(dialect.Get(c.Value(), "tokenCount")))
	}
}

// number is a JSON number, also one that was written as a string.
func number(b []byte) float64 {
	if s, ok := llm.Text(b); ok {
		b = s
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(f >= 0) || f > 1e9 {
		return 0
	}
	return f
}

// Plus is the sum of two usages, for a conversation in which each answer reports its own.
func Plus(a, b llm.Usage) llm.Usage { return a.Plus(b) }
