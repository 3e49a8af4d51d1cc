package openai

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// AskAgain appends to dst the body of a chat with an answer to it and messages of the user behind its own messages. Of
// the answer it takes the text of one choice; one without text, such as a call of a tool, is left out, since nothing
// could answer it. It reports false, and appends nothing, if the body has no list of messages.
func AskAgain(dst []byte, body *llm.Object, answer []byte, choice int, ask []string) ([]byte, bool) {
	i := body.Index("messages")
	if i < 0 {
		return dst, false
	}
	raw, at := body.Raw(), body.Members()[i].Value
	if at.End-at.Start < 2 || raw[at.Start] != '[' {
		return dst, false
	}
	first := dialect.Array(raw[at.Start:at.End])
	more := first.Next()
	dst = append(dst, raw[:at.End-1]...)
	begin := func(role string) {
		if more {
			dst = append(dst, ',')
		}
		more = true
		dst = append(append(append(dst, `{"role":"`...), role...), `","content":`...)
	}
	if said := contentOf(answer, choice); said != nil {
		begin("assistant")
		dst = append(append(dst, said...), '}')
	}
	for _, text := range ask {
		begin("user")
		dst = append(llm.AppendQuoted(dst, text), '}')
	}
	return append(dst, raw[at.End-1:]...), true
}

// contentOf is the content of a choice of an answer as JSON; nil if it has none.
func contentOf(answer []byte, choice int) []byte {
	if len(answer) == 0 {
		return nil
	}
	c := dialect.Array(dialect.Get(answer, "choices"))
	for n := 0; c.Next(); n++ {
		index := n
		if raw := dialect.Get(c.Value(), "index"); len(raw) > 0 {
			index = int(dialect.Int(raw))
		}
		if index != choice {
			continue
		}
		content := dialect.Get(dialect.Get(c.Value(), "message"), "content")
		if len(content) > 2 && (content[0] == '"' || content[0] == '[') {
			return content
		}
		return nil
	}
	return nil
}
