package compat_test

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/provider/compat"
)

func TestUnfit(t *testing.T) {
	t.Parallel()
	f := func(vendor, model, abilities, want string) {
		t.Helper()
		can := func(what string) (yes, known bool) {
			return strings.Contains(abilities+",", what+","), abilities != "unknown"
		}
		var got []string
		for _, u := range compat.Unfit(vendor, model, can) {
			switch {
			case u.As != "":
				u.Name += ">" + u.As
			case u.But != "" && u.Idle:
				u.Name += "=" + u.But + "|idle"
			case u.But != "":
				u.Name += "=" + u.But
			case u.Idle:
				u.Name += "|idle"
			}
			got = append(got, u.Name)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s/%s (%s):\ngot  %s\nwant %s", vendor, model, abilities, s, want)
		}
	}
	const all = "function_calling,parallel_function_calling,response_schema,reasoning"
	const o = "logprobs top_p presence_penalty frequency_penalty top_logprobs "
	const limit = " max_tokens>max_completion_tokens"
	f("openai", "gpt-4o", "unknown", "")
	f("openai", "o3", all, o+"temperature=1"+limit)
	f("openai", "o4-mini-2025-04-16", "unknown", o+"temperature=1"+limit)
	f("openai", "o1-mini", "reasoning", o+"tools tool_choice functions function_call parallel_tool_calls response_format temperature=1"+limit)
	f("openai", "o365-of-mine", "unknown", "")
	const five = "presence_penalty frequency_penalty stop logit_bias modalities prediction audio web_search_options "
	f("openai", "gpt-5", all, five+"logprobs top_p top_logprobs temperature=1"+limit)
	f("azure", "gpt-5-mini", "unknown", five+"logprobs top_p top_logprobs temperature=1"+limit)
	f("openai", "gpt-5.1", all+",none_reasoning_effort", five+"logprobs|idle top_p|idle top_logprobs|idle temperature=1|idle"+limit)
	f("openai", "gpt-5-chat-latest", all, "")
	f("openai", "gpt-5-search-api", all, "audio frequency_penalty function_call functions logit_bias logprobs modalities n "+
		"parallel_tool_calls prediction presence_penalty reasoning_effort seed stop tool_choice tools top_logprobs top_p temperature=1"+limit)

	f("xai", "grok-3", "function_calling", "reasoning_effort")
	f("xai", "grok-3-mini", "reasoning", "stop presence_penalty")
	f("xai", "grok-4-0709", "reasoning", "stop frequency_penalty presence_penalty reasoning_effort")
	f("xai", "grok-4-1-fast-non-reasoning", "function_calling", "stop frequency_penalty reasoning_effort")
	f("xai", "grok-4.3", "reasoning", "stop frequency_penalty presence_penalty")
	f("xai", "grok-code-fast-1", "reasoning", "stop frequency_penalty presence_penalty reasoning_effort")
	f("xai", "grok-4.20-reasoning", "reasoning", "stop frequency_penalty presence_penalty reasoning_effort")
	f("xai", "grok-4.20-multi-agent", "reasoning", "stop frequency_penalty presence_penalty")
	f("xai", "grok-9", "unknown", "")

	f("groq", "llama-3.3-70b", "function_calling", "reasoning_effort")
	f("groq", "openai/gpt-oss-120b", "reasoning", "")
	f("groq", "a-new-one", "unknown", "")
	f("perplexity", "sonar", "web_search", "reasoning_effort")
	f("mistral", "mistral-large-latest", "vision", "reasoning_effort")
	f("anthropic", "claude-3-haiku-20240307", "vision", "reasoning_effort")
	f("bedrock", "us.anthropic.claude-3-5-sonnet-20241022-v2:0", "vision", "reasoning_effort")
	f("bedrock", "eu-west-1/anthropic.claude-sonnet-4-20250514-v1:0", "reasoning", "")
	f("bedrock", "us.anthropic.claude-9-v1:0", "unknown", "")
	f("bedrock", "amazon.nova-pro-v1:0", "vision", "")
	f("vertex_ai", "gemini-2.0-flash-001", "vision", "reasoning_effort")
	f("vertex_ai", "gemini-2.5-pro", "reasoning", "")
	f("vertex_ai", "claude-3-5-haiku@20241022", "vision", "reasoning_effort")
	f("vertex_ai", "meta/llama-4-scout-maas", "vision", "")
	f("together_ai", "m", "vision", "tools tool_choice function_call functions response_format")
	f("together_ai", "m", "function_calling", "")
	f("deepseek", "deepseek-chat", "function_calling", "")
}
