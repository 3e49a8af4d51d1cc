package cache

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
)

const wholeResponse = `{"id":"resp_1","object":"response","created_at":1,"completed_at":2,"status":"completed","model":"m","output":[` +
	`{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Hm \"so\""}],"content":[{"type":"reasoning_text","text":"deep"}],"encrypted_content":"x"},` +
	`{"id":"ws_1","type":"web_search_call","status":"completed","action":{"type":"search","query":"q"}},` +
	`{"id":"m_1","type":"message","role":"assistant","status":"completed","content":[` +
	`{"type":"output_text","text":"Hello é","annotations":[{"type":"url_citation","url":"u"},{"type":"url_citation","url":"v"}],"logprobs":[{"token":"Hello","logprob":-0.5}]},` +
	`{"type":"refusal","refusal":"no"}]},` +
	`{"id":"fc_1","type":"function_call","status":"completed","call_id":"c1","name":"f","arguments":"{\"a\":1}"},` +
	`{"id":"ct_1","type":"custom_tool_call","call_id":"c2","name":"g","input":"free"},` +
	`{"id":"ci_1","type":"code_interpreter_call","status":"completed","code":"1+1","container_id":"k","outputs":null},` +
	`{"id":"mc_1","type":"mcp_call","name":"h","arguments":"{}","output":"o","server_label":"s"}],` +
	`"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}`

// The events of a response tell all of it, in the order of the API, and end with it.
func TestReplayResponse(t *testing.T) {
	t.Parallel()
	parts, ok := appendResponseEvents(nil, []byte(wholeResponse))
	if !ok {
		t.Fatal("no events")
	}
	if got := string(completedResponse(parts)); got != wholeResponse {
		t.Errorf("the last event has %s", got)
	}
	var names []string
	said := map[string]string{}
	for n := 0; len(parts) > 0; n++ {
		event, data, rest, ok := nextPart(parts)
		if !ok {
			t.Fatal("a part is cut")
		}
		parts = rest
		var e struct {
			Type     string
			Sequence int    `json:"sequence_number"`
			ItemID   string `json:"item_id"`
			Delta    string
			Output   int `json:"output_index"`
			Content  int `json:"content_index"`
			Item     struct {
				Status  string
				Content []any
			}
			Response struct {
				Status string
				Output []any
			}
		}
		if err := json.Unmarshal(data, &e); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if e.Type != string(event) || e.Sequence != n {
			t.Errorf("event %d: %s %d", n, e.Type, e.Sequence)
		}
		if n < 2 && (e.Response.Status != "in_progress" || len(e.Response.Output) > 0) {
			t.Errorf("the response begins as %s", data)
		}
		if strings.HasSuffix(e.Type, "item.added") && (e.Item.Status == "completed" || len(e.Item.Content) > 0) {
			t.Errorf("the item begins as %s", data)
		}
		if e.Delta != "" {
			said[fmt.Sprint(e.Output, e.ItemID, e.Type, e.Content)] = e.Delta
		}
		names = append(names, strings.TrimPrefix(e.Type, "response."))
	}
	want := map[string]string{
		"0rs_1response.reasoning_summary_text.delta0": `Hm "so"`, "0rs_1response.reasoning_text.delta0": "deep",
		"2m_1response.output_text.delta0": "Hello é", "2m_1response.refusal.delta1": "no",
		"3fc_1response.function_call_arguments.delta0": `{"a":1}`, "4ct_1response.custom_tool_call_input.delta0": "free",
		"5ci_1response.code_interpreter_call_code.delta0": "1+1", "6mc_1response.mcp_call_arguments.delta0": "{}",
	}
	if d := cmp.Diff(want, said); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(strings.Fields(`created in_progress
		output_item.added reasoning_summary_part.added reasoning_summary_text.delta reasoning_summary_text.done reasoning_summary_part.done
		content_part.added reasoning_text.delta reasoning_text.done content_part.done output_item.done
		output_item.added output_item.done
		output_item.added content_part.added output_text.delta output_text.annotation.added output_text.annotation.added output_text.done content_part.done
		content_part.added refusal.delta refusal.done content_part.done output_item.done
		output_item.added function_call_arguments.delta function_call_arguments.done output_item.done
		output_item.added custom_tool_call_input.delta custom_tool_call_input.done output_item.done
		output_item.added code_interpreter_call_code.delta code_interpreter_call_code.done output_item.done
		output_item.added mcp_call_arguments.delta mcp_call_arguments.done output_item.done
		completed`), names); d != "" {
		t.Error(d)
	}
	for _, status := range []string{"failed", "in_progress", "queued", "cancelled"} {
		if _, ok := appendResponseEvents(nil, []byte(strings.Replace(wholeResponse, `"status":"completed","model"`, `"status":"`+status+`","model"`, 1))); ok {
			t.Errorf("a response that %s has a stream", status)
		}
	}
	cut := strings.Replace(wholeResponse, `"status":"completed","model"`, `"status":"incomplete","model"`, 1)
	if parts, ok := appendResponseEvents(nil, []byte(cut)); !ok || string(completedResponse(parts)) != cut {
		t.Error("a response that reached its longest length")
	}
}

