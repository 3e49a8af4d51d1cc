package openai_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// whole is an answer in the shape that OpenAI sends, with content bytes of text.
func whole(content int) []byte {
	return []byte(`{
  "id": "chatcmpl-1",
  "object": "chat.completion",
  "created": 1741570283,
  "model": "gpt-4o-2024-08-06",
  "choices": [
    {
      "index": 0,
      "message": {"role": "assistant", "content": "` + strings.Repeat("word ", content/5) + `", "refusal": null, "annotations": []},
      "logprobs": null,
      "finish_reason": "stop"
    }
  ],
  "usage": {
    "prompt_tokens": 1117, "completion_tokens": 46, "total_tokens": 1163,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 12, "audio_tokens": 0}
  },
  "service_tier": "default",
  "system_fingerprint": "fp_fc9f1d7035"
}`)
}

const chunk = `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1741570283,"model":"gpt-4o-2024-08-06",` +
	`"service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" token"},` +
	`"logprobs":null,"finish_reason":null}],"usage":null}`

func TestScan(t *testing.T) {
	t.Parallel()
	f := func(body string, got func(openai.Scanned) any, want any) {
		t.Helper()
		s, ok := openai.Scan([]byte(body))
		if !ok {
			t.Errorf("Scan(%s) refused it", body)
		}
		if diff := cmp.Diff(want, got(s)); diff != "" {
			t.Errorf("Scan(%s) (-want +got):\n%s", body, diff)
		}
	}
	all := func(s openai.Scanned) any { return s.Usage }
	f(string(whole(10)), all, llm.Usage{Prompt: 1117, Completion: 46, Total: 1163, Cached: 1024, Reasoning: 12, Tier: llm.ServedBy("default")})
	f(`{"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"audio_tokens":3,"cache_write_tokens":2,"image_tokens":1},"completion_tokens_details":{"audio_tokens":4}},"service_tier":"flex"}`,
		all, llm.Usage{Prompt: 9, Completion: 4, Total: 13, AudioPrompt: 3, CacheWrite: 2, ImagePrompt: 1, AudioCompletion: 4, Tier: llm.ServedBy("flex")})
	f(`{"service_tier":"priority","usage":{"prompt_tokens":9}}`, all, llm.Usage{Prompt: 9, Total: 9, Tier: llm.ServedBy("priority")})
	f(`{"service_tier":null}`, all, llm.Usage{})
	f(`{"usage":{"prompt_tokens":3,"total_tokens":3}}`, all, llm.Usage{Prompt: 3, Total: 3})
	f(`{"usage":{"prompt_tokens":3.0,"completion_tokens":4}}`, all, llm.Usage{Prompt: 3, Completion: 4, Total: 7})
	f(`{"x_groq":{"usage":{"prompt_tokens":3}}}`, all, llm.Usage{})
	f(`{"usage":null}`, all, llm.Usage{})
	f(`{"usage":{"prompt_tokens":"3","completion_tokens":-1,"total_tokens":99999999999999999999}}`, all, llm.Usage{})
	f(`{"usage":{"prompt_tokens":9,"prompt_cache_hit_tokens":5}}`, all, llm.Usage{Prompt: 9, Total: 9, Cached: 5})
	f(`{"usage":{"prompt_tokens":9,"prompt_tokens_details":null}}`, all, llm.Usage{Prompt: 9, Total: 9})

	finish := func(s openai.Scanned) any { return []any{s.Finish, s.Finished, s.NoChoices} }
	f(string(whole(10)), finish, []any{"stop", true, false})
	f(chunk, finish, []any{"", false, false})
	f(`{"choices":[]}`, finish, []any{"", false, true})
	f(`{"choices":[{"finish_reason":"eos"}]}`, finish, []any{"eos", true, false})
	f(`{"choices":[{},{"finish_reason":"length"}]}`, finish, []any{"", true, false})
	f(`{"choices":[{"message":{"finish_reason":"no"}}]}`, finish, []any{"", false, false})
	f(`{"choices":null}`, finish, []any{"", false, false})
	f(`{}`, finish, []any{"", false, false})

	where := func(body string) func(openai.Scanned) any {
		return func(s openai.Scanned) any {
			return body[s.Model.Start:s.Model.End] + body[s.ErrorAt.Start:s.ErrorAt.End]
		}
	}
	for body, want := range map[string]string{
		string(whole(10)):                   `"gpt-4o-2024-08-06"`,
		chunk:                               `"gpt-4o-2024-08-06"`,
		`{"a":{"model":"x"},"model":null }`: `null`,
		`{"error":{"message":"m"}}`:         `{"message":"m"}`,
		`{"error":null}`:                    ``,
	} {
		f(body, where(body), want)
	}

	bad := func(body string) {
		t.Helper()
		if _, ok := openai.Scan([]byte(body)); ok {
			t.Errorf("Scan(%s) took it", body)
		}
	}
	bad(``)
	bad(`[]`)
	bad(`"x"`)
	bad(`<html>`)
	bad(`{"a":1`)
	bad(`{"a":"b`)
	bad(`{"a":[1,2}`[:8])
	bad(`{"a":1} x`)
	bad(`{"a"}`)
	bad(`{"a":}`)
	bad(`{"a":1 "b":2}`)
}

