package apptest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/upstream/eventstream"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// Vendors are the models of StartVendors, each named for its vendor: "vertex" is Claude on Vertex AI.
func Vendors() []string {
	return []string{"anthropic", "gemini", "bedrock", "vertex", "mistral", "ollama", "cohere", "groq"}
}

// StartVendors runs a gateway in front of scripted vendors that each speak an API of their own. All say the same: asked
// with the tool "weather" they call it for {"city":"Paris"} and use 20 and 9 tokens; without it, or with its result 21
// sent back, they say "It is warm." and use 35 and 7. A stream has that text in two pieces. What else they can be asked
// is told at special.
func StartVendors(t testing.TB) *Server {
	t.Helper()
	flag := func(r *ut.Request) bool { return strings.Contains(string(r.Body), `"stream":true`) }
	vertex := converses(t, path(":streamRawPredict"), claude())
	return Start(t, fmt.Sprintf(`
model_list:
  - {model_name: anthropic, litellm_params: {model: anthropic/claude-sonnet-4-5, api_base: "%s", api_key: k}}
  - {model_name: gemini, litellm_params: {model: gemini/gemini-3-flash, api_base: "%s", api_key: k}}
  - {model_name: bedrock, litellm_params: {model: bedrock/us.amazon.nova-2-lite-v1:0, aws_bedrock_runtime_endpoint: "%s"}}
  - {model_name: vertex, litellm_params: {model: vertex_ai/claude-sonnet-4-5@20250929, api_base: "%s", vertex_location: global}}
  - {model_name: mistral, litellm_params: {model: mistral/mistral-small-latest, api_base: "%s/v1", api_key: k}}
  - {model_name: ollama, litellm_params: {model: ollama_chat/llama3.2, api_base: "%s"}}
  - {model_name: cohere, litellm_params: {model: cohere_chat/command-a-reasoning-08-2025, api_base: "%s", api_key: k}}
  - {model_name: groq, litellm_params: {model: groq/openai/gpt-oss-20b, api_base: "%s/openai/v1", api_key: k}}
router_settings: {num_retries: 0}
general_settings: {master_key: %s}
`, converses(t, flag, claude()), converses(t, path(":streamGenerateContent"), gemini()), converses(t, path("/converse-stream"), nova()),
		vertex, converses(t, flag, mistral()), converses(t, flag, ollama()), converses(t, flag, cohere()), converses(t, flag, groq()), MasterKey),
		Env("AWS_ACCESS_KEY_ID=AK1", "AWS_SECRET_ACCESS_KEY=SK1", "GOOGLE_APPLICATION_CREDENTIALS="+ServiceAccount(t, vertex)))
}

func path(part string) func(*ut.Request) bool {
	return func(r *ut.Request) bool { return strings.Contains(r.Path, part) }
}

// answers is what a vendor calls and says, whole and streamed.
type answers struct {
	id                                 string // of the call, which comes back with its result; empty where the vendor gives none
	call, said, callStream, saidStream ut.Answer
	special                            special
}

// converses is the address of a vendor that gives the answers.
func converses(t testing.TB, streams func(*ut.Request) bool, a answers) string {
	return ut.New(t, func(c *ut.Conn) {
		body := string(c.Request.Body)
		result := strings.Contains(body, "21") && strings.Contains(body, a.id)
		calls, stream := strings.Contains(body, `"weather"`) && !result, streams(&c.Request)
		own := a.special.answer(body, a.said)
		switch {
		case c.Request.Path == "/token":
			ut.JSON(200, `{"access_token":"ya29.token","token_type":"Bearer","expires_in":3600}`)(c)
		case own != nil:
			own(c)
		case calls && stream:
			a.callStream(c)
		case calls:
			a.call(c)
		case stream:
			a.saidStream(c)
		default:
			a.said(c)
		}
	}).URL
}

