package gemini

import (
	"strconv"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// CountedRequest is the request that a countTokens asks about, if it is wrapped (https://ai.google.dev/api/tokens); nil if
// the body itself is.
func CountedRequest(body *llm.Object) []byte {
	for _, name := range [...]string{"generateContentRequest", "generate_content_request"} {
		if v := body.Get(name); len(v) > 0 && v[0] == '{' {
			return v
		}
	}
	return nil
}

// AppendCount appends the answer of countTokens.
func AppendCount(dst []byte, tokens int) []byte {
	dst = strconv.AppendInt(append(dst, `{"totalTokens":`...), int64(tokens), 10)
	dst = strconv.AppendInt(append(dst, `,"promptTokensDetails":[{"modality":"TEXT","tokenCount":`...), int64(tokens), 10)
	return append(dst, "}]}"...)
}