func TestSetModel(t *testing.T) {
	t.Parallel()
	f := func(body, model, want string) {
		t.Helper()
		s, ok := openai.Scan([]byte(body))
		if !ok {
			t.Fatalf("Scan(%s) refused it", body)
		}
		if got := string(openai.SetModel(nil, []byte(body), s.Model, model)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(`{"id":1,"model": "a","x":2}`, "bb", `{"id":1,"model": "bb","x":2}`)
	f(`{"model":null}`, "b", `{"model":"b"}`)
	f(`{"choices":[]}`, `q"`, `{"model":"q\"","choices":[]}`)
	f(` { } `, "b", ` {"model":"b"} `)
}

func TestScanAllocatesNothing(t *testing.T) {
	body, part := whole(2000), []byte(chunk)
	if n := testing.AllocsPerRun(200, func() {
		openai.Scan(body)
		openai.Scan(part)
	}); n != 0 {
		t.Errorf("Scan allocates %v times", n)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(whole(10), "m")
	f.Add([]byte(chunk), "m")
	f.Add([]byte(`{"error":{"code":1},"usage":{"prompt_tokens":1e9},"choices":[]}`), "é\"")
	f.Fuzz(func(t *testing.T, body []byte, model string) {
		s, ok := openai.Scan(body)
		if !json.Valid(body) {
			return
		}
		isObject := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
		if ok != isObject {
			t.Fatalf("Scan(%q) = %v", body, ok)
		}
		if !ok {
			return
		}
		out := openai.SetModel(nil, body, s.Model, model)
		if !json.Valid(out) {
			t.Fatalf("SetModel(%q, %q) = %q", body, model, out)
		}
		if s.Usage.Prompt < 0 || s.Usage.Completion < 0 || s.Usage.Total < 0 || s.Usage.Cached < 0 {
			t.Errorf("Scan(%q): usage %+v", body, s.Usage)
		}
	})
}

func BenchmarkScanWhole(b *testing.B) {
	body := whole(2000)
	b.ReportAllocs()
	for b.Loop() {
		openai.Scan(body)
	}
}

// FuzzChunks checks that a stream's scanner finds in each chunk what Scan finds.
func FuzzChunks(f *testing.F) {
	f.Add([]byte(chunk), []byte(chunk), []byte(strings.Replace(chunk, "null", `{"prompt_tokens":1}`, 1)))
	f.Add([]byte(`{"choices":[]}`), []byte(`{"choices":[],"model":"m"}`), []byte(`{"choices"`))
	f.Add([]byte(`{"model":"a","choices":[]}`), []byte(`{"model":"a", "choices":[]}`), []byte(`{"model":"a","x":1}`))
	f.Add([]byte(`{"model":"a","choices":[]}`), []byte(`{"model":"a",}`), []byte(`{"model":"a",`))
	f.Fuzz(func(t *testing.T, first, second, third []byte) {
		var c openai.Chunks
		for _, b := range [][]byte{first, second, third} {
			want, wantOK := openai.Scan(b)
			got, ok := c.Scan(b)
			// A chunk that ends where the choices of the others begin is broken either way, or has the same members.
			if ok != wantOK && json.Valid(b) || ok && wantOK && got != want {
				t.Fatalf("%q after %q: %+v %v, want %+v %v", b, first, got, ok, want, wantOK)
			}
		}
	})
}

func BenchmarkChunks(b *testing.B) {
	part := []byte(chunk)
	var c openai.Chunks
	b.ReportAllocs()
	for b.Loop() {
		c.Scan(part)
	}
}

func BenchmarkScanChunk(b *testing.B) {
	part := []byte(chunk)
	b.ReportAllocs()
	for b.Loop() {
		openai.Scan(part)
	}
}