// claude speaks as https://platform.claude.com/docs/en/build-with-claude/streaming shows.
func claude() answers {
	whole := func(content, reason, usage string) ut.Answer {
		return ut.JSON(200, `{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[`+content+`],"stop_reason":"`+reason+`","stop_sequence":null,"usage":{`+usage+`}}`)
	}
	stream := func(input, block, delta1, delta2, reason, output string) ut.Answer {
		return ut.SSERaw(
			ut.NamedEvent("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":`+input+`,"output_tokens":1}}}`),
			ut.NamedEvent("content_block_start", `{"type":"content_block_start","index":0,"content_block":`+block+`}`),
			ut.NamedEvent("content_block_delta", `{"type":"content_block_delta","index":0,"delta":`+delta1+`}`),
			ut.NamedEvent("content_block_delta", `{"type":"content_block_delta","index":0,"delta":`+delta2+`}`),
			ut.NamedEvent("content_block_stop", `{"type":"content_block_stop","index":0}`),
			ut.NamedEvent("message_delta", `{"type":"message_delta","delta":{"stop_reason":"`+reason+`","stop_sequence":null},"usage":{"output_tokens":`+output+`}}`),
			ut.NamedEvent("message_stop", `{"type":"message_stop"}`))
	}
	return answers{
		id:   "toolu_1",
		call: whole(`{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Paris"}}`, "tool_use", `"input_tokens":20,"output_tokens":9`),
		said: whole(`{"type":"text","text":"It is warm."}`, "end_turn", `"input_tokens":35,"output_tokens":7`),
		callStream: stream("20", `{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}`,
			`{"type":"input_json_delta","partial_json":"{\"city\":"}`, `{"type":"input_json_delta","partial_json":"\"Paris\"}"}`, "tool_use", "9"),
		saidStream: stream("35", `{"type":"text","text":""}`, `{"type":"text_delta","text":"It is "}`, `{"type":"text_delta","text":"warm."}`, "end_turn", "7"),
		special: special{
			picture: `"media_type":"image/png"`, schema: []string{`"json_tool_call"`, `"output_config"`},
			object: func(body string) ut.Answer {
				if strings.Contains(body, "json_tool_call") {
					return whole(`{"type":"tool_use","id":"toolu_2","name":"json_tool_call","input":{"city":"Paris"}}`, "tool_use", `"input_tokens":9,"output_tokens":5`)
				}
				return whole(`{"type":"text","text":"{\"city\":\"Paris\"}"}`, "end_turn", `"input_tokens":9,"output_tokens":5`)
			},
			thinking: []string{`"budget_tokens":1024`}, thought: whole(`{"type":"thinking","thinking":"Hm.","signature":"c2ln"},{"type":"text","text":"It is warm."}`, "end_turn", `"input_tokens":9,"output_tokens":5`),
			refusal: func(status int) ut.Answer {
				kinds := map[int]string{400: "invalid_request_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error", 500: "api_error"}
				return ut.JSON(status, `{"type":"error","error":{"type":"`+kinds[status]+`","message":"No."},"request_id":"req_1"}`)
			},
		},
	}
}

// gemini speaks as https://ai.google.dev/api/generate-content tells. It gives calls no id, as earlier models do.
func gemini() answers {
	candidate := func(part, rest string) string {
		return `{"candidates":[{"content":{"parts":[` + part + `],"role":"model"},"index":0` + rest
	}
	const called = `,"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":9,"totalTokenCount":29}}`
	const ended = `,"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":35,"candidatesTokenCount":7,"totalTokenCount":42}}`
	call := candidate(`{"functionCall":{"name":"weather","args":{"city":"Paris"}},"thoughtSignature":"c2ln"}`, called)
	return answers{
		call: ut.JSON(200, call), said: ut.JSON(200, candidate(`{"text":"It is warm."}`, ended)),
		callStream: ut.SSE(call), saidStream: ut.SSE(candidate(`{"text":"It is "}`, "}]}"), candidate(`{"text":"warm."}`, ended)),
		special: special{
			picture: `"inlineData":{`, schema: []string{`"responseJsonSchema":{`, `"responseSchema":{`},
			object:   always(ut.JSON(200, candidate(`{"text":"{\"city\":\"Paris\"}"}`, ended))),
			thinking: []string{`"includeThoughts":true`, `"include_thoughts":true`}, thought: ut.JSON(200, candidate(`{"text":"Hm.","thought":true},{"text":"It is warm.","thoughtSignature":"c2ln"}`, ended)),
			refusal: func(status int) ut.Answer {
				kinds := map[int]string{400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL"}
				return ut.JSON(status, fmt.Sprintf(`{"error":{"code":%d,"message":"No.","status":%q}}`, status, kinds[status]))
			},
		},
	}
}

// nova speaks as https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html tells.
func nova() answers {
	const called, ended = `{"inputTokens":20,"outputTokens":9,"totalTokens":29}`, `{"inputTokens":35,"outputTokens":7,"totalTokens":42}`
	return answers{
		id:   "tooluse_1",
		call: ut.JSON(200, `{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"tooluse_1","name":"weather","input":{"city":"Paris"}}}]}},"stopReason":"tool_use","usage":`+called+`}`),
		said: ut.JSON(200, `{"output":{"message":{"role":"assistant","content":[{"text":"It is warm."}]}},"stopReason":"end_turn","usage":`+ended+`}`),
		callStream: BedrockEvents([2]string{"messageStart", `{"role":"assistant"}`},
			[2]string{"contentBlockStart", `{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"tooluse_1","name":"weather"}}}`},
			[2]string{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"city\":"}}}`},
			[2]string{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"toolUse":{"input":"\"Paris\"}"}}}`}, [2]string{"contentBlockStop", `{"contentBlockIndex":0}`},
			[2]string{"messageStop", `{"stopReason":"tool_use"}`}, [2]string{"metadata", `{"usage":` + called + `}`}),
		saidStream: BedrockEvents([2]string{"messageStart", `{"role":"assistant"}`}, [2]string{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"It is "}}`},
			[2]string{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"warm."}}`}, [2]string{"contentBlockStop", `{"contentBlockIndex":0}`},
			[2]string{"messageStop", `{"stopReason":"end_turn"}`}, [2]string{"metadata", `{"usage":` + ended + `}`}),
		special: special{
			picture: `{"image":{"format":"png","source":{"bytes":"` + Picture + `"}}}`, schema: []string{`"json_tool_call"`},
			object:   always(ut.JSON(200, `{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"tooluse_2","name":"json_tool_call","input":{"city":"Paris"}}}]}},"stopReason":"tool_use","usage":`+called+`}`)),
			thinking: []string{`"reasoningConfig":{"type":"enabled"`}, thought: ut.JSON(200, `{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"Hm."}}},{"text":"It is warm."}]}},"stopReason":"end_turn","usage":`+ended+`}`),
			refusal: func(status int) ut.Answer {
				kinds := map[int]string{400: "ValidationException", 403: "AccessDeniedException", 404: "ResourceNotFoundException", 429: "ThrottlingException", 500: "InternalServerException"}
				return ut.JSON(status, `{"message":"No."}`, "x-amzn-ErrorType: "+kinds[status])
			},
		},
	}
}

