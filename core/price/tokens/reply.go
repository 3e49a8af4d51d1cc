package tokens

import (
	"bytes"
	"encoding/json"
	"strings"
)

// CountReply returns the number of tokens of an answer: a whole reply, or the parts of a streamed one with sep between
// them, in the form of OpenAI's, Anthropic's or Google's chats. It counts what a model writes: texts, thoughts, and the
// names and arguments of tool calls. What is no JSON counts nothing.
func (c *Counter) CountReply(model string, data []byte, sep byte) int {
	var text strings.Builder
	for part := range bytes.SplitSeq(data, []byte{sep}) {
		var v any
		if json.Unmarshal(part, &v) == nil {
			written(&text, "", v, 0)
		}
	}
	return c.count(EncodingOf(model), text.String())
}

// written collects what a model wrote: the strings under names that hold such. Deltas of a stream are joined without
// anything between them, as they were cut.
func written(to *strings.Builder, name string, v any, depth int) {
	if depth > maxDepth {
		return
	}
	switch v := v.(type) {
	case string:
		switch name {
		case "content", "text", "reasoning_content", "reasoning", "thinking", "arguments", "partial_json", "refusal", "output_text", "delta":
			to.WriteString(v)
		}
	case []any:
		for _, item := range v {
			written(to, name, item, depth+1)
		}
	case map[string]any:
		if call, ok := v["function"].(map[string]any); ok {
			if s, ok := call["name"].(string); ok {
				to.WriteString(s)
			}
		}
		// The order of a map is not that of the text, so names are asked for one after another.
		for _, key := range []string{
			"choices", "candidates", "output", "message", "content_block", "delta", "parts", "reasoning_content", "reasoning", "thinking",
			"content", "text", "refusal", "output_text", "partial_json", "tool_calls", "function", "arguments",
		} {
			if member, ok := v[key]; ok {
				written(to, key, member, depth+1)
			}
		}
	}
}
