package apptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// What the vendors of StartVendors can be asked beside the weather. Each checks that the request has it in the vendor's
// own form, and answers 400 otherwise.
const (
	// AskPicture, with Picture as a PNG beside it, is answered with "It is warm.".
	AskPicture = "What is in the picture?"
	// AskObject, with a schema that has a city, is answered with {"city":"Paris"}.
	AskObject = "Name a city."
	// AskThought, with thinking of at most 1024 tokens, is answered with the thought "Hm." and "It is warm.".
	AskThought = "Think first."
	// AskRefusal, with 400, 403, 404, 429 or 500 in place of %d, is refused with that status.
	AskRefusal = "Refuse with %d."
	// Picture is the beginning of a PNG in base64.
	Picture = "iVBORw0KGgo="

	openAIPicture = `"image_url":{"url":"data:image/png;base64,` + Picture + `"`
	openAISchema  = `"type":"json_schema"`
)

// special is how a vendor takes and answers these questions.
type special struct {
	picture  string   // as the vendor's request has it, without spaces
	schema   []string // one of which says that a schema came
	object   func(body string) ut.Answer
	thinking []string // one of which says that the model may think
	thought  ut.Answer
	refusal  func(status int) ut.Answer
}

var refusal = regexp.MustCompile(strings.Replace(regexp.QuoteMeta(AskRefusal), "%d", "([0-9]{3})", 1))

// answer is what a vendor says to a request that asks one of the questions, nil if it asks none.
func (s *special) answer(body string, said ut.Answer) ut.Answer {
	var compact bytes.Buffer
	if json.Compact(&compact, []byte(body)) == nil { // some SDKs write spaces
		body = compact.String()
	}
	want := func(answer ut.Answer, parts ...string) ut.Answer {
		for _, part := range parts {
			if strings.Contains(body, part) {
				return answer
			}
		}
		return ut.JSON(400, fmt.Sprintf(`{"message":%q}`, "missing "+strings.Join(parts, " or ")+" in "+body))
	}
	if m := refusal.FindStringSubmatch(body); m != nil {
		status, _ := strconv.Atoi(m[1]) // three digits
		return s.refusal(status)
	}
	switch {
	case strings.Contains(body, AskPicture):
		return want(said, s.picture)
	case strings.Contains(body, AskObject):
		return want(s.object(body), s.schema...)
	case strings.Contains(body, AskThought):
		return want(s.thought, s.thinking...)
	}
	return nil
}

func always(a ut.Answer) func(string) ut.Answer { return func(string) ut.Answer { return a } }

// cohere speaks as https://docs.cohere.com/reference/chat and https://docs.cohere.com/reference/chat-stream tell.
func cohere() answers {
	const called = `"usage":{"billed_units":{"input_tokens":5,"output_tokens":9},"tokens":{"input_tokens":20,"output_tokens":9}}`
	const ended = `"usage":{"billed_units":{"input_tokens":5,"output_tokens":7},"tokens":{"input_tokens":35,"output_tokens":7}}`
	whole := func(message, reason, usage string) ut.Answer {
		return ut.JSON(200, `{"id":"c1","finish_reason":"`+reason+`","message":{"role":"assistant",`+message+`},`+usage+`}`)
	}
	said := func(content string) ut.Answer { return whole(`"content":[`+content+`]`, "COMPLETE", ended) }
	stream := func(reason, usage string, between ...string) ut.Answer {
		out := append([]string{`{"type":"message-start","id":"c1","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}`}, between...)
		return ut.SSE(append(out, `{"type":"message-end","delta":{"finish_reason":"`+reason+`",`+usage+`}}`)...)
	}
	return answers{
		id:   "weather_1",
		call: whole(`"tool_calls":[{"id":"weather_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]`, "TOOL_CALL", called),
		said: said(`{"type":"text","text":"It is warm."}`),
		callStream: stream("TOOL_CALL", called,
			`{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"weather_1","type":"function","function":{"name":"weather","arguments":""}}}}}`,
			`{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"city\":"}}}}}`,
			`{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"\"Paris\"}"}}}}}`,
			`{"type":"tool-call-end","index":0}`),
		saidStream: stream("COMPLETE", ended,
			`{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}`,
			`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"It is "}}}}`,
			`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"warm."}}}}`,
			`{"type":"content-end","index":0}`),
		special: special{
			picture: openAIPicture, schema: []string{`"response_format":{"type":"json_object","json_schema":{`}, object: always(said(`{"type":"text","text":"{\"city\":\"Paris\"}"}`)),
			thinking: []string{`"thinking":{"type":"enabled","token_budget":1024}`}, thought: said(`{"type":"thinking","thinking":"Hm."},{"type":"text","text":"It is warm."}`),
			refusal: func(status int) ut.Answer { return ut.JSON(status, `{"id":"e1","message":"No."}`) },
		},
	}
}

// groq speaks OpenAI's API, as https://console.groq.com/docs/api-reference tells, with thoughts as
// https://console.groq.com/docs/reasoning does.
func groq() answers {
	const call = `"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]},"finish_reason":"tool_calls"}]`
	const called = `"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29}`
	return answers{
		id:   "call_1",
		call: ut.JSON(200, `{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,`+call+`,`+called+`}`),
		said: ut.JSON(200, ut.Completion("m", "It is warm.", 35, 7)),
		callStream: ut.SSE(ut.RoleChunk("m"), `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{`+call+`}`,
			`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],`+called+`}`, ut.Done),
		saidStream: ut.SSE(ut.RoleChunk("m"), ut.ContentChunk("m", "It is "), ut.ContentChunk("m", "warm."), ut.FinishChunk("m", "stop"), ut.UsageChunk("m", 35, 7), ut.Done),
		special: special{
			picture: openAIPicture, schema: []string{openAISchema}, object: always(ut.JSON(200, ut.Completion("m", `{"city":"Paris"}`, 9, 5))),
			thinking: []string{`"reasoning_effort":"`}, thought: ut.JSON(200, `{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"It is warm.","reasoning":"Hm."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}}`),
			refusal: func(status int) ut.Answer {
				return ut.JSON(status, `{"error":{"message":"No.","type":"invalid_request_error"}}`)
			},
		},
	}
}