// mistral speaks as https://docs.mistral.ai/api tells: a call has no type, an id of nine characters, and comes whole in a
// stream.
func mistral() answers {
	const call = `"content":"","tool_calls":[{"id":"D681PevKs","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"},"index":0}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29}}`
	return answers{
		id:         "D681PevKs",
		call:       ut.JSON(200, `{"id":"c1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant",`+call),
		said:       ut.JSON(200, ut.Completion("m", "It is warm.", 35, 7)),
		callStream: ut.SSE(ut.RoleChunk("m"), `{"id":"c1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{`+call, ut.Done),
		saidStream: ut.SSE(ut.RoleChunk("m"), ut.ContentChunk("m", "It is "), `{"id":"c2","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"warm."},"finish_reason":"stop"}],"usage":{"prompt_tokens":35,"completion_tokens":7,"total_tokens":42}}`, ut.Done),
		special: special{
			picture: openAIPicture, schema: []string{openAISchema}, object: always(ut.JSON(200, ut.Completion("m", `{"city":"Paris"}`, 9, 5))),
			thinking: []string{`"reasoning_effort":`}, thought: ut.JSON(200, `{"id":"c1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm."}]},{"type":"text","text":"It is warm."}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}}`),
			refusal: func(status int) ut.Answer {
				return ut.JSON(status, fmt.Sprintf(`{"object":"error","message":"No.","type":"invalid_request_error","param":null,"code":"%d"}`, status))
			},
		},
	}
}

// ollama speaks as https://docs.ollama.com/api/chat tells: calls have no id, and a stream is a line of JSON each.
func ollama() answers {
	line := func(message, rest string) string {
		return `{"model":"llama3.2","created_at":"2025-07-01T10:00:00Z","message":{"role":"assistant","content":` + message + `},"done":` + rest + "}\n"
	}
	const called, ended = `true,"done_reason":"stop","prompt_eval_count":20,"eval_count":9`, `true,"done_reason":"stop","prompt_eval_count":35,"eval_count":7`
	const call = `"","tool_calls":[{"function":{"name":"weather","arguments":{"city":"Paris"}}}]`
	return answers{
		call: ut.JSON(200, line(call, called)), said: ut.JSON(200, line(`"It is warm."`, ended)),
		callStream: ut.Whole(200, "application/x-ndjson", line(call, "false")+line(`""`, called)),
		saidStream: ut.Whole(200, "application/x-ndjson", line(`"It is "`, "false")+line(`"warm."`, "false")+line(`""`, ended)),
		special: special{
			picture: `"images":["` + Picture + `"]`, schema: []string{`"format":{`}, object: always(ut.JSON(200, line(`"{\"city\":\"Paris\"}"`, ended))),
			thinking: []string{`"think":true`}, thought: ut.JSON(200, line(`"It is warm.","thinking":"Hm."`, ended)),
			refusal: func(status int) ut.Answer { return ut.JSON(status, `{"error":"No."}`) },
		},
	}
}

// BedrockEvents answers with an event stream of Bedrock's: a name and a payload each.
func BedrockEvents(list ...[2]string) ut.Answer {
	var out []byte
	for _, e := range list {
		out = eventstream.Append(out, []byte(e[1]), ":event-type", e[0], ":content-type", "application/json", ":message-type", "event")
	}
	return ut.Whole(200, eventstream.ContentType, string(out))
}

// ServiceAccount writes a file of a service account of Google's with a key of its own, whose tokens come from base + "/token".
func ServiceAccount(t testing.TB, base string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "p1", "client_email": "a@p1.iam.gserviceaccount.com", "token_uri": base + "/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
