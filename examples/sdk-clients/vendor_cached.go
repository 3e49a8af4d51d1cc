package sdkclients

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
)

const (
	toolArguments = `{"city":"Paris"}`
	signature     = "c2lnbmF0dXJl"
)

// Natives adds Anthropic's Messages and OpenAI's Responses API, as streams with a text and a call of a tool. Each answer has
// an id of its own, so that one that was given before can be told from a new one. What the events are is in
// https://platform.claude.com/docs/en/build-with-claude/streaming and https://platform.openai.com/docs/api-reference/responses-streaming.
func Natives(mux *http.ServeMux) {
	var count atomic.Int64
	mux.HandleFunc("POST /v1/messages", func(w http.ResponseWriter, r *http.Request) {
		if streamed(w, r) {
			nativeMessages(w, fmt.Sprint("msg_", count.Add(1)))
		}
	})
	mux.HandleFunc("POST /v1/responses", func(w http.ResponseWriter, r *http.Request) {
		if streamed(w, r) {
			nativeResponses(w, fmt.Sprint("resp_", count.Add(1)))
		}
	})
}

// streamed refuses what is no stream with tools.
func streamed(w http.ResponseWriter, r *http.Request) bool {
	var request struct {
		Stream bool
		Tools  []any
	}
	if !read(w, r, &request) {
		return false
	}
	if !request.Stream || len(request.Tools) == 0 {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "", "This vendor has streams with tools only.")
		return false
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	return true
}

type object = map[string]any

// send writes an event named by its type.
func send(w http.ResponseWriter, kind string, rest object) {
	rest["type"] = kind
	data, _ := json.Marshal(rest) // strings and numbers only
	fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, data)
	if flusher, ok := w.(http.Flusher); ok {
		flusher.Flush()
	}
}

func nativeMessages(w http.ResponseWriter, id string) {
	send(w, "message_start", object{"message": object{
		"id": id, "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": []any{}, "stop_reason": nil, "stop_sequence": nil,
		"usage": object{"input_tokens": 12, "output_tokens": 1},
	}})
	block := func(index int, start object, deltas ...object) {
		send(w, "content_block_start", object{"index": index, "content_block": start})
		for _, d := range deltas {
			send(w, "content_block_delta", object{"index": index, "delta": d})
		}
		send(w, "content_block_stop", object{"index": index})
	}
	block(0, object{"type": "thinking", "thinking": "", "signature": ""},
		object{"type": "thinking_delta", "thinking": "A tool "}, object{"type": "thinking_delta", "thinking": "knows."},
		object{"type": "signature_delta", "signature": signature})
	send(w, "ping", object{})
	var words []object
	for _, word := range strings.SplitAfter(answer, " ") {
		words = append(words, object{"type": "text_delta", "text": word})
	}
	block(1, object{"type": "text", "text": ""}, words...)
	block(2, object{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": object{}},
		object{"type": "input_json_delta", "partial_json": toolArguments[:8]}, object{"type": "input_json_delta", "partial_json": toolArguments[8:]})
	send(w, "message_delta", object{"delta": object{"stop_reason": "tool_use", "stop_sequence": nil}, "usage": object{"output_tokens": 6}})
	send(w, "message_stop", object{})
}

func nativeResponses(w http.ResponseWriter, id string) {
	sequence := 0
	event := func(kind string, rest object) {
		rest["sequence_number"] = sequence
		sequence++
		send(w, kind, rest)
	}
	response := object{
		"id": id, "object": "response", "created_at": 1700000000, "status": "in_progress", "model": "gpt-4o-mini-2024-07-18", "output": []any{},
		"parallel_tool_calls": true, "tool_choice": "auto", "tools": []any{}, "error": nil, "incomplete_details": nil, "instructions": nil,
		"metadata": object{}, "temperature": 1.0, "top_p": 1.0, "usage": nil,
	}
	event("response.created", object{"response": response})
	event("response.in_progress", object{"response": response})

	text := object{"type": "output_text", "text": "", "annotations": []any{}}
	message := object{"id": "msg_" + id, "type": "message", "status": "in_progress", "role": "assistant", "content": []any{}}
	event("response.output_item.added", object{"output_index": 0, "item": message})
	part := func(kind string, rest object) {
		rest["item_id"], rest["output_index"], rest["content_index"] = message["id"], 0, 0
		event(kind, rest)
	}
	part("response.content_part.added", object{"part": text})
	for _, word := range strings.SplitAfter(answer, " ") {
		part("response.output_text.delta", object{"delta": word, "logprobs": []any{}})
	}
	part("response.output_text.done", object{"text": answer, "logprobs": []any{}})
	text["text"] = answer
	part("response.content_part.done", object{"part": text})
	message["status"], message["content"] = "completed", []any{text}
	event("response.output_item.done", object{"output_index": 0, "item": message})

	call := object{"id": "fc_" + id, "type": "function_call", "status": "in_progress", "call_id": "call_1", "name": "get_weather", "arguments": ""}
	event("response.output_item.added", object{"output_index": 1, "item": call})
	arguments := func(kind string, rest object) {
		rest["item_id"], rest["output_index"] = call["id"], 1
		event(kind, rest)
	}
	arguments("response.function_call_arguments.delta", object{"delta": toolArguments[:8]})
	arguments("response.function_call_arguments.delta", object{"delta": toolArguments[8:]})
	arguments("response.function_call_arguments.done", object{"name": "get_weather", "arguments": toolArguments})
	call["status"], call["arguments"] = "completed", toolArguments
	event("response.output_item.done", object{"output_index": 1, "item": call})

	response["status"], response["output"] = "completed", []any{message, call}
	response["usage"] = object{
		"input_tokens": 12, "input_tokens_details": object{"cached_tokens": 0}, "output_tokens": 6,
		"output_tokens_details": object{"reasoning_tokens": 0}, "total_tokens": 18,
	}
	event("response.completed", object{"response": response})
}
