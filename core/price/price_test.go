package price_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
)

// of returns the price of a model of the built-in table.
func of(t testing.TB, provider, model string) *llm.Price {
	t.Helper()
	e, ok := price.Builtin().Lookup(provider, model, "", "")
	if !ok {
		t.Fatalf("%s/%s is not in the table", provider, model)
	}
	p, err := price.Make(e, price.Override{})
	if err != nil || p == nil {
		t.Fatalf("%s/%s: %v %v", provider, model, p, err)
	}
	return p
}

// near compares amounts of money.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12+1e-9*math.Abs(b) }

// The figures are what the vendors publish for a million tokens, read on 2026-11-23:
// https://developers.openai.com/api/docs/pricing, https://platform.claude.com/docs/en/about-claude/pricing and
// https://ai.google.dev/gemini-api/docs/pricing. The prompts are split, so that no long-context price is met by chance.
func TestPublishedPrices(t *testing.T) {
	t.Parallel()
	f := func(provider, model string, u llm.Usage, c price.Call, want float64) {
		t.Helper()
		got, known := price.Of(of(t, provider, model), u, c)
		if !known || !near(got.Total, want) {
			t.Errorf("%s/%s %+v %+v: %v (known %v), want %v", provider, model, u, c, got.Total, known, want)
		}
	}
	const k = 100_000 // a tenth of the published unit
	standard, batch := price.Call{}, price.Call{Tier: llm.TierBatch}
	flex, priority := price.Call{Tier: llm.TierFlex}, price.Call{Tier: llm.TierPriority}

	f("openai", "gpt-4o", llm.Usage{Prompt: k}, standard, 0.250)
	f("openai", "gpt-4o", llm.Usage{Prompt: k, Cached: k}, standard, 0.125)
	f("openai", "gpt-4o", llm.Usage{Completion: k}, standard, 1.000)
	f("openai", "gpt-4o", llm.Usage{Prompt: k, Completion: k}, batch, 0.125+0.5)
	f("openai", "gpt-4o", llm.Usage{Prompt: k, Completion: k}, priority, 0.425+1.7)
	f("openai", "gpt-4o-mini", llm.Usage{Prompt: k, Cached: k / 2, Completion: k}, standard, 0.0075+0.00375+0.06)
	f("openai", "gpt-5", llm.Usage{Prompt: k, Completion: k, Reasoning: k / 2}, standard, 0.125+1.0)
	f("openai", "gpt-5", llm.Usage{Prompt: k, Completion: k}, flex, 0.0625+0.5)
	f("openai", "text-embedding-3-small", llm.Usage{Prompt: k}, standard, 0.002)
	f("openai", "gpt-audio", llm.Usage{Prompt: k, AudioPrompt: k, Completion: k, AudioCompletion: k}, standard, 3.2+6.4)

	f("anthropic", "claude-opus-4-8", llm.Usage{Prompt: k}, standard, 0.500)
	f("anthropic", "claude-opus-4-8", llm.Usage{Prompt: k, CacheWrite: k}, standard, 0.625)
	f("anthropic", "claude-opus-4-8", llm.Usage{Prompt: k, CacheWrite: k, CacheWriteHour: k}, standard, 1.000)
	f("anthropic", "claude-opus-4-8", llm.Usage{Prompt: k, Cached: k}, standard, 0.050)
	f("anthropic", "claude-opus-4-8", llm.Usage{Completion: k}, standard, 2.500)
	f("anthropic", "claude-opus-4-8", llm.Usage{Prompt: k, Completion: k}, batch, 0.25+1.25)
	f("anthropic", "claude-haiku-4-5", llm.Usage{Prompt: k, Completion: k}, standard, 0.1+0.5)
	f("anthropic", "claude-opus-4-8", llm.Usage{Prompt: k, Searches: 2}, standard, 0.5+0.02) // $10 a thousand searches

	f("gemini", "gemini-2.5-pro", llm.Usage{Prompt: 200_000, Completion: k}, standard, 0.25+1.0)
	f("gemini", "gemini-2.5-pro", llm.Usage{Prompt: 200_001, Completion: k}, standard, 200_001*2.5e-6+1.5)
	f("gemini", "gemini-2.5-pro", llm.Usage{Prompt: 300_000, Cached: 300_000}, standard, 300_000*0.25e-6)
	f("gemini", "gemini-2.5-flash", llm.Usage{Prompt: k, AudioPrompt: k}, standard, 0.1)
	f("gemini", "gemini-2.5-flash", llm.Usage{Completion: k, Reasoning: k}, standard, 0.25)
	// https://cloud.google.com/vertex-ai/generative-ai/pricing#embedding-models
	f("vertex_ai", "multimodalembedding@001", llm.Usage{Characters: 1000, Images: 2, Seconds: 10}, standard, 0.0002+0.0002+0.005)
	f("bedrock", "amazon.titan-embed-image-v1", llm.Usage{Images: 1}, standard, 0.00006) // https://aws.amazon.com/bedrock/pricing/
	f("vertex_ai", "multimodalembedding@001", llm.Usage{Images: 1}, price.Call{Took: time.Minute}, 0.0001)
}

