package openai

import (
	"slices"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Parameters are the members of a request that the API defines for an operation besides what is asked
// (https://platform.openai.com/docs/api-reference), and the reference's for those that the API does not have. What a
// request holds besides them is for the vendor to know. The caller owns the list.
func Parameters(op llm.Operation) []string {
	switch op {
	case llm.OpChat:
		return []string{
			"audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens",
			"max_tokens", "metadata", "modalities", "n", "parallel_tool_calls", "prediction", "presence_penalty",
			"prompt_cache_key", "prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier",
			"seed", "service_tier", "stop", "store", "temperature", "thinking", "tool_choice", "tools", "top_logprobs",
			"top_p", "user", "verbosity", "web_search_options",
		}
	case llm.OpCompletion:
		return []string{
			"best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "n", "presence_penalty",
			"seed", "stop", "suffix", "temperature", "top_p", "user",
		}
	case llm.OpEmbedding:
		return []string{"dimensions", "encoding_format", "user"}
	case llm.OpImage:
		return []string{
			"background", "moderation", "n", "output_compression", "output_format", "partial_images", "quality",
			"response_format", "size", "style", "user",
		}
	case llm.OpImageEdit, llm.OpImageVariation:
		return []string{
			"background", "input_fidelity", "mask", "n", "output_compression", "output_format", "partial_images", "quality",
			"response_format", "size", "user",
		}
	case llm.OpSpeech:
		return []string{"instructions", "response_format", "speed", "stream_format", "voice"}
	case llm.OpTranscription, llm.OpTranslation:
		return []string{
			"chunking_strategy", "include", "known_speaker_names", "known_speaker_references", "language", "prompt",
			"response_format", "temperature", "timestamp_granularities", "timestamp_granularities[]",
		}
	case llm.OpRerank:
		return []string{"max_chunks_per_doc", "max_tokens_per_doc", "rank_fields", "return_documents", "top_n"}
	}
	return nil
}

// Parameter reports whether the API defines the member as a parameter of the operation.
func Parameter(op llm.Operation, name string) bool { return slices.Contains(Parameters(op), name) }

// Neutral reports whether a parameter has a value that asks for nothing, so that it can be left out for a vendor that
// does not know it. What the reference leaves out silently is among it (litellm/utils.py, _check_valid_arg).
func Neutral(name string, value []byte) bool {
	if dialect.Null(value) {
		return true
	}
	v := string(value[:min(len(value), 32)])
	switch name {
	case "user":
		return true
	case "frequency_penalty", "presence_penalty":
		return v == "0" || v == "0.0"
	case "logprobs", "store", "echo":
		return v == "false"
	case "top_logprobs":
		return v == "0"
	case "n", "best_of":
		return v == "1"
	case "logit_bias", "prediction", "metadata":
		return v == "{}"
	case "modalities":
		return v == `["text"]`
	case "stop", "tools", "functions":
		return v == "[]" || v == `""`
	case "parallel_tool_calls":
		return v == "true"
	case "tool_choice", "function_call":
		return v == `"auto"` || v == `"none"`
	case "service_tier":
		return v == `"auto"` || v == `"default"`
	case "response_format":
		return v == `"json"` || v == `{"type":"text"}` || v == `{"type": "text"}`
	case "encoding_format":
		return v == `"float"`
	case "reasoning_effort":
		return v == `"none"`
	case "speed":
		return v == "1" || v == "1.0"
	}
	return false
}
