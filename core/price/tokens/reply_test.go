package tokens_test

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/price/tokens"
)

func TestCountReply(t *testing.T) {
	t.Parallel()
	var c tokens.Counter
	f := func(want string, parts ...string) {
		t.Helper()
		if got, n := c.CountReply("gpt-4o", []byte(strings.Join(parts, "\x1e")), 0x1e), c.CountText("gpt-4o", want); got != n {
			t.Errorf("%s: %d tokens, want those of %q: %d", parts, got, want, n)
		}
	}
	f("hello world", `{"id":"x","model":"some long name","choices":[{"index":0,"message":{"role":"assistant","content":"hello world"},"finish_reason":"stop"}]}`)
	f("antidisestablishment", `{"choices":[{"delta":{"role":"assistant","content":"antidis"}}]}`, `{"choices":[{"delta":{"content":"establishment"}}]}`, `[DONE]`)
	f(`get_weather{"place":"Paris"}`, `{"choices":[{"message":{"content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{\"place\":\"Paris\"}"}}]}}]}`)
	f("let me seehello", `{"choices":[{"message":{"reasoning_content":"let me see","content":"hello"}}]}`)
	f("hello", `{"choices":[{"text":"hello"}]}`)
	f("hmmhello", `{"type":"message","content":[{"type":"thinking","thinking":"hmm","signature":"abcdef"},{"type":"text","text":"hello"}]}`)
	f("hello", `{"type":"content_block_start","content_block":{"type":"text","text":""}}`, `{"type":"content_block_delta","delta":{"type":"text_delta","text":"hel"}}`,
		`{"type":"content_block_delta","delta":{"type":"text_delta","text":"lo"}}`)
	f("hello", `{"candidates":[{"content":{"parts":[{"text":"hello"}],"role":"model"}}]}`)
	f("hello", `{"output":[{"type":"message","content":[{"type":"output_text","text":"hello"}]}]}`)
	f("", "", "no json", `{"choices":7}`)
}

func FuzzCountReply(f *testing.F) {
	f.Add([]byte(`{"choices":[{"message":{"content":"hello"}}]}`))
	f.Add([]byte("{\"a\":1}\x1e[[[]]]"))
	var c tokens.Counter
	f.Fuzz(func(t *testing.T, data []byte) {
		if n := c.CountReply("gpt-4o", data, 0x1e); n < 0 || n > len(data)*3 {
			t.Fatalf("%d tokens of %d bytes", n, len(data))
		}
	})
}
