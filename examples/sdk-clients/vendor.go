package sdkclients

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
)

// UpstreamKey is the only API key the mock vendor accepts: a gateway that passes its
// caller's key on gets a 401.
const UpstreamKey = "sk-upstream"

const answer = "Hello from the mock vendor."

// Vendor returns a scripted OpenAI-compatible vendor: chat whole and streamed, one
// tool call, embeddings, and 429 for the model limited-model. It is strict: what the
// real API would refuse, such as a missing model, is answered with an error.
func Vendor() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", vendorChat)
	mux.HandleFunc("POST /v1/embeddings", vendorEmbeddings)
	Media(mux)
	Stored(mux)
	Batches(mux)
	Natives(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+UpstreamKey && r.Header.Get("X-Api-Key") != UpstreamKey {
			refuse(w, http.StatusUnauthorized, "invalid_request_error", "invalid_api_key", "Incorrect API key provided.")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

type chatRequest struct {
	Model    string `json:"model"`
	Messages []struct {
		Role       string `json:"role"`
		Content    any    `json:"content"`
		ToolCallID string `json:"tool_call_id"`
	} `json:"messages"`
	Tools         []any `json:"tools"`
	Stream        bool  `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

func vendorChat(w http.ResponseWriter, r *http.Request) {
	var request chatRequest
	if !read(w, r, &request) {
		return
	}
	switch {
	case request.Model == "limited-model":
		refuse(w, http.StatusTooManyRequests, "requests", "rate_limit_exceeded", "Rate limit reached for limited-model.")
	case request.Model != "gpt-4o-mini":
		refuse(w, http.StatusNotFound, "invalid_request_error", "model_not_found", fmt.Sprintf("The model %q does not exist.", request.Model))
	case len(request.Messages) == 0:
		refuse(w, http.StatusBadRequest, "invalid_request_error", "", "messages is empty.")
	case request.Stream:
		vendorStream(w, request)
	default:
		last := request.Messages[len(request.Messages)-1]
		message := map[string]any{"role": "assistant", "content": answer}
		finish := "stop"
		switch {
		case last.Role == "tool" && last.ToolCallID == "call_1":
			message["content"] = fmt.Sprintf("It is %v degrees in Paris.", last.Content)
		case len(request.Tools) > 0:
			finish = "tool_calls"
			message["content"] = nil
			message["tool_calls"] = []any{map[string]any{
				"id": "call_1", "type": "function",
				"function": map[string]any{"name": "get_weather", "arguments": toolArguments},
			}}
		}
		write(w, map[string]any{
			"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "gpt-4o-mini-2024-07-18",
			"choices": []any{map[string]any{"index": 0, "message": message, "logprobs": nil, "finish_reason": finish}},
			"usage":   usage(),
		})
	}
}

func usage() map[string]any {
	return map[string]any{"prompt_tokens": 12, "completion_tokens": 6, "total_tokens": 18}
}

// vendorStream sends a word an event, and usage when asked for it.
func vendorStream(w http.ResponseWriter, request chatRequest) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	event := func(choices []any, used any) {
		chunk := map[string]any{
			"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000,
			"model": "gpt-4o-mini-2024-07-18", "choices": choices,
		}
		if request.StreamOptions.IncludeUsage {
			chunk["usage"] = used
		}
		data, _ := json.Marshal(chunk) // strings and numbers only
		fmt.Fprintf(w, "data: %s\n\n", data)
		if flusher, ok := w.(http.Flusher); ok {
			flusher.Flush()
		}
	}
	choice := func(delta map[string]any, finish any) []any {
		return []any{map[string]any{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish}}
	}
	event(choice(map[string]any{"role": "assistant", "content": ""}, nil), nil)
	for _, word := range strings.SplitAfter(answer, " ") {
		event(choice(map[string]any{"content": word}, nil), nil)
	}
	finish := "stop"
	if len(request.Tools) > 0 {
		finish = "tool_calls"
		call := func(rest map[string]any) {
			rest["index"] = 0
			event(choice(map[string]any{"tool_calls": []any{rest}}, nil), nil)
		}
		call(map[string]any{"id": "call_1", "type": "function", "function": map[string]any{"name": "get_weather", "arguments": ""}})
		for _, piece := range []string{toolArguments[:8], toolArguments[8:]} {
			call(map[string]any{"function": map[string]any{"arguments": piece}})
		}
	}
	event(choice(map[string]any{}, finish), nil)
	if request.StreamOptions.IncludeUsage {
		event([]any{}, usage())
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

func vendorEmbeddings(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Model          string   `json:"model"`
		Input          []string `json:"input"`
		EncodingFormat string   `json:"encoding_format"`
	}
	if !read(w, r, &request) {
		return
	}
	if request.Model != "text-embedding-3-small" || len(request.Input) == 0 {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "", "model or input is wrong.")
		return
	}
	var data []any
	for i := range request.Input {
		vector := []float32{0.25, -0.5, float32(i)}
		one := map[string]any{"object": "embedding", "index": i, "embedding": vector}
		if request.EncodingFormat == "base64" {
			one["embedding"] = packed(vector)
		}
		data = append(data, one)
	}
	write(w, map[string]any{
		"object": "list", "model": request.Model, "data": data,
		"usage": map[string]any{"prompt_tokens": 4, "total_tokens": 4},
	})
}

// packed is a vector as the API sends it in base64: little-endian 32-bit floats.
func packed(vector []float32) string {
	var raw []byte
	for _, x := range vector {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "", "We could not parse the JSON body of your request: "+err.Error())
		return false
	}
	return true
}

func write(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the caller went away
}

// refuse answers with an error in the shape of the API; an empty code is null.
func refuse(w http.ResponseWriter, status int, kind, code, message string) {
	wire := map[string]any{"message": message, "type": kind, "param": nil, "code": nil}
	if code != "" {
		wire["code"] = code
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": wire}) // the caller went away
}
