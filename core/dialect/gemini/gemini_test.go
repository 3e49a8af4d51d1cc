package gemini

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// TestRefusals sends requests that cannot be said as chat completions, or that two parsers could read differently.
func TestRefusals(t *testing.T) {
	t.Parallel()
	f := func(request, param, words string) {
		t.Helper()
		_, err := ask([]byte(request))
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != llm.KindInvalid || e.Param != param || !strings.Contains(e.Message, words) {
			t.Errorf("%s\ngot %v (%+v), want %q about %q", request, err, e, words, param)
		}
	}
	contents := func(parts string) string { return `{"contents":[{"role":"user","parts":[` + parts + `]}]}` }
	f(`{}`, "contents", "is missing")
	f(`{"contents":"x"}`, "contents", "must be a list")
	f(`{"contents":[1]}`, "contents[0]", "must be an object")
	f(`{"contents":[],"somethingNew":1}`, "somethingNew", "no counterpart")
	f(`{"contents":[{"role":"system","parts":[]}]}`, "contents[0].role", "must be user or model")
	f(`{"contents":[{"role":"user","parts":[],"x":1}]}`, "contents[0].x", "is not known")
	f(`{"contents":[{"parts":[{"text":"a"}],"parts":[{"text":"b"}]}]}`, "contents[0].parts", "is there twice")
	f(`{"contents":[],"systemInstruction":{"parts":[]},"system_instruction":{"parts":[]}}`, "request.systemInstruction", "is there twice")
	f(contents(`{"text":"a","text":"b"}`), "contents[0].parts[0].text", "is there twice")
	f(contents(`{"t\u0065xt":"a"}`), "contents[0].parts[0]", "written with escapes")
	f(contents(`{"text":"a","functionCall":{"name":"f"}}`), "contents[0].parts[0]", "two kinds")
	f(contents(`{"text":1}`), "contents[0].parts[0].text", "must be a string")
	f(contents(`{"functionCall":{"name":"f"}}`), "contents[0]", "only the role model has")
	f(contents(`{"functionResponse":{"response":{}}}`), "contents[0].parts[0].functionResponse.name", "is missing")
	f(contents(`{"functionResponse":{"name":"f","response":[]}}`), "contents[0].parts[0].functionResponse.response", "must be an object")
	f(contents(`{"inlineData":{"data":"AA=="}}`), "contents[0].parts[0].inlineData.mimeType", "is missing")
	f(contents(`{"inlineData":{"mimeType":"image/png"}}`), "contents[0].parts[0].inlineData.data", "is missing")
	f(contents(`{"fileData":{"mimeType":"image/png"}}`), "contents[0].parts[0].fileData.fileUri", "is missing")
	f(`{"contents":[],"systemInstruction":{"parts":[{"inlineData":{"mimeType":"image/png","data":""}}]}}`, "systemInstruction.parts[0]", "is no text")
	f(`{"contents":[],"tools":[{"functionDeclarations":[{}]}]}`, "tools[0].functionDeclarations[0].name", "is missing")
	f(`{"contents":[],"tools":{}}`, "tools", "must be a list")
	f(`{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingLevel":"WILD"}}}`,
		"generationConfig.thinkingConfig.thinkingLevel", "must be minimal")
	f(`{"contents":[],"generationConfig":{"responseMimeType":"application/json","responseSchema":1}}`, "generationConfig.responseSchema", "is not an object")
	f(`{"contents":[],"generationConfig":[]}`, "generationConfig", "must be an object")
}

