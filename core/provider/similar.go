package provider

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Similar helps to translate for vendors whose chats have nearly the form of OpenAI's: it says what is different.
type Similar struct {
	Images   bool                                                 // messages of users may hold images
	Files    bool                                                 // and files, sounds and films, as they are written
	ToolName bool                                                 // results of tools have the name of the tool
	Required string                                               // the tool_choice for "must call one"; "" is "required"
	Part     func(b *dialect.Builder, p *openai.Part) bool        // writes a part in the vendor's own way; false: it is not its business
	Thought  func(b *dialect.Builder, m *openai.ChatMessage)      // writes earlier thinking as the first parts of a content; nil leaves it out
	CallID   func(id []byte) []byte                               // the id of a call, quoted, as the vendor takes it; nil: as it is
	Cache    bool                                                 // parts may have a cache_control
	Schema   func(b *dialect.Builder, schema []byte, strict bool) // writes the schema of a tool's parameters; nil: as it is
}

// Messages writes the member messages.
func (w *Similar) Messages(b *dialect.Builder, r *openai.ChatRequest) error {
	b.Key("messages").Open('[')
	for i := range r.Messages {
		if err := w.message(b, r, &r.Messages[i]); err != nil {
			return err
		}
	}
	b.Close(']')
	return nil
}

func (w *Similar) message(b *dialect.Builder, r *openai.ChatRequest, m *openai.ChatMessage) error {
	b.Open('{').Key("role")
	switch m.Role {
	case openai.RoleSystem:
		b.Lit(`"system"`)
	case openai.RoleUser:
		b.Lit(`"user"`)
	case openai.RoleAssistant:
		b.Lit(`"assistant"`)
	case openai.RoleTool:
		b.Lit(`"tool"`).Key("tool_call_id").Raw(w.id(m.CallID))
		if w.ToolName {
			b.Member("name", m.Tool)
		}
	}
	if m.Role != openai.RoleTool {
		b.Member("name", m.Name)
	}
	if err := w.content(b, r, m); err != nil {
		return err
	}
	if len(m.Calls) > 0 {
		b.Key("tool_calls").Open('[')
		for i := range m.Calls {
			c := &m.Calls[i]
			arguments, ok := c.Object()
			if !ok {
				return r.Bad(m.At(".tool_calls"), "holds arguments that are not a JSON object")
			}
			b.Open('{').Key("id").Raw(w.id(c.ID)).Key("type").Lit(`"function"`).Key("function").Open('{')
			b.Key("name").Raw(c.Name).Key("arguments").QuoteBytes(arguments).Close('}').Close('}')
		}
		b.Close(']')
	}
	b.Close('}')
	return nil
}

func (w *Similar) id(id []byte) []byte {
	if w.CallID == nil {
		return id
	}
	return w.CallID(id)
}

// cached reports whether the message has a cache_control that the vendor is to see.
func (w *Similar) cached(m *openai.ChatMessage) bool {
	if !w.Cache {
		return false
	}
	for i := range m.Parts {
		if m.Parts[i].Cache != nil {
			return true
		}
	}
	return m.Cache != nil && len(m.Parts) > 0
}

func (w *Similar) content(b *dialect.Builder, r *openai.ChatRequest, m *openai.ChatMessage) error {
	thought := w.Thought != nil && m.Role == openai.RoleAssistant && (m.Thinking != nil || m.Reasoning != nil)
	if text, ok := m.Text(); ok && !thought && !w.cached(m) {
		if len(text) == 2 && len(m.Calls) > 0 {
			return nil // an answer that only calls
		}
		b.Key("content").Raw(text)
		return nil
	}
	b.Key("content").Open('[')
	if thought {
		w.Thought(b, m)
	}
	for i := range m.Parts {
		p := &m.Parts[i]
		switch {
		case w.Part != nil && w.Part(b, p):
		case p.Kind == openai.PartText:
			b.Open('{').Key("type").Lit(`"text"`).Key("text").Raw(p.Text)
			if cache := p.Cache; w.Cache {
				if cache == nil && i == len(m.Parts)-1 {
					cache = m.Cache
				}
				b.Member("cache_control", cache)
			}
			b.Close('}')
		case p.Kind == openai.PartImage && w.Images && p.Media.ID == nil:
			WriteImage(b, &p.Media)
		case w.Files && p.Kind != openai.PartOther && p.Kind != openai.PartImage && m.Role == openai.RoleUser:
			b.Raw(p.Raw)
		default:
			return r.BadPart(m, p)
		}
	}
	b.Close(']')
	return nil
}

