package tokens_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/core/price/tokens"
	"github.com/tiktoken-go/tokenizer/codec"
)

// oracle counts as the library does that the vocabularies come from.
type oracle struct{ cl100k, o200k func(string) (int, error) }

var theOracle = sync.OnceValue(func() oracle {
	return oracle{codec.NewCl100kBase().Count, codec.NewO200kBase().Count}
})

func same(t *testing.T, c *tokens.Counter, text string) {
	t.Helper()
	o := theOracle()
	for model, count := range map[string]func(string) (int, error){"gpt-4": o.cl100k, "gpt-4o": o.o200k} {
		want, err := count(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.CountText(model, text); got != want {
			t.Errorf("%s %.200q: %d tokens, want %d", model, text, got, want)
		}
	}
}

// The counts are those of tiktoken (https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb
// for the first ones).
func TestKnownCounts(t *testing.T) {
	t.Parallel()
	var c tokens.Counter
	f := func(model, text string, want int) {
		t.Helper()
		if got := c.CountText(model, text); got != want {
			t.Errorf("%s %q: %d, want %d", model, text, got, want)
		}
	}
	f("gpt-3.5-turbo", "tiktoken is great!", 6)
	f("gpt-4", "antidisestablishmentarianism", 6)
	f("gpt-4o", "antidisestablishmentarianism", 6)
	f("gpt-4", "2 + 2 = 4", 7)
	f("gpt-4", "お誕生日おめでとう", 9)
	f("gpt-4o", "お誕生日おめでとう", 8)
	f("gpt-4o", "hello world", 2)
	f("gpt-3.5-turbo", "hello world", 2)
	f("llama-3", "hello world", 2)
	f("gpt-4o", "", 0)
}

// The fixture holds texts with the counts that tiktoken 0.14 itself has for them with cl100k_base and o200k_base.
func TestSameAsTiktoken(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/tiktoken.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var c tokens.Counter
	n := 0
	for line := range bytes.Lines(raw) {
		var text string
		var cl100k, o200k int
		if err := json.Unmarshal(line, &[]any{&text, &cl100k, &o200k}); err != nil {
			t.Fatal(err)
		}
		if a, b := c.CountText("gpt-4", text), c.CountText("gpt-4o", text); a != cl100k || b != o200k {
			t.Errorf("%.200q: %d and %d tokens, want %d and %d", text, a, b, cl100k, o200k)
		}
		n++
	}
	if n < 500 {
		t.Errorf("%d texts", n)
	}
}

func samples() []string {
	return []string{
		"", "a", "Hello, world! It's a test: don't panic.", strings.Repeat("a", 5000), strings.Repeat("ab ", 500), strings.Repeat(" ", 300),
		strings.Repeat("\n", 300) + "x", "func main() {\n\tfmt.Println(\"hi\")\n}\n", "x = [1, 2, 33, 444, 5555]  # numbers\r\n\r\n",
		strings.Repeat("АБВгде", 200), strings.Repeat("漢字かな交じり文", 50), "e\u0301\u0301AB1", "\u0301AB1", "'s's'S", " 's",
		`{"role":"user","content":"caf\u00e9"}`, "ß ẞ İ ı ſ K", "\xf0\x28\x8c\x28", "tab\tseparated\tvalues\n", strings.Repeat("!", 1000),
	}
}

func FuzzCount(f *testing.F) {
	for _, s := range samples() {
		f.Add(s)
	}
	c := &tokens.Counter{}
	f.Fuzz(func(t *testing.T, text string) {
		// Around ends of lines, and for what is no UTF-8, the library splits texts otherwise than tiktoken does.
		if len(text) > 1<<14 || !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n") {
			if n := c.CountText("gpt-4o", text); n > len(text) {
				t.Fatalf("%d tokens of %d bytes", n, len(text))
			}
			return
		}
		same(t, c, text)
	})
}

