package openai

import (
	"strconv"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Said is what a model said, or what a chunk adds to it, for a vendor whose answers have another form.
type Said struct {
	Text      string
	Reasoning string
	Calls     []SaidCall
	Finish    string
	Usage     llm.Usage
}

// SaidCall is a call of a tool, or what a chunk adds to it.
type SaidCall struct {
	Index               int
	ID, Name, Arguments string
}

// Empty reports whether nothing was said that a caller would see in a choice.
func (s *Said) Empty() bool {
	return s.Text == "" && s.Reasoning == "" && len(s.Calls) == 0 && s.Finish == ""
}

// Writer writes an answer of chat completions or completions in the API's form.
type Writer struct{ t texter }

// NewWriter makes a writer for one answer. model is the name that the caller sees.
func NewWriter(op llm.Operation, id llm.ID, model string, now time.Time) Writer {
	return Writer{texter{op: op, id: id, created: now.Unix(), model: model}}
}

// Whole appends a whole answer. Without a finish reason it is "stop", or "tool_calls" if there are any.
func (w *Writer) Whole(dst []byte, s *Said) []byte {
	finish := s.Finish
	switch {
	case finish == "" && len(s.Calls) > 0:
		finish = "tool_calls"
	case finish == "":
		finish = "stop"
	}
	dst = w.t.head(dst, w.t.object(false))
	if w.t.op == llm.OpCompletion {
		dst = w.t.textChoice(dst, 0, s.Text, finish)
	} else {
		dst = append(dst, `{"index":0,"message":{"role":"assistant","content":`...)
		if s.Text == "" && len(s.Calls) > 0 {
			dst = append(dst, "null"...)
		} else {
			dst = llm.AppendQuoted(dst, s.Text)
		}
		dst = appendSaid(dst, s, false)
		dst = append(llm.AppendQuoted(append(dst, `},"finish_reason":`...), finish), '}')
	}
	dst = append(dst, ']')
	if s.Usage.Known() {
		dst = appendFullUsage(append(dst, `,"usage":`...), s.Usage)
	}
	return append(dst, '}')
}

// Role appends the chunk that begins a chat.
func (w *Writer) Role(dst []byte) []byte {
	return w.choice(dst, `{"role":"assistant","content":""}`, "")
}

// Chunk appends a chunk. A finish reason belongs into one of its own, without anything said.
func (w *Writer) Chunk(dst []byte, s *Said) []byte {
	if w.t.op == llm.OpCompletion {
		dst = w.t.textChoice(w.t.head(dst, w.t.object(true)), 0, s.Text, s.Finish)
		return append(dst, "]}"...)
	}
	delta := []byte{'{'}
	if s.Text != "" {
		delta = llm.AppendQuoted(append(delta, `"content":`...), s.Text)
	}
	delta = appendSaid(delta, s, true)
	return w.choice(dst, string(append(delta, '}')), s.Finish)
}

// Usage appends the chunk that carries the usage.
func (w *Writer) Usage(dst []byte, u llm.Usage) []byte {
	dst = append(w.t.head(dst, w.t.object(true)), `],"usage":`...)
	return append(appendFullUsage(dst, u), '}')
}

func (w *Writer) choice(dst []byte, delta, finish string) []byte {
	dst = append(append(w.t.head(dst, w.t.object(true)), `{"index":0,"delta":`...), delta...)
	dst = appendNullable(append(dst, `,"finish_reason":`...), finish)
	return append(dst, "}]}"...)
}

// appendSaid appends the members of a message or delta besides its content.
func appendSaid(dst []byte, s *Said, delta bool) []byte {
	key := func(name string) {
		if dst[len(dst)-1] != '{' && dst[len(dst)-1] != '[' {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), name...), `":`...)
	}
	if s.Reasoning != "" {
		key("reasoning_content")
		dst = llm.AppendQuoted(dst, s.Reasoning)
	}
	if len(s.Calls) == 0 {
		return dst
	}
	key("tool_calls")
	dst = append(dst, '[')
	for i := range s.Calls {
		c := &s.Calls[i]
		dst = append(comma(dst, i), '{')
		if delta {
			key("index")
			dst = strconv.AppendInt(dst, int64(c.Index), 10)
		}
		if c.ID != "" || !delta {
			key("id")
			dst = llm.AppendQuoted(dst, c.ID)
			key("type")
			dst = append(dst, `"function"`...)
		}
		key("function")
		dst = append(dst, '{')
		if c.Name != "" || !delta {
			key("name")
			dst = llm.AppendQuoted(dst, c.Name)
		}
		key("arguments")
		dst = append(llm.AppendQuoted(dst, c.Arguments), "}}"...)
	}
	return append(dst, ']')
}

// appendFullUsage is appendUsage with the details that are known.
func appendFullUsage(dst []byte, u llm.Usage) []byte {
	if u.Total == 0 {
		u.Total = u.Prompt + u.Completion
	}
	dst = appendUsage(dst, u)
	dst = dst[:len(dst)-1]
	if u.Cached > 0 {
		dst = strconv.AppendInt(append(dst, `,"prompt_tokens_details":{"cached_tokens":`...), u.Cached, 10)
		dst = append(dst, '}')
	}
	if u.Reasoning > 0 {
		dst = strconv.AppendInt(append(dst, `,"completion_tokens_details":{"reasoning_tokens":`...), u.Reasoning, 10)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}