// The sums are made by hand from the figures of the cost map, which names the vendor's page of each: what a call is made of
// is mixed here as real calls mix it, under the prices of long prompts and of the vendors' own tiers.
func TestMixedCalls(t *testing.T) {
	t.Parallel()
	f := func(provider, model string, u llm.Usage, c price.Call, want float64) {
		t.Helper()
		got, known := price.Of(of(t, provider, model), u, c)
		if !known || !near(got.Total, want) {
			t.Errorf("%s/%s %+v %+v: %v (known %v), want %v", provider, model, u, c, got.Total, known, want)
		}
	}
	standard, batch := price.Call{}, price.Call{Tier: llm.TierBatch}
	flex, priority := price.Call{Tier: llm.TierFlex}, price.Call{Tier: llm.TierPriority}

	// $3, $0.30 read, $3.75 and $6 written and $15 a million: 2,000 plain of 10,000, 5,000 read, 3,000 written, 1,000 for an hour.
	talk := llm.Usage{Prompt: 10_000, Cached: 5_000, CacheWrite: 3_000, CacheWriteHour: 1_000, Completion: 1_000, Reasoning: 400}
	f("anthropic", "claude-sonnet-4-5", talk, standard, 0.006+0.0015+0.0075+0.006+0.015)
	f("anthropic", "claude-sonnet-4-5", llm.Usage{Prompt: 10_000, Cached: 5_000, CacheWrite: 3_000, Completion: 1_000}, batch,
		0.003+0.00075+0.005625+0.0075)
	f("anthropic", "claude-sonnet-4-5", llm.Usage{Prompt: 1_000, Completion: 100, Searches: 3}, standard, 0.003+0.0015+0.03)

	// Twice the price of the prompt and half as much again for the answer beyond 272,000 tokens.
	f("openai", "gpt-5.5", llm.Usage{Prompt: 272_000, Cached: 72_000, Completion: 1_000}, standard, 1.0+0.036+0.03)
	f("openai", "gpt-5.5", llm.Usage{Prompt: 300_000, Cached: 100_000, Completion: 1_000}, standard, 2.0+0.1+0.045)
	f("openai", "gpt-5.5", llm.Usage{Prompt: 300_000, Cached: 100_000, Completion: 1_000}, batch, 1.0+0.05+0.0225)
	f("openai", "gpt-5.5", llm.Usage{Prompt: 300_000, Completion: 1_000}, flex, 1.5+0.0225)
	f("openai", "gpt-5.5", llm.Usage{Prompt: 10_000, Cached: 4_000, Completion: 1_000}, priority, 0.075+0.005+0.075)
	f("openai", "gpt-5.5", llm.Usage{Prompt: 300_000, Completion: 1_000, Reasoning: 900}, standard, 3.0+0.045) // thoughts are part of it
	f("openai", "gpt-5.5", llm.Usage{Prompt: 300_000, Completion: 1_000, Reasoning: 900}, batch, 1.5+0.0225)
	f("openai", "gpt-5.5", llm.Usage{Prompt: 10_000, Completion: 1_000, Reasoning: 900}, flex, 0.025+0.015)
	f("openai", "gpt-5.5", llm.Usage{Prompt: 10_000, Completion: 1_000, Reasoning: 900}, priority, 0.125+0.075)
	f("openai", "gpt-realtime", llm.Usage{Prompt: 1_000, AudioPrompt: 800, Cached: 500, CachedAudio: 400, Completion: 300, AudioCompletion: 250}, standard,
		100*4e-6+400*3.2e-5+100*4e-7+400*4e-7+50*1.6e-5+250*6.4e-5)
	f("openai", "gpt-4o-transcribe", llm.Usage{Prompt: 1_000, AudioPrompt: 1_000, Completion: 200}, standard, 0.0025+0.002)
	f("openai", "text-embedding-3-large", llm.Usage{Prompt: 10_000}, standard, 0.0013)
	f("openai", "text-embedding-3-large", llm.Usage{Prompt: 10_000}, batch, 0.00065)
	f("azure", "gpt-4o", llm.Usage{Prompt: 10_000, Cached: 4_000, Completion: 1_000}, standard, 0.015+0.005+0.01)
	f("azure", "gpt-4o", llm.Usage{Prompt: 10_000, Completion: 1_000}, batch, 0.0125+0.005)

	// The same model at Google's two doors; thoughts are part of the answer.
	for _, door := range []string{"gemini", "vertex_ai"} {
		f(door, "gemini-2.5-pro", llm.Usage{Prompt: 100_000, Cached: 60_000, Completion: 2_000, Reasoning: 1_500}, standard, 0.05+0.0075+0.02)
		f(door, "gemini-2.5-pro", llm.Usage{Prompt: 250_000, Cached: 50_000, Completion: 2_000, Reasoning: 1_500}, standard, 0.5+0.0125+0.03)
		f(door, "gemini-2.5-pro", llm.Usage{Prompt: 250_000, Completion: 2_000}, batch, 0.3125+0.015)
		f(door, "gemini-2.5-pro", llm.Usage{Prompt: 250_000, Completion: 2_000}, priority, 1.125+0.054)
		f(door, "gemini-2.5-pro", llm.Usage{Prompt: 10_000, Cached: 6_000, Completion: 2_000}, flex, 0.0025+0.00075+0.01)
	}

	// Its thoughts have a price of their own in the map, which is that of the answer.
	f("gemini", "gemini-2.5-flash", llm.Usage{Prompt: 10_000, Completion: 1_000, Reasoning: 900}, flex, 0.0015+0.00125)
	f("gemini", "gemini-2.5-flash", llm.Usage{Prompt: 10_000, Completion: 1_000, Reasoning: 900}, priority, 0.0054+0.0045)

	f("xai", "grok-4.20", llm.Usage{Prompt: 100_000, Cached: 60_000, Completion: 1_000, Reasoning: 800}, standard, 0.05+0.012+0.0025)
	f("xai", "grok-4.20", llm.Usage{Prompt: 300_000, Cached: 100_000, Completion: 1_000}, standard, 0.5+0.04+0.005)
	f("xai", "grok-4.20", llm.Usage{Prompt: 300_000, Cached: 100_000, Completion: 1_000}, batch, 0.4+0.032+0.004)
	f("groq", "openai/gpt-oss-120b", llm.Usage{Prompt: 10_000, Cached: 8_000, Completion: 1_000, Searches: 1}, standard, 0.0003+0.0006+0.0006+0.005)
	f("mistral", "mistral-large-latest", llm.Usage{Prompt: 10_000, Cached: 4_000, Completion: 1_000}, standard, 0.003+0.0002+0.0015)
	f("mistral", "mistral-medium-3", llm.Usage{Prompt: 10_000, Completion: 1_000}, batch, (0.015+0.0075)/2) // half, as nothing else is said
	f("moonshot", "kimi-k2.6", llm.Usage{Prompt: 10_000, Cached: 9_000, Completion: 1_000}, standard, 0.00095+0.00144+0.004)
	f("zai", "glm-5", llm.Usage{Prompt: 10_000, Cached: 4_000, CacheWrite: 1_000, Completion: 1_000}, standard, 0.005+0.0008+0.0032) // writing is free
	f("cohere", "command-a-03-2025", llm.Usage{Prompt: 10_000, Completion: 1_000}, standard, 0.025+0.01)
	f("perplexity", "sonar-pro", llm.Usage{Prompt: 1_000, Completion: 500, Searches: 1}, price.Call{Search: price.SearchHigh}, 0.003+0.0075+0.014)
	f("perplexity", "sonar-pro", llm.Usage{Prompt: 1_000, Completion: 500, Searches: 1}, standard, 0.003+0.0075+0.01)
	f("voyage", "voyage-3.5", llm.Usage{Prompt: 1_000_000}, standard, 0.06)
}

