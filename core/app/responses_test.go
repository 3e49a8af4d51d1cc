package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

const respond = "/v1/responses"

// compatible is a configuration with a vendor that has chat completions only, and one that has the Responses API.
func compatible(v *ut.Vendor) string {
	return fmt.Sprintf(`
model_list:
  - model_name: chat
    litellm_params: {model: groq/llama, api_base: "%[1]s/v1", api_key: sk-upstream}
  - model_name: m
    model_info: {id: first}
    litellm_params: {model: openai/gpt-5, api_base: "%[1]s/a", api_key: sk-upstream}
  - model_name: m
    model_info: {id: second}
    litellm_params: {model: openai/gpt-5, api_base: "%[1]s/b", api_key: sk-upstream}
router_settings: {num_retries: 0}
general_settings: {master_key: sk-1234}
`, v.URL)
}

func sdk(s *apptest.Server) openai.Client {
	return openai.NewClient(option.WithBaseURL(s.URL+"/v1"), option.WithAPIKey(apptest.MasterKey), option.WithMaxRetries(0))
}

func TestResponsesToChat(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"id":"c1","object":"chat.completion","model":"llama","choices":[{"index":0,"message":{"role":"assistant","content":"It is \"so\".","reasoning_content":"hm","tool_calls":[{"id":"call_1","type":"function","function":{"name":"read","arguments":"{\"a\":1}"}},{"id":"call_2","type":"function","function":{"name":"patch","arguments":"{\"input\":\"*** Begin\\nx\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4}}}`))
	s := apptest.Start(t, compatible(v))
	r := s.Post(respond, `{"model":"chat","instructions":"Be brief.","max_output_tokens":9,"reasoning":{"effort":"low","summary":"auto"},
		"include":["reasoning.encrypted_content"],"prompt_cache_key":"k","store":true,"metadata":{"a":"b"},"truncation":"disabled",
		"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true},"verbosity":"low"},
		"tools":[{"type":"function","name":"read","parameters":{"type":"object"},"strict":false},{"type":"custom","name":"patch","description":"Patches","format":{"type":"grammar","syntax":"lark","definition":"start: x"}}],
		"tool_choice":{"type":"function","name":"read"},"parallel_tool_calls":false,
		"input":[{"role":"developer","content":"d"},{"role":"user","content":[{"type":"input_text","text":"hi"},{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"low"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AAAA"}]},
			{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"t"}],"encrypted_content":"x"},
			{"type":"function_call","call_id":"c0","name":"read","arguments":"{}"},{"type":"custom_tool_call","call_id":"c9","name":"patch","input":"p\"q"},
			{"type":"function_call_output","call_id":"c0","output":"done"},{"type":"custom_tool_call_output","call_id":"c9","output":[{"type":"input_text","text":"ok"}]}]}`)
	if r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	var got struct {
		ID, Object, Status, Model string
		Output                    []map[string]any
		Usage                     map[string]any
		Tools                     []any
		Metadata                  map[string]any
	}
	if err := json.Unmarshal([]byte(r.Body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Object != "response" || got.Status != "completed" || got.Model != "chat" || len(got.Output) != 4 || len(got.Tools) != 2 || got.Metadata["a"] != "b" {
		t.Fatalf("%s", r.Body)
	}
	types := ""
	for _, o := range got.Output {
		types += fmt.Sprint(o["type"], " ")
	}
	if types != "reasoning message function_call custom_tool_call " || got.Output[3]["input"] != "*** Begin\nx" || got.Output[2]["arguments"] != `{"a":1}` {
		t.Fatalf("%s: %s", types, r.Body)
	}
	if fmt.Sprint(got.Usage["input_tokens"], got.Usage["output_tokens"], got.Usage["total_tokens"]) != "10 5 15" {
		t.Fatalf("%v", got.Usage)
	}
	sameJSON(t, string(v.Requests()[0].Body), `{"model":"llama","max_tokens":9,"reasoning_effort":"low","verbosity":"low",
		"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}},
		"tools":[{"type":"function","function":{"name":"read","parameters":{"type":"object"},"strict":false}},
			{"type":"function","function":{"name":"patch","description":"Patches\n\nThe input must follow this grammar:\nstart: x","parameters":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}}}],
		"tool_choice":{"type":"function","function":{"name":"read"}},"parallel_tool_calls":false,
		"messages":[{"role":"system","content":"Be brief."},{"role":"system","content":"d"},
			{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA","filename":"a.pdf"}}]},
			{"role":"assistant","content":null,"tool_calls":[{"id":"c0","type":"function","function":{"name":"read","arguments":"{}"}},{"id":"c9","type":"function","function":{"name":"patch","arguments":"{\"input\":\"p\\\"q\"}"}}]},
			{"role":"tool","tool_call_id":"c0","content":"done"},{"role":"tool","tool_call_id":"c9","content":[{"type":"text","text":"ok"}]}]}`)

	// The conversation goes on without the vendor knowing of it.
	if r := s.Post(respond, `{"model":"chat","previous_response_id":"`+got.ID+`","input":[{"type":"function_call_output","call_id":"call_1","output":"1"},{"type":"custom_tool_call_output","call_id":"call_2","output":"2"}]}`); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	var sent struct{ Messages []map[string]any }
	if err := json.Unmarshal(v.Requests()[1].Body, &sent); err != nil {
		t.Fatal(err)
	}
	roles := ""
	for _, m := range sent.Messages {
		roles += fmt.Sprint(m["role"], " ")
	}
	if roles != "system user assistant tool tool assistant tool tool " || sent.Messages[5]["content"] != `It is "so".` {
		t.Fatalf("%s: %s", roles, v.Requests()[1].Body)
	}

	// What the gateway keeps can be fetched and deleted.
	if r := s.Get(respond + "/" + got.ID); r.Status != 200 || !strings.Contains(r.Body, `"id":"`+got.ID+`"`) {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if r := s.Get(respond + "/" + got.ID + "/input_items"); r.Status != 200 || strings.Count(r.Body, `"type":"input_image"`) != 1 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if r := s.Do("DELETE", respond+"/"+got.ID, ""); r.Status != 200 || !strings.Contains(r.Body, `"deleted":true`) {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if r := s.Get(respond + "/" + got.ID); r.Status != 404 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if r := s.Post(respond, `{"model":"chat","previous_response_id":"`+got.ID+`","input":"x"}`); r.Status != 400 || !strings.Contains(r.Body, "not found") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	for body, part := range map[string]string{
		`{"model":"chat","input":[{"type":"computer_call"}]}`:                 "input[0]",
		`{"model":"chat","input":"x","tools":[{"type":"code_interpreter"}]}`:  "code_interpreter",
		`{"model":"chat","input":7}`:                                          "input",
		`{"model":"chat","input":[{"role":"user","content":[{"type":"x"}]}]}`: "input[0].content[0]",
	} {
		if r := s.Post(respond, body); r.Status != 400 || !strings.Contains(r.Body, part) {
			t.Errorf("%s: %d %s", body, r.Status, r.Body)
		}
	}
}

// The SDK's streaming helper puts the events together to the response that it would have got whole.
func TestResponsesStream(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.SSE(
		ut.DeltaChunk("llama", `{"role":"assistant","content":""}`, ""), ut.DeltaChunk("llama", `{"reasoning_content":"hm"}`, ""),
		ut.ContentChunk("llama", "Hel"), ut.ContentChunk("llama", "lo"),
		ut.ToolChunk("llama", 0, "call_1", "read"), ut.ArgumentsChunk("llama", 0, `{"a"`), ut.ArgumentsChunk("llama", 0, `:1}`),
		ut.FinishChunk("llama", "tool_calls"), ut.UsageChunk("llama", 7, 9), "[DONE]"))
	s := apptest.Start(t, compatible(v))
	client := sdk(s)
	stream := client.Responses.NewStreaming(t.Context(), responses.ResponseNewParams{
		Model: "chat", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("hi")},
	})
	var kinds []string
	text, arguments := "", ""
	var whole responses.Response
	for stream.Next() {
		e := stream.Current()
		if int(e.SequenceNumber) != len(kinds) {
			t.Fatalf("event %d has the number %d", len(kinds), e.SequenceNumber)
		}
		kinds = append(kinds, strings.TrimPrefix(e.Type, "response."))
		switch e := e.AsAny().(type) {
		case responses.ResponseTextDeltaEvent:
			text += e.Delta
		case responses.ResponseFunctionCallArgumentsDeltaEvent:
			arguments += e.Delta
		case responses.ResponseCompletedEvent:
			whole = e.Response
		}
	}
	if stream.Err() != nil {
		t.Fatal(stream.Err())
	}
	want := "created in_progress output_item.added reasoning_summary_part.added reasoning_summary_text.delta reasoning_summary_text.done reasoning_summary_part.done output_item.done " +
		"output_item.added content_part.added output_text.delta output_text.delta output_text.done content_part.done output_item.done " +
		"output_item.added function_call_arguments.delta function_call_arguments.delta function_call_arguments.done output_item.done completed"
	if got := strings.Join(kinds, " "); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	if text != "Hello" || arguments != `{"a":1}` || whole.OutputText() != "Hello" || whole.Usage.TotalTokens != 16 || len(whole.Output) != 3 {
		t.Fatalf("%q %q %s", text, arguments, whole.RawJSON())
	}
}

// Vendors with the API get requests as they came; the id of a response leads back to the deployment that made it.
func TestResponsesNative(t *testing.T) {
	t.Parallel()
	answer := `{"id":"resp_abc", "object":"response","status":"completed","model":"gpt-5","output":[],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}`
	v := ut.New(t, ut.JSON(200, answer))
	s := apptest.Start(t, compatible(v))
	r := s.Post(respond, `{"x": [1,  2],"model":"m", "metadata":{"a":"b"},"num_retries":0,"input":"hi"}`)
	if r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	first := v.Requests()[0]
	if want := `{"x": [1,  2],"model":"gpt-5", "metadata":{"a":"b"},"input":"hi"}`; string(first.Body) != want {
		t.Fatalf("sent %s\nwant %s", first.Body, want)
	}
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(r.Body), &made); err != nil || made.ID == "resp_abc" || strings.Replace(r.Body, made.ID, "resp_abc", 1) != answer {
		t.Fatalf("%v %s", err, r.Body)
	}
	base := strings.TrimSuffix(first.Path, "/responses")
	f := func(method, path, body, want string) {
		t.Helper()
		before := len(v.Requests())
		r := s.Do(method, path, body)
		got := v.Requests()[before]
		if r.Status != 200 || got.Method+" "+got.Path != want || strings.Contains(string(got.Body), made.ID) {
			t.Fatalf("%d %s; sent %s %s %s, want %s", r.Status, r.Body, got.Method, got.Path, got.Body, want)
		}
	}
	for range 3 { // however often: always the same deployment
		f("POST", respond, `{"model":"m","input":"more","previous_response_id":"`+made.ID+`"}`, "POST "+base+"/responses")
		f("GET", respond+"/"+made.ID+"?include=x", "", "GET "+base+"/responses/resp_abc?include=x")
	}
	f("DELETE", respond+"/"+made.ID, "", "DELETE "+base+"/responses/resp_abc")
	f("POST", respond+"/"+made.ID+"/cancel", "", "POST "+base+"/responses/resp_abc/cancel")
	f("GET", "/openai/v1/responses/"+made.ID+"/input_items?limit=2", "", "GET "+base+"/responses/resp_abc/input_items?limit=2")
}

// An editor that writes requests as for the Responses API gets chat completions.
func TestCursor(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("llama", "Hello", 3, 2)))
	s := apptest.Start(t, compatible(v))
	r := s.Post("/cursor/chat/completions", `{"model":"chat","input":[{"role":"user","content":"hi"}],"tools":[{"type":"function","name":"f","parameters":{"type":"object"}}]}`)
	if r.Status != 200 || !strings.Contains(r.Body, `"object":"chat.completion"`) || !strings.Contains(r.Body, `"model":"chat"`) {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	sameJSON(t, string(v.Requests()[0].Body), `{"model":"llama","tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"messages":[{"role":"user","content":"hi"}]}`)
	if r := s.Post("/cursor/chat/completions", `{"model":"chat","messages":[{"role":"user","content":"hi"}]}`); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if r := s.Post("/cursor/chat/completions", `{"model":"chat","input":5}`); r.Status != 400 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

// Events of a vendor with the API go out as they came, but for the ids of responses; an error in them is one.
func TestResponsesNativeStream(t *testing.T) {
	t.Parallel()
	events := []string{
		ut.NamedEvent("response.created", `{"type":"response.created","sequence_number":0,"response":{"id":"resp_abc","status":"in_progress","output":[]}}`),
		ut.NamedEvent("response.output_text.delta", `{"type":"response.output_text.delta","sequence_number":1,"item_id":"msg_1", "new":[1,  2],"delta":"Hi"}`),
		ut.NamedEvent("response.completed", `{"type":"response.completed","sequence_number":2,"response":{"id":"resp_abc","status":"completed","output":[],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}}`),
	}
	v := ut.New(t, ut.SSERaw(events...), ut.SSERaw(events[0], ut.NamedEvent("error", `{"type":"error","code":"server_error","message":"broke","param":null,"sequence_number":1}`)),
		ut.JSON(429, `{"error":{"message":"slow down","type":"rate_limit_error","code":"rate_limit_exceeded"}}`))
	s := apptest.Start(t, compatible(v))
	r := s.Post(respond, `{"model":"m","stream":true,"input":"hi"}`)
	got := apptest.Events(r.Body)
	if r.Status != 200 || len(got) != 3 || !strings.Contains(r.Body, events[1]) || strings.Contains(r.Body, "resp_abc") || strings.Contains(r.Body, "[DONE]") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	r = s.Post(respond, `{"model":"m","stream":true,"input":"hi"}`)
	if got := apptest.Events(r.Body); r.Status != 200 || len(got) != 2 || !strings.Contains(r.Body, "event: error\n") || !strings.Contains(got[1], "broke") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if r = s.Post(respond, `{"model":"m","stream":true,"input":"hi"}`); r.Status != 429 || !strings.Contains(r.Body, "slow down") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

// With a guardrail that looks at requests, what only the vendor's own API can say still goes there as it came; what
// would have to go as chat completions is refused by name. Nothing of the text is hidden from the guardrail.
func TestResponsesGuarded(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"id":"resp_abc","object":"response","status":"completed","model":"gpt-5","output":[]}`))
	s := apptest.Start(t, compatible(v)+fmt.Sprintf(`
guardrails:
  - guardrail_name: words
    litellm_params: {guardrail: %s, mode: pre_call, default_on: true, config: {words: [forbidden]}}
`, plugintest.Build(t, "../../plugins/keyword-guard")))
	f := func(status int, part, body string) {
		t.Helper()
		if r := s.Post(respond, body); r.Status != status || !strings.Contains(r.Body, part) {
			t.Errorf("%s: %d %s", body, r.Status, r.Body)
		}
	}
	const items = `"input":[{"type":"message","role":"user","content":"hi"},{"type":"item_reference","id":"x"}],"tools":[{"type":"code_interpreter","container":{"type":"auto"}}],"background":true`
	f(200, `"status":"completed"`, `{"model":"m",`+items+`}`)
	if got := string(v.Requests()[0].Body); got != `{"model":"gpt-5",`+items+`}` {
		t.Fatalf("sent %s", got)
	}
	f(400, "input[1]", `{"model":"chat","input":[{"type":"message","role":"user","content":"hi"},{"type":"item_reference","id":"x"}]}`)
	for _, hidden := range []string{
		`"input":"a forbidden word"`, `"instructions":"forbidden","input":"x"`, `"input":[{"type":"mcp_call","output":"forbidden"}]`,
		`"input":[{"role":"user","content":[{"type":"new","data":"forbidden"}]}]`, `"input":[{"type":"function_call_output","call_id":"c","output":"forbidden"}]`,
		`"input":"x","prompt":{"id":"p","variables":{"a":"forbidden"}}`,
	} {
		f(400, "not allowed", `{"model":"m",`+hidden+`}`)
	}
	if len(v.Requests()) != 1 {
		t.Fatalf("%d requests reached the vendor", len(v.Requests()))
	}
}