// WriteImage writes an image as the API of OpenAI has it.
func WriteImage(b *dialect.Builder, m *openai.Media) {
	b.Open('{').Key("type").Lit(`"image_url"`).Key("image_url").Open('{').Key("url")
	if m.URL != nil {
		b.QuoteBytes(m.URL)
	} else {
		b.Quote("data:" + string(m.Type) + ";base64," + string(m.Data))
	}
	if m.Detail != nil {
		b.Key("detail").QuoteBytes(m.Detail)
	}
	b.Close('}').Close('}')
}

// Tools writes the members tools, tool_choice and parallel_tool_calls.
func (w *Similar) Tools(b *dialect.Builder, r *openai.ChatRequest) error {
	if len(r.Tools) == 0 {
		return nil
	}
	b.Key("tools").Open('[')
	for i := range r.Tools {
		f := &r.Tools[i]
		if !f.Function() {
			b.Raw(f.Raw)
			continue
		}
		b.Open('{').Key("type").Lit(`"function"`).Key("function").Open('{').Key("name").Raw(f.Name)
		b.Member("description", f.Description)
		if w.Schema != nil {
			w.Schema(b, f.Schema(), f.Strict)
		} else {
			b.Key("parameters").Raw(f.Schema())
			if f.Strict {
				b.Key("strict").Bool(true)
			}
		}
		b.Close('}').Close('}')
	}
	b.Close(']')
	switch r.Choice.Mode {
	case openai.ChoiceAuto:
		b.Key("tool_choice").Lit(`"auto"`)
	case openai.ChoiceNone:
		b.Key("tool_choice").Lit(`"none"`)
	case openai.ChoiceRequired:
		word := w.Required
		if word == "" {
			word = "required"
		}
		b.Key("tool_choice").Quote(word)
	case openai.ChoiceNamed:
		b.Key("tool_choice").Open('{').Key("type").Lit(`"function"`).Key("function").Open('{').Key("name").Raw(r.Choice.Name).Close('}').Close('}')
	}
	if r.Parallel >= 0 {
		b.Key("parallel_tool_calls").Bool(r.Parallel == 1)
	}
	return nil
}

// Format writes response_format as it came.
func (w *Similar) Format(b *dialect.Builder, r *openai.ChatRequest) {
	b.Member("response_format", r.Format.Raw)
}

// ReadSimilar reads an answer, or a chunk of a streamed one, that has nearly the form of OpenAI's. A content that is a
// list is taken apart: texts, and thinking in the forms that vendors have for it.
func ReadSimilar(t *Turn, body []byte, s *openai.Said) error {
	some := false
	var choices []byte
	for c := dialect.Object(body); c.Next(); {
		switch string(c.Key()) {
		case "choices":
			choices, some = c.Value(), true
		case "usage":
			ReadUsage(c.Value(), &s.Usage)
		case "system_fingerprint", "service_tier":
			if c.First() == '"' {
				s.Extra = append(s.Extra, llm.Pair{Name: string(c.Key()), Value: string(c.Value())})
				if string(c.Key()) == "service_tier" {
					s.Usage.Tier = llm.ServedBy(t.Text(c.Value()))
				}
			}
		case "error", "errors":
			if !dialect.Null(c.Value()) && !some {
				return t.Fail(200, body)
			}
		}
	}
	if !some {
		if dialect.Get(body, "message") != nil || dialect.Get(body, "detail") != nil || dialect.Get(body, "error_code") != nil {
			return t.Fail(200, body)
		}
		return t.Garbled("has no choices")
	}
	first := true
	for c := dialect.Array(choices); c.Next(); {
		if first {
			readChoice(t, c.Value(), s)
			first = false
			continue
		}
		var more openai.Said
		readChoice(t, c.Value(), &more)
		s.More = append(s.More, more)
	}
	return nil
}

func readChoice(t *Turn, raw []byte, s *openai.Said) {
	for c := dialect.Object(raw); c.Next(); {
		v := c.Value()
		switch string(c.Key()) {
		case "index":
			s.Index = int(min(dialect.Int(v), 1<<16))
		case "finish_reason":
			s.Finish = similarFinish(t.Text(v))
		case "logprobs":
			if len(v) > 0 && v[0] == '{' {
				s.Logprobs = v
			}
		case "text":
			s.Text = t.Text(v)
		case "message", "delta":
			readMessage(t, v, s)
		}
	}
}

// similarFinish is a finish reason that some vendors have in place of OpenAI's.
func similarFinish(reason string) string {
	switch reason {
	case "model_length", "max_tokens", "time_limit":
		return "length"
	case "eos_token", "eos", "end_turn", "stop_sequence":
		return "stop"
	}
	return reason
}