// What is not counted in tokens.
func TestUnits(t *testing.T) {
	t.Parallel()
	f := func(provider, model string, u llm.Usage, c price.Call, want float64) {
		t.Helper()
		got, known := price.Of(of(t, provider, model), u, c)
		if !known || !near(got.Total, want) {
			t.Errorf("%s/%s: %+v (known %v), want %v", provider, model, got, known, want)
		}
	}
	f("openai", "whisper-1", llm.Usage{Seconds: 60}, price.Call{}, 0.006) // $0.006 a minute
	f("openai", "tts-1", llm.Usage{Characters: 1000}, price.Call{}, 0.015)
	f("cohere", "rerank-v3.5", llm.Usage{Searches: 1000}, price.Call{}, 2)
	f("openai", "gpt-image-1", llm.Usage{Images: 1}, price.Call{Size: "1024x1536", Quality: "high"}, 0.25)
	f("openai", "gpt-image-1", llm.Usage{Images: 2}, price.Call{Quality: "low"}, 2*0.011)
	f("openai", "gpt-image-1", llm.Usage{Images: 1, Prompt: 100, Completion: 1000}, price.Call{}, 100*5e-6+1000*40e-6)
	f("openai", "gpt-image-1", llm.Usage{Images: 1, Prompt: 100, ImagePrompt: 60, Completion: 1000}, price.Call{}, 40*5e-6+60*10e-6+1000*40e-6)
	f("gemini", "gemini-2.5-flash-image", llm.Usage{Prompt: 100, Completion: 1300, ImageCompletion: 1290}, price.Call{}, 100*0.3e-6+1290*30e-6+10*2.5e-6)
	// One picture for $0.039, whatever its tokens would cost as text.
	f("gemini", "gemini-2.5-flash-image", llm.Usage{Images: 1, Prompt: 100, Completion: 1290}, price.Call{}, 100*0.3e-6+0.039)
	// 0-32k, 32k-128k, 128k-252k.
	f("dashscope", "qwen3-max", llm.Usage{Prompt: 32_000}, price.Call{}, 32_000*1.2e-6)
	f("dashscope", "qwen3-max", llm.Usage{Prompt: 32_001, Completion: 1}, price.Call{}, 32_001*2.4e-6+1.2e-5)
	f("dashscope", "qwen3-max", llm.Usage{Prompt: 200_000}, price.Call{}, 200_000*3e-6)
}

