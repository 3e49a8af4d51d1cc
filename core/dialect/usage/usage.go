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
}

// Usage is what is known so far. Prompt includes what was read from and written to a cache, and Completion hidden
// reasoning, whatever the vendor's own way of counting.
func (f *Found) Usage() llm.Usage {
	c := &f.c
	in, out := c.in, c.out
	if in == 0 && out == 0 {
		in, out = c.billedIn, c.billedOut
	}
	u := llm.Usage{
		Prompt: in + c.read + c.write, Completion: out + c.thoughts,
		Cached: max(c.cached, c.read), CacheWrite: max(c.write, c.within), CacheWriteHour: min(c.hour, c.write),
		Reasoning: max(c.reasoning, c.thoughts), AudioPrompt: c.audioIn, AudioCompletion: c.audioOut,
		ImagePrompt: c.imageIn, ImageCompletion: c.imageOut,
		Searches: c.searches, Seconds: c.seconds, Tier: c.tier,
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
	for c := dialect.Object(b); c.Next(); {
		switch string(c.Key()) {
		case "usage", "usageMetadata", "amazon-bedrock-invocationMetrics":
			f.c.count(c.Value(), maxDepth)
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
		if key == "seconds" {
			n.seconds = max(n.seconds, number(c.Value()))
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
	case "search_units":
		return &n.searches
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
		n.cached = max(n.cached, dialect.Int(dialect.Get(b, "cached_tokens")))
		n.audioIn = max(n.audioIn, dialect.Int(dialect.Get(b, "audio_tokens")))
		n.imageIn = max(n.imageIn, dialect.Int(dialect.Get(b, "image_tokens")))
		n.within = max(n.within, dialect.Int(dialect.Get(b, "cache_write_tokens")))
	case "completion_tokens_details", "output_tokens_details", "output_token_details":
		n.reasoning = max(n.reasoning, dialect.Int(dialect.Get(b, "reasoning_tokens")))
		n.audioOut = max(n.audioOut, dialect.Int(dialect.Get(b, "audio_tokens")))
		n.imageOut = max(n.imageOut, dialect.Int(dialect.Get(b, "image_tokens")))
	case "cache_creation":
		n.hour = max(n.hour, dialect.Int(dialect.Get(b, "ephemeral_1h_input_tokens")))
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
