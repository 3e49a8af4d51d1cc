package bridge

import (
	"bytes"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// request writes a request for a response (https://platform.openai.com/docs/api-reference/responses/create). It is not
// stored unless the caller says so, as with chats; so that a conversation can go on, what the model thought comes
// encrypted.
func (s *Settings) request(t *provider.Turn, r *openai.ChatRequest, dst []byte) ([]byte, error) {
	b := dialect.Build(dst)
	b.Open('{').Key("model").Raw(t.Site.Model)
	if err := input(&b, r); err != nil {
		return nil, err
	}
	if err := tools(&b, r); err != nil {
		return nil, err
	}
	format(&b, r)
	thinks, err := s.reasoning(&b, t, r)
	if err != nil {
		return nil, err
	}
	b.Member("max_output_tokens", r.MaxTokens())
	include(&b, r, thinks)
	if store := r.Get("store"); store != nil {
		b.Key("store").Raw(store)
	} else {
		b.Key("store").Bool(false)
	}
	for name, v := range r.Rest {
		b.Member(name, v)
	}
	if t.Exchange.Streamed {
		b.Key("stream").Bool(true)
	}
	return b.Close('}').Bytes(), nil
}

// input writes the messages as items: what the assistant said, each call and each result is one of its own.
func input(b *dialect.Builder, r *openai.ChatRequest) error {
	b.Key("input").Open('[')
	for i := range r.Messages {
		m := &r.Messages[i]
		var err error
		switch m.Role {
		case openai.RoleSystem:
			err = message(b, r, m, "system")
		case openai.RoleUser:
			err = message(b, r, m, "user")
		case openai.RoleAssistant:
			err = assistant(b, r, m)
		case openai.RoleTool:
			err = result(b, r, m)
		}
		if err != nil {
			return err
		}
	}
	b.Close(']')
	return nil
}

func message(b *dialect.Builder, r *openai.ChatRequest, m *openai.ChatMessage, role string) error {
	b.Open('{').Key("role").Quote(role).Key("content")
	if err := content(b, r, m); err != nil {
		return err
	}
	b.Close('}')
	return nil
}

// content writes what was said to the model.
func content(b *dialect.Builder, r *openai.ChatRequest, m *openai.ChatMessage) error {
	if text, ok := m.Text(); ok && m.Plain {
		b.Raw(text)
		return nil
	}
	b.Open('[')
	if m.Failed {
		b.Open('{').Key("type").Lit(`"input_text"`).Key("text").Lit(`"Error: "`).Close('}')
	}
	for i := range m.Parts {
		if err := part(b, r, m, &m.Parts[i]); err != nil {
			return err
		}
	}
	b.Close(']')
	return nil
}

// part writes a text, an image, a sound or a file; the API has no films. Sounds have the form that chats have for them
// (https://github.com/openai/openai-python, src/openai/types/responses/response_input_audio.py).
func part(b *dialect.Builder, r *openai.ChatRequest, m *openai.ChatMessage, p *openai.Part) error {
	at := &p.Media
	switch p.Kind {
	case openai.PartText:
		b.Open('{').Key("type").Lit(`"input_text"`).Key("text").Raw(p.Text).Close('}')
		return nil
	case openai.PartImage:
		b.Open('{').Key("type").Lit(`"input_image"`)
		if at.ID != nil {
			b.Key("file_id").QuoteBytes(at.ID)
		} else {
			b.Key("image_url")
			address(b, at)
		}
		b.Key("detail")
		if at.Detail != nil {
			b.QuoteBytes(at.Detail)
		} else {
			b.Lit(`"auto"`)
		}
		b.Close('}')
		return nil
	case openai.PartFile:
		if at.Plain != nil {
			b.Open('{').Key("type").Lit(`"input_text"`).Key("text").Raw(at.Plain).Close('}')
			return nil
		}
		b.Open('{').Key("type").Lit(`"input_file"`)
		switch {
		case at.ID != nil:
			b.Key("file_id").QuoteBytes(at.ID)
		case at.URL != nil:
			b.Key("file_url").QuoteBytes(at.URL)
		default:
			name := at.Name
			if name == nil {
				name = []byte(`"file"`)
			}
			b.Key("filename").Raw(name).Key("file_data")
			address(b, at)
		}
		b.Close('}')
		return nil
	case openai.PartAudio:
		if v := dialect.Get(p.Raw, "input_audio"); v != nil {
			b.Open('{').Key("type").Lit(`"input_audio"`).Key("input_audio").Open('{')
			b.Member("data", dialect.Get(v, "data")).Member("format", dialect.Get(v, "format")).Close('}').Close('}')
			return nil
		}
	}
	return r.BadPart(m, p)
}

// address writes where media are, or a URL that holds them.
func address(b *dialect.Builder, m *openai.Media) {
	if m.URL != nil {
		b.QuoteBytes(m.URL)
		return
	}
	b.Quote("data:" + string(m.Type) + ";base64," + string(m.Data))
}

// assistant writes what the model thought, said and called.
func assistant(b *dialect.Builder, r *openai.ChatRequest, m *openai.ChatMessage) error {
	thoughts(b, m.Thinking)
	if err := said(b, r, m); err != nil {
		return err
	}
	if text, ok := m.Text(); !ok || len(text) > 2 || m.Refusal != nil {
		if err := spoken(b, r, m); err != nil {
			return err
		}
	}
	for i := range m.Calls {
		c := &m.Calls[i]
		if c.Free {
			b.Open('{').Key("type").Lit(`"custom_tool_call"`).Key("call_id").Raw(c.ID).Key("name").Raw(c.Name)
			b.Key("input").Raw(c.Arguments).Close('}')
			continue
		}
		arguments, ok := c.Object()
		if !ok {
			return r.Bad(m.At(".tool_calls"), "holds arguments that are not a JSON object")
		}
		b.Open('{').Key("type").Lit(`"function_call"`).Key("call_id").Raw(c.ID).Key("name").Raw(c.Name)
		b.Key("arguments").QuoteBytes(arguments).Close('}')
	}
	return nil
}

// said writes the words of an answer that was spoken. One that is named by its id only cannot be said again: the API has
// no answers in sound.
func said(b *dialect.Builder, r *openai.ChatRequest, m *openai.ChatMessage) error {
	if m.Audio == nil {
		return nil
	}
	text := dialect.Get(m.Audio, "transcript")
	if len(text) == 0 || text[0] != '"' {
		if r.Drop {
			return nil
		}
		return r.Bad(m.At(".audio"), "names an answer that was spoken, which this model has no way to hear again: send its text as content")
	}
	b.Open('{').Key("role").Lit(`"assistant"`).Key("content").Open('[')
	b.Open('{').Key("type").Lit(`"output_text"`).Key("text").Raw(text).Close('}')
	b.Close(']').Close('}')
	return nil
}

func spoken(b *dialect.Builder, r *openai.ChatRequest, m *openai.ChatMessage) error {
	b.Open('{').Key("role").Lit(`"assistant"`).Key("content").Open('[')
	for i := range m.Parts {
		p := &m.Parts[i]
		switch {
		case p.Kind != openai.PartText:
			return r.BadPart(m, p)
		case len(p.Text) > 2:
			b.Open('{').Key("type").Lit(`"output_text"`).Key("text").Raw(p.Text).Close('}')
		}
	}
	if m.Refusal != nil {
		b.Open('{').Key("type").Lit(`"refusal"`).Key("refusal").Raw(m.Refusal).Close('}')
	}
	b.Close(']').Close('}')
	return nil
}

func result(b *dialect.Builder, r *openai.ChatRequest, m *openai.ChatMessage) error {
	b.Open('{').Key("type").Quote(kindOfCall(r, m) + "_output").Key("call_id").Raw(m.CallID).Key("output")
	if text, ok := m.Text(); ok {
		b.Raw(text)
	} else if err := content(b, r, m); err != nil {
		return err
	}
	b.Close('}')
	return nil
}

// kindOfCall is the type of the call that a result is of.
func kindOfCall(r *openai.ChatRequest, m *openai.ChatMessage) string {
	for i := range r.Messages {
		for k := range r.Messages[i].Calls {
			if c := &r.Messages[i].Calls[k]; c.Free && bytes.Equal(c.ID, m.CallID) {
				return "custom_tool_call"
			}
		}
	}
	return "function_call"
}

// thoughts writes the items that thinking blocks stand for. A caller may send the pieces of a stream back: texts go
// together up to the signature. Blocks of other vendors have no meaning here.
func thoughts(b *dialect.Builder, blocks []byte) {
	var text []byte
	for c := dialect.Array(blocks); c.Next(); {
		if v := dialect.Get(c.Value(), "thinking"); len(v) > 2 && v[0] == '"' {
			text = append(text, v[1:len(v)-1]...)
		}
		signature, ok := llm.Text(dialect.Get(c.Value(), "signature"))
		if !ok || len(signature) == 0 {
			continue
		}
		secret, ok := bytes.CutPrefix(signature, []byte(openai.SignatureMark))
		id, secret, found := bytes.Cut(secret, []byte(":"))
		if ok && found {
			b.Open('{').Key("type").Lit(`"reasoning"`).Key("id").QuoteBytes(id).Key("summary").Open('[')
			if len(text) > 0 {
				b.Open('{').Key("type").Lit(`"summary_text"`).Key("text").Lit(`"` + string(text) + `"`).Close('}')
			}
			b.Close(']').Key("encrypted_content").QuoteBytes(secret).Close('}')
		}
		text = text[:0]
	}
}

// reasoning says how much the model shall think, and whether it shall sum it up. It reports whether what it thought can
// come encrypted.
func (s *Settings) reasoning(b *dialect.Builder, t *provider.Turn, r *openai.ChatRequest) (bool, error) {
	whole := r.Get("reasoning")
	effort, err := r.Effort()
	if err != nil {
		return false, err
	}
	thinking := r.Get("thinking")
	if effort == "" && thinking != nil {
		effort = "medium"
		if string(dialect.Get(thinking, "type")) == `"disabled"` {
			effort = ""
		}
	}
	summary := dialect.Get(whole, "summary")
	if summary == nil && s.Summary && effort != "" && effort != "none" {
		summary = []byte(`"detailed"`) // as the reference (litellm.reasoning_auto_summary)
	}
	if effort != "" || summary != nil {
		b.Key("reasoning").Open('{')
		if effort != "" {
			b.Key("effort").Quote(effort)
		}
		b.Member("summary", summary).Close('}')
	}
	return effort != "" || summary != nil || Reasons(t.Site.Deployment), nil
}

// include asks for what an answer has only if it is asked for.
func include(b *dialect.Builder, r *openai.ChatRequest, thinks bool) {
	probs := string(r.Get("logprobs")) == "true"
	if !thinks && !probs {
		return
	}
	b.Key("include").Open('[')
	if thinks {
		b.Lit(`"reasoning.encrypted_content"`)
	}
	if probs {
		b.Lit(`"message.output_text.logprobs"`)
	}
	b.Close(']')
}

// format says the form of the answer (https://platform.openai.com/docs/guides/structured-outputs).
func format(b *dialect.Builder, r *openai.ChatRequest) {
	verbosity := r.Get("verbosity")
	f := &r.Format
	if verbosity == nil && f.Kind == openai.FormatOpen {
		return
	}
	b.Key("text").Open('{').Member("verbosity", verbosity)
	switch f.Kind {
	case openai.FormatText:
		b.Key("format").Lit(`{"type":"text"}`)
	case openai.FormatObject:
		b.Key("format").Lit(`{"type":"json_object"}`)
	case openai.FormatSchema:
		b.Key("format").Open('{').Key("type").Lit(`"json_schema"`).Key("name")
		if f.Name != nil {
			b.Raw(f.Name)
		} else {
			b.Lit(`"answer"`)
		}
		b.Member("description", f.Description).Member("schema", f.Schema)
		b.Key("strict").Bool(f.Strict).Close('}')
	case openai.FormatOpen:
	}
	b.Close('}')
}