// TestAside charges for what happens beside the tokens of a chat, and for media that are no tokens. The figures are the
// cost map's; where it has none, those of the vendors' pages that tools.go names.
func TestAside(t *testing.T) {
	t.Parallel()
	f := func(provider, model string, u llm.Usage, c price.Call, want float64) {
		t.Helper()
		got, known := price.Of(of(t, provider, model), u, c)
		if !known || !near(got.Total, want) {
			t.Errorf("%s/%s %+v: %+v (known %v), want %v", provider, model, u, got, known, want)
		}
	}
	f("openai", "gpt-4o", llm.Usage{Prompt: 100, FileSearches: 2, Sessions: 1}, price.Call{}, 100*2.5e-6+2*0.0025+0.03)
	f("azure", "gpt-4o", llm.Usage{Prompt: 100, FileSearches: 2, Sessions: 1}, price.Call{}, 100*2.5e-6+0.033)
	f("perplexity", "sonar", llm.Usage{Prompt: 100, Searches: 1}, price.Call{Search: price.SearchLow}, 100*1e-6+0.005)
	f("perplexity", "sonar", llm.Usage{Prompt: 100, Searches: 1}, price.Call{Search: price.SearchHigh}, 100*1e-6+0.012)
	f("perplexity", "sonar", llm.Usage{Prompt: 100, Searches: 1, Cost: 0.0123}, price.Call{Search: price.SearchHigh}, 0.0123)
	f("openai", "gpt-4o", llm.Usage{Prompt: 100, Cost: 0.0123}, price.Call{}, 100*2.5e-6)
	f("perplexity", "sonar-deep-research", llm.Usage{Prompt: 100, Completion: 50, Reasoning: 20, Citations: 1000, Searches: 3}, price.Call{},
		100*2e-6+1000*2e-6+30*8e-6+20*3e-6+3*0.005)
	// Once an answer for the second generation of models, each question for the third.
	f("gemini", "gemini-2.5-flash", llm.Usage{Prompt: 100, Searches: 4, Maps: 3}, price.Call{}, 100*0.3e-6+0.035+0.025)
	f("gemini", "gemini-3-flash-preview", llm.Usage{Prompt: 100, Searches: 4, Maps: 3}, price.Call{}, 100*5e-7+4*0.014+3*0.014)
	f("xai", "grok-4.20", llm.Usage{Prompt: 100, Searches: 2}, price.Call{}, 100*1.25e-6+0.01)

	f("mistral", "mistral-ocr-3", llm.Usage{Pages: 10}, price.Call{}, 10*0.002)
	f("mistral", "mistral-ocr-3", llm.Usage{Pages: 10, AnnotatedPages: 4}, price.Call{}, 10*0.002+4*0.003)
	f("mistral", "mistral-ocr-3", llm.Usage{Pages: 10, AnnotatedPages: 4}, price.Call{Tier: llm.TierBatch}, 10*0.001+4*0.0015)
	f("vertex_ai", "veo-3.1-fast-generate-001", llm.Usage{Seconds: 8}, price.Call{Video: "1080p"}, 8*0.12)
	f("vertex_ai", "veo-3.1-fast-generate-001", llm.Usage{Seconds: 8}, price.Call{Video: "4k"}, 8*0.3)
	f("vertex_ai", "veo-3.1-fast-generate-001", llm.Usage{Seconds: 8}, price.Call{Video: "720p"}, 8*0.1)
	f("openai", "sora-2", llm.Usage{Seconds: 4}, price.Call{Video: "720p"}, 4*0.1)

	// What was cached of the audio is part of it, and part of what was cached.
	f("azure", "gpt-realtime", llm.Usage{Prompt: 1000, AudioPrompt: 600, Cached: 500, CachedAudio: 400}, price.Call{},
		200*3.2e-5+400*4e-7+100*4e-7+300*4e-6)
	f("azure", "gpt-image-1", llm.Usage{Prompt: 100, ImagePrompt: 80, Cached: 50, CachedImage: 50, Images: 1}, price.Call{},
		30*1e-5+20*5e-6+50*2.5e-6)
	f("openai", "gpt-5.6", llm.Usage{Prompt: 1000, CacheWrite: 600, CacheWriteHalfDay: 600}, price.Call{}, 400*4e-6+600*1e-5)
	f("dashscope", "qwen3.7-max", llm.Usage{Prompt: 1000, Cached: 600, CachedMarked: 600}, price.Call{}, 400*2.5e-6+600*2.5e-7)
	f("sail", "deepseek-ai/DeepSeek-V4.1-Flash", llm.Usage{Prompt: 1000}, price.Call{Tier: llm.TierBalanced}, 1000*7e-8)
	f("bedrock_mantle", "openai.gpt-6-astra", llm.Usage{Prompt: 1000}, price.Call{Tier: llm.TierUltrafast}, 1000*6.6e-5)
	f("gemini", "gemini-omni-flash-preview", llm.Usage{Completion: 1000, VideoCompletion: 900}, price.Call{}, 100*9e-6+900*1.75e-5)
	f("vertex_ai", "gemini-embedding-2", llm.Usage{Prompt: 1000, VideoPrompt: 900}, price.Call{}, 100*2e-7+900*1.2e-5)
}

