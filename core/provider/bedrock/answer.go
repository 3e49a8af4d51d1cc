package bedrock

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// whole reads an answer of Converse
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_ResponseSyntax).
func whole(t *provider.Turn, body []byte, s *openai.Said) error {
	var message []byte
	for c := dialect.Object(body); c.Next(); {
		switch string(c.Key()) {
		case "output":
			message = dialect.Get(c.Value(), "message")
		case "stopReason":
			s.Finish = finish(c.Value())
		case "usage":
			s.Usage = s.Usage.Plus(usage(c.Value()))
		case "trace", "additionalModelResponseFields":
			extra(s, string(c.Key()), c.Value())
		case "serviceTier":
			extra(s, "service_tier", dialect.Get(c.Value(), "type"))
			s.Usage.Tier = tier(c.Value())
		}
	}
	if len(message) == 0 || message[0] != '{' {
		if _, ok := llm.Text(dialect.Get(body, "message")); ok {
			return t.Fail(200, body) // a refusal with the status of a success
		}
		return t.Garbled("holds no message")
	}
	a := answer{t: t, s: s}
	for c := dialect.Array(dialect.Get(message, "content")); c.Next(); {
		a.block(c.Value())
	}
	if len(a.cited) > 0 {
		s.Specific = append(append([]byte(`{"citations":[`), a.cited...), "]}"...)
	}
	if a.json && len(s.Calls) == 0 && s.Finish == "tool_calls" {
		s.Finish = "stop" // the tool was a way to get JSON
	}
	return nil
}

// tier is the one that served an answer
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ServiceTier.html).
func tier(v []byte) llm.Served {
	word, _ := llm.Text(dialect.Get(v, "type"))
	return llm.ServedBy(word)
}

func extra(s *openai.Said, name string, v []byte) {
	if !dialect.Null(v) {
		s.Extra = append(s.Extra, llm.Pair{Name: name, Value: string(v)})
	}
}

// finish is the finish reason for a stop reason
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_MessageStopEvent.html). The reference maps them
// alike (litellm/litellm_core_utils/core_helpers.py, map_finish_reason).
func finish(stop []byte) string {
	if dialect.Null(stop) {
		return ""
	}
	switch string(stop) {
	case `"max_tokens"`, `"model_context_window_exceeded"`:
		return "length"
	case `"tool_use"`:
		return "tool_calls"
	case `"guardrail_intervened"`, `"content_filtered"`:
		return "content_filter"
	}
	return "stop"
}

// usage counts tokens in the gateway's terms: the prompt is all that was read, wherever from. The API's inputTokens are
// without what came from the cache and what went into it
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html).
func usage(v []byte) (u llm.Usage) {
	for c := dialect.Object(v); c.Next(); {
		switch string(c.Key()) {
		case "inputTokens":
			u.Prompt = dialect.Int(c.Value())
		case "outputTokens":
			u.Completion = dialect.Int(c.Value())
		case "cacheReadInputTokens":
			u.Cached = dialect.Int(c.Value())
		case "cacheWriteInputTokens":
			u.CacheWrite = dialect.Int(c.Value())
		case "cacheDetails":
			for d := dialect.Array(c.Value()); d.Next(); {
				if string(dialect.Get(d.Value(), "ttl")) == `"1h"` {
					u.CacheWriteHour = dialect.Int(dialect.Get(d.Value(), "inputTokens"))
				}
			}
		}
	}
	u.Prompt += u.Cached + u.CacheWrite
	u.Total = u.Prompt + u.Completion
	return u
}

// answer collects the blocks of a whole answer.
type answer struct {
	t     *provider.Turn
	s     *openai.Said
	json  bool // one was the input of the JSON tool
	cited []byte
}

// block takes one content block. https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
func (a *answer) block(block []byte) {
	for c := dialect.Object(block); c.Next(); {
		v := c.Value()
		switch string(c.Key()) {
		case "text":
			a.s.Text += a.t.Text(v)
		case "toolUse":
			a.call(v)
		case "reasoningContent":
			a.thought(v)
		case "citationsContent":
			for in := dialect.Array(dialect.Get(v, "content")); in.Next(); {
				a.s.Text += a.t.Text(dialect.Get(in.Value(), "text"))
			}
			for in := dialect.Array(dialect.Get(v, "citations")); in.Next(); {
				a.cited = list(a.cited, in.Value())
			}
		case "image":
			a.s.Images = picture(a.t, a.s.Images, v)
		}
	}
}

// list adds a value to a list without its brackets.
func list(dst, v []byte) []byte {
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	return append(dst, v...)
}

func (a *answer) call(v []byte) {
	name, input := a.t.Text(dialect.Get(v, "name")), dialect.Get(v, "input")
	if dialect.Null(input) {
		input = []byte("{}")
	}
	if name == jsonTool && wantsJSON(a.t) {
		a.json = true
		a.s.Text += string(input)
		return
	}
	a.s.Calls = append(a.s.Calls, openai.SaidCall{
		Index: len(a.s.Calls), ID: a.t.Text(dialect.Get(v, "toolUseId")), Name: name, Arguments: string(input),
	})
}

func (a *answer) thought(v []byte) {
	if data := dialect.Get(v, "redactedContent"); !dialect.Null(data) {
		a.s.Thinking = redacted(a.s.Thinking, data)
		return
	}
	text := dialect.Get(v, "reasoningText")
	a.s.Reasoning += a.t.Text(dialect.Get(text, "text"))
	a.s.Thinking = thinking(a.s.Thinking, dialect.Get(text, "text"), dialect.Get(text, "signature"))
}

// thinking adds a thinking block to a list, in the reference's form. What is absent is empty.
func thinking(dst, text, signature []byte) []byte {
	b := dialect.Build(list(dst, nil))
	orEmpty := func(v []byte) []byte {
		if len(v) == 0 || v[0] != '"' {
			return []byte(`""`)
		}
		return v
	}
	b.Open('{').Key("type").Lit(`"thinking"`).Key("thinking").Raw(orEmpty(text)).Key("signature").Raw(orEmpty(signature)).Close('}')
	return b.Bytes()
}

func redacted(dst, data []byte) []byte {
	b := dialect.Build(list(dst, nil))
	b.Open('{').Key("type").Lit(`"redacted_thinking"`).Key("data").Raw(data).Close('}')
	return b.Bytes()
}

// picture adds an image to a list, as a data URL.
func picture(t *provider.Turn, dst, v []byte) []byte {
	data := t.Text(dialect.Get(dialect.Get(v, "source"), "bytes"))
	if data == "" {
		return dst
	}
	b := dialect.Build(list(dst, nil))
	b.Open('{').Key("type").Lit(`"image_url"`).Key("image_url").Open('{')
	b.Key("url").Quote("data:image/" + t.Text(dialect.Get(v, "format")) + ";base64," + data).Close('}').Close('}')
	return b.Bytes()
}