func chunksOf(list ...string) (parts []byte) {
	for _, c := range list {
		parts = appendPart(parts, nil, []byte(c))
	}
	return parts
}

// The chunks of Google's are one answer: texts are joined, thoughts kept apart, and what each chunk says anew is the last.
func TestJoinAnswers(t *testing.T) {
	t.Parallel()
	join := func(want string, chunks ...string) {
		t.Helper()
		got, ok := joinAnswers(nil, chunksOf(chunks...))
		if !ok && want != "" || ok && string(got) != want {
			t.Errorf("got %s, %v\nwant %s", got, ok, want)
		}
	}
	join(`{"candidates":[{"content":{"parts":[{"text":"Hm so","thought":true},{"text":"Hello \"you\""},{"functionCall":{"name":"f","args":{}}},{"text":"!","thoughtSignature":"s"}],"role":"model"},`+
		`"index":0,"finishReason":"STOP","safetyRatings":[1]}],"usageMetadata":{"totalTokenCount":12},"modelVersion":"g","responseId":"r"}`,
		`{"candidates":[{"content":{"parts":[{"text":"Hm ","thought":true}],"role":"model"},"index":0}],"usageMetadata":{"totalTokenCount":7},"modelVersion":"g","responseId":"r"}`,
		`{"candidates":[{"content":{"parts":[{"text":"so","thought":true},{"text":"Hello \"y"}],"role":"model"},"index":0}],"usageMetadata":{"totalTokenCount":9}}`,
		`{"candidates":[{"content":{"parts":[{"text":"ou\""},{"functionCall":{"name":"f","args":{}}}],"role":"model"},"index":0}]}`,
		`{"candidates":[{"content":{"parts":[{"text":"!","thoughtSignature":"s"}],"role":"model"},"finishReason":"STOP","index":0,"safetyRatings":[1]}],"usageMetadata":{"totalTokenCount":12}}`)
	join(`{"candidates":[{"content":{"parts":[{"text":"ac"}]},"finishReason":"STOP"},{"content":{"parts":[{"text":"b"}]},"index":1,"finishReason":"MAX_TOKENS"}]}`,
		`{"candidates":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"index":1}]}`,
		`{"candidates":[{"content":{"parts":[{"text":"c"}]},"finishReason":"STOP"}]}`,
		`{"candidates":[{"finishReason":"MAX_TOKENS","index":1}]}`)
	join("", `{"candidates":[{"content":{"parts":[{"text":"no end"}]}}]}`)
	join("", `{"candidates":[{"content":{"parts":[{"text":"no JSON"}]}`)
	join("", `{"promptFeedback":{"blockReason":"SAFETY"}}`)
	// Two chunks with sources: the places that they name are in their own chunks.
	join("", `{"candidates":[{"content":{"parts":[{"text":"a"}]},"citationMetadata":{"citationSources":[{"startIndex":0}]}}]}`,
		`{"candidates":[{"content":{"parts":[{"text":"b"}]},"citationMetadata":{"citationSources":[{"startIndex":0}]},"finishReason":"STOP"}]}`)
}

// Whatever a vendor said, nothing panics, and JSON stays JSON.
func FuzzReshape(f *testing.F) {
	f.Add(wholeResponse, "")
	f.Add(`{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`, `{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]}`)
	f.Add(`{"id":"msg","content":[{"type":"text","text":"x"}],"stop_reason":"end_turn"}`, `{"choices":[{"message":{"content":"x"}}]}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, d := range []llm.Dialect{llm.DialectOpenAI, llm.DialectMessages, llm.DialectResponses, llm.DialectGoogle} {
			for _, k := range []kind{kindWhole, kindStream} {
				parts, ok := reshape(nil, &entry{dialect: d, kind: k, parts: chunksOf(a, b)})
				if !ok || !json.Valid([]byte(a)) || !json.Valid([]byte(b)) {
					continue
				}
				for len(parts) > 0 {
					_, data, rest, ok := nextPart(parts)
					if !ok || !json.Valid(data) {
						t.Fatalf("dialect %v, kind %v: %s of %s and %s", d, k, data, a, b)
					}
					parts = rest
				}
			}
		}
	})
}