// TestOffPeak has a price that counts at some times of the week only.
func TestOffPeak(t *testing.T) {
	t.Parallel()
	p := of(t, "deepseek", "deepseek-v4-flash")
	f := func(at string, want float64) {
		t.Helper()
		when, err := time.Parse("2006-01-02 15:04", at)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := price.Of(p, llm.Usage{Prompt: 1000, Cached: 500, Completion: 100}, price.Call{At: when})
		if !near(got.Total, want) {
			t.Errorf("at %s: %v, want %v", at, got.Total, want)
		}
	}
	const peak, low = 500*3e-7 + 500*6e-9 + 100*1.2e-6, 500*1.5e-7 + 500*3e-9 + 100*6e-7
	f("2026-11-23 00:59", low) // a Monday
	f("2026-11-23 01:00", peak)
	f("2026-11-23 05:00", low)
	f("2026-11-23 09:59", peak)
	f("2026-11-23 23:59", low)
	f("2026-11-22 09:00", low) // a Sunday
	f("2026-11-21 02:00", low)
	got, _ := price.Of(p, llm.Usage{Prompt: 1000, Cached: 500, Completion: 100}, price.Call{})
	if !near(got.Total, peak) {
		t.Errorf("at no time: %v", got.Total)
	}

	// Of an operator's own map; a long prompt is charged like a short one.
	table, problems, err := price.ParseMap([]byte(`{"m":{"litellm_provider":"openai","input_cost_per_token":4,"output_cost_per_token":8,
		"input_cost_per_token_above_1k_tokens":6,"off_peak_pricing":{"hours_utc":"22:00-02:00","input_cost_per_token":1}},
		"late":{"off_peak_pricing":{"hours_utc":"26:00-02:00"}},"day":{"off_peak_pricing":{"windows":[{"hours_utc":[],"weekdays":["Someday"]}]}},
		"list":{"off_peak_pricing":[]},"zone":{"input_cost_per_token":4,"off_peak_pricing":{"weekday_timezone":"Mars/Base",
		"windows":[{"hours_utc":"10:00-11:00","weekdays":["sat","Sunday",1]}],"input_cost_per_token":1}}}`))
	if err != nil || len(problems) != 3 {
		t.Fatalf("%v, %v", problems, err)
	}
	mine := func(model, at string, u llm.Usage, want float64) {
		t.Helper()
		e, _ := table.Get(model)
		p, err := price.Make(e, price.Override{})
		when, err2 := time.Parse("2006-01-02 15:04", at)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if got, _ := price.Of(p, u, price.Call{At: when}); !near(got.Total, want) {
			t.Errorf("%s at %s: %v, want %v", model, at, got.Total, want)
		}
	}
	mine("m", "2026-11-23 23:00", llm.Usage{Prompt: 2000, Completion: 1}, 2000+8)
	mine("m", "2026-11-23 01:59", llm.Usage{Prompt: 10}, 10)
	mine("m", "2026-11-23 02:00", llm.Usage{Prompt: 2000}, 2000*6)
	mine("zone", "2026-11-22 10:30", llm.Usage{Prompt: 10}, 10)
	mine("zone", "2026-11-23 10:30", llm.Usage{Prompt: 10}, 10)
	mine("zone", "2026-11-24 10:30", llm.Usage{Prompt: 10}, 40)
	e, _ := table.Get("m")
	agreed, err := price.Make(e, price.Override{Figures: price.Figures{"input_cost_per_token": 2}})
	if err != nil || agreed.OffPeak != nil {
		t.Errorf("beside a price that was agreed on, the list's counts: %+v, %v", agreed.OffPeak, err)
	}
}

