package gemini

import (
	"slices"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Stream makes chunks of streamGenerateContent of the chunks of a chat completion. A function call comes in one piece
// there, so its arguments are held until it is complete, and the finish reason comes with the usage in the last chunk.
// The zero value is ready for a stream.
type Stream struct {
	choices []state
	id      []byte
	model   []byte
}

// state is what is held of one choice.
type state struct {
	index  int64
	calls  []toolCall
	finish string
	native []byte
}

// maxHeld is how many choices, and how many calls of each, a stream may have.
const maxHeld = 1 << 10

// Reset makes the stream ready for another one.
func (s *Stream) Reset() { *s = Stream{choices: s.choices[:0], id: s.id[:0], model: s.model[:0]} }

// Append appends the chunk for a chunk of chat completions. It appends nothing if there is nothing to tell yet.
func (s *Stream) Append(dst, chunk []byte) ([]byte, error) {
	var a chatAnswer
	if !a.scan(chunk) {
		return dst, ErrNotChat
	}
	if len(s.id) == 0 {
		s.id = append(s.id, a.id...)
	}
	if len(s.model) == 0 {
		s.model = append(s.model, a.model...)
	}
	from := len(dst)
	dst = append(dst, `{"candidates":[`...)
	start, n := len(dst), 0
	for list := dialect.Array(a.choices); list.Next(); n++ {
		var ch choice
		ch.scan(list.Value(), n)
		h := s.of(ch.index)
		if h == nil {
			return dst[:from], ErrNotChat
		}
		before := len(dst)
		dst = append(comma(dst, start), `{"content":{"parts":[`...)
		inner := len(dst)
		dst = ch.m.said(dst, inner, false)
		if err := h.take(&ch); err != nil {
			return dst[:from], err
		}
		empty := len(dst) == inner
		dst = append(dst, `],"role":"model"},"index":`...)
		dst = strconv.AppendInt(dst, ch.index, 10)
		if ch.logprobs != nil {
			dst, empty = appendLogprobs(dst, ch.logprobs), false
		}
		at := len(dst)
		dst = append(ch.metadata(dst, &a), '}')
		if empty && len(dst) == at+1 {
			dst = dst[:before]
		}
	}
	if len(dst) == start {
		return dst[:from], nil
	}
	return s.close(append(dst, ']')), nil
}

func (s *Stream) close(dst []byte) []byte {
	a := chatAnswer{id: s.id, model: s.model}
	if len(s.id) == 0 {
		a.id = nil
	}
	if len(s.model) == 0 {
		a.model = nil
	}
	return append(a.names(dst), '}')
}

// of returns what is held of a choice, or nil if there are too many.
func (s *Stream) of(index int64) *state {
	for i := range s.choices {
		if s.choices[i].index == index {
			return &s.choices[i]
		}
	}
	if len(s.choices) == maxHeld {
		return nil
	}
	s.choices = append(s.choices, state{index: index})
	return &s.choices[len(s.choices)-1]
}

// take holds the calls and the finish reason of a chunk.
func (h *state) take(ch *choice) error {
	for c := dialect.Array(ch.m.calls); c.Next(); {
		var t toolCall
		t.scan(c.Value())
		at := slices.IndexFunc(h.calls, func(have toolCall) bool { return have.index == t.index })
		if at < 0 {
			if len(h.calls) == maxHeld {
				return ErrNotChat
			}
			h.calls = append(h.calls, t)
			continue
		}
		have := &h.calls[at]
		have.scan(c.Value())
	}
	if ch.m.call != nil {
		if len(h.calls) == 0 {
			h.calls = append(h.calls, toolCall{})
		}
		h.calls[0].function(ch.m.call)
	}
	if ch.finish != "" {
		h.finish = ch.finish
	}
	if ch.native != nil {
		h.native = slices.Clone(ch.native)
	}
	return nil
}

// AppendEnd appends the last chunk: the function calls, why each candidate stopped, and the usage.
func (s *Stream) AppendEnd(dst []byte, u llm.Usage) []byte {
	if len(s.choices) == 0 {
		s.of(0)
	}
	dst = append(dst, `{"candidates":[`...)
	for i := range s.choices {
		h := &s.choices[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"content":{"parts":[`...)
		start := len(dst)
		for k := range h.calls {
			dst = h.calls[k].append(comma(dst, start))
		}
		if len(dst) == start {
			dst = append(dst, `{"text":""}`...)
		}
		dst = append(dst, `],"role":"model"}`...)
		finish := h.finish
		if finish == "" {
			finish = "stop"
		}
		dst = appendReason(dst, finish, h.native)
		dst = append(strconv.AppendInt(append(dst, `,"index":`...), h.index, 10), '}')
	}
	dst = AppendUsage(append(dst, `],"usageMetadata":`...), u)
	return s.close(dst)
}
