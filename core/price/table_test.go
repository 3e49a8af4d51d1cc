package price_test

import (
	"encoding/json"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
)

// The rules by which a model finds its entry.
func TestLookup(t *testing.T) {
	t.Parallel()
	table := price.Builtin()
	f := func(provider, model, base, region, want string) {
		t.Helper()
		e, ok := table.Lookup(provider, model, base, region)
		if ok != (want != "") || e.Key() != want {
			t.Errorf("%s %s (base %q, region %q): %q, want %q", provider, model, base, region, e.Key(), want)
		}
	}
	f("openai", "gpt-4o", "", "", "gpt-4o")
	f("openai", "openai/gpt-4o", "", "", "gpt-4o")
	f("openai", "GPT-4O", "", "", "gpt-4o")
	f("openai", "ft:gpt-4o-mini-2024-07-18:my-org:suffix:id", "", "", "ft:gpt-4o-mini-2024-07-18")
	f("openai", "ft:gpt-4o-mini-2024-07-18:my-org", "", "", "")
	f("azure", "gpt-4o", "", "", "azure/gpt-4o")
	f("azure", "my-deployment", "", "", "")
	f("azure", "my-deployment", "azure/gpt-4-1106-preview", "", "azure/gpt-4-1106-preview")
	f("azure", "my-deployment", "gpt-4-1106-preview", "", "azure/gpt-4-1106-preview")
	f("azure", "gpt-4o", "no-such-model", "", "azure/gpt-4o")
	f("hosted_vllm", "x", "openai/gpt-4o", "", "gpt-4o")
	f("groq", "meta-llama/llama-prompt-guard-2-86m", "", "", "groq/meta-llama/llama-prompt-guard-2-86m")
	f("groq", "gpt-4o", "", "", "") // the entry is another vendor's
	f("gemini", "gemini-2.5-pro", "", "", "gemini/gemini-2.5-pro")
	f("vertex_ai", "gemini-2.5-pro", "", "", "gemini-2.5-pro")
	f("cohere", "rerank-v3.5", "", "", "rerank-v3.5")
	const sonnet = "anthropic.claude-sonnet-4-5-20250929-v1:0"
	f("bedrock", sonnet, "", "", sonnet)
	f("bedrock", "converse/"+sonnet, "", "", sonnet)
	f("bedrock", "us."+sonnet, "", "", "us."+sonnet)
	f("bedrock", "apac.meta.llama3-1-8b-instruct-v1:0", "", "", "meta.llama3-1-8b-instruct-v1:0")
	f("bedrock", "arn:aws:bedrock:us-east-1:123:inference-profile/us."+sonnet, "", "", "us."+sonnet)
	f("bedrock", "eu-central-1/"+sonnet, "", "", sonnet)
	f("bedrock", sonnet+":51k", "", "", sonnet)
	f("together_ai", "some/model-70b-chat", "", "", "together-ai-41.1b-80b")
	f("together_ai", "some/model-8x22b", "", "", "")
	f("together_ai", "some/model", "", "", "")
	f("fireworks_ai", "accounts/x/models/mixtral-9x22b", "", "", "")
	f("fireworks_ai", "accounts/x/models/ours-8x7b", "", "", "fireworks-ai-moe-up-to-56b")
	f("fireworks_ai", "accounts/x/models/ours-13b", "", "", "fireworks-ai-4.1b-to-16b")
	f("openai", "ours-13b", "", "", "")
	f("openai", "", "", "", "")
	f("openai", "no\tsuch\nmodel", "", "", "")
	f("", "gpt-4o", "", "", "gpt-4o")
}