func TestEncodingOf(t *testing.T) {
	t.Parallel()
	f := func(want tokens.Encoding, models ...string) {
		t.Helper()
		for _, m := range models {
			if got := tokens.EncodingOf(m); got != want {
				t.Errorf("%s: %s", m, got)
			}
		}
	}
	f(tokens.O200K, "gpt-4o", "gpt-4o-mini-2024-07-18", "openai/gpt-4.1", "azure/gpt-5.6", "GPT-5", "o1", "o3-mini", "o4-mini", "ft:gpt-4o:org:x:y",
		"chatgpt-4o-latest", "gpt-oss-120b", "gpt-6", "openrouter/openai/o3")
	f(tokens.CL100K, "", "gpt-4", "gpt-4-turbo", "gpt-3.5-turbo", "gpt-35-turbo", "text-embedding-3-small", "claude-opus-4-8", "llama-3", "o1x", "ours")
}

// dump writes a vocabulary as tiktoken's cache has it.
func dump(t *testing.T, d interface {
	Decode([]uint) (string, error)
}, n uint) []byte {
	t.Helper()
	var b bytes.Buffer
	for rank := range n {
		s, err := d.Decode([]uint{rank})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %d\n", base64.StdEncoding.EncodeToString([]byte(s)), rank)
	}
	return b.Bytes()
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, err := tokens.New(dir)
	if err != nil || c.CountText("gpt-4o", "hello world") != 2 {
		t.Errorf("an empty directory: %v", err)
	}
	// 9b5a... is the SHA-1 of the address of cl100k_base.
	path := filepath.Join(dir, "9b5ad71b2ce5302211f9c61530b329a4922fc6a4")
	bytesOnly := dump(t, codec.NewCl100kBase(), 256)
	if err := os.WriteFile(path, bytesOnly, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err = tokens.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := c.CountText("gpt-4", "hello world"), c.CountText("gpt-4o", "hello world"); a != 11 || b != 2 {
		t.Errorf("a vocabulary of bytes: %d and %d tokens", a, b)
	}
	f := func(content, want string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.New(dir); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v", content, err)
		}
	}
	f("not a vocabulary", "line 1")
	f("!!! 0\n", "not base64")
	f("IQ== 0\nIg== 0\n", "twice")
	f("IQ== 1\n", "no token of rank 0")
	f("IQ== 0\n", "is no token")
	f("IQ== 99999999999\n", "line 1")
	f("", "is no token")
}

func TestEstimate(t *testing.T) {
	t.Parallel()
	var c tokens.Counter
	for _, text := range []string{
		strings.Repeat("The quick brown fox jumps over the lazy dog. ", 50), strings.Repeat("for i := range 10 {\n\tx[i] += y\n}\n", 40),
		strings.Repeat("漢字かな交じり文", 50), strings.Repeat("Съешь же ещё этих мягких булок ", 40), strings.Repeat(`{"id":12345,"name":"x"},`, 40),
	} {
		if got, want := tokens.Estimate([]byte(text)), c.CountText("gpt-4", text); got < int64(want) {
			t.Errorf("%.30q: estimate %d, count %d", text, got, want)
		}
	}
	for n := range 20 {
		ascii, other := strings.Repeat("a", n), strings.Repeat("\xff", n)
		if got := tokens.Estimate([]byte(ascii + other)); got != int64((n+1)/2+n) {
			t.Errorf("%d: %d", n, got)
		}
	}
	long := []byte(strings.Repeat("é", 40_000))
	if got := tokens.Estimate(long); got != 80_000 {
		t.Errorf("80,000 bytes of no ASCII: %d", got)
	}
}

func TestAllocations(t *testing.T) {
	body := []byte(strings.Repeat("a", 2048))
	if n := testing.AllocsPerRun(100, func() { tokens.Estimate(body) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEstimate2KB(b *testing.B) {
	body := []byte(strings.Repeat("the quick brown ", 128))
	for b.Loop() {
		tokens.Estimate(body)
	}
}

func BenchmarkCount2KB(b *testing.B) {
	text := strings.Repeat("The quick brown fox, 1234 jumps. ", 62)
	var c tokens.Counter
	c.CountText("gpt-4o", text)
	b.ReportAllocs()
	for b.Loop() {
		c.CountText("gpt-4o", text)
	}
}

func BenchmarkUnpack(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var c tokens.Counter
		c.CountText("gpt-4o", "a")
	}
}
