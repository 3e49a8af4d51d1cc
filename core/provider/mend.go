package provider

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// What Mend adds, as the reference does (litellm/llms/anthropic/chat/transformation.py, litellm/utils.py,
// add_dummy_tool).
const (
	firstMessage = `{"role":"user","content":"."}`
	dummyTool    = `{"type":"function","function":{"name":"dummy_tool","description":"This is a dummy tool call",` +
		`"parameters":{"type":"object","properties":{}}}}`
)

// Mend is inner with requests repaired that some vendors refuse: a conversation that does not begin with the user begins
// with a message of the user's, and one in which tools were called has a list of tools.
func Mend(inner Provider) Provider {
	return Rewrite(inner, func(_ *llm.Deployment, x *llm.Exchange) ([]byte, error) {
		if x.Op != llm.OpChat {
			return nil, nil
		}
		body := x.Body.Raw()
		return mended(body, x.Body.Get("messages"), present(body, "tools") || present(body, "functions")), nil
	})
}

// mended returns the body with what is missing, or nil if nothing is.
func mended(body, messages []byte, tools bool) []byte {
	if len(messages) == 0 || messages[0] != '[' {
		return nil
	}
	at, first, called := -1, false, false // where the conversation begins, not with the user, and with tools called
	i := 0
	for m := dialect.Array(messages); m.Next(); i++ {
		if m.First() != '{' {
			return nil
		}
		role := dialect.Get(m.Value(), "role")
		switch string(role) {
		case `"system"`, `"developer"`:
			continue
		case `"tool"`, `"function"`:
			called = true
		case `"assistant"`:
			called = called || present(m.Value(), "tool_calls") || present(m.Value(), "function_call")
		}
		if at < 0 {
			at, first = i, string(role) != `"user"`
		}
	}
	if at < 0 { // nothing but instructions
		at, first = i, true
	}
	if !first && (tools || !called) {
		return nil
	}
	b := dialect.Build(make([]byte, 0, len(body)+len(firstMessage)+len(dummyTool)+16))
	b.Open('{')
	for c := dialect.Object(body); c.Next(); {
		key := string(c.Key())
		if key == "messages" && first {
			b.Key(key).Open('[')
			i := 0
			for m := dialect.Array(messages); m.Next(); i++ {
				if i == at {
					b.Lit(firstMessage)
				}
				b.Raw(m.Value())
			}
			if i == at {
				b.Lit(firstMessage)
			}
			b.Close(']')
			continue
		}
		if key != "tools" || tools {
			b.Key(key).Raw(c.Value())
		}
	}
	if called && !tools {
		b.Key("tools").Open('[').Lit(dummyTool).Close(']')
	}
	return b.Close('}').Bytes()
}

// present reports whether a member of an object is there and holds something.
func present(object []byte, key string) bool {
	v := dialect.Get(object, key)
	return v != nil && string(v) != "null" && string(v) != "[]"
}
