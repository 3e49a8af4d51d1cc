package cache

import (
	"bytes"
	"errors"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/anthropic"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// The forms in which answers are kept. A streamed chat completion is two parts: a chunk with all that was said, and one
// with the usage. A message of Anthropic's is kept whole, a response and an answer of Google's as they came: whole, or as
// their events.

// reshape appends the parts of an entry in the form that it does not have. ok is false if that cannot be.
func reshape(dst []byte, e *entry) (_ []byte, ok bool) {
	var err error
	switch {
	case e.dialect == llm.DialectOpenAI && e.kind == kindWhole:
		dst, err = appendSplit(dst, e.data())
	case e.dialect == llm.DialectOpenAI:
		var whole []byte
		if whole, err = joinChunks(e.parts); err == nil {
			dst = appendPart(dst, nil, whole)
		}
	case e.dialect == llm.DialectMessages && e.kind == kindWhole:
		dst, err = appendMessageEvents(dst, e.data())
	case e.dialect == llm.DialectResponses && e.kind == kindStream:
		whole := completedResponse(e.parts)
		if whole == nil {
			return dst, false
		}
		dst = appendPart(dst, nil, whole)
	case e.dialect == llm.DialectResponses:
		return appendResponseEvents(dst, e.data())
	case e.dialect == llm.DialectGoogle && e.kind == kindWhole:
		dst = append(dst, e.parts...) // a chunk is an answer, so an answer is a stream of one
	case e.dialect == llm.DialectGoogle:
		whole, ok := joinAnswers(nil, e.parts)
		if !ok {
			return dst, false
		}
		dst = appendPart(dst, nil, whole)
	default:
		return dst, false
	}
	return dst, err == nil
}

// appendSplit appends a whole answer as the parts of a stream.
func appendSplit(dst, whole []byte) ([]byte, error) {
	chunks, err := openai.Split(whole, true)
	for _, c := range chunks {
		dst = appendPart(dst, nil, c)
	}
	return dst, err
}

// joinChunks makes a whole answer of chunks.
func joinChunks(parts []byte) ([]byte, error) {
	var j openai.Joiner
	for len(parts) > 0 {
		_, data, rest, ok := nextPart(parts)
		if !ok {
			return nil, errEntry
		}
		if err := j.Add(data); err != nil {
			return nil, err
		}
		parts = rest
	}
	return j.Append(nil)
}

// withoutUsage leaves out the chunk that nobody asked for.
func withoutUsage(parts []byte) []byte {
	_, _, rest, ok := nextPart(parts)
	if !ok || len(rest) == 0 {
		return parts
	}
	return parts[:len(parts)-len(rest)]
}

var errUnfinished = errors.New("the answer has no end")

// compact makes the parts of a stream that are kept, of those that came.
func compact(r *recorded) (parts []byte, k kind, err error) {
	switch r.dialect {
	case llm.DialectOpenAI:
		parts, err = compactChunks(r)
		return parts, kindStream, err
	case llm.DialectMessages:
		parts, err = compactMessage(r.parts)
		return parts, kindWhole, err
	case llm.DialectResponses:
		if completedResponse(r.parts) == nil {
			return nil, 0, errUnfinished
		}
	case llm.DialectGoogle:
		if !endedAnswer(r.parts) {
			return nil, 0, errUnfinished
		}
	}
	return r.parts, kindStream, nil
}

func compactChunks(r *recorded) ([]byte, error) {
	whole, err := joinChunks(r.parts)
	if err != nil {
		return nil, err
	}
	for c := dialect.Array(dialect.Get(whole, "choices")); c.Next(); {
		if dialect.Null(dialect.Get(c.Value(), "finish_reason")) {
			return nil, errUnfinished
		}
	}
	if whole, err = dialect.Remove(nil, whole, "obfuscation"); err != nil {
		return nil, err
	}
	if dialect.Null(dialect.Get(whole, "usage")) && r.usage.Known() {
		// The vendor told it although the caller had not asked.
		w := openai.NewWriter(r.op, llm.ID{}, "", time.Time{})
		usage := dialect.Get(w.Usage(nil, r.usage), "usage")
		if whole, err = dialect.Set(nil, whole, "usage", usage); err != nil {
			return nil, err
		}
	}
	return appendSplit(nil, whole)
}

func compactMessage(parts []byte) ([]byte, error) {
	var j anthropic.Joiner
	for len(parts) > 0 {
		_, data, rest, ok := nextPart(parts)
		if !ok {
			return nil, errEntry
		}
		var e anthropic.Event
		if anthropic.ScanEvent(data, &e) {
			if err := j.Add(&e); err != nil {
				return nil, err
			}
		}
		parts = rest
	}
	whole, err := j.Append(nil)
	if err != nil {
		return nil, err
	}
	if dialect.Null(dialect.Get(whole, "stop_reason")) {
		return nil, errUnfinished
	}
	return appendPart(nil, nil, whole), nil
}

// completedResponse is the response that the last event of a stream holds, or nil
// (https://platform.openai.com/docs/api-reference/responses-streaming/response/completed).
func completedResponse(parts []byte) (whole []byte) {
	for len(parts) > 0 {
		_, data, rest, ok := nextPart(parts)
		if !ok {
			return nil
		}
		if bytes.Contains(data, []byte(`response.completed`)) || bytes.Contains(data, []byte(`response.incomplete`)) {
			switch string(dialect.Get(data, "type")) {
			case `"response.completed"`, `"response.incomplete"`:
				whole = dialect.Get(data, "response")
			}
		}
		parts = rest
	}
	return whole
}

// endedAnswer reports whether a stream of Google's says why it ended.
func endedAnswer(parts []byte) bool {
	var j joined
	for len(parts) > 0 {
		_, data, rest, ok := nextPart(parts)
		if !ok || !j.add(data) {
			return false
		}
		parts = rest
	}
	return j.ended()
}

// appendMessageEvents appends a message as the events of a stream
// (https://platform.claude.com/docs/en/build-with-claude/streaming#event-types).
func appendMessageEvents(dst, message []byte) ([]byte, error) {
	content := dialect.Get(message, "content")
	start := message
	var err error
	for _, m := range [...]struct{ key, value string }{{"content", "[]"}, {"stop_reason", "null"}, {"stop_sequence", "null"}} {
		if start, err = dialect.Set(nil, start, m.key, []byte(m.value)); err != nil {
			return dst, err
		}
	}
	dst = appendEvent(dst, "message_start", func(b *dialect.Builder) { b.Key("message").Raw(start) })
	n := int64(0)
	c := dialect.Array(content)
	for ; c.Next(); n++ {
		if dst, err = appendBlockEvents(dst, c.Value(), n); err != nil {
			return dst, err
		}
	}
	if c.Broken() {
		return dst, errEntry
	}
	dst = appendEvent(dst, "message_delta", func(b *dialect.Builder) {
		b.Key("delta").Open('{')
		for _, key := range [...]string{"stop_reason", "stop_sequence"} {
			v := dialect.Get(message, key)
			if v == nil {
				v = []byte("null")
			}
			b.Key(key).Raw(v)
		}
		b.Close('}')
		b.Member("usage", dialect.Get(message, "usage"))
	})
	return appendEvent(dst, "message_stop", func(*dialect.Builder) {}), nil
}

// appendBlockEvents appends a content block: it begins empty, and its text, its thought or its input follows.
func appendBlockEvents(dst, block []byte, n int64) ([]byte, error) {
	start := block
	type delta struct{ kind, key, field string }
	var deltas []delta
	kind, _ := llm.Text(dialect.Get(block, "type"))
	switch string(kind) {
	case "text":
		deltas = []delta{{"text_delta", "text", "text"}}
	case "thinking":
		deltas = []delta{{"thinking_delta", "thinking", "thinking"}, {"signature_delta", "signature", "signature"}}
	case "tool_use", "server_tool_use", "mcp_tool_use":
		deltas = []delta{{"input_json_delta", "input", "partial_json"}}
	}
	var err error
	for _, d := range deltas {
		empty := `""`
		if d.key == "input" {
			empty = "{}"
		}
		if dialect.Get(block, d.key) != nil {
			if start, err = dialect.Set(nil, start, d.key, []byte(empty)); err != nil {
				return dst, err
			}
		}
	}
	dst = appendEvent(dst, "content_block_start", func(b *dialect.Builder) { b.Key("index").Int(n).Key("content_block").Raw(start) })
	for _, d := range deltas {
		v := dialect.Get(block, d.key)
		if v == nil {
			continue
		}
		dst = appendEvent(dst, "content_block_delta", func(b *dialect.Builder) {
			b.Key("index").Int(n).Key("delta").Open('{').Key("type").Quote(d.kind).Key(d.field)
			if d.key == "input" {
				b.Quote(string(v))
			} else {
				b.Raw(v)
			}
			b.Close('}')
		})
	}
	return appendEvent(dst, "content_block_stop", func(b *dialect.Builder) { b.Key("index").Int(n) }), nil
}

func appendEvent(dst []byte, name string, fill func(*dialect.Builder)) []byte {
	b := dialect.Build(nil)
	b.Open('{').Key("type").Quote(name)
	fill(&b)
	return appendPart(dst, []byte(name), b.Close('}').Bytes())
}
