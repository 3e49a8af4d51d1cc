package usage_test

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/dialect/usage"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// meter feeds body to a meter in pieces of every size; the result must not depend on it.
func meter(t *testing.T, contentType, body string) (u llm.Usage, model string) {
	t.Helper()
	var m usage.Meter
	for size := 1; size <= len(body); size = size*2 + 1 {
		m.Reset([]byte(contentType))
		for rest := body; rest != ""; {
			n := min(size, len(rest))
			m.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		u, model = m.End(), m.Model
	}
	return u, model
}

// The shapes are those of the vendors' pages named in usage.go.
func TestMeter(t *testing.T) {
	t.Parallel()
	f := func(contentType, body, model string, want llm.Usage) {
		t.Helper()
		got, name := meter(t, contentType, body)
		if d := cmp.Diff(want, got); d != "" || name != model {
			t.Errorf("%s: model %q\n%s", body, name, d)
		}
	}
	const js, sse = "application/json; charset=utf-8", "text/event-stream"
	f(js, `{"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":2},"completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":1}}}`,
		"gpt-4o", llm.Usage{Prompt: 10, Completion: 5, Total: 15, Cached: 4, Reasoning: 3, AudioPrompt: 2, AudioCompletion: 1})
	f(js, `{"data":[{"b64_json":"x"}],"usage":{"input_tokens":50,"output_tokens":60,"total_tokens":110,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}`,
		"", llm.Usage{Prompt: 50, Completion: 60, Total: 110, ImagePrompt: 40})
	flex, priority := llm.ServedBy("flex"), llm.ServedBy("priority")
	f(js, `{"usage":{"prompt_tokens":1,"completion_tokens":1},"service_tier":"flex"}`, "", llm.Usage{Prompt: 1, Completion: 1, Total: 2, Tier: flex})
	f(js, `{"usage":{"input_tokens":1,"output_tokens":1,"service_tier":"priority"}}`, "", llm.Usage{Prompt: 1, Completion: 1, Total: 2, Tier: priority})
	f(js, `{"usageMetadata":{"promptTokenCount":1,"trafficType":"ON_DEMAND_FLEX"}}`, "", llm.Usage{Prompt: 1, Total: 1, Tier: flex})
	f(js, `{"usage":{"inputTokens":1},"serviceTier":{"type":"priority"}}`, "", llm.Usage{Prompt: 1, Total: 1, Tier: priority})
	f(js, `{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cache_write_tokens":4}}}`, "", llm.Usage{Prompt: 9, Total: 9, CacheWrite: 4})
	f(js, `{"usage":{"prompt_tokens":9,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":5,"cached_tokens_details":{"audio_tokens":2,"image_tokens":1},"cache_write_tokens":3,"cache_write_tokens_details":{"ttl_30m_tokens":1,"ttl_12h_tokens":2},"video_tokens":1},"completion_tokens_details":{"video_tokens":4}}}`,
		"", llm.Usage{Prompt: 9, Total: 9, Cached: 5, CachedAudio: 2, CachedImage: 1, CacheWrite: 3, CacheWriteHalfDay: 2, VideoPrompt: 1, VideoCompletion: 4})
	f(js, `{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":5,"cache_type":"ephemeral"}}}`, "", llm.Usage{Prompt: 9, Total: 9, Cached: 5, CachedMarked: 5})
	f(js, `{"usage":{"prompt_tokens":9,"citation_tokens":7,"num_search_queries":2,"cost":{"total_cost":0.5}}}`, "", llm.Usage{Prompt: 9, Total: 9, Citations: 7, Searches: 2, Cost: 0.5})
	f(js, `{"usage":{"prompt_tokens":9,"cost":0.25}}`, "", llm.Usage{Prompt: 9, Total: 9, Cost: 0.25})
	f(js, `{"usage":{"input_tokens":9,"server_tool_use":{"web_search_requests":3}}}`, "", llm.Usage{Prompt: 9, Total: 9, Searches: 3})
	f(js, `{"usage":{"input_tokens":9,"server_side_tool_usage_details":{"web_search_calls":2}}}`, "", llm.Usage{Prompt: 9, Total: 9, Searches: 2})
	f(js, `{"pages":[],"model":"mistral-ocr-latest","usage_info":{"pages_processed":29,"pages_processed_annotation":4,"doc_size_bytes":null}}`,
		"mistral-ocr-latest", llm.Usage{Pages: 29, AnnotatedPages: 4})
	f(js, `{"object":"response","output":[{"type":"web_search_call","action":{"type":"search"}},{"type":"web_search_call","action":{"type":"open_page"}},{"type":"web_search_call"},{"type":"file_search_call"},{"type":"code_interpreter_call","container_id":"a"},{"type":"code_interpreter_call","container_id":"b"},{"type":"code_interpreter_call","container_id":"a"},{"type":"message"}],"usage":{"input_tokens":9}}`,
		"", llm.Usage{Prompt: 9, Total: 9, Searches: 2, FileSearches: 1, Sessions: 2})
	f(js, `{"candidates":[{"groundingMetadata":{"webSearchQueries":["a","b"],"groundingChunks":[{"web":{}},{"maps":{"uri":"u"}}]}}],"usageMetadata":{"promptTokenCount":9,"promptTokensDetails":[{"modality":"VIDEO","tokenCount":3},{"modality":"AUDIO","tokenCount":2},{"modality":"IMAGE","tokenCount":1},{"modality":"TEXT","tokenCount":3}],"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":1},{"modality":"IMAGE","tokenCount":1}],"cachedContentTokenCount":2,"candidatesTokenCount":6,"candidatesTokensDetails":[{"modality":"VIDEO","tokenCount":3},{"modality":"IMAGE","tokenCount":2},{"modality":"AUDIO","tokenCount":1}]}}`,
		"", llm.Usage{Prompt: 9, Completion: 6, Total: 15, Cached: 2, CachedAudio: 1, CachedImage: 1, VideoPrompt: 3, AudioPrompt: 2, ImagePrompt: 1,
			VideoCompletion: 3, ImageCompletion: 2, AudioCompletion: 1, Searches: 2, Maps: 1})
	f(js, `{"text":"hi","usage":{"type":"duration","seconds":9.5}}`, "", llm.Usage{Seconds: 9.5})
	f(js, `{"model":"claude","usage":{"input_tokens":7,"cache_creation_input_tokens":20,"cache_read_input_tokens":100,"cache_creation":{"ephemeral_5m_input_tokens":5,"ephemeral_1h_input_tokens":15},"output_tokens":3}}`,
		"claude", llm.Usage{Prompt: 127, Completion: 3, Total: 130, Cached: 100, CacheWrite: 20, CacheWriteHour: 15})
	f(js, `{"output":{},"usage":{"inputTokens":30,"outputTokens":9,"totalTokens":39}}`, "", llm.Usage{Prompt: 30, Completion: 9, Total: 39})
	f(js, `{"candidates":[],"modelVersion":"gemini-2.5","usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":4,"thoughtsTokenCount":6,"cachedContentTokenCount":2,"totalTokenCount":18}}`,
		"gemini-2.5", llm.Usage{Prompt: 8, Completion: 10, Total: 18, Cached: 2, Reasoning: 6})
	f(js, `[{"usageMetadata":{"promptTokenCount":8}},{"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":4}}]`, "", llm.Usage{Prompt: 8, Completion: 4, Total: 12})
	f(js, `{"id":"x","results":[],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":2}}}`, "", llm.Usage{Searches: 2})
	f(js, `{"usage":{"billed_units":{"input_tokens":5,"output_tokens":6},"tokens":{"input_tokens":71,"output_tokens":6}}}`, "", llm.Usage{Prompt: 71, Completion: 6, Total: 77})
	f(sse, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n"+
		"data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"usage\"}}\n\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":12}}\n\n",
		"claude", llm.Usage{Prompt: 9, Completion: 12, Total: 21})
	f(sse, "data: {\"model\":\"m\",\"choices\":[{}]}\r\n\r\ndata: {\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\r\n\r\ndata: [DONE]\r\n\r\n",
		"m", llm.Usage{Prompt: 1, Completion: 2, Total: 3})
	f(sse, "data: {\"type\":\"response.completed\",\"response\":{\"model\":\"gpt-5\",\"usage\":{\"input_tokens\":4,\"input_tokens_details\":{\"cached_tokens\":1},\"output_tokens\":2,\"total_tokens\":6}}}\n\n",
		"gpt-5", llm.Usage{Prompt: 4, Completion: 2, Total: 6, Cached: 1})
	f(sse, `data: {"type":"transcript.text.done","text":"x","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"audio_tokens":14},"output_tokens":3,"total_tokens":17}}`,
		"", llm.Usage{Prompt: 14, Completion: 3, Total: 17, AudioPrompt: 14})
	f("application/vnd.amazon.eventstream",
		frame(`{"contentBlockIndex":0,"delta":{"text":"usage"}}`)+frame(`{"metrics":{"latencyMs":1},"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7}}`),
		"", llm.Usage{Prompt: 3, Completion: 4, Total: 7})
	f("application/vnd.amazon.eventstream",
		frame(`{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(`{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":11,"outputTokenCount":2}}`))+`"}`),
		"", llm.Usage{Prompt: 11, Completion: 2, Total: 13})
	f("audio/mpeg", `{"usage":{"prompt_tokens":1}}`, "", llm.Usage{})
	f(js, `not JSON`, "", llm.Usage{})
	f(js, `{"usage":{"prompt_tokens":`, "", llm.Usage{})
	f(sse, "data: {\"usage\":{\"prompt_tokens\":1}}\n"+"data: "+strings.Repeat("x", 2<<20)+"\ndata: {\"usage\":{\"completion_tokens\":1}}\n", "", llm.Usage{Prompt: 1, Completion: 1, Total: 2})
}

// frame is a message of Amazon's event stream with one header and checksums of zero.
func frame(payload string) string {
	const header = "\x05:type\x07\x00\x01x"
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(header)+len(payload)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(header)))
	return string(b) + "\x00\x00\x00\x00" + header + payload + "\x00\x00\x00\x00"
}

func TestPlus(t *testing.T) {
	t.Parallel()
	a := llm.Usage{
		Prompt: 1, Completion: 2, Total: 3, Cached: 4, Reasoning: 5, CacheWrite: 6, CacheWriteHour: 7, AudioPrompt: 8,
		AudioCompletion: 9, Images: 10, Characters: 11, Searches: 12, Seconds: 1.5,
	}
	want := llm.Usage{
		Prompt: 2, Completion: 4, Total: 6, Cached: 8, Reasoning: 10, CacheWrite: 12, CacheWriteHour: 14, AudioPrompt: 16,
		AudioCompletion: 18, Images: 20, Characters: 22, Searches: 24, Seconds: 3,
	}
	if got := usage.Plus(a, a); got != want {
		t.Fatalf("%+v", got)
	}
}

// Nothing in foreign bytes may panic, make the meter keep more than its limits, or count below zero.
func FuzzMeter(f *testing.F) {
	f.Add("application/json", []byte(`{"usage":{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":1}}}`))
	f.Add("text/event-stream", []byte("data: {\"message\":{\"usage\":{\"input_tokens\":-5}}}\n\n"))
	f.Add("application/vnd.amazon.eventstream", []byte(frame(`{"usage":{}}`)))
	f.Fuzz(func(t *testing.T, contentType string, b []byte) {
		var m usage.Meter
		m.Reset([]byte(contentType))
		m.Write(b)
		if u := m.End(); u.Prompt < 0 || u.Completion < 0 || u.Total < 0 || u.Seconds < 0 {
			t.Fatalf("%+v", u)
		}
	})
}

// A video that is being made tells its seconds beside what is said of every video.
func TestFilm(t *testing.T) {
	t.Parallel()
	f := func(body string, want float64) {
		t.Helper()
		var m usage.Meter
		m.Reset([]byte("application/json"))
		m.Write([]byte(body))
		if u := m.End(); m.Film != want || u != (llm.Usage{}) {
			t.Errorf("%s: %v, %+v", body, m.Film, u)
		}
	}
	f(`{"id":"video_1","object":"video","model":"sora-2","status":"queued","progress":0,"size":"1280x720","seconds":"8"}`, 8)
	f(`{"seconds":4,"object":"video"}`, 4)
	f(`{"object":"list","seconds":"8"}`, 0)
	f(`{"object":"video","seconds":"many"}`, 0)
}

// Streams that are cut count by what was said in them; files that hold the like do not.
func TestCut(t *testing.T) {
	t.Parallel()
	f := func(contentType, text string, in, out int64) {
		t.Helper()
		var m usage.Meter
		m.Reset([]byte(contentType))
		m.Write([]byte(text))
		if u := m.End(); u.Prompt != in || u.Completion != out || u.Total != in+out {
			t.Errorf("%s %s: %+v", contentType, text, u)
		}
	}
	const sse = "text/event-stream"
	const said = `data: {"choices":[{"delta":{"content":"twelve bytes"}}]}` + "\n\n"
	f(sse, said, 0, 3)
	f(sse, said+said, 0, 6)
	f("application/jsonl", said, 0, 0)
	f(sse, said+`data: {"usage":{"prompt_tokens":5,"completion_tokens":1}}`+"\n\n", 5, 1)
	f(sse, `data: {"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}}`+"\n\n"+`data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"twelve bytes"}}`+"\n\n", 9, 3)
	f(sse, `data: {"delta":"with \"quotes`, 0, 4)
	f("application/json", `{"usage":{"total_tokens":10}}`, 10, 0)
}
