// Package ollama is the provider for Ollama's own API, which says more than its OpenAI-compatible one: options of the
// runner, how long a model stays loaded, thinking. Chats go to /api/chat (https://docs.ollama.com/api/chat), text
// completions to /api/generate (https://docs.ollama.com/api/generate) and embeddings to /api/embed
// (https://docs.ollama.com/api/embed). Streams are JSON documents, one a line.
package ollama

import (
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "ollama"

// Settings are what can be set about the provider. The zero value is usable.
type Settings struct {
	MaxResponse int64            // bytes of an answer, a stream's in sum; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: "http://localhost:11434", KeyOptional: true, KeyVars: []string{"OLLAMA_API_KEY"},
		BaseVars: []string{"OLLAMA_API_BASE"}, Locate: locate,
		Chat: &provider.Chat{
			Path: "/api/chat", Request: chat, Whole: whole, Events: events, Frames: provider.Lines(),
			Params: append(common(), "functions", "function_call", "reasoning_effort", "response_format", "tool_choice", "tools", "logprobs", "top_logprobs"),
		},
		Completion: &provider.Chat{
			Path: "/api/generate", Request: generate, Whole: whole, Events: events, Frames: provider.Lines(),
			Params: append(common(), "suffix"),
		},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpEmbedding: {Path: "/api/embed", Params: []string{"dimensions", "encoding_format"}, Request: embed, Answer: embedded},
		},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

// common are the parameters that chats and completions share.
func common() []string {
	return []string{
		"frequency_penalty", "max_completion_tokens", "max_tokens", "presence_penalty", "seed", "stop", "temperature", "top_p",
	}
}

// locate takes the base with and without its path, and that of the OpenAI-compatible API.
func locate(s *provider.Site) (string, error) {
	base := strings.TrimRight(s.Deployment.Base, "/")
	if base == "" {
		return "http://localhost:11434", nil
	}
	for _, end := range []string{"/chat", "/generate", "/embed", "/api", "/v1"} {
		base = strings.TrimSuffix(base, end)
	}
	return base, nil
}

// option reports whether a member is an option of the runner, which has an object of its own
// (https://docs.ollama.com/modelfile#parameter).
func option(name string) bool {
	switch name {
	case "num_ctx", "num_keep", "num_predict", "num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap", "use_mlock",
		"low_vram", "numa", "top_k", "min_p", "typical_p", "tfs_z", "repeat_last_n", "repeat_penalty", "mirostat", "mirostat_tau",
		"mirostat_eta", "penalize_newline", "temperature", "top_p", "seed", "frequency_penalty", "presence_penalty", "draft_num_predict":
		return true
	}
	return false
}

func finish(reason string) string {
	switch reason {
	case "load", "unload":
		return "stop"
	}
	return reason
}

// callID makes an id for a call that came without one, short enough for vendors that a conversation may go on with.
func callID(t *provider.Turn, n int) string {
	return "call_" + string(t.Exchange.ID[24:]) + "_" + strconv.Itoa(n)
}
