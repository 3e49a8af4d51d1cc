package bridge

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/dialect/responses"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// whole reads a response (https://platform.openai.com/docs/api-reference/responses/object).
func whole(t *provider.Turn, body []byte, s *openai.Said) error {
	if dialect.Get(body, "output") == nil {
		if !dialect.Null(dialect.Get(body, "error")) {
			return t.Fail(200, body)
		}
		return t.Garbled("has no output")
	}
	if err := ended(t, body, s); err != nil {
		return err
	}
	for c := dialect.Array(dialect.Get(body, "output")); c.Next(); {
		item(t, c.Value(), s)
	}
	return nil
}

// ended reads what a response says besides its output: why it ended, the usage, and the tier that served it.
func ended(t *provider.Turn, response []byte, s *openai.Said) error {
	s.Finish = "stop"
	for c := dialect.Object(response); c.Next(); {
		v := c.Value()
		switch string(c.Key()) {
		case "error":
			if !dialect.Null(v) {
				return t.Fail(200, response)
			}
		case "status":
			if string(v) == `"incomplete"` && s.Finish == "stop" {
				s.Finish = "length"
			}
		case "incomplete_details":
			switch t.Text(dialect.Get(v, "reason")) {
			case "content_filter":
				s.Finish = "content_filter"
			case "max_output_tokens":
				s.Finish = "length"
			}
		case "usage":
			openai.Count(&s.Usage, responses.Usage(v))
		case "output":
			var tools llm.Usage
			dialect.CountTools(v, &tools)
			openai.Count(&s.Usage, tools)
		case "service_tier":
			if c.First() == '"' {
				s.Extra = append(s.Extra, llm.Pair{Name: "service_tier", Value: string(v)})
				s.Usage.Tier = llm.ServedBy(t.Text(v))
			}
		}
	}
	return nil
}

// item reads one item of an output.
func item(t *provider.Turn, raw []byte, s *openai.Said) {
	switch string(dialect.Get(raw, "type")) {
	case `"message"`:
		for c := dialect.Array(dialect.Get(raw, "content")); c.Next(); {
			v := c.Value()
			s.Text += t.Text(dialect.Get(v, "text"))
			s.Refusal += t.Text(dialect.Get(v, "refusal"))
			for n := dialect.Array(dialect.Get(v, "annotations")); n.Next(); {
				s.Annotations = source(s.Annotations, n.Value())
			}
			probabilities(s, dialect.Get(v, "logprobs"))
		}
	case `"function_call"`:
		s.Calls = append(s.Calls, openai.SaidCall{
			Index: len(s.Calls), ID: t.Text(dialect.Get(raw, "call_id")), Name: t.Text(dialect.Get(raw, "name")),
			Arguments: t.Text(dialect.Get(raw, "arguments")),
		})
	case `"custom_tool_call"`:
		s.Calls = append(s.Calls, openai.SaidCall{
			Index: len(s.Calls), ID: t.Text(dialect.Get(raw, "call_id")), Name: t.Text(dialect.Get(raw, "name")),
			Arguments: t.Text(dialect.Get(raw, "input")), Free: true,
		})
	case `"reasoning"`:
		text := summary(t, raw)
		s.Reasoning += text
		s.Thinking = block(s.Thinking, text, signature(t, raw))
	case `"image_generation_call"`:
		s.Images = picture(t, s.Images, raw)
	}
}

// summary is what the model tells of its thoughts: sums of them, or for open models the thoughts themselves.
func summary(t *provider.Turn, raw []byte) string {
	for _, key := range [...]string{"summary", "content"} {
		var texts []string
		for c := dialect.Array(dialect.Get(raw, key)); c.Next(); {
			if text := t.Text(dialect.Get(c.Value(), "text")); text != "" {
				texts = append(texts, text)
			}
		}
		if len(texts) > 0 {
			return strings.Join(texts, "\n\n")
		}
	}
	return ""
}

// signature is by what the vendor knows a thought again, or "".
func signature(t *provider.Turn, raw []byte) string {
	secret := t.Text(dialect.Get(raw, "encrypted_content"))
	if secret == "" {
		return ""
	}
	return openai.SignatureMark + t.Text(dialect.Get(raw, "id")) + ":" + secret
}

// block appends a thinking block. Without text and signature there is none.
func block(dst []byte, text, signature string) []byte {
	if text == "" && signature == "" {
		return dst
	}
	b := dialect.Resumed(dst)
	if len(dst) == 0 {
		b = dialect.Build(nil)
	}
	b.Open('{').Key("type").Lit(`"thinking"`).Key("thinking").Quote(text).Key("signature").Quote(signature).Close('}')
	return b.Bytes()
}

// source appends where a text has something from, as chats have it.
func source(dst, raw []byte) []byte {
	if string(dialect.Get(raw, "type")) != `"url_citation"` {
		return dst
	}
	b := dialect.Resumed(dst)
	if len(dst) == 0 {
		b = dialect.Build(nil)
	}
	b.Open('{').Key("type").Lit(`"url_citation"`).Key("url_citation").Open('{')
	for _, key := range [...]string{"start_index", "end_index", "url", "title"} {
		b.Member(key, dialect.Get(raw, key))
	}
	b.Close('}').Close('}')
	return b.Bytes()
}

func probabilities(s *openai.Said, list []byte) {
	if len(list) > 2 && list[0] == '[' {
		s.Logprobs = append(append([]byte(`{"content":`), list...), '}')
	}
}

// picture appends an image that the model made.
func picture(t *provider.Turn, dst, raw []byte) []byte {
	data := t.Text(dialect.Get(raw, "result"))
	if data == "" {
		return dst
	}
	kind := t.Text(dialect.Get(raw, "output_format"))
	if kind == "" {
		kind = "png"
	}
	b := dialect.Resumed(dst)
	if len(dst) == 0 {
		b = dialect.Build(nil)
	}
	b.Open('{').Key("type").Lit(`"image_url"`).Key("image_url").Open('{').Key("url").Quote("data:image/" + kind + ";base64," + data)
	b.Close('}').Close('}')
	return b.Bytes()
}
