package responses

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/dialecttest"
	"github.com/sallyport-ai/sallyport/core/llm"
)

var update = dialecttest.UpdateFlag()

func speaker(t testing.TB, request string) *Voice {
	t.Helper()
	ask := new(llm.Object)
	if err := ask.Parse([]byte(request)); err != nil {
		t.Fatal(err)
	}
	return &Voice{ID: "resp_1", Ask: ask, Now: time.Unix(1741569952, 0), Stored: true}
}

func ask(o *llm.Object) (out []byte, lost, err error) { return AppendChat(nil, o, Options{}) }

func TestGoldens(t *testing.T) {
	t.Parallel()
	dialecttest.Goldens(t, *update, func(t *testing.T, kind string, in []byte) []byte {
		v := speaker(t, `{"model":"m","input":"hi","tools":[{"type":"custom","name":"patch"}],"temperature":0.5}`)
		return dialecttest.Tell(t, v, ask, kind, in)
	})
}

func TestID(t *testing.T) {
	t.Parallel()
	id := ID{Provider: "openai", Deployment: "d;1", Response: "resp_abc"}
	if got, ok := ParseID(id.String()); !ok || got != id || Own(id.String()) != "resp_abc" {
		t.Errorf("%+v %v", got, ok)
	}
	// Made by the reference (litellm/responses/utils.py, _build_responses_api_response_id).
	const reference = "resp_bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVyOm9wZW5haTttb2RlbF9pZDphYmM7cmVzcG9uc2VfaWQ6cmVzcF8xMjM="
	if got, ok := ParseID(reference); !ok || got != (ID{"openai", "abc", "resp_123"}) || got.String() != reference {
		t.Errorf("%+v %v", got, ok)
	}
	for _, other := range []string{"", "resp_", "resp_68af4030592c81938ec0a5fbab4a3e9f05438e46b5f69a3b", "resp_" + strings.Repeat("A", 9000), "resp_bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVyOm8="} {
		if got, ok := ParseID(other); ok || Own(other) != other {
			t.Errorf("%s: %+v", other, got)
		}
	}
}

func TestScan(t *testing.T) {
	t.Parallel()
	var s Scanned
	b := []byte(`{"id":"resp_1","status":"incomplete","error":null,"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":2}},"output":[{"id":"no"}]}`)
	want := llm.Usage{Prompt: 9, Completion: 3, Total: 12, Cached: 4, Reasoning: 2}
	if !Scan(b, &s) || string(b[s.ID.Start:s.ID.End]) != `"resp_1"` || s.Usage != want || Finish(s.Status) != "length" || s.Failed != nil {
		t.Errorf("%+v", s)
	}
	b = []byte(`{"type":"response.failed","sequence_number":1,"response":{"object":"response","id":"resp_2","status":"failed","error":{"code":"x"}}}`)
	if !Scan(b, &s) || string(b[s.ID.Start:s.ID.End]) != `"resp_2"` || !s.Ended || string(s.Failed) != `{"code":"x"}` {
		t.Errorf("%+v", s)
	}
	b = []byte(`{"id":"r","output":[{"type":"web_search_call","action":{"type":"search"}},{"type":"code_interpreter_call","container_id":"c"},` +
		`{"type":"file_search_call"}],"usage":{"input_tokens":1,"output_tokens":1}}`)
	want = llm.Usage{Prompt: 1, Completion: 1, Total: 2, Searches: 1, Sessions: 1, FileSearches: 1}
	if !Scan(b, &s) || s.Usage != want {
		t.Errorf("%+v", s)
	}
	b = []byte(`{"id":"r","output":[{"type":"web_search_call"},{"type":"web_search_call"}],"tool_usage":{"web_search":{"num_requests":1}},"usage":{"input_tokens":1}}`)
	if want = (llm.Usage{Prompt: 1, Total: 1, Searches: 1}); !Scan(b, &s) || s.Usage != want {
		t.Errorf("%+v", s)
	}
	for _, bad := range []string{"", "[]", `{"id":`} {
		if Scan([]byte(bad), &s) {
			t.Errorf("%q passed", bad)
		}
	}
}

// What the model thought comes back with its signature, in its place.
func TestReasoningComesBack(t *testing.T) {
	t.Parallel()
	v := speaker(t, `{"model":"m","input":"hi"}`)
	if _, err := v.Whole(nil, []byte(`{"model":"m","choices":[{"message":{"role":"assistant","content":"a","thinking_blocks":[{"type":"thinking","thinking":"t\n","signature":"s=="},{"type":"redacted_thinking","data":"d"}],"tool_calls":[{"id":"c1","type":"function","function":{"name":"n","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}`)); err != nil {
		t.Fatal(err)
	}
	var o llm.Object
	if err := o.Parse([]byte(`{"model":"m","input":[` + string(v.Items()) + `,{"type":"function_call_output","call_id":"c1","output":"1"}]}`)); err != nil {
		t.Fatal(err)
	}
	out, _, err := AppendChat(nil, &o, Options{})
	const want = `{"model":"m","messages":[{"role":"assistant","content":"a","thinking_blocks":[{"type":"thinking","thinking":"t\n","signature":"s=="},{"type":"redacted_thinking","data":"d"}],"tool_calls":[{"id":"c1","type":"function","function":{"name":"n","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"1"}]}`
	if err != nil || string(out) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, out, want)
	}
}

func FuzzAppendChat(f *testing.F) {
	f.Add([]byte(`{"model":"m","instructions":"i","input":[{"role":"user","content":[{"type":"input_text","text":"t"},{"type":"input_image","image_url":"u"},{"type":"input_file","file_id":"f"}]},{"type":"reasoning","summary":[{"text":"s"}],"encrypted_content":"signature:x"},{"type":"function_call","call_id":"c","name":"n","arguments":"{}"},{"role":"assistant","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"r"}]},{"type":"function_call_output","call_id":"c","output":[]}]}`))
	f.Add([]byte(`{"input":"x","tools":[{"type":"function","name":"a"},{"type":"custom","name":"b","format":{"definition":"g"}},{"type":"web_search","user_location":{"city":"c"}}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"name":"a"}]},"text":{"format":{"type":"json_schema","schema":{}}},"include":["message.output_text.logprobs"]}`))
	f.Fuzz(func(t *testing.T, b []byte) { dialecttest.Asked(t, b, ask) })
}

func FuzzVoice(f *testing.F) {
	f.Add([]byte(`{"id":"x","choices":[{"index":0,"message":{"content":"a","refusal":"r","tool_calls":[{"id":"i","function":{"name":"n","arguments":"{}"}}]},"logprobs":{"content":[{"token":"a"}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}`))
	f.Add([]byte(`{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"text":"t"}]},{"type":"text","text":"b"}],"thinking_blocks":[{"type":"thinking","thinking":"x","signature":"s"}],"annotations":[{"url_citation":{"url":"u"}}],"tool_calls":[{"index":0,"id":"i","function":{"name":"patch","arguments":"{\"input\":\"x\"}"}}]}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dialecttest.Robust(t, b, func() dialecttest.Voice {
			return speaker(t, `{"tools":[{"type":"custom","name":"patch"}]}`)
		})
	})
}

func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"type":"response.completed","response":{"id":"x","usage":{"input_tokens":1}}}`))
	f.Add([]byte(`{"id":"x","error":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Scanned
		if Scan(b, &s) && (s.ID.End > len(b) || s.ID.Start > s.ID.End) {
			t.Errorf("%+v", s)
		}
		if id, ok := ParseID(string(b)); ok && id.Response == "" {
			t.Errorf("%+v", id)
		}
	})
}
