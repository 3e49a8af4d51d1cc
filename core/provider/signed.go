package provider

import (
	"bytes"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// signed reports whether ids of tool calls in a chat carry the signatures of Gemini's thoughts and the vendor is another
// one, which may find such ids too long. Only a request that offers tools is looked at.
func signed(x *llm.Exchange, d *llm.Deployment) bool {
	if x.Op != llm.OpChat || x.Body.Index("tools") < 0 {
		return false
	}
	switch d.Provider {
	case "gemini", "vertex_ai", "litellm_proxy": // who may serve Gemini
		return false
	}
	for m := dialect.Array(x.Body.Get("messages")); m.Next(); {
		if m.First() == '{' && signedMessage(m.Value()) {
			return true
		}
	}
	return false
}

// signedMessage looks at the ids alone: texts can be long.
func signedMessage(message []byte) bool {
	for c := dialect.Object(message); c.Next(); {
		switch string(c.Key()) {
		case "tool_call_id":
			if marked(c.Value()) {
				return true
			}
		case "tool_calls":
			for calls := dialect.Array(c.Value()); calls.Next(); {
				if calls.First() == '{' && marked(dialect.Get(calls.Value(), "id")) {
					return true
				}
			}
		}
	}
	return false
}

func marked(id []byte) bool { return bytes.Contains(id, []byte(gemini.SignatureMark)) }

// unsigned appends the body without the signatures, which the reference takes off too (litellm/utils.py, function_setup).
func unsigned(dst, body []byte) []byte {
	b := dialect.Build(dst)
	b.Open('{')
	for c := dialect.Object(body); c.Next(); {
		b.Key(string(c.Key()))
		if string(c.Key()) != "messages" || c.First() != '[' {
			b.Raw(c.Value())
			continue
		}
		b.Open('[')
		for m := dialect.Array(c.Value()); m.Next(); {
			if m.First() == '{' && signedMessage(m.Value()) {
				unsignedMessage(&b, m.Value())
			} else {
				b.Raw(m.Value())
			}
		}
		b.Close(']')
	}
	b.Close('}')
	return b.Bytes()
}

func unsignedMessage(b *dialect.Builder, message []byte) {
	b.Open('{')
	for c := dialect.Object(message); c.Next(); {
		key := string(c.Key())
		b.Key(key)
		switch {
		case key == "tool_call_id":
			b.Raw(unsignedID(c.Value()))
		case key == "tool_calls" && c.First() == '[':
			b.Open('[')
			for calls := dialect.Array(c.Value()); calls.Next(); {
				if calls.First() != '{' {
					b.Raw(calls.Value())
					continue
				}
				b.Open('{')
				for call := dialect.Object(calls.Value()); call.Next(); {
					v := call.Value()
					if string(call.Key()) == "id" {
						v = unsignedID(v)
					}
					b.Key(string(call.Key())).Raw(v)
				}
				b.Close('}')
			}
			b.Close(']')
		default:
			b.Raw(c.Value())
		}
	}
	b.Close('}')
}

// unsignedID is an id, quoted, without what follows the mark.
func unsignedID(id []byte) []byte {
	if at := bytes.Index(id, []byte(gemini.SignatureMark)); at > 1 && id[0] == '"' {
		return append(bytes.Clone(id[:at]), '"')
	}
	return id
}
