package provider

import (
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Spoken counts the characters of a request for speech, which vendors charge for and say nothing of in their answers.
func Spoken(x *llm.Exchange, u *llm.Usage) {
	if text, ok := llm.Text(x.Body.Get("input")); ok {
		u.Characters = int64(utf8.RuneCount(text))
	}
}
