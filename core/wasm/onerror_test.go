package wasm_test

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// TestOnErrorOfGuards has each hook of a guardrail crash under both policies: closed refuses or withholds, with the plugin's
// name and nothing else; open goes on as if there were no plugin. Either way the next call works, and the record says that
// the guardrail failed.
func TestOnErrorOfGuards(t *testing.T) {
	t.Parallel()
	closed := guarded(t, one)
	open := guarded(t, one, failOpen)
	chat := func(text string) []byte {
		return []byte(`{"model":"m","messages":[{"role":"user","content":"` + text + `"}]}`)
	}
	check := func(hook string, status int, message string, x *llm.Exchange, err error) {
		t.Helper()
		o := plugintest.Outcome{Exchange: x, Err: err}
		if s, m := o.Refusal(); s != status || m != message || err != nil && strings.Contains(m, "on demand") {
			t.Errorf("%s: %d %q, want %d %q", hook, s, m, status, message)
		}
		// The gateway records what runs beside the call: TestGuardrailOrderAndRecord in core/app.
		if runs := x.GuardRuns; hook != "moderation" && hook != "moderation, open" && len(runs) == 0 || len(runs) > 0 && runs[0].Status != llm.GuardFailed {
			t.Errorf("%s: recorded %+v", hook, runs)
		}
	}
	both := func(hook, refusal string, run func(p *plugintest.Plugin, text string) (*llm.Exchange, error)) {
		t.Helper()
		x, err := run(closed, "panic")
		check(hook, 500, "Guardrail guard failed, so the "+refusal+".", x, err)
		x, err = run(open, "panic")
		check(hook+", open", 0, "", x, err)
		for _, p := range []*plugintest.Plugin{closed, open} {
			if x, err := run(p, "hello"); err != nil || len(x.GuardRuns) > 0 && x.GuardRuns[0].Status != llm.GuardPassed {
				t.Errorf("%s: the next call: %v, %+v", hook, err, x.GuardRuns)
			}
		}
	}
	both("request", "request was refused", func(p *plugintest.Plugin, text string) (*llm.Exchange, error) {
		o := p.Request(t, llm.OpChat, chat(text))
		return o.Exchange, o.Err
	})
	both("moderation", "request was refused", func(p *plugintest.Plugin, text string) (*llm.Exchange, error) {
		o := p.Moderate(t, llm.OpChat, chat(text))
		return o.Exchange, o.Err
	})
	both("response", "answer was withheld", func(p *plugintest.Plugin, text string) (*llm.Exchange, error) {
		o := p.Response(t, []byte(completion(text)))
		if o.Err == nil && string(o.Reply.First.Data) != completion(text) {
			t.Errorf("response: got %s", o.Reply.First.Data)
		}
		return o.Exchange, o.Err
	})
	both("stream_chunk", "answer was stopped", func(p *plugintest.Plugin, text string) (*llm.Exchange, error) {
		o := p.StreamChunks(t, wasm.GuardSettings{}, chunks(text, " and so on"))
		if got := o.Text(); o.Err == nil && got != text+" and so on" || o.Err != nil && strings.Contains(got, "panic") {
			t.Errorf("stream_chunk: got %q", got)
		}
		return o.Exchange, o.Err
	})

	// At the end of a stream all is said, so closed ends it with an error.
	end := func(status int, change ...func(*wasm.Settings)) {
		t.Helper()
		p := guarded(t, append(change, one, func(s *wasm.Settings) { s.Config = map[string]any{"end": "panic"} })...)
		o := p.StreamChunks(t, wasm.GuardSettings{}, chunks("all", " said"))
		if s, _ := o.Refusal(); o.Text() != "all said" || s != status {
			t.Errorf("stream_end: %q, %d, want %d", o.Text(), s, status)
		}
	}
	end(500)
	end(0, failOpen)

	// An error that cannot be rewritten stays what it is, under both.
	for _, p := range []*plugintest.Plugin{closed, open} {
		e := p.Failure(t, &llm.Error{Kind: llm.KindRejected, Message: "panic"})
		if e.Message != "panic" || e.Kind != llm.KindRejected {
			t.Errorf("failure: %+v", e)
		}
	}
}
