package price_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
)

// modes are the kinds of models in whose entries a price may stand.
func modes() []string {
	return []string{"chat", "responses", "embedding", "image_generation", "audio_transcription", "audio_speech", "video_generation", "ocr", "rerank"}
}

// moves reports whether some call of some kind of model costs more if the figure is higher.
func moves(t *testing.T, name string) bool {
	t.Helper()
	usages := []llm.Usage{
		{
			Prompt: 900_000, Cached: 400, CachedAudio: 50, CachedImage: 50, CachedMarked: 50, CacheWrite: 300, CacheWriteHour: 100,
			CacheWriteHalfDay: 100, AudioPrompt: 100, ImagePrompt: 100, VideoPrompt: 20, Completion: 1000, Reasoning: 100,
			AudioCompletion: 100, ImageCompletion: 100, VideoCompletion: 100, Citations: 10, Searches: 2, Maps: 1, FileSearches: 1, Sessions: 1,
		},
		{Images: 1}, {Characters: 10}, {Seconds: 8}, {Pages: 3, AnnotatedPages: 1}, {Searches: 2}, {Prompt: 10, Completion: 10},
	}
	suffix := name[strings.LastIndexByte(name, '_')+1:]
	for _, mode := range modes() {
		var p [2]*llm.Price
		for i := range p {
			also := `"input_cost_per_token":0,` // a price of long prompts counts beside one of short ones
			if name == "input_cost_per_token" {
				also = ""
			}
			table, problems, err := price.ParseMap(fmt.Appendf(nil, `{"m":{"litellm_provider":"x","mode":%q,%s%q:%d}}`, mode, also, name, i+1))
			if err != nil || len(problems) > 0 {
				t.Fatal(problems, err)
			}
			e, _ := table.Get("m")
			if p[i], err = price.Make(e, price.Override{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, u := range usages {
			for tier := range llm.ServiceTiers {
				for _, size := range []string{"512x512", suffix} {
					c := price.Call{Tier: tier, Size: size, Video: suffix, Took: time.Second}
					a, _ := price.Of(p[0], u, c)
					if b, _ := price.Of(p[1], u, c); b.Total > a.Total {
						return true
					}
				}
			}
		}
	}
	return false
}

// TestEveryKey has each price of the cost map charged, or named in README.md with the reason why no call can incur it.
func TestEveryKey(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(readme), "## Prices that are not charged\n")
	if !ok {
		t.Fatal("README.md has no section on prices that are not charged")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(section, -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[1], -1) {
			listed[name[1]] = true
		}
	}
	plain := []string{ // objects and words, which have tests of their own
		"search_context_cost_per_query", "tiered_pricing", "off_peak_pricing",
	}
	seen := map[string]bool{}
	price.Builtin().All(func(e price.Entry) bool {
		for name := range e.Info() {
			if strings.Contains(name, "cost") || strings.Contains(name, "pricing") {
				seen[name] = true
			}
		}
		return true
	})
	// What the specification of the cost map names besides, and no entry has.
	for _, name := range []string{
		"file_search_cost_per_1k_calls", "file_search_cost_per_gb_per_day", "vector_store_cost_per_gb_per_day",
		"computer_use_input_cost_per_1k_tokens", "computer_use_output_cost_per_1k_tokens",
	} {
		seen[name] = true
	}
	if len(seen) < 100 {
		t.Fatalf("only %d prices were found", len(seen))
	}
	for name := range seen {
		switch {
		case slices.Contains(plain, name):
		case listed[name]:
			if name != "guardrail_cost_per_unit" && moves(t, name) {
				t.Errorf("README.md says that %s is not charged, and it is", name)
			}
		case !moves(t, name):
			t.Errorf("%s is not charged, and README.md does not say why", name)
		}
	}
	for name := range listed {
		if !seen[name] {
			t.Errorf("README.md names %s, which the cost map does not have", name)
		}
	}
}