func TestSchema(t *testing.T) {
	t.Parallel()
	f := func(schema, want string) {
		t.Helper()
		got, err := AppendSchema(nil, []byte(schema))
		if err != nil {
			got = []byte(err.Error())
		} else if !json.Valid(got) {
			t.Errorf("%s is no JSON", got)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", schema, diff)
		}
	}
	f(`{"type":"object","title":"T","$schema":"s","properties":{"a":{"type":"string","format":"email"}},"required":["a"],"additionalProperties":false}`,
		`{"type":"OBJECT","properties":{"a":{"type":"STRING"}},"required":["a"],"propertyOrdering":["a"]}`)
	f(`{"type":["string","null"],"format":"date-time","description":"d"}`,
		`{"description":"d","type":"STRING","format":"date-time","nullable":true}`)
	f(`{"type":["string","integer"]}`, `{"anyOf":[{"type":"STRING"},{"type":"INTEGER"}]}`)
	f(`{"anyOf":[{"type":"string"},{"type":"null"}]}`, `{"anyOf":[{"type":"STRING"}],"nullable":true}`)
	f(`{"const":"x"}`, `{"type":"STRING","enum":["x"]}`)
	f(`{"type":"integer","enum":[1,2],"minimum":1}`, `{"minimum":1,"type":"INTEGER"}`)
	f(`{"type":"array","items":{"$ref":"#/$defs/A"},"$defs":{"A":{"allOf":[{"type":"boolean"}]}}}`,
		`{"type":"ARRAY","items":{"type":"BOOLEAN"}}`)
	f(`{"properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"properties":{"a":{"$ref":"#/$defs/A"}}}}}`, "is nested too deep, or refers to itself")
	f(`{"$ref":"https://example.com/a"}`, "has a $ref that is not one of its own $defs")
	f(`{"$ref":"#/$defs/none"}`, "has a $ref that is not one of its own $defs")
	f(`{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}}`, "is nested too deep, or refers to itself")
	f(`[]`, "is not an object")
	many := `{"$ref":"#/$defs/a","$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"},{"$ref":"#/$defs/b"}]},"b":{"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}]}}}`
	if _, err := AppendSchema(nil, []byte(many)); err == nil {
		t.Error("a schema that multiplies passed")
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	f := func(raw string, want llm.Usage) {
		t.Helper()
		var u Usage
		u.Scan([]byte(raw))
		if diff := cmp.Diff(want, u.Tokens()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", raw, diff)
		}
	}
	f(`{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":7,"totalTokenCount":22,"cachedContentTokenCount":4}`,
		llm.Usage{Prompt: 10, Completion: 12, Total: 22, Cached: 4, Reasoning: 7})
	f(`{"promptTokenCount":10,"candidatesTokenCount":12,"thoughtsTokenCount":7,"totalTokenCount":22}`, // thoughts are among the candidates
		llm.Usage{Prompt: 10, Completion: 12, Total: 22, Reasoning: 7})
	f(`{"promptTokenCount":10,"thoughtsTokenCount":7,"totalTokenCount":17}`, llm.Usage{Prompt: 10, Completion: 7, Total: 17, Reasoning: 7})
	f(`{"promptTokenCount":10,"candidatesTokenCount":2,"toolUsePromptTokenCount":30,"totalTokenCount":42}`,
		llm.Usage{Prompt: 40, Completion: 2, Total: 42})
	f(`{"promptTokenCount":10,"candidatesTokenCount":2,"promptTokensDetails":[{"modality":"TEXT","tokenCount":4},{"modality":"AUDIO","tokenCount":6}],"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":2}]}`,
		llm.Usage{Prompt: 10, Completion: 2, Total: 12, AudioPrompt: 6, AudioCompletion: 2})
	f(`{"promptTokenCount":10,"cachedContentTokenCount":5,"promptTokensDetails":[{"modality":"VIDEO","tokenCount":4}],"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":2},{"modality":"IMAGE","tokenCount":1}],"candidatesTokenCount":3,"candidatesTokensDetails":[{"modality":"VIDEO","tokenCount":3}]}`,
		llm.Usage{Prompt: 10, Completion: 3, Total: 13, Cached: 5, CachedAudio: 2, CachedImage: 1, VideoPrompt: 4, VideoCompletion: 3})
}

func TestAsked(t *testing.T) {
	t.Parallel()
	f := func(raw string, web, maps int64) {
		t.Helper()
		if w, m := Asked([]byte(raw)); w != web || m != maps {
			t.Errorf("%s: %d, %d", raw, w, m)
		}
	}
	f(`{"webSearchQueries":["a","b"],"groundingChunks":[{"web":{"uri":"u"}}]}`, 2, 0)
	f(`{"groundingChunks":[{"web":{}},{"maps":{"uri":"u","placeId":"p"}},{"maps":{}}]}`, 0, 1)
	f(`{}`, 0, 0)
}

func TestVersion(t *testing.T) {
	t.Parallel()
	f := func(model string, major, minor int) {
		t.Helper()
		if a, b := Version(model); a != major || b != minor {
			t.Errorf("%s: got %d.%d, want %d.%d", model, a, b, major, minor)
		}
	}
	f("gemini-2.5-flash-lite", 2, 5)
	f("gemini-3-pro-preview", 3, 0)
	f("publishers/google/models/gemini-3.1-pro", 3, 1)
	f("gemini-4-argon", 4, 0)
	f("gemini-flash-latest", 0, 0)
	f("gemini-20250101", 0, 0)
	f("text-embedding-005", 0, 0)
}

func TestFailure(t *testing.T) {
	t.Parallel()
	var f Failure
	body := `[{"error":{"code":429,"message":"Slow down.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"3.5s"}]}}]`
	if !ScanFailure([]byte(body), &f) || f.Code != 429 || string(f.Delay) != `"3.5s"` || string(f.Status) != `"RESOURCE_EXHAUSTED"` {
		t.Errorf("got %+v", f)
	}
	if ScanFailure([]byte(`{"candidates":[]}`), &f) || ScanFailure([]byte(`<html>`), &f) || ScanFailure(nil, &f) {
		t.Error("an answer counts as an error")
	}
	got := AppendError(nil, &llm.Error{Kind: llm.KindRateLimit, RetryAfter: 1500e6}, "Slow \"down\".")
	want := `{"error":{"code":429,"message":"Slow \"down\".","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s"}]}}`
	if string(got) != want {
		t.Errorf("got %s", got)
	}
}

// FuzzRequest checks that whatever parses becomes a request in JSON or an error that names something.
func FuzzRequest(f *testing.F) {
	f.Add(`{"systemInstruction":{"parts":[{"text":"a"}]},"contents":[{"role":"user","parts":[{"text":"b"},{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}]}`)
	f.Add(`{"contents":{"parts":{"text":"a"}},"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":5}}}`)
	f.Add(`{"contents":[{"role":"model","parts":[{"text":"a","thought":true,"thoughtSignature":"_w"},{"functionCall":{"name":"f","args":{}}}]},{"parts":[{"functionResponse":{"name":"f","response":{}}}]}]}`)
	f.Fuzz(func(t *testing.T, in string) {
		if !json.Valid([]byte(in)) {
			return
		}
		out, err := ask([]byte(in))
		var e *llm.Error
		var syntax *llm.SyntaxError
		switch {
		case err == nil && !json.Valid(out):
			t.Errorf("%s\nbecame %s", in, out)
		case err != nil && !errors.As(err, &syntax) && (!errors.As(err, &e) || e.Param == ""):
			t.Errorf("%v names nothing", err)
		}
	})
}

// FuzzAnswer checks the same of answers and chunks, and that reading a vendor's own answer does not fail either.
func FuzzAnswer(f *testing.F) {
	f.Add(`{"id":"a","choices":[{"index":0,"message":{"content":"a","tool_calls":[{"id":"x","function":{"name":"f","arguments":"{}"}}]},"delta":{"reasoning_content":"r"},"finish_reason":"stop"}]}`)
	f.Add(`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}}`)
	f.Fuzz(func(t *testing.T, in string) {
		var a Answer
		if ScanAnswer([]byte(in), &a) {
			var d Candidate
			ScanCandidate(a.Candidates, &d)
			var p Part
			ScanPart(d.Parts, &p)
		}
		var fail Failure
		ScanFailure([]byte(in), &fail)
		if !json.Valid([]byte(in)) {
			return
		}
		if out, err := AppendAnswer(nil, []byte(in), llm.Usage{}); err == nil && !json.Valid(out) {
			t.Errorf("%s\nbecame %s", in, out)
		}
		var s Stream
		out, err := s.Append(nil, []byte(in))
		if err == nil && len(out) > 0 && !json.Valid(out) {
			t.Errorf("%s\nbecame %s", in, out)
		}
		if out = s.AppendEnd(nil, llm.Usage{}); !json.Valid(out) {
			t.Errorf("%s\nended with %s", in, out)
		}
	})
}

// FuzzSchema checks that a schema becomes JSON or an error.
func FuzzSchema(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":["string","null"]}}}`)
	f.Fuzz(func(t *testing.T, in string) {
		if !json.Valid([]byte(in)) {
			return
		}
		if out, err := AppendSchema(nil, []byte(in)); err == nil && !json.Valid(out) {
			t.Errorf("%s\nbecame %s", in, out)
		}
		if out, err := AppendJSONSchema(nil, []byte(in)); err == nil && !json.Valid(out) {
			t.Errorf("%s\nbecame %s", in, out)
		}
	})
}