// price.Of with prices made by hand.
func TestOf(t *testing.T) {
	t.Parallel()
	f := func(o price.Figures, u llm.Usage, c price.Call, want float64, known bool) {
		t.Helper()
		p, err := price.Make(price.Entry{}, price.Override{Figures: o})
		if err != nil {
			t.Fatal(err)
		}
		got, ok := price.Of(p, u, c)
		if !near(got.Total, want) || ok != known {
			t.Errorf("%v %+v: got %v, %v; want %v, %v", o, u, got.Total, ok, want, known)
		}
	}
	usage := llm.Usage{Prompt: 1000, Completion: 500, Total: 1500, Cached: 800}
	plain := price.Figures{"input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6}
	none := price.Call{}
	f(plain, usage, none, 0.006, true)
	f(plain, llm.Usage{Prompt: 10}, none, 2e-5, true)
	f(plain, llm.Usage{}, none, 0, false)
	f(nil, usage, none, 0, false)
	f(price.Figures{"output_cost_per_token": 1e-6}, usage, none, 5e-4, true)
	f(price.Figures{"input_cost_per_token": 0, "output_cost_per_token": 0}, usage, none, 0, true)
	f(plain, llm.Usage{Prompt: -5, Completion: -5, Total: 1}, none, 0, true)

	cached := price.Figures{"input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6, "cache_read_input_token_cost": 5e-7}
	f(cached, usage, none, 200*2e-6+800*5e-7+500*8e-6, true)
	f(cached, llm.Usage{Prompt: 10, Cached: 50}, none, 10*5e-7, true) // no more cached than there were
	f(cached, llm.Usage{Prompt: 10, Cached: -50}, none, 10*2e-6, true)
	f(cached, llm.Usage{Prompt: 1 << 62, Cached: math.MaxInt64, CacheWrite: math.MaxInt64}, none, float64(int64(1)<<62)*5e-7, true)
	free := price.Figures{"input_cost_per_token": 2e-6, "cache_read_input_token_cost": 0}
	f(free, llm.Usage{Prompt: 1000, Cached: 800}, none, 200*2e-6, true)

	f(price.Figures{"input_cost_per_request": 0.5}, llm.Usage{}, none, 0.5, true)
	f(price.Figures{"input_cost_per_request": 0.5, "input_cost_per_token": 1e-3}, llm.Usage{Prompt: 1}, none, 0.501, true)
	f(price.Figures{"input_cost_per_second": 0.002}, usage, price.Call{Took: 3 * time.Second}, 0.006, true)
	f(price.Figures{"input_cost_per_second": 0.002}, llm.Usage{Seconds: 5}, price.Call{Took: 3 * time.Second}, 0.01, true)
	f(price.Figures{"input_cost_per_second": 0.002}, llm.Usage{Seconds: math.NaN()}, price.Call{Took: -1}, 0, false)

	pixel := price.Figures{"input_cost_per_pixel": 1e-8}
	f(pixel, llm.Usage{Images: 2}, price.Call{Size: "512x256"}, 2*512*256*1e-8, true)
	f(pixel, llm.Usage{Images: 1}, price.Call{Size: "large"}, 1024*1024*1e-8, true)
	f(price.Figures{"output_cost_per_image": 0.1, "output_cost_per_image_4K": 0.2}, llm.Usage{Images: 3}, price.Call{Size: "4K"}, 0.6, true)
	f(price.Figures{"cost_per_second": 0.5}, llm.Usage{}, price.Call{Took: 2 * time.Second}, 1, true)
	f(price.Figures{"file_search_cost_per_1k_calls": 5, "input_cost_per_token": 0}, llm.Usage{Prompt: 1, FileSearches: 2}, none, 0.01, true)

	drawn := price.Figures{
		"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "input_cost_per_image_token": 3e-6,
		"output_cost_per_image_token": 5e-6, "output_cost_per_image_token_batches": 1e-6,
	}
	f(drawn, llm.Usage{Prompt: 10, ImagePrompt: 4, Completion: 20, ImageCompletion: 15}, none, 6e-6+12e-6+10e-6+75e-6, true)
	f(drawn, llm.Usage{Completion: 20, ImageCompletion: 15}, price.Call{Tier: llm.TierBatch}, 5e-6+15e-6, true)
	f(plain, llm.Usage{Prompt: 10, ImagePrompt: 4, Completion: 20, ImageCompletion: 15}, none, 20e-6+160e-6, true)

	long := price.Figures{
		"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "input_cost_per_token_above_128k_tokens": 3e-6,
		"input_cost_per_token_above_200k_tokens": 5e-6, "output_cost_per_token_above_200k_tokens": 7e-6,
		"input_cost_per_token_above_200k_tokens_batches": 1e-6,
	}
	f(long, llm.Usage{Prompt: 128_000, Completion: 10}, none, 0.128+20e-6, true)
	f(long, llm.Usage{Prompt: 128_001, Completion: 10}, none, 128_001*3e-6+20e-6, true) // the answer keeps its price
	f(long, llm.Usage{Prompt: 200_001, Completion: 10}, none, 200_001*5e-6+70e-6, true)
	f(long, llm.Usage{Prompt: 200_001}, price.Call{Tier: llm.TierBatch}, 200_001*1e-6, true)
	f(long, llm.Usage{Prompt: 1000}, price.Call{Tier: llm.TierBatch}, 1000*0.5e-6, true) // half, as nothing else is said
	f(long, llm.Usage{Prompt: 1000}, price.Call{Tier: 200}, 1000*1e-6, true)
}

// What an operator sets stands in place of the table's figures.
func TestOverride(t *testing.T) {
	t.Parallel()
	e, ok := price.Builtin().Lookup("openai", "gpt-4o", "", "")
	if !ok {
		t.Fatal("gpt-4o")
	}
	f := func(settings map[string]any, u llm.Usage, want float64) {
		t.Helper()
		o, err := price.OverrideFrom(settings)
		if err != nil {
			t.Fatal(err)
		}
		p, err := price.Make(e, o)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := price.Of(p, u, price.Call{}); !near(got.Total, want) {
			t.Errorf("%v: %v, want %v", settings, got.Total, want)
		}
	}
	u := llm.Usage{Prompt: 1000, Cached: 400, Completion: 100}
	f(nil, u, 600*2.5e-6+400*1.25e-6+100*1e-5)
	f(map[string]any{"cache_read_input_token_cost": 1e-6}, u, 600*2.5e-6+400*1e-6+100*1e-5)
	f(map[string]any{"input_cost_per_token": 1e-6}, u, 1000*1e-6+100*1e-5) // no share of the vendor's price for cached ones
	f(map[string]any{"input_cost_per_token": "1e-6", "cache_read_input_token_cost": 0}, u, 600*1e-6+100*1e-5)
	f(map[string]any{"input_cost_per_token": 0, "output_cost_per_token": 0}, u, 0)
	f(map[string]any{"input_cost_per_second": 1}, llm.Usage{Prompt: 5, Seconds: 2}, 2)
	f(map[string]any{"search_context_cost_per_query": map[string]any{"search_context_size_medium": 0.5}}, llm.Usage{Searches: 2}, 1)
	f(map[string]any{"tiered_pricing": []any{map[string]any{"range": []any{10, 20}, "input_cost_per_token": 1}}}, llm.Usage{Prompt: 11}, 11)

	bad := func(settings map[string]any, word string) {
		t.Helper()
		if _, err := price.OverrideFrom(settings); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v: %v", settings, err)
		}
	}
	bad(map[string]any{"input_cost_per_token": "cheap"}, "input_cost_per_token")
	bad(map[string]any{"input_cost_per_token": -1}, "not negative")
	bad(map[string]any{"cache_read_input_token_cost": []any{1}}, "want a number")
	bad(map[string]any{"search_context_cost_per_query": 1}, "want an object")
	bad(map[string]any{"tiered_pricing": map[string]any{}}, "tiered_pricing")
	bad(map[string]any{"tiered_pricing": []any{map[string]any{"range": 1}}}, "range")
}

func TestDiscountAndMargin(t *testing.T) {
	t.Parallel()
	p := *of(t, "openai", "gpt-4o")
	p.Discount, p.Margin, p.MarginRequest = 0.1, 0.2, 0.001
	got, known := price.Of(&p, llm.Usage{Prompt: 100_000}, price.Call{})
	if !known || !near(got.Original, 0.25) || !near(got.Discount, 0.025) || !near(got.Margin, 0.225*0.2+0.001) || !near(got.Total, 0.225+0.046) {
		t.Errorf("%+v", got)
	}
	if got, known := price.Of(&p, llm.Usage{}, price.Call{}); known || got.Total != 0 {
		t.Errorf("nothing is known, and yet %+v", got)
	}
}

// The Responses API has the tiers too.
func TestCallOfNative(t *testing.T) {
	t.Parallel()
	x := new(llm.Exchange)
	x.Reset()
	if err := x.Native.Parse([]byte(`{"service_tier":"flex"}`)); err != nil {
		t.Fatal(err)
	}
	if c := price.CallOf(x, llm.Usage{}); c.Tier != llm.TierFlex {
		t.Fatalf("%+v", c)
	}
}

func TestCallOf(t *testing.T) {
	t.Parallel()
	f := func(body string, u llm.Usage, want price.Call) {
		t.Helper()
		x := &llm.Exchange{}
		if err := x.Body.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
		if got := price.CallOf(x, u); got != want {
			t.Errorf("%s: %+v", body, got)
		}
	}
	f(`{"service_tier":"flex"}`, llm.Usage{}, price.Call{Tier: llm.TierFlex})
	f(`{"service_tier":"priority","size":"1x1"}`, llm.Usage{}, price.Call{Tier: llm.TierPriority})
	f(`{"service_tier":"auto"}`, llm.Usage{}, price.Call{})
	f(`{"service_tier":7}`, llm.Usage{}, price.Call{})
	// What the answer says counts more than what was asked for.
	f(`{"service_tier":"priority"}`, llm.Usage{Tier: llm.ServedBy("default")}, price.Call{})
	f(`{"service_tier":"auto"}`, llm.Usage{Tier: llm.ServedBy("flex")}, price.Call{Tier: llm.TierFlex})
	f(`{}`, llm.Usage{Tier: llm.ServedBy("batch")}, price.Call{Tier: llm.TierBatch})
	f(`{"service_tier":"flex"}`, llm.Usage{Tier: llm.ServedBy("unheard of")}, price.Call{Tier: llm.TierFlex})
	f(`{"size":"1024x1792","quality":"hd"}`, llm.Usage{Images: 1}, price.Call{Size: "1024x1792", Quality: "hd"})
	f(`{"web_search_options":{"search_context_size":"high"}}`, llm.Usage{Searches: 1}, price.Call{Search: price.SearchHigh})
	f(`{"web_search_options":[]}`, llm.Usage{Searches: 1}, price.Call{})
}

func TestAllocations(t *testing.T) {
	p := of(t, "anthropic", "claude-opus-4-8")
	x := &llm.Exchange{}
	if err := x.Body.Parse([]byte(`{"model":"m","service_tier":"flex","messages":[]}`)); err != nil {
		t.Fatal(err)
	}
	u := llm.Usage{Prompt: 3000, Cached: 1000, CacheWrite: 10, Completion: 50, Reasoning: 5, Searches: 1}
	if n := testing.AllocsPerRun(100, func() { price.Of(p, u, price.CallOf(x, u)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkOf(b *testing.B) {
	p := of(b, "gemini", "gemini-2.5-pro")
	u := llm.Usage{Prompt: 3000, Cached: 1000, Completion: 50, Reasoning: 5}
	b.ReportAllocs()
	for b.Loop() {
		price.Of(p, u, price.Call{})
	}
}

func BenchmarkLookup(b *testing.B) {
	table := price.Builtin()
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := table.Lookup("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "", ""); !ok {
			b.Fatal("not found")
		}
	}
}
