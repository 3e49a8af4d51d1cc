package dialect

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// maxToolName is how long the name of a tool may be at OpenAI and vendors like it
// (https://platform.openai.com/docs/api-reference/chat/create, tools). Other APIs allow more.
const (
	maxToolName = 64
	toolHash    = 8
)

// ShortToolName is a name of a tool, a JSON string, that all vendors take: a long one is cut, and ends in a hash of the
// whole, as in the reference (litellm/llms/anthropic/experimental_pass_through/adapters/transformation.py,
// truncate_tool_name). Anything else is returned as it is.
func ShortToolName(name []byte) []byte {
	if len(name) <= maxToolName+2 {
		return name
	}
	s, ok := llm.Text(name)
	if !ok || len(s) <= maxToolName {
		return name
	}
	sum := sha256.Sum256(s)
	short := string(s[:maxToolName-toolHash-1]) + "_" + hex.EncodeToString(sum[:toolHash/2])
	return llm.AppendQuoted(nil, short)
}

// LongToolName is the name that ShortToolName made name of, if it is that of one of the tools, a list of objects with a
// name; else it is name.
func LongToolName(tools, name []byte) []byte {
	if len(name) != maxToolName+2 || name[maxToolName-toolHash] != '_' {
		return name
	}
	for c := Array(tools); c.Next(); {
		if long := Get(c.Value(), "name"); len(long) > len(name) && string(ShortToolName(long)) == string(name) {
			return long
		}
	}
	return name
}
