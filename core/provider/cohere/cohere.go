// Package cohere is the provider for Cohere's API, version 2: chats, embeddings and reranking. Where Cohere says
// something that the API of OpenAI has no place for, such as citations and the plan behind tool calls, it goes out as the
// reference's extensions do. The API is described at https://docs.cohere.com/reference/chat.
package cohere

import (
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "cohere"

// Settings are what can be set about the provider. The zero value is Cohere itself.
type Settings struct {
	MaxResponse int64            // bytes of an answer, a stream's in sum; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: "https://api.cohere.com", KeyVars: []string{"COHERE_API_KEY", "CO_API_KEY"},
		BaseVars: []string{"COHERE_API_BASE"}, Locate: locate, Classify: classify,
		Chat: &provider.Chat{
			Path: "/v2/chat", Request: request, Whole: whole, Events: events,
			Params: []string{
				"frequency_penalty", "logprobs", "max_completion_tokens", "max_tokens", "presence_penalty", "reasoning_effort",
				"response_format", "seed", "stop", "temperature", "thinking", "tool_choice", "tools", "functions",
				"function_call", "top_p",
			},
		},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpEmbedding: {
				Path: "/v2/embed", Params: []string{"dimensions", "encoding_format"}, Request: embed, Answer: embedded,
			},
			llm.OpRerank: {
				Path: "/v2/rerank", Params: []string{"top_n", "return_documents", "max_tokens_per_doc"},
				Request: provider.Rank("top_n"), Answer: ranked, // https://docs.cohere.com/reference/rerank
			},
		},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

// locate takes the base without its version and path, and with them, as the reference does.
func locate(s *provider.Site) (string, error) {
	base := strings.TrimRight(s.Deployment.Base, "/")
	if base == "" {
		return "https://api.cohere.com", nil
	}
	for _, end := range []string{"/chat", "/embed", "/rerank"} {
		base = strings.TrimSuffix(base, end)
	}
	return strings.TrimSuffix(strings.TrimSuffix(base, "/v1"), "/v2"), nil
}

// classify knows the words of https://docs.cohere.com/reference/errors.
func classify(_ *provider.Site, e *llm.Error, _ []byte) {
	words := strings.ToLower(e.Message)
	switch {
	case strings.Contains(words, "too many tokens"), strings.Contains(words, "context length"):
		e.Kind, e.Status = llm.KindContextWindow, 0
	case strings.Contains(words, "invalid api token"), strings.Contains(words, "no api key supplied"):
		e.Kind, e.Status = llm.KindAuthentication, 0
	case e.Status == 498:
		// Blocked input or output (https://docs.cohere.com/reference/errors#498---invalid-token covers the status).
		if strings.Contains(words, "blocked") {
			e.Kind, e.Status = llm.KindContentPolicy, 0
		} else {
			e.Kind, e.Status = llm.KindAuthentication, 0
		}
	}
}

// finish is a finish reason in the words of chat completions.
func finish(reason string) string {
	switch reason {
	case "COMPLETE", "STOP_SEQUENCE":
		return "stop"
	case "MAX_TOKENS":
		return "length"
	case "TOOL_CALL":
		return "tool_calls"
	case "ERROR_TOXIC":
		return "content_filter"
	case "":
		return ""
	}
	return strings.ToLower(reason)
}
