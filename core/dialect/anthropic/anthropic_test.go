package anthropic_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/dialect/anthropic"
	"github.com/sallyport-ai/sallyport/core/llm"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	f := func(model string, major, minor int) {
		t.Helper()
		if a, b := anthropic.Version(model); a != major || b != minor {
			t.Errorf("%s is %d, %d, want %d, %d", model, a, b, major, minor)
		}
	}
	f("claude-sonnet-4-5-20250929", 4, 5)
	f("claude-3-7-sonnet-latest", 3, 7)
	f("claude-3-opus-20240229", 3, 0)
	f("claude-opus-4-20250514", 4, 0)
	f("claude-opus-4@20250514", 4, 0)
	f("us.anthropic.claude-opus-4-6-v1:0", 4, 6)
	f("claude-2.1", 2, 1)
	f("claude-fable-5", 5, 0)
	f("claude-opus-5-5", 5, 5)
	f("vendor-model", 0, 0)
	f("", 0, 0)
	at := func(model string, major, minor int, want bool) {
		t.Helper()
		if anthropic.AtLeast(model, major, minor) != want {
			t.Errorf("%s at least %d.%d: %v", model, major, minor, !want)
		}
	}
	at("claude-opus-5", 4, 6, true)
	at("claude-opus-4-6", 4, 6, true)
	at("claude-opus-4-5", 4, 6, false)
}

func TestFinish(t *testing.T) {
	t.Parallel()
	f := func(stop, want string, plain bool) {
		t.Helper()
		if got := anthropic.Finish([]byte(stop)); got != want || anthropic.Plain([]byte(stop)) != plain {
			t.Errorf("%s: %q, %v", stop, got, !plain)
		}
	}
	f(`"end_turn"`, "stop", true)
	f(`"max_tokens"`, "length", true)
	f(`"model_context_window_exceeded"`, "length", false)
	f(`"stop_sequence"`, "stop", false)
	f(`"tool_use"`, "tool_calls", true)
	f(`"refusal"`, "content_filter", false)
	f(`"pause_turn"`, "stop", false)
	f(`"new"`, "stop", false)
	f(`null`, "", true)
	f(``, "", true)
}

func TestScanMessage(t *testing.T) {
	t.Parallel()
	var m anthropic.Message
	if !anthropic.ScanMessage([]byte(`{"x":{"id":"no"},"id":"a","usage":{"input_tokens":1,"cache_read_input_tokens":2,"cache_creation_input_tokens":4,"output_tokens":8,"output_tokens_details":{"thinking_tokens":3}},"content":[],"stop_reason":null}`), &m) {
		t.Fatal("it is a message")
	}
	want := llm.Usage{Prompt: 7, Completion: 8, Total: 15, Cached: 2, Reasoning: 3, CacheWrite: 4}
	if diff := cmp.Diff(want, m.Usage.Tokens()); diff != "" || string(m.ID) != `"a"` || string(m.Content) != "[]" || m.StopReason != nil {
		t.Errorf("%+v\n%s", m, diff)
	}
	// The counts of a stream are cumulative, and null says nothing.
	m.Usage.Scan([]byte(`{"output_tokens":20,"input_tokens":null}`))
	if u := m.Usage; u.Output != 20 || u.Input != 1 {
		t.Errorf("%+v", u)
	}
	for _, bad := range []string{"", "[]", `{"id":`, `"x"`, `{} {}`} {
		if anthropic.ScanMessage([]byte(bad), &m) {
			t.Errorf("%q passed", bad)
		}
	}
}

func TestJoinerRefuses(t *testing.T) {
	t.Parallel()
	f := func(events ...string) {
		t.Helper()
		var j anthropic.Joiner
		var e anthropic.Event
		for _, data := range events {
			if !anthropic.ScanEvent([]byte(data), &e) {
				t.Fatalf("%s is no event", data)
			}
			if j.Add(&e) != nil {
				return
			}
		}
		if out, err := j.Append(nil); err == nil {
			t.Errorf("%v became %s", events, out)
		}
	}
	start := `{"type":"message_start","message":{}}`
	f()
	f(`{"type":"message_start","message":null}`)
	f(`{"type":"message_delta","delta":{}}`)
	f(start, `{"type":"content_block_start","index":0}`)
	f(start, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}`)
	f(start, `{"type":"content_block_start","index":0,"content_block":{}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta"}}`)
	f(start, `{"type":"content_block_start","index":0,"content_block":{}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}`)
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}`))
	f.Add([]byte(`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}`))
	f.Add([]byte(`{"type":"content_block_start","content_block":{"type":"text"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e anthropic.Event
		var j anthropic.Joiner
		if !anthropic.ScanEvent(b, &e) {
			return
		}
		start := anthropic.Event{Kind: anthropic.MessageStart, Value: []byte(`{}`)}
		block := anthropic.Event{Kind: anthropic.BlockStart, Value: []byte(`{"type":"text"}`)}
		for _, ev := range []*anthropic.Event{&start, &block, &e, &e} {
			if j.Add(ev) != nil {
				return
			}
		}
		if _, err := j.Append(nil); err != nil && err.Error() == "" {
			t.Error("an error without a text")
		}
	})
}
