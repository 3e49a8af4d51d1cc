package compat

import (
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Ability reports whether a model can do something, such as "reasoning"; known is false if nothing is known of the model.
type Ability func(what string) (yes, known bool)

// Unfit lists the parameters of chats that one model of a vendor refuses although the vendor's others take them. The rules
// are the reference's (get_supported_openai_params and map_openai_params in litellm/llms/*/chat/), corrected where the
// vendor's page tells more. model is the vendor's name for it.
func Unfit(vendor, model string, can Ability) []llm.Unfit {
	name := strings.ToLower(model[strings.LastIndexByte(model, '/')+1:])
	switch vendor {
	case "openai", "azure":
		return unfitOpenAI(name, can)
	case "xai":
		return unfitXAI(name, can)
	case "groq", "perplexity", "cerebras", "openrouter", "mistral", "anthropic", "gemini", "bedrock_mantle":
		return effortless(can)
	case "bedrock", "vertex_ai":
		// Others there have efforts of their own, or none, which their translations know.
		if strings.Contains(name, "claude") || strings.HasPrefix(name, "gemini") {
			return effortless(can)
		}
	case "together_ai":
		// https://docs.together.ai/docs/function-calling, https://docs.together.ai/docs/json-mode
		if yes, known := can("function_calling"); known && !yes {
			return unfit("tools", "tool_choice", "function_call", "functions", "response_format")
		}
	}
	return nil
}

func unfit(names ...string) []llm.Unfit {
	list := make([]llm.Unfit, len(names))
	for i, name := range names {
		list[i].Name = name
	}
	return list
}

// effortless are the parameters that a model has no use for which does not think.
func effortless(can Ability) []llm.Unfit {
	if yes, known := can("reasoning"); known && !yes {
		return unfit("reasoning_effort")
	}
	return nil
}

// unfitOpenAI is for models that think: https://platform.openai.com/docs/guides/reasoning. Those of the o series and of
// GPT-5 have one temperature. Later ones take what shapes the choice of words as long as they do not think, which they do
// if they are told to only (https://platform.openai.com/docs/guides/latest-model).
func unfitOpenAI(name string, can Ability) []llm.Unfit {
	switch {
	case family(name, "o1"), family(name, "o3"), family(name, "o4"):
		list := unfit("logprobs", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs")
		for _, need := range [...][2]string{
			{"function_calling", "tools"}, {"function_calling", "tool_choice"}, {"function_calling", "functions"},
			{"function_calling", "function_call"}, {"parallel_function_calling", "parallel_tool_calls"}, {"response_schema", "response_format"},
		} {
			if yes, known := can(need[0]); known && !yes {
				list = append(list, llm.Unfit{Name: need[1]})
			}
		}
		return append(list, llm.Unfit{Name: "temperature", But: "1"}, limitOfThinkers())
	case !strings.Contains(name, "gpt-5"), strings.Contains(name, "gpt-5-chat"):
		return nil
	case strings.Contains(name, "search"):
		return append(unfit("audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "modalities", "n",
			"parallel_tool_calls", "prediction", "presence_penalty", "reasoning_effort", "seed", "stop", "tool_choice", "tools",
			"top_logprobs", "top_p"), llm.Unfit{Name: "temperature", But: "1"}, limitOfThinkers())
	}
	list := unfit("presence_penalty", "frequency_penalty", "stop", "logit_bias", "modalities", "prediction", "audio", "web_search_options")
	idle, known := can("none_reasoning_effort")
	idle = known && idle
	for _, name := range [...]string{"logprobs", "top_p", "top_logprobs"} {
		list = append(list, llm.Unfit{Name: name, Idle: idle})
	}
	return append(list, llm.Unfit{Name: "temperature", But: "1", Idle: idle}, limitOfThinkers())
}

// limitOfThinkers is the limit's name for models that think, whose thoughts it counts too.
func limitOfThinkers() llm.Unfit { return llm.Unfit{Name: "max_tokens", As: "max_completion_tokens"} }

// family reports whether a name is a model of a family: o3, o3-mini, o3-2025-04-16.
func family(name, of string) bool {
	rest, ok := strings.CutPrefix(name, of)
	return ok && (rest == "" || rest[0] == '-')
}

// unfitXAI is for models that think (https://docs.x.ai/docs/guides/reasoning). An effort is known to grok-3-mini, to several
// agents at once, and to grok-4.3 and later ones; the others think as much as their name tells.
func unfitXAI(name string, can Ability) []llm.Unfit {
	var list []llm.Unfit
	mini, code, four := strings.Contains(name, "grok-3-mini"), strings.Contains(name, "grok-code-fast"), strings.Contains(name, "grok-4")
	if mini || code || four {
		list = append(list, llm.Unfit{Name: "stop"})
	}
	if code || four {
		list = append(list, llm.Unfit{Name: "frequency_penalty"})
	}
	if (mini || code || four) && !strings.Contains(name, "non-reasoning") {
		list = append(list, llm.Unfit{Name: "presence_penalty"})
	}
	fixed := !strings.Contains(name, "multi-agent") && (code || name == "grok-4" || slices.ContainsFunc([]string{"grok-4-0709", "grok-4-latest", "grok-4-fast", "grok-4-1-fast", "grok-4.20"},
		func(part string) bool { return strings.HasPrefix(name, part) }))
	if fixed {
		return append(list, llm.Unfit{Name: "reasoning_effort"})
	}
	return append(list, effortless(can)...)
}
