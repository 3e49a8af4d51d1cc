package openai

import (
	"strconv"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Writer writes an answer of chat completions or completions in the API's form.
type Writer struct{ t texter }

// NewWriter makes a writer for one answer. model is the name that the caller sees.
func NewWriter(op llm.Operation, id llm.ID, model string, now time.Time) Writer {
	return Writer{texter{op: op, id: id, created: now.Unix(), model: model}}
}

// Whole appends a whole answer. Without a finish reason it is "stop", or "tool_calls" if there are any.
func (w *Writer) Whole(dst []byte, s *Said) []byte {
	dst = w.t.head(dst, w.t.object(false))
	dst = w.wholeChoice(dst, s)
	for i := range s.More {
		dst = w.wholeChoice(append(dst, ','), &s.More[i])
	}
	dst = append(dst, ']')
	if s.Usage.Known() {
		dst = appendFullUsage(append(dst, `,"usage":`...), s.Usage)
	}
	return append(appendExtras(dst, s), '}')
}

func (w *Writer) wholeChoice(dst []byte, s *Said) []byte {
	finish := s.Finish
	switch {
	case finish == "" && len(s.Calls) > 0:
		finish = "tool_calls"
	case finish == "":
		finish = "stop"
	}
	if w.t.op == llm.OpCompletion {
		return w.t.textChoice(dst, s.Index, s.Text, finish)
	}
	dst = strconv.AppendInt(append(dst, `{"index":`...), int64(s.Index), 10)
	dst = append(dst, `,"message":{"role":"assistant","content":`...)
	if s.Text == "" && (len(s.Calls) > 0 || s.Refusal != "" || s.Audio != nil) {
		dst = append(dst, "null"...)
	} else {
		dst = llm.AppendQuoted(dst, s.Text)
	}
	dst = appendSaid(dst, s, false)
	dst = llm.AppendQuoted(append(dst, `},"finish_reason":`...), finish)
	if s.Logprobs != nil {
		dst = append(append(dst, `,"logprobs":`...), s.Logprobs...)
	}
	return append(dst, '}')
}

// Role appends the chunk that begins a chat.
func (w *Writer) Role(dst []byte) []byte {
	return w.choice(dst, &Said{}, `{"role":"assistant","content":""}`)
}

// Chunk appends a chunk. A finish reason belongs into one of its own, without anything said.
func (w *Writer) Chunk(dst []byte, s *Said) []byte { return w.chunk(dst, s, false) }

// First is Chunk for the first one of a choice, which tells the role as well.
func (w *Writer) First(dst []byte, s *Said) []byte { return w.chunk(dst, s, true) }

func (w *Writer) chunk(dst []byte, s *Said, first bool) []byte {
	dst = w.t.head(dst, w.t.object(true))
	if w.t.op == llm.OpCompletion {
		dst = w.t.textChoice(dst, s.Index, s.Text, s.Finish)
		return append(appendExtras(append(dst, ']'), s), '}')
	}
	dst = strconv.AppendInt(append(dst, `{"index":`...), int64(s.Index), 10)
	dst = append(dst, `,"delta":{`...)
	if first {
		dst = append(dst, `"role":"assistant"`...)
	}
	if s.Text != "" || first {
		if first {
			dst = append(dst, ',')
		}
		dst = llm.AppendQuoted(append(dst, `"content":`...), s.Text)
	}
	dst = append(appendSaid(dst, s, true), '}')
	return append(appendExtras(append(appendChoiceEnd(dst, s), "}]"...), s), '}')
}

func (w *Writer) choice(dst []byte, s *Said, delta string) []byte {
	dst = w.t.head(dst, w.t.object(true))
	dst = strconv.AppendInt(append(dst, `{"index":`...), int64(s.Index), 10)
	dst = append(append(dst, `,"delta":`...), delta...)
	return append(appendChoiceEnd(dst, s), "}]}"...)
}

func appendChoiceEnd(dst []byte, s *Said) []byte {
	dst = appendNullable(append(dst, `,"finish_reason":`...), s.Finish)
	if s.Logprobs != nil {
		dst = append(append(dst, `,"logprobs":`...), s.Logprobs...)
	}
	return dst
}

// Usage appends the chunk that carries the usage.
func (w *Writer) Usage(dst []byte, u llm.Usage) []byte {
	dst = append(w.t.head(dst, w.t.object(true)), `],"usage":`...)
	return append(appendFullUsage(dst, u), '}')
}

// appendExtras appends what an answer holds beside its choices.
func appendExtras(dst []byte, s *Said) []byte {
	for _, e := range s.Extra {
		dst = append(append(append(dst, `,"`...), e.Name...), `":`...)
		dst = append(dst, e.Value...)
	}
	return dst
}

// appendSaid appends the members of a message or delta besides its content.
func appendSaid(dst []byte, s *Said, delta bool) []byte {
	b := dialect.Resumed(dst)
	b.Text("refusal", s.Refusal)
	b.Text("reasoning_content", s.Reasoning)
	if len(s.Thinking) > 0 {
		b.Key("thinking_blocks").Open('[').Raw(s.Thinking).Close(']')
	}
	if len(s.Images) > 0 {
		b.Key("images").Open('[').Raw(s.Images).Close(']')
	}
	if len(s.Annotations) > 0 {
		b.Key("annotations").Open('[').Raw(s.Annotations).Close(']')
	}
	b.Member("audio", s.Audio)
	b.Member("provider_specific_fields", s.Specific)
	if len(s.Calls) == 0 {
		return b.Bytes()
	}
	b.Key("tool_calls").Open('[')
	for i := range s.Calls {
		s.Calls[i].write(&b, delta)
	}
	b.Close(']')
	return b.Bytes()
}

func (c *SaidCall) write(b *dialect.Builder, delta bool) {
	b.Open('{')
	if delta {
		b.Key("index").Int(int64(c.Index))
	}
	kind, input := "function", "arguments"
	if c.Free {
		kind, input = "custom", "input"
	}
	if c.ID != "" || !delta {
		b.Key("id").Quote(c.ID).Key("type").Quote(kind)
	}
	b.Key(kind).Open('{')
	if c.Name != "" || !delta {
		b.Key("name").Quote(c.Name)
	}
	b.Key(input).Quote(c.Arguments).Close('}')
	b.Member("provider_specific_fields", c.Specific)
	b.Close('}')
}

// appendFullUsage is appendUsage with the details that are known, in the reference's shape (litellm/types/utils.py,
// Usage): the counts of a vendor's cache stand in the details and beside them.
func appendFullUsage(dst []byte, u llm.Usage) []byte {
	if u.Total == 0 {
		u.Total = u.Prompt + u.Completion
	}
	dst = appendUsage(dst, u)
	b := dialect.Resumed(dst[:len(dst)-1])
	count := func(key string, n int64) {
		if n > 0 {
			b.Key(key).Int(n)
		}
	}
	if u.Cached+u.CacheWrite+u.AudioPrompt > 0 {
		b.Key("prompt_tokens_details").Open('{').Key("cached_tokens").Int(u.Cached)
		count("cache_creation_tokens", u.CacheWrite)
		count("audio_tokens", u.AudioPrompt)
		b.Close('}')
	}
	if u.Reasoning+u.AudioCompletion > 0 {
		b.Key("completion_tokens_details").Open('{')
		count("reasoning_tokens", u.Reasoning)
		count("audio_tokens", u.AudioCompletion)
		b.Close('}')
	}
	count("cache_creation_input_tokens", u.CacheWrite)
	if u.CacheWrite > 0 {
		b.Key("cache_read_input_tokens").Int(u.Cached)
	}
	if u.CacheWriteHour > 0 {
		b.Key("cache_creation").Open('{').Key("ephemeral_5m_input_tokens").Int(u.CacheWrite - u.CacheWriteHour)
		b.Key("ephemeral_1h_input_tokens").Int(u.CacheWriteHour).Close('}')
	}
	b.Close('}')
	return b.Bytes()
}