// TestTable checks the shape of what pricegen wrote.
func TestTable(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("prices.tsv")
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 600<<10 {
		t.Errorf("the table has %d bytes: it is part of the program", len(raw))
	}
	table := price.Builtin()
	if _, err := time.Parse(time.DateOnly, table.Header("date")); err != nil {
		t.Errorf("date: %v", err)
	}
	if h := table.Header("sha256"); !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(h) || !strings.Contains(table.Header("source"), "litellm") {
		t.Errorf("header: %q %q", h, table.Header("source"))
	}
	known := regexp.MustCompile(`^(~[a-zA-Z]+|-?[0-9.]+(e-?[0-9]+)?|\{.*\}|\[.*\]|true|false|".*"|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9.e,-]+)$`)
	n, priced, last := 0, 0, ""
	table.All(func(e price.Entry) bool {
		n++
		if c := strings.Compare(strings.ToLower(last), strings.ToLower(e.Key())); c > 0 || e.Provider() == "" {
			t.Errorf("%q after %q, of %q", e.Key(), last, e.Provider())
		}
		last = e.Key()
		if found, ok := table.Get(e.Key()); !ok || found.Key() != e.Key() {
			t.Errorf("%q is not found", e.Key())
		}
		p, err := price.Make(e, price.Override{})
		if err != nil {
			t.Errorf("%s: %v", e.Key(), err)
		}
		if p != nil {
			priced++
			sane(t, e.Key(), p)
		}
		return true
	})
	for line := range strings.Lines(string(raw)) {
		if line[0] == '#' {
			continue
		}
		for _, field := range strings.Split(strings.TrimSuffix(line, "\n"), "\t")[3:] {
			code, value, has := strings.Cut(field, "=")
			if has && !known.MatchString(value) || !has && !strings.ContainsAny(code[:1], "+-") {
				t.Fatalf("field %q of %s", field, line)
			}
		}
	}
	if want := table.Header("entries"); n < 4000 || want != itoa(n) || priced < n*9/10 {
		t.Errorf("%d entries, %d with a price; the header says %s", n, priced, want)
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// sane reports a price whose figures are not filled in, or out of all proportion.
func sane(t *testing.T, key string, p *llm.Price) {
	t.Helper()
	for i, l := range p.Levels {
		if i == 0 && l.Above != 0 || i > 0 && l.Above <= p.Levels[i-1].Above {
			t.Errorf("%s: levels are not in order", key)
		}
		for _, r := range l.Rates {
			for _, f := range []float64{r.Input, r.CacheRead, r.CacheWrite, r.CacheWriteHour, r.AudioInput, r.Output, r.Reasoning, r.AudioOutput} {
				if !(f >= 0 && f < 0.1) || math.IsInf(f, 0) {
					t.Errorf("%s: a token for %v dollars", key, f)
				}
			}
		}
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	e, ok := price.Builtin().Get("gpt-4o")
	if !ok {
		t.Fatal("gpt-4o")
	}
	m := e.Info()
	for name, want := range map[string]any{
		"key": "gpt-4o", "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-06,
		"output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06, "input_cost_per_token_batches": 1.25e-06,
		"output_cost_per_token_priority": 1.7e-05, "max_input_tokens": int64(128000), "max_output_tokens": int64(16384),
		"max_tokens": int64(16384), "supports_vision": true, "supports_function_calling": true, "supports_reasoning": nil,
		"input_cost_per_character": nil,
	} {
		if got, there := m[name]; !there || got != want {
			t.Errorf("%s: %v (there: %v), want %v", name, got, there, want)
		}
	}
	if s, _ := m["source"].(string); !strings.HasPrefix(s, "https://") {
		t.Errorf("source: %v", m["source"])
	}
	if prompt, answer := e.Window(); prompt != 128000 || answer != 16384 {
		t.Errorf("window %d %d", prompt, answer)
	}
	if yes, known := e.Can("vision"); !yes || !known {
		t.Error("gpt-4o sees")
	}
	if _, known := e.Can("flight"); known {
		t.Error("nothing is known of flying")
	}
	g, _ := price.Builtin().Get("gemini/gemini-2.5-pro")
	if list, _ := g.Info()["supported_modalities"].([]string); !slices.Contains(list, "video") {
		t.Errorf("modalities: %v", g.Info()["supported_modalities"])
	}
	if (price.Entry{}).Info() != nil {
		t.Error("no entry, no information")
	}
}

const operators = `{
	"sample_spec": {"max_tokens": "a sentence"},
	"gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": "1e-3", "output_cost_per_token": 0,
		"max_input_tokens": 4096.0, "supports_vision": false, "supports_telepathy": true, "source": "https://example.com", "note": "\t<&>",
		"supported_endpoints": ["/v1/chat/completions", "/v1/odd"], "search_context_cost_per_query": {"search_context_size_low": 0.1}},
	"ours/large": {"litellm_provider": "ours", "input_cost_per_token": 5e-7, "output_cost_per_token_above_512k_tokens": 2}
}`

func TestParseMap(t *testing.T) {
	t.Parallel()
	own, problems, err := price.ParseMap([]byte(operators))
	if err != nil || len(problems) != 0 {
		t.Fatal(problems, err)
	}
	table := own.Over(price.Builtin())
	e, _ := table.Lookup("openai", "gpt-4o", "", "")
	m := e.Info()
	if m["input_cost_per_token"] != 1e-3 || m["supports_vision"] != false || m["supports_telepathy"] != true || m["note"] != "\t<&>" ||
		m["max_input_tokens"] != int64(4096) || m["source"] != "https://example.com" || len(m["supported_endpoints"].([]any)) != 2 {
		t.Errorf("%v", m)
	}
	if e, ok := table.Lookup("ours", "large", "", ""); !ok || e.Provider() != "ours" || e.Mode() != "" {
		t.Errorf("%q %q", e.Key(), e.Mode())
	}
	if _, ok := table.Lookup("anthropic", "claude-opus-4-8", "", ""); !ok {
		t.Error("what the operator does not name stays")
	}
	n := 0
	table.All(func(e price.Entry) bool {
		if e.Key() == "gpt-4o" {
			n++
		}
		return true
	})
	if n != 1 {
		t.Errorf("gpt-4o is there %d times", n)
	}
}

func TestParseMapRefuses(t *testing.T) {
	t.Parallel()
	f := func(raw, want string) {
		t.Helper()
		_, problems, err := price.ParseMap([]byte(raw))
		var all []string
		if err != nil {
			all = append(all, err.Error())
		}
		for _, p := range problems {
			all = append(all, p.Error())
		}
		if !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("%s: %q, want %q", raw, all, want)
		}
	}
	f(`[]`, "want a JSON object")
	f(``, "want a JSON object")
	f(`{"m": {`, `model "m"`)
	f(`{"m": {}`, "not closed")
	f(`{"m": 1}`, `model "m": want an object`)
	f(`{"m": {"input_cost_per_token": "cheap"}}`, `model "m": field "input_cost_per_token": want a number`)
	f(`{"m": {"input_cost_per_token": -1}}`, `not negative`)
	f(`{"m": {"input_cost_per_token": 1e999}}`, `want a number`)
	f(`{"m": {"max_tokens": 1.5}}`, `field "max_tokens": want a whole number`)
	f(`{"m": {"mode": 5}}`, `field "mode": want a string`)
	f(`{"m": {"a=b": 5}}`, `no name of a field`)
	f(`{"m": {}, "m": {}}`, `twice`)
	f(`{"": {}}`, `a name has from 1`)
	f(`{"a\nb": {}}`, `control characters`)
	f(`{"m": {"tiered_pricing": [{"range": ["a"]}]}}`, `range`)
	f(`{"m": {"search_context_cost_per_query": 1}}`, `search_context_size_low`)
	f(`{"m": {"x": "`+strings.Repeat("a", 10<<10)+`"}}`, `the limit is`)
	f(strings.Repeat(" ", price.MaxMap+1), `the limit is`)
}

// What can be read can be looked up, priced and shown, and reading what was written changes nothing.
func FuzzParseMap(f *testing.F) {
	f.Add([]byte(operators))
	f.Add([]byte(`{"m":{"tiered_pricing":[{"range":[0,1],"input_cost_per_token":1}],"supported_modalities":["text"]}}`))
	f.Add([]byte(`{"hd/1024-x-1024/m":{"mode":"image_generation","input_cost_per_pixel":1},"m":{"mode":"image_generation"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		table, _, err := price.ParseMap(raw)
		if err != nil {
			return
		}
		table.All(func(e price.Entry) bool {
			got, ok := table.Get(e.Key())
			if !ok || got.Key() != e.Key() {
				t.Fatalf("%q is not found", e.Key())
			}
			if _, err := json.Marshal(e.Info()); err != nil {
				t.Fatalf("%q: %v", e.Key(), err)
			}
			p, err := price.Make(e, price.Override{})
			if err != nil {
				t.Fatalf("%q: %v", e.Key(), err)
			}
			if c, _ := price.Of(p, llm.Usage{Prompt: 1000, Completion: 10, Images: 1, Seconds: 1}, price.Call{Tier: llm.TierBatch}); math.IsNaN(c.Total) {
				t.Fatalf("%q costs NaN: %+v", e.Key(), p)
			}
			return true
		})
	})
}