func readMessage(t *Turn, raw []byte, s *openai.Said) {
	for c := dialect.Object(raw); c.Next(); {
		v := c.Value()
		switch string(c.Key()) {
		case "content":
			readContent(t, v, s)
		case "reasoning_content", "reasoning":
			if s.Reasoning == "" {
				s.Reasoning = t.Text(v)
			}
		case "refusal":
			s.Refusal = t.Text(v)
		case "tool_calls":
			for in := dialect.Array(v); in.Next(); {
				s.Calls = append(s.Calls, readCall(t, in.Value(), len(s.Calls)))
			}
		case "annotations":
			if len(v) > 2 && v[0] == '[' {
				s.Annotations = v[1 : len(v)-1]
			}
		}
	}
}

func readCall(t *Turn, raw []byte, n int) openai.SaidCall {
	call := openai.SaidCall{Index: n}
	for c := dialect.Object(raw); c.Next(); {
		switch v := c.Value(); string(c.Key()) {
		case "id":
			if call.ID = t.Text(v); call.ID == "null" {
				call.ID = ""
			}
		case "index":
			call.Index = int(min(dialect.Int(v), 1<<16))
		case "function":
			call.Name = t.Text(dialect.Get(v, "name"))
			arguments := dialect.Get(v, "arguments")
			if len(arguments) > 0 && arguments[0] == '{' {
				call.Arguments = string(arguments)
			} else {
				call.Arguments = t.Text(arguments)
			}
		}
	}
	return call
}

// readContent takes a content: a string, or parts. Thinking is a part with a text or a list of texts (Mistral), or a
// summary with signatures (Databricks).
func readContent(t *Turn, v []byte, s *openai.Said) {
	if len(v) == 0 || v[0] != '[' {
		s.Text = t.Text(v)
		return
	}
	for c := dialect.Array(v); c.Next(); {
		part := c.Value()
		switch string(dialect.Get(part, "type")) {
		case `"thinking"`:
			thinking := dialect.Get(part, "thinking")
			s.Reasoning += t.Text(thinking)
			for in := dialect.Array(thinking); in.Next(); {
				s.Reasoning += t.Text(dialect.Get(in.Value(), "text"))
			}
		case `"reasoning"`:
			for in := dialect.Array(dialect.Get(part, "summary")); in.Next(); {
				readSummary(t, in.Value(), s)
			}
		default:
			s.Text += t.Text(dialect.Get(part, "text"))
		}
	}
}

// readSummary takes a part of what the model thought, with the signature by which the vendor knows it again.
func readSummary(t *Turn, raw []byte, s *openai.Said) {
	text, signature := dialect.Get(raw, "text"), dialect.Get(raw, "signature")
	s.Reasoning += t.Text(text)
	b := dialect.Resumed(s.Thinking)
	if len(s.Thinking) == 0 {
		b = dialect.Build(nil)
	}
	b.Open('{').Key("type").Lit(`"thinking"`)
	if text == nil {
		text = []byte(`""`)
	}
	b.Key("thinking").Raw(text).Member("signature", signature).Close('}')
	s.Thinking = b.Bytes()
}

// ReadUsage reads a usage in OpenAI's form.
func ReadUsage(raw []byte, u *llm.Usage) {
	for c := dialect.Object(raw); c.Next(); {
		n := dialect.Int(c.Value())
		switch string(c.Key()) {
		case "prompt_tokens", "input_tokens":
			u.Prompt = n
		case "completion_tokens", "output_tokens":
			u.Completion = n
		case "total_tokens":
			u.Total = n
		case "prompt_tokens_details":
			d := dialect.Object(c.Value())
			dialect.PromptDetails(&d, u)
		case "completion_tokens_details":
			d := dialect.Object(c.Value())
			dialect.CompletionDetails(&d, u)
		case "cache_read_input_tokens":
			u.Cached = max(u.Cached, n)
		case "cache_creation_input_tokens":
			u.CacheWrite = n
		}
	}
	if u.Total == 0 {
		u.Total = u.Prompt + u.Completion
	}
	if u.Prompt+u.Completion == 0 {
		u.Prompt = u.Total // of rerankers and embeddings, which only read
	}
}

// SimilarEvents reads a stream whose events have nearly the form of OpenAI's, and that ends with [DONE].
func SimilarEvents(t *Turn) func(*Event, *openai.Said) error {
	return func(e *Event, s *openai.Said) error {
		if string(e.Data) == "[DONE]" {
			t.Ended = true
			return nil
		}
		if len(e.Data) == 0 || e.Data[0] != '{' {
			return t.Garbled("holds an event that is not a JSON object")
		}
		if string(e.Name) == "error" {
			return t.Fail(200, e.Data)
		}
		if c := dialect.Object(e.Data); !c.Next() && c.Broken() {
			return t.Garbled("holds an event that is not a JSON object")
		}
		return ReadSimilar(t, e.Data, s)
	}
}
